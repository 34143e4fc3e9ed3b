package worker

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/topic"
)

// rebalanceBudget is how long a rebalance waits for the actors of partitions that go: three quarters to finish, then they are cancelled.
const rebalanceBudget = 40 * time.Second

// lostBudget is the same when the partitions belong to somebody else already.
const lostBudget = time.Second

// groupConfig is the worker's membership.
func (r *run) groupConfig() broker.GroupConfig {
	return broker.GroupConfig{
		Group:          r.set.GroupID(),
		Topics:         r.topics(),
		Reset:          r.set.AutoOffsetReset,
		Whole:          r.passing(),
		SessionTimeout: r.set.SessionTimeout,
		Heartbeat:      r.heartbeat(),
		Assigned:       r.assigned,
		Revoked:        r.revoked,
		Lost:           r.lost,
		Ties:           r.state.ties(),
		URL:            r.url,
		Transaction:    r.exact.name(),
		Stored:         r.state.stored,
		Replicas:       r.state.replicas(),
		Copies:         r.state.standby.copies,
	}
}

// heartbeat is how often the worker hears of the group, and so how long it may take until it knows of partitions that another one hands over: with standbys there is
// nothing else to wait for.
func (r *run) heartbeat() time.Duration {
	every := min(time.Second, r.set.SessionTimeout/3)
	if r.state.replicas() > 0 {
		every = min(every, standbyHeartbeat)
	}
	return every
}

// topics lists what the group subscribes.
func (r *run) topics() (names []string) {
	seen := map[string]bool{}
	for _, d := range r.app.Agents {
		for _, t := range d.Topics {
			if !seen[t.Name] {
				seen[t.Name] = true
				names = append(names, t.Name)
			}
		}
	}
	if usesLeader(r.app) {
		names = append(names, leaderTopic(r.app).Name)
	}
	return names
}

// passing lists the topics that the app's own agents fill for each other: nothing in them is older than the app.
func (r *run) passing() (names []string) {
	for _, d := range r.app.Agents {
		for _, t := range d.Topics {
			if t.Passing && !slices.Contains(names, t.Name) {
				names = append(names, t.Name)
			}
		}
	}
	return names
}

// readers lists the agents that read a topic.
func (r *run) readers(name string) (defs []*agent.Definition) {
	for _, d := range r.app.Agents {
		for _, t := range d.Topics {
			if t.Name == name {
				defs = append(defs, d)
				break
			}
		}
	}
	return defs
}

// assigned starts the processors of new partitions. An empty assignment counts as well: a worker may have nothing to do.
func (r *run) assigned(ctx context.Context, ps map[topic.Partition]int64) error {
	select {
	case <-r.joined: // the callback may come before join has stored the group
	case <-r.soft.Done():
		return nil
	}
	r.keepMember()
	defer func() {
		r.state.neighbours()
		r.state.standby.follow()
	}()
	if r.soft.Err() != nil || len(ps) == 0 {
		r.firstAssigned()
		return nil
	}
	positions, err := r.positions(ctx, ps)
	if err != nil {
		return err
	}
	r.metrics.rebalances.Inc()
	var fresh []*lane
	var list []topic.Partition
	lead := false
	r.fetch.change(func(lanes map[topic.Partition]*lane) {
		for p, offset := range ps {
			if r.leader.is(p) {
				lead = true
				continue
			}
			l := r.resumed(p, offset, positions)
			lanes[p] = l
			fresh = append(fresh, l)
			list = append(list, p)
		}
	})
	for _, l := range fresh {
		r.state.beyond(l.partition)
		r.state.stopProcs(l)
	}
	r.begin(fresh)
	if lead {
		r.leader.gain()
	}
	r.partitionHooks("partitions_assigned", r.app.Hooks.PartitionsAssigned, list)
	return nil
}

// resumed is a lane that goes on where the group is, as far as that is still there, or else at start. One that goes on at the end, because there is nothing to go on
// from, has to tell the group: what comes between this worker and the next one would be before the end then.
func (r *run) resumed(p topic.Partition, start int64, positions map[topic.Partition]broker.Position) *lane {
	was, known := positions[p]
	l := r.newLane(p, r.readers(p.Topic), broker.Position{Offset: max(start, was.Offset), Metadata: was.Metadata})
	l.unsaid = r.set.AutoOffsetReset == "latest" && (!known || was.Offset < start)
	return l
}

// positions are what the group has committed, with what the metadata says of agents. The error is that ctx or the worker ends.
func (r *run) positions(ctx context.Context, ps map[topic.Partition]int64) (map[topic.Partition]broker.Position, error) {
	for {
		all, err := r.recorded(ctx, r.group.Load(), slices.Collect(maps.Keys(ps)))
		if err == nil {
			return all, nil
		}
		if r.soft.Err() != nil || !sleepUntil(ctx, time.Now().Add(resetPause)) {
			return nil, err
		}
		r.log.Warn("places of agents not read, it is tried again", "err", err)
	}
}

// begin starts lanes, those that have tables once these are recovered, and all of them once global tables are here as they were at the start.
func (r *run) begin(lanes []*lane) {
	var ready, waiting []*lane
	unknown := r.state.unknown() > 0
	for _, l := range lanes {
		if len(l.tables) == 0 && !unknown {
			ready = append(ready, l)
		} else {
			waiting = append(waiting, l)
		}
	}
	r.open(ready)
	if len(waiting) == 0 {
		r.firstAssigned()
		return
	}
	var tables []*holding
	for _, l := range waiting {
		for _, h := range l.tables {
			if !slices.Contains(tables, h) {
				tables = append(tables, h)
			}
		}
	}
	r.inner.Go(func() {
		var all sync.WaitGroup
		all.Go(func() { r.state.tellForgotten(tables) })
		for _, l := range waiting {
			all.Go(func() {
				whole := r.state.recoverAll(l.tables)
				if r.state.awaitGlobals(l.ctx); whole {
					r.open([]*lane{l})
				}
			})
		}
		all.Wait()
		r.firstAssigned()
	})
}

// open starts the processors of lanes and begins to fetch.
func (r *run) open(lanes []*lane) {
	lanes = slices.DeleteFunc(lanes, func(l *lane) bool { return !r.startLane(l) })
	r.fetch.open(lanes, r.group.Load())
}

// revoked ends the processors of partitions that go to another worker, and commits what they have settled.
func (r *run) revoked(ctx context.Context, ps []topic.Partition) {
	lanes, list := r.remove(ps)
	if !drainLanes(lanes, rebalanceBudget*3/4, rebalanceBudget/8, errRevoked) {
		r.log.Warn("agents still busy with revoked partitions", "waiting", waitingLanes(lanes))
	}
	ctx, cancel := context.WithTimeout(ctx, rebalanceBudget/8)
	defer cancel()
	if err := r.commitLast(ctx, lanes); err != nil {
		r.log.Warn("offsets of revoked partitions not committed", "err", err)
	}
	r.close(lanes)
	r.partitionHooks("partitions_revoked", r.app.Hooks.PartitionsRevoked, list)
}

// lost ends the processors of partitions that belong to somebody else already. Nothing of them is committed.
func (r *run) lost(_ context.Context, ps []topic.Partition) {
	lanes, list := r.remove(ps)
	r.state.writer.fence()
	r.close(lanes)
	if !drainLanes(lanes, lostBudget*3/4, lostBudget/4, errRevoked) {
		r.log.Warn("agents still busy with lost partitions", "waiting", waitingLanes(lanes))
	}
	r.partitionHooks("partitions_revoked", r.app.Hooks.PartitionsRevoked, list)
}

// remove takes partitions out of the dispatch and ends leadership if it goes with them.
func (r *run) remove(ps []topic.Partition) (gone []*lane, list []topic.Partition) {
	r.metrics.rebalances.Inc()
	lead := false
	r.fetch.change(func(lanes map[topic.Partition]*lane) {
		for _, p := range ps {
			if r.leader.is(p) {
				lead = true
				continue
			}
			if l := lanes[p]; l != nil {
				delete(lanes, p)
				gone, list = append(gone, l), append(list, p)
			}
		}
	})
	if lead {
		r.leader.lose()
	}
	r.count(gone)
	return gone, list
}

// close makes sure that nothing of the lanes is committed from now on, and forgets them.
func (r *run) close(lanes []*lane) {
	for _, l := range lanes {
		l.gone.Store(true)
	}
	r.stage <- struct{}{} // a commit that is under way ends first
	<-r.stage
	r.count(lanes)
	for _, l := range lanes {
		r.report.forget(l.partition)
		r.clocks.leave(l)
		r.state.leave(l.tables)
	}
}

func waitingLanes(lanes []*lane) (list []string) {
	for _, l := range lanes {
		list = append(list, l.waiting()...)
	}
	return list
}

// partitionHooks runs the hooks of an event as a task, in order with those of earlier events.
func (r *run) partitionHooks(name string, hooks []func(context.Context, []topic.Partition) error, ps []topic.Partition) {
	if len(hooks) == 0 || len(ps) == 0 {
		return
	}
	r.hooks.add(func(ctx context.Context) {
		for _, hook := range hooks {
			r.report.task(ctx, name, hook(ctx, ps))
		}
	})
}

// usesLeader tells whether anything of the app runs on the leader only.
func usesLeader(a *app.App) bool {
	for _, t := range a.Tasks {
		if t.OnLeader {
			return true
		}
	}
	for _, t := range a.Timers {
		if t.OnLeader {
			return true
		}
	}
	return false
}

// leaderTopic is the topic whose one partition makes its owner the leader.
func leaderTopic(a *app.App) topic.Topic {
	return topic.Topic{Name: a.Settings.Internal("leader"), Partitions: 1, Internal: true}
}
