package worker

import (
	"context"
	"sync"
	"sync/atomic"
)

// gauge bounds what is sent and not yet stored, in records and bytes: back-pressure for whoever sends. The zero value has no room.
type gauge struct {
	maxRecords, maxBytes int64

	used    atomic.Int64 // records << gaugeShift | bytes
	waiting atomic.Bool  // free is not nil

	mu   sync.Mutex
	free chan struct{} // closed when there is room again; nil: nobody waits
}

// gaugeShift leaves 40 bits to the bytes and 23 to the records.
const gaugeShift = 40

func (g *gauge) split(used int64) (records, bytes int64) {
	return used >> gaugeShift, used & (1<<gaugeShift - 1)
}

// take waits until there is room, then counts a record of n bytes. One record always fits into an empty gauge. The error is the cause of ctx.
func (g *gauge) take(ctx context.Context, n int64) error {
	for !g.try(n) {
		free := g.wait()
		if g.room(g.used.Load(), n) {
			continue // what was stored before there was somebody to wake
		}
		select {
		case <-free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// wait gives the channel that is closed when there is room.
func (g *gauge) wait() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.free == nil {
		g.free = make(chan struct{})
		g.waiting.Store(true)
	}
	return g.free
}

// room tells whether a record of n bytes fits.
func (g *gauge) room(used, n int64) bool {
	records, bytes := g.split(used)
	return records == 0 || records < g.maxRecords && bytes+n <= g.maxBytes
}

// try counts a record of n bytes if there is room, without waiting.
func (g *gauge) try(n int64) bool {
	for {
		used := g.used.Load()
		if !g.room(used, n) {
			return false
		}
		if g.used.CompareAndSwap(used, used+1<<gaugeShift+n) {
			return true
		}
	}
}

// add counts a record of n bytes, whether there is room or not.
func (g *gauge) add(n int64) { g.used.Add(1<<gaugeShift + n) }

// fits tells whether n small records can be taken now without waiting.
func (g *gauge) fits(n int64) bool {
	records, bytes := g.level()
	return records == 0 || records+n <= g.maxRecords && bytes < g.maxBytes
}

// give uncounts a record of n bytes. Who waits is woken when there is room for a while, not for every record.
func (g *gauge) give(n int64) {
	records, bytes := g.split(g.used.Add(-(1<<gaugeShift + n)))
	if !g.waiting.Load() || records > g.maxRecords-g.maxRecords/4 || bytes > g.maxBytes-g.maxBytes/4 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.free != nil {
		g.waiting.Store(false)
		close(g.free)
		g.free = nil
	}
}

// level gives what is counted now.
func (g *gauge) level() (records, bytes int64) { return g.split(g.used.Load()) }
