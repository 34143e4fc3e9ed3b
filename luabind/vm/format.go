package vm

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// spec is one conversion of string.format: %-08.3f.
type spec struct {
	flags     string
	width     int
	precision int // -1: none
	verb      byte
}

// format(template, ...) -> string
func (m *VM) format(L *lua.LState) int {
	t := str(L, 1)
	var b strings.Builder
	arg := 1
	for i := 0; i < len(t); i++ {
		if t[i] != '%' {
			b.WriteByte(t[i])
			continue
		}
		if i+1 < len(t) && t[i+1] == '%' {
			b.WriteByte('%')
			i++
			continue
		}
		s, n := parseSpec(L, t[i+1:])
		i += n
		arg++
		if arg > L.GetTop() {
			L.ArgError(arg, "no value for '%"+t[i-n+1:i+1]+"' of the format")
		}
		b.WriteString(s.convert(L, arg))
	}
	L.Push(lua.LString(b.String()))
	return 1
}

// parseSpec reads what follows a % and gives its length.
func parseSpec(L *lua.LState, t string) (spec, int) {
	s := spec{precision: -1}
	i := 0
	for i < len(t) && strings.IndexByte("-+ #0", t[i]) >= 0 {
		i++
	}
	s.flags = t[:i]
	digits := func() string {
		from := i
		for i < len(t) && isDigit(t[i]) {
			i++
		}
		if i-from > 2 {
			L.RaiseError("invalid format (width or precision too long)")
		}
		return t[from:i]
	}
	s.width, _ = strconv.Atoi(digits())
	if i < len(t) && t[i] == '.' {
		i++
		s.precision, _ = strconv.Atoi(digits())
	}
	if i >= len(t) {
		L.RaiseError("invalid format string: it ends with '%%%s'", t)
	}
	s.verb = t[i]
	return s, i + 1
}

func (s spec) convert(L *lua.LState, arg int) string {
	switch s.verb {
	case 'd', 'i', 'u', 'o', 'x', 'X':
		return s.integer(L, arg)
	case 'e', 'E', 'f', 'F', 'g', 'G', 'a', 'A':
		return s.float(float64(num(L, arg)))
	case 'c':
		return s.pad(string([]byte{byte(int(num(L, arg)))}))
	case 's':
		v := ToString(L, L.Get(arg))
		if s.precision >= 0 && s.precision < len(v) {
			v = v[:s.precision]
		}
		return s.pad(v)
	case 'q':
		return quote(L, arg)
	}
	L.RaiseError("invalid conversion '%%%s' to 'format'", string(s.verb))
	return ""
}

// verbs gives the directive for Go, which shares C's for numbers.
func (s spec) directive(verb byte) string {
	d := "%" + s.flags
	if s.width > 0 {
		d += strconv.Itoa(s.width)
	}
	if s.precision >= 0 {
		d += "." + strconv.Itoa(s.precision)
	}
	return d + string(verb)
}

// integer cuts off fractions, as Lua 5.1 does.
func (s spec) integer(L *lua.LState, arg int) string {
	f := math.Trunc(float64(num(L, arg)))
	if math.IsNaN(f) || f >= 1<<64 || f < -1<<63 {
		L.ArgError(arg, "number has no integer representation")
	}
	var bits uint64
	if f >= 1<<63 {
		bits = uint64(f)
	} else {
		bits = uint64(int64(f))
	}
	switch s.verb {
	case 'd', 'i':
		if f < 1<<63 {
			return fmt.Sprintf(s.directive('d'), int64(bits))
		}
		return fmt.Sprintf(s.directive('d'), bits)
	case 'u':
		return fmt.Sprintf(s.directive('d'), bits)
	}
	return fmt.Sprintf(s.directive(s.verb), bits)
}

func (s spec) float(f float64) string {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		v := number(f)
		if strings.Contains(s.flags, "+") && v[0] != '-' {
			v = "+" + v
		}
		if 'A' <= s.verb && s.verb <= 'Z' {
			v = strings.ToUpper(v)
		}
		return s.pad(v)
	}
	verb := s.verb
	switch verb {
	case 'a':
		verb = 'x'
	case 'A':
		verb = 'X'
	case 'g', 'G':
		if s.precision < 0 {
			s.precision = 6
		}
		s.precision = max(s.precision, 1)
	}
	return fmt.Sprintf(s.directive(verb), f)
}

// pad fills up to the width, in bytes.
func (s spec) pad(v string) string {
	n := s.width - len(v)
	if n <= 0 {
		return v
	}
	if strings.Contains(s.flags, "-") {
		return v + strings.Repeat(" ", n)
	}
	return strings.Repeat(" ", n) + v
}

// quote writes a value so that Lua reads it again.
func quote(L *lua.LState, arg int) string {
	switch v := L.Get(arg).(type) {
	case lua.LNumber:
		return strconv.FormatFloat(float64(v), 'g', 17, 64)
	case lua.LBool, *lua.LNilType:
		return v.String()
	}
	s := str(L, arg)
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString("\\\n")
		case c == '\r':
			b.WriteString("\\r")
		case c == 0 && (i+1 == len(s) || !isDigit(s[i+1])):
			b.WriteString("\\0")
		case c < 0x20 || c == 0x7f:
			fmt.Fprintf(&b, "\\%03d", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// num is a number argument; strings that are numbers are taken.
func num(L *lua.LState, arg int) lua.LNumber {
	switch v := L.Get(arg).(type) {
	case lua.LNumber:
		return v
	case lua.LString:
		if f, ok := parseNumber(string(v), 10); ok {
			return lua.LNumber(f)
		}
		L.ArgError(arg, fmt.Sprintf("number expected, got the string '%s'", v))
	default:
		L.TypeError(arg, lua.LTNumber)
	}
	return 0
}

// str is a string argument; numbers and error objects are taken.
func str(L *lua.LState, arg int) string {
	v := errorText(L.Get(arg))
	if !lua.LVCanConvToString(v) {
		L.TypeError(arg, lua.LTString)
	}
	return text(v)
}
