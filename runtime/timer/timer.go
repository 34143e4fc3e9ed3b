// Package timer computes when things run: every so often, or by a crontab expression. It is pure: it asks no clock and starts nothing.
package timer

import "time"

// Schedule gives the first instant after t at which something is due. The zero time: never again.
type Schedule interface {
	Next(t time.Time) time.Time
}

// Every is due at Start + Interval, Start + 2 Interval and so on, however long a run takes: it does not drift. Interval must be positive.
type Every struct {
	Start    time.Time
	Interval time.Duration
}

var _ Schedule = Every{}

// Next gives the first tick after t.
func (e Every) Next(t time.Time) time.Time {
	passed := t.Sub(e.Start)
	if passed < 0 {
		return e.Start.Add(e.Interval)
	}
	return e.Start.Add((passed/e.Interval + 1) * e.Interval)
}

// After gives the tick to wait for when the one that was due has run until now, and how many passed meanwhile: they are left
// out, so that nothing piles up. A tick that falls on now is not missed.
func (e Every) After(due, now time.Time) (next time.Time, missed int) {
	next = e.Next(due)
	if late := now.Sub(next); late > 0 {
		n := (late + e.Interval - 1) / e.Interval
		return next.Add(n * e.Interval), int(n)
	}
	return next, 0
}
