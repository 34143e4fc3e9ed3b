package luabind

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/vm"
	"faust/runtime/app"
)

// args takes the arguments of one call of a function of ours, in order: name, source, options, function. Where something is
// wrong its methods raise an error at the caller's place, so what they return can be used as it is.
type args struct {
	L    *lua.LState
	name string // app.topic, topic:send
	of   string // app.topic('orders'): the name with the first argument, once that is known
	self int    // 1 if an object stands before the first argument
	next int    // index of the next argument
	seen int    // index of the one that was looked at last
}

// call takes the arguments of a function of app, or of a global function.
func (b *binding) call(L *lua.LState, name string) *args {
	a := &args{L: L, name: name, of: name, next: 1}
	if short, ok := strings.CutPrefix(name, "app."); ok && L.Get(1) == lua.LValue(b.table) {
		a.fail("app.%s is called with a dot, not with a colon: app.%s(...)", short, short)
	}
	return a
}

// method takes the arguments of a method of an object: what is before the colon has to be a T. kind is what a T is called.
func method[T any](L *lua.LState, kind, name string) (T, *args) {
	a := &args{L: L, name: kind + ":" + name, of: kind + ":" + name, self: 1, next: 2}
	if ud, ok := L.Get(1).(*lua.LUserData); ok {
		if self, ok := ud.Value.(T); ok {
			return self, a
		}
	}
	a.fail("%s is a method: it is called with a colon, %s:%s(...), not with a dot", name, kind, name)
	panic("unreachable")
}

// usage is an error in the use of our API.
func usage(format string, values ...any) *fault.Error {
	return &fault.Error{Code: fault.Usage, Message: fmt.Sprintf(format, values...)}
}

// fail raises a usage error at the caller's place.
func (a *args) fail(format string, values ...any) { vm.Raise(a.L, usage(format, values...)) }

// hint raises a usage error with a hint.
func (a *args) hint(hint, format string, values ...any) {
	e := usage(format, values...)
	e.Hints = []string{hint}
	vm.Raise(a.L, e)
}

// raise raises what a package below said of an argument.
func (a *args) raise(err error) { vm.Raise(a.L, err) }

// place is where the call is written.
func (a *args) place() fault.Place { return fault.Caller(a.L, 1) }

// about tells what the call is about, for messages: app.topic('orders').
func (a *args) about(name string) { a.of = a.name + "('" + name + "')" }

// peek gives the next argument without taking it.
func (a *args) peek() lua.LValue {
	a.seen = a.next
	return a.L.Get(a.next)
}

// value takes the next argument, whatever it is; what says what it is for.
func (a *args) value(what string) lua.LValue {
	v := a.peek()
	if v == lua.LNil {
		a.fail("%s: %s is missing", a.of, what)
	}
	a.next++
	return v
}

// maybe takes the next argument, whatever it is; nil if there is none.
func (a *args) maybe() lua.LValue {
	v := a.peek()
	a.next++
	return v
}

// text takes a string.
func (a *args) text(what string) string {
	v := a.value(what)
	s, ok := v.(lua.LString)
	if !ok {
		a.wrong(what, v, "a string")
	}
	return string(s)
}

// maybeText takes a string if the next argument is one.
func (a *args) maybeText() (string, bool) {
	s, ok := a.peek().(lua.LString)
	if ok {
		a.next++
	}
	return string(s), ok
}

func (a *args) functionLast() string {
	return "the function comes last:  " + a.name + "(..., function(...) ... end)"
}

// function takes the function, the last argument, and makes sure nothing follows.
func (a *args) function() *lua.LFunction {
	v := a.peek()
	fn, ok := v.(*lua.LFunction)
	switch {
	case v == lua.LNil:
		a.hint(a.functionLast(), "%s: the function is missing", a.of)
	case !ok:
		a.wrong("the function", v, "a function")
	}
	a.next++
	a.done()
	return fn
}

// table takes a table.
func (a *args) table(what string) *lua.LTable {
	v := a.value(what)
	t, ok := v.(*lua.LTable)
	if !ok {
		a.wrong(what, v, "a table")
	}
	return t
}

// duration takes a duration: seconds, or a text such as '10s'.
func (a *args) duration(what string) time.Duration {
	v := a.value(what)
	d, err := toDuration(v)
	if err != nil {
		a.at("%s: %s is %s: %s", a.of, what, fault.Describe(v), err)
	}
	return d
}

// maybeDuration takes a duration if there is an argument.
func (a *args) maybeDuration(what string) (time.Duration, bool) {
	if a.peek() == lua.LNil {
		return 0, false
	}
	return a.duration(what), true
}

// integer takes a whole number from low on.
func (a *args) integer(what string, low int) int {
	v := a.value(what)
	n, ok := toInt(v, low, math.MaxInt32)
	if !ok {
		a.wrong(what, v, fmt.Sprintf("a whole number from %d", low))
	}
	return n
}

// done makes sure that there is no argument left.
func (a *args) done() {
	if n := a.L.GetTop(); a.next <= n {
		if v := a.L.Get(a.next); v != lua.LNil {
			e := usage("%s: argument %d is too many: %s", a.of, a.next, fault.Describe(v))
			if a.L.Get(a.next-1).Type() == lua.LTFunction {
				e.Hints = []string{a.functionLast()}
			}
			vm.Raise(a.L, e)
		}
	}
}

// at raises a usage error at the argument that was looked at last.
func (a *args) at(format string, values ...any) {
	e := usage(format, values...)
	e.Place = fault.ArgPlace(a.L, a.seen-a.self)
	vm.Raise(a.L, e)
}

// wrong raises an error about an argument of the wrong type.
func (a *args) wrong(what string, v lua.LValue, expected string) {
	a.at("%s: %s is %s, expected %s", a.of, what, fault.Describe(v), expected)
}

// options takes the table of options, which may be left out, and checks that it has only known ones.
func (a *args) options(known ...string) options {
	o := a.mixed(known...)
	if o.table != nil && o.table.Len() > 0 {
		a.fail("%s: the options have names, here is %s without one", a.of, fault.Describe(o.table.RawGetInt(1)))
	}
	return o
}

// mixed is options for a table that has items without names as well.
func (a *args) mixed(known ...string) options {
	o := options{args: a}
	v := a.peek()
	switch v := v.(type) {
	case *lua.LTable:
		o.table = v
	case *lua.LFunction:
		return o
	default:
		if v != lua.LNil {
			a.wrong("the table of options", v, "a table, as { "+known[0]+" = ... }")
		}
		if a.next <= a.L.GetTop() {
			a.next++
		}
		return o
	}
	a.next++
	o.check(known)
	return o
}

// named checks that a table has only known names: the one argument of a call such as topic:send{ key = k }.
func (a *args) named(t *lua.LTable, known ...string) options {
	o := options{args: a, table: t}
	o.check(known)
	return o
}

// options are the named values of one call.
type options struct {
	args  *args
	table *lua.LTable // nil: there are none
}

func (o options) check(known []string) {
	for k, _ := o.table.Next(lua.LNil); k != lua.LNil; k, _ = o.table.Next(k) {
		switch k := k.(type) {
		case lua.LString:
			if !slices.Contains(known, string(k)) {
				o.unknown(string(k), known)
			}
		case lua.LNumber:
		default:
			o.args.fail("%s: the name of an option is %s, expected a string", o.args.of, fault.Describe(k))
		}
	}
}

// unknown raises the error for an option that does not exist.
func (o options) unknown(name string, known []string) {
	e := usage("unknown option '%s' for %s", name, o.args.of)
	e.Place = o.place(name)
	e.Hints = []string{fault.DidYouMean(name, known)}
	vm.Raise(o.args.L, e)
}

// place is where an option is written.
func (o options) place(name string) fault.Place { return optionPlace(o.args.L, name) }

// fail raises a usage error at an option.
func (o options) fail(name, format string, values ...any) {
	e := usage(format, values...)
	e.Place = o.place(name)
	vm.Raise(o.args.L, e)
}

func (o options) wrong(name string, v lua.LValue, expected string) {
	o.fail(name, "option '%s' of %s is %s, expected %s", name, o.args.of, fault.Describe(v), expected)
}

// raise raises what a package below said of an option.
func (o options) raise(name string, err error) {
	if e, ok := err.(*fault.Error); ok && e.Place.File == "" { //nolint:errorlint // only an error of its own is completed
		e.Place = o.place(name)
	}
	vm.Raise(o.args.L, err)
}

// value gives an option, nil if it is not there.
func (o options) value(name string) lua.LValue {
	if o.table == nil {
		return lua.LNil
	}
	return o.table.RawGetString(name)
}

// has tells whether an option is there.
func (o options) has(name string) bool { return o.value(name) != lua.LNil }

// items gives the values without names.
func (o options) items() []lua.LValue {
	if o.table == nil {
		return nil
	}
	out := make([]lua.LValue, o.table.Len())
	for i := range out {
		out[i] = o.table.RawGetInt(i + 1)
	}
	return out
}

// text gives a string, "" if it is not there.
func (o options) text(name string) string {
	v := o.value(name)
	s, ok := v.(lua.LString)
	if v != lua.LNil && !ok {
		o.wrong(name, v, "a string")
	}
	return string(s)
}

// word gives one of the choices, "" if it is not there.
func (o options) word(name string, choices ...string) string {
	s := o.text(name)
	if s == "" && !o.has(name) || slices.Contains(choices, s) {
		return s
	}
	e := usage("option '%s' of %s is '%s', expected one of: %s", name, o.args.of, s, strings.Join(choices, ", "))
	e.Place = o.place(name)
	if best := fault.Suggest(s, choices); best != "" {
		e.Hints = []string{"did you mean '" + best + "'?"}
	}
	vm.Raise(o.args.L, e)
	return ""
}

// boolean gives true or false, false if it is not there.
func (o options) boolean(name string) bool {
	v := o.value(name)
	x, ok := v.(lua.LBool)
	if v != lua.LNil && !ok {
		o.wrong(name, v, "true or false")
	}
	return bool(x)
}

// integer gives a whole number between low and high; false: it is not there.
func (o options) integer(name string, low, high int) (int, bool) {
	v := o.value(name)
	if v == lua.LNil {
		return 0, false
	}
	n, ok := toInt(v, low, high)
	if !ok {
		o.wrong(name, v, wholeNumber(low, high))
	}
	return n, true
}

// number gives a number; false: it is not there.
func (o options) number(name string) (float64, bool) {
	v := o.value(name)
	if v == lua.LNil {
		return 0, false
	}
	n, ok := v.(lua.LNumber)
	if !ok {
		o.wrong(name, v, "a number")
	}
	return float64(n), true
}

// duration gives a duration; false: it is not there.
func (o options) duration(name string) (time.Duration, bool) {
	v := o.value(name)
	if v == lua.LNil {
		return 0, false
	}
	d, err := toDuration(v)
	if err != nil {
		o.fail(name, "option '%s' of %s is %s: %s", name, o.args.of, fault.Describe(v), err)
	}
	return d, true
}

// list gives a list, nil if it is not there.
func (o options) list(name, expected string) []lua.LValue {
	v := o.value(name)
	t, ok := v.(*lua.LTable)
	if v == lua.LNil {
		return nil
	}
	if !ok || t.Len() == 0 {
		o.wrong(name, v, expected)
	}
	return options{args: o.args, table: t}.items()
}

// toInt reads a whole number between low and high.
func toInt(v lua.LValue, low, high int) (int, bool) {
	n, ok := v.(lua.LNumber)
	if f := float64(n); !ok || f != math.Trunc(f) || f < float64(low) || f > float64(high) {
		return 0, false
	}
	return int(n), true
}

// toDuration reads seconds, or a text such as '10s' or '1h30m'.
func toDuration(v lua.LValue) (time.Duration, error) {
	switch v := v.(type) {
	case lua.LString:
		return app.ParseDuration(string(v))
	case lua.LNumber:
		return app.ParseDuration(strconv.FormatFloat(float64(v), 'f', -1, 64))
	}
	return 0, fmt.Errorf("expected a duration like '10s', '1h30m', '7d', or a number of seconds")
}

func wholeNumber(low, high int) string {
	if high >= math.MaxInt32 {
		return fmt.Sprintf("a whole number from %d", low)
	}
	return fmt.Sprintf("a whole number from %d to %d", low, high)
}

// optionPlace is where the option of that name is written in the call that L's running function got.
func optionPlace(L *lua.LState, name string) fault.Place { return fault.OptionPlace(L, name) }
