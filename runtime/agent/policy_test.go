package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"faust/runtime/topic"
)

// failing is an error with a traceback, and perhaps no hope.
type failing struct {
	text  string
	again bool
}

func (f failing) Error() string     { return f.text }
func (f failing) Traceback() string { return "app.lua:3\n" + f.text }
func (f failing) Retryable() bool   { return f.again }

// failAt is a body that fails at one offset the first n times and echoes everything.
func failAt(offset int64, n int, err error) Body {
	seen := 0
	return each(func(_ *Stream, e *Event) error {
		echo(e, "")
		if e.Offset == offset && seen < n {
			seen++
			return err
		}
		return nil
	})
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	no := failing{"no\nway", true}
	hopeless := failing{"bad json", false}
	retries := RetryPolicy{Attempts: 2, Backoff: []time.Duration{time.Second, time.Minute}, GiveUp: Skip}
	for _, c := range []struct {
		name   string
		policy Policy
		body   Body
		sent   []string // values; a dead letter is marked by its topic
		failed []string
		took   time.Duration
		low    int64
		err    string
	}{
		{name: "none", body: failAt(2, 1, no), sent: []string{"1", "dead:2", "3"}, failed: []string{"2 no\nway action=0 attempt=1"}, low: 4},
		{name: "dead letter", policy: Fixed(DeadLetter), body: failAt(2, 1, no), sent: []string{"1", "dead:2", "3"},
			failed: []string{"2 no\nway action=0 attempt=1"}, low: 4},
		{name: "skip", policy: Fixed(Skip), body: failAt(2, 1, no), sent: []string{"1", "3"}, failed: []string{"2 no\nway action=1 attempt=1"}, low: 4},
		{name: "stop", policy: Fixed(Stop), body: failAt(2, 1, no), sent: []string{"1"}, failed: []string{"2 no\nway action=3 attempt=1"}, low: 2,
			err: "agent orders: event in/2@2: no\nway"},
		{name: "retry that works", policy: retries, body: failAt(2, 2, no), sent: []string{"1", "2", "3"},
			failed: []string{"2 no\nway action=2 attempt=1", "2 no\nway action=2 attempt=2"}, took: 61 * time.Second, low: 4},
		{name: "retry given up", policy: retries, body: failAt(2, 3, no), sent: []string{"1", "3"},
			failed: []string{"2 no\nway action=2 attempt=1", "2 no\nway action=2 attempt=2", "2 no\nway action=1 attempt=3"}, took: 61 * time.Second, low: 4},
		{name: "retry of what is hopeless", policy: retries, body: failAt(2, 9, hopeless), sent: []string{"1", "3"},
			failed: []string{"2 bad json action=1 attempt=1"}, low: 4},
	} {
		bubble(t, c.name, func(t *testing.T) {
			r := start(t, &Definition{Policy: c.policy, Body: c.body})
			begin := time.Now()
			r.Deliver(records(1, 2, 3))
			synctest.Wait()
			for c.err == "" && r.Progress().Low < c.low && time.Since(begin) < time.Hour {
				pass(time.Second)
			}
			if took := time.Since(begin); took != c.took {
				t.Errorf("took %v, want %v", took, c.took)
			}
			if err := r.stop(); err == nil && c.err != "" || err != nil && err.Error() != c.err {
				t.Errorf("error %v, want %q", err, c.err)
			}
			var sent []string
			for i, s := range r.sent {
				v := string(s.Value)
				if s.Topic == "dead" {
					v = "dead:" + v
					if r.causes[i] != nil {
						t.Error("a dead letter must not have a cause: it would be its own dead letter")
					}
				}
				sent = append(sent, v)
			}
			if diff := cmp.Diff(c.sent, sent); diff != "" {
				t.Error("sent", diff)
			}
			if diff := cmp.Diff(c.failed, r.failed); diff != "" {
				t.Error("failed", diff)
			}
			low(t, r.Processor, c.low)
		})
	}
}

func TestRetryPolicyDelays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		policy RetryPolicy
		want   []time.Duration
	}{
		{RetryPolicy{}, nil},
		{RetryPolicy{Attempts: 3, Backoff: []time.Duration{5}}, []time.Duration{5, 5, 5}},
		{RetryPolicy{Attempts: 4, Backoff: []time.Duration{1, 7}}, []time.Duration{1, 7, 7, 7}},
		{RetryPolicy{Attempts: 8}, []time.Duration{1e9, 2e9, 4e9, 8e9, 16e9, 32e9, 60e9, 60e9}},
	} {
		var got []time.Duration
		for attempt := 1; ; attempt++ {
			action, delay := c.policy.Decide(t.Context(), errors.New("x"), nil, attempt)
			if action != Retry {
				break
			}
			got = append(got, delay)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%+v: %s", c.policy, diff)
		}
	}
	if got := backoff(1000, time.Minute); got != time.Minute {
		t.Errorf("backoff overflows: %v", got)
	}
}

func TestDeadLetter(t *testing.T) {
	t.Parallel()
	d := &Definition{Name: "orders", DeadLetter: topic.Topic{Name: "dead"}}
	r := topic.Record{Topic: "in", Partition: 2, Offset: 41, Key: []byte("k"), Value: []byte("v"), Timestamp: 77,
		Headers: []topic.Header{{Key: "mine", Value: []byte("x")}}}
	got := deadLetter(d, &r, fmt.Errorf("outer: %w", failing{text: "no\n  way"}), 3)
	want := topic.Record{Topic: "dead", Partition: topic.Any, Key: []byte("k"), Value: []byte("v"), Timestamp: 77, Headers: []topic.Header{
		{Key: "mine", Value: []byte("x")},
		{Key: "faust-error", Value: []byte("outer: no way")},
		{Key: "faust-traceback", Value: []byte("app.lua:3\nno\n  way")},
		{Key: "faust-agent", Value: []byte("orders")},
		{Key: "faust-topic", Value: []byte("in")},
		{Key: "faust-partition", Value: []byte("2")},
		{Key: "faust-offset", Value: []byte("41")},
		{Key: "faust-app-version", Value: []byte("3")},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	long := deadLetter(d, &r, errors.New(strings.Repeat("é", 1<<20)), 1)
	for _, h := range long.Headers {
		if len(h.Value) > maxTraceback || !utf8.Valid(h.Value) {
			t.Errorf("header %s has %d bytes", h.Key, len(h.Value))
		}
	}
}

func TestRetryIsInterrupted(t *testing.T) {
	t.Parallel()
	bubble(t, "by drain", func(t *testing.T) {
		r := start(t, &Definition{Policy: RetryPolicy{Attempts: 9, Backoff: []time.Duration{time.Hour}}, Body: failAt(1, 9, errors.New("x"))})
		r.Deliver(records(1, 2))
		synctest.Wait()
		begin := time.Now()
		if err := r.stop(); err != nil || time.Since(begin) != 0 {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		low(t, r.Processor, 1)
		if got := r.Progress(); got.Unsettled != 0 || got.Queued != 2 {
			t.Errorf("progress %+v", got)
		}
	})
	bubble(t, "by the context", func(t *testing.T) {
		r := start(t, &Definition{Policy: RetryPolicy{Attempts: 9, Backoff: []time.Duration{time.Hour}}, Body: failAt(1, 9, errors.New("x"))})
		r.Deliver(records(1, 2))
		synctest.Wait()
		begin := time.Now()
		r.cancel()
		if err := <-r.done; !errors.Is(err, context.Canceled) || time.Since(begin) != 0 {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		low(t, r.Processor, 1)
	})
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	bubble(t, "failures in a row", func(t *testing.T) {
		r := start(t, &Definition{Policy: Fixed(Skip), Body: each(func(_ *Stream, e *Event) error {
			if e.Offset == 2 {
				return nil
			}
			return errors.New("x")
		})}, func(cfg *ProcessorConfig) { cfg.MaxFailures = 3 })
		r.Deliver(records(0, 1, 2, 3, 4, 5, 6, 7))
		synctest.Wait()
		low(t, r.Processor, 6)
		if got := r.Progress(); !got.Broken || got.Queued != 2 {
			t.Errorf("progress %+v", got)
		}
		r.Deliver(records(8))
		synctest.Wait()
		low(t, r.Processor, 6)
		if diff := cmp.Diff([]string{"in/2 3 x"}, r.broken); diff != "" {
			t.Error(diff)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	bubble(t, "the agent's own limit", func(t *testing.T) {
		r := start(t, &Definition{MaxFailures: 1, Body: failAt(1, 1, errors.New("x"))}, func(cfg *ProcessorConfig) { cfg.MaxFailures = 3 })
		r.Deliver(records(1, 2))
		synctest.Wait()
		low(t, r.Processor, 2)
	})
	bubble(t, "none", func(t *testing.T) {
		r := start(t, &Definition{Policy: Fixed(Skip), Body: each(func(*Stream, *Event) error { return errors.New("x") })})
		for i := range int64(500) {
			r.Deliver(records(i))
		}
		synctest.Wait()
		low(t, r.Processor, 500)
	})
}

// asking makes a record that is an ask.
func asking(offset int64, more ...topic.Header) []topic.Record {
	rs := records(offset)
	rs[0].Headers = append([]topic.Header{{Key: HeaderReplyTo, Value: []byte("replies")}, {Key: HeaderCorrelation, Value: []byte("c7")}}, more...)
	return rs
}

func TestAsk(t *testing.T) {
	t.Parallel()
	reply := func(value []byte, failure string) topic.Record {
		r := topic.Record{Topic: "replies", Partition: topic.Any, Value: value, Headers: []topic.Header{{Key: HeaderCorrelation, Value: []byte("c7")}}}
		if failure != "" {
			r.Headers = append(r.Headers, topic.Header{Key: HeaderError, Value: []byte(failure)})
		}
		return r
	}
	twice := each(func(_ *Stream, e *Event) error { e.Reply([]byte("a")); e.Reply([]byte("b")); return nil })
	silent := each(func(*Stream, *Event) error { return nil })
	fails := each(func(_ *Stream, e *Event) error { e.Reply([]byte("a")); return errors.New("no") })
	attempts := 0
	second := each(func(_ *Stream, e *Event) error {
		e.Reply([]byte{'0' + byte(attempts)})
		if attempts++; attempts < 2 {
			return errors.New("no")
		}
		return nil
	})
	for _, c := range []struct {
		name    string
		policy  Policy
		body    Body
		headers []topic.Header
		want    []topic.Record
	}{
		{name: "the first answer counts", body: twice, want: []topic.Record{reply([]byte("a"), "")}},
		{name: "no answer is nil", body: silent, want: []topic.Record{reply(nil, "")}},
		{name: "failure", policy: Fixed(Skip), body: fails, want: []topic.Record{reply(nil, "no")}},
		{name: "stop", policy: Fixed(Stop), body: fails, want: []topic.Record{reply(nil, "no")}},
		{name: "retried", policy: RetryPolicy{Attempts: 1, Backoff: []time.Duration{1}}, body: second, want: []topic.Record{reply([]byte("1"), "")}},
		{name: "named", body: silent, headers: []topic.Header{{Key: HeaderAgent, Value: []byte("orders")}}, want: []topic.Record{reply(nil, "")}},
		{name: "of another agent", body: twice, headers: []topic.Header{{Key: HeaderAgent, Value: []byte("other")}}},
	} {
		bubble(t, c.name, func(t *testing.T) {
			r := start(t, &Definition{Policy: c.policy, Body: c.body})
			r.Deliver(asking(1, c.headers...))
			pass(time.Second)
			_ = r.stop()
			if diff := cmp.Diff(c.want, r.sent); diff != "" {
				t.Error(diff)
			}
		})
	}
	bubble(t, "dead letters answer too", func(t *testing.T) {
		r := start(t, &Definition{Body: fails})
		r.Deliver(asking(1))
		synctest.Wait()
		if len(r.sent) != 2 || r.sent[0].Topic != "dead" || r.sent[1].Topic != "replies" {
			t.Errorf("%+v", r.sent)
		}
	})
}

func TestPolicySends(t *testing.T) {
	t.Parallel()
	bubble(t, "what the policy sends goes out, what the event sent does not", func(t *testing.T) {
		r := start(t, &Definition{Policy: decide(func(ev *Event) Action { echo(ev, "alert "); return Skip }), Body: failAt(1, 1, errors.New("x"))})
		r.Deliver(records(1, 2))
		synctest.Wait()
		if diff := cmp.Diff([]string{"alert 1", "2"}, r.values()); diff != "" {
			t.Error(diff)
		}
	})
	bubble(t, "a policy that panics is a dead letter", func(t *testing.T) {
		r := start(t, &Definition{Policy: decide(func(*Event) Action { panic("oh") }), Body: failAt(1, 1, errors.New("x"))})
		r.Deliver(records(1, 2))
		synctest.Wait()
		if len(r.sent) != 2 || r.sent[0].Topic != "dead" {
			t.Errorf("%+v", r.sent)
		}
	})
}

// decide is a Policy of a function.
type decide func(ev *Event) Action

func (d decide) String() string { return "decide" }

func (d decide) Decide(_ context.Context, _ error, ev *Event, _ int) (Action, time.Duration) {
	return d(ev), 0
}

func TestRefused(t *testing.T) {
	t.Parallel()
	no := errors.New("too large")
	for _, c := range []struct {
		name   string
		policy Policy
		sent   []string
		failed string
		err    string
	}{
		{"none", nil, []string{"dead:5"}, "5 too large action=0 attempt=1", ""},
		{"skip", Fixed(Skip), nil, "5 too large action=1 attempt=1", ""},
		{"retry", Fixed(Retry), []string{"dead:5"}, "5 too large action=0 attempt=1", ""},
		{"retries", RetryPolicy{Attempts: 3, GiveUp: Skip}, nil, "5 too large action=1 attempt=1", ""},
		{"stop", Fixed(Stop), nil, "5 too large action=3 attempt=1", "agent orders: event in/2@5: too large"},
		{"alert", decide(func(ev *Event) Action { echo(ev, "alert "); return DeadLetter }), []string{"dead:5", "out:alert 5"}, "5 too large action=0 attempt=1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := &log{}
			d := &Definition{Name: "orders", Policy: c.policy, DeadLetter: topic.Topic{Name: "dead"}}
			cause := &Cause{Agent: d, Record: &records(5)[0]}
			err := cause.Refused(t.Context(), no, ProcessorConfig{Sender: l, Reporter: l})
			if err == nil && c.err != "" || err != nil && (err.Error() != c.err || !errors.Is(err, no)) {
				t.Errorf("error %v", err)
			}
			var sent []string
			for i, s := range l.sent {
				sent = append(sent, s.Topic+":"+string(s.Value))
				if l.causes[i] != nil {
					t.Error("no event is to blame any more")
				}
			}
			if !slices.Equal(sent, c.sent) || !slices.Equal(l.failed, []string{c.failed}) {
				t.Errorf("sent %q failed %q", sent, l.failed)
			}
		})
	}
}
