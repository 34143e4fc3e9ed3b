package agent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"faust/runtime/topic"
)

// world is one partition, its committed offset and everything that reached the broker, over many lives of a worker.
type world struct {
	t    *testing.T
	seed uint64
	rand *rand.Rand

	records    []topic.Record
	concurrent int
	manual     bool
	take       int

	mu        sync.Mutex
	committed int64
	runs      int            // executions of the body, numbered
	whole     map[int]int    // execution: sends it made before it was settled, -1: it failed
	sent      map[int]int    // execution: sends handed over
	offset    map[int]int64  // execution: of which record
	effect    map[int]int    // execution: how often its other effects were settled
	settled   map[int64]bool // offsets whose settlement was handed over
	order     []stamp
	life      int
}

// stamp is a record that was processed, in the order in which it was handed over.
type stamp struct {
	life   int
	key    string
	offset int64
}

func newWorld(t *testing.T, seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 42))
	w := &world{t: t, seed: seed, rand: r, concurrent: 1 + r.IntN(4), manual: r.IntN(3) == 0,
		whole: map[int]int{}, sent: map[int]int{}, offset: map[int]int64{}, effect: map[int]int{}, settled: map[int64]bool{}}
	if r.IntN(3) == 0 {
		w.take = 1 + r.IntN(7)
	}
	offset := int64(r.IntN(100))
	w.committed = offset
	for range 150 + r.IntN(150) {
		rec := topic.Record{Topic: "in", Offset: offset, Value: fmt.Append(nil, offset)}
		if r.IntN(10) > 0 {
			rec.Key = fmt.Appendf(nil, "k%d", r.IntN(12))
		}
		if r.IntN(15) == 0 {
			rec.Value = nil
		}
		w.records = append(w.records, rec)
		offset += 1 + int64(r.IntN(2)*r.IntN(2)*r.IntN(9))
	}
	return w
}

func (w *world) failf(format string, args ...any) {
	w.t.Errorf("seed %d life %d (concurrency %d manual %v take %d): %s", w.seed, w.life, w.concurrent, w.manual, w.take, fmt.Sprintf(format, args...))
}

func (w *world) chance(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rand.IntN(n) == 0
}

func (w *world) number(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rand.IntN(n)
}

// Send hears what is handed over. The offset of an execution's record counts as settled with its last send.
func (w *world) Send(_ context.Context, r *topic.Record, cause *Cause) error {
	if w.chance(10) { // the send buffer is full
		<-time.After(time.Duration(w.number(3000)) * time.Millisecond)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Topic == "dead" {
		at, _ := r.Header(HeaderOffset)
		var offset int64
		_, _ = fmt.Sscan(string(at), &offset)
		w.settled[offset] = true
		w.order = append(w.order, stamp{w.life, string(r.Key), offset})
		return nil
	}
	run, _ := r.Header("run")
	var id int
	_, _ = fmt.Sscan(string(run), &id)
	if w.whole[id] <= 0 {
		w.failf("execution %d of offset %d failed or never ended, but its send went out", id, cause.Record.Offset)
	}
	if w.sent[id]++; w.sent[id] == w.whole[id] {
		w.settled[cause.Record.Offset] = true
		w.order = append(w.order, stamp{w.life, string(cause.Record.Key), cause.Record.Offset})
	}
	return nil
}

// Failed notes skipped records; with take all of the batch are skipped, which only the body knows: see skip.
func (w *world) Failed(*Definition, *Event, error, Action, int)  {}
func (w *world) Broken(*Definition, topic.Partition, int, error) { w.failf("broken") }
func (w *world) Left(*Definition, topic.Partition)               {}

func (w *world) String() string { return "random" }

// Decide is a random policy.
func (w *world) Decide(context.Context, error, *Event, int) (Action, time.Duration) {
	if w.chance(2) {
		return Retry, time.Duration(w.number(3000)) * time.Millisecond
	}
	return DeadLetter, 0
}

// process is what the body does with one event: some sends, then perhaps a wait.
func (w *world) process(ctx context.Context, e *Event) (run int) {
	w.mu.Lock()
	w.runs++
	run = w.runs
	w.mu.Unlock()
	n := 1 + w.number(3)
	for range n {
		e.Send(topic.Record{Topic: "out", Headers: []topic.Header{{Key: "run", Value: fmt.Append(nil, run)}}})
	}
	fx := e.Effects(func() Effects { return &effects{world: w} }).(*effects)
	fx.runs = append(fx.runs, run)
	w.mu.Lock()
	w.whole[run], w.offset[run] = n, e.Offset
	w.mu.Unlock()
	if w.chance(4) {
		select {
		case <-time.After(time.Duration(w.number(500)) * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return run
}

// effects are the executions in hand.
type effects struct {
	world *world
	runs  []int
}

func (x *effects) Settle() {
	x.world.mu.Lock()
	defer x.world.mu.Unlock()
	for _, run := range x.runs {
		if x.world.whole[run] <= 0 {
			x.world.failf("execution %d failed, but its effects are settled", run)
		}
		x.world.effect[run]++
	}
	x.runs = x.runs[:0]
}

func (x *effects) Undo() { x.runs = x.runs[:0] }

// failed takes back that the executions may be seen.
func (w *world) failed(runs []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, run := range runs {
		w.whole[run] = -1
	}
}

// body reads the stream in the way of this world, with failures of all kinds.
func (w *world) body(ctx context.Context, s *Stream) error {
	var open []*Event
	for {
		unit, err := w.next(ctx, s, &open)
		if err != nil {
			return err
		}
		var runs []int
		for _, e := range unit {
			runs = append(runs, w.process(ctx, e))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if w.manual {
			open = append(open, unit...)
		}
		switch {
		case w.chance(12):
			w.failed(runs)
			return errors.New("no")
		case w.chance(40):
			w.failed(runs)
			panic("oh")
		case w.chance(40):
			return nil
		case len(unit) == 1 && w.chance(30):
			w.failed(runs)
			if err := s.Fail(ctx, errors.New("bad")); err != nil {
				return err
			}
		}
		open = w.acknowledge(s, open, 5)
	}
}

// next reads on; a body that acknowledges by hand leaves nothing open while it waits.
func (w *world) next(ctx context.Context, s *Stream, open *[]*Event) ([]*Event, error) {
	if w.take > 0 {
		*open = w.acknowledge(s, *open, 0)
		return s.Take(ctx, w.take, 200*time.Millisecond)
	}
	if w.manual || w.chance(2) {
		if e, err := s.TryNext(); e != nil || err != nil {
			return []*Event{e}, err
		}
		*open = w.acknowledge(s, *open, 0)
	}
	e, err := s.Next(ctx)
	return []*Event{e}, err
}

// acknowledge settles what is open, out of order, until at most rest are left.
func (w *world) acknowledge(s *Stream, open []*Event, rest int) []*Event {
	for len(open) > 0 && (len(open) > rest || w.chance(2)) {
		i := w.number(len(open))
		s.Ack(open[i])
		open = slices.Delete(open, i, i+1)
	}
	return open
}

// commit checks and stores the watermark: all below it must have reached the broker.
func (w *world) commit(p *Processor) {
	low, ok := p.Committable()
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if low < w.committed {
		w.failf("watermark goes back from %d to %d", w.committed, low)
	}
	for _, r := range w.records {
		if r.Offset < low && !w.settled[r.Offset] {
			w.failf("offset %d committed by %d, but not settled", r.Offset, low)
		}
	}
	for run, n := range w.sent {
		if w.offset[run] < low && n == w.whole[run] && w.effect[run] != 1 {
			w.failf("offset %d committed by %d, but the effects of execution %d were settled %d times", w.offset[run], low, run, w.effect[run])
		}
	}
	w.committed = low
}

// rest is what a worker that starts now has to read.
func (w *world) rest() (rs []topic.Record) {
	for _, r := range w.records {
		if r.Offset >= w.committed {
			rs = append(rs, r)
		}
	}
	return rs
}

// live runs a worker until it drains or crashes; last: until everything is done.
func (w *world) live(last bool) {
	w.life++
	d := &Definition{Name: "a", Concurrency: w.concurrent, ManualAck: w.manual, Policy: w, Body: w.body, DeadLetter: topic.Topic{Name: "dead"}}
	p := NewProcessor(ProcessorConfig{Agent: d, Sender: w, Reporter: w})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	todo := w.rest()
	for step := 0; last && len(w.rest()) > 0 || !last && step < 1+w.number(40); step++ {
		if n := min(w.number(40), len(todo)); n > 0 {
			p.Deliver(slices.Clone(todo[:n]))
			todo = todo[n:]
		}
		<-time.After(time.Duration(w.number(2000)) * time.Millisecond)
		if w.chance(2) {
			w.commit(p)
		}
		if step > 20000 {
			w.failf("does not get done: %+v", p.Progress())
			break
		}
	}
	if w.chance(2) {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			w.failf("crash: %v", err)
		}
		return
	}
	p.Drain()
	if err := <-done; err != nil {
		w.failf("drain: %v", err)
	}
	w.commit(p)
}

// check compares the end of the story with what is promised.
func (w *world) check() {
	for id, n := range w.sent {
		if n != w.whole[id] {
			w.failf("execution %d left half of its effects: %d of %d sends", id, n, w.whole[id])
		}
	}
	for _, r := range w.records {
		if !w.settled[r.Offset] {
			w.failf("offset %d is lost", r.Offset)
		}
	}
	if w.manual {
		return // the body chooses the order
	}
	last := map[string]stamp{}
	for _, s := range w.order {
		key := s.key
		if key == "" && w.concurrent > 1 {
			continue
		}
		if w.concurrent == 1 {
			key = "all"
		}
		if before, ok := last[key]; ok && before.life == s.life && before.offset >= s.offset {
			w.failf("key %q: offset %d after %d", s.key, s.offset, before.offset)
		}
		last[key] = s
	}
}

// TestDelivery is the promise: nothing lost, nothing committed early, no half effects of a failed event, order per key; through
// errors, retries, drains and crashes.
func TestDelivery(t *testing.T) {
	t.Parallel()
	for seed := range uint64(120) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, seed)
				for range w.number(6) {
					w.live(false)
				}
				w.live(true)
				w.check()
			})
		})
	}
}
