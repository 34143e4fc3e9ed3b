package record

import (
	"bytes"
	"cmp"
	"math"
	"strconv"
	"unsafe"

	"github.com/cockroachdb/apd/v3"
)

// maxSafe is the largest whole number up to which every whole number is a Lua number.
const maxSafe = 1 << 53

// powers are the powers of ten that a double holds exactly.
var powers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
	1e21, 1e22}

// parseFloat gives the double nearest to a checked JSON number; ok is false if it is too large for one. A mantissa below 2^53 with at most 22 decimals
// is exact by one division, because both operands are.
func parseFloat(b []byte) (f float64, ok bool) {
	i, negative := 0, false
	if b[0] == '-' {
		i, negative = 1, true
	}
	var mantissa uint64
	point := -1
	for ; i < len(b); i++ {
		c := b[i] - '0'
		if c > 9 {
			if b[i] != '.' {
				return parseSlow(b)
			}
			point = i
			continue
		}
		mantissa = mantissa*10 + uint64(c)
		if mantissa >= maxSafe {
			return parseSlow(b)
		}
	}
	f = float64(mantissa)
	if point >= 0 {
		decimals := len(b) - 1 - point
		if decimals >= len(powers) {
			return parseSlow(b)
		}
		f /= powers[decimals]
	}
	if negative {
		f = -f
	}
	return f, true
}

func parseSlow(b []byte) (float64, bool) {
	f, err := strconv.ParseFloat(unsafe.String(&b[0], len(b)), 64) // does not keep the text
	return f, err == nil
}

// parseInt gives the value of a checked JSON number that is whole and fits 64 bits: 12, -3, and 1e3 or 2.0 as well.
func parseInt(b []byte, kind jsonKind) (int64, bool) {
	if kind == jInteger {
		if len(b) <= maxShort {
			return smallInt(b), true
		}
		n, err := strconv.ParseInt(string(b), 10, 64)
		return n, err == nil
	}
	if len(b) >= maxPlain { // what follows takes a time that grows with the square of the length
		return 0, false
	}
	f, ok := parseFloat(b)
	if !ok || math.Abs(f) > 1<<63 || f != math.Trunc(f) {
		return 0, false
	}
	if f == 0 { // 0.0, or too small for a double
		digits, _, _ := bytes.Cut(bytes.ToLower(b), []byte("e"))
		return 0, !bytes.ContainsAny(digits, "123456789")
	}
	d, _, err := apd.NewFromString(string(b))
	if err != nil {
		return 0, false
	}
	d.Reduce(d)
	n, err := d.Int64()
	return n, err == nil
}

// maxShort is the length up to which a whole number certainly has 64 bits.
const maxShort = 18

// smallInt reads at most maxShort characters of sign and digits.
func smallInt(b []byte) int64 {
	negative := b[0] == '-'
	if negative {
		b = b[1:]
	}
	var n int64
	for _, c := range b {
		n = n*10 + int64(c-'0')
	}
	if negative {
		return -n
	}
	return n
}

// safe tells whether n is a Lua number without loss.
func safe(n int64) bool { return n >= -maxSafe && n <= maxSafe }

// compareWhole compares a whole number with a double, exactly: -1, 0 or 1.
func compareWhole(n int64, f float64) int {
	switch below := math.Floor(f); {
	case f >= 1<<63:
		return -1
	case f < -1<<63:
		return 1
	case n == int64(below) && below < f:
		return -1
	default:
		return cmp.Compare(n, int64(below))
	}
}

// whole gives the integer that a Lua number is; ok is false for fractions and beyond 2^53, where a number may have been rounded before.
func whole(f float64) (int64, bool) {
	if f != math.Trunc(f) || math.Abs(f) > maxSafe {
		return 0, false
	}
	return int64(f), true
}

// appendFloat writes a finite number as short as it can be read back. Beyond 2^53 it has an exponent, so that nobody takes its digits for exact.
func appendFloat(buf []byte, f float64) []byte {
	if n := int64(f); n != 0 && float64(n) == f && n >= -maxSafe && n <= maxSafe {
		return strconv.AppendInt(buf, n, 10)
	}
	if abs := math.Abs(f); abs != 0 && abs < 1e-6 || abs > maxSafe {
		return strconv.AppendFloat(buf, f, 'e', -1, 64)
	}
	for _, places := range [...]int{2, 4} {
		if out, ok := appendPlaces(buf, f, places); ok {
			return out
		}
	}
	return strconv.AppendFloat(buf, f, 'f', -1, 64)
}

// maxDigits is how many digits a decimal may have so that no other one with as few is read as the same double.
const maxDigits = 1e15

// appendPlaces writes a number that is a decimal with at most so many places and fewer than 16 digits, as amounts are. Such a decimal is the
// shortest text of its double, since there is only one; the division gives the double nearest to it, because both operands are exact.
func appendPlaces(buf []byte, f float64, places int) ([]byte, bool) {
	scaled := math.Abs(f) * powers[places]
	if scaled >= maxDigits {
		return buf, false
	}
	digits := uint64(scaled + 0.5)
	if digits == 0 || float64(digits)/powers[places] != math.Abs(f) {
		return buf, false
	}
	if f < 0 {
		buf = append(buf, '-')
	}
	for places > 0 && digits%10 == 0 {
		digits /= 10
		places--
	}
	var text [len(powers)]byte
	for i := places - 1; i >= 0; i-- {
		text[i] = '0' + byte(digits%10)
		digits /= 10
	}
	buf = strconv.AppendUint(buf, digits, 10)
	if places > 0 {
		buf = append(append(buf, '.'), text[:places]...)
	}
	return buf, true
}
