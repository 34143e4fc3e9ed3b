package fault

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"
)

// Describer is an object of ours that says in messages what it is: the topic orders, a Withdrawal, the int64 12.
type Describer interface{ Describe() string }

// Methodical is an object of ours whose fields are data, also those that have the name of a method.
type Methodical interface{ HasMethod(name string) bool }

// Describe says shortly what a value is, for messages: the string "x", the number 12, a table, the topic orders, nil. Never an address.
func Describe(v lua.LValue) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case lua.LString:
		return "the string " + strconv.Quote(Cut(string(v), 40))
	case lua.LNumber:
		return "the number " + Number(float64(v))
	case lua.LBool:
		return v.String()
	case *lua.LUserData:
		if d, ok := v.Value.(Describer); ok {
			return d.Describe()
		}
		return "an object"
	}
	if v == lua.LNil {
		return "nil"
	}
	return Article(v.Type().String())
}

// Quote writes what a script used as a name.
func Quote(v lua.LValue) string {
	if s, ok := v.(lua.LString); ok {
		return "'" + Cut(string(s), 60) + "'"
	}
	return Describe(v)
}

// Article puts a or an before a name.
func Article(name string) string {
	if name != "" && strings.ContainsRune("AEIOaeio", rune(name[0])) {
		return "an " + name
	}
	return "a " + name
}

// Cut shortens text to at most n bytes, at a character, and says so with an ellipsis.
func Cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// DidYouMean is the hint for an unknown name: the nearest known one, and all of them.
func DidYouMean(name string, known []string) string {
	if len(known) == 0 {
		return "there is none"
	}
	list := "known: " + strings.Join(known, ", ")
	if best := Suggest(name, known); best != "" {
		return "did you mean '" + best + "'?  " + list
	}
	return list
}

// Number writes a number as a reader expects it: 3, 0.5, 1e+30, NaN, inf.
func Number(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case f == math.Trunc(f) && math.Abs(f) <= 1<<53: // beyond, the digits would not be those that were meant
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}
