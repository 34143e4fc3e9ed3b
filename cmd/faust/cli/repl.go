package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"faust/cmd/faust/cli/repl"
	"faust/cmd/faust/cli/repl/edit"
	"faust/luabind"
	"faust/luabind/fault"
	"faust/runtime/app"
	"faust/runtime/control"
	"faust/runtime/worker"
)

// replFlags are the flags of repl.
type replFlags struct {
	exprs  []string
	attach string
	fresh  bool
}

func (s *session) replCommand() builtin {
	f := &replFlags{}
	return builtin{
		group: running, use: "repl", short: "A console, attached to the running worker if there is one.",
		flags: func(set *pflag.FlagSet) {
			set.StringArrayVarP(&f.exprs, "eval", "e", nil, "run `EXPR` instead of what is typed; may be repeated")
			set.StringVar(&f.attach, "attach", "", "attach to the worker whose web server is at `URL`, with FAUST_WEB_TOKEN")
			set.BoolVar(&f.fresh, "new", false, "do not attach: load the app here, and start nothing")
		},
		long: `Lua is run as it is typed: in the running worker of this data directory if there is one, else here, with the app's definitions loaded and nothing started. What
the app declared is known by its name, and what is typed stays: local or not, it is a variable of this console, not of the app.

x? tells what x is, :help what else there is. From a pipe, or with -e, it runs without prompt and ends with exit code 1 at the first error.`,
		example: `repl
repl --new
repl -e 'app.topics.orders:send { value = { total = 20 } }:wait()'`,
		run: func(ctx context.Context, _ []string) error { return s.runRepl(ctx, f) },
	}
}

// runRepl finds out where the console runs, and runs it.
func (s *session) runRepl(ctx context.Context, f *replFlags) error {
	if f.fresh && f.attach != "" {
		return usagef("give either --new or --attach")
	}
	if s.talks = f.exprs == nil && s.isTerminalIn(); s.talks {
		s.above = edit.NewAbove(s.Stderr)
	}
	attached, more, err := s.attached(ctx, f)
	if err != nil {
		return err
	}
	plain := s.app == nil
	if plain {
		if s.app, err = s.plain(); err != nil {
			return err
		}
		defer func() { s.app.close(); s.app = nil }()
	}
	return s.linked(ctx, func(ctx context.Context, client *worker.Client) error {
		s.client = client
		defer func() { s.client = nil }()
		cfg := s.replConfig(f, plain)
		if attached != nil {
			defer attached.Close()
			cfg.Worker = attached
			cfg.Open = func(ctx context.Context) (control.Session, error) { return attached.Open(ctx, who()) }
			if cfg.Greeting, err = s.attachedGreeting(ctx, attached, more); err != nil {
				return err
			}
		} else {
			late := s.Stdout
			if s.talks {
				late = s.above
			}
			console := s.app.script.Console(0, late)
			cfg.Open = func(context.Context) (control.Session, error) { return console.Open(""), nil }
			cfg.Greeting = s.freshGreeting(plain)
		}
		err := repl.Run(ctx, cfg)
		if errors.Is(err, repl.ErrFailed) {
			return &app.Exit{Code: exitFailed}
		}
		return err
	})
}

// attached gives the worker to attach to, and how many others run with the data directory; nil: none.
func (s *session) attached(ctx context.Context, f *replFlags) (c *control.Client, more int, err error) {
	switch {
	case f.attach != "":
		settings, err := s.settings()
		if err != nil {
			return nil, 0, err
		}
		c, err = control.DialHTTP(ctx, f.attach, control.Access{Token: settings.WebToken})
		return c, 0, explained(err)
	case f.fresh || s.app == nil:
		return nil, 0, nil
	}
	settings := s.app.script.App.Settings
	workers, err := control.Workers(ctx, settings.Datadir, settings.GroupID())
	if len(workers) == 0 {
		return nil, 0, explained(err)
	}
	for _, w := range workers[1:] {
		w.Close()
	}
	return workers[0], len(workers) - 1, nil
}

// explained gives the error of a worker with its hint.
func explained(err error) error {
	var e *control.Error
	if !errors.As(err, &e) || e.Hint == "" {
		return err
	}
	return &fault.Error{Code: fault.Connection, Message: e.Text, Hints: []string{e.Hint}, Cause: err}
}

// plain makes what a console without an app runs in.
func (s *session) plain() (*application, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	return s.application(func(cfg luabind.Config) (*luabind.Script, error) { return luabind.Plain(dir, cfg) })
}

// who tells the worker whose console it is.
func who() string {
	name := "somebody"
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil && host != "" {
		name += "@" + host
	}
	return name
}

// replConfig is what a console has whatever it is attached to.
func (s *session) replConfig(f *replFlags, plain bool) repl.Config {
	cfg := repl.Config{
		Stdin: s.Stdin, Stdout: s.Stdout, Stderr: s.Stderr, Color: s.colored(s.Stdout),
		Commands: &replCommands{s: s, app: !plain}, Inputs: f.exprs, Suggest: fault.Suggest, Visible: fault.Visible,
	}
	if s.globals.json {
		cfg.Form = "json"
	}
	out, ok := fileOf(s.Stdout)
	if ok && s.isTerminalFile(out) {
		cfg.Width = func() int { return width(s.Stdout) }
	}
	in, isFile := s.Stdin.(*os.File)
	if !s.talks || !isFile {
		return cfg
	}
	cfg.Terminal = edit.Console{In: in, Out: out}
	cfg.Dumb = cfg.Width == nil || s.env.get("TERM") == "dumb"
	cfg.Edit, cfg.Above = s.editor(out), s.above
	var err error
	if cfg.History, err = s.history(plain); err != nil {
		fmt.Fprintf(s.Stderr, "error: the history cannot be read: %s\n", cause(err))
		cfg.History = &edit.History{}
	}
	return cfg
}

// history opens the history of this app's console.
func (s *session) history(plain bool) (*edit.History, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return &edit.History{}, nil //nolint:nilerr // nobody has a place for it
	}
	name := "repl"
	if !plain {
		name = s.app.script.App.Settings.ID
	}
	return edit.OpenHistory(filepath.Join(dir, "faust", "history", name))
}

// editor has an input edited, on the terminal that screen is, by the program that the environment names; nil: it names none.
func (s *session) editor(screen *os.File) func(input string) (string, error) {
	program := strings.Fields(s.env.get("VISUAL"))
	if len(program) == 0 {
		program = strings.Fields(s.env.get("EDITOR"))
	}
	if len(program) == 0 {
		return nil
	}
	return func(input string) (string, error) {
		dir, err := os.MkdirTemp("", "faust")
		if err != nil {
			return "", err
		}
		defer func() { _ = os.RemoveAll(dir) }() // it is below the folder for what is temporary
		file := filepath.Join(dir, "input.lua")
		if err := os.WriteFile(file, []byte(input+"\n"), 0o600); err != nil {
			return "", err
		}
		cmd := exec.Command(program[0], append(program[1:], file)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = s.Stdin, screen, s.Stderr
		if err := cmd.Run(); err != nil {
			return "", err
		}
		b, err := os.ReadFile(file)
		return string(b), err
	}
}

// attachedGreeting says which worker the console is attached to.
func (s *session) attachedGreeting(ctx context.Context, c *control.Client, more int) ([]string, error) {
	status, err := c.Status(ctx)
	if err != nil {
		return nil, explained(err)
	}
	text := fmt.Sprintf("attached to worker %s (pid %d)", status.App, status.PID)
	if more > 0 {
		text += fmt.Sprintf(", one of %d here", more+1)
	}
	return s.greeting(text), nil
}

func (s *session) freshGreeting(plain bool) []string {
	if plain {
		return s.greeting("no app")
	}
	return s.greeting(s.app.script.App.File + " is loaded, nothing is started")
}

// greeting is the first line, or two on a narrow screen.
func (s *session) greeting(text string) []string {
	first, last := "ƒaµS† "+Version+", "+text, ":help lists what there is, ^D leaves"
	if s.globals.quiet {
		return nil
	}
	if len([]rune(first))+len(last)+3 <= width(s.Stdout) {
		return []string{first + " - " + last}
	}
	return []string{first, last}
}

// replCommands runs commands of the command line for the console.
type replCommands struct {
	s   *session
	app bool
}

// App implements repl.Commands.
func (c *replCommands) App() bool { return c.app }

// HelpNames implements repl.Commands.
func (c *replCommands) HelpNames() []string { return c.s.helpNames(c.s.tree()) }

// Run implements repl.Commands. What a command's flags set does not outlive it.
func (c *replCommands) Run(ctx context.Context, args ...string) error {
	s := c.s
	globals, usage, script := s.globals.clone(), s.usage, s.app
	defer func() { s.globals, s.usage, s.app = globals, usage, script }()
	if !c.app {
		s.app = nil
	}
	root := s.tree()
	root.SetArgs(append(args[:1:1], guardNumbers(args[1:])...))
	err := root.ExecuteContext(ctx)
	if errors.Is(err, errReload) {
		err = usagef("the settings of the app cannot be changed here")
	}
	var wrong *usageError
	switch {
	case err == nil, ctx.Err() != nil && errors.Is(err, context.Canceled):
	case errors.As(err, &wrong): // how it is used on the command line is of no use here
		s.misuse(wrong)
	default:
		s.report(err)
	}
	return err
}
