package record

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"faust/luabind/fault"

	lua "github.com/yuin/gopher-lua"
)

const hexDigits = "0123456789abcdef"

// JSON encodes any Lua value as JSON text (json.encode, page bodies); indent 0 is compact. Errors are *fault.Error with code validation that name the
// place inside the value.
func (g *Registry) JSON(L *lua.LState, v lua.LValue, indent int) ([]byte, error) {
	return g.appendText(nil, v, indent)
}

// Sent encodes a value that goes to somebody else: secrets in it are given with their text. secret tells whether there was one.
func (g *Registry) Sent(v lua.LValue) (text []byte, secret bool, err error) {
	g.revealed = &secret
	defer func() { g.revealed = nil }()
	text, err = g.appendText(nil, v, 0)
	return text, secret, err
}

// hiding is a value whose text only what sends it may have.
type hiding interface{ Reveal() string }

// appendHidden appends the text of a secret, if it may be.
func (g *Registry) appendHidden(buf []byte, x hiding) ([]byte, *problem) {
	if g.revealed == nil {
		return buf, wrong("is a secret, whose text only what sends it may have").hint("http.post(url, { json = ... }) takes the table itself")
	}
	*g.revealed = true
	if text := x.Reveal(); utf8.ValidString(text) {
		return appendString(buf, text), nil
	}
	return buf, wrong("is a secret that is not valid UTF-8, which JSON cannot hold")
}

func (g *Registry) appendText(buf []byte, v lua.LValue, indent int) ([]byte, error) {
	start := len(buf)
	buf, p := g.appendAny(buf, v, 0)
	if p != nil {
		return buf[:start], p.unencodable()
	}
	if indent > 0 {
		var out bytes.Buffer
		if err := json.Indent(&out, buf[start:], "", strings.Repeat(" ", indent)); err != nil {
			return buf[:start], invalid("", "not JSON: %v", err)
		}
		buf = append(buf[:start], out.Bytes()...)
	}
	return buf, nil
}

// unencodable is the problem as an error about the value given to json.encode or send.
func (p *problem) unencodable() error {
	where := "value"
	switch {
	case p.path == "":
	case p.path[0] == '[':
		where += p.path
	default:
		where += "." + p.path
	}
	return invalid(p.tip, "not JSON: '%s' %s", fault.Cut(where, 100), p.what)
}

// checkPlain checks that a value inside so many lists and objects can be written as JSON.
func (g *Registry) checkPlain(v lua.LValue, depth int) *problem {
	switch x := v.(type) {
	case lua.LBool:
		return nil
	case lua.LNumber:
		if !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) {
			return nil
		}
	}
	_, p := g.appendAny(nil, v, depth)
	return p
}

// appendAny appends any value as JSON.
func (g *Registry) appendAny(buf []byte, v lua.LValue, depth int) ([]byte, *problem) {
	switch x := v.(type) {
	case lua.LString:
		if !utf8.ValidString(string(x)) {
			return buf, notUTF8(string(x))
		}
		return appendString(buf, string(x)), nil
	case lua.LNumber:
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return buf, wrong("is %s, which JSON cannot hold", fault.Number(float64(x)))
		}
		return appendFloat(buf, float64(x)), nil
	case lua.LBool:
		return strconv.AppendBool(buf, bool(x)), nil
	case *lua.LTable:
		return g.appendTable(buf, x, depth)
	case *lua.LUserData:
		return g.appendValue(buf, v, x.Value, depth)
	}
	if v == lua.LNil {
		return append(buf, "null"...), nil
	}
	return buf, wrong("is %s, which JSON cannot hold", fault.Describe(v))
}

// appendValue appends a value of one of our types.
func (g *Registry) appendValue(buf []byte, v lua.LValue, data any, depth int) ([]byte, *problem) {
	switch x := data.(type) {
	case null:
		return append(buf, "null"...), nil
	case *Object:
		if depth >= maxDepth {
			return buf, tooDeep()
		}
		return x.appendJSON(buf, depth)
	case Int64:
		return strconv.AppendInt(buf, int64(x), 10), nil
	case *Decimal:
		if x.bare {
			return append(buf, x.String()...), nil
		}
		return append(append(append(buf, '"'), x.String()...), '"'), nil
	case Datetime:
		return x.appendJSON(buf, formatRFC3339), nil
	case Date:
		return append(append(append(buf, '"'), x.String()...), '"'), nil
	case hiding:
		return g.appendHidden(buf, x)
	}
	return buf, wrong("is %s, which JSON cannot hold", fault.Describe(v))
}

// appendTable appends a table: a list if it is marked as one or has the keys 1, 2, 3 ..., an object if it has only names or nothing.
func (g *Registry) appendTable(buf []byte, t *lua.LTable, depth int) ([]byte, *problem) {
	if depth >= maxDepth {
		return buf, tooDeep()
	}
	key, _ := t.Next(lua.LNil)
	marked := t.Metatable == lua.LValue(g.arrayMeta)
	switch {
	case marked || key.Type() == lua.LTNumber:
		return g.appendItems(buf, t, depth)
	case key == lua.LNil:
		return append(buf, "{}"...), nil
	}
	return g.appendMembers(buf, t, depth)
}

func (g *Registry) appendItems(buf []byte, t *lua.LTable, depth int) ([]byte, *problem) {
	n, p := listLen(t)
	if p != nil {
		if strings.HasSuffix(p.what, "expected a list") {
			p = mixed(t)
		}
		return buf, p
	}
	buf = append(buf, '[')
	for i := 1; i <= n; i++ {
		if i > 1 {
			buf = append(buf, ',')
		}
		if buf, p = g.appendAny(buf, t.RawGetInt(i), depth+1); p != nil {
			return buf, p.item(i)
		}
	}
	return append(buf, ']'), nil
}

// mixed says why a table is neither a list nor an object.
func mixed(t *lua.LTable) *problem {
	var other lua.LValue
	list := false
	for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
		if _, ok := k.(lua.LString); ok || other == nil {
			other = k
		}
		list = list || k.Type() == lua.LTNumber
	}
	name, ok := other.(lua.LString)
	switch {
	case ok && !list: // and marked as a list
		return wrong("is a list with the field '%s'; JSON has lists and objects, not both in one", fault.Cut(string(name), 60)).
			hint("an empty list of JSON stays a list; json.object(t) makes an object of it")
	case ok:
		return wrong("is a table with list items and the field '%s'; JSON has lists and objects, not both in one", fault.Cut(string(name), 60)).
			hint("put the items in a field of their own, or give all of them names")
	}
	return wrong("is a table with the key %s; JSON has lists (1, 2, 3 ...) and objects (names)", fault.Describe(other)).
		hint("for an object, make the key text:  t[tostring(k)]")
}

func (g *Registry) appendMembers(buf []byte, t *lua.LTable, depth int) ([]byte, *problem) {
	buf = append(buf, '{')
	first := true
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		name, ok := k.(lua.LString)
		if !ok {
			return buf, mixed(t)
		}
		if !utf8.ValidString(string(name)) {
			return buf, wrong("has the field %s, whose name is not valid UTF-8", strconv.Quote(fault.Cut(string(name), 40)))
		}
		buf = append(appendString(comma(buf, &first), string(name)), ':')
		var p *problem
		if buf, p = g.appendAny(buf, v, depth+1); p != nil {
			if isName(string(name)) {
				return buf, p.in(string(name))
			}
			return buf, p.key(string(name))
		}
	}
	return append(buf, '}'), nil
}

// isName tells whether a script could write t.s.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// isPlain tells whether s is ASCII that JSON writes as it is, eight bytes at a time: the high bits of m mark what is not.
func isPlain(s string) bool {
	b := unsafe.Slice(unsafe.StringData(s), len(s)) // only read
	for ; len(b) >= 8; b = b[8:] {
		w := binary.LittleEndian.Uint64(b)
		if m := ((w - ones*0x20) | ((w ^ ones*'"') - ones) | ((w ^ ones*'\\') - ones) | w) & highs; m != 0 {
			return false
		}
	}
	for _, c := range b {
		if c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// appendString appends valid UTF-8 as a JSON string.
func appendString(buf []byte, s string) []byte {
	buf = append(buf, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		buf = append(buf, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			buf = append(buf, '\\', c)
		case '\n':
			buf = append(buf, '\\', 'n')
		case '\r':
			buf = append(buf, '\\', 'r')
		case '\t':
			buf = append(buf, '\\', 't')
		default:
			buf = append(buf, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(buf, s[start:]...), '"')
}

// excerpt shows bytes to a reader: at most 200, control characters escaped.
func excerpt(b []byte) string {
	cutOff := len(b) > 200
	if cutOff {
		n := 200
		for n > 200-utf8.UTFMax && !utf8.RuneStart(b[n]) {
			n--
		}
		b = b[:n]
	}
	var s strings.Builder
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		switch {
		case r == utf8.RuneError && size <= 1:
			s.WriteString(`\x` + string(hexDigits[b[i]>>4]) + string(hexDigits[b[i]&15]))
		case r < 0x20 || r == 0x7f || obeyed(r):
			s.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			s.WriteRune(r)
		}
		i += max(size, 1)
	}
	if cutOff {
		s.WriteString("…")
	}
	return s.String()
}
