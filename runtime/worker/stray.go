package worker

import (
	"context"
	"errors"
	"fmt"

	"faust/runtime/broker"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// stored hears that the changelog has a change at an offset. The shard's owner is the only one that writes: a gap is of a worker that was cut off, lost the partition,
// and whose records arrived only now.
func (h *holding) stored(offset int64) {
	at := h.acked.Load()
	if offset > at {
		h.strays.CompareAndSwap(0, at+1)
	}
	h.acked.Store(max(at, offset+1))
}

// correct makes the next Seal write again what strays have covered. Recovery passes over strays, but other readers do not, and compaction keeps them.
func (h *holding) correct(ctx context.Context) error {
	from, upto := h.strays.Load()-1, h.acked.Load()
	if from < 0 {
		return nil
	}
	client, err := h.state.run.link.connect(ctx)
	if err != nil {
		return err
	}
	keys := 0
	err = client.Read(ctx, broker.Reading{
		Topic: h.key.table.Changelog.Name, Partitions: []int32{h.key.partition}, From: broker.From{Kind: broker.FromOffset, Offset: from}, Open: true,
	}, func(list []topic.Record) error {
		for i := range list {
			rec := &list[i]
			if rec.Offset >= upto {
				return errFenced
			}
			kind, key, err := h.key.table.Read(rec.Key, rec.Value)
			if err != nil {
				return &changelogError{topic: rec.Topic, partition: rec.Partition, offset: rec.Offset, err: err}
			}
			if kind != table.Data || table.WrittenAfter(rec.Headers) == h.fence {
				continue
			}
			keys++
			if err := h.shard.Touch(string(key)); err != nil {
				return &StoreError{err}
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errFenced) {
		return fmt.Errorf("correct the changelog: %w", err)
	}
	h.strays.CompareAndSwap(from+1, 0)
	if keys > 0 {
		h.state.run.log.Warn("changelog has records of a worker that was cut off, they are corrected", "table", h.key.table.Name,
			"partition", h.key.partition, "keys", keys)
	}
	return nil
}

// posting writes records to a shard's changelog and waits until they are stored.
type posting struct {
	h      *holding
	client *broker.Client
	sent   int
	done   chan posted
}

type posted struct {
	offset int64
	err    error
}

// newPosting is for up to n records.
func newPosting(h *holding, client *broker.Client, n int) *posting {
	return &posting{h: h, client: client, done: make(chan posted, n)}
}

func (p *posting) post(r *topic.Record) {
	p.sent++
	r.Topic, r.Partition = p.h.key.table.Changelog.Name, p.h.key.partition
	p.client.Produce(p.h.state.run.link.ctx, r, func(r topic.Record, err error) { p.done <- posted{r.Offset, err} })
}

// wait gives the offsets, in no order.
func (p *posting) wait(ctx context.Context) (offsets []int64, err error) {
	for range p.sent {
		select {
		case s := <-p.done:
			if s.err != nil {
				return nil, s.err
			}
			offsets = append(offsets, s.offset)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return offsets, nil
}
