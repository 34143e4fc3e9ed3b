package agent

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"faust/runtime/topic"
)

// Fixed is the Policy that answers every failure with the same action.
type Fixed Action

// Decide gives the action.
func (f Fixed) Decide(context.Context, error, *Event, int) (Action, time.Duration) {
	return Action(f), 0
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

// Limits of what a dead letter carries beside the record, in bytes: headers count for the broker's maximum message size.
const (
	maxErrorText = 1 << 10
	maxTraceback = 8 << 10
)

// deadLetter makes the record that goes to d's dead-letter topic: r with the headers that say what happened to it.
func deadLetter(d *Definition, r *topic.Record, err error, version int) topic.Record {
	add := []topic.Header{
		{Key: HeaderError, Value: []byte(errorText(err))},
		{Key: HeaderTraceback, Value: []byte(traceback(err))},
		{Key: HeaderAgent, Value: []byte(d.Name)},
		{Key: HeaderTopic, Value: []byte(r.Topic)},
		{Key: HeaderPartition, Value: strconv.AppendInt(nil, int64(r.Partition), 10)},
		{Key: HeaderOffset, Value: strconv.AppendInt(nil, r.Offset, 10)},
		{Key: HeaderAppVersion, Value: strconv.AppendInt(nil, int64(version), 10)},
	}
	return topic.Record{
		Topic: d.DeadLetter.Name, Partition: topic.Any,
		Key: r.Key, Value: r.Value, Timestamp: r.Timestamp,
		Headers: append(append(make([]topic.Header, 0, len(r.Headers)+len(add)), r.Headers...), add...),
	}
}

// errorText is err on one line of bounded length.
func errorText(err error) string {
	return bounded(strings.Join(strings.Fields(err.Error()), " "), maxErrorText)
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
