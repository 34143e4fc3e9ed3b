package worker

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"faust/runtime/agent"
	"faust/runtime/broker"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// Causes that actors see when their partition goes before they are done.
var (
	errRevoked = errors.New("the partition was taken away")
	errGrace   = errors.New("the time to stop is over")
)

// lane is one assigned partition: the processors of the agents that read it. Its life is the life of the assignment.
type lane struct {
	partition topic.Partition
	procs     []*proc
	ctx       context.Context
	cancel    context.CancelCauseFunc
	wg        sync.WaitGroup
	done      chan struct{} // all processors have ended, or none ever starts
	tables    []*holding    // what their events read and write
	gone      atomic.Bool   // taken away: nothing is committed any more
	timed     atomic.Bool   // its clocks go on from where they were when they were saved
	recalled  bool          // see clocks.recall; only the keeper of the clocks uses it

	high   atomic.Int64 // high watermark of the partition, -1: unknown
	paused atomic.Bool

	start     int64        // where reading began
	committed atomic.Int64 // offset in the group; changed with run.stage
	noted     string       // and its metadata; with run.verbs
	unsaid    bool         // the group does not know where reading began, and has to; with run.verbs
	exact     bool         // its events happen exactly once

	starting sync.Mutex
	over     bool // it does not start any more
}

// proc is one processor and what was counted of it.
type proc struct {
	*agent.Processor
	def    *agent.Definition
	topic  string
	tally  *tally
	clocks []*table.Clock // by def.Timings
	chores *chores
	quiet  quiet
	sender agent.Sender
	said   string // how far time is, to those that its messages are sent on to,
	saidAt time.Time
	broken atomic.Bool
	off    atomic.Bool // its agent is paused by a person

	// Guarded by the fetcher's mutex.
	next int64 // offset that it needs next, also while it is off; -1: not known, nothing came yet
	skip int64 // what is below was delivered: another processor reads it again

	mu      sync.Mutex
	counted int64 // events, in the metric
	looked  int64 // of these, at the last look
	marks   marks
	behind  time.Time // since when the broker has more than was delivered; zero: it has not
}

// newLane makes the processors of a partition; its offset is where reading starts, below 0 for a channel. The fetcher's mutex is held.
func (r *run) newLane(p topic.Partition, defs []*agent.Definition, at broker.Position) *lane {
	l := &lane{partition: p, start: at.Offset, noted: at.Metadata, exact: r.exact != nil && at.Offset >= 0, done: make(chan struct{}), tables: r.state.take(p)}
	l.committed.Store(at.Offset)
	l.high.Store(-1)
	l.ctx, l.cancel = context.WithCancelCause(r.work)
	places := placesOf(at)
	for _, d := range defs {
		t := r.tallies[d.Name]
		p := &proc{def: d, topic: p.Topic, tally: t, next: -1, clocks: r.clocks.make(d, p), chores: &chores{}, sender: r.box}
		cfg := agent.ProcessorConfig{
			Agent: d, Partition: l.partition, Reporter: r.report, Free: r.recycle, Timed: t.time,
			Clocks: ticking(p.clocks), Passing: r.clocks.fed(l.partition.Topic) > 0, Chores: p.chores,
			Group: r.set.GroupID(), AppVersion: r.set.Version, MaxFailures: r.set.MaxFailures,
		}
		place := places.at(d.Name, at.Offset)
		if l.exact {
			p.sender, cfg.Exact = desk{r.exact, l}, r.exact.config(place, len(defs))
		}
		cfg.Sender = p.sender
		p.Processor = agent.NewProcessor(cfg)
		if at.Offset >= 0 {
			p.next, p.skip = place.Low, place.Low
			p.Pass(place.Low) // it may be long until something comes to it, and others want to commit
		}
		if r.fetch.off[d.Name] {
			p.off.Store(true)
			p.Hold(true)
		}
		l.procs = append(l.procs, p)
	}
	return l
}

// ticking gives clocks as processors want them.
func ticking(clocks []*table.Clock) (list []agent.Clock) {
	for _, c := range clocks {
		list = append(list, c)
	}
	return list
}

// recycle gives a slice of records that was read back to the group.
func (r *run) recycle(records []topic.Record) {
	if group := r.group.Load(); group != nil {
		group.Recycle(records)
	}
}

// startLane runs the processors; false: the lane was given up before. A processor that ends with an error of its own ends the worker.
func (r *run) startLane(l *lane) bool {
	l.starting.Lock()
	defer l.starting.Unlock()
	if l.over {
		return false
	}
	l.over = true
	r.clocks.join(l)
	for _, p := range l.procs {
		l.wg.Add(1)
		go func() {
			defer l.wg.Done()
			err := p.Run(l.ctx)
			if err != nil && (l.ctx.Err() == nil || !errors.Is(err, context.Cause(l.ctx)) && !errors.Is(err, context.Canceled)) {
				r.halt(err)
			}
		}()
	}
	go func() {
		l.wg.Wait()
		close(l.done)
	}()
	return true
}

// giveUp ends a lane that has not started.
func (l *lane) giveUp() {
	l.starting.Lock()
	defer l.starting.Unlock()
	if !l.over {
		l.over = true
		close(l.done)
	}
}

// deliver hands a batch to every processor of the lane that takes records. Each has a slice of its own; the bytes are shared. Between the last record and next
// there is nothing for them.
func (l *lane) deliver(records []topic.Record, next int64) {
	takers := l.procs[:0:0]
	for _, p := range l.procs {
		if len(records) > 0 && p.admits(records) {
			takers = append(takers, p)
		}
	}
	for i, p := range takers {
		mine := records
		if i < len(takers)-1 {
			mine = append([]topic.Record(nil), records...)
		}
		p.take(mine)
	}
	if len(records) > 0 && records[len(records)-1].Offset+1 == next {
		return
	}
	for _, p := range l.procs {
		if !p.broken.Load() && !p.off.Load() && next > p.next {
			p.next = next
			p.Pass(next)
		}
	}
}

// admits tells whether the processor takes any of the records; what it does not because it is off is read again from its next on.
func (p *proc) admits(records []topic.Record) bool {
	if p.broken.Load() || records[len(records)-1].Offset < max(p.skip, p.next) {
		return false
	}
	return !p.off.Load()
}

// take delivers the records that the processor does not have yet: what another one missed is read again.
func (p *proc) take(records []topic.Record) {
	if from := max(p.skip, p.next); records[0].Offset < from {
		records = records[sort.Search(len(records), func(i int) bool { return records[i].Offset >= from }):]
	}
	p.skip = 0
	p.next = records[len(records)-1].Offset + 1
	low, _ := p.Committable()
	p.mu.Lock()
	p.marks.add(records, low)
	p.mu.Unlock()
	p.Deliver(records)
}

// queued is what the slowest processor has not taken yet, in bytes.
func (l *lane) queued() (bytes int64) {
	for _, p := range l.procs {
		if !p.broken.Load() {
			bytes = max(bytes, p.Progress().QueuedBytes)
		}
	}
	return bytes
}

// held tells whether so many records wait for an earlier one to be settled that no more should be delivered.
func (l *lane) held() bool {
	for _, p := range l.procs {
		if g := p.Progress(); !g.Broken && g.Queued > 0 && g.Low >= 0 && g.Delivered-g.Low > maxUnsettled {
			return true
		}
	}
	return false
}

// idle tells whether no processor of the lane takes records now: all are broken or their agents paused.
func (l *lane) idle() bool {
	for _, p := range l.procs {
		if !p.broken.Load() && !p.off.Load() {
			return false
		}
	}
	return true
}

// committable is the lowest offset that any processor of the lane still needs; false: nothing to commit.
func (l *lane) committable() (low int64, ok bool) {
	for i, p := range l.procs {
		offset, known := p.Committable()
		if !known {
			return 0, false
		}
		if i == 0 || offset < low {
			low = offset
		}
	}
	return low, len(l.procs) > 0
}

func (l *lane) drain() {
	l.giveUp()
	for _, p := range l.procs {
		p.Drain()
	}
}

// drainLanes lets actors finish their event, cancels those that take longer than the budget, and waits for these a little. It tells
// whether all have ended.
func drainLanes(lanes []*lane, budget, rest time.Duration, cause error) bool {
	for _, l := range lanes {
		l.drain()
	}
	if awaitLanes(lanes, budget) {
		return true
	}
	for _, l := range lanes {
		l.cancel(cause)
	}
	return awaitLanes(lanes, rest)
}

func awaitLanes(lanes []*lane, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for _, l := range lanes {
		select {
		case <-l.done:
		case <-timer.C:
			return false
		}
	}
	return true
}

// waiting names the actors of the lane that have an event in hand: "agent orders, orders/3 (3.2s)".
func (l *lane) waiting() (list []string) {
	select {
	case <-l.done:
		return nil
	default:
	}
	for _, p := range l.procs {
		since := p.Progress().Since
		if since.IsZero() {
			since = time.Now()
		}
		list = append(list, waitingFor(fmt.Sprintf("agent %s, %s", p.def.Name, l.partition), since))
	}
	return list
}

// count brings the counts of a processor up to date. Called from time to time, not per record.
func (p *proc) count(m *metrics) {
	g := p.Progress()
	p.mu.Lock()
	defer p.mu.Unlock()
	n := g.Taken - g.Passed - int64(g.Unsettled) - p.counted
	if n <= 0 {
		return
	}
	m.processed.WithLabelValues(p.def.Name, p.topic).Add(float64(n))
	p.tally.processed.Add(n)
	p.counted += n
}
