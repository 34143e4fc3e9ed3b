package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"faust/runtime/app"
)

// guard stands before an argument that begins with '-' and is a number, so that it is not taken for a flag.
const guard = "\x00"

// guardNumbers guards negative numbers among args: `add 1 -2` has two arguments.
func guardNumbers(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = a
		if len(a) > 1 && a[0] == '-' && (a[1] >= '0' && a[1] <= '9' || a[1] == '.') {
			out[i] = guard + a
		}
	}
	return out
}

func unguard(arg string) string { return strings.TrimPrefix(arg, guard) }

// unguardFlags gives flags that take texts what was meant: what follows a flag was guarded like an argument.
func unguardFlags(set *pflag.FlagSet) {
	set.Visit(func(f *pflag.Flag) {
		texts := []string{f.Value.String()}
		list, several := f.Value.(pflag.SliceValue)
		if several {
			texts = list.GetSlice()
		}
		if !slices.ContainsFunc(texts, func(text string) bool { return strings.HasPrefix(text, guard) }) {
			return
		}
		for i := range texts {
			texts[i] = unguard(texts[i])
		}
		// They take every text: what does not was refused with its guard.
		if several {
			_ = list.Replace(texts)
		} else {
			_ = f.Value.Set(texts[0])
		}
	})
}

// optionFlag is an option of an app's command as a flag.
type optionFlag struct {
	option *app.Option
	values []string
}

func (f *optionFlag) String() string {
	if f == nil || f.option == nil {
		return ""
	}
	return strings.Join(f.values, ",")
}

func (f *optionFlag) Type() string { return string(f.option.Kind) }

func (f *optionFlag) Set(text string) error {
	v, err := f.option.Check(unguard(text))
	if err != nil {
		return err
	}
	if f.option.Multiple {
		f.values = append(f.values, v)
	} else {
		f.values = []string{v}
	}
	return nil
}

// negatedFlag is --no-x of a bool option.
type negatedFlag struct{ flag *optionFlag }

func (f negatedFlag) String() string { return "false" }
func (f negatedFlag) Type() string   { return "bool" }
func (f negatedFlag) Set(text string) error {
	on, err := app.ParseBool(text)
	if err != nil {
		return err
	}
	return f.flag.Set(map[bool]string{true: "false", false: "true"}[on])
}

// addOptions defines the options of an app's command as flags.
func addOptions(set *pflag.FlagSet, options []app.Option) []*optionFlag {
	var flags []*optionFlag
	for i := range options {
		o := &options[i]
		f := &optionFlag{option: o}
		flags = append(flags, f)
		set.VarP(f, o.Name, o.Short, o.Help)
		if o.Kind == app.Bool {
			set.Lookup(o.Name).NoOptDefVal = "true"
			set.Var(negatedFlag{f}, "no-"+o.Name, "")
			negated := set.Lookup("no-" + o.Name)
			negated.NoOptDefVal, negated.Hidden = "true", true
		}
	}
	return flags
}

// input makes what the command's function gets: flags over environment over defaults, and the arguments.
func (s *session) input(c *app.Command, flags []*optionFlag, args []string) (app.Input, error) {
	in := app.Input{}
	for _, f := range flags {
		values, err := s.optionValues(f)
		if err != nil {
			return nil, err
		}
		if values != nil {
			in[f.option.Name] = values
		} else if f.option.Required && !(f.option.Secret && s.isTerminalIn()) {
			return nil, usagef("--%s is missing", f.option.Name)
		}
	}
	return in, takeArguments(in, c.Arguments, args)
}

func (s *session) optionValues(f *optionFlag) ([]string, error) {
	o := f.option
	if f.values != nil {
		return f.values, nil
	}
	if text := s.env.get(o.Env); o.Env != "" && text != "" {
		texts := []string{text}
		if o.Multiple {
			texts = strings.Split(text, ",")
		}
		var values []string
		for _, t := range texts {
			v, err := o.Check(strings.TrimSpace(t))
			if err != nil {
				return nil, cannotBe(o.Env, t, err)
			}
			values = append(values, v)
		}
		return values, nil
	}
	return o.Default, nil
}

// takeArguments gives each declared argument its value; the last one may take several.
func takeArguments(in app.Input, declared []app.Argument, args []string) error {
	for i := range declared {
		a := &declared[i]
		if len(args) == 0 {
			if a.Required {
				return usagef("argument '%s' is missing", a.Name)
			}
			break
		}
		n := 1
		if a.Multiple {
			n = len(args)
		}
		for _, text := range args[:n] {
			v, err := a.Check(unguard(text))
			if err != nil {
				return cannotBe("argument '"+a.Name+"'", unguard(text), err)
			}
			in[a.Name] = append(in[a.Name], v)
		}
		args = args[n:]
	}
	if len(args) > 0 {
		return usagef("argument '%s' is too many", unguard(args[0]))
	}
	return nil
}

// appCommand makes a command of the app.
func (s *session) appCommand(c *app.Command) *cobra.Command {
	command := &cobra.Command{Use: c.Name, Short: c.Help, Args: cobra.ArbitraryArgs, Annotations: map[string]string{"plain": "yes"}}
	flags := addOptions(command.Flags(), c.Options)
	command.RunE = func(command *cobra.Command, args []string) error {
		s.usage = s.usageLine(command)
		unguardFlags(command.Flags())
		if s.globals.json { // before the command
			return s.noJSON(command)
		}
		if err := s.agree(); err != nil {
			return err
		}
		in, err := s.input(c, flags, args)
		if err != nil {
			return err
		}
		return s.runCommand(command.Context(), c, in)
	}
	return command
}
