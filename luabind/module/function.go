package module

import (
	"fmt"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/vm"
)

// function is a function of a module: it takes its arguments, which are its own until it returns, and gives the values to return.
type function func(a *args) []lua.LValue

// value makes a Lua function. self is the module's table, which is no argument: calling with a colon is explained.
func (f function) value(L *lua.LState, name string, self *lua.LTable) *lua.LFunction {
	spare := &args{} // nil: in use
	return L.NewFunction(func(L *lua.LState) int {
		a := spare
		if spare = nil; a == nil { // a call that waits, calls itself or raised has it
			a = &args{}
		}
		a.Call(L, name)
		if self != nil {
			a.WithDot(self)
		}
		results := f(a)
		spare = a
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
	Strict(L, module, t)
	return t
}

// Strict makes reading a name that the table of a module does not have an error with a suggestion.
func Strict(L *lua.LState, module string, t *lua.LTable) {
	mt := L.CreateTable(0, 2)
	mt.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		vm.Raise(L, noMember(module, t, L.Get(2)))
		return 0
	}))
	mt.RawSetString("__metatable", lua.LString("module"))
	t.Metatable = mt
}

// noMember is the error for a name that a module does not have.
func noMember(module string, t *lua.LTable, key lua.LValue) *fault.Error {
	name, ok := key.(lua.LString)
	if !ok {
		return &fault.Error{Code: fault.Usage, Message: fmt.Sprintf("%s has names only, not %s", module, fault.Describe(key))}
	}
	var known []string
	t.ForEach(func(k, _ lua.LValue) { known = append(known, k.String()) })
	slices.Sort(known)
	e := &fault.Error{Code: fault.Usage, Message: fmt.Sprintf("%s has no %s", module, fault.Quote(key))}
	e.Hints = []string{"known: " + strings.Join(known, ", ")}
	if best := fault.Suggest(string(name), known); best != "" {
		e.Hints[0] = fmt.Sprintf("did you mean '%s.%s'?", module, best)
	}
	return e
}
