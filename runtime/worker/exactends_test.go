package worker

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kmsg"

	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/topic"
)

// amnesia is a coordinator that takes the end of a transaction for done and forgets it: it answers in the place of the broker, in which the transaction stays open.
type amnesia struct {
	mu   sync.Mutex
	left int // of these to forget
	last *kmsg.EndTxnRequest
}

// answer is the answer to a request, nil if the broker gives it.
func (a *amnesia) answer(kreq kmsg.Request) kmsg.Response {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch req := kreq.(type) {
	case *kmsg.EndTxnRequest:
		a.last = nil
		if a.left == 0 {
			return nil
		}
		a.left--
		a.last = req
		resp := req.ResponseKind().(*kmsg.EndTxnResponse)
		resp.ProducerID, resp.ProducerEpoch = req.ProducerID, req.ProducerEpoch
		return resp
	case *kmsg.DescribeTransactionsRequest:
		if a.last == nil {
			return nil
		}
		resp := req.ResponseKind().(*kmsg.DescribeTransactionsResponse)
		st := kmsg.NewDescribeTransactionsResponseTransactionState()
		st.TransactionalID, st.State, st.ProducerID, st.ProducerEpoch = a.last.TransactionalID, "CompleteCommit", a.last.ProducerID, a.last.ProducerEpoch
		resp.TransactionStates = append(resp.TransactionStates, st)
		return resp
	}
	return nil
}

// dial makes connections to that coordinator.
func (a *amnesia) dial(dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		r, w := io.Pipe()
		go func() {
			_, err := io.Copy(w, c)
			w.CloseWithError(err)
		}()
		return &amnesiaConn{Conn: c, of: a, answers: r, more: w}, nil
	}
}

type amnesiaConn struct {
	net.Conn
	of      *amnesia
	answers *io.PipeReader
	more    *io.PipeWriter
}

func (c *amnesiaConn) Read(p []byte) (int, error) { return c.answers.Read(p) }

func (c *amnesiaConn) Close() error {
	_ = c.answers.Close()
	return c.Conn.Close()
}

func (c *amnesiaConn) Write(p []byte) (int, error) {
	const head = 4 + 2 + 2 + 4 // length, key, version, correlation
	kreq := kmsg.RequestForKey(int16(binary.BigEndian.Uint16(p[4:])))
	switch kreq.(type) {
	case *kmsg.EndTxnRequest, *kmsg.DescribeTransactionsRequest:
	default:
		return c.Conn.Write(p)
	}
	kreq.SetVersion(int16(binary.BigEndian.Uint16(p[6:])))
	client := head + 2 + int(binary.BigEndian.Uint16(p[head:])) // after its name
	if err := kreq.ReadFrom(p[client+1:]); err != nil {
		return 0, err
	}
	resp := c.of.answer(kreq)
	if resp == nil {
		return c.Conn.Write(p)
	}
	resp.SetVersion(kreq.GetVersion())
	body := resp.AppendTo(append(p[8:12:12], 0))
	go func() { _, _ = c.more.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)) }()
	return len(p), nil
}

// A transaction whose end the cluster has lost is ended once more by the worker that wrote it, though there is nothing more to do.
func TestLostEnds(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		var a amnesia
		cfg := w.cfg
		cfg.Dial = a.dial(w.cfg.Dial)
		w.ensure("in", 4)
		build, def := summing()
		build.Settings.ProcessingGuarantee, build.Settings.SessionTimeout = app.ExactlyOnce, time.Minute
		r := w.start(build, func(c *Config) { c.Broker = func(context.Context) (broker.Config, error) { return cfg, nil } }).operational()
		w.produce("in", 4, 0, 100)
		w.settled("sums", 100)
		a.mu.Lock()
		a.left = 1
		a.mu.Unlock()
		w.produce("in", 4, 100, 100)
		w.settled("sums", 200)
		eventually(t, "it is told", func() bool { return strings.Contains(r.log.String(), "it was ended once more") })
		eventually(t, "it is in the worker", func() bool { return maps.Equal(heldBy(t, r, def), want(200)) }) // the partitions may just be taken up anew
		same(t, "in the changelog", w.totals("sums-totals-changelog"), want(200))
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// A transaction that has ended by itself counts no more among those that hold this worker up.
func TestEndedIsNotOpen(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a, _ := summing()
		a.Settings.ProcessingGuarantee = app.ExactlyOnce
		x := newExact(newRun(t.Context(), Config{App: a, Broker: func(context.Context) (broker.Config, error) { return w.cfg, nil }, Logger: slog.New(slog.DiscardHandler)}))
		id := "sums-" + uuid.NewString()
		tx, err := w.client.OpenTransactor(t.Context(), id, time.Minute, &broker.Ends{})
		if err == nil {
			err = tx.Begin()
		}
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Close()
		w.ensure("in", 4)
		tx.Produce(t.Context(), &topic.Record{Topic: "in"}, nil)
		if err := tx.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		seen := map[broker.OpenTransaction]time.Time{}
		look := func(want int) {
			t.Helper()
			if err := x.unblock(t.Context(), w.client, seen); err != nil || len(seen) != want {
				t.Errorf("open are %v, %v; want %d", seen, err, want)
			}
		}
		look(1)
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		look(0)
	})
}
