package record

import (
	"strings"

	"faust/luabind/fault"

	"github.com/cockroachdb/apd/v3"
	lua "github.com/yuin/gopher-lua"
)

// kind is what a field holds.
type kind uint8

const (
	kAny kind = iota
	kString
	kInt
	kFloat
	kBool
	kBytes
	kDatetime
	kDate
	kUUID
	kDecimal
	kInt64
	kRecord
	kList
	kMap
)

// typeNames are the names of the plain types, in the order in which they are listed to people.
var typeNames = [...]struct {
	name string
	kind kind
}{
	{"string", kString}, {"int", kInt}, {"float", kFloat}, {"bool", kBool}, {"bytes", kBytes}, {"datetime", kDatetime}, {"date", kDate},
	{"uuid", kUUID}, {"decimal", kDecimal}, {"int64", kInt64}, {"any", kAny},
}

// timeFormat is how a datetime is written in JSON.
type timeFormat uint8

const (
	formatRFC3339 timeFormat = iota
	formatUnix
	formatUnixMilli
	formatUnixMicro
	formatUnixNano
)

var formatNames = [...]string{formatRFC3339: "rfc3339", formatUnix: "unix", formatUnixMilli: "unix_ms", formatUnixMicro: "unix_us",
	formatUnixNano: "unix_ns"}

// typ is the compiled type of a field, of a list's items or of a map's keys and values.
type typ struct {
	kind     kind
	optional bool
	format   timeFormat
	elem     *typ // of list items and map values
	key      *typ // of map keys
	rec      *Schema
	limits   *limits // nil: none
	choices  []lua.LValue
}

// limits are min= and max= of a number; nil: none.
type limits struct {
	min, max       *float64
	minDec, maxDec *apd.Decimal // the same, for decimals
}

// String writes the type as it is declared.
func (t *typ) String() string {
	var s string
	switch t.kind {
	case kRecord:
		s = t.rec.Name
	case kList:
		s = "[" + t.elem.String() + "]"
	case kMap:
		s = "{" + t.key.String() + ":" + t.elem.String() + "}"
	default:
		for _, n := range typeNames {
			if n.kind == t.kind {
				s = n.name
			}
		}
	}
	if t.optional {
		s += "?"
	}
	return s
}

// typeParser reads a type text.
type typeParser struct {
	g     *Registry
	self  *Schema // the record that is being declared
	text  string
	pos   int
	where string // field 'amount' of Withdrawal
}

// parseType reads a type text such as '[{string:Order?}]'.
func (g *Registry) parseType(text, where string, self *Schema) (*typ, error) {
	p := &typeParser{g: g, self: self, text: text, where: where}
	t, err := p.typ()
	if err != nil {
		return nil, err
	}
	if p.space(); p.pos < len(p.text) {
		return nil, p.fail("there is '%s' after it", p.text[p.pos:])
	}
	return t, nil
}

func (p *typeParser) fail(format string, args ...any) error {
	hint := "types are string int float bool bytes datetime date uuid decimal int64 any, a record, '[T]', '{K:T}' and 'T?'"
	return usage(hint, "unreadable type '%s' of %s: "+format, append([]any{p.text, p.where}, args...)...)
}

func (p *typeParser) space() {
	for p.pos < len(p.text) && (p.text[p.pos] == ' ' || p.text[p.pos] == '\t') {
		p.pos++
	}
}

func (p *typeParser) take(c byte) bool {
	p.space()
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

func (p *typeParser) typ() (*typ, error) {
	t, err := p.base()
	if err != nil {
		return nil, err
	}
	if p.take('?') {
		t.optional = true
	}
	return t, nil
}

func (p *typeParser) base() (*typ, error) {
	switch {
	case p.take('['):
		elem, err := p.typ()
		if err != nil {
			return nil, err
		}
		if !p.take(']') {
			return nil, p.fail("']' is missing")
		}
		return &typ{kind: kList, elem: elem}, nil
	case p.take('{'):
		return p.dict()
	}
	p.space()
	start := p.pos
	for p.pos < len(p.text) && !strings.ContainsRune("[]{}:? \t", rune(p.text[p.pos])) {
		p.pos++
	}
	return p.named(p.text[start:p.pos])
}

func (p *typeParser) dict() (*typ, error) {
	key, err := p.typ()
	if err != nil {
		return nil, err
	}
	if key.optional || (key.kind != kString && key.kind != kInt && key.kind != kUUID) {
		return nil, p.fail("the keys of a map are string, int or uuid")
	}
	if !p.take(':') {
		return nil, p.fail("':' is missing")
	}
	elem, err := p.typ()
	if err != nil {
		return nil, err
	}
	if !p.take('}') {
		return nil, p.fail("'}' is missing")
	}
	return &typ{kind: kMap, key: key, elem: elem}, nil
}

func (p *typeParser) named(name string) (*typ, error) {
	if name == "" {
		return nil, p.fail("a type's name is missing")
	}
	known := make([]string, 0, len(typeNames)+len(p.g.schemas)+1)
	for _, n := range typeNames {
		if n.name == name {
			return &typ{kind: n.kind}, nil
		}
		known = append(known, n.name)
	}
	if name == p.self.Name {
		return &typ{kind: kRecord, rec: p.self}, nil
	}
	if s, ok := p.g.schemas[name]; ok {
		return &typ{kind: kRecord, rec: s}, nil
	}
	known = append(known, p.g.recordNames()...)
	return nil, usage(fault.DidYouMean(name, known), "unknown type '%s' of %s", name, p.where)
}
