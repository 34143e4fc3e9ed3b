package broker

import (
	"context"
	"errors"
	"log/slog"
	"math/bits"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"faust/runtime/topic"
)

var errMissing error = kerr.UnknownTopicOrPartition

// Batch is what one partition had, in order of offset. The receiver owns Records, and may hand the slice to Recycle once nobody looks at it any
// more; their bytes are shared with the fetch buffer.
type Batch struct {
	Partition     topic.Partition
	Records       []topic.Record // may be none, where transactions end
	Next          int64          // offset after what was read
	HighWatermark int64
}

// Poll waits for records of partitions that are not paused. Errors of single partitions are logged and retried inside; an error given
// back ends the worker (*Error, ErrClosed or ctx's). A batch given back may be of a partition that is revoked in that moment; Each has no such gap.
func (g *Group) Poll(ctx context.Context) ([]Batch, error) {
	var out []Batch
	err := g.Each(ctx, func(b Batch) { out = append(out, b) })
	return out, err
}

// Each is one Poll that hands every batch to f, and while f runs no partition comes or goes: a batch of an assignment reaches f before Revoked or
// Lost of its partition is called, and never after. f must not wait, and must not call Leave, Abandon, Poll or Each.
func (g *Group) Each(ctx context.Context, f func(Batch)) error {
	for {
		n, err := g.poll(ctx, f)
		if n > 0 || err != nil {
			return err
		}
	}
}

// poll polls once and gives the number of batches delivered.
func (g *Group) poll(ctx context.Context, f func(Batch)) (int, error) {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	g.polling.Lock()
	defer g.polling.Unlock()
	g.mu.Lock()
	g.wake = cancel
	if g.barriers > 0 {
		cancel()
	}
	g.mu.Unlock()
	fetches := g.kafka.PollFetches(waiting)
	g.mu.Lock()
	g.wake = nil
	g.mu.Unlock()
	n := 0
	var fatal error
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) > 0 && g.delivers(p) {
			next := p.Records[len(p.Records)-1].Offset + 1
			f(Batch{Partition: topic.Partition{Topic: p.Topic, ID: p.Partition}, Records: g.pool.convert(p), Next: next, HighWatermark: p.HighWatermark})
			n++
		}
		if p.Err != nil && fatal == nil && (waiting.Err() == nil || !errors.Is(p.Err, context.Canceled)) {
			fatal = g.log.fault(p.Topic, p.Partition, p.Err)
		}
	})
	switch {
	case n > 0 && fatal == nil:
		return n, nil
	case fatal != nil:
		return n, g.wrap(fatal)
	}
	return n, ctx.Err()
}

func (g *Group) delivers(p kgo.FetchTopicPartition) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fetched[topic.Partition{Topic: p.Topic, ID: p.Partition}]
}

// Recycle takes the slice of a batch, or a copy of it, for a later one. Nobody may use it afterwards; keys, values and headers stay valid.
func (g *Group) Recycle(records []topic.Record) {
	clear(records)
	g.pool.slices.put(records)
}

// convert converts what was fetched of a partition: into a used slice if there is one, with one allocation for all headers, none for bytes.
// The client has its records back then. Control records, which end transactions, are left out.
func (b *recordPool) convert(p kgo.FetchTopicPartition) []topic.Record {
	if len(p.Records) == 0 {
		return nil
	}
	n := 0
	for _, r := range p.Records {
		n += len(r.Headers)
	}
	headers := make([]topic.Header, 0, n)
	out := b.slices.get(len(p.Records))
	i := 0
	for _, r := range p.Records {
		if r.Attrs.IsControl() {
			r.Recycle()
			continue
		}
		out[i] = topic.Record{Key: r.Key, Value: r.Value, Topic: r.Topic, Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(), Partition: r.Partition}
		if len(r.Headers) > 0 {
			from := len(headers)
			for _, h := range r.Headers {
				headers = append(headers, topic.Header(h))
			}
			out[i].Headers = headers[from:len(headers):len(headers)]
		}
		i++
		r.Recycle()
	}
	return out[:i]
}

// recordPool keeps memory for records: the client's own, of no use any more once they are converted, and ours that were read. Keys and values
// are not pooled: they live as long as anybody holds them.
type recordPool struct {
	slabs  spare[kgo.Record]
	slices spare[topic.Record] // zeroed
}

// GetRecords implements kgo.PoolRecords.
func (p *recordPool) GetRecords(n int) []kgo.Record { return p.slabs.get(n) }

// PutRecords implements kgo.PoolRecords.
func (p *recordPool) PutRecords(records []kgo.Record) { p.slabs.put(records) }

// spare keeps slices that are not needed any more, by size: one for so many finds a slice of at most twice as many. The zero value is ready.
type spare[T any] struct {
	pools [bits.UintSize]sync.Pool // of *[]T with room for 1 << index at least
}

// get gives a slice of n, with what its last user left in it.
func (s *spare[T]) get(n int) []T {
	class := bits.Len(uint(max(n, 1) - 1))
	if used, ok := s.pools[class].Get().(*[]T); ok {
		return (*used)[:n]
	}
	return make([]T, n, 1<<class)
}

// put takes a slice that nobody uses any more.
func (s *spare[T]) put(used []T) {
	if room := cap(used); room > 0 {
		s.pools[bits.Len(uint(room))-1].Put(&used)
	}
}

// faultLog tells faults of consuming apart: what passes is logged, once in a while for each partition; what does not is given back.
type faultLog struct {
	log  *slog.Logger
	last map[topic.Partition]time.Time
}

const faultEvery = 10 * time.Second

// fault is for the polling goroutine only.
func (l *faultLog) fault(name string, id int32, err error) error {
	var session *kgo.ErrGroupSession
	if errors.Is(err, kgo.ErrClientClosed) || denied(err) || errors.As(err, &session) && hopeless(err) {
		return err
	}
	p := topic.Partition{Topic: name, ID: id}
	if now := time.Now(); now.Sub(l.last[p]) > faultEvery {
		if l.last == nil {
			l.last = map[topic.Partition]time.Time{}
		}
		l.last[p] = now
		switch {
		case session != nil:
			l.log.Warn("the group membership was lost and is taken up again", "err", session.Err)
		default:
			l.log.Warn("reading fails and is tried again", "topic", name, "partition", id, "err", err)
		}
	}
	return nil
}

func denied(err error) bool {
	return (&Error{Err: err}).refusal()
}

// hopeless tells whether joining a group fails for a reason that time does not mend.
func hopeless(err error) bool {
	for _, k := range []error{kerr.InvalidSessionTimeout, kerr.InconsistentGroupProtocol, kerr.InvalidGroupID, kerr.GroupMaxSizeReached, kerr.UnsupportedVersion, kerr.FencedInstanceID} {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}
