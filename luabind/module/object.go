package module

import (
	"fmt"
	"maps"
	"slices"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/vm"
)

// method is a method of an object: it takes its arguments, and gives the values to return.
type method[T any] func(self T, a *args) []lua.LValue

// kind makes the metatable of a type of object: its methods, and the fields that fields gives; nil: there is none of that name.
func kind[T fmt.Stringer](L *lua.LState, name string, methods map[string]method[T], fields func(self T, L *lua.LState, key string) lua.LValue, names ...string) *lua.LTable {
	known := append(slices.Clone(names), slices.Sorted(maps.Keys(methods))...)
	index := L.CreateTable(0, len(methods))
	for key, m := range methods {
		index.RawSetString(key, m.value(L, name, key))
	}
	mt := L.CreateTable(0, 6)
	L.SetFuncs(mt, map[string]lua.LGFunction{
		"__index": func(L *lua.LState) int {
			key := lua.LVAsString(L.Get(2))
			v := index.RawGetString(key)
			if self, ok := L.CheckUserData(1).Value.(T); ok && v == lua.LNil && slices.Contains(names, key) {
				v = fields(self, L, key)
			} else if v == lua.LNil {
				vm.Raise(L, &fault.Error{Code: fault.Usage, Message: fault.Article(name) + " has no " + fault.Quote(L.Get(2)),
					Hints: []string{fault.DidYouMean(key, known)}})
			}
			L.Push(v)
			return 1
		},
		"__newindex": func(L *lua.LState) int {
			vm.Raise(L, &fault.Error{Code: fault.ReadOnly, Message: "the fields of " + fault.Article(name) + " cannot be assigned"})
			return 0
		},
		"__tostring": func(L *lua.LState) int {
			L.Push(lua.LString(fmt.Sprint(L.CheckUserData(1).Value)))
			return 1
		},
	})
	mt.RawSetString("__metatable", lua.LString(name))
	mt.RawSetString("__name", lua.LString(name))
	return mt
}

// value makes a Lua function of a method. Calling it with a dot is explained.
func (m method[T]) value(L *lua.LState, kind, name string) *lua.LFunction {
	full := kind + ":" + name
	return L.NewFunction(func(L *lua.LState) int {
		self, a := arg.Method[T](L, full)
		results := m(self, a)
		for _, v := range results {
			L.Push(v)
		}
		return len(results)
	})
}
