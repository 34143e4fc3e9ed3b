package worker

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// tallyEvery is how often it is looked at how far the processors came.
	tallyEvery = time.Second
	// rateSpan is what rates are taken over, in looks.
	rateSpan = 5
	// timedMemory is how long the time that an event took counts.
	timedMemory = time.Minute
	// maxTimed is how many of these times are kept for an agent.
	maxTimed = 512
	// timedPerLook is how many events of a processor should be timed between two looks.
	timedPerLook = 32
)

// tally is what an agent did on this worker since the start.
type tally struct {
	processed atomic.Int64
	failed    atomic.Int64 // for good
	seconds   prometheus.Observer

	mu    sync.Mutex
	looks []look  // the last rateSpan+1
	timed []timed // a ring
	next  int     // in timed
}

// look is how far an agent was at one moment.
type look struct {
	at        time.Time
	processed int64
}

// timed is the time that an event took, which stands for so many.
type timed struct {
	at     time.Time
	took   time.Duration
	weight int64
}

// time takes note of what an event took; it is called for a few events a second.
func (t *tally) time(d time.Duration, every int64) {
	t.seconds.Observe(d.Seconds())
	now := timed{time.Now(), d, every}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.timed) < maxTimed {
		t.timed = append(t.timed, now)
		return
	}
	t.timed[t.next] = now
	t.next = (t.next + 1) % maxTimed
}

// look takes note of how far the agent is.
func (t *tally) look(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.looks) > rateSpan {
		t.looks = append(t.looks[:0], t.looks[1:]...)
	}
	t.looks = append(t.looks, look{now, t.processed.Load()})
}

// rate is how many events a second were settled over the last looks.
func (t *tally) rate() float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.looks) < 2 {
		return 0
	}
	first, last := t.looks[0], t.looks[len(t.looks)-1]
	if span := last.at.Sub(first.at).Seconds(); span > 0 {
		return float64(last.processed-first.processed) / span
	}
	return 0
}

// times gives what events took of late.
func (t *tally) times(now time.Time) (list []timed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range t.timed {
		if now.Sub(x.at) <= timedMemory {
			list = append(list, x)
		}
	}
	return list
}

// quantile is the time in seconds that the share q of the events does not exceed; 0 without any.
func quantile(list []timed, q float64) float64 {
	slices.SortFunc(list, func(a, b timed) int { return cmp.Compare(a.took, b.took) })
	total := int64(0)
	for _, x := range list {
		total += x.weight
	}
	seen := int64(0)
	for _, x := range list {
		if seen += x.weight; float64(seen) >= q*float64(total) {
			return x.took.Seconds()
		}
	}
	return 0
}

// sample gives one in how many events of a processor should be timed that settled n between two looks: a power of two.
func sample(n int64) int64 {
	every := int64(1)
	for n/every > timedPerLook {
		every *= 2
	}
	return every
}

// keepTally looks at the processors until ctx ends.
func (r *run) keepTally(ctx context.Context) {
	ticker := time.NewTicker(tallyEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		now := time.Now()
		for _, l := range r.fetch.all() {
			for _, p := range l.procs {
				p.count(r.metrics)
				p.Sample(sample(p.lately()))
				l.watch(p, now)
			}
		}
		for _, t := range r.tallies {
			t.look(now)
		}
	}
}

// lately is how many events were settled since it was asked last.
func (p *proc) lately() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.counted - p.looked
	p.looked = p.counted
	return n
}
