package luabind

import (
	"context"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/vm"
	"faust/runtime/app"
)

// commandItem is what app.option and app.argument give: a part of a command's declaration.
type commandItem struct {
	option   *app.Option
	argument *app.Argument
}

func (i *commandItem) Describe() string {
	if i.option != nil {
		return "the option --" + i.option.Name
	}
	return "the argument " + i.argument.Name
}

func (i *commandItem) name() string {
	if i.option != nil {
		return i.option.Name
	}
	return i.argument.Name
}

func (i *commandItem) place() string {
	if i.option != nil {
		return i.option.Place
	}
	return i.argument.Place
}

// commands are the functions of app that declare commands.
func (b *binding) commands() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{"command": b.appCommand, "option": b.appOption, "argument": b.appArgument}
}

var (
	commandName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)
	longFlag    = regexp.MustCompile(`^--[A-Za-z][A-Za-z0-9_-]*$`)
	shortFlag   = regexp.MustCompile(`^-[A-Za-z]$`)
)

// appCommand is app.command('name', { help=, app.option(...), app.argument(...) }, function(options) ... end).
func (b *binding) appCommand(L *lua.LState) int {
	a := b.call(L, "app.command")
	b.declare(a)
	c := &app.Command{Name: a.Text("the name"), Place: line(a.Place())}
	a.About(c.Name)
	b.checkCommandName(a, c.Name)
	o := a.Mixed()
	c.Help = o.Text("help")
	fn := a.Function()
	takeItems(a, c, o.Items())
	b.bodies = append(b.bodies, code{"command " + c.Name, fn})
	c.Run = b.commandRun(c, fn)
	b.app.Commands = append(b.app.Commands, c)
	return 0
}

// line writes a place without its column.
func line(p fault.Place) string {
	p.Column = 0
	return p.String()
}

func (b *binding) checkCommandName(a *arg.Args, name string) {
	switch {
	case !commandName.MatchString(name):
		a.Fail("%s: a command's name has letters, digits, '-' and '_', and begins with a letter", a.Of())
	case slices.Contains(app.BuiltinCommands(), name):
		a.Hint("give it another name", "%s: the command '%s' is built in", a.Of(), name)
	case app.Reserved(name):
		a.Hint("give it another name", "%s: the name '%s' is reserved for a command of a later version", a.Of(), name)
	}
	for _, c := range b.app.Commands {
		if c.Name == name {
			a.Fail("%s: there is a command of that name already, declared at %s", a.Of(), c.Place)
		}
	}
}

// takeItems sorts the options and arguments of a command.
func takeItems(a *arg.Args, c *app.Command, values []lua.LValue) {
	var items []*commandItem
	for i, v := range values {
		item, ok := as[*commandItem](v)
		if !ok {
			a.Fail("%s: item %d is %s, expected app.option(...) or app.argument(...)", a.Of(), i+1, fault.Describe(v))
		}
		for _, other := range items {
			checkClash(a, item, other)
		}
		items = append(items, item)
		if item.option != nil {
			c.Options = append(c.Options, *item.option)
			continue
		}
		if n := len(c.Arguments); n > 0 {
			checkAfter(a, item.argument, &c.Arguments[n-1])
		}
		c.Arguments = append(c.Arguments, *item.argument)
	}
}

// checkClash refuses two items that the function could not tell apart, or the command line.
func checkClash(a *arg.Args, item, other *commandItem) {
	switch {
	case field(item.name()) == field(other.name()):
		a.Fail("%s: '%s' is declared twice: first at %s", a.Of(), item.name(), other.place())
	case item.option == nil || other.option == nil:
	case item.option.Short != "" && item.option.Short == other.option.Short:
		a.Fail("%s: '-%s' is declared twice: first at %s", a.Of(), item.option.Short, other.place())
	case item.option.Kind == app.Bool && other.option.Name == "no-"+item.option.Name,
		other.option.Kind == app.Bool && item.option.Name == "no-"+other.option.Name:
		a.Fail("%s: --%s and --%s mean the same: an option of type bool has its --no- form by itself", a.Of(), other.option.Name, item.option.Name)
	}
}

// checkAfter refuses an argument that could never be given.
func checkAfter(a *arg.Args, next, before *app.Argument) {
	if before.Multiple {
		a.Fail("%s: argument '%s' comes after '%s', which takes all that are left", a.Of(), next.Name, before.Name)
	}
	if next.Required && !before.Required {
		a.Fail("%s: argument '%s' is required, but '%s' before it is not", a.Of(), next.Name, before.Name)
	}
}

// field is the name under which the function finds an option: max_messages of --max-messages.
func field(name string) string { return strings.ReplaceAll(name, "-", "_") }

// appOption is app.option('-n', '--max-messages', { type=, default=, env=, required=, choices=, min=, max=, multiple=, help=, secret= }).
func (b *binding) appOption(L *lua.LState) int {
	a := b.call(L, "app.option")
	b.declare(a)
	opt := &app.Option{Place: line(a.Place())}
	takeFlags(a, opt)
	a.About("--" + opt.Name)
	o := a.Options()
	a.Done()
	opt.Kind, opt.Help, opt.Env = kindOf(o), o.Text("help"), o.Text("env")
	opt.Required, opt.Multiple = o.Boolean("required"), o.Boolean("multiple")
	takeLimits(o, opt)
	opt.Choices = choicesOf(o, opt.Kind)
	opt.Default = defaultsOf(o, opt)
	opt.Secret = o.Boolean("secret")
	checkSecret(o, opt)
	L.Push(object(&commandItem{option: opt}, b.kinds.item))
	return 1
}

// checkSecret refuses what would show a secret, or make no text of it.
func checkSecret(o arg.Options, opt *app.Option) {
	if !opt.Secret {
		return
	}
	for _, name := range []string{"default", "choices", "multiple"} {
		if o.Has(name) {
			o.Fail(name, "option '%s' of %s does not go with secret = true", name, o.Args().Of())
		}
	}
	if opt.Kind != app.String {
		o.Fail("type", "%s: a secret is of the type string", o.Args().Of())
	}
}

// takeFlags takes '-n' and '--max-messages', in any order; the short one may be left out.
func takeFlags(a *arg.Args, opt *app.Option) {
	for text, more := a.Text("the name, as '--max-messages',"), true; more; text, more = a.MaybeText() {
		switch {
		case longFlag.MatchString(text) && opt.Name == "":
			opt.Name = text[2:]
		case shortFlag.MatchString(text) && opt.Short == "":
			opt.Short = text[1:]
		default:
			a.Fail("app.option: the name is '%s', expected a form like '--max-messages', or '-n' before it", text)
		}
	}
	switch {
	case opt.Name == "":
		a.Fail("app.option: '-%s' needs a long name as well: app.option('-%s', '--name', ...)", opt.Short, opt.Short)
	case opt.Name == "help" || opt.Short == "h":
		a.Fail("app.option: --help and -h are built in")
	}
}

func kindOf(o arg.Options) app.Kind {
	if k := o.Text("type"); k != "" {
		return app.Kind(k)
	}
	return app.String
}

// takeLimits reads min and max; a duration's may be written as one.
func takeLimits(o arg.Options, opt *app.Option) {
	read := func(name string) *float64 {
		n, ok := 0.0, false
		switch opt.Kind {
		case app.Int, app.Float:
			n, ok = o.Number(name)
		case app.Duration:
			d, given := o.Duration(name)
			n, ok = d.Seconds(), given
		default:
			if o.Has(name) {
				o.Fail(name, "option '%s' of %s is for the types int, float and duration, not for %s", name, o.Args().Of(), opt.Kind)
			}
		}
		if !ok {
			return nil
		}
		return &n
	}
	if opt.Min, opt.Max = read("min"), read("max"); opt.Min != nil && opt.Max != nil && *opt.Min > *opt.Max {
		o.Fail("max", "%s: max is less than min", o.Args().Of())
	}
}

// choicesOf reads the list of choices, each of which has to be a value of the kind.
func choicesOf(o arg.Options, kind app.Kind) []string {
	var choices []string
	for _, v := range o.List("choices") {
		text, err := checked(&app.Option{Kind: kind}, v)
		if err != nil {
			o.Fail("choices", "option 'choices' of %s has %s: %s", o.Args().Of(), fault.Describe(v), err)
		}
		choices = append(choices, text)
	}
	return choices
}

// checked writes v as the command line would give it, and has the option check it.
func checked(opt *app.Option, v lua.LValue) (string, error) {
	switch v := v.(type) {
	case lua.LString, lua.LNumber:
		return opt.Check(v.String())
	case lua.LBool:
		if opt.Kind == app.Bool {
			return strconv.FormatBool(bool(v)), nil
		}
	}
	return "", fmt.Errorf("expected a value of type %s", opt.Kind)
}

// defaultsOf reads the default, which has to be what the option allows; a list if it may be given several times.
func defaultsOf(o arg.Options, opt *app.Option) []string {
	if !o.Has("default") {
		return nil
	}
	if opt.Required {
		o.Fail("default", "%s: an option that is required has no use for a default", o.Args().Of())
	}
	values := []lua.LValue{o.Value("default")}
	if t, ok := values[0].(*lua.LTable); ok && opt.Multiple {
		values = arg.Items(t)
	}
	texts := []string{}
	for _, v := range values {
		text, err := checked(opt, v)
		if err != nil {
			o.Fail("default", "option 'default' of %s is %s: %s", o.Args().Of(), fault.Describe(v), err)
		}
		texts = append(texts, text)
	}
	return texts
}

// appArgument is app.argument('name', { type=, required=, multiple=, choices=, help= }). It is required unless that says otherwise.
func (b *binding) appArgument(L *lua.LState) int {
	a := b.call(L, "app.argument")
	b.declare(a)
	item := &app.Argument{Name: a.Text("the name"), Required: true, Place: line(a.Place())}
	a.About(item.Name)
	if !commandName.MatchString(item.Name) {
		a.Fail("%s: an argument's name has letters, digits, '-' and '_', and begins with a letter", a.Of())
	}
	o := a.Options()
	a.Done()
	item.Kind, item.Multiple, item.Help = kindOf(o), o.Boolean("multiple"), o.Text("help")
	item.Choices = choicesOf(o, item.Kind)
	if o.Has("required") {
		item.Required = o.Boolean("required")
	}
	L.Push(object(&commandItem{argument: item}, b.kinds.item))
	return 1
}

// itemKind makes the metatable of what app.option and app.argument give.
func (b *binding) itemKind(L *lua.LState) *lua.LTable { return b.kind(L, "command item", nil, nil) }

// commandRun makes the function that runs a command: as a task of the machine, with one table of options and arguments.
func (b *binding) commandRun(c *app.Command, fn *lua.LFunction) func(ctx context.Context, in app.Input) (int, error) {
	what := "in command '" + c.Name + "'"
	return func(ctx context.Context, in app.Input) (code int, err error) {
		err = b.vm.Run(ctx, "command "+c.Name, false, func(L *lua.LState) error {
			given, err := b.withSecrets(L, c, in)
			if err != nil {
				return err
			}
			values, err := b.vm.Call(L, what, fn, 1, b.commandOptions(L, c, given))
			if err != nil {
				return err
			}
			code, err = commandCode(c, values[0])
			return err
		})
		return code, err
	}
}

// withSecrets asks, on a terminal, for the secret options that were not given. An empty answer gives none.
func (b *binding) withSecrets(L *lua.LState, c *app.Command, in app.Input) (app.Input, error) {
	out := maps.Clone(in)
	for i := range c.Options {
		o := &c.Options[i]
		if _, given := in[o.Name]; given || !o.Secret || !b.module.Interactive() {
			continue
		}
		answer, err := b.module.AskSecret(L, "--"+o.Name+":")
		switch {
		case err != nil:
			return nil, err
		case answer != "":
			out[o.Name] = []string{answer}
		case o.Required:
			return nil, usage("command '%s': --%s is missing", c.Name, o.Name)
		}
	}
	return out, nil
}

// commandCode makes the exit code of what the function returned.
func commandCode(c *app.Command, v lua.LValue) (int, error) {
	if v == lua.LNil {
		return 0, nil
	}
	code, ok := arg.Whole(v, 0, 255)
	if !ok {
		e := usage("command '%s' returned %s, expected nothing or an exit code from 0 to 255", c.Name, fault.Describe(v))
		e.Hints = []string{"print with say(...); fail(...) ends a command with a message and exit code 1"}
		return 0, e
	}
	return int(code), nil
}

// commandOptions makes the table that the function gets: options.max_messages of --max-messages.
func (b *binding) commandOptions(L *lua.LState, c *app.Command, in app.Input) *lua.LTable {
	t := L.CreateTable(0, len(in))
	put := func(name string, kind app.Kind, multiple bool) {
		texts, given := in[name]
		if !given {
			return
		}
		if !multiple {
			t.RawSetString(field(name), b.commandValue(kind, texts[0]))
			return
		}
		list := L.CreateTable(len(texts), 0)
		for i, text := range texts {
			list.RawSetInt(i+1, b.commandValue(kind, text))
		}
		t.RawSetString(field(name), list)
	}
	for _, o := range c.Options {
		put(o.Name, o.Kind, o.Multiple)
		if texts := in[o.Name]; o.Secret && len(texts) > 0 {
			t.RawSetString(field(o.Name), b.module.NewSecret(L, texts[0]))
		}
	}
	for _, a := range c.Arguments {
		put(a.Name, a.Kind, a.Multiple)
	}
	t.Metatable = strictOptions(L, c)
	return t
}

// strictOptions makes reading a name that the command does not declare an error; what was not given is nil.
func strictOptions(L *lua.LState, c *app.Command) *lua.LTable {
	var known []string
	for _, o := range c.Options {
		known = append(known, field(o.Name))
	}
	for _, a := range c.Arguments {
		known = append(known, field(a.Name))
	}
	mt := L.CreateTable(0, 1)
	mt.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		name := lua.LVAsString(L.Get(2))
		if !slices.Contains(known, name) {
			e := usage("command '%s' has no option or argument %s", c.Name, fault.Quote(L.Get(2)))
			e.Hints = []string{fault.DidYouMean(name, known)}
			vm.Raise(L, e)
		}
		L.Push(lua.LNil)
		return 1
	}))
	return mt
}

// commandValue makes a Lua value of a checked text.
func (b *binding) commandValue(kind app.Kind, text string) lua.LValue {
	switch kind {
	case app.Int:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && (n > 1<<53 || n < -1<<53) {
			return b.reg.NewInt64(n)
		}
		fallthrough
	case app.Float, app.Duration:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			n = math.NaN()
		}
		return lua.LNumber(n)
	case app.Bool:
		return lua.LBool(text == "true")
	}
	return lua.LString(text)
}
