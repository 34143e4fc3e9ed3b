package vm

import (
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"
)

// char(code, ...) -> string
func utf8Char(L *lua.LState) int {
	var b []byte
	for i, n := 1, L.GetTop(); i <= n; i++ {
		c := L.CheckInt(i)
		if c < 0 || c > utf8.MaxRune {
			L.ArgError(i, "value out of range")
		}
		b = utf8.AppendRune(b, rune(c))
	}
	L.Push(lua.LString(b))
	return 1
}

// decode gives the character at s[i:] and its length, 0 if it is not valid.
func decode(s string, i int) (rune, int) {
	r, n := utf8.DecodeRuneInString(s[i:])
	if r == utf8.RuneError && n <= 1 {
		return 0, 0
	}
	return r, n
}

// span gives the byte indexes of the optional arguments i and j, as in string.sub.
func span(L *lua.LState, s string, i, j int) (from, to int) {
	from, to = L.OptInt(2, i), L.OptInt(3, j)
	if from < 0 {
		from = max(len(s)+from+1, 1)
	}
	if to < 0 {
		to = len(s) + to + 1
	}
	if from < 1 || from > len(s)+1 {
		L.ArgError(2, "out of bounds")
	}
	if to > len(s) {
		L.ArgError(3, "out of bounds")
	}
	return from - 1, to
}

// len(s, i, j) -> number of characters | nil, position of the first invalid byte
func utf8Len(L *lua.LState) int {
	s := str(L, 1)
	n := 0
	for i, to := span(L, s, 1, -1); i < to; n++ {
		_, size := decode(s, i)
		if size == 0 {
			L.Push(lua.LNil)
			L.Push(lua.LNumber(i + 1))
			return 2
		}
		i += size
	}
	L.Push(lua.LNumber(n))
	return 1
}

// codepoint(s, i, j) -> code, ...
func (m *VM) utf8Codepoint(L *lua.LState) int {
	s := str(L, 1)
	from, to := span(L, s, 1, L.OptInt(2, 1))
	n := 0
	for i := from; i < to; n++ {
		r, size := decode(s, i)
		if size == 0 {
			m.invalidUTF8(L, i)
		}
		L.Push(lua.LNumber(r))
		i += size
	}
	return n
}

// codes(s) -> iterator over position and code
func (m *VM) utf8Codes(L *lua.LState) int {
	s := str(L, 1)
	next := 0
	L.Push(m.root.NewFunction(func(L *lua.LState) int {
		if next >= len(s) {
			L.Push(lua.LNil)
			return 1
		}
		at := next
		r, size := decode(s, at)
		if size == 0 {
			m.invalidUTF8(L, at)
		}
		next += size
		L.Push(lua.LNumber(at + 1))
		L.Push(lua.LNumber(r))
		return 2
	}))
	return 1
}

// offset(s, n, i) -> position of the n-th character from position i
func utf8Offset(L *lua.LState) int {
	s, n := str(L, 1), L.CheckInt(2)
	first := 1
	if n <= 0 {
		first = len(s) + 1
	}
	i := L.OptInt(3, first)
	if i < 0 {
		i = len(s) + i + 1
	}
	if i < 1 || i > len(s)+1 {
		L.ArgError(3, "position out of bounds")
	}
	i--
	inside := func(k int) bool { return k < len(s) && !utf8.RuneStart(s[k]) }
	switch {
	case n == 0:
		for i > 0 && inside(i) {
			i--
		}
		L.Push(lua.LNumber(i + 1))
		return 1
	case inside(i):
		L.RaiseError("initial position is a continuation byte")
	}
	for ; n < 0 && i > 0; n++ {
		for i--; i > 0 && inside(i); i-- {
		}
	}
	for ; n > 1 && i < len(s); n-- {
		for i++; inside(i); i++ {
		}
	}
	if n == 0 || n == 1 {
		L.Push(lua.LNumber(i + 1))
	} else {
		L.Push(lua.LNil)
	}
	return 1
}
