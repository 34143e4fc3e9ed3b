package record

import (
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// From says which values of a literal are fields of a record. The zero value: none.
type From struct {
	Record *Object
	Fields []int // for each value in a row the number of the field that it is, -1: of none
}

// field gives the number of the field that is the value at a place, -1: none is.
func (f *From) field(at int) int {
	if f.Record == nil {
		return -1
	}
	return f.Fields[at]
}

// Load puts the fields' values among the others.
func (f *From) Load(vals []lua.LValue) {
	for at := range vals {
		if n := f.field(at); n >= 0 {
			vals[at] = f.Record.Field(n)
		}
	}
}

// maxCopied is the longest text of a number that is copied: with fewer than 16 digits it is the shortest of its double.
const maxCopied = 15

// appendToken appends field n of o as field f of another record, name included, if that is the text it has in o: a string without escapes, or a
// number that would be written the same way. false: nothing was appended.
func (o *Object) appendToken(buf []byte, n int, f *field, first bool) ([]byte, bool) {
	from, slot := o.schema.fields[n].typ, &o.slots[n]
	if slot.set || from.kind != f.typ.kind || f.typ.choices != nil || f.typ.limits != nil {
		return buf, false
	}
	text := o.raw[slot.off:slot.end]
	switch {
	case slot.kind == jString && from.kind == kString:
		buf = append(append(comma(buf, &first), f.token...), '"')
		return append(append(buf, text...), '"'), true
	case slot.kind == jInteger && (from.kind == kFloat || from.kind == kInt), slot.kind == jNumber && from.kind == kFloat:
		if !shortest(text, slot.kind) {
			return buf, false
		}
		return append(append(comma(buf, &first), f.token...), text...), true
	}
	return buf, false
}

// shortest tells whether a number is written as appendFloat writes it; false if that takes more than a look.
func shortest(text []byte, kind jsonKind) bool {
	last := len(text) - 1
	switch {
	case last >= maxCopied:
		return false
	case kind == jInteger:
		return text[0] != '-' || text[1] != '0'
	}
	// at least 0.0001, so that it has no exponent, and no zeros at the end
	for i := max(last-4, 0); i < last; i++ {
		if text[i] == '.' {
			return text[last] != '0'
		}
	}
	return false
}

// Text gives field i as it lies in the message, if it is a string without escapes there that was not assigned: without a copy, so whoever keeps
// it keeps the message's bytes.
func (o *Object) Text(i int) (string, bool) {
	slot := &o.slots[i]
	if slot.kind != jString || slot.set || o.schema.fields[i].typ.kind != kString {
		return "", false
	}
	text := o.raw[slot.off:slot.end]
	return unsafe.String(unsafe.SliceData(text), len(text)), true
}

// Number gives field i, if it is in the message, was not assigned, and becomes a Lua number.
func (o *Object) Number(i int) (n float64, ok bool) {
	slot := &o.slots[i]
	if slot.set || !slot.kind.number() {
		return 0, false
	}
	switch text := o.raw[slot.off:slot.end]; o.schema.fields[i].typ.kind {
	case kFloat:
		return parseFloat(text)
	case kInt:
		whole, ok := parseInt(text, slot.kind)
		return float64(whole), ok && safe(whole)
	}
	return 0, false
}

// EncodeField appends field n of o as codec c encodes its value; nil: the field is absent, or c gives nothing for its value.
func (o *Object) EncodeField(L *lua.LState, buf []byte, n int, c Codec) ([]byte, error) {
	if slot := &o.slots[n]; slot.kind == jString && !slot.set && o.schema.fields[n].typ.kind == kString {
		if _, ok := c.(*textCodec); ok && buf != nil {
			return append(buf, o.raw[slot.off:slot.end]...), nil
		}
	}
	v := o.Field(n)
	if v == lua.LNil {
		return nil, nil
	}
	return c.Encode(L, buf, v)
}
