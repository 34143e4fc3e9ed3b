package record

import (
	"fmt"
	"math/rand"
	"strconv"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"faust/tests/seed"
)

// TestFrom: a literal whose values are fields of a record is written, and fails, as if the fields were read first, to the byte.
func TestFrom(t *testing.T) {
	rng := rand.New(rand.NewSource(int64(seed.Of(t))))
	b := newBench(t)
	in := b.declare(`return record('In', { s='string?', pick={ type='string?', choices={ 'x', 'y' } }, f='float?', n='int?', big='int64?', b='bool?', u='uuid?',
		d='datetime?', list='[int]?', any='any?', dec='decimal?' })`)
	out := b.declare(`return record('Out', { s='string?', pick={ type='string?', choices={ 'x', 'z' } }, f='float?', n='int?', b='bool?', low={ type='float?', max=5 },
		d='datetime?', any='any?', list='[int]?', u='uuid?', dec='decimal?', def={ type='string', default='none' } })`)
	key, err := b.Codec(lua.LString("string"), "json")
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[string][]string{
		"s": {`""`, `"plain"`, `"grüße 🚀"`, `"esc\"aped"`, `"\u0041"`, `"a\/b"`, `"long enough to be looked at in pieces of eight"`, `null`}, "pick": {`"x"`, `"y"`},
		"n": {`0`, `-0`, `7`, `-12`, `1e3`, `2.0`, `9007199254740992`, `123456789012345678`}, "big": {`9007199254740993`, `5`}, "b": {`true`, `false`},
		"u": {`"f81d4fae-7dec-11d0-a765-00a0c91e6bf6"`}, "d": {`"2026-01-02T03:04:05Z"`}, "list": {`[1,2]`, `[]`}, "any": {`{"k":[1, null]}`, `1.50`, `"t"`}, "dec": {`"0.10"`, `1.5`},
	}
	good, copied := 0, 0
	for range 20000 {
		raw := "{"
		for _, name := range in.Names() {
			list := append(tokens[name], number(rng))
			if name != "f" && name != "any" {
				list = list[:len(list)-1]
			} else if name == "f" {
				list = []string{number(rng), number(rng), `0`, `-0`, `0.0`, `-0.0`, `1.50`, `5.00`, `0.00001`, `1e-7`, `0.1234`, `-0.5`, `123456789012.345`, `1234567890123.45`}
			}
			if rng.Intn(4) > 0 {
				raw += fmt.Sprintf("%q: %s,", name, list[rng.Intn(len(list))])
			}
		}
		raw += `"x":1}`
		o, read := in.NewObject(), in.NewObject()
		for _, o := range []*Object{o, read} {
			if err := o.Reset([]byte(raw)); err != nil {
				t.Fatalf("%s: %v", raw, err)
			}
		}
		if rng.Intn(4) == 0 {
			for _, o := range []*Object{o, read} {
				if err := o.Assign(0, lua.LString("assigned")); err != nil {
					t.Fatal(err)
				}
			}
		}
		names := out.Names()
		rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		names = names[:rng.Intn(len(names))]
		if rng.Intn(20) == 0 {
			names = append(names, "unknown")
		}
		from := From{Record: o}
		vals, given := make([]lua.LValue, len(names)), make([]lua.LValue, len(names))
		for i, name := range names {
			f := rng.Intn(len(in.fields))
			if n := in.Index(name); n >= 0 && rng.Intn(8) > 0 {
				f = n
			}
			vals[i] = read.Field(f)
			if rng.Intn(5) == 0 {
				given[i], f = vals[i], -1
			}
			from.Fields = append(from.Fields, f)
		}
		sh := out.Shape(names)
		want, wantErr := sh.AppendFields([]byte("x"), vals, From{})
		got, gotErr := sh.AppendFields([]byte("x"), given, from)
		if string(got) != string(want) || text(gotErr) != text(wantErr) {
			t.Fatalf("%s, %v of fields %v:\n%s %v, want\n%s %v", raw, names, from.Fields, got, gotErr, want, wantErr)
		}
		if wantErr == nil {
			good++
		}
		f := rng.Intn(len(in.fields))
		var wantKey []byte
		if v := read.Field(f); v != lua.LNil {
			wantKey, wantErr = key.Encode(b.L, []byte{}, v)
		}
		gotKey, gotErr := o.EncodeField(b.L, []byte{}, f, key)
		if v := read.Field(f); string(gotKey) != string(wantKey) || v != lua.LNil && text(gotErr) != text(wantErr) || (gotKey == nil) != (wantKey == nil) {
			t.Fatalf("%s, key of field %d: %q %v, want %q %v", raw, f, gotKey, gotErr, wantKey, wantErr)
		}
		if o.vals[2] == nil && o.slots[2].kind != jAbsent {
			copied++
		}
	}
	if good < 1000 || copied < 100 {
		t.Errorf("%d good literals, %d without reading a number", good, copied)
	}
}

// number makes a JSON number.
func number(rng *rand.Rand) string {
	switch rng.Intn(4) {
	case 0:
		return strconv.Itoa(rng.Intn(2_000_000) - 1_000_000)
	case 1:
		return strconv.FormatFloat(rng.NormFloat64(), 'e', rng.Intn(18), 64)
	}
	return strconv.FormatFloat(rng.NormFloat64()*100000, 'f', rng.Intn(8), 64)
}
