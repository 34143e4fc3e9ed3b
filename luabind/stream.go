package luabind

import (
	"context"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/api"
	"faust/luabind/arg"
	"faust/luabind/vm"
	"faust/runtime/agent"
)

// stream is what the function of an agent reads: the events of its partition, through the functions of filter and map.
type stream struct {
	body *body
	ops  []op
	lua  *lua.LUserData
}

// op is one filter or map.
type op struct {
	fn     *lua.LFunction
	filter bool
}

func (s *stream) Describe() string { return "the stream of agent " + s.body.agent.def.Name }

func (b *binding) streamKind(L *lua.LState) *lua.LTable {
	methods := map[string]lua.LGFunction{
		"items": streamItems, "events": streamEvents, "enumerate": streamEnumerate, "take": streamTake, "take_events": streamTakeEvents,
		"filter": streamFilter, "map": streamMap, "forward": b.streamForward, "event": b.streamEvent, "yield": b.streamYield,
	}
	for _, name := range api.LaterMembers("stream") {
		methods[name] = later("stream:" + name)
	}
	mt := b.kind(L, "stream", methods, nil)
	mt.RawSetString("__call", L.NewFunction(streamNext))
	return mt
}

// streamNext is what for v in stream do calls: the next value, nil at the end. A tombstone is null.
func streamNext(L *lua.LState) int {
	s := L.Get(1).(*lua.LUserData).Value.(*stream)
	if local, own := (*s.body.b.vm.Local()).(*body); !own || local != s.body {
		s.body.own(&arg.Args{L: L, Name: "for ... in stream"})
	}
	if ev, v := s.next(L); ev != nil {
		L.Push(v)
	} else {
		L.Push(lua.LNil)
	}
	return 1
}

// next gives the next event that gets through, and its value; nil: the end. What cannot be decoded goes to the policy.
func (s *stream) next(L *lua.LState) (*agent.Event, lua.LValue) {
	in := s.body
	for {
		ev := in.next(L)
		if ev == nil {
			return nil, nil
		}
		v := in.decode(L, ev)
		if v == nil {
			continue
		}
		in.value = v
		if len(s.ops) == 0 {
			return ev, v
		}
		if v, ok := s.through(L, v); ok {
			return ev, v
		}
	}
}

// through applies filter and map to a value; false: it was filtered out.
func (s *stream) through(L *lua.LState, v lua.LValue) (lua.LValue, bool) {
	for _, o := range s.ops {
		L.Push(o.fn)
		L.Push(v)
		L.Call(1, 1)
		out := L.Get(-1)
		L.Pop(1)
		switch {
		case !o.filter && out == lua.LNil:
			e := usage("stream:map: the function gave nil")
			e.Hints = []string{"return null for an empty value; to drop some, use  stream:filter(fn)"}
			vm.Raise(L, e)
		case !o.filter:
			v = out
		case !lua.LVAsBool(out):
			return nil, false
		}
	}
	return v, true
}

// reader starts a method that gives an iterator.
func reader(L *lua.LState, name string) (*stream, *arg.Args) {
	s, a := arg.Method[*stream](L, "stream:"+name)
	s.body.own(a)
	return s, a
}

// streamItems is stream:items(): for key, value in stream:items() do.
func streamItems(L *lua.LState) int {
	s, a := reader(L, "items")
	a.Done()
	L.Push(L.NewFunction(func(L *lua.LState) int {
		s.body.own(a)
		ev, v := s.next(L)
		if ev == nil {
			return 0
		}
		L.Push(s.body.key(L, ev))
		L.Push(v)
		return 2
	}))
	return 1
}

// key decodes the key of an event; null if it has none. It raises if that cannot be done.
func (in *body) key(L *lua.LState, ev *agent.Event) lua.LValue {
	k, err := in.agent.key.Decode(L, ev.Key)
	if err != nil {
		vm.Raise(L, err)
	}
	return k
}

// streamEvents is stream:events(): for event in stream:events() do. Values are decoded when they are read.
func streamEvents(L *lua.LState) int {
	s, a := reader(L, "events")
	a.Done()
	L.Push(L.NewFunction(func(L *lua.LState) int {
		s.body.own(a)
		if ev := s.nextEvent(L); ev != nil {
			L.Push(s.body.eventObject(ev).lua)
			return 1
		}
		return 0
	}))
	return 1
}

// nextEvent is next for who may not need the value.
func (s *stream) nextEvent(L *lua.LState) *agent.Event {
	if len(s.ops) == 0 {
		return s.body.next(L)
	}
	ev, _ := s.next(L)
	return ev
}

// streamEnumerate is stream:enumerate(): for i, value in stream:enumerate() do, from 1.
func streamEnumerate(L *lua.LState) int {
	s, a := reader(L, "enumerate")
	a.Done()
	i := 0
	L.Push(L.NewFunction(func(L *lua.LState) int {
		s.body.own(a)
		ev, v := s.next(L)
		if ev == nil {
			return 0
		}
		i++
		L.Push(lua.LNumber(i))
		L.Push(v)
		return 2
	}))
	return 1
}

// streamTake is stream:take(n, { within= }): for batch in stream:take(100, { within = '10s' }) do. A batch is one event.
func streamTake(L *lua.LState) int {
	return takeBatches(L, "take", func(s *stream, L *lua.LState, ev *agent.Event) lua.LValue {
		v := s.body.decode(L, ev)
		if v == nil {
			return nil
		}
		if v, ok := s.through(L, v); ok {
			return v
		}
		return nil
	})
}

// streamTakeEvents is stream:take_events(n, { within= }): take that gives the events.
func streamTakeEvents(L *lua.LState) int {
	return takeBatches(L, "take_events", func(s *stream, L *lua.LState, ev *agent.Event) lua.LValue {
		if len(s.ops) > 0 {
			v := s.body.decode(L, ev)
			if v == nil {
				return nil
			}
			if _, ok := s.through(L, v); !ok {
				return nil
			}
		}
		return newEvent(s.body, ev).lua
	})
}

// takeBatches gives an iterator over lists of up to n events. item makes what stands for an event; nil leaves it out.
func takeBatches(L *lua.LState, name string, item func(s *stream, L *lua.LState, ev *agent.Event) lua.LValue) int {
	s, a := reader(L, name)
	n := int(a.Integer("the number of events", 1, arg.MaxInt))
	o := a.Options()
	a.Done()
	within, _ := o.Duration("within")
	L.Push(L.NewFunction(func(L *lua.LState) int {
		s.body.own(a)
		for s.body.take(L, n, within) {
			list := L.CreateTable(len(s.body.batch), 0)
			for _, ev := range s.body.batch {
				if v := item(s, L, ev); v != nil {
					list.Append(v)
				}
				if s.body.ended {
					return 0
				}
			}
			if list.Len() > 0 {
				L.Push(list)
				return 1
			}
		}
		return 0
	}))
	return 1
}

// take settles what is in hand and collects up to n events into batch; false: the end.
func (in *body) take(L *lua.LState, n int, within time.Duration) bool {
	for !in.ended {
		in.leave(L)
		err := in.b.vm.Block(L, "a batch of "+itoa(n)+" events", func(ctx context.Context) error {
			events, err := in.src.Take(ctx, n, within)
			in.batch = append(in.batch[:0], events...) // rejecting one changes the slice of the stream
			return err
		})
		if err != nil {
			in.over(L, err)
			return false
		}
		in.inHand = true
		if in.batch[0].Chore() == nil {
			return true
		}
		in.closes(L, in.batch[0])
	}
	return false
}

// streamFilter is stream:filter(fn): a stream of the values for which fn gives true.
func streamFilter(L *lua.LState) int { return derive(L, "filter", true) }

// streamMap is stream:map(fn): a stream of what fn gives for each value.
func streamMap(L *lua.LState) int { return derive(L, "map", false) }

func derive(L *lua.LState, name string, filter bool) int {
	s, a := reader(L, name)
	fn := a.Function()
	d := &stream{body: s.body, ops: append(s.ops[:len(s.ops):len(s.ops)], op{fn, filter})}
	d.lua = object(d, s.body.b.kinds.stream)
	L.Push(d.lua)
	return 1
}
