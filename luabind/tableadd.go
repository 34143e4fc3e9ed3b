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
	if !ok || !isText || !isNumber || !t.rawKeys || t.def.Sets || t.windows != nil || len(key) > shortKey {
		return nil, 0, false
	}
	sum, ok = t.addTo(string(key), float64(n))
	return t, sum, ok
}

// addTo adds to a number in the partition of the event in hand, and gives the sum.
func (t *tableObject) addTo(key string, n float64) (sum float64, ok bool) {
	h, ok := t.b.hand()
	if !ok || t.n >= len(h.body.seats) {
		return 0, false
	}
	s := &h.body.seats[t.n]
	if s.shard == nil || !s.owns(key) {
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
