package record

import (
	"math"
	"strconv"

	"faust/luabind/fault"

	lua "github.com/yuin/gopher-lua"
)

// Int64 is what a Lua int64 value holds: a whole number beyond 2^53 keeps its digits. It calculates with its own kind and with whole numbers; overflow and
// division that leaves a rest raise.
type Int64 int64

func (n Int64) String() string { return strconv.FormatInt(int64(n), 10) }

// NewInt64 makes an int64 value.
func (g *Registry) NewInt64(n int64) lua.LValue { return newUserData(Int64(n), g.int64MT) }

// ParseInt64 makes an int64 value of a text of digits, a whole number or an int64: int64.new '9007199254740993'.
func (g *Registry) ParseInt64(v lua.LValue) (lua.LValue, error) {
	if n, ok := int64Of(v); ok {
		return g.NewInt64(n), nil
	}
	if s, ok := v.(lua.LString); ok {
		if n, err := strconv.ParseInt(string(s), 10, 64); err == nil {
			return g.NewInt64(n), nil
		}
	}
	hint := ""
	if v.Type() == lua.LTNumber {
		hint = "beyond 2^53 a Lua number is not exact; give the digits as text:  int64.new '9007199254740993'"
	}
	return nil, invalid(hint, "%s is no int64", fault.Describe(v))
}

// operands gives both numbers of an operation, one of which may be a plain whole number.
func operands(L *lua.LState, op string) (a, b int64, err error) {
	a, okA := int64Of(L.Get(1))
	b, okB := int64Of(L.Get(2))
	if okA && okB {
		return a, b, nil
	}
	other := L.Get(1)
	if okA {
		other = L.Get(2)
	}
	hint := "n:number() gives a Lua number, n:decimal() an exact fraction"
	return 0, 0, invalid(hint, "int64 %s %s: an int64 calculates with int64 and whole numbers", op, fault.Describe(other))
}

// arithInt64 makes a metamethod of an operation that says whether its result fits.
func (g *Registry) arithInt64(op string, f func(a, b int64) (int64, bool)) func(*lua.LState) (lua.LValue, error) {
	return func(L *lua.LState) (lua.LValue, error) {
		a, b, err := operands(L, op)
		if err != nil {
			return nil, err
		}
		n, ok := f(a, b)
		if !ok && b == 0 && (op == "/" || op == "%") {
			return nil, invalid("", "int64 %s 0: division by zero", op)
		}
		if !ok && op == "/" && a%b != 0 {
			return nil, invalid("n:div(m) drops the rest, n:decimal() / m keeps it", "%d / %d is no whole number", a, b)
		}
		if !ok {
			return nil, invalid("n:decimal() has no such limit", "%d %s %d does not fit 64 bits", a, op, b)
		}
		return g.NewInt64(n), nil
	}
}

func addInt64(a, b int64) (int64, bool) { c := a + b; return c, (c > a) == (b > 0) }
func subInt64(a, b int64) (int64, bool) { c := a - b; return c, (c < a) == (b > 0) }

func mulInt64(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	c := a * b
	return c, c/b == a && (a != -1 || b != math.MinInt64) && (b != -1 || a != math.MinInt64)
}

func divInt64(a, b int64) (int64, bool) {
	if b == 0 || a == math.MinInt64 && b == -1 || a%b != 0 {
		return 0, false
	}
	return a / b, true
}

// floorDiv divides as Lua's % expects: rounded down.
func floorDiv(a, b int64) (int64, bool) {
	if b == 0 || a == math.MinInt64 && b == -1 {
		return 0, false
	}
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q, true
}

func modInt64(a, b int64) (int64, bool) {
	if b == 0 {
		return 0, false
	}
	if b == -1 {
		return 0, true
	}
	m := a % b
	if m != 0 && (m < 0) != (b < 0) {
		m += b
	}
	return m, true
}

func powInt64(a, b int64) (int64, bool) {
	if b < 0 {
		return 0, false
	}
	switch {
	case a == 0 && b > 0, a == 1, b == 0:
		if a == 0 && b > 0 {
			return 0, true
		}
		return 1, true
	case a == -1:
		return 1 - 2*(b&1), true
	case b > 63:
		return 0, false
	}
	n := int64(1)
	for range b {
		var ok bool
		if n, ok = mulInt64(n, a); !ok {
			return 0, false
		}
	}
	return n, true
}

// compareInt64 makes a method or metamethod of a comparison.
func compareInt64(op string, f func(a, b int64) bool) func(*lua.LState) (lua.LValue, error) {
	return func(L *lua.LState) (lua.LValue, error) {
		a, b, err := operands(L, op)
		return lua.LBool(err == nil && f(a, b)), err
	}
}

func (g *Registry) newInt64Meta(L *lua.LState) *lua.LTable {
	self := func(L *lua.LState) Int64 { return L.CheckUserData(1).Value.(Int64) }
	text := func(L *lua.LState) (lua.LValue, error) { return lua.LString(self(L).String()), nil }
	eq := compareInt64("==", func(a, b int64) bool { return a == b })
	lt := compareInt64("<", func(a, b int64) bool { return a < b })
	le := compareInt64("<=", func(a, b int64) bool { return a <= b })
	mt := g.metatable(L, "int64", map[string]func(*lua.LState) (lua.LValue, error){
		"__add": g.arithInt64("+", addInt64), "__sub": g.arithInt64("-", subInt64), "__mul": g.arithInt64("*", mulInt64),
		"__div": g.arithInt64("/", divInt64), "__mod": g.arithInt64("%", modInt64), "__pow": g.arithInt64("^", powInt64),
		"__unm": func(L *lua.LState) (lua.LValue, error) {
			if n := self(L); n != math.MinInt64 {
				return g.NewInt64(-int64(n)), nil
			}
			return nil, invalid("", "-(%d) does not fit 64 bits", int64(math.MinInt64))
		},
		"__eq": eq, "__lt": lt, "__le": le, "__tostring": text, "__concat": g.concat,
	})
	g.methods(L, mt, "int64", map[string]func(*lua.LState) (lua.LValue, error){
		"eq": eq, "lt": lt, "le": le, "key": text, "div": g.arithInt64(":div", floorDiv),
		"number":  func(L *lua.LState) (lua.LValue, error) { return lua.LNumber(self(L)), nil },
		"decimal": func(L *lua.LState) (lua.LValue, error) { return g.ParseDecimal(L.Get(1)) },
	})
	return mt
}
