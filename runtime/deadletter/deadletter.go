// Package deadletter is what can be done with the dead letters of an app: see which are open, send them back, drop them. They lie in a topic of each agent; which
// of them are dealt with is remembered as marks of the group <id>-dead-letters.
package deadletter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"faust/runtime/agent"
	"faust/runtime/broker"
	"faust/runtime/topic"
)

// Box is the dead letters of an app.
type Box struct {
	cfg Config
}

// Config says whose dead letters a Box has.
type Config struct {
	Client *broker.Client
	Group  string // of the app
	Agents []Agent
}

// Agent is an agent whose dead letters are in the Box.
type Agent struct {
	Name    string
	Topic   string   // of its dead letters
	Reads   []string // topics
	Private bool     // what it reads is a topic of its own
	Channel bool     // it reads a channel: its messages cannot be sent back
	Gone    bool     // the app does not have it any more. Its topic was found by its name, which another app may have as well: only letters that name the agent are its own
}

// owns tells whether a letter in the agent's topic is the agent's.
func (a *Agent) owns(l *agent.Letter) bool { return !a.Gone || l.Agent == a.Name }

// New makes a Box. It does nothing yet.
func New(cfg Config) *Box { return &Box{cfg: cfg} }

// Letter is a dead letter and where it lies.
type Letter struct {
	agent.Letter
	ID    ID
	after int64 // everything from here on up to it is dealt with, or no dead letter
}

// ID names a dead letter: its agent, and where it lies in the agent's topic. It stays the same for as long as the letter is there.
type ID struct {
	Agent     string
	Partition int32
	Offset    int64
}

// String is ledger/0@17.
func (id ID) String() string { return fmt.Sprintf("%s/%d@%d", id.Agent, id.Partition, id.Offset) }

// ParseID reads ledger/0@17, or 0@17 without an agent. false: it is something else.
func ParseID(text string) (ID, bool) {
	var id ID
	rest := text
	if i := strings.LastIndexByte(text, '/'); i >= 0 {
		id.Agent, rest = strings.TrimPrefix(text[:i], "@"), text[i+1:]
		if id.Agent == "" {
			return id, false
		}
	}
	partition, offset, ok := strings.Cut(rest, "@")
	p, err := strconv.ParseUint(partition, 10, 31)
	if err != nil || !ok {
		return id, false
	}
	o, err := strconv.ParseUint(offset, 10, 63)
	id.Partition, id.Offset = int32(p), int64(o)
	return id, err == nil
}

// group remembers what is dealt with.
func (b *Box) group() string { return b.cfg.Group + "-dead-letters" }

// agent finds an agent by its name.
func (b *Box) agent(name string) (Agent, bool) {
	i := slices.IndexFunc(b.cfg.Agents, func(a Agent) bool { return a.Name == name })
	if i < 0 {
		return Agent{}, false
	}
	return b.cfg.Agents[i], true
}

// Each calls f with every open dead letter of the agents named (none: all), agent by agent, each agent's in order of the messages' time. The letter is valid
// until f returns. f's error ends it and is given back.
func (b *Box) Each(ctx context.Context, agents []string, f func(l *Letter) error) error {
	stored, err := b.cfg.Client.Marks(ctx, b.group())
	if err != nil {
		return err
	}
	for _, a := range b.cfg.Agents {
		if len(agents) > 0 && !slices.Contains(agents, a.Name) {
			continue
		}
		if err := b.each(ctx, a, stored, f); err != nil {
			return err
		}
	}
	return nil
}

// each is Each for one agent.
func (b *Box) each(ctx context.Context, a Agent, stored map[topic.Partition]broker.Mark, f func(l *Letter) error) error {
	spans, err := b.cfg.Client.Spans(ctx, a.Topic)
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	done, from, next := map[int32]marks{}, map[int32]int64{}, map[int32]int64{}
	for id, s := range spans {
		m, err := current(stored[topic.Partition{Topic: a.Topic, ID: id}], s)
		if err != nil {
			return err
		}
		done[id], from[id], next[id] = m, m.below, m.below
	}
	what := broker.Reading{
		Topic: a.Topic, From: broker.From{Kind: broker.FromOffsets, Offsets: from},
		Keep: func(r *topic.Record) bool { return !done[r.Partition].has(span{r.Offset, r.Offset + 1}) },
	}
	err = b.cfg.Client.Read(ctx, what, func(rs []topic.Record) error {
		for i := range rs {
			read, ok := agent.ReadLetter(&rs[i])
			if !ok {
				continue
			}
			if !a.owns(&read) {
				next[rs[i].Partition] = rs[i].Offset + 1 // not to be dealt with here
				continue
			}
			l := &Letter{Letter: read, ID: ID{a.Name, rs[i].Partition, rs[i].Offset}, after: next[rs[i].Partition]}
			next[rs[i].Partition] = rs[i].Offset + 1
			if err := f(l); err != nil {
				return err
			}
		}
		return nil
	})
	if missing(err) { // deleted meanwhile
		return nil
	}
	return err
}

// current are the marks of a partition that goes from s.First to s.End. Those of a topic that was deleted since and made anew do not count.
func current(stored broker.Mark, s broker.Span) (marks, error) {
	m, err := readMarks(stored)
	if err != nil {
		return m, err
	}
	last := m.below
	if n := len(m.spans); n > 0 {
		last = m.spans[n-1].to
	}
	if last > s.End {
		m = marks{}
	}
	return m.add(span{0, s.First}), nil
}

func missing(err error) bool {
	var e *broker.Error
	return errors.As(err, &e) && e.Class == broker.MissingTopic
}

// Find gives a dead letter, open or not. ErrNone: there is none at that place.
func (b *Box) Find(ctx context.Context, id ID) (*Letter, error) {
	a, ok := b.agent(id.Agent)
	if !ok {
		return nil, ErrNone
	}
	r, err := b.at(ctx, topic.Partition{Topic: a.Topic, ID: id.Partition}, id.Offset)
	if err != nil {
		return nil, err
	}
	read, ok := agent.ReadLetter(r)
	if !ok || !a.owns(&read) {
		return nil, ErrNone
	}
	return &Letter{Letter: read, ID: id, after: id.Offset}, nil
}

// Open tells which of the letters named are open.
func (b *Box) Open(ctx context.Context, ids []ID) (map[ID]bool, error) {
	stored, err := b.cfg.Client.Marks(ctx, b.group())
	if err != nil {
		return nil, err
	}
	out := map[ID]bool{}
	spans := map[string]map[int32]broker.Span{}
	for _, id := range ids {
		a, ok := b.agent(id.Agent)
		if !ok {
			continue
		}
		if spans[a.Topic] == nil {
			s, err := b.cfg.Client.Spans(ctx, a.Topic)
			if err != nil && !missing(err) {
				return nil, err
			}
			spans[a.Topic] = s
		}
		s, ok := spans[a.Topic][id.Partition]
		if !ok || id.Offset >= s.End {
			continue
		}
		m, err := current(stored[topic.Partition{Topic: a.Topic, ID: id.Partition}], s)
		if err != nil {
			return nil, err
		}
		out[id] = !m.has(span{id.Offset, id.Offset + 1})
	}
	return out, nil
}

// ErrNone: there is no dead letter at that place, any more or at all.
var ErrNone = errors.New("there is no such dead letter")

var errFound = errors.New("found")

// at reads one record; ErrNone: there is none.
func (b *Box) at(ctx context.Context, p topic.Partition, offset int64) (*topic.Record, error) {
	var found *topic.Record
	what := broker.Reading{Topic: p.Topic, Partitions: []int32{p.ID}, From: broker.From{Kind: broker.FromOffset, Offset: offset}}
	err := b.cfg.Client.Read(ctx, what, func(rs []topic.Record) error {
		if rs[0].Offset == offset {
			c := rs[0].Clone()
			found = &c
		}
		return errFound
	})
	var none *broker.NoPartition
	switch {
	case missing(err), errors.As(err, &none):
		return nil, ErrNone
	case err != nil && !errors.Is(err, errFound):
		return nil, err
	case found == nil:
		return nil, ErrNone
	}
	return found, nil
}
