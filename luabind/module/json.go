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
		a.fail("json.encode: the value is missing")
	}
	v := a.maybe()
	opts := a.options("indent")
	a.done()
	indent := 0
	if n := opts.RawGetString("indent"); n != lua.LNil {
		f, ok := n.(lua.LNumber)
		if indent = int(f); !ok || f != lua.LNumber(indent) || indent < 0 || indent > 16 {
			a.wrongOption("indent", n, "a whole number from 0 to 16")
		}
	}
	if v == lua.LNil {
		v = s.cfg.Registry.Null()
	}
	b, err := s.cfg.Registry.JSON(a.L, v, indent)
	return []lua.LValue{lua.LString(must(a, b, err))}
}

// jsonDecode is json.decode(text) -> value.
func (s *Set) jsonDecode(a *args) []lua.LValue {
	text := a.text("the text")
	a.done()
	v, err := s.cfg.Registry.ParseJSON(a.L, []byte(text))
	return []lua.LValue{must(a, v, err)}
}

// jsonArray is json.array{...} -> the table, which is written as a list even if it is empty. Without a table: a new one.
func (s *Set) jsonArray(a *args) []lua.LValue {
	t := a.newTable("the list")
	t.ForEach(func(k, v lua.LValue) {
		if _, ok := k.(lua.LNumber); !ok {
			a.fail("json.array: the table has a field, %s: a list has items only", fault.Describe(k))
		}
	})
	return []lua.LValue{s.cfg.Registry.Array(t)}
}

// jsonObject is json.object{...} -> the table, which is written as an object.
func (s *Set) jsonObject(a *args) []lua.LValue {
	t := a.newTable("the table")
	if t.Len() > 0 {
		a.fail("json.object: the table has items without names: those of an object have names")
	}
	if list := s.cfg.Registry.Array(a.L.CreateTable(0, 0)); list.Metatable == t.Metatable {
		t.Metatable = lua.LNil
	}
	return []lua.LValue{t}
}

// newTable takes the only argument, a table; a new one if there is none.
func (a *args) newTable(what string) *lua.LTable {
	if a.absent() {
		return a.L.NewTable()
	}
	t := a.table(what, "a table")
	a.done()
	return t
}
