package record

import (
	"encoding/binary"
	"maps"
	"slices"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// Codec turns Lua values into bytes and back: json, string, int, float, bool, bytes (raw), int64, or a record type. Used with the baton held.
type Codec interface {
	// Name is what scripts and lists call it: json, string, float, Withdrawal.
	Name() string
	// Decode makes a Lua value of b, which it copies: the value may be kept as long as one likes. nil b (tombstone, no key) gives null.
	// Errors are *fault.Error with code decode. (Schema.NewObject and Object.Reset decode without copying.)
	Decode(L *lua.LState, b []byte) (lua.LValue, error)
	// Encode appends the bytes of v. null gives (nil, nil): a tombstone. Errors are *fault.Error with code validation.
	Encode(L *lua.LState, buf []byte, v lua.LValue) ([]byte, error)
}

// Register makes a codec known by its name. A second one of that name replaces the first.
func (g *Registry) Register(c Codec) { g.codecs[c.Name()] = c }

func (g *Registry) registerCodecs() {
	g.Register(jsonCodec{g})
	g.Register(&textCodec{g: g, name: "string"})
	g.Register(&textCodec{g: g, name: "bytes"})
	g.Register(&textCodec{g: g, name: "raw"})
	g.Register(int64Codec{g})
	g.registerTyped()
}

// Codec finds a codec for what a script gave as key= or value=: a name, or a record type. Absent (nil) gives fallback's codec. The error is a
// *fault.Error with code usage and a suggestion.
func (g *Registry) Codec(v lua.LValue, fallback string) (Codec, error) {
	if v == nil || v == lua.LNil {
		v = lua.LString(fallback)
	}
	if s, ok := SchemaOf(v); ok {
		return recordCodec{s}, nil
	}
	name, ok := v.(lua.LString)
	if !ok {
		return nil, usage("give a name such as 'json', or a record type", "%s is no codec", fault.Describe(v))
	}
	if c, ok := g.codecs[string(name)]; ok {
		return c, nil
	}
	if s, ok := g.schemas[string(name)]; ok {
		return recordCodec{s}, nil
	}
	known := append(slices.Sorted(maps.Keys(g.codecs)), g.recordNames()...)
	return nil, usage(fault.DidYouMean(string(name), known), "unknown codec '%s'", string(name))
}

// tombstone tells whether v stands for no bytes at all; nil is refused.
func (g *Registry) tombstone(v lua.LValue) (bool, error) {
	if v == nil || v == lua.LNil {
		return false, invalid("null is the value of a message without one (a tombstone)", "nil cannot be sent")
	}
	return g.IsNull(v), nil
}

// jsonCodec is untyped JSON.
type jsonCodec struct{ g *Registry }

func (jsonCodec) Name() string { return "json" }

func (c jsonCodec) Decode(L *lua.LState, b []byte) (lua.LValue, error) {
	if b == nil {
		return c.g.null, nil
	}
	return c.g.ParseJSON(L, b)
}

func (c jsonCodec) Encode(_ *lua.LState, buf []byte, v lua.LValue) ([]byte, error) {
	if none, err := c.g.tombstone(v); none || err != nil {
		return nil, err
	}
	return c.g.appendText(buf, v, 0)
}

// textCodec passes strings on as they are: string, and bytes or raw for what is no text.
type textCodec struct {
	g    *Registry
	name string
	stat internStat
}

func (c *textCodec) Name() string { return c.name }

func (c *textCodec) Decode(_ *lua.LState, b []byte) (lua.LValue, error) {
	if b == nil {
		return c.g.null, nil
	}
	return c.g.strings.get(b, &c.stat), nil
}

func (c *textCodec) Encode(_ *lua.LState, buf []byte, v lua.LValue) ([]byte, error) {
	if none, err := c.g.tombstone(v); none || err != nil {
		return nil, err
	}
	s, ok := v.(lua.LString)
	if !ok {
		return buf, invalid("make a text of it with tostring(...), or declare another codec", "%s is no %s", fault.Describe(v), c.name)
	}
	if buf == nil {
		buf = []byte{} // an empty text is no tombstone
	}
	return append(buf, s...), nil
}

// int64Codec is eight bytes, most significant first, as Java's LongSerializer writes them.
type int64Codec struct{ g *Registry }

func (int64Codec) Name() string { return "int64" }

func (c int64Codec) Decode(_ *lua.LState, b []byte) (lua.LValue, error) {
	if b == nil {
		return c.g.null, nil
	}
	if len(b) != 8 {
		return nil, &fault.Error{Code: fault.Decode, Message: "not an int64: it has " + fault.Number(float64(len(b))) + " bytes, expected 8",
			Notes: []fault.Note{{Label: "value", Text: excerpt(b)}}}
	}
	if n := int64(binary.BigEndian.Uint64(b)); !safe(n) {
		return c.g.NewInt64(n), nil
	} else {
		return c.g.numbers.get(lua.LNumber(n)), nil
	}
}

func (c int64Codec) Encode(_ *lua.LState, buf []byte, v lua.LValue) ([]byte, error) {
	if none, err := c.g.tombstone(v); none || err != nil {
		return nil, err
	}
	n, ok := int64Of(v)
	if !ok {
		return buf, invalid("", "%s is no int64 (a whole number of at most 64 bits)", fault.Describe(v))
	}
	return binary.BigEndian.AppendUint64(buf, uint64(n)), nil
}

// recordCodec is JSON of a record type.
type recordCodec struct{ s *Schema }

func (c recordCodec) Name() string { return c.s.Name }

func (c recordCodec) Decode(_ *lua.LState, b []byte) (lua.LValue, error) {
	if b == nil {
		return c.s.reg.null, nil
	}
	o := c.s.NewObject()
	if err := o.Reset(b); err != nil {
		return nil, err
	}
	o.Escape()
	return o.Self(), nil
}

// Encode takes a record of the type, or a table that can be one.
func (c recordCodec) Encode(_ *lua.LState, buf []byte, v lua.LValue) ([]byte, error) {
	if none, err := c.s.reg.tombstone(v); none || err != nil {
		return nil, err
	}
	start := len(buf)
	o, made := ObjectOf(v)
	var p *problem
	switch {
	case made && o.schema == c.s:
	case v.Type() == lua.LTTable:
		o, p = c.s.construct(v, 0)
	default:
		p = wrong("it is %s, expected %s", fault.Describe(v), fault.Article(c.s.Name))
	}
	if p == nil {
		buf, p = o.appendJSON(buf, 0)
	}
	if p != nil {
		return buf[:start], p.validation(c.s)
	}
	return buf, nil
}

// CodecSchema gives the record type that a codec is of.
func CodecSchema(c Codec) (*Schema, bool) {
	r, ok := c.(recordCodec)
	return r.s, ok
}
