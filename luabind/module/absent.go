package module

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/vm"
)

// later are the modules whose names are taken and that come in later versions.
var later = []string{"csv", "fs", "template", "metrics", "sql", "redis"}

// absent is a module that is not there yet: it can be required, and raises when it is used.
func absent(L *lua.LState, name string) lua.LValue {
	raise := L.NewFunction(func(L *lua.LState) int {
		what := name
		if key, ok := L.Get(2).(lua.LString); ok {
			what += "." + string(key)
		}
		notYet(L, what)
		return 0
	})
	mt := L.CreateTable(0, 5)
	for _, event := range []string{"__index", "__newindex"} {
		mt.RawSetString(event, raise)
	}
	mt.RawSetString("__call", L.NewFunction(func(L *lua.LState) int { notYet(L, name); return 0 }))
	mt.RawSetString("__tostring", L.NewFunction(func(L *lua.LState) int {
		L.Push(lua.LString("module " + name + " (not in this version)"))
		return 1
	}))
	mt.RawSetString("__metatable", lua.LString("module"))
	return &lua.LUserData{Metatable: mt}
}

func notYet(L *lua.LState, name string) {
	vm.Raise(L, &fault.Error{Code: fault.Usage, Message: fmt.Sprintf("%s is not in this version", name)})
}
