package worker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/topic"
)

// brokenAndQuick declares two agents of the topic in, of which the slow one fails from offset 10 on.
func brokenAndQuick(a *app.App, slow, quick *seen) {
	a.Settings.MaxFailures = 5
	declare(a, 1, "in")
	reads(a, "slow", "in", each(func(_ context.Context, ev *agent.Event) error {
		if ev.Offset >= 10 {
			return errors.New("not yet")
		}
		slow.add(ev.Value)
		return nil
	}))
	notesIn(a, "quick", quick)
}

// notesIn declares an agent of the topic in that notes what it gets.
func notesIn(a *app.App, name string, s *seen) {
	reads(a, name, "in", each(func(_ context.Context, ev *agent.Event) error { s.add(ev.Value); return nil }))
}

// The slow one of two agents is taken out of the script: the other one goes on where it was.
func TestSlowAgentIsRemoved(t *testing.T) {
	t.Parallel()
	inBoth(t, func(t *testing.T, w *world, promise func(*app.App) *app.App) {
		var slow, quick seen
		a := promise(newApp("removed"))
		brokenAndQuick(a, &slow, &quick)
		w.ensure("in", 1)
		w.produce("in", 1, 0, 100)
		r := w.start(a).operational()
		eventually(t, "the other agent goes on", func() bool { return quick.total() == 100 })
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		a = promise(newApp("removed"))
		declare(a, 1, "in")
		notesIn(a, "quick", &quick)
		r = w.start(a).operational()
		w.produce("in", 1, 100, 10)
		eventually(t, "it goes on", func() bool { return quick.distinct() == 110 })
		eventually(t, "all is committed", func() bool {
			at, text := w.committed("removed", topic.Partition{Topic: "in"})
			return at == 110 && text == ""
		})
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if n := quick.total(); n != 110 {
			t.Errorf("%d things were done for 110 records", n)
		}
	})
}

// A group that began at the end goes on from there, also where nothing came: what comes between two workers is read.
func TestLatestIsWhereItBegan(t *testing.T) {
	t.Parallel()
	inBoth(t, func(t *testing.T, w *world, promise func(*app.App) *app.App) {
		var done seen
		build := func() *app.App {
			a := promise(newApp("latest"))
			a.Settings.AutoOffsetReset = "latest"
			declare(a, 2, "in")
			notesIn(a, "work", &done)
			return a
		}
		w.ensure("in", 2)
		w.produce("in", 2, 0, 10)
		r := w.start(build()).operational()
		<-time.After(5 * time.Second)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		w.produce("in", 2, 10, 10)
		r = w.start(build()).operational()
		<-time.After(5 * time.Second)
		if n := done.total(); n != 10 {
			t.Errorf("%d of 10 records were read that came while no worker was there", n)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// The slow one of two agents needs what is deleted already: it goes on with the first record there is, and the other one where it was.
func TestSlowAgentIsOvertakenByRetention(t *testing.T) {
	t.Parallel()
	for _, reset := range []string{"earliest", "latest"} {
		inBoth(t, func(t *testing.T, w *world, promise func(*app.App) *app.App) {
			var slow, quick seen
			build := func(s *seen) *app.App {
				a := promise(newApp("overtaken"))
				a.Settings.AutoOffsetReset = reset
				brokenAndQuick(a, s, &quick)
				return a
			}
			w.ensure("in", 1)
			r := w.start(build(&slow)).operational()
			w.produce("in", 1, 0, 100)
			eventually(t, "the other agent goes on", func() bool { return quick.total() == 100 })
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			w.produce("in", 1, 100, 20)
			if err := w.client.DeleteRecords(t.Context(), map[topic.Partition]int64{{Topic: "in"}: 50}); err != nil {
				t.Fatal(err)
			}
			a := promise(newApp("overtaken"))
			a.Settings.AutoOffsetReset = reset
			declare(a, 1, "in")
			notesIn(a, "slow", &slow)
			notesIn(a, "quick", &quick)
			r = w.start(a).operational()
			<-time.After(10 * time.Second)
			if n, all := quick.total(), quick.distinct(); n != 120 || all != 120 {
				t.Errorf("%s: the other agent got %d of 120 records, %d times", reset, all, n)
			}
			if n := slow.total(); n != 80 {
				t.Errorf("%s: the slow agent got %d records of 10 and 70", reset, n)
			}
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// What a paused agent missed is deleted in part before it is resumed: it gets what is left.
func TestPausedAgentIsOvertakenByRetention(t *testing.T) {
	t.Parallel()
	for _, reset := range []string{"earliest", "latest"} {
		inBoth(t, func(t *testing.T, w *world, promise func(*app.App) *app.App) {
			var left, right seen
			a := promise(newApp("missed"))
			a.Settings.AutoOffsetReset = reset
			declare(a, 1, "in")
			notesIn(a, "left", &left)
			notesIn(a, "right", &right)
			w.ensure("in", 1)
			r := w.start(a).operational()
			panel := r.worker.Control()
			w.produce("in", 1, 0, 10)
			eventually(t, "both have all", func() bool { return left.total() == 10 && right.total() == 10 })
			if err := panel.Pause("left"); err != nil {
				t.Fatal(err)
			}
			w.produce("in", 1, 10, 90)
			eventually(t, "the other goes on", func() bool { return right.total() == 100 })
			if err := w.client.DeleteRecords(t.Context(), map[topic.Partition]int64{{Topic: "in"}: 50}); err != nil {
				t.Fatal(err)
			}
			if err := panel.Resume("left"); err != nil {
				t.Fatal(err)
			}
			<-time.After(10 * time.Second)
			w.produce("in", 1, 100, 10)
			<-time.After(5 * time.Second)
			if left.total() != 70 || right.total() != 110 {
				t.Errorf("%s: the resumed agent got %d of 10 and 60 records, the other one %d of 110", reset, left.total(), right.total())
			}
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A topic gets a partition while the app runs: what is in it is new, also to who began at the end.
func TestLatestOfAPartitionThatIsNew(t *testing.T) {
	t.Parallel()
	inBoth(t, func(t *testing.T, w *world, promise func(*app.App) *app.App) {
		var done seen
		a := promise(newApp("grown"))
		a.Settings.AutoOffsetReset = "latest"
		declare(a, 2, "in")
		notesIn(a, "work", &done)
		w.ensure("in", 2)
		w.produce("in", 2, 0, 10)
		r := w.start(a).operational()
		w.grow("in", 3)
		fresh, err := broker.Open(t.Context(), w.cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer fresh.Close()
		fresh.Produce(t.Context(), &topic.Record{Topic: "in", Partition: 2, Value: []byte("new")}, func(_ topic.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
		<-time.After(5 * time.Minute) // the group learns of it
		if n := done.total(); n != 1 {
			t.Errorf("%d records were read, there is one in the new partition", n)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// The metadata names a place beyond the end of a topic that has lost a part: it is of another life of the topic, and no agent passes over what is there now.
func TestPlaceBeyondTheEnd(t *testing.T) {
	t.Parallel()
	inBoth(t, func(t *testing.T, w *world, promise func(*app.App) *app.App) {
		w.ensure("in", 1)
		w.produce("in", 1, 0, 30)
		offsets := kadm.Offsets{}
		offsets.Add(kadm.Offset{Topic: "in", At: 10, LeaderEpoch: -1, Metadata: `{"left":{"o":10},"right":{"o":400}}`})
		if err := w.admin.CommitAllOffsets(t.Context(), "life", offsets); err != nil {
			t.Fatal(err)
		}
		var left, right seen
		a := promise(newApp("life"))
		declare(a, 1, "in")
		notesIn(a, "left", &left)
		notesIn(a, "right", &right)
		r := w.start(a).operational()
		<-time.After(10 * time.Second)
		if left.total() != 20 || right.total() != 20 {
			t.Errorf("the agents got %d and %d of 20 records", left.total(), right.total())
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if at, text := w.committed("life", topic.Partition{Topic: "in"}); at != 30 || text != "" {
			t.Errorf("committed: %d %s", at, text)
		}
	})
}
