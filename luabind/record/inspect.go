package record

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"faust/luabind/fault"

	lua "github.com/yuin/gopher-lua"
)

const (
	inspectWidth = 100  // longer tables are written over several lines
	inspectItems = 100  // of one table
	inspectText  = 1000 // bytes of one string
	inspectDepth = 12
)

// Inspect writes any value readably: records by name, tables sorted, times, never an address.
func (g *Registry) Inspect(v lua.LValue) string {
	p := &printer{g: g, open: map[*lua.LTable]bool{}}
	return p.value(v, 0)
}

// printer writes one value; open are the tables it is inside of.
type printer struct {
	g    *Registry
	open map[*lua.LTable]bool
}

func (p *printer) value(v lua.LValue, depth int) string {
	switch x := v.(type) {
	case nil:
		return "nil"
	case lua.LString:
		return quoteText(string(x))
	case lua.LNumber:
		return fault.Number(float64(x))
	case *lua.LTable:
		return p.table(x, depth)
	case *lua.LUserData:
		return p.data(x, depth)
	case *lua.LFunction:
		return functionName(x)
	case lua.LBool:
		return x.String()
	}
	if v == lua.LNil {
		return "nil"
	}
	return "<" + v.Type().String() + ">"
}

// quoteText writes a string as Lua would read it.
func quoteText(s string) string {
	if len(s) > inspectText {
		return luaQuote(fault.Cut(s, inspectText)) + fmt.Sprintf(" (%d bytes)", len(s))
	}
	return luaQuote(s)
}

func luaQuote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x20 || r == 0x7f || r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\%03d`, s[i])
		default:
			b.WriteRune(r)
		}
		i += size
	}
	b.WriteByte('"')
	return b.String()
}

func functionName(f *lua.LFunction) string {
	if f.Proto == nil {
		return "<built-in function>"
	}
	return "<function " + f.Proto.SourceName + ":" + strconv.Itoa(f.Proto.LineDefined) + ">"
}

func (p *printer) data(ud *lua.LUserData, depth int) string {
	switch x := ud.Value.(type) {
	case *Object:
		return p.record(x, depth)
	case fmt.Stringer:
		return x.String()
	case error:
		return x.Error()
	}
	if mt, ok := ud.Metatable.(*lua.LTable); ok {
		if name, ok := mt.RawGetString("__metatable").(lua.LString); ok {
			return "<" + string(name) + ">"
		}
	}
	return "<object>"
}

// part is one entry: with a name or, in a list, without.
type part struct{ name, text string }

func (p *printer) record(o *Object, depth int) string {
	if depth > inspectDepth {
		return o.schema.Name + "{ … }"
	}
	var parts []part
	for i := range o.vals {
		if v := o.Field(i); v != lua.LNil {
			parts = append(parts, part{keyText(o.schema.fields[i].name), p.value(v, depth+1)})
		}
	}
	return o.schema.Name + layout(parts, depth)
}

func (p *printer) table(t *lua.LTable, depth int) string {
	if p.open[t] {
		return "{ … the table itself }"
	}
	key, _ := t.Next(lua.LNil)
	switch {
	case key == lua.LNil && t.Metatable == lua.LValue(p.g.arrayMeta):
		return "[]"
	case key == lua.LNil:
		return "{}"
	case depth > inspectDepth:
		return "{ … }"
	}
	p.open[t] = true
	defer delete(p.open, t)
	n := 0 // not Len, which counts the gaps that the engine fills
	for t.RawGetInt(n+1) != lua.LNil {
		n++
	}
	var parts []part
	for i := 1; i <= min(n, inspectItems); i++ {
		parts = append(parts, part{"", p.value(t.RawGetInt(i), depth+1)})
	}
	more := max(0, n-inspectItems)
	keys := p.keys(t, n)
	for i, k := range keys {
		if len(parts) >= inspectItems {
			more += len(keys) - i
			break
		}
		name := "[" + p.value(k, depth+1) + "]"
		if s, ok := k.(lua.LString); ok {
			name = keyText(string(s))
		}
		parts = append(parts, part{name, p.value(t.RawGet(k), depth+1)})
	}
	if more > 0 {
		parts = append(parts, part{"", fmt.Sprintf("… %d more", more)})
	}
	return layout(parts, depth)
}

// keys are the keys that are not in the list part of n items: numbers first, then texts, each in order, then the rest.
func (p *printer) keys(t *lua.LTable, n int) []lua.LValue {
	var keys []lua.LValue
	for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
		if i, ok := k.(lua.LNumber); ok && i >= 1 && i <= lua.LNumber(n) && lua.LNumber(int(i)) == i {
			continue
		}
		keys = append(keys, k)
	}
	sort.SliceStable(keys, func(i, j int) bool {
		a, b := keys[i], keys[j]
		if a.Type() != b.Type() {
			return a.Type() < b.Type()
		}
		if x, ok := a.(lua.LNumber); ok {
			return x < b.(lua.LNumber)
		}
		return lua.LVAsString(a) < lua.LVAsString(b)
	})
	return keys
}

// keyText writes a name as it stands in a table: bare, or in brackets.
func keyText(s string) string {
	switch s {
	case "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil", "not", "or", "repeat",
		"return", "then", "true", "until", "while":
	default:
		if isName(s) {
			return s
		}
	}
	return "[" + quoteText(s) + "]"
}

// layout writes the parts in one line if they fit, otherwise one below the other with the = aligned.
func layout(parts []part, depth int) string {
	if len(parts) == 0 {
		return "{}"
	}
	size, width := 4, 0
	multi := false
	for _, e := range parts {
		size += len(e.name) + len(e.text) + 4
		width = max(width, utf8.RuneCountInString(e.name))
		multi = multi || strings.Contains(e.text, "\n")
	}
	var b strings.Builder
	if !multi && size+2*depth <= inspectWidth {
		for i, e := range parts {
			b.WriteString([2]string{"{ ", ", "}[min(i, 1)])
			if e.name != "" {
				b.WriteString(e.name + "=")
			}
			b.WriteString(e.text)
		}
		return b.String() + " }"
	}
	indent := strings.Repeat("  ", depth)
	b.WriteString("{\n")
	for _, e := range parts {
		b.WriteString(indent + "  ")
		if e.name != "" {
			b.WriteString(e.name + strings.Repeat(" ", width-utf8.RuneCountInString(e.name)) + " = ")
		}
		b.WriteString(e.text + ",\n")
	}
	return b.String() + indent + "}"
}
