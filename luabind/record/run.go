package record

import (
	"encoding/binary"
	"math/bits"
)

// quick says how a field's values are scanned without detour.
type quick uint8

const (
	quickNone     quick = iota
	quickString         // every string is right
	quickDatetime       // RFC 3339
	quickFloat          // every number is right
	quickInt            // every whole number of 64 bits
)

// quick is that of fields of the type.
func (t *typ) quick() quick {
	switch {
	case t.limits != nil || t.choices != nil:
		return quickNone
	case t.kind == kString:
		return quickString
	case t.kind == kDatetime && t.format == formatRFC3339:
		return quickDatetime
	case t.kind == kFloat:
		return quickFloat
	case t.kind == kInt || t.kind == kInt64:
		return quickInt
	}
	return quickNone
}

// run scans what most messages are made of, from the member whose name is at b[i] on: the declared fields in their order, from number next on, as
// compact JSON or with a space after colons and commas. It stops before the first member that is otherwise: after is the field that is expected
// next, end the place after the last value.
func (s *Schema) run(b []byte, i, next int, slots []slot, depth int) (after, end int, p *problem) {
	for ; next < len(s.fields); next++ {
		f := &s.fields[next]
		at := i + len(f.token)
		if at >= len(b) || string(b[i:at]) != string(f.token) {
			break
		}
		if b[at] <= ' ' {
			if at = skipSpace(b, at); at == len(b) {
				break
			}
		}
		if end, p = s.scanField(b, at, next, &slots[next], depth); p != nil {
			return 0, 0, p
		}
		if end >= len(b) || b[end] != ',' {
			return next + 1, end, nil
		}
		if i = end + 1; i < len(b) && b[i] == ' ' {
			i++
		}
	}
	return next, end, nil
}

// scan fills a slot with the value at b[i] and gives the place after it; -1: it is not as usual, or wrong.
func (q quick) scan(b []byte, i int, to *slot) int {
	switch q {
	case quickString, quickDatetime:
		if b[i] != '"' {
			return -1
		}
		end := plainString(b, i+1)
		if end < 0 {
			return -1
		}
		if q == quickDatetime {
			if _, _, ok := parseTime(b[i+1 : end]); !ok {
				return -1
			}
		}
		to.off, to.end, to.kind = uint32(i+1), uint32(end), jString
		return end + 1
	case quickFloat, quickInt:
		end, kind := plainNumber(b, i)
		if end < 0 || q == quickInt && (kind != jInteger || end-i > maxShort) {
			return -1
		}
		to.off, to.end, to.kind = uint32(i), uint32(end), kind
		return end
	}
	return -1
}

// plainString gives the place of the quote that ends the string whose first byte is b[i]; -1: something else than plain ASCII comes first. It and plainNumber
// are scanString and scanNumber without what is seldom there: a message takes a fifth less than with those.
func plainString(b []byte, i int) int {
	for {
		m := special(eight(b, i))
		if m == 0 {
			i += 8
			continue
		}
		if i += bits.TrailingZeros64(m) >> 3; i < len(b) && b[i] == '"' {
			return i
		}
		return -1
	}
}

// eight gives the eight bytes from b[i] on, with zeros for those behind the end.
func eight(b []byte, i int) uint64 {
	rest := len(b) - i
	switch {
	case rest >= 8:
		return binary.LittleEndian.Uint64(b[i:])
	case rest <= 0 || len(b) < 8:
		return 0
	}
	return binary.LittleEndian.Uint64(b[len(b)-8:]) >> (8 * (8 - rest))
}

// special looks at eight bytes of a string: the lowest high bit marks the first byte that is a quote, a backslash, a control character or not ASCII.
func special(w uint64) uint64 {
	return ((w - ones*0x20) | ((w ^ ones*'"') - ones) | ((w ^ ones*'\\') - ones) | w) & highs
}

// plainNumber gives the place after the number at b[i]; -1: it has an exponent, is very long or none.
func plainNumber(b []byte, i int) (end int, kind jsonKind) {
	start := i
	if b[i] == '-' {
		i++
	}
	first := i
	for isDigit(b, i) {
		i++
	}
	if i == first || b[first] == '0' && i > first+1 {
		return -1, 0
	}
	kind = jInteger
	if i < len(b) && b[i] == '.' {
		kind = jNumber
		i++
		point := i
		for isDigit(b, i) {
			i++
		}
		if i == point {
			return -1, 0
		}
	}
	if i-start >= maxPlain || i < len(b) && b[i]|0x20 == 'e' {
		return -1, 0
	}
	return i, kind
}
