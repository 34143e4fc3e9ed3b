package record

import (
	"fmt"
	"math"
	"strconv"
)

// milliFrom is the number from which on a time that is a number counts as milliseconds since 1970 instead of seconds: the year 5138 as seconds.
const milliFrom = 1e11

// Moment gives what reads the time in a field of encoded messages, in milliseconds since 1970: a datetime or date, a text like one, or a number of seconds or
// milliseconds since 1970. The error says why there is no time in messages of that codec.
func Moment(c Codec, field string) (func(raw []byte) (at int64, known bool), error) {
	format, numbers := formatRFC3339, true
	switch c := c.(type) {
	case jsonCodec:
	case recordCodec:
		f := c.s.Index(field)
		if f < 0 {
			return nil, fmt.Errorf("%s has no field '%s'", c.s.Name, field)
		}
		t := c.s.fields[f].typ
		switch t.kind {
		case kDatetime:
			format, numbers = t.format, false
		case kDate, kString, kInt, kInt64, kFloat, kAny:
		default:
			return nil, fmt.Errorf("field '%s' of %s is of type %s, which is no time", field, c.s.Name, t)
		}
	default:
		return nil, fmt.Errorf("messages of type %s have no fields", c.Name())
	}
	return func(raw []byte) (int64, bool) {
		text, kind, ok := member(raw, field)
		if !ok {
			return 0, false
		}
		if kind.number() && (numbers || format != formatRFC3339) {
			if numbers {
				return momentOfNumber(text)
			}
			t, ok := unixTime(text, format)
			return t.UnixMilli(), ok
		}
		if kind != jString && kind != jEscaped {
			return 0, false
		}
		text = plain(text, kind)
		if d, ok := parseDate(text); ok {
			return d.time().UnixMilli(), true
		}
		sec, nsec, ok := parseTime(text)
		return sec*1000 + int64(nsec)/1e6, ok
	}, nil
}

func momentOfNumber(text []byte) (int64, bool) {
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.Abs(f) > 1e15 {
		return 0, false
	}
	if math.Abs(f) < milliFrom {
		f *= 1000
	}
	return int64(math.Floor(f)), true
}

// member finds a member of the object that is all of b: the text of a string, or the value as it is.
func member(b []byte, name string) (text []byte, kind jsonKind, found bool) {
	i := skipSpace(b, 0)
	if i >= len(b) || b[i] != '{' {
		return nil, 0, false
	}
	i, closed, p := opening(b, i, '}', 0)
	for !closed && p == nil {
		var key []byte
		var k jsonKind
		if key, k, i, p = scanKey(b, i); p != nil {
			break
		}
		start := i
		if i, kind, p = skipValue(b, i, 1); p != nil {
			break
		}
		if string(plain(key, k)) == name {
			if text = b[start:i]; kind == jString || kind == jEscaped {
				text = text[1 : len(text)-1]
			}
			return text, kind, true
		}
		i, closed, p = element(b, i, '}')
	}
	return nil, 0, false
}
