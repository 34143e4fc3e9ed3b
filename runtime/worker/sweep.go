package worker

import (
	"context"
	"maps"
	"slices"
	"time"

	"faust/runtime/broker"
	"faust/runtime/topic"
)

// sweepInterval is how often what was consumed of passing topics is deleted.
const sweepInterval = 30 * time.Second

// sweep deletes, until ctx ends, what is below the committed offsets of passing topics. They have no retention: a worker that was away for long finds
// everything that it did not consume.
func (r *run) sweep(ctx context.Context, client *broker.Client) {
	passing := r.passing()
	if len(passing) == 0 {
		return
	}
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	swept := map[topic.Partition]int64{}
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		below := map[topic.Partition]int64{}
		for _, l := range r.fetch.snapshot() {
			if at := l.committed.Load(); slices.Contains(passing, l.partition.Topic) && at > swept[l.partition] && !l.gone.Load() {
				below[l.partition] = at
			}
		}
		if err := client.DeleteRecords(ctx, below); err != nil {
			r.log.Debug("consumed records not deleted, it is tried again", "err", err)
			continue
		}
		maps.Copy(swept, below)
	}
}
