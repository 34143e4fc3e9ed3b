package record

import (
	"fmt"
	"time"

	"faust/luabind/fault"

	lua "github.com/yuin/gopher-lua"
)

// Date is what a Lua date value holds: a day of the calendar, without time and zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day) }

// days since 1970-01-01.
func (d Date) days() int64 { return civilDays(d.Year, int(d.Month), d.Day) }

func (d Date) time() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }

func dateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// NewDate makes a date value.
func (g *Registry) NewDate(d Date) lua.LValue { return newUserData(d, g.dateMT) }

// ParseDate makes a date value of a text such as 2026-11-23 or of a datetime (its day in UTC).
func (g *Registry) ParseDate(v lua.LValue) (lua.LValue, error) {
	if ud, ok := v.(*lua.LUserData); ok {
		if t, ok := ud.Value.(Datetime); ok {
			return g.NewDate(dateOf(t.Time)), nil
		}
	}
	d, p := (&typ{kind: kDate}).acceptDate(v)
	if p != nil {
		return nil, invalid("", "not a date: it %s", p.what)
	}
	return g.NewDate(d), nil
}

// two reads two digits at i, -1 if they are none.
func two(b []byte, i int) int {
	if !isDigit(b, i) || !isDigit(b, i+1) {
		return -1
	}
	return int(b[i]-'0')*10 + int(b[i+1]-'0')
}

// parseDate reads exactly YYYY-MM-DD.
func parseDate(b []byte) (Date, bool) {
	if len(b) != 10 || b[4] != '-' || b[7] != '-' {
		return Date{}, false
	}
	c, y, m, d := two(b, 0), two(b, 2), two(b, 5), two(b, 8)
	if c < 0 || y < 0 || m < 1 || m > 12 || d < 1 || d > daysIn(c*100+y, m) {
		return Date{}, false
	}
	return Date{c*100 + y, time.Month(m), d}, true
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// civilDays counts the days from 1970-01-01 to a day of the Gregorian calendar, with March as a year's first month so that the leap
// day comes last.
func civilDays(y, m, d int) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400
	if y < 0 {
		era = (y - 399) / 400
	}
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int64(era)*146097 + int64(doe) - 719468
}

// dateArg gives argument i as a date, for methods and metamethods.
func dateArg(L *lua.LState, i int, op string) (Date, error) {
	d, p := (&typ{kind: kDate}).acceptDate(L.Get(i))
	if p != nil {
		return Date{}, invalid("", "date %s %s: expected a date", op, fault.Describe(L.Get(i)))
	}
	return d, nil
}

func compareDate(op string, f func(a, b int64) bool) func(*lua.LState) (lua.LValue, error) {
	return func(L *lua.LState) (lua.LValue, error) {
		a, err := dateArg(L, 1, op)
		if err != nil {
			return nil, err
		}
		b, err := dateArg(L, 2, op)
		return lua.LBool(err == nil && f(a.days(), b.days())), err
	}
}

// addDays is date + n and date - n.
func (g *Registry) addDays(sign int64, op string) func(*lua.LState) (lua.LValue, error) {
	return func(L *lua.LState) (lua.LValue, error) {
		a, b := L.Get(1), L.Get(2)
		if _, ok := a.(lua.LNumber); ok && sign > 0 {
			a, b = b, a
		}
		d, p := (&typ{kind: kDate}).acceptDate(a)
		if p != nil || a.Type() != lua.LTUserData {
			return nil, invalid("", "cannot calculate %s %s %s", fault.Describe(L.Get(1)), op, fault.Describe(L.Get(2)))
		}
		if n, ok := int64Of(b); ok {
			to := d.time().AddDate(0, 0, int(max(min(n, 4e6), -4e6)*sign))
			if to.Year() < 0 || to.Year() > 9999 {
				return nil, invalid("", "date %s %d days is outside the years 0 to 9999", op, n)
			}
			return g.NewDate(dateOf(to)), nil
		}
		if other, p := (&typ{kind: kDate}).acceptDate(b); p == nil && sign < 0 {
			return lua.LNumber(d.days() - other.days()), nil
		}
		return nil, invalid("a date takes whole days:  d + 7", "date %s %s", op, fault.Describe(b))
	}
}

func (g *Registry) newDateMeta(L *lua.LState) *lua.LTable {
	text := func(L *lua.LState) (lua.LValue, error) {
		d, err := dateArg(L, 1, "text")
		return lua.LString(d.String()), err
	}
	eq := compareDate("==", func(a, b int64) bool { return a == b })
	lt := compareDate("<", func(a, b int64) bool { return a < b })
	le := compareDate("<=", func(a, b int64) bool { return a <= b })
	mt := g.metatable(L, "date", map[string]func(*lua.LState) (lua.LValue, error){
		"__eq": eq, "__lt": lt, "__le": le, "__tostring": text, "__concat": g.concat,
		"__add": g.addDays(1, "+"), "__sub": g.addDays(-1, "-"),
	})
	g.members(L, mt, "date", map[string]func(*lua.LState) (lua.LValue, error){
		"eq": eq, "lt": lt, "le": le, "key": text,
		"format": func(L *lua.LState) (lua.LValue, error) {
			d, err := dateArg(L, 1, "format")
			if err != nil {
				return nil, err
			}
			if L.Get(3) != lua.LNil {
				return nil, usage("date:datetime() gives its midnight in UTC", "format: a date has no time zone")
			}
			return formatArg(L, d.time(), d.String())
		},
		"datetime": func(L *lua.LState) (lua.LValue, error) {
			d, err := dateArg(L, 1, "datetime")
			return g.NewDatetime(d.time()), err
		},
	}, map[string]func(any) lua.LValue{
		"year":    func(v any) lua.LValue { return lua.LNumber(v.(Date).Year) },
		"month":   func(v any) lua.LValue { return lua.LNumber(v.(Date).Month) },
		"day":     func(v any) lua.LValue { return lua.LNumber(v.(Date).Day) },
		"weekday": func(v any) lua.LValue { return lua.LNumber((v.(Date).time().Weekday()+6)%7 + 1) },
	})
	return mt
}
