package vm

import (
	"context"
	"errors"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// push pushes capture i of a match from start to end; the whole match stands for capture 0 of a pattern without captures.
func (x *matcher) push(L *lua.LState, i, start, end int) {
	if i >= x.level {
		if i != 0 {
			L.RaiseError("invalid capture index %%%d", i+1)
		}
		L.Push(lua.LString(x.src[start:end]))
		return
	}
	switch c := x.capture[i]; c.len {
	case capturePosition:
		L.Push(lua.LNumber(c.start + 1))
	case captureOpen:
		L.RaiseError("unfinished capture")
	default:
		L.Push(lua.LString(x.src[c.start : c.start+c.len]))
	}
}

// pushAll pushes all captures and gives their number. whole: a pattern without captures gives the whole match.
func (x *matcher) pushAll(L *lua.LState, start, end int, whole bool) int {
	n := x.level
	if n == 0 && whole {
		n = 1
	}
	for i := range n {
		x.push(L, i, start, end)
	}
	return n
}

// try matches at s and raises what is wrong with the pattern.
func (m *VM) try(L *lua.LState, x *matcher, s, p int) int {
	x.end = nil // gmatch may be called by one task and then by another
	if ctx := L.Context(); ctx != nil {
		x.end = ctx.Done()
	}
	end, err := x.match(s, p)
	switch {
	case err == nil:
	case errors.Is(err, errPatternEnd):
		L.Error(m.object(&fault.Error{Code: fault.Cancelled, Message: "cancelled", Cause: context.Cause(L.Context())}), 0)
	default:
		m.fail(L, fault.Script, err.Error())
	}
	return end
}

// start gives the index of a position from the front (1...) or the back (-1...); it may be beyond the end.
func start(pos, length int) int {
	switch {
	case pos > 0:
		return pos - 1
	case pos < 0 && -pos <= length:
		return length + pos
	}
	return 0
}

// find(s, pattern, init, plain) -> from, to, captures
func (m *VM) find(L *lua.LState) int { return m.search(L, true) }

// match(s, pattern, init) -> captures
func (m *VM) matchString(L *lua.LState) int { return m.search(L, false) }

func (m *VM) search(L *lua.LState, find bool) int {
	s, p := str(L, 1), str(L, 2)
	at := start(L.OptInt(3, 1), len(s))
	if at > len(s) {
		L.Push(lua.LNil)
		return 1
	}
	if find && (lua.LVAsBool(L.Get(4)) || !strings.ContainsAny(p, "^$*+?.([%-")) {
		i := strings.Index(s[at:], p)
		if i < 0 {
			L.Push(lua.LNil)
			return 1
		}
		L.Push(lua.LNumber(at + i + 1))
		L.Push(lua.LNumber(at + i + len(p)))
		return 2
	}
	x := newMatcher(s, p)
	from := 0
	if strings.HasPrefix(p, "^") {
		from = 1
	}
	for ; at <= len(s); at++ {
		if end := m.try(L, x, at, from); end >= 0 {
			if !find {
				return x.pushAll(L, at, end, true)
			}
			L.Push(lua.LNumber(at + 1))
			L.Push(lua.LNumber(end))
			return 2 + x.pushAll(L, at, end, false)
		}
		if from == 1 {
			break
		}
	}
	L.Push(lua.LNil)
	return 1
}

// gmatch(s, pattern) -> iterator over the captures of all matches
func (m *VM) gmatch(L *lua.LState) int {
	s, p := str(L, 1), str(L, 2)
	x := newMatcher(s, p)
	at, last, from := 0, -1, 0
	if strings.HasPrefix(p, "^") {
		from = 1
	}
	L.Push(m.root.NewFunction(func(L *lua.LState) int {
		for ; at <= len(s); at++ {
			begin := at
			end := m.try(L, x, begin, from)
			if from == 1 {
				at = len(s) + 1
			}
			if end >= 0 && end != last {
				if last = end; from == 0 {
					at = end
				}
				return x.pushAll(L, begin, end, true)
			}
		}
		L.Push(lua.LNil)
		return 1
	}))
	return 1
}

// gsub(s, pattern, replacement, n) -> string, number of replacements
func (m *VM) gsub(L *lua.LState) int {
	s, p := str(L, 1), str(L, 2)
	repl := errorText(L.Get(3))
	switch repl.(type) {
	case lua.LString, lua.LNumber, *lua.LTable, *lua.LFunction:
	default:
		L.ArgError(3, "string, function or table expected, got "+repl.Type().String())
	}
	limit := L.OptInt(4, len(s)+1)
	x := newMatcher(s, p)
	from := 0
	if strings.HasPrefix(p, "^") {
		from = 1
	}
	var b strings.Builder
	at, n := 0, 0
	for n < limit {
		end := m.try(L, x, at, from)
		if end >= 0 {
			n++
			m.replace(L, &b, x, repl, at, end)
		}
		switch {
		case end > at:
			at = end
		case at < len(s):
			b.WriteByte(s[at])
			at++
		default:
			at++
		}
		if at > len(s) || from == 1 {
			break
		}
	}
	if at < len(s) {
		b.WriteString(s[at:])
	}
	L.Push(lua.LString(b.String()))
	L.Push(lua.LNumber(n))
	return 2
}

// replace writes what stands for the match from start to end.
func (m *VM) replace(L *lua.LState, b *strings.Builder, x *matcher, repl lua.LValue, start, end int) {
	var v lua.LValue
	switch r := repl.(type) {
	case *lua.LFunction:
		L.Push(r)
		// The captures are pushed before the call, so the callback may match with patterns of its own.
		L.Call(x.pushAll(L, start, end, true), 1)
		v = L.Get(-1)
		L.Pop(1)
	case *lua.LTable:
		x.push(L, 0, start, end)
		key := L.Get(-1)
		L.Pop(1)
		v = L.GetTable(r, key)
	default:
		m.expand(L, b, x, text(repl), start, end)
		return
	}
	switch {
	case !lua.LVAsBool(v):
		b.WriteString(x.src[start:end])
	case lua.LVCanConvToString(v):
		b.WriteString(text(v))
	default:
		L.RaiseError("invalid replacement value (a %s)", v.Type().String())
	}
}

// expand writes a replacement string with its %0...%9.
func (m *VM) expand(L *lua.LState, b *strings.Builder, x *matcher, repl string, start, end int) {
	for i := 0; i < len(repl); i++ {
		c := repl[i]
		if c != '%' || i+1 == len(repl) {
			b.WriteByte(c)
			continue
		}
		i++
		switch c = repl[i]; {
		case c == '0':
			b.WriteString(x.src[start:end])
		case isDigit(c):
			x.push(L, int(c-'1'), start, end)
			b.WriteString(text(L.Get(-1)))
			L.Pop(1)
		case c == '%':
			b.WriteByte('%')
		default: // as the engine does; Lua 5.1 drops the %
			b.WriteByte('%')
			b.WriteByte(c)
		}
	}
}
