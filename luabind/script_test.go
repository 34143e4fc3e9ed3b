package luabind_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"faust/luabind"
	"faust/luabind/fault"
	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/topic"
)

// plain is set while the tests run without the load-time pass.
var plain bool

// TestMain runs the tests twice: with the load-time pass and without.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && flag.Lookup("test.bench").Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == "" {
		plain = true
		code = m.Run()
	}
	os.Exit(code)
}

// host is a runtime that remembers what it is told.
type host struct {
	t       *testing.T
	ctx     context.Context
	cancel  context.CancelFunc
	tasks   sync.WaitGroup
	tries   atomic.Int64
	stops   []int
	refuse  error                                                 // what Send gives to done
	room    chan struct{}                                         // if not nil, events wait with what they send until it is closed
	hold    chan struct{}                                         // if not nil, Send stores nothing until it is closed
	answers func(r topic.Record) (answer topic.Record, err error) // of Request; nil: none comes

	mu      sync.Mutex
	sent    []topic.Record // by Send
	settled []topic.Record // by events
	asked   []topic.Record
	failed  []string // what agents reported
	errs    []error
	left    int
	awaited int // partitions of global tables that somebody waits for
	broken  int
	changed chan struct{}
	state   *state // of tables; nil: none
}

func newHost(t *testing.T) *host {
	h := &host{t: t, changed: make(chan struct{}), state: newState()}
	h.ctx, h.cancel = context.WithCancel(t.Context())
	t.Cleanup(func() {
		h.cancel()
		h.tasks.Wait()
	})
	return h
}

func (h *host) note(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
	close(h.changed)
	h.changed = make(chan struct{})
}

// until waits until ok holds.
func (h *host) until(what string, ok func() bool) {
	h.t.Helper()
	limit := time.After(time.Minute)
	for {
		h.mu.Lock()
		good, changed := ok(), h.changed
		h.mu.Unlock()
		if good {
			return
		}
		select {
		case <-changed:
		case <-limit:
			h.t.Fatalf("waited in vain: %s; sent %v, settled %v, failed %v", what, values(h.sent), values(h.settled), h.failed)
		}
	}
}

// TaskFailed notes what a worker would log.
func (h *host) TaskFailed(_ context.Context, name string, err error) {
	h.note(func() { h.failed = append(h.failed, name+": "+err.Error()) })
}

// TrySend queues every other record only, so that both ways of sending are taken.
func (h *host) TrySend(r *topic.Record, done func(topic.Record, error)) bool {
	if h.tries.Add(1)%2 == 0 {
		return false
	}
	return h.Send(h.ctx, r, done) == nil
}

func (h *host) Send(_ context.Context, r *topic.Record, done func(topic.Record, error)) error {
	var stored topic.Record
	h.note(func() {
		h.sent = append(h.sent, *r)
		stored = *r
		stored.Offset = int64(len(h.sent) - 1)
		if stored.Partition == topic.Any {
			stored.Partition = 0
		}
		stored.Timestamp = 1_700_000_000_000
	})
	finish := func() {
		if done != nil {
			done(stored, h.refuse)
		}
	}
	if h.hold != nil {
		h.tasks.Go(func() {
			select {
			case <-h.hold:
			case <-h.ctx.Done():
			}
			finish()
		})
		return nil
	}
	finish()
	return nil
}

func (h *host) Request(ctx context.Context, r *topic.Record, answer func(topic.Record, error)) error {
	h.note(func() { h.asked = append(h.asked, *r) })
	if h.answers == nil {
		context.AfterFunc(ctx, func() { answer(topic.Record{}, context.Cause(ctx)) })
		return nil
	}
	rec := *r
	h.tasks.Go(func() { answer(h.answers(rec)) })
	return nil
}

func (h *host) Go(ctx context.Context, _ string, f func(ctx context.Context)) {
	h.tasks.Go(func() {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(h.ctx, cancel)()
		f(ctx)
	})
}

func (h *host) Stop(code int) { h.note(func() { h.stops = append(h.stops, code) }) }

// sender is what events send through.
type sender struct{ h *host }

// Room says that Send will not wait.
func (s sender) Room(int) bool {
	select {
	case <-s.h.room:
		return true
	default:
		return s.h.room == nil
	}
}

func (s sender) Send(ctx context.Context, r *topic.Record, _ *agent.Cause) error {
	if s.h.room != nil {
		select {
		case <-s.h.room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	s.h.note(func() { s.h.settled = append(s.h.settled, *r) })
	return nil
}

func (h *host) Failed(_ *agent.Definition, ev *agent.Event, err error, action agent.Action, attempt int) {
	at := "-"
	if ev != nil {
		at = fmt.Sprint(ev.Offset)
	}
	h.note(func() {
		h.failed = append(h.failed, fmt.Sprintf("%s action=%d attempt=%d %v", at, action, attempt, err))
		h.errs = append(h.errs, err)
	})
}

func (h *host) Broken(*agent.Definition, topic.Partition, int, error) { h.note(func() { h.broken++ }) }
func (h *host) Left(*agent.Definition, topic.Partition)               { h.note(func() { h.left++ }) }

// script is a loaded script with its runtime.
type script struct {
	*luabind.Script
	*host
	out *bytes.Buffer
	t   *testing.T
}

// load loads a script that has to be right.
func load(t *testing.T, src string) *script {
	t.Helper()
	return loadWith(t, src, luabind.Config{})
}

func loadWith(t *testing.T, src string, cfg luabind.Config) *script {
	t.Helper()
	s := &script{host: newHost(t), out: &bytes.Buffer{}, t: t}
	cfg.Stdout, cfg.NoPass = s.out, cfg.NoPass || plain
	loaded, err := luabind.Load(write(t, src), cfg)
	if err != nil {
		t.Fatal(render(err))
	}
	s.Script = loaded
	loaded.App.Attach(s.host)
	t.Cleanup(func() {
		s.cancel()
		s.tasks.Wait()
		loaded.Close()
	})
	return s
}

func write(t *testing.T, src string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app", "app.lua")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func render(err error) string {
	var out strings.Builder
	fault.Render(&out, err, fault.RenderConfig{})
	return out.String()
}

// task runs the script's tasks, one after the other.
func (s *script) task() error {
	for _, task := range s.App.Tasks {
		if err := task.Run(s.ctx); err != nil {
			return err
		}
	}
	return nil
}

// check runs the tasks, which have to succeed.
func (s *script) check() {
	s.t.Helper()
	if err := s.task(); err != nil {
		s.t.Fatal(render(err))
	}
}

// agent runs the agent of that name on partition 0 of its topic and gives what delivers to it.
func (s *script) agent(name string) (deliver func(rs ...topic.Record), drain func() error) {
	s.t.Helper()
	return s.agentOn(name, 0)
}

// agentOn is agent on another partition.
func (s *script) agentOn(name string, partition int32) (deliver func(rs ...topic.Record), drain func() error) {
	s.t.Helper()
	var def *agent.Definition
	for _, d := range s.App.Agents {
		if d.Name == name {
			def = d
		}
	}
	if def == nil {
		s.t.Fatalf("no agent %s", name)
	}
	in := topic.Partition{Topic: "channel", ID: partition}
	if def.Channel == nil {
		in.Topic = def.Topics[0].Name
	}
	cfg := agent.ProcessorConfig{Agent: def, Partition: in, Sender: sender{s.host}, Reporter: s.host, AppVersion: 1, MaxFailures: 100}
	s.clocks(&cfg)
	p := agent.NewProcessor(cfg)
	ended := make(chan error, 1)
	go func() { ended <- p.Run(s.ctx) }()
	offset := int64(0)
	deliver = func(rs ...topic.Record) {
		for i := range rs {
			rs[i].Topic, rs[i].Partition, rs[i].Offset = in.Topic, partition, offset
			if rs[i].Timestamp == 0 {
				rs[i].Timestamp = 1_700_000_000_000 + offset
			}
			offset++
		}
		p.Deliver(rs)
	}
	drain = func() error {
		p.Drain()
		select {
		case err := <-ended:
			return err
		case <-time.After(time.Minute):
			return errors.New("the agent does not end")
		}
	}
	s.t.Cleanup(func() { p.Drain() })
	return deliver, drain
}

func json(values ...string) []topic.Record {
	out := make([]topic.Record, len(values))
	for i, v := range values {
		out[i] = topic.Record{Key: []byte(fmt.Sprintf("k%d", i)), Value: []byte(v)}
	}
	return out
}

// values lists records: topic key=value.
func values(rs []topic.Record) []string {
	out := []string{}
	for _, r := range rs {
		out = append(out, fmt.Sprintf("%s %s=%s", r.Topic, r.Key, r.Value))
	}
	return out
}

func (s *script) sentValues() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return values(s.sent)
}

func (s *script) settledValues() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return values(s.settled)
}

func equal(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s:\n got  %q\n want %q", what, got, want)
	}
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

func TestSpine(t *testing.T) {
	t.Parallel()
	s := load(t, `
		-- Counts words.
		app.configure { id = 'spine', topic_partitions = 4 }
		local Word = app.record('Word', { text = 'string', count = 'int' })
		local words = app.topic('words', { value = Word })
		local out = app.topic('out')
		app.agent('count', words, function(stream)
			for word in stream do
				out:send { key = word.text, value = { n = word.count * 2 } }
			end
			out:send { value = 'end' }
		end)
		app.task(function() words:send { key = 'k', value = Word { text = 'a', count = 1 } } print 'APP STARTED' end)
	`)
	if s.App.About != "Counts words." || s.App.Settings.ID != "spine" || s.App.Settings.TopicPartitions != 4 {
		t.Errorf("about %q, id %q", s.App.About, s.App.Settings.ID)
	}
	s.check()
	equal(t, "sent", s.sentValues(), `words k={"text":"a","count":1}`)
	if s.out.String() != "APP STARTED\n" {
		t.Errorf("printed %q", s.out)
	}
	deliver, drain := s.agent("count")
	deliver(json(`{"text":"x","count":2}`, `{"text":"y","count":3}`)...)
	s.until("two settled", func() bool { return len(s.settled) == 2 })
	if err := drain(); err != nil {
		t.Fatal(err)
	}
	equal(t, "settled", s.settledValues(), `out x={"n":4}`, `out y={"n":6}`)
	equal(t, "sent after the loop", s.sentValues()[1:], `out ="end"`)
}

var _ app.Runtime = (*host)(nil)
