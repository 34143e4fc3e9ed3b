package worker

import (
	"context"
	"time"

	"faust/runtime/app"
)

// maxSleep bounds one wait for a wall-clock time, so that a clock that was set is noticed.
const maxSleep = time.Minute

// fire decides whether a run that was due at a time may take place; leaders ask the group.
type fire func(ctx context.Context, t *app.Timer, due time.Time) bool

// runTimer runs a timer or crontab until ctx ends: its function again and again, never twice at a time. base is where the intervals of a timer
// count from. Runs that were missed, because the function took longer or the worker was not there, are left out, not made up for.
func (r *run) runTimer(ctx context.Context, t *app.Timer, base time.Time, allowed fire) {
	for due := r.firstDue(t, base); ; {
		if due.IsZero() || !sleepUntil(ctx, due) {
			return
		}
		if allowed(ctx, t, due) {
			r.tick(ctx, t)
		}
		next := r.nextDue(t, due)
		if missed := time.Since(next); missed > 0 && !next.IsZero() {
			next = r.skip(t, next)
			r.metrics.overruns.WithLabelValues(t.Name).Inc()
			r.log.Warn("timer takes longer than its interval", "timer", t.Name, "took", time.Since(due).Round(time.Millisecond), "late", missed.Round(time.Millisecond))
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

// firstDue is the first instant after now at which t is due, for a timer counted in intervals from base.
func (r *run) firstDue(t *app.Timer, base time.Time) time.Time {
	if t.Every > 0 {
		return r.skip(t, base.Add(t.Every))
	}
	return r.nextDue(t, time.Now())
}

// nextDue is the instant after due.
func (r *run) nextDue(t *app.Timer, due time.Time) time.Time {
	if t.Every > 0 {
		return due.Add(t.Every)
	}
	zone := t.Zone
	if zone == nil {
		zone = r.set.Timezone
	}
	if zone == nil {
		zone = time.UTC
	}
	return t.Schedule.Next(due.In(zone))
}

// skip gives the first instant at or after next that is not past.
func (r *run) skip(t *app.Timer, next time.Time) time.Time {
	if t.Every == 0 {
		if late := time.Since(next); late > 0 {
			return r.nextDue(t, time.Now())
		}
		return next
	}
	if late := time.Since(next); late > 0 {
		next = next.Add((late + t.Every - 1) / t.Every * t.Every)
	}
	return next
}

// sleepUntil waits until the wall clock shows t. false: ctx ended.
func sleepUntil(ctx context.Context, t time.Time) bool {
	for {
		left := time.Until(t)
		if left <= 0 {
			return ctx.Err() == nil
		}
		timer := time.NewTimer(min(left, maxSleep))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}
