package worker

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/control"
	"faust/runtime/topic"
)

// order notes what an agent got, by partition.
type order struct {
	mu  sync.Mutex
	got map[int32][]int64
}

func (o *order) add(ev *agent.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.got == nil {
		o.got = map[int32][]int64{}
	}
	o.got[ev.Partition] = append(o.got[ev.Partition], ev.Offset)
}

func (o *order) total() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, list := range o.got {
		n += len(list)
	}
	return n
}

// once makes sure that every record came once and in order.
func (o *order) once(t *testing.T, name string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for p, list := range o.got {
		for i, offset := range list {
			if offset != int64(i) {
				t.Errorf("%s, partition %d: offset %d at place %d", name, p, offset, i)
				return
			}
		}
	}
}

// notes declares an agent that notes what it gets.
func notes(a *app.App, name, from string) *order {
	o := &order{}
	reads(a, name, from, each(func(_ context.Context, ev *agent.Event) error { o.add(ev); return nil }))
	return o
}

func find(s control.Status, name string) control.Agent {
	i := slices.IndexFunc(s.Agents, func(a control.Agent) bool { return a.Name == name })
	return s.Agents[i]
}

// TestPauseOneOfTwo: the other agent of the partitions goes on, the paused one gets what it missed, once and in order.
func TestPauseOneOfTwo(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("pause")
		declare(a, 2, "in")
		left, right := notes(a, "left", "in"), notes(a, "right", "in")
		w.ensure("in", 2)
		w.produce("in", 2, 0, 100)
		r := w.start(a).operational()
		panel := r.worker.Control()
		eventually(t, "both have all", func() bool { return left.total() == 100 && right.total() == 100 })
		for _, name := range []string{"left", "left"} {
			if err := panel.Pause(name); err != nil {
				t.Fatal(err)
			}
		}
		w.produce("in", 2, 100, 400)
		eventually(t, "the other goes on", func() bool { return right.total() == 500 })
		<-time.After(10 * time.Second)
		if left.total() != 100 {
			t.Errorf("a paused agent got %d records", left.total()-100)
		}
		if at, _ := w.committed("pause", topic.Partition{Topic: "in"}); at != 50 {
			t.Errorf("committed at %d", at)
		}
		s := panel.Status()
		if a := find(s, "left"); !a.Paused || a.Lag != 400 || a.LagTime < 9 || a.LagTime > 20 || len(a.Partitions) != 2 || a.Partitions[0].Committed != 50 || a.Partitions[0].End != 250 {
			t.Errorf("%+v", a)
		}
		if a := find(s, "right"); a.Paused || a.Lag != 0 || a.LagTime != 0 || s.Lag != 400 || a.Processed != 500 {
			t.Errorf("%+v", a)
		}
		run := r.worker.current.Load()
		checks := run.checks()
		if c := checks[len(checks)-1]; !c.OK || c.Name != "paused" || c.Reason != "paused by a person: agent left" || len(s.Problems) != 0 {
			t.Errorf("%+v %v", checks, s.Problems)
		}
		if n := gaugeOf(t, run, "faust_agent_paused", "left"); n != 1 {
			t.Errorf("metric of the paused agent: %v", n)
		}
		if n := gaugeOf(t, run, "faust_agent_paused", "right"); n != 0 {
			t.Errorf("metric of the other agent: %v", n)
		}
		if err := panel.Resume("left"); err != nil {
			t.Fatal(err)
		}
		w.produce("in", 2, 500, 100)
		eventually(t, "both have all again", func() bool { return left.total() >= 600 && right.total() >= 600 })
		<-time.After(5 * time.Second)
		left.once(t, "left")
		right.once(t, "right")
		if at, _ := w.committed("pause", topic.Partition{Topic: "in"}); at != 300 {
			t.Errorf("committed at %d", at)
		}
		if s := panel.Status(); find(s, "left").Paused || s.Lag != 0 {
			t.Errorf("%+v", s)
		}
		if n := strings.Count(r.log.String(), "agent paused"); n != 1 {
			t.Errorf("the log tells of %d pauses", n)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// gaugeOf reads a metric by the value of its label agent.
func gaugeOf(t *testing.T, r *run, name, agent string) float64 {
	t.Helper()
	families, err := r.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && m.GetLabel()[0].GetValue() == agent {
				return m.GetGauge().GetValue()
			}
		}
	}
	return -1
}

// TestPauseAll: partitions whose agents are all paused are not fetched, and a long pause ends where it began.
func TestPauseAll(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("pause")
		declare(a, 1, "in", "other")
		left, right, other := notes(a, "left", "in"), notes(a, "right", "in"), notes(a, "other", "other")
		r := w.start(a).operational()
		panel := r.worker.Control()
		if err := errors.Join(panel.Pause("left"), panel.Pause("right")); err != nil {
			t.Fatal(err)
		}
		w.produce("in", 1, 0, 50)
		w.produce("other", 1, 0, 50)
		eventually(t, "others go on", func() bool { return other.total() == 50 })
		<-time.After(time.Minute)
		lane := r.worker.current.Load().fetch.lanes[topic.Partition{Topic: "in"}]
		if !lane.paused.Load() || left.total()+right.total() != 0 {
			t.Errorf("a partition that nobody reads is fetched: %v, %d", lane.paused.Load(), left.total()+right.total())
		}
		if a := find(panel.Status(), "left"); a.Lag != 50 || a.LagTime < 50 || a.LagTime > 61 {
			t.Errorf("what nobody fetches is not seen: %+v", a)
		}
		if err := panel.Resume("right"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "one goes on", func() bool { return right.total() == 50 })
		if err := panel.Resume("left"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the other as well", func() bool { return left.total() == 50 })
		left.once(t, "left")
		right.once(t, "right")
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestPauseStaysWithTheWorker: a paused agent gets nothing from partitions that come later either, and the worker that takes them over does its work.
func TestPauseStaysWithTheWorker(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		var first, second seen
		build := func(s *seen) *app.App {
			a := newApp("pause")
			declare(a, 4, "in")
			reads(a, "work", "in", each(func(_ context.Context, ev *agent.Event) error { s.add(ev.Value); return nil }))
			return a
		}
		one := w.start(build(&first)).operational()
		panel := one.worker.Control()
		if err := panel.Pause("work"); err != nil {
			t.Fatal(err)
		}
		two := w.start(build(&second)).operational()
		eventually(t, "two workers share", func() bool { return len(find(panel.Status(), "work").Partitions) == 2 })
		w.produce("in", 4, 0, 100)
		eventually(t, "the other worker works", func() bool { return second.total() == 50 })
		if err := two.stop(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "all come back", func() bool { return len(find(panel.Status(), "work").Partitions) == 4 })
		w.produce("in", 4, 100, 100)
		<-time.After(30 * time.Second)
		if s := find(panel.Status(), "work"); first.total() != 0 || !s.Paused || s.Lag != 150 {
			t.Errorf("%d records reached the paused agent: %+v", first.total(), s)
		}
		if err := panel.Resume("work"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "all is done", func() bool { return first.distinct() == 150 })
		<-time.After(5 * time.Second)
		if first.total() != 150 {
			t.Errorf("%d events of 150 records", first.total())
		}
		if err := one.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestPauseAtRandom: three agents of the same partitions, paused and resumed again and again, get everything once and in order, also with queues that are full.
func TestPauseAtRandom(t *testing.T) {
	games(t, 4, func(t *testing.T, w *world, seed uint64) { pauseAtRandom(t, w, rand.New(rand.NewPCG(seed, 2))) })
}

func pauseAtRandom(t *testing.T, w *world, random *rand.Rand) {
	a := newApp("pause")
	a.Settings.CommitInterval = 200 * time.Millisecond
	declare(a, 2, "in")
	agents := map[string]*order{}
	for i, name := range []string{"a", "b", "c"} {
		o := &order{}
		agents[name] = o
		var n atomic.Int64
		d := reads(a, name, "in", nil)
		d.Body = each(func(_ context.Context, ev *agent.Event) error {
			if n.Add(1)%int64(20*(i+1)) == 0 {
				<-time.After(10 * time.Millisecond)
			}
			o.add(ev)
			return nil
		})
	}
	w.ensure("in", 2)
	r := w.start(a).operational()
	panel := r.worker.Control()
	total := 0
	big := strings.Repeat("x", 20<<10)
	for range 60 {
		for range random.IntN(40) {
			w.client.Produce(t.Context(), &topic.Record{Topic: "in", Partition: int32(total % 2), Value: []byte(big)}, func(_ topic.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			})
			total++
		}
		name := string(rune('a' + random.IntN(3)))
		act := panel.Pause
		if random.IntN(2) == 0 {
			act = panel.Resume
		}
		if err := act(name); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Duration(random.IntN(800)) * time.Millisecond)
	}
	if err := errors.Join(panel.Resume("a"), panel.Resume("b"), panel.Resume("c"), w.client.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	for name, o := range agents {
		eventually(t, name+" has all", func() bool { return o.total() >= total })
	}
	<-time.After(5 * time.Second)
	for name, o := range agents {
		o.once(t, name)
	}
	var sum int64
	for p := range int32(2) {
		at, _ := w.committed("pause", topic.Partition{Topic: "in", ID: p})
		sum += max(at, 0)
	}
	if sum != int64(total) {
		t.Errorf("%d of %d records are committed", sum, total)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

// TestPauseOfAChannel: what is put waits, and whoever puts when it is full.
func TestPauseOfAChannel(t *testing.T) {
	t.Parallel()
	alone(t, func(t *testing.T, w *world) {
		a := newApp("channel")
		c := agent.NewChannel("channel-1", 3)
		a.Channels = append(a.Channels, c)
		var done seen
		a.Agents = append(a.Agents, &agent.Definition{Name: "work", Concurrency: 2, Channel: c, Body: each(func(_ context.Context, ev *agent.Event) error {
			done.add(ev.Value)
			return nil
		})})
		r := w.start(a, noBroker(t)).operational()
		panel := r.worker.Control()
		put := func(v string) bool { return c.TryPut(topic.Record{Value: []byte(v)}) }
		put("1")
		eventually(t, "it works", func() bool { return done.total() == 1 })
		if err := panel.Pause("work"); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		if !put("2") || !put("3") || !put("4") || put("5") {
			t.Error("the channel does not fill")
		}
		<-time.After(5 * time.Second)
		if s := find(panel.Status(), "work"); done.total() != 1 || !s.Paused || s.Lag != 3 || s.Processed != 1 {
			t.Errorf("%d done, %+v", done.total(), s)
		}
		if err := panel.Resume("work"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it goes on", func() bool { return done.total() == 4 })
		<-time.After(2 * time.Second)
		if s := find(panel.Status(), "work"); s.Processed != 4 || s.Paused || s.Rate == 0 {
			t.Errorf("%+v", s)
		}
		if err := panel.Pause("work"); err != nil {
			t.Fatal(err)
		}
		if err := r.stop(); err != nil {
			t.Errorf("a paused worker does not stop: %v", err)
		}
	})
}

// The partition of a paused agent is assigned anew. Nothing comes to that agent, so its place is where it was; that of the other one goes on and is committed.
func TestPlacesWhilePaused(t *testing.T) {
	t.Parallel()
	inBoth(t, func(t *testing.T, w *world, promise func(*app.App) *app.App) {
		a := promise(newApp("away"))
		declare(a, 1, "in")
		slow, quick := notes(a, "slow", "in"), notes(a, "quick", "in")
		w.ensure("in", 1)
		w.produce("in", 1, 0, 10)
		r := w.start(a).operational()
		eventually(t, "both have all", func() bool { return slow.total() == 10 && quick.total() == 10 })
		places := func() (int64, places) {
			at, metadata := w.committed("away", topic.Partition{Topic: "in"})
			return at, placesOf(broker.Position{Offset: at, Metadata: metadata})
		}
		eventually(t, "it is committed", func() bool { at, _ := places(); return at == 10 })
		if err := r.worker.Control().Pause("slow"); err != nil {
			t.Fatal(err)
		}
		run := r.worker.current.Load()
		was := run.fetch.snapshot()[0]
		member, _ := run.group.Load().Member()
		if err := w.client.Leave(t.Context(), "away", member); err != nil {
			t.Fatal(err)
		}
		eventually(t, "assigned anew", func() bool { now := run.fetch.snapshot(); return len(now) == 1 && now[0] != was })
		w.produce("in", 1, 10, 20)
		eventually(t, "the place of the quick agent is committed", func() bool {
			at, p := places()
			return at == 10 && p.at("quick", at).Low == 30 && p.at("slow", at).Low == 10
		})
		r.crash()
		again := w.start(a).operational()
		eventually(t, "the slow agent has all", func() bool { return slow.total() == 30 })
		if err := again.stop(); err != nil {
			t.Fatal(err)
		}
		slow.once(t, "slow")
		quick.once(t, "quick")
	})
}

// An agent is resumed and paused again before anything comes, and another one is resumed that needs less: the first one gets what lies between all the same.
func TestResumedAndPausedAgain(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("again")
		declare(a, 1, "in")
		far, near, all := notes(a, "far", "in"), notes(a, "near", "in"), notes(a, "all", "in")
		w.ensure("in", 1)
		r := w.start(a).operational()
		panel := r.worker.Control()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(panel.Pause("far"))
		w.produce("in", 1, 0, 10)
		eventually(t, "the others have ten", func() bool { return near.total() == 10 && all.total() == 10 })
		must(panel.Pause("near"))
		w.produce("in", 1, 10, 10)
		eventually(t, "one has all", func() bool { return all.total() == 20 })
		must(errors.Join(panel.Resume("far"), panel.Pause("far"), panel.Resume("near")))
		eventually(t, "the near one has all", func() bool { return near.total() == 20 })
		must(panel.Resume("far"))
		eventually(t, "the far one has all", func() bool { return far.total() == 20 })
		must(r.stop())
		for name, o := range map[string]*order{"far": far, "near": near, "all": all} {
			o.once(t, name)
		}
	})
}
