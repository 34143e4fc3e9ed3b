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

	"faust/runtime/app"
)

// Version is the version of the program.
const Version = "0.1.0"

// Process is what a command line runs in. Stdout belongs to the script; banner, logs and errors go to Stderr.
type Process struct {
	Args    []string // without the program's name
	Environ []string // NAME=value
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
}

// Main runs the command line of this process and gives its exit code.
func Main() int {
	holdHeapFloor()
	return Run(context.Background(), Process{os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr})
}

// Run runs one command line and gives its exit code. It may change the working directory and the environment of the process
// (--workdir, --env-file), and listens to signals while a worker, a broker or a command runs.
func Run(ctx context.Context, p Process) int {
	s := &session{Process: p, usage: "faust run FILE <command> [options]"}
	err := s.run(ctx)
	s.report(err)
	return exitCode(err)
}

// session is one command line being run.
type session struct {
	Process
	globals globals
	env     environment
	program string       // how the user would write what comes before a command: faust run app.lua
	usage   string       // the one usage line of wrong usage
	app     *application // the script, if one was named
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
