package luabind

import (
	"context"
	"unsafe"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/vm"
	"faust/runtime/agent"
	"faust/runtime/table"
)

// seat is a table as one body has it: the shard of its partition.
type seat struct {
	table      *tableObject
	body       *body
	shard      *table.Shard
	partitions int32
	checked    string // a key that belongs to the partition
}

// seat gives the table as the body has it. It raises if the body is not to use it; nil: its agent reads a channel, which has no partitions.
func (in *body) seat(L *lua.LState, t *tableObject) *seat {
	if t.n < len(in.seats) && in.seats[t.n].shard != nil {
		return &in.seats[t.n]
	}
	if in.agent.source == nil {
		return nil
	}
	if !in.agent.uses(t) {
		vm.Raise(L, t.wrong(fault.Script, "app.agent(..., { tables = { "+identifier(t.def.Name)+" } }, ...)",
			"agent '%s' uses table '%s' in a way that was not found while loading: declare  tables = { %s }", in.agent.def.Name, t.def.Name, identifier(t.def.Name)))
	}
	if in.seats == nil {
		in.seats = make([]seat, len(in.b.tables.order))
	}
	rt, p := in.b.app.Runtime(), in.src.Partition().ID
	s := seat{table: t, body: in, shard: rt.Shard(t.def, p), partitions: rt.Partitions(t.def)}
	if s.shard == nil || s.partitions <= 0 {
		vm.Raise(L, t.wrong(fault.Script, "", "partition %d of table '%s' is not on this worker", p, t.def.Name))
	}
	in.seats[t.n] = s
	return &in.seats[t.n]
}

// effects collects what the events in hand write.
func (s *seat) effects() *table.Effects {
	e, _ := s.body.src.Current().Effects(newEffects).(*table.Effects)
	return e
}

func newEffects() agent.Effects { return &table.Effects{} }

// owns tells whether a key belongs to the partition.
func (s *seat) owns(key string) bool {
	if key == s.checked && key != "" {
		return true
	}
	if !s.has(key) {
		return false
	}
	s.checked = key
	return true
}

// has is owns without remembering the key.
func (s *seat) has(key string) bool {
	return s.table.def.Anywhere || s.home(key) == s.body.src.Partition().ID
}

// home is the partition that a key belongs to.
func (s *seat) home(key string) int32 {
	b := unsafe.Slice(unsafe.StringData(key), len(key)) // only read
	return s.table.def.Hash.Partition(b, s.partitions)
}

// check raises if the key belongs to another partition.
func (s *seat) check(L *lua.LState, key string) {
	if !s.owns(key) {
		s.moved(L)
		vm.Raise(L, s.elsewhere(L, key, s.home(key)))
	}
}

// moved raises if the key is elsewhere because the topic has got partitions.
func (s *seat) moved(L *lua.LState) {
	t := s.table
	rt := t.runtime(L)
	if err := t.b.vm.Block(L, "topics of "+t.def.Name, func(ctx context.Context) error { return rt.Moved(ctx, t.def) }); err != nil {
		vm.Raise(L, err)
	}
}

// elsewhere is the error of a key that belongs to partition p.
func (s *seat) elsewhere(L *lua.LState, key string, p int32) *fault.Error {
	in, t := s.body, s.table
	from := in.src.Partition()
	if in.agent.def.Private {
		return t.wrong(fault.Script, "send it with that key:  "+identifier(in.agent.def.Name)+":send { key = ..., value = ... }",
			"key %s of %s belongs to partition %d, this record came to agent '%s' in partition %d", t.shown(L, key), t.def.Name, p, in.agent.def.Name, from.ID)
	}
	field := "..."
	if name := in.fieldWith(L, t, key); name != "" {
		field = "'" + name + "'"
	}
	return t.wrong(fault.Script, "state that is local to a partition is declared with  scope = 'partition'",
		"key %s of %s belongs to partition %d, this record came from partition %d of %s: use %s:group_by(%s)",
		t.shown(L, key), t.def.Name, p, from.ID, from.Topic, identifier(from.Topic), field)
}

// fieldWith names the field of the message in hand that has the key; "": none has.
func (in *body) fieldWith(L *lua.LState, t *tableObject, key string) string {
	v, err := in.agent.val.Decode(L, in.src.Current().Value)
	if err != nil {
		return ""
	}
	has := func(x lua.LValue) bool {
		b, err := t.key.Encode(L, nil, x)
		return err == nil && string(b) == key
	}
	return in.b.reg.FieldWith(v, has)
}

// bytesOf gives the bytes of a key. What cannot be one raises.
func (t *tableObject) bytesOf(L *lua.LState, key lua.LValue) string {
	if s, ok := key.(lua.LString); ok && t.rawKeys {
		return string(s)
	}
	if key == lua.LNil || t.b.reg.IsNull(key) {
		vm.Raise(L, t.wrong(fault.Usage, "", "the key of table '%s' is %s", t.def.Name, fault.Describe(key)))
	}
	b, err := t.key.Encode(L, t.b.scratch[:0], key)
	if err != nil {
		vm.Raise(L, noted(err, "table", "key of "+t.def.Name))
	}
	t.b.scratch = b[:0]
	return string(b)
}

// hand gives the table as the event in hand has it; nil: there is none, or its agent reads a channel.
func (t *tableObject) hand(L *lua.LState) *seat {
	h, ok := t.b.hand()
	if !ok || t.reads(h.body) {
		return nil
	}
	return h.body.seat(L, t)
}

// writing gives the table as the event in hand has it. It raises if there is none: only events write.
func (t *tableObject) writing(L *lua.LState) *seat {
	h, ok := t.b.hand()
	if !ok {
		vm.Raise(L, t.unwritable())
	}
	if t.reads(h.body) {
		vm.Raise(L, t.unwritten(h.body))
	}
	s := h.body.seat(L, t)
	if s == nil {
		vm.Raise(L, t.wrong(fault.ReadOnly, "send it to an agent that reads a topic", "table '%s' is written by agents of topics, where each key has its partition: agent '%s' reads a channel",
			t.def.Name, h.body.agent.def.Name))
	}
	return s
}

// unwritable says why nothing can be written outside an event.
func (t *tableObject) unwritable() *fault.Error {
	name := t.def.Name
	switch local := (*t.b.vm.Local()).(type) {
	case *body:
		return t.wrong(fault.ReadOnly, "", "table '%s' is written while an event is in hand: inside the loop over the stream of agent '%s'", name, local.agent.def.Name)
	case *hold:
		return t.wrong(fault.ReadOnly, "let the agent wait for it:  spawn(...):join()", "table '%s' is written while an event is in hand: the one that this task was started by is settled", name)
	}
	if t.b.vm.Loading() {
		return t.wrong(fault.ReadOnly, "default =  says what keys have that are not there", "table '%s' cannot be written while the file is being loaded", name)
	}
	hint := "declare an agent that does it, and send it a message"
	if len(t.def.Agents) > 0 {
		hint = "send an agent a message:  app.agents['" + t.def.Agents[0] + "']:send { key = ..., value = ... }"
	}
	return t.wrong(fault.ReadOnly, hint, "table '%s' is written by agents only, and this is %s", name, t.b.vm.Task())
}
