package worker

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"faust/runtime/agent"
	"faust/runtime/broker"
	"faust/runtime/topic"
)

// Marks of back-pressure. A fetch brings at most about 64 KiB of a partition, compressed.
const (
	maxUnread    = 2 << 20                // bytes unread over all partitions: no poll above it
	laneHigh     = maxUnread / 2          // bytes unread of one partition: it lags when others have less
	laneLow      = laneHigh / 2           // a paused one is resumed
	maxUnsettled = 100_000                // records delivered above the first unsettled one
	patience     = 200 * time.Millisecond // how long laggards may hold up the others before they are paused
	minLook      = time.Millisecond       // between two looks at the queues
	maxLook      = 20 * time.Millisecond
)

// fetcher polls the group and hands batches to lanes. Only its goroutine polls.
type fetcher struct {
	run *run

	acting sync.Mutex // held by whoever pauses or resumes an agent

	mu      sync.Mutex
	lanes   map[topic.Partition]*lane
	resumer bool            // a goroutine looks after paused lanes
	off     map[string]bool // agents paused by a person

	channels []*lane // of agents that read a channel; they are not fetched
}

func newFetcher(r *run) *fetcher {
	return &fetcher{run: r, lanes: map[topic.Partition]*lane{}, off: map[string]bool{}}
}

// loop polls until ctx ends. The error is the broker's.
func (f *fetcher) loop(ctx context.Context, group *broker.Group) error {
	for f.admit(ctx, group) {
		if err := group.Each(ctx, f.dispatch); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// change lets a rebalance callback change the lanes.
func (f *fetcher) change(g func(lanes map[topic.Partition]*lane)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g(f.lanes)
}

// snapshot lists the lanes.
func (f *fetcher) snapshot() []*lane {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Values(f.lanes))
}

// all lists the lanes, and those of channels.
func (f *fetcher) all() []*lane {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.allLocked()
}

func (f *fetcher) allLocked() []*lane {
	return append(slices.Collect(maps.Values(f.lanes)), f.channels...)
}

// dispatch hands a batch to its lane. The group sees to it that the batch belongs to the present assignment.
func (f *fetcher) dispatch(b broker.Batch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.lanes[b.Partition]; l != nil {
		l.high.Store(b.HighWatermark)
		l.deliver(b.Records, b.Next)
	}
}

// admit waits until what is handed out and unread is below the mark. Partitions that hold up the others for longer than patience are
// paused; the client drops what it has buffered of them, so that is the last resort. false: ctx ended.
func (f *fetcher) admit(ctx context.Context, group *broker.Group) bool {
	var since time.Time
	look := minLook
	for ctx.Err() == nil {
		lanes := f.snapshot()
		f.resume(lanes, group)
		held := anyHeld(lanes)
		if held && f.pause(lanes, group, (*lane).held) {
			continue
		}
		if !held && unread(lanes) <= maxUnread {
			return true
		}
		if since.IsZero() {
			since = time.Now()
		} else if time.Since(since) >= patience && f.pause(lanes, group, (*lane).lags) {
			continue
		}
		timer := time.NewTimer(look)
		select {
		case <-timer.C:
			look = min(2*look, maxLook)
		case <-ctx.Done():
			timer.Stop()
		}
	}
	return false
}

// unread is what all lanes have not taken yet, without the paused ones.
func unread(lanes []*lane) (bytes int64) {
	for _, l := range lanes {
		if !l.paused.Load() {
			bytes += l.queued()
		}
	}
	return bytes
}

func anyHeld(lanes []*lane) bool {
	for _, l := range lanes {
		if !l.paused.Load() && l.held() {
			return true
		}
	}
	return false
}

// lags tells whether a lane should be paused when others are held up by it.
func (l *lane) lags() bool { return l.queued() > laneHigh || l.held() }

// pause pauses the lanes that lag, if there are others to be served meanwhile.
func (f *fetcher) pause(lanes []*lane, group *broker.Group, lags func(*lane) bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	var lagging []*lane
	others := false
	for _, l := range lanes {
		switch {
		case l.paused.Load() || f.lanes[l.partition] != l:
		case lags(l):
			lagging = append(lagging, l)
		default:
			others = true
		}
	}
	if !others || len(lagging) == 0 {
		return false
	}
	for _, l := range lagging {
		l.paused.Store(true)
		group.Pause(l.partition)
		f.run.log.Debug("partition paused", "topic", l.partition.Topic, "partition", l.partition.ID)
	}
	f.lookAfter(group)
	return true
}

// look resumes paused lanes while the fetch goroutine waits in Poll; it ends when none is paused.
func (f *fetcher) look(ctx context.Context, group *broker.Group) {
	ticker := time.NewTicker(maxLook)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		f.resume(f.snapshot(), group)
		f.mu.Lock()
		left := false
		for _, l := range f.lanes {
			left = left || l.paused.Load() && !l.idle()
		}
		f.resumer = left
		f.mu.Unlock()
		if !left {
			return
		}
	}
}

// resume resumes paused lanes that are half read.
func (f *fetcher) resume(lanes []*lane, group *broker.Group) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range lanes {
		if l.paused.Load() && f.lanes[l.partition] == l && !l.idle() && l.queued() <= laneLow && !l.held() {
			l.paused.Store(false)
			group.Resume(l.partition)
			f.run.log.Debug("partition resumed", "topic", l.partition.Topic, "partition", l.partition.ID)
		}
	}
}

// breaks stops deliveries to a processor that takes no more records. The partition is paused at the broker when no other agent reads it.
func (f *fetcher) breaks(d *agent.Definition, p topic.Partition) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.lanes[p]
	if l == nil {
		return
	}
	for _, pr := range l.procs {
		if pr.def == d {
			pr.broken.Store(true)
		}
	}
	if group := f.run.group.Load(); group != nil && l.idle() {
		l.paused.Store(true)
		group.Pause(p)
	}
}
