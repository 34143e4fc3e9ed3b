package vm

import (
	"math"
	"os"
	"runtime/metrics"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// openBase replaces the basic functions that the engine has wrong.
func (m *VM) openBase() {
	L, g := m.root, m.root.G.Global
	next := g.RawGetString("next")
	step := L.NewFunction(ipairsStep)
	setMetatable := g.RawGetString("setmetatable").(*lua.LFunction).GFunction
	L.SetFuncs(g, map[string]lua.LGFunction{
		"assert":         m.assert,
		"error":          m.error,
		"pcall":          m.pcall,
		"xpcall":         m.xpcall,
		"pairs":          func(L *lua.LState) int { return pairs(L, next) },
		"ipairs":         func(L *lua.LState) int { return ipairs(L, step) },
		"tonumber":       tonumber,
		"tostring":       func(L *lua.LState) int { L.Push(lua.LString(ToString(L, L.CheckAny(1)))); return 1 },
		"print":          m.print,
		"load":           m.load,
		"loadstring":     m.load,
		"collectgarbage": collectgarbage,
		"rawlen":         rawlen,
		// The engine's takes a string as well, and with it the methods of all strings.
		"setmetatable": func(L *lua.LState) int { L.CheckTable(1); return setMetatable(L) },
	})
	for _, name := range []string{"_printregs", "_GOPHER_LUA_VERSION"} {
		g.RawSetString(name, lua.LNil)
	}
	if m.cfg.Unsafe {
		g.RawSetString("dofile", L.NewFunction(m.dofile))
		g.RawSetString("loadfile", L.NewFunction(m.loadfile))
		return
	}
	g.RawSetString("dofile", m.refuse("dofile", "require 'name' runs name.lua once and gives what it returns"))
	g.RawSetString("loadfile", m.refuse("loadfile", "require 'name' loads name.lua"))
}

// refuse makes a function that says what to use instead.
func (m *VM) refuse(name, instead string) *lua.LFunction {
	return m.root.NewFunction(func(L *lua.LState) int {
		m.fail(L, fault.Usage, name+" is not available to scripts", instead, "start with --unsafe to have it all the same")
		return 0
	})
}

// error(x, level) raises x. A string gets the place in front: level 1, where error was called; 2, where the function that called
// error was called; 0, none.
func (m *VM) error(L *lua.LState) int {
	v := L.Get(1)
	if s, ok := v.(lua.LString); ok {
		v = lua.LString(m.where(L, L.OptInt(2, 1))) + s
	}
	if _, ok := AsError(v); ok {
		L.Error(v, 0)
	}
	m.raiseAgain(L, v, nil)
	return 0
}

// where is the place of the function at level as a prefix, "" if it is not known.
func (m *VM) where(L *lua.LState, level int) string {
	if level <= 0 {
		return ""
	}
	cf := currentFrame(L).Parent
	for th := m.current().top; cf != nil; level-- {
		if level == 1 {
			if cf.Fn.IsG || cf.Pc < 1 {
				return ""
			}
			p := cf.Fn.Proto
			return p.SourceName + ":" + strconv.Itoa(p.DbgSourcePositions[cf.Pc-1]) + ": "
		}
		level -= cf.TailCall
		if level <= 1 {
			return "" // its caller made a tail call and is gone
		}
		if cf = cf.Parent; cf != nil && cf.Parent == nil && cf.Fn.IsG && th.outer != nil {
			// The bottom of a protected call stands for pcall; go on in the thread that called pcall.
			if level > 2 {
				th = th.outer
				cf = currentFrame(th.L)
			}
		}
	}
	return ""
}

// assert(v, message, ...) gives its arguments back, or raises message as it is.
func (m *VM) assert(L *lua.LState) int {
	if lua.LVAsBool(L.CheckAny(1)) {
		return L.GetTop()
	}
	if L.GetTop() < 2 {
		m.fail(L, fault.Script, "assertion failed!")
	}
	v := L.Get(2)
	if _, ok := AsError(v); ok {
		L.Error(v, 0)
	}
	m.raiseAgain(L, v, nil)
	return 0
}

func pairs(L *lua.LState, next lua.LValue) int {
	v := L.CheckAny(1)
	if f := L.GetMetaField(v, "__pairs"); f != lua.LNil {
		L.Push(f)
		L.Push(v)
		L.Call(1, 3)
		return 3
	}
	L.Push(next)
	L.Push(L.CheckTable(1))
	L.Push(lua.LNil)
	return 3
}

func ipairs(L *lua.LState, step lua.LValue) int {
	v := L.CheckAny(1)
	if f := L.GetMetaField(v, "__ipairs"); f != lua.LNil {
		L.Push(f)
		L.Push(v)
		L.Call(1, 3)
		return 3
	}
	if _, ok := v.(*lua.LTable); !ok && L.GetMetaField(v, "__index") == lua.LNil {
		L.CheckTable(1)
	}
	L.Push(step)
	L.Push(v)
	L.Push(lua.LNumber(0))
	return 3
}

func ipairsStep(L *lua.LState) int {
	i := L.CheckInt(2) + 1
	list, ok := L.Get(1).(*lua.LTable)
	var v lua.LValue = lua.LNil
	if ok {
		v = list.RawGetInt(i)
	}
	if v == lua.LNil && (!ok || list.Metatable != lua.LNil) {
		v = L.GetTable(L.Get(1), lua.LNumber(i))
	}
	if v == lua.LNil {
		L.Push(lua.LNil)
		return 1
	}
	L.Push(lua.LNumber(i))
	L.Push(v)
	return 2
}

func rawlen(L *lua.LState) int {
	switch v := L.Get(1).(type) {
	case *lua.LTable:
		L.Push(lua.LNumber(v.Len()))
	case lua.LString:
		L.Push(lua.LNumber(len(v)))
	default:
		L.ArgError(1, "table or string expected")
	}
	return 1
}

// ToString gives v as tostring does, with __tostring honoured; an error in it is raised. To be called with the baton held.
func ToString(L *lua.LState, v lua.LValue) string {
	switch v := v.(type) {
	case lua.LString:
		return string(v)
	case lua.LNumber:
		return number(float64(v))
	case *lua.LUserData:
		if e, ok := AsError(v); ok {
			return e.Error()
		}
	}
	if f := L.GetMetaField(v, "__tostring"); f != lua.LNil {
		L.Push(f)
		L.Push(v)
		L.Call(1, 1)
		s := L.Get(-1)
		L.Pop(1)
		if !lua.LVCanConvToString(s) {
			L.RaiseError("'__tostring' must return a string")
		}
		return text(s)
	}
	return v.String()
}

// text gives a string or number as a string.
func text(v lua.LValue) string {
	if n, ok := v.(lua.LNumber); ok {
		return number(float64(n))
	}
	return v.String()
}

// number writes a number as Lua does: 14 digits, but whole numbers with all of theirs.
func number(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case f == math.Trunc(f) && math.Abs(f) < 1<<63:
		return strconv.FormatInt(int64(f), 10)
	}
	return strconv.FormatFloat(f, 'g', 14, 64)
}

// print(...) writes its arguments in one piece, so that lines of several tasks do not mix.
func (m *VM) print(L *lua.LState) int {
	var b strings.Builder
	for i, n := 1, L.GetTop(); i <= n; i++ {
		if i > 1 {
			b.WriteByte('\t')
		}
		b.WriteString(ToString(L, L.Get(i)))
	}
	b.WriteByte('\n')
	m.write(L, b.String())
	return 0
}

// write writes to the script's output.
func (m *VM) write(L *lua.LState, s string) {
	if _, err := m.cfg.Stdout.Write([]byte(s)); err != nil {
		Raise(L, err)
	}
}

// tonumber(v, base)
func tonumber(L *lua.LState) int {
	v := L.CheckAny(1)
	base := 10
	if b := L.Get(2); b != lua.LNil {
		if base = L.CheckInt(2); base < 2 || base > 36 {
			L.ArgError(2, "base out of range")
		}
	}
	L.Push(lua.LNil)
	switch v := v.(type) {
	case lua.LNumber:
		if base == 10 {
			L.Push(v)
		}
	case lua.LString:
		if f, ok := parseNumber(string(v), base); ok {
			L.Push(lua.LNumber(f))
		}
	}
	return 1
}

// parseNumber reads a number as Lua's tonumber does.
func parseNumber(s string, base int) (float64, bool) {
	s = strings.Trim(s, " \t\n\r\f\v")
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || digits == "" {
		return 0, false
	}
	sign := 1.0
	if s[0] == '-' {
		sign = -1
	}
	hex := len(digits) > 2 && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X')
	if hex && (base == 10 || base == 16) {
		base, digits = 16, digits[2:]
	}
	if base != 10 {
		return digitsOf(digits, base, sign)
	}
	if strings.Trim(digits, "0123456789.eE+-") != "" {
		return 0, false // ParseFloat knows inf, nan, 1_000 and 0x1p4, which Lua does not
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return sign * f, true
}

func digitsOf(digits string, base int, sign float64) (float64, bool) {
	f := 0.0
	for _, c := range []byte(strings.ToLower(digits)) {
		d := base
		switch {
		case '0' <= c && c <= '9':
			d = int(c - '0')
		case 'a' <= c && c <= 'z':
			d = int(c-'a') + 10
		}
		if d >= base {
			return 0, false
		}
		f = f*float64(base) + float64(d)
	}
	return sign * f, digits != ""
}

// collectgarbage(option) is there for scripts that call it: Go collects by itself. 'count' gives the kilobytes in use.
func collectgarbage(L *lua.LState) int {
	if L.OptString(1, "collect") != "count" {
		L.Push(lua.LNumber(0))
		return 1
	}
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	L.Push(lua.LNumber(float64(s[0].Value.Uint64()) / 1024))
	return 1
}

// load(chunk, name, mode, env) -> function | nil, message; chunk is a string or a function that gives pieces.
func (m *VM) load(L *lua.LState) int {
	var b strings.Builder
	name := "<string>"
	switch v := L.CheckAny(1).(type) {
	case lua.LString, lua.LNumber:
		b.WriteString(text(v))
	case *lua.LFunction:
		name = "?"
		if !readPieces(L, v, &b) {
			L.Push(lua.LNil)
			L.Push(lua.LString("reader function must return a string"))
			return 2
		}
	default:
		L.ArgError(1, "string or function expected")
	}
	name = strings.TrimLeft(L.OptString(2, name), "=@")
	return m.pushChunk(L, b.String(), name, L.Get(4))
}

func readPieces(L *lua.LState, f lua.LValue, b *strings.Builder) bool {
	for {
		L.Push(f)
		L.Call(0, 1)
		v := L.Get(-1)
		L.Pop(1)
		if v != lua.LNil && !lua.LVCanConvToString(v) {
			return false
		}
		if v == lua.LNil || text(v) == "" {
			return true
		}
		b.WriteString(text(v))
	}
}

func (m *VM) pushChunk(L *lua.LState, src, name string, env lua.LValue) int {
	fn, err := m.compile(string(clean([]byte(src))), name)
	if err != nil {
		L.Push(lua.LNil)
		L.Push(lua.LString(err.Error()))
		return 2
	}
	fn.Env = L.Env
	if t, ok := env.(*lua.LTable); ok {
		fn.Env = t
	}
	L.Push(fn)
	return 1
}

// dofile(path), with --unsafe.
func (m *VM) dofile(L *lua.LState) int {
	fn, err := m.Load(L.CheckString(1))
	if err != nil {
		Raise(L, err)
	}
	L.SetTop(0)
	L.Push(fn)
	L.Call(0, lua.MultRet)
	return L.GetTop()
}

// loadfile(path) -> function | nil, message, with --unsafe.
func (m *VM) loadfile(L *lua.LState) int {
	path := L.CheckString(1)
	src, err := os.ReadFile(path)
	if err != nil {
		L.Push(lua.LNil)
		L.Push(lua.LString(err.Error()))
		return 2
	}
	return m.pushChunk(L, string(src), path, L.Get(3))
}
