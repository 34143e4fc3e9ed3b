package vm

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"

	"faust/luabind/fault"
)

// coroutineChunk names the code at the bottom of every coroutine; its frames are not shown.
const coroutineChunk = "[coroutine]"

// coroutineSource is that code. It keeps a frame below the script's function, because a yield in tail position of a coroutine's only
// frame breaks the engine, and installs our hook for errors.
const coroutineSource = `local arm, keep, f return function(...) arm() return keep(f(...)) end`

// coroutines is what a VM has for them.
type coroutines struct {
	proto       *lua.FunctionProto
	arm, keep   lua.LValue
	stockCreate lua.LGFunction
	stockResume lua.LGFunction
	active      map[*lua.LState]*thread // resumed and not yet back: also those parked in a wait
}

// openCoroutines replaces the engine's coroutine functions in lib.
func (m *VM) openCoroutines(lib *lua.LTable) {
	chunk, err := parse.Parse(strings.NewReader(coroutineSource), coroutineChunk)
	if err != nil {
		panic(err)
	}
	main, err := lua.Compile(chunk, coroutineChunk)
	if err != nil {
		panic(err)
	}
	m.proto = main.FunctionPrototypes[0]
	m.arm = m.root.NewFunction(func(L *lua.LState) int { L.Panic = m.onRaise; return 0 })
	m.keep = m.root.NewFunction(func(L *lua.LState) int { return L.GetTop() })
	m.stockCreate = lib.RawGetString("create").(*lua.LFunction).GFunction
	m.stockResume = lib.RawGetString("resume").(*lua.LFunction).GFunction
	m.active = map[*lua.LState]*thread{}
	m.root.SetFuncs(lib, map[string]lua.LGFunction{
		"create":      func(L *lua.LState) int { L.Push(m.newCoroutine(L)); return 1 },
		"resume":      m.resume,
		"wrap":        m.wrap,
		"yield":       m.yield,
		"status":      m.status,
		"running":     m.running,
		"isyieldable": func(L *lua.LState) int { L.Push(lua.LBool(m.yieldable(L) == "")); return 1 },
	})
}

// newCoroutine makes a coroutine of the function that is L's first argument.
func (m *VM) newCoroutine(L *lua.LState) *lua.LState {
	fn := L.CheckFunction(1)
	base := m.root.NewFunctionFromProto(m.proto)
	for i, v := range []lua.LValue{m.arm, m.keep, fn} {
		base.Upvalues[i] = &lua.Upvalue{}
		base.Upvalues[i].Close()
		base.Upvalues[i].SetValue(v)
	}
	// Made on the root thread, which has no context: a thread takes a context's child along and holds it for ever.
	m.root.SetTop(0)
	m.root.Push(base)
	m.stockCreate(m.root)
	co := m.root.Get(-1).(*lua.LState)
	m.root.SetTop(0)
	co.Env = L.Env
	return co
}

// resume(co, ...) -> true, values | false, what was raised. `cancelled` passes through.
func (m *VM) resume(L *lua.LState) int {
	co := L.CheckThread(1)
	if why := m.unresumable(co); why != "" {
		L.Push(lua.LFalse)
		L.Push(lua.LString(why))
		return 2
	}
	n, _ := m.run(L, co, coroutineKind)
	if v := L.Get(-1); n == 2 && L.Get(-2) == lua.LFalse {
		if e, ok := AsError(v); ok && e.Code == fault.Cancelled {
			L.Error(v, 0)
		}
	}
	return n
}

// wrap(f) -> function that resumes it and raises its errors.
func (m *VM) wrap(L *lua.LState) int {
	co := m.newCoroutine(L)
	L.Push(m.root.NewFunction(func(L *lua.LState) int {
		if why := m.unresumable(co); why != "" {
			m.fail(L, fault.Script, why)
		}
		L.Insert(co, 1)
		n, failure := m.run(L, co, wrapKind)
		if L.Get(-n) == lua.LTrue {
			return n - 1
		}
		v := L.Get(-1)
		if _, ok := AsError(v); ok {
			L.Error(v, 0)
		}
		m.raiseAgain(L, v, failure)
		return 0
	}))
	return 1
}

// unresumable tells why co cannot be resumed now.
func (m *VM) unresumable(co *lua.LState) string {
	th, active := m.active[co]
	switch {
	case co.Dead:
		return "cannot resume dead coroutine"
	case !active:
		return ""
	}
	for o := m.current().top; o != nil; o = o.outer {
		if o == th {
			return "cannot resume running coroutine"
		}
	}
	return "cannot resume a coroutine that is waiting in another task"
}

// run resumes co with L's arguments after the first, which is co, and leaves true and values or false and an error on L.
func (m *VM) run(L *lua.LState, co *lua.LState, kind threadKind) (int, *fault.Error) {
	t := m.current()
	if t.top.depth >= maxNested {
		L.Error(m.object(tooDeep()), 0)
	}
	if t.interruptible {
		co.SetContext(t.ctx)
	} else if co.Context() != nil {
		co.RemoveContext()
	}
	th := &thread{L: co, kind: kind}
	m.active[co] = th
	m.push(t, th)
	n := m.stockResume(L)
	delete(m.active, co)
	m.pop(t, th)
	if L.Get(-n) == lua.LFalse && !th.settled {
		// It did not go through our hook: the engine has caught the panic of a host function, or the task ended before the first instruction.
		v := L.Get(-1)
		L.Pop(1)
		e := m.interruption(L, v)
		if e == nil {
			e = m.explain(L, m.object(m.goPanic(L, text(v), nil)))
		}
		L.Push(m.object(e))
	}
	return n, th.failure
}

func (m *VM) yield(L *lua.LState) int {
	if why := m.yieldable(L); why != "" {
		m.fail(L, fault.Script, why)
	}
	return -1
}

// The engine's instructions that call in the same loop of its interpreter.
const (
	opCall     = lua.OP_CALL
	opTailCall = lua.OP_TAILCALL
)

// yieldable tells why the running function cannot yield. Between the coroutine and it there may only be plain calls: the engine
// would lose a loop of its interpreter that an iterator, a metamethod or a callback started, and end the coroutine without a word.
func (m *VM) yieldable(L *lua.LState) string {
	th := m.current().top
	if th.kind != coroutineKind && th.kind != wrapKind || th.L != L {
		for o := th; o != nil; o = o.outer {
			if o.kind == coroutineKind || o.kind == wrapKind {
				return "cannot yield inside pcall, or a function that our code called: yield outside of it"
			}
		}
		return "cannot yield outside of a coroutine"
	}
	for p := currentFrame(L).Parent; p != nil; p = p.Parent {
		if p.Fn.IsG {
			return "cannot yield inside a callback of a library function"
		}
		if op := int(p.Fn.Proto.Code[p.Pc-1] >> 26); op != opCall && op != opTailCall {
			return "cannot yield inside an iterator of a for loop or a metamethod"
		}
	}
	return ""
}

// status(co) -> "running", "normal", "suspended" or "dead"
func (m *VM) status(L *lua.LState) int {
	co := L.CheckThread(1)
	s := "suspended"
	if _, active := m.active[co]; co.Dead {
		s = "dead"
	} else if active {
		s = "normal"
		if c := m.innermost(); c == co {
			s = "running"
		}
	}
	L.Push(lua.LString(s))
	return 1
}

// running() -> the running coroutine, or nil outside of one
func (m *VM) running(L *lua.LState) int {
	if co := m.innermost(); co != nil {
		L.Push(co)
	} else {
		L.Push(lua.LNil)
	}
	return 1
}

func (m *VM) innermost() *lua.LState {
	for th := m.current().top; th != nil; th = th.outer {
		if th.kind == coroutineKind || th.kind == wrapKind {
			return th.L
		}
	}
	return nil
}
