package module

import (
	"context"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

func (s *Set) timeModule(L *lua.LState) lua.LValue {
	return table(L, "time", map[string]function{"now": s.timeNow, "unix": s.timeUnix, "sleep": s.timeSleep, "parse": s.timeParse, "monotonic": s.timeMonotonic})
}

// timeNow is time.now() -> datetime.
func (s *Set) timeNow(a *args) []lua.LValue {
	a.Done()
	return []lua.LValue{s.cfg.Registry.NewDatetime(time.Now())}
}

// timeUnix is time.unix() -> seconds since 1970, with decimals.
func (s *Set) timeUnix(a *args) []lua.LValue {
	a.Done()
	return []lua.LValue{lua.LNumber(float64(time.Now().UnixMicro()) / 1e6)}
}

// timeMonotonic is time.monotonic() -> seconds since the script was loaded, by a clock that nobody sets.
func (s *Set) timeMonotonic(a *args) []lua.LValue {
	a.Done()
	return []lua.LValue{lua.LNumber(time.Since(s.started).Seconds())}
}

// timeParse is time.parse(text or seconds) -> datetime.
func (s *Set) timeParse(a *args) []lua.LValue {
	v := taken(a, "the text", s.cfg.Registry.ParseDatetime)
	a.Done()
	return []lua.LValue{v}
}

// timeSleep is time.sleep(duration): other tasks run meanwhile.
func (s *Set) timeSleep(a *args) []lua.LValue {
	d := a.Duration("the duration")
	a.Done()
	if d < 0 {
		a.Wrong("the duration", a.L.Get(1), "one that is not negative")
	}
	s.waits(a)
	err := s.cfg.VM.Block(a.L, "time.sleep "+d.String(), func(ctx context.Context) error { return wait(ctx, d) })
	s.waited(a, err)
	return nil
}

// waits raises while the script is being loaded, when nothing may wait.
func (s *Set) waits(a *args) {
	if s.cfg.VM.Loading() {
		a.Raise(&fault.Error{Code: fault.Usage, Message: a.Name + " waits, and nothing can wait while the file is being loaded",
			Hints: []string{"put it in a function that runs later: app.task(function() ... end), an agent, a timer, a command"}})
	}
}

// waited raises what ended a wait early.
func (s *Set) waited(a *args, err error) {
	if err == nil {
		return
	}
	if s.cfg.VM.Context().Err() != nil {
		a.Raise(&fault.Error{Code: fault.Cancelled, Message: a.Name + " was cancelled", Cause: err})
	}
	a.Raise(err)
}
