package record

import (
	"bytes"
	"strconv"
	"unsafe"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// ParseJSON decodes JSON text to plain values (json.decode): objects and lists become tables of the right size, null is left out of objects and
// kept as null everywhere else, whole numbers beyond 2^53 become int64 or decimal values. Errors are *fault.Error with code decode.
func (g *Registry) ParseJSON(L *lua.LState, b []byte) (lua.LValue, error) {
	i := skipSpace(b, 0)
	mark := len(g.stack)
	v, i, p := g.parse(b, i, 0)
	if p == nil {
		if i = skipSpace(b, i); i < len(b) {
			p = unexpected(b, i, "the end")
		}
	}
	if p != nil {
		g.drop(mark)
		return nil, &fault.Error{Code: fault.Decode, Message: "not JSON: " + p.text()[len("broken JSON "):],
			Notes: []fault.Note{{Label: "value", Text: excerpt(b)}}}
	}
	return v, nil
}

// untyped makes plain values of a checked JSON value: a string without its quotes, everything else as it is.
func (g *Registry) untyped(b []byte, kind jsonKind) lua.LValue {
	if kind == jString || kind == jEscaped {
		return g.text(b, kind, &g.texts)
	}
	v, _, _ := g.parse(b, 0, 0)
	return v
}

// parse makes the Lua value at b[i] and gives the place after it.
func (g *Registry) parse(b []byte, i, depth int) (lua.LValue, int, *problem) {
	if i >= len(b) {
		return nil, 0, unexpected(b, i, "a value")
	}
	switch b[i] {
	case '{':
		return g.parseObject(b, i, depth)
	case '[':
		return g.parseArray(b, i, depth)
	}
	start := i
	i, kind, p := skipValue(b, i, depth)
	if p != nil {
		return nil, 0, p
	}
	switch kind {
	case jString, jEscaped:
		return g.text(b[start+1:i-1], kind, &g.texts), i, nil
	case jTrue:
		return lua.LTrue, i, nil
	case jFalse:
		return lua.LFalse, i, nil
	case jNull:
		return g.null, i, nil
	}
	v, p := g.parseNumber(b[start:i], start, kind)
	return v, i, p
}

// parseNumber keeps the digits of whole numbers, however many there are.
func (g *Registry) parseNumber(b []byte, at int, kind jsonKind) (lua.LValue, *problem) {
	if kind == jInteger && len(b) > 15 {
		n, err := strconv.ParseInt(unsafe.String(&b[0], len(b)), 10, 64)
		switch {
		case err != nil:
			d, ok := parseDecimal(string(b))
			if !ok {
				return nil, broken(at, "a number with too many digits")
			}
			return g.newDecimal(d, true), nil
		case !safe(n):
			return g.NewInt64(n), nil
		}
	}
	f, ok := parseFloat(b)
	if !ok {
		return nil, broken(at, "a number too large for a double")
	}
	return g.numbers.get(lua.LNumber(f)), nil
}

// unreadable says why parseNumber makes no value of a checked number; "": it does.
func unreadable(b []byte, kind jsonKind) string {
	switch {
	case kind == jInteger:
		if len(bytes.TrimPrefix(b, []byte("-"))) > decimalDigits {
			return "which has too many digits"
		}
	case kind == jExponent || len(b) >= maxPlain:
		if _, ok := parseFloat(b); !ok {
			return "too large for a double"
		}
	}
	return ""
}

func (g *Registry) parseArray(b []byte, i, depth int) (lua.LValue, int, *problem) {
	mark := len(g.stack)
	i, closed, p := opening(b, i, ']', depth)
	for !closed && p == nil {
		var v lua.LValue
		if v, i, p = g.parse(b, i, depth+1); p == nil {
			g.stack = append(g.stack, v)
			i, closed, p = element(b, i, ']')
		}
	}
	if p != nil {
		return nil, 0, p
	}
	return g.popList(mark, nil), i, nil
}

func (g *Registry) parseObject(b []byte, i, depth int) (lua.LValue, int, *problem) {
	mark := len(g.stack)
	i, closed, p := opening(b, i, '}', depth)
	for !closed && p == nil {
		var name []byte
		var kind jsonKind
		if name, kind, i, p = scanKey(b, i); p != nil {
			break
		}
		k := g.text(name, kind, &g.keys)
		var v lua.LValue
		if v, i, p = g.parse(b, i, depth+1); p != nil {
			break
		}
		if v == lua.LValue(g.null) {
			v = lua.LNil // takes an earlier one of the same name away
		}
		g.stack = append(g.stack, k, v)
		i, closed, p = element(b, i, '}')
	}
	if p != nil {
		return nil, 0, p
	}
	return g.popObject(mark), i, nil
}

// decodeError is the error for bytes that are no record: what is wrong, the bytes, what was expected, and what may be behind it.
func (s *Schema) decodeError(raw []byte, p *problem) error {
	e := &fault.Error{Code: fault.Decode, Message: "not " + fault.Article(s.Name) + ": " + p.sentence()}
	e.Notes = []fault.Note{{Label: "value", Text: excerpt(raw)}, {Label: "expected", Text: s.Declaration()}}
	hint := p.tip
	if p.lost != "" {
		f := s.fields[s.Index(p.lost)]
		hint = "if old messages may lack the field, declare  " + f.name + " = '" + f.typ.String() + "?'"
		if near := fault.Suggest(p.lost, s.strangers(raw)); near != "" {
			hint = "it has '" + fault.Cut(near, 60) + "'; " + hint
		}
	}
	if hint != "" {
		e.Hints = []string{hint}
	}
	return e
}

// strangers are the members of the object in raw that are no declared field.
func (s *Schema) strangers(raw []byte) []string {
	var names []string
	i, closed, p := opening(raw, skipSpace(raw, 0), '}', 0)
	for !closed && p == nil {
		var name []byte
		var kind jsonKind
		if name, kind, i, p = scanKey(raw, i); p != nil {
			break
		}
		if text := string(plain(name, kind)); s.Index(text) < 0 {
			names = append(names, text)
		}
		if i, _, p = skipValue(raw, i, 0); p == nil {
			i, closed, p = element(raw, i, '}')
		}
	}
	return names
}
