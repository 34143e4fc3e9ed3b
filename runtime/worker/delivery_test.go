package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/topic"
)

// seen counts values.
type seen struct {
	mu sync.Mutex
	n  map[string]int
}

func (s *seen) add(v []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == nil {
		s.n = map[string]int{}
	}
	s.n[string(v)]++
}

func (s *seen) distinct() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.n)
}

func (s *seen) total() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.n {
		n += c
	}
	return n
}

func TestCrashLosesNothing(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		var done seen
		half := make(chan struct{})
		var once sync.Once
		build := func() *app.App {
			a := newApp("crash")
			declare(a, 2, "in")
			reads(a, "slow", "in", each(func(ctx context.Context, ev *agent.Event) error {
				done.add(ev.Value)
				if done.total() >= 100 {
					once.Do(func() { close(half) })
				}
				select {
				case <-time.After(50 * time.Millisecond):
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}))
			return a
		}
		w.ensure("in", 2)
		w.produce("in", 2, 0, 200)
		first := w.start(build()).operational()
		<-half
		first.crash()
		second := w.start(build()).operational()
		eventually(t, "all read", func() bool { return done.distinct() == 200 })
		if err := second.stop(); err != nil {
			t.Fatal(err)
		}
		// at most one commit interval of work is repeated: two partitions, 20 records a second each
		if again := done.total() - 200; again > 2*20+2 {
			t.Errorf("%d records were processed again", again)
		}
	})
}

func TestTwoWorkersShare(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		var done seen
		var mu sync.Mutex
		by := map[string]map[int32]bool{}
		var assigned, revoked []string
		build := func(name string) *app.App {
			a := newApp("share")
			declare(a, 4, "in")
			reads(a, "count", "in", each(func(ctx context.Context, ev *agent.Event) error {
				done.add(ev.Value)
				mu.Lock()
				defer mu.Unlock()
				if by[name] == nil {
					by[name] = map[int32]bool{}
				}
				by[name][ev.Partition] = true
				return nil
			}))
			note := func(list *[]string) func(context.Context, []topic.Partition) error {
				return func(_ context.Context, ps []topic.Partition) error {
					mu.Lock()
					defer mu.Unlock()
					for _, p := range ps {
						*list = append(*list, name+" "+p.String())
					}
					return nil
				}
			}
			a.Hooks.PartitionsAssigned = append(a.Hooks.PartitionsAssigned, note(&assigned))
			a.Hooks.PartitionsRevoked = append(a.Hooks.PartitionsRevoked, note(&revoked))
			return a
		}
		w.ensure("in", 4)
		one := w.start(build("one")).operational()
		w.produce("in", 4, 0, 100)
		eventually(t, "first hundred", func() bool { return done.distinct() == 100 })
		two := w.start(build("two")).operational()
		eventually(t, "partitions are shared", func() bool { return len(two.worker.current.Load().fetch.snapshot()) == 2 })
		w.produce("in", 4, 100, 100)
		eventually(t, "second hundred", func() bool { return done.distinct() == 200 })
		if err := one.stop(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the other has all", func() bool { return len(two.worker.current.Load().fetch.snapshot()) == 4 })
		w.produce("in", 4, 200, 100)
		eventually(t, "third hundred", func() bool { return done.distinct() == 300 })
		if err := two.stop(); err != nil {
			t.Fatal(err)
		}
		if n := done.total(); n != 300 {
			t.Errorf("%d records processed, nothing crashed", n)
		}
		if len(by["one"]) != 4 || len(by["two"]) != 4 {
			t.Errorf("partitions served: %v", by)
		}
		if len(assigned) != 4+2+2 || len(revoked) != 2+2+4 {
			t.Errorf("hooks heard of %d assigned and %d revoked: %v, %v", len(assigned), len(revoked), assigned, revoked)
		}
	})
}

func TestMoreWorkersThanPartitions(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		build := func() *app.App {
			a := newApp("idle")
			declare(a, 1, "in")
			reads(a, "count", "in", each(func(context.Context, *agent.Event) error { return nil }))
			return a
		}
		one := w.start(build()).operational()
		two := w.start(build()).operational() // with nothing to do
		if err := errors.Join(one.stop(), two.stop()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("policy")
		declare(a, 1, "in", "out")
		bad := errors.New("bad value")
		handle := func(_ context.Context, ev *agent.Event) error {
			ev.Send(topic.Record{Topic: "out", Partition: topic.Any, Key: []byte("from"), Value: ev.Value})
			if string(ev.Value) == "3" {
				return bad
			}
			return nil
		}
		reads(a, "dead", "in", each(handle))
		tries := 0
		retry := reads(a, "retry", "in", each(func(ctx context.Context, ev *agent.Event) error {
			if string(ev.Value) == "3" {
				tries++
			}
			return handle(ctx, ev)
		}))
		retry.Policy = agent.RetryPolicy{Attempts: 3, GiveUp: agent.Skip}
		w.ensure("in", 1)
		w.produce("in", 1, 0, 10)
		r := w.start(a).operational()
		dead := w.records("policy-dead-dead-letter", 1)
		eventually(t, "committed", func() bool { at, _ := w.committed("policy", topic.Partition{Topic: "in"}); return at == 10 })
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		d := dead[0]
		if offset, _ := d.Header(agent.HeaderOffset); string(d.Value) != "3" || string(d.Key) != "k3" || string(offset) != "3" {
			t.Errorf("dead letter %q %q, offset %q", d.Key, d.Value, offset)
		}
		if text, _ := d.Header(agent.HeaderError); string(text) != bad.Error() {
			t.Errorf("dead letter says %q", text)
		}
		if tries != 4 {
			t.Errorf("%d tries, expected one and three retries", tries)
		}
		out := w.records("out", 18)
		for _, r := range out {
			if string(r.Value) == "3" {
				t.Error("a failed event's send was stored")
			}
		}
	})
}

func TestStopPolicyEndsTheWorker(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("halt")
		declare(a, 1, "in")
		bad := errors.New("cannot go on")
		d := reads(a, "halt", "in", each(func(_ context.Context, ev *agent.Event) error {
			if string(ev.Value) == "5" {
				return bad
			}
			return nil
		}))
		d.Policy = agent.Fixed(agent.Stop)
		w.ensure("in", 1)
		w.produce("in", 1, 0, 10)
		r := w.start(a)
		if err := r.end(); !errors.Is(err, bad) {
			t.Fatalf("ended with %v", err)
		}
		if at, _ := w.committed("halt", topic.Partition{Topic: "in"}); at != 5 {
			t.Errorf("committed at %d", at)
		}
	})
}

func TestRefusedRecords(t *testing.T) {
	t.Parallel()
	inBoth(t, func(t *testing.T, w *world, promise func(*app.App) *app.App) {
		a := promise(newApp("refused"))
		declare(a, 1, "in", "out")
		big := bytes.Repeat([]byte("x"), 80<<10)
		reads(a, "grow", "in", each(func(_ context.Context, ev *agent.Event) error {
			value := ev.Value
			if string(value) == "4" {
				value = big
			}
			ev.Send(topic.Record{Topic: "out", Partition: 0, Value: value})
			return nil
		}))
		w.ensure("in", 1)
		w.produce("in", 1, 0, 10)
		r := w.start(a).operational()
		eventually(t, "committed", func() bool { at, _ := w.committed("refused", topic.Partition{Topic: "in"}); return at == 10 })
		dead := w.all("refused-grow-dead-letter")
		if out := w.all("out"); len(out) != 9 || len(dead) != 1 {
			t.Fatalf("%d and %d dead letters stored", len(out), len(dead))
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if offset, _ := dead[0].Header(agent.HeaderOffset); string(dead[0].Value) != "4" || string(offset) != "4" {
			t.Errorf("dead letter %q, offset %q", dead[0].Value, offset)
		}
	})
}

func TestDeadLetterThatIsRefusedKeepsItsPlace(t *testing.T) {
	t.Parallel()
	inBoth(t, func(t *testing.T, w *world, promise func(*app.App) *app.App) {
		a := promise(newApp("huge"))
		declare(a, 1, "in")
		reads(a, "fail", "in", each(func(context.Context, *agent.Event) error { return errors.New("no") }))
		w.ensure("in", 1)
		// with its headers the dead letter is above the limit that the record itself just keeps
		w.client.Produce(t.Context(), &topic.Record{Topic: "in", Partition: 0, Value: bytes.Repeat([]byte{'y'}, 64<<10+1024-100)}, func(_ topic.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
		r := w.start(a).operational()
		eventually(t, "committed", func() bool { at, _ := w.committed("huge", topic.Partition{Topic: "in"}); return at == 1 })
		dead := w.all("huge-fail-dead-letter")
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if offset, ok := dead[0].Header(agent.HeaderOffset); !ok || string(offset) != "0" || dead[0].Value != nil {
			t.Errorf("dead letter of %d bytes, offset %q", len(dead[0].Value), offset)
		}
	})
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("breaker")
		a.Settings.MaxFailures = 5
		declare(a, 1, "in")
		var good seen
		reads(a, "typo", "in", each(func(context.Context, *agent.Event) error { return errors.New("typo") }))
		reads(a, "good", "in", each(func(_ context.Context, ev *agent.Event) error { good.add(ev.Value); return nil }))
		w.ensure("in", 1)
		w.produce("in", 1, 0, 50)
		r := w.start(a).operational()
		run := r.worker.current.Load()
		eventually(t, "partition breaks", func() bool { return len(run.report.reasons()) == 1 })
		w.produce("in", 1, 50, 50)
		eventually(t, "the other agent goes on", func() bool { return good.distinct() == 100 })
		if reason := run.report.reasons()[0]; !strings.Contains(reason, "agent typo, in/0") || !strings.Contains(reason, "typo") {
			t.Errorf("reason %q", reason)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if at, _ := w.committed("breaker", topic.Partition{Topic: "in"}); at != 5 {
			t.Errorf("committed at %d", at)
		}
	})
}

func TestSlowPartitionDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("slow")
		declare(a, 2, "in")
		release := make(chan struct{})
		var fast seen
		var last [2]int64
		reads(a, "mixed", "in", each(func(ctx context.Context, ev *agent.Event) error {
			if ev.Offset != last[ev.Partition] {
				t.Errorf("partition %d: %d, expected %d", ev.Partition, ev.Offset, last[ev.Partition])
			}
			last[ev.Partition]++
			if ev.Partition == 0 {
				select {
				case <-release:
				case <-ctx.Done():
				}
				return nil
			}
			fast.add(ev.Key)
			return nil
		}))
		w.ensure("in", 2)
		value := make([]byte, 32<<10) // that compression does not make smaller
		noise := rand.NewChaCha8([32]byte{})
		_, _ = noise.Read(value)
		const n = 1000 // 32 MiB in each partition
		for i := range 2 * n {
			w.client.Produce(t.Context(), &topic.Record{Topic: "in", Partition: int32(i % 2), Key: fmt.Append(nil, i), Value: value}, nil)
		}
		if err := w.client.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := w.start(a).operational()
		eventually(t, "the fast partition is read", func() bool { return fast.distinct() == n })
		run := r.worker.current.Load()
		for _, l := range run.fetch.snapshot() {
			if q := l.queued(); q > maxUnread+8<<20 {
				t.Errorf("%s: %d bytes queued", l.partition, q)
			}
			if paused := l.paused.Load(); paused != (l.partition.ID == 0) {
				t.Errorf("%s: paused %t", l.partition, paused)
			}
		}
		close(release)
		eventually(t, "all is committed", func() bool { at, _ := w.committed("slow", topic.Partition{Topic: "in", ID: 0}); return at == n })
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestSendBufferBlocksTheAgent(t *testing.T) {
	t.Parallel()
	g := gauge{maxRecords: 2, maxBytes: 100}
	ctx := t.Context()
	for range 2 {
		if err := g.take(ctx, 10); err != nil {
			t.Fatal(err)
		}
	}
	short, cancel := context.WithCancelCause(ctx)
	cancel(errGrace)
	if err := g.take(short, 10); !errors.Is(err, errGrace) {
		t.Fatalf("a third record fits: %v", err)
	}
	taken := make(chan error)
	go func() { taken <- g.take(ctx, 500) }()
	g.give(10)
	g.give(10)
	if err := <-taken; err != nil {
		t.Fatal(err)
	}
	if records, n := g.level(); records != 1 || n != 500 {
		t.Errorf("%d records, %d bytes", records, n)
	}
}

func TestRevokeWaitsAndCommits(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		var done seen
		build := func() *app.App {
			a := newApp("handover")
			declare(a, 2, "in")
			reads(a, "slow", "in", each(func(_ context.Context, ev *agent.Event) error {
				<-time.After(3 * time.Second)
				done.add(ev.Value)
				return nil
			}))
			return a
		}
		w.ensure("in", 2)
		w.produce("in", 2, 0, 40)
		one := w.start(build()).operational()
		eventually(t, "it works", func() bool { return done.total() >= 2 })
		two := w.start(build()).operational()
		eventually(t, "all done", func() bool { return done.distinct() == 40 })
		if err := errors.Join(one.stop(), two.stop()); err != nil {
			t.Fatal(err)
		}
		if n := done.total(); n != 40 {
			t.Errorf("%d events for 40 records: the event in hand was not waited for", n)
		}
	})
}

func TestLostPartitionsAreNotCommitted(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("lost")
		declare(a, 1, "in")
		begun, release := make(chan struct{}, 10), make(chan struct{})
		reads(a, "slow", "in", each(func(_ context.Context, ev *agent.Event) error {
			begun <- struct{}{}
			<-release // does not hear of the cancellation
			return nil
		}))
		w.ensure("in", 1)
		w.produce("in", 1, 0, 1)
		r := w.start(a).operational()
		<-begun
		run := r.worker.current.Load()
		lanes := run.fetch.snapshot()
		// the group forgets the member: its next heartbeat is refused and kgo tells that all is lost
		member, _ := run.group.Load().Member()
		if err := w.client.Leave(t.Context(), "lost", member); err != nil {
			t.Fatal(err)
		}
		eventually(t, "lost", func() bool { return lanes[0].gone.Load() })
		if cause := lanes[0].ctx.Err(); cause == nil {
			eventually(t, "cancelled", func() bool { return lanes[0].ctx.Err() != nil })
		}
		close(release)
		if err := run.store(t.Context(), map[*lane]broker.Position{lanes[0]: {Offset: 1}}); err != nil {
			t.Fatal(err)
		}
		if lanes[0].committed.Load() > 0 {
			t.Error("an offset of a lost partition was committed")
		}
		eventually(t, "assigned again", func() bool {
			now := run.fetch.snapshot()
			return len(now) == 1 && now[0] != lanes[0]
		})
		<-begun // the record is read again by the new generation
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if at, _ := w.committed("lost", topic.Partition{Topic: "in"}); at != 1 {
			t.Errorf("committed at %d", at)
		}
	})
}

func TestDifferences(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 2)
		a := newApp("differs")
		declare(a, 3, "in")
		reads(a, "count", "in", each(func(context.Context, *agent.Event) error { return nil }))
		err := w.start(a).end()
		var wrong *TopicError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "topic in has partitions 2, declared is 3") || !strings.Contains(err.Error(), "partitions = 2") {
			t.Errorf("partitions differ: %v", err)
		}
		b := newApp("warns")
		declare(b, 2, "in")
		b.Topics[0].Retention = time.Hour
		reads(b, "count", "in", each(func(context.Context, *agent.Event) error { return nil }))
		r := w.start(b).operational()
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(r.log.String(), "topic differs from its declaration"); n != 1 {
			t.Errorf("%d warnings\n%s", n, r.log)
		}
	})
}

// A dead letter has its message's time, which may be older than the retention of any topic.
func TestDeadLettersOutliveRetention(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		cleaned := make(chan error, 1)
		go func() { cleaned <- w.server.Run(ctx) }()
		w.cfg.Embedded = true // every topic is created with a retention
		a := newApp("old")
		declare(a, 1, "in")
		a.Topics[0].Retention = -1
		reads(a, "fail", "in", each(func(context.Context, *agent.Event) error { return errors.New("bad") }))
		r := w.start(a).operational()
		w.client.Produce(t.Context(), &topic.Record{Topic: "in", Value: []byte("v"), Timestamp: time.Now().Add(-30 * 24 * time.Hour).UnixMilli()}, nil)
		eventually(t, "the letter is there", func() bool { return w.length("old-fail-dead-letter") == 1 })
		<-time.After(time.Hour)
		if n := w.kept("old-fail-dead-letter"); n != 1 {
			t.Errorf("%d dead letters after an hour", n)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-cleaned; err != nil {
			t.Error(err)
		}
	})
}

// A topic that somebody made before, with another retention, is said with what mends it.
func TestRetentionOfDeadLettersDiffers(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		hour := topic.Topic{Name: "short-fail-dead-letter", Partitions: 1, Retention: time.Hour}
		if _, err := w.client.Ensure(t.Context(), []topic.Topic{hour}, topic.Topic{}); err != nil {
			t.Fatal(err)
		}
		a := newApp("short")
		declare(a, 1, "in")
		reads(a, "fail", "in", each(func(context.Context, *agent.Event) error { return nil }))
		r := w.start(a).operational()
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"topic=short-fail-dead-letter property=retention.ms declared=-1 actual=3600000", "--entity-name short-fail-dead-letter --add-config retention.ms=-1"} {
			if !strings.Contains(r.log.String(), part) {
				t.Errorf("not said: %s\n%s", part, r.log)
			}
		}
	})
}

// What was committed is beyond the end of the topic, which a broker has lost a part of: reading starts by the policy, and leaves out nothing.
func TestCommittedBeyondTheEnd(t *testing.T) {
	t.Parallel()
	inBoth(t, func(t *testing.T, w *world, promise func(*app.App) *app.App) {
		w.ensure("in", 1)
		w.produce("in", 1, 0, 30)
		if err := w.admin.CommitAllOffsets(t.Context(), "beyond", kadm.OffsetsFromRecords(kgo.Record{Topic: "in", Offset: 499})); err != nil {
			t.Fatal(err)
		}
		var done seen
		a := promise(newApp("beyond"))
		declare(a, 1, "in")
		reads(a, "all", "in", each(func(_ context.Context, ev *agent.Event) error {
			done.add(ev.Value)
			return nil
		}))
		r := w.start(a).operational()
		eventually(t, "all are read", func() bool { return done.total() == 30 })
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if at, _ := w.committed("beyond", topic.Partition{Topic: "in"}); at != 30 {
			t.Errorf("%d are committed", at)
		}
	})
}

// Two agents read a topic, one of which is broken or paused for long: the other one does nothing again when the partition comes to the next worker, which has the slow one
// go on where it was. With nothing new to read either.
func TestAgentsAtTheirOwnPace(t *testing.T) {
	t.Parallel()
	for _, concurrency := range []int{1, 4} {
		inBoth(t, func(t *testing.T, w *world, promise func(*app.App) *app.App) {
			var slow, quick seen
			broken := true
			build := func() *app.App {
				a := promise(newApp("pace"))
				a.Settings.MaxFailures = 5
				declare(a, 1, "in")
				for _, d := range []*agent.Definition{reads(a, "slow", "in", each(func(_ context.Context, ev *agent.Event) error {
					if broken && ev.Offset >= 10 {
						return errors.New("not yet")
					}
					slow.add(ev.Value)
					return nil
				})), reads(a, "quick", "in", each(func(_ context.Context, ev *agent.Event) error { quick.add(ev.Value); return nil }))} {
					d.Concurrency = concurrency
				}
				return a
			}
			w.ensure("in", 1)
			w.produce("in", 1, 0, 100)
			for range 2 { // the second one has nothing to do for the quick agent, and the slow one goes on being broken
				r := w.start(build()).operational()
				run := r.worker.current.Load()
				eventually(t, "partition breaks", func() bool { return len(run.report.reasons()) == 1 })
				eventually(t, "the other agent goes on", func() bool { return quick.distinct() == 100 })
				if err := r.stop(); err != nil {
					t.Fatal(err)
				}
			}
			broken = false
			r := w.start(build()).operational()
			eventually(t, "the slow agent goes on", func() bool { return slow.distinct()+w.length("pace-slow-dead-letter") >= 100 })
			eventually(t, "what it did is committed", func() bool {
				at, _ := w.committed("pace", topic.Partition{Topic: "in"})
				return at == 100
			})
			w.produce("in", 1, 100, 50)
			eventually(t, "both go on", func() bool {
				return quick.distinct() == 150 && slow.distinct()+w.length("pace-slow-dead-letter") >= 150
			})
			r.crash()
			again := w.start(build()).operational()
			w.produce("in", 1, 150, 1)
			eventually(t, "both go on after a crash", func() bool { return quick.distinct() == 151 })
			if err := again.stop(); err != nil {
				t.Fatal(err)
			}
			if n := quick.total(); n > 151+50 {
				t.Errorf("the quick agent did %d things for 151 records, of which a crash may repeat 50", n)
			}
			if again := slow.total() - slow.distinct(); again > 50+2*10 { // what is settled before older ones is not remembered under at-least-once
				t.Errorf("the slow agent did %d things again", again)
			}
		})
	}
}
