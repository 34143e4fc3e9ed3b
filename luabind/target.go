package luabind

import (
	"context"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/runtime/agent"
	"faust/runtime/topic"
)

// Target is what a person names to send to, to ask or to look at, with how its messages are written.
type Target struct {
	Name       string      // as given: orders, @ledger
	Topic      topic.Topic // what is written to and read; without name if Channel is set
	Agent      string      // of @agent
	Channel    string      // what the agent reads, if that is no topic
	Key, Value string      // types: string, json, Withdrawal
	Declared   bool        // by the app

	key, val record.Codec
}

// Types says how messages are written, where that is not as declared: json, string, bytes, int64 or the name of a record. "": as declared.
type Types struct{ Key, Value string }

// Target finds a declared topic, the topic that an agent reads (@agent), or one of the topics of the agents' own. A topic that the app does not declare
// is taken if as.Value says what it holds; its keys are strings then, unless as.Key says otherwise. The error is a *fault.Error with code usage.
func (s *Script) Target(ctx context.Context, name string, as Types) (*Target, error) {
	var t *Target
	err := s.VM.Run(ctx, "finding "+name, false, func(*lua.LState) (err error) {
		if t, err = s.b.target(name, as.Value != ""); err == nil {
			err = s.b.retype(t, as)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// DeadLetters finds the dead letters of an agent.
func (s *Script) DeadLetters(ctx context.Context, agent string) (t *Target, err error) {
	err = s.VM.Run(ctx, "finding the dead letters of "+agent, false, func(*lua.LState) error {
		g, ok := s.b.agents.find(agent)
		if !ok {
			return s.b.noAgent("@" + agent)
		}
		t = s.b.topicTarget("@"+agent, g.deadLetters)
		t.Agent = agent
		return nil
	})
	return t, err
}

// Targets gives the names that Target knows: topics, and agents with @, sorted.
func (s *Script) Targets() []string { return s.b.targets() }

func (b *binding) targets() []string {
	names := b.topics.names()
	for _, agent := range b.agents.names() {
		names = append(names, "@"+agent)
	}
	slices.Sort(names)
	return names
}

func (b *binding) target(name string, any bool) (*Target, error) {
	if agent, ok := strings.CutPrefix(name, "@"); ok {
		return b.agentTarget(name, agent)
	}
	if t, ok := b.topics.find(name); ok {
		return b.topicTarget(name, t), nil
	}
	for _, g := range b.agents.order {
		for _, t := range []*topicObject{g.source, g.deadLetters} {
			if t != nil && t.decl.Name == name {
				return b.topicTarget(name, t), nil
			}
		}
	}
	if any && topicName.MatchString(name) {
		return &Target{Name: name, Topic: topic.Topic{Name: name}}, nil
	}
	e := usage("the app has no topic '%s'", fault.Cut(name, 100))
	_, isTable := b.tables.find(name)
	switch best := fault.Suggest(name, b.targets()); {
	case !topicName.MatchString(name):
		e.Hints = []string{"a topic's name has letters, digits, '.', '_' and '-'"}
	case b.hasAgent(name):
		e.Hints = []string{"the agent is @" + name}
	case isTable:
		e.Hints = []string{name + " is a table: get and scan show what it has"}
	case best != "":
		e.Hints = []string{"did you mean '" + best + "'?"}
	default:
		e.Hints = []string{"for a topic that the app does not declare, say what is in it: --as json, string, bytes or a record"}
	}
	return nil, e
}

func (b *binding) hasAgent(name string) bool {
	_, ok := b.agents.find(name)
	return ok
}

func (b *binding) topicTarget(name string, t *topicObject) *Target {
	return &Target{Name: name, Topic: t.decl.Topic, Key: t.key.Name(), Value: t.val.Name(), Declared: true, key: t.key, val: exact(t.val)}
}

// exact is a codec that says what cannot be decoded.
func exact(c record.Codec) record.Codec {
	if l, ok := c.(lenient); ok {
		return l.Codec
	}
	return c
}

func (b *binding) agentTarget(name, agent string) (*Target, error) {
	g, ok := b.agents.find(agent)
	switch {
	case !ok:
		return nil, b.noAgent(name)
	case g.channel != nil:
		c := g.channel
		return &Target{Name: name, Agent: agent, Channel: c.queue.Name(), Key: c.key.Name(), Value: c.val.Name(), Declared: true, key: c.key, val: c.val}, nil
	}
	t := b.topicTarget(name, g.source)
	t.Agent = agent
	return t, nil
}

func (b *binding) noAgent(name string) error {
	e := usage("the app has no agent '%s'", fault.Cut(name, 100))
	if _, ok := b.topics.find(name[1:]); ok {
		e.Hints = []string{"the topic is " + name[1:]}
	} else if best := fault.Suggest(name, b.targets()); best != "" {
		e.Hints = []string{"did you mean '" + best + "'?"}
	}
	return e
}

// retype makes the codecs what as says.
func (b *binding) retype(t *Target, as Types) error {
	for _, c := range []struct {
		as   string
		name *string
		is   *record.Codec
	}{{as.Key, &t.Key, &t.key}, {as.Value, &t.Value, &t.val}} {
		if c.as == "" && *c.is != nil {
			continue
		}
		codec, err := b.reg.Codec(text(c.as), "string")
		if err != nil {
			return err
		}
		*c.is, *c.name = codec, codec.Name()
	}
	return nil
}

// text gives a string of Lua; nil for an empty one.
func text(s string) lua.LValue {
	if s == "" {
		return lua.LNil
	}
	return lua.LString(s)
}

// IsMessage tells messages from records of the app's own that say how far time is and nothing else.
func IsMessage(r *topic.Record) bool { return !agent.IsClock(r) }
