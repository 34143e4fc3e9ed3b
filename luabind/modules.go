package luabind

import (
	lua "github.com/yuin/gopher-lua"
)

// modules are the helper modules, by name: predeclared, and require-able. Each is made when it is first used.
func (b *binding) modules() map[string]func(L *lua.LState) lua.LValue {
	return map[string]func(L *lua.LState) lua.LValue{}
}
