package record

import (
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

func BenchmarkScan(b *testing.B) {
	t := newBench(b)
	s := t.declare(withdrawal)
	for name, text := range map[string]string{
		"compact": message, "spaced": strings.NewReplacer(`":`, `": `, `,"`, `, "`).Replace(message),
		"reversed": `{"date":"2026-11-23T18:00:00Z","amount":1234.56,"country":"country_3","user":"user_123"}`,
	} {
		b.Run(name, func(b *testing.B) {
			o, raw := s.NewObject(), []byte(text)
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if err := o.Reset(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTwoFields(b *testing.B) {
	t := newBench(b)
	s := t.declare(withdrawal)
	o, raw := s.NewObject(), []byte(message)
	country, amount := s.Index("country"), s.Index("amount")
	b.ReportAllocs()
	for b.Loop() {
		if err := o.Reset(raw); err != nil {
			b.Fatal(err)
		}
		_, _ = o.Field(country), o.Field(amount)
	}
}

func BenchmarkFreshRecord(b *testing.B) {
	t := newBench(b)
	s := t.declare(withdrawal)
	c, _ := t.Codec(s.Value(), "json")
	raw := []byte(message)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Decode(t.L, raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeLiteral(b *testing.B) {
	t := newBench(b)
	s := t.declare(withdrawal)
	sh := s.Shape([]string{"user", "country", "amount"})
	vals := []lua.LValue{lua.LString("user_123"), lua.LString("country_3"), lua.LNumber(1234.56)}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = sh.AppendFields(buf[:0], vals, From{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUntypedDecode(b *testing.B) {
	t := newBench(b)
	raw := []byte(message)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := t.ParseJSON(t.L, raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUntypedEncode(b *testing.B) {
	t := newBench(b)
	v, _ := t.ParseJSON(t.L, []byte(message))
	c, _ := t.Codec(lua.LNil, "json")
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = c.Encode(t.L, buf[:0], v); err != nil {
			b.Fatal(err)
		}
	}
}
