package worker

import (
	"context"
	"sync/atomic"

	"faust/runtime/broker"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// mirror is a partition of a global table on a worker that does not own it: the copy that it follows, to read.
type mirror struct {
	shard *table.Shard
	known atomic.Bool // the copy was at the end of its changelog, as that was when it began, and has not begun anew since
}

// globals tells whether the app has tables of which every worker has all.
func (s *state) globals() bool {
	for _, t := range s.run.app.Tables {
		if t.Global && len(t.Sources) > 0 {
			return true
		}
	}
	return false
}

// openMirrors makes what global tables are read through.
func (s *state) openMirrors() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t, n := range s.counts {
		for p := range n {
			if key := (shardKey{t, p}); t.Global && s.mirrors[key] == nil {
				s.mirrors[key] = &mirror{shard: table.NewShard(table.ShardConfig{
					Table: t, Partition: p, Store: view{s.store, shelf{key, s}.id()}, Cache: s.cache / 8 / int(n),
				})}
			}
		}
	}
}

// everywhere are the partitions of global tables that this worker does not own.
func (s *state) everywhere() (keys []shardKey) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for key := range s.mirrors {
		if s.hands[key] == nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// of gives the shard of a table to read or, if it is this worker's, to write; nil: it is not here, or not yet. s.mu is held.
func (s *state) of(key shardKey) *table.Shard {
	if shard := s.hands[key].get(); shard != nil || !key.table.Global {
		return shard
	}
	if r := s.mirrors[key]; r != nil && r.known.Load() {
		return r.shard
	}
	return nil
}

// mirror is what a partition of a global table is read through; nil: the table is another one.
func (s *state) mirror(key shardKey) *mirror {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mirrors[key]
}

// learn notes that a partition of a global table is known here.
func (s *state) learn(key shardKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.mirrors[key]; r != nil && !r.known.Swap(true) {
		close(s.learned)
		s.learned = make(chan struct{})
	}
}

// unknown is how many partitions of global tables are not read up to their ends yet.
func (s *state) unknown() (n int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, r := range s.mirrors {
		if !r.known.Load() {
			n++
		}
	}
	return n
}

// awaitGlobals waits until all that global tables had when the worker started is here.
func (s *state) awaitGlobals(ctx context.Context) {
	_ = s.until(ctx, func() bool { return s.unknown() == 0 }) // then ctx ended
}

// await waits until a partition of a global table can be read.
func (s *state) await(ctx context.Context, key shardKey) error {
	return s.until(ctx, func() bool { return s.shard(key.table, key.partition) != nil })
}

// until waits for what is so once more of global tables is known. The error is that of ctx.
func (s *state) until(ctx context.Context, so func() bool) error {
	for {
		s.mu.RLock()
		learned := s.learned
		s.mu.RUnlock()
		if so() {
			return nil
		}
		select {
		case <-learned:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// readUp takes what the changelogs of copies of one table have by now into the store.
func (c *standby) readUp(ctx context.Context, client *broker.Client, list []*tail) error {
	from := map[int32]int64{}
	var ids []int32
	to := map[int32]*tail{}
	c.mu.Lock()
	for _, t := range list {
		if !t.over && t.replay != nil {
			id := t.key.partition
			from[id], to[id], ids = t.replay.next, t, append(ids, id)
		}
	}
	c.mu.Unlock()
	if len(ids) == 0 {
		return nil
	}
	return client.Read(ctx, broker.Reading{
		Topic: list[0].key.table.Changelog.Name, Partitions: ids, From: broker.From{Kind: broker.FromOffsets, Offsets: from}, Open: true, Exact: true,
	}, func(list []topic.Record) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		for i := range list {
			if t := to[list[i].Partition]; !t.over {
				if err := t.take(&list[i]); err != nil {
					return err
				}
			}
		}
		if c.batch.Bytes() >= standbyBatch {
			c.apply()
		}
		return nil
	})
}

// maxTouched is how many keys are named to who reads a copy; if more have changed, all are looked at again.
const maxTouched = 10_000

// touch notes a key that the next batch of the store changes; standby.mu is held.
func (t *tail) touch(key []byte) {
	switch n := len(t.touched); {
	case t.mirror == nil:
	case n < maxTouched:
		t.touched = append(t.touched, string(key))
	default:
		t.forgets = true
	}
}

// tell makes who reads the copy look at what the store has now; standby.mu is held.
func (t *tail) tell() {
	switch {
	case t.forgets:
		t.mirror.shard.Forget()
	case len(t.touched) > 0:
		t.mirror.shard.Forget(t.touched...)
	}
	t.touched, t.forgets = t.touched[:0], false
}
