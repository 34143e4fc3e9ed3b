package worker

import (
	"context"
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
		SessionTimeout: r.set.SessionTimeout,
		Heartbeat:      min(time.Second, r.set.SessionTimeout/3),
		Assigned:       r.assigned,
		Revoked:        r.revoked,
		Lost:           r.lost,
	}
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
func (r *run) assigned(_ context.Context, ps map[topic.Partition]int64) {
	select {
	case <-r.joined: // the callback may come before join has stored the group
	case <-r.soft.Done():
		return
	}
	defer r.firstAssigned()
	r.keepMember()
	if r.soft.Err() != nil || len(ps) == 0 {
		return
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
			l := r.newLane(p, r.readers(p.Topic), offset)
			lanes[p] = l
			fresh = append(fresh, l)
			list = append(list, p)
		}
	})
	for _, l := range fresh {
		r.startLane(l)
	}
	r.group.Load().Resume(list...)
	if lead {
		r.leader.gain()
	}
	r.partitionHooks("partitions_assigned", r.app.Hooks.PartitionsAssigned, list)
}

// revoked ends the processors of partitions that go to another worker, and commits what they have settled.
func (r *run) revoked(ctx context.Context, ps []topic.Partition) {
	lanes, list := r.remove(ps)
	if !drainLanes(lanes, rebalanceBudget*3/4, rebalanceBudget/8, errRevoked) {
		r.log.Warn("agents still busy with revoked partitions", "waiting", waitingLanes(lanes))
	}
	ctx, cancel := context.WithTimeout(ctx, rebalanceBudget/8)
	defer cancel()
	if err := r.commit(ctx, lanes); err != nil {
		r.log.Warn("offsets of revoked partitions not committed", "err", err)
	}
	r.close(lanes)
	r.partitionHooks("partitions_revoked", r.app.Hooks.PartitionsRevoked, list)
}

// lost ends the processors of partitions that belong to somebody else already. Nothing of them is committed.
func (r *run) lost(_ context.Context, ps []topic.Partition) {
	lanes, list := r.remove(ps)
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
