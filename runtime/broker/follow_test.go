package broker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"faust/runtime/topic"
)

// listening is a partition that is followed.
type listening struct {
	got    chan string
	ends   chan int64 // lag after each delivery
	failed chan error
	then   func() // called when it has failed; nil: nothing is
}

func (l *listening) Records(list []topic.Record, next, end int64) {
	for _, r := range list {
		l.got <- string(r.Value)
	}
	l.ends <- end - next
}

func (l *listening) Failed(err error) {
	l.failed <- err
	if l.then != nil {
		l.then()
	}
}

func (l *listening) wants(t *testing.T, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		select {
		case got := <-l.got:
			if got != fmt.Sprint(i) {
				t.Fatalf("%s instead of %d", got, i)
			}
		case err := <-l.failed:
			t.Fatal(err)
		case <-time.After(time.Minute):
			t.Fatalf("%d does not come", i)
		}
	}
}

// caughtUp waits until nothing is to be read any more.
func (l *listening) caughtUp(t *testing.T) {
	t.Helper()
	for {
		select {
		case lag := <-l.ends:
			if lag == 0 {
				return
			}
		case <-time.After(time.Minute):
			t.Fatal("never at the end")
		}
	}
}

// isGone wants that what was to be read is not there, and that nothing else was read.
func (l *listening) isGone(t *testing.T) {
	t.Helper()
	select {
	case err := <-l.failed:
		if !errors.Is(err, kerr.OffsetOutOfRange) {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("it never failed")
	}
	if len(l.got) > 0 {
		t.Errorf("%d records", len(l.got))
	}
}

// withFollower runs f with a follower.
func withFollower(t *testing.T, f func(v *virtual, listen func(p topic.Partition, from int64) *listening, follower *Follower)) {
	bubble(t, func(v *virtual) {
		follower, err := NewFollower(v.cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(v.Context())
		done := make(chan error)
		go func() {
			for ctx.Err() == nil {
				if err := follower.Each(ctx); err != nil && ctx.Err() == nil {
					done <- err
				}
			}
			close(done)
		}()
		f(v, func(p topic.Partition, from int64) *listening {
			l := &listening{got: make(chan string, 10000), ends: make(chan int64, 10000), failed: make(chan error, 10)}
			follower.Add(p, from, l)
			return l
		}, follower)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		follower.Close()
	})
}

// Partitions come and go while others are read; each is read from where it was said, and whoever takes one over hears of nothing twice and misses nothing.
func TestFollow(t *testing.T) {
	t.Parallel()
	withFollower(t, func(v *virtual, listen func(topic.Partition, int64) *listening, f *Follower) {
		v.ensure(topic.Topic{Name: "a"}, topic.Topic{Name: "b"})
		one, two, other := topic.Partition{Topic: "a", ID: 1}, topic.Partition{Topic: "a", ID: 2}, topic.Partition{Topic: "b", ID: 0}
		v.send(numbered("a", 1, 0, 100)...)
		v.send(numbered("a", 2, 0, 100)...)
		l := listen(one, 0)
		l.wants(t, 0, 100)
		l.caughtUp(t)
		m := listen(two, 50)
		m.wants(t, 50, 50)
		o := listen(other, 0)
		v.send(numbered("b", 0, 0, 10)...)
		v.send(numbered("a", 1, 100, 10)...)
		o.wants(t, 0, 10)
		l.wants(t, 100, 10)
		f.Remove(two, l) // who has not got it
		v.send(numbered("a", 2, 100, 10)...)
		m.wants(t, 100, 10)
		f.Remove(two, m)
		f.Remove(one, l)
		v.send(numbered("a", 1, 110, 10)...)
		again := listen(one, 105)
		again.wants(t, 105, 15)
		v.send(numbered("a", 1, 120, 10)...)
		again.wants(t, 120, 10)
		if len(l.got) > 0 || len(m.got) > 0 {
			t.Errorf("%d and %d records for nobody", len(l.got), len(m.got))
		}
	})
}

// What is not there any more is an error of its partition alone, and a topic that was created anew too: nothing is skipped, nothing of the new one is taken for the old.
func TestFollowNeverSkips(t *testing.T) {
	t.Parallel()
	withFollower(t, func(v *virtual, listen func(topic.Partition, int64) *listening, _ *Follower) {
		v.ensure(topic.Topic{Name: "a"}, topic.Topic{Name: "b"})
		zero, one := topic.Partition{Topic: "a", ID: 0}, topic.Partition{Topic: "a", ID: 1}
		v.send(numbered("a", 0, 0, 100)...)
		v.send(numbered("a", 1, 0, 100)...)
		if err := v.client.DeleteRecords(v.Context(), map[topic.Partition]int64{zero: 50}); err != nil {
			t.Fatal(err)
		}
		v.send(numbered("b", 1, 0, 1)...)
		listen(topic.Partition{Topic: "b", ID: 1}, 0).wants(t, 0, 1) // the client knows the topic then
		late, early, well := listen(zero, 40), listen(topic.Partition{Topic: "b", ID: 0}, 7), listen(one, 90)
		well.wants(t, 90, 10)
		for _, l := range []*listening{late, early} {
			l.isGone(t)
		}
		v.send(numbered("a", 1, 100, 1)...)
		well.wants(t, 100, 1)
		anew := make(chan *listening, 1)
		well.then = func() { anew <- listen(one, 0) } // at once
		if err := v.client.Delete(v.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		fresh := v.open(v.cfg) // which does not know the old one
		defer fresh.Close()
		if _, err := fresh.Ensure(v.Context(), []topic.Topic{{Name: "a"}}, topic.Topic{Partitions: 4}); err != nil {
			t.Fatal(err)
		}
		for _, s := range send(v.Context(), fresh, numbered("a", 1, 1000, 200)...) {
			if s.err != nil {
				t.Fatal(s.err)
			}
		}
		if err := <-well.failed; len(well.got) > 0 {
			t.Errorf("%v, %d records", err, len(well.got))
		}
		(<-anew).wants(t, 1000, 200)
	})
}

// The client does not know the partitions yet when they are added: it goes on at the first record there is then, and says nothing.
func TestFollowNeverSkipsUnknown(t *testing.T) {
	t.Parallel()
	withFollower(t, func(v *virtual, listen func(topic.Partition, int64) *listening, _ *Follower) {
		at := func(id int32) topic.Partition { return topic.Partition{Topic: "a", ID: id} }
		late, well := listen(at(0), 40), listen(at(1), 50)
		synctest.Wait()
		v.ensure(topic.Topic{Name: "a"})
		for id := range int32(2) {
			v.send(numbered("a", id, 0, 100)...)
		}
		if err := v.client.DeleteRecords(v.Context(), map[topic.Partition]int64{at(0): 50, at(1): 50}); err != nil {
			t.Fatal(err)
		}
		well.wants(t, 50, 50)
		late.isGone(t)
	})
}

// What is in a transaction comes once that is committed, what was aborted never; the end is reached all the same.
func TestFollowReadsCommitted(t *testing.T) {
	t.Parallel()
	withFollower(t, func(v *virtual, listen func(topic.Partition, int64) *listening, _ *Follower) {
		v.ensure(topic.Topic{Name: "a", Partitions: 1})
		l := listen(topic.Partition{Topic: "a", ID: 0}, 0)
		tx := v.transactor("t")
		defer tx.Close()
		v.begin(tx, numbered("a", 0, 100, 5)...)
		tx.Abort(v.Context())
		v.begin(tx, numbered("a", 0, 0, 5)...)
		<-time.After(5 * time.Second)
		if len(l.got) > 0 {
			t.Error("something came before the commit")
		}
		if err := tx.Commit(v.Context()); err != nil {
			t.Fatal(err)
		}
		l.wants(t, 0, 5)
		l.caughtUp(t)
	})
}
