package worker

import (
	"faust/runtime/broker"
	"faust/runtime/topic"
)

// An agent that a person paused gets no deliveries on this worker: its processors finish what they have. When all agents of a partition are paused (or
// broken), fetching it is paused at the broker; otherwise the others go on, and what it needs next stays as it is: Resume reads from there
// again, the others pass over what they had. The offset of a partition is that of its slowest agent, so that a crash loses nothing; its
// metadata says how far the others are, who go on there wherever the partition goes.

// pauseAgent stops deliveries to an agent; false: it was paused already.
func (f *fetcher) pauseAgent(name string) bool {
	f.acting.Lock()
	defer f.acting.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.off[name] {
		return false
	}
	f.off[name] = true
	group := f.run.group.Load()
	f.each(name, func(_ *lane, p *proc) {
		p.off.Store(true)
		p.Hold(true)
	})
	for _, l := range f.lanes {
		if group != nil && l.idle() && !l.paused.Swap(true) {
			group.Pause(l.partition)
		}
	}
	return true
}

// resumeAgent takes pauseAgent back; false: the agent was not paused.
func (f *fetcher) resumeAgent(name string) bool {
	f.acting.Lock()
	defer f.acting.Unlock()
	f.mu.Lock()
	paused := f.off[name]
	delete(f.off, name)
	group := f.run.group.Load()
	f.mu.Unlock()
	if !paused {
		return false
	}
	if group == nil {
		f.readmit(name)
		return true
	}
	group.Seek(func(func(topic.Partition) bool) map[topic.Partition]int64 { return f.readmit(name) })
	f.resume(f.snapshot(), group)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lookAfter(group)
	return true
}

// readmit lets the processors of an agent take records again, and tells from where on they have to be read once more. No delivery is under way.
func (f *fetcher) readmit(name string) map[topic.Partition]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	again := map[topic.Partition]int64{}
	f.each(name, func(l *lane, p *proc) {
		p.off.Store(false)
		p.Hold(false)
		if p.next >= 0 { // others may have been sought further meanwhile, without a record for it
			again[l.partition] = l.rewind()
		}
	})
	return again
}

// rewind gives the lowest offset that a processor of the lane needs, and lets the others pass over what they have.
func (l *lane) rewind() int64 {
	low := int64(-1)
	for _, p := range l.procs {
		p.skip = max(p.next, 0)
		if !p.off.Load() && !p.broken.Load() && p.next >= 0 && (low < 0 || p.next < low) {
			low = p.next
		}
	}
	return low
}

// open begins to fetch new lanes, but for those whose agents are all paused.
func (f *fetcher) open(lanes []*lane, group *broker.Group) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range lanes {
		if l.idle() {
			l.paused.Store(true)
			continue
		}
		group.Resume(l.partition)
	}
}

// each calls g for the processors of an agent; f.mu is held.
func (f *fetcher) each(name string, g func(*lane, *proc)) {
	for _, l := range f.allLocked() {
		for _, p := range l.procs {
			if p.def.Name == name {
				g(l, p)
			}
		}
	}
}

// lookAfter makes sure that paused partitions are resumed even while no poll ends; f.mu is held.
func (f *fetcher) lookAfter(group *broker.Group) {
	waits := false
	for _, l := range f.lanes {
		waits = waits || l.paused.Load() && !l.idle()
	}
	if waits && !f.resumer {
		f.resumer = true
		f.run.inner.Go(func() { f.look(f.run.soft, group) })
	}
}

// pausedAgents lists the agents that a person paused.
func (f *fetcher) pausedAgents() map[string]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	names := map[string]bool{}
	for name := range f.off {
		names[name] = true
	}
	return names
}
