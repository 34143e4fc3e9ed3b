package worker

import (
	"context"
	"sync"
	"time"

	"faust/runtime/broker"
)

// writer is the connection through which changelogs are written, one of its own so that it can be cut: once this worker may have lost its partitions,
// nothing that it has on its way may reach a changelog, where the next owner writes.
type writer struct {
	link    *link
	opening chan struct{} // held while the client is opened: fence does not wait for that

	mu     sync.Mutex
	client *broker.Client // nil: none is open
}

// connect gives the client, opening it if need be.
func (w *writer) connect(ctx context.Context) (*broker.Client, error) {
	select {
	case w.opening <- struct{}{}:
		defer func() { <-w.opening }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	w.mu.Lock()
	c := w.client
	w.mu.Unlock()
	if c != nil {
		return c, nil
	}
	cfg, err := w.link.configure(ctx)
	if err != nil {
		return nil, err
	}
	cfg.Metrics, cfg.Abort = nil, true
	if c, err = broker.Open(ctx, cfg); err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.client = c
	w.mu.Unlock()
	return c, nil
}

// fence drops what is on its way: holdings hear that it was not stored.
func (w *writer) fence() {
	w.mu.Lock()
	c := w.client
	w.client = nil
	w.mu.Unlock()
	if c != nil {
		c.Close()
	}
}

// watch fences the writer, until ctx ends, whenever the group was not heard for so long that it may give the partitions away.
func (s *state) watch(ctx context.Context) {
	ticker := time.NewTicker(s.run.session() / 20)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if s.run.stale() {
			s.writer.fence()
		}
	}
}

// stale tells whether the group may be about to give this worker's partitions away without its knowing: it was not heard for nearly as long as a session
// lasts, because the network or the process stood still.
func (r *run) stale() bool {
	group := r.group.Load()
	return group != nil && group.Quiet() >= r.session()*4/5
}

// unwritten tells whether changes of the shards were dropped since the last commit; they are to be sealed again then.
func unwritten(list []*holding) bool {
	lost := false
	for _, h := range list {
		if h.unwritten.Swap(false) {
			h.shard.Unseal()
			lost = true
		}
	}
	return lost
}
