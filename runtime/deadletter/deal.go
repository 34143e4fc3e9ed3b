package deadletter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"faust/runtime/agent"
	"faust/runtime/broker"
	"faust/runtime/topic"
)

// batchSize is how many letters are sent back before they are marked.
const batchSize = 200

// settling is how long after marks were written it is looked whether they are still there: somebody else may have read them before and written them after.
const settling = 50 * time.Millisecond

// attempts is how often marks are written that others overwrite.
const attempts = 10

// Outcome is what became of a letter that was to be sent back. Err is nil if it was stored.
type Outcome struct {
	ID  ID
	To  topic.Record // where it is stored, if it is
	Err error
}

// ErrWindow: it was no message that failed.
var ErrWindow = errors.New("it is of a window that closed, not of a message: there is nothing to send back")

// ErrChannel: the message came from a channel, which lives in the memory of a worker.
var ErrChannel = errors.New("it came from a channel, which is in the memory of its worker: it cannot be sent back")

// ErrGone: the message was not kept with its letter, and is not in its topic any more.
var ErrGone = errors.New("the broker did not take the message with its letter, and it is not in its topic any more")

// Nobody: the message of a letter would find no agent that takes it.
type Nobody struct {
	Agent string // that should take it
	Topic string // where the message came from, which Agent does not read; "": the app has no such agent
}

func (e *Nobody) Error() string {
	if e.Topic == "" {
		return fmt.Sprintf("the app has no agent '%s' any more: nobody would take the message", e.Agent)
	}
	return fmt.Sprintf("agent '%s' does not read topic %s, where the message came from: nobody would take it", e.Agent, e.Topic)
}

// Replay sends letters back to where they came from, for the agent named to instead of the one that failed unless that is "", and marks each once that is stored: what was sent and not marked, because of a crash, is open still and
// may be sent again. told hears what became of every letter, in their order. The error is that of marking; letters that could not be sent are no error.
func (b *Box) Replay(ctx context.Context, letters []*Letter, to string, told func(Outcome)) error {
	for len(letters) > 0 {
		n := min(len(letters), batchSize)
		if err := b.replay(ctx, letters[:n], to, told); err != nil {
			return err
		}
		letters = letters[n:]
		if err := ctx.Err(); err != nil && len(letters) > 0 {
			return context.Cause(ctx)
		}
	}
	return nil
}

func (b *Box) replay(ctx context.Context, letters []*Letter, to string, told func(Outcome)) error {
	if err := b.room(ctx, letters); err != nil {
		return err
	}
	outcomes := make([]Outcome, len(letters))
	var sending sync.WaitGroup
	for i, l := range letters {
		outcomes[i].ID = l.ID
		r, err := b.back(ctx, l, to)
		if err != nil {
			outcomes[i].Err = err
			continue
		}
		sending.Add(1)
		b.cfg.Client.Produce(ctx, &r, func(stored topic.Record, err error) {
			defer sending.Done()
			outcomes[i].To, outcomes[i].Err = stored, err
		})
	}
	sending.Wait()
	var stored []*Letter
	for i, o := range outcomes {
		if o.Err == nil {
			stored = append(stored, letters[i])
		}
	}
	_, err := b.mark(context.WithoutCancel(ctx), stored) // they are sent: they have to be marked
	for _, o := range outcomes {
		told(o)
	}
	return err
}

// back makes the record that sends a letter back.
func (b *Box) back(ctx context.Context, l *Letter, to string) (topic.Record, error) {
	if _, closes := l.Record.Header(agent.HeaderWindow); closes && l.Record.Offset < 0 {
		return topic.Record{}, ErrWindow
	}
	letter, err := b.addressed(l, to)
	if err != nil {
		return topic.Record{}, err
	}
	from := &l.Record
	if l.Short {
		found, err := b.at(ctx, l.Record.In(), l.Record.Offset)
		if errors.Is(err, ErrNone) {
			return topic.Record{}, ErrGone
		}
		if err != nil {
			return topic.Record{}, err
		}
		from = found
	}
	return letter.Replay(b.cfg.Group, from), nil
}

// addressed gives the letter as one of the agent that takes its message: the one that failed, or the one named. An agent of a topic of its own can take over from another one
// like it; every other one has to read the topic that the message came from.
func (b *Box) addressed(l *Letter, to string) (*agent.Letter, error) {
	if to == "" {
		to = l.ID.Agent
	}
	a, ok := b.agent(to)
	out := l.Letter
	out.Agent = to
	switch from := l.Record.Topic; {
	case !ok, a.Gone:
		return nil, &Nobody{Agent: to}
	case a.Channel:
		return nil, ErrChannel
	case slices.Contains(a.Reads, from):
	case a.Private && from == b.cfg.Group+"-"+l.Agent:
		out.Record.Topic, out.Record.Partition = a.Reads[0], topic.Any
	default:
		return nil, &Nobody{Agent: to, Topic: from}
	}
	return &out, nil
}

// Message gives the message of a letter, which is read again at its place if the letter does not have it.
func (b *Box) Message(ctx context.Context, l *Letter) (*topic.Record, error) {
	if !l.Short {
		return &l.Record, nil
	}
	r, err := b.at(ctx, l.Record.In(), l.Record.Offset)
	if errors.Is(err, ErrNone) {
		return nil, ErrGone
	}
	return r, err
}

// Drop marks letters as dealt with, and deletes what lies below the marks for good. Letters above an open one are only marked: they go with it.
func (b *Box) Drop(ctx context.Context, letters []*Letter) error {
	if err := b.room(ctx, letters); err != nil {
		return err
	}
	marked, err := b.mark(ctx, letters)
	if err != nil {
		return err
	}
	below := map[topic.Partition]int64{}
	for p, m := range marked {
		below[p] = m.below
	}
	return b.cfg.Client.DeleteRecords(ctx, below)
}

// Full: there are too many open letters between those that are dealt with to remember them all.
type Full struct{ Partition topic.Partition }

func (e *Full) Error() string {
	return fmt.Sprintf("too many dead letters of %s are dealt with one by one, with open ones between them: deal with the oldest ones first", e.Partition)
}

// spans are what the letters add to the marks of each partition.
func (b *Box) spans(letters []*Letter) map[topic.Partition][]span {
	out := map[topic.Partition][]span{}
	for _, l := range letters {
		if a, ok := b.agent(l.ID.Agent); ok {
			p := topic.Partition{Topic: a.Topic, ID: l.ID.Partition}
			out[p] = append(out[p], span{l.after, l.ID.Offset + 1})
		}
	}
	return out
}

// room makes sure that the marks of letters can be remembered, before anything is done that cannot be taken back.
func (b *Box) room(ctx context.Context, letters []*Letter) error {
	_, _, err := b.merged(ctx, b.spans(letters))
	return err
}

// merged reads the marks as they are now and adds spans to them. missing: some of them were not there.
func (b *Box) merged(ctx context.Context, add map[topic.Partition][]span) (all map[topic.Partition]marks, missing bool, err error) {
	stored, err := b.cfg.Client.Marks(ctx, b.group())
	if err != nil {
		return nil, false, err
	}
	all = map[topic.Partition]marks{}
	topics := map[string]map[int32]broker.Span{}
	for p, spans := range add {
		if topics[p.Topic] == nil {
			if topics[p.Topic], err = b.cfg.Client.Spans(ctx, p.Topic); err != nil {
				return nil, false, err
			}
		}
		m, err := current(stored[p], topics[p.Topic][p.ID])
		if err != nil {
			return nil, false, err
		}
		for _, s := range spans {
			missing = missing || !m.has(s)
		}
		all[p] = m.add(spans...)
		if _, fits := all[p].mark(); !fits {
			return nil, false, &Full{p}
		}
	}
	return all, missing, nil
}

// mark writes down that letters are dealt with. Somebody else may do the same at this moment, and the broker has no way to add to what is written:
// so it reads what is there just before it writes, and looks a little later whether its own is still there. A writer that is held up between its reading
// and its writing for longer than that can still undo marks; the letters are open again then, and none is lost.
func (b *Box) mark(ctx context.Context, letters []*Letter) (map[topic.Partition]marks, error) {
	add := b.spans(letters)
	for range attempts {
		all, missing, err := b.merged(ctx, add)
		if err != nil {
			return nil, fmt.Errorf("dead letters dealt with cannot be marked: %w", err)
		}
		if !missing {
			return all, nil
		}
		written := map[topic.Partition]broker.Mark{}
		for p := range maps.Keys(all) {
			written[p], _ = all[p].mark()
		}
		if err := b.cfg.Client.SetMarks(ctx, b.group(), written); err != nil {
			return nil, fmt.Errorf("dead letters dealt with cannot be marked: %w", err)
		}
		select {
		case <-time.After(settling):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return nil, errors.New("dead letters dealt with cannot be marked: others write their marks all the time")
}
