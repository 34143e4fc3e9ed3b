package worker

import (
	"context"
	"errors"
	"fmt"
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
		case <-ctx.Done():
			return nil
		}
		lanes := r.fetch.snapshot()
		r.count(append(lanes, r.channels...))
		if err := r.commit(ctx, lanes); err != nil && ctx.Err() == nil {
			if hopeless(err) {
				return err
			}
			r.log.Warn("offsets not committed, it is tried again", "err", err)
		}
	}
}

// commit runs the verbs for the lanes: Seal, Flush, Commit. A rebalance in between is no error: the next owner goes on from what was
// committed before.
func (r *run) commit(ctx context.Context, lanes []*lane) error {
	begun := time.Now()
	// Seal: the offsets first. What an event below them sent was handed over before, so it belongs to the epoch that is closed next.
	offsets := map[*lane]int64{}
	for _, l := range lanes {
		if low, ok := l.committable(); ok && !l.gone.Load() {
			offsets[l] = low
		}
	}
	if !r.moved(offsets) {
		return nil
	}
	epoch := r.box.seal()
	if err := r.box.flush(ctx, epoch); err != nil {
		return err
	}
	err := r.store(ctx, offsets)
	switch {
	case err == nil:
		r.metrics.commits.WithLabelValues("stored").Inc()
		r.metrics.commit.Observe(time.Since(begun).Seconds())
	case errors.Is(err, broker.ErrRebalanced):
		r.metrics.commits.WithLabelValues("rebalanced").Inc()
		r.log.Debug("offsets not committed, the group rebalances", "err", err)
		err = nil
	default:
		r.metrics.commits.WithLabelValues("failed").Inc()
	}
	return err
}

// hopeless tells whether a commit failed for a reason that time does not mend: the sends before it failed, or rights are missing.
func hopeless(err error) bool {
	var e *broker.Error
	var sent *sendError
	return errors.As(err, &sent) || errors.As(err, &e) && (e.Class == broker.Authorization || e.Class == broker.SASL)
}

// moved leaves only the offsets that are not committed yet.
func (r *run) moved(offsets map[*lane]int64) bool {
	r.stage <- struct{}{}
	defer func() { <-r.stage }()
	for l, low := range offsets {
		if low <= l.committed {
			delete(offsets, l)
		}
	}
	return len(offsets) > 0
}

// store commits offsets of lanes that are still ours. It is in line with the callbacks: once a lane is gone and its callback had the
// stage, no commit of it is under way.
func (r *run) store(ctx context.Context, offsets map[*lane]int64) error {
	select {
	case r.stage <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-r.stage }()
	list := map[topic.Partition]int64{}
	for l, low := range offsets {
		if !l.gone.Load() && low > l.committed {
			list[l.partition] = low
		}
	}
	group := r.group.Load()
	if len(list) == 0 || group == nil {
		return nil
	}
	limit := r.set.SessionTimeout // a callback of the group may wait for the stage
	if limit <= 0 {
		limit = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := group.Commit(ctx, list, ""); err != nil {
		return fmt.Errorf("commit offsets: %w", err)
	}
	for l, low := range offsets {
		l.committed = max(l.committed, low)
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
