package worker

import (
	"context"
	"sync"
)

// gauge bounds what is sent and not yet stored, in records and bytes: back-pressure for whoever sends. The zero value has no room.
type gauge struct {
	maxRecords, maxBytes int64

	mu      sync.Mutex
	records int64
	bytes   int64
	free    chan struct{} // closed when there is room again; nil: nobody waits
}

// take waits until there is room, then counts a record of n bytes. One record always fits into an empty gauge. The error is the cause of ctx.
func (g *gauge) take(ctx context.Context, n int64) error {
	g.mu.Lock()
	for !g.room(n) {
		if g.free == nil {
			g.free = make(chan struct{})
		}
		free := g.free
		g.mu.Unlock()
		select {
		case <-free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		g.mu.Lock()
	}
	g.records++
	g.bytes += n
	g.mu.Unlock()
	return nil
}

// room tells whether a record of n bytes fits; with g.mu held.
func (g *gauge) room(n int64) bool {
	return g.records == 0 || g.records < g.maxRecords && g.bytes+n <= g.maxBytes
}

// try counts a record of n bytes if there is room, without waiting.
func (g *gauge) try(n int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.room(n) {
		return false
	}
	g.records++
	g.bytes += n
	return true
}

// fits tells whether n small records can be taken now without waiting.
func (g *gauge) fits(n int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.records == 0 || g.records+n <= g.maxRecords && g.bytes < g.maxBytes
}

// give uncounts a record of n bytes.
func (g *gauge) give(n int64) {
	g.mu.Lock()
	g.records--
	g.bytes -= n
	// Who waits is woken when there is room for a while, not for every record.
	if g.free != nil && g.records <= g.maxRecords-g.maxRecords/4 && g.bytes <= g.maxBytes-g.maxBytes/4 {
		close(g.free)
		g.free = nil
	}
	g.mu.Unlock()
}

// level gives what is counted now.
func (g *gauge) level() (records, bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.records, g.bytes
}
