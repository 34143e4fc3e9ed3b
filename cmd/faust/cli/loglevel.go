package cli

import (
	"context"
	"log/slog"
	"strings"

	"faust/runtime/app"
)

// logLevels say which lines are written: one level, and those of parts. The general one can be changed while lines are written.
type logLevels struct {
	general slog.LevelVar
	parts   []partLevel
}

// partLevel is the level of lines that have the attribute key, with that value unless it is "".
type partLevel struct {
	key, value string
	level      slog.Level
}

func newLogLevels(from app.LogLevels) *logLevels {
	l := &logLevels{}
	l.general.Set(levelOf(from.Level))
	for _, p := range from.Parts {
		part := partLevel{p.Key, p.Name, levelOf(p.Level)}
		if p.Key == "kafka" {
			part.key, part.value = "from", "kafka"
		}
		l.parts = append(l.parts, part)
	}
	return l
}

// lowest is the level from which on a line may be written.
func (l *logLevels) lowest() slog.Level {
	low := l.general.Level()
	for _, p := range l.parts {
		low = min(low, p.level)
	}
	return low
}

// of gives the level of the part that an attribute names; the more exact one counts.
func (l *logLevels) of(a slog.Attr) (found partLevel, ok bool) {
	for _, p := range l.parts {
		if p.key != a.Key || p.value != "" && p.value != a.Value.String() {
			continue
		}
		if !ok || p.value != "" {
			found, ok = p, true
		}
	}
	return found, ok
}

// leveled lets through what the levels say.
type leveled struct {
	slog.Handler
	levels *logLevels
	part   *partLevel // what the attributes given by WithAttrs name
}

func (h leveled) Enabled(_ context.Context, level slog.Level) bool { return level >= h.levels.lowest() }

func (h leveled) Handle(ctx context.Context, r slog.Record) error {
	part := h.part
	if len(h.levels.parts) > 0 {
		r.Attrs(func(a slog.Attr) bool {
			part = h.levels.nearer(part, a)
			return true
		})
	}
	level := h.levels.general.Level()
	if part != nil {
		level = part.level
	}
	if r.Level < level && ctx.Value(whateverLevel{}) == nil {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// nearer gives the part of a if it says more than what is known already.
func (l *logLevels) nearer(known *partLevel, a slog.Attr) *partLevel {
	if p, ok := l.of(a); ok && (known == nil || known.value == "") {
		return &p
	}
	return known
}

func (h leveled) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		h.part = h.levels.nearer(h.part, a)
	}
	h.Handler = h.Handler.WithAttrs(attrs)
	return h
}

func (h leveled) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	return h
}

// whateverLevel is the key of a context whose lines are written at every level: the banner's.
type whateverLevel struct{}

func levelOf(name string) slog.Level {
	switch name {
	case "debug":
		return slog.LevelDebug
	case "info":
		return slog.LevelInfo
	case "error":
		return slog.LevelError
	}
	return slog.LevelWarn
}

// levelName is the word for a level: debug, info, warn, error.
func levelName(l slog.Level) string { return strings.ToLower(l.String()) }
