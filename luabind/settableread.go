package luabind

import (
	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/vm"
	"faust/runtime/table"
)

// part is a shard as somebody sees it.
type part struct {
	shard *table.Shard
	by    *table.Effects // of the event in hand; nil: none
}

// setShards are the shards that may have members of a key: the one of the event in hand, elsewhere those that this worker has.
func (t *tableObject) setShards(L *lua.LState, key string) (list []part) {
	if s := t.hand(L); s != nil {
		s.check(L, key)
		return []part{{s.shard, s.effects()}}
	}
	for _, shard := range t.shardsFor(t.runtime(L), key) {
		list = append(list, part{shard, nil})
	}
	return list
}

// memberWalk goes through the members of a key.
type memberWalk struct {
	table *tableObject
	key   string
	parts []part
	from  string // where the next page begins
	now   part   // that the last page is of
}

func (t *tableObject) membersFrom(L *lua.LState, key string) *memberWalk {
	return &memberWalk{table: t, key: key, parts: t.setShards(L, key)}
}

// next gives up to n entries; none: that was all.
func (w *memberWalk) next(L *lua.LState, n int) []table.Pair {
	for len(w.parts) > 0 {
		w.now = w.parts[0]
		page, more, err := w.now.shard.Members(w.key, w.from, n, w.now.by)
		if err != nil {
			vm.Raise(L, err)
		}
		if k := len(page); more && k > 0 {
			w.from = page[k-1].Key + "\x00"
		} else {
			w.parts, w.from = w.parts[1:], ""
		}
		if len(page) > 0 {
			return page
		}
	}
	return nil
}

// stays tells whether an entry of the last page is there still.
func (w *memberWalk) stays(L *lua.LState, entry string) bool {
	v, err := w.now.shard.Get(entry, w.now.by)
	if err != nil {
		vm.Raise(L, err)
	}
	return v != nil
}

// memberOf makes the Lua value of the member that an entry is of.
func (t *tableObject) memberOf(L *lua.LState, key, entry string) lua.LValue {
	_, member := table.SplitMember(entry)
	v, err := t.val.Decode(L, member)
	if err != nil {
		vm.Raise(L, noted(err, "table", "member of "+t.shown(L, key)+" in "+t.def.Name))
	}
	return v
}

// list makes a list of the members that a key has in some shards.
func (t *tableObject) list(L *lua.LState, key string, in ...part) *lua.LTable {
	out := L.CreateTable(0, 0)
	w := &memberWalk{table: t, key: key, parts: in}
	for page := w.next(L, pageSize); len(page) > 0; page = w.next(L, pageSize) {
		for _, p := range page {
			out.Append(t.memberOf(L, key, p.Key))
		}
	}
	return t.b.reg.Array(out)
}

// keyWalk goes through the keys that have members, of the partitions that this worker has: partition after partition, in the order of their bytes.
type keyWalk struct {
	walker

	keys []string
}

func (t *tableObject) walkKeys(L *lua.LState) *keyWalk { return &keyWalk{walker: *t.walk(L)} }

// pass gives the next key and the shard it is in; false: that was all. Of a set that is larger than a page, the rest is passed over.
func (w *keyWalk) pass(L *lua.LState) (string, part, bool) {
	for len(w.keys) == 0 {
		if !w.turn(L) {
			return "", part{}, false
		}
		for _, p := range w.page {
			if key, _ := table.SplitMember(p.Key); len(w.keys) == 0 || w.keys[len(w.keys)-1] != key {
				w.keys = append(w.keys, key)
			}
		}
		if n := len(w.page); n > 0 {
			w.next = table.AfterMembers(w.page[n-1].Key)
		}
	}
	key := w.keys[0]
	w.keys = w.keys[1:]
	return key, part{w.shards[0], w.effects()}, true
}

// setPairs is pairs(t): for key, members in pairs(t) do, over the partitions that this worker has; members is a list.
func setPairs(L *lua.LState) int {
	t, _ := arg.Method[*tableObject](L, "pairs")
	w := t.walkKeys(L)
	L.Push(L.NewFunction(func(L *lua.LState) int {
		for {
			key, at, ok := w.pass(L)
			if !ok {
				L.Push(lua.LNil)
				return 1
			}
			if list := t.list(L, key, at); list.Len() > 0 {
				L.Push(w.key(L, key))
				L.Push(list)
				return 2
			}
		}
	}))
	return 1
}

// setLen is #t: how many keys have members, in the partitions that this worker has.
func setLen(L *lua.LState) int {
	t, _ := arg.Method[*tableObject](L, "#")
	w, n := t.walkKeys(L), 0
	for _, _, ok := w.pass(L); ok; _, _, ok = w.pass(L) {
		n++
	}
	L.Push(lua.LNumber(n))
	return 1
}

// setKeys is t:keys() -> list of the keys that have members, in the partitions that this worker has.
func setKeys(L *lua.LState) int {
	t, a := arg.Method[*tableObject](L, "set_table:keys")
	a.Done()
	w, list := t.walkKeys(L), L.CreateTable(0, 0)
	for key, _, ok := w.pass(L); ok; key, _, ok = w.pass(L) {
		list.Append(w.key(L, key))
	}
	L.Push(t.b.reg.Array(list))
	return 1
}

// setEverywhere is t:everywhere(): for key, members in t:everywhere() do, over the partitions of all workers; members is a list.
func setEverywhere(L *lua.LState) int {
	t, a := arg.Method[*tableObject](L, "set_table:everywhere")
	a.Done()
	next := t.pairsEverywhere(L, a)
	ahead := next(L)
	L.Push(L.NewFunction(func(L *lua.LState) int {
		if ahead == nil {
			L.Push(lua.LNil)
			return 1
		}
		key, list := ahead.Key, L.CreateTable(0, 0)
		for ; ahead != nil && ahead.Key == key; ahead = next(L) {
			v, err := t.val.Decode(L, ahead.Value.Append(nil))
			if err != nil {
				vm.Raise(L, noted(err, "table", "member of "+t.shown(L, key)+" in "+t.def.Name))
			}
			list.Append(v)
		}
		k, err := t.key.Decode(L, []byte(key))
		if err != nil {
			vm.Raise(L, noted(err, "table", "key of "+t.def.Name))
		}
		L.Push(k)
		L.Push(t.b.reg.Array(list))
		return 2
	}))
	return 1
}
