package record

import (
	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// typedCodec is JSON of one value of a plain type that a field may have: int, float, bool.
type typedCodec struct {
	g    *Registry
	typ  *typ
	stat internStat
}

func (g *Registry) registerTyped() {
	for _, kind := range []kind{kInt, kFloat, kBool} {
		g.Register(&typedCodec{g: g, typ: &typ{kind: kind}})
	}
}

func (c *typedCodec) Name() string { return c.typ.String() }

func (c *typedCodec) Decode(_ *lua.LState, b []byte) (lua.LValue, error) {
	if b == nil {
		return c.g.null, nil
	}
	start := skipSpace(b, 0)
	end, kind, p := c.g.scanTyped(c.typ, b, start, 0, false)
	if p == nil {
		if rest := skipSpace(b, end); rest < len(b) {
			p = unexpected(b, rest, "the end")
		}
	}
	if p != nil {
		return nil, &fault.Error{Code: fault.Decode, Message: "not " + fault.Article(c.Name()) + ": " + p.sentence(),
			Notes: []fault.Note{{Label: "value", Text: excerpt(b)}}}
	}
	return c.g.convert(c.typ, b, slot{off: uint32(start), end: uint32(end), kind: kind}, &c.stat), nil
}

func (c *typedCodec) Encode(_ *lua.LState, buf []byte, v lua.LValue) ([]byte, error) {
	if none, err := c.g.tombstone(v); none || err != nil {
		return nil, err
	}
	start := len(buf)
	buf, p := c.g.appendTyped(buf, c.typ, v, 0)
	if p != nil {
		return buf[:start], invalid(p.tip, "not %s: %s", fault.Article(c.Name()), p.sentence())
	}
	return buf, nil
}

// Number boxes a number; of small whole ones there is one each.
func (g *Registry) Number(f float64) lua.LValue { return g.numbers.get(lua.LNumber(f)) }

// AppendNumber appends a finite number as JSON, as all codecs write it.
func AppendNumber(buf []byte, f float64) []byte { return appendFloat(buf, f) }
