package vm

import (
	"errors"
	"fmt"
)

// The limits of pattern matching. A pattern can make the work grow with a power of the subject's length; nothing else could stop
// it, so it ends with an error after about a tenth of a second.
const (
	patternSteps   = 20_000_000
	stepsPerByte   = 32 // more for long subjects, which plain patterns pass in time that grows with their length
	maxCaptures    = 32
	maxPatternNest = 200
)

// errPatternEnd: the task's context has ended.
var errPatternEnd = errors.New("cancelled")

// lookEvery is after how many steps a match looks whether its task's context has ended; a power of two.
const lookEvery = 1 << 14

var errPatternSteps = errors.New("pattern takes too long: it can match in too many ways; use fewer of * + - ? after each other, or plain finds")

// Lengths of captures that are not strings.
const (
	captureOpen     = -1
	capturePosition = -2
)

// matcher matches one pattern against one subject: Lua's own algorithm, with a limit.
type matcher struct {
	src, pat string
	steps    int
	end      <-chan struct{} // of the task's context; nil: it is not to be interrupted
	nest     int
	level    int
	capture  [maxCaptures]struct{ start, len int }
}

func newMatcher(src, pat string) *matcher {
	return &matcher{src: src, pat: pat, steps: patternSteps + stepsPerByte*len(src)}
}

// patternError is thrown by the methods below and caught by match.
type patternError struct{ err error }

func (x *matcher) fail(format string, args ...any) {
	panic(patternError{fmt.Errorf(format, args...)})
}

// match tries the pattern from index p of pat at index s of src and gives the end of the match, or -1.
func (x *matcher) match(s, p int) (end int, err error) {
	defer func() {
		if rcv := recover(); rcv != nil {
			pe, ok := rcv.(patternError)
			if !ok {
				panic(rcv)
			}
			err = pe.err
		}
	}()
	x.level, x.nest = 0, 0
	return x.do(s, p), nil
}

func (x *matcher) step() {
	if x.steps--; x.steps&(lookEvery-1) == 0 || x.steps < 0 {
		x.look()
	}
}

// look ends a match that takes too long, or whose task ends.
func (x *matcher) look() {
	if x.steps < 0 {
		panic(patternError{errPatternSteps})
	}
	select {
	case <-x.end:
		panic(patternError{errPatternEnd})
	default:
	}
}

// do is match without the guard; it is called again for what follows a repetition or a capture.
func (x *matcher) do(s, p int) int {
	if x.nest++; x.nest > maxPatternNest {
		x.fail("pattern too complex")
	}
	s = x.items(s, p)
	x.nest--
	return s
}

// items matches one item of the pattern after the other.
func (x *matcher) items(s, p int) int {
	for p < len(x.pat) {
		x.step()
		switch x.pat[p] {
		case '(':
			if p+1 < len(x.pat) && x.pat[p+1] == ')' {
				return x.open(s, p+2, capturePosition)
			}
			return x.open(s, p+1, captureOpen)
		case ')':
			return x.close(s, p+1)
		case '$':
			if p+1 == len(x.pat) {
				if s == len(x.src) {
					return s
				}
				return -1
			}
		case '%':
			if ns, np := x.escape(s, p); np > p {
				if ns < 0 {
					return -1
				}
				s, p = ns, np
				continue
			}
		}
		ep := x.classEnd(p)
		if ep < len(x.pat) {
			switch x.pat[ep] {
			case '?':
				if x.single(s, p, ep) {
					if r := x.do(s+1, ep+1); r >= 0 {
						return r
					}
				}
				p = ep + 1
				continue
			case '+', '*', '-':
				return x.repetition(s, p, ep)
			}
		}
		if !x.single(s, p, ep) {
			return -1
		}
		s, p = s+1, ep
	}
	return s
}

// escape matches %b, %f and %1 at p and gives the index after it, p if there is none of them. s is -1 if it does not match.
func (x *matcher) escape(s, p int) (int, int) {
	if p+1 >= len(x.pat) {
		return s, p
	}
	switch c := x.pat[p+1]; {
	case c == 'b':
		return x.balance(s, p+2), p + 4
	case c == 'f':
		return x.frontier(s, p+2)
	case isDigit(c):
		return x.back(s, c), p + 2
	}
	return s, p
}

// repetition matches the class from p to ep as often as the sign at ep says, and the rest.
func (x *matcher) repetition(s, p, ep int) int {
	switch x.pat[ep] {
	case '-':
		return x.least(s, p, ep)
	case '+':
		if !x.single(s, p, ep) {
			return -1
		}
		s++
	}
	return x.most(s, p, ep)
}

func (x *matcher) open(s, p, what int) int {
	if x.level >= maxCaptures {
		x.fail("too many captures")
	}
	x.capture[x.level].start, x.capture[x.level].len = s, what
	x.level++
	r := x.do(s, p)
	if r < 0 {
		x.level--
	}
	return r
}

func (x *matcher) close(s, p int) int {
	l := -1
	for i := x.level - 1; i >= 0 && l < 0; i-- {
		if x.capture[i].len == captureOpen {
			l = i
		}
	}
	if l < 0 {
		x.fail("invalid pattern capture: ')' without '('")
	}
	x.capture[l].len = s - x.capture[l].start
	r := x.do(s, p)
	if r < 0 {
		x.capture[l].len = captureOpen
	}
	return r
}

// most matches as many as possible of the class at p, then the rest.
func (x *matcher) most(s, p, ep int) int {
	n := 0
	for x.single(s+n, p, ep) {
		x.step()
		n++
	}
	for ; n >= 0; n-- {
		if r := x.do(s+n, ep+1); r >= 0 {
			return r
		}
	}
	return -1
}

// least matches as few as possible.
func (x *matcher) least(s, p, ep int) int {
	for {
		if r := x.do(s, ep+1); r >= 0 {
			return r
		}
		if !x.single(s, p, ep) {
			return -1
		}
		s++
	}
}

// balance matches %bxy, whose x is at p.
func (x *matcher) balance(s, p int) int {
	if p+1 >= len(x.pat) {
		x.fail("unbalanced pattern: two characters are missing after '%%b'")
	}
	if s >= len(x.src) || x.src[s] != x.pat[p] {
		return -1
	}
	depth := 1
	for i := s + 1; i < len(x.src); i++ {
		x.step()
		switch x.src[i] {
		case x.pat[p+1]:
			if depth--; depth == 0 {
				return i + 1
			}
		case x.pat[p]:
			depth++
		}
	}
	return -1
}

// frontier matches %f[set], whose set is at p, and gives the index after it. s is -1 if it does not match.
func (x *matcher) frontier(s, p int) (int, int) {
	if p >= len(x.pat) || x.pat[p] != '[' {
		x.fail("missing '[' after '%%f' in pattern")
	}
	ep := x.classEnd(p)
	var before, at byte
	if s > 0 {
		before = x.src[s-1]
	}
	if s < len(x.src) {
		at = x.src[s]
	}
	if x.set(before, p, ep-1) || !x.set(at, p, ep-1) {
		return -1, ep
	}
	return s, ep
}

// back matches what capture %c matched.
func (x *matcher) back(s int, c byte) int {
	l := int(c) - '1'
	if l < 0 || l >= x.level || x.capture[l].len == captureOpen {
		x.fail("invalid capture index %%%c", c)
	}
	n := max(x.capture[l].len, 0)
	if len(x.src)-s < n || x.src[x.capture[l].start:x.capture[l].start+n] != x.src[s:s+n] {
		return -1
	}
	x.steps -= n
	return s + n
}

// classEnd gives the index after the class at p.
func (x *matcher) classEnd(p int) int {
	c := x.pat[p]
	p++
	switch c {
	case '%':
		if p >= len(x.pat) {
			x.fail("malformed pattern (ends with '%%')")
		}
		return p + 1
	case '[':
		if p < len(x.pat) && x.pat[p] == '^' {
			p++
		}
		for first := true; first || p >= len(x.pat) || x.pat[p] != ']'; first = false {
			if p >= len(x.pat) {
				x.fail("malformed pattern (missing ']')")
			}
			if x.pat[p] == '%' {
				p++
			}
			p++
		}
		return p + 1
	}
	return p
}

// single tells whether the class from p to ep matches the character at s.
func (x *matcher) single(s, p, ep int) bool {
	if s >= len(x.src) {
		return false
	}
	c := x.src[s]
	switch x.pat[p] {
	case '.':
		return true
	case '%':
		return classMatches(c, x.pat[p+1])
	case '[':
		return x.set(c, p, ep-1)
	}
	return x.pat[p] == c
}

// set tells whether c is in the set from '[' at p to ']' at end.
func (x *matcher) set(c byte, p, end int) bool {
	x.step()
	in := true
	p++
	if x.pat[p] == '^' {
		in = false
		p++
	}
	for ; p < end; p++ {
		switch {
		case x.pat[p] == '%' && p+1 < end:
			p++
			if classMatches(c, x.pat[p]) {
				return in
			}
		case p+2 < end && x.pat[p+1] == '-':
			if x.pat[p] <= c && c <= x.pat[p+2] {
				return in
			}
			p += 2
		case x.pat[p] == c:
			return in
		}
	}
	return !in
}

// classMatches tells whether c is in the class that a letter after % names; other characters stand for themselves.
func classMatches(c, class byte) bool {
	var in bool
	switch class | 0x20 {
	case 'a':
		in = isLetter(c)
	case 'c':
		in = c < 0x20 || c == 0x7f
	case 'd':
		in = isDigit(c)
	case 'g':
		in = c > 0x20 && c < 0x7f
	case 'l':
		in = 'a' <= c && c <= 'z'
	case 'p':
		in = c > 0x20 && c < 0x7f && !isLetter(c) && !isDigit(c)
	case 's':
		in = c == ' ' || '\t' <= c && c <= '\r'
	case 'u':
		in = 'A' <= c && c <= 'Z'
	case 'w':
		in = isLetter(c) || isDigit(c)
	case 'x':
		in = isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f'
	case 'z':
		in = c == 0
	default:
		return c == class
	}
	if !isLetter(class) {
		return c == class
	}
	if class < 'a' {
		return !in
	}
	return in
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
