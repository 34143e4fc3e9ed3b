package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"faust/runtime/agent"
	"faust/runtime/control"
	"faust/runtime/topic"
)

// reporter tells of what happens to events: logs, counts, and what /readyz has to know. It implements agent.Reporter.
type reporter struct {
	log      *slog.Logger
	metrics  *metrics
	tallies  map[string]*tally
	failures *failures
	breaks   func(d *agent.Definition, p topic.Partition) // the fetcher leaves the partition alone

	mu     sync.Mutex
	broken map[brokenKey]string
}

type brokenKey struct {
	agent     string
	partition topic.Partition
}

// Failed implements agent.Reporter.
func (r *reporter) Failed(d *agent.Definition, ev *agent.Event, err error, action agent.Action, attempt int) {
	attrs := []any{"agent", d.Name}
	name := ""
	if ev != nil {
		name = ev.Topic
		attrs = append(attrs, "topic", ev.Topic, "partition", ev.Partition, "offset", ev.Offset)
		if ev.Key != nil {
			attrs = append(attrs, "key", string(ev.Key))
		}
	}
	r.metrics.failed.WithLabelValues(d.Name, name, action.String()).Inc()
	r.remember(d, ev, err, action)
	switch {
	case ev == nil && action == agent.Retry:
		r.log.Error("agent failed with no event in hand, it is started again", append(attrs, "err", err)...)
		return
	case ev == nil:
		r.log.Error("agent failed after its loop", append(attrs, "err", err)...)
		return
	case action == agent.Retry:
		r.log.Warn("event failed, it is tried again", append(attrs, "attempt", attempt, "err", err)...)
		return
	}
	r.log.Error("event failed", append(attrs, "action", action.String(), "attempt", attempt, "err", err)...)
}

// remember takes note of the error for those who ask later.
func (r *reporter) remember(d *agent.Definition, ev *agent.Event, err error, action agent.Action) {
	f := control.Failure{Source: "agent " + d.Name, Action: action.String()}
	if ev != nil {
		f.Topic, f.Partition, f.Offset, f.Key = ev.Topic, ev.Partition, ev.Offset, string(ev.Key)
		if t := r.tallies[d.Name]; t != nil && action != agent.Retry {
			t.failed.Add(1)
		}
	}
	r.failures.add(f, err)
}

// page hears of a page that failed; the web server has logged it.
func (r *reporter) page(name string, err error) {
	r.failures.add(control.Failure{Source: "page " + name}, err)
}

// Broken implements agent.Reporter.
func (r *reporter) Broken(d *agent.Definition, p topic.Partition, failures int, err error) {
	r.mu.Lock()
	r.broken[brokenKey{d.Name, p}] = fmt.Sprintf("%d failed events in a row, last: %s", failures, err)
	r.mu.Unlock()
	r.log.Error("too many failed events in a row, partition paused until the worker is started again", "agent", d.Name, "topic", p.Topic, "partition", p.ID, "failures", failures, "err", err)
	r.breaks(d, p)
}

// stopped hears that a processor takes no records any more, for a reason that is no failure of its events.
func (r *reporter) stopped(d *agent.Definition, p topic.Partition, why string) {
	r.mu.Lock()
	r.broken[brokenKey{d.Name, p}] = why
	r.mu.Unlock()
	r.breaks(d, p)
}

// Left implements agent.Reporter.
func (r *reporter) Left(d *agent.Definition, p topic.Partition) {
	r.log.Warn("agent left its loop, it is started again", "agent", d.Name, "topic", p.Topic, "partition", p.ID)
}

// forget drops what is known of a partition that was taken away.
func (r *reporter) forget(p topic.Partition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k := range r.broken {
		if k.partition == p {
			delete(r.broken, k)
		}
	}
}

// reasons lists the broken partitions: "agent orders, orders/3: 100 failed events in a row, last: ...".
func (r *reporter) reasons() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for k, why := range r.broken {
		list = append(list, fmt.Sprintf("agent %s, %s: %s", k.agent, k.partition, why))
	}
	slices.Sort(list)
	return list
}

// brokenProcs tells why processors take no records any more.
func (r *reporter) brokenProcs() map[brokenKey]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.broken)
}

// task tells of a task, timer, crontab or hook that failed. What was ended by the stop or by a cancellation did not fail.
func (r *reporter) task(ctx context.Context, name string, err error) {
	if err == nil || ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))) {
		return
	}
	r.metrics.taskErrors.WithLabelValues(name).Inc()
	r.failures.add(control.Failure{Source: name}, err)
	logFailure(r.log, name, err)
}

// logFailure says what failed: name is its kind and its own name ("timer warm"), where a nameless task began ("task of app.lua:3"), or a hook ("produce_error").
func logFailure(log *slog.Logger, name string, err error) {
	kind, own, ok := strings.Cut(name, " ")
	if !ok {
		kind, own = "hook", name
	}
	log.Error(kind+" failed", kind, strings.TrimPrefix(own, "of "), "err", err)
}
