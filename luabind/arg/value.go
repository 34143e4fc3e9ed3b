package arg

import (
	"errors"
	"fmt"
	"math"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/record"
)

const (
	// MaxWhole is up to where a Lua number holds every whole number.
	MaxWhole = 1 << 53
	// MaxInt is the limit of whole numbers that have none of their own.
	MaxInt = math.MaxInt32
)

// Whole reads a whole number from low to high.
func Whole(v lua.LValue, low, high int64) (int64, bool) {
	n, ok := v.(lua.LNumber)
	if f := float64(n); !ok || f != math.Trunc(f) || f < float64(low) || f > float64(high) {
		return 0, false
	}
	return int64(n), true
}

func wholeNumber(low, high int64) string {
	switch {
	case low <= -MaxWhole && high >= MaxWhole:
		return "a whole number"
	case high >= MaxInt:
		return fmt.Sprintf("a whole number from %d", low)
	}
	return fmt.Sprintf("a whole number from %d to %d", low, high)
}

var (
	errNoDuration = errors.New("expected a duration like '10s', '1h30m', '7d', or a number of seconds")
	errNegative   = errors.New("expected one that is not negative")
)

// Duration reads a duration: seconds, or a text such as '10s' or '1h30m'. The error says what is expected.
func Duration(v lua.LValue) (time.Duration, error) {
	d, err := record.Duration(v)
	switch {
	case err != nil:
		return 0, errNoDuration
	case d < 0:
		return 0, errNegative
	}
	return d, nil
}

// Items gives the values without names of a table; none of nil.
func Items(t *lua.LTable) []lua.LValue {
	if t == nil {
		return nil
	}
	out := make([]lua.LValue, t.Len())
	for i := range out {
		out[i] = t.RawGetInt(i + 1)
	}
	return out
}
