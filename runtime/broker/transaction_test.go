package broker

import (
	"errors"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"faust/runtime/topic"
)

// transactor opens one.
func (v *virtual) transactor(id string) *Transactor {
	v.Helper()
	t, err := v.client.OpenTransactor(v.Context(), id, 8*time.Second, &Ends{})
	if err != nil {
		v.Fatal(err)
	}
	return t
}

// begin begins a transaction with records.
func (v *virtual) begin(t *Transactor, rs ...topic.Record) {
	v.Helper()
	if err := t.Begin(); err != nil {
		v.Fatal(err)
	}
	for _, s := range send(v.Context(), t.Client, rs...) {
		if s.err != nil {
			v.Fatal(s.err)
		}
	}
}

// reads makes topics a and out, and a member that has all of a.
func (v *virtual) reads() *member {
	v.Helper()
	v.ensure(topic.Topic{Name: "a"}, topic.Topic{Name: "out", Partitions: 1})
	v.send(numbered("a", 1, 0, 10)...) // offsets up to there are committed
	m := v.join("m", nil, nil)
	m.has(4)
	return m
}

// What a transaction writes, and the offsets it commits, are there when it is committed, all of them; of one that is aborted nothing is.
func TestTransaction(t *testing.T) {
	t.Parallel()
	bubble(t, func(v *virtual) {
		m := v.reads()
		defer m.leave()
		p := topic.Partition{Topic: "a", ID: 1}
		tx := v.transactor("t")
		defer tx.Close()
		v.begin(tx, numbered("out", 0, 0, 2)...)
		if err := tx.Offsets(v.Context(), m.Group, map[topic.Partition]Position{p: {7, "more"}}); err != nil {
			t.Fatal(err)
		}
		if got, err := v.read(Reading{Topic: "out"}); got != "" || err != nil {
			t.Errorf("read before the commit: %q, %v", got, err)
		}
		read := make(chan string, 1)
		go func() {
			got, _ := v.read(Reading{Topic: "out", Open: true})
			read <- got
		}()
		<-time.After(5 * time.Second)
		synctest.Wait()
		if len(read) != 0 {
			t.Errorf("read %q although a transaction is open", <-read)
		}
		if err := tx.Commit(v.Context()); err != nil {
			t.Fatal(err)
		}
		if got := <-read; got != "0:0 0:1" {
			t.Errorf("waited for the transaction and read %q", got)
		}
		want := map[topic.Partition]Position{p: {7, "more"}}
		if got, err := m.Positions(v.Context(), []topic.Partition{p}); err != nil || !maps.Equal(got, want) {
			t.Errorf("the group has %v, %v", got, err)
		}
		v.begin(tx, numbered("out", 0, 2, 2)...)
		if err := tx.Offsets(v.Context(), m.Group, map[topic.Partition]Position{p: {9, ""}}); err != nil {
			t.Fatal(err)
		}
		tx.Abort(v.Context())
		v.begin(tx, numbered("out", 0, 4, 2)...)
		if err := tx.Commit(v.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := v.read(Reading{Topic: "out"}); err != nil || got != "0:0 0:1 0:4 0:5" {
			t.Errorf("after an abort: %q, %v", got, err)
		}
		if got, err := m.Positions(v.Context(), []topic.Partition{p}); err != nil || !maps.Equal(got, want) {
			t.Errorf("after an abort the group has %v, %v", got, err)
		}
	})
}

// A member cannot commit what is not its own, and who opens transactions of the same id ends those of the one before.
func TestTransactionFences(t *testing.T) {
	t.Parallel()
	bubble(t, func(v *virtual) {
		m := v.reads()
		one := v.transactor("t")
		defer one.Close()
		v.begin(one, numbered("out", 0, 0, 1)...)
		if err := one.Offsets(v.Context(), m.Group, map[topic.Partition]Position{{Topic: "b", ID: 0}: {}}); !errors.Is(err, ErrRebalanced) {
			t.Errorf("offsets of a partition that is not there: %v", err)
		}
		two := v.transactor("t")
		defer two.Close()
		if err := one.Commit(v.Context()); err == nil {
			t.Error("a transaction is committed although another one was opened")
		}
		v.begin(two, numbered("out", 0, 1, 1)...)
		m.leave()
		if err := two.Offsets(v.Context(), m.Group, map[topic.Partition]Position{{Topic: "a", ID: 0}: {}}); !errors.Is(err, ErrRebalanced) {
			t.Errorf("offsets of one that left: %v", err)
		}
		if err := two.Commit(v.Context()); err != nil {
			t.Error(err)
		}
		if got, err := v.read(Reading{Topic: "out"}); err != nil || got != "0:1" {
			t.Errorf("read %q, %v", got, err)
		}
	})
}
