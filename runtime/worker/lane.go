package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"faust/runtime/agent"
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
	done      chan struct{} // all processors have ended
	gone      atomic.Bool   // taken away: nothing is committed any more

	high   atomic.Int64 // high watermark of the partition, -1: unknown
	paused atomic.Bool

	committed int64 // offset in the group; guarded by run.stage
}

// proc is one processor and what was counted of it.
type proc struct {
	*agent.Processor
	def    *agent.Definition
	topic  string
	broken atomic.Bool

	mu        sync.Mutex
	delivered int64 // records
	counted   int64 // of these, in the metric
	busy      time.Duration
	looked    time.Time
	wasBusy   bool
}

// newLane makes the processors of a partition; offset is where reading starts, below 0 if unknown.
func (r *run) newLane(p topic.Partition, defs []*agent.Definition, offset int64) *lane {
	l := &lane{partition: p, done: make(chan struct{}), committed: offset}
	l.high.Store(-1)
	l.ctx, l.cancel = context.WithCancelCause(r.work)
	for _, d := range defs {
		l.procs = append(l.procs, &proc{def: d, topic: p.Topic, Processor: agent.NewProcessor(agent.ProcessorConfig{
			Agent: d, Partition: p, Sender: r.box, Reporter: r.report, Free: r.recycle,
			AppVersion: r.set.Version, MaxFailures: r.set.MaxFailures,
		})})
	}
	return l
}

// recycle gives a slice of records that was read back to the group.
func (r *run) recycle(records []topic.Record) {
	if group := r.group.Load(); group != nil {
		group.Recycle(records)
	}
}

// start runs the processors. A processor that ends with an error of its own ends the worker.
func (r *run) startLane(l *lane) {
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
}

// deliver hands a batch to every processor of the lane that takes records. Each has a slice of its own; the bytes are shared.
func (l *lane) deliver(records []topic.Record) {
	takers := l.procs[:0:0]
	for _, p := range l.procs {
		if !p.broken.Load() {
			takers = append(takers, p)
		}
	}
	for i, p := range takers {
		mine := records
		if i < len(takers)-1 {
			mine = append([]topic.Record(nil), records...)
		}
		p.mu.Lock()
		p.delivered += int64(len(records))
		p.mu.Unlock()
		p.Deliver(mine)
	}
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

// isBroken tells whether no processor of the lane takes records any more.
func (l *lane) isBroken() bool {
	for _, p := range l.procs {
		if !p.broken.Load() {
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

// count brings the metrics of a processor up to date. Called from time to time, not per record.
func (p *proc) count(m *metrics) {
	g := p.Progress()
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	settled := p.delivered - int64(g.Queued) - int64(g.Unsettled)
	n := settled - p.counted
	if n > 0 {
		m.processed.WithLabelValues(p.def.Name, p.topic).Add(float64(n))
		p.counted = settled
	}
	busy := g.Unsettled > 0
	if busy && p.wasBusy {
		p.busy += now.Sub(p.looked)
	}
	if n > 0 && p.busy > 0 {
		m.runtime.WithLabelValues(p.def.Name).Observe(p.busy.Seconds() / float64(n))
		p.busy = 0
	}
	p.looked, p.wasBusy = now, busy
}
