// Package control is the vocabulary of looking into a running worker and acting on it: what the worker and the script engine offer, and what
// the API on the worker's socket, below /_/api/ of its web server, answers. Package web serves it, Client speaks it. It knows neither Kafka nor Lua.
package control

import (
	"context"
	"errors"
	"io"
	"time"
)

// Worker is a running worker as the API sees it. Its methods may be called from any goroutine.
type Worker interface {
	Status() Status
	// Errors gives what went wrong, newest first, at most limit groups; 0: all that are kept.
	Errors(limit int) []Failure
	// Tasks tells where every task of the script stands.
	Tasks() []Task
	// Pause stops deliveries to an agent on this worker until Resume; what was delivered is processed, offsets stay where they are.
	// ErrUnknown: there is no agent of that name.
	Pause(agent string) error
	Resume(agent string) error
	// Tables tells of the tables, and where their partitions are.
	Tables() Tables
	// Get gives what a key of a table has, if its partition is on this worker. ErrUnknown: there is no such table.
	Get(table string, key []byte) (Found, error)
	// Slice gives a part of a partition of a table, if that is on this worker. ErrUnknown: there is no such table.
	Slice(what Slicing) (Slice, error)
	// Channels names the channels that Tail knows.
	Channels() []string
	// Tail calls f with every message put into the channel of that name from now on, until stop is called. f must not wait. ErrUnknown: there is
	// no such channel.
	Tail(channel string, f func(Message)) (stop func(), err error)
	// Log calls f with every line that is logged from now on at the level (debug, info, warn, error) or above, whatever the worker's own level
	// is, until stop is called. f must neither wait nor log. ErrUnknown: there is no such level.
	Log(level string, f func(Line)) (stop func(), err error)
}

// Console opens sessions in which a person types Lua into a running app. luabind implements it.
type Console interface {
	// Open makes a session. who is told in the log with every line.
	Open(who string) Session
}

// Session is one console: its own variables over those of the app. One Eval runs at a time; a second one waits.
type Session interface {
	// Eval runs one input and gives what is to be shown. What the input prints goes to out while it runs. The end of ctx ends the input.
	Eval(ctx context.Context, in Input, out io.Writer) Result
	// Complete gives what could stand at the end of text, which is the input up to the cursor.
	Complete(ctx context.Context, text string) Completion
	// Close forgets the variables. An Eval that runs is ended.
	Close()
}

// Input is one input of a console.
type Input struct {
	Text  string `json:"text"`
	Form  string `json:"form,omitempty"`  // how a value is shown: "" (as Lua would write it), json, table, lua, csv
	All   bool   `json:"all,omitempty"`   // long values are not cut
	Width int    `json:"width,omitempty"` // of the screen, in columns; 0: unknown
	Color bool   `json:"color,omitempty"` // errors may be coloured
	Last  bool   `json:"last,omitempty"`  // nothing follows: an input that ends too early is an error
	Check bool   `json:"check,omitempty"` // it is only found out whether the input is incomplete; nothing is run
}

// Result is what came of an Input.
type Result struct {
	Text       string `json:"text,omitempty"`       // the values, or the error as drawn for the author; without a line break at the end
	Failed     bool   `json:"failed,omitempty"`     // Text is an error
	Incomplete bool   `json:"incomplete,omitempty"` // the input ends too early: more lines have to follow, nothing was run
	Stopped    bool   `json:"stopped,omitempty"`    // it was ended by its ctx or because it ran too long without waiting
	Gone       bool   `json:"gone,omitempty"`       // the session is no more: the worker stopped or is out of reach, or nobody used it for hours
}

// Completion is what could stand in place of the last Replace bytes of the text.
type Completion struct {
	Replace    int         `json:"replace"`
	Candidates []Candidate `json:"candidates"`
	Signature  string      `json:"signature,omitempty"` // of the call whose arguments are being typed
}

// Candidate is one completion.
type Candidate struct {
	Text string `json:"text"`
	Kind string `json:"kind,omitempty"` // function, method, field, option, topic, agent, keyword, ...
	Help string `json:"help,omitempty"` // one line
}

// Status is a worker at one moment. Rates are per second over the last few seconds.
type Status struct {
	App         string    `json:"app"` // the group: id, or id-vN
	ID          string    `json:"id"`
	Version     int       `json:"version"`
	Program     string    `json:"program"` // the version of faust
	File        string    `json:"file"`    // of the script, absolute
	PID         int       `json:"pid"`
	Host        string    `json:"host"`
	Datadir     string    `json:"datadir,omitempty"` // absolute
	Slot        string    `json:"slot"`              // of the data directory
	Member      string    `json:"member,omitempty"`
	Started     time.Time `json:"started"`
	Transport   string    `json:"transport"`
	Web         string    `json:"web,omitempty"`
	Operational bool      `json:"operational"`
	Stopping    bool      `json:"stopping"`
	Leader      bool      `json:"leader"`
	Problems    []string  `json:"problems"`  // why /readyz is red
	Processed   int64     `json:"processed"` // events settled since the start
	Failed      int64     `json:"failed"`    // events that failed for good since the start
	Rate        float64   `json:"rate"`      // events settled
	Lag         int64     `json:"lag"`       // records not processed, over all partitions assigned here
	LagTime     float64   `json:"lag_time"`  // seconds that the oldest of them has waited
	P99         float64   `json:"p99"`       // seconds an event takes
	Unsent      int       `json:"unsent"`    // records sent and not stored
	Copies      *Copies   `json:"copies,omitempty"`
	Agents      []Agent   `json:"agents"`
}

// Copies are the copies that a worker keeps of partitions of tables that other workers have.
type Copies struct {
	Partitions int   `json:"partitions"`
	Waiting    int   `json:"waiting"` // of these the ones that have not begun, or cannot
	Lag        int64 `json:"lag"`     // records of changelogs that the others have not taken
}

// Agent is an agent on this worker.
type Agent struct {
	Name       string      `json:"name"`
	Paused     bool        `json:"paused"`
	Processed  int64       `json:"processed"`
	Failed     int64       `json:"failed"`
	Rate       float64     `json:"rate"`
	Lag        int64       `json:"lag"`
	LagTime    float64     `json:"lag_time"`
	P99        float64     `json:"p99"`
	Partitions []Partition `json:"partitions"`
}

// Partition is an agent's way through one partition.
type Partition struct {
	Topic     string  `json:"topic"`
	ID        int32   `json:"partition"`
	Committed int64   `json:"committed"` // the next offset to be processed after a crash; -1: not known
	End       int64   `json:"end"`       // -1: not known
	Lag       int64   `json:"lag"`
	LagTime   float64 `json:"lag_time"`
	Queued    int     `json:"queued"`
	Unsettled int     `json:"unsettled"`
	Broken    string  `json:"broken,omitempty"` // why deliveries stopped: too many failures in a row
}

// Failure is a group of equal errors.
type Failure struct {
	Number    int            `json:"number"` // for :error N; never used again for another group
	Count     int64          `json:"count"`
	First     time.Time      `json:"first"`
	Last      time.Time      `json:"last"`
	Source    string         `json:"source"` // agent orders, timer report
	Message   string         `json:"message"`
	Place     string         `json:"place,omitempty"`
	Text      string         `json:"text"` // of the latest, as drawn for the author
	Topic     string         `json:"topic,omitempty"`
	Partition int32          `json:"partition,omitempty"`
	Offset    int64          `json:"offset,omitempty"`
	Key       string         `json:"key,omitempty"`
	Action    string         `json:"action,omitempty"` // what the policy did: dead_letter, skip, retry, stop
	Fields    map[string]any `json:"fields,omitempty"`
}

// Task is where a task of the script stands.
type Task struct {
	Name  string    `json:"name"`
	State string    `json:"state"` // running, waiting, ready
	What  string    `json:"what,omitempty"`
	Since time.Time `json:"since"`
	Stack []string  `json:"stack,omitempty"` // innermost first
}

// Message is a message of a channel as shown to a person.
type Message struct {
	Time  time.Time `json:"time"`
	Key   string    `json:"key,omitempty"`
	Value string    `json:"value"` // JSON if it can be written so, else as Lua would write it

	Dropped int `json:"dropped,omitempty"` // messages before this one that were left out because the reader was too slow
}

// Line is a line of the log.
type Line struct {
	Time  time.Time `json:"time"`
	Level string    `json:"level"`
	Text  string    `json:"text"` // as the text log writes it, without the time and the line break at the end

	Dropped int `json:"dropped,omitempty"` // lines before this one that were left out because the reader was too slow
}

// Check is one condition of /readyz. One that holds may have a reason as well: what is worth knowing and no fault.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"`
}

// Health is the answer of /readyz: whether all checks hold.
type Health struct {
	Checks []Check `json:"checks"`
	OK     bool    `json:"ok"`
}

// What a caller may want to tell apart.
var (
	ErrUnknown   = errors.New("there is none of that name")
	ErrForbidden = errors.New("not allowed")             // the token is missing or wrong
	ErrGone      = errors.New("the worker is not there") // nobody listens, or the connection broke
)
