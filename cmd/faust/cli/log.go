package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"faust/luabind/fault"
)

// logConfig says how log lines are written.
type logConfig struct {
	w          io.Writer
	format     string // auto, text, json, logfmt
	levels     *logLevels
	repeats    *repeats // nil: every line is written
	terminal   bool     // short times
	timeless   bool     // no times
	color      bool
	production bool // auto means json
	render     fault.RenderConfig
}

func openLogFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
}

// newLogHandler makes the handler of a format. auto is text, in production json.
func newLogHandler(cfg logConfig) slog.Handler {
	var h slog.Handler
	switch {
	case cfg.format == "json", cfg.format == "auto" && cfg.production:
		h = flat{slog.NewJSONHandler(cfg.w, &slog.HandlerOptions{Level: slog.LevelDebug})}
	case cfg.format == "logfmt":
		h = flat{slog.NewTextHandler(cfg.w, &slog.HandlerOptions{Level: slog.LevelDebug})}
	default:
		h = &textHandler{cfg: cfg, out: &lockedWriter{w: cfg.w}}
	}
	if cfg.repeats != nil {
		h = collapsing{Handler: h, repeats: cfg.repeats}
	}
	return leveled{Handler: h, levels: cfg.levels}
}

// flat turns errors that a script author sees into fields: error.message, error.file, error.line, error.hint, error.stack.
type flat struct{ slog.Handler }

func (h flat) Handle(ctx context.Context, r slog.Record) error {
	flatRecord := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		flatRecord.AddAttrs(flatten(a)...)
		return true
	})
	return h.Handler.Handle(ctx, flatRecord)
}

func (h flat) WithAttrs(attrs []slog.Attr) slog.Handler {
	var all []slog.Attr
	for _, a := range attrs {
		all = append(all, flatten(a)...)
	}
	return flat{h.Handler.WithAttrs(all)}
}

func (h flat) WithGroup(name string) slog.Handler { return flat{h.Handler.WithGroup(name)} }

func flatten(a slog.Attr) []slog.Attr {
	err, ok := a.Value.Any().(error)
	if !ok {
		return []slog.Attr{a}
	}
	var lua *fault.Error
	if !errors.As(err, &lua) {
		return []slog.Attr{slog.String(a.Key, err.Error())}
	}
	var attrs []slog.Attr
	seen := map[string]bool{}
	for _, f := range lua.Fields() {
		key := "error." + f.Key
		if seen[key] { // a note called message
			key = "error.note." + f.Key
		}
		seen[key] = true
		attrs = append(attrs, slog.Attr{Key: key, Value: f.Value})
	}
	return attrs
}

// reports are the keys of values of several lines, which text logs show below their line: where tasks stand, a Go stack.
var reports = map[string]bool{"dump": true, "stack": true}

// textHandler writes lines for people: time LEVEL message key=value, and below the line what is wrong in the script.
type textHandler struct {
	cfg    logConfig
	out    *lockedWriter
	prefix string // of group names
	attrs  []slog.Attr
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (w *lockedWriter) write(p []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.w.Write(p)
	return err
}

// Enabled is true: which lines are written is decided before.
func (h *textHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *textHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = append(append([]slog.Attr{}, h.attrs...), prefixed(h.prefix, attrs)...)
	return &c
}

func (h *textHandler) WithGroup(name string) slog.Handler {
	c := *h
	c.prefix = h.prefix + name + "."
	return &c
}

func prefixed(prefix string, attrs []slog.Attr) []slog.Attr {
	out := make([]slog.Attr, 0, len(attrs))
	for _, a := range attrs {
		out = append(out, slog.Attr{Key: prefix + a.Key, Value: a.Value})
	}
	return out
}

func (h *textHandler) Handle(_ context.Context, r slog.Record) error { return h.out.write(h.text(r)) }

// text is what is written of a record.
func (h *textHandler) text(r slog.Record) []byte {
	var b bytes.Buffer
	h.head(&b, r)
	var lua *fault.Error
	var drawn error
	var below strings.Builder
	write := func(a slog.Attr) {
		if reports[a.Key] {
			below.WriteString("  " + strings.ReplaceAll(strings.TrimSuffix(a.Value.String(), "\n"), "\n", "\n  ") + "\n")
			return
		}
		if err, ok := a.Value.Any().(error); ok && drawn == nil && errors.As(err, &lua) {
			drawn = err
			return
		}
		h.attr(&b, a)
	}
	for _, a := range h.attrs {
		write(a)
	}
	r.Attrs(func(a slog.Attr) bool {
		write(slog.Attr{Key: h.prefix + a.Key, Value: a.Value})
		return true
	})
	b.WriteByte('\n')
	b.WriteString(below.String())
	if drawn != nil {
		fault.Render(&b, lua, h.cfg.render)
	}
	return b.Bytes()
}

func (h *textHandler) head(b *bytes.Buffer, r slog.Record) {
	layout := "2006-01-02T15:04:05.000Z07:00"
	if h.cfg.terminal {
		layout = "15:04:05"
	}
	when := r.Time
	if when.IsZero() {
		when = time.Now()
	}
	level := r.Level.String()
	// further lines of a message are set in, so that they do not look like lines of the log
	message := strings.ReplaceAll(fault.Visible(r.Message), "\n", "\n  ")
	if h.cfg.timeless {
		fmt.Fprintf(b, "%-5s %s", level, message)
		return
	}
	if h.cfg.color {
		fmt.Fprintf(b, "\x1b[2m%s\x1b[0m %s%-5s\x1b[0m %s", when.Format(layout), levelColor(r.Level), level, message)
		return
	}
	fmt.Fprintf(b, "%s %-5s %s", when.Format(layout), level, message)
}

func levelColor(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "\x1b[31m"
	case l >= slog.LevelWarn:
		return "\x1b[33m"
	case l >= slog.LevelInfo:
		return "\x1b[32m"
	}
	return "\x1b[2m"
}

func (h *textHandler) attr(b *bytes.Buffer, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		for _, inner := range v.Group() {
			h.attr(b, slog.Attr{Key: a.Key + "." + inner.Key, Value: inner.Value})
		}
		return
	}
	if a.Key == "" {
		return
	}
	if h.cfg.color {
		fmt.Fprintf(b, " \x1b[2m%s=\x1b[0m%s", quoted(a.Key), quoted(v.String()))
		return
	}
	fmt.Fprintf(b, " %s=%s", quoted(a.Key), quoted(v.String()))
}

// quoted puts in quotes whatever would make key=value hard to take apart, or hide a control character.
func quoted(text string) string {
	odd := func(r rune) bool { return r <= ' ' || r == '"' || r == '=' || !strconv.IsPrint(r) }
	if text == "" || !utf8.ValidString(text) || strings.ContainsFunc(text, odd) {
		return strconv.Quote(text)
	}
	return text
}
