package worker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/store"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// copied is summing with copies of its table on other workers.
func copiedApp(replicas int) (*app.App, *table.Definition) {
	a, def := summing()
	a.Settings.StandbyReplicas = replicas
	return a, def
}

// copiesOf tells which partitions a worker keeps copies of; true: warm.
func copiesOf(r *running) map[int32]bool {
	out := map[int32]bool{}
	if run := r.worker.current.Load(); run != nil {
		for s, warm := range run.state.standby.copies() {
			out[s.Partition] = warm
		}
	}
	return out
}

// A worker that dies is replaced by one that has copies of its shards: only what came after them is read.
func TestStandbyTakesOver(t *testing.T) {
	t.Parallel()
	for name, dies := range map[string]bool{"stopped": false, "killed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, w *world) {
				w.ensure("in", 4)
				a, defA := copiedApp(1)
				one := w.start(a).operational()
				w.produce("in", 4, 0, 1000)
				w.settled("sums", 1000)
				b, defB := copiedApp(1)
				two := w.start(b).operational()
				eventually(t, "they share, and have copies", func() bool {
					return len(one.shards(defA)) == 2 && len(two.shards(defB)) == 2 && fmt.Sprint(len(copiesOf(one)), len(copiesOf(two))) == "2 2"
				})
				w.produce("in", 4, 1000, 1000)
				w.settled("sums", 2000)
				<-time.After(3 * time.Second)
				for p, warm := range copiesOf(two) {
					if !warm {
						t.Errorf("the copy of %d is not warm", p)
					}
				}
				read := two.worker.current.Load().state.recovery.read.Load()
				if dies {
					one.crash()
				} else if err := one.stop(); err != nil {
					t.Error(err)
				}
				eventually(t, "the other has all", func() bool { return len(two.shards(defB)) == 4 })
				same(t, "taken over", heldBy(t, two, defB), want(2000))
				if n := two.worker.current.Load().state.recovery.read.Load() - read; n > 8 {
					t.Errorf("%d records of changelogs were read", n)
				}
				w.produce("in", 4, 2000, 1000)
				w.settled("sums", 3000)
				if err := two.stop(); err != nil {
					t.Error(err)
				}
				same(t, "in the changelog", w.totals("sums-totals-changelog"), want(3000))
			})
		})
	}
}

// alike waits until there are as many copies as there should be, and they have what the owners have.
func (v *adversary) alike(owned [2]map[string]string) {
	v.t.Helper()
	if v.copying == 0 {
		return
	}
	eventually(v.t, "the copies are like the shards", func() bool {
		v.bury()
		want := min(v.copying, len(v.workers)-1)
		var have [2]map[string]int // how many copies have the value that the owner has
		n := 0
		for _, x := range v.workers {
			run := x.worker.current.Load()
			for shard, warm := range run.state.standby.copies() {
				if !warm {
					return false
				}
				n++
				i := slices.IndexFunc(x.worker.cfg.App.Tables, func(def *table.Definition) bool { return def.Name == shard.Table })
				if have[i] == nil {
					have[i] = map[string]int{}
				}
				err := run.state.store.Each(store.Shard(shard), nil, func(key, value []byte) error {
					if name := fmt.Sprint(shard.Partition, " ", string(key)); owned[i][name] == string(value) {
						have[i][name]++
					} else {
						have[i][name] = -1000
					}
					return nil
				})
				if err != nil {
					v.t.Error(err)
				}
			}
		}
		for i := range owned {
			for name, times := range have[i] {
				if times != want || owned[i][name] == "" {
					return false
				}
			}
			if want > 0 && len(have[i]) != len(owned[i]) {
				return false
			}
		}
		return n == 2*4*want
	})
}

// pair is two workers that share the shards of summing, each with copies of the other's.
type pair struct {
	w        *world
	one, two *running
	wire     *wire // of one
	defs     [2]*table.Definition
	stores   [2]store.Store
}

func (w *world) pair(records int) *pair {
	w.t.Helper()
	w.ensure("in", 4)
	p := &pair{w: w, stores: [2]store.Store{store.NewMemory(), store.NewMemory()}}
	var a, b *app.App
	a, p.defs[0] = copiedApp(1)
	b, p.defs[1] = copiedApp(1)
	p.wire = w.wire()
	p.one = w.start(a, func(c *Config) {
		cfg := w.cfg
		cfg.Dial = p.wire.Dial
		c.Store = p.stores[0]
		c.Broker = func(context.Context) (broker.Config, error) { return cfg, nil }
	}).operational()
	w.produce("in", 4, 0, records)
	w.settled("sums", int64(records))
	p.two = w.start(b, func(c *Config) { c.Store = p.stores[1] }).operational()
	p.warm(4)
	return p
}

// warm waits until all shards are with one of the workers and so many warm copies with the other.
func (p *pair) warm(copies int) {
	p.w.t.Helper()
	eventually(p.w.t, "copies are warm", func() bool {
		n := 0
		for _, r := range []*running{p.one, p.two} {
			for _, warm := range copiesOf(r) {
				if warm {
					n++
				}
			}
		}
		return len(p.one.shards(p.defs[0])) == 2 && len(p.two.shards(p.defs[1])) == 2 && n == copies
	})
}

// copied is the content of the copies that a worker keeps.
func (p *pair) copied(i int) map[string]int {
	p.w.t.Helper()
	out := map[string]int{}
	for id := range copiesOf([]*running{p.one, p.two}[i]) {
		err := p.stores[i].Each(store.Shard{Table: "totals", Partition: id}, nil, func(key, value []byte) error {
			n, err := strconv.Atoi(string(value))
			out[fmt.Sprint(id, " ", string(key))] = n
			return err
		})
		if err != nil {
			p.w.t.Error(err)
		}
	}
	return out
}

func merged(list ...map[string]int) map[string]int {
	out := map[string]int{}
	for _, m := range list {
		maps.Copy(out, m)
	}
	return out
}

// like waits until the copies of a worker have what the other one's shards have.
func (p *pair) like(i int) {
	p.w.t.Helper()
	owner := []*running{p.two, p.one}[i]
	eventually(p.w.t, "the copies are like the shards", func() bool { return maps.Equal(p.copied(i), heldBy(p.w.t, owner, p.defs[1-i])) })
}

func (p *pair) stop() {
	p.w.t.Helper()
	for _, r := range []*running{p.one, p.two} {
		if err := r.stop(); err != nil {
			p.w.t.Error(err)
		}
	}
}

// A changelog loses records that a copy has not taken: the copy begins again, without what is gone, and nobody else minds.
func TestStandbyOfTruncatedChangelog(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		p := w.pair(100)
		resume := p.wire.stall() // it does not take what comes now
		below := map[topic.Partition]int64{}
		for range 2 { // the first is in the answer that is under way
			spans, err := w.client.Spans(t.Context(), "sums-totals-changelog")
			if err != nil {
				t.Fatal(err)
			}
			for id, s := range spans {
				r := topic.Record{Topic: "sums-totals-changelog", Partition: id, Key: table.ChangelogKey(table.Fence, nil), Value: []byte("x")}
				below[topic.Partition{Topic: r.Topic, ID: id}] = s.End + 1
				w.client.Produce(t.Context(), &r, func(topic.Record, error) {})
			}
			if err := w.client.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.client.DeleteRecords(t.Context(), below); err != nil {
			t.Fatal(err)
		}
		resume()
		eventually(t, "it is noticed", func() bool { return strings.Contains(p.one.log.String(), "the changelog has lost what comes after it") })
		w.produce("in", 4, 100, 400) // which writes all keys again
		w.settled("sums", 500)
		p.warm(4)
		p.like(0)
		p.like(1)
		same(t, "the copies and the shards", merged(p.copied(0), p.copied(1)), want(500))
		p.stop()
	})
}

// A changelog that is deleted and created anew under a copy is not taken for the old one: the copy is given up, and the worker goes on.
func TestStandbyOfRecreatedChangelog(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		p := w.pair(100)
		before := p.copied(0)
		if err := w.client.Delete(t.Context(), "sums-totals-changelog"); err != nil {
			t.Fatal(err)
		}
		w.ensure("sums-totals-changelog", 4)
		eventually(t, "it is noticed", func() bool { return strings.Contains(p.one.log.String(), "copy of a table cannot be kept") })
		same(t, "what the copy has", p.copied(0), before)
		select {
		case <-p.one.done:
			t.Errorf("the worker ended: %v", p.one.err)
		default:
		}
		p.one.cancel()
		p.two.cancel()
		p.one.end()
		p.two.end()
	})
}

// A copy whose changelog somebody else writes to is given up, and said; the worker goes on.
func TestStandbyOfForeignChangelog(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		p := w.pair(100)
		for id := range copiesOf(p.one) {
			w.client.Produce(t.Context(), &topic.Record{Topic: "sums-totals-changelog", Partition: id, Key: []byte("?"), Value: []byte("x")}, func(topic.Record, error) {})
		}
		eventually(t, "it is noticed", func() bool { return strings.Contains(p.one.log.String(), "it is no changelog") })
		if s := p.one.worker.current.Load().state.standby.status(); s.Waiting == 0 {
			t.Errorf("%+v", s)
		}
		p.one.cancel()
		p.two.cancel()
		p.one.end()
		p.two.end()
	})
}

// A worker that comes back with an old store, or none, warms up first: it has no shard before its copies are at the end, and the other one goes on meanwhile.
func TestStandbyWarmsUp(t *testing.T) {
	t.Parallel()
	for name, wiped := range map[string]bool{"old": false, "none": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, w *world) {
				p := w.pair(1000)
				if err := p.two.stop(); err != nil {
					t.Fatal(err)
				}
				w.produce("in", 4, 1000, 1000)
				w.settled("sums", 2000)
				if wiped {
					p.stores[1] = store.NewMemory()
				}
				slow := &gate{Store: p.stores[1], first: 1, opens: make(chan struct{})}
				if wiped {
					slow.free = 4 // the copies begin, all under one lock
				}
				b, def := copiedApp(1)
				p.defs[1] = def
				p.two = w.start(b, func(c *Config) { c.Store = slow })
				eventually(t, "it warms up", func() bool { return slow.came.Load() > slow.free })
				w.produce("in", 4, 2000, 1000)
				w.settled("sums", 3000)
				if n := len(p.two.shards(def)); n > 0 {
					t.Errorf("it has %d shards", n)
				}
				close(slow.opens)
				p.two.operational()
				p.warm(4)
				if n := p.two.worker.current.Load().state.recovery.read.Load(); n > 8 {
					t.Errorf("it read %d records for what it took over", n)
				}
				p.like(0)
				p.like(1)
				p.stop()
				same(t, "in the changelog", w.totals("sums-totals-changelog"), want(3000))
			})
		})
	}
}

// A copy of a shard that comes here goes on, and can be read, until the shard's recovery begins.
func TestStandbyUntilRecovery(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		p := w.pair(100)
		state, def := p.two.worker.current.Load().state, p.defs[1]
		for range maxRecoveries {
			state.recovery.slots <- struct{}{}
		}
		if err := p.one.stop(); err != nil {
			t.Error(err)
		}
		eventually(t, "it is given all", func() bool {
			state.mu.RLock()
			defer state.mu.RUnlock()
			return len(state.hands) == 4
		})
		<-time.After(5 * time.Second)
		recovering := 0
		for id := range int32(4) {
			if state.shard(def, id) != nil {
				continue
			}
			recovering++
			if state.copy(def, id) == nil {
				t.Errorf("partition %d has no copy", id)
			}
		}
		if recovering != 2 {
			t.Errorf("%d shards recover", recovering)
		}
		for range maxRecoveries {
			<-state.recovery.slots
		}
		eventually(t, "they are recovered", func() bool { return len(p.two.shards(def)) == 4 })
		same(t, "taken over", heldBy(t, p.two, def), want(100))
		if err := p.two.stop(); err != nil {
			t.Error(err)
		}
	})
}
