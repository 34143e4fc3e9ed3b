package record

import (
	"encoding/base64"
	"strconv"

	lua "github.com/yuin/gopher-lua"
)

// appendTyped checks a value against a type and appends it as JSON, in one go.
func (g *Registry) appendTyped(buf []byte, t *typ, v lua.LValue, depth int) ([]byte, *problem) {
	if t.optional && (v == lua.LNil || g.IsNull(v)) {
		return append(buf, "null"...), nil
	}
	switch t.kind {
	case kString, kUUID:
		if s, ok := v.(lua.LString); ok && t.kind == kString && t.choices == nil && isPlain(string(s)) {
			return append(append(append(buf, '"'), s...), '"'), nil
		}
		if p := t.acceptText(v); p != nil {
			return buf, p
		}
		return appendString(buf, string(v.(lua.LString))), nil
	case kFloat:
		n, p := t.acceptFloat(v)
		if p != nil {
			return buf, p
		}
		return appendFloat(buf, float64(n)), nil
	case kInt, kInt64:
		n, p := t.acceptInt(v)
		return strconv.AppendInt(buf, n, 10), p
	case kBool:
		if v.Type() != lua.LTBool {
			return buf, t.mismatch(v)
		}
		return strconv.AppendBool(buf, v == lua.LTrue), nil
	case kAny:
		return g.appendAny(buf, v, depth)
	case kList:
		return g.appendList(buf, t, v, depth)
	case kMap:
		return g.appendMap(buf, t, v, depth)
	case kRecord:
		return g.appendRecord(buf, t.rec, v, depth)
	}
	return g.appendData(buf, t, v)
}

// appendData appends what is text in JSON, and datetimes as numbers.
func (g *Registry) appendData(buf []byte, t *typ, v lua.LValue) ([]byte, *problem) {
	switch t.kind {
	case kBytes:
		if p := t.acceptText(v); p != nil {
			return buf, p
		}
		buf = append(buf, '"')
		buf = base64.StdEncoding.AppendEncode(buf, []byte(v.(lua.LString)))
		return append(buf, '"'), nil
	case kDecimal:
		d, p := t.acceptDecimal(v)
		if p != nil {
			return buf, p
		}
		return append(append(append(buf, '"'), d.Text('f')...), '"'), nil
	case kDatetime:
		d, p := t.acceptTime(v)
		if p != nil {
			return buf, p
		}
		return d.appendJSON(buf, t.format), nil
	}
	d, p := t.acceptDate(v)
	if p != nil {
		return buf, p
	}
	return append(append(append(buf, '"'), d.String()...), '"'), nil
}

func (g *Registry) appendList(buf []byte, t *typ, v lua.LValue, depth int) ([]byte, *problem) {
	list, ok := v.(*lua.LTable)
	if !ok {
		return buf, t.mismatch(v)
	}
	if depth >= maxDepth {
		return buf, tooDeep()
	}
	n, p := listLen(list)
	if p != nil {
		return buf, p
	}
	buf = append(buf, '[')
	for i := 1; i <= n; i++ {
		if i > 1 {
			buf = append(buf, ',')
		}
		if buf, p = g.appendTyped(buf, t.elem, list.RawGetInt(i), depth+1); p != nil {
			return buf, p.item(i)
		}
	}
	return append(buf, ']'), nil
}

func (g *Registry) appendMap(buf []byte, t *typ, v lua.LValue, depth int) ([]byte, *problem) {
	dict, ok := v.(*lua.LTable)
	if !ok {
		return buf, t.mismatch(v)
	}
	if depth >= maxDepth {
		return buf, tooDeep()
	}
	buf = append(buf, '{')
	first := true
	for k, v := dict.Next(lua.LNil); k != lua.LNil; k, v = dict.Next(k) {
		p := t.key.acceptKey(k)
		if p != nil {
			return buf, p
		}
		if !first {
			buf = append(buf, ',')
		}
		first = false
		buf = append(appendString(buf, mapKeyText(k)), ':')
		if buf, p = g.appendTyped(buf, t.elem, v, depth+1); p != nil {
			return buf, p.key(mapKeyText(k))
		}
	}
	return append(buf, '}'), nil
}

// mapKeyText writes a checked key of a map.
func mapKeyText(k lua.LValue) string {
	if n, ok := int64Of(k); ok {
		return strconv.FormatInt(n, 10)
	}
	return lua.LVAsString(k)
}

// appendRecord appends a record of that type, or a table that can be one.
func (g *Registry) appendRecord(buf []byte, s *Schema, v lua.LValue, depth int) ([]byte, *problem) {
	if depth >= maxDepth {
		return buf, tooDeep()
	}
	if o, ok := ObjectOf(v); ok && o.schema == s {
		return o.appendJSON(buf, depth)
	}
	made, p := g.coerceRecord(s, v, depth)
	if p != nil {
		return buf, p
	}
	o, _ := ObjectOf(made)
	return o.appendJSON(buf, depth)
}

// appendJSON appends the record: its original bytes if it was not changed; else the members in their old order with the changed values,
// members that the type does not know included, and new ones at the end.
func (o *Object) appendJSON(buf []byte, depth int) ([]byte, *problem) {
	if o.raw == nil {
		return o.appendFields(append(buf, '{'), nil, true, depth)
	}
	if depth > 0 && len(o.raw) > 2*(maxDepth-depth) { // as many brackets as would be too deep here
		if _, _, p := skipValue(o.raw, skipSpace(o.raw, 0), depth); p != nil {
			return buf, tooDeep()
		}
	}
	if !o.dirty && o.opened {
		for i := range o.vals {
			if o.changedInside(i) {
				o.slots[i].set, o.dirty = true, true
			}
		}
	}
	if !o.dirty {
		return append(buf, o.raw...), nil
	}
	return o.appendMerged(append(buf, '{'), depth)
}

// changedInside tells whether a list, map or record that was read has been changed in place: it is compared with what the raw bytes give.
func (o *Object) changedInside(i int) bool {
	f := &o.schema.fields[i]
	v := o.vals[i]
	if v == nil || o.slots[i].set || (f.typ.kind != kList && f.typ.kind != kMap && f.typ.kind != kRecord && f.typ.kind != kAny) {
		return false
	}
	g := o.schema.reg
	old := g.convert(f.typ, o.raw, o.slots[i], &f.stat)
	if old == lua.LNil && f.def != nil {
		old = f.def
	}
	return !g.equal(old, v, 0)
}

// appendMerged appends the members of the raw object with their values of now.
func (o *Object) appendMerged(buf []byte, depth int) ([]byte, *problem) {
	first := true
	done := make([]bool, len(o.slots))
	i, closed, p := opening(o.raw, skipSpace(o.raw, 0), '}', 0)
	for !closed && p == nil {
		start := i
		name, kind, at, _ := scanKey(o.raw, i)
		_, end := token(o.raw, at)
		f := o.schema.Index(string(plain(name, kind)))
		switch {
		case f < 0:
			buf = append(comma(buf, &first), o.raw[start:end]...)
		case o.slots[f].set && done[f]:
		case o.slots[f].set:
			done[f] = true
			if buf, p = o.appendField(buf, f, &first, depth); p != nil {
				return buf, p
			}
		case uint32(at) == o.slots[f].off || uint32(at)+1 == o.slots[f].off: // of several of one name the last counts
			buf = append(comma(buf, &first), o.raw[start:end]...)
		}
		i, closed, p = element(o.raw, end, '}')
	}
	return o.appendFields(buf, done, first, depth)
}

func comma(buf []byte, first *bool) []byte {
	if *first {
		*first = false
		return buf
	}
	return append(buf, ',')
}

// appendFields appends the fields that a script set and that are not done yet, in the order of declaration, and the closing brace.
func (o *Object) appendFields(buf []byte, done []bool, first bool, depth int) ([]byte, *problem) {
	var p *problem
	for f := range o.vals {
		if !o.slots[f].set || done != nil && done[f] {
			continue
		}
		if buf, p = o.appendField(buf, f, &first, depth); p != nil {
			return buf, p
		}
	}
	return append(buf, '}'), nil
}

// appendField appends a field that a script set, unless it is absent.
func (o *Object) appendField(buf []byte, i int, first *bool, depth int) ([]byte, *problem) {
	v := o.vals[i]
	if v == lua.LNil {
		return buf, nil
	}
	f := &o.schema.fields[i]
	buf, p := o.schema.reg.appendTyped(append(comma(buf, first), f.token...), f.typ, v, depth+1)
	if p != nil {
		return buf, p.in(f.name)
	}
	return buf, nil
}

// Append appends the record as JSON. The error is a *fault.Error with code validation: what was put into a list or map in place may be wrong.
func (o *Object) Append(buf []byte) ([]byte, error) {
	buf, p := o.appendJSON(buf, 0)
	if p != nil {
		return buf, p.validation(o.schema)
	}
	return buf, nil
}

// Shape is the names of a record literal, resolved once: position in the literal to field, and back.
type Shape struct {
	schema *Schema
	names  []string
	at     []int // per field: where its value is, -1: nowhere
	others []int // where the values of names are that the type has not
}

// Shape resolves the names of a literal. Names that the type has not are only reported when a record is made of it, as the constructor does.
func (s *Schema) Shape(names []string) *Shape {
	sh := &Shape{schema: s, names: names, at: make([]int, len(s.fields))}
	for i := range sh.at {
		sh.at[i] = -1
	}
	for i, name := range names {
		f := s.Index(name)
		if f < 0 {
			sh.others = append(sh.others, i)
			continue
		}
		sh.at[f] = i
	}
	return sh
}

// unknown gives the error for a name that the type has not. One whose value is nil is not there.
func (sh *Shape) unknown(vals []lua.LValue) error {
	for _, i := range sh.others {
		if vals[i] != lua.LNil {
			return sh.schema.unknownField(lua.LString(sh.names[i])).validation(sh.schema)
		}
	}
	return nil
}

// Schema is the type that the shape belongs to.
func (sh *Shape) Schema() *Schema { return sh.schema }

// AppendFields appends a record made of the values of a literal (in the order of the shape's names), checked as the constructor does and with
// the same errors, without making the record. Values that from has are taken from there; the rest of vals is given. An unchanged buf comes back
// with an error.
func (sh *Shape) AppendFields(buf []byte, vals []lua.LValue, from From) ([]byte, error) {
	if sh.others != nil {
		from.Load(vals)
	}
	if err := sh.unknown(vals); err != nil {
		return buf, err
	}
	start := len(buf)
	buf = append(buf, '{')
	first := true
	for i := range sh.schema.fields {
		f := &sh.schema.fields[i]
		v := lua.LNil
		if at := sh.at[i]; at >= 0 {
			if own := from.field(at); own >= 0 {
				if out, ok := from.Record.appendToken(buf, own, f, first); ok {
					buf, first = out, false
					continue
				}
				v = from.Record.Field(own)
			} else {
				v = vals[at]
			}
		}
		var p *problem
		if v == lua.LNil || v.Type() == lua.LTUserData {
			if v, p = sh.schema.field(i, v, 0); p != nil {
				return buf[:start], p.validation(sh.schema)
			}
			if v == lua.LNil {
				continue
			}
		}
		buf = append(comma(buf, &first), f.token...)
		if buf, p = sh.schema.reg.appendTyped(buf, f.typ, v, 1); p != nil {
			return buf[:start], p.in(f.name).validation(sh.schema)
		}
	}
	return append(buf, '}'), nil
}

// Make makes the record object of the values of a literal: what the constructor does with a table of them.
func (sh *Shape) Make(vals []lua.LValue) (lua.LValue, error) {
	if err := sh.unknown(vals); err != nil {
		return nil, err
	}
	s := sh.schema
	o := s.NewObject()
	o.dirty = true
	for i := range s.fields {
		var v lua.LValue
		if at := sh.at[i]; at >= 0 {
			v = vals[at]
		}
		var p *problem
		if o.vals[i], p = s.field(i, v, 0); p != nil {
			return nil, p.validation(s)
		}
		o.slots[i].set = true
	}
	return o.Self(), nil
}
