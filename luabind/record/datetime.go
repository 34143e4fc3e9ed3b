package record

import (
	"math"
	"strconv"
	"strings"
	"time"

	"faust/luabind/fault"

	"github.com/cockroachdb/apd/v3"
	lua "github.com/yuin/gopher-lua"
)

// Datetime is what a Lua datetime value holds: a point in time to the nanosecond, in UTC.
type Datetime struct{ Time time.Time }

// String writes it as RFC 3339 in UTC, with as many decimals as it needs.
func (d Datetime) String() string { return d.Time.Format(time.RFC3339Nano) }

// NewDatetime makes a datetime value.
func (g *Registry) NewDatetime(t time.Time) lua.LValue {
	return newUserData(Datetime{t.UTC().Round(0)}, g.timeMT)
}

// ParseDatetime makes a datetime value of a text (RFC 3339; without zone it is UTC; a date alone is its midnight), a number (seconds since 1970), a date or a
// datetime: time.parse.
func (g *Registry) ParseDatetime(v lua.LValue) (lua.LValue, error) {
	switch x := v.(type) {
	case lua.LNumber:
		if t, ok := unixTime([]byte(strconv.FormatFloat(float64(x), 'f', -1, 64)), formatUnix); ok && !math.IsNaN(float64(x)) {
			return g.NewDatetime(t), nil
		}
	case lua.LString:
		if d, ok := parseDate([]byte(x)); ok {
			return g.NewDatetime(d.time()), nil
		}
		if d, ok := timeOf([]byte(x)); ok {
			return g.NewDatetime(d.Time), nil
		}
	case *lua.LUserData:
		switch x := x.Value.(type) {
		case Datetime:
			return v, nil
		case Date:
			return g.NewDatetime(x.time()), nil
		}
	}
	return nil, invalid("a text such as '2026-11-23T18:00:00Z', or seconds since 1970", "%s is no datetime", fault.Describe(v))
}

// firstSecond and lastSecond are those of the years that can be written.
const firstSecond, lastSecond = -62167219200, 253402300799

func timeOf(b []byte) (Datetime, bool) {
	sec, nsec, ok := parseTime(b)
	return Datetime{time.Unix(sec, int64(nsec)).UTC()}, ok
}

// parseTime reads YYYY-MM-DDTHH:MM:SS with an optional fraction and zone: RFC 3339, and what others write as well: a space for the T, +0100, and no
// zone at all, which is UTC.
func parseTime(b []byte) (sec int64, nsec int32, ok bool) {
	if len(b) < 19 || b[13] != ':' || b[16] != ':' || b[10] != 'T' && b[10] != 't' && b[10] != ' ' {
		return 0, 0, false
	}
	d, ok := parseDate(b[:10])
	h, m, s := two(b, 11), two(b, 14), two(b, 17)
	if !ok || h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 60 || s == 60 && m != 59 { // 60: a leap second
		return 0, 0, false
	}
	sec = d.days()*86400 + int64(h)*3600 + int64(m)*60 + int64(s)
	i := 19
	if i < len(b) && (b[i] == '.' || b[i] == ',') {
		scale := int32(100_000_000)
		for i++; isDigit(b, i); i++ {
			nsec += int32(b[i]-'0') * scale
			scale /= 10
		}
		if !isDigit(b, i-1) {
			return 0, 0, false
		}
	}
	offset, ok := parseZone(b[i:])
	sec -= offset
	return sec, nsec, ok && sec >= firstSecond && sec <= lastSecond
}

// parseZone reads Z, +01:00, +0100, +01 or nothing.
func parseZone(b []byte) (seconds int64, ok bool) {
	if len(b) == 0 || len(b) == 1 && b[0]|0x20 == 'z' {
		return 0, true
	}
	if b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	h, m := two(b, 1), 0
	switch {
	case len(b) == 6 && b[3] == ':':
		m = two(b, 4)
	case len(b) == 5:
		m = two(b, 3)
	case len(b) != 3:
		return 0, false
	}
	if h < 0 || h > 23 || m < 0 || m > 59 {
		return 0, false
	}
	seconds = int64(h)*3600 + int64(m)*60
	if b[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// unixTime reads a number of seconds (or parts of them) since 1970, exactly.
func unixTime(b []byte, format timeFormat) (time.Time, bool) {
	shift := [...]int32{formatUnix: 9, formatUnixMilli: 6, formatUnixMicro: 3, formatUnixNano: 0}[format]
	d, ok := parseDecimal(string(b))
	if !ok {
		return time.Time{}, false
	}
	d.Exponent += shift
	var nanos, rest apd.Decimal
	d.Modf(&nanos, &rest) // parts of a nanosecond are dropped
	nanos.Reduce(&nanos)
	if nanos.Exponent < 0 {
		return time.Time{}, false
	}
	var quo, rem apd.Decimal
	c := exactContext()
	if _, err := c.QuoInteger(&quo, &nanos, apd.New(1e9, 0)); err != nil {
		return time.Time{}, false
	}
	if _, err := c.Rem(&rem, &nanos, apd.New(1e9, 0)); err != nil {
		return time.Time{}, false
	}
	sec, err := quo.Int64()
	nsec, err2 := rem.Int64()
	t := time.Unix(sec, nsec).UTC()
	return t, err == nil && err2 == nil && inRange(t)
}

// inRange tells whether a time can be written: RFC 3339 has four digits for the year.
func inRange(t time.Time) bool { return t.Year() >= 0 && t.Year() <= 9999 }

// appendJSON appends the datetime in a field's format. Parts of the unit are kept as decimals.
func (d Datetime) appendJSON(buf []byte, format timeFormat) []byte {
	if format == formatRFC3339 {
		return append(d.Time.AppendFormat(append(buf, '"'), time.RFC3339Nano), '"')
	}
	n := apd.New(d.Time.Unix(), 0)
	_, _ = exactContext().Add(n, n, apd.New(int64(d.Time.Nanosecond()), -9)) // cannot exceed the precision
	n.Exponent += [...]int32{formatUnix: 0, formatUnixMilli: 3, formatUnixMicro: 6, formatUnixNano: 9}[format]
	n.Reduce(n)
	return append(buf, n.Text('f')...)
}

// timeArg gives argument i as a datetime.
func timeArg(L *lua.LState, i int, op string) (time.Time, error) {
	d, p := (&typ{kind: kDatetime}).acceptTime(L.Get(i))
	if p != nil {
		return time.Time{}, invalid(p.tip, "datetime %s %s: expected a datetime", op, fault.Describe(L.Get(i)))
	}
	return d.Time, nil
}

func compareTime(op string, f func(c int) bool) func(*lua.LState) (lua.LValue, error) {
	return func(L *lua.LState) (lua.LValue, error) {
		a, err := timeArg(L, 1, op)
		if err != nil {
			return nil, err
		}
		b, err := timeArg(L, 2, op)
		return lua.LBool(err == nil && f(a.Compare(b))), err
	}
}

// shiftTime is datetime + duration, duration + datetime and datetime - duration.
func (g *Registry) shiftTime(a, b lua.LValue, sign time.Duration, op string) (lua.LValue, error) {
	ud, ok := a.(*lua.LUserData)
	if !ok {
		return nil, invalid("", "cannot calculate %s %s %s", fault.Describe(a), op, fault.Describe(b))
	}
	t, ok := ud.Value.(Datetime)
	if !ok {
		return nil, invalid("", "cannot calculate %s %s %s", fault.Describe(a), op, fault.Describe(b))
	}
	d, err := Duration(b)
	if err != nil {
		return nil, invalid("durations are seconds or '10s', '1h30m', '7d'", "datetime %s %s: expected a duration", op, fault.Describe(b))
	}
	to := t.Time.Add(sign * d)
	if !inRange(to) {
		return nil, invalid("", "datetime %s %s is outside the years 0 to 9999", op, fault.Describe(b))
	}
	return g.NewDatetime(to), nil
}

func (g *Registry) addTime(L *lua.LState) (lua.LValue, error) {
	a, b := L.Get(1), L.Get(2)
	if a.Type() != lua.LTUserData {
		a, b = b, a
	}
	return g.shiftTime(a, b, 1, "+")
}

// subTime is datetime - datetime, in seconds, and datetime - duration.
func (g *Registry) subTime(L *lua.LState) (lua.LValue, error) {
	if ud, ok := L.Get(2).(*lua.LUserData); ok {
		if b, ok := ud.Value.(Datetime); ok {
			a, err := timeArg(L, 1, "-")
			if err != nil {
				return nil, err
			}
			seconds := a.Unix() - b.Time.Unix()
			return lua.LNumber(float64(seconds) + float64(a.Nanosecond()-b.Time.Nanosecond())/1e9), nil
		}
	}
	return g.shiftTime(L.Get(1), L.Get(2), -1, "-")
}

// formatArg is d:format(layout, zone): layout as of os.date; without one text.
func formatArg(L *lua.LState, t time.Time, text string) (lua.LValue, error) {
	layout, ok := L.Get(2).(lua.LString)
	if L.Get(2) == lua.LNil {
		return lua.LString(text), nil
	}
	if !ok {
		return nil, usage("write  d:format '%Y-%m-%d %H:%M'", "format got %s, expected a layout", fault.Describe(L.Get(2)))
	}
	switch zone := L.Get(3).(type) {
	case *lua.LNilType:
	case lua.LString:
		loc, err := time.LoadLocation(string(zone))
		if err != nil {
			return nil, usage("names are such as 'Europe/Oslo' and 'UTC'", "unknown time zone '%s'", string(zone))
		}
		t = t.In(loc)
	default:
		return nil, usage("names are such as 'Europe/Oslo' and 'UTC'", "format got %s, expected a time zone", fault.Describe(zone))
	}
	s, bad := strftime(t, string(layout))
	if bad != 0 {
		return nil, usage("known: %Y %m %d %H %M %S %y %j %b %B %a %A %p %I %L %f %z %Z %s %F %T %%", "format has the unknown directive '%%%c'", bad)
	}
	return lua.LString(s), nil
}

// strftime writes t; bad is a directive that is unknown.
func strftime(t time.Time, layout string) (s string, bad rune) {
	layouts := map[rune]string{'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'y': "06", 'j': "002", 'b': "Jan", 'B': "January",
		'a': "Mon", 'A': "Monday", 'p': "PM", 'I': "03", 'z': "-0700", 'Z': "MST", 'F': "2006-01-02", 'T': "15:04:05"}
	var out strings.Builder
	directive := false
	for _, r := range layout {
		switch {
		case !directive && r == '%':
			directive = true
			continue
		case !directive || r == '%':
			out.WriteRune(r)
		case r == 'L':
			out.WriteString(t.Format(".000")[1:])
		case r == 'f':
			out.WriteString(t.Format(".000000")[1:])
		case r == 's':
			out.WriteString(strconv.FormatInt(t.Unix(), 10))
		case layouts[r] != "":
			out.WriteString(t.Format(layouts[r]))
		default:
			return "", r
		}
		directive = false
	}
	if directive {
		out.WriteByte('%')
	}
	return out.String(), 0
}

func (g *Registry) newDatetimeMeta(L *lua.LState) *lua.LTable {
	method := func(name string, f func(L *lua.LState, t time.Time) (lua.LValue, error)) func(*lua.LState) (lua.LValue, error) {
		return func(L *lua.LState) (lua.LValue, error) {
			t, err := timeArg(L, 1, name)
			if err != nil {
				return nil, err
			}
			return f(L, t)
		}
	}
	text := method("text", func(_ *lua.LState, t time.Time) (lua.LValue, error) { return lua.LString(Datetime{t}.String()), nil })
	eq := compareTime("==", func(c int) bool { return c == 0 })
	lt := compareTime("<", func(c int) bool { return c < 0 })
	le := compareTime("<=", func(c int) bool { return c <= 0 })
	mt := g.metatable(L, "datetime", map[string]func(*lua.LState) (lua.LValue, error){
		"__eq": eq, "__lt": lt, "__le": le, "__tostring": text, "__concat": g.concat, "__add": g.addTime, "__sub": g.subTime,
	})
	g.members(L, mt, "datetime", map[string]func(*lua.LState) (lua.LValue, error){
		"eq": eq, "lt": lt, "le": le, "key": text,
		"format": method("format", func(L *lua.LState, t time.Time) (lua.LValue, error) { return formatArg(L, t, Datetime{t}.String()) }),
		"unix": method("unix", func(_ *lua.LState, t time.Time) (lua.LValue, error) {
			return lua.LNumber(float64(t.Unix()) + float64(t.Nanosecond())/1e9), nil
		}),
		"unix_ms": method("unix_ms", func(_ *lua.LState, t time.Time) (lua.LValue, error) { return lua.LNumber(t.UnixMilli()), nil }),
		"date":    method("date", func(_ *lua.LState, t time.Time) (lua.LValue, error) { return g.NewDate(dateOf(t)), nil }),
	}, map[string]func(any) lua.LValue{
		"year":    func(v any) lua.LValue { return lua.LNumber(v.(Datetime).Time.Year()) },
		"month":   func(v any) lua.LValue { return lua.LNumber(v.(Datetime).Time.Month()) },
		"day":     func(v any) lua.LValue { return lua.LNumber(v.(Datetime).Time.Day()) },
		"hour":    func(v any) lua.LValue { return lua.LNumber(v.(Datetime).Time.Hour()) },
		"min":     func(v any) lua.LValue { return lua.LNumber(v.(Datetime).Time.Minute()) },
		"sec":     func(v any) lua.LValue { return lua.LNumber(v.(Datetime).Time.Second()) },
		"nsec":    func(v any) lua.LValue { return lua.LNumber(v.(Datetime).Time.Nanosecond()) },
		"weekday": func(v any) lua.LValue { return lua.LNumber((v.(Datetime).Time.Weekday()+6)%7 + 1) },
	})
	return mt
}
