// Package worker is the execution of a declared app: it owns every goroutine, the assignment, the commit and the shut-down.
//
// Where it differs from Faust, and why. A task, timer or crontab that fails is reported and counted, and the worker goes on: a worker
// that a report mail can kill takes its partitions' messages down with it, and comes back to the same failure. A timer keeps its
// phase: the next tick is due a whole number of intervals after the start, however long the function ran; Faust waits a full interval after the
// function returned. Leader tasks run at every gain of leadership, not only when the worker happened to lead at its start.
package worker

import (
	"context"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/control"
	"faust/runtime/store"
	"faust/runtime/web"
)

// Machine is what a worker needs to know of the script engine: who runs and who waits. luabind's VM fits through cli.
type Machine interface {
	// Holder tells who has held the engine since when, and where in the script.
	Holder() (task, place string, since time.Time, ok bool)
	// Dump writes where every task stands, for USR1.
	Dump() string
	// Tasks tells where every task stands.
	Tasks() []control.Task
}

// Config is what a worker runs and with what. The broker is found lazily: an app without topics opens none.
type Config struct {
	App     *app.App // sealed, with Settings resolved
	Broker  func(ctx context.Context) (broker.Config, error)
	Machine Machine                                          // nil: no watchdog
	Logger  *slog.Logger                                     // nil: nothing is logged
	Listen  func(network, addr string) (net.Listener, error) // of the web server; nil: net.Listen
	Dial    web.Dial                                         // to the web servers of other workers; nil: the network
	Render  func(err error) string                           // what a browser on this machine is shown of a page's uncaught error; nil: nothing
	Events  Events
	Program string          // the version of the program, for the status
	Console control.Console // nil: nobody can type into this worker
	Faults  Faults          // nil: errors say all in their text
	// Log calls f with the lines that are logged from now on at a level or above until stop is called; nil: they cannot be followed.
	Log func(level string, f func(control.Line)) (stop func(), err error)
	// Socket makes the socket through which this worker is looked into, in the folder of its slot; nil: control.Listen.
	Socket func(dir string) (net.Listener, error)
	// Store keeps the state of tables, and stays open; nil: one in the folder of the slot, or in memory if there is none.
	Store store.Store
	// CheckpointInterval is how long what is committed of tables may wait before it goes into the store: that much of the changelogs a worker that died reads again; 0: 10 s.
	CheckpointInterval time.Duration
	// Between is for tests that let workers die or hang: called between the verbs of a commit, which an error ends; nil in every other program.
	Between func(Moment) error
}

// Events tell the caller what it may want to show. Fields may be nil.
type Events struct {
	Started func(Info)          // before the broker is reached: for the banner
	Ready   func(Info)          // fully operational, tasks start now
	Waiting func(what []string) // during stop, what it waits for, when that lasts
}

// Info is what the banner shows.
type Info struct {
	Transport string // "none (no topics)", "embedded broker on 127.0.0.1:9092 (development)", "kafka://…"
	Web       string // URL or ""
	Slot      string // the data directory's slot
	Took      time.Duration
}

// Worker runs an app.
type Worker struct {
	cfg     Config
	current atomic.Pointer[run]
}

// New allocates.
func New(cfg Config) *Worker {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Worker{cfg: cfg}
}

// Run starts everything and blocks until ctx ends (a graceful stop within Settings.Grace), the app calls stop, or something fatal
// happens. The error is nil after a graceful stop; *app.Exit carries the code of app.stop(code). Run may be called once.
func (w *Worker) Run(ctx context.Context) error {
	r := newRun(ctx, w.cfg)
	w.current.Store(r)
	w.cfg.App.Attach(r)
	if err := r.start(); err != nil && r.soft.Err() == nil {
		r.halt(err)
	}
	<-r.soft.Done()
	return r.stop()
}

// Control is what looks into the worker and acts on it; nil before Run.
func (w *Worker) Control() control.Worker {
	if r := w.current.Load(); r != nil {
		return &panel{r}
	}
	return nil
}

// Dump writes where every task stands and each partition's progress. It may be called at any time, from any goroutine.
func (w *Worker) Dump() string {
	r := w.current.Load()
	if r == nil {
		return "not running\n"
	}
	return r.dump()
}
