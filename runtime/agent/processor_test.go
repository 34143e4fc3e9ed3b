package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"faust/runtime/topic"
)

// log is a Sender and Reporter that remembers.
type log struct {
	mu     sync.Mutex
	sent   []topic.Record
	causes []*Cause
	failed []string
	broken []string
	left   int
	refuse error
}

func (l *log) Send(_ context.Context, r *topic.Record, cause *Cause) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		return l.refuse
	}
	if cause != nil {
		origin := *cause.Record
		cause = &Cause{Agent: cause.Agent, Record: &origin}
	}
	l.sent, l.causes = append(l.sent, *r), append(l.causes, cause)
	return nil
}

func (l *log) Failed(_ *Definition, ev *Event, err error, action Action, attempt int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	offset := int64(-1)
	if ev != nil {
		offset = ev.Offset
	}
	l.failed = append(l.failed, fmt.Sprintf("%d %v action=%d attempt=%d", offset, err, action, attempt))
}

func (l *log) Broken(_ *Definition, p topic.Partition, failures int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = append(l.broken, fmt.Sprintf("%s %d %v", p, failures, err))
}

func (l *log) Left(*Definition, topic.Partition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left++
}

func (l *log) values() (vs []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.sent {
		vs = append(vs, string(r.Value))
	}
	return vs
}

// rig is a processor that runs in the bubble of a test.
type rig struct {
	*Processor
	*log
	cancel context.CancelFunc
	done   chan error
}

func start(t *testing.T, d *Definition, change ...func(*ProcessorConfig)) *rig {
	t.Helper()
	l := &log{}
	if d.Name == "" {
		d.Name = "orders"
	}
	if d.DeadLetter.Name == "" {
		d.DeadLetter.Name = "dead"
	}
	cfg := ProcessorConfig{Agent: d, Partition: topic.Partition{Topic: "in", ID: 2}, Sender: l, Reporter: l, AppVersion: 3}
	for _, f := range change {
		f(&cfg)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &rig{Processor: NewProcessor(cfg), log: l, cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- r.Run(ctx) }()
	t.Cleanup(cancel)
	return r
}

// stop drains and gives Run's error.
func (r *rig) stop() error {
	r.Drain()
	return <-r.done
}

// records makes records of the offsets given; value and key are the offset.
func records(offsets ...int64) (rs []topic.Record) {
	for _, o := range offsets {
		rs = append(rs, topic.Record{Topic: "in", Partition: 2, Offset: o, Key: fmt.Append(nil, o), Value: fmt.Append(nil, o), Timestamp: 1000 + o})
	}
	return rs
}

// each is a body that calls f for every event.
func each(f func(s *Stream, e *Event) error) Body {
	return func(ctx context.Context, s *Stream) error {
		for {
			e, err := s.Next(ctx)
			if err != nil {
				return err
			}
			if err := f(s, e); err != nil {
				return err
			}
		}
	}
}

// echo sends the value on, with a mark.
func echo(e *Event, mark string) {
	e.Send(topic.Record{Topic: "out", Partition: topic.Any, Value: []byte(mark + string(e.Value))})
}

func low(t *testing.T, p *Processor, want int64) {
	t.Helper()
	if got, ok := p.Committable(); !ok || got != want {
		t.Errorf("committable %d %v, want %d", got, ok, want)
	}
}

func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { t.Parallel(); synctest.Test(t, f) })
}

func TestProcessor(t *testing.T) {
	t.Parallel()
	bubble(t, "an event is settled by asking for the next", func(t *testing.T) {
		gate := make(chan struct{})
		r := start(t, &Definition{Body: each(func(_ *Stream, e *Event) error { echo(e, "a"); <-gate; return nil })})
		if _, ok := r.Committable(); ok {
			t.Error("committable before anything was delivered")
		}
		r.Deliver(records(5, 6, 9))
		synctest.Wait()
		low(t, r.Processor, 5)
		if got := r.Progress(); got.Queued != 2 || got.Unsettled != 1 || got.QueuedBytes != 4 || got.Delivered != 10 {
			t.Errorf("progress %+v", got)
		}
		if len(r.values()) != 0 {
			t.Error("sent before the event was settled")
		}
		gate <- struct{}{}
		synctest.Wait()
		low(t, r.Processor, 6)
		gate <- struct{}{}
		gate <- struct{}{}
		synctest.Wait()
		low(t, r.Processor, 10)
		if got := r.Progress(); got.Queued != 0 || got.Unsettled != 0 || got.QueuedBytes != 0 || !got.Since.IsZero() {
			t.Errorf("progress at the end %+v", got)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"a5", "a6", "a9"}, r.values()); diff != "" {
			t.Error(diff)
		}
		if r.causes[2].Record.Offset != 9 || r.causes[2].Agent.Name != "orders" {
			t.Errorf("cause %+v", r.causes[2])
		}
	})
	bubble(t, "drain ends after the event in hand", func(t *testing.T) {
		after := false
		gate := make(chan struct{})
		r := start(t, &Definition{Body: func(ctx context.Context, s *Stream) error {
			err := each(func(_ *Stream, e *Event) error { echo(e, ""); <-gate; return nil })(ctx, s)
			after = err == io.EOF
			if _, again := s.TryNext(); again != io.EOF {
				t.Errorf("after the end: %v", again)
			}
			return nil
		}})
		r.Deliver(records(1, 2, 3))
		synctest.Wait()
		r.Drain()
		r.Drain()
		close(gate)
		if err := <-r.done; err != nil || !after {
			t.Errorf("%v, code after the loop ran: %v", err, after)
		}
		low(t, r.Processor, 2)
		if r.left != 0 || len(r.values()) != 1 {
			t.Errorf("left %d sent %v", r.left, r.values())
		}
	})
	bubble(t, "since tells how long an event is in hand", func(t *testing.T) {
		gate := make(chan struct{})
		r := start(t, &Definition{Body: each(func(*Stream, *Event) error { <-gate; return nil })})
		r.Deliver(records(1))
		synctest.Wait()
		first := r.Progress().Since
		pass(time.Minute)
		if got := time.Since(r.Progress().Since); first.IsZero() || got != time.Minute {
			t.Errorf("in hand for %v", got)
		}
		close(gate)
		synctest.Wait()
		if !r.Progress().Since.IsZero() {
			t.Error("nothing is in hand")
		}
	})
	bubble(t, "the context ends everything, unsettled", func(t *testing.T) {
		r := start(t, &Definition{Body: each(func(s *Stream, e *Event) error { echo(e, ""); <-s.ctx.Done(); return s.ctx.Err() })})
		r.Deliver(records(1, 2))
		synctest.Wait()
		r.cancel()
		if err := <-r.done; !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		low(t, r.Processor, 1)
		if len(r.values()) != 0 || len(r.failed) != 0 {
			t.Errorf("sent %v failed %v", r.values(), r.failed)
		}
	})
	bubble(t, "a body that returns is started again", func(t *testing.T) {
		r := start(t, &Definition{Body: func(ctx context.Context, s *Stream) error {
			e, err := s.Next(ctx)
			if err == nil {
				echo(e, "")
			}
			return nil
		}})
		r.Deliver(records(1, 2, 3))
		synctest.Wait()
		low(t, r.Processor, 4)
		if r.left != 3 || len(r.values()) != 3 {
			t.Errorf("left %d sent %v", r.left, r.values())
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	for name, result := range map[string]error{"returns": nil, "fails": errors.New("no")} {
		bubble(t, "a body that never reads and "+name+" does not spin", func(t *testing.T) {
			starts := 0
			r := start(t, &Definition{Body: func(context.Context, *Stream) error { starts++; return result }})
			r.Deliver(records(1, 2, 3))
			pass(time.Minute)
			if starts < 3 || starts > 10 {
				t.Errorf("%d starts in a minute", starts)
			}
			low(t, r.Processor, 1)
			if err := r.stop(); err != nil {
				t.Error(err)
			}
		})
	}
	bubble(t, "an error after the end is reported", func(t *testing.T) {
		r := start(t, &Definition{Body: func(ctx context.Context, s *Stream) error {
			_, err := s.Next(ctx)
			return fmt.Errorf("cleanup: broken after %d", len(err.Error()))
		}})
		synctest.Wait()
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"-1 cleanup: broken after 3 action=1 attempt=1"}, r.failed); diff != "" {
			t.Error(diff)
		}
	})
	bubble(t, "a panic fails the event", func(t *testing.T) {
		r := start(t, &Definition{Body: each(func(_ *Stream, e *Event) error {
			if e.Offset == 1 {
				panic("oh")
			}
			return nil
		})})
		r.Deliver(records(1, 2))
		synctest.Wait()
		low(t, r.Processor, 3)
		tb, _ := r.sent[0].Header(HeaderTraceback)
		if text, _ := r.sent[0].Header(HeaderError); string(text) != "panic: oh" || !strings.Contains(string(tb), "processor_test.go") {
			t.Errorf("%s %s", text, tb)
		}
	})
	bubble(t, "a failing sender ends the processor", func(t *testing.T) {
		r := start(t, &Definition{Body: each(func(_ *Stream, e *Event) error { echo(e, ""); return nil })})
		r.refuse = errors.New("fenced")
		r.Deliver(records(1, 2))
		if err := <-r.done; err == nil || err.Error() != "agent orders: send to out: fenced" {
			t.Error(err)
		}
		low(t, r.Processor, 1)
	})
}

// pass lets virtual time pass until nothing moves.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
