package record

import (
	"math"
	"strconv"
	"unicode/utf8"

	"faust/luabind/fault"

	"github.com/cockroachdb/apd/v3"
	lua "github.com/yuin/gopher-lua"
)

// coerce checks a value of a script against a type and gives what a field of that type holds: lists and maps are copied, tables become records,
// texts become dates, times and decimals.
func (g *Registry) coerce(t *typ, v lua.LValue, depth int) (lua.LValue, *problem) {
	if depth > maxDepth {
		return nil, tooDeep()
	}
	if t.optional && (v == lua.LNil || g.IsNull(v)) {
		return g.null, nil
	}
	switch t.kind {
	case kString, kBytes, kUUID:
		return v, t.acceptText(v)
	case kFloat:
		n, p := t.acceptFloat(v)
		return n, p
	case kInt, kInt64:
		n, p := t.acceptInt(v)
		if p == nil && (t.kind == kInt64 || !safe(n)) {
			return g.NewInt64(n), nil
		}
		return lua.LNumber(n), p
	case kBool:
		if v.Type() != lua.LTBool {
			return nil, t.mismatch(v)
		}
		return v, nil
	case kAny:
		return v, g.checkPlain(v, depth+1)
	case kList:
		return g.coerceList(t, v, depth)
	case kMap:
		return g.coerceMap(t, v, depth)
	case kRecord:
		return g.coerceRecord(t.rec, v, depth)
	}
	return g.coerceData(t, v)
}

func (t *typ) mismatch(v lua.LValue) *problem {
	return wrong("is %s, expected %s", fault.Describe(v), t.String())
}

func (t *typ) acceptText(v lua.LValue) *problem {
	s, ok := v.(lua.LString)
	switch {
	case !ok:
		return t.mismatch(v)
	case t.kind == kUUID && !isUUID([]byte(s)):
		return wrong("is %s, expected %s", fault.Describe(v), t.expected())
	case t.kind == kString && !utf8.ValidString(string(s)):
		return notUTF8(string(s))
	}
	if t.choices == nil {
		return nil
	}
	return t.checkChoice(func() lua.LValue { return v })
}

func notUTF8(s string) *problem {
	return wrong("is %s, which is not valid UTF-8", strconv.Quote(fault.Cut(s, 40))).hint("declare a field with arbitrary bytes as 'bytes'")
}

func (t *typ) acceptFloat(v lua.LValue) (lua.LNumber, *problem) {
	n, ok := v.(lua.LNumber)
	switch {
	case !ok:
		return 0, t.mismatch(v)
	case math.IsNaN(float64(n)) || math.IsInf(float64(n), 0):
		return 0, wrong("is %s, which JSON cannot hold", fault.Number(float64(n)))
	}
	if p := t.checkLimits(float64(n)); p != nil {
		return 0, p
	}
	if t.choices == nil {
		return n, nil
	}
	return n, t.checkChoice(func() lua.LValue { return v })
}

func (t *typ) acceptInt(v lua.LValue) (int64, *problem) {
	n, ok := int64Of(v)
	if !ok {
		p := t.mismatch(v)
		if f, isNumber := v.(lua.LNumber); isNumber && math.Abs(float64(f)) > maxSafe {
			p.hint("beyond 2^53 a Lua number is not exact; give the digits as text:  int64.new '9007199254740993'")
		}
		return 0, p
	}
	return n, t.checkWhole(n)
}

// int64Of gives the integer that a number or an int64 is.
func int64Of(v lua.LValue) (int64, bool) {
	switch v := v.(type) {
	case lua.LNumber:
		return whole(float64(v))
	case *lua.LUserData:
		n, ok := v.Value.(Int64)
		return int64(n), ok
	}
	return 0, false
}

// coerceData checks a decimal, datetime or date; their texts are accepted as well.
func (g *Registry) coerceData(t *typ, v lua.LValue) (lua.LValue, *problem) {
	switch t.kind {
	case kDecimal:
		d, p := t.acceptDecimal(v)
		if p != nil {
			return nil, p
		}
		return g.newDecimal(d, false), nil
	case kDatetime:
		d, p := t.acceptTime(v)
		if p != nil {
			return nil, p
		}
		return g.NewDatetime(d.Time), nil
	}
	d, p := t.acceptDate(v)
	if p != nil {
		return nil, p
	}
	return g.NewDate(d), nil
}

func (t *typ) acceptDecimal(v lua.LValue) (*apd.Decimal, *problem) {
	d, ok := decimalOf(v)
	if !ok {
		p := wrong("is %s, expected a decimal", fault.Describe(v))
		if v.Type() == lua.LTNumber {
			p.hint(inDigits)
		}
		return nil, p
	}
	return d, t.checkDecimalLimits(d)
}

func (t *typ) acceptTime(v lua.LValue) (Datetime, *problem) {
	switch v := v.(type) {
	case *lua.LUserData:
		if d, ok := v.Value.(Datetime); ok {
			return d, nil
		}
	case lua.LString:
		if d, ok := timeOf([]byte(v)); ok {
			return d, nil
		}
	}
	return Datetime{}, wrong("is %s, expected %s", fault.Describe(v), t.String()).hint("time.now() gives one, time.parse '2026-11-23T18:00:00Z' as well")
}

func (t *typ) acceptDate(v lua.LValue) (Date, *problem) {
	switch v := v.(type) {
	case *lua.LUserData:
		if d, ok := v.Value.(Date); ok {
			return d, nil
		}
	case lua.LString:
		if d, ok := parseDate([]byte(v)); ok {
			return d, nil
		}
	}
	return Date{}, wrong("is %s, expected %s", fault.Describe(v), t.expected())
}

// listLen checks that a table is a list without gaps and gives its length.
func listLen(t *lua.LTable) (int, *problem) {
	n, count, far := t.Len(), 0, false
	for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
		i, ok := k.(lua.LNumber)
		switch {
		case !ok:
			return 0, wrong("is a table with the key %s, expected a list", fault.Quote(k))
		case float64(i) != math.Trunc(float64(i)) || i < 1:
			return 0, wrong("is a table with the key %s, expected a list", fault.Number(float64(i)))
		}
		count++
		far = far || float64(i) > float64(n) // beyond what the engine keeps as a list
	}
	if count != n || far {
		return 0, wrong("is a list with gaps").hint("a list has values for 1, 2, 3 ...; put null where one is missing")
	}
	return n, nil
}

func (g *Registry) coerceList(t *typ, v lua.LValue, depth int) (lua.LValue, *problem) {
	from, ok := v.(*lua.LTable)
	if !ok {
		return nil, t.mismatch(v)
	}
	n, p := listLen(from)
	if p != nil {
		return nil, p
	}
	to := newTable(n, 0)
	for i := 1; i <= n; i++ {
		item, p := g.coerce(t.elem, from.RawGetInt(i), depth+1)
		if p != nil {
			return nil, p.item(i)
		}
		to.Append(item)
	}
	return g.Array(to), nil
}

func (g *Registry) coerceMap(t *typ, v lua.LValue, depth int) (lua.LValue, *problem) {
	from, ok := v.(*lua.LTable)
	if !ok {
		return nil, t.mismatch(v)
	}
	to := newTable(0, 0)
	for k, v := from.Next(lua.LNil); k != lua.LNil; k, v = from.Next(k) {
		if p := t.key.acceptKey(k); p != nil {
			return nil, p
		}
		item, p := g.coerce(t.elem, v, depth+1)
		if p != nil {
			return nil, p.key(lua.LVAsString(k))
		}
		to.RawSet(k, item)
	}
	return to, nil
}

// acceptKey checks the key of a map.
func (t *typ) acceptKey(k lua.LValue) *problem {
	var p *problem
	if t.kind == kInt {
		_, p = t.acceptInt(k)
	} else {
		p = t.acceptText(k)
	}
	if p != nil {
		return wrong("has the key %s, expected %s", fault.Describe(k), t.String())
	}
	return nil
}

// coerceRecord takes a record as it is and makes one of a table.
func (g *Registry) coerceRecord(s *Schema, v lua.LValue, depth int) (lua.LValue, *problem) {
	if o, ok := ObjectOf(v); ok && o.schema == s {
		return v, nil
	}
	if v.Type() != lua.LTTable {
		return nil, wrong("is %s, expected %s", fault.Describe(v), fault.Article(s.Name))
	}
	if depth > maxDepth {
		return nil, tooDeep()
	}
	o, p := s.construct(v, depth+1)
	if p != nil {
		if p.path == "" {
			p.what = "is no " + s.Name + ": " + p.what
		}
		return nil, p
	}
	return o.Self(), nil
}
