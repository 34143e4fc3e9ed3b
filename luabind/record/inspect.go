package record

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"faust/luabind/fault"

	lua "github.com/yuin/gopher-lua"
)

// View says how much Inspect shows of a value. 0: no limit.
type View struct {
	Width int    // columns; longer tables are written over several lines
	Items int    // of one table
	Text  int    // bytes of one string
	Depth int    // of tables inside tables
	More  string // what follows the number of items that are left out
	Metas bool   // tables with a metatable say so
	Code  bool   // values are written as Lua that makes them again, as far as there is any
}

// lineView is that of InspectLine.
var lineView = View{Items: 100, Text: 1000, Depth: 12}

// plainView is that of inspect and pp.
var plainView = View{Width: 100, Items: 100, Text: 1000, Depth: 12}

// Inspect writes any value readably: records by name, tables sorted, times, never an address.
func (g *Registry) Inspect(v lua.LValue) string { return g.InspectAs(v, plainView) }

// InspectLine is Inspect on one line, however long it gets.
func (g *Registry) InspectLine(v lua.LValue) string { return g.InspectAs(v, lineView) }

// InspectAs is Inspect with limits of the caller's.
func (g *Registry) InspectAs(v lua.LValue, view View) string {
	p := &printer{g: g, view: view, open: map[*lua.LTable]bool{}}
	for _, limit := range []*int{&p.view.Width, &p.view.Items, &p.view.Text, &p.view.Depth} {
		if *limit == 0 {
			*limit = math.MaxInt
		}
	}
	return p.value(v, 0)
}

// printer writes one value; open are the tables it is inside of.
type printer struct {
	g    *Registry
	view View
	open map[*lua.LTable]bool
}

func (p *printer) value(v lua.LValue, depth int) string {
	switch x := v.(type) {
	case nil:
		return "nil"
	case lua.LString:
		return p.quote(string(x))
	case lua.LNumber:
		if p.view.Code {
			return numberCode(float64(x))
		}
		return fault.Number(float64(x))
	case *lua.LTable:
		return p.table(x, depth)
	case *lua.LUserData:
		return p.data(x, depth)
	case *lua.LFunction:
		if p.view.Code {
			return "nil --[[ " + functionName(x) + " ]]"
		}
		return functionName(x)
	case lua.LBool:
		return x.String()
	}
	if v == lua.LNil {
		return "nil"
	}
	return "<" + v.Type().String() + ">"
}

// quote writes a string as Lua would read it.
func (p *printer) quote(s string) string {
	if len(s) > p.view.Text {
		return luaQuote(fault.Cut(s, p.view.Text)) + fmt.Sprintf(" (%d bytes)", len(s))
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
		case r < 0x20 || r == 0x7f || r == utf8.RuneError && size == 1 || obeyed(r):
			for _, c := range []byte(s[i : i+size]) {
				fmt.Fprintf(&b, `\%03d`, c)
			}
		default:
			b.WriteRune(r)
		}
		i += size
	}
	b.WriteByte('"')
	return b.String()
}

// obeyed tells whether a terminal would act on the character instead of showing it: controls beyond ASCII, changes of the direction of writing.
func obeyed(r rune) bool {
	return r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

func functionName(f *lua.LFunction) string {
	if f.Proto == nil {
		return "<built-in function>"
	}
	return "<function " + f.Proto.SourceName + ":" + strconv.Itoa(f.Proto.LineDefined) + ">"
}

func numberCode(f float64) string {
	switch {
	case math.IsNaN(f):
		return "0/0"
	case math.IsInf(f, 0):
		return strings.Replace(fault.Number(f), "inf", "math.huge", 1)
	}
	return fault.Number(f)
}

func (p *printer) data(ud *lua.LUserData, depth int) string {
	switch x := ud.Value.(type) {
	case *Object:
		return p.record(x, depth)
	case null:
		return x.String()
	case fmt.Stringer:
		if p.view.Code {
			return dataCode(x)
		}
		return x.String()
	case error:
		if p.view.Code {
			return luaQuote(x.Error())
		}
		return x.Error()
	case fault.Describer:
		return "<" + strings.TrimPrefix(x.Describe(), "the ") + ">"
	}
	if mt, ok := ud.Metatable.(*lua.LTable); ok {
		if name, ok := mt.RawGetString("__metatable").(lua.LString); ok {
			return "<" + string(name) + ">"
		}
	}
	return "<object>"
}

// dataCode writes a value of ours as fields of records take it.
func dataCode(x fmt.Stringer) string {
	switch x := x.(type) {
	case Datetime:
		return "time.parse " + luaQuote(x.String())
	case *Schema:
		return x.Name
	}
	return luaQuote(x.String())
}

// part is one entry: with a name or, in a list, without.
type part struct{ name, text string }

func (p *printer) record(o *Object, depth int) string {
	if depth > p.view.Depth {
		return o.schema.Name + "{ … }"
	}
	var parts []part
	for i := range o.vals {
		if v := o.Field(i); v != lua.LNil {
			parts = append(parts, part{p.key(o.schema.fields[i].name), p.value(v, depth+1)})
		}
	}
	return o.schema.Name + p.layout(parts, depth)
}

func (p *printer) table(t *lua.LTable, depth int) string {
	if p.open[t] {
		return "{ … the table itself }"
	}
	key, _ := t.Next(lua.LNil)
	switch {
	case key == lua.LNil && t.Metatable == lua.LValue(p.g.arrayMeta):
		if p.view.Code {
			return "json.array{}"
		}
		return "[]"
	case key == lua.LNil:
		switch name := p.meta(t); {
		case name == "":
			return "{}"
		case name[0] != '{':
			return "<" + name + ">"
		}
	}
	if depth > p.view.Depth {
		return "{ … }"
	}
	p.open[t] = true
	defer delete(p.open, t)
	n := 0 // not Len, which counts the gaps that the engine fills
	for t.RawGetInt(n+1) != lua.LNil {
		n++
	}
	var parts []part
	for i := 1; i <= min(n, p.view.Items); i++ {
		parts = append(parts, part{"", p.value(t.RawGetInt(i), depth+1)})
	}
	more := max(0, n-p.view.Items)
	keys, left := p.keys(t, n, p.view.Items-len(parts))
	more += left
	for _, k := range keys {
		name := "[" + p.value(k, depth+1) + "]"
		if s, ok := k.(lua.LString); ok {
			name = p.key(string(s))
		}
		parts = append(parts, part{name, p.value(t.RawGet(k), depth+1)})
	}
	if more > 0 {
		parts = append(parts, part{"", fmt.Sprintf("… %d more", more) + p.view.More})
	}
	if text := p.meta(t); text != "" {
		parts = append(parts, part{"<metatable>", text})
	}
	return p.layout(parts, depth)
}

// meta names what the metatable of t has, if that is to be shown.
func (p *printer) meta(t *lua.LTable) string {
	mt, ok := t.Metatable.(*lua.LTable)
	if !ok || !p.view.Metas || mt == p.g.arrayMeta {
		return ""
	}
	if name, ok := mt.RawGetString("__metatable").(lua.LString); ok {
		return string(name)
	}
	var names []string
	keys, _ := p.keys(mt, 0, p.view.Items)
	for _, k := range keys {
		names = append(names, lua.LVAsString(k))
	}
	return "{ " + strings.Join(names, ", ") + " }"
}

// keys are the first keys, at most limit, that are not in the list part of n items, and how many more there are: numbers first, then texts,
// each in order, then the rest.
func (p *printer) keys(t *lua.LTable, n, limit int) (keys []lua.LValue, more int) {
	count := 0
	for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
		if i, ok := k.(lua.LNumber); ok && i >= 1 && i <= lua.LNumber(n) && lua.LNumber(int(i)) == i {
			continue
		}
		count++
		keys = append(keys, k)
		if limit < math.MaxInt/2 && len(keys) >= 2*max(limit, 1024) { // no more than that is ever sorted at once
			keys = firstKeys(keys, limit)
		}
	}
	keys = firstKeys(keys, limit)
	return keys, count - len(keys)
}

// firstKeys sorts keys and cuts them to limit.
func firstKeys(keys []lua.LValue, limit int) []lua.LValue {
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
	return keys[:min(len(keys), limit)]
}

// key writes a name as it stands in a table: bare, or in brackets.
func (p *printer) key(s string) string {
	switch s {
	case "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil", "not", "or", "repeat",
		"return", "then", "true", "until", "while":
	default:
		if isName(s) {
			return s
		}
	}
	return "[" + p.quote(s) + "]"
}

// layout writes the parts in one line if they fit, otherwise one below the other with the = aligned.
func (p *printer) layout(parts []part, depth int) string {
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
	if !multi && size <= p.view.Width-2*depth {
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
		b.WriteString(e.text)
		if e.name != "" || !strings.HasPrefix(e.text, "…") {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	return b.String() + indent + "}"
}
