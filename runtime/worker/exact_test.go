package worker

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/store"
	"faust/runtime/topic"
)

// dying leaves a transaction open that wrote to the changelogs and was about to commit.
func (w *world) dying(group *broker.Group, id string) (end func()) {
	w.t.Helper()
	dead, err := w.client.OpenTransactor(w.t.Context(), id, 10*time.Minute, &broker.Ends{})
	if err == nil {
		err = dead.Begin()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	for p := range int32(4) {
		dead.Produce(w.t.Context(), &topic.Record{Topic: "sums-totals-changelog", Partition: p, Key: []byte{1, 'b'}, Value: []byte("9")}, nil)
	}
	if err := dead.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if err := dead.Offsets(w.t.Context(), group, map[topic.Partition]broker.Position{{Topic: "in", ID: 1}: {Offset: 3}}); err != nil {
		w.t.Fatal(err)
	}
	return dead.Close
}

// A worker that died in the middle of a transaction does not hold up its successors for as long as that may last: neither the next one in its slot nor others.
func TestOpenTransactionOfADeadWorker(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]time.Duration{"same slot": time.Second, "another worker": 20 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			inWorld(t, func(t *testing.T, w *world) {
				w.ensure("in", 4)
				a, _ := summing()
				a.Settings.ProcessingGuarantee, a.Settings.Datadir = app.ExactlyOnce, dir
				first := w.start(a, func(c *Config) { c.Store = store.NewMemory() }).operational()
				w.produce("in", 4, 0, 100)
				w.settled("sums", 100)
				run := first.worker.current.Load()
				id := run.exact.id
				if name != "same slot" {
					id = "sums-" + uuid.NewString()
				}
				defer w.dying(run.group.Load(), id)()
				first.crash()
				begun := time.Now()
				b, def := summing()
				b.Settings.ProcessingGuarantee, b.Settings.Datadir = app.ExactlyOnce, dir
				second := w.start(b, func(c *Config) { c.Store = store.NewMemory() })
				eventually(t, "the transaction is ended", func() bool {
					open, err := w.client.OpenTransactions(t.Context(), func(string) bool { return true })
					return err == nil && len(open) == 0
				})
				if took := time.Since(begun); took > limit {
					t.Errorf("it took %s", took)
				}
				eventually(t, "the shards are with the second", func() bool { return len(second.shards(def)) == 4 })
				same(t, "recovered", heldBy(t, second, def), want(100))
				if err := second.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// forgetful are connections that lose requests which end transactions, or the answers to them.
type forgetful struct {
	mu   sync.Mutex
	rng  *rand.Rand
	left int // of these to lose
}

// fate says what becomes of a request: 0 it is answered, 1 the answer is lost, 2 the request is.
func (f *forgetful) fate() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left == 0 {
		return 0
	}
	f.left--
	return f.rng.IntN(3)
}

type forgetfulConn struct {
	net.Conn
	of   *forgetful
	lost atomic.Bool
}

func (c *forgetfulConn) Write(p []byte) (int, error) {
	const endTxn = 26
	if len(p) > 6 && binary.BigEndian.Uint16(p[4:6]) == endTxn {
		switch c.of.fate() {
		case 1:
			c.lost.Store(true)
		case 2:
			c.Conn.Close()
			return 0, io.ErrClosedPipe
		}
	}
	return c.Conn.Write(p)
}

func (c *forgetfulConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.lost.Load() {
		c.Conn.Close()
		return 0, io.EOF
	}
	return n, err
}

// The end of a transaction whose answer was lost is what the broker says it is.
func TestUnknownOutcome(t *testing.T) {
	games(t, 8, func(t *testing.T, w *world, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 4))
		f := &forgetful{rng: rand.New(rand.NewPCG(seed, 5)), left: 40 + rng.IntN(100)}
		cfg := w.cfg
		cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := w.cfg.Dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &forgetfulConn{Conn: c, of: f}, nil
		}
		w.ensure("in", 4)
		a, def := summing()
		a.Settings.ProcessingGuarantee = app.ExactlyOnce
		r := w.start(a, func(c *Config) { c.Broker = func(context.Context) (broker.Config, error) { return cfg, nil } }).operational()
		for n := 0; n < 400; n += 20 {
			w.produce("in", 4, n, 20)
			<-time.After(time.Duration(rng.IntN(3000)) * time.Millisecond)
		}
		w.settled("sums", 400)
		t.Logf("%d resets", strings.Count(r.log.String(), "taken up anew"))
		eventually(t, "it is in the worker", func() bool { return maps.Equal(heldBy(t, r, def), want(400)) }) // the partitions may just be taken up anew
		same(t, "in the changelog", w.totals("sums-totals-changelog"), want(400))
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// The connection for transactions is closed when a stop has used up its time, too.
func TestExactEndsWithoutTime(t *testing.T) {
	t.Parallel()
	for range 20 {
		inWorld(t, func(t *testing.T, w *world) {
			w.ensure("in", 4)
			a, _ := summing()
			a.Settings.ProcessingGuarantee = app.ExactlyOnce
			r := newRun(t.Context(), Config{App: a, Broker: func(context.Context) (broker.Config, error) { return w.cfg, nil }, Logger: slog.New(slog.DiscardHandler)})
			if err := r.exact.begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			late, cancel := context.WithCancel(t.Context())
			cancel()
			r.exact.end(late)
			if r.exact.tx != nil {
				t.Error("it is open")
			}
			r.exact.end(t.Context())
			r.link.close(t.Context())
		})
	}
}

// A worker whose offsets are held up by a transaction that none of the app's workers has open says what can be done.
func TestOffsetsThatAreHeldUp(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 4)
		build := func() *app.App {
			a, _ := summing()
			a.Settings.ProcessingGuarantee = app.ExactlyOnce
			return a
		}
		first := w.start(build()).operational()
		w.produce("in", 4, 0, 100)
		w.settled("sums", 100)
		defer w.dying(first.worker.current.Load().group.Load(), "elsewhere")()
		first.crash()
		second := w.start(build())
		eventually(t, "it says so", func() bool { return strings.Contains(second.log.String(), "kafka-transactions.sh find-hanging") })
		if err := w.client.EndTransaction(t.Context(), "elsewhere"); err != nil {
			t.Fatal(err)
		}
		w.produce("in", 4, 100, 100)
		w.settled("sums", 200)
		if err := second.stop(); err != nil {
			t.Error(err)
		}
	})
}
