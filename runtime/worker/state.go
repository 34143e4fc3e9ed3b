package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"faust/runtime/broker"
	"faust/runtime/store"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// Bounds of what state takes in memory, over all shards.
const (
	maxCached = 192 << 20 // that is in the store as well, where GOMEMLIMIT leaves room
	maxDirty  = 16 << 20  // changed since the last Seal, before the next one is hurried
	maxKept   = 32 << 20  // committed since the last checkpoint, before the next one

	checkpointInterval = 10 * time.Second

	renewal = time.Minute // after which the position of a shard that does not change is stored again, with its time
)

// state is the tables' side of a worker: which shards it has, how they come to be here, and how they go into changelog and store.
type state struct {
	run   *run
	store store.Store
	hurry chan struct{} // a commit is wanted before its time

	writer   *writer
	recovery recovery
	standby  *standby

	storing      sync.Mutex // held during a checkpoint
	checkpointed time.Time  // when the last one was made; with storing
	keeps        int        // bytes that are committed and wait for the next one, about; with storing
	warned       bool       // about what workers advertise; of the group's goroutine

	mu         sync.RWMutex
	counts     map[*table.Definition]int32
	ids        map[string][16]byte      // of changelogs
	tombstones map[string]time.Duration // how long these keep them, as of the start
	hands      map[shardKey]*holding
	cache      int                          // bytes in memory that the store has as well, over all shards
	held       atomic.Int64                 // how many hands has: they share the memory
	outgrown   map[*table.Definition]string // why the agents of tables are stopped
	mirrors    map[shardKey]*mirror         // of global tables
	learned    chan struct{}                // closed, and another one made, when one of them is known
	past       map[shardKey]chan struct{}   // of shards that are held no more: closed when the last recovery that has begun has ended
}

type shardKey struct {
	table     *table.Definition
	partition int32
}

// holding is one shard that is here, from the assignment of its partition on.
type holding struct {
	shelf
	lanes int       // that use it; with state.mu
	gone  bool      // none does any more; with state.storing
	noted time.Time // when its position was stored last; with state.storing
	keeps int       // its part of state.keeps; with state.storing
	upTo  int64     // offset after the last change that is committed; with state.storing

	ctx    context.Context // ends when no lane uses it
	cancel context.CancelFunc
	before chan struct{} // ready of the one before it; nil: there is none

	begun atomic.Bool   // somebody recovers it
	ready chan struct{} // closed when it is recovered, or will not be
	shard *table.Shard  // then; nil: it is not

	whole atomic.Bool // the store has what the shard was at some time, while it recovers
	fence int64       // offset of what the recovery ended with; from ready on

	acked     atomic.Int64 // offset after the last change that the changelog has
	users     users        // who closes its windows
	unwritten atomic.Bool  // changes were dropped on their way to it
	strays    atomic.Int64 // offset from which on the changelog has records of somebody else, plus one; 0: it has none
}

func newState(r *run) *state {
	s := &state{
		run: r, hurry: make(chan struct{}, 1), writer: &writer{link: r.link, opening: make(chan struct{}, 1)}, recovery: recovery{slots: make(chan struct{}, maxRecoveries)},
		counts: map[*table.Definition]int32{}, ids: map[string][16]byte{}, tombstones: map[string]time.Duration{}, hands: map[shardKey]*holding{}, past: map[shardKey]chan struct{}{}, outgrown: map[*table.Definition]string{},
		mirrors: map[shardKey]*mirror{}, learned: make(chan struct{}),
	}
	s.standby = newStandby(s)
	s.cache = int(min(maxCached, debug.SetMemoryLimit(-1)/4))
	return s
}

// used tells whether the app has tables that agents write.
func (s *state) used() bool {
	return slices.ContainsFunc(s.run.app.Tables, func(t *table.Definition) bool { return len(t.Sources) > 0 })
}

// open opens the store in the worker's slot; a worker without one keeps its state in memory.
func (s *state) open() (err error) {
	switch {
	case !s.used():
	case s.run.cfg.Store != nil:
		s.store = s.run.cfg.Store
	case s.run.slot == nil:
		s.store = store.NewMemory()
	default:
		if s.store, err = store.Open(filepath.Join(s.run.slot.dir, tablesFolder), store.Config{Log: s.run.log}); err != nil {
			return &StoreError{err}
		}
	}
	return nil
}

// close closes the store, and the connection to the changelogs.
func (s *state) close() {
	s.writer.fence()
	s.standby.wait()
	if s.store != nil && s.run.cfg.Store == nil {
		if err := s.store.Close(); err != nil {
			s.run.log.Warn("store not closed", "err", err)
		}
	}
}

// ties are the topics and tables of which one worker has partition p of all or of none.
func (s *state) ties() (list []broker.Tie) {
	for _, t := range s.run.app.Tables {
		if len(t.Sources) > 0 {
			list = append(list, broker.Tie{Topics: t.Sources, Tables: []string{t.Name}})
		}
	}
	return list
}

// stored is how far this worker's store is, of all shards that it ever had of the changelogs that there are.
func (s *state) stored() map[broker.Shard]int64 {
	if s.store == nil {
		return nil
	}
	out, ids := map[broker.Shard]int64{}, map[string][16]byte{}
	s.mu.RLock()
	for t := range s.counts {
		ids[t.Name] = s.ids[t.Changelog.Name]
	}
	s.mu.RUnlock()
	shards, err := s.store.Shards()
	if err != nil {
		s.run.log.Warn("store not read", "err", err)
	}
	for _, id := range shards {
		if pos, ok, err := s.store.Position(id); ok && err == nil && pos.Topic == ids[id.Table] {
			out[broker.Shard(id)] = pos.Offset
		}
	}
	return out
}

// shard is app.Runtime's Shard.
func (s *state) shard(t *table.Definition, partition int32) *table.Shard {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.of(shardKey{t, partition})
}

// get gives the shard once it is recovered.
func (h *holding) get() *table.Shard {
	if h == nil {
		return nil
	}
	select {
	case <-h.ready:
		return h.shard
	default:
		return nil
	}
}

// shards is app.Runtime's Shards.
func (s *state) shards(t *table.Definition) (list []*table.Shard) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for p := range s.counts[t] {
		if shard := s.of(shardKey{t, p}); shard != nil {
			list = append(list, shard)
		}
	}
	return list
}

// waits is an error while shards are not recovered yet.
func (s *state) waits() error {
	if n := s.unknown(); n > 0 {
		return fmt.Errorf("%d partitions of global tables are read", n)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	waiting := 0
	for _, h := range s.hands {
		if h.get() == nil {
			waiting++
		}
	}
	if waiting == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d partitions of tables recover, %d records of changelogs to go", waiting, len(s.hands), s.recovery.todo.Load())
}

// size is what the store takes on disk, in bytes.
func (s *state) size() int64 {
	if s.store == nil {
		return 0
	}
	return s.store.Bytes()
}

// partitions is app.Runtime's Partitions.
func (s *state) partitions(t *table.Definition) int32 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.counts[t]
}

// prepare learns how many partitions tables have and makes sure of their changelogs. The topics that agents read exist.
func (s *state) prepare(ctx context.Context, client *broker.Client) error {
	for _, t := range s.run.app.Tables {
		if len(t.Sources) == 0 {
			continue
		}
		n, err := s.count(ctx, client, t)
		if err != nil {
			return err
		}
		if err := s.matches(ctx, client, t, n); err != nil {
			return err
		}
		changelog := t.Changelog
		changelog.Partitions = n
		if err := s.run.link.ensure(ctx, []topic.Topic{changelog}); err != nil {
			return err
		}
		id, err := client.TopicID(ctx, changelog.Name)
		if err != nil {
			return err
		}
		kept, ok := client.Tombstones(ctx, changelog.Name)
		if !ok {
			kept = broker.DefaultTombstones
		}
		s.mu.Lock()
		s.counts[t], s.ids[changelog.Name], s.tombstones[changelog.Name] = n, id, kept
		s.mu.Unlock()
	}
	return nil
}

// count is the number of partitions that the sources of a table have.
func (s *state) count(ctx context.Context, client *broker.Client, t *table.Definition) (int32, error) {
	counts, err := client.Partitions(ctx, t.Sources...)
	if err != nil {
		return 0, err
	}
	first := t.Sources[0]
	for _, name := range t.Sources[1:] {
		if counts[name] != counts[first] {
			return 0, &TopicError{text: fmt.Sprintf(
				"table %s is written by agents of %s, which has %d partitions, and of %s, which has %d: a key would be in two places; read one of them through group_by",
				t.Name, first, counts[first], name, counts[name])}
		}
	}
	return counts[first], nil
}

// take begins to hold the shards that belong to a partition, for a lane.
func (s *state) take(p topic.Partition) (list []*holding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.run.app.Tables {
		if !slices.Contains(t.Sources, p.Topic) || p.ID >= s.counts[t] {
			continue
		}
		key := shardKey{t, p.ID}
		h := s.hands[key]
		if h == nil {
			h = &holding{shelf: shelf{key, s}, ready: make(chan struct{}), before: s.past[key]}
			h.ctx, h.cancel = context.WithCancel(s.run.work)
			s.hands[key] = h
			s.held.Store(int64(len(s.hands)))
		}
		h.lanes++
		list = append(list, h)
	}
	return list
}

// leave ends what take began. What is not in the store yet is in the changelog, or belongs to events that are not settled.
func (s *state) leave(list []*holding) {
	s.storing.Lock() // no checkpoint of them is under way any more
	defer s.storing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range list {
		if h.lanes--; h.lanes == 0 {
			h.gone = true
			s.keeps -= h.keeps
			h.keeps = 0
			h.cancel()
			delete(s.hands, h.key)
			s.held.Store(int64(len(s.hands)))
			if s.past[h.key] = h.ready; !h.begun.Load() {
				s.past[h.key] = h.before
			}
			if m := s.mirrors[h.key]; m != nil {
				m.shard.Forget()
			}
		}
	}
}

// holdings are the shards of lanes that are still here, each once.
func holdings(lanes []*lane) []*holding {
	set := map[*holding]bool{}
	for _, l := range lanes {
		for _, h := range l.tables {
			if !l.gone.Load() && h.get() != nil {
				set[h] = true
			}
		}
	}
	return slices.Collect(maps.Keys(set))
}

// seal sends what changed in the shards to their changelogs, in the epoch that is open.
func (s *state) seal(ctx context.Context, list []*holding) error {
	for _, h := range list {
		h.shard.Mark()
	}
	for _, h := range list {
		if h.ctx.Err() != nil && s.run.work.Err() == nil {
			continue // lost meanwhile
		}
		if err := h.correct(ctx); err != nil {
			return err
		}
		headers := table.Writer(h.fence)
		err := h.shard.Seal(func(key, value []byte) error {
			r := h.record(key, value, headers)
			return s.run.box.change(ctx, &r, h)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// record is what the changelog gets of a change.
func (h *holding) record(key, value []byte, headers []topic.Header) topic.Record {
	return topic.Record{
		Topic: h.key.table.Changelog.Name, Partition: h.key.partition, Key: h.key.table.RecordKey(key), Value: value, Headers: headers,
	}
}

// dirty tells whether any of the shards has something to seal.
func dirty(list []*holding) bool {
	return slices.ContainsFunc(list, func(h *holding) bool { return h.shard.Dirty() || h.strays.Load() > 0 })
}

// committed hears that all that was sealed of the shards is in their changelogs for good.
func (s *state) committed(list []*holding) {
	s.storing.Lock()
	defer s.storing.Unlock()
	for _, h := range list {
		s.keeps -= h.keeps
		h.keeps, h.upTo = h.shard.Commit(), h.acked.Load()
		s.keeps += h.keeps
	}
}

// checkpoint puts what was committed of the shards into the store, with how far their changelogs are with it: at once, or when there is much of it or it is from long ago.
func (s *state) checkpoint(list []*holding, atOnce bool) error {
	s.storing.Lock()
	defer s.storing.Unlock()
	now := time.Now()
	if !atOnce && s.keeps < maxKept && now.Sub(s.checkpointed) < cmp.Or(s.run.cfg.CheckpointInterval, checkpointInterval) {
		return nil
	}
	var batch store.Batch
	batch.Grow(s.keeps)
	var done []func()
	for _, h := range list {
		if h.gone || h.keeps == 0 && now.Sub(h.noted) < renewal {
			continue // somebody may read the changelog into the store anew, or it is as it was
		}
		id := h.id()
		done = append(done, h.shard.Checkpoint(func(key, value []byte) {
			if value == nil {
				batch.Delete(id, key)
			} else {
				batch.Set(id, key, value)
			}
		}))
		batch.Position(id, store.Position{Topic: h.topicID(), Offset: h.upTo, Fence: h.fence, Time: now})
		s.keeps -= h.keeps
		h.noted, h.keeps = now, 0
	}
	s.checkpointed = now
	if len(done) == 0 {
		return nil
	}
	if err := s.store.Apply(&batch); err != nil {
		return &StoreError{err}
	}
	for _, f := range done {
		f()
	}
	return nil
}

// StoreError is why tables cannot be kept on disk (any more). What is there is a copy of the changelogs.
type StoreError struct{ error }

func (e *StoreError) Unwrap() error { return e.error }

// Trouble implements agent.Trouble.
func (e *StoreError) Trouble() {}

// full asks for an early commit; it does not wait.
func (s *state) full() {
	select {
	case s.hurry <- struct{}{}:
	default:
	}
}

// view is a shard of the store, as package table wants it.
type view struct {
	store store.Store
	id    store.Shard
}

// Get implements table.Store.
func (v view) Get(key []byte) ([]byte, bool, error) {
	b, ok, err := v.store.Get(v.id, key)
	if err != nil {
		err = &StoreError{err}
	}
	return b, ok, err
}

var errEnough = errors.New("enough")

// Each implements table.Store.
func (v view) Each(from []byte, f func(key, value []byte) bool) error {
	err := v.store.Each(v.id, from, func(key, value []byte) error {
		if !f(key, value) {
			return errEnough
		}
		return nil
	})
	if err == nil || errors.Is(err, errEnough) {
		return nil
	}
	return &StoreError{err}
}
