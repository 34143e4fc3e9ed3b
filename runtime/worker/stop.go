package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// When Waiting is called during a stop: the first time, and from then on.
const (
	firstWaiting = 2 * time.Second
	nextWaiting  = 5 * time.Second
)

// minRest is what later steps of a stop get even when the earlier ones used the whole grace.
const minRest = time.Second

// stop ends everything in order: fetching, actors, last commit, membership, tasks, pages, connection. Each step has what is left of the grace;
// what does not end is cancelled, and named if it does not end then.
func (r *run) stop() error {
	deadline := time.Now().Add(r.set.Grace)
	r.mu.Lock()
	r.stopping = true
	r.mu.Unlock()
	r.log.Info("worker stops", "app", r.set.GroupID())
	over := make(chan struct{})
	told := make(chan struct{})
	go func() { defer close(told); r.tellWaiting(over) }()

	left := func() time.Duration { return max(time.Until(deadline), minRest) }
	lanes := r.fetch.all()
	ended := drainLanes(lanes, left()*3/4, left()/8, errGrace)
	var stuck []string
	if !ended {
		stuck = waitingLanes(lanes) // leaving the group forgets them
	}
	r.kill(errGrace)
	r.leave(left)

	ctx, cancel := context.WithTimeout(context.Background(), left())
	defer cancel()
	r.mu.Lock()
	r.joining = true
	r.mu.Unlock()
	r.api.Close()     // a console would wait for what does not come any more
	r.hooks.wait(ctx) // partitions_revoked
	r.tasks.cancel(errStopping)
	if r.tasks.join(ctx) != nil {
		ended = false
		stuck = append(stuck, r.tasks.waiting()...)
	}
	r.finder.Close()
	r.site.close()
	r.door.close()
	if err := r.outage.explains(r.link.flush(ctx)); err != nil {
		r.guard(fmt.Errorf("flush: %w", err))
	}
	if !ended {
		r.log.Error("stopped without waiting any longer", "waiting", stuck)
		r.log.Error("where tasks stand", "dump", r.dump())
	}
	if r.exact != nil {
		r.exact.end(ctx)
	}
	r.link.close(ctx)
	r.state.close()
	if r.slot != nil {
		r.slot.close()
	}
	close(over)
	<-told
	if ended {
		r.inner.Wait()
	}
	return r.result(stuck)
}

// leave commits what is settled and leaves the group.
func (r *run) leave(left func() time.Duration) {
	group := r.group.Load()
	if group == nil {
		return
	}
	lanes := r.fetch.snapshot()
	r.count(r.fetch.all())
	ctx, cancel := context.WithTimeout(context.Background(), left())
	defer cancel()
	if err := r.outage.explains(r.commitLast(ctx, lanes)); errors.Is(err, errReset) {
		r.log.Warn("stopped after a transaction that was not committed, its events are done again by the next worker")
	} else if err != nil {
		r.guard(fmt.Errorf("last commit: %w", err))
		for _, l := range lanes {
			l.gone.Store(true) // it is not tried again when the partitions are given back
		}
	}
	ctx, cancel = context.WithTimeout(context.Background(), left()) // the commit may have used it up
	defer cancel()
	if err := group.Leave(ctx); err != nil {
		r.log.Warn("group not left", "err", err)
		return
	}
	if r.slot != nil {
		if err := r.slot.keep(""); err != nil {
			r.log.Warn("member id not removed", "err", err)
		}
	}
}

// result is what Run gives back.
func (r *run) result(stuck []string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reason == nil && stuck != nil {
		return fmt.Errorf("stop: still running after %s: %s", r.set.Grace, strings.Join(stuck, ", "))
	}
	return r.reason
}

// waiting names what a stop waits for.
func (r *run) waiting() []string {
	list := waitingLanes(r.fetch.all())
	r.mu.Lock()
	joining := r.joining
	r.mu.Unlock()
	if joining {
		list = append(list, r.tasks.waiting()...)
	}
	return list
}

// tellWaiting calls the event when the stop takes long.
func (r *run) tellWaiting(over <-chan struct{}) {
	timer := time.NewTimer(firstWaiting)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			timer.Reset(nextWaiting)
		case <-over:
			return
		}
		if list := r.waiting(); len(list) > 0 && r.cfg.Events.Waiting != nil {
			r.cfg.Events.Waiting(list)
		}
	}
}
