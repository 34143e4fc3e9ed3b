package agent

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"faust/runtime/topic"
)

func headerTexts(r *topic.Record) string {
	var out []string
	for _, h := range r.Headers {
		out = append(out, h.Key+"="+string(h.Value))
	}
	return strings.Join(out, " ")
}

// stored is what a reader of the dead letters gets of one.
func stored(r topic.Record, offset int64) topic.Record {
	r.Partition, r.Offset = 1, offset
	return r
}

// A message goes to the dead letters, back, fails again, and so on: it stays the same, and the count goes up.
func TestLetterThereAndBack(t *testing.T) {
	t.Parallel()
	d := &Definition{Name: "orders", DeadLetter: topic.Topic{Name: "dead"}}
	r := topic.Record{Topic: "in", Partition: 2, Offset: 41, Key: []byte("k"), Value: []byte("v"), Timestamp: 77, Headers: []topic.Header{
		{Key: "a", Value: []byte("1")}, {Key: HeaderAgent, Value: []byte("orders")}, {Key: HeaderReplyTo, Value: []byte("replies")},
		{Key: HeaderCorrelation, Value: []byte("7")}, {Key: "a", Value: []byte("2")}}}
	for round := range 3 {
		dead := stored(deadLetter(d, &r, errors.New("no way"), 3), int64(round))
		l, ok := ReadLetter(&dead)
		if !ok || l.Agent != "orders" || l.Error != "no way" || l.Traceback != "no way" || l.Version != 3 || l.Replays != round || l.Short {
			t.Fatalf("round %d: %+v", round, l)
		}
		if l.Record.Topic != "in" || l.Record.Partition != 2 || l.Record.Offset != r.Offset || string(l.Record.Value) != "v" {
			t.Errorf("round %d: the message is %+v", round, l.Record)
		}
		r = l.Replay("shop", &l.Record)
		want := topic.Record{Topic: "in", Partition: 2, Key: []byte("k"), Value: []byte("v"), Timestamp: 77, Headers: []topic.Header{
			{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte("2")}, {Key: HeaderReplay, Value: []byte("orders")},
			{Key: HeaderReplayApp, Value: []byte("shop")}, {Key: HeaderReplays, Value: fmt.Append(nil, round+1)}}}
		if diff := cmp.Diff(want, r); diff != "" {
			t.Errorf("round %d: %s", round, diff)
		}
		r.Offset = int64(100 + round)
	}
}

// An agent that reads dead letters fails on one: what it makes of it is a dead letter of its own, and what goes back is the letter as it was.
func TestLetterOfLetter(t *testing.T) {
	t.Parallel()
	first := &Definition{Name: "orders", DeadLetter: topic.Topic{Name: "orders-dead"}}
	second := &Definition{Name: "undertaker", DeadLetter: topic.Topic{Name: "undertaker-dead"}}
	r := topic.Record{Topic: "in", Partition: 2, Offset: 41, Value: []byte("v"), Headers: []topic.Header{{Key: HeaderReplay, Value: []byte("orders")}, {Key: HeaderReplays, Value: []byte("1")}}}
	inner := stored(deadLetter(first, &r, errors.New("one"), 1), 5)
	outer := stored(deadLetter(second, &inner, errors.New("two"), 1), 6)
	l, ok := ReadLetter(&outer)
	if !ok || l.Agent != "undertaker" || l.Error != "two" || l.Replays != 0 || l.Record.Topic != "orders-dead" || l.Record.Partition != 1 || l.Record.Offset != 5 {
		t.Fatalf("%+v", l)
	}
	back := l.Replay("shop", &l.Record)
	if got, want := headerTexts(&back), headerTexts(&inner)+" faust-replay=undertaker faust-replay-app=shop faust-replays=1"; got != want {
		t.Errorf("\n got  %s\n want %s", got, want)
	}
	if _, ok := ReadLetter(&back); ok {
		t.Error("a letter that was sent back to its reader counts as a new one")
	}
	if again, ok := ReadLetter(&inner); !ok || again.Replays != 1 || again.Error != "one" || len(again.Record.Headers) != 0 {
		t.Errorf("%+v", again)
	}
}

func TestNoLetter(t *testing.T) {
	t.Parallel()
	d := &Definition{Name: "orders", DeadLetter: topic.Topic{Name: "dead"}}
	whole := deadLetter(d, &topic.Record{Topic: "in", Headers: []topic.Header{{Key: "a"}}}, errors.New("x"), 1)
	for _, missing := range []string{HeaderAgent, HeaderTopic, HeaderPartition, HeaderOffset} {
		r := whole
		r.Headers = slices.DeleteFunc(slices.Clone(whole.Headers), func(h topic.Header) bool { return h.Key == missing })
		if l, ok := ReadLetter(&r); ok {
			t.Errorf("without %s: %+v", missing, l)
		}
	}
	if _, ok := ReadLetter(&topic.Record{Value: []byte("x")}); ok {
		t.Error("a message without headers")
	}
	short := whole
	short.Headers = slices.DeleteFunc(slices.Clone(whole.Headers), func(h topic.Header) bool { return h.Key == HeaderTraceback || h.Key == "a" })
	if l, ok := ReadLetter(&short); !ok || !l.Short || l.Error != "x" {
		t.Errorf("without the message: %+v", l)
	}
}

// sentBack makes records of which some are sent back: "1 2>other 3>orders 4>orders/shop 5>orders/else".
func sentBack(list string) (rs []topic.Record) {
	for _, f := range strings.Fields(list) {
		var offset int64
		fmt.Sscanf(f, "%d", &offset)
		r := records(offset)[0]
		if _, to, ok := strings.Cut(f, ">"); ok {
			name, group, named := strings.Cut(to, "/")
			r.Headers = []topic.Header{{Key: "mine", Value: []byte("x")}, {Key: HeaderReplay, Value: []byte(name)}}
			if named {
				r.Headers = append(r.Headers, topic.Header{Key: HeaderReplayApp, Value: []byte(group)})
			}
		}
		rs = append(rs, r)
	}
	return rs
}

func TestPassesOver(t *testing.T) {
	t.Parallel()
	shop := func(c *ProcessorConfig) { c.Group = "shop" }
	for _, c := range []struct {
		name, list, want string
		low              int64
		d                Definition
	}{
		{name: "what is for others", list: "1 2>other 3>orders 4>orders/shop 5>orders/else 6", want: "1 3 4 6", low: 7},
		{name: "at the beginning", list: "1>other 2>other 3", want: "3", low: 4},
		{name: "at the end", list: "1 2>other 3>other", want: "1", low: 4},
		{name: "nothing else", list: "1>other 2>orders/else", want: "", low: 3},
		{name: "spread over actors", list: "1 2>other 3>orders 4>other 5 6>other", want: "1 3 5", low: 7, d: Definition{Concurrency: 3}},
		{name: "acknowledged by hand", list: "1 2>other 3 4>other", want: "1 3", low: 5, d: Definition{ManualAck: true}},
	} {
		bubble(t, c.name, func(t *testing.T) {
			var got []int64
			in := make(chan int64, 100)
			d := c.d
			d.Body = each(func(s *Stream, e *Event) error { in <- e.Offset; s.Ack(e); return nil })
			r := start(t, &d, shop)
			for _, rec := range sentBack(c.list) { // one at a time, and once more all together
				r.Deliver([]topic.Record{rec})
				synctest.Wait()
			}
			low(t, r.Processor, c.low)
			passed := len(strings.Fields(c.list)) - len(strings.Fields(c.want))
			if p := r.Progress(); p.Queued != 0 || p.Unsettled > 1 || p.Passed != int64(passed) {
				t.Errorf("%+v, and %d were for others", p, passed)
			}
			if err := r.stop(); err != nil {
				t.Error(err)
			}
			close(in)
			for o := range in {
				got = append(got, o)
			}
			slices.Sort(got)
			if text := strings.Trim(fmt.Sprint(got), "[]"); text != c.want {
				t.Errorf("the body got %s, not %s", text, c.want)
			}
			again := make(chan int64, 100)
			d = c.d
			d.Body = each(func(s *Stream, e *Event) error { again <- e.Offset; s.Ack(e); return nil })
			r = start(t, &d, shop)
			r.Deliver(sentBack(c.list))
			synctest.Wait()
			low(t, r.Processor, c.low)
			if err := r.stop(); err != nil || len(again) != len(got) {
				t.Errorf("all at once: %d, %v", len(again), err)
			}
		})
	}
	bubble(t, "batches are filled with the others", func(t *testing.T) {
		var got []string
		r := start(t, &Definition{Body: batches(2, time.Minute, func(_ *Stream, es []*Event) error { got = append(got, offsets(es)); return nil })}, shop)
		r.Deliver(sentBack("1 2>other 3 4>other 5"))
		synctest.Wait()
		low(t, r.Processor, 5) // 4 is done as soon as it is met
		pass(time.Minute)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if strings.Join(got, ", ") != "1 3, 5" {
			t.Errorf("%q", got)
		}
		low(t, r.Processor, 6)
	})
	bubble(t, "a retry goes on with the same message", func(t *testing.T) {
		var got []string
		n := 0
		d := &Definition{Policy: RetryPolicy{Attempts: 2, Backoff: []time.Duration{time.Second}}, Body: each(func(_ *Stream, e *Event) error {
			got = append(got, fmt.Sprint(e.Offset))
			if n++; n < 3 {
				return errors.New("x")
			}
			return nil
		})}
		r := start(t, d, shop)
		r.Deliver(sentBack("1>other 2>orders/shop 3>other 4"))
		pass(time.Minute)
		if err := r.stop(); err != nil || strings.Join(got, " ") != "2 2 2 4" {
			t.Errorf("%q, %v", got, err)
		}
		low(t, r.Processor, 5)
	})
}
