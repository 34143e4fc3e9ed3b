package record

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// IsText tells whether messages of a codec are texts as they are, which need not be written as JSON.
func IsText(c Codec) bool {
	_, ok := c.(*textCodec)
	return ok
}

// FromText makes the bytes of a message of what a person wrote: the text itself for string and bytes, JSON for everything else, where null is
// the tombstone. strict: a record may have declared fields only. The error is a *fault.Error with code validation; its Place has the line and the columns
// in text that it is about, as far as they are known.
func (g *Registry) FromText(L *lua.LState, c Codec, text string, strict bool) ([]byte, error) {
	if IsText(c) {
		return []byte(text), nil
	}
	raw := []byte(text)
	start := skipSpace(raw, 0)
	end, kind, p := skipValue(raw, start, 0)
	if p == nil {
		if end = skipSpace(raw, end); end < len(raw) {
			p = unexpected(raw, end, "the end")
		}
	}
	switch {
	case p != nil:
		return nil, p.written(raw, "not JSON: "+strings.TrimPrefix(p.text(), "broken JSON "))
	case kind == jNull:
		return nil, nil
	}
	if s, ok := CodecSchema(c); ok {
		_, p := s.scan(raw, start, make([]slot, len(s.fields)), 0)
		if p == nil && strict {
			_, p = s.declared(raw, start)
		}
		if p != nil {
			return nil, s.unfit(raw, p)
		}
		return compact(raw), nil
	}
	v, err := g.ParseJSON(L, raw)
	if err != nil {
		return nil, err
	}
	if _, ok := c.(jsonCodec); ok {
		return compact(raw), nil
	}
	return c.Encode(L, nil, v)
}

// compact takes the white space out of checked JSON.
func compact(raw []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(raw))
	if err := json.Compact(&out, raw); err != nil {
		return raw
	}
	return out.Bytes()
}

// ToJSON gives what the bytes of a message hold as one line of JSON; nil for bytes that are no text. null for nil. The error is that of decoding.
func (g *Registry) ToJSON(L *lua.LState, c Codec, raw []byte) ([]byte, error) {
	v, err := c.Decode(L, raw)
	switch {
	case err != nil:
		return nil, err
	case raw == nil:
		return []byte("null"), nil
	}
	if s, ok := v.(lua.LString); ok && !utf8.ValidString(string(s)) {
		return nil, nil
	}
	_, isRecord := CodecSchema(c)
	if _, isJSON := c.(jsonCodec); isJSON || isRecord {
		return compact(raw), nil
	}
	return g.JSON(L, v, 0)
}

// Excerpt shows bytes to a reader: at most 200, control characters escaped.
func Excerpt(raw []byte) string { return excerpt(raw) }

// AppendString appends valid UTF-8 as a JSON string.
func AppendString(buf []byte, s string) []byte { return appendString(buf, s) }

// declared finds a member of the checked object at b[i], or of one inside it, that is no field of its record type.
func (s *Schema) declared(b []byte, i int) (int, *problem) {
	i, closed, p := opening(b, i, '}', 0)
	for !closed && p == nil {
		var name []byte
		var kind jsonKind
		if name, kind, i, p = scanKey(b, i); p != nil {
			break
		}
		text := string(plain(name, kind))
		f := s.Index(text)
		if f < 0 {
			p = s.unknownField(lua.LString(text))
			p.stray = text
			return i, p
		}
		if i, p = s.fields[f].typ.declared(b, i); p != nil {
			return i, p.in(text)
		}
		i, closed, p = element(b, i, '}')
	}
	return i, p
}

// declared is that of Schema for a value of any type.
func (t *typ) declared(b []byte, i int) (int, *problem) {
	closer := byte(']')
	switch {
	case i < len(b) && b[i] == '{' && t.kind == kRecord:
		return t.rec.declared(b, i)
	case i < len(b) && b[i] == '{' && t.kind == kMap:
		closer = '}'
	case i < len(b) && b[i] == '[' && t.kind == kList:
	default:
		end, _, p := skipValue(b, i, 0)
		return end, p
	}
	i, closed, p := opening(b, i, closer, 0)
	for n := 1; !closed && p == nil; n++ {
		var name []byte
		if closer == '}' {
			if name, _, i, p = scanKey(b, i); p != nil {
				break
			}
		}
		if i, p = t.elem.declared(b, i); p != nil {
			if closer == '}' {
				return i, p.key(string(name))
			}
			return i, p.item(n)
		}
		i, closed, p = element(b, i, closer)
	}
	return i, p
}

// unfit is the error for a text that is no record.
func (s *Schema) unfit(raw []byte, p *problem) error {
	e := p.written(raw, "not "+fault.Article(s.Name)+": "+p.sentence())
	e.Notes = []fault.Note{{Label: "expected", Text: s.Declaration()}}
	if near := fault.Suggest(p.lost, s.strangers(raw)); p.lost != "" && near != "" {
		e.Hints = []string{"it has '" + fault.Cut(near, 60) + "'"}
	}
	return e
}

// written is a problem of a text that a person wrote, with its place in there.
func (p *problem) written(raw []byte, message string) *fault.Error {
	e := &fault.Error{Code: fault.Validation, Message: message}
	if p.tip != "" {
		e.Hints = []string{p.tip}
	}
	from, to := p.at, p.at+1
	if from < 0 {
		path := p.path
		if p.stray != "" {
			path = strings.TrimPrefix(path+"."+p.stray, ".")
		}
		if p.lost != "" {
			return e
		}
		from, to = find(raw, skipSpace(raw, 0), path, p.stray)
	}
	if from < 0 {
		return e
	}
	line := bytes.LastIndexByte(raw[:min(from, len(raw))], '\n') + 1
	e.Place = fault.Place{Line: bytes.Count(raw[:line], []byte("\n")) + 1, Column: from - line + 1, EndColumn: to - line + 1}
	if next := bytes.IndexByte(raw[min(from, len(raw)):], '\n'); next >= 0 && from+next < to {
		e.Place.EndColumn = from + next - line + 1
	}
	return e
}

// find gives where in the checked JSON value at b[i] the value at path is, or with name its last member's name; -1: it is not there.
func find(b []byte, i int, path, name string) (from, to int) {
	end, kind, p := skipValue(b, i, 0)
	switch {
	case p != nil:
		return -1, -1
	case path == "":
		return i, end
	case kind == jObject:
		return findMember(b, i, path, name)
	case kind == jArray:
		return findItem(b, i, path, name)
	}
	return -1, -1
}

func findMember(b []byte, i int, path, name string) (from, to int) {
	i, closed, p := opening(b, i, '}', 0)
	for !closed && p == nil {
		at := i
		var token []byte
		var kind jsonKind
		if token, kind, i, p = scanKey(b, i); p != nil {
			break
		}
		text := string(plain(token, kind))
		rest, ok := strings.CutPrefix(path, text)
		if !ok || rest != "" && rest[0] != '.' && rest[0] != '[' {
			rest, ok = strings.CutPrefix(path, "["+strconv.Quote(fault.Cut(text, 40))+"]")
		}
		if ok && rest == "" && name != "" {
			return at, at + len(token) + 2
		}
		if ok {
			if from, to = find(b, i, strings.TrimPrefix(rest, "."), name); from >= 0 {
				return from, to
			}
		}
		if i, _, p = skipValue(b, i, 0); p == nil {
			i, closed, p = element(b, i, '}')
		}
	}
	return -1, -1
}

func findItem(b []byte, i int, path, name string) (from, to int) {
	i, closed, p := opening(b, i, ']', 0)
	for n := 1; !closed && p == nil; n++ {
		if rest, ok := strings.CutPrefix(path, "["+strconv.Itoa(n)+"]"); ok {
			return find(b, i, strings.TrimPrefix(rest, "."), name)
		}
		if i, _, p = skipValue(b, i, 0); p == nil {
			i, closed, p = element(b, i, ']')
		}
	}
	return -1, -1
}
