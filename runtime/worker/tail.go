package worker

import (
	"errors"
	"fmt"
	"time"

	"faust/runtime/control"
	"faust/runtime/topic"
)

// tail is one copy. Its fields go with standby.mu.
type tail struct {
	shelf
	standby *standby
	over    bool    // nobody wants it any more
	replay  *replay // nil until it has begun, and after a failure until it begins again
	moved   bool    // replay is further than the store says
	end     int64   // of the changelog, as far as known
	mirror  *mirror // of a global table; nil: of another one
	touched []string
	forgets bool // more have changed
	refused bool // the changelog cannot be used: it does not begin again
}

func (t *tail) partition() topic.Partition {
	return topic.Partition{Topic: t.key.table.Changelog.Name, ID: t.key.partition}
}

// caughtUp notes that nothing was beyond t.end at a moment.
func (t *tail) caughtUp(at time.Time) {
	if t.replay.next >= t.end {
		t.replay.complete(&t.standby.batch)
		if at.After(t.replay.asOf) {
			t.replay.asOf = at
		}
	}
}

// lag is how many records of the changelog the copy has not taken; -1: it is not known.
func (t *tail) lag() int64 {
	if t.replay == nil {
		return -1
	}
	return max(t.end-t.replay.next, 0)
}

// warm tells whether the copy is as good as the shard.
func (t *tail) warm() bool {
	return t.replay != nil && (t.lag() == 0 || time.Since(t.replay.asOf) < standbyWarm)
}

// Records implements broker.Listener.
func (t *tail) Records(list []topic.Record, next, end int64) {
	c := t.standby
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.over || t.replay == nil {
		return
	}
	if time.Since(t.replay.asOf) > t.maxAge() {
		t.fail(errors.New("it was not heard of for too long: deletions may be missing"))
		return
	}
	for i := range list {
		if err := t.take(&list[i]); err != nil {
			t.refuse(err)
			return
		}
	}
	t.replay.next, t.end, t.moved = max(t.replay.next, next), end, true
	t.caughtUp(time.Now())
	if c.batch.Bytes() >= standbyBatch {
		c.apply()
	}
}

// take puts a record into the batch; standby.mu is held.
func (t *tail) take(rec *topic.Record) error {
	if t.mirror != nil && len(rec.Key) > 0 {
		t.touch(rec.Key[1:])
	}
	t.moved = true // what the store has of a shard never comes without a position
	return t.replay.take(rec, &t.standby.batch)
}

// Failed implements broker.Listener.
func (t *tail) Failed(err error) {
	t.standby.mu.Lock()
	defer t.standby.mu.Unlock()
	if !t.over {
		t.fail(err)
	}
}

// fail makes the copy begin again, where that is possible now; c.mu is held.
func (t *tail) fail(err error) {
	c := t.standby
	c.apply()
	c.follower.Remove(t.partition(), t)
	t.replay = nil
	c.complain("copy of a table is not kept up to date, it begins again", t, err)
	c.state.run.inner.Go(func() {
		select {
		case <-time.After(recoveryPause):
			c.begin([]*tail{t})
		case <-c.state.run.work.Done():
		}
	})
}

// refuse gives the copy up: its changelog cannot be used, or not with what the store has. That ends the worker only once it is to have the shard. c.mu is held.
func (t *tail) refuse(err error) {
	t.standby.apply()
	t.standby.follower.Remove(t.partition(), t)
	t.replay, t.refused = nil, true
	if t.mirror != nil {
		t.state.run.halt(fmt.Errorf("read table %s: %w", t.key.table.Name, err))
		return
	}
	t.state.run.log.Error("copy of a table cannot be kept", "table", t.key.table.Name, "partition", t.key.partition, "err", err)
}

// status tells of the copies; nil: the app wants none.
func (c *standby) status() *control.Copies {
	if c.state.replicas() == 0 {
		return nil
	}
	out := &control.Copies{}
	for _, lag := range c.lags() {
		if out.Partitions++; lag < 0 {
			out.Waiting++
		}
		out.Lag += max(lag, 0)
	}
	return out
}

// lags tells how far behind the copies are; below 0: it is not known.
func (c *standby) lags() map[shardKey]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[shardKey]int64{}
	for key, t := range c.tails {
		out[key] = t.lag()
	}
	return out
}
