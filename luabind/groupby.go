package luabind

import (
	"context"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/runtime/agent"
	"faust/runtime/topic"
)

// group is a source by another key: what is in a topic is sent on to one of the app's own, by an agent of ours that reads the one and writes the other.
type group struct {
	name   string
	source *topicObject
	fn     *lua.LFunction // gives the key of a value; nil: name is the field that has it
	field  int            // of the record type; -1: values are untyped
	by     *topicObject
	sender *agentObject
}

// label is what the group is called: orders-by-country.
func (g *group) label() string { return g.source.label() + "-by-" + g.name }

// label is the topic's name, or that of the group it is of.
func (t *topicObject) label() string {
	if t.group != nil {
		return t.group.label()
	}
	return t.decl.Name
}

// topicGroupBy is topic:group_by(name, { key=, partitions= }, function(value) ... end) -> source.
func (b *binding) topicGroupBy(L *lua.LState) int {
	t, a := arg.Method[*topicObject](L, "topic:group_by")
	b.declare(a)
	g := &group{name: a.Text("the field's name"), source: t, field: -1}
	a.About(g.name)
	o := a.Options()
	if !a.Absent() {
		g.fn = a.Function()
	}
	a.Done()
	key := g.check(a, o)
	if known := b.groupOf(a, g); known != nil {
		L.Push(known.by.lua)
		return 1
	}
	b.newGroup(a, g, key)
	if n, ok := o.Integer("partitions"); ok {
		g.by.decl.Partitions = int32(n)
	}
	L.Push(g.by.lua)
	return 1
}

// check makes sure that there can be such a group, and finds how its keys are written.
func (g *group) check(a *arg.Args, o arg.Options) record.Codec {
	if g.source.decl.Internal && g.source.group == nil {
		a.Fail("%s: %s is a topic of the app's own, which cannot be read by another key", a.Of(), g.source.Describe())
	}
	if !topicName.MatchString(g.name) {
		a.Fail("%s: '%s' cannot be part of a topic's name: letters, digits, '.', '_' and '-'", a.Of(), fault.Cut(g.name, 60))
	}
	codec := "string"
	if s, typed := record.CodecSchema(g.source.val); typed && g.fn == nil {
		if g.field = s.Index(g.name); g.field < 0 {
			a.Hint(fault.DidYouMean(g.name, s.Names()), "%s: %s has no field '%s'", a.Of(), s.Name, fault.Cut(g.name, 60))
		}
		switch kind := strings.TrimSuffix(s.Fields[g.field].Type, "?"); kind {
		case "string", "uuid":
		case "int", "float", "bool":
			codec = kind
		default:
			codec = "json"
		}
	}
	return g.source.b.codec(o, "key", codec)
}

// groupOf finds the group if it was declared before: by a field it is the same however often it is named.
func (b *binding) groupOf(a *arg.Args, g *group) *group {
	for _, known := range b.groups {
		if known.source != g.source || known.name != g.name {
			continue
		}
		if known.fn != nil || g.fn != nil {
			a.Fail("%s is declared twice: first at %s", a.Of(), known.by.declaredAt)
		}
		return known
	}
	return nil
}

// newGroup makes the topic, which is named at the end of loading, and the agent that fills it.
func (b *binding) newGroup(a *arg.Args, g *group, key record.Codec) {
	at := a.Place()
	g.by = b.internalTopic(topic.Topic{Internal: true, Passing: true, Retention: -1}, key, g.source.val, at)
	g.by.group = g
	s := &agentObject{b: b, fn: g.fn, source: g.source, key: g.source.key, val: g.source.val, declaredAt: at}
	s.def = &agent.Definition{
		Name: g.label(), Concurrency: 1, Place: at.String(), Help: "Sends " + g.source.label() + " on by " + g.name + ".", Policy: agent.Fixed(agent.DeadLetter), Body: g.body,
	}
	s.deadLetters = b.internalTopic(agent.LetterTopic(""), s.key, lenient{s.val}, at)
	s.lua = object(s, b.kinds.agent)
	if first, ok := b.agents.find(s.def.Name); ok {
		a.Fail("%s needs an agent of its own called '%s', and there is one: %s", a.Of(), s.def.Name, first.declaredAt)
	}
	g.sender = s
	b.agents.add(s.def.Name, s)
	b.app.Agents = append(b.app.Agents, s.def)
	b.groups = append(b.groups, g)
}

// seal names the group's topic, now that the app's id is known.
func (g *group) seal(taken owners) error {
	name := g.source.b.app.Settings.Internal(g.label(), "repartition")
	who := g.source.label() + ":group_by('" + g.name + "')"
	if err := taken.claim(name, who, "the topic of "+who, g.by.declaredAt, ""); err != nil {
		return err
	}
	g.by.decl.Name = name
	b := g.source.b
	b.app.Internal = append(b.app.Internal, g.by.decl)
	return nil
}

// body sends every message on under its new key; it is the sender's agent.Body.
func (g *group) body(ctx context.Context, src *agent.Stream) error {
	s, b := g.sender, g.source.b
	return b.vm.Run(ctx, "agent "+s.def.Name+"/"+itoa(int(src.Partition().ID)), false, func(L *lua.LState) error {
		in := b.newBody(s, src)
		*b.vm.Local() = in
		err := g.run(L, in)
		in.close()
		if in.fatal != nil {
			return in.fatal
		}
		return err
	})
}

// run is the loop of body.
func (g *group) run(L *lua.LState, in *body) error {
	var obj *record.Object
	if g.field >= 0 {
		s, _ := record.CodecSchema(g.source.val)
		obj = s.NewObject()
	}
	for {
		ev := in.next(L)
		if ev == nil {
			return nil
		}
		key, err := g.keyOf(L, in, ev, obj)
		if err != nil {
			return in.explained(err)
		}
		if key != nil {
			ev.Send(topic.Record{Topic: g.by.decl.Name, Partition: topic.Any, Key: key, Value: ev.Value, Headers: in.src.Stamp(lasting(ev.Headers)), Timestamp: ev.Timestamp})
		}
	}
}

// keyOf finds the key of an event; nil without an error: it could not be decoded, and went to the policy. obj is of the record type, to be used again.
func (g *group) keyOf(L *lua.LState, in *body, ev *agent.Event, obj *record.Object) ([]byte, error) {
	var v lua.LValue
	switch {
	case ev.Value == nil:
		return nil, g.keyless("a tombstone has no value to take it from")
	case obj != nil:
		if err := obj.Reset(ev.Value); err != nil {
			in.reject(L, ev, err)
			return nil, nil
		}
		v = obj.Field(g.field)
	default:
		value := in.decode(L, ev)
		if value == nil {
			return nil, nil
		}
		var err error
		if v, err = g.ask(L, value); err != nil {
			return nil, err
		}
	}
	if v == lua.LNil || in.b.reg.IsNull(v) {
		return nil, g.keyless("it is nil")
	}
	key, err := g.by.key.Encode(L, nil, v)
	if err != nil {
		return nil, g.hinted("with  { key = 'json' }  a key may be anything", "the key cannot be written: "+err.Error())
	}
	return key, nil
}

// ask takes the key from an untyped value, or has the script's function find it.
func (g *group) ask(L *lua.LState, value lua.LValue) (lua.LValue, error) {
	if g.fn != nil {
		out, err := g.source.b.vm.Call(L, "in "+g.source.label()+":group_by('"+g.name+"')", g.fn, 1, value)
		if err != nil {
			return nil, err
		}
		return out[0], nil
	}
	table, ok := value.(*lua.LTable)
	if !ok {
		return nil, g.keyless("the value is " + fault.Describe(value) + ", which has no fields")
	}
	return table.RawGetString(g.name), nil
}

// keyless is the error of a message without a key.
func (g *group) keyless(why string) error {
	return g.hinted("drop such messages before they are sent, or find a key for them:  group_by('name', function(value) return ... end)", "the message has no key there: "+why)
}

// hinted is the error of a message that cannot be sent on.
func (g *group) hinted(hint, why string) error {
	e := usage("%s:group_by('%s'): %s", g.source.label(), g.name, why)
	e.Place, e.Hints = g.by.declaredAt, []string{hint}
	return e
}
