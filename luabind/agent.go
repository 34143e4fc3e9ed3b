package luabind

import (
	"context"
	"math"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/runtime/agent"
	"faust/runtime/topic"
)

// agentObject is an agent of the script.
type agentObject struct {
	b           *binding
	def         *agent.Definition
	fn          *lua.LFunction
	source      *topicObject   // nil: channel
	channel     *channelObject // nil: source
	deadLetters *topicObject
	sinks       []sink
	declaredAt  fault.Place
	key, val    record.Codec // of what it reads
	lua         *lua.LUserData
}

// sink is where stream:yield puts a value: a topic, or a function.
type sink struct {
	topic *topicObject
	fn    *lua.LFunction
}

func (g *agentObject) Describe() string  { return "the agent " + g.def.Name }
func (g *agentObject) value() lua.LValue { return g.lua }

func (b *binding) agentKind(L *lua.LState) *lua.LTable {
	methods := map[string]lua.LGFunction{
		"send": b.agentSend, "cast": b.agentCast, "ask": b.agentAsk, "map": b.agentMap, "join": b.agentJoin,
	}
	fields := func(_ *lua.LState, self any, key string) lua.LValue {
		g := self.(*agentObject)
		switch key {
		case "dead_letters":
			return g.deadLetters.lua
		case "name":
			return lua.LString(g.def.Name)
		}
		return nil
	}
	return b.kind(L, "agent", methods, fields, "dead_letters", "name")
}

// appAgent is app.agent(name, source, { concurrency=, sinks=, on_error=, max_failures=, ack=, help= }, function(stream) ... end) -> agent.
func (b *binding) appAgent(L *lua.LState) int {
	a := b.call(L, "app.agent")
	b.declare(a)
	g := &agentObject{b: b, def: &agent.Definition{Concurrency: 1, Place: a.place().String()}, declaredAt: a.place()}
	name, named := a.maybeText()
	if named {
		a.about(name)
	}
	b.agentSource(a, g)
	g.def.Name = b.agentName(a, g, name, named)
	a.about(g.def.Name)
	b.agentOptions(a, g)
	g.fn = a.function()
	g.def.Body = g.body
	g.lua = object(g, b.kinds.agent)
	b.agents.add(g.def.Name, g)
	b.app.Agents = append(b.app.Agents, g.def)
	L.Push(g.lua)
	return 1
}

// agentSource takes what the agent reads: a topic, a channel, or nothing for a topic of its own.
func (b *binding) agentSource(a *args, g *agentObject) {
	v := a.peek()
	if t, ok := as[*topicObject](v); ok {
		a.next++
		g.source = t
	} else if c, ok := as[*channelObject](v); ok {
		a.next++
		g.channel, g.def.Channel, g.key, g.val = c, c.queue, c.key, c.val
		g.deadLetters = b.internalTopic(c.key, lenient{c.val}, g.declaredAt)
		return
	} else {
		b.noSource(a, v)
		key, _ := b.reg.Codec(lua.LNil, "string")
		val, _ := b.reg.Codec(lua.LNil, "json")
		g.source, g.def.Private = b.internalTopic(key, val, g.declaredAt), true
	}
	g.key, g.val = g.source.key, g.source.val
	g.deadLetters = b.internalTopic(g.key, lenient{g.val}, g.declaredAt)
}

// noSource makes sure that what is in the source's place is not meant as one.
func (b *binding) noSource(a *args, v lua.LValue) {
	switch v := v.(type) {
	case lua.LString:
		e := usage("%s: the source is %s, expected a topic or a channel", a.of, fault.Describe(v))
		e.Place = fault.ArgPlace(a.L, a.seen)
		e.Hints = []string{"a topic is declared:  local " + identifier(string(v)) + " = app.topic('" + string(v) + "')"}
		a.raise(e)
	case *lua.LTable:
		if _, ok := as[*topicObject](v.RawGetInt(1)); ok {
			a.fail("%s: several topics as a source (app.merge) are not in this version", a.of)
		}
	case *lua.LFunction:
	default:
		if v != lua.LNil {
			a.wrong("the source", v, "a topic or a channel")
		}
		if a.next < a.L.GetTop() {
			a.hint("is the variable misspelt, or assigned further down?", "%s: the source is nil", a.of)
		}
	}
}

// identifier makes a name for a variable of a topic's name.
func identifier(name string) string {
	out := []byte(name)
	for i, c := range out {
		if c == '.' || c == '-' {
			out[i] = '_'
		}
	}
	return string(out)
}

// agentName checks the agent's name; without one it is its topic's.
func (b *binding) agentName(a *args, g *agentObject, name string, named bool) string {
	if !named {
		if g.channel != nil || g.def.Private {
			a.hint("app.agent('name', ...)", "app.agent: an agent that reads no declared topic needs a name")
		}
		if name = g.source.decl.Name; name == "" {
			a.hint("app.agent('name', ...)", "app.agent: an agent of dead letters needs a name")
		}
	}
	if !topicName.MatchString(name) {
		a.fail("'%s' cannot be the name of an agent: letters, digits, '.', '_' and '-'", fault.Cut(name, 60))
	}
	if first, ok := b.agents.find(name); ok {
		if !named {
			a.hint("name it:  app.agent('other name', ...)", "a second agent reads topic '%s' (the first one: %s), so this one needs a name", name, first.declaredAt)
		}
		a.fail("agent '%s' is declared twice: first at %s", name, first.declaredAt)
	}
	return name
}

// agentOptions reads the agent's options.
func (b *binding) agentOptions(a *args, g *agentObject) {
	o := a.options("concurrency", "sinks", "on_error", "max_failures", "ack", "tables", "help")
	if n, ok := o.integer("concurrency", 1, 10000); ok {
		g.def.Concurrency = n
	}
	if n, ok := o.integer("max_failures", 1, math.MaxInt32); ok {
		g.def.MaxFailures = n
	}
	if o.has("tables") {
		o.fail("tables", "tables are not in this version")
	}
	g.def.Help = o.text("help")
	g.def.ManualAck = o.word("ack", "auto", "manual") == "manual"
	for _, v := range o.list("sinks", "a list of topics and functions") {
		g.sinks = append(g.sinks, b.sink(o, v))
	}
	g.def.Policy = b.policy(o, g)
}

// sink reads one of sinks=.
func (b *binding) sink(o options, v lua.LValue) sink {
	if t, ok := as[*topicObject](v); ok {
		return sink{topic: t}
	}
	fn, ok := v.(*lua.LFunction)
	if !ok {
		o.wrong("sinks", v, "a list of topics and functions")
	}
	return sink{fn: fn}
}

// sealAgents names the topics of the agents' own, now that the app's id is known.
func (b *binding) sealAgents() error {
	owners := map[string]string{}
	for _, t := range b.topics.order {
		owners[t.decl.Name] = "topic '" + t.decl.Name + "', which is declared at " + t.declaredAt.String()
	}
	for _, g := range b.agents.order {
		if err := g.name(owners); err != nil {
			return err
		}
	}
	for _, g := range b.agents.order {
		g.def.DeadLetter = g.deadLetters.decl.Topic
		if g.source != nil {
			g.def.Topics = []topic.Topic{g.source.decl.Topic}
		}
	}
	return nil
}

// name names the agent's own topics. owners has the names that are taken, and by what.
func (g *agentObject) name(owners map[string]string) error {
	own := map[string]*topicObject{g.b.app.Settings.Internal(g.def.Name, "dead-letter"): g.deadLetters}
	if g.def.Private {
		own[g.b.app.Settings.Internal(g.def.Name)] = g.source
		g.warnOfTopic()
	}
	for name, t := range own {
		e := usage("agent '%s' needs a topic of its own called '%s'", g.def.Name, fault.Cut(name, 80))
		e.Place = g.declaredAt
		if taken, ok := owners[name]; ok {
			e.Message += ", but that is " + taken
			e.Hints = []string{"give the agent another name"}
			return e
		}
		if !topicName.MatchString(name) {
			e.Message += ", which is too long for Kafka (249 characters)"
			return e
		}
		owners[name] = "a topic of agent '" + g.def.Name + "'"
		t.decl.Name = name
	}
	return nil
}

// warnOfTopic warns of an agent without a source that has a topic's name: probably the topic was meant to be its source.
func (g *agentObject) warnOfTopic() {
	t, ok := g.b.topics.find(g.def.Name)
	if !ok {
		return
	}
	e := usage("agent '%s' has no source, and a topic has its name: it does not read that topic", g.def.Name)
	e.Place = g.declaredAt
	e.Hints = []string{"to read it, give it as the source:  app.agent('" + g.def.Name + "', " + identifier(t.decl.Name) + ", function(stream) ... end)"}
	g.b.warnings = append(g.b.warnings, e)
}

// body runs the agent's function on a stream; it is the agent's agent.Body.
func (g *agentObject) body(ctx context.Context, src *agent.Stream) error {
	task := "agent " + g.def.Name + "/" + itoa(int(src.Partition().ID))
	return g.b.vm.Run(ctx, task, false, func(L *lua.LState) error {
		in := g.b.newBody(g, src)
		*g.b.vm.Local() = in
		_, err := g.b.vm.Call(L, "in agent '"+g.def.Name+"'", g.fn, 0, in.stream.lua)
		if err != nil {
			err = in.explained(err)
		}
		in.close()
		if in.fatal != nil {
			return in.fatal
		}
		return err
	})
}

// lenient gives the bytes themselves where they cannot be decoded: the values of dead letters.
type lenient struct{ record.Codec }

func (c lenient) Decode(L *lua.LState, raw []byte) (lua.LValue, error) {
	v, err := c.Codec.Decode(L, raw)
	if err != nil {
		return lua.LString(raw), nil //nolint:nilerr // a dead letter may well be undecodable: that is why it is one
	}
	return v, nil
}
