// Package worker is the execution of a declared app: it owns every goroutine, the assignment, the commit and the shut-down.
package worker

import (
	"context"
	"log/slog"
	"net"
	"time"

	"faust/runtime/app"
	"faust/runtime/broker"
)

// Machine is what a worker needs to know of the script engine: who runs and who waits. luabind's VM fits through cli.
type Machine interface {
	// Holder tells who has held the engine since when, and where in the script.
	Holder() (task, place string, since time.Time, ok bool)
	// Dump writes where every task stands, for USR1.
	Dump() string
}

// Config is what a worker runs and with what. The broker is found lazily: an app without topics opens none.
type Config struct {
	App     *app.App // sealed, with Settings resolved
	Broker  func(ctx context.Context) (broker.Config, error)
	Machine Machine
	Logger  *slog.Logger
	Listen  func(network, addr string) (net.Listener, error) // of the web server; nil: net.Listen
	Events  Events
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
type Worker struct{}

// New allocates.
func New(cfg Config) *Worker { panic("outline") }

// Run starts everything and blocks until ctx ends (a graceful stop within Settings.Grace), the app calls stop, or something fatal
// happens. The error is nil after a graceful stop; *app.Exit carries the code of app.stop(code).
func (w *Worker) Run(ctx context.Context) error { panic("outline") }

// Dump writes where every task stands and each partition's progress.
func (w *Worker) Dump() string { panic("outline") }

// Client is the Runtime of a command: it connects on the first send or request and consumes nothing but its own replies.
type Client struct{}

// NewClient allocates. It uses App, Broker, Logger of the configuration.
func NewClient(cfg Config) *Client { panic("outline") }

// Run attaches the client to the app, runs f, waits for its tasks, flushes what was sent. The error is f's, or names the records that were not stored.
func (c *Client) Run(ctx context.Context, f func(ctx context.Context) error) error { panic("outline") }
