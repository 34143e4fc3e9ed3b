package record

import (
	"fmt"
	"maps"
	"slices"

	"faust/luabind/fault"

	lua "github.com/yuin/gopher-lua"
)

// methods gives the values of a type their methods; a name that is none raises with a suggestion.
func (g *Registry) methods(L *lua.LState, mt *lua.LTable, name string, methods map[string]func(L *lua.LState) (lua.LValue, error)) {
	g.members(L, mt, name, methods, nil)
}

// members gives the values of a type methods and fields (functions of the value).
func (g *Registry) members(L *lua.LState, mt *lua.LTable, name string, methods map[string]func(L *lua.LState) (lua.LValue, error),
	fields map[string]func(v any) lua.LValue) {
	funcs := make(map[string]*lua.LFunction, len(methods))
	for method, f := range methods {
		funcs[method] = g.wrap(L, ofObject(mt, name, method, f))
	}
	known := append(slices.Sorted(maps.Keys(fields)), slices.Sorted(maps.Keys(methods))...)
	mt.RawSetString("__index", g.wrap(L, func(L *lua.LState) (lua.LValue, error) {
		key := lua.LVAsString(L.Get(2))
		if f, ok := fields[key]; ok {
			return f(L.CheckUserData(1).Value), nil
		}
		if f, ok := funcs[key]; ok {
			return f, nil
		}
		return nil, invalid(fault.DidYouMean(key, known), "%s has no %s", fault.Article(name), fault.Quote(L.Get(2)))
	}))
	mt.RawSetString("__newindex", g.wrap(L, func(L *lua.LState) (lua.LValue, error) {
		return nil, invalid("calculate a new one", "%s cannot be changed", fault.Article(name))
	}))
}

// ofObject is a method that wants an object with metatable mt before its arguments, which a call with a dot does not give.
func ofObject(mt *lua.LTable, kind, method string, f func(L *lua.LState) (lua.LValue, error)) func(L *lua.LState) (lua.LValue, error) {
	return func(L *lua.LState) (lua.LValue, error) {
		if self, ok := L.Get(1).(*lua.LUserData); !ok || self.Metatable != lua.LValue(mt) {
			return nil, usage("", "%s is a method: it is called with a colon, %s:%s(...), not with a dot", method, kind, method)
		}
		return f(L)
	}
}

// concat is .. of the value types: both sides as text.
func (g *Registry) concat(L *lua.LState) (lua.LValue, error) {
	var parts [2]string
	for i := range parts {
		v := L.Get(i + 1)
		switch x := v.(type) {
		case lua.LString, lua.LNumber:
			parts[i] = x.String()
		case *lua.LUserData:
			s, ok := x.Value.(fmt.Stringer)
			if !ok {
				return nil, invalid("", "cannot join %s to a text with ..", fault.Describe(v))
			}
			parts[i] = s.String()
		default:
			return nil, invalid("", "cannot join %s to a text with ..", fault.Describe(v))
		}
	}
	return lua.LString(parts[0] + parts[1]), nil
}

// isUUID tells whether b is 8-4-4-4-12 hexadecimal digits.
func isUUID(b []byte) bool {
	if len(b) != 36 {
		return false
	}
	for i, c := range b {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
			continue
		}
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}
