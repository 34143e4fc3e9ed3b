package worker

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"faust/runtime/agent"
	"faust/runtime/broker"
	"faust/runtime/topic"
)

// grow gives a topic more partitions.
func (w *world) grow(name string, to int) {
	w.t.Helper()
	resp, err := w.admin.UpdatePartitions(w.t.Context(), to, name)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// A topic that gets partitions stops the agents that use a table of its keys: the rest goes on, offsets stay, nothing is a dead letter. A worker that starts then says
// what goes on.
func TestTopicThatGrows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		to   int
		asks bool // an event finds that its key is elsewhere before anybody looked
	}{"more": {6, false}, "found by an event": {6, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, w *world) {
				w.ensure("in", 4)
				a, def := summing()
				var others seen
				reads(a, "other", "in", each(func(_ context.Context, ev *agent.Event) error { others.add(ev.Value); return nil }))
				if c.asks {
					a.Agents[0].Body = each(func(ctx context.Context, ev *agent.Event) error {
						if strings.HasPrefix(string(ev.Value), "9") {
							if err := a.Runtime().Moved(ctx, def); err != nil {
								return err
							}
						}
						return add(a, def, ev, bucket(ev.Value), 1)
					})
				}
				def.Agents = []string{"sum"}
				r := w.start(a).operational()
				run := r.worker.current.Load()
				w.produce("in", 4, 0, 80)
				w.settled("sums", 80)
				w.grow("in", c.to)
				if !c.asks {
					eventually(t, "it is noticed", func() bool { return len(run.report.reasons()) >= 4 })
				}
				w.produce("in", 4, 90, 10)
				eventually(t, "it is told", func() bool { return len(run.report.reasons()) >= 4 })
				for _, why := range run.report.reasons() {
					if !strings.Contains(why, "agent sum, in/") || !strings.Contains(why, "topic in has 6 partitions now, and table totals has 4: keys are in other places") {
						t.Error(why)
					}
				}
				eventually(t, "the other agent goes on", func() bool { return others.distinct() == 90 })
				fresh, err := broker.Open(t.Context(), w.cfg)
				if err != nil {
					t.Fatal(err)
				}
				defer fresh.Close()
				fresh.Produce(t.Context(), &topic.Record{Topic: "in", Partition: 5, Value: []byte("17")}, func(_ topic.Record, err error) {
					if err != nil {
						t.Error(err)
					}
				})
				<-time.After(20 * time.Minute) // the group learns of it
				same(t, "in the table", heldBy(t, r, def), want(80))
				w.settled("sums", 80)
				if n := w.length(def.Changelog.Name); n == 0 || w.length("sums-sum-dead-letter") != 0 {
					t.Errorf("%d records in the changelog", n)
				}
				if err := r.stop(); err != nil {
					t.Error(err)
				}
				a, _ = summing()
				a.Topics[0].Partitions = 0
				err = w.start(a).end()
				if want := fmt.Sprintf("topic in has %d partitions, and table totals has 4, those of its changelog sums-totals-changelog", c.to); err == nil ||
					!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "app.configure { version = 2 }") {
					t.Error(err)
				}
			})
		})
	}
}

// A changelog that is deleted under a worker ends it, whether it writes or not, and whether there is a new one of that name or not.
func TestChangelogThatGoes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ writes, anew bool }{"while it writes": {true, false}, "while it is idle": {false, false}, "made anew": {true, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, w *world) {
				w.ensure("in", 4)
				a, def := summing()
				r := w.start(a).operational()
				w.produce("in", 4, 0, 40)
				w.settled("sums", 40)
				if err := w.client.Delete(t.Context(), def.Changelog.Name); err != nil {
					t.Fatal(err)
				}
				if c.anew {
					w.ensure(def.Changelog.Name, 4)
				}
				if c.writes {
					w.produce("in", 4, 40, 40)
				}
				err := r.end()
				if err == nil || !strings.Contains(err.Error(), "changelog sums-totals-changelog: the topic was deleted while the worker ran") {
					t.Errorf("ended with %v", err)
				}
			})
		})
	}
}
