package luabind

import (
	"context"
	"errors"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
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
	more        []*topicObject // what else it reads, of app.merge
	channel     *channelObject // nil: source
	deadLetters *topicObject
	sinks       []sink
	declared    []*tableObject // by tables=
	tables      []*tableObject // that it uses
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

// appAgent is app.agent(name, source, { concurrency=, sinks=, on_error=, max_failures=, ack=, tables=, help= }, function(stream) ... end) -> agent.
func (b *binding) appAgent(L *lua.LState) int {
	a := b.call(L, "app.agent")
	b.declare(a)
	g := &agentObject{b: b, def: &agent.Definition{Concurrency: 1, Place: a.Place().String()}, declaredAt: a.Place()}
	name, named := a.MaybeText()
	if named {
		a.About(name)
	}
	b.agentSource(a, g)
	g.def.Name = b.agentName(a, g, name, named)
	a.About(g.def.Name)
	b.agentOptions(a, g)
	g.fn = a.Function()
	g.def.Body = g.body
	g.lua = object(g, b.kinds.agent)
	b.agents.add(g.def.Name, g)
	b.app.Agents = append(b.app.Agents, g.def)
	L.Push(g.lua)
	return 1
}

// agentSource takes what the agent reads: a topic, a channel, or nothing for a topic of its own.
func (b *binding) agentSource(a *arg.Args, g *agentObject) {
	v := a.Peek()
	if t, ok := as[*topicObject](v); ok {
		a.Skip()
		g.source = t
	} else if m, ok := as[*merged](v); ok {
		a.Skip()
		g.source, g.more = m.topics[0], m.topics[1:]
	} else if c, ok := as[*channelObject](v); ok {
		a.Skip()
		g.channel, g.def.Channel, g.key, g.val = c, c.queue, c.key, c.val
		g.deadLetters = b.internalTopic(agent.LetterTopic(""), c.key, lenient{c.val}, g.declaredAt)
		return
	} else {
		b.noSource(a, v)
		key, _ := b.reg.Codec(lua.LNil, "string")
		val, _ := b.reg.Codec(lua.LNil, "json")
		g.source, g.def.Private = b.internalTopic(topic.Topic{Internal: true}, key, val, g.declaredAt), true
	}
	g.key, g.val = g.source.key, g.source.val
	g.deadLetters = b.internalTopic(agent.LetterTopic(""), g.key, lenient{g.val}, g.declaredAt)
}

// noSource makes sure that what is in the source's place is not meant as one.
func (b *binding) noSource(a *arg.Args, v lua.LValue) {
	switch v := v.(type) {
	case lua.LString:
		a.FailAt([]string{"a topic is declared:  local " + identifier(string(v)) + " = app.topic('" + string(v) + "')"},
			"%s: the source is %s, expected a topic or a channel", a.Of(), fault.Describe(v))
	case *lua.LTable:
		if _, ok := as[*topicObject](v.RawGetInt(1)); ok {
			a.Hint("app.merge(one, other)", "%s: the source is a list of topics", a.Of())
		}
	case *lua.LFunction:
	default:
		if v != lua.LNil {
			a.Wrong("the source", v, "a topic or a channel")
		}
		if !a.Last() {
			a.Hint("is the variable misspelt, or assigned further down?", "%s: the source is nil", a.Of())
		}
	}
}

// own tells what a topic without a declared name is for.
func (t *topicObject) own() string {
	if t.group != nil {
		return "grouped messages"
	}
	return "dead letters"
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
func (b *binding) agentName(a *arg.Args, g *agentObject, name string, named bool) string {
	if !named {
		if g.channel != nil || g.def.Private {
			a.Hint("app.agent('name', ...)", "app.agent: an agent that reads no declared topic needs a name")
		}
		if len(g.more) > 0 {
			a.Hint("app.agent('name', ...)", "app.agent: an agent of several topics needs a name")
		}
		if name = g.source.decl.Name; name == "" {
			a.Hint("app.agent('name', ...)", "app.agent: an agent of %s needs a name", g.source.own())
		}
	}
	if !topicName.MatchString(name) {
		a.Fail("'%s' cannot be the name of an agent: letters, digits, '.', '_' and '-'", fault.Cut(name, 60))
	}
	if first, ok := b.agents.find(name); ok {
		if !named {
			a.Hint("name it:  app.agent('other name', ...)", "a second agent reads topic '%s' (the first one: %s), so this one needs a name", name, first.declaredAt)
		}
		a.Fail("agent '%s' is declared twice: first at %s", name, first.declaredAt)
	}
	return name
}

// agentOptions reads the agent's options.
func (b *binding) agentOptions(a *arg.Args, g *agentObject) {
	o := a.Options()
	if n, ok := o.Integer("concurrency"); ok {
		g.def.Concurrency = n
	}
	if n, ok := o.Integer("max_failures"); ok {
		g.def.MaxFailures = n
	}
	g.def.Help = o.Text("help")
	g.def.ManualAck = o.Text("ack") == "manual"
	for _, v := range o.List("sinks") {
		g.sinks = append(g.sinks, b.sink(o, v))
	}
	for _, v := range o.List("tables") {
		t, ok := as[*tableObject](v)
		if !ok {
			o.Wrong("tables", v, "a list of tables")
		}
		g.declared = append(g.declared, t)
	}
	g.def.Policy = b.policy(o, g)
}

// sink reads one of sinks=.
func (b *binding) sink(o arg.Options, v lua.LValue) sink {
	if t, ok := as[*topicObject](v); ok {
		return sink{topic: t}
	}
	fn, ok := v.(*lua.LFunction)
	if !ok {
		o.Wrong("sinks", v, "a list of topics and functions")
	}
	return sink{fn: fn}
}

// seal names the topics of the agents' and tables' own, now that the app's id is known, and finds out who uses which table.
func (b *binding) seal() error {
	taken := owners{}
	for _, t := range b.topics.order {
		taken[t.decl.Name] = "topic '" + t.decl.Name + "', which is declared at " + t.declaredAt.String()
	}
	for _, g := range b.groups { // those of a chain are in its order
		if err := g.seal(taken); err != nil {
			return err
		}
	}
	for _, g := range b.agents.order {
		if err := g.name(taken); err != nil {
			return err
		}
	}
	for _, g := range b.agents.order {
		g.def.DeadLetter = g.deadLetters.decl.Topic
		if g.source != nil {
			g.def.Topics = g.read()
		}
		if g.def.Private {
			b.app.Internal = append(b.app.Internal, g.source.decl)
		}
		b.app.Internal = append(b.app.Internal, g.deadLetters.decl)
		for _, to := range g.sinks {
			if to.topic != nil {
				g.def.Sinks = append(g.def.Sinks, to.topic.decl.Name)
			}
		}
	}
	return b.sealTables(taken)
}

// name names the agent's own topics.
func (g *agentObject) name(taken owners) error {
	own := map[string]*topicObject{g.b.app.Settings.Internal(g.def.Name, "dead-letter"): g.deadLetters}
	if g.def.Private {
		own[g.b.app.Settings.Internal(g.def.Name)] = g.source
		g.warnOfTopic()
	}
	who := "agent '" + g.def.Name + "'"
	for name, t := range own {
		if err := taken.claim(name, who, "a topic of "+who, g.declaredAt, "give the agent another name"); err != nil {
			return err
		}
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
			err = g.b.cleared(in.explained(err))
		}
		if err == nil && len(in.kept) > 0 && in.inHand {
			_, err = g.b.vm.Call(L, "in agent '"+g.def.Name+"'", L.NewFunction(func(L *lua.LState) int { in.save(L); return 0 }), 0)
		}
		in.close()
		if in.fatal != nil {
			return in.fatal
		}
		return err
	})
}

// cleared takes the secrets out of an error of an agent, which may go into dead letters and answers.
func (b *binding) cleared(err error) error {
	var e *fault.Error
	if errors.As(err, &e) {
		b.cfg.Hidden.Clear(e)
	}
	return err
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
