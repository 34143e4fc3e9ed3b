package vm

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// thread is a Lua thread in use: one per task, per pending protected call and per running coroutine. A protected call has a thread of its
// own because an error closes every captured local of the thread it is raised in: on the caller's thread that would detach
// locals that go on living.
type thread struct {
	L       *lua.LState
	outer   *thread
	depth   int // of the chain of threads, 1: the task's own
	kind    threadKind
	what    string       // of a call: what the called function is, for the traceback
	handler lua.LValue   // of xpcall
	settled bool         // of a coroutine: what it raised went through our hook
	failure *fault.Error // explained already, about to be raised again with its value unchanged
}

type threadKind uint8

const (
	callKind threadKind = iota // errors go to Go
	pcallKind
	xpcallKind
	coroutineKind
	wrapKind // a coroutine whose errors are raised again in the caller
)

// thread takes a thread from the pool and makes it t's innermost.
func (m *VM) thread(t *task, kind threadKind) *thread {
	var th *thread
	if n := len(m.pool); n > 0 {
		th, m.pool = m.pool[n-1], m.pool[:n-1]
	} else {
		L, _ := m.root.NewThread()
		L.Panic = m.onRaise
		th = &thread{L: L}
	}
	if t.interruptible {
		th.L.SetContext(t.ctx)
	}
	th.kind, th.L.Env = kind, m.root.Env
	if t.top != nil {
		th.L.Env = t.top.L.Env // setfenv(0, t) reaches as far as the task
	}
	m.push(t, th)
	m.root.G.CurrentThread = th.L
	return th
}

func (m *VM) push(t *task, th *thread) {
	th.outer, th.depth = t.top, 1
	if t.top != nil {
		th.depth = t.top.depth + 1
	}
	t.top = th
}

func (m *VM) pop(t *task, th *thread) {
	t.top = th.outer
	th.outer = nil
	if t.top != nil {
		m.root.G.CurrentThread = t.top.L
	}
}

// release gives a thread back whose stack is unwound.
func (m *VM) release(t *task, th *thread) {
	m.pop(t, th)
	th.L.SetTop(0)
	if t.interruptible {
		th.L.RemoveContext()
	}
	th.what, th.handler, th.failure = "", nil, nil
	m.pool = append(m.pool, th)
}

// protect calls what lies on th's stack: the function at index 1, then its arguments. The results take their place.
func (m *VM) protect(th *thread, nret int) *lua.ApiError {
	L := th.L
	L.Insert(m.trampoline, 1)
	err := L.PCall(L.GetTop()-1, nret, nil)
	if err == nil {
		return nil
	}
	var ae *lua.ApiError
	errors.As(err, &ae)
	return ae
}

// enter is the function at the bottom of every protected call. PCall installs a hook of its own for what is raised; here ours takes its place,
// which runs with the stack intact and after the engine has closed the captured locals of this thread.
func (m *VM) enter(L *lua.LState) int {
	L.Panic = m.onRaise
	defer m.rescue(L)
	L.Call(L.GetTop()-1, lua.MultRet)
	return L.GetTop()
}

// rescue turns a Go panic of a host function into an error of Lua; what Lua raised passes.
func (m *VM) rescue(L *lua.LState) {
	rcv := recover()
	if rcv == nil {
		return
	}
	if ae, ok := rcv.(*lua.ApiError); ok {
		panic(ae)
	}
	e := m.goPanic(L, rcv, debug.Stack())
	L.Error(m.object(e), 0)
}

// goPanic makes an error of a Go panic. The Go stack is for the log, never for the script.
func (m *VM) goPanic(L *lua.LState, rcv any, stack []byte) *fault.Error {
	text := fmt.Sprint(rcv)
	if text == "lua callstack overflow" {
		return &fault.Error{Code: fault.Script, Message: "stack overflow: functions call each other without end"}
	}
	m.cfg.Log.Error("panic in a host function", "panic", text, "stack", string(stack))
	return &fault.Error{Code: fault.Script, Message: "internal error: " + text}
}

// raised is the engine's hook for whatever is raised, with the stack of L intact. It does not return.
func (m *VM) raised(L *lua.LState) {
	v := L.Get(-1)
	script := m.byScript
	m.byScript = false
	panic(m.settle(L, m.current().top, v, script))
}

// settle makes of a raised value what its catcher gets: error objects for what Lua or our functions raised, x itself for error(x).
func (m *VM) settle(L *lua.LState, th *thread, v lua.LValue, script bool) *lua.ApiError {
	ae := &lua.ApiError{Type: lua.ApiErrorRun, Object: v, StackTrace: "-"}
	e, isObject := AsError(v)
	switch {
	case isObject:
		if e.Trace == nil {
			_ = m.explain(L, v) // completes the error of the object that v is
		}
	case !script:
		if s, ok := v.(lua.LString); ok {
			v = lua.LString(strings.TrimLeft(string(s), " ")) // the engine's blank after a place that it did not have
		}
		e = m.interruption(L, v)
		if e == nil {
			e = m.explain(L, v)
		}
		ae.Object = m.object(e)
	case th.failure != nil:
		e = th.failure
	case th.kind == callKind || th.kind == wrapKind:
		e = m.explain(L, v)
		e.Value = v
	}
	th.failure, th.settled = nil, true
	if e != nil {
		ae.Cause = e
	}
	if th.kind == wrapKind {
		th.failure = e
	}
	if th.kind == xpcallKind && (e == nil || e.Code != fault.Cancelled) {
		th.kind = pcallKind // an error in the handler is not handled again
		L.Push(th.handler)
		L.Push(ae.Object)
		L.Call(1, 1)
		ae.Object, ae.Cause = L.Get(-1), nil
	}
	return ae
}

// interruption tells whether v is the engine's word for the end of the task's context.
func (m *VM) interruption(L *lua.LState, v lua.LValue) *fault.Error {
	ctx := L.Context()
	if ctx == nil || ctx.Err() == nil {
		return nil
	}
	if s, ok := v.(lua.LString); !ok || !strings.HasSuffix(string(s), ctx.Err().Error()) {
		return nil
	}
	return m.explain(L, m.object(&fault.Error{Code: fault.Cancelled, Message: "cancelled", Cause: context.Cause(ctx)}))
}

// explain has fault find place and trace of v, and adds the frames of the threads outside of L.
func (m *VM) explain(L *lua.LState, v lua.LValue) *fault.Error {
	inner := m.current().top
	e := m.diagnose(L, v)
	e.Trace = visible(e.Trace)
	if inner != nil && inner.L == L && inner.what != "" {
		e.Within(inner.what, fault.Place{})
	}
	for th := inner; th != nil; th = th.outer {
		if th.L == L {
			continue
		}
		e.Trace = append(e.Trace, visible(fault.Stack(th.L, 0))...)
		if th.what != "" {
			e.Within(th.what, fault.Place{})
		}
	}
	if i := slices.IndexFunc(e.Trace, func(f fault.Frame) bool { return f.File != "" }); i >= 0 && e.Place.File == "" {
		e.Place = e.Trace[i].Place
	}
	return e
}

// diagnose calls fault.FromRaise as an error handler is called: in a frame of its own on top of the stack. Where there is no room for one,
// it does without.
func (m *VM) diagnose(L *lua.LState, v lua.LValue) (e *fault.Error) {
	if m.diagnosing != nil {
		return &fault.Error{Code: fault.Script, Message: text(v), Trace: []fault.Frame{}}
	}
	m.diagnosing = &e
	defer func() {
		m.diagnosing = nil
		if rcv := recover(); rcv != nil {
			e = fault.FromRaise(L, v, m.known)
		}
	}()
	L.Push(m.diagnoser)
	L.Push(v)
	L.Call(1, 0)
	return e
}

// openDiagnosis makes the function that diagnose calls.
func (m *VM) openDiagnosis() {
	m.diagnoser = m.root.NewFunction(func(L *lua.LState) int {
		*m.diagnosing = fault.FromRaise(L, L.Get(1), m.known)
		return 0
	})
}

// visible drops the frames at the bottom of a thread that are the machine's own.
func visible(trace []fault.Frame) []fault.Frame {
	trace = slices.DeleteFunc(trace, func(f fault.Frame) bool { return f.File == coroutineChunk })
	if n := len(trace); n > 0 && trace[n-1].File == "" && strings.HasPrefix(trace[n-1].What, "in ") {
		trace = trace[:n-1]
	}
	if trace == nil {
		trace = []fault.Frame{}
	}
	return trace
}

// asFault gives the *fault.Error of what a protected call caught.
func (m *VM) asFault(L *lua.LState, ae *lua.ApiError) *fault.Error {
	var e *fault.Error
	if errors.As(ae.Cause, &e) {
		return e
	}
	if e, ok := AsError(ae.Object); ok {
		return e
	}
	return m.explain(L, ae.Object)
}

// Call calls fn protected, with values as arguments, inside a Run (L is the L of the task or of a function it called). nret is the number of
// results, or lua.MultRet. The error is a *fault.Error with place and traceback; what, the first line of the traceback, is like "in agent 'orders'".
func (m *VM) Call(L *lua.LState, what string, fn lua.LValue, nret int, args ...lua.LValue) ([]lua.LValue, error) {
	t := m.current()
	if t.top.depth >= maxNested {
		return nil, tooDeep()
	}
	// A task's own thread that runs nothing yet can serve as it is.
	own := t.top.L == L && L.GetTop() == 0 && currentFrame(L) == nil
	th := t.top
	if !own {
		th = m.thread(t, callKind)
	}
	th.what = what
	th.L.Push(fn)
	for _, a := range args {
		th.L.Push(a)
	}
	ae := m.protect(th, nret)
	var out []lua.LValue
	if n := th.L.GetTop(); ae == nil && n > 0 {
		out = make([]lua.LValue, n)
		for i := range out {
			out[i] = th.L.Get(i + 1)
		}
	}
	if own {
		L.SetTop(0)
	} else {
		m.release(t, th)
	}
	if ae != nil {
		return nil, m.asFault(L, ae)
	}
	return out, nil
}

func tooDeep() *fault.Error {
	return &fault.Error{Code: fault.Script, Message: "stack overflow: too many protected calls, coroutines or callbacks inside each other"}
}

// pcall(f, ...) -> true, results | false, what was raised. `cancelled` passes through.
func (m *VM) pcall(L *lua.LState) int {
	L.CheckAny(1)
	return m.protectedCall(L, pcallKind, nil, 1)
}

// xpcall(f, handler, ...) -> true, results | false, handler's result.
func (m *VM) xpcall(L *lua.LState) int {
	L.CheckAny(1)
	L.CheckAny(2)
	return m.protectedCall(L, xpcallKind, L.Get(2), 2)
}

// protectedCall calls L's argument 1 with those after skip.
func (m *VM) protectedCall(L *lua.LState, kind threadKind, handler lua.LValue, skip int) int {
	t := m.current()
	if t.top.depth >= maxNested {
		L.Error(m.object(tooDeep()), 0)
	}
	if fn := L.Get(1); fn.Type() != lua.LTFunction && L.GetMetaField(fn, "__call").Type() != lua.LTFunction {
		e := m.explain(L, m.object(&fault.Error{Code: fault.Script, Message: "attempt to call a " + fn.Type().String() + " value"}))
		L.Push(lua.LFalse)
		L.Push(m.object(e))
		return 2
	}
	th := m.thread(t, kind)
	th.handler = handler
	th.L.Push(L.Get(1))
	for i, n := skip+1, L.GetTop(); i <= n; i++ {
		th.L.Push(L.Get(i))
	}
	ae := m.protect(th, lua.MultRet)
	if ae != nil {
		m.release(t, th)
		if e, ok := AsError(ae.Object); ok && e.Code == fault.Cancelled {
			L.Error(ae.Object, 0)
		}
		L.Push(lua.LFalse)
		L.Push(ae.Object)
		return 2
	}
	n := th.L.GetTop()
	L.Push(lua.LTrue)
	for i := 1; i <= n; i++ {
		L.Push(th.L.Get(i))
	}
	m.release(t, th)
	return n + 1
}
