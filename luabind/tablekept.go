package luabind

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/luabind/vm"
	"faust/runtime/table"
)

// keptKey names a value that an event has read.
type keptKey struct {
	table *tableObject
	key   string
}

// kept is a value that was given out in an event and can be changed in place.
type kept struct {
	seat  *seat
	key   string
	value lua.LValue
	bytes []byte      // of it, when it was given out or saved last
	was   table.Value // what the shard had then; nil: the key was not there
}

// mutable tells whether a value can be changed in place.
func mutable(v lua.LValue) bool {
	if _, ok := v.(*lua.LTable); ok {
		return true
	}
	_, ok := record.ObjectOf(v)
	return ok
}

// keep remembers a value that was given out: it is given out again for its key, and saved when the event ends if it was changed. bytes are not changed.
func (in *body) keep(s *seat, key string, v lua.LValue, bytes []byte, was table.Value) {
	if in.kept == nil {
		in.kept = map[keptKey]*kept{}
	}
	key = strings.Clone(key)
	in.kept[keptKey{s.table, key}] = &kept{seat: s, key: key, value: v, bytes: bytes, was: was}
}

// there tells whether the key is there: a default is once it was changed.
func (k *kept) there(L *lua.LState) bool {
	if k.was == nil {
		k.save(L)
	}
	return k.was != nil
}

// save saves a value that was changed in place.
func (k *kept) save(L *lua.LState) {
	t := k.seat.table
	b, err := t.val.Encode(L, t.b.scratch[:0], k.value)
	if err == nil && bytes.Equal(b, k.bytes) {
		t.b.scratch = b[:0]
		return
	}
	b = slices.Clone(b)
	if err != nil {
		err = k.unsaved(L, err)
	} else if err = k.elsewhere(L); err == nil {
		err = t.fits(t.plainKey(k.key), len(b))
	}
	to := &table.Stored{Bytes: b}
	if err == nil && t.windows != nil && k.seat.late(k.key) {
		k.seat.missed(L, t.plainKey(k.key), k.seat.body.src.Current())
		k.bytes = b
		return
	}
	if err == nil {
		err = k.set(L, to)
	}
	if err != nil {
		k.seat.body.kept = nil // what failed is not to fail again
		vm.Raise(L, err)
	}
	k.bytes, k.was = b, to
}

// elsewhere is an error if what is in hand counts in other windows than the one that the value was read from.
func (k *kept) elsewhere(L *lua.LState) error {
	t := k.seat.table
	if t.windows == nil {
		return nil
	}
	hint, why := "", ""
	switch {
	case t.windows.Step != t.windows.Size:
		hint, why = ":update(key, function(value) ... return value end)  changes all of them", "the message counts in several windows"
	case t.windows.Time != table.ClockTime && k.seat.batched() != nil:
		hint, why = ":update(key, { at = event.timestamp }, function(value) ... return value end)  says which one is meant", "the messages of a batch have a time each"
	default:
		return nil
	}
	return t.wrong(fault.Script, identifier(t.def.Name)+hint, "value of %s in %s was changed in place, but %s", t.shown(L, t.plainKey(k.key)), t.def.Name, why)
}

// set gives the key its value, unless another event has given it one since this one read it: that would be lost.
func (k *kept) set(L *lua.LState, to table.Value) error {
	now, err := k.seat.shard.Get(k.key, k.seat.effects())
	if err != nil {
		return err
	}
	if now != k.was && (now == nil || k.was == nil || !bytes.Equal(now.Append(nil), k.was.Append(nil))) {
		t := k.seat.table
		e := t.wrong(fault.Script, "do not wait between reading a value and the end of the event, or assign it before:  t[key] = value",
			"value of %s in %s was changed in place, and by another event meanwhile", t.shown(L, t.plainKey(k.key)), t.def.Name)
		e.Retryable = true
		return e
	}
	return k.seat.set(L, k.key, to)
}

// unsaved is an error of the codec, which is seen only when the event ends: it says what it is about.
func (k *kept) unsaved(L *lua.LState, err error) error {
	t := k.seat.table
	if e, ok := err.(*fault.Error); ok { //nolint:errorlint // only an error of its own is completed
		e.Message = "value of " + t.shown(L, t.plainKey(k.key)) + " in " + t.def.Name + ", which was changed in place, cannot be saved: " + e.Message
	}
	return err
}

// save saves what the event in hand has changed in place. It raises what is wrong with it.
func (in *body) save(L *lua.LState) {
	switch len(in.kept) {
	case 0:
		return
	case 1:
		for _, k := range in.kept {
			k.save(L)
		}
		return
	}
	order := slices.SortedFunc(maps.Keys(in.kept), func(a, b keptKey) int {
		if a.table != b.table {
			return a.table.n - b.table.n
		}
		return strings.Compare(a.key, b.key)
	})
	for _, key := range order {
		if k := in.kept[key]; k != nil {
			k.save(L)
		}
	}
}
