// Package repl is the terminal side of the console: reading inputs and ':' commands, and showing what comes of them. It speaks control, to a session in this process
// or in a worker.
package repl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"

	"faust/cmd/faust/cli/repl/edit"
	"faust/runtime/control"
)

// Config says what a console works on.
type Config struct {
	Stdin  io.Reader
	Stdout io.Writer // what inputs print, and their values
	Stderr io.Writer // errors, and what the console itself says

	Terminal edit.Terminal // where a person types and sees; nil: there is none, inputs are read from Stdin
	Dumb     bool          // the terminal knows no escape sequences
	Color    bool
	Width    func() int    // of the screen; nil: there is none
	History  *edit.History // nil: it is not kept
	Above    *edit.Above   // what writes to the terminal at any time; nil: nobody does
	Edit     func(input string) (string, error)

	// Open makes the session, and a new one if the worker it was in went away.
	Open     func(ctx context.Context) (control.Session, error)
	Worker   Worker   // that it is attached to; nil: none
	Commands Commands // nil: there is no app
	Greeting []string // lines
	Inputs   []string // to run instead of what is typed
	Form     string   // in which values are shown, if an input does not say
	Suggest  func(name string, known []string) string
	Visible  func(text string) string // takes out of a text what a terminal would obey; nil: nothing
}

// Worker is the worker that a console is attached to. *control.Client is one.
type Worker interface {
	Status(ctx context.Context) (control.Status, error)
	Errors(ctx context.Context, limit int) ([]control.Failure, error)
	Tasks(ctx context.Context) ([]control.Task, error)
	Pause(ctx context.Context, agent string) error
	Resume(ctx context.Context, agent string) error
	Channels(ctx context.Context) ([]string, error)
	Tail(ctx context.Context, channel string, ready func(), f func(control.Message)) error
	Log(ctx context.Context, level string, ready func(), f func(control.Line)) error
}

// Commands are the commands of the command line.
type Commands interface {
	// App tells whether there is an app whose definitions are loaded here: tail, send, ask and the lists need one.
	App() bool
	// Run runs a command with its arguments; what is wrong is shown already, and the error only tells that something was.
	Run(ctx context.Context, args ...string) error
	// HelpNames are the names that help knows, each with a tab and one line about it.
	HelpNames() []string
}

// ErrFailed is what Run gives if an input failed that nobody can correct. What was wrong is shown already.
var ErrFailed = errors.New("an input failed")

// Run reads and runs inputs until there are no more. Nobody at a terminal: it ends with the first that fails.
func Run(ctx context.Context, cfg Config) error {
	r := &repl{Config: cfg}
	session, err := cfg.Open(ctx)
	if err != nil {
		return err
	}
	r.session = session
	defer func() { r.session.Close() }()
	switch {
	case cfg.Inputs != nil:
		return r.runInputs(ctx)
	case cfg.Terminal == nil:
		return r.runLines(ctx)
	}
	return r.talk(ctx)
}

// repl is a console that runs.
type repl struct {
	Config
	session control.Session
	editor  *edit.Editor
	signals chan os.Signal // ^C, while a person types
	quit    bool
}

// runInputs runs what was given on the command line.
func (r *repl) runInputs(ctx context.Context) error {
	for _, text := range r.Inputs {
		if err := r.batch(ctx, text); err != nil || r.quit {
			return err
		}
	}
	return nil
}

// batch runs an input that nobody can correct.
func (r *repl) batch(ctx context.Context, text string) error {
	failed := r.run(ctx, text, true)
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if failed {
		return ErrFailed
	}
	return nil
}

// runLines runs what Stdin has.
func (r *repl) runLines(ctx context.Context) error {
	lines := newLines(r.Stdin)
	var input string
	for {
		text, err := lines.next(ctx)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		input += text
		end := err != nil
		if strings.TrimSpace(input) != "" && (end || r.whole(ctx, input)) {
			if err := r.batch(ctx, input); err != nil || r.quit {
				return err
			}
			input = ""
		}
		if end {
			return nil
		}
	}
}

// talk goes on until the person leaves.
func (r *repl) talk(ctx context.Context) error {
	for _, l := range r.Greeting {
		fmt.Fprintln(r.Stderr, l)
	}
	// From now on, so that ^C between two inputs does not end everything.
	r.signals = make(chan os.Signal, 1)
	signal.Notify(r.signals, os.Interrupt)
	defer signal.Stop(r.signals)
	read := r.reader()
	for !r.quit {
		text, err := read(ctx)
		switch {
		case errors.Is(err, edit.ErrInterrupted):
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if strings.TrimSpace(text) == "" {
			continue
		}
		if r.History != nil {
			if err := r.History.Add(text); err != nil {
				fmt.Fprintf(r.Stderr, "error: the history is not kept: %s\n", err)
				r.History = nil
			}
		}
		r.interruptible(ctx, func(ctx context.Context) { r.run(ctx, text, false) })
		if err := context.Cause(ctx); err != nil {
			return err
		}
	}
	return nil
}

// interruptible runs f with a context that ^C ends.
func (r *repl) interruptible(ctx context.Context, f func(ctx context.Context)) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	select {
	case <-r.signals: // it came too late for the one before
	default:
	}
	var joined sync.WaitGroup
	defer joined.Wait()
	done := make(chan struct{})
	defer close(done)
	joined.Go(func() {
		select {
		case <-r.signals:
			stop()
		case <-done:
		}
	})
	f(ctx)
}

// run runs one input, or a ':' command, and shows what comes of it.
func (r *repl) run(ctx context.Context, text string, last bool) (failed bool) {
	if strings.HasPrefix(strings.TrimSpace(text), ":") {
		return r.command(ctx, strings.TrimSpace(text))
	}
	return r.eval(ctx, control.Input{Text: text, Form: r.Form, Last: last})
}

// eval has the session run an input and shows the result.
func (r *repl) eval(ctx context.Context, in control.Input) (failed bool) {
	in.Color = r.Color
	if r.Width != nil {
		in.Width = r.Width()
	}
	out := &tidy{w: r.Stdout}
	result := r.session.Eval(ctx, in, out)
	if r.Terminal != nil {
		out.open = out.open || result.Stopped && ctx.Err() != nil // behind the ^C that the terminal shows
		out.finish()
	}
	switch {
	case result.Failed:
		fmt.Fprintln(r.Stderr, result.Text)
	case result.Incomplete:
		fmt.Fprintln(r.Stderr, "error: the input ends too early")
	case result.Text != "":
		fmt.Fprintln(r.Stdout, result.Text)
	}
	if result.Gone {
		r.again(ctx)
	}
	return result.Failed || result.Incomplete
}

// again opens a session in place of one that is gone.
func (r *repl) again(ctx context.Context) {
	session, err := r.Open(ctx)
	if err != nil {
		fmt.Fprintln(r.Stderr, "  = hint: as soon as it runs again the next line attaches to it; with --new the app is loaded here instead")
		return
	}
	r.session = session
	fmt.Fprintln(r.Stderr, "attached again: your variables are gone, and the line has to be typed again")
}

// whole tells whether an input is all there.
func (r *repl) whole(ctx context.Context, text string) bool {
	if strings.HasPrefix(strings.TrimSpace(text), ":") && !strings.Contains(text, "\n") {
		_, text = cutCommand(text)
		if !strings.HasPrefix(text, "{") && !strings.Contains(text, "function") {
			return true
		}
	}
	return !r.session.Eval(ctx, control.Input{Text: text, Check: true}, io.Discard).Incomplete
}

// tidy passes on what is printed and remembers whether it ended in a line break.
type tidy struct {
	w    io.Writer
	open bool
}

func (t *tidy) Write(p []byte) (int, error) {
	if len(p) > 0 {
		t.open = p[len(p)-1] != '\n'
	}
	return t.w.Write(p)
}

// finish ends a line that was begun.
func (t *tidy) finish() {
	if t.open {
		fmt.Fprintln(t.w)
	}
}
