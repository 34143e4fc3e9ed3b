package worker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"faust/runtime/agent"
	"faust/runtime/broker"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// How often time is looked after, and how many records a second may say nothing but how far it is, over all partitions.
const (
	clockEvery = time.Second
	clockRate  = 1000

	repeatClock = time.Minute // after which it is said again although time stands still: whoever has begun to read there meanwhile does not know it
	recallLast  = 100         // messages by which it is found out how far time was in a partition
)

// clocks looks after time in the partitions that agents read, where somebody goes by it.
type clocks struct {
	run    *run
	ways   map[string]int32 // of topics that messages pass through with their time: how many partitions they have
	looked time.Time        // when it was looked last from how many they come; only the keeper of the clocks uses it

	mu    sync.Mutex
	feeds map[string]int  // of these topics: from how many partitions messages come
	turns map[int32]*turn // of closing windows, by partition
}

func newClocks(r *run) *clocks {
	return &clocks{run: r, feeds: map[string]int{}, ways: map[string]int32{}, turns: map[int32]*turn{}}
}

// used tells whether anybody goes by time.
func (c *clocks) used() bool {
	return slices.ContainsFunc(c.run.app.Tables, func(t *table.Definition) bool { return t.Windows != nil && len(t.Sources) > 0 }) ||
		slices.ContainsFunc(c.run.app.Agents, func(d *agent.Definition) bool { return len(d.Timings) > 0 })
}

// prepare learns how many partitions feed the topics that messages pass through. The topics exist.
func (c *clocks) prepare(ctx context.Context, client *broker.Client) error {
	for _, d := range c.run.app.Agents {
		if d.Onward == "" || len(d.Timings) == 0 {
			continue
		}
		counts, err := client.Partitions(ctx, d.Topics[0].Name, d.Onward)
		if err != nil {
			return err
		}
		c.feed(d.Onward, counts[d.Topics[0].Name])
		c.ways[d.Onward] = counts[d.Onward]
	}
	c.looked = time.Now()
	return nil
}

// feed notes from how many partitions the messages of a topic come.
func (c *clocks) feed(onward string, n int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.feeds[onward] = max(c.feeds[onward], int(n))
}

// fed is from how many partitions the messages of a topic come that they pass through with their time; 0: the topic is none of these.
func (c *clocks) fed(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.feeds[name]
}

// grow makes clocks wait for partitions that their sources have got since.
func (c *clocks) grow(ctx context.Context, lanes []*lane) {
	if client := c.run.link.client.Load(); client != nil && time.Since(c.looked) >= growthLook {
		c.looked = time.Now()
		for _, d := range c.run.app.Agents {
			if c.fed(d.Onward) == 0 {
				continue
			}
			if counts, err := client.Partitions(ctx, d.Topics[0].Name); err == nil { // else it is looked again
				c.feed(d.Onward, counts[d.Topics[0].Name])
			}
		}
	}
	for _, l := range lanes {
		if feeders := c.fed(l.partition.Topic); feeders > 0 {
			for _, p := range l.procs {
				for _, k := range p.clocks {
					k.Grow(feeders)
				}
			}
		}
	}
}

// make makes the clocks of a processor.
func (c *clocks) make(d *agent.Definition, p topic.Partition) (list []*table.Clock) {
	feeders := max(c.fed(p.Topic), 1)
	for _, t := range d.Timings {
		list = append(list, table.NewClock(d.Name+" "+p.Topic+" "+t.Name, feeders))
	}
	return list
}

// expected is how many clocks a table's shards go by.
func (c *clocks) expected(t *table.Definition) (n int) {
	if t.Windows == nil {
		return 0
	}
	for _, d := range c.run.app.Agents {
		if slices.Contains(t.Agents, d.Name) {
			for _, way := range d.Timings {
				if way.Name == t.Windows.Time {
					n += len(d.Topics)
				}
			}
		}
	}
	return n
}

// join lets the shards of a lane go by the clocks of its processors, and these close their windows. It comes before the processors run.
func (c *clocks) join(l *lane) {
	for _, h := range l.tables {
		w := h.key.table.Windows
		if w == nil {
			continue
		}
		for _, p := range l.procs {
			if !slices.Contains(h.key.table.Agents, p.def.Name) {
				continue
			}
			for i, way := range p.def.Timings {
				if way.Name == w.Time {
					h.shard.Join(p.clocks[i])
				}
			}
			if w.Told {
				p.chores.add(c.turn(l.partition.ID), h.shard)
				h.users.add(p.Processor)
			}
		}
	}
	l.timed.Store(true)
}

// leave is the end of join.
func (c *clocks) leave(l *lane) {
	turn := c.turn(l.partition.ID)
	for _, p := range l.procs {
		turn.remove(p.chores)
	}
	for _, h := range l.tables {
		if h.key.table.Windows == nil || h.get() == nil {
			continue
		}
		for _, p := range l.procs {
			for _, k := range p.clocks {
				h.shard.Leave(k)
			}
			h.users.remove(p.Processor)
		}
	}
}

func (c *clocks) turn(partition int32) *turn {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.turns[partition]
	if t == nil {
		t = &turn{}
		c.turns[partition] = t
	}
	return t
}

// keep lets time pass until ctx ends.
func (c *clocks) keep(ctx context.Context) error {
	ticker := time.NewTicker(clockEvery)
	defer ticker.Stop()
	said := time.Now()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		lanes := c.run.fetch.snapshot()
		c.grow(ctx, lanes)
		c.rest(ctx, lanes)
		for _, h := range holdings(lanes) {
			h.shard.Tick(time.Now())
			if err := h.shard.Sweep(); err != nil && h.ctx.Err() == nil {
				return &StoreError{err}
			}
		}
		if now := time.Now(); now.Sub(said) >= c.interval(lanes) {
			said = now
			if err := c.say(ctx, lanes); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// interval is how often partitions say how far time is in them.
func (c *clocks) interval(lanes []*lane) time.Duration {
	records := 0
	for onward, ways := range c.ways {
		records += c.fed(onward) * int(ways)
	}
	return min(max(time.Duration(records)*time.Second/clockRate, clockEvery), 30*time.Second)
}

// say tells the partitions of topics that messages are sent on to how far time is here. It comes after everything that was sent of earlier times.
func (c *clocks) say(ctx context.Context, lanes []*lane) error {
	for _, l := range lanes {
		for _, p := range l.procs {
			if p.def.Onward == "" || len(p.clocks) == 0 || l.gone.Load() {
				continue
			}
			rec := p.ClockRecord(0)
			now := time.Now()
			if string(rec.Headers[0].Value) == p.said && now.Sub(p.saidAt) < repeatClock {
				continue
			}
			p.said, p.saidAt = string(rec.Headers[0].Value), now
			for id := range c.ways[p.def.Onward] {
				rec.Partition = id
				if err := p.sender.Send(ctx, &rec, nil); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// quiet is since when nothing comes to a processor. Only the keeper of the clocks uses it.
type quiet struct {
	taken int64
	since time.Time // zero: something came since the last look
	base  []int64   // its clocks then
	end   int64     // of the partition, up to where there is nothing for it
}

// rest finds partitions that bring nothing, and lets time pass there: it is what the clock on the wall says since then, or what the others of the topic are at. Only what
// the broker says to have nothing rests; one that stands still or is behind is waited for.
func (c *clocks) rest(ctx context.Context, lanes []*lane) {
	now := time.Now()
	idle := map[*lane][]*proc{}
	for _, l := range lanes {
		if c.fed(l.partition.Topic) > 0 || l.gone.Load() || !l.timed.Load() {
			continue
		}
		for _, p := range l.procs {
			if len(p.clocks) > 0 && p.look(l, now) {
				idle[l] = append(idle[l], p)
			}
		}
	}
	client := c.run.link.client.Load()
	if len(idle) == 0 || client == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*clockEvery)
	defer cancel()
	var list []topic.Partition
	for l := range idle {
		list = append(list, l.partition)
	}
	ends, err := client.Ends(ctx, list...)
	if err != nil {
		c.run.log.Debug("ends of partitions not read", "err", err)
		return
	}
	for l, procs := range idle {
		for _, p := range procs {
			if end, ok := ends[l.partition]; ok && c.nothing(ctx, client, l, p, end) && c.recall(ctx, client, l) {
				c.pass(lanes, l, p, now)
			}
		}
	}
}

// recall lets the clocks of which no time was saved, those of who sends messages on and those of an agent that got another name, go on from the last messages of a
// partition that brings nothing: an earlier worker has settled them. false: these could not be read.
func (c *clocks) recall(ctx context.Context, client *broker.Client, l *lane) bool {
	forgetful := slices.DeleteFunc(slices.Clone(l.procs), func(p *proc) bool {
		return !slices.ContainsFunc(p.clocks, func(k *table.Clock) bool { return k.Time() == table.Never })
	})
	if l.recalled || len(forgetful) == 0 {
		return true
	}
	err := client.Read(ctx, broker.Reading{Topic: l.partition.Topic, Partitions: []int32{l.partition.ID}, Last: recallLast}, func(list []topic.Record) error {
		for i := range list {
			for _, p := range forgetful {
				if low, _ := p.Committable(); list[i].Offset < low {
					p.Recall(&list[i])
				}
			}
		}
		return nil
	})
	if err != nil {
		c.run.log.Debug("last messages of a partition not read", "topic", l.partition.Topic, "partition", l.partition.ID, "err", err)
		return false
	}
	l.recalled = true
	for _, p := range forgetful {
		for i, k := range p.clocks {
			p.quiet.base[i] = k.Time()
		}
	}
	return true
}

// look tells whether nothing came to the processor for as long as the most impatient of those who go by its clocks waits.
func (p *proc) look(l *lane, now time.Time) bool {
	g, q := p.Progress(), &p.quiet
	if g.Taken != q.taken || g.Queued > 0 || g.Unsettled > 0 || g.Broken || p.off.Load() || l.paused.Load() {
		q.taken, q.since = g.Taken, time.Time{}
		return false
	}
	if q.since.IsZero() {
		q.since, q.end, q.base = now, -1, q.base[:0]
		for _, k := range p.clocks {
			q.base = append(q.base, k.Time())
		}
	}
	for _, way := range p.def.Timings {
		if now.Sub(q.since) >= way.Idle {
			return true
		}
	}
	return false
}

// nothing tells whether the broker has nothing more for a processor, whose partition ends there: at most records that are no messages. The others of the lane may be ahead
// of it: it may have been paused.
func (c *clocks) nothing(ctx context.Context, client *broker.Client, l *lane, p *proc, end int64) bool {
	at, q := max(l.committed.Load(), p.Progress().Delivered), &p.quiet
	if end <= at || end == q.end {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, clockEvery) // a transaction that is open may bring something
	defer cancel()
	some := errors.New("there is something")
	err := client.Read(ctx, broker.Reading{
		Topic: l.partition.Topic, Partitions: []int32{l.partition.ID}, From: broker.From{Kind: broker.FromOffset, Offset: max(at, 0)}, Open: true,
	}, func([]topic.Record) error { return some })
	if err != nil {
		return false
	}
	q.end = end
	return true
}

// pass lets time pass for a processor to which nothing comes.
func (c *clocks) pass(lanes []*lane, l *lane, p *proc, now time.Time) {
	for i, k := range p.clocks {
		way := p.def.Timings[i]
		rested := now.Sub(p.quiet.since) - way.Idle
		if rested < 0 {
			continue
		}
		at := int64(table.Never)
		if base := p.quiet.base[i]; base != table.Never { // in steps: every one is told to others
			at = base + min(rested.Truncate(max(way.Idle/4, clockEvery)), way.Reach).Milliseconds()
		}
		k.Rest(0, min(max(at, others(lanes, l, p.def, i)), now.UnixMilli()))
	}
}

// others is how far time is in the partitions of a lane's topic that bring something, by the same way to tell it; Never: there are none.
func others(lanes []*lane, l *lane, d *agent.Definition, way int) int64 {
	low, found := int64(0), false
	for _, other := range lanes {
		if other.partition.Topic != l.partition.Topic {
			continue
		}
		for _, p := range other.procs {
			if p.def != d || p.clocks[way].Resting() {
				continue
			}
			if at := p.clocks[way].Time(); !found || at < low {
				low, found = at, true
			}
		}
	}
	if !found {
		return table.Never
	}
	return low
}
