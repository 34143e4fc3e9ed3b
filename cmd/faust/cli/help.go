package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"faust/runtime/app"
)

// help prints the help of c, or of everything, to standard output.
func (s *session) help(c *cobra.Command) error {
	if c != nil {
		return s.printCommandHelp(c)
	}
	var b strings.Builder
	if s.app == nil {
		s.writeProgramHelp(&b)
	} else {
		s.writeAppHelp(&b)
	}
	return s.showHelp(b.String())
}

// showHelp prints help, on a terminal in lines that fit.
func (s *session) showHelp(text string) error {
	if s.isTerminal(s.Stdout) {
		text = wrappedHelp(text, width(s.Stdout))
	}
	_, err := io.WriteString(s.Stdout, text)
	return err
}

func (s *session) writeProgramHelp(b *strings.Builder) {
	s.writeCommands(b)
	s.writeOptions(b)
	b.WriteString("Examples:\n")
	b.WriteString("  echo \"app.task(function() print 'APP STARTED' end)\" > hello.lua\n")
	b.WriteString("  faust run hello.lua worker\n  faust run hello.lua --help\n")
}

// writeCommands says what faust is and lists its commands.
func (s *session) writeCommands(b *strings.Builder) {
	b.WriteString("faust runs stream-processing apps written in Lua, on Kafka or on a broker of its own.\n\n")
	b.WriteString("Usage:  faust run FILE <command> [options]\n        faust -A FILE <command> [options]\n\n")
	writeRows(b, "With an app:", append([][2]string{{"run FILE", "What the app in FILE offers: its own commands beside these."}}, s.builtinRows(func(c builtin) bool { return c.app })...))
	writeRows(b, "Without one:", s.builtinRows(func(c builtin) bool { return !c.app }))
}

func (s *session) writeAppHelp(b *strings.Builder) {
	a := s.app.script.App
	fmt.Fprintf(b, "%s (version %d)", a.Settings.ID, a.Settings.Version)
	if a.About != "" {
		fmt.Fprintf(b, " - %s", a.About)
	}
	fmt.Fprintf(b, "\n\nUsage:  %s <command> [options]\n\n", s.program)
	var own [][2]string
	for _, c := range a.Commands {
		own = append(own, [2]string{c.Name, firstLine(c.Help)})
	}
	if len(own) > 0 {
		writeRows(b, "Commands of this app:", own)
	}
	for _, g := range groups() {
		writeRows(b, string(g)+":", s.builtinRows(func(c builtin) bool { return c.group == g }))
	}
	s.writeOptions(b)
	fmt.Fprintf(b, "Examples:\n  %s worker -l info\n", s.program)
	if len(own) > 0 {
		fmt.Fprintf(b, "  %s %s --help\n", s.program, own[0][0])
	}
}

// builtinRows lists the built-in commands that are wanted.
func (s *session) builtinRows(want func(c builtin) bool) [][2]string {
	var rows [][2]string
	for _, c := range append(s.builtins(), builtin{group: other, use: helpUse, short: helpShort}) {
		if want(c) {
			rows = append(rows, [2]string{c.use, c.short})
		}
	}
	return rows
}

func writeRows(b *strings.Builder, head string, rows [][2]string) {
	if len(rows) == 0 {
		return
	}
	b.WriteString(head + "\n")
	wide := 12
	for _, r := range rows {
		wide = max(wide, len(r[0]))
	}
	for _, r := range rows {
		b.WriteString(strings.TrimRight(fmt.Sprintf("  %-*s  %s", wide, r[0], r[1]), " ") + "\n")
	}
	b.WriteString("\n")
}

// writeOptions lists the flags of every command with their defaults and environment variables.
func (s *session) writeOptions(b *strings.Builder) {
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	(&globals{}).add(set)
	b.WriteString("Options:\n")
	s.writeFlags(b, s.flagRows(set, nil))
	b.WriteString("\n")
}

// flagRow is one flag in help.
type flagRow struct{ flag, help, value, env string }

// writeFlags lists flags. On a terminal that has no room for the environment variables a line says how they are called.
func (s *session) writeFlags(b *strings.Builder, rows []flagRow) {
	var wide [4]int
	for _, r := range rows {
		wide[0], wide[1], wide[2] = max(wide[0], len(r.flag)), max(wide[1], min(len(r.help), 52)), max(wide[2], len(r.value))
		wide[3] = max(wide[3], len(r.env))
	}
	narrow := s.isTerminal(s.Stdout) && width(s.Stdout) < 8+wide[0]+wide[1]+wide[2]+wide[3]
	named := false
	for _, r := range rows {
		if narrow {
			named = named || r.env != ""
			b.WriteString(strings.TrimRight(fmt.Sprintf("  %-*s  %s %s", wide[0], r.flag, r.help, r.value), " ") + "\n")
			continue
		}
		line := fmt.Sprintf("  %-*s  %-*s  %-*s  %s", wide[0], r.flag, wide[1], r.help, wide[2], r.value, r.env)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	if named {
		b.WriteString("  The environment sets them too: FAUST_ and the name in capitals, as in FAUST_WEB_PORT.\n")
	}
}

// flagRows describes the flags of set, those of options first and in their order.
func (s *session) flagRows(set *pflag.FlagSet, options []app.Option) []flagRow {
	var rows []flagRow
	own := map[string]bool{}
	for i := range options {
		own[options[i].Name], own["no-"+options[i].Name] = true, true
		rows = append(rows, optionRow(&options[i]))
	}
	for _, d := range app.Schema() {
		for _, name := range []string{d.Flag, d.Negated} {
			if f := set.Lookup(name); name != "" && f != nil && !own[name] {
				own[name] = true
				r := flagRow{flag: flagText(f.Shorthand, name, d.Meta), help: d.Help, env: d.Env}
				if d.Default != "" && d.Flag != "" {
					r.value = "[" + d.Default + "]"
				}
				if d.Negated != "" {
					r.env = d.Env + "=false"
				}
				rows = append(rows, r)
			}
		}
	}
	envs := map[string]string{"workdir": "FAUST_WORKDIR", "debug": "FAUST_DEBUG"}
	set.VisitAll(func(f *pflag.Flag) {
		if !own[f.Name] && !f.Hidden {
			meta, usage := flagUsage(f)
			rows = append(rows, flagRow{flag: flagText(f.Shorthand, f.Name, meta), help: usage, env: envs[f.Name]})
		}
	})
	return rows
}

// flagUsage takes what stands for the value out of a flag's usage: it is quoted with backticks there.
func flagUsage(f *pflag.Flag) (meta, usage string) {
	if !strings.Contains(f.Usage, "`") {
		return "", f.Usage
	}
	return pflag.UnquoteUsage(f)
}

func flagText(short, name, meta string) string {
	text := "    --" + name
	if short != "" {
		text = "-" + short + ", --" + name
	}
	if meta != "" {
		text += " " + meta
	}
	return text
}

func optionRow(o *app.Option) flagRow {
	r := flagRow{help: firstLine(o.Help), env: o.Env}
	if o.Kind == app.Bool {
		r.flag = strings.Replace(flagText(o.Short, o.Name, ""), "--", "--[no-]", 1)
	} else {
		r.flag = flagText(o.Short, o.Name, strings.ToUpper(string(o.Kind)))
	}
	var more []string
	if len(o.Choices) > 0 {
		more = append(more, strings.Join(o.Choices, ", "))
	}
	if limits := o.Limits(); limits != "" {
		more = append(more, limits)
	}
	if o.Multiple {
		more = append(more, "may be repeated")
	}
	if o.Secret {
		more = append(more, "asked for on a terminal")
	}
	if len(more) > 0 {
		r.help = strings.TrimSpace(r.help + " (" + strings.Join(more, "; ") + ")")
	}
	switch {
	case o.Required:
		r.value = "required"
	case o.Default != nil:
		r.value = "[" + strings.Join(o.Default, ",") + "]"
	}
	return r
}

// printCommandHelp prints the help of one command to standard output.
func (s *session) printCommandHelp(c *cobra.Command) error {
	var b strings.Builder
	declared := s.declared(c)
	if declared == nil {
		s.writeBuiltinHelp(&b, c)
		return s.showHelp(b.String())
	}
	if declared.Help != "" {
		fmt.Fprintf(&b, "%s\n\n", strings.TrimSpace(declared.Help))
	}
	fmt.Fprintf(&b, "Usage:  %s\n\n", s.usageLine(c))
	writeArguments(&b, declared.Arguments)
	if len(declared.Options) > 0 {
		b.WriteString("Options:\n")
		s.writeFlags(&b, s.flagRows(pflag.NewFlagSet("", pflag.ContinueOnError), declared.Options))
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "Options of every command:  %s --help\n", s.program)
	return s.showHelp(b.String())
}

// writeBuiltinHelp writes the help of a built-in command. Where it has flags of its own only these are listed, but for what runs.
func (s *session) writeBuiltinHelp(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "%s\n\nUsage:  %s\n\n", c.Short, s.usageLine(c))
	if c.Long != "" {
		fmt.Fprintf(b, "%s\n\n", strings.TrimSpace(c.Long))
	}
	own := ownFlags(c)
	all := group(c.Annotations["group"]) == running
	if own.HasFlags() || all {
		b.WriteString("Options:\n")
		rows := s.flagRows(own, nil)
		if all {
			set := pflag.NewFlagSet("", pflag.ContinueOnError)
			(&globals{}).add(set)
			set.Lookup("json").Hidden = c.Annotations["plain"] != ""
			rows = append(rows, s.flagRows(set, nil)...)
		}
		s.writeFlags(b, rows)
		b.WriteString("\n")
	}
	if c.Example != "" {
		b.WriteString("Examples:\n")
		for _, line := range strings.Split(strings.TrimSpace(c.Example), "\n") {
			fmt.Fprintf(b, "  %s %s\n", s.caller(c), line)
		}
		b.WriteString("\n")
	}
	if !all {
		fmt.Fprintf(b, "Options of every command:  %s --help\n", s.program)
	}
}

// caller is what stands before the name of c.
func (s *session) caller(c *cobra.Command) string {
	if s.app == nil && c.Annotations["app"] != "" {
		return "faust run FILE"
	}
	return s.program
}

func writeArguments(b *strings.Builder, arguments []app.Argument) {
	var rows [][2]string
	for _, a := range arguments {
		help := firstLine(a.Help)
		if len(a.Choices) > 0 {
			help = strings.TrimSpace(help + " (" + strings.Join(a.Choices, ", ") + ")")
		}
		rows = append(rows, [2]string{strings.ToUpper(a.Name), help})
	}
	if len(rows) > 0 {
		writeRows(b, "Arguments:", rows)
	}
}

// declared gives the app's command behind c; nil: it is built in.
func (s *session) declared(c *cobra.Command) *app.Command {
	if s.app == nil {
		return nil
	}
	i := slices.IndexFunc(s.app.script.App.Commands, func(d *app.Command) bool { return d.Name == c.Name() })
	if i < 0 {
		return nil
	}
	return s.app.script.App.Commands[i]
}

// usageLine is how c is called.
func (s *session) usageLine(c *cobra.Command) string {
	line := s.caller(c) + " " + c.Use
	if d := s.declared(c); d != nil {
		for _, a := range d.Arguments {
			name := strings.ToUpper(a.Name)
			if a.Multiple {
				name += "..."
			}
			if !a.Required {
				name = "[" + name + "]"
			}
			line += " " + name
		}
	}
	return line + " [options]"
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
