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

// durationUnits are what a duration text may have, and their nanoseconds.
var durationUnits = map[string]int64{"ns": 1, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9, "d": 24 * 3600e9, "w": 7 * 24 * 3600e9}

// sizeUnits are what a size text may have, and their bytes.
var sizeUnits = map[string]int64{"": 1, "B": 1, "K": 1 << 10, "KiB": 1 << 10, "M": 1 << 20, "MiB": 1 << 20, "G": 1 << 30, "GiB": 1 << 30, "TiB": 1 << 40,
	"kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}

// Duration reads what scripts give for a duration: seconds, or a text of numbers and units: '10s', '1h30m', '7d', '250ms'. Errors are
// *fault.Error with code usage.
func Duration(v lua.LValue) (time.Duration, error) {
	const hint = "durations are seconds, or texts such as '10s', '1h30m', '7d'; units: ns us ms s m h d w"
	switch x := v.(type) {
	case lua.LNumber:
		if f := float64(x) * 1e9; !math.IsNaN(f) && math.Abs(f) < math.MaxInt64 {
			return time.Duration(math.Round(f)), nil
		}
	case lua.LString:
		if d, ok := ParseDuration(string(x)); ok {
			return d, nil
		}
	}
	return 0, usage(hint, "%s is no duration", fault.Describe(v))
}

// ParseDuration reads a duration text; a bare number is seconds.
func ParseDuration(s string) (time.Duration, bool) {
	rest := strings.TrimSpace(s)
	rest, negative := strings.CutPrefix(rest, "-")
	total := apd.New(0, 0)
	for first := true; first || rest != ""; first = false {
		digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789."))]
		rest = rest[len(digits):]
		unit := rest[:len(rest)-len(strings.TrimLeft(rest, "nuµmshdw"))]
		rest = strings.TrimLeft(rest[len(unit):], " ")
		nanos, known := durationUnits[unit]
		if first && unit == "" && rest == "" {
			nanos, known = 1e9, true
		}
		n, ok := parseDecimal(digits)
		if !known || !ok || digits == "" {
			return 0, false
		}
		c := exactContext()
		if _, err := c.Mul(n, n, apd.New(nanos, 0)); err != nil {
			return 0, false
		}
		if _, err := c.Add(total, total, n); err != nil {
			return 0, false
		}
	}
	total.Negative = negative
	if _, err := exactContext().Quantize(total, total, 0); err != nil {
		return 0, false
	}
	n, err := total.Int64()
	return time.Duration(n), err == nil
}

// Size reads what scripts give for a size: bytes, or a text such as '64MiB' or '1.5GB'. Errors are *fault.Error with code usage.
func Size(v lua.LValue) (int64, error) {
	switch x := v.(type) {
	case lua.LNumber:
		if n, ok := whole(float64(x)); ok && n >= 0 {
			return n, nil
		}
	case lua.LString:
		if n, ok := ParseSize(string(x)); ok {
			return n, nil
		}
	}
	return 0, usage("sizes are bytes, or texts such as '64MiB', '1GB'; units: B KiB MiB GiB TiB kB MB GB TB", "%s is no size", fault.Describe(v))
}

// ParseSize reads a size text; a bare number is bytes.
func ParseSize(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	digits := s[:len(s)-len(strings.TrimLeft(s, "0123456789."))]
	factor, ok := sizeUnits[strings.TrimSpace(s[len(digits):])]
	f, err := strconv.ParseFloat(digits, 64)
	n := f * float64(factor)
	if !ok || err != nil || n != math.Trunc(n) || n > maxSafe {
		return 0, false
	}
	return int64(n), true
}
