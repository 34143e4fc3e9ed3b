package luabind

import (
	"errors"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/vm"
	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/table"
)

// latest is the last moment there is: RFC 3339 has four digits for the year.
const latest = 253402300799999

// time is the time of the event in hand, by which it counts.
func (s *seat) time(L *lua.LState) int64 {
	t, ev := s.table, s.body.src.Current()
	w := t.windows
	if w.Time == table.ClockTime {
		return max(time.Now().UnixMilli(), s.shard.Now())
	}
	at, known := s.timeOf(ev)
	switch {
	case known:
	case w.Time == table.EventTime:
		why := "no timestamp"
		if ev.Timestamp > latest {
			why = "a timestamp beyond the year 9999"
		}
		vm.Raise(L, t.wrong(fault.Script, "time = 'now' counts messages when they are processed, and a field's name by what is in it",
			"the message has %s, and the windows of table '%s' go by it", why, t.def.Name))
	default:
		vm.Raise(L, t.wrong(fault.Validation, "a datetime, a text such as '2026-11-23T18:00:00Z', or seconds since 1970",
			"the message has no time in its field '%s', by which it counts in the windows of table '%s'", w.Time, t.def.Name))
	}
	s.believe(L, at)
	return at
}

// believe raises for a time that is further ahead of this machine's clock than the table takes: its window would be kept until then. A window that closes is believed.
func (s *seat) believe(L *lua.LState, at int64) {
	w := s.table.windows
	if at <= w.believed || s.body.src.Current().Chore() != nil {
		return
	}
	w.believed = time.Now().Add(w.ahead).UnixMilli()
	if at > w.believed {
		vm.Raise(L, s.table.wrong(fault.Validation, "{ ahead = '365d' } takes what is further ahead",
			"the message is of %s, more than %s ahead of this machine's clock, and counts in no window of table '%s'",
			time.UnixMilli(at).UTC().Format(time.RFC3339), app.FormatDuration(w.ahead), s.table.def.Name))
	}
}

// timeOf is what a message says itself of its time, in the way of its agent's topic, or a window that closes.
func (s *seat) timeOf(ev *agent.Event) (at int64, known bool) {
	name := s.table.windows.Time
	switch {
	case ev.Chore() != nil:
		return ev.Timestamp, true
	case name == table.EventTime:
		return ev.Timestamp, ev.Timestamp >= 0 && ev.Timestamp <= latest
	}
	for _, way := range s.body.agent.def.Timings {
		if way.Name == name {
			return way.Of(ev.Record)
		}
	}
	return 0, false
}

// batched gives the messages in hand if there are several.
func (s *seat) batched() []*agent.Event {
	if batch := s.body.batch; len(batch) > 1 && batch[len(batch)-1] == s.body.src.Current() {
		return batch
	}
	return nil
}

// timeFor is time for a write, which may say itself what time it is for.
func (s *seat) timeFor(L *lua.LState, a *arg.Args, given lua.LValue) int64 {
	if given != lua.LNil {
		at, ok := milliseconds(given)
		if !ok {
			a.Wrong("option 'at'", given, "a datetime or seconds since 1970")
		}
		s.believe(L, at)
		return at
	}
	if s.table.windows.Time != table.ClockTime && s.batched() != nil {
		vm.Raise(L, s.table.wrong(fault.Usage, "say it:  "+identifier(s.table.def.Name)+":add(key, n, { at = event.timestamp }), with the events of  stream:take_events",
			"the messages of a batch have a time each: in which window of table '%s' it counts is not known", s.table.def.Name))
	}
	return s.time(L)
}

// eachWindow calls write with the row of every window that a time falls into and that is open. If one was closed already, somebody is told.
func (s *seat) eachWindow(L *lua.LState, a *arg.Args, key string, given lua.LValue, write func(row string) error) {
	t := s.table
	at, done := s.timeFor(L, a, given), int64(table.Never)
	for {
		missed := false
		for start := range t.windows.Starts(at) {
			if start <= done {
				continue
			}
			done = start
			row := string(t.row(start, key))
			if s.late(row) {
				missed = true
				continue
			}
			switch err := write(row); {
			case errors.Is(err, table.ErrClosed):
				missed = true
			case err != nil:
				vm.Raise(L, err)
			}
		}
		switch {
		case !missed:
			return
		case given != lua.LNil || t.windows.Time != table.ClockTime:
			s.missed(L, key, s.lateOne(given, at))
			return
		}
		at = s.time(L) // it closed at this moment: the message counts in what comes after it
	}
}

// lateOne is the message in hand that is late: of a batch the first of the time that the write said; nil: none has it.
func (s *seat) lateOne(given lua.LValue, at int64) *agent.Event {
	batch := s.batched()
	if given == lua.LNil || batch == nil {
		return s.body.src.Current()
	}
	for _, ev := range batch {
		if of, known := s.timeOf(ev); known && of == at {
			return ev
		}
	}
	return nil
}

// late tells whether the window of a row counts nothing any more for what is in hand.
func (s *seat) late(row string) bool {
	start, _, _ := table.SplitRow(row)
	if s.table.windows.Time == table.ClockTime || s.body.src.Current().Chore() != nil { // a chore comes in its turn, however far time is
		return s.shard.Closes(start)
	}
	return s.shard.Late(start) || s.shard.Closes(start)
}

// missed tells of a message that came when a window of its time was closed; nil: nobody knows which one.
func (s *seat) missed(L *lua.LState, key string, ev *agent.Event) {
	t := s.table
	s.shard.Missed()
	if t.windows.onLate == nil || s.body.src.Current().Chore() != nil {
		return
	}
	k, err := t.key.Decode(L, []byte(key))
	if err != nil {
		vm.Raise(L, noted(err, "table", "key of "+t.def.Name))
	}
	L.Push(t.windows.onLate)
	L.Push(k)
	switch ev {
	case nil:
		L.Push(lua.LNil)
	case s.body.src.Current():
		L.Push(s.body.eventObject(ev).lua)
	default:
		L.Push(newEvent(s.body, ev).lua)
	}
	L.Call(2, 0)
}

// windowsAdd is t:add(key, n, { at= }) of a table with windows -> the new value in the oldest of those it counts in; nil: it was late for all.
func (t *tableObject) windowsAdd(L *lua.LState, a *arg.Args, key string, n lua.LValue, at lua.LValue) lua.LValue {
	s := t.writing(L)
	s.check(L, key)
	first := lua.LValue(lua.LNil)
	plus, isNumber := n.(lua.LNumber)
	s.eachWindow(L, a, key, at, func(row string) error {
		sum, quick, err := s.quickly(row, float64(plus), isNumber)
		if err != nil {
			return err
		}
		v := lua.LValue(lua.LNumber(sum))
		if !quick {
			had, _ := s.lookup(L, row, true)
			v = t.sum(a, key, had, n)
			err = s.putRow(L, row, v)
		}
		if first == lua.LNil && err == nil {
			first = v
		}
		return err
	})
	return first
}

// quickly adds to a row that has a number; false: it is to be done the other way.
func (s *seat) quickly(row string, n float64, isNumber bool) (sum float64, ok bool, err error) {
	t := s.table
	if !isNumber || len(row) > shortKey || s.body.kept[keptKey{t, row}] != nil {
		return 0, false, nil
	}
	err = s.shard.Update(row, s.effects(), func(v table.Value) (table.Value, bool) {
		if sum, ok = t.sumOf(v, n); !ok {
			return nil, false
		}
		return number(sum), true
	})
	if errors.Is(err, table.ErrBusy) { // said properly by the other way
		return 0, false, nil
	}
	t.changes++
	return sum, ok, err
}

// windowsUpdate is t:update(key, { at= }, fn) of a table with windows: fn is called for each that the message counts in.
func (t *tableObject) windowsUpdate(L *lua.LState, a *arg.Args, key string, at lua.LValue, fn *lua.LFunction) lua.LValue {
	s := t.writing(L)
	s.check(L, key)
	first, done := lua.LValue(lua.LNil), false
	s.eachWindow(L, a, key, at, func(row string) error {
		v, _ := s.lookup(L, row, true)
		L.Push(fn)
		L.Push(v)
		L.Call(1, 1)
		to := L.Get(-1)
		L.Pop(1)
		err := t.writing(L).putRow(L, row, to)
		if !done && err == nil {
			first, done = to, true
		}
		return err
	})
	return first
}

// windowsWrite is t[key] = v of a table with windows.
func (t *tableObject) windowsWrite(L *lua.LState, key string, v lua.LValue) {
	s := t.writing(L)
	if t.windows.Step != t.windows.Size {
		vm.Raise(L, t.wrong(fault.Usage, identifier(t.def.Name)+":update(key, function(value) return ... end)  is called for each of them",
			"a message counts in several windows of table '%s', which cannot be assigned at once", t.def.Name))
	}
	s.check(L, key)
	a := arg.Args{L: L, Name: "table:add"}
	s.eachWindow(L, &a, key, lua.LNil, func(row string) error { return s.putRow(L, row, v) })
}
