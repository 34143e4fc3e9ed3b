package worker

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/store"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// slowStore is a store in which it takes some seconds to read how far time is, the first time in each partition, as if recovery took long.
type slowStore struct {
	store.Store
	reads *atomic.Int32
}

func (s slowStore) Get(id store.Shard, key []byte) ([]byte, bool, error) {
	if string(key) == "time" && s.reads.Add(1) <= 4 {
		<-time.After(3 * time.Second)
	}
	return s.Store.Get(id, key)
}

// A worker that is started again when nothing comes any more closes what is open, however long it takes to recover.
func TestIdleWindowsCloseAfterARestart(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 4)
		w.ensure("closed", 1)
		kept := store.NewMemory()
		defer kept.Close()
		start := time.Now().Truncate(time.Minute).UnixMilli()
		c, _ := counts(minutes(table.EventTime), "again", "in")
		one := w.start(c.app, func(cfg *Config) { cfg.Store = kept }).operational()
		w.post("in", message{0, "a", start}, message{1, "b", start})
		w.settled("again", 2)
		if err := one.stop(); err != nil {
			t.Error(err)
		}
		c, _ = counts(minutes(table.EventTime), "again", "in")
		two := w.start(c.app, func(cfg *Config) { cfg.Store = slowStore{kept, &atomic.Int32{}} }).operational()
		defer two.stop()
		values, _ := w.closed(2)
		window := table.Window{Start: start}
		same(t, "values", values, map[string]int{rowName(0, "a", window): 1, rowName(1, "b", window): 1})
	})
}

// The same if the agent has another name then, of which no time is saved.
func TestIdleWindowsCloseAfterTheAgentGotAnotherName(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 4)
		w.ensure("closed", 1)
		start := time.Now().Truncate(time.Minute).UnixMilli()
		for round, name := range []string{"count", "tally"} {
			c, d := counts(minutes(table.EventTime), "renamed", "in")
			d.Name, c.table.Agents = name, []string{name}
			r := w.start(c.app).operational()
			defer r.stop()
			if round == 1 {
				break
			}
			w.post("in", message{0, "a", start}, message{1, "b", start})
			w.settled("renamed", 2)
			if err := r.stop(); err != nil {
				t.Error(err)
			}
		}
		values, _ := w.closed(2)
		window := table.Window{Start: start}
		same(t, "values", values, map[string]int{rowName(0, "a", window): 1, rowName(1, "b", window): 1})
	})
}

// The same where messages pass through a topic.
func TestIdleWindowsBehindATopicCloseAfterARestart(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 4)
		w.ensure("mid", 4)
		w.ensure("closed", 1)
		kept := store.NewMemory()
		defer kept.Close()
		start := time.Now().Truncate(time.Minute).UnixMilli()
		for round := range 2 {
			c := through(minutes(table.EventTime), 0)
			r := w.start(c.app, func(cfg *Config) { cfg.Store = kept }).operational()
			defer r.stop()
			if round == 1 {
				break
			}
			w.post("in", message{0, "a", start}, message{1, "a", start + 1000})
			w.settled("through", 2)
			<-time.After(3 * time.Second)
			if err := r.stop(); err != nil {
				t.Error(err)
			}
		}
		values, _ := w.closed(1)
		same(t, "values", values, map[string]int{rowName(topic.Murmur2.Partition([]byte("a"), 4), "a", table.Window{Start: start}): 2})
	})
}

// A worker that takes over partitions hears of those that rest from the others, although nothing changes there.
func TestWhatRestsIsSaidAgain(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 4)
		w.ensure("mid", 4)
		w.ensure("closed", 1)
		begin := func() *running { return w.start(through(minutes(table.EventTime), 0).app).operational() }
		one := begin()
		defer one.stop()
		two := begin()
		eventually(t, "both have partitions", func() bool { return len(sources(one)) == 2 && len(sources(two)) == 2 })
		start := time.Now().Truncate(time.Minute)
		for p := range int32(4) {
			w.post("in", message{p, "a", start.UnixMilli()})
		}
		w.closed(1)
		<-time.After(10 * time.Minute)
		three := begin()
		defer three.stop()
		if err := two.stop(); err != nil {
			t.Error(err)
		}
		eventually(t, "the third has partitions", func() bool { return len(sources(one)) == 2 && len(sources(three)) == 2 })
		<-time.After(time.Minute)
		start = time.Now().Truncate(time.Minute)
		key := keyOf(three.lanes("mid")[0])
		w.post("in", message{sources(three)[0], key, start.UnixMilli()})
		values, _ := w.closed(2)
		if n := values[rowName(topic.Murmur2.Partition([]byte(key), 4), key, table.Window{Start: start.UnixMilli()})]; n != 1 {
			t.Errorf("closed: %v", values)
		}
	})
}

// lanes are the partitions of a topic that a worker has.
func (r *running) lanes(name string) (list []int32) {
	for _, l := range r.worker.current.Load().fetch.snapshot() {
		if l.partition.Topic == name {
			list = append(list, l.partition.ID)
		}
	}
	slices.Sort(list)
	return list
}

func sources(r *running) []int32 { return r.lanes("in") }

// keyOf finds a key of a partition of four.
func keyOf(partition int32) string {
	for c := 'b'; ; c++ {
		if topic.Murmur2.Partition([]byte(string(c)), 4) == partition {
			return string(c)
		}
	}
}

// A transaction that is open may bring messages: its partition is waited for.
func TestOpenTransactionsAreWaitedFor(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 4)
		w.ensure("closed", 1)
		c, _ := counts(minutes(table.EventTime), "open", "in")
		r := w.start(c.app).operational()
		defer r.stop()
		start := time.Now().Truncate(time.Minute).UnixMilli()
		w.post("in", message{0, "a", start})
		w.settled("open", 1)
		kafka, err := kgo.NewClient(kgo.SeedBrokers(w.cfg.Seeds...), kgo.Dialer(w.cfg.Dial), kgo.TransactionalID("slow"), kgo.TransactionTimeout(10*time.Minute),
			kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		defer kafka.Close()
		if err := kafka.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		late := &kgo.Record{Topic: "in", Key: []byte("a"), Value: []byte("x"), Timestamp: time.UnixMilli(start + 1)}
		if err := kafka.ProduceSync(t.Context(), late).FirstErr(); err != nil {
			t.Fatal(err)
		}
		<-time.After(5 * time.Minute)
		if err := kafka.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
		values, _ := w.closed(1)
		same(t, "values", values, map[string]int{rowName(0, "a", table.Window{Start: start}): 2})
	})
}

// An agent that goes on after a pause, and has not read yet what passed by meanwhile, does not rest, although another one of its topic has it all.
func TestAgentThatGoesOnDoesNotRest(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 4)
		w.ensure("closed", 1)
		c, _ := counts(minutes(table.EventTime), "resumed", "in")
		var others seen
		reads(c.app, "other", "in", each(func(_ context.Context, ev *agent.Event) error { others.add(ev.Key); return nil }))
		r := w.start(c.app).operational()
		run := r.worker.current.Load()
		start := time.Now().Truncate(time.Minute).UnixMilli()
		w.post("in", message{0, "a", start})
		eventually(t, "it is read", func() bool { return others.distinct() == 1 })
		run.fetch.pauseAgent("count")
		w.post("in", message{0, "b", start})
		eventually(t, "the other one has it", func() bool { return others.distinct() == 2 })
		var count *proc
		run.fetch.mu.Lock()
		run.fetch.each("count", func(l *lane, p *proc) {
			if l.partition.ID == 0 {
				count = p
			}
		})
		run.fetch.mu.Unlock()
		count.off.Store(false) // as it is until the partition is read again
		<-time.After(2 * time.Minute)
		if count.clocks[0].Resting() {
			t.Error("it rests")
		}
		count.off.Store(true)
		run.fetch.resumeAgent("count")
		values, _ := w.closed(2)
		same(t, "values", values, map[string]int{rowName(0, "a", table.Window{Start: start}): 1, rowName(0, "b", table.Window{Start: start}): 1})
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// The same if another agent has not done what was sent on.
func TestIdleWindowsBehindATopicCloseBesideASlowAgent(t *testing.T) {
	t.Parallel()
	inBoth(t, func(t *testing.T, w *world, promise func(*app.App) *app.App) {
		w.ensure("in", 4)
		w.ensure("mid", 4)
		w.ensure("closed", 1)
		kept := store.NewMemory()
		defer kept.Close()
		start := time.Now().Truncate(time.Minute).UnixMilli()
		for round := range 2 {
			c := through(minutes(table.EventTime), 0)
			reads(promise(c.app), "stuck", "in", each(func(ctx context.Context, _ *agent.Event) error {
				<-ctx.Done()
				return context.Cause(ctx)
			}))
			r := w.start(c.app, func(cfg *Config) { cfg.Store = kept }).operational()
			defer r.stop()
			if round == 1 {
				break
			}
			w.post("in", message{0, "a", start}, message{1, "a", start + 1000})
			<-time.After(5 * time.Second)
			if err := r.stop(); err != nil {
				t.Error(err)
			}
		}
		values, _ := w.closed(1)
		same(t, "values", values, map[string]int{rowName(topic.Murmur2.Partition([]byte("a"), 4), "a", table.Window{Start: start}): 2})
	})
}
