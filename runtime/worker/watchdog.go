package worker

import (
	"context"
	"log/slog"
	"time"
)

// How long a task may run Lua without waiting before it is warned of, and before /livez turns red.
const (
	holdWarn = 2 * time.Second
	holdDead = 10 * time.Second
	holdLook = 500 * time.Millisecond
)

// watchdog looks who runs Lua without ever waiting: all other tasks stand still meanwhile.
type watchdog struct {
	machine Machine // nil: nothing to watch
	log     *slog.Logger
}

// run looks until ctx ends. Each holder is warned of once, and again when it is very late.
func (w *watchdog) run(ctx context.Context) {
	if w.machine == nil {
		return
	}
	ticker := time.NewTicker(holdLook)
	defer ticker.Stop()
	var since time.Time
	var told time.Duration
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		task, place, begun, ok := w.machine.Holder()
		if !ok {
			continue
		}
		if !begun.Equal(since) {
			since, told = begun, 0
		}
		held := time.Since(begun)
		for _, limit := range []time.Duration{holdWarn, holdDead} {
			if held >= limit && told < limit {
				told = limit
				w.log.Warn("a task runs without waiting, nothing else can run", "task", task, "place", place, "seconds", int(held.Seconds()))
			}
		}
	}
}

// held tells for how long the present holder has run.
func (w *watchdog) held() (task, place string, d time.Duration) {
	if w.machine == nil {
		return "", "", 0
	}
	task, place, begun, ok := w.machine.Holder()
	if !ok {
		return "", "", 0
	}
	return task, place, time.Since(begun)
}
