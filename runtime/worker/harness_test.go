package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/store"
	"faust/runtime/topic"
)

// world is a broker on a virtual network, and a client that produces and looks.
type world struct {
	t      *testing.T
	net    *kfake.VirtualNetwork
	server *broker.Server
	cfg    broker.Config
	client *broker.Client
	admin  *kadm.Client

	room  atomic.Uint64 // what is free on the broker's disk
	store store.Store   // that a test keeps over several workers

	mu    sync.Mutex
	dial  func(ctx context.Context, network, addr string) (net.Conn, error)
	conns []net.Conn
}

// outage cuts all connections and refuses new ones, until the function it gives is called.
func (w *world) outage() (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dial = func(_ context.Context, network, _ string) (net.Conn, error) { // as the system says it: what is not wrapped like this, kgo tries again without a pause
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.dial = w.net.DialContext
	}
}

// inWorld runs f in a bubble with a broker of its own.
func inWorld(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, net: &kfake.VirtualNetwork{}}
		w.dial = w.net.DialContext
		w.room.Store(1 << 30)
		server, err := broker.OpenServer(broker.ServerConfig{Listen: w.net.Listen, Free: func() (uint64, error) { return w.room.Load(), nil }})
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		w.server, w.cfg = server, server.Config()
		w.cfg.Embedded = false
		w.cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			w.mu.Lock()
			dial := w.dial
			w.mu.Unlock()
			c, err := dial(ctx, network, addr)
			if err == nil {
				w.mu.Lock()
				w.conns = append(w.conns, c)
				w.mu.Unlock()
			}
			return c, err
		}
		w.cfg.MaxMessageBytes = 64 << 10
		w.client, err = broker.Open(t.Context(), w.cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer w.client.Close()
		kafka, err := kgo.NewClient(kgo.SeedBrokers(w.cfg.Seeds...), kgo.Dialer(w.cfg.Dial))
		if err != nil {
			t.Fatal(err)
		}
		defer kafka.Close()
		w.admin = kadm.NewClient(kafka)
		f(t, w)
	})
}

// inBoth runs f once for each guarantee, with what makes it that of an app.
func inBoth(t *testing.T, f func(t *testing.T, w *world, promise func(*app.App) *app.App)) {
	t.Helper()
	for _, guarantee := range []string{app.AtLeastOnce, app.ExactlyOnce} {
		t.Run(guarantee, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, w *world) {
				f(t, w, func(a *app.App) *app.App {
					a.Settings.ProcessingGuarantee = guarantee
					return a
				})
			})
		})
	}
}

// settings are those of the tests; the worker has no pages.
func settings(id string) *app.Settings {
	return &app.Settings{
		ID: id, Version: 1, TopicPartitions: 4, ReplicationFactor: 1, CommitInterval: time.Second, AutoOffsetReset: "earliest",
		SessionTimeout: 10 * time.Second, MaxMessageBytes: 64 << 10, MaxFailures: 100, Grace: 20 * time.Second, Timezone: time.UTC,
	}
}

func newApp(id string) *app.App { return &app.App{File: id + ".lua", Settings: settings(id)} }

// topics declares topics of an app.
func declare(a *app.App, partitions int32, names ...string) {
	for _, n := range names {
		a.Topics = append(a.Topics, &app.Topic{Topic: topic.Topic{Name: n, Partitions: partitions}})
	}
}

// reads declares an agent that reads a declared topic.
func reads(a *app.App, name, from string, body agent.Body) *agent.Definition {
	d := &agent.Definition{Name: name, Concurrency: 1, Body: body, DeadLetter: agent.LetterTopic(a.Settings.Internal(name, "dead-letter"))}
	d.DeadLetter.Partitions = 1
	for _, t := range a.Topics {
		if t.Name == from {
			d.Topics = append(d.Topics, t.Topic)
		}
	}
	a.Agents = append(a.Agents, d)
	return d
}

// each makes a body of a function that handles one event.
func each(f func(ctx context.Context, ev *agent.Event) error) agent.Body {
	return func(ctx context.Context, s *agent.Stream) error {
		for {
			ev, err := s.Next(ctx)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := f(ctx, ev); err != nil {
				return err
			}
		}
	}
}

// running is a worker under test.
type running struct {
	t       *testing.T
	worker  *Worker
	cancel  context.CancelFunc
	ready   chan struct{}
	done    chan struct{}
	err     error
	log     *logText
	waiting chan []string
}

// start runs a worker; the test's end stops it.
func (w *world) start(a *app.App, edit ...func(*Config)) *running {
	r := &running{t: w.t, ready: make(chan struct{}), done: make(chan struct{}), log: &logText{}, waiting: make(chan []string, 100)}
	cfg := Config{
		App:    a,
		Broker: func(context.Context) (broker.Config, error) { return w.cfg, nil },
		Logger: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Socket: func(string) (net.Listener, error) { return (&kfake.VirtualNetwork{}).Listen("tcp", "127.0.0.1:6067") },
		Events: Events{Ready: func(Info) { close(r.ready) }, Waiting: func(what []string) { r.waiting <- what }},
	}
	for _, e := range edit {
		e(&cfg)
	}
	r.worker = New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		r.err = r.worker.Run(ctx)
		close(r.done)
	}()
	return r
}

// operational waits until the worker is.
func (r *running) operational() *running {
	r.t.Helper()
	select {
	case <-r.ready:
	case <-r.done:
		r.t.Fatalf("ended before it was operational: %v\n%s", r.err, r.log)
	case <-time.After(time.Minute):
		r.t.Fatalf("not operational\n%s", r.log)
	}
	return r
}

// stop stops the worker and gives Run's error.
func (r *running) stop() error {
	r.t.Helper()
	r.cancel()
	return r.end()
}

// end waits for the end of Run.
func (r *running) end() error {
	r.t.Helper()
	select {
	case <-r.done:
	case <-time.After(10 * time.Minute):
		r.t.Fatalf("does not end\n%s\n%s", r.worker.Dump(), r.log)
	}
	return r.err
}

// crash ends the worker as SIGKILL would: its group is abandoned, nothing is committed.
func (r *running) crash() {
	run := r.worker.current.Load()
	if g := run.group.Load(); g != nil {
		g.Abandon()
	}
	if run.exact != nil {
		run.exact.over.Store(true)
	}
	run.box.broken(errors.New("crash of the test"))
	r.cancel()
	r.end()
}

// logText collects log lines.
type logText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// tail is the end of the log.
func (l *logText) tail(n int) string {
	s := l.String()
	return s[max(len(s)-n, 0):]
}

// ensure creates a topic.
func (w *world) ensure(name string, partitions int32) {
	w.t.Helper()
	if _, err := w.client.Ensure(w.t.Context(), []topic.Topic{{Name: name, Partitions: partitions}}, topic.Topic{Replication: 1}); err != nil {
		w.t.Fatal(err)
	}
}

// produce stores n records with values 0, 1, ... round the partitions, key k0, k1, ...
func (w *world) produce(name string, partitions int32, from, n int) {
	w.t.Helper()
	for i := from; i < from+n; i++ {
		w.client.Produce(w.t.Context(), &topic.Record{Topic: name, Partition: int32(i) % partitions, Key: fmt.Appendf(nil, "k%d", i), Value: fmt.Appendf(nil, "%d", i)},
			func(_ topic.Record, err error) {
				if err != nil {
					w.t.Errorf("produce: %v", err)
				}
			})
	}
	if err := w.client.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// committed reads the group's offset of a partition, -1 if there is none.
func (w *world) committed(group string, p topic.Partition) (int64, string) {
	w.t.Helper()
	offsets, err := w.admin.FetchOffsets(w.t.Context(), group)
	if err != nil {
		w.t.Fatal(err)
	}
	o, ok := offsets.Lookup(p.Topic, p.ID)
	if !ok {
		return -1, ""
	}
	return o.At, o.Metadata
}

// records reads a topic from its beginning, at least n records.
func (w *world) records(name string, n int) []topic.Record {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	kafka, err := kgo.NewClient(kgo.SeedBrokers(w.cfg.Seeds...), kgo.Dialer(w.cfg.Dial), kgo.ConsumeTopics(name),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		w.t.Fatal(err)
	}
	defer kafka.Close()
	var all []topic.Record
	for len(all) < n {
		fetches := kafka.PollFetches(ctx)
		if ctx.Err() != nil {
			w.t.Fatalf("%d of %d records of %s", len(all), n, name)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			all = append(all, converted(r))
		})
	}
	return all
}

func converted(r *kgo.Record) topic.Record {
	c := topic.Record{Key: r.Key, Value: r.Value, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
	for _, h := range r.Headers {
		c.Headers = append(c.Headers, topic.Header(h))
	}
	return c
}

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Minute); !ok(); {
		if time.Now().After(limit) {
			t.Fatalf("never: %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// length is how many records a topic has.
func (w *world) length(name string) int {
	w.t.Helper()
	ends, err := w.admin.ListEndOffsets(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	ends.Each(func(o kadm.ListedOffset) { n += int(max(o.Offset, 0)) })
	return n
}

// changes waits until ok holds, which depends on a topic only: it is asked when that has changed.
func (w *world) changes(name string, ok func() bool) {
	w.t.Helper()
	last := -1
	eventually(w.t, name+" has what is expected", func() bool {
		n := w.length(name)
		changed := n != last
		last = n
		return changed && ok()
	})
}

// kept is how many records of a topic the broker still has.
func (w *world) kept(name string) int {
	w.t.Helper()
	starts, err := w.admin.ListStartOffsets(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	n := w.length(name)
	starts.Each(func(o kadm.ListedOffset) { n -= int(max(o.Offset, 0)) })
	return n
}

// all reads a topic as it is.
func (w *world) all(name string) (all []topic.Record) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	kafka, err := kgo.NewClient(kgo.SeedBrokers(w.cfg.Seeds...), kgo.Dialer(w.cfg.Dial), kgo.ConsumeTopics(name), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		w.t.Fatal(err)
	}
	defer kafka.Close()
	ends, err := w.admin.ListCommittedOffsets(ctx, name)
	if err != nil {
		w.t.Fatal(err)
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	for len(left) > 0 {
		fetches := kafka.PollFetches(ctx)
		if ctx.Err() != nil {
			w.t.Fatalf("%d records of %s, not all", len(all), name)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
			if !r.Attrs.IsControl() {
				all = append(all, converted(r))
			}
		})
	}
	return all
}
