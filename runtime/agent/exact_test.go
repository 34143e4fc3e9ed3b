package agent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"faust/runtime/topic"
	"faust/tests/seed"
)

// ledger is a Sender whose records count when they are committed, together with the place of the processor.
type ledger struct {
	gate    sync.RWMutex
	mu      sync.Mutex
	pending []topic.Record
	stored  []topic.Record
	place   Place
	refuse  atomic.Bool
}

func (l *ledger) Send(_ context.Context, r *topic.Record, _ *Cause) error {
	l.mu.Lock()
	l.pending = append(l.pending, *r)
	l.mu.Unlock()
	for rand.IntN(50) != 0 { // a commit now would see what was sent, and an event that is not settled
		runtime.Gosched()
	}
	return nil
}

func (l *ledger) exact(window int64) *Exact {
	return &Exact{
		Gate: l.gate.RLocker(), Room: func(context.Context) error { return nil }, Window: window, Place: l.place, Refusing: &l.refuse,
		Refused: func(c *Cause, n int) error {
			if n == 0 && c.Record.Offset%50 == 7 {
				return errors.New("it is too large")
			}
			return nil
		},
	}
}

func (l *ledger) commit(p *Processor) {
	l.gate.Lock()
	l.mu.Lock()
	l.place = p.Place()
	l.stored, l.pending = append(l.stored, l.pending...), nil
	l.mu.Unlock()
	l.gate.Unlock()
}

// TestExactlyOnce lets processors of all kinds die at random moments between commits. Their successors begin where the last commit was, and in the end each record has left
// its traces once.
func TestExactlyOnce(t *testing.T) {
	t.Parallel()
	base := seed.Of(t)
	for i := range uint64(40) {
		t.Run(fmt.Sprint(base+i), func(t *testing.T) {
			t.Parallel()
			seed.Again(t, base+i)
			exactlyOnce(t, rand.New(rand.NewPCG(base+i, 3)))
		})
	}
}

func exactlyOnce(t *testing.T, rng *rand.Rand) {
	const n = 400
	var records []topic.Record
	offset := int64(rng.IntN(100))
	for i := range n {
		offset += int64(1 + rng.IntN(2)*rng.IntN(40))
		records = append(records, topic.Record{Key: fmt.Append(nil, i%17), Offset: offset})
	}
	l := &ledger{place: Place{Low: records[0].Offset}}
	l.refuse.Store(rng.IntN(3) == 0)
	window := int64(8 << rng.IntN(8))
	for life := 0; l.place.Low <= offset; life++ {
		if life > 20_000 {
			t.Fatalf("no end at %d of %d", l.place.Low, offset)
		}
		live(t, rng, l, window, records)
	}
	seen := map[string]int{}
	for _, r := range l.stored {
		seen[string(r.Value)]++
	}
	for _, r := range records {
		traces := seen[fmt.Sprint(r.Offset)]
		for _, letter := range l.stored {
			if at, ok := letter.Header(HeaderOffset); ok && string(at) == fmt.Sprint(r.Offset) {
				traces++
			}
		}
		if traces != 1 {
			t.Fatalf("record %d left %d traces", r.Offset, traces)
		}
	}
}

// live runs one processor until it has made so many events or has done everything.
func live(t *testing.T, rng *rand.Rand, l *ledger, window int64, records []topic.Record) {
	d := &Definition{Name: "a", Concurrency: 1 + rng.IntN(4), DeadLetter: topic.Topic{Name: "letters"}}
	d.ManualAck = rng.IntN(4) == 0
	batch := rng.IntN(2) * (1 + rng.IntN(40))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var left atomic.Int64
	left.Store(int64(1 + rng.IntN(400)))
	last := records[len(records)-1].Offset
	handle := func(s *Stream, evs []*Event) error {
		for _, ev := range evs {
			if left.Add(-1) <= 0 {
				cancel()
			}
			ev.Send(topic.Record{Topic: "out", Value: fmt.Append(nil, ev.Offset)})
		}
		if n := evs[0].Offset; n%13 == 3 && !d.ManualAck {
			return errors.New("unlucky")
		}
		for _, ev := range evs {
			s.Ack(ev)
		}
		return nil
	}
	d.Body = func(ctx context.Context, s *Stream) error {
		for {
			var evs []*Event
			var err error
			if batch > 0 {
				evs, err = s.Take(ctx, batch, time.Millisecond)
			} else {
				var ev *Event
				ev, err = s.Next(ctx)
				evs = []*Event{ev}
			}
			if err == nil {
				err = handle(s, evs)
			}
			if err != nil {
				return err
			}
		}
	}
	p := NewProcessor(ProcessorConfig{Agent: d, Sender: l, Exact: l.exact(window)})
	done := make(chan struct{})
	go func() { defer close(done); _ = p.Run(ctx) }()
	first := sort.Search(len(records), func(i int) bool { return records[i].Offset >= l.place.Low })
	for left := records[first:]; len(left) > 0; {
		if rng.IntN(20) == 0 { // what comes later does not come to this one
			cut := rng.IntN(len(left))
			l.commit(p)
			left = left[:cut]
			if time.AfterFunc(time.Millisecond, cancel); cut == 0 {
				break
			}
		}
		k := min(1+len(left)%37, len(left))
		p.Deliver(append([]topic.Record(nil), left[:k]...))
		left = left[k:]
	}
	ticker := time.NewTicker(100 * time.Microsecond)
	defer ticker.Stop()
	for alive := true; alive; {
		select {
		case <-done:
			alive = false
		case <-ticker.C:
			if l.commit(p); l.place.Low > last {
				cancel()
			}
		}
	}
	if rng.IntN(2) == 0 {
		l.commit(p)
	}
	l.pending = nil
}
