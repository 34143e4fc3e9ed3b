package agent

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Fixed is the Policy that answers every failure with the same action.
type Fixed Action

// Decide gives the action.
func (f Fixed) Decide(context.Context, error, *Event, int) (Action, time.Duration) {
	return Action(f), 0
}

// String gives the action's word.
func (f Fixed) String() string { return Action(f).String() }

// String gives the word of on_error.
func (a Action) String() string {
	switch a {
	case Skip:
		return "skip"
	case Retry:
		return "retry"
	case Stop:
		return "stop"
	default:
		return "dead_letter"
	}
}

// RetryPolicy tries an event again a number of times and then gives it up. The zero value gives up at once, to dead letters.
type RetryPolicy struct {
	Attempts int             // retries after the first failure
	Backoff  []time.Duration // delays before the retries, the last one repeats; none: 1 s, doubling up to 1 min
	GiveUp   Action          // DeadLetter, Skip or Stop
}

// Decide retries until Attempts are used up. An error that says by `Retryable() bool` that it is none (a message that cannot be
// decoded) is given up at once.
func (p RetryPolicy) Decide(_ context.Context, err error, _ *Event, attempt int) (Action, time.Duration) {
	var hopeless interface{ Retryable() bool }
	if attempt > p.Attempts || errors.As(err, &hopeless) && !hopeless.Retryable() {
		return p.GiveUp, 0
	}
	return Retry, p.delay(attempt)
}

// String tells how often and what then.
func (p RetryPolicy) String() string {
	times := "once"
	if p.Attempts != 1 {
		times = strconv.Itoa(p.Attempts) + " times"
	}
	return "retry " + times + ", then " + p.GiveUp.String()
}

func (p RetryPolicy) delay(attempt int) time.Duration {
	if n := len(p.Backoff); n > 0 {
		return p.Backoff[min(attempt, n)-1]
	}
	return backoff(attempt, time.Minute)
}

// backoff doubles from one second up to a limit; n counts from 1.
func backoff(n int, limit time.Duration) time.Duration {
	if n > 30 {
		return limit
	}
	return min(time.Second<<(max(n, 1)-1), limit)
}

// traceback is what the error knows of where it happened, else its text.
func traceback(err error) string {
	var t interface{ Traceback() string }
	if errors.As(err, &t) {
		return bounded(t.Traceback(), maxTraceback)
	}
	return bounded(err.Error(), maxTraceback)
}

// bounded cuts s to at most n bytes, between two characters.
func bounded(s string, n int) string {
	const mark = "…"
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-len(mark)], "") + mark
}
