package fault

import (
	"fmt"
	"reflect"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// call is one entry of the engine's call stack.
type call struct {
	L     *lua.LState
	dbg   *lua.Debug
	fn    *lua.LFunction
	pc    int // of the instruction being executed; Lua functions only
	tails int // how many calls were replaced by this one
	last  bool
}

// callAt gives the entry at level, 0 being the running function. The engine saves the program counter in a field without an accessor,
// hence the reflection, which only reads.
func callAt(L *lua.LState, level int) (call, bool) {
	dbg, ok := L.GetStack(level)
	if !ok {
		return call{}, false
	}
	v, err := L.GetInfo("f", dbg, lua.LNil)
	fn, ok := v.(*lua.LFunction)
	if err != nil || !ok {
		return call{}, false
	}
	frame := reflect.ValueOf(dbg).Elem().FieldByName("frame")
	if frame.IsNil() {
		return call{}, false
	}
	frame = frame.Elem()
	c := call{L: L, dbg: dbg, fn: fn, pc: int(frame.FieldByName("Pc").Int()) - 1,
		tails: int(frame.FieldByName("TailCall").Int()), last: frame.FieldByName("Parent").IsNil()}
	if !fn.IsG && (c.pc < 0 || c.pc >= len(fn.Proto.Code)) {
		c.pc = 0
	}
	return c, true
}

// calls gives the stack of L from level on, innermost first, at most limit entries.
func calls(L *lua.LState, level, limit int) []call {
	var out []call
	for len(out) < limit {
		c, ok := callAt(L, level)
		if !ok {
			break
		}
		out = append(out, c)
		if c.last {
			break
		}
		level++
		if !c.fn.IsG {
			level += c.tails // the engine counts the lost frames as levels
		}
	}
	return out
}

// line is the source line that the call is at; 0 for a Go function.
func (c call) line() int {
	if c.fn.IsG || c.pc >= len(c.fn.Proto.DbgSourcePositions) {
		return 0
	}
	return c.fn.Proto.DbgSourcePositions[c.pc]
}

// place is the line that the call is at; zero for a Go function.
func (c call) place() Place {
	if c.fn.IsG {
		return Place{}
	}
	return Place{File: c.fn.Proto.SourceName, Line: c.line()}
}

// callee is the name by which the caller c called what it is calling now, or "".
func (c call) callee() string {
	if c.fn.IsG {
		return ""
	}
	for _, d := range c.fn.Proto.DbgCalls {
		if d.Pc == c.pc && d.Name != "?" && d.Name != "(anonymous)" {
			return d.Name
		}
	}
	return ""
}

// Caller gives the place of the innermost Lua function at or above level of L's call stack (1: the caller of the running Go function).
// The place is zero if there is none.
func Caller(L *lua.LState, level int) Place {
	c, ok := luaCall(L, level)
	if !ok {
		return Place{}
	}
	return c.place()
}

// luaCall gives the innermost call of a Lua function at or above level.
func luaCall(L *lua.LState, level int) (call, bool) {
	for ; ; level++ {
		c, ok := callAt(L, level)
		if !ok {
			return call{}, false
		}
		if !c.fn.IsG {
			return c, true
		}
		if c.last {
			return call{}, false
		}
	}
}

// mainChunk is what the frame of a file itself is called.
const mainChunk = "in the main chunk"

// maxFrames bounds a traceback; a runaway recursion is folded long before.
const maxFrames = 100_000

// Stack gives the traceback of L from level on, innermost first, equal neighbours folded.
func Stack(L *lua.LState, level int) []Frame { return frames(calls(L, level, maxFrames)) }

func frames(stack []call) []Frame {
	var out []Frame
	for i, c := range stack {
		out = append(out, Frame{Place: c.place(), What: c.what(stack, i)})
		if !c.fn.IsG && c.tails > 0 {
			out = append(out, Frame{What: "(frames lost to tail calls: 'return f()')"})
		}
	}
	return foldFrames(out)
}

// what says which function entry i of the stack is.
func (c call) what(stack []call, i int) string {
	if !c.fn.IsG && c.fn.Proto.LineDefined == 0 {
		return mainChunk
	}
	if c.tails == 0 && i+1 < len(stack) {
		if name := stack[i+1].callee(); name != "" {
			return fmt.Sprintf("in function '%s'", name)
		}
	}
	if c.fn.IsG {
		return "in a function of the runtime"
	}
	return fmt.Sprintf("in the function from line %d", c.fn.Proto.LineDefined)
}

// foldFrames replaces repetitions of one to three frames by one copy and a remark.
func foldFrames(in []Frame) []Frame {
	var out []Frame
	for i := 0; i < len(in); {
		period, times := repetition(in[i:])
		if times <= 2 {
			out = append(out, in[i])
			i++
			continue
		}
		out = append(out, in[i:i+period]...)
		more := fmt.Sprintf("… %d more", times-1)
		if period > 1 {
			more = fmt.Sprintf("… these %d frames %d more times", period, times-1)
		}
		out = append(out, Frame{What: more})
		i += period * times
	}
	return out
}

// repetition finds the shortest group at the start of in that repeats, and how often it stands there.
func repetition(in []Frame) (period, times int) {
	for period = 1; period <= 3; period++ {
		times = 1
		for (times+1)*period <= len(in) && equalFrames(in[:period], in[times*period:(times+1)*period]) {
			times++
		}
		if times > 2 {
			return period, times
		}
	}
	return 1, 1
}

func equalFrames(a, b []Frame) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// hidden tells whether a frame is the runtime's own.
func (f Frame) hidden() bool {
	return f.File == "" && strings.HasPrefix(f.What, "in ") && f.Line == 0 && f.ours() || strings.HasPrefix(f.File, "[")
}

// ours tells whether the frame is that of a function written in Go, rather than one that Within named.
func (f Frame) ours() bool {
	return f.What == "in a function of the runtime" || strings.HasPrefix(f.What, "in function '")
}

// traceLines writes frames in two columns.
func traceLines(trace []Frame) []string {
	width := 0
	for _, f := range trace {
		if f.File != "" || f.hidden() {
			width = max(width, textWidth(f.What))
		}
	}
	lines := make([]string, len(trace))
	for i, f := range trace {
		lines[i] = printable(f.What)
		place := Place{File: f.File, Line: f.Line}.String()
		if place == "" && f.hidden() {
			place = "(runtime)"
		}
		if place != "" {
			lines[i] += strings.Repeat(" ", max(width-textWidth(f.What), 0)+2) + place
		}
	}
	return lines
}
