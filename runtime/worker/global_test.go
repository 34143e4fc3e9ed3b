package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/store"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// priced is an app whose agent sets rates in a global table, and another one that notes which rate it sees, by the key in the record.
func priced() (a *app.App, rates *table.Definition, seen func() map[string]string) {
	a = newApp("shop")
	declare(a, 4, "rates-in", "in")
	rates = keeps(a, "rates", "rates-in")
	rates.Global = true
	reads(a, "rate", "rates-in", each(func(_ context.Context, ev *agent.Event) error {
		shard := a.Runtime().Shard(rates, ev.Partition)
		return shard.Set(string(ev.Key), &table.Stored{Bytes: append([]byte(nil), ev.Value...)}, effects(ev))
	}))
	var mu sync.Mutex
	saw := map[string]string{}
	reads(a, "look", "in", each(func(_ context.Context, ev *agent.Event) error {
		key := string(ev.Value)
		shard := a.Runtime().Shard(rates, topic.Murmur2.Partition([]byte(key), 4))
		if shard == nil {
			return errors.New("the table is not here")
		}
		v, err := shard.Get(key, nil)
		mu.Lock()
		defer mu.Unlock()
		if saw[string(ev.Key)] = "nothing"; v != nil {
			saw[string(ev.Key)] = string(v.Append(nil))
		}
		return err
	}))
	return a, rates, func() map[string]string {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(saw)
	}
}

// rate sends rates, by key.
func (w *world) rate(from, upto int, value string) {
	w.t.Helper()
	for i := from; i < upto; i++ {
		key := fmt.Appendf(nil, "k%d", i)
		w.client.Produce(w.t.Context(), &topic.Record{Topic: "rates-in", Partition: topic.Murmur2.Partition(key, 4), Key: key, Value: []byte(value)}, func(topic.Record, error) {})
	}
	if err := w.client.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// pricing is a worker of that app.
type pricing struct {
	*running
	rates *table.Definition
	seen  func() map[string]string
}

// priced starts a worker of that app and waits until it is operational.
func (w *world) priced(edit ...func(*Config)) *pricing {
	w.t.Helper()
	w.ensure("rates-in", 4)
	w.ensure("in", 4)
	a, rates, seen := priced()
	return &pricing{w.start(a, edit...).operational(), rates, seen}
}

// sharing starts two workers of that app, each of which owns a part of the table.
func (w *world) sharing(edit ...func(*Config)) (one, two *pricing) {
	w.t.Helper()
	one, two = w.priced(), w.priced(edit...)
	eventually(w.t, "they share", func() bool { return len(two.worker.current.Load().state.everywhere()) == 2 })
	return one, two
}

// has tells whether the worker has a rate for all keys.
func (p *pricing) has(n int, value string) bool {
	p.t.Helper()
	shards := p.shards(p.rates)
	if len(shards) != 4 {
		return false
	}
	for i := range n {
		key := fmt.Sprintf("k%d", i)
		v, err := shards[topic.Murmur2.Partition([]byte(key), 4)].Get(key, nil)
		if err != nil {
			p.t.Error(err)
		}
		if v == nil || string(v.Append(nil)) != value {
			return false
		}
	}
	return true
}

// stopped stops workers.
func stopped(all ...*pricing) {
	for _, p := range all {
		p.t.Helper()
		if err := p.stop(); err != nil {
			p.t.Error(err)
		}
	}
}

// Every worker has all of a global table, wherever it is written; what was there when it started is there before any event is.
func TestGlobalTable(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		kept := store.NewMemory()
		keeping := func(c *Config) { c.Store = kept }
		one := w.priced(keeping)
		w.rate(0, 100, "1")
		eventually(t, "it has all", func() bool { return one.has(100, "1") })
		for i := range 40 { // for the next one too
			w.client.Produce(t.Context(), &topic.Record{Topic: "in", Partition: int32(i % 4), Key: fmt.Appendf(nil, "%d", i), Value: fmt.Appendf(nil, "k%d", i)}, func(topic.Record, error) {})
		}
		<-time.After(3 * time.Second)
		two, three := w.priced(), w.priced()
		all := []*pricing{one, two, three}
		for i, r := range all {
			if !r.has(100, "1") {
				t.Errorf("worker %d is operational and has not all", i)
			}
		}
		w.rate(0, 100, "2")
		for _, r := range all {
			eventually(t, "all have the new ones", func() bool { return r.has(100, "2") })
		}
		for i := 40; i < 140; i++ {
			w.client.Produce(t.Context(), &topic.Record{Topic: "in", Partition: int32(i % 4), Key: fmt.Appendf(nil, "%d", i), Value: fmt.Appendf(nil, "k%d", i%100)}, func(topic.Record, error) {})
		}
		eventually(t, "all are seen", func() bool { return len(one.seen())+len(two.seen())+len(three.seen()) >= 140 })
		saw := map[string]string{}
		for _, r := range all {
			maps.Copy(saw, r.seen())
		}
		for i := range 140 {
			want := "1"
			if i >= 40 {
				want = "2"
			}
			if got := saw[fmt.Sprint(i)]; got != want {
				t.Errorf("event %d saw %q, want %q", i, got, want)
			}
		}
		// partitions move, and nobody is without the table meanwhile
		stopped(one)
		for _, r := range all[1:] {
			if !r.has(100, "2") {
				t.Error("a worker has not all while partitions move")
			}
		}
		w.rate(0, 100, "3")
		eventually(t, "the second has the new ones", func() bool { return two.has(100, "3") })
		eventually(t, "the third has the new ones", func() bool { return three.has(100, "3") })
		again := w.priced(keeping)
		if !again.has(100, "3") {
			t.Error("a worker that comes back is operational with old values")
		}
		if n, err := again.shards(again.rates)[0].Len(); err != nil || n == 0 {
			t.Error(n, err)
		}
		stopped(two, three, again)
	})
}

// A changelog of a global table that cannot be used ends the worker with the reason.
func TestGlobalTableThatCannotBe(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		one, two := w.sharing()
		w.ensure("shop-rates-changelog", 4)
		for p := range int32(4) {
			w.client.Produce(t.Context(), &topic.Record{Topic: "shop-rates-changelog", Partition: p, Key: []byte("?"), Value: []byte("x")}, func(topic.Record, error) {})
		}
		if err := two.end(); err == nil || !strings.Contains(err.Error(), "read table rates: changelog shop-rates-changelog/") || !strings.Contains(err.Error(), "it is no changelog") {
			t.Errorf("%v", err)
		}
		one.cancel()
		one.end()
	})
}

// A shard that went before its recovery has begun does not end the copy that came in its place.
func TestCopyAfterRecoveryThatIsNotNeeded(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		one, two := w.sharing()
		state := two.worker.current.Load().state
		for _, key := range state.everywhere() {
			for range 20 { // which way it goes is drawn
				h := &holding{shelf: shelf{key, state}, ready: make(chan struct{})}
				h.ctx, h.cancel = context.WithCancel(t.Context())
				h.cancel()
				state.recoverAll([]*holding{h})
			}
		}
		w.rate(0, 100, "1")
		eventually(t, "the owner has all", func() bool { return one.has(100, "1") })
		<-time.After(3 * time.Second)
		if !two.has(100, "1") {
			t.Error("a copy does not follow any more")
		}
		stopped(one, two)
	})
}

// A copy that a recovery took over while it was being read has not all: it is known only once that has ended.
func TestCopyThatARecoveryTookOver(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		one, two := w.sharing()
		w.rate(0, 100, "1")
		eventually(t, "it has all", func() bool { return two.has(100, "1") })
		state := two.worker.current.Load().state
		for _, key := range state.everywhere() {
			m := state.mirror(key)
			m.known.Store(false)
			gone := &tail{shelf: shelf{key, state}, standby: state.standby, mirror: m, over: true}
			if err := state.standby.start(t.Context(), []*tail{gone}); err != nil {
				t.Error(err)
			}
			if m.known.Load() || state.shard(key.table, key.partition) != nil {
				t.Errorf("partition %d is taken for known", key.partition)
			}
			state.learn(key)
		}
		stopped(one, two)
	})
}

// watched is a store; somebody looks at what each batch leaves.
type watched struct {
	store.Store
	look atomic.Pointer[func()]
}

func (s *watched) Apply(b *store.Batch) error {
	err := s.Store.Apply(b)
	if look := s.look.Load(); look != nil {
		(*look)()
	}
	return err
}

// A copy of a global table that begins anew is not read before it is whole again, and then without what the changelog does not have any more.
func TestGlobalTableAnew(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"as it was": false, "without its records": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, w *world) {
				kept := &watched{Store: store.NewMemory()}
				one, two := w.sharing(func(c *Config) { c.Store = kept })
				run := two.worker.current.Load()
				w.rate(0, 100, "1")
				eventually(t, "the owner has all", func() bool { return one.has(100, "1") })
				<-time.After(3 * time.Second)
				all := []string{}
				for _, key := range run.state.everywhere() {
					for i := range 100 {
						if k := fmt.Sprintf("k%d", i); topic.Murmur2.Partition([]byte(k), 4) == key.partition {
							all = append(all, k)
						}
					}
				}
				missing := func(keys []string) (n int) {
					for _, k := range keys {
						if shard := run.Shard(two.rates, topic.Murmur2.Partition([]byte(k), 4)); shard != nil {
							if v, err := shard.Get(k, nil); err != nil || v == nil {
								n++
							}
						}
					}
					return n
				}
				if n := missing(all[:len(all)/2]); n > 0 { // the others are not in memory
					t.Fatalf("%d of %d keys are not here", n, len(all)/2)
				}
				var waiting sync.WaitGroup
				wiped := 0
				look := func() {
					for _, key := range run.state.everywhere() {
						if _, ok, err := kept.Position((shelf{key, run.state}).id()); !ok && err == nil {
							wiped++
							waiting.Go(func() {
								if err := run.Await(t.Context(), two.rates, key.partition); err != nil || run.Shard(two.rates, key.partition) == nil {
									t.Errorf("who waited for a partition does not get it: %v", err)
								}
							})
							if n := missing(all); n > 0 && !lost {
								t.Errorf("%d of %d keys are taken for missing", n, len(all))
							}
						}
					}
				}
				kept.look.Store(&look)
				standby := run.state.standby
				standby.mu.Lock()
				for _, tail := range standby.tails {
					tail.replay.asOf, tail.moved = time.Now().Add(-13*time.Hour), true
				}
				standby.apply()
				standby.mu.Unlock()
				w.rate(0, 50, "1")
				eventually(t, "it begins again", func() bool { return strings.Contains(two.log.String(), "it was not heard of for too long") })
				if lost {
					w.truncate("shop-rates-changelog")
				}
				eventually(t, "it is read anew", func() bool { return strings.Contains(two.log.String(), "table is read anew from its changelog") })
				eventually(t, "it is whole again", func() bool { return run.state.waits() == nil })
				kept.look.Store(nil)
				waiting.Wait()
				if n := missing(all); lost && n < len(all) || !lost && n > 0 || wiped == 0 {
					t.Errorf("%d of %d keys are missing, wiped: %d", n, len(all), wiped)
				}
				w.rate(0, 100, "2")
				eventually(t, "it has the new ones", func() bool { return two.has(100, "2") })
				stopped(one, two)
			})
		})
	}
}

// truncate deletes all records that a topic has.
func (w *world) truncate(name string) {
	w.t.Helper()
	spans, err := w.client.Spans(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	below := map[topic.Partition]int64{}
	for id, s := range spans {
		below[topic.Partition{Topic: name, ID: id}] = s.End
	}
	if err := w.client.DeleteRecords(w.t.Context(), below); err != nil {
		w.t.Fatal(err)
	}
}
