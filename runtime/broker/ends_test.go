package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"faust/runtime/topic"
)

// loseEnd makes the broker take the end of the next transaction for done and forget it where it wrote: what was written stays open, and its coordinator knows of nothing, until
// another end comes.
func (v *virtual) loseEnd() {
	var lost *kmsg.EndTxnRequest
	v.server.cluster.ControlKey(int16(kmsg.EndTxn), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		req := kreq.(*kmsg.EndTxnRequest)
		lost = req
		resp := req.ResponseKind().(*kmsg.EndTxnResponse)
		resp.ProducerID, resp.ProducerEpoch = req.ProducerID, req.ProducerEpoch
		return resp, nil, true
	})
	v.server.cluster.ControlKey(int16(kmsg.DescribeTransactions), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		if lost == nil {
			return nil, nil, false
		}
		req := kreq.(*kmsg.DescribeTransactionsRequest)
		resp := req.ResponseKind().(*kmsg.DescribeTransactionsResponse)
		for _, id := range req.TransactionalIDs {
			st := kmsg.NewDescribeTransactionsResponseTransactionState()
			st.TransactionalID, st.State, st.ProducerID, st.ProducerEpoch = id, "CompleteCommit", lost.ProducerID, lost.ProducerEpoch
			resp.TransactionStates = append(resp.TransactionStates, st)
		}
		return resp, nil, true
	})
}

// A transaction whose end the cluster has lost is ended once more, the way it ended: records and offsets.
func TestLostEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(ctx context.Context, tx *Transactor) error
		read string
		at   map[topic.Partition]Position
	}{
		{"commit", func(ctx context.Context, tx *Transactor) error { return tx.Commit(ctx) }, "0:0 0:1 0:2 0:3",
			map[topic.Partition]Position{{Topic: "a", ID: 1}: {Offset: 9}}},
		{"abort", func(ctx context.Context, tx *Transactor) error { tx.Abort(ctx); return nil }, "0:0 0:1",
			map[topic.Partition]Position{{Topic: "a", ID: 1}: {Offset: 7}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(v *virtual) {
				m := v.reads()
				defer m.leave()
				p := topic.Partition{Topic: "a", ID: 1}
				tx := v.transactor("t")
				defer tx.Close()
				write := func(from int, offset int64) {
					t.Helper()
					v.begin(tx, numbered("out", 0, from, 2)...)
					if err := tx.Offsets(v.Context(), m.Group, map[topic.Partition]Position{p: {Offset: offset}}); err != nil {
						t.Fatal(err)
					}
				}
				ended := func(want int) {
					t.Helper()
					if lost, err := tx.EndAgain(v.Context()); err != nil || lost != want {
						t.Fatalf("%d ends were lost, %v; want %d", lost, err, want)
					}
				}
				write(0, 7)
				if err := tx.Commit(v.Context()); err != nil {
					t.Fatal(err)
				}
				ended(0)
				write(2, 9)
				v.loseEnd()
				if err := c.end(v.Context(), tx); err != nil {
					t.Fatal(err)
				}
				short, stop := context.WithTimeout(v.Context(), 5*time.Second)
				defer stop()
				if got, err := m.Positions(short, []topic.Partition{p}); err == nil {
					t.Fatalf("nothing holds the offsets up, they are %v", got)
				}
				ended(2)
				tx.Close()
				next, err := v.client.OpenTransactor(v.Context(), "t", time.Minute, tx.ends)
				if err != nil {
					t.Fatal(err)
				}
				defer next.Close()
				tx = next
				ended(0)
				if got, err := v.read(Reading{Topic: "out"}); err != nil || got != c.read {
					t.Errorf("read %q, %v", got, err)
				}
				if got, err := m.Positions(v.Context(), []topic.Partition{p}); err != nil || !maps.Equal(got, c.at) {
					t.Errorf("the group has %v, %v", got, err)
				}
			})
		})
	}
}

// Offsets that are held up by a transaction of another member are not taken for ones whose end was lost: not while it is open, as of a member that died.
func TestOffsetsHeldByOthers(t *testing.T) {
	t.Parallel()
	bubble(t, func(v *virtual) {
		m := v.reads()
		defer m.leave()
		positions := map[topic.Partition]Position{{Topic: "a", ID: 1}: {Offset: 7}}
		tx, died := v.transactor("t"), v.transactor("died")
		defer tx.Close()
		defer died.Close()
		tx.ends.Sibling = func(id string) bool { return id == "died" }
		v.begin(tx, numbered("out", 0, 0, 2)...)
		if err := tx.Offsets(v.Context(), m.Group, positions); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(v.Context()); err != nil {
			t.Fatal(err)
		}
		v.begin(died, numbered("out", 0, 2, 2)...)
		if err := died.Offsets(v.Context(), m.Group, positions); err != nil {
			t.Fatal(err)
		}
		if lost, err := tx.EndAgain(v.Context()); err != nil || lost != 0 {
			t.Errorf("%d ends were lost, %v", lost, err)
		}
	})
}

// How a transaction ended is known to who opens the next one, although the answer was lost.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	for want, name := range map[outcome]string{committed: "committed", aborted: "not committed"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(v *virtual) {
				v.ensure(topic.Topic{Name: "out", Partitions: 1})
				tx := v.transactor("t")
				defer tx.Close()
				v.begin(tx, numbered("out", 0, 0, 1)...)
				if want == committed { // by a request whose answer nobody hears
					if _, _, err := endTransaction(v.Context(), v.client.kafka, "t", tx.ends.kept[0], true); err != nil {
						t.Fatal(err)
					}
				}
				var deaf atomic.Bool
				deaf.Store(true)
				v.server.cluster.ControlKey(int16(kmsg.EndTxn), func(kmsg.Request) (kmsg.Response, error, bool) {
					v.server.cluster.KeepControl()
					return nil, errors.New("no answer"), deaf.Load()
				})
				short, stop := context.WithTimeout(v.Context(), 3*time.Second)
				defer stop()
				if err := tx.Commit(short); err == nil {
					t.Fatal("it was committed without an answer")
				}
				tx.Abort(short)
				tx.Close()
				if got := tx.ends.kept[0].outcome; got != unknown {
					t.Errorf("without an answer the outcome is %d", got)
				}
				deaf.Store(false)
				next, err := v.client.OpenTransactor(v.Context(), "t", time.Minute, tx.ends)
				if err != nil {
					t.Fatal(err)
				}
				defer next.Close()
				if got := tx.ends.kept[0].outcome; got != want {
					t.Errorf("the outcome is %d, want %d", got, want)
				}
			})
		})
	}
}

// How transactions ended that nobody remembers is not guessed, but what was never told to commit was not.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	var e Ends
	for epoch := range int16(keptEnds + 1) {
		e.begun(1, epoch)
		e.ended(committed)
	}
	e.begun(1, keptEnds+3)
	e.offsets(nil, nil)
	for epoch, want := range map[int16]outcome{0: unknown, keptEnds: committed, keptEnds + 1: aborted, keptEnds + 3: aborted} {
		if got := e.outcome(1, epoch); got != want {
			t.Errorf("epoch %d: %d, want %d", epoch, got, want)
		}
	}
	if got := e.outcome(2, keptEnds); got != unknown {
		t.Errorf("of another producer: %d", got)
	}
}

// What a worker that is gone left open is ended by others, as its coordinator says.
func TestLostEndOfOthers(t *testing.T) {
	t.Parallel()
	for commit, want := range map[bool]string{true: "0:0 0:1", false: ""} {
		t.Run(fmt.Sprint(commit), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(v *virtual) {
				m := v.reads()
				defer m.leave()
				tx := v.transactor("gone")
				v.begin(tx, numbered("out", 0, 0, 2)...)
				if err := tx.Offsets(v.Context(), m.Group, map[topic.Partition]Position{{Topic: "a", ID: 1}: {Offset: 7}}); err != nil {
					t.Fatal(err)
				}
				v.gone(tx, commit)
				tx.Close()
				other := func(id string) bool { return id != "gone" }
				all := func(string) bool { return true }
				for _, c := range []struct {
					keep func(id string) bool
					want bool
				}{{other, false}, {all, true}, {all, false}} {
					if lost, err := v.client.EndOthers(v.Context(), c.keep, []string{"out"}, m.Group); err != nil || lost > 0 != c.want {
						t.Errorf("%d ends were lost, %v; want some: %v", lost, err, c.want)
					}
				}
				if got, err := v.read(Reading{Topic: "out"}); err != nil || got != want {
					t.Errorf("read %q, %v", got, err)
				}
				if got, err := m.Positions(v.Context(), []topic.Partition{{Topic: "a", ID: 1}}); err != nil || (len(got) == 1) != commit {
					t.Errorf("the group has %v, %v", got, err)
				}
			})
		})
	}
}

// gone makes the broker say that the transaction under way, which stays open, was ended.
func (v *virtual) gone(tx *Transactor, commit bool) {
	state := map[bool]string{true: "CompleteCommit", false: "CompleteAbort"}[commit]
	control := func(key kmsg.Key, f func(kreq kmsg.Request) kmsg.Response) {
		v.server.cluster.ControlKey(int16(key), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
			v.server.cluster.KeepControl()
			return f(kreq), nil, true
		})
	}
	control(kmsg.ListTransactions, func(kreq kmsg.Request) kmsg.Response {
		resp := kreq.ResponseKind().(*kmsg.ListTransactionsResponse)
		s := kmsg.NewListTransactionsResponseTransactionState()
		s.TransactionalID, s.ProducerID, s.TransactionState = tx.id, tx.producer, state
		resp.TransactionStates = append(resp.TransactionStates, s)
		return resp
	})
	control(kmsg.DescribeTransactions, func(kreq kmsg.Request) kmsg.Response {
		resp := kreq.ResponseKind().(*kmsg.DescribeTransactionsResponse)
		s := kmsg.NewDescribeTransactionsResponseTransactionState()
		s.TransactionalID, s.ProducerID, s.ProducerEpoch, s.State = tx.id, tx.producer, tx.epoch+1, state
		resp.TransactionStates = append(resp.TransactionStates, s)
		return resp
	})
	control(kmsg.InitProducerID, func(kreq kmsg.Request) kmsg.Response {
		resp := kreq.ResponseKind().(*kmsg.InitProducerIDResponse)
		resp.ProducerID, resp.ProducerEpoch = tx.producer, tx.epoch
		return resp
	})
}
