package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/vm"
	"faust/runtime/control"
)

// session is one console. Its fields below turn are used by whoever has the turn, those below scope with the baton held.
type session struct {
	of     *Console
	cfg    Config
	number int
	who    string
	task   string // the name of its tasks
	prefix string // of the names of its inputs in places: console, console-2
	out    *output
	closed chan struct{}
	shut   atomic.Bool

	turn    chan struct{} // holds a token while an input runs
	count   int           // of inputs
	sources []source      // the latest inputs

	scope  *vm.Scope
	view   view // of the input that runs
	values []lua.LValue
}

// source is an input that errors may point at.
type source struct{ name, text string }

const (
	kept       = 1000 // inputs that a session can show in an error
	remembered = 9    // values that have a name
	loggedText = 2000 // bytes of an input in the log
)

func newSession(c *Console, who string, number int) *session {
	s := &session{
		of: c, cfg: c.cfg, number: number, who: who, task: "console", prefix: "console",
		out: newOutput(c.cfg.Late), closed: make(chan struct{}), turn: make(chan struct{}, 1),
	}
	if who != "" {
		s.task += " of " + who
	}
	if number > 1 {
		s.prefix += fmt.Sprintf("-%d", number)
	}
	return s
}

// errClosed is why an input ends whose session was closed; errRunaway why one that held the machine too long.
var (
	errClosed  = errors.New("the session was closed")
	errRunaway = errors.New("it held the machine for too long")
)

// Close implements control.Session.
func (s *session) Close() {
	if !s.shut.Swap(true) {
		close(s.closed)
		s.of.closed(s.number)
	}
}

// enter waits for the turn and gives the context that the input runs in; leave ends both.
func (s *session) enter(ctx context.Context) (running context.Context, stop context.CancelCauseFunc, leave func(), err error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, nil, context.Cause(ctx)
	case <-s.closed:
		return nil, nil, nil, errClosed
	}
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		select {
		case <-s.closed:
			cancel(errClosed)
		case <-done:
		}
	}()
	return ctx, cancel, func() {
		close(done)
		cancel(nil)
		<-s.turn
	}, nil
}

// Eval implements control.Session.
func (s *session) Eval(ctx context.Context, in control.Input, out io.Writer) control.Result {
	if in.Check {
		return control.Result{Incomplete: endless(in.Text)}
	}
	ctx, stop, leave, err := s.enter(ctx)
	if err != nil {
		return control.Result{Text: "error: " + err.Error(), Failed: true, Stopped: true}
	}
	defer leave()
	e := &evaluation{session: s, in: in, ctx: ctx, stop: stop, view: viewOf(in)}
	end := s.out.flow(s.cfg.Hidden.Writer(out))
	defer end()
	r := e.run()
	r.Text = s.cfg.Hidden.Redact(r.Text)
	return r
}

// endless tells whether an input ends too early.
func endless(text string) bool {
	if name, rest, ok := command(text); ok {
		return name == "time" && endless(rest)
	}
	if _, _, ok := question(text); ok {
		return false
	}
	_, what, _ := read("", text)
	return what == incomplete
}

// evaluation is one input being run.
type evaluation struct {
	*session
	in    control.Input
	ctx   context.Context
	stop  context.CancelCauseFunc
	view  view
	input input
	took  time.Duration
}

// run reads the input and does what it asks for.
func (e *evaluation) run() control.Result {
	text := e.in.Text
	if name, rest, ok := command(text); ok {
		return e.command(name, rest)
	}
	if steps, source, ok := question(text); ok {
		e.logged(text)
		return e.ask(steps, source)
	}
	return e.evaluate(text, func(L *lua.LState, values []lua.LValue) string {
		e.remember(values)
		return e.show(L, values, e.view)
	})
}

// evaluate runs text; show makes of its values what is to be shown, with the baton held.
func (e *evaluation) evaluate(text string, show func(L *lua.LState, values []lua.LValue) string) control.Result {
	name := fmt.Sprintf("%s[%d]", e.prefix, e.count+1)
	in, what, err := read(name, text)
	if what == incomplete && !e.in.Last {
		return control.Result{Incomplete: true}
	}
	e.count++
	e.input = in
	e.logged(text)
	if what != complete {
		return e.failed(in.explain(err))
	}
	forgotten := e.keepSource(source{name, text})
	var shown string
	err = e.within(func(L *lua.LState) error {
		fault.ForgetSource(L, forgotten)
		values, err := e.call(L, in)
		if err == nil {
			shown = show(L, values)
		}
		return err
	})
	if err != nil {
		in.mend(err)
		return e.failed(err)
	}
	return control.Result{Text: shown}
}

// within runs f as a task of the machine, with the session's variables in place.
func (e *evaluation) within(f func(L *lua.LState) error) error {
	return e.cfg.VM.Run(e.ctx, e.task, true, func(L *lua.LState) error {
		if e.scope == nil {
			e.scope = e.cfg.VM.NewScope(vm.Names{Find: e.cfg.find, All: e.cfg.names})
			e.open(L)
			fault.ForgetSources(L, e.prefix+"[") // of an earlier session of that number
		}
		e.session.view = e.view
		e.scope.Enter(L)
		e.cfg.VM.Limit(e.cfg.Limit, func() { e.stop(errRunaway) })
		return f(L)
	})
}

// call compiles the input and calls it.
func (e *evaluation) call(L *lua.LState, in input) ([]lua.LValue, error) {
	fn, err := e.scope.Compile(in.chunk, in.name, keepLocals)
	if err != nil {
		return nil, err
	}
	started := time.Now()
	values, err := e.cfg.VM.Call(L, "in main chunk", fn, lua.MultRet)
	e.took = time.Since(started)
	var raised *fault.Error
	if errors.As(err, &raised) && raised.Code != fault.Cancelled {
		v := raised.Value
		if v == nil {
			v = e.cfg.VM.ErrorObject(raised)
		}
		e.scope.Preset("_err", v)
	}
	return values, err
}

// remember makes _ and _1 to _9 of the first value that came back.
func (e *evaluation) remember(values []lua.LValue) {
	if len(values) == 0 || values[0] == lua.LNil {
		return
	}
	e.values = append([]lua.LValue{values[0]}, e.values...)
	e.values = e.values[:min(len(e.values), remembered)]
	e.scope.Preset("_", values[0])
	for i, v := range e.values {
		e.scope.Preset(fmt.Sprintf("_%d", i+1), v)
	}
}

func (e *evaluation) logged(text string) {
	if e.who != "" {
		e.cfg.Log.Info("console", "who", e.who, "line", fault.Cut(strings.TrimSpace(text), loggedText))
	}
}

// keepSource remembers an input, and gives the name of the one that is forgotten for it; "": none.
func (s *session) keepSource(src source) (forgotten string) {
	s.sources = append(s.sources, src)
	if len(s.sources) > kept {
		forgotten = s.sources[0].name
		s.sources = s.sources[1:]
	}
	return forgotten
}

// text gives the text of an input, for errors.
func (s *session) text(name string) (string, bool) {
	for i := len(s.sources) - 1; i >= 0; i-- {
		if s.sources[i].name == name {
			return s.sources[i].text, true
		}
	}
	return "", false
}
