package cli

import (
	"maps"
	"strings"

	"github.com/spf13/pflag"

	"faust/runtime/app"
)

// globals are the flags that every command has.
type globals struct {
	app       string
	workdir   string
	envFile   string
	secrets   string
	traceback traceback
	quiet     bool
	json      bool
	debug     bool
	yes       bool
	unsafe    bool
	noPass    bool
	help      bool
	version   bool
	settings  map[string]string // settings given as flags, by the setting's name
}

// add defines the flags in set, which share their values with every other set made of g. Names and letters that set has already win.
func (g *globals) add(set *pflag.FlagSet) { g.addBut(set, "") }

// addBut is add without one of the flags.
func (g *globals) addBut(set *pflag.FlagSet, without string) {
	if g.settings == nil {
		g.settings = map[string]string{}
	}
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	own.StringVarP(&g.app, "app", "A", g.app, "the app: a `FILE`, a folder or a name like shop.orders")
	own.StringVarP(&g.workdir, "workdir", "W", g.workdir, "change to `DIR` first")
	own.StringVar(&g.envFile, "env-file", g.envFile, "read environment variables from this `FILE`")
	own.StringVar(&g.secrets, "secrets", g.secrets, "read what env.secret gives from this `FILE`")
	for _, d := range app.Schema() {
		g.addSetting(own, d)
	}
	own.BoolVar(&g.json, "json", g.json, "output for programs")
	own.BoolVarP(&g.quiet, "quiet", "q", g.quiet, "no banner, and say is silent")
	own.BoolVar(&g.debug, "debug", g.debug, "log everything")
	own.BoolVar(&g.yes, "yes", g.yes, "answer yes to every confirm")
	own.BoolVar(&g.unsafe, "unsafe", g.unsafe, "let the script start programs and leave its folder")
	own.Var(&g.traceback, "traceback", "`HOW` errors are traced: short, full, none")
	own.BoolVar(&g.noPass, "no-pass", g.noPass, "load scripts without the pass that makes them fast")
	own.BoolVarP(&g.help, "help", "h", g.help, "this help")
	own.BoolVar(&g.version, "version", g.version, "the version of the program")
	own.Lookup("no-pass").Hidden = true
	own.VisitAll(func(f *pflag.Flag) {
		if set.Lookup(f.Name) != nil || f.Name == without {
			return
		}
		if f.Shorthand != "" && set.ShorthandLookup(f.Shorthand) != nil {
			f.Shorthand = ""
		}
		set.AddFlag(f)
	})
}

func (g *globals) addSetting(set *pflag.FlagSet, d app.Setting) {
	if d.Flag != "" {
		set.VarP(&settingFlag{g.settings, d.Name}, d.Flag, d.Short, d.Help)
	}
	if d.Negated != "" {
		set.Var(&settingSwitch{g.settings, d.Name}, d.Negated, d.Help)
		set.Lookup(d.Negated).NoOptDefVal = "true"
	}
}

// clone gives a copy that shares nothing with g.
func (g *globals) clone() globals {
	c := *g
	c.settings = maps.Clone(g.settings)
	return c
}

// equal tells whether an app loaded with other would be the same.
func (g *globals) equal(other globals) bool {
	return maps.Equal(g.settings, other.settings) && g.yes == other.yes && g.quiet == other.quiet && g.unsafe == other.unsafe &&
		g.noPass == other.noPass && g.debug == other.debug && g.envFile == other.envFile && g.secrets == other.secrets
}

// guess reads the flags after a command whose own flags are not known yet, and passes over what it does not know.
func (g *globals) guess(args []string) {
	set := pflag.NewFlagSet("guess", pflag.ContinueOnError)
	set.ParseErrorsAllowlist.UnknownFlags = true
	set.Usage = func() {}
	g.add(set)
	// A broken value is told when the command's flags are known.
	_ = set.Parse(guardNumbers(args))
	unguardFlags(set)
}

// layer is what flags say of settings.
func (g *globals) layer() app.Layer {
	origin := func(name string) app.Origin {
		d, _ := app.Lookup(name)
		if d.Negated != "" {
			return app.Origin("--" + d.Negated)
		}
		return app.Origin("--" + d.Flag)
	}
	values := map[string]string{}
	for name, text := range g.settings {
		values[name] = text
	}
	if _, given := values["loglevel"]; g.debug && !given {
		values["loglevel"] = "debug"
	}
	return app.Layer{Origin: origin, Values: values}
}

// scan takes args apart as far as that is possible without knowing the app: it reads the flags before the command.
func (g *globals) scan(args []string) (invocation, error) {
	set := pflag.NewFlagSet("faust", pflag.ContinueOnError)
	set.SetInterspersed(false)
	set.Usage = func() {}
	g.add(set)
	var call invocation
	rest, err := parse(set, args)
	if err != nil {
		return call, err
	}
	if len(rest) > 0 && rest[0] == "run" {
		if g.app != "" {
			return call, usagef("the app is given twice: by --app and by run")
		}
		call.run = true
		if rest, err = parse(set, rest[1:]); err != nil {
			return call, err
		}
		if len(rest) == 0 {
			return call, nil
		}
		call.file = rest[0]
		if rest, err = parse(set, rest[1:]); err != nil {
			return call, err
		}
	}
	if len(rest) > 0 {
		call.command, call.args = rest[0], rest[1:]
	}
	if file, args, ok := replFile(call, g.app); ok {
		call.run, call.file, call.args = true, file, args
	}
	if !call.run {
		if g.app == "" {
			g.app, call.args = takeApp(call.args)
		}
		call.file = g.app
	}
	return call, nil
}

func parse(set *pflag.FlagSet, args []string) ([]string, error) {
	if err := set.Parse(args); err != nil {
		return nil, flagError(set, err)
	}
	return set.Args(), nil
}

// replFile finds the file of `faust repl FILE`, which means faust run FILE repl.
func replFile(call invocation, app string) (file string, args []string, ok bool) {
	if call.run || call.command != "repl" || app != "" {
		return "", nil, false
	}
	for i := 0; i < len(call.args); i++ {
		switch a := call.args[i]; {
		case a == "-e" || a == "--eval" || a == "--attach":
			i++
		case !strings.HasPrefix(a, "-"):
			return a, append(call.args[:i:i], call.args[i+1:]...), true
		}
	}
	return "", nil, false
}

// takeApp finds --app among the arguments of a command: `faust worker -A app.lua` means what it says.
func takeApp(args []string) (string, []string) {
	for i, a := range args {
		without := func(n int) []string { return append(append([]string{}, args[:i]...), args[i+n:]...) }
		switch {
		case a == "--":
			return "", args
		case (a == "-A" || a == "--app") && i+1 < len(args):
			return args[i+1], without(2)
		case strings.HasPrefix(a, "--app="):
			return strings.TrimPrefix(a, "--app="), without(1)
		case strings.HasPrefix(a, "-A") && len(a) > 2:
			return strings.TrimPrefix(a[2:], "="), without(1)
		}
	}
	return "", args
}

// settingFlag is a flag that sets a setting. Its value is checked with those of the environment, so that both get the same message.
type settingFlag struct {
	values map[string]string
	name   string
}

func (f *settingFlag) String() string {
	if f.values == nil {
		return ""
	}
	return f.values[f.name]
}
func (f *settingFlag) Set(text string) error { f.values[f.name] = text; return nil }
func (f *settingFlag) Type() string          { return "string" }

// settingSwitch is a flag that turns a setting off.
type settingSwitch settingFlag

func (f *settingSwitch) String() string { return "false" }
func (f *settingSwitch) Set(text string) error {
	on, err := app.ParseBool(text)
	if err != nil {
		return err
	}
	f.values[f.name] = map[bool]string{true: "false", false: "true"}[on]
	return nil
}
func (f *settingSwitch) Type() string     { return "bool" }
func (f *settingSwitch) IsBoolFlag() bool { return true }

// traceback is the value of --traceback.
type traceback string

func (t *traceback) String() string { return string(*t) }
func (t *traceback) Type() string   { return "string" }
func (t *traceback) Set(text string) error {
	for _, known := range []string{"short", "full", "none"} {
		if text == known {
			*t = traceback(text)
			return nil
		}
	}
	return usagef("expected one of: short, full, none")
}
