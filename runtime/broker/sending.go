package broker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"faust/runtime/topic"
)

// Sending is one record on its way. It is used again for another one: the client forgets a record once its fate is told.
type Sending struct {
	letter
	client *Client
	slab   *slab
	told   func(*kgo.Record, error) // method stored, made once
}

// letter is what belongs to one record.
type letter struct {
	Note    Note
	origin  topic.Record
	record  kgo.Record
	headers []topic.Header
	to      Receipt
}

// Record is what was sent, with partition, offset and timestamp as the broker stored it.
func (s *Sending) Record() topic.Record {
	r := &s.record
	return topic.Record{Key: r.Key, Value: r.Value, Headers: s.headers, Topic: r.Topic, Offset: r.Offset, Partition: r.Partition, Timestamp: r.Timestamp.UnixMilli()}
}

// fill makes s, which is zero, the sending of r.
func (s *Sending) fill(ctx context.Context, r *topic.Record, to Receipt, note *Note) {
	s.Note, s.headers, s.to = *note, r.Headers, to
	if note.Origin != nil {
		s.origin = *note.Origin
		s.Note.Origin = &s.origin
	}
	k := &s.record
	k.Key, k.Value, k.Topic, k.Partition, k.Context = r.Key, r.Value, r.Topic, r.Partition, ctx
	if r.Timestamp != 0 {
		k.Timestamp = time.UnixMilli(r.Timestamp)
	} else {
		k.Timestamp = s.client.clock.now()
	}
	if len(r.Headers) > 0 {
		k.Headers = make([]kgo.RecordHeader, len(r.Headers))
		for i, h := range r.Headers {
			k.Headers[i] = kgo.RecordHeader(h)
		}
	}
}

// stored is called by the client when the fate of a record is known.
func (s *Sending) stored(_ *kgo.Record, err error) {
	if err != nil && !s.client.whole && batchRefused(err) && s.client.solo.add(s) {
		return
	}
	s.finish(err)
}

// finish tells the sender; the client is through with the record then, so it may be used again.
func (s *Sending) finish(err error) {
	if s.to != nil {
		if err != nil {
			err = s.client.produceError(&s.record, err)
		}
		s.to.Stored(s, err)
	}
	s.slab.finished()
}

// slabLen is how many sendings are allocated, and used again, together: what is not needed for each of them costs little then.
const slabLen = 64

// slab is a row of sendings that are used one after the other. It starts anew when the last of them is finished.
type slab struct {
	row  [slabLen]Sending
	next int          // taken so far; by who has the slab
	left atomic.Int32 // not finished
	free *sync.Pool
}

// sendings gives sendings to fill. The zero value is ready.
type sendings struct {
	open sync.Pool // of *slab with some to take
	free sync.Pool // of *slab with all finished
}

func (p *sendings) take(c *Client) *Sending {
	b, _ := p.open.Get().(*slab)
	if b == nil {
		b = p.slab(c)
	}
	s := &b.row[b.next]
	if b.next++; b.next < slabLen {
		p.open.Put(b)
	}
	return s
}

// slab gives one of which nothing is taken.
func (p *sendings) slab(c *Client) *slab {
	b, _ := p.free.Get().(*slab)
	if b == nil {
		b = &slab{free: &p.free}
		for i := range b.row {
			s := &b.row[i]
			s.client, s.slab, s.told = c, b, s.stored
		}
	}
	b.next = 0
	b.left.Store(slabLen)
	return b
}

// finished counts one; the last makes the slab free, and with it what its records held.
func (b *slab) finished() {
	if b.left.Add(-1) > 0 {
		return
	}
	for i := range b.row {
		b.row[i].letter = letter{}
	}
	b.free.Put(b)
}

// clock tells the time of day to the millisecond, reading one of the system's two clocks as a rule. The zero value is ready.
type clock struct {
	known atomic.Pointer[time.Time] // when both were read
}

// clockTrust is how long the system's time of day is taken to go on evenly.
const clockTrust = time.Second

func (c *clock) now() time.Time {
	if t := c.known.Load(); t != nil {
		if d := time.Since(*t); d < clockTrust {
			return time.UnixMilli((t.UnixNano() + int64(d)) / int64(time.Millisecond))
		}
	}
	t := time.Now()
	c.known.Store(&t)
	return t
}
