package luabind

import (
	lua "github.com/yuin/gopher-lua"

	"faust/runtime/table"
)

// addTo is (t, k, e) -> bool: the short way of t[k] = t[k] + e. false: nothing was done, the form as written is to do it or to say what is wrong.
func addTo(L *lua.LState) int {
	_, _, ok := added(L)
	L.Push(lua.LBool(ok))
	return 1
}

// shortKey is the longest key for which nobody needs to ask whether the changelog takes it.
const shortKey = 256

// added adds the second argument to what the key that is the first has, in a table before both, if all of them are as usual.
func added(L *lua.LState) (t *tableObject, sum float64, ok bool) {
	t, ok = as[*tableObject](L.Get(1))
	key, isText := L.Get(2).(lua.LString)
	n, isNumber := L.Get(3).(lua.LNumber)
	if !ok || !isText || !isNumber || !t.sums() {
		return nil, 0, false
	}
	sum, ok = t.addTo(string(key), float64(n))
	return t, sum, ok
}

// sums tells whether keys that are texts may have sums.
func (t *tableObject) sums() bool { return t.rawKeys && !t.def.Sets && t.windows == nil }

// adder adds to a table, as a variable of a loop: a field of the record to what another field of it has as a key.
type adder struct {
	loop  *loop
	table *tableObject
	key   int
	more  int // -1: an argument
}

// adder makes what adds to t; false: it never could.
func (l *loop) adder(own []string, t lua.LValue) lua.LValue {
	a := &adder{loop: l, key: l.schema.Index(own[0]), more: -1}
	a.table, _ = as[*tableObject](t)
	if own[1] != "" {
		if a.more = l.schema.Index(own[1]); a.more < 0 {
			return lua.LFalse
		}
	}
	if a.table == nil || !a.table.sums() || a.key < 0 {
		return lua.LFalse
	}
	return &lua.LFunction{IsG: true, Env: l.d.b.vm.Globals(), GFunction: a.add}
}

// add is ([e]) -> bool.
func (a *adder) add(L *lua.LState) int {
	n, ok := a.number(L)
	if ok {
		var key string
		if key, ok = a.text(); ok {
			_, ok = a.table.addTo(key, n)
		}
	}
	L.Push(lua.LBool(ok))
	return 1
}

// number is what is added. What does not lie in the message as it is, such as a default, is made a Lua value.
func (a *adder) number(L *lua.LState) (float64, bool) {
	v := L.Get(1)
	if a.more >= 0 {
		if n, ok := a.loop.object.Number(a.more); ok {
			return n, true
		}
		v = a.loop.object.Field(a.more)
	}
	n, ok := v.(lua.LNumber)
	return float64(n), ok
}

// text is the key. As number, so is a text with escapes.
func (a *adder) text() (string, bool) {
	if key, ok := a.loop.object.Text(a.key); ok {
		return key, true
	}
	key, ok := a.loop.object.Field(a.key).(lua.LString)
	return string(key), ok
}

// addTo adds to a number in the partition of the event in hand, and gives the sum. The key may be a part of something large.
func (t *tableObject) addTo(key string, n float64) (sum float64, ok bool) {
	h, ok := t.b.hand()
	if !ok || t.n >= len(h.body.seats) || len(key) > shortKey {
		return 0, false
	}
	s := &h.body.seats[t.n]
	if s.shard == nil || !s.has(key) {
		return 0, false
	}
	if len(s.body.kept) > 0 && s.body.kept[keptKey{t, key}] != nil {
		return 0, false
	}
	sum, ok, err := s.shard.Add(key, n, s.effects())
	if err != nil || !ok {
		return 0, false
	}
	t.changes++
	return sum, true
}

// sumOf is what a key has, or the default, and n together, if all are numbers that the table takes.
func (t *tableObject) sumOf(v table.Value, n float64) (float64, bool) {
	had, ok := t.Of(v)
	n += had
	return n, ok && t.forms.takes(n)
}

// Of implements table.Numbers.
func (t *tableObject) Of(v table.Value) (float64, bool) {
	switch v := v.(type) {
	case number:
		return float64(v), true
	case nil:
		zero, ok := t.otherwise.value.(lua.LNumber) // nil if a function makes it
		return float64(zero), ok
	}
	return 0, false
}

// Takes implements table.Numbers.
func (t *tableObject) Takes(n float64) bool { return t.forms.takes(n) }

// Value implements table.Numbers.
func (*tableObject) Value(n float64) table.Value { return number(n) }

// Append implements table.Numbers.
func (*tableObject) Append(to []byte, n float64) []byte { return number(n).Append(to) }
