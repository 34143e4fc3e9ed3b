package worker

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"faust/runtime/agent"
	"faust/runtime/broker"
	"faust/runtime/topic"
)

// once makes sure that the log says each of the lines once.
func once(t *testing.T, log *logText, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if n := strings.Count(log.String(), line); n != 1 {
			t.Errorf("%q is said %d times:\n%s", line, n, log)
		}
	}
}

// copying is an app that forwards what it reads.
func copying(w *world, room func(n uint64) error) *running {
	w.cfg.Room = room
	a := newApp("copying")
	declare(a, 1, "in", "out")
	reads(a, "copy", "in", each(func(_ context.Context, ev *agent.Event) error {
		ev.Send(topic.Record{Topic: "out", Partition: topic.Any, Value: ev.Value})
		return nil
	}))
	return w.start(a).operational()
}

// A worker whose broker has no room says so, is not ready, and goes on when there is room.
func TestFullBrokerShowsAndPasses(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		r := copying(w, w.cfg.Room)
		run := r.worker.current.Load()
		w.produce("in", 1, 0, 10)
		eventually(t, "it copies", func() bool { return w.length("out") == 10 })
		w.room.Store(0)
		<-time.After(30 * time.Second)
		once(t, r.log, "broker has no room, trying again")
		if err := run.brokerUp(); !errors.Is(err, broker.ErrFull) {
			t.Errorf("a full broker: %v", err)
		}
		w.room.Store(1 << 30)
		w.produce("in", 1, 10, 10)
		eventually(t, "it goes on", func() bool { return w.length("out") == 20 })
		eventually(t, "that there is room is told", func() bool { return strings.Contains(r.log.String(), "broker takes records again") })
		if err := run.brokerUp(); err != nil {
			t.Error(err)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		once(t, r.log, "broker has no room, trying again", "broker takes records again")
	})
}

// A worker that is still connecting is not ready, and that is no outage, whoever asks meanwhile.
func TestConnectingIsNoOutage(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("slow")
		declare(a, 1, "in")
		reads(a, "read", "in", each(func(context.Context, *agent.Event) error { return nil }))
		found := make(chan struct{})
		r := w.start(a, func(cfg *Config) {
			cfg.Broker = func(context.Context) (broker.Config, error) { <-found; return w.cfg, nil }
		})
		eventually(t, "it runs", func() bool { return r.worker.current.Load() != nil })
		<-time.After(2 * outageEvery)
		if err := r.worker.current.Load().brokerUp(); !errors.Is(err, errUnconnected) {
			t.Errorf("ready before it is connected: %v", err)
		}
		close(found)
		if err := r.operational().stop(); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(r.log.String(), unreachable.begins) {
			t.Errorf("it says that the broker is out of reach:\n%s", r.log)
		}
	})
}

// A broker that answers but stores nothing, for reasons of its own, is told too.
func TestStalledSendsShowAndPass(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 1)
		w.produce("in", 1, 0, 10)
		w.room.Store(0)
		r := copying(w, nil)
		<-time.After(stalledFor / 2)
		run := r.worker.current.Load()
		if err := run.brokerUp(); err != nil {
			t.Errorf("a moment is taken for trouble: %v", err)
		}
		eventually(t, "it is told", func() bool { return strings.Contains(r.log.String(), "records are not stored, trying again") })
		if err := run.brokerUp(); !errors.Is(err, errStalled) {
			t.Errorf("a stalled broker: %v", err)
		}
		w.room.Store(1 << 30)
		eventually(t, "it goes on", func() bool { return w.length("out") == 10 })
		eventually(t, "the end is told", func() bool { return strings.Contains(r.log.String(), "records are stored again") })
		once(t, r.log, "records are not stored, trying again", "records are stored again")
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A stop that cannot store what was sent says why, and leaves the group all the same.
func TestStopWithAFullBroker(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 1)
		w.produce("in", 1, 0, 10)
		w.room.Store(0)
		r := copying(w, w.cfg.Room)
		eventually(t, "it is told", func() bool { return strings.Contains(r.log.String(), "broker has no room") })
		if err := r.stop(); !errors.Is(err, broker.ErrFull) {
			t.Errorf("stopped: %v", err)
		}
		if strings.Contains(r.log.String(), "group not left") {
			t.Error(r.log)
		}
		if offset, _ := w.committed("copying", topic.Partition{Topic: "in", ID: 0}); offset > 0 {
			t.Errorf("offset %d is committed, and nothing is stored", offset)
		}
	})
}

// command sends records as a command does.
func (w *world) command(n int, log *logText) error {
	a := newApp("command")
	declare(a, 1, "out")
	client := NewClient(Config{
		App: a, Broker: func(context.Context) (broker.Config, error) { return w.cfg, nil },
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	return client.Run(w.t.Context(), func(ctx context.Context) error {
		for range n {
			if err := a.Runtime().Send(ctx, &topic.Record{Topic: "out", Partition: topic.Any, Value: make([]byte, 1000)}, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// A command does not wait for a disk, nor for ever for a broker, and says in one sentence what was not stored.
func TestCommandGivesUp(t *testing.T) {
	t.Parallel()
	for _, n := range []int{10, 2 * maxUnsentRecords} { // all wait at the end; the sender waits as well
		inWorld(t, func(t *testing.T, w *world) {
			w.ensure("out", 1)
			var log logText
			w.room.Store(0)
			begun := time.Now()
			err := w.command(n, &log)
			if !errors.Is(err, broker.ErrFull) || !strings.Contains(err.Error(), " records were not stored: ") {
				t.Errorf("a full broker: %v", err)
			}
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
			if log.String() != "" {
				t.Errorf("the log has\n%s", &log)
			}
		})
	}
}

// A command waits for a broker that it lost, for a while.
func TestCommandWaitsForABroker(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		away    time.Duration
		records int // the sender waits for some, or only the end for all
	}{{clientPatience / 2, 2 * maxUnsentRecords}, {2 * clientPatience, 2 * maxUnsentRecords}, {clientPatience / 2, 10}} {
		away := c.away
		inWorld(t, func(t *testing.T, w *world) {
			w.ensure("out", 1)
			var log logText
			lost := false
			a := newApp("command")
			declare(a, 1, "out")
			client := NewClient(Config{
				App: a, Broker: func(context.Context) (broker.Config, error) { return w.cfg, nil },
				Logger: slog.New(slog.NewTextHandler(&log, nil)),
			})
			begun := time.Now()
			err := client.Run(t.Context(), func(ctx context.Context) error {
				for range c.records {
					if err := a.Runtime().Send(ctx, &topic.Record{Topic: "out", Partition: topic.Any, Value: []byte("x")}, nil); err != nil {
						return err
					}
					if !lost {
						lost = true
						time.AfterFunc(away, w.outage())
					}
				}
				return nil
			})
			took := time.Since(begun)
			if away < clientPatience {
				if err != nil || took < away {
					t.Errorf("%v after %s", err, took)
				}
				once(t, &log, "broker out of reach, trying again", "broker answers again")
				return
			}
			var e *broker.Error
			if !errors.As(err, &e) || e.Class != broker.Refused || took > clientPatience+time.Minute {
				t.Errorf("%v after %s", err, took)
			}
		})
	}
}
