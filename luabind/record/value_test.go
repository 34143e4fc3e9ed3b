package record

import (
	"math"
	"math/rand"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/tests/seed"
)

func TestInt64(t *testing.T) {
	b := newBench(t)
	b.eval(`n = int64 '9007199254740993'`)
	b.expect([][2]string{
		{`n`, "9007199254740993"}, {`n + 1`, "9007199254740994"}, {`1 + n`, "9007199254740994"}, {`n - n`, "0"}, {`n * 2`, "18014398509481986"}, {`-n`, "-9007199254740993"},
		{`int64(12) / 4`, "3"}, {`int64(-7) % 3`, "2"}, {`int64(-7):div(2)`, "-4"}, {`int64(2) ^ 62`, "4611686018427387904"}, {`int64(-1) ^ 3`, "-1"},
		{`n == int64 '9007199254740993'`, "true"}, {`n < n + 1`, "true"}, {`n <= n`, "true"}, {`n > n`, "false"}, {`int64(3) == 3`, "false"},
		{`int64(3):eq(3)`, "true"}, {`int64(3):lt(4)`, "true"}, {`int64(3):le(2)`, "false"}, {`int64(3):number() + 0.5`, "3.5"}, {`n:key()`, "9007199254740993"},
		{`'n=' .. n .. '!'`, "n=9007199254740993!"}, {`n:decimal() / 2`, "4503599627370496.5"},
	})
	for src, want := range map[string]string{
		`int64 '9223372036854775807' + 1`:     "validation: 9223372036854775807 + 1 does not fit 64 bits\nhint: n:decimal() has no such limit",
		`n * n`:                               "validation: 9007199254740993 * 9007199254740993 does not fit 64 bits\nhint: n:decimal() has no such limit",
		`int64(7) / 2`:                        "validation: 7 / 2 is no whole number\nhint: n:div(m) drops the rest, n:decimal() / m keeps it",
		`n / 0`:                               "validation: int64 / 0: division by zero",
		`n + 0.5`:                             "validation: int64 + the number 0.5: an int64 calculates with int64 and whole numbers\nhint: n:number() gives a Lua number, n:decimal() an exact fraction",
		`int64 '12x'`:                         "validation: the string \"12x\" is no int64",
		`int64(2^60)`:                         "validation: the number 1.152921504606847e+18 is no int64\nhint: beyond 2^53 a Lua number is not exact; give the digits as text:  int64.new '9007199254740993'",
		`n.foo`:                               "validation: an int64 has no 'foo'\nhint: known: decimal, div, eq, key, le, lt, number",
		`n:numbr()`:                           "validation: an int64 has no 'numbr'\nhint: did you mean 'number'?  known: decimal, div, eq, key, le, lt, number",
		`-(int64 '-9223372036854775808')`:     "validation: -(-9223372036854775808) does not fit 64 bits",
		`int64 '-9223372036854775808' / -1`:   "validation: -9223372036854775808 / -1 does not fit 64 bits\nhint: n:decimal() has no such limit",
		`(int64 '-9223372036854775808') * -1`: "validation: -9223372036854775808 * -1 does not fit 64 bits\nhint: n:decimal() has no such limit",
	} {
		_, err := b.try(`return ` + src)
		if got := text(err); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", src, got, want)
		}
	}
}

func TestDecimal(t *testing.T) {
	b := newBench(t)
	b.eval(`d = decimal '0.10'`)
	b.expect([][2]string{
		{`d`, "0.10"}, {`d + '0.2'`, "0.30"}, {`d + d + d == decimal '0.3'`, "true"}, {`d * 3`, "0.30"}, {`1 - d`, "0.90"}, {`decimal(1) / 3`, "0.3333333333333333333333333333333333"},
		{`decimal(100) / 4`, "25"}, {`decimal(200) / 2`, "100"}, {`decimal '-7' % 3`, "2"}, {`-d`, "-0.10"}, {`d < decimal '0.11'`, "true"}, {`d <= d`, "true"}, {`d == decimal '0.1'`, "true"},
		{`d:eq '0.1'`, "true"}, {`d:lt(1)`, "true"}, {`d:key()`, "0.1"}, {`(d - d):key()`, "0"}, {`decimal '2.345':round(2)`, "2.34"}, {`decimal '2.5':round()`, "2"}, {`decimal '1':round(2)`, "1.00"},
		{`d:number() * 2`, "0.2"}, {`'x' .. d`, "x0.10"}, {`decimal(int64 '9007199254740993') + 1`, "9007199254740994"},
		{`decimal '1e3'`, "1000"}, {`decimal(10) * '1e2' / 1`, "1000"},
	})
	for src, want := range map[string]string{
		`d + 0.5`:                     "validation: decimal + the number 0.5: a decimal calculates with decimals, int64, whole numbers and texts of digits\nhint: a Lua number is no exact fraction; give the digits as text:  decimal.new '0.10'",
		`decimal(0.1)`:                "validation: the number 0.1 is no decimal\nhint: a Lua number is no exact fraction; give the digits as text:  decimal.new '0.10'",
		`decimal 'NaN'`:               "validation: the string \"NaN\" is no decimal",
		`decimal '1e9999'`:            "validation: the string \"1e9999\" is no decimal",
		`d / 0`:                       "validation: decimal / 0: division by zero",
		`d:round(-1)`:                 "usage: round got the number -1, expected a number of decimals",
		`(decimal '1e900' * '1e900')`: "validation: decimal *: the result has more than 1000 digits",
	} {
		_, err := b.try(`return tostring(` + src + `)`)
		if got := text(err); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", src, got, want)
		}
	}
}

func TestDatetime(t *testing.T) {
	b := newBench(t)
	b.eval(`d = datetime '2026-11-23T18:30:05.25+01:00'`)
	b.expect([][2]string{
		{`d`, "2026-11-23T17:30:05.25Z"}, {`d.year`, "2026"}, {`d.month`, "11"}, {`d.day`, "23"}, {`d.hour`, "17"}, {`d.min`, "30"}, {`d.sec`, "5"}, {`d.nsec`, "250000000"}, {`d.weekday`, "1"},
		{`d + '1h30m'`, "2026-11-23T19:00:05.25Z"}, {`d + 60`, "2026-11-23T17:31:05.25Z"}, {`'1d' + d`, "2026-11-24T17:30:05.25Z"}, {`d - '1w'`, "2026-11-16T17:30:05.25Z"},
		{`(d + 90) - d`, "90"}, {`d - (d + '1ms')`, "-0.001"}, {`d == d + 0`, "true"}, {`d < d + 1`, "true"}, {`d >= d + 1`, "false"}, {`d:eq(d)`, "true"}, {`d:lt(d)`, "false"},
		{`d:unix()`, "1.79545500525e+09"}, {`d:unix_ms()`, "1795455005250"}, {`d:date()`, "2026-11-23"}, {`d:key()`, "2026-11-23T17:30:05.25Z"},
		{`d:format()`, "2026-11-23T17:30:05.25Z"}, {`d:format('%Y-%m-%d %H:%M:%S.%L %a %j %%')`, "2026-11-23 17:30:05.250 Mon 327 %"}, {`d:format('%F %T %z', 'Europe/Oslo')`, "2026-11-23 18:30:05 +0100"},
		{`'at ' .. d`, "at 2026-11-23T17:30:05.25Z"}, {`datetime '2026-11-23'`, "2026-11-23T00:00:00Z"}, {`datetime(1.5)`, "1970-01-01T00:00:01.5Z"},
		{`date '2026-11-23' + 10`, "2026-12-03"}, {`date '2026-03-01' - 1`, "2026-02-28"}, {`date '2026-03-01' - date '2026-02-01'`, "28"}, {`date '2026-03-01' < date '2026-03-02'`, "true"},
		{`date(d).month`, "11"}, {`date '2026-11-22'.weekday`, "7"}, {`date '2026-11-22':datetime()`, "2026-11-22T00:00:00Z"}, {`date '2026-11-22':format '%d.%m.%Y'`, "22.11.2026"},
		{`date '2026-11-22' == date '2026-11-22'`, "true"}, {`date '2026-11-22':key()`, "2026-11-22"}, {`datetime '2016-12-31T23:59:60Z'`, "2017-01-01T00:00:00Z"},
	})
	for src, want := range map[string]string{
		`d.years`:                             "validation: a datetime has no 'years'\nhint: did you mean 'year'?  known: day, hour, min, month, nsec, sec, weekday, year, date, eq, format, key, le, lt, unix, unix_ms",
		`d + 'soon'`:                          "validation: datetime + the string \"soon\": expected a duration\nhint: durations are seconds or '10s', '1h30m', '7d'",
		`d + d`:                               "validation: datetime + the datetime 2026-11-23T17:30:05.25Z: expected a duration\nhint: durations are seconds or '10s', '1h30m', '7d'",
		`d:format '%Q'`:                       "usage: format has the unknown directive '%Q'\nhint: known: %Y %m %d %H %M %S %y %j %b %B %a %A %p %I %L %f %z %Z %s %F %T %%",
		`d:format('%F', 'Mars')`:              "usage: unknown time zone 'Mars'\nhint: names are such as 'Europe/Oslo' and 'UTC'",
		`datetime 'x'`:                        "validation: the string \"x\" is no datetime\nhint: a text such as '2026-11-23T18:00:00Z', or seconds since 1970",
		`date '2026-13-01'`:                   "validation: not a date: it is the string \"2026-13-01\", expected a date such as \"2026-11-23\"",
		`datetime '9999-12-31T23:59:59Z' + 1`: "validation: datetime + the number 1 is outside the years 0 to 9999",
		`date '2026-01-01' + 0.5`:             "validation: date + the number 0.5\nhint: a date takes whole days:  d + 7",
	} {
		_, err := b.try(`return ` + src)
		if got := text(err); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", src, got, want)
		}
	}
	if _, err := b.try(`d.year = 3`); text(err) != "validation: a datetime cannot be changed\nhint: calculate a new one" {
		t.Error(text(err))
	}
}

// TestParseTime compares the parser with the standard library over random times and random damage.
func TestParseTime(t *testing.T) {
	rng := rand.New(rand.NewSource(int64(seed.Of(t))))
	for range 100_000 {
		at := time.Unix(rng.Int63n(300_000_000_000)-62_000_000_000, rng.Int63n(1e9)/int64(math.Pow10(rng.Intn(10)))).In(time.FixedZone("", (rng.Intn(2*1439)-1439)*60))
		raw := []byte(at.Format(time.RFC3339Nano))
		if rng.Intn(2) == 0 {
			raw[rng.Intn(len(raw))] = "0123456789-+:.TZ"[rng.Intn(16)]
		}
		want, err := time.Parse(time.RFC3339Nano, string(raw))
		if zone := raw[max(0, len(raw)-5):]; string(zone[:2]) == "24" || string(zone[3:]) == "60" {
			continue // the standard library takes these offsets
		}
		sec, nsec, ok := parseTime(raw)
		if err == nil && (!ok || sec != want.Unix() || int(nsec) != want.Nanosecond()) {
			t.Fatalf("%s: got %d.%09d %v, want %d.%09d", raw, sec, nsec, ok, want.Unix(), want.Nanosecond())
		}
		if d, ok := parseDate(raw[:10]); ok {
			if std, err := time.Parse("2006-01-02", string(raw[:10])); err != nil || d.days() != std.Unix()/86400 && std.Unix()%86400 == 0 {
				t.Fatalf("%s: %v", raw[:10], err)
			}
		} else if _, err := time.Parse("2006-01-02", string(raw[:10])); err == nil {
			t.Fatalf("%s is refused", raw[:10])
		}
	}
}

// TestParseFloat compares the fast path with the standard library, bit for bit.
func TestParseFloat(t *testing.T) {
	rng := rand.New(rand.NewSource(int64(seed.Of(t))))
	for range 200_000 {
		digits := strconv.FormatUint(rng.Uint64()>>rng.Intn(64), 10)
		if i := rng.Intn(len(digits)); i > 0 {
			digits = digits[:i] + "." + digits[i:]
		} else if rng.Intn(2) == 0 {
			digits = "0." + strings.Repeat("0", rng.Intn(20)) + digits
		}
		if rng.Intn(2) == 0 {
			digits = "-" + digits
		}
		want, _ := strconv.ParseFloat(digits, 64)
		got, ok := parseFloat([]byte(digits))
		if !ok || math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%s: got %v, want %v", digits, got, want)
		}
		back, _ := strconv.ParseFloat(string(appendFloat(nil, got)), 64)
		if back != got {
			t.Fatalf("%v is written as %s", got, appendFloat(nil, got))
		}
	}
}

func TestDurationAndSize(t *testing.T) {
	for src, want := range map[string]time.Duration{"10s": 10 * time.Second, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour, "250ms": 250 * time.Millisecond, "1.5s": 1500 * time.Millisecond,
		"90": 90 * time.Second, "-1m": -time.Minute, "1h 30m": 90 * time.Minute, "1w": 168 * time.Hour, "5us": 5 * time.Microsecond, "1ns": 1, "0": 0} {
		if got, ok := ParseDuration(src); !ok || got != want {
			t.Errorf("%s is %v %v", src, got, ok)
		}
	}
	for _, bad := range []string{"", "s", "10x", "1h30", "ten", "1..5s", "1e3s", "99999999999d", "10 seconds", "-"} {
		if got, ok := ParseDuration(bad); ok {
			t.Errorf("%q is taken for %v", bad, got)
		}
	}
	if d, err := Duration(lua.LNumber(0.5)); err != nil || d != 500*time.Millisecond {
		t.Error(d, err)
	}
	if _, err := Duration(lua.LTrue); text(err) != "usage: true is no duration\nhint: durations are seconds, or texts such as '10s', '1h30m', '7d'; units: ns us ms s m h d w" {
		t.Error(text(err))
	}
	for src, want := range map[string]int64{"64MiB": 64 << 20, "1KiB": 1024, "1kB": 1000, "1.5 GB": 1500000000, "12": 12, "2G": 2 << 30, "7B": 7} {
		if got, ok := ParseSize(src); !ok || got != want {
			t.Errorf("%s is %v %v", src, got, ok)
		}
	}
	for _, bad := range []string{"", "MiB", "1XB", "-1", "0.3B", "1e3"} {
		if got, ok := ParseSize(bad); ok {
			t.Errorf("%q is taken for %v", bad, got)
		}
	}
	if _, err := Size(lua.LNumber(-1)); text(err) != "usage: the number -1 is no size\nhint: sizes are bytes, or texts such as '64MiB', '1GB'; units: B KiB MiB GiB TiB kB MB GB TB" {
		t.Error(text(err))
	}
}

func TestCodecs(t *testing.T) {
	b := newBench(t)
	s := b.declare(withdrawal)
	tests := []struct{ codec, raw, lua string }{
		{"json", `{"a":9007199254740993,"b":[],"c":{},"d":[null,1.5]}`, "{ a=9007199254740993, b=[], c={}, d={ null, 1.5 } }"},
		{"json", `123456789012345678901234567890`, "123456789012345678901234567890"},
		{"json", `"x"`, `"x"`}, {"json", `true`, `true`},
		{"string", "text", `"text"`}, {"string", "", `""`}, {"bytes", "\x00\xff", `"\000\255"`}, {"raw", "a", `"a"`},
		{"int64", "\x00\x00\x00\x00\x00\x00\x00\x07", "7"}, {"int64", "\x7f\xff\xff\xff\xff\xff\xff\xff", "9223372036854775807"},
		{"int64", "\xff\xff\xff\xff\xff\xff\xff\xfe", "-2"},
		{"int", "7", "7"}, {"int", "-9223372036854775807", "-9223372036854775807"}, {"float", "0.1", "0.1"}, {"float", "1e+300", "1e+300"},
		{"bool", "true", "true"}, {"bool", "false", "false"},
		{"Withdrawal", message, `Withdrawal{ user="user_123", country="country_3", amount=1234.56, date=2026-11-23T18:00:00Z }`},
	}
	for _, tt := range tests {
		c, err := b.Codec(lua.LString(tt.codec), "json")
		if err != nil {
			t.Fatal(text(err))
		}
		v, err := c.Decode(b.L, []byte(tt.raw))
		if err != nil || b.Inspect(v) != tt.lua || c.Name() != tt.codec {
			t.Errorf("%s %q: %s %s", tt.codec, tt.raw, b.Inspect(v), text(err))
		}
		out, err := c.Encode(b.L, []byte("before"), v)
		if err != nil || string(out) != "before"+tt.raw {
			t.Errorf("%s %q comes back as %q (%s)", tt.codec, tt.raw, out, text(err))
		}
		if v, err := c.Decode(b.L, nil); err != nil || v != b.Null() {
			t.Errorf("%s: no bytes are %v %v", tt.codec, v, err)
		}
		if out, err := c.Encode(b.L, []byte("x"), b.Null()); err != nil || out != nil {
			t.Errorf("%s: null is %q %v", tt.codec, out, err)
		}
		if _, err := c.Encode(b.L, nil, lua.LNil); text(err) != "validation: nil cannot be sent\nhint: null is the value of a message without one (a tombstone)" {
			t.Error(tt.codec, text(err))
		}
	}
	if c, err := b.Codec(s.Value(), "json"); err != nil || c.Name() != "Withdrawal" {
		t.Error(c, err)
	}
	if out, err := (&textCodec{g: b.Registry, name: "string"}).Encode(b.L, nil, lua.LString("")); out == nil || err != nil {
		t.Error("an empty text became a tombstone")
	}
	for give, want := range map[lua.LValue]string{
		lua.LString("jsn"): "usage: unknown codec 'jsn'\nhint: did you mean 'json'?  known: bool, bytes, float, int, int64, json, raw, string, Withdrawal",
		lua.LNumber(1):     "usage: the number 1 is no codec\nhint: give a name such as 'json', or a record type",
	} {
		if _, err := b.Codec(give, "json"); text(err) != want {
			t.Error(text(err))
		}
	}
	for _, tt := range [][3]string{
		{"int", "1.5", "decode: not an int: it is 1.5, expected an int (a whole number of at most 64 bits)\nvalue: 1.5"}, {"int", `"7"`, `decode: not an int: it is the string "7", expected an int (a whole number of at most 64 bits)` + "\nvalue: \"7\""},
		{"float", "1 2", "decode: not a float: broken JSON at byte 3: '2' where the end is expected\nvalue: 1 2"},
		{"bool", "1", "decode: not a bool: it is the number 1, expected bool\nvalue: 1"}, {"float", "null", "decode: not a float: it is null, expected float\nvalue: null"},
	} {
		c, _ := b.Codec(lua.LString(tt[0]), "json")
		if _, err := c.Decode(b.L, []byte(tt[1])); text(err) != tt[2] {
			t.Errorf("%s %s: %s", tt[0], tt[1], text(err))
		}
	}
	for _, tt := range []struct {
		codec string
		give  lua.LValue
		want  string
	}{
		{"int", lua.LNumber(1.5), "validation: not an int: it is the number 1.5, expected int"}, {"bool", lua.LNumber(1), "validation: not a bool: it is the number 1, expected bool"},
		{"float", lua.LString("x"), "validation: not a float: it is the string \"x\", expected float"},
	} {
		c, _ := b.Codec(lua.LString(tt.codec), "json")
		if out, err := c.Encode(b.L, []byte("before"), tt.give); text(err) != tt.want || string(out) != "before" {
			t.Errorf("%s %v: %s", tt.codec, tt.give, text(err))
		}
	}
	c, _ := b.Codec(lua.LNil, "int64")
	if _, err := c.Decode(b.L, []byte("abc")); text(err) != "decode: not an int64: it has 3 bytes, expected 8\nvalue: abc" {
		t.Error(text(err))
	}
	if _, err := c.Encode(b.L, nil, lua.LNumber(1.5)); text(err) != "validation: the number 1.5 is no int64 (a whole number of at most 64 bits)" {
		t.Error(text(err))
	}
	c, _ = b.Codec(lua.LNil, "string")
	if _, err := c.Encode(b.L, nil, lua.LNumber(12)); !strings.HasPrefix(text(err), "validation: the number 12 is no string") {
		t.Error(text(err))
	}
	c, _ = b.Codec(s.Value(), "")
	if out, err := c.Encode(b.L, nil, b.eval(`return { user='u', country='c', amount=1 }`)); err != nil || string(out) != `{"user":"u","country":"c","amount":1}` {
		t.Errorf("%s %v", out, err)
	}
	if _, err := c.Encode(b.L, nil, lua.LString("x")); !strings.HasPrefix(text(err), `validation: not a Withdrawal: it is the string "x", expected a Withdrawal`) {
		t.Error(text(err))
	}
}

func TestJSONText(t *testing.T) {
	b := newBench(t)
	tests := [][2]string{
		{`{}`, `{}`}, {`array{}`, `[]`}, {`{ a=array{}, b={} }`, `{"a":[],"b":{}}`}, {`{ 1, null, 'x' }`, `[1,null,"x"]`}, {`null`, `null`}, {`nil`, `null`},
		{`'</é\1\n"\\'`, `"</é\u0001\n\"\\"`}, {`2^53`, `9007199254740992`}, {`1e21`, `1e+21`}, {`-0.5`, `-0.5`}, {`2^60`, `1.152921504606847e+18`}, {`-0`, `-0`}, {`1e-7`, `1e-07`}, {`int64 '9007199254740993'`, `9007199254740993`},
		{`decimal '1.10'`, `"1.10"`}, {`datetime(0)`, `"1970-01-01T00:00:00Z"`}, {`date '2026-01-02'`, `"2026-01-02"`},
	}
	for _, tt := range tests {
		out, err := b.JSON(b.L, b.eval(`return `+tt[0]), 0)
		if err != nil || string(out) != tt[1] {
			t.Errorf("%s: %s %s", tt[0], out, text(err))
		}
	}
	out, err := b.JSON(b.L, b.eval(`return { a={ 1, 2 }, b={} }`), 2)
	if want := "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}"; err != nil || string(out) != want {
		t.Errorf("%s %v", out, err)
	}
	if _, err := b.ParseJSON(b.L, []byte(`{"a":}`)); text(err) != "decode: not JSON: at byte 6: '}' where a value is expected\nvalue: {\"a\":}" {
		t.Error(text(err))
	}
	v := b.eval(`return { 1 }`)
	list, err := b.ParseJSON(b.L, []byte(`[1]`))
	if err != nil || !b.equal(v, list, 0) {
		t.Error(err)
	}
	list.(*lua.LTable).Remove(1)
	if out, _ := b.JSON(b.L, list, 0); string(out) != "[]" {
		t.Errorf("an emptied list is %s", out)
	}
}

func TestInspect(t *testing.T) {
	b := newBench(t)
	b.declare(`W = record('Withdrawal', { user='string', amount='float' }) return W`)
	tests := [][2]string{
		{`nil`, "nil"}, {`'a"\n\0'`, `"a\"\n\000"`}, {`0/0`, "NaN"}, {`-1/0`, "-inf"}, {`12345678901`, "12345678901"}, {`{ 1, 'a', { x=true } }`, `{ 1, "a", { x=true } }`},
		{`{ b=1, a=2, [10]=3, ['end']=4, ['x y']=5, [true]=6 }`, `{ [true]=6, [10]=3, a=2, b=1, ["end"]=4, ["x y"]=5 }`}, {`print`, "<built-in function>"},
		{`function() end`, "<function <string>:1>"}, {`null`, "null"}, {`W`, "record Withdrawal"}, {`{ W{ user='u', amount=1 } }`, `{ Withdrawal{ user="u", amount=1 } }`},
		{`coroutine.create(print)`, "<thread>"}, {`newproxy and newproxy() or 1`, "<object>"},
	}
	for _, tt := range tests {
		if got := b.Inspect(b.eval(`return ` + tt[0])); got != tt[1] {
			t.Errorf("%s\ngot  %s\nwant %s", tt[0], got, tt[1])
		}
	}
	long := b.eval(`local t = { name=('x'):rep(60), list={}, description=('y'):rep(50) } t.self = t return t`)
	want := "{\n  description = \"" + strings.Repeat("y", 50) + "\",\n  list        = {},\n  name        = \"" + strings.Repeat("x", 60) +
		"\",\n  self        = { … the table itself },\n}"
	if got := b.Inspect(long); got != want {
		t.Error(got)
	}
	many := b.Inspect(b.eval(`local t = {} for i = 1, 1000 do t[i] = i end return t`))
	if !strings.HasSuffix(many, "  100,\n  … 900 more\n}") {
		t.Error(many[len(many)-60:])
	}
	if got := b.Inspect(lua.LString(strings.Repeat("é", 2000))); !strings.HasSuffix(got, `é…" (4000 bytes)`) {
		t.Error(got[len(got)-40:])
	}
}

// TestStringCache shows that the cache gives what it was asked for, shares what repeats, and is left alone by a field whose values do not.
func TestStringCache(t *testing.T) {
	var c stringCache
	var few, many internStat
	for i := range 20 * cacheTrial {
		s := strconv.Itoa(i % 50)
		if got := c.get([]byte(s), &few); got != lua.LString(s) {
			t.Fatalf("%s became %v", s, got)
		}
		s = "unique " + strconv.Itoa(i)
		if got := c.get([]byte(s), &many); got != lua.LString(s) {
			t.Fatalf("%s became %v", s, got)
		}
	}
	if few.off || !many.off {
		t.Errorf("few values: off=%v, unique values: off=%v", few.off, many.off)
	}
	for range cacheTrial * cachePause {
		c.get([]byte("now it repeats"), &many)
	}
	if many.off {
		t.Error("a field is not given another chance")
	}
	var slab numberSlab
	var kept []lua.LValue
	for i := range 1000 {
		kept = append(kept, slab.get(lua.LNumber(float64(i)/2-100)))
	}
	for i, v := range kept {
		if v != lua.LNumber(float64(i)/2-100) {
			t.Fatalf("number %d became %v", i, v)
		}
	}
	if v := slab.get(lua.LNumber(math.Copysign(0, -1))).(lua.LNumber); !math.Signbit(float64(v)) {
		t.Error("-0 became 0")
	}
}

// TestShortestFloat compares with strconv: the short way for amounts writes the same.
func TestShortestFloat(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewSource(int64(seed.Of(t))))
	check := func(f float64) {
		t.Helper()
		if abs := math.Abs(f); abs > maxSafe || abs != 0 && abs < 1e-6 {
			return // written with an exponent
		}
		if got, want := string(appendFloat(nil, f)), strconv.FormatFloat(f, 'f', -1, 64); got != want {
			t.Fatalf("%b is written as %s, want %s", f, got, want)
		}
	}
	for _, f := range []float64{0, math.Copysign(0, -1), 0.1, -0.01, 0.0001, 0.00009, 0.99995, 0.1 + 0.2, 1.005, 123456.78, 9999999999999.99, 99999999999.9999,
		999999999999999.5, 4503599627370497.5, 1e15 + 0.5, 1234.5, -1234.56 * 0.01, 1e-6} {
		check(f)
		check(math.Nextafter(f, math.Inf(1)))
	}
	for range 200_000 {
		f := float64(rng.Int63n(1<<rng.Intn(54)+1)) / powers[rng.Intn(6)]
		if rng.Intn(2) == 0 {
			f = -f
		}
		check(f)
		check(f * 0.01 * float64(rng.Intn(3)+1) * 100)
		check(math.Nextafter(f, math.Inf(1)))
		check(math.Nextafter(f, math.Inf(-1)))
	}
}

// TestPlain: a string is plain exactly if it is ASCII and written without escapes.
func TestPlain(t *testing.T) {
	t.Parallel()
	for n := range 20 {
		for at := range n {
			for c := range 256 {
				b := []byte(strings.Repeat("a", n))
				b[at] = byte(c)
				want := c < 0x80 && string(appendString(nil, string(b))) == `"`+string(b)+`"`
				if isPlain(string(b)) != want {
					t.Fatalf("%q: plain is %v", b, !want)
				}
			}
		}
	}
	if !isPlain("") {
		t.Error("the empty string is plain")
	}
}

// A method that is called with a dot has lost its object.
func TestMethodWithDot(t *testing.T) {
	b := newBench(t)
	b.eval(`n, d, t, day = int64(5), decimal '0.10', datetime '2026-01-02T03:04:05Z', date '2026-01-02'`)
	for src, want := range map[string]string{
		`n.number()`:     "usage: number is a method: it is called with a colon, int64:number(...), not with a dot",
		`d.round(2)`:     "usage: round is a method: it is called with a colon, decimal:round(...), not with a dot",
		`d.eq()`:         "usage: eq is a method: it is called with a colon, decimal:eq(...), not with a dot",
		`t.unix()`:       "usage: unix is a method: it is called with a colon, datetime:unix(...), not with a dot",
		`t.format('%Y')`: "usage: format is a method: it is called with a colon, datetime:format(...), not with a dot",
		`day.key()`:      "usage: key is a method: it is called with a colon, date:key(...), not with a dot",
	} {
		if _, err := b.try(`return ` + src); text(err) != want {
			t.Errorf("%s\ngot  %s\nwant %s", src, text(err), want)
		}
	}
}

// Strings that share allocations are what they were made of, whatever is made after them, and are others than what they were copied from.
func TestStringSlab(t *testing.T) {
	var slab stringSlab
	var got []lua.LValue
	var want []string
	text := make([]byte, 2*slabLongest)
	for i := range 1000 {
		b := text[:(i*7)%(slabLongest+3)]
		for j := range b {
			b[j] = byte('a' + (i+j)%26)
		}
		got, want = append(got, slab.get(b)), append(want, string(b))
	}
	clear(text)
	runtime.GC()
	seen := map[string]int{}
	for i, v := range got {
		s, ok := v.(lua.LString)
		if !ok || v.Type() != lua.LTString || string(s) != want[i] || v != lua.LString(want[i]) {
			t.Fatalf("%d is %#v, want %q", i, v, want[i])
		}
		seen[string(s)]++
	}
	if len(seen) < 100 {
		t.Errorf("%d different ones", len(seen))
	}
	if n := testing.AllocsPerRun(1000, func() { slab.get([]byte("user_12345")) }); n > 0.5 {
		t.Errorf("%v allocations", n)
	}
}
