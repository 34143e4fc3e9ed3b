package agent

import (
	"context"
	"math/bits"
	"sync"
	"sync/atomic"

	"faust/runtime/topic"
)

// Exact is how the effects of an app's events count exactly once: a commit stores them together with what is settled, so it has to find each event either with
// all it did or with nothing of it. The Sender keeps what it is sent until then, and does not wait.
type Exact struct {
	Gate sync.Locker // held while what an event did begins to count; a commit holds up everybody
	// Room waits until the Sender has room. Called without Gate. The error ends the processor.
	Room func(ctx context.Context) error
	// Refused tells why the n-th record (from 0 on, answers not counted) that an event sends cannot be stored, if that is known from an earlier attempt. It is
	// asked while Refusing is set.
	Refused  func(c *Cause, n int) error
	Refusing *atomic.Bool
	Window   int64 // offsets that may be given above the lowest that is not settled, if events are settled in any order
	Place    Place // where the processor begins
}

// Place is how far a processor is in its partition.
type Place struct {
	Low   int64  // all below is settled
	Early []byte // and of what follows the offsets Low + i for each bit i
}

// Settled tells whether the record at an offset is settled.
func (p *Place) Settled(offset int64) bool {
	i := offset - p.Low
	return i < 0 || i < int64(len(p.Early))*8 && p.Early[i/8]&(1<<(i%8)) != 0
}

// End is the first offset above all that are known to be settled.
func (p *Place) End() int64 {
	for i := len(p.Early) - 1; i >= 0; i-- {
		if p.Early[i] != 0 {
			return p.Low + int64(i)*8 + int64(bits.Len8(p.Early[i]))
		}
	}
	return p.Low
}

// Place is where a successor would have to go on so that nothing is done twice and nothing is left out. For a processor with Exact.
func (p *Processor) Place() Place {
	place := p.tracker.place(p.over)
	place.join(&p.cfg.Exact.Place) // of what was not delivered again yet the tracker knows nothing
	return place
}

// join adds what is known from an earlier place.
func (p *Place) join(was *Place) {
	for offset := p.Low; offset < was.End(); offset++ {
		if was.Settled(offset) {
			p.add(offset)
		}
	}
}

// add takes the offset, which is not below Low, as settled.
func (p *Place) add(offset int64) {
	i := offset - p.Low
	if grow := int(i/8) + 1 - len(p.Early); grow > 0 {
		p.Early = append(p.Early, make([]byte, grow)...)
	}
	p.Early[i/8] |= 1 << (i % 8)
}

// place gives what is done. over gives the offset that comes next, as far as there are records.
func (t *tracker) place(over func(int64) int64) Place {
	if t.shared {
		t.mu.Lock()
		defer t.mu.Unlock()
	}
	place := Place{Low: over(t.low.Load())}
	if t.early == 0 {
		return place
	}
	for i := range uint64(len(t.ring)) {
		if at := t.ring[(t.next+i)&uint64(len(t.ring)-1)]; at != 0 {
			place.add(at - 1)
		}
	}
	return place
}

// foremost tells whether a position is the lowest that is not done.
func (t *tracker) foremost(pos uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next == pos
}

// resume makes the tracker begin at a place.
func (p *Processor) resume(x *Exact) {
	p.tracker.shared = p.tracker.shared || x.Place.End() > x.Place.Low
	p.tracker.start(x.Place.Low)
	if p.tracker.shared {
		p.window = x.Window
	}
}

// sift takes the records that were settled before this processor began as done, and gives the others with their positions; p.mu is held.
func (p *Processor) sift(records []topic.Record) batch {
	b := batch{records: make([]topic.Record, 0, len(records)), pos: make([]uint64, 0, len(records))}
	place := &p.cfg.Exact.Place
	for i := range records {
		pos := p.delivered + uint64(i)
		if place.Settled(records[i].Offset) {
			p.done(pos, records[i].Offset)
			p.follow(pos, &records[i])
			p.sifted++
			continue
		}
		b.records, b.pos = append(b.records, records[i]), append(b.pos, pos)
	}
	b.bytes, b.plain = size(b.records)
	return b
}

// settled tells whether some of the records may have been settled before this processor began.
func (p *Processor) settled(records []topic.Record) bool {
	x := p.cfg.Exact
	return x != nil && records[0].Offset < x.Place.End()
}

// ahead tells whether the next record has to wait until others, that other actors have or that were not acknowledged, are settled.
func (s *Stream) ahead() bool {
	if s.p.window == 0 || len(s.again) > 0 {
		return false
	}
	low := s.p.tracker.low.Load()
	return s.batch.records[s.at].Offset >= low+s.p.window && !s.p.tracker.foremost(s.batch.position(s.at))
}

// heldUp tells whether the next record may not be given yet, and sees to it that the stream is woken when it may be.
func (s *Stream) heldUp() bool {
	if !s.ahead() {
		s.free()
		return false
	}
	if !s.blocked {
		s.blocked = true
		s.p.blocked.Add(1)
	}
	if s.ahead() { // looked at once more, now that whoever settles something sees that somebody waits
		return true
	}
	s.free()
	return false
}

// free takes back what heldUp said.
func (s *Stream) free() {
	if s.blocked {
		s.blocked = false
		s.p.blocked.Add(-1)
	}
}

// done marks a record as done and wakes who waits for that.
func (p *Processor) done(pos uint64, offset int64) {
	p.tracker.done(pos, offset)
	if p.blocked.Load() > 0 {
		p.wakeAll()
	}
}

func (p *Processor) wakeAll() {
	for _, s := range p.streams {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// prepare makes sure that what is held can be sent without waiting.
func (s *Stream) prepare(x *Exact, h *held) error {
	if x.Refusing.Load() {
		if err := s.replace(h); err != nil {
			return err
		}
	}
	return x.Room(s.ctx)
}

// replace puts what becomes of it in the place of each held record that is known to be refused.
func (s *Stream) replace(h *held) error {
	var kept, instead []heldSend
	n, last := 0, (*Event)(nil)
	for _, send := range h.sends {
		if send.event != last {
			n, last = 0, send.event
		}
		if IsAnswer(&send.record) {
			kept = append(kept, send)
			continue
		}
		cause := &Cause{Agent: s.agent, Record: send.event.Record}
		refused := s.p.cfg.Exact.Refused(cause, n)
		n++
		if refused == nil {
			kept = append(kept, send)
			continue
		}
		cfg, letters := s.p.cfg, &collector{}
		cfg.Sender = letters
		if err := cause.Refused(s.ctx, refused, cfg); err != nil {
			return err
		}
		for _, r := range letters.records {
			instead = append(instead, heldSend{record: r, event: send.event})
		}
	}
	h.sends = append(kept, instead...)
	return nil
}

// collector is a Sender that keeps what it is sent.
type collector struct{ records []topic.Record }

// Send implements Sender.
func (c *collector) Send(_ context.Context, r *topic.Record, _ *Cause) error {
	c.records = append(c.records, *r)
	return nil
}
