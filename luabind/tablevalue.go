package luabind

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/runtime/table"
)

// forms says which values of a table are kept as they are and written when they are sent; the others are written when they are assigned.
type forms struct{ numbers, whole, texts, raw, truths bool }

// formsOf gives those of a codec.
func formsOf(c record.Codec) forms {
	switch c.Name() {
	case "json":
		return forms{numbers: true, texts: true, truths: true}
	case "float":
		return forms{numbers: true}
	case "int":
		return forms{numbers: true, whole: true}
	case "bool":
		return forms{truths: true}
	case "string", "bytes", "raw":
		return forms{texts: true, raw: true}
	}
	return forms{}
}

// number is a table.Value: a Lua number of json, float or int.
type number float64

func (n number) Append(to []byte) []byte { return record.AppendNumber(to, float64(n)) }
func (number) Size() int                 { return 8 }

// jsonText is a table.Value: a string of json.
type jsonText string

func (s jsonText) Append(to []byte) []byte { return record.AppendString(to, string(s)) }
func (s jsonText) Size() int               { return len(s) + 16 }

// plain is a table.Value: a string that is written as it is.
type plain string

func (s plain) Append(to []byte) []byte { return append(to, s...) }
func (s plain) Size() int               { return len(s) + 16 }

// truth is a table.Value: a boolean of json or bool.
type truth bool

func (b truth) Append(to []byte) []byte { return strconv.AppendBool(to, bool(b)) }
func (truth) Size() int                 { return 1 }

// takes tells whether a number is kept as it is.
func (f *forms) takes(n float64) bool {
	return f.numbers && !math.IsNaN(n) && !math.IsInf(n, 0) && (!f.whole || n == math.Trunc(n) && math.Abs(n) <= arg.MaxWhole)
}

// as gives v as a value that needs no writing yet; nil: it has no such form.
func (f *forms) as(v lua.LValue) table.Value {
	switch v := v.(type) {
	case lua.LNumber:
		if n := float64(v); f.takes(n) {
			return number(n)
		}
	case lua.LString:
		switch {
		case f.raw:
			return plain(strings.Clone(string(v))) // it may be a part of something large
		case f.texts && utf8.ValidString(string(v)):
			return jsonText(strings.Clone(string(v)))
		}
	case lua.LBool:
		if f.truths {
			return truth(v)
		}
	}
	return nil
}

// encode makes what the table keeps of v, or says why it cannot.
func (t *tableObject) encode(L *lua.LState, key string, v lua.LValue) (table.Value, error) {
	if form := t.forms.as(v); form != nil {
		return form, t.fits(key, t.sizeOf(key, form))
	}
	b, err := t.written(L, key, v)
	if err != nil {
		return nil, err
	}
	return &table.Stored{Bytes: b}, nil
}

// maxEscaped is how many bytes of JSON one of a text may take: \u0001.
const maxEscaped = 6

// sizeOf is how many bytes a value takes when it is written: exactly if it may be too many, else about.
func (t *tableObject) sizeOf(key string, form table.Value) int {
	n := form.Size()
	if _, escaped := form.(jsonText); escaped && len(key)+maxEscaped*n > t.limit {
		b := form.Append(t.b.scratch[:0])
		t.b.scratch, n = b[:0], len(b)
	}
	return n
}

// written gives the bytes of v.
func (t *tableObject) written(L *lua.LState, key string, v lua.LValue) ([]byte, error) {
	if t.b.reg.IsNull(v) {
		return nil, t.wrong(fault.Validation, "t[key] = nil  deletes the key", "null cannot be the value of %s in %s", t.shown(L, key), t.def.Name)
	}
	b, err := t.val.Encode(L, t.b.scratch[:0], v)
	if err != nil {
		return nil, noted(err, "table", "value of "+t.shown(L, key)+" in "+t.def.Name)
	}
	t.b.scratch = b[:0]
	return append(make([]byte, 0, len(b)), b...), t.fits(key, len(b))
}

// fits refuses what the changelog would.
func (t *tableObject) fits(key string, size int) error {
	n := len(key) + size
	if t.limit <= 0 || n <= t.limit {
		return nil
	}
	return t.wrong(fault.TooLarge, "keep it under several keys, or raise it with  app.configure { max_message_bytes = '4MiB' }",
		"value of %s in %s has %d bytes with its key, more than max_message_bytes (%d) leaves room for", t.shown(nil, key), t.def.Name, n, t.limit+changelogOverhead)
}

// decode makes the Lua value of what a shard has under a key. What was read from disk is kept in its own form from now on, if it has one.
func (t *tableObject) decode(L *lua.LState, s *table.Shard, key string, v table.Value) (lua.LValue, error) {
	return t.decodeKey(L, s, key, t.plainKey(key), v)
}

// decodeKey is decode where the table's key is known.
func (t *tableObject) decodeKey(L *lua.LState, s *table.Shard, row, key string, v table.Value) (lua.LValue, error) {
	switch v := v.(type) {
	case number:
		return t.b.reg.Number(float64(v)), nil
	case jsonText:
		return lua.LString(v), nil
	case plain:
		return lua.LString(v), nil
	case truth:
		return lua.LBool(v), nil
	}
	stored, _ := v.(*table.Stored)
	x, err := t.val.Decode(L, stored.Bytes)
	if err != nil {
		return nil, noted(err, "table", "value of "+t.shown(L, key)+" in "+t.def.Name)
	}
	if form := t.forms.as(x); form != nil && s != nil {
		s.Replace(row, v, form)
	}
	return x, nil
}

// shown writes a key for a person.
func (t *tableObject) shown(L *lua.LState, key string) string {
	k, err := t.key.Decode(L, []byte(key))
	switch s, text := k.(lua.LString); {
	case err != nil:
		return shown([]byte(key), true)
	case text:
		return "'" + fault.Cut(string(s), 60) + "'"
	}
	return fault.Cut(t.b.reg.InspectLine(k), 60)
}

// wrong is an error about the table.
func (*tableObject) wrong(code fault.Code, hint, format string, values ...any) *fault.Error {
	e := &fault.Error{Code: code, Message: fmt.Sprintf(format, values...)}
	if hint != "" {
		e.Hints = []string{hint}
	}
	return e
}

// noted adds a note to an error of a package below.
func noted(err error, label, text string) error {
	if e, ok := err.(*fault.Error); ok { //nolint:errorlint // only an error of its own is completed
		e.Notes = append(e.Notes, fault.Note{Label: label, Text: text})
	}
	return err
}

// missing is what keys have that are not there: nothing, a value, a copy of what the bytes are, or what a function makes.
type missing struct {
	value lua.LValue // nil, or a value that cannot be changed
	bytes []byte     // of a value that is copied for each key; nil: it is none
	fn    *lua.LFunction
}

// defaults reads default=. What is a table, or anything else that is kept as bytes, is made anew for each key.
func (t *tableObject) defaults(o arg.Options) {
	v := o.Value("default")
	t.otherwise.value = lua.LNil
	switch v := v.(type) {
	case *lua.LNilType:
		return
	case *lua.LFunction:
		t.otherwise.fn, t.def.Default = v, "function"
		return
	}
	t.def.Default = t.b.reg.InspectLine(v)
	if t.forms.as(v) != nil {
		t.otherwise.value = v
		return
	}
	if t.b.reg.IsNull(v) {
		o.Wrong("default", v, "a value; without one it is nil")
	}
	L := o.Args().L
	var err error
	if t.otherwise.bytes, err = t.val.Encode(L, nil, v); err != nil {
		o.Raise("default", noted(err, "table", "default of "+t.def.Name))
	}
}

// make gives what a key has that is not there, with its bytes if it is a value that can be changed in place.
func (t *tableObject) make(L *lua.LState, key string) (v lua.LValue, bytes []byte, err error) {
	m := &t.otherwise
	bytes = m.bytes
	if m.fn != nil {
		L.Push(m.fn)
		L.Call(0, 1)
		v = L.Get(-1)
		L.Pop(1)
		if v == lua.LNil || t.forms.as(v) != nil {
			return v, nil, nil
		}
		if bytes, err = t.written(L, key, v); err != nil {
			return nil, nil, err
		}
	}
	if bytes == nil {
		return m.value, nil, nil
	}
	v, err = t.val.Decode(L, bytes)
	return v, bytes, err
}
