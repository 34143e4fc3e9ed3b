package luabind

import (
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/runtime/table"
)

// What is read of a table with windows is one of them: of those that the time falls into the oldest, which has most of it. The time is the event's; elsewhere it is how far
// the partition is.

// row gives the key under which the shard has what a key has in a window. It is valid until the next call.
func (t *tableObject) row(start int64, key string) []byte {
	t.b.row = table.Row(t.b.row[:0], start, key)
	return t.b.row
}

// plainKey is the table's key in the key that a shard has.
func (t *tableObject) plainKey(key string) string {
	if t.windows != nil {
		_, key, _ = table.SplitRow(key)
	}
	return key
}

// lookupAt is lookup for the window that the time is in which at gives for a shard and what is in hand.
func (t *tableObject) lookupAt(L *lua.LState, key string, makes bool, at func(s *seat, shard *table.Shard) int64) (lua.LValue, bool) {
	if s := t.hand(L); s != nil {
		s.check(L, key)
		return s.lookup(L, string(t.row(t.windows.First(at(s, s.shard)), key)), makes)
	}
	for _, shard := range t.shardsFor(t.runtime(L), key) {
		now := at(nil, shard)
		if now == table.Never {
			continue
		}
		if v, ok := t.peek(L, shard, string(t.row(t.windows.First(now), key))); ok {
			return v, true
		}
	}
	return t.lacking(L, key, makes), false
}

// presently is the time at which a table is read if nothing else is said.
func (t *tableObject) presently(L *lua.LState) func(s *seat, shard *table.Shard) int64 {
	return func(s *seat, shard *table.Shard) int64 {
		if s != nil {
			return s.time(L)
		}
		return shard.Present()
	}
}

// tableNow is t:now(key) -> the value in the window that is open now, by the worker's clock.
func tableNow(L *lua.LState) int {
	t, a, key := windowArgs(L, "table:now")
	a.Done()
	v, _ := t.lookupAt(L, key, true, func(*seat, *table.Shard) int64 { return time.Now().UnixMilli() })
	L.Push(v)
	return 1
}

// tableDelta is t:delta(key, ago) -> the value in the window of that long before.
func tableDelta(L *lua.LState) int {
	t, a, key := windowArgs(L, "table:delta")
	ago := a.Duration("how long ago")
	a.Done()
	if ago > t.windows.Expires+t.windows.Size {
		a.Hint("keep them longer:  expires = '"+fault.Cut(ago.String(), 20)+"'", "table:delta: windows of table '%s' are forgotten %s after their end, before %s are over",
			t.def.Name, t.windows.Expires, ago)
	}
	present := t.presently(L)
	v, _ := t.lookupAt(L, key, true, func(s *seat, shard *table.Shard) int64 {
		if at := present(s, shard); at != table.Never {
			return at - ago.Milliseconds()
		}
		return table.Never
	})
	L.Push(v)
	return 1
}

// tableWindows is t:windows(key) -> list of { from=, to=, value= }: the windows in which the key has a value, the oldest first.
func tableWindows(L *lua.LState) int {
	t, a, key := windowArgs(L, "table:windows")
	a.Done()
	list := L.CreateTable(0, 0)
	add := func(start int64, v lua.LValue) {
		w := t.span(L, t.windows.At(start))
		w.RawSetString("value", v)
		list.Append(w)
	}
	if s := t.hand(L); s != nil {
		s.check(L, key)
		for _, start := range s.shard.Starts() {
			if v, ok := s.lookup(L, string(t.row(start, key)), false); ok {
				add(start, v)
			}
		}
	} else {
		for _, shard := range t.shardsFor(t.runtime(L), key) {
			for _, start := range shard.Starts() {
				if v, ok := t.peek(L, shard, string(t.row(start, key))); ok {
					add(start, v)
				}
			}
		}
	}
	L.Push(t.b.reg.Array(list))
	return 1
}

// windowArgs takes the key of a method that only tables with windows have.
func windowArgs(L *lua.LState, name string) (*tableObject, *arg.Args, string) {
	t, a := arg.Method[*tableObject](L, name)
	t.windowed(a)
	return t, a, t.bytesOf(L, a.Value("the key"))
}
