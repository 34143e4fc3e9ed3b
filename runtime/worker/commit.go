package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"faust/runtime/broker"
	"faust/runtime/topic"
)

// commitLoop commits every interval until ctx ends.
func (r *run) commitLoop(ctx context.Context) error {
	interval := r.set.CommitInterval
	if interval <= 0 {
		interval = time.Second
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-r.state.hurry:
		case <-ctx.Done():
			return nil
		}
		lanes := r.fetch.snapshot()
		if err := r.commit(ctx, lanes); err != nil && ctx.Err() == nil {
			if hopeless(err) {
				return err
			}
			if r.exact == nil {
				r.log.Warn("offsets not committed, it is tried again", "err", err)
				continue
			}
			r.log.Warn("transaction not committed, its events are done again", "err", err)
			if err := r.mend(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// commit runs the verbs for the lanes: Seal, Flush, Commit, Checkpoint. A rebalance in between is no error: the next owner goes on from what was
// committed before. One commit at a time.
func (r *run) commit(ctx context.Context, lanes []*lane) error {
	if err := r.hold(ctx); err != nil {
		return err
	}
	defer r.release()
	if r.exact != nil {
		return r.exact.commit(ctx, lanes)
	}
	begun := time.Now()
	// Seal: the offsets first. What an event below them sent was handed over before, so it belongs to the epoch that is closed next, and what it
	// wrote to tables is settled.
	positions := map[*lane]broker.Position{}
	for _, l := range lanes {
		if pos, ok, err := l.position(); err != nil {
			return err
		} else if ok && !l.gone.Load() {
			positions[l] = pos
		}
	}
	tables := holdings(lanes)
	if !r.moved(positions) && !dirty(tables) {
		return r.state.checkpoint(tables, false)
	}
	if len(tables) > 0 && r.stale() {
		return nil
	}
	if err := r.send(ctx, tables); err != nil {
		return err
	}
	if unwritten(tables) {
		return nil // the next commit seals it again, if the partitions are still here
	}
	err := r.store(ctx, positions)
	switch {
	case err == nil:
		r.metrics.commits.WithLabelValues("stored").Inc()
		r.metrics.commit.Observe(time.Since(begun).Seconds())
		err = r.checkpoint(tables)
	case errors.Is(err, broker.ErrRebalanced):
		r.metrics.commits.WithLabelValues("rebalanced").Inc()
		r.log.Debug("offsets not committed, the group rebalances", "err", err)
		err = nil
	default:
		r.metrics.commits.WithLabelValues("failed").Inc()
	}
	return err
}

// commitLast is commit for lanes that go away: all that was committed of their tables goes into the store, where whoever has them next may be this worker again.
func (r *run) commitLast(ctx context.Context, lanes []*lane) error {
	if err := r.commit(ctx, lanes); err != nil {
		return err
	}
	if err := r.hold(ctx); err != nil {
		return err
	}
	defer r.release()
	return r.state.checkpoint(holdings(lanes), true)
}

// hold takes run.verbs.
func (r *run) hold(ctx context.Context) error {
	select {
	case r.verbs <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// release gives run.verbs back.
func (r *run) release() {
	if x := r.exact; x != nil && x.over.Load() {
		x.broken = true
		x.close()
	}
	<-r.verbs
}

// send is Seal for the shards and the sends of events, and Flush.
func (r *run) send(ctx context.Context, tables []*holding) error {
	if err := r.at(beforeSeal); err != nil {
		return err
	}
	if err := r.state.seal(ctx, tables); err != nil {
		return err
	}
	epoch := r.box.seal()
	if err := r.at(sealed); err != nil {
		return err
	}
	if err := r.box.flush(ctx, epoch); err != nil {
		return err
	}
	return r.at(flushed)
}

// checkpoint is the last verb. It may do nothing yet: what is in the changelog is safe, and one for several commits costs little more than for one.
func (r *run) checkpoint(tables []*holding) error {
	r.state.committed(tables)
	if err := r.at(committed); err != nil {
		return err
	}
	if err := r.state.checkpoint(tables, false); err != nil {
		return err
	}
	return r.at(checkpointed)
}

// Moment is one between two verbs.
type Moment string

const (
	beforeSeal   Moment = "before Seal"
	sealed       Moment = "after Seal"
	flushed      Moment = "after Flush"
	prepared     Moment = "after Offsets" // of a transaction, before its end
	committed    Moment = "after Commit"
	checkpointed Moment = "after Checkpoint"
)

// Moments are those of at-least-once, in order.
func Moments() []Moment { return []Moment{beforeSeal, sealed, flushed, committed, checkpointed} }

// ExactMoments are those of exactly-once.
func ExactMoments() []Moment {
	return []Moment{beforeSeal, sealed, flushed, prepared, committed, checkpointed}
}

// at lets a test end or hold up the worker.
func (r *run) at(m Moment) error {
	if f := r.cfg.Between; f != nil {
		return f(m)
	}
	return nil
}

// session is the session time-out in force.
func (r *run) session() time.Duration { return cmp.Or(r.set.SessionTimeout, 10*time.Second) }

// hopeless tells whether a commit failed for a reason that time does not mend: the sends before it failed, store or changelog cannot be used, or rights are missing.
func hopeless(err error) bool {
	var e *broker.Error
	var sent *sendError
	var disk *StoreError
	var foreign *changelogError
	return errors.As(err, &sent) || errors.As(err, &disk) || errors.As(err, &foreign) || errors.As(err, &e) && (e.Class == broker.Authorization || e.Class == broker.SASL)
}

// moved leaves only the positions that are not committed yet.
func (r *run) moved(positions map[*lane]broker.Position) bool {
	r.stage <- struct{}{}
	defer func() { <-r.stage }()
	maps.DeleteFunc(positions, func(l *lane, pos broker.Position) bool { return !l.news(pos) })
	return len(positions) > 0
}

// news tells whether a position is further than what is committed, for one of the agents at least.
func (l *lane) news(pos broker.Position) bool {
	was := l.committed.Load()
	return l.unsaid || pos.Offset > was || pos.Offset == was && pos.Metadata != l.noted
}

// stored takes note of a position that is committed.
func (l *lane) stored(pos broker.Position) {
	l.committed.Store(pos.Offset)
	l.noted, l.unsaid = pos.Metadata, false
}

// store commits positions of lanes that are still ours. It is in line with the callbacks: once a lane is gone and its callback had the
// stage, no commit of it is under way.
func (r *run) store(ctx context.Context, positions map[*lane]broker.Position) error {
	select {
	case r.stage <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-r.stage }()
	list := map[topic.Partition]broker.Position{}
	for l, pos := range positions {
		if !l.gone.Load() && l.news(pos) {
			list[l.partition] = pos
		}
	}
	group := r.group.Load()
	if len(list) == 0 || group == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.session()) // a callback of the group may wait for the stage
	defer cancel()
	if err := group.Commit(ctx, list); err != nil {
		return fmt.Errorf("commit offsets: %w", err)
	}
	for l, pos := range positions {
		l.stored(pos)
	}
	return nil
}

// count brings the metrics of lanes up to date.
func (r *run) count(lanes []*lane) {
	for _, l := range lanes {
		for _, p := range l.procs {
			p.count(r.metrics)
		}
	}
}
