// Package agent is a record's way through an agent: the stream a body reads, the event in hand and its held effects, the
// order of acknowledgement, the error policy and the actor that ties them together. It knows neither Kafka nor Lua: records
// come in as slices from the worker, effects go out through a Sender, bodies are Go functions.
package agent

import (
	"context"
	"time"

	"faust/runtime/topic"
)

// Definition is an agent as declared. It is data; the worker runs it.
type Definition struct {
	Name        string
	Help        string
	Place       string        // file:line of the declaration
	Topics      []topic.Topic // the sources; empty when Channel is set
	Channel     *Channel      // an in-memory source, nil otherwise
	Sinks       []string      // topics that what it yields goes to, for lists
	Private     bool          // the one topic is the agent's own (<id>-<agent>), reached by cast and ask only
	DeadLetter  topic.Topic   // where the dead_letter policy puts records
	Concurrency int           // actors per partition, events spread by key; at least 1
	ManualAck   bool          // an event is settled by Ack, not by asking for the next one
	MaxFailures int           // failed events in a row that pause the partition; 0: the app's max_failures
	Timings     []Timing      // ways to tell the time of its messages that somebody goes by
	Onward      string        // topic that it sends its messages on to, for others to go by their time; "": none
	Policy      Policy
	Body        Body
}

// Body is the code of an agent. It reads s until Next gives io.EOF and returns nil; an error it returns is the failure of the
// event in hand and goes to the policy, after which the body is started again. One body runs per actor, on the actor's goroutine.
type Body func(ctx context.Context, s *Stream) error

// Action is what becomes of a failed event.
type Action int

// The actions, in the words of on_error.
const (
	DeadLetter Action = iota // to the dead-letter topic, then the next record
	Skip                     // reported, then the next record
	Retry                    // again, after a delay; the partition waits meanwhile
	Stop                     // the worker stops with the error; the record is not settled
)

// Policy decides over a failed event. attempt is 1 at the first failure. It runs on the actor's goroutine and may wait.
type Policy interface {
	Decide(ctx context.Context, err error, ev *Event, attempt int) (Action, time.Duration)
	// String says in a few words what it decides, for lists: "dead_letter", "retry 5 times, then skip".
	String() string
}

// Cause is the event that a sent record came from: what the policy needs if the broker refuses the record.
type Cause struct {
	Agent  *Definition
	Record *topic.Record // valid during Send; its slices for as long as anybody holds them
}

// Effects are what events in hand do beside sending, to state for example: it counts once they are settled.
type Effects interface {
	// Settle makes it count. After that the offsets of the events may be committed.
	Settle()
	// Undo takes it back: the events failed.
	Undo()
}

// Sender takes what an event sends, once the event is settled. The worker implements it.
type Sender interface {
	// Send queues r and returns; it blocks only while the send buffer is full. The slices of r belong to the sender from then
	// on, r and cause themselves do not. A record that the broker refuses for good goes to the policy of cause before any later offset is
	// committed; cause is nil for dead letters. An error ends the processor.
	Send(ctx context.Context, r *topic.Record, cause *Cause) error
}

// Roomer is a Sender that can tell beforehand whether Send would wait: for bodies that hold something which others want.
type Roomer interface {
	// Room tells whether n records can be sent now without waiting.
	Room(n int) bool
}

// Trouble is an error of what the app runs on, its disk for example: it says nothing about the event, which is not settled then, and the processor ends with it.
type Trouble interface {
	error
	Trouble()
}

// Reporter hears what happens to events. The worker implements it: logs, metrics, /readyz. Called on the actor's goroutine.
type Reporter interface {
	// Failed: an event failed and action was decided; retries report each attempt. ev is nil when the body failed with no event in
	// hand: it is started again (Retry) or it was at its end (Skip).
	Failed(d *Definition, ev *Event, err error, action Action, attempt int)
	// Broken: max_failures events in a row failed; the partition is paused from now on and its offset stays.
	Broken(d *Definition, p topic.Partition, failures int, err error)
	// Left: the body returned although there was more to read; it is started again.
	Left(d *Definition, p topic.Partition)
}

// Names of the headers that requests, replies and dead letters carry.
const (
	HeaderReplyTo     = "faust-reply-to"       // topic that the answer of an ask goes to
	HeaderCorrelation = "faust-correlation-id" // copied from the request to the answer
	HeaderError       = "faust-error"          // on an answer: the agent failed; on a dead letter: why
	HeaderTraceback   = "faust-traceback"
	HeaderAgent       = "faust-agent"
	HeaderTopic       = "faust-topic"
	HeaderPartition   = "faust-partition"
	HeaderOffset      = "faust-offset"
	HeaderAppVersion  = "faust-app-version"
	HeaderReplay      = "faust-replay"     // on a message that is sent back: the agent it is for, which failed; others pass over it
	HeaderReplayApp   = "faust-replay-app" // the group of the app whose agent that is
	HeaderReplays     = "faust-replays"    // how often it was sent back
	HeaderWindow      = "faust-window"     // on what is no message but a window that closes: which table's, from when to when
)
