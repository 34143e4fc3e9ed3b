package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"faust/luabind/fault"
	"faust/runtime/app"
)

// dispatch runs the command of call.
func (s *session) dispatch(ctx context.Context, call invocation) error {
	if call.command == "" {
		return s.help(nil)
	}
	root := s.tree()
	if _, known := s.child(root, call.command); !known {
		return s.unknownCommand(root, call.command)
	}
	root.SetArgs(append([]string{call.command}, guardNumbers(call.args)...))
	return root.ExecuteContext(ctx)
}

// tree makes the commands: the built-in ones, and those of the app.
func (s *session) tree() *cobra.Command {
	root := &cobra.Command{
		Use: s.program, SilenceErrors: true, SilenceUsage: true, Args: cobra.ArbitraryArgs,
		RunE: func(*cobra.Command, []string) error { return s.help(nil) },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(s.helpCommand(root))
	arguments := map[*cobra.Command]func(s *session, args []string) []string{}
	var commands []*cobra.Command
	for _, b := range s.builtins() {
		c := b.cobra(s)
		commands, arguments[c] = append(commands, c), b.complete
	}
	if s.app != nil {
		for _, d := range s.app.script.App.Commands {
			c := s.appCommand(d)
			commands, arguments[c] = append(commands, c), argumentChoices(d)
		}
	}
	for _, c := range commands {
		without := ""
		if c.Annotations["plain"] != "" {
			without = "json"
		}
		s.globals.addBut(c.Flags(), without)
		s.offer(c, arguments[c])
		c.SetHelpFunc(func(c *cobra.Command, _ []string) { _ = s.printCommandHelp(c) }) // cobra takes no error
		c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
			s.usage = s.usageLine(c)
			var unknown *pflag.NotExistError
			if errors.As(err, &unknown) && unknown.GetSpecifiedName() == "json" {
				return s.noJSON(c)
			}
			return flagError(c.Flags(), err)
		})
		root.AddCommand(c)
	}
	s.globals.add(root.Flags())
	return root
}

func (s *session) child(root *cobra.Command, name string) (*cobra.Command, bool) {
	if name == "help" {
		return nil, true
	}
	for _, c := range root.Commands() {
		if c.Name() == name {
			return c, true
		}
	}
	return nil, false
}

// unknownCommand finds out what a command that does not exist was meant to be.
func (s *session) unknownCommand(root *cobra.Command, name string) error {
	if s.app == nil {
		if err := s.missingApp(name); err != nil {
			return err
		}
	}
	if app.Reserved(name) {
		return usagef("'%s' is not in this version", name)
	}
	err := usagef("unknown command '%s'", name)
	known := append(app.BuiltinCommands(), "run")
	for _, c := range root.Commands() {
		known = append(known, c.Name())
	}
	if best := fault.Suggest(name, known); best != "" {
		err.hint = fmt.Sprintf("did you mean '%s'?", best)
	}
	return err
}

// missingApp explains a command that needs an app, and a file that is given without run. nil: it is something else.
func (s *session) missingApp(name string) error {
	if isFile(name) || strings.HasSuffix(name, ".lua") {
		err := usagef("'%s' is no command", name)
		err.hint = "faust run " + strings.Join(append([]string{quoteArg(name)}, rest(s.Args, name)...), " ")
		return err
	}
	return nil
}

// rest gives what follows name in args.
func rest(args []string, name string) []string {
	for i, a := range args {
		if a == name {
			return args[i+1:]
		}
	}
	return nil
}

// needApp is the error of a command that was called without an app.
func (s *session) needApp(command string) error {
	err := usagef("%s needs an app: faust run FILE %s", command, command)
	if found := appsHere(); len(found) > 0 {
		err.hint = fmt.Sprintf("faust run %s %s", found[0], command)
	}
	return err
}

// flagError says what is wrong with a flag, in our words.
func flagError(set *pflag.FlagSet, err error) error {
	var (
		unknown *pflag.NotExistError
		needs   *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			return usagef("unknown flag '-%s'", name)
		}
		e := usagef("unknown flag '--%s'", name)
		if best := fault.Suggest(name, flagNames(set)); best != "" {
			e.hint = fmt.Sprintf("did you mean '--%s'?", best)
		}
		return e
	case errors.As(err, &needs):
		return usagef("%s needs a value", dashed(needs.GetSpecifiedName()))
	case errors.As(err, &invalid):
		cause := invalid.Unwrap()
		var number *strconv.NumError
		switch kind := invalid.GetFlag().Value.Type(); {
		case kind == "bool":
			cause = errors.New("expected true or false")
		case errors.As(cause, &number):
			cause = errors.New("expected a whole number from 0 on")
		}
		return cannotBe("--"+invalid.GetFlag().Name, unguard(invalid.GetValue()), cause)
	}
	return usagef("%s", err)
}

// noJSON is the error of --json for a command that has no output for programs.
func (s *session) noJSON(c *cobra.Command) error {
	err := usagef("unknown flag '--json'")
	d := s.declared(c)
	switch {
	case d == nil && c.Annotations["group"] == string(running):
		err.hint = "--log-format json makes its log one for programs"
	case d != nil && c.Flags().Lookup("json") != nil:
		err.hint = fmt.Sprintf("--json of '%s' stands after its name", c.Name())
	case d != nil:
		err.hint = fmt.Sprintf("app.option('--json', { type = 'bool' }) gives '%s' one of its own", c.Name())
	}
	return err
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

func flagNames(set *pflag.FlagSet) []string {
	var names []string
	set.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden || strings.HasPrefix(f.Name, "no-") && f.Name != "no-pass" {
			names = append(names, f.Name)
		}
	})
	return names
}
