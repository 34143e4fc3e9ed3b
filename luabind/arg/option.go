package arg

import (
	"slices"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/api"
	"faust/luabind/fault"
	"faust/luabind/vm"
)

// Options are the named values of one call, or of a table inside them. Their names are known ones; those whose type the description gives in simple terms
// are of it.
type Options struct {
	args  *Args
	table *lua.LTable // nil: there are none
	known []api.Option
}

// described gives what the API says of the call.
func (a *Args) described() *api.Entry {
	e := api.Get(a.Name)
	if e == nil {
		panic("arg: the API has no description of " + a.Name)
	}
	return e
}

// Options takes the table of options, which may be left out.
func (a *Args) Options() Options {
	o := a.Mixed()
	if o.table != nil && o.table.Len() > 0 {
		a.Fail("%s: the options have names, here is %s without one", a.Of(), fault.Describe(o.table.RawGetInt(1)))
	}
	return o
}

// Mixed is Options for a table that has items without names as well.
func (a *Args) Mixed() Options {
	o := Options{args: a}
	v := a.Peek()
	switch v := v.(type) {
	case *lua.LTable:
		a.next++
		return a.Named(v)
	case *lua.LFunction: // the options are left out
		return o
	}
	if v != lua.LNil {
		a.Wrong("the table of options", v, "a table, as { "+a.described().Options[0].Name+" = ... }")
	}
	if a.next <= a.L.GetTop() {
		a.next++
	}
	return o
}

// Named takes a table as that of the call's options: the one argument of a call such as topic:send{ key = k }.
func (a *Args) Named(t *lua.LTable) Options {
	e := a.described()
	o := Options{args: a, table: t, known: e.Options}
	o.check(o.is)
	return o
}

// Names is Named for values of which the caller knows more than the description: only their names are checked.
func (a *Args) Names(t *lua.LTable) Options {
	e := a.described()
	o := Options{args: a, table: t, known: e.Options}
	o.check(func(*api.Option, lua.LValue) {})
	return o
}

// Inside gives the named values of an option that is a table.
func (o Options) Inside(name string) Options {
	t, _ := o.Value(name).(*lua.LTable)
	in := Options{args: o.args, table: t, known: o.option(name).Options}
	in.check(in.is)
	return in
}

// check refuses names that are not known, and gives the others with their values to is.
func (o Options) check(is func(known *api.Option, v lua.LValue)) {
	for k, v := o.table.Next(lua.LNil); k != lua.LNil; k, v = o.table.Next(k) {
		switch k := k.(type) {
		case lua.LString:
			if known := o.find(string(k)); known != nil {
				is(known, v)
			} else {
				o.unknown(string(k))
			}
		case lua.LNumber:
		default:
			o.args.Fail("%s: the name of an option is %s, expected a string", o.args.Of(), fault.Describe(k))
		}
	}
}

func (o Options) find(name string) *api.Option {
	for i := range o.known {
		if o.known[i].Name == name {
			return &o.known[i]
		}
	}
	return nil
}

// option is what the API says of an option that a binding asks for.
func (o Options) option(name string) *api.Option {
	known := o.find(name)
	if known == nil {
		panic("arg: the API has no option " + name + " of " + o.args.Name)
	}
	return known
}

// is makes sure that v is of an option's type, where that is a simple one.
func (o Options) is(known *api.Option, v lua.LValue) {
	ok, expected := true, ""
	switch known.Type {
	case api.String:
		if ok = v.Type() == lua.LTString; ok && known.Choices != nil {
			o.Choice(known.Name, lua.LVAsString(v), known.Choices)
		}
		expected = "a string"
	case api.Boolean:
		ok, expected = v.Type() == lua.LTBool, "true or false"
	case api.Number:
		ok, expected = v.Type() == lua.LTNumber, "a number"
	case api.Whole:
		low, high := limits(known)
		_, ok = Whole(v, low, high)
		expected = wholeNumber(low, high)
	case api.Duration:
		if _, err := Duration(v); err != nil {
			o.Fail(known.Name, "option '%s' of %s is %s, %s", known.Name, o.args.Of(), fault.Describe(v), err)
		}
	case api.Table:
		ok, expected = v.Type() == lua.LTTable, "a table"
		if known.Of != "" {
			expected += " of " + known.Of
		}
	case api.List:
		t, isTable := v.(*lua.LTable)
		ok, expected = isTable && (t.Len() > 0 || known.Min == 0 && empty(t)), "a list of "+known.Of
	case api.Func:
		ok, expected = v.Type() == lua.LTFunction, "a function"
	}
	if !ok {
		o.Wrong(known.Name, v, expected)
	}
}

// limits are those of a whole number.
func limits(known *api.Option) (low, high int64) {
	if known.Max == 0 {
		return int64(known.Min), MaxInt
	}
	return int64(known.Min), int64(known.Max)
}

// empty tells whether nothing is in a table.
func empty(t *lua.LTable) bool {
	k, _ := t.Next(lua.LNil)
	return k == lua.LNil
}

// inOrder is up to how many names are listed in the order of the description; more are found sooner when they are sorted.
const inOrder = 10

// unknown raises the error for an option that does not exist.
func (o Options) unknown(name string) {
	known := api.Names(o.known)
	if len(known) > inOrder {
		slices.Sort(known)
	}
	e := usage("unknown option '%s' for %s", name, o.args.Of())
	e.Place = o.Place(name)
	e.Hints = []string{fault.DidYouMean(name, known)}
	vm.Raise(o.args.L, e)
}

// Args are those of the call.
func (o Options) Args() *Args { return o.args }

// Place is where an option is written.
func (o Options) Place(name string) fault.Place { return fault.OptionPlace(o.args.L, name) }

// Fail raises a usage error at an option.
func (o Options) Fail(name, format string, values ...any) {
	e := usage(format, values...)
	e.Place = o.Place(name)
	vm.Raise(o.args.L, e)
}

// Wrong raises an error about an option of the wrong type.
func (o Options) Wrong(name string, v lua.LValue, expected string) {
	o.Fail(name, "option '%s' of %s is %s, expected %s", name, o.args.Of(), fault.Describe(v), expected)
}

// Raise raises what a package below said of an option.
func (o Options) Raise(name string, err error) {
	if e, ok := err.(*fault.Error); ok && e.Place.File == "" { //nolint:errorlint // only an error of its own is completed
		e.Place = o.Place(name)
	}
	vm.Raise(o.args.L, err)
}

// Choice makes sure that a text is one of the choices.
func (o Options) Choice(name, text string, choices []string) {
	if slices.Contains(choices, text) {
		return
	}
	e := usage("option '%s' of %s is '%s', expected one of: %s", name, o.args.Of(), text, strings.Join(choices, ", "))
	e.Place = o.Place(name)
	if best := fault.Suggest(text, choices); best != "" {
		e.Hints = []string{"did you mean '" + best + "'?"}
	}
	vm.Raise(o.args.L, e)
}

// Given tells whether there is a table of options at all.
func (o Options) Given() bool { return o.table != nil }

// Table is that of the options; nil: there are none.
func (o Options) Table() *lua.LTable { return o.table }

// Value gives an option, nil if it is not there.
func (o Options) Value(name string) lua.LValue {
	if o.table == nil {
		return lua.LNil
	}
	return o.table.RawGetString(name)
}

// Has tells whether an option is there.
func (o Options) Has(name string) bool { return o.Value(name) != lua.LNil }

// Items gives the values without names.
func (o Options) Items() []lua.LValue { return Items(o.table) }

// typed gives an option of a type. Where the description allows others as well it is checked here.
func (o Options) typed(name, kind string) (lua.LValue, bool) {
	v := o.Value(name)
	if v == lua.LNil {
		return v, false
	}
	if known := o.option(name); known.Type != kind {
		narrow := *known
		narrow.Type = kind
		o.is(&narrow, v)
	}
	return v, true
}

// Text gives a string, "" if it is not there.
func (o Options) Text(name string) string { return o.TextOr(name, "") }

// TextOr gives a string, otherwise if it is not there.
func (o Options) TextOr(name, otherwise string) string {
	if v, ok := o.typed(name, api.String); ok {
		return lua.LVAsString(v)
	}
	return otherwise
}

// Boolean gives true or false, false if it is not there.
func (o Options) Boolean(name string) bool { return o.BooleanOr(name, false) }

// BooleanOr gives true or false, otherwise if it is not there.
func (o Options) BooleanOr(name string, otherwise bool) bool {
	if v, ok := o.typed(name, api.Boolean); ok {
		return lua.LVAsBool(v)
	}
	return otherwise
}

// IntegerOr gives a whole number, otherwise if it is not there.
func (o Options) IntegerOr(name string, otherwise int) int {
	if n, ok := o.Integer(name); ok {
		return n
	}
	return otherwise
}

// Integer gives a whole number; false: it is not there.
func (o Options) Integer(name string) (int, bool) {
	v, ok := o.typed(name, api.Whole)
	return int(lua.LVAsNumber(v)), ok
}

// Number gives a number; false: it is not there.
func (o Options) Number(name string) (float64, bool) {
	v, ok := o.typed(name, api.Number)
	return float64(lua.LVAsNumber(v)), ok
}

// Duration gives a duration; false: it is not there.
func (o Options) Duration(name string) (time.Duration, bool) {
	v, ok := o.typed(name, api.Duration)
	d, _ := Duration(v) // checked
	return d, ok
}

// List gives the items of a list, nil if it is not there.
func (o Options) List(name string) []lua.LValue {
	v, _ := o.typed(name, api.List)
	t, _ := v.(*lua.LTable)
	return Items(t)
}
