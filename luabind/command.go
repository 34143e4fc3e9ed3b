package luabind

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

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

var itemTypes = []string{string(app.String), string(app.Int), string(app.Float), string(app.Bool), string(app.Duration), string(app.Path)}

// appCommand is app.command('name', { help=, app.option(...), app.argument(...) }, function(options) ... end).
func (b *binding) appCommand(L *lua.LState) int {
	a := b.call(L, "app.command")
	b.declare(a)
	c := &app.Command{Name: a.text("the name"), Place: line(a.place())}
	a.about(c.Name)
	b.checkCommandName(a, c.Name)
	o := a.mixed("help")
	c.Help = o.text("help")
	fn := a.function()
	takeItems(a, c, o.items())
	c.Run = b.commandRun(c, fn)
	b.app.Commands = append(b.app.Commands, c)
	return 0
}

// line writes a place without its column.
func line(p fault.Place) string {
	p.Column = 0
	return p.String()
}

func (b *binding) checkCommandName(a *args, name string) {
	switch {
	case !commandName.MatchString(name):
		a.fail("%s: a command's name has letters, digits, '-' and '_', and begins with a letter", a.of)
	case slices.Contains(app.BuiltinCommands(), name):
		a.hint("give it another name", "%s: the command '%s' is built in", a.of, name)
	case app.Reserved(name):
		a.hint("give it another name", "%s: the name '%s' is reserved for a command of a later version", a.of, name)
	}
	for _, c := range b.app.Commands {
		if c.Name == name {
			a.fail("%s: there is a command of that name already, declared at %s", a.of, c.Place)
		}
	}
}

// takeItems sorts the options and arguments of a command.
func takeItems(a *args, c *app.Command, values []lua.LValue) {
	var items []*commandItem
	for i, v := range values {
		item, ok := as[*commandItem](v)
		if !ok {
			a.fail("%s: item %d is %s, expected app.option(...) or app.argument(...)", a.of, i+1, fault.Describe(v))
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
func checkClash(a *args, item, other *commandItem) {
	switch {
	case field(item.name()) == field(other.name()):
		a.fail("%s: '%s' is declared twice: first at %s", a.of, item.name(), other.place())
	case item.option == nil || other.option == nil:
	case item.option.Short != "" && item.option.Short == other.option.Short:
		a.fail("%s: '-%s' is declared twice: first at %s", a.of, item.option.Short, other.place())
	case item.option.Kind == app.Bool && other.option.Name == "no-"+item.option.Name,
		other.option.Kind == app.Bool && item.option.Name == "no-"+other.option.Name:
		a.fail("%s: --%s and --%s mean the same: an option of type bool has its --no- form by itself", a.of, other.option.Name, item.option.Name)
	}
}

// checkAfter refuses an argument that could never be given.
func checkAfter(a *args, arg, before *app.Argument) {
	if before.Multiple {
		a.fail("%s: argument '%s' comes after '%s', which takes all that are left", a.of, arg.Name, before.Name)
	}
	if arg.Required && !before.Required {
		a.fail("%s: argument '%s' is required, but '%s' before it is not", a.of, arg.Name, before.Name)
	}
}

// field is the name under which the function finds an option: max_messages of --max-messages.
func field(name string) string { return strings.ReplaceAll(name, "-", "_") }

// appOption is app.option('-n', '--max-messages', { type=, default=, env=, required=, choices=, min=, max=, multiple=, help= }).
func (b *binding) appOption(L *lua.LState) int {
	a := b.call(L, "app.option")
	b.declare(a)
	opt := &app.Option{Place: line(a.place())}
	takeFlags(a, opt)
	a.about("--" + opt.Name)
	o := a.options("type", "default", "env", "required", "choices", "min", "max", "multiple", "help")
	a.done()
	opt.Kind, opt.Help, opt.Env = kindOf(o), o.text("help"), o.text("env")
	opt.Required, opt.Multiple = o.boolean("required"), o.boolean("multiple")
	takeLimits(o, opt)
	opt.Choices = choicesOf(o, opt.Kind)
	opt.Default = defaultsOf(o, opt)
	L.Push(object(&commandItem{option: opt}, b.kinds.item))
	return 1
}

// takeFlags takes '-n' and '--max-messages', in any order; the short one may be left out.
func takeFlags(a *args, opt *app.Option) {
	for text, more := a.text("the name, as '--max-messages',"), true; more; text, more = a.maybeText() {
		switch {
		case longFlag.MatchString(text) && opt.Name == "":
			opt.Name = text[2:]
		case shortFlag.MatchString(text) && opt.Short == "":
			opt.Short = text[1:]
		default:
			a.fail("app.option: the name is '%s', expected a form like '--max-messages', or '-n' before it", text)
		}
	}
	switch {
	case opt.Name == "":
		a.fail("app.option: '-%s' needs a long name as well: app.option('-%s', '--name', ...)", opt.Short, opt.Short)
	case opt.Name == "help" || opt.Short == "h":
		a.fail("app.option: --help and -h are built in")
	}
}

func kindOf(o options) app.Kind {
	if k := o.word("type", itemTypes...); k != "" {
		return app.Kind(k)
	}
	return app.String
}

// takeLimits reads min and max; a duration's may be written as one.
func takeLimits(o options, opt *app.Option) {
	read := func(name string) *float64 {
		n, ok := 0.0, false
		switch opt.Kind {
		case app.Int, app.Float:
			n, ok = o.number(name)
		case app.Duration:
			d, given := o.duration(name)
			n, ok = d.Seconds(), given
		default:
			if o.has(name) {
				o.fail(name, "option '%s' of %s is for the types int, float and duration, not for %s", name, o.args.of, opt.Kind)
			}
		}
		if !ok {
			return nil
		}
		return &n
	}
	if opt.Min, opt.Max = read("min"), read("max"); opt.Min != nil && opt.Max != nil && *opt.Min > *opt.Max {
		o.fail("max", "%s: max is less than min", o.args.of)
	}
}

// choicesOf reads the list of choices, each of which has to be a value of the kind.
func choicesOf(o options, kind app.Kind) []string {
	var choices []string
	for _, v := range o.list("choices", "a list of values") {
		text, err := checked(&app.Option{Kind: kind}, v)
		if err != nil {
			o.fail("choices", "option 'choices' of %s has %s: %s", o.args.of, fault.Describe(v), err)
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
func defaultsOf(o options, opt *app.Option) []string {
	if !o.has("default") {
		return nil
	}
	if opt.Required {
		o.fail("default", "%s: an option that is required has no use for a default", o.args.of)
	}
	values := []lua.LValue{o.value("default")}
	if t, ok := values[0].(*lua.LTable); ok && opt.Multiple {
		values = options{args: o.args, table: t}.items()
	}
	texts := []string{}
	for _, v := range values {
		text, err := checked(opt, v)
		if err != nil {
			o.fail("default", "option 'default' of %s is %s: %s", o.args.of, fault.Describe(v), err)
		}
		texts = append(texts, text)
	}
	return texts
}

// appArgument is app.argument('name', { type=, required=, multiple=, choices=, help= }). It is required unless that says otherwise.
func (b *binding) appArgument(L *lua.LState) int {
	a := b.call(L, "app.argument")
	b.declare(a)
	arg := &app.Argument{Name: a.text("the name"), Required: true, Place: line(a.place())}
	a.about(arg.Name)
	if !commandName.MatchString(arg.Name) {
		a.fail("%s: an argument's name has letters, digits, '-' and '_', and begins with a letter", a.of)
	}
	o := a.options("type", "required", "multiple", "choices", "help")
	a.done()
	arg.Kind, arg.Multiple, arg.Help = kindOf(o), o.boolean("multiple"), o.text("help")
	arg.Choices = choicesOf(o, arg.Kind)
	if o.has("required") {
		arg.Required = o.boolean("required")
	}
	L.Push(object(&commandItem{argument: arg}, b.kinds.item))
	return 1
}

// itemKind makes the metatable of what app.option and app.argument give.
func (b *binding) itemKind(L *lua.LState) *lua.LTable { return b.kind(L, "command item", nil, nil) }

// commandRun makes the function that runs a command: as a task of the machine, with one table of options and arguments.
func (b *binding) commandRun(c *app.Command, fn *lua.LFunction) func(ctx context.Context, in app.Input) (int, error) {
	what := "in command '" + c.Name + "'"
	return func(ctx context.Context, in app.Input) (code int, err error) {
		err = b.vm.Run(ctx, "command "+c.Name, false, func(L *lua.LState) error {
			values, err := b.vm.Call(L, what, fn, 1, b.commandOptions(L, c, in))
			if err != nil {
				return err
			}
			code, err = commandCode(c, values[0])
			return err
		})
		return code, err
	}
}

// commandCode makes the exit code of what the function returned.
func commandCode(c *app.Command, v lua.LValue) (int, error) {
	if v == lua.LNil {
		return 0, nil
	}
	code, ok := toInt(v, 0, 255)
	if !ok {
		e := usage("command '%s' returned %s, expected nothing or an exit code from 0 to 255", c.Name, fault.Describe(v))
		e.Hints = []string{"print with say(...); fail(...) ends a command with a message and exit code 1"}
		return 0, e
	}
	return code, nil
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
