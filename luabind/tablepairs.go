package luabind

import (
	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/vm"
	"faust/runtime/table"
)

// pageSize is how many keys are read at a time.
const pageSize = 256

// walker goes through the keys of a table that this worker has: partition after partition, in the order of their bytes.
type walker struct {
	table  *tableObject
	seat   *seat // of the event in hand when it began; nil: none
	shards []*table.Shard
	page   []table.Pair
	next   string // where the next page begins,
	to     string // and the last ends
	more   bool   // there may be one
	seen   int    // changes of the table when the page was read
}

func (t *tableObject) walk(L *lua.LState) *walker {
	w := &walker{table: t, seat: t.hand(L)}
	if w.seat != nil {
		w.seat.body.save(L)
	}
	w.shards = t.allHere(L)
	w.more = len(w.shards) > 0
	w.enter(L)
	return w
}

// allHere are the partitions that this worker has; of a global table, all.
func (t *tableObject) allHere(L *lua.LState) []*table.Shard {
	rt := t.runtime(L)
	shards, n := rt.Shards(t.def), rt.Partitions(t.def)
	if !t.def.Global || len(shards) == int(n) {
		return shards
	}
	var missing []int32
	for p := range n {
		if rt.Shard(t.def, p) == nil {
			missing = append(missing, p)
		}
	}
	t.await(L, missing...)
	return rt.Shards(t.def)
}

// enter begins with a shard; of one with windows the window is gone through that reading looks into.
func (w *walker) enter(L *lua.LState) {
	w.next, w.to = "", ""
	if w.table.windows == nil || len(w.shards) == 0 {
		return
	}
	s := w.seat
	if s != nil && (!s.body.inHand || s.shard != w.shards[0]) {
		s = nil
	}
	if at := w.table.presently(L)(s, w.shards[0]); at != table.Never {
		w.next, w.to = table.Rows(w.table.windows.First(at))
	} else {
		w.next, w.to = noRows, noRows
	}
}

// noRows is after all rows.
const noRows = "\xff\xff\xff\xff\xff\xff\xff\xff\xff"

// effects are those of the event in hand, for what it has written.
func (w *walker) effects() *table.Effects {
	if w.seat == nil || !w.seat.body.inHand {
		return nil
	}
	return w.seat.effects()
}

// pair gives the next key and what it has; nil: that was all. What was deleted since the page was read is left out, what was changed is as it is now, what is new
// may be left out.
func (w *walker) pair(L *lua.LState) (string, table.Value) {
	for {
		for len(w.page) > 0 {
			p := w.page[0]
			w.page = w.page[1:]
			if w.seen != w.table.changes {
				v, err := w.shards[0].Get(p.Key, w.effects())
				if err != nil {
					vm.Raise(L, err)
				}
				p.Value = v
			}
			if p.Value != nil {
				return p.Key, p.Value
			}
		}
		if !w.turn(L) {
			return "", nil
		}
	}
}

// turn reads the next page; false: there is none.
func (w *walker) turn(L *lua.LState) bool {
	if !w.more {
		if len(w.shards) < 2 {
			return false
		}
		w.shards = w.shards[1:]
		w.enter(L)
	}
	page, more, err := w.shards[0].Range(w.next, w.to, pageSize, w.effects())
	if err != nil {
		vm.Raise(L, err)
	}
	w.page, w.more, w.seen = page, more, w.table.changes
	if n := len(page); n > 0 {
		w.next = page[n-1].Key + "\x00"
	} else {
		w.more = false
	}
	return true
}

// key makes the Lua value of a key.
func (w *walker) key(L *lua.LState, key string) lua.LValue {
	k, err := w.table.key.Decode(L, []byte(w.table.plainKey(key)))
	if err != nil {
		vm.Raise(L, noted(err, "table", "key of "+w.table.def.Name))
	}
	return k
}

// value makes the Lua value of what a key has: in an event what t[key] gives, elsewhere a copy.
func (w *walker) value(L *lua.LState, key string, v table.Value) lua.LValue {
	if s := w.seat; s != nil && s.body.inHand && s.shard == w.shards[0] {
		if k := s.body.kept[keptKey{w.table, key}]; k != nil {
			return k.value
		}
		return s.present(L, key, v)
	}
	x, err := w.table.decode(L, w.shards[0], key, v)
	if err != nil {
		vm.Raise(L, err)
	}
	return x
}

// tablePairs is pairs(t): for key, value in pairs(t) do, over the partitions that this worker has.
func tablePairs(L *lua.LState) int {
	t, _ := arg.Method[*tableObject](L, "pairs")
	w := t.walk(L)
	L.Push(L.NewFunction(func(L *lua.LState) int {
		key, v := w.pair(L)
		if v == nil {
			L.Push(lua.LNil)
			return 1
		}
		L.Push(w.key(L, key))
		L.Push(w.value(L, key, v))
		return 2
	}))
	return 1
}

// tableLen is #t: how many keys there are in the partitions that this worker has.
func tableLen(L *lua.LState) int {
	t, _ := arg.Method[*tableObject](L, "#")
	w, n := t.walk(L), 0
	if t.windows != nil {
		for _, v := w.pair(L); v != nil; _, v = w.pair(L) {
			n++
		}
		L.Push(lua.LNumber(n))
		return 1
	}
	for _, s := range w.shards {
		k, err := s.Len()
		if err != nil {
			vm.Raise(L, err)
		}
		n += k
	}
	L.Push(lua.LNumber(n))
	return 1
}

// tableKeys is t:keys() -> list of the keys in the partitions that this worker has.
func tableKeys(L *lua.LState) int {
	t, a := arg.Method[*tableObject](L, "table:keys")
	a.Done()
	w := t.walk(L)
	list := L.CreateTable(0, 0)
	for {
		key, v := w.pair(L)
		if v == nil {
			break
		}
		list.Append(w.key(L, key))
	}
	L.Push(t.b.reg.Array(list))
	return 1
}
