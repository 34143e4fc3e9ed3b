package luabind

import (
	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/vm"
	"faust/runtime/app"
	"faust/runtime/table"
)

// read is t[key]: the value, or the default. In an event it is what the event sees; a table or record is the same one each time, and what is changed in it is saved
// when the event ends. Elsewhere it is a copy. Of a table of sets it is a list of the members, always a new one.
func (t *tableObject) read(L *lua.LState, key lua.LValue) lua.LValue {
	k := t.bytesOf(L, key)
	if t.def.Sets {
		return t.list(L, k, t.setShards(L, k)...)
	}
	v, _ := t.lookup(L, k, true)
	return v
}

// lookup gives the value of a key. false: it is not there; then it is nil, or with makes the default.
func (t *tableObject) lookup(L *lua.LState, key string, makes bool) (lua.LValue, bool) {
	if t.windows != nil {
		return t.lookupAt(L, key, makes, t.presently(L))
	}
	s := t.hand(L)
	if s == nil || t.def.Global && !s.owns(key) {
		return t.outside(L, key, makes)
	}
	s.check(L, key)
	return s.lookup(L, key, makes)
}

// lookup is lookup of the table, in the shard of the body: key is what that has it under.
func (s *seat) lookup(L *lua.LState, key string, makes bool) (lua.LValue, bool) {
	if len(s.body.kept) > 0 {
		if k := s.body.kept[keptKey{s.table, key}]; k != nil && (makes || k.there(L)) {
			return k.value, true
		}
	}
	v, err := s.shard.Get(key, s.effects())
	if err != nil {
		vm.Raise(L, err)
	}
	if v == nil {
		if !makes {
			return lua.LNil, false
		}
		return s.absent(L, key), false
	}
	return s.present(L, key, v), true
}

// present makes the Lua value of what a key has, and keeps one that can be changed in place.
func (s *seat) present(L *lua.LState, key string, v table.Value) lua.LValue {
	x, err := s.table.decode(L, s.shard, key, v)
	if err != nil {
		vm.Raise(L, err)
	}
	if stored, ok := v.(*table.Stored); ok && mutable(x) {
		s.body.keep(s, key, x, stored.Bytes, v)
	}
	return x
}

// absent makes the default of a key, and keeps one that can be changed in place.
func (s *seat) absent(L *lua.LState, key string) lua.LValue {
	v, bytes, err := s.table.make(L, s.table.plainKey(key))
	if err != nil {
		vm.Raise(L, err)
	}
	if bytes != nil && mutable(v) {
		s.body.keep(s, key, v, bytes, nil)
	}
	return v
}

// outside reads a key where no event is in hand: from the partition it belongs to, if this worker has it, or from any that has it if keys have no partition.
func (t *tableObject) outside(L *lua.LState, key string, makes bool) (lua.LValue, bool) {
	rt := t.runtime(L)
	shards := t.shardsFor(rt, key)
	if n := rt.Partitions(t.def); t.def.Global && len(shards) == 0 && n > 0 {
		t.await(L, t.def.Hash.Partition([]byte(key), n))
		shards = t.shardsFor(rt, key)
	}
	for _, shard := range shards {
		if v, ok := t.peek(L, shard, key); ok {
			return v, true
		}
		if t.def.Global && rt.Shard(t.def, shard.Partition()) == nil { // it began to be read anew meanwhile
			return t.outside(L, key, makes)
		}
	}
	return t.lacking(L, key, makes), false
}

// peek gives a copy of what a shard has under a key; false: it has none.
func (t *tableObject) peek(L *lua.LState, shard *table.Shard, key string) (lua.LValue, bool) {
	v, err := shard.Get(key, nil)
	if err != nil {
		vm.Raise(L, err)
	}
	if v == nil {
		return nil, false
	}
	x, err := t.decode(L, shard, key, v)
	if err != nil {
		vm.Raise(L, err)
	}
	return x, true
}

// lacking is what a key has that is not there, elsewhere than in an event.
func (t *tableObject) lacking(L *lua.LState, key string, makes bool) lua.LValue {
	if !makes {
		return lua.LNil
	}
	v, _, err := t.make(L, key)
	if err != nil {
		vm.Raise(L, err)
	}
	return v
}

// shardsFor are the shards of this worker that may have a key.
func (t *tableObject) shardsFor(rt app.Runtime, key string) []*table.Shard {
	if t.def.Anywhere {
		return rt.Shards(t.def)
	}
	n := rt.Partitions(t.def)
	if n <= 0 {
		return nil
	}
	p := t.def.Hash.Partition([]byte(key), n)
	s := rt.Shard(t.def, p)
	if s == nil && t.b.copies() {
		s = rt.Copy(t.def, p)
	}
	if s != nil {
		return []*table.Shard{s}
	}
	return nil
}

// runtime is what has the shards; it raises while there is none.
func (t *tableObject) runtime(L *lua.LState) app.Runtime {
	rt := t.b.app.Runtime()
	switch {
	case t.b.vm.Loading():
		vm.Raise(L, t.wrong(fault.Usage, "put it into  app.task(function() ... end)  or another function of the app", "table '%s' cannot be read while the file is being loaded", t.def.Name))
	case rt == nil:
		vm.Raise(L, t.wrong(fault.Usage, "", "table '%s' needs a running worker", t.def.Name))
	}
	return rt
}

// tableArgs takes the key of a method.
func tableArgs(L *lua.LState, name string) (*tableObject, *arg.Args, string) {
	t, a := arg.Method[*tableObject](L, name)
	return t, a, t.bytesOf(L, a.Value("the key"))
}

// tableGet is t:get(key, otherwise) -> the value; otherwise if the key is not there, which the table does not keep then.
func tableGet(L *lua.LState) int {
	t, a, key := tableArgs(L, "table:get")
	otherwise := a.Maybe()
	a.Done()
	v, ok := t.lookup(L, key, false)
	if !ok {
		v = otherwise
	}
	L.Push(v)
	return 1
}

// tableHas is t:has(key) -> whether the key is there.
func tableHas(L *lua.LState) int {
	t, a, key := tableArgs(L, "table:has")
	a.Done()
	_, ok := t.lookup(L, key, false)
	L.Push(lua.LBool(ok))
	return 1
}
