package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"faust/runtime/topic"
)

// batches is a body that takes and tells f the offsets.
func batches(n int, within time.Duration, f func(s *Stream, es []*Event) error) Body {
	return func(ctx context.Context, s *Stream) error {
		for {
			es, err := s.Take(ctx, n, within)
			if err != nil {
				return err
			}
			if err := f(s, es); err != nil {
				return err
			}
		}
	}
}

func offsets(es []*Event) string {
	var out []string
	for _, e := range es {
		out = append(out, fmt.Sprint(e.Offset))
	}
	return strings.Join(out, " ")
}

func TestTake(t *testing.T) {
	t.Parallel()
	bubble(t, "full, by time, and partial at the end", func(t *testing.T) {
		var got []string
		r := start(t, &Definition{Body: batches(3, time.Minute, func(_ *Stream, es []*Event) error {
			got = append(got, offsets(es))
			return nil
		})})
		r.Deliver(records(1, 2))
		pass(30 * time.Second)
		r.Deliver(records(3, 4))
		synctest.Wait()
		low(t, r.Processor, 4)
		pass(59 * time.Second)
		if got := r.Progress(); got.Unsettled != 1 {
			t.Errorf("%+v", got)
		}
		pass(time.Second)
		r.Deliver(records(7, 8))
		synctest.Wait()
		low(t, r.Processor, 5)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"1 2 3", "4", "7 8"}, got); diff != "" {
			t.Error(diff)
		}
		low(t, r.Processor, 9)
	})
	bubble(t, "without a limit it waits until full", func(t *testing.T) {
		n := 0
		r := start(t, &Definition{Body: batches(2, 0, func(_ *Stream, es []*Event) error { n += len(es); return nil })})
		r.Deliver(records(1))
		pass(time.Hour)
		if got := r.Progress(); n != 0 || got.Unsettled != 1 {
			t.Errorf("%d, %+v", n, got)
		}
		r.Deliver(records(2))
		synctest.Wait()
		if n != 2 {
			t.Error(n)
		}
	})
	bubble(t, "a batch fails as a whole", func(t *testing.T) {
		r := start(t, &Definition{Body: batches(2, time.Minute, func(_ *Stream, es []*Event) error {
			for _, e := range es {
				echo(e, "")
			}
			if es[0].Offset == 1 {
				return errors.New("x")
			}
			return nil
		})})
		r.Deliver(records(1, 2, 3, 4))
		synctest.Wait()
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		var got []string
		for _, s := range r.sent {
			got = append(got, s.Topic+string(s.Value))
		}
		if diff := cmp.Diff([]string{"dead1", "dead2", "out3", "out4"}, got); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"2 x action=0 attempt=1"}, r.failed); diff != "" {
			t.Error(diff)
		}
	})
	bubble(t, "a batch is tried again as a whole", func(t *testing.T) {
		var got []string
		r := start(t, &Definition{Policy: RetryPolicy{Attempts: 1, Backoff: []time.Duration{1}}, Body: batches(2, time.Second, func(_ *Stream, es []*Event) error {
			got = append(got, offsets(es))
			if len(got) == 1 {
				return errors.New("x")
			}
			return nil
		})})
		r.Deliver(records(1, 2, 3))
		pass(time.Minute)
		if diff := cmp.Diff([]string{"1 2", "1 2", "3"}, got); diff != "" {
			t.Error(diff)
		}
		low(t, r.Processor, 4)
	})
	bubble(t, "one event of a batch can be rejected", func(t *testing.T) {
		var got []string
		r := start(t, &Definition{Body: batches(4, time.Second, func(s *Stream, es []*Event) error {
			for _, e := range es {
				echo(e, "")
				if e.Offset == 2 || e.Offset == 3 {
					if err := s.Reject(s.ctx, e, errors.New("bad")); err != nil {
						return err
					}
				}
			}
			got = append(got, offsets(s.hand))
			return nil
		})})
		r.Deliver(records(1, 2, 3, 4, 5, 6, 7, 8))
		synctest.Wait()
		if diff := cmp.Diff([]string{"1 4", "5 6 7 8"}, got); diff != "" {
			t.Error(diff)
		}
		if got := strings.Join(r.values(), " "); got != "2 3 1 4 5 6 7 8" {
			t.Errorf("sent %q", got)
		}
		low(t, r.Processor, 9)
	})
}

func TestFail(t *testing.T) {
	t.Parallel()
	bubble(t, "the body goes on", func(t *testing.T) {
		starts := 0
		r := start(t, &Definition{Body: func(ctx context.Context, s *Stream) error {
			starts++
			return each(func(s *Stream, e *Event) error {
				if e.Offset == 2 {
					if err := s.Fail(ctx, errors.New("bad")); err != nil {
						return err
					}
					if s.Current() != nil {
						t.Error("still in hand")
					}
				}
				return nil
			})(ctx, s)
		}})
		r.Deliver(records(1, 2, 3))
		synctest.Wait()
		low(t, r.Processor, 4)
		if starts != 1 || len(r.sent) != 1 || r.sent[0].Topic != "dead" {
			t.Errorf("%d starts, sent %v", starts, r.sent)
		}
	})
	bubble(t, "stop ends it", func(t *testing.T) {
		r := start(t, &Definition{Policy: Fixed(Stop), Body: each(func(s *Stream, _ *Event) error {
			if s.Fail(s.ctx, errors.New("bad")) == nil {
				t.Error("told to go on")
			}
			return errors.New("something else")
		})})
		r.Deliver(records(1))
		if err := <-r.done; err == nil || err.Error() != "agent orders: event in/2@1: bad" {
			t.Error(err)
		}
	})
	bubble(t, "retry gives it again", func(t *testing.T) {
		n := 0
		r := start(t, &Definition{Policy: RetryPolicy{Attempts: 2}, Body: each(func(s *Stream, _ *Event) error {
			if n++; n <= 2 {
				return s.Fail(s.ctx, errors.New("bad"))
			}
			return nil
		})})
		r.Deliver(records(1, 2))
		pass(3 * time.Second)
		low(t, r.Processor, 3)
		if n != 4 || len(r.failed) != 2 {
			t.Errorf("%d %v", n, r.failed)
		}
	})
}

func TestRecall(t *testing.T) {
	t.Parallel()
	bubble(t, "what is taken back is not sent", func(t *testing.T) {
		var last uint64
		r := start(t, &Definition{Body: each(func(_ *Stream, e *Event) error {
			if e.Recall(last) {
				t.Error("took back what was settled")
			}
			echo(e, "a")
			last = e.Hold(topic.Record{Topic: "out", Value: []byte("b")})
			echo(e, "c")
			if e.Offset == 2 && (!e.Recall(last) || e.Recall(last)) {
				t.Error("not taken back")
			}
			return nil
		})})
		r.Deliver(records(1, 2))
		synctest.Wait()
		if got := strings.Join(r.values(), " "); got != "a1 b c1 a2 c2" {
			t.Error(got)
		}
	})
}

func TestTryNext(t *testing.T) {
	t.Parallel()
	bubble(t, "never waits", func(t *testing.T) {
		var got []int64
		gate := make(chan struct{})
		r := start(t, &Definition{Body: func(_ context.Context, s *Stream) error {
			for range gate {
				e, err := s.TryNext()
				switch {
				case err != nil:
					got = append(got, -2)
					return nil
				case e == nil:
					got = append(got, -1)
				default:
					got = append(got, e.Offset)
				}
			}
			return nil
		}})
		step := func() { gate <- struct{}{}; synctest.Wait() }
		step()
		r.Deliver(records(4))
		r.Deliver(records(6))
		step()
		step()
		low(t, r.Processor, 5)
		step()
		low(t, r.Processor, 7)
		r.Drain()
		step()
		if !slices.Equal(got, []int64{-1, 4, 6, -1, -2}) {
			t.Error(got)
		}
		if err := <-r.done; err != nil {
			t.Error(err)
		}
	})
}

func TestManualAck(t *testing.T) {
	t.Parallel()
	bubble(t, "out of order", func(t *testing.T) {
		events := map[int64]*Event{}
		var stream *Stream
		r := start(t, &Definition{ManualAck: true, Body: each(func(s *Stream, e *Event) error {
			echo(e, "")
			stream, events[e.Offset] = s, e
			return nil
		})})
		r.Deliver(records(1, 2, 3, 4))
		synctest.Wait()
		if got := r.Progress(); got.Unsettled != 4 {
			t.Errorf("%+v", got)
		}
		for _, c := range []struct{ ack, low int64 }{{3, 1}, {1, 2}, {2, 4}, {4, 5}} {
			if !stream.Ack(events[c.ack]) || stream.Ack(events[c.ack]) {
				t.Error("ack of", c.ack)
			}
			low(t, r.Processor, c.low)
		}
		if got := strings.Join(r.values(), " "); got != "3 1 2 4" {
			t.Errorf("sent %q", got)
		}
		if got := r.Progress(); got.Unsettled != 0 {
			t.Errorf("%+v", got)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	bubble(t, "what was not acknowledged is given to the next start", func(t *testing.T) {
		var got []string
		failed := false
		r := start(t, &Definition{ManualAck: true, Policy: Fixed(Skip), Body: func(ctx context.Context, s *Stream) error {
			var mine []*Event
			return each(func(s *Stream, e *Event) error {
				mine = append(mine, e)
				echo(e, "")
				if e.Offset == 3 && !failed {
					failed = true
					s.Ack(mine[1])
					return errors.New("x")
				}
				if e.Offset == 5 {
					got = append(got, offsets(mine))
					for _, e := range mine {
						s.Ack(e)
					}
				}
				return nil
			})(ctx, s)
		}})
		r.Deliver(records(1, 2, 3, 4, 5))
		synctest.Wait()
		if diff := cmp.Diff([]string{"1 4 5"}, got); diff != "" {
			t.Error(diff)
		}
		if got := strings.Join(r.values(), " "); got != "2 1 4 5" {
			t.Errorf("sent %q", got)
		}
		low(t, r.Processor, 6)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	bubble(t, "leaving without ack is no ack", func(t *testing.T) {
		starts := 0
		r := start(t, &Definition{ManualAck: true, Body: func(ctx context.Context, s *Stream) error {
			starts++
			_, err := s.Next(ctx)
			return err
		}})
		r.Deliver(records(1, 2))
		pass(time.Minute)
		low(t, r.Processor, 1)
		if starts < 3 || starts > 10 {
			t.Errorf("%d starts", starts)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	bubble(t, "ack without manual mode does nothing", func(t *testing.T) {
		r := start(t, &Definition{Body: each(func(s *Stream, e *Event) error {
			if s.Ack(e) {
				t.Error("acknowledged")
			}
			return nil
		})})
		r.Deliver(records(1))
		synctest.Wait()
		low(t, r.Processor, 2)
	})
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	bubble(t, "keys stay in order and do not hold each other up", func(t *testing.T) {
		var mu sync.Mutex
		seen := map[string][]int64{}
		slow := ""
		gate := make(chan struct{})
		r := start(t, &Definition{Concurrency: 4, Body: each(func(_ *Stream, e *Event) error {
			mu.Lock()
			key := string(e.Key)
			if slow == "" {
				slow = key
			}
			wait := slow == key
			seen[key] = append(seen[key], e.Offset)
			mu.Unlock()
			if wait {
				<-gate
			}
			return nil
		})})
		var rs []topic.Record
		for i := range int64(400) {
			rs = append(rs, topic.Record{Topic: "in", Partition: 2, Offset: i, Key: fmt.Appendf(nil, "k%d", i%40)})
		}
		r.Deliver(rs)
		synctest.Wait()
		if got := r.Progress(); got.Unsettled != 1 || got.Queued < 9 || got.Queued > 300 || got.Low > 40 {
			t.Errorf("%+v", got)
		}
		close(gate)
		synctest.Wait()
		low(t, r.Processor, 400)
		for key, os := range seen {
			if len(os) != 10 || !slices.IsSorted(os) {
				t.Errorf("%s: %v", key, os)
			}
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	bubble(t, "records without key go round", func(t *testing.T) {
		gate := make(chan struct{})
		r := start(t, &Definition{Concurrency: 3, Body: each(func(*Stream, *Event) error { <-gate; return nil })})
		rs := records(1, 2, 3, 4)
		for i := range rs {
			rs[i].Key = nil
		}
		r.Deliver(rs)
		synctest.Wait()
		if got := r.Progress(); got.Unsettled != 3 {
			t.Errorf("%+v", got)
		}
		close(gate)
		synctest.Wait()
		low(t, r.Processor, 5)
	})
	bubble(t, "one that stops ends all", func(t *testing.T) {
		r := start(t, &Definition{Concurrency: 4, Policy: Fixed(Stop), Body: each(func(_ *Stream, e *Event) error {
			if e.Offset == 3 {
				return errors.New("x")
			}
			return nil
		})})
		r.Deliver(records(1, 2, 3, 4, 5, 6, 7, 8))
		if err := <-r.done; err == nil {
			t.Error("no error")
		}
		if got, _ := r.Committable(); got > 3 {
			t.Errorf("committable %d", got)
		}
	})
}

func TestChannel(t *testing.T) {
	t.Parallel()
	bubble(t, "queue", func(t *testing.T) {
		c := NewChannel("ch", 2)
		if !c.TryPut(topic.Record{Value: []byte("1")}) || c.Put(t.Context(), topic.Record{Value: []byte("2")}) != nil || c.TryPut(topic.Record{}) || c.Len() != 2 {
			t.Error("put")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Put(ctx, topic.Record{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if r, err := c.Get(t.Context()); err != nil || string(r.Value) != "1" || r.Topic != "ch" {
			t.Error(r, err)
		}
		if r, ok := c.TryGet(); !ok || string(r.Value) != "2" {
			t.Error(r)
		}
		if _, ok := c.TryGet(); ok {
			t.Error("empty")
		}
		if _, err := c.Get(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if NewChannel("x", 0).queue == nil || cap(NewChannel("x", 0).queue) != 1000 {
			t.Error("default size")
		}
	})
	bubble(t, "agents share it", func(t *testing.T) {
		c := NewChannel("ch", 100)
		gate := make(chan struct{})
		r := start(t, &Definition{Channel: c, Concurrency: 3, Body: each(func(_ *Stream, e *Event) error { echo(e, ""); <-gate; return nil })})
		for i := range 7 {
			c.TryPut(topic.Record{Value: fmt.Append(nil, i)})
		}
		synctest.Wait()
		if got := r.Progress(); got.Unsettled != 3 || got.Queued != 4 || got.Low != -1 {
			t.Errorf("%+v", got)
		}
		if _, ok := r.Committable(); ok {
			t.Error("a channel has no offsets")
		}
		close(gate)
		synctest.Wait()
		got := r.values()
		slices.Sort(got)
		if strings.Join(got, "") != "0123456" {
			t.Error(got)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	bubble(t, "take and retry", func(t *testing.T) {
		c := NewChannel("ch", 100)
		var got []int
		r := start(t, &Definition{Channel: c, Policy: RetryPolicy{Attempts: 1, Backoff: []time.Duration{1}}, Body: batches(3, time.Second, func(_ *Stream, es []*Event) error {
			if got = append(got, len(es)); len(got) == 1 {
				return errors.New("x")
			}
			return nil
		})})
		for range 4 {
			c.TryPut(topic.Record{})
		}
		pass(time.Minute)
		if !slices.Equal(got, []int{3, 3, 1}) {
			t.Error(got)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	if _, err := (&Stream{fatal: io.ErrClosedPipe}).TryNext(); err != io.ErrClosedPipe {
		t.Error(err)
	}
}

// TestHold: a held processor takes nothing from its channel and finishes what it has.
func TestHold(t *testing.T) {
	t.Parallel()
	bubble(t, "held and released", func(t *testing.T) {
		c := NewChannel("ch", 100)
		var works atomic.Bool
		r := start(t, &Definition{Channel: c, Concurrency: 2, Policy: RetryPolicy{Attempts: 3, Backoff: []time.Duration{time.Minute}}, Body: each(func(_ *Stream, e *Event) error {
			if !works.Load() {
				return errors.New("not yet")
			}
			echo(e, "")
			return nil
		})})
		c.TryPut(topic.Record{Value: []byte("1")})
		synctest.Wait()
		r.Hold(true)
		works.Store(true)
		c.TryPut(topic.Record{Value: []byte("2")})
		c.TryPut(topic.Record{Value: []byte("3")})
		pass(2 * time.Minute)
		if got := strings.Join(r.values(), ""); got != "1" || c.Len() != 2 {
			t.Errorf("got %s, %d wait", got, c.Len())
		}
		r.Hold(false)
		synctest.Wait()
		got := r.values()
		slices.Sort(got)
		if strings.Join(got, "") != "123" {
			t.Error(got)
		}
		r.Hold(true)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestTimed: one in so many events is timed, from the moment it is taken until it is settled.
func TestTimed(t *testing.T) {
	t.Parallel()
	timing := func(times *[]time.Duration, every *int64) func(*ProcessorConfig) {
		return func(c *ProcessorConfig) {
			c.Timed = func(d time.Duration, n int64) { *times = append(*times, d); *every = n }
		}
	}
	bubble(t, "events", func(t *testing.T) {
		var times []time.Duration
		var every int64
		r := start(t, &Definition{Body: each(func(_ *Stream, e *Event) error {
			pass(time.Duration(e.Offset) * time.Second)
			if e.Offset == 8 {
				return errors.New("is not timed")
			}
			return nil
		})}, timing(&times, &every))
		r.Sample(4)
		r.Deliver(records(1, 2, 3, 4, 5))
		pass(time.Hour)
		r.Deliver(records(6, 7, 8, 9, 10, 11, 12))
		pass(time.Hour)
		if diff := cmp.Diff([]time.Duration{4 * time.Second, 12 * time.Second}, times); diff != "" || every != 4 {
			t.Error(diff, every)
		}
		r.Sample(1)
		r.Deliver(records(13))
		pass(time.Hour)
		if len(times) != 3 || times[2] != 13*time.Second || every != 1 {
			t.Error(times, every)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	bubble(t, "batches, without the time they take to fill", func(t *testing.T) {
		var times []time.Duration
		var every int64
		r := start(t, &Definition{Body: batches(2, 0, func(*Stream, []*Event) error { pass(time.Second); return nil })}, timing(&times, &every))
		r.Sample(1)
		r.Deliver(records(1))
		pass(time.Hour)
		r.Deliver(records(2, 3))
		pass(time.Hour)
		if diff := cmp.Diff([]time.Duration{time.Second}, times); diff != "" {
			t.Error(diff)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}
