package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/control"
	"faust/runtime/topic"
)

// alone runs a worker of an app that needs no broker.
func alone(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, &world{t: t}) })
}

// noBroker fails the test when the broker is asked for.
func noBroker(t *testing.T) func(*Config) {
	return func(c *Config) {
		c.Broker = func(context.Context) (broker.Config, error) {
			t.Error("a broker was asked for")
			return broker.Config{}, errors.New("none")
		}
	}
}

// every is a Schedule at whole multiples.
type every time.Duration

func (e every) Next(t time.Time) time.Time {
	return t.Truncate(time.Duration(e)).Add(time.Duration(e))
}

// ticks notes when something ran.
type ticks struct {
	mu    sync.Mutex
	start time.Time
	at    []time.Duration
}

func (k *ticks) note() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.at = append(k.at, time.Since(k.start))
}

func (k *ticks) list() []time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.at)
}

func TestNoTopicsNoBroker(t *testing.T) {
	t.Parallel()
	alone(t, func(t *testing.T, w *world) {
		a := newApp("hello")
		a.Settings.Datadir = t.TempDir()
		ran := make(chan struct{})
		a.Tasks = append(a.Tasks, &app.Task{Name: "hello", Run: func(context.Context) error { close(ran); return nil }})
		var info Info
		r := w.start(a, noBroker(t), func(c *Config) { c.Events.Started = func(i Info) { info = i } })
		<-ran
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if info.Transport != "none (no topics)" {
			t.Errorf("transport %q", info.Transport)
		}
	})
}

func TestTimersKeepTheirPhase(t *testing.T) {
	t.Parallel()
	alone(t, func(t *testing.T, w *world) {
		a := newApp("timers")
		quick, slow := ticks{start: time.Now()}, ticks{start: time.Now()}
		a.Timers = append(a.Timers,
			&app.Timer{Name: "quick", Every: 10 * time.Second, Run: func(context.Context) error {
				quick.note()
				<-time.After(300 * time.Millisecond)
				return nil
			}},
			&app.Timer{Name: "slow", Every: 10 * time.Second, Run: func(context.Context) error {
				slow.note()
				<-time.After(25 * time.Second)
				return nil
			}})
		r := w.start(a, noBroker(t)).operational()
		<-time.After(94 * time.Second)
		want := []time.Duration{10, 20, 30, 40, 50, 60, 70, 80, 90}
		for i := range want {
			want[i] *= time.Second
		}
		if got := quick.list(); !slices.Equal(got, want) {
			t.Errorf("ticks at %v", got)
		}
		if got := slow.list(); !slices.Equal(got, []time.Duration{10 * time.Second, 40 * time.Second, 70 * time.Second}) {
			t.Errorf("slow ticks at %v", got)
		}
		if n := strings.Count(r.log.String(), "timer takes longer than its interval"); n != 2 {
			t.Errorf("%d overruns reported, expected 2\n%s", n, r.log)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCrontab(t *testing.T) {
	t.Parallel()
	alone(t, func(t *testing.T, w *world) {
		zone := time.FixedZone("half", 1800)
		a := newApp("cron")
		var at []time.Time
		a.Timers = append(a.Timers, &app.Timer{Name: "hourly", Spec: "0 * * * *", Zone: zone, Schedule: zoned{zone}, Run: func(ctx context.Context) error {
			at = append(at, time.Now().UTC())
			select {
			case <-time.After(90 * time.Minute): // skips one
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			return errors.New("reported, not fatal")
		}})
		r := w.start(a, noBroker(t)).operational()
		<-time.After(5 * time.Hour)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range at {
			got = append(got, x.Format("15:04"))
		}
		if !slices.Equal(got, []string{"00:30", "02:30", "04:30"}) {
			t.Errorf("ran at %v", got)
		}
		if n := strings.Count(r.log.String(), "reported, not fatal"); n != 2 {
			t.Errorf("%d failures reported\n%s", n, r.log)
		}
	})
}

// zoned is a Schedule at the full hours of a zone; it insists on being asked in it.
type zoned struct{ zone *time.Location }

func (z zoned) Next(t time.Time) time.Time {
	if t.Location() != z.zone {
		panic("asked in another zone")
	}
	y, m, d := t.Date()
	return time.Date(y, m, d, t.Hour()+1, 0, 0, 0, z.zone)
}

func TestFailingTaskDoesNotEndTheWorker(t *testing.T) {
	t.Parallel()
	alone(t, func(t *testing.T, w *world) {
		a := newApp("fails")
		a.Tasks = append(a.Tasks, &app.Task{Name: "broken", Run: func(context.Context) error { return errors.New("nil value") }})
		r := w.start(a, noBroker(t)).operational()
		synctest.Wait()
		if !strings.Contains(r.log.String(), `msg="task failed" task=broken err="nil value"`) {
			t.Errorf("not reported\n%s", r.log)
		}
		select {
		case <-r.done:
			t.Error("the worker ended")
		default:
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAppStop(t *testing.T) {
	t.Parallel()
	alone(t, func(t *testing.T, w *world) {
		a := newApp("exit")
		a.Tasks = append(a.Tasks, &app.Task{Name: "stop", Run: func(context.Context) error { a.Runtime().Stop(7); return nil }})
		var exit *app.Exit
		if err := w.start(a, noBroker(t)).end(); !errors.As(err, &exit) || exit.Code != 7 {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestStopCancelsTasks(t *testing.T) {
	t.Parallel()
	alone(t, func(t *testing.T, w *world) {
		a := newApp("tasks")
		causes := make(chan error, 2)
		forever := func(ctx context.Context) { <-ctx.Done(); causes <- context.Cause(ctx) }
		a.Tasks = append(a.Tasks, &app.Task{Name: "forever", Run: func(ctx context.Context) error {
			a.Runtime().Go(ctx, "spawned", forever)
			forever(ctx)
			return context.Cause(ctx)
		}})
		r := w.start(a, noBroker(t)).operational()
		synctest.Wait()
		begun := time.Now()
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if time.Since(begun) > time.Second {
			t.Errorf("took %s", time.Since(begun))
		}
		for range 2 {
			if err := <-causes; !errors.Is(err, errStopping) {
				t.Errorf("cause %v", err)
			}
		}
		if strings.Contains(r.log.String(), " failed\"") {
			t.Errorf("a task that was cancelled did not fail\n%s", r.log)
		}
	})
}

func TestStopHasABudget(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("budget")
		declare(a, 2, "in")
		var cause error
		begun := make(chan struct{}, 2)
		reads(a, "import", "in", each(func(ctx context.Context, ev *agent.Event) error {
			begun <- struct{}{}
			if ev.Partition == 0 {
				<-time.After(4 * time.Second) // finishes
				return nil
			}
			<-ctx.Done()
			cause = context.Cause(ctx)
			return cause
		}))
		w.ensure("in", 2)
		w.produce("in", 2, 0, 2)
		r := w.start(a).operational()
		<-begun
		<-begun
		at := time.Now()
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(at); took < 14*time.Second || took > 21*time.Second {
			t.Errorf("took %s", took)
		}
		if !errors.Is(cause, errGrace) {
			t.Errorf("cause %v", cause)
		}
		first := <-r.waiting
		if len(first) != 2 || !strings.Contains(first[0]+first[1], "agent import, in/1 (") {
			t.Errorf("waiting for %v", first)
		}
		second := <-r.waiting
		if len(second) != 1 || !strings.HasPrefix(second[0], "agent import, in/1 (") {
			t.Errorf("then waiting for %v", second)
		}
		for p, want := range []int64{1, -1} {
			if got, _ := w.committed("budget", topic.Partition{Topic: "in", ID: int32(p)}); got != want {
				t.Errorf("partition %d committed at %d, expected %d", p, got, want)
			}
		}
	})
}

func TestStopNamesWhatHangs(t *testing.T) {
	t.Parallel()
	alone(t, func(t *testing.T, w *world) {
		a := newApp("hangs")
		a.Settings.Grace = 3 * time.Second
		release := make(chan struct{})
		a.Tasks = append(a.Tasks, &app.Task{Name: "deaf", Run: func(context.Context) error { <-release; return nil }})
		r := w.start(a, noBroker(t)).operational()
		err := r.stop()
		if err == nil || !strings.Contains(err.Error(), "task deaf") {
			t.Errorf("ended with %v", err)
		}
		close(release)
	})
}

func TestStopNamesAnAgentThatHangs(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("deaf")
		a.Settings.Grace = 3 * time.Second
		declare(a, 1, "in")
		begun, release := make(chan struct{}, 1), make(chan struct{})
		reads(a, "import", "in", each(func(context.Context, *agent.Event) error {
			begun <- struct{}{}
			<-release
			return nil
		}))
		w.ensure("in", 1)
		w.produce("in", 1, 0, 1)
		r := w.start(a).operational()
		<-begun
		err := r.stop()
		if err == nil || !strings.Contains(err.Error(), "agent import, in/0") {
			t.Errorf("ended with %v", err)
		}
		close(release)
	})
}

func TestLeaderFailsOver(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		start := time.Now()
		var mu sync.Mutex
		leads := map[string]int{} // running leader tasks
		gains := map[string]int{}
		timers, crons := map[string][]time.Duration{}, map[string][]time.Duration{}
		build := func(name string) *app.App {
			a := newApp("lead")
			declare(a, 2, "in")
			reads(a, "count", "in", each(func(context.Context, *agent.Event) error { return nil }))
			note := func(m map[string][]time.Duration) func(context.Context) error {
				return func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					m[name] = append(m[name], time.Since(start))
					return nil
				}
			}
			a.Tasks = append(a.Tasks, &app.Task{Name: "boss", OnLeader: true, Run: func(ctx context.Context) error {
				mu.Lock()
				leads[name]++
				gains[name]++
				if len(leads) > 1 && leads["one"] > 0 && leads["two"] > 0 {
					t.Error("two workers lead")
				}
				mu.Unlock()
				<-ctx.Done()
				mu.Lock()
				leads[name]--
				mu.Unlock()
				return context.Cause(ctx)
			}})
			a.Timers = append(a.Timers,
				&app.Timer{Name: "timer", Every: time.Minute, OnLeader: true, Run: note(timers)},
				&app.Timer{Name: "cron", Schedule: every(time.Hour), Spec: "0 * * * *", OnLeader: true, Run: note(crons)})
			return a
		}
		one := w.start(build("one")).operational()
		leading := func(r *running) func() bool {
			return func() bool {
				mu.Lock()
				defer mu.Unlock()
				run := r.worker.current.Load()
				return run.leader.leads() && leads["one"]+leads["two"] == 1
			}
		}
		eventually(t, "one leads", leading(one))
		two := w.start(build("two")).operational()
		<-time.After(150 * time.Minute)
		a, b := one, two
		name, other := "one", "two"
		if two.worker.current.Load().leader.leads() { // the group may have moved it
			a, b, name, other = two, one, other, name
		}
		a.crash()
		eventually(t, "the other leads", leading(b))
		<-time.After(2 * time.Hour)
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if leads["one"] != 0 || leads["two"] != 0 || gains[name] == 0 || gains[other] == 0 {
			t.Errorf("still leading %v, gains %v", leads, gains)
		}
		var hours, minutes []time.Duration
		for _, n := range []string{"one", "two"} {
			hours, minutes = append(hours, crons[n]...), append(minutes, timers[n]...)
		}
		slices.Sort(hours)
		slices.Sort(minutes)
		if len(hours) != 4 {
			t.Errorf("crontab ran at %v", hours)
		}
		for i := 1; i < len(minutes); i++ {
			if gap := minutes[i] - minutes[i-1]; gap < 59*time.Second || gap%time.Minute > time.Second && gap%time.Minute < 59*time.Second {
				t.Errorf("timer ran %s after the run at %s", gap, minutes[i-1])
			}
		}
		if len(crons[name]) == 0 || len(crons[other]) == 0 {
			t.Errorf("runs by worker: %v", crons)
		}
		_, metadata := w.committed("lead", topic.Partition{Topic: "lead-leader"})
		if !strings.Contains(metadata, `"cron":`) || !strings.Contains(metadata, `"timer":`) {
			t.Errorf("metadata %q", metadata)
		}
	})
}

func TestAskIsAnswered(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("ask")
		declare(a, 1, "questions")
		hold := make(chan struct{})
		reads(a, "double", "questions", each(func(ctx context.Context, ev *agent.Event) error {
			switch string(ev.Value) {
			case "fail":
				return errors.New("cannot double")
			case "hang":
				<-hold
				return nil
			}
			ev.Reply(append(ev.Value, ev.Value...))
			return nil
		}))
		r := w.start(a).operational()
		run := r.worker.current.Load()
		type answer struct {
			r   topic.Record
			err error
		}
		ask := func(ctx context.Context, value string) answer {
			got := make(chan answer, 2)
			err := a.Runtime().Request(ctx, &topic.Record{Topic: "questions", Partition: topic.Any, Value: []byte(value)}, func(r topic.Record, err error) { got <- answer{r, err} })
			if err != nil {
				return answer{err: err}
			}
			first := <-got
			synctest.Wait()
			if len(got) > 0 {
				t.Error("answered twice")
			}
			return first
		}
		for i := range 20 {
			if got := ask(t.Context(), fmt.Sprint(i)); got.err != nil || string(got.r.Value) != fmt.Sprint(i)+fmt.Sprint(i) {
				t.Fatalf("answer %q, %v", got.r.Value, got.err)
			}
		}
		failed := ask(t.Context(), "fail")
		if text, ok := failed.r.Header(agent.HeaderError); !ok || !strings.Contains(string(text), "cannot double") {
			t.Errorf("failure: %q %v", text, failed.err)
		}
		short, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if got := ask(short, "hang"); !errors.Is(got.err, context.DeadlineExceeded) {
			t.Errorf("time-out: %v", got.err)
		}
		if n := run.link.replies.count(); n != 0 {
			t.Errorf("%d requests left behind", n)
		}
		replies := run.link.replies.topic
		close(hold)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if _, err := w.client.Partitions(t.Context(), replies); err == nil {
			t.Error("the reply topic is still there")
		}
		if got := ask(t.Context(), "late"); got.err == nil {
			t.Error("a stopped worker asks")
		}
	})
}

func TestClientOfCommand(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("command")
		declare(a, 3, "in")
		var failed []string
		a.Hooks.ProduceError = append(a.Hooks.ProduceError, func(_ context.Context, r topic.Record, err error) error {
			failed = append(failed, string(r.Key))
			return nil
		})
		cfg := Config{App: a, Broker: func(context.Context) (broker.Config, error) { return w.cfg, nil }}
		send := func(key string, n int) error {
			return a.Runtime().Send(t.Context(), &topic.Record{Topic: "in", Partition: topic.Any, Key: []byte(key), Value: make([]byte, n)}, nil)
		}
		err := NewClient(cfg).Run(t.Context(), func(ctx context.Context) error {
			a.Runtime().Go(ctx, "later", func(ctx context.Context) {
				<-time.After(time.Second)
				if err := send("late", 1); err != nil {
					t.Error(err)
				}
			})
			return send("now", 1)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := w.records("in", 2); len(got) != 2 {
			t.Errorf("%d stored", len(got))
		}
		if n, err := w.client.Partitions(t.Context(), "in"); err != nil || n["in"] != 3 {
			t.Errorf("partitions %v, %v", n, err)
		}
		err = NewClient(cfg).Run(t.Context(), func(context.Context) error { return errors.Join(send("big", 80<<10), send("good", 1)) })
		if err == nil || !strings.Contains(err.Error(), "send to in") {
			t.Errorf("a record that was not stored: %v", err)
		}
		if !slices.Equal(failed, []string{"big"}) {
			t.Errorf("produce_error heard of %v", failed)
		}
		var exit *app.Exit
		err = NewClient(cfg).Run(t.Context(), func(ctx context.Context) error { a.Runtime().Stop(3); <-ctx.Done(); return ctx.Err() })
		if !errors.As(err, &exit) || exit.Code != 3 {
			t.Errorf("stop: %v", err)
		}
	})
}

// The limit of the settings holds for the topics that the app creates and for what it sends.
func TestLargeMessages(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		const limit = 3 << 20
		a := newApp("large")
		declare(a, 1, "in")
		a.Settings.MaxMessageBytes = limit
		cfg := w.cfg
		cfg.MaxMessageBytes = 0
		send := func(n int) error {
			return NewClient(Config{App: a, Broker: func(context.Context) (broker.Config, error) { return cfg, nil }}).Run(t.Context(), func(context.Context) error {
				return a.Runtime().Send(t.Context(), &topic.Record{Topic: "in", Partition: topic.Any, Value: make([]byte, n)}, nil)
			})
		}
		if err := send(limit); err != nil {
			t.Error(err)
		}
		if err := send(limit + 2000); err == nil || !strings.Contains(err.Error(), "more than the limit of 3145728") {
			t.Error(err)
		}
		if got := w.records("in", 1); len(got) != 1 || len(got[0].Value) != limit {
			t.Errorf("%d records", len(got))
		}
	})
}

func TestClientThatOnlyComputes(t *testing.T) {
	t.Parallel()
	alone(t, func(t *testing.T, w *world) {
		cfg := Config{App: newApp("sum")}
		noBroker(t)(&cfg)
		want := errors.New("its own")
		if err := NewClient(cfg).Run(t.Context(), func(context.Context) error { return want }); !errors.Is(err, want) {
			t.Error(err)
		}
	})
}

func TestClientThatDoesNotHear(t *testing.T) {
	t.Parallel()
	alone(t, func(t *testing.T, w *world) {
		const given = 5 * time.Second
		run := func(since time.Time, f func(context.Context) error) (time.Duration, error) {
			cfg := Config{App: newApp("deaf"), Machine: &holder{since: since}}
			noBroker(t)(&cfg)
			ctx, cancel := context.WithTimeout(t.Context(), given)
			defer cancel()
			begun := time.Now()
			err := NewClient(cfg).Run(ctx, f)
			return time.Since(begun), err
		}
		stuck := make(chan struct{})
		took, err := run(time.Now(), func(context.Context) error { <-stuck; return nil })
		close(stuck)
		if err == nil || !strings.Contains(err.Error(), "agent busy/0 runs at app.lua:12") || took < given || took > given+2*deafness {
			t.Errorf("one that computes: %v after %s", err, took)
		}
		took, err = run(time.Now().Add(given), func(ctx context.Context) error { <-ctx.Done(); <-time.After(deafness); return ctx.Err() })
		if !errors.Is(err, context.DeadlineExceeded) || took != given+deafness {
			t.Errorf("one that heard: %v after %s", err, took)
		}
	})
}

func TestChannelAgent(t *testing.T) {
	t.Parallel()
	alone(t, func(t *testing.T, w *world) {
		a := newApp("channel")
		c := agent.NewChannel("jobs", 10)
		var done seen
		a.Agents = append(a.Agents, &agent.Definition{Name: "work", Channel: c, Concurrency: 1, Policy: agent.Fixed(agent.Skip),
			Body: each(func(_ context.Context, ev *agent.Event) error { done.add(ev.Value); return nil })})
		r := w.start(a, noBroker(t)).operational()
		for i := range 100 {
			if err := c.Put(t.Context(), topic.Record{Value: fmt.Append(nil, i)}); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "all done", func() bool { return done.distinct() == 100 })
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// holder is a Machine whose task never waits.
type holder struct{ since time.Time }

func (h *holder) Holder() (string, string, time.Time, bool) {
	return "agent busy/0", "app.lua:12", h.since, true
}
func (h *holder) Tasks() []control.Task {
	return []control.Task{{Name: "agent busy/0", State: "running", Stack: []string{"app.lua:12"}}}
}
func (h *holder) Dump() string { return "agent busy/0: running at app.lua:12\n" }

func TestWatchdog(t *testing.T) {
	t.Parallel()
	alone(t, func(t *testing.T, w *world) {
		a := newApp("busy")
		r := w.start(a, noBroker(t), func(c *Config) { c.Machine = &holder{time.Now()} }).operational()
		<-time.After(3 * time.Second)
		warned := func() int { return strings.Count(r.log.String(), "nothing else can run") }
		if n := warned(); n != 1 || !strings.Contains(r.log.String(), `task="agent busy/0" place=app.lua:12 seconds=2`) {
			t.Errorf("%d warnings\n%s", n, r.log)
		}
		<-time.After(20 * time.Second)
		if n := warned(); n != 2 {
			t.Errorf("%d warnings\n%s", n, r.log)
		}
		if dump := r.worker.Dump(); !strings.Contains(dump, "running at app.lua:12") {
			t.Error(dump)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestQuickRestart(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		dir := t.TempDir()
		build := func() *app.App {
			a := newApp("restart")
			a.Settings.Datadir = dir
			a.Settings.SessionTimeout = 45 * time.Second
			declare(a, 4, "in")
			reads(a, "count", "in", each(func(context.Context, *agent.Event) error { return nil }))
			return a
		}
		one, two := w.start(build()).operational(), w.start(build()).operational()
		if s, s2 := one.worker.current.Load().slot.name, two.worker.current.Load().slot.name; s == s2 {
			t.Fatalf("both have slot %s", s)
		}
		eventually(t, "shared", func() bool {
			return len(one.worker.current.Load().fetch.snapshot()) == 2 && len(two.worker.current.Load().fetch.snapshot()) == 2
		})
		crashed := one.worker.current.Load()
		old := crashed.slot.member()
		one.crash()
		// a killed process leaves the member id behind
		s, err := openSlot(dir, "restart")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.keep(old); err != nil {
			t.Fatal(err)
		}
		s.close()
		at := time.Now()
		again := w.start(build()).operational()
		eventually(t, "partitions are back", func() bool { return len(again.worker.current.Load().fetch.snapshot()) == 2 })
		if took := time.Since(at); took > 2*time.Second {
			t.Errorf("took %s", took)
		}
		if again.worker.current.Load().slot.name != crashed.slot.name {
			t.Error("another slot")
		}
		if err := errors.Join(again.stop(), two.stop()); err != nil {
			t.Fatal(err)
		}
		if s, err = openSlot(dir, "restart"); err != nil || s.member() != "" {
			t.Errorf("after a graceful end the slot keeps member %q, %v", s.member(), err)
		}
		s.close()
	})
}

// A worker whose group waits for a dead member says so, and for how long that may take.
func TestWaitsForADeadMember(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		build := func() *app.App {
			a := newApp("waits")
			declare(a, 4, "in")
			reads(a, "count", "in", each(func(context.Context, *agent.Event) error { return nil }))
			return a
		}
		one := w.start(build()).operational()
		if log := one.log.String(); strings.Contains(log, "waiting for the group") {
			t.Error(log)
		}
		one.crash()
		two := w.start(build()).operational()
		if log := two.log.String(); !strings.Contains(log, "waiting for the group: a worker that died without leaving it is a member until its session is over") || !strings.Contains(log, "left=7s") {
			t.Error(log)
		}
		if err := two.stop(); err != nil {
			t.Error(err)
		}
	})
}
