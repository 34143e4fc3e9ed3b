package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/store"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// keeps declares a table that agents of the topics write.
func keeps(a *app.App, name string, sources ...string) *table.Definition {
	t := &table.Definition{
		Name: name, Sources: sources, Changelog: topic.Topic{Name: a.Settings.Internal(name, "changelog"), Compact: true, Internal: true},
	}
	a.Tables = append(a.Tables, t)
	return t
}

// effects are the table effects of an event.
func effects(ev *agent.Event) *table.Effects {
	return ev.Effects(func() agent.Effects { return &table.Effects{} }).(*table.Effects)
}

// add adds to a key of the shard that belongs to the event.
func add(a *app.App, t *table.Definition, ev *agent.Event, key string, n int) error {
	shard, by := a.Runtime().Shard(t, ev.Partition), effects(ev)
	if shard == nil {
		return errors.New("the shard is not here")
	}
	var bad error
	err := shard.Update(key, by, func(v table.Value) (table.Value, bool) { // in one step: another actor may be at the same key
		had := 0
		if v != nil {
			if had, bad = strconv.Atoi(string(v.Append(nil))); bad != nil {
				return nil, false
			}
		}
		return &table.Stored{Bytes: strconv.AppendInt(nil, int64(had+n), 10)}, true
	})
	return errors.Join(err, bad)
}

// summing is an app that counts the records of each of ten keys.
func summing() (*app.App, *table.Definition) {
	a := newApp("sums")
	declare(a, 4, "in")
	t := keeps(a, "totals", "in")
	reads(a, "sum", "in", each(func(_ context.Context, ev *agent.Event) error { return add(a, t, ev, bucket(ev.Value), 1) }))
	return a, t
}

func bucket(value []byte) string {
	n, _ := strconv.Atoi(string(value))
	return fmt.Sprint("b", n%10)
}

// totals reads the changelog as an independent reader does: the latest value of each key, by partition and key.
func (w *world) totals(changelog string) map[string]int {
	w.t.Helper()
	out := map[string]int{}
	for _, r := range w.all(changelog) {
		kind, key, err := (&table.Definition{}).Read(r.Key, r.Value)
		switch {
		case err != nil:
			w.t.Fatal(err)
		case kind != table.Data:
		case r.Value == nil:
			delete(out, fmt.Sprint(r.Partition, " ", string(key)))
		default:
			v, err := strconv.Atoi(string(r.Value))
			if err != nil {
				w.t.Fatal(err)
			}
			out[fmt.Sprint(r.Partition, " ", string(key))] = v
		}
	}
	return out
}

// want is what summing should have counted of the first n records.
func want(n int) map[string]int {
	out := map[string]int{}
	for i := range n {
		out[fmt.Sprint(i%4, " b", i%10)]++
	}
	return out
}

// held is what a worker's shards have.
func heldBy(t *testing.T, r *running, def *table.Definition) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, s := range r.worker.current.Load().Shards(def) {
		page, _, err := s.Page("", 1000, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page {
			n, _ := strconv.Atoi(string(p.Value.Append(nil)))
			out[fmt.Sprint(s.Partition(), " ", p.Key)] = n
		}
	}
	return out
}

func (w *world) settled(group string, n int64) {
	w.t.Helper()
	eventually(w.t, "all is committed", func() bool {
		var sum int64
		for p := range int32(4) {
			at, _ := w.committed(group, topic.Partition{Topic: "in", ID: p})
			sum += max(at, 0)
		}
		return sum == n
	})
}

func same(t *testing.T, what string, got, want map[string]int) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s\n%v, want\n%v", what, got, want)
	}
}

// State is there again after a stop, from the store or, if that is gone, from the changelog; and after a crash, when what was done twice may count twice.
func TestTableLives(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ wiped, crashes bool }{"kept": {}, "wiped": {wiped: true}, "crashed": {crashes: true}, "both": {true, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBoth(t, func(t *testing.T, w *world, promise func(*app.App) *app.App) {
				w.ensure("in", 4)
				kept := store.NewMemory()
				defer kept.Close()
				for round := range 4 {
					if c.wiped {
						kept = store.NewMemory()
						defer kept.Close()
					}
					a, def := summing()
					r := w.start(promise(a), func(cfg *Config) { cfg.Store = kept }).operational()
					same(t, "at the start", heldBy(t, r, def), want(100*round))
					if n := r.worker.current.Load().state.recovery.read.Load(); round > 0 && (n > 16) != c.wiped {
						t.Errorf("%d records of the changelog were read", n)
					}
					w.produce("in", 4, 100*round, 100)
					w.settled("sums", int64(100*(round+1)))
					same(t, "in the worker", heldBy(t, r, def), want(100*(round+1)))
					same(t, "in the changelog", w.totals("sums-totals-changelog"), want(100*(round+1)))
					if c.crashes {
						r.crash()
					} else if err := r.stop(); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

// What a worker has in its store is as old as its checkpoint; the rest comes from the changelog, also what another worker wrote meanwhile.
func TestTableOfAnotherWorker(t *testing.T) {
	t.Parallel()
	inBoth(t, func(t *testing.T, w *world, promise func(*app.App) *app.App) {
		w.ensure("in", 4)
		stores := []store.Store{store.NewMemory(), store.NewMemory()}
		n := 0
		for round := range 6 {
			a, _ := summing()
			r := w.start(promise(a), func(cfg *Config) { cfg.Store = stores[round%2] }).operational()
			w.produce("in", 4, n, 57)
			n += 57
			w.settled("sums", int64(n))
			if err := r.stop(); err != nil {
				t.Error(err)
			}
		}
		same(t, "in the changelog", w.totals("sums-totals-changelog"), want(n))
	})
}

// Two workers share the shards; when one goes, the other has what it had.
func TestTableMoves(t *testing.T) {
	t.Parallel()
	inBoth(t, func(t *testing.T, w *world, promise func(*app.App) *app.App) {
		w.ensure("in", 4)
		a, def := summing()
		one := w.start(promise(a)).operational()
		w.produce("in", 4, 0, 100)
		w.settled("sums", 100)
		b, defB := summing()
		two := w.start(promise(b)).operational()
		eventually(t, "they share", func() bool {
			return len(one.worker.current.Load().Shards(def)) == 2 && len(two.worker.current.Load().Shards(defB)) == 2
		})
		all := heldBy(t, one, def)
		maps.Copy(all, heldBy(t, two, defB))
		same(t, "together", all, want(100))
		w.produce("in", 4, 100, 100)
		w.settled("sums", 200)
		if err := one.stop(); err != nil {
			t.Error(err)
		}
		eventually(t, "the other has all", func() bool { return len(two.worker.current.Load().Shards(defB)) == 4 })
		same(t, "the other", heldBy(t, two, defB), want(200))
		if err := two.stop(); err != nil {
			t.Error(err)
		}
	})
}

// What a failed event wrote is not there.
func TestFailedEventWritesNothing(t *testing.T) {
	t.Parallel()
	inBoth(t, func(t *testing.T, w *world, promise func(*app.App) *app.App) {
		w.ensure("in", 4)
		a := newApp("sums")
		declare(a, 4, "in")
		def := keeps(a, "totals", "in")
		var mu sync.Mutex
		failures := map[string]int{}
		d := reads(a, "sum", "in", each(func(_ context.Context, ev *agent.Event) error {
			if err := add(a, def, ev, bucket(ev.Value), 1); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if failures[string(ev.Value)]++; failures[string(ev.Value)] <= 2 {
				return errors.New("not yet")
			}
			return nil
		}))
		d.Policy = agent.Fixed(agent.Retry)
		d.Concurrency = 3
		r := w.start(promise(a)).operational()
		w.produce("in", 4, 0, 100)
		w.settled("sums", 100)
		same(t, "in the changelog", w.totals("sums-totals-changelog"), want(100))
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// A changelog that is not one, that is of another topic, or that does not fit ends the worker with the reason, and nothing is written.
func TestChangelogThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before func(w *world)
		want   string
	}{
		"foreign": {func(w *world) {
			w.ensure("sums-totals-changelog", 4)
			w.produce("sums-totals-changelog", 4, 0, 4)
		}, "it is no changelog"},
		"partitions": {func(w *world) { w.ensure("sums-totals-changelog", 3) }, "topic in has 4 partitions, and table totals has 3, those of its changelog sums-totals-changelog"},
		"recreated": {func(w *world) {
			formed(w, "values as int64")
			if err := w.client.Delete(w.t.Context(), "sums-totals-changelog"); err != nil {
				w.t.Error(err)
			}
		}, "deleted and created anew"},
		"recreated, of another form": {func(w *world) {
			formed(w, "values as JSON")
			if err := w.client.Delete(w.t.Context(), "sums-totals-changelog"); err != nil {
				w.t.Error(err)
			}
		}, "deleted and created anew"},
		"of another form": {func(w *world) { formed(w, "values as JSON") }, "has values as JSON, and the script declares values as int64"},
		"of another form elsewhere": {func(w *world) {
			formed(w, "values as JSON")
			w.store = store.NewMemory()
		}, "has values as JSON, and the script declares values as int64"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, w *world) {
				w.store = store.NewMemory()
				w.ensure("in", 4)
				c.before(w)
				defer w.store.Close()
				a, def := summing()
				def.Form = "values as int64"
				err := w.start(a, func(cfg *Config) { cfg.Store = w.store }).end()
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %q", err, c.want)
				}
			})
		})
	}
}

// formed lets a worker write a table of that form.
func formed(w *world, form string) {
	a, def := summing()
	def.Form = form
	r := w.start(a, func(cfg *Config) { cfg.Store = w.store }).operational()
	w.produce("in", 4, 0, 20)
	w.settled("sums", 20)
	if err := r.stop(); err != nil {
		w.t.Error(err)
	}
}

func TestTableOfUnequalTopics(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("sums")
		declare(a, 4, "in")
		declare(a, 3, "other")
		keeps(a, "totals", "in", "other")
		reads(a, "sum", "in", each(func(context.Context, *agent.Event) error { return nil }))
		reads(a, "more", "other", each(func(context.Context, *agent.Event) error { return nil }))
		err := w.start(a).end()
		if err == nil || !strings.Contains(err.Error(), "in, which has 4 partitions, and of other, which has 3") {
			t.Error(err)
		}
	})
}

// A table that agents of two topics write has one shard per partition for both, wherever it moves.
func TestTableOfTwoTopics(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 4)
		w.ensure("more", 4)
		build := func() (*app.App, *table.Definition) {
			a := newApp("sums")
			declare(a, 4, "in", "more")
			def := keeps(a, "totals", "in", "more")
			for _, name := range []string{"in", "more"} {
				reads(a, name, name, each(func(_ context.Context, ev *agent.Event) error { return add(a, def, ev, bucket(ev.Value), 1) }))
			}
			return a, def
		}
		a, def := build()
		one := w.start(a).operational()
		b, defB := build()
		two := w.start(b).operational()
		eventually(t, "they share", func() bool {
			return len(one.worker.current.Load().Shards(def)) == 2 && len(two.worker.current.Load().Shards(defB)) == 2
		})
		w.produce("in", 4, 0, 100)
		w.produce("more", 4, 0, 100)
		w.settled("sums", 100)
		if err := one.stop(); err != nil {
			t.Error(err)
		}
		eventually(t, "the other has all", func() bool { return len(two.worker.current.Load().Shards(defB)) == 4 })
		twice := want(100)
		for k := range twice {
			twice[k] *= 2
		}
		eventually(t, "both are counted", func() bool { return maps.Equal(heldBy(t, two, defB), twice) })
		if err := two.stop(); err != nil {
			t.Error(err)
		}
		same(t, "in the changelog", w.totals("sums-totals-changelog"), twice)
	})
}

// gate is a store of which the first batches after some wait until it opens.
type gate struct {
	store.Store
	free  int32 // that do not wait
	first int32 // that do, after these
	opens chan struct{}
	came  atomic.Int32
}

func (g *gate) Apply(b *store.Batch) error {
	if n := g.came.Add(1) - g.free; n > 0 && n <= g.first {
		<-g.opens
	}
	return g.Store.Apply(b)
}

// A shard that goes while it recovers, and comes back, is recovered by one at a time.
func TestRecoveryThatIsOvertaken(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 4)
		a, _ := summing()
		first := w.start(a).operational()
		w.produce("in", 4, 0, 100)
		w.settled("sums", 100)
		if err := first.stop(); err != nil {
			t.Fatal(err)
		}
		slow := &gate{Store: store.NewMemory(), first: 4, opens: make(chan struct{})}
		b, defB := summing()
		one := w.start(b, func(c *Config) { c.Store = slow })
		eventually(t, "it recovers", func() bool { return slow.came.Load() == 4 })
		c, defC := summing()
		two := w.start(c).operational()
		eventually(t, "the other has half", func() bool { return len(two.worker.current.Load().Shards(defC)) == 2 })
		w.produce("in", 4, 100, 100)
		<-time.After(5 * time.Second)
		if err := two.stop(); err != nil {
			t.Error(err)
		}
		<-time.After(time.Minute)
		close(slow.opens)
		one.operational()
		w.settled("sums", 200)
		eventually(t, "it has all", func() bool { return len(one.worker.current.Load().Shards(defB)) == 4 })
		same(t, "in the worker", heldBy(t, one, defB), want(200))
		if err := one.stop(); err != nil {
			t.Error(err)
		}
		same(t, "in the changelog", w.totals("sums-totals-changelog"), want(200))
	})
}

// cable is a worker's own way to the broker, which can be cut.
type cable struct {
	w     *world
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func (c *cable) config(context.Context) (broker.Config, error) {
	cfg := c.w.cfg
	cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.cut {
			return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
		}
		conn, err := c.w.net.DialContext(ctx, network, addr)
		if err == nil {
			c.conns = append(c.conns, conn)
		}
		return conn, err
	}
	return cfg, nil
}

func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	for _, conn := range c.conns {
		if cut {
			conn.Close()
		}
	}
}

// A worker that is cut off for longer than its session does not overwrite what the next owner of its partitions wrote to the changelog.
func TestWorkerThatWasCutOff(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{0, 50 * time.Millisecond, 990 * time.Millisecond, time.Second, 1010 * time.Millisecond} { // around a commit
		t.Run(after.String(), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, w *world) { cutOff(t, w, after) })
		})
	}
}

func cutOff(t *testing.T, w *world, after time.Duration) {
	w.ensure("in", 4)
	a, _ := summing()
	line := &cable{w: w}
	lost := w.start(a, func(c *Config) { c.Broker = line.config }).operational()
	w.produce("in", 4, 0, 100)
	w.settled("sums", 100)
	w.produce("in", 4, 100, 400)
	<-time.After(after)
	line.set(true) // with records that it has, and changes that are not sealed
	b, def := summing()
	next := w.start(b)
	<-time.After(30 * time.Second)
	w.produce("in", 4, 500, 100)
	w.settled("sums", 600)
	line.set(false)
	<-time.After(time.Minute)
	if err := lost.stop(); err != nil {
		t.Error(err)
	}
	eventually(t, "it has all", func() bool { return len(next.worker.current.Load().Shards(def)) == 4 })
	totals := w.totals("sums-totals-changelog")
	same(t, "in the worker and in the changelog", heldBy(t, next, def), totals)
	for key, n := range want(600) {
		if totals[key] < n {
			t.Errorf("%s is %d, want %d", key, totals[key], n)
		}
	}
	if err := next.stop(); err != nil {
		t.Error(err)
	}
}
