package module

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/luabind/vm"
)

// function is a function of a module: it takes its arguments, and gives the values to return.
type function func(a *args) []lua.LValue

// value makes a Lua function. self is the module's table, which is no argument: calling with a colon is explained.
func (f function) value(L *lua.LState, name string, self *lua.LTable) *lua.LFunction {
	return L.NewFunction(func(L *lua.LState) int {
		a := &args{L: L, name: name, next: 1}
		if self != nil && L.Get(1) == lua.LValue(self) {
			a.fail("%s is called with a dot, not with a colon: %s(...)", name, name)
		}
		results := f(a)
		for _, v := range results {
			L.Push(v)
		}
		return len(results)
	})
}

// table makes a module's table.
func table(L *lua.LState, module string, functions map[string]function) *lua.LTable {
	t := L.CreateTable(0, len(functions))
	for name, f := range functions {
		t.RawSetString(name, f.value(L, module+"."+name, t))
	}
	return t
}

// args takes the arguments of one call, in order. What is wrong raises an error at the caller's place.
type args struct {
	L    *lua.LState
	name string // random.int
	next int    // index of the next argument
}

func (a *args) fail(format string, values ...any) {
	a.raise(&fault.Error{Code: fault.Usage, Message: fmt.Sprintf(format, values...)})
}

func (a *args) raise(err error) { vm.Raise(a.L, err) }

// must raises err if there is one.
func must[T any](a *args, v T, err error) T {
	if err != nil {
		a.raise(err)
	}
	return v
}

// wrong raises an error about the argument taken last.
func (a *args) wrong(what string, v lua.LValue, expected string) {
	a.raise(&fault.Error{Code: fault.Usage, Message: fmt.Sprintf("%s: %s is %s, expected %s", a.name, what, fault.Describe(v), expected),
		Place: fault.ArgPlace(a.L, a.next-1)})
}

// absent tells whether the next argument is missing or nil.
func (a *args) absent() bool { return a.L.Get(a.next) == lua.LNil }

// maybe takes the next argument, nil if there is none.
func (a *args) maybe() lua.LValue {
	a.next++
	return a.L.Get(a.next - 1)
}

// value takes the next argument, which must not be nil.
func (a *args) value(what string) lua.LValue {
	if a.absent() {
		a.fail("%s: %s is missing", a.name, what)
	}
	return a.maybe()
}

func (a *args) text(what string) string {
	v := a.value(what)
	s, ok := v.(lua.LString)
	if !ok {
		a.wrong(what, v, "a string")
	}
	return string(s)
}

func (a *args) number(what string) float64 {
	v := a.value(what)
	n, ok := v.(lua.LNumber)
	if !ok || math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		a.wrong(what, v, "a number")
	}
	return float64(n)
}

// maxWhole is up to where a Lua number holds every whole number.
const maxWhole = 1 << 53

func (a *args) integer(what string, low, high int64) int64 {
	v := a.value(what)
	n, ok := v.(lua.LNumber)
	if f := float64(n); !ok || f != math.Trunc(f) || f < float64(low) || f > float64(high) {
		a.wrong(what, v, wholeNumber(low, high))
	}
	return int64(n)
}

func wholeNumber(low, high int64) string {
	switch {
	case low <= -maxWhole && high >= maxWhole:
		return "a whole number"
	case high >= maxWhole:
		return fmt.Sprintf("a whole number from %d", low)
	}
	return fmt.Sprintf("a whole number from %d to %d", low, high)
}

func (a *args) table(what, expected string) *lua.LTable {
	v := a.value(what)
	t, ok := v.(*lua.LTable)
	if !ok {
		a.wrong(what, v, expected)
	}
	return t
}

func (a *args) duration(what string) time.Duration {
	return taken(a, what, record.Duration)
}

// taken takes an argument through a reader of package record.
func taken[T any](a *args, what string, read func(lua.LValue) (T, error)) T {
	v, err := read(a.value(what))
	return must(a, v, err)
}

// options takes the table of options, which may be left out, and checks their names. The result is never nil.
func (a *args) options(known ...string) *lua.LTable {
	if a.absent() {
		return a.L.CreateTable(0, 0)
	}
	t := a.table("the table of options", "a table, as { "+known[0]+" = ... }")
	t.ForEach(func(k, _ lua.LValue) {
		name, ok := k.(lua.LString)
		if ok && slices.Contains(known, string(name)) {
			return
		}
		a.unknown(k, known)
	})
	return t
}

func (a *args) unknown(key lua.LValue, known []string) {
	name := lua.LVAsString(key)
	e := &fault.Error{Code: fault.Usage, Message: fmt.Sprintf("unknown option '%s' for %s", name, a.name), Place: fault.OptionPlace(a.L, name)}
	e.Hints = []string{"known: " + strings.Join(known, ", ")}
	if best := fault.Suggest(name, known); best != "" {
		e.Hints[0] = fmt.Sprintf("did you mean '%s'?  %s", best, e.Hints[0])
	}
	a.raise(e)
}

// wrongOption raises an error about the value of an option.
func (a *args) wrongOption(name string, v lua.LValue, expected string) {
	a.raise(&fault.Error{Code: fault.Usage, Place: fault.OptionPlace(a.L, name),
		Message: fmt.Sprintf("option '%s' of %s is %s, expected %s", name, a.name, fault.Describe(v), expected)})
}

// done makes sure that no argument is left.
func (a *args) done() {
	if a.next <= a.L.GetTop() && !a.absent() {
		a.fail("%s: argument %d is too many: %s", a.name, a.next, fault.Describe(a.L.Get(a.next)))
	}
}
