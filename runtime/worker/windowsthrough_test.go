package worker

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/store"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// TestWindowsThroughTopics counts messages that pass through a topic under another key. One source partition is far slower than the others, one brings nothing at all, and
// workers come and go: no message is late, every window has what counting by hand gives, and all of them close although nothing more comes.
func TestWindowsThroughTopics(t *testing.T) {
	games(t, 10, func(t *testing.T, w *world, seed uint64) {
		playThrough(t, w, rand.New(rand.NewPCG(seed, 8)), seed%2 == 1)
	})
}

// through declares an app that sends messages on by their values and counts them there. A message of partition 0 takes its time.
func through(spec *table.Windows, slow time.Duration) *counting {
	c, _ := counts(spec, "through", "mid")
	declare(c.app, 4, "in")
	d := reads(c.app, "split", "in", func(ctx context.Context, s *agent.Stream) error {
		for {
			ev, err := s.Next(ctx)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if ev.Partition == 0 {
				<-time.After(slow)
			}
			ev.Send(topic.Record{Topic: "mid", Partition: topic.Any, Key: append([]byte(nil), ev.Key...), Value: []byte("x"), Timestamp: ev.Timestamp, Headers: s.Stamp(nil)})
		}
	})
	passes(c.app, d, "mid", spec)
	c.app.Settings.TopicPartitions = 4
	return c
}

func playThrough(t *testing.T, w *world, rng *rand.Rand, exact bool) {
	w.ensure("in", 4)
	w.ensure("mid", 4)
	w.ensure("closed", 1)
	spec := drawWindows(rng)
	spec.Idle = 20 * time.Second
	disorder := spec.Grace.Milliseconds()
	t.Logf("%s, grace %s, expires %s", spec, spec.Grace, spec.Expires)
	begin := time.Now().Add(-time.Hour).UnixMilli()
	stores := []store.Store{store.NewMemory(), store.NewMemory()}
	defer stores[0].Close()
	defer stores[1].Close()
	slow := time.Duration(rng.IntN(100)) * time.Millisecond
	var all []message
	var tests []*counting
	at := map[int32]int64{}
	for round := range 3 {
		var workers []*running
		for i := range 1 + rng.IntN(2) {
			c := through(spec, slow)
			tests = append(tests, c)
			if exact {
				c.app.Settings.ProcessingGuarantee = app.ExactlyOnce
			}
			r := w.start(c.app, func(cfg *Config) { cfg.Store = stores[i] }).operational()
			defer r.stop()
			workers = append(workers, r)
		}
		var list []message
		for p := range int32(3) { // the times of a partition are in order but for what grace is for; nothing is in the last one
			for range 50 + rng.IntN(100) {
				at[p] += int64(rng.IntN(400))
				list = append(list, message{p, string(rune('a' + rng.IntN(9))), begin + at[p] - rng.Int64N(disorder+1)})
			}
		}
		w.post("in", list...)
		all = append(all, list...)
		if round == 2 {
			checkThrough(t, w, spec, all, tests)
			return
		}
		<-time.After(time.Duration(rng.IntN(5000)) * time.Millisecond)
		for _, r := range workers {
			if err := r.stop(); err != nil {
				t.Error(err)
			}
		}
	}
}

func checkThrough(t *testing.T, w *world, spec *table.Windows, all []message, tests []*counting) {
	want := map[string]int{}
	for _, m := range all {
		for start := range spec.Starts(m.at) {
			want[rowName(topic.Murmur2.Partition([]byte(m.key), 4), m.key, spec.At(start))]++
		}
	}
	got, times := w.closed(len(want))
	same(t, "values", got, want)
	for name, n := range times {
		if n != 1 {
			t.Errorf("%s closed %d times", name, n)
		}
	}
	for _, c := range tests {
		c.mu.Lock()
		if len(c.late) > 0 {
			t.Errorf("late: %v", c.late)
		}
		c.mu.Unlock()
	}
}

// A partition that the source gets while the app runs is waited for as the others are: what comes there while they are ahead is not late.
func TestWindowsThroughTopicsThatGrow(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 4)
		w.ensure("mid", 4)
		w.ensure("closed", 1)
		c := through(minutes(table.EventTime), 0)
		r := w.start(c.app).operational()
		defer r.stop()
		start := time.Now().Truncate(time.Minute).Add(-10 * time.Minute).UnixMilli()
		all := func(at int64) {
			for p := range int32(4) {
				w.post("in", message{p, "a", at})
			}
		}
		all(start)
		w.grow("in", 6)
		<-time.After(growthLook + 2*time.Second)
		all(start + 3*time.Minute.Milliseconds())
		<-time.After(10 * time.Second)
		fresh, err := broker.Open(t.Context(), w.cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer fresh.Close()
		fresh.Produce(t.Context(), &topic.Record{Topic: "in", Partition: 5, Key: []byte("a"), Value: []byte("x"), Timestamp: start + 1}, func(_ topic.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
		values, _ := w.closed(2)
		c.mu.Lock()
		defer c.mu.Unlock()
		if n := values[rowName(topic.Murmur2.Partition([]byte("a"), 4), "a", table.Window{Start: start})]; n != 5 || len(c.late) > 0 {
			t.Errorf("closed: %v, late: %v", values, c.late)
		}
	})
}
