package worker

import (
	"cmp"
	"context"
	"time"

	"faust/runtime/app"
	"faust/runtime/timer"
)

// maxSleep bounds one wait for a wall-clock time, so that a clock that was set is noticed.
const maxSleep = time.Minute

// fire decides whether a run that was due at a time may take place; leaders ask the group.
type fire func(ctx context.Context, t *app.Timer, due time.Time) bool

// runTimer runs a timer or crontab until ctx ends: its function again and again, never twice at a time. base is where the intervals of a timer
// count from. Runs that were missed, because the function took longer or the worker was not there, are left out, not made up for.
func (r *run) runTimer(ctx context.Context, t *app.Timer, base time.Time, allowed fire) {
	schedule := r.schedule(t, base)
	for due := schedule.Next(time.Now()); !due.IsZero() && sleepUntil(ctx, due); {
		if allowed(ctx, t, due) {
			r.tick(ctx, t)
		}
		next := schedule.Next(due)
		if now := time.Now(); !next.IsZero() && next.Before(now) {
			r.metrics.overruns.WithLabelValues(t.Name).Inc()
			r.log.Warn("timer takes longer than its interval", "timer", t.Name, "took", now.Sub(due).Round(time.Millisecond))
			next = schedule.Next(now.Add(-1)) // due right now is not missed
		}
		due = next
	}
}

// tick runs the function once as a task.
func (r *run) tick(ctx context.Context, t *app.Timer) {
	r.metrics.ticks.WithLabelValues(t.Name).Inc()
	name := "timer " + t.Name
	if t.Every == 0 {
		name = "crontab " + t.Name
	}
	done := make(chan struct{})
	if ctx == r.soft {
		ctx = r.tasks.ctx // a run that has begun is not cut off by the beginning of the stop
	}
	r.tasks.run(ctx, name, func(ctx context.Context) {
		defer close(done)
		r.report.task(ctx, name, t.Run(ctx))
	})
	<-done
}

// schedule is when t is due.
func (r *run) schedule(t *app.Timer, base time.Time) timer.Schedule {
	if t.Every > 0 {
		return timer.Every{Start: base, Interval: t.Every}
	}
	zone := cmp.Or(t.Zone, r.set.Timezone, time.UTC)
	return local{t.Schedule, zone}
}

// local is a schedule in the wall-clock time of a zone.
type local struct {
	schedule timer.Schedule
	zone     *time.Location
}

// Next implements timer.Schedule.
func (l local) Next(t time.Time) time.Time { return l.schedule.Next(t.In(l.zone)) }

// sleepUntil waits until the wall clock shows t. false: ctx ended.
func sleepUntil(ctx context.Context, t time.Time) bool {
	for {
		left := time.Until(t)
		if left <= 0 {
			return ctx.Err() == nil
		}
		wait := time.NewTimer(min(left, maxSleep))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return false
		}
	}
}
