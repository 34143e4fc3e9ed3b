package table

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// aheadOfUs is how far a message may be ahead of this machine's clock to be believed: one that claims more counts in its window, but does not make time pass.
const aheadOfUs = time.Minute

// Clock is how far time is in one partition that an agent reads: the smallest of the times of what feeds it, leaving out those that rest. What feeds a
// partition is itself or, if it is one that messages pass through, the partitions they come from. Its methods may be called from any goroutine.
type Clock struct {
	name    string       // of the agent, the partition's topic and the way to tell the time: unique among the clocks of a shard
	time    atomic.Int64 // Never: not known
	rests   atomic.Bool  // nothing that feeds the partition has anything to bring
	trusted atomic.Int64 // times up to this one are not ahead of our clock

	mu      sync.Mutex
	feeders []feeder // only ever more
	shards  []*Shard // that go by this clock; it is not changed, but replaced
}

// feeder is one source partition.
type feeder struct {
	at      int64 // Never: not known
	resting bool
}

// NewClock allocates; feeders is how many partitions feed the one it is of.
func NewClock(name string, feeders int) *Clock {
	c := &Clock{name: name, feeders: make([]feeder, feeders)}
	for i := range c.feeders {
		c.feeders[i].at = Never
	}
	c.time.Store(Never)
	c.trusted.Store(Never)
	return c
}

// Grow makes the partition be fed by so many partitions, if these are more: the new ones are waited for.
func (c *Clock) Grow(feeders int) {
	var shards []*Shard
	c.mu.Lock()
	for len(c.feeders) < feeders {
		c.feeders = append(c.feeders, feeder{at: Never})
		shards = c.shards
	}
	if shards != nil {
		_, resting := c.reckon()
		c.rests.Store(resting)
	}
	c.mu.Unlock()
	for _, s := range shards {
		s.follow(false)
	}
}

// Name tells the clocks of a shard apart.
func (c *Clock) Name() string { return c.name }

// Time is how far time is; Never: not known. It never goes back.
func (c *Clock) Time() int64 { return c.time.Load() }

// Note takes note of the time of a message that came from a feeder and is settled, as are all before it; of none for Never.
func (c *Clock) Note(from int32, at int64) { c.note(from, at, false, false) }

// Rest takes note that a feeder has nothing to bring for the time being, and how far time is there; Never: not known. It is not waited for until it brings something.
func (c *Clock) Rest(from int32, at int64) { c.note(from, at, true, false) }

func (c *Clock) note(from int32, at int64, rests, restored bool) {
	if !restored && at > c.trusted.Load() {
		limit := time.Now().Add(aheadOfUs).UnixMilli()
		c.trusted.Store(limit)
		if at > limit {
			at = Never
		}
	}
	var shards []*Shard
	c.mu.Lock()
	if int(from) >= len(c.feeders) || from < 0 { // of a topic that has fewer partitions now
		c.mu.Unlock()
		return
	}
	f := &c.feeders[from]
	f.at, f.resting = max(f.at, at), rests
	now, resting := c.reckon()
	if now > c.time.Load() || resting != c.rests.Load() {
		c.time.Store(max(now, c.time.Load()))
		c.rests.Store(resting)
		shards = c.shards
	}
	c.mu.Unlock()
	for _, s := range shards {
		s.follow(!rests)
	}
}

// reckon is the smallest time of the feeders that do not rest or, if all do, the largest; c.mu is held.
func (c *Clock) reckon() (now int64, resting bool) {
	low, high := int64(math.MaxInt64), int64(Never)
	for i := range c.feeders {
		if f := &c.feeders[i]; !f.resting {
			low = min(low, f.at)
		} else {
			high = max(high, f.at)
		}
	}
	if low == math.MaxInt64 {
		return high, true
	}
	return low, false
}

// Resting tells whether nothing that feeds the partition has anything to bring.
func (c *Clock) Resting() bool { return c.rests.Load() }

// times are those of the feeders.
func (c *Clock) times() []int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]int64, len(c.feeders))
	for i := range c.feeders {
		list[i] = c.feeders[i].at
	}
	return list
}

// join makes a shard go by the clock.
func (c *Clock) join(s *Shard) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shards = append(slices.Clone(c.shards), s)
}
