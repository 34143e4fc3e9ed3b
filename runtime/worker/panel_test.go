package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/control"
	"faust/runtime/topic"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("status")
		a.Settings.Version, a.Settings.Datadir = 2, t.TempDir()
		declare(a, 2, "in")
		work := reads(a, "work", "in", each(func(_ context.Context, ev *agent.Event) error {
			<-time.After(10 * time.Millisecond)
			if string(ev.Value) == "7" {
				return errors.New("seven")
			}
			return nil
		}))
		work.DeadLetter = topic.Topic{}
		notes(a, "look", "in")
		if r := New(Config{App: a}); r.Control() != nil {
			t.Error("a worker that does not run can be looked into")
		}
		w.ensure("in", 2)
		r := w.start(a, func(c *Config) { c.Program = "1.2" }).operational()
		panel := r.worker.Control()
		w.produce("in", 2, 0, 1000)
		<-time.After(3 * time.Second)
		s := panel.Status()
		if s.App != "status-v2" || s.ID != "status" || s.Version != 2 || s.Program != "1.2" || !filepath.IsAbs(s.File) || s.PID != os.Getpid() || s.Slot != "0" ||
			s.Member == "" || s.Started.IsZero() || !strings.HasPrefix(s.Transport, "kafka://") || !s.Operational || s.Stopping || s.Leader || len(s.Problems) != 0 || len(s.Agents) != 2 {
			t.Errorf("%+v", s)
		}
		// two partitions, 100 events a second each; the other agent has all
		if a := s.Agents[0]; a.Name != "work" || a.Rate < 100 || a.Rate > 220 || a.Lag < 300 || a.Lag > 600 || a.Failed != 1 || a.Processed < 350 || a.P99 < 0.009 || a.P99 > 0.012 || a.LagTime < 1 || a.LagTime > 4 {
			t.Errorf("%+v", a)
		}
		if a := s.Agents[1]; a.Lag != 0 || a.Processed != 1000 || a.LagTime != 0 {
			t.Errorf("%+v", a)
		}
		if s.Lag != s.Agents[0].Lag || s.Processed != s.Agents[0].Processed+1000 || s.Failed != 1 || s.P99 < 0.009 {
			t.Errorf("%+v", s)
		}
		for _, q := range s.Agents[0].Partitions {
			if q.Topic != "in" || q.End != 500 || q.Committed < 80 || q.Queued == 0 || q.Unsettled != 1 || q.Lag != int64(q.Queued+q.Unsettled) {
				t.Errorf("%+v", q)
			}
		}
		eventually(t, "all is done", func() bool { return panel.Status().Lag == 0 })
		<-time.After(10 * time.Second)
		if s := panel.Status(); s.Rate != 0 || s.LagTime != 0 || s.Agents[0].Processed != 1000 || s.P99 == 0 {
			t.Errorf("%+v", s)
		}
		back := w.outage()
		eventually(t, "the outage shows", func() bool { return len(panel.Status().Problems) == 1 })
		if s := panel.Status(); !strings.Contains(s.Problems[0], "the broker does not answer") {
			t.Errorf("%v", s.Problems)
		}
		back()
		eventually(t, "the end of the outage shows", func() bool { return len(panel.Status().Problems) == 0 })
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if s := panel.Status(); !s.Stopping || len(s.Problems) == 0 {
			t.Errorf("%+v", s)
		}
	})
}

// drawn are Faults whose place is the text before the first space.
type drawn struct{ times int }

func (d *drawn) Group(err error) (string, string) {
	place, message, _ := strings.Cut(err.Error(), " ")
	return place, message
}

func (d *drawn) Draw(err error) (string, map[string]any) {
	d.times++
	return "drawn: " + err.Error(), map[string]any{"n": d.times}
}

func TestErrorsAreGrouped(t *testing.T) {
	t.Parallel()
	alone(t, func(t *testing.T, w *world) {
		a := newApp("errors")
		a.Settings.MaxFailures = 0
		c := agent.NewChannel("channel-1", 0)
		a.Channels = append(a.Channels, c)
		a.Agents = append(a.Agents, &agent.Definition{Name: "work", Concurrency: 1, Channel: c, Body: each(func(_ context.Context, ev *agent.Event) error {
			return errors.New(string(ev.Value))
		})})
		a.Tasks = append(a.Tasks, &app.Task{Name: "warm", Run: func(context.Context) error { return errors.New("errors.lua:9 cold") }})
		faults := &drawn{}
		r := w.start(a, noBroker(t), func(c *Config) { c.Faults = faults }).operational()
		panel := r.worker.Control()
		begun := time.Now()
		put := func(text string) {
			<-time.After(time.Second)
			c.TryPut(topic.Record{Key: []byte("k"), Value: []byte(text)})
			synctest.Wait()
		}
		put("errors.lua:3 no such country")
		put("errors.lua:4 no such country")
		put("errors.lua:3 no such country")
		if faults.times != 0 {
			t.Error("errors are drawn though nobody asks")
		}
		want := []control.Failure{
			{Number: 2, Count: 2, First: begun.Add(time.Second), Last: begun.Add(3 * time.Second), Place: "errors.lua:3", Text: "drawn: errors.lua:3 no such country", Fields: map[string]any{"n": 1}},
			{Number: 3, Count: 1, First: begun.Add(2 * time.Second), Last: begun.Add(2 * time.Second), Place: "errors.lua:4", Text: "drawn: errors.lua:4 no such country", Fields: map[string]any{"n": 2}},
		}
		for i := range want {
			f := &want[i]
			f.Source, f.Message, f.Topic, f.Key, f.Action = "agent work", "no such country", "channel-1", "k", "skip"
		}
		want = append(want, control.Failure{Number: 1, Count: 1, First: begun, Last: begun, Source: "task warm", Place: "errors.lua:9", Message: "cold",
			Text: "drawn: errors.lua:9 cold", Fields: map[string]any{"n": 3}})
		if diff := cmp.Diff(want, panel.Errors(0)); diff != "" {
			t.Error(diff)
		}
		if got := panel.Errors(1); len(got) != 1 || got[0].Number != 2 {
			t.Errorf("%+v", got)
		}
		if s := panel.Status(); s.Failed != 3 {
			t.Errorf("%d failed", s.Failed)
		}
		for i := range maxFailures {
			put(fmt.Sprintf("errors.lua:%d other", i))
			if i == maxFailures/2 {
				put("errors.lua:3 no such country")
			}
		}
		list := panel.Errors(0)
		kept := map[int]bool{}
		for _, f := range list {
			kept[f.Number] = true
		}
		if len(list) != maxFailures || list[0].Number != maxFailures+3 || !kept[2] || kept[1] || kept[3] || kept[4] {
			t.Errorf("%d groups, newest %d, %v", len(list), list[0].Number, kept)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTailOfAChannel(t *testing.T) {
	t.Parallel()
	alone(t, func(t *testing.T, w *world) {
		a := newApp("tail")
		c := agent.NewChannel("channel-1", 0)
		a.Channels = append(a.Channels, c)
		r := w.start(a, noBroker(t), func(c *Config) { c.Machine = &holder{time.Now()} }).operational()
		panel := r.worker.Control()
		put := func(key, value []byte) {
			if err := c.Put(t.Context(), topic.Record{Key: key, Value: value, Timestamp: 1000}); err != nil {
				t.Error(err)
			}
		}
		put(nil, []byte("unseen"))
		var one, two []control.Message
		stop, err := panel.Tail("channel-1", func(m control.Message) { one = append(one, m) })
		if err != nil {
			t.Fatal(err)
		}
		stopTwo, err := panel.Tail("channel-1", func(m control.Message) { two = append(two, m) })
		if err != nil {
			t.Fatal(err)
		}
		put([]byte("k"), []byte(`{"a":1}`))
		put([]byte("a\x00b"), []byte(`say "hé"`))
		stopTwo()
		c.TryPut(topic.Record{Value: []byte("\xff\n"), Timestamp: 1000})
		c.TryPut(topic.Record{Timestamp: 1000})
		stop()
		put(nil, []byte("unseen"))
		at := time.UnixMilli(1000)
		want := []control.Message{
			{Time: at, Key: "k", Value: `{"a":1}`}, {Time: at, Key: `"a\000b"`, Value: `"say \"hé\""`}, {Time: at, Value: `"\255\010"`}, {Time: at, Value: "nil"},
		}
		if diff := cmp.Diff(want, one); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(want[:2], two); diff != "" {
			t.Error(diff)
		}
		if _, err := panel.Tail("channel-2", nil); !errors.Is(err, control.ErrUnknown) {
			t.Error(err)
		}
		if err := errors.Join(panel.Pause("x")); !errors.Is(err, control.ErrUnknown) {
			t.Error(err)
		}
		if err := panel.Resume("x"); !errors.Is(err, control.ErrUnknown) {
			t.Error(err)
		}
		if _, err := panel.Log("info", nil); !errors.Is(err, control.ErrUnknown) {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"channel-1"}, panel.Channels()); diff != "" {
			t.Error(diff)
		}
		if tasks := panel.Tasks(); len(tasks) != 1 || tasks[0].Name != "agent busy/0" {
			t.Errorf("%+v", tasks)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// echo is a console that is told nothing.
type echo struct{ closed chan struct{} }

func (e echo) Open(string) control.Session { return e }
func (e echo) Eval(_ context.Context, in control.Input, _ io.Writer) control.Result {
	return control.Result{Text: in.Text}
}
func (e echo) Complete(context.Context, string) control.Completion { return control.Completion{} }
func (e echo) Close()                                              { close(e.closed) }

// TestDoor: an app without topics has a slot and a socket as well, in real time and on a real file system.
func TestDoor(t *testing.T) {
	t.Parallel()
	a := newApp("door")
	a.Settings.Datadir = t.TempDir()
	release := make(chan struct{})
	a.Tasks = append(a.Tasks, &app.Task{Name: "hold", Run: func(context.Context) error { <-release; return nil }})
	console := echo{make(chan struct{})}
	w := &world{t: t}
	real := func(c *Config) { c.Socket, c.Console = nil, console }
	r := w.start(a, noBroker(t), real).operational()
	second := newApp("door")
	second.Settings.Datadir = a.Settings.Datadir
	other := w.start(second, noBroker(t), real).operational()
	found, err := control.Workers(t.Context(), a.Settings.Datadir, "door")
	if err != nil || len(found) != 2 {
		t.Fatalf("%d workers found: %v", len(found), err)
	}
	for i, c := range found {
		defer c.Close()
		if s, err := c.Status(t.Context()); err != nil || s.App != "door" || s.Slot != fmt.Sprint(i) || !s.Operational || s.Transport != "none (no topics)" {
			t.Errorf("%+v %v", s, err)
		}
		if h, err := c.Ready(t.Context()); err != nil || !h.OK {
			t.Errorf("%+v %v", h, err)
		}
	}
	session, err := found[0].Open(t.Context(), "me")
	if err != nil {
		t.Fatal(err)
	}
	if got := session.Eval(t.Context(), control.Input{Text: "1"}, os.Stdout); got.Text != "1" {
		t.Errorf("%+v", got)
	}
	r.cancel()
	<-console.closed // when the stop begins, not when the last task has ended
	if s, err := found[0].Status(t.Context()); err != nil || !s.Stopping {
		t.Errorf("%+v %v", s, err)
	}
	close(release)
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	if _, err := found[0].Status(t.Context()); !errors.Is(err, control.ErrGone) {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join(a.Settings.Datadir, "door/0", control.SocketName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
	if left, err := control.Workers(t.Context(), a.Settings.Datadir, ""); err != nil || len(left) != 1 {
		t.Errorf("%d workers are left: %v", len(left), err)
	}
	if err := other.stop(); err != nil {
		t.Fatal(err)
	}
}

// TestNoDoor: a worker whom nobody can look into works all the same, unless it needs the slot.
func TestNoDoor(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	inWorld(t, func(t *testing.T, w *world) {
		run := func(datadir string, change func(*app.App), edit ...func(*Config)) (string, error) {
			a := newApp("closed")
			a.Settings.Datadir = datadir
			change(a)
			r := w.start(a, edit...)
			select {
			case <-r.ready:
				err := r.stop()
				return r.log.String(), err
			case <-r.done:
				return r.log.String(), r.err
			}
		}
		const warning = "cannot be looked into through its data directory"
		if log, err := run(file, func(*app.App) {}, noBroker(t)); err != nil || !strings.Contains(log, warning) {
			t.Errorf("%v\n%s", err, log)
		}
		if _, err := run(file, func(a *app.App) { declare(a, 1, "in") }); err == nil || !strings.Contains(err.Error(), "open data directory: ") {
			t.Errorf("a slot that is needed: %v", err)
		}
		refuse := func(c *Config) {
			c.Socket = func(string) (net.Listener, error) { return nil, errors.New("no sockets here") }
		}
		if log, err := run(t.TempDir(), func(a *app.App) { declare(a, 1, "in") }, refuse); err != nil || !strings.Contains(log, warning) || !strings.Contains(log, "no sockets here") {
			t.Errorf("%v\n%s", err, log)
		}
	})
}

// TestStatusAtOnce: a worker can be looked into from its first moment to its last.
func TestStatusAtOnce(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("early")
		a.Settings.Datadir, a.Settings.WebEnabled, a.Settings.WebBind, a.Settings.WebPort = t.TempDir(), true, "127.0.0.1", 6066
		declare(a, 2, "in")
		notes(a, "work", "in")
		r := w.start(a, func(c *Config) {
			c.Listen = w.net.Listen
			c.Broker = func(context.Context) (broker.Config, error) {
				<-time.After(time.Second)
				return w.cfg, nil
			}
		})
		over := make(chan struct{})
		starts := false
		go func() {
			defer close(over)
			for {
				if panel := r.worker.Control(); panel != nil {
					s := panel.Status()
					starts = starts || len(s.Problems) == 1 && s.Problems[0] == "the worker starts"
				}
				select {
				case <-r.done:
					return
				case <-time.After(time.Millisecond):
				}
			}
		}()
		r.operational()
		<-time.After(time.Second)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		<-over
		if !starts {
			t.Error("a worker that starts does not say so")
		}
	})
}

func TestMarks(t *testing.T) {
	t.Parallel()
	batch := func(from, to int64) (records []topic.Record) {
		for o := from; o <= to; o++ {
			records = append(records, topic.Record{Offset: o, Timestamp: 1000 * o})
		}
		return records
	}
	var m marks
	m.add(batch(10, 19), -1)
	m.add(batch(30, 39), 10)
	m.add(batch(40, 40), 12)
	for offset, want := range map[int64]int64{5: 10, 10: 10, 15: 15, 19: 19, 20: 30, 33: 33, 40: 40} {
		if at, ok := m.made(offset); !ok || at.Unix() != want {
			t.Errorf("%d: %v %v", offset, at.Unix(), ok)
		}
	}
	if _, ok := m.made(41); ok {
		t.Error("what was not delivered has a time")
	}
	if m.add(batch(41, 50), 35); len(m) != 3 {
		t.Errorf("%v", m)
	}
	for i := range int64(2 * maxMarks) {
		m.add(batch(100+i, 100+i), 41)
	}
	if at, ok := m.made(100 + 2*maxMarks - 1); len(m) != maxMarks || !ok || at.Unix() != 100+2*maxMarks-1 {
		t.Errorf("%d marks, %v", len(m), at.Unix())
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	list := []timed{{took: 3 * time.Second, weight: 1}, {took: time.Second, weight: 98}, {took: 2 * time.Second, weight: 1}}
	if q := quantile(list, 0.98); q != 1 {
		t.Error(q)
	}
	if q := quantile(list, 0.99); q != 2 {
		t.Error(q)
	}
	if q := quantile(nil, 0.99); q != 0 {
		t.Error(q)
	}
	for n, want := range map[int64]int64{0: 1, timedPerLook: 1, timedPerLook + 1: 2, 100 * timedPerLook: 128} {
		if got := sample(n); got != want {
			t.Errorf("%d events: one in %d", n, got)
		}
	}
}
