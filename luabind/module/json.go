package module

import (
	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

func (s *Set) jsonModule(L *lua.LState) lua.LValue {
	t := table(L, "json", map[string]function{"encode": s.jsonEncode, "decode": s.jsonDecode, "array": s.jsonArray, "object": s.jsonObject})
	t.RawSetString("null", s.cfg.Registry.Null())
	return t
}

// jsonEncode is json.encode(v, { indent = 2 }) -> string. nil is null.
func (s *Set) jsonEncode(a *args) []lua.LValue {
	if a.L.GetTop() == 0 {
		a.Fail("json.encode: the value is missing")
	}
	v := a.Maybe()
	opts := a.Options()
	a.Done()
	indent := opts.IntegerOr("indent", 0)
	if v == lua.LNil {
		v = s.cfg.Registry.Null()
	}
	b, err := s.cfg.Registry.JSON(a.L, v, indent)
	return []lua.LValue{lua.LString(must(a, b, err))}
}

// jsonDecode is json.decode(text) -> value.
func (s *Set) jsonDecode(a *args) []lua.LValue {
	text := a.Text("the text")
	a.Done()
	v, err := s.cfg.Registry.ParseJSON(a.L, []byte(text))
	return []lua.LValue{must(a, v, err)}
}

// jsonArray is json.array{...} -> the table, which is written as a list even if it is empty. Without a table: a new one.
func (s *Set) jsonArray(a *args) []lua.LValue {
	t := newTable(a, "the list")
	t.ForEach(func(k, v lua.LValue) {
		if _, ok := k.(lua.LNumber); !ok {
			a.Fail("json.array: the table has a field, %s: a list has items only", fault.Describe(k))
		}
	})
	return []lua.LValue{s.cfg.Registry.Array(t)}
}

// jsonObject is json.object{...} -> the table, which is written as an object.
func (s *Set) jsonObject(a *args) []lua.LValue {
	t := newTable(a, "the table")
	if t.Len() > 0 {
		a.Fail("json.object: the table has items without names: those of an object have names")
	}
	if list := s.cfg.Registry.Array(a.L.CreateTable(0, 0)); list.Metatable == t.Metatable {
		t.Metatable = lua.LNil
	}
	return []lua.LValue{t}
}

// newTable takes the only argument, a table; a new one if there is none.
func newTable(a *args, what string) *lua.LTable {
	if a.Absent() {
		return a.L.NewTable()
	}
	t := a.Table(what, "a table")
	a.Done()
	return t
}
