package luabind

import (
	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/luabind/vm"
	"faust/runtime/table"
)

// A table of sets is a tableObject whose keys have members. Each member is an entry of its own, so that adding or removing one costs no more in a large set.

// setMethods are the methods of a table of sets.
func setMethods() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"add": setAdd, "remove": setRemove, "has": setHas, "members": setMembers, "count": setCount, "clear": setClear, "keys": setKeys, "everywhere": setEverywhere,
	}
}

// setKind makes the metatable of tables of sets.
func (b *binding) setKind(L *lua.LState) *lua.LTable {
	mt := b.keyedKind(L, "set_table", setMethods())
	mt.RawSetString("__len", L.NewFunction(setLen))
	mt.RawSetString("__pairs", L.NewFunction(setPairs))
	return mt
}

// appSets is app.set_table(name, { key=, value=, scope=, help= }) -> table of sets.
func (b *binding) appSets(L *lua.LState) int {
	return b.declareTable(L, "app.set_table", b.kinds.set, func(t *tableObject, o arg.Options) {
		if _, ok := record.CodecSchema(t.val); ok {
			o.Fail("value", "value = %s: members are texts, numbers and booleans; records that are equal can be written in several ways", t.val.Name())
		}
		t.def.Sets, t.def.Value = true, "set of "+t.val.Name()
	})
}

// setArgs takes the key of a method, and the member.
func setArgs(L *lua.LState, name string) (t *tableObject, key, entry string) {
	t, a, key := tableArgs(L, name)
	v := a.Value("the member")
	a.Done()
	return t, key, t.member(L, key, v)
}

// member gives the entry of a member. What cannot be one raises.
func (t *tableObject) member(L *lua.LState, key string, v lua.LValue) string {
	switch x := v.(type) {
	case *lua.LTable:
		vm.Raise(L, t.wrong(fault.Validation, "json.encode makes a text of it", "a table cannot be a member of table '%s': members are texts, numbers and booleans", t.def.Name))
	case *lua.LNilType:
		vm.Raise(L, t.wrong(fault.Usage, "", "the member of table '%s' is nil", t.def.Name))
	case lua.LNumber:
		v = x + 0 // -0 is 0
	}
	if t.b.reg.IsNull(v) {
		vm.Raise(L, t.wrong(fault.Validation, "", "null cannot be a member of %s in %s", t.shown(L, key), t.def.Name))
	}
	b, err := t.val.Encode(L, t.b.scratch[:0], v)
	if err != nil {
		vm.Raise(L, noted(err, "table", "member of "+t.shown(L, key)+" in "+t.def.Name))
	}
	t.b.scratch = b[:0]
	entry := table.Member(key, b)
	if err := t.fits(entry, 0); err != nil {
		vm.Raise(L, err)
	}
	return entry
}

// present is the value of an entry: that it is there is all.
var present table.Value = plain("")

// change makes an entry of the body's partition there or not, as an effect of the event in hand, and tells whether it was otherwise.
func (s *seat) change(L *lua.LState, key, entry string, to table.Value) bool {
	s.check(L, key)
	was, err := s.shard.Get(entry, s.effects())
	if err == nil && (was == nil) != (to == nil) {
		err = s.set(L, entry, to)
	} else if err == nil {
		return false
	}
	if err != nil {
		vm.Raise(L, err)
	}
	return true
}

// setAdd is t:add(key, member) -> whether it is new.
func setAdd(L *lua.LState) int {
	t, key, entry := setArgs(L, "set_table:add")
	L.Push(lua.LBool(t.writing(L).change(L, key, entry, present)))
	return 1
}

// setRemove is t:remove(key, member) -> whether it was there.
func setRemove(L *lua.LState) int {
	t, key, entry := setArgs(L, "set_table:remove")
	L.Push(lua.LBool(t.writing(L).change(L, key, entry, nil)))
	return 1
}

// setHas is t:has(key, member) -> whether it is there; t:has(key): whether any is.
func setHas(L *lua.LState) int {
	if L.GetTop() < 3 {
		t, a, key := tableArgs(L, "set_table:has")
		a.Done()
		L.Push(lua.LBool(len(t.membersFrom(L, key).next(L, 1)) > 0))
		return 1
	}
	t, key, entry := setArgs(L, "set_table:has")
	has := false
	for _, p := range t.setShards(L, key) {
		v, err := p.shard.Get(entry, p.by)
		if err != nil {
			vm.Raise(L, err)
		}
		has = has || v != nil
	}
	L.Push(lua.LBool(has))
	return 1
}

// setCount is t:count(key) -> how many members there are.
func setCount(L *lua.LState) int {
	t, a, key := tableArgs(L, "set_table:count")
	a.Done()
	n := 0
	for _, p := range t.setShards(L, key) {
		k, err := p.shard.Count(key)
		if err != nil {
			vm.Raise(L, err)
		}
		n += k
	}
	L.Push(lua.LNumber(n))
	return 1
}

// setMembers is t:members(key): for member in t:members(key) do, in the order of their bytes.
func setMembers(L *lua.LState) int {
	t, a, key := tableArgs(L, "set_table:members")
	a.Done()
	w := t.membersFrom(L, key)
	var page []table.Pair
	L.Push(L.NewFunction(func(L *lua.LState) int {
		for {
			if len(page) == 0 {
				page = w.next(L, pageSize)
			}
			if len(page) == 0 {
				L.Push(lua.LNil)
				return 1
			}
			p := page[0]
			page = page[1:]
			if w.stays(L, p.Key) {
				L.Push(t.memberOf(L, key, p.Key))
				return 1
			}
		}
	}))
	return 1
}

// setClear is t:clear(key): the key has no members any more.
func setClear(L *lua.LState) int {
	t, a, key := tableArgs(L, "set_table:clear")
	a.Done()
	t.writing(L).keepOnly(L, key, nil)
	return 0
}

// assign is t[key] = list: the members are those of the list; nil: there are none.
func (t *tableObject) assign(L *lua.LState, key, v lua.LValue) {
	s, k := t.writing(L), t.bytesOf(L, key)
	entries := map[string]bool{}
	if v != lua.LNil {
		list, ok := v.(*lua.LTable)
		if !ok {
			vm.Raise(L, t.wrong(fault.Validation, identifier(t.def.Name)+":add(key, member)  adds one", "the members of %s in %s are %s, expected a list", t.shown(L, k), t.def.Name, fault.Describe(v)))
		}
		for _, member := range arg.Items(list) {
			entries[t.member(L, k, member)] = true
		}
	}
	s.keepOnly(L, k, entries)
	for entry := range entries {
		s.change(L, k, entry, present)
	}
}

// keepOnly removes the members of a key that are not among those.
func (s *seat) keepOnly(L *lua.LState, key string, those map[string]bool) {
	s.check(L, key)
	w := &memberWalk{key: key, parts: []part{{s.shard, s.effects()}}}
	for page := w.next(L, pageSize); len(page) > 0; page = w.next(L, pageSize) {
		for _, p := range page {
			if !those[p.Key] {
				s.change(L, key, p.Key, nil)
			}
		}
	}
}
