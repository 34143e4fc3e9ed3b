package record

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"
	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// sparse is the size that the list part of a table may reach by whole numbers as keys: the engine fills the places between them.
const sparse = 10_000

// maxPlain is the length from which a number without exponent may be too large for a double.
const maxPlain = 300

// slot is where a field's JSON value is in the raw bytes: a string without its quotes, everything else as it is.
type slot struct {
	off, end uint32
	kind     jsonKind
	set      bool // the script has assigned the field: raw does not count
}

// scan checks the object at b[i] against the record type, whole and deep, so that nothing can fail when a field is read later, and
// fills slots (one per field, zeroed).
func (s *Schema) scan(b []byte, i int, slots []slot, depth int) (int, *problem) {
	if i >= len(b) || b[i] != '{' {
		return 0, s.notObject(b, i, depth)
	}
	i, closed, p := opening(b, i, '}', depth)
	if p != nil {
		return 0, p
	}
	for next := 0; !closed; {
		field, end, p := s.run(b, i, next, slots, depth)
		if field == next && p == nil {
			field, end, p = s.scanMember(b, i, next, slots, depth)
		}
		if p != nil {
			return 0, p
		}
		next, i = field, end
		switch {
		case i < len(b) && b[i] == '}':
			i++
			closed = true
		case i+1 < len(b) && b[i] == ',' && b[i+1] == '"':
			i++
		default:
			if i, closed, p = element(b, i, '}'); p != nil {
				return 0, p
			}
		}
	}
	return i, s.complete(slots)
}

// scanMember checks the member whose name is at b[i] and gives the field that is expected after it and the place after its value.
func (s *Schema) scanMember(b []byte, i, next int, slots []slot, depth int) (after, end int, p *problem) {
	f, i, p := s.scanName(b, i)
	switch {
	case p != nil:
	case f < 0:
		i, _, p = skipValue(b, i, depth+1)
	default:
		i, p = s.scanField(b, i, f, &slots[f], depth)
		next = f + 1
	}
	return next, i, p
}

// complete checks that the required fields are there. A null that may not be one was refused before.
func (s *Schema) complete(slots []slot) *problem {
	for f := range slots {
		if slots[f].kind == jAbsent && s.fields[f].required {
			return &problem{path: s.fields[f].name, what: "is missing", lost: s.fields[f].name, want: s.fields[f].typ.String(), at: -1}
		}
	}
	return nil
}

func (s *Schema) notObject(b []byte, i, depth int) *problem {
	end, kind, p := skipValue(b, i, depth)
	if p != nil {
		return p
	}
	return wrong("is %s, expected an object", describeJSON(b, i, end, kind))
}

// scanName reads a member's name and gives the number of the field, or -1.
func (s *Schema) scanName(b []byte, i int) (f, next int, p *problem) {
	name, kind, next, p := scanKey(b, i)
	if p != nil {
		return 0, 0, p
	}
	if kind == jEscaped {
		name = unescape(nil, name)
	}
	if len(s.fields) > 8 {
		if f, ok := s.index[string(name)]; ok {
			return f, next, nil
		}
		return -1, next, nil
	}
	for f := range s.fields {
		if s.fields[f].name == string(name) {
			return f, next, nil
		}
	}
	return -1, next, nil
}

// scanField checks the value at b[i] as field f.
func (s *Schema) scanField(b []byte, i, f int, slot *slot, depth int) (int, *problem) {
	field := &s.fields[f]
	if i < len(b) {
		if end := field.quick.scan(b, i, slot); end >= 0 {
			return end, nil
		}
	}
	start := i
	var kind jsonKind
	var p *problem
	if i, kind, p = s.reg.scanTyped(field.typ, b, i, depth+1, field.def != nil); p != nil {
		return 0, p.in(field.name)
	}
	slot.off, slot.end, slot.kind = uint32(start), uint32(i), kind
	if kind == jString || kind == jEscaped {
		slot.off++
		slot.end--
	}
	return i, nil
}

// scanTyped checks the value at b[i] against a type and gives the place after it.
func (g *Registry) scanTyped(t *typ, b []byte, i, depth int, nullable bool) (end int, kind jsonKind, p *problem) {
	if i < len(b) {
		switch {
		case b[i] == '{' && t.kind == kRecord:
			end, p = g.scanRecord(t.rec, b, i, depth)
			return end, jObject, p
		case b[i] == '{' && t.kind == kMap:
			return g.scanMap(t, b, i, depth)
		case b[i] == '[' && t.kind == kList:
			return g.scanList(t, b, i, depth)
		}
	}
	if end, kind, p = skipValue(b, i, depth); p != nil {
		return 0, 0, p
	}
	if kind == jNull && (t.optional || nullable) {
		return end, kind, nil
	}
	return end, kind, t.check(b, i, end, kind)
}

// scanRecord checks a record inside a record; its slots are only needed for what is missing.
func (g *Registry) scanRecord(s *Schema, b []byte, i, depth int) (int, *problem) {
	mark := len(g.slots)
	for range s.fields {
		g.slots = append(g.slots, slot{})
	}
	end, p := s.scan(b, i, g.slots[mark:], depth)
	g.slots = g.slots[:mark]
	return end, p
}

func (g *Registry) scanList(t *typ, b []byte, i, depth int) (int, jsonKind, *problem) {
	i, closed, p := opening(b, i, ']', depth)
	for n := 1; !closed && p == nil; n++ {
		if i, _, p = g.scanTyped(t.elem, b, i, depth+1, false); p != nil {
			return 0, 0, p.item(n)
		}
		i, closed, p = element(b, i, ']')
	}
	return i, jArray, p
}

func (g *Registry) scanMap(t *typ, b []byte, i, depth int) (int, jsonKind, *problem) {
	i, closed, p := opening(b, i, '}', depth)
	count, top := 0, lua.LNumber(0)
	for !closed && p == nil {
		var name []byte
		var kind jsonKind
		if name, kind, i, p = scanKey(b, i); p != nil {
			break
		}
		name = plain(name, kind)
		k, ok := mapKey(t.key, name)
		if !ok {
			return 0, 0, wrong("has the key %s, expected %s", strconv.Quote(fault.Cut(string(name), 40)), t.key)
		}
		if n, ok := k.(lua.LNumber); ok && n < lua.LNumber(lua.MaxArrayIndex) {
			count, top = count+1, max(top, n)
		}
		if i, _, p = g.scanTyped(t.elem, b, i, depth+1, false); p != nil {
			return 0, 0, p.key(string(name))
		}
		i, closed, p = element(b, i, '}')
	}
	if p == nil && top > lua.LNumber(sparse+16*count) {
		p = wrong("has the key %v among %d; that is too sparse for a table", top, count).hint("declare the keys as string")
	}
	return i, jObject, p
}

// mapKey makes the key of a map from a member's name.
func mapKey(t *typ, name []byte) (lua.LValue, bool) {
	switch t.kind {
	case kInt:
		n, err := strconv.ParseInt(string(name), 10, 64)
		return lua.LNumber(n), err == nil && safe(n)
	case kUUID:
		return lua.LString(name), isUUID(name)
	}
	return lua.LString(name), true
}

// fits tells whether the type may be written as that kind of JSON value.
func (t *typ) fits(kind jsonKind) bool {
	text, number := kind == jString || kind == jEscaped, kind.number()
	switch t.kind {
	case kAny:
		return true
	case kString, kBytes, kDate, kUUID:
		return text
	case kDatetime:
		if t.format == formatRFC3339 {
			return text
		}
		return number
	case kInt, kFloat, kInt64:
		return number
	case kDecimal:
		return text || number
	case kBool:
		return kind == jTrue || kind == jFalse
	}
	return false
}

// check checks a value that is no list, map or record: its JSON type, and what the text must look like.
func (t *typ) check(b []byte, i, end int, kind jsonKind) *problem {
	if !t.fits(kind) {
		return wrong("is %s, expected %s", describeJSON(b, i, end, kind), t.expected())
	}
	text := b[i:end]
	if kind == jString || kind == jEscaped {
		text = b[i+1 : end-1]
		if kind == jEscaped && t.kind != kString && t.kind != kAny {
			text = unescape(nil, text)
		}
	}
	ok := true
	switch t.kind {
	case kString:
		return t.checkChoice(func() lua.LValue { return lua.LString(plain(text, kind)) })
	case kFloat:
		return t.checkFloat(text, kind)
	case kInt, kInt64:
		return t.checkInt(text, kind)
	case kDecimal:
		return t.checkDecimal(string(text))
	case kAny:
		return checkAny(b, i, end, kind)
	case kBytes:
		_, err := base64.StdEncoding.Decode(make([]byte, base64.StdEncoding.DecodedLen(len(text))), text)
		ok = err == nil
	case kDatetime:
		if t.format == formatRFC3339 {
			_, _, ok = parseTime(text)
		} else {
			_, ok = unixTime(text, t.format)
		}
	case kDate:
		_, ok = parseDate(text)
	case kUUID:
		ok = isUUID(text)
	}
	if !ok {
		return wrong("is %s, expected %s", describeJSON(b, i, end, kind), t.expected())
	}
	return nil
}

// plain gives the text of a string token.
func plain(b []byte, kind jsonKind) []byte {
	if kind == jEscaped {
		return unescape(nil, b)
	}
	return b
}

// checkAny checks the numbers of a value of any type: what is no double, and whole numbers with more digits than a decimal has, cannot be read.
func checkAny(b []byte, i, end int, kind jsonKind) *problem {
	switch {
	case kind.number():
		if what := unreadable(b[i:end], kind); what != "" {
			return wrong("is %s, %s", describeJSON(b, i, end, kind), what)
		}
	case kind == jObject || kind == jArray:
		for i < end {
			switch c := b[i]; {
			case c == '"':
				i, _, _ = scanString(b, i+1) // was checked
				i++
			case c == '-' || isDigit(b, i):
				next, kind, _ := scanNumber(b, i)
				if what := unreadable(b[i:next], kind); what != "" {
					return wrong("has %s, %s", describeJSON(b, i, next, kind), what)
				}
				i = next
			default:
				i++
			}
		}
	}
	return nil
}

func (t *typ) checkFloat(text []byte, kind jsonKind) *problem {
	if kind != jExponent && len(text) < maxPlain && t.limits == nil && t.choices == nil {
		return nil
	}
	f, ok := parseFloat(text)
	if !ok {
		return wrong("is %s, too large for a float", fault.Cut(string(text), 40))
	}
	if p := t.checkLimits(f); p != nil {
		return p
	}
	return t.checkChoice(func() lua.LValue { return lua.LNumber(f) })
}

func (t *typ) checkInt(text []byte, kind jsonKind) *problem {
	n, ok := parseInt(text, kind)
	if !ok {
		return wrong("is %s, expected %s", fault.Cut(string(text), 40), t.expected())
	}
	return t.checkWhole(n)
}

// checkWhole checks limits and choices of a whole number, whose digits count beyond 2^53 as well.
func (t *typ) checkWhole(n int64) *problem {
	switch {
	case t.limits == nil:
	case t.limits.min != nil && compareWhole(n, *t.limits.min) < 0:
		return outside(strconv.FormatInt(n, 10), "less than the min of", "at least", fault.Number(*t.limits.min))
	case t.limits.max != nil && compareWhole(n, *t.limits.max) > 0:
		return outside(strconv.FormatInt(n, 10), "more than the max of", "at most", fault.Number(*t.limits.max))
	}
	if t.choices == nil {
		return nil
	}
	return t.checkChoice(func() lua.LValue {
		if !safe(n) {
			return newUserData(Int64(n), nil)
		}
		return lua.LNumber(n)
	})
}

func (t *typ) checkDecimal(text string) *problem {
	d, ok := parseDecimal(text)
	if !ok {
		return wrong("is %s, expected a decimal such as \"0.10\"", strconv.Quote(fault.Cut(text, 40)))
	}
	return t.checkDecimalLimits(d)
}

func (t *typ) checkLimits(f float64) *problem {
	switch {
	case t.limits == nil:
	case t.limits.min != nil && f < *t.limits.min:
		return outside(fault.Number(f), "less than the min of", "at least", fault.Number(*t.limits.min))
	case t.limits.max != nil && f > *t.limits.max:
		return outside(fault.Number(f), "more than the max of", "at most", fault.Number(*t.limits.max))
	}
	return nil
}

func (t *typ) checkDecimalLimits(d *apd.Decimal) *problem {
	switch {
	case t.limits == nil:
	case t.limits.minDec != nil && d.Cmp(t.limits.minDec) < 0:
		return outside(d.Text('f'), "less than the min of", "at least", t.limits.minDec.Text('f'))
	case t.limits.maxDec != nil && d.Cmp(t.limits.maxDec) > 0:
		return outside(d.Text('f'), "more than the max of", "at most", t.limits.maxDec.Text('f'))
	}
	return nil
}

func (t *typ) checkChoice(value func() lua.LValue) *problem {
	if t.choices == nil {
		return nil
	}
	v := value()
	names := make([]string, len(t.choices))
	for i, c := range t.choices {
		n, whole := int64Of(c)
		if m, ok := int64Of(v); c == v || whole && ok && n == m {
			return nil
		}
		if names[i] = c.String(); whole {
			names[i] = strconv.FormatInt(n, 10)
		}
	}
	p := wrong("is %s, expected one of: %s", fault.Describe(v), strings.Join(names, ", "))
	if best := fault.Suggest(v.String(), names); best != "" && v.Type() == lua.LTString {
		p.hint("did you mean '" + best + "'?")
	}
	return p
}

// expected names the type as JSON and with what it must look like.
func (t *typ) expected() string {
	switch t.kind {
	case kInt:
		return "an int (a whole number of at most 64 bits)"
	case kInt64:
		return "an int64 (a whole number of at most 64 bits)"
	case kDatetime:
		if t.format == formatRFC3339 {
			return `a datetime such as "2026-11-23T18:00:00Z"`
		}
		return "a datetime as a number (" + formatNames[t.format] + ")"
	case kDate:
		return `a date such as "2026-11-23"`
	case kUUID:
		return `a uuid such as "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"`
	case kBytes:
		return "bytes as base64"
	}
	return t.String()
}

// describeJSON says what a JSON value is, shortly.
func describeJSON(b []byte, i, end int, kind jsonKind) string {
	switch kind {
	case jObject:
		return "an object"
	case jArray:
		return "a list"
	case jString, jEscaped:
		return "the string " + strconv.Quote(fault.Cut(string(plain(b[i+1:end-1], kind)), 40))
	case jInteger, jNumber, jExponent:
		return "the number " + fault.Cut(string(b[i:end]), 40)
	}
	return string(b[i:end])
}
