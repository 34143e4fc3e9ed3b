package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// builtin is a command of faust's own.
type builtin struct {
	group   group
	use     string // the name and its arguments: tail TOPIC|@AGENT
	short   string // one line
	long    string // more, for its own help; empty: none
	example string // lines without the program before them: tail orders -n 5
	app     bool   // it needs an app
	plain   bool   // it has no output for programs: --json is unknown to it
	min     int    // arguments at least
	max     int    // arguments at most; -1: any number
	flags   func(set *pflag.FlagSet)
	// complete gives what argument number len(args) can be, each with a tab and a description if there is one; nil: nothing is known.
	complete func(s *session, args []string) []string
	run      func(ctx context.Context, args []string) error
}

// group is where help lists a command.
type group string

// The groups, in the order of help.
const (
	running group = "Running"
	looking group = "Looking"
	doing   group = "Doing"
	other   group = "Other"
)

func groups() []group { return []group{running, looking, doing, other} }

// builtins are faust's own commands in the order of help. runtime/app reserves their names.
func (s *session) builtins() []builtin {
	list := []builtin{
		s.workerCommand(), s.replCommand(), s.brokerCommand(), s.statusCommand(), s.healthCommand(), s.versionCommand(), s.completionCommand(),
	}
	list = append(list, s.listCommands()...)
	return append(list, s.tablesCommand(), s.getCommand(), s.scanCommand(), s.tailCommand(), s.sendCommand(), s.askCommand(), s.dlqCommand(), s.resetCommand(), s.cleanCommand())
}

// cobra makes the command.
func (b builtin) cobra(s *session) *cobra.Command {
	c := &cobra.Command{Use: b.use, Short: b.short, Long: b.long, Example: b.example, Args: cobra.ArbitraryArgs,
		Annotations: map[string]string{"group": string(b.group)}}
	if b.app {
		c.Annotations["app"] = "needed"
	}
	if b.plain {
		c.Annotations["plain"] = "yes"
	}
	if b.flags != nil {
		b.flags(c.Flags())
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		s.usage = s.usageLine(c)
		for i := range args {
			args[i] = unguard(args[i])
		}
		unguardFlags(c.Flags())
		if b.plain && s.globals.json { // before the command
			return s.noJSON(c)
		}
		if err := b.count(s, c.Name(), args); err != nil {
			return err
		}
		if err := s.agree(); err != nil {
			return err
		}
		if b.app && s.app == nil {
			return s.needApp(c.Name())
		}
		return b.run(c.Context(), args)
	}
	return c
}

// count checks the number of arguments.
func (b builtin) count(s *session, name string, args []string) error {
	switch {
	case len(args) < b.min:
		return usagef("%s needs %s", name, missingArgument(b.use, len(args)))
	case b.max < 0 || len(args) <= b.max:
		return nil
	case b.max > 0:
		return usagef("%s: argument '%s' is too many", name, args[b.max])
	}
	err := usagef("%s takes no argument: '%s'", name, args[0])
	if s.app == nil && name == "worker" && isFile(args[0]) {
		err.hint = fmt.Sprintf("faust run %s worker", quoteArg(args[0]))
	}
	return err
}

// missingArgument names argument number i of a use line.
func missingArgument(use string, i int) string {
	words := strings.Fields(use)[1:]
	if i < len(words) {
		return strings.Trim(words[i], "[].")
	}
	return "an argument"
}

// ownFlags are the flags that c has and not every command.
func ownFlags(c *cobra.Command) *pflag.FlagSet {
	every, own := pflag.NewFlagSet("", pflag.ContinueOnError), pflag.NewFlagSet("", pflag.ContinueOnError)
	(&globals{}).add(every)
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if every.Lookup(f.Name) == nil {
			own.AddFlag(f)
		}
	})
	return own
}
