package luabind

import (
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/record"
	"faust/luabind/vm"
	"faust/runtime/agent"
	"faust/runtime/topic"
)

// eventObject is an event as a script sees it: what it says stays readable after the event is settled.
type eventObject struct {
	body    *body
	ev      *agent.Event
	record  topic.Record
	key     lua.LValue // nil: not read yet; so are the others
	val     lua.LValue
	headers lua.LValue
	lua     *lua.LUserData
}

func (e *eventObject) Describe() string {
	return "the event " + e.record.Topic + "/" + itoa(int(e.record.Partition)) + " @ " + itoa(int(e.record.Offset))
}

func (b *binding) eventKind(L *lua.LState) *lua.LTable {
	return b.kind(L, "event", map[string]lua.LGFunction{"forward": b.eventForward, "ack": b.eventAck}, b.eventField,
		"key", "value", "headers", "topic", "partition", "offset", "timestamp")
}

func newEvent(in *body, ev *agent.Event) *eventObject {
	if e, ok := in.open[ev]; ok {
		return e
	}
	e := &eventObject{body: in, ev: ev, record: *ev.Record}
	e.lua = object(e, in.b.kinds.event)
	if in.agent.def.ManualAck {
		if in.open == nil {
			in.open = map[*agent.Event]*eventObject{}
		}
		in.open[ev] = e
	}
	return e
}

// eventObject gives the object of the event in hand, one for each turn.
func (in *body) eventObject(ev *agent.Event) *eventObject {
	if in.event == nil || in.event.ev != ev {
		in.event = newEvent(in, ev)
		if _, isRecord := record.ObjectOf(in.value); !isRecord { // a record is one of the event's own: the loop may use its again
			in.event.val = in.value
		}
	}
	return in.event
}

// eventField gives key, value, headers, topic, partition, offset and timestamp; nil for anything else.
func (b *binding) eventField(L *lua.LState, self any, name string) lua.LValue {
	e := self.(*eventObject)
	switch name {
	case "key":
		if e.key == nil {
			e.key = decoded(L, e.body.agent.key.Decode, e.record.Key)
		}
		return e.key
	case "value":
		if e.val == nil {
			e.val = decoded(L, e.body.agent.val.Decode, e.record.Value)
		}
		return e.val
	case "headers":
		if e.headers == nil {
			e.headers = headerTable(L, e.record.Headers)
		}
		return e.headers
	case "topic":
		return lua.LString(e.record.Topic)
	case "partition":
		return lua.LNumber(e.record.Partition)
	case "offset":
		return lua.LNumber(e.record.Offset)
	case "timestamp":
		return b.reg.NewDatetime(time.UnixMilli(e.record.Timestamp))
	}
	return nil
}

// decoded decodes, or raises.
func decoded(L *lua.LState, decode func(*lua.LState, []byte) (lua.LValue, error), raw []byte) lua.LValue {
	v, err := decode(L, raw)
	if err != nil {
		vm.Raise(L, err)
	}
	return v
}

// headerTable makes { name = 'text' } of headers; of several with one name the last counts.
func headerTable(L *lua.LState, headers []topic.Header) *lua.LTable {
	t := L.CreateTable(0, len(headers))
	for _, h := range headers {
		t.RawSetString(h.Key, lua.LString(h.Value))
	}
	return t
}

// streamEvent is stream:event(): the event in hand; of a batch the last one.
func (b *binding) streamEvent(L *lua.LState) int {
	s, a := arg.Method[*stream](L, "stream:event")
	a.Done()
	L.Push(s.body.eventObject(s.body.handOf(a)).lua)
	return 1
}

// eventForward is event:forward(topic): sends the message on as it is, bytes and all.
func (b *binding) eventForward(L *lua.LState) int {
	e, a := arg.Method[*eventObject](L, "event:forward")
	b.running(a)
	to := topicArgument(a, "the topic")
	a.Done()
	out := to.forwarded(a, &e.record)
	if e.body.open[e.ev] == e {
		e.ev.Send(out) // settled by hand, perhaps long after the loop went on
		return 0
	}
	b.deliver(L, out)
	return 0
}

// streamForward is stream:forward(topic): event:forward of the event in hand.
func (b *binding) streamForward(L *lua.LState) int {
	s, a := arg.Method[*stream](L, "stream:forward")
	to := topicArgument(a, "the topic")
	a.Done()
	ev := s.body.handOf(a)
	ev.Send(to.forwarded(a, ev.Record))
	return 0
}

// forwarded makes the record that sends r on. An ask stays this agent's to answer.
func (to *topicObject) forwarded(a *arg.Args, r *topic.Record) topic.Record {
	out := topic.Record{Topic: to.decl.Name, Partition: topic.Any, Key: r.Key, Value: r.Value, Headers: lasting(r.Headers), Timestamp: r.Timestamp}
	to.checkSize(a, &out)
	return out
}

// lasting leaves out the headers that are for the reader of the message itself, such as where an answer goes.
func lasting(headers []topic.Header) (out []topic.Header) {
	for _, h := range headers {
		if !agent.Transient(h.Key) {
			out = append(out, h)
		}
	}
	return out
}

// eventAck is event:ack(): settles the event in an agent with ack = 'manual'. false: it was settled already.
func (b *binding) eventAck(L *lua.LState) int {
	e, a := arg.Method[*eventObject](L, "event:ack")
	a.Done()
	if !e.body.agent.def.ManualAck {
		a.Hint("app.agent('"+e.body.agent.def.Name+"', ..., { ack = 'manual' }, ...)",
			"event:ack: agent '%s' settles an event when its loop asks for the next one", e.body.agent.def.Name)
	}
	delete(e.body.open, e.ev)
	if e.body.inHand && e.body.src.Current() == e.ev {
		e.body.leave(L)
	}
	L.Push(lua.LBool(e.body.src.Ack(e.ev)))
	return 1
}

// streamYield is stream:yield(value, { key= }): to the sinks, with the event's key unless another is given, and the answer to an ask.
// In a batch of take the n-th yield answers the n-th message; a batch that yields once answers all its messages with that.
func (b *binding) streamYield(L *lua.LState) int {
	s, a := arg.Method[*stream](L, "stream:yield")
	v := a.Value("the value")
	o := a.Options()
	a.Done()
	for _, to := range s.body.agent.sinks {
		if to.fn != nil {
			L.Push(to.fn)
			L.Push(v)
			L.Call(1, 0)
			continue
		}
		ev := s.body.handOf(a)
		ev.Send(s.body.yielded(a, ev, to.topic, o.Value("key"), v))
	}
	s.body.answer(a, v)
	return 0
}

// yielded makes the record of a yielded value for a topic.
func (in *body) yielded(a *arg.Args, ev *agent.Event, to *topicObject, key, v lua.LValue) topic.Record {
	r := topic.Record{Topic: to.decl.Name, Partition: topic.Any}
	if key == lua.LNil && ev.Key != nil && to.key.Name() != in.agent.key.Name() {
		key = in.key(a.L, ev)
	}
	to.encode(a, &r, key, v)
	if key == lua.LNil {
		r.Key = ev.Key
	}
	to.checkSize(a, &r)
	return r
}
