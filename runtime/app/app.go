// Package app is the declaration: what a script built. It is plain data with callbacks; it does no I/O and starts nothing. The worker
// runs it, the looking commands print it.
package app

import (
	"context"
	"sync/atomic"
	"time"

	"faust/runtime/agent"
	"faust/runtime/table"
	"faust/runtime/timer"
	"faust/runtime/topic"
	"faust/runtime/web"
)

// App is everything a script declared. It is filled while the script is loaded and read-only after Seal.
type App struct {
	File     string // the script's path as given
	About    string // first comment of the file, one line
	Settings *Settings
	Topics   []*Topic
	Internal []*Topic // of the agents' and tables' own: dead letters, private topics, changelogs
	Records  []*Record
	Agents   []*agent.Definition
	Tables   []*table.Definition
	Channels []*agent.Channel
	Tasks    []*Task
	Timers   []*Timer
	Pages    []*web.Page
	Commands []*Command
	Hooks    Hooks

	runtime atomic.Pointer[Runtime]
}

// Attach tells the app's callbacks which running worker or command they belong to. Called once, before any callback runs.
func (a *App) Attach(r Runtime) { a.runtime.Store(&r) }

// Runtime gives what Attach was given; nil while the script is being loaded.
func (a *App) Runtime() Runtime {
	if p := a.runtime.Load(); p != nil {
		return *p
	}
	return nil
}

// Runtime is the running worker or command as callbacks see it. Its methods may be called from any goroutine.
type Runtime interface {
	// Send queues r at once, outside any event, and blocks only while the send buffer is full. done, if not nil, is called once with
	// the stored record (partition, offset, timestamp filled in) or the error, on a goroutine that must not be held up.
	Send(ctx context.Context, r *topic.Record, done func(topic.Record, error)) error
	// TrySend is Send for who must not wait: false if it would have to, and then nothing was done.
	TrySend(r *topic.Record, done func(topic.Record, error)) bool
	// Request sends r, adds what an answer needs, and calls answer once: with the reply, or with the error (ctx ended, the
	// worker stops). A reply that carries agent.HeaderError is given as it is.
	Request(ctx context.Context, r *topic.Record, answer func(topic.Record, error)) error
	// Go runs f as a task of its own under the name, joined when the worker stops; ctx is what f gets, ended by the stop as well.
	Go(ctx context.Context, name string, f func(ctx context.Context))
	// Shard gives a table's state of one partition; nil: this worker does not have it, or not yet.
	Shard(t *table.Definition, partition int32) *table.Shard
	// Await waits until Shard gives something; only for partitions of global tables, which every worker has but while they are read anew. The error is that of ctx.
	Await(ctx context.Context, t *table.Definition, partition int32) error
	// Shards gives a table's state that this worker has, by partition.
	Shards(t *table.Definition) []*table.Shard
	// Partitions is how many partitions a table has; 0: that is not known, since nothing consumes what it is made of.
	Partitions(t *table.Definition) int32
	// Home gives the URL of the worker that has a table's state of one partition which Shard does not give. The error says why there is none
	// for the moment.
	Home(t *table.Definition, partition int32) (url string, err error)
	// Copy gives what this worker's copy of a partition has, as of some moment not long ago, for one look; nil: it has none that is whole.
	Copy(t *table.Definition, partition int32) *table.Shard
	// CopyHomes gives the URLs of the other workers that keep copies of a partition.
	CopyHomes(t *table.Definition, partition int32) []string
	// Everywhere begins to go through a table, over the partitions of all workers. The error names a partition that nobody can be asked about.
	Everywhere(ctx context.Context, t *table.Definition) (Walk, error)
	// Moved is an error if a topic that keys of the table come from has other partitions than when the worker started, so that keys are elsewhere: the agents that use
	// the table are stopped then, and what they have in hand is not settled.
	Moved(ctx context.Context, t *table.Definition) error
	// TaskFailed tells of a task that was started by Go, failed, and that nobody waits for.
	TaskFailed(ctx context.Context, name string, err error)
	// Stop ends the worker or command gracefully; the process exits with code.
	Stop(code int)
}

// Walk gives the next keys of a table and what they have; none: that was all. One goroutine at a time calls it.
type Walk func(ctx context.Context) ([]table.Pair, error)

// Topic is a declared topic and how its messages are written, for the looking commands.
type Topic struct {
	topic.Topic
	Key, Value string // type names: string, json, Withdrawal
	Help       string
	Place      string
}

// Record is a declared record type, for the looking commands.
type Record struct {
	Name   string
	Help   string
	Place  string
	Fields []Field
}

// Field is one field of a Record. Default is written as in the script; empty with Required false means nil.
type Field struct {
	Name, Type, Default, Help string
	Required                  bool
}

// Task runs once when the worker is fully operational, or with OnLeader at every gain of leadership until its loss.
type Task struct {
	Name     string
	OnLeader bool
	Place    string
	Run      func(ctx context.Context) error
}

// Timer runs by a schedule; Every is set for app.timer, Spec for app.crontab.
type Timer struct {
	Name     string
	Every    time.Duration  // first tick one interval after the worker is operational
	Spec     string         // crontab expression as written
	Zone     *time.Location // nil: the app's timezone
	Schedule timer.Schedule // of Spec
	OnLeader bool
	Place    string
	Run      func(ctx context.Context) error
}

// Hooks are the functions of app.on, run in order of declaration.
type Hooks struct {
	PartitionsAssigned []func(ctx context.Context, ps []topic.Partition) error
	PartitionsRevoked  []func(ctx context.Context, ps []topic.Partition) error
	ProduceError       []func(ctx context.Context, r topic.Record, err error) error
}

// Command is a command of the app: faust run FILE NAME.
type Command struct {
	Name      string
	Help      string
	Place     string
	Options   []Option
	Arguments []Argument
	Run       func(ctx context.Context, in Input) (code int, err error)
}

// Input is what the command line gave, by option or argument name (max-messages): one text per value, checked by Option.Check or
// Argument.Check, defaults filled in; absent: not given and no default. A bool is "true" or "false", a duration its seconds.
type Input map[string][]string

// Kind is the type of an option or argument.
type Kind string

// The kinds. A path is a string that completion completes as a file.
const (
	String   Kind = "string"
	Int      Kind = "int"
	Float    Kind = "float"
	Bool     Kind = "bool"
	Duration Kind = "duration"
	Path     Kind = "path"
)

// Option is --name of a command.
type Option struct {
	Name     string // without dashes
	Short    string // one letter or empty
	Kind     Kind
	Default  []string // nil: none
	Env      string
	Help     string
	Required bool
	Multiple bool
	Secret   bool // its value is shown nowhere, and asked for on a terminal if it is not given
	Choices  []string
	Min, Max *float64
	Place    string
}

// Argument is a positional argument of a command; Multiple only for the last.
type Argument struct {
	Name     string
	Kind     Kind
	Help     string
	Required bool
	Multiple bool
	Choices  []string
	Place    string
}

// Exit is the error by which app.stop(code) ends a worker or command.
type Exit struct{ Code int }

func (e *Exit) Error() string { return "stopped by the app" }
