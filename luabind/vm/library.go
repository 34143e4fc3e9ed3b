package vm

import (
	"math"
	"math/rand/v2"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// maxString is the longest string that string.rep and table.concat make.
const maxString = 256 << 20

// openLibraries opens the libraries a script may have, with what the engine has wrong replaced.
func (m *VM) openLibraries() {
	L := m.root
	m.openPackage()
	for _, lib := range []struct {
		name string
		open lua.LGFunction
	}{{lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}, {lua.StringLibName, lua.OpenString}, {lua.MathLibName, lua.OpenMath},
		{lua.CoroutineLibName, lua.OpenCoroutine}, {lua.OsLibName, lua.OpenOs}, {lua.IoLibName, lua.OpenIo}, {lua.DebugLibName, lua.OpenDebug}} {
		L.Push(L.NewFunction(lib.open))
		L.Push(lua.LString(lib.name))
		L.Call(1, 0)
	}
	g := L.G.Global
	g.RawSetString("require", L.NewFunction(m.require))
	m.openBase()
	m.openString(g.RawGetString("string").(*lua.LTable))
	m.openTable(g.RawGetString("table").(*lua.LTable))
	m.openMath(g.RawGetString("math").(*lua.LTable))
	m.openCoroutines(g.RawGetString("coroutine").(*lua.LTable))
	m.openOS(g)
	m.openUTF8()
	m.openGlobals()
}

// openString replaces what is wrong in string, and has its functions take error objects for their text.
func (m *VM) openString(lib *lua.LTable) {
	m.strings = lib
	for _, name := range []string{"byte", "len", "reverse", "sub"} {
		stock := lib.RawGetString(name).(*lua.LFunction).GFunction
		lib.RawSetString(name, m.root.NewFunction(func(L *lua.LState) int {
			if _, ok := L.Get(1).(*lua.LUserData); ok {
				L.Replace(1, errorText(L.Get(1)))
			}
			return stock(L)
		}))
	}
	gmatch := m.root.NewFunction(m.gmatch)
	lib.RawSetString("gmatch", gmatch)
	lib.RawSetString("gfind", gmatch)
	m.root.SetFuncs(lib, map[string]lua.LGFunction{
		"find":   m.find,
		"match":  m.matchString,
		"gsub":   m.gsub,
		"format": m.format,
		"rep":    m.rep,
		"lower":  (&letters{change: strings.ToLower, from: 'A', to: 'Z'}).call,
		"upper":  (&letters{change: strings.ToUpper, from: 'a', to: 'z'}).call,
	})
}

// rep(s, n, separator)
func (m *VM) rep(L *lua.LState) int {
	s, n, sep := str(L, 1), L.CheckInt(2), L.OptString(3, "")
	if n <= 0 {
		L.Push(lua.LString(""))
		return 1
	}
	if size := len(s) + len(sep); size > 0 && n > maxString/size {
		m.fail(L, fault.TooLarge, "resulting string too large")
	}
	L.Push(lua.LString(strings.Repeat(s+sep, n-1) + s))
	return 1
}

func (m *VM) openTable(lib *lua.LTable) {
	unpack := m.root.NewFunction(m.unpack)
	lib.RawSetString("unpack", unpack)
	m.root.G.Global.RawSetString("unpack", unpack)
	m.root.SetFuncs(lib, map[string]lua.LGFunction{
		"concat": m.concatList,
		"pack": func(L *lua.LState) int {
			n := L.GetTop()
			t := L.CreateTable(n, 1)
			for i := 1; i <= n; i++ {
				t.RawSetInt(i, L.Get(i))
			}
			t.RawSetString("n", lua.LNumber(n))
			L.Push(t)
			return 1
		},
	})
}

// unpack(list, i, j) -> list[i], ..., list[j]
func (m *VM) unpack(L *lua.LState) int {
	t := L.CheckTable(1)
	i := L.OptInt(2, 1)
	j := L.OptInt(3, t.Len())
	if j < i {
		return 0
	}
	if n := j - i; n < 0 || n >= registryMax/2 {
		m.fail(L, fault.TooLarge, "too many results to unpack")
	}
	for k := i; k <= j; k++ {
		L.Push(t.RawGetInt(k))
	}
	return j - i + 1
}

// concat(list, separator, i, j) -> string
func (m *VM) concatList(L *lua.LState) int {
	t, sep := L.CheckTable(1), L.OptString(2, "")
	i := L.OptInt(3, 1)
	j := L.OptInt(4, t.Len())
	var b strings.Builder
	for k := i; k <= j; k++ {
		v := errorText(t.RawGetInt(k))
		if !lua.LVCanConvToString(v) {
			L.RaiseError("invalid value (%s) at index %d in table for concat", v.Type().String(), k)
		}
		b.WriteString(text(v))
		if k < j {
			b.WriteString(sep)
		}
		if b.Len() > maxString {
			m.fail(L, fault.TooLarge, "resulting string too large")
		}
	}
	L.Push(lua.LString(b.String()))
	return 1
}

func (m *VM) openMath(lib *lua.LTable) {
	lib.RawSetString("huge", lua.LNumber(math.Inf(1)))
	m.root.SetFuncs(lib, map[string]lua.LGFunction{
		"type": func(L *lua.LState) int {
			L.Push(mathType(L.CheckAny(1)))
			return 1
		},
		"tointeger": func(L *lua.LState) int {
			v := L.CheckAny(1)
			if mathType(v) != lua.LString("integer") {
				v = lua.LNil
			}
			L.Push(v)
			return 1
		},
		"log": func(L *lua.LState) int {
			v := math.Log(float64(L.CheckNumber(1)))
			switch base := L.OptNumber(2, 0); base {
			case 0:
			case 10:
				v = math.Log10(float64(L.CheckNumber(1)))
			case 2:
				v = math.Log2(float64(L.CheckNumber(1)))
			default:
				v /= math.Log(float64(base))
			}
			L.Push(lua.LNumber(v))
			return 1
		},
	})
	seeded := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	m.random = seeded
	lib.RawSetString("randomseed", m.root.NewFunction(func(L *lua.LState) int {
		m.random = rand.New(rand.NewPCG(uint64(L.CheckInt64(1)), 0))
		return 0
	}))
	lib.RawSetString("random", m.root.NewFunction(m.randomNumber))
}

func mathType(v lua.LValue) lua.LValue {
	n, ok := v.(lua.LNumber)
	if !ok {
		return lua.LNil
	}
	if f := float64(n); f == math.Trunc(f) && !math.IsInf(f, 0) {
		return lua.LString("integer")
	}
	return lua.LString("float")
}

// random() -> [0,1) | random(n) -> 1...n | random(a, b) -> a...b
func (m *VM) randomNumber(L *lua.LState) int {
	if L.GetTop() == 0 {
		L.Push(lua.LNumber(m.random.Float64()))
		return 1
	}
	low, high, last := int64(1), L.CheckInt64(1), 1
	if L.GetTop() > 1 {
		low, high, last = high, L.CheckInt64(2), 2
	}
	if high < low || high-low < 0 {
		L.ArgError(last, "interval is empty")
	}
	L.Push(lua.LNumber(low + m.random.Int64N(high-low+1)))
	return 1
}
