package luabind

import (
	"errors"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/luabind/vm"
	"faust/runtime/table"
)

// write is t[key] = v; nil deletes.
func (t *tableObject) write(L *lua.LState, key, v lua.LValue) {
	if t.def.Sets {
		t.assign(L, key, v)
		return
	}
	if t.windows != nil {
		t.windowsWrite(L, t.bytesOf(L, key), v)
		return
	}
	s := t.writing(L)
	s.put(L, t.bytesOf(L, key), v)
}

// put gives a key of the body's partition a value, nil deletes it, as an effect of the event in hand.
func (s *seat) put(L *lua.LState, key string, v lua.LValue) {
	s.check(L, key)
	if err := s.putRow(L, key, v); err != nil {
		vm.Raise(L, err)
	}
}

// putRow is put under the key that the shard has it under. The error is table.ErrClosed: its window is closed.
func (s *seat) putRow(L *lua.LState, key string, v lua.LValue) error {
	var to table.Value
	if v != lua.LNil {
		var err error
		if to, err = s.table.encode(L, s.table.plainKey(key), v); err != nil {
			vm.Raise(L, err)
		}
	}
	if err := s.set(L, key, to); err != nil {
		if errors.Is(err, table.ErrClosed) {
			return err
		}
		vm.Raise(L, err)
	}
	if len(s.body.kept) > 0 {
		delete(s.body.kept, keptKey{s.table, key})
	}
	if stored, ok := to.(*table.Stored); ok && s.table.returns(v) {
		s.body.keep(s, key, v, stored.Bytes, to)
	}
	return nil
}

// returns tells whether v, once it is assigned, is what reading gives: a table for one of JSON, a record for one of its type.
func (t *tableObject) returns(v lua.LValue) bool {
	if schema, ok := record.CodecSchema(t.val); ok {
		o, made := record.ObjectOf(v)
		return made && o.Schema() == schema
	}
	_, ok := v.(*lua.LTable)
	return ok
}

// set is Shard.Set; its error is one for the script.
func (s *seat) set(L *lua.LState, key string, v table.Value) error {
	err := s.shard.Set(key, v, s.effects())
	s.table.changes++
	if !errors.Is(err, table.ErrBusy) {
		return err
	}
	how := "on_error = { retry = 5 }  tries again; concurrency = 1  takes the events of a partition one after the other"
	if s.body.agent.def.ManualAck {
		how = "acknowledge an event before another one writes the same key"
	}
	e := s.table.wrong(fault.Script, how, "%s of %s is being written by another event, which is not settled yet", s.table.shown(L, s.table.plainKey(key)), s.table.def.Name)
	e.Cause, e.Retryable = err, true
	return e
}

// tableAdd is t:add(key, n, { at= }) -> the new value: what the key has, or the default, with n added.
func tableAdd(L *lua.LState) int {
	if L.GetTop() == 3 {
		if t, sum, ok := added(L); ok {
			L.Push(t.b.reg.Number(sum))
			return 1
		}
	}
	t, a, key := tableArgs(L, "table:add")
	n := a.Value("the number to add")
	o := a.Options()
	a.Done()
	if t.windows != nil {
		L.Push(t.windowsAdd(L, a, key, n, o.Value("at")))
		return 1
	}
	t.timeless(o)
	s := t.writing(L)
	v, _ := t.lookup(L, key, true)
	sum := t.sum(a, key, v, n)
	s.put(L, key, sum)
	L.Push(sum)
	return 1
}

// sum is v + n; nil is nothing to add to.
func (t *tableObject) sum(a *arg.Args, key string, v, n lua.LValue) lua.LValue {
	x, ok := v.(lua.LNumber)
	y, also := n.(lua.LNumber)
	if ok && also {
		return t.b.reg.Number(float64(x + y))
	}
	for _, side := range []lua.LValue{v, n} {
		if add := a.L.GetMetaField(side, "__add"); v != lua.LNil && add != lua.LNil {
			a.L.Push(add)
			a.L.Push(v)
			a.L.Push(n)
			a.L.Call(2, 1)
			sum := a.L.Get(-1)
			a.L.Pop(1)
			return sum
		}
	}
	if _, isText := n.(lua.LString); !also && (isText || a.L.GetMetaField(n, "__add") == lua.LNil) {
		a.Wrong("what to add", n, "a number")
	}
	if v != lua.LNil {
		a.Fail("table:add: value of %s in %s is %s, expected a number", t.shown(a.L, key), t.def.Name, fault.Describe(v))
	}
	return n
}

// timeless makes sure that nothing is said of time to a table without windows.
func (t *tableObject) timeless(o arg.Options) {
	if o.Has("at") {
		o.Fail("at", "option 'at' of %s is for tables with windows, and '%s' has none", o.Args().Name, t.def.Name)
	}
}

// tableUpdate is t:update(key, { at= }, fn) -> the new value: what fn makes of what the key has, or of the default; nil deletes it.
func tableUpdate(L *lua.LState) int {
	t, a, key := tableArgs(L, "table:update")
	o := a.Options()
	fn := a.Function()
	if t.windows != nil {
		L.Push(t.windowsUpdate(L, a, key, o.Value("at"), fn))
		return 1
	}
	t.timeless(o)
	t.writing(L)
	v, _ := t.lookup(L, key, true)
	L.Push(fn)
	L.Push(v)
	L.Call(1, 1)
	to := L.Get(-1)
	t.writing(L).put(L, key, to)
	return 1
}
