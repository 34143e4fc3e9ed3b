package agent

import (
	"context"
	"time"

	"faust/runtime/topic"
)

// The rest of this file is the outline that the package fills in.

// Event is the record in hand and what it has done so far. It is valid until it is settled.
type Event struct {
	topic.Record
}

// Send holds r back until the event is settled; it is dropped if the event fails. r's slices belong to the event.
func (e *Event) Send(r topic.Record) { panic("outline") }

// Reply answers the ask that this event is, if it is one and nothing answered yet; held like Send.
func (e *Event) Reply(value []byte) { panic("outline") }

// Wants tells whether the event is an ask that has no answer yet.
func (e *Event) Wants() bool { panic("outline") }

// Stream is what a body reads: the events of one actor, in order of offset. All methods are for the body's goroutine only.
type Stream struct{}

// TryNext settles the event in hand and gives the next one if it is here already: (nil, nil) means Next would wait.
func (s *Stream) TryNext() (*Event, error) { panic("outline") }

// Next settles the event in hand and waits for the next one; io.EOF: the partition was taken away or the worker stops.
func (s *Stream) Next(ctx context.Context) (*Event, error) { panic("outline") }

// Take settles what is in hand and collects up to n events as one, waiting at most within after the first (0: until full).
// They are settled, and fail, together. A partial batch is delivered before io.EOF.
func (s *Stream) Take(ctx context.Context, n int, within time.Duration) ([]*Event, error) {
	panic("outline")
}

// Current gives the event in hand (of a batch: the last), nil if there is none.
func (s *Stream) Current() *Event { panic("outline") }

// Partition is where this stream's events come from.
func (s *Stream) Partition() topic.Partition { panic("outline") }

// Fail puts the event in hand before the policy because of err, without ending the body: for what goes wrong before the body
// sees the event (an undecodable message). nil: go on with Next. Otherwise the body returns the error at once.
func (s *Stream) Fail(ctx context.Context, err error) error { panic("outline") }

// Ack settles ev in manual mode, from the body's goroutine. A second Ack is ignored and reported as false.
func (s *Stream) Ack(ev *Event) bool { panic("outline") }

// Processor runs one agent on one partition: its queue, its tracker and Definition.Concurrency actors.
type Processor struct{}

// ProcessorConfig says what a Processor runs and whom it talks to.
type ProcessorConfig struct {
	Agent       *Definition
	Partition   topic.Partition
	Sender      Sender
	Reporter    Reporter
	AppVersion  int
	MaxFailures int // used when the agent's is 0
}

// NewProcessor allocates; nothing runs before Run.
func NewProcessor(cfg ProcessorConfig) *Processor { panic("outline") }

// Run runs the actors until Drain or the end of ctx. nil: drained. An error: the policy said Stop, or a Send failed.
func (p *Processor) Run(ctx context.Context) error { panic("outline") }

// Deliver queues records of the partition, in order of offset; it never blocks. The slice belongs to the Processor from then on.
func (p *Processor) Deliver(records []topic.Record) { panic("outline") }

// Drain lets every Next give io.EOF after the event in hand; unread records are dropped, unsettled. Idempotent.
func (p *Processor) Drain() { panic("outline") }

// Committable gives the low watermark: every record below it is settled. false: nothing was delivered yet.
func (p *Processor) Committable() (offset int64, ok bool) { panic("outline") }

// Progress is where a processor stands; for back-pressure, status and USR1.
type Progress struct {
	Queued      int       // records delivered and not yet taken
	QueuedBytes int64     // their keys and values
	Unsettled   int       // taken and not settled
	Delivered   int64     // offset after the last delivered record, -1: none
	Low         int64     // as Committable, -1: none
	Since       time.Time // when the oldest event in hand was taken; zero: none
	Broken      bool
}

// Progress may be called from any goroutine.
func (p *Processor) Progress() Progress { panic("outline") }

// Channel is an in-memory queue of records in this process: app.channel. Any goroutine may use it.
type Channel struct{}

// NewChannel makes one that holds up to size records (0: 1000).
func NewChannel(name string, size int) *Channel { panic("outline") }

// Put waits while the channel is full.
func (c *Channel) Put(ctx context.Context, r topic.Record) error { panic("outline") }

// Get waits for a record.
func (c *Channel) Get(ctx context.Context) (topic.Record, error) { panic("outline") }

// Len is how many records wait.
func (c *Channel) Len() int { panic("outline") }
