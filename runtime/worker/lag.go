package worker

import (
	"sort"
	"time"

	"faust/runtime/topic"
)

// mark is a batch that was delivered to a processor: where it begins and ends, and when its records were made.
type mark struct {
	first, last int64 // offsets
	from, to    int64 // timestamps, milliseconds
}

// marks are the batches whose records are not all settled, in order.
type marks []mark

// maxMarks bounds the marks of a processor: above it batches are taken as one.
const maxMarks = 1024

// add takes note of a batch, and forgets those below low.
func (m *marks) add(records []topic.Record, low int64) {
	list := (*m)[m.at(low):]
	first, last := &records[0], &records[len(records)-1]
	if n := len(list); n >= maxMarks {
		list[n-1].last, list[n-1].to = last.Offset, last.Timestamp
	} else {
		list = append(list, mark{first.Offset, last.Offset, first.Timestamp, last.Timestamp})
	}
	*m = list
}

// at is the index of the batch that has the offset, or the next one above it.
func (m marks) at(offset int64) int {
	return sort.Search(len(m), func(i int) bool { return m[i].last >= offset })
}

// made tells when the record at an offset, or the next one above it, was made; between the ends of a batch it is reckoned. false: it was not delivered.
func (m marks) made(offset int64) (time.Time, bool) {
	i := m.at(offset)
	if i == len(m) {
		return time.Time{}, false
	}
	k, ms := m[i], m[i].from
	if k.last > k.first && offset > k.first {
		ms += int64(float64(k.to-k.from) * float64(offset-k.first) / float64(k.last-k.first))
	}
	return time.UnixMilli(ms), true
}

// lag is what a processor has still to do in its partition.
type lag struct {
	low     int64 // the next offset to be settled; -1: not known
	end     int64 // of the partition; -1: not known
	records int64
	waited  time.Duration // of the oldest of them
}

// lag reckons how far a processor is behind. What the broker has and nobody fetched yet waits at least since it was seen first.
func (l *lane) lag(p *proc, now time.Time) lag {
	g := lag{low: -1, end: l.high.Load()}
	if low, ok := p.Committable(); ok {
		g.low = low
	}
	if g.low < 0 || g.end <= g.low {
		return g
	}
	g.records = g.end - g.low
	p.mu.Lock()
	defer p.mu.Unlock()
	since, delivered := p.marks.made(g.low)
	if !delivered {
		since = p.behind
	}
	if !since.IsZero() {
		g.waited = max(now.Sub(since), 0)
	}
	return g
}

// watch takes note of since when the broker has records that the processor did not get.
func (l *lane) watch(p *proc, now time.Time) {
	high := l.high.Load()
	end := p.Progress().Delivered
	if end < 0 {
		end = l.committed.Load()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case end < 0 || high <= end:
		p.behind = time.Time{}
	case p.behind.IsZero():
		p.behind = now
	}
}

// raise tells the lane how far its partition goes.
func (l *lane) raise(end int64) {
	for {
		high := l.high.Load()
		if end <= high || l.high.CompareAndSwap(high, end) {
			return
		}
	}
}

// stale tells whether the lane may not know how far its partition goes: nothing came yet, or it has not all of it and fetching may stand still.
func (l *lane) stale() bool {
	high := l.high.Load()
	if high < 0 || l.paused.Load() {
		return true
	}
	for _, p := range l.procs {
		if low, ok := p.Committable(); !ok || low < high {
			return true
		}
	}
	return false
}
