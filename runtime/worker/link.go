package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/topic"
)

// What may be sent and not yet stored before senders wait.
const (
	maxUnsentRecords = 8192
	maxUnsentBytes   = 64 << 20
)

var errClosed = errors.New("the connection to the broker is closed")

// link is the connection of a worker or a command to the cluster: opened on first use; it sends and asks for both.
type link struct {
	app     *app.App
	find    func(ctx context.Context) (broker.Config, error)
	log     *slog.Logger
	metrics prometheus.Registerer // nil: none

	stored atomic.Int64 // records of queue that the broker has

	ctx    context.Context // of what is sent: it outlives the sender
	cancel context.CancelCauseFunc
	gauge  gauge

	opening chan struct{} // held while opening or declaring
	config  *broker.Config
	client  atomic.Pointer[broker.Client]
	closed  bool

	mu       sync.RWMutex
	declared map[string]topic.Topic // the app's topics by name
	ensured  map[string]bool

	replies replies
	readers sync.WaitGroup // of replies
}

func newLink(cfg Config, metrics prometheus.Registerer) *link {
	l := &link{
		app: cfg.App, find: cfg.Broker, log: cfg.Logger, metrics: metrics,
		opening: make(chan struct{}, 1), declared: map[string]topic.Topic{}, ensured: map[string]bool{},
	}
	l.gauge.maxRecords, l.gauge.maxBytes = maxUnsentRecords, maxUnsentBytes
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	for _, t := range declaredTopics(cfg.App) {
		l.declared[t.Name] = t
	}
	return l
}

// declaredTopics lists what the app reads, writes and keeps, each once: the declared topics and the internal ones of its agents and of leadership.
func declaredTopics(a *app.App) []topic.Topic {
	var list []topic.Topic
	seen := map[string]bool{}
	add := func(t topic.Topic) {
		if t.Name != "" && !seen[t.Name] {
			seen[t.Name] = true
			list = append(list, t)
		}
	}
	for _, t := range a.Topics {
		add(t.Topic)
	}
	for _, d := range a.Agents {
		for _, t := range d.Topics {
			add(t)
		}
		add(d.DeadLetter)
	}
	if usesLeader(a) {
		add(leaderTopic(a))
	}
	return list
}

func (l *link) lock(ctx context.Context) error {
	select {
	case l.opening <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *link) unlock() { <-l.opening }

// configure finds the cluster without reaching it.
func (l *link) configure(ctx context.Context) (broker.Config, error) {
	if err := l.lock(ctx); err != nil {
		return broker.Config{}, err
	}
	defer l.unlock()
	return l.configureLocked(ctx)
}

func (l *link) configureLocked(ctx context.Context) (broker.Config, error) {
	if l.config == nil {
		if l.find == nil {
			return broker.Config{}, errors.New("no broker is configured")
		}
		cfg, err := l.find(ctx)
		if err != nil {
			return broker.Config{}, err
		}
		if cfg.Metrics == nil {
			cfg.Metrics = l.metrics
		}
		if cfg.MaxMessageBytes == 0 {
			cfg.MaxMessageBytes = l.app.Settings.MaxMessageBytes
		}
		cfg.Compression = broker.Compression(l.app.Settings.Compression)
		l.config = &cfg
	}
	return *l.config, nil
}

// connect gives the client, opening it if need be. A failed attempt may be repeated.
func (l *link) connect(ctx context.Context) (*broker.Client, error) {
	if c := l.client.Load(); c != nil {
		return c, nil
	}
	if err := l.lock(ctx); err != nil {
		return nil, err
	}
	defer l.unlock()
	if c := l.client.Load(); c != nil {
		return c, nil
	}
	if l.closed {
		return nil, errClosed
	}
	cfg, err := l.configureLocked(ctx)
	if err != nil {
		return nil, err
	}
	c, err := broker.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	l.client.Store(c)
	return c, nil
}

// touch connects and makes sure of the named topic, if the app declares it. Other topics are taken as they are.
func (l *link) touch(ctx context.Context, name string) (*broker.Client, error) {
	c, err := l.connect(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.RLock()
	done := l.ensured[name]
	t, declared := l.declared[name]
	l.mu.RUnlock()
	if done || !declared {
		return c, nil
	}
	return c, l.ensure(ctx, []topic.Topic{t})
}

// knows tells whether a topic was made sure of.
func (l *link) knows(name string) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.ensured[name]
}

// ensure creates topics that are missing. A difference that cannot be lived with is the error, the others are warned of.
func (l *link) ensure(ctx context.Context, topics []topic.Topic) error {
	c, err := l.connect(ctx)
	if err != nil {
		return err
	}
	if err := l.lock(ctx); err != nil {
		return err
	}
	defer l.unlock()
	set := l.app.Settings
	differences, err := c.Ensure(ctx, topics, topic.Topic{Partitions: set.TopicPartitions, Replication: set.ReplicationFactor})
	if err != nil {
		return err
	}
	var fatal []string
	for _, d := range differences {
		if d.Fatal {
			fatal = append(fatal, fmt.Sprintf("topic %s has %s %s, declared is %s; to mend it: %s", d.Topic, d.Property, d.Actual, d.Declared, d.Fix))
			continue
		}
		l.log.Warn("topic differs from its declaration", "topic", d.Topic, "property", d.Property, "declared", d.Declared, "actual", d.Actual, "fix", d.Fix)
	}
	if fatal != nil {
		return &TopicError{Differences: differences, text: strings.Join(fatal, "; ")}
	}
	l.mu.Lock()
	for _, t := range topics {
		l.ensured[t.Name] = true
	}
	l.mu.Unlock()
	return nil
}

// TopicError refuses to run with topics that are not what the app declares.
type TopicError struct {
	Differences []broker.Difference
	text        string
}

func (e *TopicError) Error() string { return e.text }

// send makes sure of the topic and sends r at once, outside any event.
func (l *link) send(ctx context.Context, r *topic.Record, done func(topic.Record, error)) error {
	c, err := l.touch(ctx, r.Topic)
	if err != nil {
		return err
	}
	return l.produce(ctx, c, r, done)
}

// produce sends r: it waits while too much is unsent, until ctx ends, and returns once r is queued. done is called once if the
// error is nil, on the producer's goroutine.
func (l *link) produce(ctx context.Context, c *broker.Client, r *topic.Record, done func(topic.Record, error)) error {
	n := size(r)
	if err := l.gauge.take(ctx, n); err != nil {
		return err
	}
	l.queue(c, r, n, done)
	return nil
}

// queue hands r, which the gauge counts already, to the producer.
func (l *link) queue(c *broker.Client, r *topic.Record, n int64, done func(topic.Record, error)) {
	c.Post(l.ctx, r, l, &broker.Note{Size: n, Owner: done})
}

// Stored implements broker.Receipt for what queue sends.
func (l *link) Stored(s *broker.Sending, err error) {
	l.gauge.give(s.Note.Size)
	if err == nil {
		l.stored.Add(1)
	}
	s.Note.Owner.(func(topic.Record, error))(s.Record(), err)
}

// trySend is send for who cannot wait: false if it would have to, and then nothing was done.
func (l *link) trySend(r *topic.Record, done func(topic.Record, error)) bool {
	c := l.client.Load()
	if c == nil {
		return false
	}
	l.mu.RLock()
	ready := l.ensured[r.Topic]
	if !ready {
		_, declared := l.declared[r.Topic]
		ready = !declared
	}
	l.mu.RUnlock()
	n := size(r)
	if !ready || !l.gauge.try(n) {
		return false
	}
	l.queue(c, r, n, done)
	return true
}

// size is what a record counts for, in bytes; the constant stands for its own memory.
func size(r *topic.Record) int64 {
	n := 64 + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return int64(n)
}

// flush waits until all that was sent is stored or failed.
func (l *link) flush(ctx context.Context) error {
	if c := l.client.Load(); c != nil {
		return c.Flush(ctx)
	}
	return nil
}

// close ends requests, deletes the reply topic and closes the connection. What is not flushed fails.
func (l *link) close(ctx context.Context) {
	l.replies.close(ctx, l)
	l.cancel(errClosed)
	if l.lock(context.WithoutCancel(ctx)) != nil {
		return
	}
	defer l.unlock()
	l.closed = true
	l.readers.Wait()
	if c := l.client.Swap(nil); c != nil {
		c.Close()
	}
}
