package agent

import (
	"sync"
	"sync/atomic"
)

// tracker is the order of acknowledgement of one partition. Records have positions 0, 1, 2, ... in order of delivery; they are
// done in any order, and low is the offset after the last record below which everything is done. Positions, not offsets, are
// counted, so offsets may have holes. A record costs nothing until it is done out of order.
type tracker struct {
	shared bool         // several goroutines call done
	low    atomic.Int64 // offset to commit; -1: nothing was delivered
	mu     sync.Mutex   // guards the rest if shared
	next   uint64       // the lowest position that is not done
	early  int          // positions above next that are done
	ring   []int64      // by position: offset+1 of what is done early, 0: not done
}

func newTracker(shared bool) *tracker {
	t := &tracker{shared: shared}
	t.low.Store(-1)
	return t
}

// below is the lowest position that is not done.
func (t *tracker) below() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next
}

// start sets the watermark to the offset of the first record; before any done.
func (t *tracker) start(offset int64) { t.low.CompareAndSwap(-1, offset) }

// done marks the record at a position. It must be called once per position.
func (t *tracker) done(pos uint64, offset int64) {
	if t.shared {
		t.mu.Lock()
		defer t.mu.Unlock()
	}
	if pos != t.next {
		t.keep(pos, offset)
		return
	}
	t.next++
	low := offset + 1
	for t.early > 0 {
		slot := &t.ring[t.next&uint64(len(t.ring)-1)]
		if *slot == 0 {
			break
		}
		low, *slot = *slot, 0
		t.early--
		t.next++
	}
	t.low.Store(low)
}

// keep remembers a position that is done before those below it.
func (t *tracker) keep(pos uint64, offset int64) {
	if pos-t.next >= uint64(len(t.ring)) {
		t.grow(pos - t.next + 1)
	}
	t.ring[pos&uint64(len(t.ring)-1)] = offset + 1
	t.early++
}

// grow makes room for a span of positions from next on.
func (t *tracker) grow(span uint64) {
	size := uint64(64)
	for size < span {
		size *= 2
	}
	ring := make([]int64, size)
	old := uint64(len(t.ring))
	for pos := t.next; pos < t.next+old; pos++ {
		ring[pos&(size-1)] = t.ring[pos&(old-1)]
	}
	t.ring = ring
}
