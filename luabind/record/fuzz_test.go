package record

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"
)

// seeds are texts that have been, or could be, trouble for a decoder.
var seeds = []string{
	message, `{}`, `[]`, `null`, `""`, `0`, `-0`, `-0.0`, `1e3`, `1E+2`, `1.5e-7`, `01`, `1.`, `.5`, `-`, `+1`, `1e`, `1e400`, `9007199254740993`, `-9223372036854775808`,
	`9223372036854775808`, `123456789012345678901234567890`, `0.1`, `123456789.123456789`, `4.35`, `5e-324`, `1.7976931348623157e308`,
	`"\u00e9\ud83d\ude00\ud800x"`, `"\ud800\u0041"`, `"\x"`, `"\u12"`, "\"a\tb\"", "\"\xff\"", `"long enough to be read eight bytes at a time \"and\\ more é"`, `{"a":null,"b":[null,{}],"c":[]}`,
	`{"a":1,"a":2}`, `{"a" : [1 , 2 ] , "b" : { } }`, `{"a":1,}`, `[1,]`, `{"a"}`, `{a:1}`, `[1 2]`, `{"user":"u","amount":1,"user":null}`, ` {"x":true,"y":false} `, `nul`, `truee`,
	`{"user":"a\u0062c","country":"x","amount":-1.5e2,"extra":{"deep":[1,{"x":"}"}]}}`, `[[[[[[[[]]]]]]]]`, `{"us\u0065r":"u","country":"c","amount":2}`,
}

// plainGo gives a Lua value in the form of encoding/json with UseNumber, numbers as big.Float texts so that digits count.
func (b *bench) plainGo(v lua.LValue) any {
	switch x := v.(type) {
	case lua.LString:
		return string(x)
	case lua.LBool:
		return bool(x)
	case lua.LNumber:
		return float64(x)
	case *lua.LUserData:
		switch x := x.Value.(type) {
		case null:
			return nil
		case Int64:
			return x.String()
		case *Decimal:
			return x.String()
		}
	case *lua.LTable:
		if x.Metatable == lua.LValue(b.arrayMeta) {
			list := []any{}
			for i := 1; i <= x.Len(); i++ {
				list = append(list, b.plainGo(x.RawGetInt(i)))
			}
			return list
		}
		object := map[string]any{}
		for k, v := x.Next(lua.LNil); k != lua.LNil; k, v = x.Next(k) {
			object[k.String()] = b.plainGo(v)
		}
		return object
	}
	b.t.Fatalf("unexpected %T", v)
	return nil
}

// expectGo turns what encoding/json read into what plainGo should give; ok is false for numbers that no double holds.
func expectGo(v any, inObject bool) (out any, ok bool) {
	switch x := v.(type) {
	case json.Number:
		if !strings.ContainsAny(string(x), ".eE") {
			n, _ := new(big.Int).SetString(string(x), 10)
			if new(big.Int).Abs(n).Cmp(big.NewInt(maxSafe)) > 0 {
				return n.String(), len(x) <= decimalDigits
			}
		}
		f, err := x.Float64()
		return f, err == nil && !math.IsInf(f, 0)
	case []any:
		list := []any{}
		for _, e := range x {
			e, ok := expectGo(e, false)
			if !ok {
				return nil, false
			}
			list = append(list, e)
		}
		return list, true
	case map[string]any:
		object := map[string]any{}
		for k, e := range x {
			e, ok := expectGo(e, true)
			if !ok {
				return nil, false
			}
			if e != nil {
				object[k] = e
			}
		}
		return object, true
	}
	return v, true
}

func depthOf(raw []byte) int {
	depth, deepest := 0, 0
	for _, c := range raw {
		if c == '[' || c == '{' {
			depth++
			deepest = max(deepest, depth)
		}
		if c == ']' || c == '}' {
			depth--
		}
	}
	return deepest
}

// FuzzJSON compares the untyped codec with encoding/json, in both directions.
func FuzzJSON(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if depthOf(raw) > maxDepth {
			t.Skip("deeper than we read")
		}
		b := newBench(t)
		v, err := b.ParseJSON(b.L, raw)
		var std any
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		valid := json.Valid(raw) && utf8.Valid(raw)
		var want any
		if valid {
			if e := dec.Decode(&std); e != nil {
				t.Fatal(e)
			}
			want, valid = expectGo(std, false)
		}
		if (err == nil) != valid {
			t.Fatalf("%q: encoding/json says valid=%v, we %v", raw, valid, err)
		}
		if len(b.stack) != 0 {
			t.Fatalf("%d values left on the stack", len(b.stack))
		}
		if err != nil {
			return
		}
		if got := b.plainGo(v); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %#v, want %#v", raw, got, want)
		}
		text, err := b.JSON(b.L, v, 0)
		if err != nil {
			t.Fatal(err)
		}
		again, err := b.ParseJSON(b.L, text)
		if err != nil || !b.equal(v, again, 0) {
			t.Fatalf("%q was written as %q, which is not the same (%v)", raw, text, err)
		}
	})
}

// FuzzRecord compares the compiled decoder with encoding/json: the same messages are refused, the same fields read, and unknown members
// survive a change.
func FuzzRecord(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Add([]byte(`{"user":"x","country":"y","amount":1,"n":3,"tags":["a","b"],"when":"2026-02-29T00:00:00Z"}`))
	f.Add([]byte(`{"user":"x","country":"y","amount":1,"any":{"a":[1e999]},"user":"z"}`))
	f.Add([]byte(`{"user":"x","country":"y","amount":1,"any":[12345678901234567890,1e30,"1e999"],"user":"z"}`))
	f.Add([]byte(`{"user":"x","country":"y","amount":1,"n":2.0,"tags":[],"any":[1,null],"more":12}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if depthOf(raw) > maxDepth-4 {
			t.Skip("deeper than we read")
		}
		b := newBench(t)
		s := b.declare(`return record('R', { user='string', country='string', amount='float', n='int?', tags='[string]?', any='any?' })`)
		o := s.NewObject()
		err := o.Reset(raw)
		std, valid := stdRecord(raw)
		if (err == nil) != valid {
			t.Fatalf("%q: expected valid=%v, got %v", raw, valid, err)
		}
		if err != nil {
			return
		}
		for _, name := range []string{"user", "country"} {
			if got := o.Field(s.Index(name)).String(); got != std[name] {
				t.Fatalf("%q: %s is %q, want %q", raw, name, got, std[name])
			}
		}
		amount, _ := std["amount"].(json.Number).Float64()
		if got := float64(o.Field(s.Index("amount")).(lua.LNumber)); math.Float64bits(got) != math.Float64bits(amount) {
			t.Fatalf("%q: amount is %v, want %v", raw, got, amount)
		}
		if v := o.Field(s.Index("any")); v == lua.LNil != (std["any"] == nil) {
			t.Fatalf("%q: any is %v, want %v", raw, v, std["any"])
		} else if want, _ := expectGo(std["any"], false); want != nil && !reflect.DeepEqual(b.plainGo(v), want) {
			t.Fatalf("%q: any is %v, want %v", raw, v, want)
		}
		if out, err := o.Append(nil); err != nil || !bytes.Equal(out, raw) {
			t.Fatalf("%q unchanged was written as %q (%v)", raw, out, err)
		}
		if err := o.Assign(s.Index("user"), lua.LString("changed")); err != nil {
			t.Fatal(err)
		}
		out, err := o.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		var after map[string]any
		dec := json.NewDecoder(bytes.NewReader(out))
		dec.UseNumber()
		if err := dec.Decode(&after); err != nil {
			t.Fatalf("%q changed was written as %q: %v", raw, out, err)
		}
		std["user"] = "changed"
		if !reflect.DeepEqual(after, std) {
			t.Fatalf("%q changed was written as %q", raw, out)
		}
	})
}

// stdRecord is the model of FuzzRecord's type on encoding/json.
func stdRecord(raw []byte) (map[string]any, bool) {
	var std map[string]any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if !json.Valid(raw) || !utf8.Valid(raw) || dec.Decode(&std) != nil || std == nil {
		return nil, false
	}
	_, user := std["user"].(string)
	_, country := std["country"].(string)
	amount, isNumber := std["amount"].(json.Number)
	if !user || !country || !isNumber {
		return nil, false
	}
	if _, err := amount.Float64(); err != nil {
		return nil, false
	}
	if n := std["n"]; n != nil {
		digits, ok := n.(json.Number)
		if !ok || len(digits) >= maxPlain {
			return nil, false
		}
		r, ok := new(big.Rat).SetString(string(digits))
		if !ok || !r.IsInt() || !r.Num().IsInt64() {
			return nil, false
		}
	}
	if _, ok := expectGo(std["any"], false); !ok {
		return nil, false
	}
	if tags := std["tags"]; tags != nil {
		list, ok := tags.([]any)
		if !ok {
			return nil, false
		}
		for _, e := range list {
			if _, ok := e.(string); !ok {
				return nil, false
			}
		}
	}
	return std, true
}

// allTypes has a field of each type.
const allTypes = `inner = record('Inner', { n='int', s='string?' })
	return record('All', { s='string?', i='int?', f='float?', b='bool?', y='bytes?', t='datetime?', u={ type='datetime?', format='unix' }, m={ type='datetime?', format='unix_ms' }, d='date?',
		id='uuid?', e='decimal?', l='int64?', a='any?', r='Inner?', rs='[Inner]?', ns='[float?]?', es='{int:decimal}?', os='{string:any}?', last={ type='int', default=1, min=0, max=9 } })`

// FuzzFields takes whatever is a message of a record with a field of each type apart and makes a record of the values again: what is
// written of it has the same values. What is no message is explained, as a text of a person too, without a panic.
func FuzzFields(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(`{"a":` + s + `}`))
	}
	for _, s := range []string{
		`{"s":"x\u0000\ud800","i":-9007199254740993,"f":-0.0,"b":true,"y":"AA==","t":"2016-12-31T23:59:60.5+01:00","u":-1.5,"m":1e3,"d":"2024-02-29","last":9}`,
		`{"id":"F81d4fae-7dec-11d0-a765-00a0c91e6bf6","e":"-0.10","l":1e3,"r":{"n":1,"x":2},"rs":[{"n":1},{"n":2,"s":"\n"}],"ns":[1,null,1e-9],"es":{"-1":1.50,"+1":"2e5"},"os":{"":null}}`,
		`{"t":"0000-01-01T00:00:00+00:01"}`, `{"t":"9999-12-31t23:59:59,999z"}`, `{"u":253402300799.999999999}`, `{"m":-62167219200000.000001}`, `{"e":"1e999"}`, `{"e":1e-1000}`, `{"es":{"01":1,"1":2}}`,
		`{"a":[{},[],{"x":null}],"os":{"k":[1,null]}}`, `{"r":{"n":1},"r":null}`, `{"rs":[{"n":1,"n":2}]}`, `{"y":"AA\r\n=="}`, `{"last":10}`, `{"i":9223372036854775808}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b := newBench(t)
		s := b.declare(allTypes)
		o := s.NewObject()
		_, _ = b.FromText(b.L, recordCodec{s}, string(raw), true)
		if err := o.Reset(raw); err != nil {
			s.Explain(raw)
			return
		}
		made := b.L.NewTable()
		for i, name := range s.Names() {
			made.RawSetString(name, o.Field(i))
		}
		v, err := s.Make(made)
		if err != nil {
			t.Fatalf("%q: its values make no record: %s", raw, text(err))
		}
		again, _ := ObjectOf(v)
		out, err := again.Append(nil)
		if err != nil {
			t.Fatalf("%q: it cannot be written: %s", raw, text(err))
		}
		if err := again.Reset(out); err != nil {
			t.Fatalf("%q was written as %q: %s", raw, out, text(err))
		}
		if !b.equal(o.Self(), again.Self(), 0) {
			t.Fatalf("%q was written as %q, which is %s and not %s", raw, out, b.Inspect(again.Self()), b.Inspect(o.Self()))
		}
	})
}
