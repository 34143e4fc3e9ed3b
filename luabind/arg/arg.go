// Package arg takes the arguments of a call of one of our functions: in order, checked, with errors at the caller's place. Names, types and limits of options
// are those of the description of the API.
package arg

import (
	"fmt"
	"math"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/api"
	"faust/luabind/fault"
	"faust/luabind/vm"
)

// Args takes the arguments of one call, in order: name, source, options, function. Where something is wrong its methods raise an error at the caller's
// place, so what they return can be used as it is. Used with the baton held.
type Args struct {
	L    *lua.LState
	Name string // as the API describes it: app.topic, topic:send

	about string // app.topic('orders'): the name with the first argument, once that is known
	self  int    // 1 if an object stands before the first argument
	next  int    // index of the next argument
	seen  int    // index of the one that was looked at last
}

// Call takes the arguments of a function that is called by its name, or with a dot.
func Call(L *lua.LState, name string) *Args {
	a := &Args{}
	a.Call(L, name)
	return a
}

// Call makes a, which nobody uses any more, the arguments of another call.
func (a *Args) Call(L *lua.LState, name string) { *a = Args{L: L, Name: name, next: 1} }

// Method takes the arguments of a method of an object: what is before the colon has to be a T.
func Method[T any](L *lua.LState, name string) (T, *Args) {
	a := &Args{L: L, Name: name, self: 1, next: 2}
	if ud, ok := L.Get(1).(*lua.LUserData); ok {
		if self, ok := ud.Value.(T); ok {
			return self, a
		}
	}
	e := api.Entry{Name: name}
	a.Fail("%s is a method: it is called with a colon, %s(...), not with a dot", e.Last(), name)
	panic("unreachable")
}

// WithDot makes sure that a function of a module was not called with a colon, which gives the module as an argument.
func (a *Args) WithDot(module lua.LValue) {
	if a.L.Get(1) == module {
		a.Fail("%s is called with a dot, not with a colon: %s(...)", a.Name, a.Name)
	}
}

// Of tells what the call is about, for messages: app.topic('orders').
func (a *Args) Of() string {
	if a.about == "" {
		return a.Name
	}
	return a.about
}

// About adds the first argument to what the call is about.
func (a *Args) About(first string) { a.about = a.Name + "('" + first + "')" }

func usage(format string, values ...any) *fault.Error {
	return &fault.Error{Code: fault.Usage, Message: fmt.Sprintf(format, values...)}
}

// Fail raises a usage error at the caller's place.
func (a *Args) Fail(format string, values ...any) { vm.Raise(a.L, usage(format, values...)) }

// Hint raises a usage error with a hint.
func (a *Args) Hint(hint, format string, values ...any) {
	e := usage(format, values...)
	e.Hints = []string{hint}
	vm.Raise(a.L, e)
}

// Raise raises what a package below said of an argument.
func (a *Args) Raise(err error) { vm.Raise(a.L, err) }

// At is where the argument is written that was looked at last.
func (a *Args) At() fault.Place { return fault.ArgPlace(a.L, a.seen-a.self) }

// FailAt raises a usage error at the argument that was looked at last, with hints.
func (a *Args) FailAt(hints []string, format string, values ...any) {
	e := usage(format, values...)
	e.Place = a.At()
	e.Hints = hints
	vm.Raise(a.L, e)
}

// Wrong raises an error about the argument that was looked at last: it is of the wrong type.
func (a *Args) Wrong(what string, v lua.LValue, expected string) {
	a.FailAt(nil, "%s: %s is %s, expected %s", a.Of(), what, fault.Describe(v), expected)
}

// Place is where the call is written.
func (a *Args) Place() fault.Place { return fault.Caller(a.L, 1) }

// Peek gives the next argument without taking it.
func (a *Args) Peek() lua.LValue {
	a.seen = a.next
	return a.L.Get(a.next)
}

// Absent tells whether the next argument is missing or nil.
func (a *Args) Absent() bool { return a.Peek() == lua.LNil }

// Skip takes the next argument.
func (a *Args) Skip() { a.next++ }

// Last tells whether nothing follows the next argument.
func (a *Args) Last() bool { return a.next >= a.L.GetTop() }

// Maybe takes the next argument, whatever it is; nil if there is none.
func (a *Args) Maybe() lua.LValue {
	v := a.Peek()
	a.next++
	return v
}

// Value takes the next argument, whatever it is; what says what it is for.
func (a *Args) Value(what string) lua.LValue {
	v := a.Peek()
	if v == lua.LNil {
		a.Fail("%s: %s is missing", a.Of(), what)
	}
	a.next++
	return v
}

// Text takes a string.
func (a *Args) Text(what string) string {
	v := a.Value(what)
	s, ok := v.(lua.LString)
	if !ok {
		a.Wrong(what, v, "a string")
	}
	return string(s)
}

// MaybeText takes a string if the next argument is one.
func (a *Args) MaybeText() (string, bool) {
	s, ok := a.Peek().(lua.LString)
	if ok {
		a.next++
	}
	return string(s), ok
}

// Table takes a table; expected says what it has to be.
func (a *Args) Table(what, expected string) *lua.LTable {
	v := a.Value(what)
	t, ok := v.(*lua.LTable)
	if !ok {
		a.Wrong(what, v, expected)
	}
	return t
}

// Number takes a finite number.
func (a *Args) Number(what string) float64 {
	v := a.Value(what)
	n, ok := v.(lua.LNumber)
	if !ok || math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		a.Wrong(what, v, "a number")
	}
	return float64(n)
}

// Integer takes a whole number from low to high.
func (a *Args) Integer(what string, low, high int64) int64 {
	v := a.Value(what)
	n, ok := Whole(v, low, high)
	if !ok {
		a.Wrong(what, v, wholeNumber(low, high))
	}
	return n
}

// Duration takes a duration: seconds, or a text such as '10s'.
func (a *Args) Duration(what string) time.Duration {
	v := a.Value(what)
	d, err := Duration(v)
	if err != nil {
		a.FailAt(nil, "%s: %s is %s, %s", a.Of(), what, fault.Describe(v), err)
	}
	return d
}

// MaybeDuration takes a duration if there is an argument.
func (a *Args) MaybeDuration(what string) (time.Duration, bool) {
	if a.Absent() {
		return 0, false
	}
	return a.Duration(what), true
}

func (a *Args) functionLast() string {
	return "the function comes last:  " + a.Name + "(..., function(...) ... end)"
}

// Function takes the function, the last argument, and makes sure nothing follows.
func (a *Args) Function() *lua.LFunction {
	v := a.Peek()
	fn, ok := v.(*lua.LFunction)
	switch {
	case v == lua.LNil:
		a.Hint(a.functionLast(), "%s: the function is missing", a.Of())
	case !ok:
		a.Wrong("the function", v, "a function")
	}
	a.next++
	a.Done()
	return fn
}

// Done makes sure that there is no argument left.
func (a *Args) Done() {
	if a.next > a.L.GetTop() || a.L.Get(a.next) == lua.LNil {
		return
	}
	e := usage("%s: argument %d is too many: %s", a.Of(), a.next-a.self, fault.Describe(a.L.Get(a.next)))
	if a.L.Get(a.next-1).Type() == lua.LTFunction {
		e.Hints = []string{a.functionLast()}
	}
	vm.Raise(a.L, e)
}
