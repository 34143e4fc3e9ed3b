package console

import (
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/record"
)

// step is one name of a path: app, .topics, ["orders"], :send.
type step struct {
	sep  byte // 0 for the first, else '.', ':' or '['
	name string
}

// pathOf takes a text apart that names a value: names, with fields and methods. ok is false if it is anything else.
func pathOf(text string) (steps []step, ok bool) {
	text = strings.TrimSpace(text)
	name, rest := leadingName(text)
	if name == "" {
		return nil, false
	}
	steps = []step{{0, name}}
	for rest != "" {
		var s step
		switch s.sep = rest[0]; s.sep {
		case '.', ':':
			s.name, rest = leadingName(rest[1:])
			if s.name == "" {
				return nil, false
			}
		case '[':
			if s.name, rest, ok = leadingKey(rest); !ok {
				return nil, false
			}
		default:
			return nil, false
		}
		steps = append(steps, s)
	}
	return steps, true
}

func leadingName(text string) (name, rest string) {
	i := 0
	for i < len(text) && (text[i] == '_' || text[i]|0x20 >= 'a' && text[i]|0x20 <= 'z' || i > 0 && text[i] >= '0' && text[i] <= '9') {
		i++
	}
	return text[:i], text[i:]
}

// leadingKey takes ["name"] or ['name'] from the start of a text.
func leadingKey(text string) (name, rest string, ok bool) {
	if len(text) < 4 || text[1] != '"' && text[1] != '\'' {
		return "", "", false
	}
	end := strings.Index(text[2:], string(text[1])+"]")
	if end < 0 || strings.Contains(text[2:2+end], `\`) {
		return "", "", false
	}
	return text[2 : 2+end], text[2+end+2:], true
}

// resolve gives the value that a path names, without running any code of the script; nil: it is not known.
func (s *session) resolve(L *lua.LState, steps []step) lua.LValue {
	v := s.scope.Lookup(L, steps[0].name)
	for _, step := range steps[1:] {
		if v == nil || v == lua.LNil {
			return nil
		}
		v = s.member(L, v, step.name)
	}
	return v
}

// chained is how far tables that stand behind tables are followed.
const chained = 16

// member reads a field or method of a value, without running any code of the script; nil: it is not known.
func (s *session) member(L *lua.LState, v lua.LValue, name string) lua.LValue {
	if members, ok := s.cfg.App.Members(v); ok {
		for _, m := range members {
			if m.Name == name {
				return m.Value
			}
		}
		return nil
	}
	if o, ok := record.ObjectOf(v); ok {
		if i := o.Schema().Index(name); i >= 0 {
			return o.Field(i)
		}
		return nil
	}
	if _, ok := v.(lua.LString); ok {
		v = L.G.Global.RawGetString("string")
	}
	for range chained {
		t, ok := v.(*lua.LTable)
		if !ok {
			return nil
		}
		if found := t.RawGetString(name); found != lua.LNil {
			return found
		}
		v = behind(t)
	}
	return nil
}

// behind gives what the metatable of a value has it look up names in, if that is a table.
func behind(v lua.LValue) lua.LValue {
	var mt lua.LValue
	switch x := v.(type) {
	case *lua.LTable:
		mt = x.Metatable
	case *lua.LUserData:
		mt = x.Metatable
	}
	if t, ok := mt.(*lua.LTable); ok {
		return t.RawGetString("__index")
	}
	return lua.LNil
}
