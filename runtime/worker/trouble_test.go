package worker

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"testing"

	"faust/runtime/agent"
	"faust/runtime/store"
)

// faulty is a store that cannot be read any more once it is broken.
type faulty struct {
	store.Store
	broken atomic.Bool
}

func (f *faulty) Get(s store.Shard, key []byte) ([]byte, bool, error) {
	if f.broken.Load() {
		return nil, false, syscall.EIO
	}
	return f.Store.Get(s, key)
}

// A disk that fails under an event is not the event's fault: it is not settled, neither as a dead letter nor because the agent goes on all the same, and the worker ends.
func TestDiskThatFailsUnderAnEvent(t *testing.T) {
	t.Parallel()
	for name, goesOn := range map[string]bool{"the event fails": false, "the agent goes on": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, w *world) {
				w.ensure("in", 4)
				kept := &faulty{Store: store.NewMemory()}
				defer kept.Close()
				a, _ := summing()
				r := w.start(a, func(cfg *Config) { cfg.Store = kept }).operational()
				w.produce("in", 4, 0, 4)
				w.settled("sums", 4)
				if err := r.stop(); err != nil {
					t.Error(err)
				}
				a, def := summing() // there is something in the store now: keys are looked for
				if goesOn {
					a.Agents[0].Body = each(func(_ context.Context, ev *agent.Event) error {
						_ = add(a, def, ev, bucket(ev.Value), 1)
						return nil
					})
				}
				r = w.start(a, func(cfg *Config) { cfg.Store = kept }).operational()
				kept.broken.Store(true)
				w.produce("in", 4, 4, 96)
				err := r.end()
				var disk *StoreError
				if !errors.As(err, &disk) || !errors.Is(err, syscall.EIO) {
					t.Errorf("the worker ended with %v", err)
				}
				if n := w.length("sums-sum-dead-letter"); n != 0 {
					t.Errorf("%d dead letters", n)
				}
				kept.broken.Store(false)
				a, def = summing()
				r = w.start(a, func(cfg *Config) { cfg.Store = kept }).operational()
				w.settled("sums", 100)
				got := heldBy(t, r, def)
				for key, n := range want(100) {
					if got[key] < n {
						t.Errorf("%s counted %d of %d", key, got[key], n)
					}
				}
				if err := r.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
