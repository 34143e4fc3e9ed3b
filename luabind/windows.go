package luabind

import (
	"fmt"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// windows divide a table by time.
type windows struct {
	*table.Windows
	onClose *lua.LFunction // nil: nobody wants to know
	onLate  *lua.LFunction
	place   fault.Place

	ahead    time.Duration // of the clock of this machine that a message may be
	believed int64         // times up to this one are not further ahead
}

// What holds where the declaration says nothing.
const (
	usualGrace = 10 * time.Second
	usualIdle  = time.Minute
	usualAhead = 24 * time.Hour
)

// maxOverlap bounds how many windows a message counts in.
const maxOverlap = 1000

// tableTumbling is t:tumbling(size, { time=, grace=, expires=, idle=, ahead= }) -> t.
func tableTumbling(L *lua.LState) int {
	t, a := dividing(L, "table:tumbling")
	size := length(a, "the size")
	t.divide(a, size, size)
	return 1
}

// tableHopping is t:hopping(size, step, { time=, grace=, expires=, idle=, ahead= }) -> t.
func tableHopping(L *lua.LState) int {
	t, a := dividing(L, "table:hopping")
	size := length(a, "the size")
	step := length(a, "the step")
	switch {
	case step > size:
		a.Hint("a step is at most as long as a window", "table:hopping: the step, %s, is longer than the window, %s: what comes between two windows would count in none",
			app.FormatDuration(step), app.FormatDuration(size))
	case size > maxOverlap*step:
		a.Hint("take a longer step", "table:hopping: with a step of %s every message would count in %d windows of %s, more than %d",
			app.FormatDuration(step), (size+step-1)/step, app.FormatDuration(size), maxOverlap)
	}
	t.divide(a, size, step)
	return 1
}

// dividing begins a method that gives a table windows.
func dividing(L *lua.LState, name string) (*tableObject, *arg.Args) {
	t, a := arg.Method[*tableObject](L, name)
	t.b.declare(a)
	if t.def.Global {
		a.Hint("app.table('"+t.def.Name+"')", "%s: table '%s' is global: windows are of tables whose partitions each have their own time", name, t.def.Name)
	}
	if t.windows != nil {
		a.Fail("%s: table '%s' has windows already: %s, at %s", name, t.def.Name, t.windows, t.windows.place)
	}
	return t, a
}

// length takes the length of a span of time.
func length(a *arg.Args, what string) time.Duration {
	d := a.Duration(what)
	if d < time.Millisecond || d%time.Millisecond != 0 {
		a.Fail("%s: %s is %s, expected whole milliseconds, at least one", a.Name, what, app.FormatDuration(d))
	}
	return d
}

// divide gives the table its windows, and pushes it.
func (t *tableObject) divide(a *arg.Args, size, step time.Duration) {
	o := a.Options()
	a.Done()
	w := &table.Windows{Time: o.TextOr("time", table.EventTime), Size: size, Step: step, Grace: usualGrace, Idle: usualIdle}
	if w.Time == table.ClockTime {
		w.Grace = 0
		for _, name := range []string{"grace", "idle", "ahead"} {
			if o.Has(name) {
				o.Fail(name, "option '%s' of %s says nothing with time = 'now': no message is late then, and time passes by itself", name, a.Of())
			}
		}
	}
	grace, waits := o.Duration("grace")
	w.Expires = max(size, w.Grace)
	if expires, ok := o.Duration("expires"); ok {
		if waits && expires < grace {
			o.Fail("expires", "expires, %s, is shorter than grace, %s: a window is kept as long as it counts what comes late", app.FormatDuration(expires), app.FormatDuration(grace))
		}
		w.Expires, w.Grace = expires, min(w.Grace, expires)
	}
	if waits {
		w.Grace, w.Expires = grace, max(w.Expires, grace)
	}
	if idle, ok := o.Duration("idle"); ok {
		w.Idle = idle
	}
	w.Expires, w.Grace = w.Expires.Truncate(time.Millisecond), w.Grace.Truncate(time.Millisecond)
	t.windows, t.def.Windows = &windows{Windows: w, place: a.Place(), ahead: usualAhead}, w
	if ahead, ok := o.Duration("ahead"); ok {
		t.windows.ahead = ahead
	}
	a.L.Push(t.lua)
}

// tableOnClose is t:on_close({ on_error= }, function(key, window, value) ... end) -> t.
func tableOnClose(L *lua.LState) int {
	t, a := telling(L, "table:on_close")
	o := a.Options()
	fn := a.Function()
	if t.windows.onClose != nil {
		a.Fail("table:on_close: table '%s' has one already", t.def.Name)
	}
	t.windows.onClose, t.def.Windows.Told = fn, true
	t.def.Windows.Skips = o.Text("on_error") == "skip"
	t.b.bodies = append(t.b.bodies, code{"windows of " + t.def.Name, fn})
	L.Push(t.lua)
	return 1
}

// tableOnLate is t:on_late(function(key, event) ... end) -> t.
func tableOnLate(L *lua.LState) int {
	t, a := telling(L, "table:on_late")
	fn := a.Function()
	if t.windows.onLate != nil {
		a.Fail("table:on_late: table '%s' has one already", t.def.Name)
	}
	t.windows.onLate = fn
	t.b.bodies = append(t.b.bodies, code{"late messages of " + t.def.Name, fn})
	L.Push(t.lua)
	return 1
}

// telling begins a method that declares what windows call.
func telling(L *lua.LState, name string) (*tableObject, *arg.Args) {
	t, a := arg.Method[*tableObject](L, name)
	t.b.declare(a)
	t.windowed(a)
	return t, a
}

// windowed makes sure that the table has windows.
func (t *tableObject) windowed(a *arg.Args) {
	if t.windows == nil {
		a.Hint("app.table('"+t.def.Name+"', { ... }):tumbling('1m')  gives it some", "%s: table '%s' has no windows", a.Name, t.def.Name)
	}
}

// timed finds out by which times agents go, those that send messages on for others included.
func (b *binding) timed() error {
	for _, g := range b.agents.order {
		if g.source == nil {
			continue
		}
		for _, t := range g.tables {
			if t.windows == nil || t.windows.Time == table.ClockTime {
				continue
			}
			if err := g.goesBy(t); err != nil {
				return err
			}
		}
	}
	for changed := true; changed; { // through chains of groups
		changed = false
		for _, g := range b.groups {
			for _, reader := range b.agents.order {
				if slices.Contains(reader.sources(), g.by) {
					for _, way := range reader.def.Timings {
						changed = g.sender.tells(way) || changed
					}
				}
			}
			if len(g.sender.def.Timings) > 0 {
				g.sender.def.Onward = g.by.decl.Name
			}
		}
	}
	return nil
}

// goesBy notes that the agent's messages count in the windows of a table.
func (g *agentObject) goesBy(t *tableObject) error {
	way := agent.Timing{Name: t.windows.Time, Idle: t.windows.Idle, Reach: t.windows.Reach()}
	if way.Name != table.EventTime {
		of, err := record.Moment(g.val, way.Name)
		if err != nil {
			e := usage("the windows of table '%s' go by the field '%s' of messages, and agent '%s' reads such that have no time there: %s", t.def.Name, way.Name, g.def.Name, err)
			e.Place = t.windows.place
			e.Hints = []string{"time = 'event', the timestamp of the message, or the name of a field that is a datetime"}
			e.Notes = []fault.Note{{Label: "agent '" + g.def.Name + "'", Text: g.declaredAt.String()}}
			return e
		}
		way.Of = func(r *topic.Record) (int64, bool) { return of(r.Value) }
	}
	g.tells(way)
	return nil
}

// tells adds a way to tell the time to those that the agent's messages are looked at for; false: that changes nothing. Of two tables that go by it the more patient one
// says how long partitions are waited for.
func (g *agentObject) tells(way agent.Timing) bool {
	for i, known := range g.def.Timings {
		if known.Name == way.Name {
			g.def.Timings[i].Idle, g.def.Timings[i].Reach = max(known.Idle, way.Idle), max(known.Reach, way.Reach)
			return known.Idle < way.Idle || known.Reach < way.Reach
		}
	}
	g.def.Timings = append(g.def.Timings, way)
	return true
}

// span makes the table that tells a script of a window.
func (t *tableObject) span(L *lua.LState, w table.Window) *lua.LTable {
	out := L.CreateTable(0, 3)
	out.RawSetString("from", t.b.reg.NewDatetime(time.UnixMilli(w.Start)))
	out.RawSetString("to", t.b.reg.NewDatetime(time.UnixMilli(w.End)))
	return out
}

// spanOf writes a window to stand before a value, or as members of an object of JSON.
func (t *tableObject) spanOf(start int64, asJSON bool) string {
	w := t.windows.At(start)
	if !asJSON {
		return spanText(w) + "  "
	}
	const layout = "2006-01-02T15:04:05.999Z"
	return `,"from":"` + time.UnixMilli(w.Start).UTC().Format(layout) + `","to":"` + time.UnixMilli(w.End).UTC().Format(layout) + `"`
}

// spanText writes a window for a person.
func spanText(w table.Window) string {
	from, to := time.UnixMilli(w.Start).UTC(), time.UnixMilli(w.End).UTC()
	if from.Format(time.DateOnly) == to.Format(time.DateOnly) {
		return fmt.Sprintf("%s to %s", from.Format("2006-01-02T15:04:05.999"), to.Format("15:04:05.999Z"))
	}
	return fmt.Sprintf("%s to %s", from.Format("2006-01-02T15:04:05.999"), to.Format("2006-01-02T15:04:05.999Z"))
}
