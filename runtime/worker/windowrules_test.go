package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/store"
	"faust/runtime/table"
	"faust/tests/seed"
)

// minutes are windows of a minute with a grace of ten seconds.
func minutes(time_ string) *table.Windows {
	return &table.Windows{Time: time_, Size: time.Minute, Step: time.Minute, Grace: 10 * time.Second, Expires: time.Minute, Idle: 20 * time.Second, Told: true}
}

// A partition that brings nothing more closes its windows all the same, if the broker has nothing for it: not while its agent is paused or behind.
func TestIdleWindowsClose(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 4)
		w.ensure("closed", 1)
		c, d := counts(minutes(table.EventTime), "idle", "in")
		r := w.start(c.app).operational()
		defer r.stop()
		run := r.worker.current.Load()
		start := time.Now().Truncate(time.Minute).UnixMilli()
		w.post("in", message{0, "a", start}, message{0, "a", start + 59_000}, message{1, "b", start})
		w.settled("idle", 3)
		run.fetch.pauseAgent(d.Name)
		w.post("in", message{0, "a", start + 58_000}, message{1, "b", start + 1})
		<-time.After(10 * time.Minute)
		if values, _ := w.closings(); len(values) > 0 {
			t.Errorf("closed while the agent was paused: %v", values)
		}
		run.fetch.resumeAgent(d.Name)
		values, times := w.closed(2)
		window := table.Window{Start: start}
		same(t, "values", values, map[string]int{rowName(0, "a", window): 3, rowName(1, "b", window): 2})
		same(t, "times", times, map[string]int{rowName(0, "a", window): 1, rowName(1, "b", window): 1})
		eventually(t, "nothing is left", func() bool {
			return len(heldRows(t, r, c.table)) == 0 && len(w.changelogRows("idle-counts-changelog", c.table)) == 0
		})
		ends := w.length("idle-counts-changelog")
		<-time.After(time.Hour)
		if n := w.length("idle-counts-changelog"); n != ends {
			t.Errorf("%d records in the changelog in an hour in which nothing happened", n-ends)
		}
	})
}

// What a broker that cannot be reached may have is waited for.
func TestOutageClosesNothing(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 4)
		w.ensure("closed", 1)
		c, _ := counts(minutes(table.EventTime), "outage", "in")
		r := w.start(c.app).operational()
		defer r.stop()
		start := time.Now().Truncate(time.Minute).UnixMilli()
		w.post("in", message{0, "a", start})
		w.settled("outage", 1)
		end := w.outage()
		<-time.After(5 * time.Minute)
		end()
		w.post("in", message{0, "a", start + 1}) // as if it had been there
		values, _ := w.closed(1)
		same(t, "values", values, map[string]int{rowName(0, "a", table.Window{Start: start}): 2})
	})
}

// Windows by the clock close by it, and nothing is late.
func TestWindowsByTheClock(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 4)
		w.ensure("closed", 1)
		spec := minutes(table.ClockTime)
		spec.Grace = 0
		c, _ := counts(spec, "clock", "in")
		r := w.start(c.app).operational()
		defer r.stop()
		want := map[string]int{}
		for range 5 {
			for range 3 {
				want[rowName(0, "a", spec.At(spec.First(time.Now().UnixMilli())))]++
				w.post("in", message{0, "a", 1}) // whatever it says
				<-time.After(time.Second)
			}
			<-time.After(time.Minute)
		}
		c.all(w, want)
	})
}

// A window whose function fails is tried again until it succeeds, also by another worker; the others close meanwhile. What comes for it then is late, as for one that has closed.
func TestWindowsThatFailToClose(t *testing.T) {
	t.Parallel()
	inBoth(t, func(t *testing.T, w *world, promise func(*app.App) *app.App) {
		w.ensure("in", 4)
		w.ensure("closed", 1)
		kept := store.NewMemory()
		defer kept.Close()
		begin := func(fails bool) (*counting, *running) {
			c, _ := counts(minutes(table.EventTime), "failing", "in")
			promise(c.app)
			c.fails = func(k *table.Closing) error {
				if k.Key == "b" && fails {
					return errors.New("not b")
				}
				return nil
			}
			return c, w.start(c.app, func(cfg *Config) { cfg.Store = kept }).operational()
		}
		start := time.Now().Truncate(time.Minute).UnixMilli()
		before, one := begin(true)
		w.post("in", message{0, "a", start}, message{0, "b", start}, message{0, "c", start})
		values, _ := w.closed(2)
		window := table.Window{Start: start}
		want := map[string]int{rowName(0, "a", window): 1, rowName(0, "c", window): 1}
		same(t, "values", values, want)
		<-time.After(10 * time.Minute)
		if n := strings.Count(one.log.String(), "event failed, it is tried again"); n < 10 || n > 40 {
			t.Errorf("tried %d times", n)
		}
		w.post("in", message{0, "b", start}, message{0, "d", start})
		eventually(t, "they are late", func() bool {
			before.mu.Lock()
			defer before.mu.Unlock()
			return before.late[rowName(0, "b", window)] == 1 && before.late[rowName(0, "d", window)] == 1
		})
		if err := one.stop(); err != nil {
			t.Error(err)
		}
		c, two := begin(false)
		defer two.stop()
		want[rowName(0, "b", window)] = 1
		values, times := w.closed(3)
		same(t, "values", values, want)
		for name, n := range times {
			if n != 1 {
				t.Errorf("%s closed %d times", name, n)
			}
		}
		eventually(t, "nothing is left", func() bool { return len(heldRows(t, two, c.table)) == 0 })
	})
}

// What the broker refuses of a window that closes becomes a dead letter with key, window and reason; meanwhile the partition goes on.
func TestWindowsWhoseRecordsAreRefused(t *testing.T) {
	t.Parallel()
	inBoth(t, func(t *testing.T, w *world, promise func(*app.App) *app.App) {
		w.ensure("in", 4)
		w.ensure("closed", 1)
		c, d := counts(minutes(table.EventTime), "refusing", "in")
		promise(c.app)
		c.sends = func(k *table.Closing, value []byte) []byte {
			if k.Key == "b" {
				return bytes.Repeat([]byte("x"), 80<<10)
			}
			return value
		}
		r := w.start(c.app).operational()
		start := time.Now().Truncate(time.Minute).UnixMilli()
		w.post("in", message{0, "a", start}, message{0, "b", start})
		for range 50 { // something is committed all the time
			<-time.After(5 * time.Second)
			w.post("in", message{0, "c", time.Now().UnixMilli()})
		}
		dead := w.all(d.DeadLetter.Name)
		if len(dead) != 1 {
			t.Fatalf("%d dead letters", len(dead))
		}
		window, _ := dead[0].Header(agent.HeaderWindow)
		why, _ := dead[0].Header(agent.HeaderError)
		if string(dead[0].Key) != "b" || string(window) != "counts 2000-01-01T00:00:00Z/2000-01-01T00:01:00Z" || len(why) == 0 {
			t.Errorf("dead letter of %q, %q: %s", dead[0].Key, window, why)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// Of several agents that count in a table the slowest is waited for, also while a person has paused it.
func TestWindowsOfAnAgentBehind(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 4)
		w.ensure("more", 4)
		w.ensure("closed", 1)
		c, _ := counts(minutes(table.EventTime), "behind", "in")
		declare(c.app, 4, "more")
		extra := reads(c.app, "extra", "more", each(func(_ context.Context, ev *agent.Event) error { return c.event(ev) }))
		c.table.Sources = append(c.table.Sources, "more")
		divides(c.app, c.table, c.table.Windows, extra)
		r := w.start(c.app).operational()
		defer r.stop()
		fetch := r.worker.current.Load().fetch
		fetch.pauseAgent("extra")
		start := time.Now().Truncate(time.Minute).Add(-10 * time.Minute).UnixMilli()
		w.post("more", message{0, "a", start})
		w.post("in", message{0, "a", start}, message{0, "a", start + 5*time.Minute.Milliseconds()})
		<-time.After(5 * time.Minute)
		if values, _ := w.closings(); len(values) > 0 {
			t.Errorf("closed: %v", values)
		}
		fetch.resumeAgent("extra")
		values, _ := w.closed(2)
		if n := values[rowName(0, "a", table.Window{Start: start})]; n != 2 {
			t.Errorf("closed: %v, late: %v", values, c.late)
		}
	})
}

// With several actors, of which each takes its time, no message is late that is in order but for what grace is for.
func TestWindowsOfSeveralActors(t *testing.T) {
	t.Parallel()
	n := seed.Of(t)
	inBoth(t, func(t *testing.T, w *world, promise func(*app.App) *app.App) {
		w.ensure("in", 4)
		w.ensure("closed", 1)
		spec := &table.Windows{Time: table.EventTime, Size: 4 * time.Second, Step: 2 * time.Second, Grace: time.Second, Expires: 0, Idle: 20 * time.Second, Told: true}
		c, d := counts(spec, "actors", "in")
		promise(c.app)
		d.Concurrency = 4
		rng := rand.New(rand.NewPCG(n, 9))
		d.Body = each(func(_ context.Context, ev *agent.Event) error {
			if ev.Chore() == nil && ev.Offset%7 == 0 {
				<-time.After(time.Duration(ev.Offset%5) * 300 * time.Millisecond)
			}
			return c.event(ev)
		})
		r := w.start(c.app).operational()
		defer r.stop()
		var list []message
		want := map[string]int{}
		start := time.Now().Add(-time.Hour).UnixMilli()
		for i := range 600 {
			m := message{int32(rng.IntN(2)), string(rune('a' + rng.IntN(8))), start + int64(i)*100 - rng.Int64N(1000)}
			list = append(list, m)
			for begin := range spec.Starts(m.at) {
				want[rowName(m.partition, m.key, spec.At(begin))]++
			}
		}
		w.post("in", list...)
		c.all(w, want)
	})
}

// Keys that come and go leave nothing behind: not in memory, not in the store, not in the changelog.
func TestWindowsDoNotGrow(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 4)
		w.ensure("closed", 1)
		spec := &table.Windows{Time: table.EventTime, Size: 10 * time.Second, Step: 10 * time.Second, Expires: 20 * time.Second, Idle: time.Minute}
		c, _ := counts(spec, "churn", "in")
		kept := store.NewMemory()
		defer kept.Close()
		r := w.start(c.app, func(cfg *Config) { cfg.Store = kept }).operational()
		defer r.stop()
		var bytes []int64
		n := 0
		for round := range 20 {
			var list []message
			for range 500 {
				list = append(list, message{0, fmt.Sprint("key ", n), time.Now().UnixMilli()})
				n++
			}
			w.post("in", list...)
			w.settled("churn", int64(n))
			<-time.After(15 * time.Second)
			if round >= 5 {
				bytes = append(bytes, kept.Bytes())
			}
		}
		if least, most := slices.Min(bytes), slices.Max(bytes); most > 2*least {
			t.Errorf("between %d and %d bytes in the store", least, most)
		}
		if rows := len(w.changelogRows("churn-counts-changelog", c.table)); rows > 2500 {
			t.Errorf("%d rows in the changelog after %d keys", rows, n)
		}
		if rows := heldRows(t, r, c.table); len(rows) > 2500 {
			t.Errorf("%d rows", len(rows))
		}
	})
}
