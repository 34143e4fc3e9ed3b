// Package timer computes when things run: every so often, or by a crontab expression. It is pure: it asks no clock and starts nothing.
package timer

import "time"

// Schedule gives the first instant after t at which something is due. The zero time: never again.
type Schedule interface {
	Next(t time.Time) time.Time
}
