package module

import (
	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
)

// decimalModule is decimal.new '0.10', or short decimal '0.10'.
func (s *Set) decimalModule(L *lua.LState) lua.LValue {
	return maker(L, "decimal", func(v lua.LValue) (lua.LValue, error) { return s.cfg.Registry.ParseDecimal(v) })
}

// int64Module is int64.new '9007199254740993', or short int64 '9007199254740993'.
func (s *Set) int64Module(L *lua.LState) lua.LValue {
	return maker(L, "int64", func(v lua.LValue) (lua.LValue, error) { return s.cfg.Registry.ParseInt64(v) })
}

// maker makes a module that makes the values of a type: by its new, or when it is called itself.
func maker(L *lua.LState, name string, parse func(v lua.LValue) (lua.LValue, error)) *lua.LTable {
	made := func(a *args) []lua.LValue {
		v := taken(a, "the value", parse)
		a.Done()
		return []lua.LValue{v}
	}
	t := table(L, name, map[string]function{"new": made})
	t.Metatable.(*lua.LTable).RawSetString("__call", L.NewFunction(func(L *lua.LState) int {
		L.Remove(1)
		L.Push(made(arg.Call(L, name))[0])
		return 1
	}))
	return t
}
