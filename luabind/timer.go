package luabind

import (
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/runtime/app"
	"faust/runtime/timer"
)

// appTimer is app.timer(interval, { name=, on_leader= }, fn): the first tick is one interval after the worker is operational.
func (b *binding) appTimer(L *lua.LState) int {
	a := b.call(L, "app.timer")
	b.declare(a)
	every := a.Duration("the interval")
	if every < time.Millisecond {
		a.Fail("app.timer: the interval is %s, expected at least 1ms", app.FormatDuration(every))
	}
	a.About(app.FormatDuration(every))
	t := &app.Timer{Every: every}
	o := a.Options()
	b.addTimer(a, o, t, "timer", app.FormatDuration(every))
	return 0
}

// appCrontab is app.crontab(spec, { tz=, on_leader=, name= }, fn).
func (b *binding) appCrontab(L *lua.LState) int {
	a := b.call(L, "app.crontab")
	b.declare(a)
	t := &app.Timer{Spec: a.Text("the schedule")}
	a.About(t.Spec)
	var err error
	if t.Schedule, err = timer.Parse(t.Spec); err != nil {
		a.Hint("minute hour day month weekday:  app.crontab('0 20 * * *', fn)  is every day at 20:00", "app.crontab: cannot read '%s': %s", t.Spec, err)
	}
	o := a.Options()
	if zone := o.Text("tz"); o.Has("tz") {
		if t.Zone, err = time.LoadLocation(zone); err != nil || zone == "" {
			o.Fail("tz", "unknown time zone '%s' for %s: expected a name such as 'Europe/Oslo'", zone, a.Of())
		}
	}
	b.addTimer(a, o, t, "crontab", t.Spec)
	return 0
}

// addTimer takes what timers and crontabs have in common.
func (b *binding) addTimer(a *arg.Args, o arg.Options, t *app.Timer, kind, fallback string) {
	fn := a.Function()
	t.Name, t.OnLeader, t.Place = claim(o, &b.names.timers, kind, fallback), o.Boolean("on_leader"), a.Place().String()
	t.Run = b.callback(kind, t.Name, fn)
	b.app.Timers = append(b.app.Timers, t)
}
