package cli

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"faust/luabind/fault"
	"faust/runtime/control"
)

// logTap lets others follow the log of this process, also at levels that are not written. The zero value is followed by nobody.
type logTap struct {
	lowest    atomic.Pointer[slog.Level] // from which on somebody listens; nil: nobody does
	hidden    *fault.Secrets             // what nobody is told
	mu        sync.Mutex
	listeners map[*listener]bool
}

type listener struct {
	level slog.Level
	f     func(control.Line)
}

// follow calls f with every line that is logged from now on at the level or above, until stop is called.
func (t *logTap) follow(level string, f func(control.Line)) (stop func(), err error) {
	known := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	least, ok := known[level]
	if !ok {
		return nil, fmt.Errorf("log level %s: %w", level, control.ErrUnknown)
	}
	l := &listener{least, f}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.listeners == nil {
		t.listeners = map[*listener]bool{}
	}
	t.listeners[l] = true
	t.count()
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.listeners, l)
		t.count()
	}, nil
}

// count finds the lowest level; t.mu is held.
func (t *logTap) count() {
	var lowest *slog.Level
	for l := range t.listeners {
		if lowest == nil || l.level < *lowest {
			lowest = &l.level
		}
	}
	t.lowest.Store(lowest)
}

// hears tells whether somebody listens to lines of a level.
func (t *logTap) hears(level slog.Level) bool {
	lowest := t.lowest.Load()
	return lowest != nil && level >= *lowest
}

// tell gives a line to those who listen.
func (t *logTap) tell(r slog.Record, text *textHandler) {
	line := control.Line{Time: r.Time, Level: levelName(r.Level), Text: t.hidden.Redact(strings.TrimRight(string(text.text(r)), "\n"))}
	if line.Time.IsZero() {
		line.Time = time.Now()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for l := range t.listeners {
		if r.Level >= l.level {
			l.f(line)
		}
	}
}

// handler makes a handler that passes on to h, and tells those who follow.
func (t *logTap) handler(h slog.Handler) slog.Handler {
	return &tapped{Handler: h, tap: t, text: &textHandler{cfg: logConfig{timeless: true}}}
}

// tapped is a handler whose lines can be followed.
type tapped struct {
	slog.Handler
	tap  *logTap
	text slog.Handler // a *textHandler with the same attributes
}

func (h *tapped) Enabled(ctx context.Context, level slog.Level) bool {
	return h.tap.hears(level) || h.Handler.Enabled(ctx, level)
}

func (h *tapped) Handle(ctx context.Context, r slog.Record) error {
	if h.tap.hears(r.Level) {
		h.tap.tell(r, h.text.(*textHandler))
	}
	return h.Handler.Handle(ctx, r) // which knows what is below its level
}

func (h *tapped) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &tapped{h.Handler.WithAttrs(attrs), h.tap, h.text.WithAttrs(attrs)}
}

func (h *tapped) WithGroup(name string) slog.Handler {
	return &tapped{h.Handler.WithGroup(name), h.tap, h.text.WithGroup(name)}
}
