package worker

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"faust/runtime/agent"
)

// What was consumed of a passing topic is deleted, and nothing else.
func TestSweep(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("sweeps")
		declare(a, 4, "in", "stays")
		a.Topics[0].Passing = true
		stuck := make(chan struct{})
		reads(a, "pass", "in", each(func(ctx context.Context, ev *agent.Event) error {
			if string(ev.Value) == "50" { // in partition 2
				select {
				case <-stuck:
				case <-ctx.Done():
				}
			}
			return nil
		}))
		reads(a, "stay", "stays", each(func(context.Context, *agent.Event) error { return nil }))
		w.ensure("in", 4)
		w.ensure("stays", 4)
		w.produce("in", 4, 0, 100)
		w.produce("stays", 4, 0, 100)
		r := w.start(a).operational()
		<-time.After(2 * sweepInterval)
		for name, want := range map[string][]int64{"in": {25, 25, 12, 25}, "stays": {0, 0, 0, 0}} {
			spans, err := w.client.Spans(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			for id, first := range want {
				if got := spans[int32(id)]; got.First != first || got.End != 25 {
					t.Errorf("%s/%d is %+v, want it to begin at %d", name, id, got, first)
				}
			}
		}
		close(stuck)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// A passing topic is read from its beginning, whatever the app wants of others: what was sent on before its reader's first commit is not lost.
func TestPassingTopicIsReadWhole(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("whole")
		a.Settings.AutoOffsetReset = "latest"
		declare(a, 4, "in", "other")
		a.Topics[0].Passing = true
		var passed, others atomic.Int64
		reads(a, "pass", "in", each(func(context.Context, *agent.Event) error { passed.Add(1); return nil }))
		reads(a, "other", "other", each(func(context.Context, *agent.Event) error { others.Add(1); return nil }))
		for _, name := range []string{"in", "other"} {
			w.ensure(name, 4)
			w.produce(name, 4, 0, 40)
		}
		r := w.start(a).operational()
		<-time.After(10 * time.Second)
		if passed.Load() != 40 || others.Load() != 0 {
			t.Errorf("%d records passed, %d of the topic that begins at its end", passed.Load(), others.Load())
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}
