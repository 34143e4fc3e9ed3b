package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"faust/runtime/broker"
	"faust/runtime/store"
	"faust/runtime/table"
	"faust/runtime/topic"
)

const (
	recoveryKeep  = 30 * time.Second // after which what was read is put into the store, be it little
	recoveryTell  = 10 * time.Second // between two lines of the log about a recovery that takes long
	recoveryPause = time.Second      // after a failure
	maxRecoveries = 4                // at a time
)

// recovery brings shards up to the end of their changelogs.
type recovery struct {
	slots chan struct{}
	read  atomic.Int64 // records so far
	todo  atomic.Int64 // records that are still to be read
}

// changelogError is why a changelog cannot be used; it ends the worker.
type changelogError struct {
	topic     string
	partition int32
	offset    int64
	err       error
}

func (e *changelogError) Error() string {
	return fmt.Sprintf("changelog %s/%d, offset %d: %s", e.topic, e.partition, e.offset, e.err)
}
func (e *changelogError) Unwrap() error { return e.err }

// recoverAll recovers the shards that nobody has begun with, and waits for the others; false: they are not needed any more, or cannot be had.
func (s *state) recoverAll(list []*holding) bool {
	var wg sync.WaitGroup
	for _, h := range list {
		if !h.begun.Swap(true) {
			wg.Go(func() {
				defer close(h.ready)
				h.recover()
			})
		}
	}
	wg.Wait()
	for _, h := range list {
		if <-h.ready; h.shard == nil {
			return false
		}
	}
	return true
}

// recover makes h.shard. A changelog or store that cannot be used ends the worker; what passes is tried again until h is not held any more.
func (h *holding) recover() {
	s, ctx := h.state, h.ctx
	if h.before != nil {
		<-h.before // it was cancelled; two must not write to the same shard of the store
	}
	select {
	case s.recovery.slots <- struct{}{}:
		defer func() { <-s.recovery.slots }()
	case <-ctx.Done():
		return
	}
	s.standby.end(h)
	for ctx.Err() == nil {
		err := h.catchUp(ctx)
		if err == nil {
			h.shard, err = s.shardOf(h)
		}
		if err == nil {
			s.learn(h.key)
			return
		}
		var bad *changelogError
		var gone *StoreError
		switch {
		case ctx.Err() != nil:
			return
		case errors.As(err, &bad), errors.As(err, &gone), hopeless(err):
			s.run.halt(fmt.Errorf("recover table %s: %w", h.key.table.Name, err))
			return
		}
		s.run.log.Warn("table not recovered, it is tried again", "table", h.key.table.Name, "partition", h.key.partition, "err", err)
		select {
		case <-time.After(recoveryPause):
		case <-ctx.Done():
			return
		}
	}
}

// shardOf makes the shard of what is in the store.
func (s *state) shardOf(h *holding) (*table.Shard, error) {
	shard := table.NewShard(table.ShardConfig{
		Table: h.key.table, Partition: h.key.partition, Store: view{s.store, h.id()},
		Cache: s.cache, MaxDirty: maxDirty, Sharers: &s.held, Full: s.full, Sole: true,
		Atomic: s.run.exact != nil, Clocks: s.run.clocks.expected(h.key.table), Due: h.users.nudge, Late: s.run.metrics.late.WithLabelValues(h.key.table.Name).Inc,
	})
	if err := shard.Restore(); err != nil {
		return nil, &StoreError{err}
	}
	return shard, nil
}

// catchUp brings the store up to the end of the changelog: to a fence of its own, after which nothing of an earlier owner can come.
func (h *holding) catchUp(ctx context.Context) error {
	client, err := h.state.run.link.connect(ctx)
	if err != nil {
		return err
	}
	if err := h.fits(); err != nil {
		return err
	}
	begun := time.Now()
	fence, err := h.post(ctx, client, topic.Record{Key: table.ChangelogKey(table.Fence, nil), Value: []byte(uuid.NewString())})
	if err != nil {
		return fmt.Errorf("write a fence: %w", err)
	}
	spans, err := client.Spans(ctx, h.key.table.Changelog.Name)
	if err != nil {
		return err
	}
	replay, err := h.begin(spans[h.key.partition].First, fence)
	if err != nil {
		return err
	}
	h.whole.Store(replay.whole)
	r := &catching{replay: replay, h: h, fence: fence, load: h.state.store.Load(), begun: begun, told: time.Now(), kept: time.Now()}
	defer r.load.Close()
	r.left(fence - r.next)
	defer r.left(0)
	err = client.Read(ctx, broker.Reading{
		Topic: h.key.table.Changelog.Name, Partitions: []int32{h.key.partition},
		From: broker.From{Kind: broker.FromOffset, Offset: r.next}, Open: true, Exact: true,
	}, r.records)
	switch {
	case err == nil:
		return fmt.Errorf("read the changelog: it ended at offset %d, before the fence at %d", r.next, fence)
	case !errors.Is(err, errFenced):
		return err
	}
	if err := r.end(ctx); err != nil {
		return err
	}
	var whole store.Batch
	r.complete(&whole)
	if err := h.state.apply(&whole); err != nil {
		return err
	}
	key, value := h.key.table.FormatRecord()
	format, err := h.post(ctx, client, topic.Record{Key: key, Value: value})
	if err != nil {
		return fmt.Errorf("write the format: %w", err)
	}
	h.stored(format)
	return nil
}

// post writes a record of our own to the changelog and gives its offset.
func (h *holding) post(ctx context.Context, client *broker.Client, r topic.Record) (int64, error) {
	p := newPosting(h, client, 1)
	p.post(&r)
	offsets, err := p.wait(ctx)
	if err != nil {
		return 0, err
	}
	return offsets[0], nil
}

// errFenced ends a replay at its fence.
var errFenced = errors.New("the fence is reached")

// errCutOff: others may be about to take over what this worker recovers.
var errCutOff = errors.New("the group was not heard for too long")

// catching is a recovery under way.
type catching struct {
	*replay
	h     *holding
	fence int64
	load  store.Load
	begun time.Time
	told  time.Time
	kept  time.Time // since when what is read is not in the store
	share int64     // of recovery.todo
}

// records takes records; errFenced: that was all.
func (r *catching) records(list []topic.Record) error {
	n := 0
	defer func() { r.state.recovery.read.Add(int64(n)) }()
	for i := range list {
		if err := r.take(&list[i], r.load); err != nil {
			return err
		}
		if n++; list[i].Offset >= r.fence {
			return errFenced
		}
	}
	r.left(r.fence - r.next)
	r.tell()
	if r.load.Full() || time.Since(r.kept) > recoveryKeep {
		return r.apply()
	}
	return nil
}

// end puts the rest into the store, and what strays have covered into the changelog once more.
func (r *catching) end(ctx context.Context) error {
	var form store.Batch
	form.Set(r.forms(), []byte(r.key.table.Name), []byte(r.key.table.Written()))
	if err := r.state.store.Apply(&form); err != nil {
		return &StoreError{err}
	}
	r.asOf = r.begun
	if err := r.apply(); err != nil {
		return err
	}
	r.h.fence = r.fence
	if len(r.late) == 0 {
		return nil
	}
	r.state.run.log.Warn("changelog has records of a worker that was cut off, they are corrected", "table", r.key.table.Name,
		"partition", r.key.partition, "keys", len(r.late))
	if r.state.run.stale() {
		return errCutOff
	}
	client, err := r.state.writer.connect(ctx) // what is on its way is dropped if this worker is cut off itself
	if err != nil {
		return err
	}
	p := newPosting(r.h, client, len(r.late))
	for key := range r.late {
		value, _, err := r.state.store.Get(r.id(), []byte(key))
		if err != nil {
			return &StoreError{err}
		}
		rec := r.h.record([]byte(key), value, table.Writer(r.fence))
		p.post(&rec)
	}
	offsets, err := p.wait(ctx)
	if err != nil {
		return fmt.Errorf("correct the changelog: %w", err)
	}
	if slices.Min(offsets) > r.next {
		r.h.strays.Store(r.next + 1)
	}
	r.next = max(r.next, slices.Max(offsets)+1)
	clear(r.late)
	return r.apply()
}

// apply puts what was read into the store.
func (r *catching) apply() error {
	r.position(r.load)
	if err := r.load.Commit(); err != nil {
		return &StoreError{err}
	}
	r.kept = time.Now()
	r.h.acked.Store(r.next)
	r.h.upTo = r.next
	return nil
}

// left notes how many records are still to be read.
func (r *catching) left(n int64) {
	n = max(n, 0)
	r.state.recovery.todo.Add(n - r.share)
	r.share = n
}

// tell says from time to time how far it is.
func (r *catching) tell() {
	if time.Since(r.told) < recoveryTell {
		return
	}
	r.told = time.Now()
	r.state.run.log.Info("table recovers", "table", r.key.table.Name, "partition", r.key.partition, "offset", r.next, "end", r.fence)
}
