package module

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math"
	mathrand "math/rand/v2"

	"faust/luabind/arg"
	"faust/luabind/fault"

	lua "github.com/yuin/gopher-lua"
)

func (s *Set) randomModule(L *lua.LState) lua.LValue {
	return table(L, "random", map[string]function{"int": s.randomInt, "float": s.randomFloat, "choice": s.randomChoice,
		"weighted": s.randomWeighted, "bytes": s.randomBytes, "seed": s.randomSeed, "shuffle": s.randomShuffle})
}

func (s *Set) use(source mathrand.Source) {
	s.source, s.rand = source, mathrand.New(source)
}

// randomInt is random.int(low, high) -> a whole number, both included; random.int(high): from 1.
func (s *Set) randomInt(a *args) []lua.LValue {
	low, high := int64(1), a.Integer("the bound", -arg.MaxWhole, arg.MaxWhole)
	if !a.Absent() {
		low, high = high, a.Integer("the upper bound", -arg.MaxWhole, arg.MaxWhole)
	}
	a.Done()
	if low > high {
		a.Fail("random.int: %d to %d is no range: the lower bound comes first", low, high)
	}
	return []lua.LValue{lua.LNumber(low + s.rand.Int64N(high-low+1))}
}

// randomFloat is random.float(low, high) -> a number from low up to, but not, high; without bounds from 0 to 1.
func (s *Set) randomFloat(a *args) []lua.LValue {
	low, high := 0.0, 1.0
	if !a.Absent() {
		low = a.Number("the lower bound")
		high = a.Number("the upper bound")
	}
	a.Done()
	if low > high {
		a.Fail("random.float: %v to %v is no range: the lower bound comes first", low, high)
	}
	at := s.rand.Float64()
	f := low + (high-low)*at
	if math.IsInf(high-low, 0) {
		f = low*(1-at) + high*at
	}
	if f >= high && low < high {
		f = math.Nextafter(high, low) // rounding
	}
	return []lua.LValue{lua.LNumber(f)}
}

// randomChoice is random.choice(list) -> one of its items.
func (s *Set) randomChoice(a *args) []lua.LValue {
	t := a.Table("the list", "a table")
	a.Done()
	if t.Len() == 0 {
		a.Fail("random.choice: the list is empty")
	}
	return []lua.LValue{t.RawGetInt(1 + s.rand.IntN(t.Len()))}
}

// randomWeighted is random.weighted{ name = weight, ... } -> one of the names, as often as its weight says.
func (s *Set) randomWeighted(a *args) []lua.LValue {
	t := a.Table("the table", "a table, as { heads = 1, tails = 2 }")
	a.Done()
	total := 0.0
	t.ForEach(func(k, v lua.LValue) {
		n, ok := v.(lua.LNumber)
		if f := float64(n); !ok || f < 0 || math.IsNaN(f) || math.IsInf(f, 0) {
			a.Fail("random.weighted: the weight of %s is %s, expected a number that is not negative", label(k), fault.Describe(v))
		}
		total += float64(n)
	})
	if total <= 0 || math.IsInf(total, 0) {
		a.Fail("random.weighted: the weights add up to %v, expected more than 0", total)
	}
	return []lua.LValue{pick(t, s.rand.Float64()*total)}
}

// pick gives the key in whose share of the weights at falls, in the order of pairs.
func pick(t *lua.LTable, at float64) lua.LValue {
	chosen := lua.LNil
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		w := float64(v.(lua.LNumber))
		if w == 0 {
			continue
		}
		chosen = k // rounding may leave at just above the last share
		if at < w {
			break
		}
		at -= w
	}
	return chosen
}

func label(k lua.LValue) string {
	if name, ok := k.(lua.LString); ok {
		return "'" + string(name) + "'"
	}
	return fmt.Sprintf("[%s]", fault.Describe(k))
}

// randomBytes is random.bytes(n) -> string. Unless random.seed was called they are fit for secrets.
func (s *Set) randomBytes(a *args) []lua.LValue {
	b := make([]byte, a.Integer("the number of bytes", 0, 1<<24))
	a.Done()
	if !s.seeded {
		_, _ = rand.Read(b) // cannot fail: crypto/rand ends the process rather than give less
		return []lua.LValue{lua.LString(b)}
	}
	for i := 0; i < len(b); i += 8 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], s.source.Uint64())
		copy(b[i:], word[:])
	}
	return []lua.LValue{lua.LString(b)}
}

// randomSeed is random.seed(n): what follows is the same for the same n.
func (s *Set) randomSeed(a *args) []lua.LValue {
	n := a.Number("the seed")
	a.Done()
	s.seeded = true
	s.use(mathrand.NewPCG(math.Float64bits(n), 0x9e3779b97f4a7c15))
	return nil
}

// randomShuffle is random.shuffle(list) -> the list, in another order.
func (s *Set) randomShuffle(a *args) []lua.LValue {
	t := a.Table("the list", "a table")
	a.Done()
	s.rand.Shuffle(t.Len(), func(i, j int) {
		x, y := t.RawGetInt(i+1), t.RawGetInt(j+1)
		t.RawSetInt(i+1, y)
		t.RawSetInt(j+1, x)
	})
	return []lua.LValue{t}
}
