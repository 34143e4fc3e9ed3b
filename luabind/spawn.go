package luabind

import (
	"context"
	"errors"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/vm"
)

// taskObject is a task that spawn or parallel started.
type taskObject struct {
	b       *binding
	name    string
	fn      *lua.LFunction
	cancel  context.CancelCauseFunc
	done    chan struct{} // closed at its end; then results and err are valid
	results []lua.LValue
	err     error
	failed  func(err error) // hears of a failure; with the baton held, as the fields below
	waiters int             // in join
	stopped bool            // by cancel
}

var errStopped = errors.New("cancelled by the script")

func (t *taskObject) Describe() string { return "the " + t.name }

func (b *binding) taskKind(L *lua.LState) *lua.LTable {
	return b.kind(L, "task", map[string]lua.LGFunction{"join": b.taskJoin, "cancel": b.taskCancel}, nil)
}

// spawn is spawn(fn) -> task with :join() and :cancel().
func (b *binding) spawn(L *lua.LState) int {
	a := b.call(L, "spawn")
	b.running(a)
	// It may outlive the task that started it, so that one's end is not its end.
	t := b.start(L, context.WithoutCancel(b.vm.Context()), spot(L), a.Function(), nil)
	L.Push(object(t, b.kinds.task))
	return 1
}

// start runs fn as a task of its own. While the event in hand is, what it sends belongs to that event.
func (b *binding) start(L *lua.LState, ctx context.Context, name string, fn *lua.LFunction, failed func(error)) *taskObject {
	t := &taskObject{b: b, name: name, fn: fn, failed: failed, done: make(chan struct{})}
	ctx, t.cancel = context.WithCancelCause(ctx)
	var share *hold
	if h, ok := b.hand(); ok {
		share = &h
	}
	b.app.Runtime().Go(ctx, name, func(ctx context.Context) {
		defer t.cancel(nil)
		t.run(ctx, share)
	})
	return t
}

// run is the task.
func (t *taskObject) run(ctx context.Context, share *hold) {
	defer close(t.done)
	t.err = t.b.vm.Run(ctx, t.name, true, func(L *lua.LState) (err error) {
		if share != nil {
			*t.b.vm.Local() = share
		}
		t.results, err = t.b.vm.Call(L, "in "+t.name, t.fn, lua.MultRet)
		switch {
		case err == nil:
		case t.failed != nil:
			t.failed(err)
		case t.waiters == 0 && ctx.Err() == nil:
			t.b.app.Runtime().TaskFailed(ctx, t.name, err)
		}
		return err
	})
}

// await waits for the task's end inside a task of ours, and gives its error.
func (t *taskObject) await(L *lua.LState) error {
	t.waiters++
	err := t.b.vm.Block(L, t.name, func(ctx context.Context) error {
		select {
		case <-t.done:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	t.waiters--
	if err != nil {
		t.cancel(err) // who was to wait for it is gone
		return t.b.waited(err, "join "+t.name)
	}
	return t.err
}

// taskJoin is task:join() -> what its function returned; raises what it raised.
func (b *binding) taskJoin(L *lua.LState) int {
	t, a := arg.Method[*taskObject](L, "task:join")
	b.running(a)
	a.Done()
	if err := t.await(L); err != nil {
		vm.Raise(L, t.failure(err))
	}
	for _, v := range t.results {
		L.Push(v)
	}
	return len(t.results)
}

// failure is a task's error for who joins it. Its cancellation is an ordinary error there: nobody cancelled the one who joins.
func (t *taskObject) failure(err error) error {
	var e *fault.Error
	if t.stopped && errors.As(err, &e) && e.Code == fault.Cancelled && t.b.vm.Context().Err() == nil {
		return &fault.Error{Code: fault.Script, Message: t.name + " was cancelled", Cause: err}
	}
	return err
}

// taskCancel is task:cancel(): what it waits for raises cancelled.
func (b *binding) taskCancel(L *lua.LState) int {
	t, a := arg.Method[*taskObject](L, "task:cancel")
	a.Done()
	t.stopped = true
	t.cancel(errStopped)
	return 0
}

// parallel is parallel{ f1, f2, ... } -> the first result of each, in order. The first error cancels the rest and is raised.
func (b *binding) parallel(L *lua.LState) int {
	a := b.call(L, "parallel")
	b.running(a)
	list := a.Table("the list of functions", "a table")
	a.Done()
	fns := make([]*lua.LFunction, list.Len())
	for i := range fns {
		fn, ok := list.RawGetInt(i + 1).(*lua.LFunction)
		if !ok {
			a.Wrong("item "+itoa(i+1), list.RawGetInt(i+1), "a function")
		}
		fns[i] = fn
	}
	for _, v := range b.together(L, fns) {
		L.Push(v)
	}
	return len(fns)
}

// together runs the functions at the same time and gives their first results once all have ended.
func (b *binding) together(L *lua.LState, fns []*lua.LFunction) []lua.LValue {
	ctx, cancel := context.WithCancelCause(b.vm.Context())
	defer cancel(nil)
	var first error
	failed := func(err error) {
		if first == nil && err != nil {
			first = err
			cancel(err)
		}
	}
	tasks := make([]*taskObject, len(fns))
	for i, fn := range fns {
		tasks[i] = b.start(L, ctx, spot(L)+" #"+itoa(i+1), fn, failed)
	}
	results := make([]lua.LValue, len(tasks))
	for i, t := range tasks {
		_ = b.vm.Block(L, t.name, func(context.Context) error { <-t.done; return nil })
		results[i] = lua.LNil
		if len(t.results) > 0 {
			results[i] = t.results[0]
		}
		failed(t.err)
	}
	if first != nil {
		vm.Raise(L, first)
	}
	return results
}
