package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// What Pebble does about errors of the disk: it calls Logger.Fatalf, which it expects to end the process, when the log or the manifest cannot be
// written; it panics when the log cannot be changed for the next one, with locks in such a state that the runtime ends the process; it tries a
// failed flush again for ever, while commits wait for it. Here each of these ends the store, not the process:
//
//   - A failed write never returns to Pebble (gate).
//   - Fatalf and background errors, of damaged files for example, do not return either, since Pebble would go on as if nothing had been: on a
//     goroutine of ours they panic up to guard, one of Pebble's ends.
//   - What waits for Pebble meanwhile is on a goroutine of its own and is left there (await).
//
// So a failed store leaves goroutines and memory behind; it is meant to be followed by the end of the worker. What cannot be caught is a panic on a
// goroutine of Pebble's.

// failure is what a store ended of.
type failure struct {
	dir   string
	cause error
}

func (f *failure) Error() string { return fmt.Sprintf("store %s: failed: %v", f.dir, f.cause) }

func (f *failure) Unwrap() error { return f.cause }

// fail ends the store; the first error stays, and is returned.
func (d *disk) fail(err error) error {
	if f := (*failure)(nil); !errors.As(err, &f) {
		err = &failure{dir: d.dir, cause: plain(err)}
	}
	return d.life.fail(err)
}

// plainError is an error of Pebble's in one line.
type plainError struct {
	text string
	err  error
}

func (e *plainError) Error() string { return e.text }

func (e *plainError) Unwrap() error { return e.err }

// plain makes what Pebble says fit to be read: its lists of errors stand in lines, some of them naming only parts of Pebble's.
func plain(err error) error {
	var parts []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimPrefix(strings.TrimSpace(line), "pebble: "); line != "" && !strings.HasPrefix(line, "<") {
			parts = append(parts, line)
		}
	}
	return &plainError{text: strings.Join(parts, "; "), err: err}
}

// guard runs f, which calls Pebble, and makes its panic the failure of the store.
func (d *disk) guard(f func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case error:
			err = d.fail(r)
		default:
			err = d.fail(fmt.Errorf("%v", r))
		}
	}()
	return f()
}

// guardName is how guard is called in a stack.
const guardName = "/runtime/store.(*disk).guard"

// await runs f, which writes, on a goroutine of its own. An error of it ends the store.
func (d *disk) await(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- d.guard(f) }()
	select {
	case err := <-done:
		if err != nil {
			return d.fail(err)
		}
		return nil
	case <-d.life.failed:
		return d.life.why()
	}
}

// stop ends the store from within Pebble, and what Pebble was doing. It does not return.
func (d *disk) stop(err error) {
	err = d.fail(err)
	if guarded() {
		panic(err)
	}
	runtime.Goexit()
}

// guarded says whether the caller's goroutine runs below guard.
func guarded() bool {
	pcs := make([]uintptr, 1024)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if strings.HasSuffix(f.Function, guardName) {
			return true
		}
	}
	return false
}

// logger is Pebble's.
type logger struct {
	d   *disk
	log *slog.Logger
}

func (l logger) say(format string, args []any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("pebble", "dir", l.d.dir, "text", fmt.Sprintf(format, args...))
	}
}

func (l logger) Infof(format string, args ...any) { l.say(format, args) }

func (l logger) Errorf(format string, args ...any) { l.say(format, args) }

func (l logger) Fatalf(format string, args ...any) {
	l.say(format, args)
	for _, a := range args {
		if err, ok := a.(error); ok {
			l.d.stop(err)
		}
	}
	l.d.stop(fmt.Errorf(format, args...))
}

// listener has the events that matter. Damage found by a reader is that reader's error.
func (l logger) listener() *pebble.EventListener {
	e := &pebble.EventListener{
		DataCorruption:  func(pebble.DataCorruptionInfo) {},
		BackgroundError: l.d.stop,
	}
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		all := pebble.TeeEventListener(pebble.MakeLoggingEventListener(l), *e)
		return &all
	}
	return e
}
