package luabind

import (
	"context"
	"encoding/base64"
	"strconv"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/runtime/table"
)

// Kept is a table that a person names to look into.
type Kept struct {
	Definition *table.Definition

	table *tableObject
}

// Kept finds a declared table. The error is a *fault.Error with code usage.
func (s *Script) Kept(name string) (*Kept, error) {
	t, ok := s.b.tables.find(name)
	if !ok {
		e := usage("the app has no table '%s'", fault.Cut(name, 100))
		e.Hints = []string{fault.DidYouMean(name, s.b.tables.names())}
		return nil, e
	}
	return &Kept{t.def, t}, nil
}

// KeptKey makes the bytes of a key that a person wrote: the text itself or, if keys are no texts, JSON. The error is a *fault.Error; the file of its Place is KEY.
func (s *Script) KeptKey(ctx context.Context, k *Kept, text string) (key []byte, err error) {
	err = s.VM.Run(ctx, "looking into "+k.Definition.Name, false, func(L *lua.LState) error {
		key, err = s.b.reg.FromText(L, k.table.key, text, true)
		if err == nil && key == nil {
			err = usage("null is no key")
		}
		return placed(err, "KEY")
	})
	return key, err
}

// KeptPrefix makes the bytes that keys begin with. The error is a *fault.Error with code usage: the bytes of keys do not begin as they are written.
func (s *Script) KeptPrefix(k *Kept, text string) ([]byte, error) {
	if !k.table.rawKeys && text != "" {
		return nil, usage("the keys of table '%s' are of type %s: only texts have a beginning that can be looked for", k.Definition.Name, k.Definition.Key)
	}
	return []byte(text), nil
}

// KeptValue writes a value for a person, perhaps over several lines, or as one line of JSON. What cannot be decoded is shown as it is. The error is the end of ctx.
func (s *Script) KeptValue(ctx context.Context, k *Kept, value []byte, asJSON bool) (out string, err error) {
	err = s.VM.Run(ctx, "looking into "+k.Definition.Name, false, func(L *lua.LState) error {
		if asJSON {
			out = string(s.b.keptJSON(L, k.table.val, value))
			return nil
		}
		v, bad := k.table.val.Decode(L, value)
		if bad != nil {
			out = "undecodable (" + reason(bad) + "): " + record.Excerpt(value)
		} else {
			out = s.b.reg.Inspect(v)
		}
		return nil
	})
	return out, err
}

// KeptPair writes a key and its value, or a member of it, on one line, for a person, or as JSON: {"partition":0,"key":...,"value":...}, with "member" in its place, and the
// window as from and to if the table has windows. The error is the end of ctx.
func (s *Script) KeptPair(ctx context.Context, k *Kept, partition int32, key, value []byte, asJSON bool) (out string, err error) {
	err = s.VM.Run(ctx, "looking into "+k.Definition.Name, false, func(L *lua.LState) error {
		span := ""
		if start, plain, ok := table.SplitRow(string(key)); k.table.windows != nil && ok {
			key, span = []byte(plain), k.table.spanOf(start, asJSON)
		}
		if asJSON {
			name := "value"
			if k.Definition.Sets {
				name = "member"
			}
			out = `{"partition":` + strconv.Itoa(int(partition)) + span + `,"key":` + string(s.b.keptJSON(L, k.table.key, key)) +
				`,"` + name + `":` + string(s.b.keptJSON(L, k.table.val, value)) + "}"
			return nil
		}
		out = s.b.keptText(L, k.table.key, key) + "  " + span + s.b.keptText(L, k.table.val, value)
		return nil
	})
	return out, err
}

// keptJSON writes bytes as JSON; what is no text, or cannot be decoded, as {"base64": ...}.
func (b *binding) keptJSON(L *lua.LState, c record.Codec, raw []byte) []byte {
	if text, err := b.reg.ToJSON(L, c, raw); text != nil && err == nil {
		return text
	}
	return append(base64.StdEncoding.AppendEncode([]byte(`{"base64":"`), raw), `"}`...)
}

func (b *binding) keptText(L *lua.LState, c record.Codec, raw []byte) string {
	v, err := c.Decode(L, raw)
	if err != nil {
		return "undecodable (" + reason(err) + "): " + record.Excerpt(raw)
	}
	return b.reg.InspectLine(v)
}
