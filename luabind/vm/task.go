package vm

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// task is one Run: a goroutine that holds the baton or waits for it.
type task struct {
	name          string
	ctx           context.Context
	interruptible bool
	top           *thread // innermost Lua thread; written with the baton held
	local         any
	requiring     *module   // innermost module it is loading
	pauses        int       // since the baton was taken
	look          int       // the number of pauses at which the clock is looked at
	taken         time.Time // when the baton was taken
	limit         *limit    // nil: none

	// Guarded by VM.mu.
	state string
	what  string
	since time.Time
}

// The states of a task.
const (
	stateRunning = "running"
	stateWaiting = "waiting"
	stateReady   = "ready"
)

// Run takes the baton and runs f on a pooled Lua thread as the task of that name ("agent track_countries/2", "timer report"), shown by Tasks.
// f's error is given back. It is the only way to run Lua. ctx is the task's context: Block and waiting functions end
// with it, and a Run that is still waiting for the baton when it ends gives an error with code cancelled;
// interruptible makes it end a Lua loop that never waits as well, at the price of slower Lua.
// What f raises outside of Call, and a Go panic in f, become errors.
func (m *VM) Run(ctx context.Context, name string, interruptible bool, f func(L *lua.LState) error) (err error) {
	t := &task{name: name, ctx: ctx, interruptible: interruptible, state: stateReady, what: "the baton", since: time.Now()}
	m.mu.Lock()
	m.tasks[t] = struct{}{}
	m.mu.Unlock()
	defer func() {
		t.limit.stop()
		m.mu.Lock()
		delete(m.tasks, t)
		m.mu.Unlock()
	}()
	if !m.tryTake(ctx) {
		return &fault.Error{Code: fault.Cancelled, Message: "cancelled before it could run", Cause: context.Cause(ctx)}
	}
	m.hold(t)
	defer m.give()
	th := m.thread(t, callKind)
	clean := false
	defer func() {
		if clean {
			m.release(t, th)
			return
		}
		t.top = nil // an unwound thread is left to the collector
		rcv := recover()
		if rcv == nil {
			return // runtime.Goexit
		}
		err = m.unprotected(th.L, rcv)
	}()
	err = f(th.L)
	clean = true
	return err
}

// unprotected makes an error of what was thrown through f.
func (m *VM) unprotected(L *lua.LState, rcv any) error {
	var ae *lua.ApiError
	if e, ok := rcv.(error); ok && errors.As(e, &ae) {
		return m.asFault(L, ae)
	}
	return m.goPanic(L, rcv, debug.Stack())
}

// tryTake takes the baton, or gives up when ctx ends first.
func (m *VM) tryTake(ctx context.Context) bool {
	select {
	case <-m.baton:
		return true
	default:
	}
	m.waiting.Add(1)
	defer m.waiting.Add(-1)
	select {
	case <-m.baton:
		return true
	case <-ctx.Done():
		return false
	}
}

// take takes the baton. Receivers of a channel are served in order of arrival, which is what makes Pause fair.
func (m *VM) take() {
	select {
	case <-m.baton:
		return
	default:
	}
	m.waiting.Add(1)
	<-m.baton
	m.waiting.Add(-1)
}

// hold makes t the task that runs; called with the baton in hand.
func (m *VM) hold(t *task) {
	now := time.Now()
	t.taken, t.pauses, t.look = now, 0, 0
	m.mu.Lock()
	t.state, t.what, t.since = stateRunning, "", now
	m.mu.Unlock()
	m.holder.Store(t)
	t.limit.start()
}

func (m *VM) give() {
	m.holder.Store(nil)
	m.baton <- struct{}{}
}

// park marks t as one that does not run. Called with the baton held.
func (m *VM) park(t *task, state, what string) {
	t.limit.stop()
	m.mu.Lock()
	t.state, t.what, t.since = state, what, time.Now()
	m.mu.Unlock()
}

// Block gives the baton away while wait runs and takes it back: what every function that waits goes through. what says what it waits
// for ("time.sleep 1s", "http.get https://..."). wait gets the task's context and may touch no Lua value. Its error is given back.
func (m *VM) Block(L *lua.LState, what string, wait func(ctx context.Context) error) error {
	t, thread := m.current(), L.G.CurrentThread
	m.park(t, stateWaiting, what)
	m.give()
	// Deferred, because the frames that a panic of wait unwinds belong to Lua and need the baton.
	defer func() {
		m.take()
		L.G.CurrentThread = thread
		m.hold(t)
	}()
	err := wait(t.ctx)
	m.mu.Lock()
	t.state, t.since = stateReady, time.Now()
	m.mu.Unlock()
	return err
}

// over tells whether the slice of t is over, or else when to look again: a clock costs more than the rest of a pause, so it is looked at when
// half of what is left is likely to be over, going by the pauses so far.
func (t *task) over(slice time.Duration) bool {
	used := time.Since(t.taken)
	if used >= slice || t.pauses >= pauseLimit { // the count is for clocks that stand still while somebody runs
		return true
	}
	half := int64(slice-used) * int64(t.pauses) / (2 * max(int64(used), 1))
	t.look = t.pauses + int(min(half, maxStride))
	return false
}

// Pause lets others have the baton if some wait and the slice is over; the cheap check that loops of ours make.
func (m *VM) Pause(L *lua.LState) {
	if m.waiting.Load() == 0 {
		return
	}
	t := m.current()
	if t.pauses++; t.pauses < t.look || !t.over(m.cfg.Slice) {
		return
	}
	thread := L.G.CurrentThread
	m.park(t, stateReady, "its turn")
	m.give()
	m.take()
	L.G.CurrentThread = thread
	m.hold(t)
}
