package luabind

import (
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/runtime/topic"
)

// merged is a source of several topics, whose messages are alike.
type merged struct{ topics []*topicObject }

func (m *merged) Describe() string {
	names := make([]string, len(m.topics))
	for i, t := range m.topics {
		names[i] = t.label()
	}
	return "app.merge(" + strings.Join(names, ", ") + ")"
}

func (b *binding) mergedKind(L *lua.LState) *lua.LTable { return b.kind(L, "source", nil, nil) }

// appMerge is app.merge(topic, topic, ...) -> source.
func (b *binding) appMerge(L *lua.LState) int {
	a := b.call(L, "app.merge")
	b.declare(a)
	m := &merged{}
	for first := true; first || !a.Last() || !a.Absent(); first = false {
		m.add(a)
	}
	a.Done()
	if len(m.topics) < 2 {
		a.Fail("app.merge: one topic is nothing to merge: an agent reads it as it is")
	}
	L.Push(object(m, b.kinds.merged))
	return 1
}

// add takes a topic, whose messages have to be like those of the others: the agent's function does not see which topic one is from.
func (m *merged) add(a *arg.Args) {
	t := topicArgument(a, "a topic")
	if slices.Contains(m.topics, t) {
		a.Fail("app.merge: %s is there twice", t.Describe())
	}
	if len(m.topics) > 0 {
		first := m.topics[0]
		for _, c := range []struct{ what, one, other string }{
			{"keys", first.key.Name(), t.key.Name()}, {"values", first.val.Name(), t.val.Name()},
		} {
			if c.one != c.other {
				a.Hint("topics whose messages differ have an agent each; what both do can be one function",
					"app.merge: %s has %s of type %s, %s of type %s", first.label(), c.what, c.one, t.label(), c.other)
			}
		}
	}
	m.topics = append(m.topics, t)
}

// sources are the topics that the agent reads; none if it reads a channel.
func (g *agentObject) sources() []*topicObject {
	if g.source == nil {
		return nil
	}
	return append([]*topicObject{g.source}, g.more...)
}

// to is the topic that a message for the agent goes to.
func (g *agentObject) to(a *arg.Args) *topicObject {
	if len(g.more) > 0 {
		a.Hint("send it to one of them:  "+identifier(g.source.label())+":send { ... }", "%s: agent '%s' reads several topics", a.Name, g.def.Name)
	}
	return g.source
}

// read are the topics of sources.
func (g *agentObject) read() (list []topic.Topic) {
	for _, t := range g.sources() {
		list = append(list, t.decl.Topic)
	}
	return list
}
