package cli

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// lateHandler passes records on to a handler that may be exchanged: a script is loaded before it is known how it wants to log.
type lateHandler struct {
	target *lateTarget
	derive []func(slog.Handler) slog.Handler // WithAttrs and WithGroup, in order
}

// lateTarget is what all handlers derived of one lateHandler share.
type lateTarget struct{ handler atomic.Pointer[slog.Handler] }

func newLateTarget(h slog.Handler) *lateTarget {
	t := &lateTarget{}
	t.use(h)
	return t
}

func (t *lateTarget) use(h slog.Handler) { t.handler.Store(&h) }

func (h *lateHandler) current() slog.Handler {
	now := *h.target.handler.Load()
	for _, f := range h.derive {
		now = f(now)
	}
	return now
}

func (h *lateHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return (*h.target.handler.Load()).Enabled(ctx, l)
}

func (h *lateHandler) Handle(ctx context.Context, r slog.Record) error {
	return h.current().Handle(ctx, r)
}

func (h *lateHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func(now slog.Handler) slog.Handler { return now.WithAttrs(attrs) })
}

func (h *lateHandler) WithGroup(name string) slog.Handler {
	return h.with(func(now slog.Handler) slog.Handler { return now.WithGroup(name) })
}

func (h *lateHandler) with(f func(slog.Handler) slog.Handler) slog.Handler {
	return &lateHandler{h.target, append(h.derive[:len(h.derive):len(h.derive)], f)}
}
