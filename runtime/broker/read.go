package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"faust/runtime/topic"
)

// Reading is what Read reads of a topic. The zero value but for Topic: all there is now, of all partitions.
type Reading struct {
	Topic      string
	Partitions []int32 // nil: all
	From       From
	Last       int                        // only so many, the last of those that Keep keeps; From does not count. 0: all
	Follow     bool                       // after what is there now go on with what comes, until ctx ends
	Exact      bool                       // an offset that is not there, now or later, is ErrGone; nothing is skipped
	Keep       func(r *topic.Record) bool // called with every record that is read; nil: all are kept
	Open       bool                       // waits for the end of transactions that are open at the time of the call; else they are not part of what is there
	Again      func()                     // with Last: called when reading starts over, further back; Keep sees records again then. nil: nobody wants to know
}

// From is where reading starts; the zero value: at the first record there is.
type From struct {
	Kind    FromKind
	Offset  int64           // of FromOffset, in every partition
	Time    time.Time       // of FromTime
	Offsets map[int32]int64 // of FromOffsets; partitions that are not named are read from their first record
}

// FromKind says which field of a From counts.
type FromKind int

// The kinds. An offset that is not there any more means the first record, one beyond the end the end.
const (
	FromStart FromKind = iota
	FromEnd
	FromOffset
	FromTime
	FromOffsets
)

// ErrGone is the error of an exact reading whose offset is not there any more.
var ErrGone = errors.New("the topic has lost what comes next")

// maxDelivery is how many records Read hands over at a time.
const maxDelivery = 1000

// Read reads records of a topic, those of aborted transactions left out, without a group and hands them to f, which owns nothing of them once it returns: first what is there at the time of the
// call, all partitions merged by time, then, if wanted, what comes. Memory is bounded by what a fetch brings, and with Last by so many records.
// A fault of the connection is waited out: for ever while following, for half a minute otherwise. The error is f's, that of the end of ctx, or the broker's; a
// topic that does not exist is an *Error of class MissingTopic.
func (c *Client) Read(ctx context.Context, what Reading, f func(records []topic.Record) error) error {
	err := c.read(ctx, what, f)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return context.Cause(ctx)
	}
	return err
}

func (c *Client) read(ctx context.Context, what Reading, f func(records []topic.Record) error) error {
	r, err := c.newReader(ctx, what, f)
	if err != nil {
		return err
	}
	defer r.close()
	if what.Last > 0 {
		err = r.last()
	} else if err = r.position(); err == nil {
		err = r.backlog(r.sink)
	}
	if err == nil && what.Follow {
		err = r.follow()
	}
	return err
}

// position puts every cursor where reading starts.
func (r *reader) position() error {
	var at map[int32]int64
	if r.what.From.Kind == FromTime {
		var err error
		if at, err = r.c.offsets(r.ctx, r.what.Topic, len(r.known), r.what.From.Time.UnixMilli()); err != nil {
			return err
		}
	}
	for _, cur := range r.cursors {
		next := cur.first
		switch r.what.From.Kind {
		case FromEnd:
			next = cur.end
		case FromOffset:
			next = r.what.From.Offset
		case FromTime:
			if next = at[cur.id]; next < 0 { // nothing is as new
				next = cur.end
			}
		case FromOffsets:
			if o, ok := r.what.From.Offsets[cur.id]; ok {
				next = o
			}
		}
		if r.what.Exact && (next < cur.first || next > cur.end) {
			return r.gone(cur, next)
		}
		cur.rewind(min(max(next, cur.first), cur.end))
	}
	return nil
}

// last delivers the last records. How far back they are is not known, so it looks in larger and larger spans.
func (r *reader) last() error {
	for span := int64(r.what.Last); ; span *= 4 {
		if r.what.Again != nil {
			r.what.Again()
		}
		whole := true
		for _, cur := range r.cursors {
			at := max(cur.first, cur.end-span)
			whole = whole && at == cur.first
			cur.rewind(at)
		}
		kept := ring{size: r.what.Last}
		if err := r.backlog(kept.add); err != nil {
			return err
		}
		if whole || len(kept.records) == r.what.Last {
			return kept.each(r.sink)
		}
	}
}

// ring keeps the last records it is given, with bytes of their own.
type ring struct {
	size    int
	next    int // where the oldest is, once it is full
	records []topic.Record
}

func (g *ring) add(records []topic.Record) error {
	for i := range records {
		if len(g.records) < g.size {
			g.records = append(g.records, records[i].Clone())
			continue
		}
		g.records[g.next] = records[i].Clone()
		g.next = (g.next + 1) % g.size
	}
	return nil
}

// each hands over what was kept, in order.
func (g *ring) each(f func([]topic.Record) error) error {
	for _, part := range [][]topic.Record{g.records[g.next:], g.records[:g.next]} {
		for len(part) > 0 {
			n := min(len(part), maxDelivery)
			if err := f(part[:n]); err != nil {
				return err
			}
			part = part[n:]
		}
	}
	return nil
}

// Topics gives the names of all topics of the cluster that this user may see.
func (c *Client) Topics(ctx context.Context) ([]string, error) {
	all, err := c.admin.ListTopics(ctx)
	if err != nil {
		return nil, c.wrap(err, "list topics")
	}
	return all.Names(), nil
}

// Span is where a partition begins and ends: First is the offset of the first record there may be, End that of the next one to come.
type Span struct{ First, End int64 }

// Spans gives the span of each partition of a topic. A topic that does not exist is an *Error of class MissingTopic.
func (c *Client) Spans(ctx context.Context, name string) (map[int32]Span, error) {
	out := map[int32]Span{}
	counts, err := c.Partitions(ctx, name)
	if err != nil {
		return nil, err
	}
	n := int(counts[name])
	first, err := c.offsets(ctx, name, n, earliest)
	if err != nil {
		return nil, err
	}
	end, err := c.offsets(ctx, name, n, latest)
	if err != nil {
		return nil, err
	}
	for id := range counts[name] {
		out[id] = Span{first[id], end[id]}
	}
	return out, nil
}

// What stands for a time where offsets are asked for.
const (
	earliest = -2
	latest   = -1
)

// offsets gives for each of the first n partitions of a topic the offset of the first record that is as new as at (milliseconds); -1: there is none.
func (c *Client) offsets(ctx context.Context, name string, n int, at int64) (map[int32]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = name
	for id := range n {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.CurrentLeaderEpoch, p.Timestamp = int32(id), -1, at
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	out := map[int32]int64{}
	for _, shard := range c.kafka.RequestSharded(ctx, req) {
		err := shard.Err
		if err == nil {
			err = listed(shard.Resp.(*kmsg.ListOffsetsResponse), out)
		}
		if err != nil {
			return nil, c.wrap(err, "read the offsets of topic %s", name)
		}
	}
	if len(out) != n {
		return nil, fmt.Errorf("read the offsets of topic %s: %d of %d partitions are known", name, len(out), n)
	}
	return out, nil
}

func listed(resp *kmsg.ListOffsetsResponse, out map[int32]int64) error {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("partition %d: %w", p.Partition, err)
			}
			out[p.Partition] = p.Offset
		}
	}
	return nil
}
