package record

import (
	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// null is what the null value holds.
type null struct{}

func (null) String() string { return "null" }

// IsNull tells whether v is the null value of some registry.
func IsNull(v lua.LValue) bool {
	ud, ok := v.(*lua.LUserData)
	if !ok {
		return false
	}
	_, ok = ud.Value.(null)
	return ok
}

// newNull makes the null value: tostring gives null, and indexing it says what it is.
func (g *Registry) newNull(L *lua.LState) *lua.LUserData {
	text := func(L *lua.LState) (lua.LValue, error) { return lua.LString("null"), nil }
	index := func(L *lua.LState) (lua.LValue, error) {
		return nil, invalid("the value is null: a message without value (tombstone) or a JSON null; ask  v == null  first",
			"null has no field %s", fault.Quote(L.Get(2)))
	}
	mt := g.metatable(L, "null", map[string]func(*lua.LState) (lua.LValue, error){"__tostring": text, "__index": index, "__newindex": index})
	return newUserData(null{}, mt)
}
