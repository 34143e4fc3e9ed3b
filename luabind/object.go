package luabind

import (
	"maps"
	"slices"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/vm"
)

// kind makes the metatable of a type of object: its methods, with a suggestion for what is none; nothing can be assigned. fields, if not nil,
// gives what is no method; nil: it is not known.
func (b *binding) kind(L *lua.LState, name string, methods map[string]lua.LGFunction, fields func(L *lua.LState, self any, key string) lua.LValue, names ...string) *lua.LTable {
	mt, index := L.CreateTable(0, 8), L.CreateTable(0, len(methods))
	for method, f := range methods {
		index.RawSetString(method, L.NewFunction(f))
	}
	known := append(slices.Clone(names), slices.Sorted(maps.Keys(methods))...)
	b.members[mt] = memberSet{names, index}
	missing := L.NewFunction(func(L *lua.LState) int {
		key := L.Get(2)
		vm.Raise(L, unknownMember(name, key, known))
		return 0
	})
	if fields == nil {
		index.Metatable = L.CreateTable(0, 1)
		index.Metatable.(*lua.LTable).RawSetString("__index", missing)
		mt.RawSetString("__index", index)
	} else {
		mt.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
			key := lua.LVAsString(L.Get(2))
			if f := index.RawGetString(key); f != lua.LNil {
				L.Push(f)
			} else if v := fields(L, L.CheckUserData(1).Value, key); v != nil {
				L.Push(v)
			} else {
				vm.Raise(L, unknownMember(name, L.Get(2), known))
			}
			return 1
		}))
	}
	mt.RawSetString("__newindex", L.NewFunction(func(L *lua.LState) int {
		vm.Raise(L, &fault.Error{Code: fault.ReadOnly, Message: "the fields of " + fault.Article(name) + " cannot be assigned"})
		return 0
	}))
	mt.RawSetString("__tostring", L.NewFunction(func(L *lua.LState) int {
		L.Push(lua.LString(fault.Describe(L.Get(1))))
		return 1
	}))
	mt.RawSetString("__metatable", lua.LString(name))
	mt.RawSetString("__name", lua.LString(name))
	return mt
}

// memberSet is what values of a kind have.
type memberSet struct {
	fields  []string
	methods *lua.LTable
}

func unknownMember(kind string, key lua.LValue, known []string) *fault.Error {
	e := usage("%s has no %s", fault.Article(kind), fault.Quote(key))
	e.Hints = []string{fault.DidYouMean(lua.LVAsString(key), known)}
	return e
}

// object makes a Lua value of v.
func object(v any, mt *lua.LTable) *lua.LUserData {
	return &lua.LUserData{Value: v, Metatable: mt}
}

// as gives the object of ours that v is.
func as[T any](v lua.LValue) (T, bool) {
	ud, ok := v.(*lua.LUserData)
	if !ok {
		var none T
		return none, false
	}
	x, ok := ud.Value.(T)
	return x, ok
}
