package record

import (
	"math/rand"
	"regexp"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"faust/tests/seed"
)

// values are texts that stand where a value of a message is expected; not all are JSON.
var values = []string{`""`, `"a"`, `"seven b"`, `"eight by"`, `"nine byte"`, `"sixteen bytes..."`, `"esc\"aped"`, `"\u0041"`, `"grüße"`, `"tab	"`, "\"\xff\"", `"open`, `"`, `"\`, `0`, `-0`, `7`,
	`-12`, `007`, `-`, `1.`, `.5`, `1.50`, `-0.0`, `1e3`, `1E-2`, `1e999`, `123456789012345678`, `1234567890123456789`, `12345678901234567890`, `9999999999999999999`, `9007199254740993`, strings.Repeat("9", 320), `null`, `true`, `false`, `tru`, `{}`,
	`[]`, `[1]`, `"2026-11-23T18:00:00Z"`, `"2026-11-23T18:00:00.5+01:00"`, `"2026-02-30T00:00:00Z"`, `"2026-11-23"`, ``, `"a" `, `1 `, `1x`, `"a"b`}

// place is what says where something is, or cites what is around it.
var place = regexp.MustCompile(`broken JSON.*|\nvalue: .*| `)

// TestRun: a message as compact JSON, or with a space after colons and commas, its members in order, is read and refused just as one with spaces
// before the colons, which is read member by member.
func TestRun(t *testing.T) {
	rng := rand.New(rand.NewSource(int64(seed.Of(t))))
	b := newBench(t)
	s := b.declare(`return record('R', { a='string?', b='float?', c='datetime?', d='int?', e='int64?', f='bool?', g={ type='string', default='none' }, h={ type='float?', max=5 }, i='any?' })`)
	good, refused := 0, 0
	for range 20000 {
		var compact, spaced []string
		for _, name := range s.Names() {
			usual := map[string]string{"a": `"text"`, "b": `1.5`, "c": `"2026-11-23T18:00:00Z"`, "d": `12`, "e": `12`, "f": `true`, "g": `"given"`, "h": `2`, "i": `"x"`}[name]
			if rng.Intn(8) == 0 {
				continue
			}
			if rng.Intn(8) == 0 {
				usual = values[rng.Intn(len(values))]
			}
			compact, spaced = append(compact, `"`+name+`":`+usual), append(spaced, ` "`+name+`" : `+usual)
		}
		if rng.Intn(4) == 0 {
			swap := func(i, j int) {
				compact[i], compact[j], spaced[i], spaced[j] = compact[j], compact[i], spaced[j], spaced[i]
			}
			rng.Shuffle(len(compact), swap)
		}
		comma := ","
		if rng.Intn(2) == 0 { // as many write it
			comma = ", "
			for i, member := range compact {
				compact[i] = strings.Replace(member, ":", ": ", 1)
			}
		}
		raw, wide := "{"+strings.Join(compact, comma)+"}", "{"+strings.Join(spaced, ",")+"}"
		if cut := rng.Intn(20 * len(raw)); cut < len(raw) {
			raw, wide = raw[:cut], ""
		}
		o, want := s.NewObject(), s.NewObject()
		got := place.ReplaceAllString(text(o.Reset([]byte(raw))), "")
		if wide == "" { // cut off
			if got == "" {
				t.Fatalf("%s was taken", raw)
			}
			continue
		}
		if refusal := place.ReplaceAllString(text(want.Reset([]byte(wide))), ""); got != refusal {
			t.Fatalf("%s\nas compact JSON: %s\nwith spaces: %s", raw, got, refusal)
		}
		if refused++; got != "" {
			continue
		}
		refused--
		good++
		for i, name := range s.Names() {
			sameField(t, b, o, want, i, raw+": "+name)
		}
	}
	if good < 1000 || refused < 1000 {
		t.Errorf("%d messages were read, %d refused", good, refused)
	}
}

// sameField compares a field of two records, and what is taken of it without a Lua value.
func sameField(t *testing.T, b *bench, o, want *Object, i int, where string) {
	t.Helper()
	text, isText := o.Text(i)
	n, isNumber := o.Number(i)
	v := want.Field(i)
	if got := o.Field(i); got != v && b.Inspect(got) != b.Inspect(v) {
		t.Fatalf("%s is %s, with spaces %s", where, b.Inspect(got), b.Inspect(v))
	}
	if isText && v != lua.LString(text) || isNumber && v != lua.LNumber(n) {
		t.Fatalf("%s is taken as %q or %v, but is %s", where, text, n, b.Inspect(v))
	}
	if f := o.schema.fields[i].typ; isText != (f.kind == kString && o.slots[i].kind == jString) || f.kind == kFloat && isNumber != o.slots[i].kind.number() {
		t.Fatalf("%s: taken as text %v, as number %v", where, isText, isNumber)
	}
	if _, ok := o.Text(i); ok != isText {
		t.Fatalf("%s: as text %v once it was read", where, ok)
	}
}
