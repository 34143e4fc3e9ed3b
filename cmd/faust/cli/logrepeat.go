package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"faust/luabind/fault"
)

// repeatWindow is how long equal lines are counted before it is said how many there were.
const repeatWindow = 10 * time.Second

// repeats counts warnings and errors that say the same: the first is written, those that follow within the window are told as a number.
type repeats struct {
	mu     sync.Mutex
	groups map[string]*repeated
	closed bool
}

// repeated is what was written once and has come again since.
type repeated struct {
	last   slog.Record // with its attributes
	write  func(ctx context.Context, r slog.Record) error
	first  time.Time
	times  int
	expiry *time.Timer
}

// collapsing writes a line unless it repeats one.
type collapsing struct {
	slog.Handler
	repeats *repeats
	attrs   string // of WithAttrs, as part of the key
}

func (h collapsing) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn || !h.repeats.again(h.attrs+sameness(r), r, h.Handler) {
		return h.Handler.Handle(ctx, r)
	}
	return nil
}

func (h collapsing) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		h.attrs += a.String() + " "
	}
	h.Handler = h.Handler.WithAttrs(attrs)
	return h
}

func (h collapsing) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	return h
}

// passing are the attributes in which lines that say the same may differ: which message it was, how often it was tried.
var passing = map[string]bool{"partition": true, "offset": true, "key": true, "attempt": true, "dump": true, "stack": true, "seconds": true}

// sameness is equal for records that say the same. An error of a script is the same if place and text are.
func sameness(r slog.Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s", r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		if passing[a.Key] {
			return true
		}
		text := a.Value.String()
		var lua *fault.Error
		if err, ok := a.Value.Any().(error); ok && errors.As(err, &lua) {
			text = lua.Place.String() + lua.Message
		}
		fmt.Fprintf(&b, " %s=%s", a.Key, text)
		return true
	})
	return b.String()
}

// again tells whether a line of that key was written within the window, and counts it.
func (s *repeats) again(key string, r slog.Record, to slog.Handler) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if g := s.groups[key]; g != nil {
		g.times++
		g.last = r.Clone()
		return true
	}
	if s.groups == nil {
		s.groups = map[string]*repeated{}
	}
	s.groups[key] = &repeated{first: time.Now(), write: to.Handle, expiry: time.AfterFunc(repeatWindow, func() { s.tell(key) })}
	return false
}

// tell says how often the lines of a key came again. While they keep coming it is said once in a window.
func (s *repeats) tell(key string) {
	s.mu.Lock()
	g := s.groups[key]
	if g == nil {
		s.mu.Unlock()
		return
	}
	told := *g
	if g.times == 0 || s.closed {
		delete(s.groups, key)
	} else {
		g.times, g.first = 0, time.Now()
		g.expiry.Reset(repeatWindow)
	}
	s.mu.Unlock()
	told.tell()
}

func (g *repeated) tell() {
	if g.times == 0 {
		return
	}
	within := time.Since(g.first).Round(100 * time.Millisecond)
	r := slog.NewRecord(time.Now(), g.last.Level, fmt.Sprintf("%s … %d more in %s", g.last.Message, g.times, within), 0)
	g.last.Attrs(func(a slog.Attr) bool {
		switch err, failed := a.Value.Any().(error); {
		case passing[a.Key]:
		case failed:
			r.AddAttrs(slog.String(a.Key, firstLine(err.Error())))
		default:
			r.AddAttrs(a)
		}
		return true
	})
	_ = g.write(context.Background(), r) // as with every line of a log, there is nobody to tell
}

// close says what is left to be said; from then on every line is written.
func (s *repeats) close() {
	s.mu.Lock()
	s.closed = true
	groups := s.groups
	s.groups = nil
	s.mu.Unlock()
	for _, g := range groups {
		g.expiry.Stop()
		g.tell()
	}
}
