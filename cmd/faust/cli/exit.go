package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"

	"faust/luabind"
	"faust/luabind/fault"
	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/control"
	"faust/runtime/deadletter"
	"faust/runtime/reset"
	"faust/runtime/worker"
)

// The exit codes. 130 and 143 (128 and the signal's number): stopped by a signal before it was done.
const (
	exitDone    = 0
	exitFailed  = 1 // the script raised or a command failed
	exitUsage   = 2 // wrong usage
	exitLoad    = 3 // the file could not be loaded
	exitBroker  = 4 // broker out of reach
	exitSignals = 128
)

// exitCode is the one place where errors become exit codes.
func exitCode(err error) int {
	var (
		exit    *app.Exit
		signal  *signalError
		usage   *usageError
		load    *loadError
		setting *app.SettingError
		kafka   *broker.Error
	)
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &signal):
		return exitSignals + int(signal.number)
	case errors.As(err, &exit):
		return exit.Code
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &load):
		return exitLoad
	case errors.As(err, &setting):
		return exitUsage
	case errors.As(err, &kafka):
		return exitBroker
	}
	return exitFailed
}

// usageError is a command line that cannot be understood. It is shown with the usage line.
type usageError struct {
	message, hint string
	err           *fault.Error // what is wrong in a text of the command line, to be drawn; nil: message and hint say it
}

func (e *usageError) Error() string { return e.message }

func usagef(format string, args ...any) *usageError {
	return &usageError{message: fmt.Sprintf(format, args...)}
}

// cannotBe is the error of a value that what it is given to does not take.
func cannotBe(what, value string, cause error) *usageError {
	e := usagef("%s cannot be '%s': %s", what, value, cause)
	var choice *app.ChoiceError
	if errors.As(cause, &choice) {
		if best := fault.Suggest(choice.Text, choice.Choices); best != "" {
			e.hint = fmt.Sprintf("did you mean '%s'?", best)
		}
	}
	return e
}

// loadError is a file that could not be loaded: it is not there, or err says what is wrong in it.
type loadError struct {
	message, hint string
	err           error
}

func (e *loadError) Error() string {
	if e.err != nil {
		return e.err.Error()
	}
	return e.message
}
func (e *loadError) Unwrap() error { return e.err }

func loadf(format string, args ...any) *loadError {
	return &loadError{message: fmt.Sprintf(format, args...)}
}

// signalError is the end by a signal before the work was done. err, if not nil, is worth showing.
type signalError struct {
	number syscall.Signal
	err    error
}

func (e *signalError) Error() string { return "stopped by " + e.number.String() }
func (e *signalError) Unwrap() error { return e.err }

// storeHint is what to do where tables cannot be kept on disk, whether an event of a script met with that or not.
const storeHint = "tables are kept there as a copy of their changelogs: make room and give yourself the right to write; a folder that is damaged or of another version can be deleted, it is made anew from Kafka"

// report shows err to the user. What the command line itself has to say is plain text in every log format.
func (s *session) report(err error) {
	var signal *signalError
	if errors.As(err, &signal) {
		err = signal.err
	}
	var (
		usage *usageError
		load  *loadError
		exit  *app.Exit
		kafka *broker.Error
		lua   *fault.Error
		dir   *worker.DatadirError
		state *worker.StoreError
		left  *deadletter.Nobody
		runs  *reset.RunningError
		inUse *worker.InUseError
		whose *reset.AmbiguousError
		port  *worker.PortError
		held  *broker.PortError

		failure *luabind.Failure
	)
	switch {
	case err == nil, errors.As(err, &exit):
	case errors.As(err, &usage):
		s.misuse(usage)
		fmt.Fprintf(s.Stderr, "usage: %s\n", s.usage)
	case errors.As(err, &failure):
		fmt.Fprintln(s.Stderr, failure.Text)
	case errors.As(err, &load) && load.err == nil:
		s.complain(load.message, load.hint)
	case errors.As(err, &lua):
		s.draw(err, lua)
	case errors.As(err, &kafka):
		s.complain(err.Error(), kafka.Hint)
	case errors.As(err, &left):
		s.complain(err.Error(), "another agent takes it over with --to @AGENT; dlq drop forgets it")
	case errors.As(err, &runs), errors.As(err, &inUse), errors.Is(err, broker.ErrMembers):
		s.complain(err.Error(), "stop all workers of the app first; one that died is a member until its session_timeout is over")
	case errors.As(err, &whose):
		s.complain(err.Error(), "give the app, or what has that topic, a name that no other one begins with")
	case errors.As(err, &dir):
		s.complain(err.Error(), "a worker keeps its identity there: make room and give yourself the right to write, or choose another folder with --datadir")
	case errors.As(err, &state):
		s.complain(err.Error(), storeHint)
	case errors.As(err, &port) && port.Taken():
		s.portTaken(port)
	case errors.As(err, &held):
		s.complain(held.Error(), "choose another one with --port; without it a free one is taken")
	default:
		s.complain(err.Error(), "")
	}
}

// occupantPatience is how long who has a port may take to say so.
const occupantPatience = 2 * time.Second

// portTaken says that somebody else has the web port: which worker, if it is one.
func (s *session) portTaken(e *worker.PortError) {
	text, hint := e.Error(), "choose another one with -p PORT, or none with --without-web"
	if origin, given := s.app.script.App.Settings.Origin("web_port"); given {
		hint = fmt.Sprintf("choose another one with -p PORT; without %s a free one is taken", origin)
	}
	ctx, cancel := context.WithTimeout(context.Background(), occupantPatience)
	defer cancel()
	if c, err := control.DialHTTP(ctx, e.Addr, control.Access{}); err == nil {
		defer c.Close()
		if by, err := c.Status(ctx); err == nil {
			text += fmt.Sprintf(" by worker %s (pid %d)", by.App, by.PID)
		}
	}
	s.complain(text, hint)
}

// misuse shows what is wrong with a command line.
func (s *session) misuse(e *usageError) {
	if e.err != nil {
		s.draw(e.err, e.err)
		return
	}
	s.complain(e.message, e.hint)
}

func (s *session) complain(message, hint string) {
	fmt.Fprintf(s.Stderr, "error: %s\n", fault.Visible(message))
	if hint != "" {
		fmt.Fprintf(s.Stderr, "  = hint: %s\n", fault.Visible(hint))
	}
}

// draw renders what a script author has to see.
func (s *session) draw(err error, first *fault.Error) {
	var list fault.List
	shown := error(first)
	var kafka *broker.Error
	var state *worker.StoreError
	hint := ""
	switch {
	case errors.As(err, &list):
		shown = list
	case errors.As(err, &kafka):
		hint = kafka.Hint
	case errors.As(err, &state):
		hint = storeHint
	}
	if hint != "" {
		hinted := *first
		hinted.Hints = append(slices.Clone(first.Hints), hint)
		shown = &hinted
	}
	fault.Render(s.Stderr, shown, s.renderConfig())
}

func (s *session) renderConfig() fault.RenderConfig {
	return fault.RenderConfig{Color: s.colored(s.Stderr), Traceback: string(s.globals.traceback), Source: s.source, Secrets: s.hidden}
}

// cause is the innermost text of a file system error: no such file or directory.
func cause(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	var system *os.SyscallError
	if errors.As(err, &system) {
		return system.Err.Error()
	}
	return err.Error()
}
