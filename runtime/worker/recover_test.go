package worker

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"faust/runtime/broker"
	"faust/runtime/store"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// A checkpoint of a time to come says nothing about its age: the table is read anew.
func TestCheckpointOfTheFuture(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ahead time.Duration
		keeps string // delete.retention.ms of the changelog; empty: the default
		whole bool
	}{
		"a little": {time.Minute, "", false}, "a day": {24 * time.Hour, "", true}, "a day ago": {-24 * time.Hour, "", true}, "half a day ago": {-11 * time.Hour, "", false},
		"an hour ago, of one": {-time.Hour, "3600000", true}, "a day ago, of a week": {-24 * time.Hour, "604800000", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, w *world) {
				w.ensure("in", 4)
				kept := store.NewMemory()
				defer kept.Close()
				a, _ := summing()
				r := w.start(a, func(cfg *Config) { cfg.Store = kept }).operational()
				w.produce("in", 4, 0, 100)
				w.settled("sums", 100)
				if err := r.stop(); err != nil {
					t.Error(err)
				}
				var b store.Batch
				for p := range int32(4) {
					id := store.Shard{Table: "totals", Partition: p}
					pos, ok, err := kept.Position(id)
					if !ok || err != nil {
						t.Fatal(ok, err)
					}
					pos.Time = pos.Time.Add(c.ahead)
					b.Position(id, pos)
				}
				if err := kept.Apply(&b); err != nil {
					t.Fatal(err)
				}
				if c.keeps != "" {
					if _, err := w.admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "delete.retention.ms", Value: &c.keeps}}, "sums-totals-changelog"); err != nil {
						t.Fatal(err)
					}
				}
				a, def := summing()
				r = w.start(a, func(cfg *Config) { cfg.Store = kept }).operational()
				same(t, "recovered", heldBy(t, r, def), want(100))
				if n := r.worker.current.Load().state.recovery.read.Load(); n > 16 != c.whole {
					t.Errorf("%d records of the changelog were read", n)
				}
				if err := r.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Records of a writer that was cut off, and that arrive when its successor has written, count for nobody: the owner writes what they have covered once more, and a
// fresh worker passes over them.
func TestStrays(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 4)
		ends := make(chan func(), 1)
		var armed atomic.Bool
		start := func() (*running, *wire) {
			a, _ := summing()
			x := w.wire()
			return w.start(a, func(c *Config) {
				cfg := w.cfg
				cfg.Dial = x.Dial
				c.Store = store.NewMemory()
				c.Broker = func(context.Context) (broker.Config, error) { return cfg, nil }
				c.Between = func(b Moment) error {
					if b == sealed && armed.CompareAndSwap(true, false) {
						ends <- x.stall()
					}
					return nil
				}
			}), x
		}
		one, _ := start()
		one.operational()
		w.produce("in", 4, 0, 50)
		w.settled("sums", 50) // its connections are open now
		armed.Store(true)
		w.produce("in", 4, 50, 50)
		resume := <-ends // it is cut off with sends under way
		two, _ := start()
		two.operational()
		w.settled("sums", 100)
		w.produce("in", 4, 100, 100)
		w.settled("sums", 200)
		resume()
		<-time.After(5 * time.Second)
		w.produce("in", 4, 200, 100)
		w.settled("sums", 300)
		for _, r := range []*running{one, two} {
			if err := r.stop(); err != nil {
				t.Error(err)
			}
		}
		got := w.totals("sums-totals-changelog")
		for key, n := range want(300) {
			if got[key] < n {
				t.Errorf("%s counted %d of %d records", key, got[key], n)
			}
		}
	})
}

// mortal is a store whose loads are full at once, and of which only so many commits succeed; after that the disk says nothing until it is let go.
type mortal struct {
	store.Store
	commits atomic.Int32 // left
	stuck   chan struct{}
	gone    chan struct{}
}

type mortalLoad struct {
	store.Load
	of *mortal
}

func (m *mortal) Load() store.Load { return mortalLoad{m.Store.Load(), m} }

func (l mortalLoad) Full() bool { return true }

func (l mortalLoad) Commit() error {
	if l.of.commits.Add(-1) < 0 {
		select {
		case l.of.stuck <- struct{}{}:
		default:
		}
		<-l.of.gone
		return errors.New("the machine is off")
	}
	return l.Load.Commit()
}

// A worker that dies in the middle of a recovery goes on from where the store is, and the table is what its changelog says.
func TestCrashInRecovery(t *testing.T) {
	t.Parallel()
	for _, commits := range []int32{0, 1, 5, 9, 13} { // of four shards: three of a thousand records, and the end
		t.Run(fmt.Sprint(commits), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, w *world) {
				w.ensure("in", 4)
				a, _ := summing()
				if err := w.start(a).operational().stop(); err != nil {
					t.Fatal(err)
				}
				const records = 3000 // of a partition
				expected := map[string]int{}
				for i := range 4 * records {
					key, p := fmt.Sprint("b", i%70), int32(i%4)
					rec := topic.Record{Topic: "sums-totals-changelog", Partition: p, Key: table.ChangelogKey(table.Data, []byte(key)), Headers: table.Writer(0)}
					if i%11 > 0 {
						rec.Value = fmt.Append(nil, i)
						expected[fmt.Sprint(p, " ", key)] = i
					} else {
						delete(expected, fmt.Sprint(p, " ", key))
					}
					w.client.Produce(t.Context(), &rec, func(topic.Record, error) {})
				}
				if err := w.client.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				kept := &mortal{Store: store.NewMemory(), stuck: make(chan struct{}, 1), gone: make(chan struct{})}
				defer kept.Close()
				kept.commits.Store(commits)
				a, _ = summing()
				r := w.start(a, func(cfg *Config) { cfg.Store = kept })
				<-kept.stuck
				close(kept.gone)
				r.crash()
				kept.commits.Store(1 << 30)
				a, def := summing()
				r = w.start(a, func(cfg *Config) { cfg.Store = kept }).operational()
				same(t, "recovered", heldBy(t, r, def), expected)
				if n := r.worker.current.Load().state.recovery.read.Load(); n > 4*records+16-1000*int64(commits-commits/4) {
					t.Errorf("%d records were read, after %d commits", n, commits)
				}
				if err := r.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// What a store has of a shard is not taken for all of it before the end of the changelog was reached once, also if somebody else goes on.
func TestCheckpointOfAPart(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 4)
		a, def := summing()
		one := w.start(a).operational()
		h := shelf{shardKey{def, 9}, one.worker.current.Load().state}
		r, err := h.begin(0, 100)
		for at := range int64(3) {
			if err != nil || r.next != 10*at || r.whole {
				t.Fatalf("%+v, %v", r, err)
			}
			var b store.Batch
			if err := r.take(&topic.Record{Key: table.ChangelogKey(table.Data, []byte("k")), Value: []byte("v"), Offset: 10*at + 9}, &b); err != nil {
				t.Fatal(err)
			}
			r.position(&b)
			if err := h.state.apply(&b); err != nil {
				t.Fatal(err)
			}
			r, err = h.begin(0, 100)
		}
		var b store.Batch
		r.complete(&b)
		if err := h.state.apply(&b); err != nil {
			t.Fatal(err)
		}
		if r, err = h.begin(0, 100); err != nil || r.next != 30 || !r.whole {
			t.Errorf("%+v, %v", r, err)
		}
		if r, err = h.begin(50, 100); err != nil || r.next != 50 || r.whole { // it is wiped
			t.Errorf("%+v, %v", r, err)
		}
		if err := one.stop(); err != nil {
			t.Error(err)
		}
	})
}
