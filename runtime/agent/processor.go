package agent

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"faust/runtime/topic"
)

// Processor runs one agent on one partition: its queue, its tracker and Definition.Concurrency actors. Its methods may be called from any
// goroutine; Run once.
type Processor struct {
	cfg     ProcessorConfig
	tracker *tracker
	streams []*Stream
	room    Roomer       // the Sender, if it is one
	window  int64        // as in Exact; 0: none
	blocked atomic.Int32 // streams that wait because of window

	state    atomic.Int32  // running, broken or draining
	drained  chan struct{} // closed by Drain
	failures atomic.Int64  // failed events since the last success
	held     atomic.Bool   // nothing is taken from a Channel
	sampling atomic.Int64  // see Sample
	passed   atomic.Pointer[span]

	mu        sync.Mutex
	err       error  // ended the first actor
	delivered uint64 // records; the next one's position
	sifted    int64  // of these, settled before
	end       int64  // offset after the last record, -1: none
	turn      int    // actor of the next keyless record
	seed      maphash.Seed

	last     moment // memory of momentOf
	stamping sync.Mutex
	early    []moment // of records that are settled before others below them, in order
}

// The states of a Processor.
const (
	running int32 = iota
	broken        // max_failures, or Break: nothing is taken any more
	draining
)

// ProcessorConfig says what a Processor runs and whom it talks to.
type ProcessorConfig struct {
	Agent       *Definition
	Partition   topic.Partition
	Sender      Sender
	Reporter    Reporter                     // nil: nobody listens
	Free        func(records []topic.Record) // takes delivered slices that were read to their end; nil: nobody does
	Group       string                       // of the app, for messages sent back to one of its agents; "": of any app
	AppVersion  int
	MaxFailures int     // used when the agent's is 0; 0: the partition is never paused
	Exact       *Exact  // nil: events may count more than once
	Clocks      []Clock // by Agent.Timings
	Passing     bool    // the partition is of a topic that messages pass through: their headers say how time is where they come from
	Chores      Chores  // nil: there are none
	// Timed is told how long an event, or what Take gave, was in hand: of one in every so many, see Sample. Events acknowledged by hand
	// are not timed. It must not wait. nil: nobody wants to know.
	Timed func(d time.Duration, every int64)
}

// firstSample is one in how many events is timed until Sample says otherwise.
const firstSample = 1024

// NewProcessor allocates; nothing runs before Run.
func NewProcessor(cfg ProcessorConfig) *Processor {
	if cfg.Reporter == nil {
		cfg.Reporter = silent{}
	}
	if cfg.Agent.MaxFailures != 0 {
		cfg.MaxFailures = cfg.Agent.MaxFailures
	}
	actors := max(cfg.Agent.Concurrency, 1)
	p := &Processor{
		cfg: cfg, end: -1, drained: make(chan struct{}), seed: maphash.MakeSeed(),
		tracker: newTracker(actors > 1 || cfg.Agent.ManualAck),
	}
	p.room, _ = cfg.Sender.(Roomer)
	if cfg.Exact != nil {
		p.resume(cfg.Exact)
	}
	p.Sample(firstSample)
	for range actors {
		p.streams = append(p.streams, &Stream{agent: cfg.Agent, p: p, wake: make(chan struct{}, 1)})
	}
	return p
}

// Run runs the actors until Drain or the end of ctx. nil: drained. An error: the policy said Stop, or a Send failed; or ctx's. All
// actors have ended then; the first error drains the others.
func (p *Processor) Run(ctx context.Context) error {
	var group errgroup.Group
	for _, s := range p.streams {
		s.ctx = ctx
		group.Go(func() error { s.run(); s.dropChore(); return nil })
	}
	_ = group.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil && p.state.Load() != draining {
		return context.Cause(ctx)
	}
	return p.err
}

// abort remembers why the processor ends and drains it.
func (p *Processor) abort(err error) {
	p.mu.Lock()
	if p.err == nil {
		p.err = err
	}
	p.mu.Unlock()
	p.Drain()
}

// Deliver queues records of the partition, in order of offset; it never blocks. The slice belongs to the Processor from then on, which hands it
// to Free when it is read.
func (p *Processor) Deliver(records []topic.Record) {
	if len(records) == 0 || p.state.Load() == draining {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tracker.start(records[0].Offset)
	b := batch{records: records, base: p.delivered}
	if p.settled(records) {
		b = p.sift(records)
	} else {
		b.bytes, b.plain = size(records)
	}
	p.delivered += uint64(len(records))
	p.end = records[len(records)-1].Offset + 1
	switch {
	case len(p.streams) > 1:
		p.spread(b)
	case len(b.records) > 0:
		p.streams[0].push(b)
	}
	if len(p.streams) > 1 || b.pos != nil {
		p.free(records)
	}
}

// span is a row of offsets, without the last.
type span struct{ from, to int64 }

// Pass says that there are no records between what was delivered and the offset next.
func (p *Processor) Pass(next int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tracker.start(next)
	from := p.end
	if from < 0 {
		from = p.tracker.low.Load()
	}
	if was := p.passed.Load(); was != nil && was.to == from { // two in a row
		from = was.from
	}
	p.passed.Store(&span{from, max(next, from)})
	p.end = max(p.end, next)
}

// low is the offset below which everything is settled, -1 before the first delivery.
func (p *Processor) low() int64 { return p.over(p.tracker.low.Load()) }

// over passes over offsets without records.
func (p *Processor) over(low int64) int64 {
	if s := p.passed.Load(); s != nil && low >= s.from && low < s.to {
		return s.to
	}
	return low
}

// spread gives each actor the records of its keys, in order; keyless ones go round.
func (p *Processor) spread(all batch) {
	parts := make([]batch, len(p.streams))
	records := all.records
	for i := range records {
		actor := p.turn
		if key := records[i].Key; key != nil {
			actor = int(maphash.Bytes(p.seed, key) % uint64(len(p.streams)))
		} else {
			p.turn = (p.turn + 1) % len(p.streams)
		}
		b := &parts[actor]
		b.records = append(b.records, records[i])
		b.pos = append(b.pos, all.position(i))
	}
	for i := range parts {
		if len(parts[i].records) > 0 {
			parts[i].bytes, parts[i].plain = size(parts[i].records)
			p.streams[i].push(parts[i])
		}
	}
}

// free hands over a slice that nobody looks at any more.
func (p *Processor) free(records []topic.Record) {
	if p.cfg.Free != nil {
		p.cfg.Free(records)
	}
}

// size is the bytes of keys and values, and tells whether no record has headers.
func size(records []topic.Record) (n int64, plain bool) {
	headers := 0
	for i := range records {
		n += int64(len(records[i].Key) + len(records[i].Value))
		headers |= len(records[i].Headers)
	}
	return n, headers == 0
}

// push queues a batch; with p.mu held.
func (s *Stream) push(b batch) {
	s.queue = append(s.queue, b)
	s.bytes += b.bytes
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// fetch moves s on to its next batch, if one is queued.
func (p *Processor) fetch(s *Stream) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.batch.pos == nil && s.batch.records != nil && len(s.hand) == 0 {
		p.free(s.batch.records)
	}
	s.batch, s.at, s.left, s.leftBytes = batch{}, 0, 0, 0
	if len(s.queue) == 0 {
		return false
	}
	s.batch, s.queue[0] = s.queue[0], batch{}
	if s.queue = s.queue[1:]; len(s.queue) == 0 {
		s.queue = nil
	}
	s.bytes -= s.batch.bytes
	s.fetched, s.left, s.leftBytes = s.taken.Load(), int64(len(s.batch.records)), s.batch.bytes
	return true
}

// Drain lets every Next give io.EOF after the event in hand; unread records are dropped, unsettled. Idempotent.
func (p *Processor) Drain() {
	if p.state.Swap(draining) != draining {
		close(p.drained)
	}
}

// Hold stops taking from the agent's Channel, or goes on with it. What is in hand is not touched; records of a topic come by Deliver, which is the
// caller's to stop.
func (p *Processor) Hold(on bool) {
	p.held.Store(on)
	p.wakeAll()
}

// Sample says that one in so many events is timed, a power of two; what is timed costs two looks at the clock.
func (p *Processor) Sample(every int64) {
	if p.cfg.Timed == nil || p.cfg.Agent.ManualAck {
		every = 1 << 62 // never
	}
	p.sampling.Store(every - 1)
}

// timed tells how long something was in hand.
func (p *Processor) timed(began time.Time) { p.cfg.Timed(time.Since(began), p.sampling.Load()+1) }

// fail counts a failed event and breaks the partition when there are too many in a row.
func (p *Processor) fail(d *Definition, err error) {
	n := p.failures.Add(1)
	if limit := int64(p.cfg.MaxFailures); limit > 0 && n >= limit && p.state.CompareAndSwap(running, broken) {
		p.cfg.Reporter.Broken(d, p.cfg.Partition, int(n), err)
	}
}

// Break makes the processor take nothing any more: what is in hand and fails is not settled, and its offset stays. false: it took nothing any more before.
func (p *Processor) Break() bool { return p.state.CompareAndSwap(running, broken) }

// Committable gives the low watermark: every record below it is settled, and what those records sent was handed to the Sender.
// false: nothing was delivered yet, or the source is a Channel.
func (p *Processor) Committable() (offset int64, ok bool) {
	low := p.low()
	return low, low >= 0 && p.cfg.Agent.Channel == nil
}

// Progress is where a processor stands; for back-pressure, status and USR1.
type Progress struct {
	Taken       int64     // records taken so far; those that are to be taken again do not count
	Passed      int64     // of the taken, those that were not for this agent: about time only, or sent back for another
	Queued      int       // records delivered and not yet taken
	QueuedBytes int64     // their keys and values; a batch that is being read counts by the share that is left
	Unsettled   int       // taken and not settled
	Delivered   int64     // offset after the last delivered record, -1: none
	Low         int64     // as Committable, -1: none
	Since       time.Time // when the event in hand was seen first by Progress; zero: none in hand
	Broken      bool
}

// Progress may be called from any goroutine. Since is as exact as Progress is called often: taking an event looks at no clock.
func (p *Processor) Progress() Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	progress := Progress{Delivered: p.end, Low: -1, Broken: p.state.Load() == broken}
	if low, ok := p.Committable(); ok {
		progress.Low = low
	}
	var taken int64
	now := time.Now()
	for _, s := range p.streams {
		n, unsettled := s.taken.Load(), s.unsettled.Load()
		taken += n
		progress.Passed += s.passed.Load()
		progress.Unsettled += int(unsettled)
		progress.QueuedBytes += s.bytes + s.remaining(n)
		if n != s.seen || s.seenAt.IsZero() {
			s.seen, s.seenAt = n, now
		}
		if unsettled > 0 && (progress.Since.IsZero() || s.seenAt.Before(progress.Since)) {
			progress.Since = s.seenAt
		}
	}
	progress.Taken = taken
	progress.Queued = int(max(int64(p.delivered)-p.sifted-taken, 0))
	if c := p.cfg.Agent.Channel; c != nil {
		progress.Queued = c.Len()
	}
	return progress
}

// remaining is the bytes of the present batch that are not taken yet, in proportion; with p.mu held.
func (s *Stream) remaining(taken int64) int64 {
	if s.left == 0 {
		return 0
	}
	left := min(max(s.left-(taken-s.fetched), 0), s.left)
	return s.leftBytes * left / s.left
}

// silent is the Reporter when there is none.
type silent struct{}

func (silent) Failed(*Definition, *Event, error, Action, int)  {}
func (silent) Broken(*Definition, topic.Partition, int, error) {}
func (silent) Left(*Definition, topic.Partition)               {}
