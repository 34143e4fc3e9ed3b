package vm

import (
	"strings"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"
)

// letters is string.upper or string.lower. It remembers results of short strings: what scripts change is mostly one of a few names.
type letters struct {
	change   func(string) string
	from, to byte // the letters of ASCII that change

	results []letterResult // nil until used
}

type letterResult struct {
	from string
	to   lua.LValue
}

const (
	letterResults = 256 // a power of two
	letterLimit   = 64  // bytes; longer strings are not remembered
)

// call is (s) -> s: of text all letters, of bytes that are no text those of ASCII.
func (c *letters) call(L *lua.LState) int {
	s := str(L, 1)
	if len(s) == 0 || len(s) > letterLimit {
		L.Push(lua.LString(c.convert(s)))
		return 1
	}
	if c.results == nil {
		c.results = make([]letterResult, letterResults)
	}
	r := &c.results[hashLetters(s)]
	if r.from != s {
		*r = letterResult{strings.Clone(s), lua.LString(c.convert(s))}
	}
	L.Push(r.to)
	return 1
}

// hashLetters looks at the length and both ends: names differ there.
func hashLetters(s string) uint {
	n := len(s)
	h := uint(n)
	for i := 0; i < min(n, 4); i++ {
		h = h*31 + uint(s[i])
		h = h*31 + uint(s[n-1-i])
	}
	return (h ^ h>>8) & (letterResults - 1)
}

func (c *letters) convert(s string) string {
	if utf8.ValidString(s) {
		return c.change(s)
	}
	b := []byte(s)
	for i, x := range b {
		if c.from <= x && x <= c.to {
			b[i] = x ^ 0x20
		}
	}
	return string(b)
}
