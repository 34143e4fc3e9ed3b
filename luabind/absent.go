package luabind

import (
	lua "github.com/yuin/gopher-lua"

	"faust/luabind/api"
	"faust/luabind/vm"
)

// later is a function that a later version has.
func later(name string) lua.LGFunction {
	return func(L *lua.LState) int {
		vm.Raise(L, usage("%s is not in this version", name))
		return 0
	}
}

// absent are the functions of app that a later version has.
func (b *binding) absent() map[string]lua.LGFunction {
	out := map[string]lua.LGFunction{}
	for _, name := range api.LaterMembers("app") {
		out[name] = later("app." + name)
	}
	return out
}
