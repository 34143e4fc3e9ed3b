package agent

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"faust/runtime/topic"
)

// Stream is what a body reads: the events of one actor, in order of offset. Unless said otherwise its methods are for the body's
// goroutine only. All starts of an actor's body get the same one.
type Stream struct {
	agent *Definition
	p     *Processor
	ctx   context.Context // the actor's

	batch  batch    // being read
	at     int      // next in batch
	again  []item   // to be given once more, before the batch
	hand   []*Event // in hand, in order
	held   held     // what they have sent; manual events have their own
	slots  []*Event // events to use again
	out    []*Event // of Take
	origin Cause    // of what is being sent
	chore  Chore    // to be given before anything else; nil: none

	stamp   []topic.Header // the header of time that was made last
	stamped []int64        // and the times in it

	fresh   bool   // the running body has taken no event
	ended   bool   // io.EOF was given
	fatal   error  // ends the actor
	failed  uint64 // position of the last failed unit,
	attempt int    // and how often it failed in a row

	blocked bool // counted in Processor.blocked

	timing bool      // what is in hand is timed
	began  time.Time // when it was taken

	taken     atomic.Int64 // of what was delivered to this actor
	passed    atomic.Int64 // of these, which were not for this agent
	unsettled atomic.Int64
	shown     int64 // unsettled as last stored

	mu   sync.Mutex // guards open and Event.gone in manual mode
	open []*Event   // taken and perhaps not settled, in order

	// Guarded by the processor's mutex.
	queue     []batch
	bytes     int64     // of queue
	fetched   int64     // taken when the present batch was fetched
	left      int64     // records and bytes of the present batch
	leftBytes int64     //
	seen      int64     // taken as Progress saw it last
	seenAt    time.Time // and when

	wake chan struct{} // something was queued
}

// batch is a slice of records as delivered to one actor.
type batch struct {
	records []topic.Record
	pos     []uint64 // of each; nil: they follow base
	base    uint64
	bytes   int64
	plain   bool // no record has headers
}

func (b *batch) position(i int) uint64 {
	if b.pos != nil {
		return b.pos[i]
	}
	return b.base + uint64(i)
}

// item is a record with its position.
type item struct {
	record topic.Record
	pos    uint64
}

// TryNext settles the event in hand and gives the next one if it is here already: (nil, nil) means Next would wait, for an event or
// because there is no room for what the event in hand has sent. With a Sender that is no Roomer it waits for that itself.
func (s *Stream) TryNext() (*Event, error) {
	if n := len(s.held.sends); n > 0 && s.p.room != nil && !s.p.room.Room(n) {
		return nil, nil
	}
	if err := s.settle(); err != nil {
		return nil, err
	}
	if s.handy() {
		return s.give(), nil
	}
	ready, err := s.fetch()
	if err != nil || !ready {
		return nil, s.end(err)
	}
	return s.give(), nil
}

// Next settles the event in hand and waits for the next one; io.EOF: the partition was taken away or the worker stops.
func (s *Stream) Next(ctx context.Context) (*Event, error) {
	if err := s.settle(); err != nil {
		return nil, err
	}
	if s.handy() {
		return s.give(), nil
	}
	if _, err := s.await(ctx, nil); err != nil {
		return nil, s.end(err)
	}
	return s.give(), nil
}

// handy tells whether the next record of the batch can be given at once.
func (s *Stream) handy() bool {
	return s.at < len(s.batch.records) && len(s.again) == 0 && s.p.state.Load() == running && s.p.window == 0 && (s.batch.plain || s.mine()) && !s.due()
}

// end remembers that the body was told of the end.
func (s *Stream) end(err error) error {
	if errors.Is(err, io.EOF) {
		s.ended = true
	}
	return err
}

// Take settles what is in hand and collects up to n events as one, waiting at most within after the first (0: until full).
// They are settled, and fail, together. A partial batch is delivered before io.EOF, a chore alone. The slice is valid until the next call.
func (s *Stream) Take(ctx context.Context, n int, within time.Duration) ([]*Event, error) {
	first, err := s.Next(ctx)
	if err != nil {
		return nil, err
	}
	if first.chore != nil {
		s.out = append(s.out[:0], first)
		return s.out, nil
	}
	var limit <-chan time.Time
	if within > 0 {
		timer := time.NewTimer(within)
		defer timer.Stop()
		limit = timer.C
	}
	for len(s.hand) < n {
		ready, err := s.await(ctx, limit)
		if err != nil && !errors.Is(err, io.EOF) {
			s.requeue(s.hand)
			s.hand, s.timing = s.hand[:0], false
			return nil, err
		}
		if !ready {
			break
		}
		s.give()
	}
	if s.timing {
		s.began = time.Now() // without the time it took to come together
	}
	s.out = append(s.out[:0], s.hand...)
	return s.out, nil
}

// Current gives the event in hand (of a batch: the last), nil if there is none.
func (s *Stream) Current() *Event {
	if len(s.hand) == 0 {
		return nil
	}
	return s.hand[len(s.hand)-1]
}

// Partition is where this stream's events come from.
func (s *Stream) Partition() topic.Partition { return s.p.cfg.Partition }

// await waits until an event can be given. false: limit came first, or the partition is broken.
func (s *Stream) await(ctx context.Context, limit <-chan time.Time) (bool, error) {
	for {
		ready, err := s.fetch()
		if ready || err != nil || s.blocked && len(s.hand) > 0 {
			return ready, err // the others may wait for what is in hand
		}
		var source chan topic.Record
		if c := s.agent.Channel; c != nil && s.p.state.Load() == running && !s.p.held.Load() {
			source = c.queue
		}
		select {
		case <-s.wake:
		case r := <-source:
			s.batch, s.at = batch{records: []topic.Record{r}}, 0
		case <-s.p.drained:
		case <-limit:
			return false, nil
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-s.ctx.Done():
			return false, context.Cause(s.ctx)
		}
	}
}

// fetch makes sure that there is something to give, without waiting.
func (s *Stream) fetch() (bool, error) {
	s.show()
	switch s.p.state.Load() {
	case draining:
		return false, io.EOF
	case broken:
		return false, nil
	}
	if ok, err := s.chores(); ok || err != nil {
		return ok, err
	}
	if len(s.again) > 0 {
		return true, nil
	}
	if s.pass(); s.at < len(s.batch.records) {
		return !s.heldUp(), nil
	}
	if c := s.agent.Channel; c != nil {
		if s.p.held.Load() {
			return false, nil
		}
		r, ok := c.TryGet()
		if ok {
			s.batch, s.at = batch{records: []topic.Record{r}}, 0
		}
		return ok, nil
	}
	for s.p.fetch(s) {
		if s.pass(); s.at < len(s.batch.records) {
			return !s.heldUp(), nil
		}
	}
	return false, nil
}

// give takes what fetch found into hand.
func (s *Stream) give() *Event {
	if s.chore != nil {
		return s.giveChore()
	}
	e := s.slot()
	if len(s.again) > 0 {
		e.give(&s.again[0].record, s.again[0].pos, s.agent.ManualAck)
		s.again = s.again[1:]
	} else {
		e.give(&s.batch.records[s.at], s.batch.position(s.at), s.agent.ManualAck)
		s.at++
	}
	s.fresh = false
	s.hand = append(s.hand, e)
	taken := s.taken.Load() + 1
	s.taken.Store(taken)
	if taken&s.p.sampling.Load() == 0 {
		s.timing, s.began = true, time.Now()
	}
	if s.agent.ManualAck {
		s.mu.Lock()
		s.open = append(s.open, e)
		s.mu.Unlock()
		s.unsettled.Add(1)
	} else if s.shown != int64(len(s.hand)) {
		s.show()
	}
	return e
}

// give makes e the event of r. One that is acknowledged by hand may outlive the batch that r is part of.
func (e *Event) give(r *topic.Record, pos uint64, copied bool) {
	if copied {
		own := *r
		r = &own
	}
	e.Record, e.pos = r, pos
}

// slot gives an event to fill: a used one if nobody can hold it any more.
func (s *Stream) slot() *Event {
	if s.agent.ManualAck {
		return &Event{stream: s, held: &held{}}
	}
	n := len(s.hand)
	if n == len(s.slots) {
		s.slots = append(s.slots, &Event{stream: s, held: &s.held})
	}
	e := s.slots[n]
	e.ask, e.gone = unknown, false
	return e
}

// show publishes the number of events in hand.
func (s *Stream) show() {
	if n := int64(len(s.hand)); n != s.shown && !s.agent.ManualAck {
		s.shown = n
		s.unsettled.Store(n)
	}
}
