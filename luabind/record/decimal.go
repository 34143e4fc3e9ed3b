package record

import (
	"strconv"
	"strings"

	"faust/luabind/fault"

	"github.com/cockroachdb/apd/v3"
	lua "github.com/yuin/gopher-lua"
)

const (
	decimalDigits = 1000              // the most digits of a decimal; sums and products are exact up to here
	quotientExtra = 34                // significant digits of a quotient that does not end
	decimalText   = 4 * decimalDigits // the longest text that is read: the time that takes grows with the square of its length
)

// Decimal is what a Lua decimal value holds: an exact decimal fraction. It calculates with its own kind, int64, whole numbers and texts.
type Decimal struct {
	apd.Decimal
	bare bool // a whole number of plain JSON that is too large for an int64: written without quotes again
}

func (d *Decimal) String() string { return d.Text('f') }

func (g *Registry) newDecimal(d *apd.Decimal, bare bool) lua.LValue {
	v := &Decimal{bare: bare}
	v.Set(d)
	v.Negative = v.Negative && !v.IsZero()
	return newUserData(v, g.decimalMT)
}

// NewDecimal makes a decimal value; d is copied.
func (g *Registry) NewDecimal(d *apd.Decimal) lua.LValue { return g.newDecimal(d, false) }

// inDigits is the hint for a Lua number where a decimal belongs.
const inDigits = "a Lua number is no exact fraction; give the digits as text:  decimal.new '0.10'"

// ParseDecimal makes a decimal value of a text, a whole number, an int64 or a decimal: decimal.new '0.10'.
func (g *Registry) ParseDecimal(v lua.LValue) (lua.LValue, error) {
	if d, ok := decimalOf(v); ok {
		return g.newDecimal(d, false), nil
	}
	hint := ""
	if v.Type() == lua.LTNumber {
		hint = inDigits
	}
	return nil, invalid(hint, "%s is no decimal", fault.Describe(v))
}

// parseDecimal reads sign, digits, point and exponent; infinity and NaN are no decimals, and neither is what has more than decimalDigits
// digits when written out.
func parseDecimal(s string) (*apd.Decimal, bool) {
	if len(s) > decimalText || strings.Trim(s, "+-0123456789.eE") != "" {
		return nil, false
	}
	d, _, err := apd.NewFromString(s)
	if err != nil || d.Form != apd.Finite || !writable(d) {
		return nil, false
	}
	d.Negative = d.Negative && !d.IsZero()
	return d, true
}

// writable tells whether a decimal's digits can be written out in bounds.
func writable(d *apd.Decimal) bool {
	return d.NumDigits()+int64(max(d.Exponent, 0)) <= decimalDigits && d.Exponent >= -decimalDigits
}

// decimalOf gives the decimal that a value stands for.
func decimalOf(v lua.LValue) (*apd.Decimal, bool) {
	switch x := v.(type) {
	case lua.LNumber:
		if n, ok := whole(float64(x)); ok {
			return apd.New(n, 0), true
		}
	case lua.LString:
		return parseDecimal(string(x))
	case *lua.LUserData:
		switch x := x.Value.(type) {
		case *Decimal:
			return &x.Decimal, true
		case Int64:
			return apd.New(int64(x), 0), true
		}
	}
	return nil, false
}

// decimals gives both operands.
func decimals(L *lua.LState, op string) (a, b *apd.Decimal, err error) {
	a, okA := decimalOf(L.Get(1))
	b, okB := decimalOf(L.Get(2))
	if okA && okB {
		return a, b, nil
	}
	other := L.Get(1)
	if okA {
		other = L.Get(2)
	}
	hint := ""
	if other.Type() == lua.LTNumber {
		hint = inDigits
	}
	return nil, nil, invalid(hint, "decimal %s %s: a decimal calculates with decimals, int64, whole numbers and texts of digits", op, fault.Describe(other))
}

// arithDecimal makes a metamethod. Results that would have to be rounded raise, except those of a division.
func (g *Registry) arithDecimal(op string, f func(d, a, b *apd.Decimal) (apd.Condition, error)) func(*lua.LState) (lua.LValue, error) {
	return func(L *lua.LState) (lua.LValue, error) {
		a, b, err := decimals(L, op)
		if err != nil {
			return nil, err
		}
		if (op == "/" || op == "%") && b.IsZero() {
			return nil, invalid("", "decimal %s 0: division by zero", op)
		}
		var d apd.Decimal
		cond, err := f(&d, a, b)
		if err != nil || d.Form != apd.Finite || op != "/" && cond.Inexact() || !writable(&d) {
			return nil, invalid("", "decimal %s: the result has more than %d digits", op, decimalDigits)
		}
		return g.newDecimal(&d, false), nil
	}
}

func exactContext() *apd.Context {
	c := apd.BaseContext.WithPrecision(decimalDigits)
	c.Rounding = apd.RoundHalfEven
	return c
}

// quotient divides: exactly if the result ends within 34 digits, else rounded to that many, half to even.
func quotient(d, a, b *apd.Decimal) (apd.Condition, error) {
	c := apd.BaseContext.WithPrecision(quotientExtra)
	c.Rounding = apd.RoundHalfEven
	cond, err := c.Quo(d, a, b)
	if err == nil && !cond.Inexact() {
		d.Reduce(d)
		if d.Exponent > 0 { // 1E+2 is 100
			_, err = exactContext().Quantize(d, d, 0)
		}
	}
	return cond, err
}

// modulo is Lua's %: the rest has the sign of b.
func modulo(d, a, b *apd.Decimal) (apd.Condition, error) {
	c := exactContext()
	cond, err := c.Rem(d, a, b)
	if err == nil && !d.IsZero() && d.Negative != b.Negative {
		return c.Add(d, d, b)
	}
	return cond, err
}

func compareDecimal(op string, f func(c int) bool) func(*lua.LState) (lua.LValue, error) {
	return func(L *lua.LState) (lua.LValue, error) {
		a, b, err := decimals(L, op)
		return lua.LBool(err == nil && f(a.Cmp(b))), err
	}
}

func (g *Registry) newDecimalMeta(L *lua.LState) *lua.LTable {
	text := func(L *lua.LState) (lua.LValue, error) {
		d := selfDecimal(L)
		return lua.LString(d.Text('f')), nil
	}
	eq := compareDecimal("==", func(c int) bool { return c == 0 })
	lt := compareDecimal("<", func(c int) bool { return c < 0 })
	le := compareDecimal("<=", func(c int) bool { return c <= 0 })
	c := exactContext()
	mt := g.metatable(L, "decimal", map[string]func(*lua.LState) (lua.LValue, error){
		"__add": g.arithDecimal("+", c.Add), "__sub": g.arithDecimal("-", c.Sub), "__mul": g.arithDecimal("*", c.Mul),
		"__div": g.arithDecimal("/", quotient), "__mod": g.arithDecimal("%", modulo),
		"__unm": func(L *lua.LState) (lua.LValue, error) {
			d := selfDecimal(L)
			return g.newDecimal(new(apd.Decimal).Neg(d), false), nil
		},
		"__eq": eq, "__lt": lt, "__le": le, "__tostring": text, "__concat": g.concat,
	})
	g.methods(L, mt, "decimal", map[string]func(*lua.LState) (lua.LValue, error){
		"eq": eq, "lt": lt, "le": le, "key": g.decimalKey, "round": g.roundDecimal,
		"number": func(L *lua.LState) (lua.LValue, error) {
			d := selfDecimal(L)
			f, err := strconv.ParseFloat(d.Text('g'), 64)
			if err != nil {
				return nil, invalid("", "decimal %s is too large for a number", fault.Cut(d.Text('f'), 40))
			}
			return lua.LNumber(f), nil
		},
	})
	return mt
}

func selfDecimal(L *lua.LState) *apd.Decimal { return &L.CheckUserData(1).Value.(*Decimal).Decimal }

// decimalKey is d:key(): the same text for equal values, 1.10 and 1.1.
func (g *Registry) decimalKey(L *lua.LState) (lua.LValue, error) {
	d := selfDecimal(L)
	var r apd.Decimal
	r.Reduce(d)
	if r.IsZero() {
		return lua.LString("0"), nil
	}
	return lua.LString(r.Text('f')), nil
}

// roundDecimal is d:round(places): half to even; places default to 0.
func (g *Registry) roundDecimal(L *lua.LState) (lua.LValue, error) {
	d := selfDecimal(L)
	places := int64(0)
	if v := L.Get(2); v != lua.LNil {
		var ok bool
		if places, ok = int64Of(v); !ok || places < 0 || places > decimalDigits/2 {
			return nil, usage("", "round got %s, expected a number of decimals", fault.Describe(v))
		}
	}
	var r apd.Decimal
	if _, err := exactContext().Quantize(&r, d, -int32(places)); err != nil {
		return nil, invalid("", "round: the result has more than %d digits", decimalDigits)
	}
	return g.newDecimal(&r, false), nil
}
