package record

import (
	"encoding/base64"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// convert makes the Lua value of a checked JSON value.
func (g *Registry) convert(t *typ, b []byte, s slot, stat *internStat) lua.LValue {
	switch s.kind {
	case jAbsent:
		return lua.LNil
	case jNull:
		if t.kind == kAny && !t.optional {
			return g.null
		}
		return lua.LNil
	}
	text := b[s.off:s.end]
	switch t.kind {
	case kString:
		return g.text(text, s.kind, stat)
	case kFloat:
		f, _ := parseFloat(text)
		return g.numbers.get(lua.LNumber(f))
	case kBool:
		return lua.LBool(s.kind == jTrue)
	case kInt, kInt64:
		n, _ := parseInt(text, s.kind)
		if t.kind == kInt && safe(n) {
			return g.numbers.get(lua.LNumber(n))
		}
		return g.NewInt64(n)
	case kList:
		return g.convertList(t, text, stat)
	case kMap:
		return g.convertMap(t, text, stat)
	case kRecord:
		return g.convertRecord(t.rec, text)
	case kAny:
		return g.untyped(text, s.kind)
	}
	return g.convertText(t, plain(text, s.kind), s.kind)
}

// text makes a string, cached if it is short and the field's values repeat.
func (g *Registry) text(b []byte, kind jsonKind, stat *internStat) lua.LValue {
	if kind == jEscaped {
		b = unescape(nil, b)
	}
	return g.strings.get(b, stat)
}

// convertText makes the values that are text in JSON and something else in Lua. A datetime may be a number, too.
func (g *Registry) convertText(t *typ, text []byte, kind jsonKind) lua.LValue {
	switch t.kind {
	case kBytes:
		data := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
		n, _ := base64.StdEncoding.Decode(data, text)
		return lua.LString(data[:n])
	case kDatetime:
		if kind.number() {
			at, _ := unixTime(text, t.format)
			return g.NewDatetime(at)
		}
		sec, nsec, _ := parseTime(text)
		return g.NewDatetime(time.Unix(sec, int64(nsec)))
	case kDate:
		d, _ := parseDate(text)
		return g.NewDate(d)
	case kDecimal:
		d, _ := parseDecimal(string(text))
		return g.newDecimal(d, false)
	}
	return lua.LString(text)
}

// token gives the checked value at b[i] as a slot, and the place after it.
func token(b []byte, i int) (slot, int) {
	end, kind, _ := skipValue(b, i, 0)
	s := slot{off: uint32(i), end: uint32(end), kind: kind}
	if kind == jString || kind == jEscaped {
		s.off++
		s.end--
	}
	return s, end
}

func (g *Registry) convertList(t *typ, b []byte, stat *internStat) lua.LValue {
	mark := len(g.stack)
	i, closed, _ := opening(b, 0, ']', 0)
	for !closed {
		s, end := token(b, i)
		v := g.convert(t.elem, b, s, stat)
		if v == lua.LNil {
			v = g.null
		}
		g.stack = append(g.stack, v)
		i, closed, _ = element(b, end, ']')
	}
	return g.popList(mark, nil)
}

func (g *Registry) convertMap(t *typ, b []byte, stat *internStat) lua.LValue {
	mark := len(g.stack)
	i, closed, _ := opening(b, 0, '}', 0)
	for !closed {
		name, kind, at, _ := scanKey(b, i)
		k, _ := mapKey(t.key, plain(name, kind))
		s, end := token(b, at)
		g.stack = append(g.stack, k, g.convert(t.elem, b, s, stat)) // nil takes an earlier one of the same name away
		i, closed, _ = element(b, end, '}')
	}
	return g.popObject(mark)
}

// convertRecord makes a record of its own bytes, so that it may be kept.
func (g *Registry) convertRecord(s *Schema, b []byte) lua.LValue {
	o := s.NewObject()
	o.raw = append(make([]byte, 0, len(b)), b...)
	_, _ = s.scan(o.raw, 0, o.slots, 0) // was checked as part of the record around it
	return o.Self()
}

// popList makes a list of the values above mark. A map that is not nil counts as the list's table.
func (g *Registry) popList(mark int, into *lua.LTable) lua.LValue {
	if into == nil {
		into = newTable(len(g.stack)-mark, 0)
	}
	for _, v := range g.stack[mark:] {
		into.Append(v)
	}
	g.drop(mark)
	return g.Array(into)
}

// popObject makes a table of the keys and values above mark.
func (g *Registry) popObject(mark int) lua.LValue {
	t := newTable(0, (len(g.stack)-mark)/2)
	for i := mark; i < len(g.stack); i += 2 {
		if k, ok := g.stack[i].(lua.LString); ok {
			t.RawSetString(string(k), g.stack[i+1])
		} else {
			t.RawSet(g.stack[i], g.stack[i+1])
		}
	}
	g.drop(mark)
	return t
}

// drop forgets the values above mark, so that they are not kept alive.
func (g *Registry) drop(mark int) {
	clear(g.stack[mark:])
	g.stack = g.stack[:mark]
}

// newTable makes a table of the right size: a table that has to grow costs several times as much.
func newTable(list, fields int) *lua.LTable {
	return (*lua.LState)(nil).CreateTable(list, fields) // needs no state
}

// copyValue copies what could be changed in place: tables and records. Everything else is given back as it is.
func (g *Registry) copyValue(v lua.LValue) lua.LValue { return (&copier{}).value(v) }

// copier copies a value that may contain itself.
type copier struct{ seen map[lua.LValue]lua.LValue }

func (c *copier) value(v lua.LValue) lua.LValue {
	switch x := v.(type) {
	case *lua.LTable:
		if done, ok := c.seen[v]; ok {
			return done
		}
		to := newTable(x.Len(), 0)
		to.Metatable = x.Metatable
		c.remember(v, to)
		for k, v := x.Next(lua.LNil); k != lua.LNil; k, v = x.Next(k) {
			to.RawSet(k, c.value(v))
		}
		return to
	case *lua.LUserData:
		if o, ok := x.Value.(*Object); ok {
			return c.record(o)
		}
	}
	return v
}

func (c *copier) remember(v, copied lua.LValue) {
	if c.seen == nil {
		c.seen = map[lua.LValue]lua.LValue{}
	}
	c.seen[v] = copied
}

// record copies a record: assigning to one leaves the other alone. Lists and maps that were read are copied, too.
func (c *copier) record(o *Object) lua.LValue {
	if done, ok := c.seen[o.Self()]; ok {
		return done
	}
	to := o.schema.NewObject()
	to.raw, to.dirty, to.opened = o.raw, o.dirty, o.opened
	to.Escape()
	copy(to.slots, o.slots)
	c.remember(o.Self(), to.Self())
	for i, v := range o.vals {
		if v != nil {
			to.vals[i] = c.value(v)
		}
	}
	return to.Self()
}

// equal compares by value: records, lists and maps deeply, int64, decimal, datetime and date by what they are.
func (g *Registry) equal(a, b lua.LValue, depth int) bool {
	if a == b {
		return true
	}
	if a.Type() != b.Type() || depth > maxDepth {
		return false
	}
	switch x := a.(type) {
	case *lua.LTable:
		return g.equalTables(x, b.(*lua.LTable), depth)
	case *lua.LUserData:
		return g.equalData(x.Value, b.(*lua.LUserData).Value, depth)
	}
	return false
}

func (g *Registry) equalTables(a, b *lua.LTable, depth int) bool {
	n := 0
	for k, v := a.Next(lua.LNil); k != lua.LNil; k, v = a.Next(k) {
		if !g.equal(v, b.RawGet(k), depth+1) {
			return false
		}
		n++
	}
	for k, _ := b.Next(lua.LNil); k != lua.LNil; k, _ = b.Next(k) {
		n--
	}
	return n == 0
}

func (g *Registry) equalData(a, b any, depth int) bool {
	switch x := a.(type) {
	case *Object:
		y, ok := b.(*Object)
		if !ok || x.schema != y.schema {
			return false
		}
		for i := range x.vals {
			if !g.equal(x.Field(i), y.Field(i), depth+1) {
				return false
			}
		}
		return true
	case Int64:
		return a == b
	case Date:
		return a == b
	case *Decimal:
		y, ok := b.(*Decimal)
		return ok && x.Cmp(&y.Decimal) == 0
	case Datetime:
		y, ok := b.(Datetime)
		return ok && x.Time.Equal(y.Time)
	}
	return false
}
