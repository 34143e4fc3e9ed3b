// Package cli is the command line: it finds the app, lays flags over the environment, runs workers, brokers and the app's own commands, and
// turns what went wrong into a message and an exit code.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"faust/cmd/faust/cli/repl/edit"
	"faust/luabind/fault"
	"faust/runtime/app"
	"faust/runtime/worker"
)

// Version is the version of the program.
const Version = "0.1.0"

// Process is what a command line runs in. Stdout belongs to the script; banner, logs and errors go to Stderr.
type Process struct {
	Args               []string // without the program's name
	Environ            []string // NAME=value
	Stdin              io.Reader
	Stdout             io.Writer
	Stderr             io.Writer
	Between            func(worker.Moment) error // of a worker, for tests that let it die: see worker.Config; nil in the program itself
	CheckpointInterval time.Duration             // likewise
}

// Main runs the command line of this process and gives its exit code.
func Main() int {
	holdHeapFloor()
	return Run(context.Background(), Process{Args: os.Args[1:], Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
}

// Run runs one command line and gives its exit code. It may change the working directory and the environment of the process
// (--workdir, --env-file), and listens to signals while a worker, a broker or a command runs.
func Run(ctx context.Context, p Process) int {
	hidden := &fault.Secrets{}
	s := &session{Process: p, tap: &logTap{hidden: hidden}, usage: "faust run FILE <command> [options]", hidden: hidden}
	s.Stderr = s.hidden.Writer(p.Stderr)
	out := &output{inner: p.Stdout}
	s.Stdout = out
	if completes(p.Args) {
		return exitCode(s.complete(ctx, p.Args[0], p.Args[1:]))
	}
	err := out.judge(s.run(ctx))
	s.report(err)
	return exitCode(err)
}

// session is one command line being run.
type session struct {
	Process
	globals globals
	env     environment
	program string            // how the user would write what comes before a command: faust run app.lua
	usage   string            // the one usage line of wrong usage
	app     *application      // the script, if one was named
	client  *worker.Client    // of a console, while it runs
	talks   bool              // a person types into a console
	above   *edit.Above       // where logs go then
	texts   map[string]string // what was given on the command line or read from elsewhere, for excerpts
	tap     *logTap           // of the process's logger
	secrets map[string]string // of --secrets, by name
	hidden  *fault.Secrets    // what neither standard error nor a log file nor a page shows
	piped   []byte            // the script, if it came through a pipe
	levels  *logLevels        // of the log, once it is open
	screen  *screen           // the terminal with a status line; nil: there is none
	keys    atomic.Pointer[keys]
	command atomic.Pointer[progress]
}

// errReload: the flags after the command say something else than was guessed before the app's commands were known.
var errReload = errors.New("flags differ from what the app was loaded with")

func (s *session) run(ctx context.Context) error {
	call, err := s.globals.scan(s.Args)
	if err != nil {
		return err
	}
	given := s.globals.clone()
	s.globals.guess(call.args)
	if err := s.enter(given); err != nil {
		return err
	}
	if s.globals.version && (call.command == "" || slices.Contains(app.BuiltinCommands(), call.command)) {
		return s.printVersion()
	}
	s.program = call.program()
	if call.run && call.file == "" {
		return s.withoutFile()
	}
	if call.file == "" {
		s.globals = given
		s.env.warnUnknown(s.Stderr, nil)
		return s.dispatch(ctx, call)
	}
	s.usage = s.program + " <command> [options]"
	file, err := locate(call.file, !call.run)
	if tty, ok := fileOf(s.Stderr); ok && call.counts() && s.animated(tty) {
		s.screen = newScreen(tty)
		s.Stdout, s.Stderr = s.screen.writer(s, s.Stdout), s.screen.writer(s, s.Stderr)
	}
	for first := true; err == nil; first = false {
		if err = s.load(file, call); err != nil {
			break
		}
		if first {
			s.env.warnUnknown(s.Stderr, s.app)
		}
		s.globals = given.clone()
		if err = s.dispatch(ctx, call); !errors.Is(err, errReload) {
			s.app.close()
			break
		}
		s.app.close()
		err = nil
	}
	return err
}

// agree checks the flags that were given after the command's name. errReload: the app has to be loaded again with them.
func (s *session) agree() error {
	if err := s.checkLayers(); err != nil {
		return err
	}
	if s.app != nil && !s.globals.equal(s.app.loadedWith) {
		return errReload
	}
	return nil
}

// enter changes to the working directory, reads --env-file and checks every value of flags and environment. given are the flags
// before the command; those after it are guessed and count only if they make sense.
func (s *session) enter(given globals) error {
	s.env = readEnvironment(s.Environ)
	dir := s.globals.workdir
	if dir == "" {
		dir = s.env.get("FAUST_WORKDIR")
	}
	if dir != "" {
		if err := os.Chdir(dir); err != nil {
			return usagef("working directory '%s': %s", dir, cause(err))
		}
	}
	if s.globals.envFile != "" {
		if err := s.env.addFile(s.globals.envFile); err != nil {
			return err
		}
	}
	if err := s.readSecrets(s.globals.secrets); err != nil {
		return err
	}
	if err := s.checkLayers(); err == nil {
		return nil
	}
	s.globals = given.clone()
	return s.checkLayers()
}

// withoutFile answers a `run` without a file: with help if that was asked for, else with what was probably meant.
func (s *session) withoutFile() error {
	if s.globals.help {
		return s.help(nil)
	}
	err := usagef("run needs the file of an app")
	if found := appsHere(); len(found) > 0 {
		err.hint = fmt.Sprintf("faust run %s worker", found[0])
	}
	return err
}

// invocation is a command line taken apart: the app's file, the command and what is for the command.
type invocation struct {
	run     bool   // the form `faust run FILE`
	file    string // as given; "": none
	command string // "": none
	args    []string
}

// looks tells whether the app is loaded only to be looked at: neither a worker nor a command of its own runs.
func (c invocation) looks() bool {
	return c.command == "" || c.command != "worker" && slices.Contains(app.BuiltinCommands(), c.command)
}

// counts tells whether what runs has a status line: a worker, a command of the app, and those that send or read many messages.
func (c invocation) counts() bool {
	return c.command != "" && (!c.looks() || slices.Contains([]string{"send", "tail", "dlq"}, c.command))
}

// program is what stands before the command.
func (c invocation) program() string {
	switch {
	case c.file == "":
		return "faust"
	case c.run:
		return "faust run " + quoteArg(c.file)
	}
	return "faust -A " + quoteArg(c.file)
}

func quoteArg(arg string) string {
	if strings.ContainsAny(arg, " '\"$`\\*?") {
		return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
	}
	return arg
}
