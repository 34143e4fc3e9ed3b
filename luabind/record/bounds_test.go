package record

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// TestNumbersInAny has numbers that no Lua value holds in a field of any type: the message is refused, as json.decode refuses them.
func TestNumbersInAny(t *testing.T) {
	nines := strings.Repeat("9", decimalDigits)
	for raw, want := range map[string]string{
		`1e999`:                         "'f' is the number 1e999, too large for a double",
		`[1,{"x":-1e999}]`:              "'f' has the number -1e999, too large for a double",
		nines + `9`:                     "'f' is the number 9999999999999999999999999999999999999999…, which has too many digits",
		`["1e999",` + nines + `9]`:      "'f' has the number 9999999999999999999999999999999999999999…, which has too many digits",
		nines + `.5`:                    "'f' is the number 9999999999999999999999999999999999999999…, too large for a double",
		nines:                           "",
		`-` + nines:                     "",
		`[0.` + nines + `,"\"",1e-999]`: "",
		`{"a\"1e999":"1e999","b":[]}`:   "",
	} {
		b := newBench(t)
		s := b.declare(`return record('R', { f='any', g='any?' })`)
		o := s.NewObject()
		err := o.Reset([]byte(`{"f":` + raw + `}`))
		got, _, _ := strings.Cut(strings.TrimPrefix(text(err), "decode: not a R: "), "\nvalue: ")
		if got != want {
			t.Errorf("%.60s\ngot  %s\nwant %s", raw, got, want)
		}
		if err == nil && o.Field(0) == nil {
			t.Errorf("%.60s: the field has no value", raw)
		}
		if _, err := b.ParseJSON(b.L, []byte(raw)); (err == nil) != (want == "") {
			t.Errorf("%.60s: json.decode gives %v", raw, err)
		}
	}
}

// TestLongNumbers has numbers of a million digits: they are refused by their length, since reading them takes seconds in which no other task runs.
func TestLongNumbers(t *testing.T) {
	digits := strings.Repeat("9", 1_000_000)
	b := newBench(t)
	start := worked(t)
	for field, raw := range map[string]string{
		`'decimal'`: `"` + digits + `"`, `'decimal?'`: digits, `'int'`: `1.` + digits, `'int64'`: digits, `'any'`: digits, `'[any]'`: `[` + digits + `]`,
		`{ type='datetime', format='unix' }`: digits, `{ type='datetime', format='unix_ms' }`: `0.` + digits,
	} {
		b := newBench(t)
		s := b.declare(`return record('R', { f=` + field + ` })`)
		if err := s.NewObject().Reset([]byte(`{"f":` + raw + `}`)); err == nil {
			t.Errorf("%s took a number of a million digits", field)
		}
	}
	for _, parse := range []func(lua.LValue) (lua.LValue, error){b.ParseDecimal, b.ParseDatetime, b.ParseInt64} {
		if _, err := parse(lua.LString(digits)); err == nil {
			t.Error("a text of a million digits was taken")
		}
	}
	if _, ok := ParseDuration(digits + "s"); ok {
		t.Error("a duration of a million digits was taken")
	}
	if _, err := b.ParseJSON(b.L, []byte(digits)); err == nil {
		t.Error("json.decode took a number of a million digits")
	}
	if took := worked(t) - start; took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

// worked is the time that this process had a processor: that of the clock goes on while a busy machine does something else.
func worked(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// TestDecimalBounds has decimals whose digits are written with zeros at the end, and zeros: what is written can be read again.
func TestDecimalBounds(t *testing.T) {
	b := newBench(t)
	zeros := strings.Repeat("0", decimalDigits-1)
	b.expect([][2]string{
		{`decimal '1e999'`, "1" + zeros}, {`decimal '1e40' / 1`, "1" + zeros[:40]}, {`decimal '1e900' / '1e100'`, "1" + zeros[:800]},
		{`decimal(tostring(decimal '1e999')) == decimal '1e999'`, "true"}, {`decimal(tostring(decimal '1e-1000')) == decimal '1e-1000'`, "true"},
		{`decimal '-0'`, "0"}, {`decimal '-0.00'`, "0.00"}, {`decimal '-4' % 2`, "0"}, {`decimal '-1' * 0`, "0"}, {`decimal '-0.4':round()`, "0"}, {`-decimal '0'`, "0"},
	})
	for src, want := range map[string]string{
		`decimal '1e1000'`:        "validation: the string \"1e1000\" is no decimal",
		`decimal '9e999' * 9`:     "validation: decimal *: the result has more than 1000 digits",
		`decimal '1e999' * 10`:    "validation: decimal *: the result has more than 1000 digits",
		`decimal '1e999' / 0.1`:   "validation: decimal / the number 0.1: a decimal calculates with decimals, int64, whole numbers and texts of digits\nhint: " + inDigits,
		`decimal '1e999' / '0.1'`: "validation: decimal /: the result has more than 1000 digits",
	} {
		_, err := b.try(`return ` + src)
		if got := text(err); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", src, got, want)
		}
	}
}

// TestYears has times whose zone or leap second puts them outside the years that can be written.
func TestYears(t *testing.T) {
	b := newBench(t)
	s := b.declare(`return record('R', { f='datetime' })`)
	for raw, ok := range map[string]bool{
		`0000-01-01T00:00:00+00:01`: false, `0000-01-01T00:00:00Z`: true, `0000-01-01T00:01:00+00:01`: true, `9999-12-31T23:59:60Z`: false, `9999-12-31T23:59:59-00:01`: false,
		`9999-12-31T23:59:59.999999999Z`: true,
	} {
		if err := s.NewObject().Reset([]byte(`{"f":"` + raw + `"}`)); (err == nil) != ok {
			t.Errorf("%s in a message: %v", raw, err)
		}
		if _, err := b.ParseDatetime(lua.LString(raw)); (err == nil) != ok {
			t.Errorf("%s in a script: %v", raw, err)
		}
	}
}

// TestSameName has members of one name: the last one counts, also for what is written after a change.
func TestSameName(t *testing.T) {
	b := newBench(t)
	s := b.declare(`return record('R', { a='int?', list='[int]?', map='{string:int?}?' })`)
	for _, tt := range []struct{ raw, change, want string }{
		{`{"a":1,"a":2}`, `r.a = 7`, `{"a":7}`},
		{`{"a":1,"x":0,"a":2,"a":3}`, `r.a = 7`, `{"a":7,"x":0}`},
		{`{"a":1,"x":0,"a":2}`, `r.a = nil`, `{"x":0}`},
		{`{"list":[1],"list":[2]}`, `r.list[1] = 9`, `{"list":[9]}`},
		{`{"a":1,"list":[1],"a":2}`, `r.list[1] = 9`, `{"list":[9],"a":2}`},
		{`{"map":{"k":1,"k":null}}`, `r.a = r.map.k == nil and 1 or 2`, `{"map":{"k":1,"k":null},"a":1}`},
	} {
		o := b.decode(s, tt.raw)
		b.L.SetGlobal("r", o.Self())
		b.eval(tt.change)
		if got := b.encode(o); got != tt.want {
			t.Errorf("%s, %s\ngot  %s\nwant %s", tt.raw, tt.change, got, tt.want)
		}
	}
}

// TestFarItem has an item far beyond the end of a list with gaps: as many items as the last of the others counts, and yet it is no list.
func TestFarItem(t *testing.T) {
	b := newBench(t)
	_, err := b.JSON(b.L, b.eval(`local t = { 1, nil, 3 } t[1e15] = 4 return t`), 0)
	if got := text(err); !strings.Contains(got, "is a list with gaps") {
		t.Errorf("got %q", got)
	}
}

// TestExcerptAtCharacter has a message that is cut where a character begins.
func TestExcerptAtCharacter(t *testing.T) {
	if got, want := excerpt([]byte(strings.Repeat("a", 199)+"€uro")), strings.Repeat("a", 199)+"…"; got != want {
		t.Errorf("got %q", got)
	}
}

// TestZones has what a date and a datetime make of the zone of a layout.
func TestZones(t *testing.T) {
	b := newBench(t)
	for src, want := range map[string]string{
		`date '2026-01-01':format('%F', 'America/New_York')`: "usage: format: a date has no time zone\nhint: date:datetime() gives its midnight in UTC",
		`datetime '2026-01-01T00:00:00Z':format('%F', 5)`:    "usage: format got the number 5, expected a time zone\nhint: names are such as 'Europe/Oslo' and 'UTC'",
		`date '2026-01-01':format('%F', nil)`:                "",
	} {
		_, err := b.try(`return ` + src)
		if got := text(err); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", src, got, want)
		}
	}
}

// TestMomentEscapes has a time whose text is written with escapes, as some encoders write its +.
func TestMomentEscapes(t *testing.T) {
	b := newBench(t)
	read, err := Moment(jsonCodec{b.Registry}, "at")
	if err != nil {
		t.Fatal(err)
	}
	if at, ok := read([]byte(`{"at":"2026-01-01T01:00:00\u002B01:00"}`)); !ok || at != 1767225600000 {
		t.Errorf("got %d, %v", at, ok)
	}
}

// TestLongNames has names in a message that are too long to be shown: what is said of it stays short, since it goes into logs and headers.
func TestLongNames(t *testing.T) {
	b := newBench(t)
	s := b.declare(`return record('R', { user='string', m='{int:any}?', o='{string:int}?' })`)
	long := strings.Repeat("user", 10_000)
	for _, raw := range []string{
		`{"` + long + `":1}`, `{"user":"` + long + `","m":{"` + long + `":1}}`, `{"user":"","o":{"` + long + `":"` + long + `"}}`, `{"user":` + strings.Repeat("1", 10_000) + `}`, long,
	} {
		if got := text(s.NewObject().Reset([]byte(raw))); got == "" || len(got) > 1000 {
			t.Errorf("%.40s: %d bytes are said", raw, len(got))
		}
		if _, err := b.FromText(b.L, recordCodec{s}, raw, true); err == nil || len(text(err)) > 1000 {
			t.Errorf("%.40s: %d bytes are said of what was written", raw, len(text(err)))
		}
	}
}

// TestDepth has values as deep as can be, and one deeper: what can be written can be read.
func TestDepth(t *testing.T) {
	b := newBench(t)
	b.eval(`N = record('N', { next='N?', list='[N]?', map='{string:N}?', any='any?', n='int?' })
		function lists(n) local t = {} for i = 2, n do t = { t } end return t end
		function objects(n) local t = {} for i = 2, n do t = { x = t } end return t end
		function nexts(n) local r = N{} for i = 2, n do r = N{ next = r } end return r end
		function tables(n) local r = {} for i = 2, n do r = { next = r } end return N(r) end
		function anys(n) return N{ any = lists(n - 1) } end
		function within(n) return N{ list = { N{ map = { k = N{ any = objects(n - 5) } } } } } end
		function plainly(n) return { { nexts(n - 2) } } end`)
	s, _ := SchemaOf(b.eval(`return N`))
	o := s.NewObject()
	for _, name := range []string{"lists", "objects", "nexts", "tables", "anys", "within", "plainly"} {
		src := func(n int) string { return "return " + name + "(" + strconv.Itoa(n) + ")" }
		raw, err := b.JSON(b.L, b.eval(src(maxDepth)), 0)
		if err == nil {
			_, err = b.ParseJSON(b.L, raw)
		}
		if err == nil && name != "lists" && name != "objects" && name != "plainly" {
			err = o.Reset(raw)
		}
		if err != nil || depthOf(raw) != maxDepth {
			t.Errorf("%s: %d deep: %.200v", name, depthOf(raw), text(err))
		}
		v, err := b.try(src(maxDepth + 1))
		if err == nil {
			raw, err = b.JSON(b.L, v, 0)
		}
		if !strings.HasSuffix(strings.Split(text(err), "\n")[0], "is more than 256 deep, or contains itself") {
			t.Errorf("%s: one deeper it is written as %.60s, %v", name, raw, err)
		}
	}
	if err := o.Reset([]byte(`{"any":` + strings.Repeat("[", maxDepth-1) + strings.Repeat("]", maxDepth-1) + `}`)); err != nil {
		t.Fatal(err)
	}
	b.L.SetGlobal("read", o.Self())
	if raw, err := b.JSON(b.L, b.eval(`return { read }`), 0); err == nil {
		t.Errorf("a message inside a list was written %d deep", depthOf(raw))
	}
	if _, err := s.Shape([]string{"any"}).AppendFields(nil, []lua.LValue{b.eval(`return lists(256)`)}, From{}); err == nil {
		t.Error("a literal was written 257 deep")
	}
	if raw, err := s.Shape([]string{"any"}).AppendFields(nil, []lua.LValue{b.eval(`return lists(255)`)}, From{}); err != nil || o.Reset(raw) != nil {
		t.Errorf("a literal that is 256 deep: %v", err)
	}
}

// TestLargeIntegers has limits and choices of whole numbers beyond 2^53, which a double would round.
func TestLargeIntegers(t *testing.T) {
	b := newBench(t)
	limited := b.declare(`return record('L', { n={ type='int', min=-9007199254740992, max=9007199254740992 } })`)
	chosen := b.declare(`return record('C', { n={ type='int', choices={ int64 '9007199254740993', 5 } } })`)
	for _, tt := range []struct {
		s            *Schema
		digits, want string
	}{
		{limited, `9007199254740992`, ""}, {limited, `9007199254740993`, "'n' is 9007199254740993, more than the max of 9007199254740992"},
		{limited, `-9007199254740993`, "'n' is -9007199254740993, less than the min of -9007199254740992"},
		{chosen, `9007199254740993`, ""}, {chosen, `5`, ""}, {chosen, `9007199254740992`, "'n' is the number 9007199254740992, expected one of: 9007199254740993, 5"},
		{chosen, `9007199254740994`, "'n' is the int64 9007199254740994, expected one of: 9007199254740993, 5"},
	} {
		_, made := tt.s.Make(b.eval(`return { n = int64 '` + tt.digits + `' }`))
		for _, err := range []error{tt.s.NewObject().Reset([]byte(`{"n":` + tt.digits + `}`)), made} {
			got, _, _ := strings.Cut(text(err), "\n")
			if _, got, _ = strings.Cut(got, tt.s.Name+": "); got != tt.want {
				t.Errorf("%s\ngot  %s\nwant %s", tt.digits, got, tt.want)
			}
		}
	}
}
