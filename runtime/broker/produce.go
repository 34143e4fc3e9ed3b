package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"faust/runtime/topic"
)

const (
	maxBufferedRecords = 1 << 16
	maxBufferedBytes   = 64 << 20
)

// producing are the options of a client that produces. Records wait for a lost broker without limit: the caller's context and Flush bound the wait.
func (c *Client) producing() []kgo.Opt {
	limit := c.cfg.maxMessageBytes()
	return []kgo.Opt{
		kgo.AlwaysRetryEOF(),
		kgo.ProducerBatchCompression(c.cfg.codecs()...),
		kgo.WithHooks(batches{&c.stored}),
		kgo.RecordPartitioner(c.topics),
		kgo.MaxBufferedRecords(maxBufferedRecords),
		kgo.MaxBufferedBytes(max(maxBufferedBytes, 2*limit)),
		kgo.BrokerMaxWriteBytes(int32(max(100<<20, 2*limit))),
		kgo.ProducerBatchMaxBytesFn(c.batchBytes),
	}
}

// MaxMessageBytes gives the largest record that may be sent to a topic: the configured limit, or the topic's own where Ensure found a smaller one.
func (c *Client) MaxMessageBytes(topic string) int {
	limit := c.cfg.maxMessageBytes()
	if own := int(c.topics.info(topic).limit.Load()); own > 0 {
		limit = min(limit, own)
	}
	return limit
}

// batchRoom is what a batch takes beside the key and value of its only record, and more.
const batchRoom = 1024

// batchBytes bounds a batch of records of a topic.
func (c *Client) batchBytes(topic string) int32 {
	limit := c.cfg.maxMessageBytes() + batchRoom
	if own := int(c.topics.info(topic).limit.Load()); own > 0 {
		limit = min(limit, own)
	}
	return int32(limit)
}

// Note is what the sender wants to know again when it hears of a record. It means nothing to the client, which keeps a copy of it and of Origin.
type Note struct {
	Epoch, Size int64
	Owner       any
	Origin      *topic.Record
}

// Receipt hears what became of a record.
type Receipt interface {
	// Stored is called once, on the producer's goroutine; s is valid until it returns.
	Stored(s *Sending, err error)
}

// callback is a Receipt that is a function.
type callback func(r topic.Record, err error)

// Stored implements Receipt.
func (f callback) Stored(s *Sending, err error) { f(s.Record(), err) }

// Produce is Post with a function, which may be nil.
func (c *Client) Produce(ctx context.Context, r *topic.Record, done func(r topic.Record, err error)) {
	var to Receipt
	if done != nil {
		to = callback(done)
	}
	c.Post(ctx, r, to, &Note{})
}

// Post queues r; it blocks while the buffer is full, until ctx ends. When the fate of r is known, to hears of it and of the copy of note, unless to
// is nil. Partition topic.Any goes by key and the topic's partitioner (Ensure knows it), keyless records are spread. r's slices must not
// change before that; r itself may. A record that a broker refuses does not take those it shared a batch with along: they are
// sent again one by one, and may then be stored after later ones.
func (c *Client) Post(ctx context.Context, r *topic.Record, to Receipt, note *Note) {
	s := c.sendings.take(c)
	s.fill(ctx, r, to, note)
	c.kafka.Produce(ctx, &s.record, s.told)
}

// Refusal is why one record cannot be stored, ever.
type refusal struct {
	text string
	err  error
}

func (e *refusal) Error() string { return e.text }
func (e *refusal) Unwrap() error { return e.err }

func (c *Client) produceError(r *kgo.Record, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kgo.ErrClientClosed):
		return fmt.Errorf("send to %s: %w", r.Topic, ErrClosed)
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		size := len(r.Key) + len(r.Value)
		for _, h := range r.Headers {
			size += len(h.Key) + len(h.Value)
		}
		return &refusal{fmt.Sprintf("send to %s: the record has %d bytes, more than the limit of %d (max_message_bytes, or max.message.bytes of the topic)",
			r.Topic, size, c.MaxMessageBytes(r.Topic)), err}
	case strings.Contains(err.Error(), "invalid record partitioning choice"): // kgo has no value for it
		return &refusal{fmt.Sprintf("send to %s: there is no partition %d", r.Topic, r.Partition), err}
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return &refusal{fmt.Sprintf("send to %s: there is no such topic", r.Topic), err}
	case errors.Is(err, kerr.InvalidTopicException):
		return &refusal{fmt.Sprintf("send to %s: not a valid topic name", r.Topic), err}
	case Permanent(err):
		return &refusal{fmt.Sprintf("send to %s: the broker refused the record: %s", r.Topic, clean(err)), err}
	}
	return c.wrap(err, "send to %s", r.Topic)
}

// Permanent tells whether a produce error is the record's own fault (too large, refused, unknown topic) and not the connection's.
func Permanent(err error) bool {
	var own *refusal
	if errors.As(err, &own) {
		return true
	}
	for _, k := range []error{kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp, kerr.CorruptMessage,
		kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.InvalidTopicException, kerr.UnsupportedForMessageFormat} {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}

// Nowhere tells whether a produce error is that there is no such topic.
func Nowhere(err error) bool {
	return errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID)
}

// batchRefused tells whether a broker refused a whole batch for what may be the fault of one record in it.
func batchRefused(err error) bool {
	return errors.Is(err, kerr.InvalidRecord) || errors.Is(err, kerr.InvalidTimestamp) || errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge)
}

// Waiting tells whether records wait to be stored, and counts the batches that were: whoever asks twice knows whether anything moves.
func (c *Client) Waiting() (stored int64, waiting bool) {
	return c.stored.Load(), c.kafka.BufferedProduceRecords() > 0
}

// Room is an error that wraps ErrFull if the broker is known to have no room for n bytes of records.
func (c *Client) Room(n uint64) error {
	if c.cfg.Room == nil {
		return nil
	}
	return c.cfg.Room(n)
}

// batches counts those that were stored.
type batches struct{ *atomic.Int64 }

// OnProduceBatchWritten implements kgo.HookProduceBatchWritten.
func (b batches) OnProduceBatchWritten(kgo.BrokerMetadata, string, int32, kgo.ProduceBatchMetrics) {
	b.Add(1)
}

// Flush waits until everything queued is stored or failed. Under constant sending it need not end before ctx does.
func (c *Client) Flush(ctx context.Context) error {
	if err := c.kafka.Flush(ctx); err != nil {
		return c.wrap(err, "flush")
	}
	if err := c.solo.wait(ctx); err != nil {
		return c.wrap(err, "flush")
	}
	return nil
}

// topics is what is known of topics, and the partitioner of the client.
type topics struct {
	mu    sync.Mutex
	known map[string]*topicInfo
}

type topicInfo struct {
	crc32 atomic.Bool
	limit atomic.Int32 // max.message.bytes, 0: not known
}

func (t *topics) info(name string) *topicInfo {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.known[name]
	if i == nil {
		i = &topicInfo{}
		t.known[name] = i
	}
	return i
}

// ForTopic makes the partitioner of a topic. A later Ensure may still change its hash.
func (t *topics) ForTopic(name string) kgo.TopicPartitioner {
	info := t.info(name)
	hash := func(key []byte, n int) int {
		p := topic.Murmur2
		if info.crc32.Load() {
			p = topic.CRC32
		}
		return int(p.Partition(key, int32(n)))
	}
	sticky := kgo.StickyKeyPartitioner(hash).ForTopic(name)
	batches, _ := sticky.(kgo.TopicPartitionerOnNewBatch)
	return &partitioner{TopicPartitioner: sticky, batches: batches}
}

// partitioner puts a record where its Partition says, or else by key, or else where the current batch goes.
type partitioner struct {
	kgo.TopicPartitioner
	batches kgo.TopicPartitionerOnNewBatch
}

func (p *partitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition >= 0 || r.Key != nil
}

func (p *partitioner) Partition(r *kgo.Record, n int) int {
	if r.Partition >= 0 {
		return int(r.Partition)
	}
	return p.TopicPartitioner.Partition(r, n)
}

func (p *partitioner) OnNewBatch() {
	if p.batches != nil {
		p.batches.OnNewBatch()
	}
}
