package vm

import (
	"reflect"
	"strconv"
	"unsafe"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// callFrame is the engine's record of a call, which it keeps to itself. A test compares the two.
type callFrame struct {
	Idx        int
	Fn         *lua.LFunction
	Parent     *callFrame
	Pc         int
	Base       int
	LocalBase  int
	ReturnBase int
	NArgs      int
	NRet       int
	TailCall   int
}

// currentFrameOffset is where a Lua thread keeps its innermost call.
var currentFrameOffset = func() uintptr {
	f, ok := reflect.TypeFor[lua.LState]().FieldByName("currentFrame")
	if !ok {
		panic("vm: the engine has no currentFrame: its version changed")
	}
	return f.Offset
}()

// currentFrame is the innermost call of L; with the baton held.
func currentFrame(L *lua.LState) *callFrame {
	return *(**callFrame)(unsafe.Add(unsafe.Pointer(L), currentFrameOffset))
}

// maxFrames bounds a listing of a stack.
const maxFrames = 32

// spot is a place in compiled code.
type spot struct {
	proto *lua.FunctionProto
	pc    int
	call  *lua.FunctionProto // the function that called it, and where: for its name
	at    int
}

// walk fills in the Lua functions on L's stack, innermost first.
//
// It is also called without the baton, to tell where a task is that never gives it away (USR1, the watchdog): then the stack
// changes while it is read. That is harmless because only single words are read: the pointer to the innermost frame, its function, its parent
// and its pc. Each is either an old or a new value, never half of both (as an interface or a slice could be); what they point to is
// kept alive by being pointed to, and a function's code never changes once it runs (m.mu, which the caller holds, orders its making before this: see publish). So the worst is a line that was true a moment ago. The race detector,
// which could not know this, does not look.
//
//go:norace
func walk(L *lua.LState, spots []spot) int {
	n := 0
	cf := *(**callFrame)(unsafe.Add(unsafe.Pointer(L), currentFrameOffset))
	// Frames are used again, so a walk that is overtaken might go round in circles.
	for i := 0; cf != nil && i < 4*maxFrames && n < len(spots); i++ {
		fn, pc, parent := cf.Fn, cf.Pc-1, cf.Parent
		if i == 0 && fn != nil && fn.Proto != nil && repeats(fn.Proto, pc+1) {
			pc++
		}
		if fn != nil && fn.Proto != nil && fn.Proto.SourceName != coroutineChunk && pc >= 0 && pc < len(fn.Proto.DbgSourcePositions) {
			s := spot{proto: fn.Proto, pc: pc}
			if parent != nil {
				if pf := parent.Fn; pf != nil {
					s.call, s.at = pf.Proto, parent.Pc-1
				}
			}
			spots[n] = s
			n++
		}
		cf = parent
	}
	return n
}

// repeats tells whether the instruction at pc is one that a later one jumps back to. A frame's Pc is that of the next instruction, so after a jump
// the one before it is not what ran last: it stands before the loop and not in it.
func repeats(p *lua.FunctionProto, pc int) bool {
	for i := pc; i >= 0 && i < len(p.Code); i++ {
		switch ins := p.Code[i]; int(ins >> 26) {
		case lua.OP_JMP, lua.OP_FORLOOP:
			if i+1+int(ins&maxSbx)-maxSbx>>1 == pc {
				return true
			}
		}
	}
	return false
}

// maxSbx masks the distance of a jump, which is kept with half of it added.
const maxSbx = 1<<18 - 1

// holderSpots is walk over all threads of a task that may be running.
//
//go:norace
func holderSpots(t *task, spots []spot) int {
	n := 0
	th := t.top
	for i := 0; th != nil && i < maxNested && n < len(spots); i++ {
		n += walk(th.L, spots[n:])
		th = th.outer
	}
	return n
}

// name makes frames of spots.
func name(spots []spot) []fault.Frame {
	out := make([]fault.Frame, len(spots))
	for i, s := range spots {
		out[i].Place = fault.Place{File: s.proto.SourceName, Line: s.proto.DbgSourcePositions[s.pc]}
		out[i].What = what(s)
	}
	return out
}

func what(s spot) string {
	if s.proto.LineDefined == 0 {
		return "in the main chunk"
	}
	if s.call != nil {
		for _, c := range s.call.DbgCalls {
			if c.Pc == s.at && c.Name != "?" {
				return "in function '" + c.Name + "'"
			}
		}
	}
	return "in the function from line " + strconv.Itoa(s.proto.LineDefined)
}

// CallsMethod tells whether the __index that runs in L was asked for x:name() rather than x.name; with the baton held.
func CallsMethod(L *lua.LState) bool { return runs(currentFrame(L).Parent, lua.OP_SELF) }
