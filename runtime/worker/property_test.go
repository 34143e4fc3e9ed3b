package worker

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/control"
	"faust/runtime/topic"
	"faust/tests/seed"
)

var rounds = flag.Int("rounds", 0, "how many games a test plays that draws them; 0: as many as it likes")

// games plays a game in a world for each of some seeds in a row, which are all that it may depend on.
func games(t *testing.T, runs int, play func(t *testing.T, w *world, seed uint64)) {
	t.Helper()
	t.Parallel()
	if *rounds > 0 {
		runs = *rounds
	}
	base := seed.Of(t)
	for i := range uint64(runs) {
		t.Run(fmt.Sprint(base+i), func(t *testing.T) {
			t.Parallel()
			seed.Again(t, base+i)
			inWorld(t, func(t *testing.T, w *world) { play(t, w, base+i) })
		})
	}
}

// model is what must be true of a run, however workers come and go: every record is handled, what a record caused is stored before
// its offset is committed, and a failed event leaves nothing behind.
type model struct {
	t    *testing.T
	w    *world
	rand func(n int) int

	mu       sync.Mutex
	alive    []*running // and those that ended
	handled  map[string]int
	looked   map[string]bool
	poisoned map[string]bool // fail for ever: dead letters
}

const (
	propertyPartitions = 3
	propertyRecords    = 1500
)

// TestNothingLostNothingEarly runs a changing set of workers that crash, fail, stop and come back, and whose agents are paused and resumed, over thousands of
// records.
func TestNothingLostNothingEarly(t *testing.T) {
	games(t, 4, property)
}

func property(t *testing.T, w *world, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	var lock sync.Mutex
	m := &model{t: t, w: w, handled: map[string]int{}, looked: map[string]bool{}, poisoned: map[string]bool{}, rand: func(n int) int {
		lock.Lock()
		defer lock.Unlock()
		return r.IntN(n)
	}}
	w.ensure("in", propertyPartitions)
	for i := range propertyRecords {
		if m.rand(100) == 0 {
			m.poisoned[fmt.Sprint(i)] = true
		}
	}
	w.produce("in", propertyPartitions, 0, propertyRecords/2)
	var workers []*running
	begin := func() {
		r := w.start(m.app())
		m.mu.Lock()
		defer m.mu.Unlock()
		m.alive = append(m.alive, r)
		workers = append(workers, r)
	}
	reaping, enough := context.WithCancel(t.Context())
	defer enough()
	go m.reap(reaping)
	begin()
	for step := range 25 {
		<-time.After(time.Duration(m.rand(4000)) * time.Millisecond)
		m.early()
		switch {
		case len(workers) == 0 || len(workers) < 3 && m.rand(3) == 0:
			begin()
		case m.rand(2) == 0:
			n := m.rand(len(workers))
			gone := workers[n]
			workers = append(workers[:n], workers[n+1:]...)
			if m.rand(2) == 0 {
				gone.crash()
			} else if err := gone.stop(); err != nil {
				t.Errorf("stop: %v", err)
			}
		}
		for _, r := range workers {
			if panel, name := r.worker.Control(), []string{"copy", "look"}[m.rand(2)]; panel != nil {
				m.act(panel, name)
			}
		}
		if step == 12 {
			w.produce("in", propertyPartitions, propertyRecords/2, propertyRecords/2)
		}
	}
	for _, r := range workers {
		if panel := r.worker.Control(); panel != nil {
			if err := errors.Join(panel.Resume("copy"), panel.Resume("look")); err != nil {
				t.Error(err)
			}
		}
	}
	begin()
	defer func() {
		if t.Failed() {
			groups, err := w.admin.DescribeGroups(t.Context(), "property")
			for _, g := range groups {
				t.Logf("group %s, %v", g.State, err)
				for _, m := range g.Members {
					assigned, _ := m.Assigned.AsConsumer()
					t.Logf("member %s: %+v", m.MemberID, assigned)
				}
			}
			for i, r := range workers {
				member := ""
				if g := r.worker.current.Load().group.Load(); g != nil {
					member, _ = g.Member()
				}
				t.Logf("worker %d, member %s\n%s%s", i, member, r.worker.Dump(), r.log.tail(4000))
			}
		}
	}()
	eventually(t, "all is committed", func() bool {
		var sum int64
		for p := range int32(propertyPartitions) {
			at, _ := w.committed("property", topic.Partition{Topic: "in", ID: p})
			sum += max(at, 0)
		}
		return sum == propertyRecords
	})
	m.early()
	for _, r := range workers {
		if err := r.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	m.complete()
}

// act pauses or resumes an agent, or leaves it alone.
func (m *model) act(panel control.Worker, name string) {
	act := panel.Pause
	switch m.rand(4) {
	case 0:
		act = panel.Resume
	case 1, 2:
		return
	}
	if err := act(name); err != nil {
		m.t.Error(err)
	}
}

// reap removes members of the group that no living worker is, one session after they were seen first. Kafka does that; the broker of
// the tests forgets those whose connection broke while they waited for others to join.
func (m *model) reap(ctx context.Context) {
	since := map[string]time.Time{}
	for sleepUntil(ctx, time.Now().Add(time.Second)) {
		groups, err := m.w.admin.DescribeGroups(ctx, "property")
		if err != nil {
			continue
		}
		living := m.members()
		for _, member := range groups["property"].Members {
			id := member.MemberID
			switch first, seen := since[id]; {
			case living[id]:
				delete(since, id)
			case !seen:
				since[id] = time.Now()
			case time.Since(first) > 10*time.Second:
				_ = m.w.client.Leave(ctx, "property", id) // at the next look, if it fails
			}
		}
	}
}

// members are the member ids of the workers that run.
func (m *model) members() map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := map[string]bool{}
	for _, r := range m.alive {
		select {
		case <-r.done:
			continue
		default:
		}
		if run := r.worker.current.Load(); run != nil {
			if g := run.group.Load(); g != nil {
				id, _ := g.Member()
				ids[id] = true
			}
		}
	}
	return ids
}

// app builds an app with two agents on one topic: one that copies, with concurrency and failures, and one that only looks.
func (m *model) app() *app.App {
	a := newApp("property")
	a.Settings.CommitInterval = 500 * time.Millisecond
	a.Settings.MaxFailures = 1000
	declare(a, propertyPartitions, "in", "out")
	d := reads(a, "copy", "in", each(m.handle))
	d.Concurrency = 1 + m.rand(4)
	d.Policy = agent.RetryPolicy{Attempts: 2, Backoff: []time.Duration{10 * time.Millisecond}}
	reads(a, "look", "in", each(func(ctx context.Context, ev *agent.Event) error {
		m.mu.Lock()
		m.looked[string(ev.Value)] = true
		m.mu.Unlock()
		if m.rand(50) == 0 {
			<-time.After(time.Duration(m.rand(20)) * time.Millisecond)
		}
		return nil
	}))
	return a
}

var errSome = errors.New("some failure")

func (m *model) handle(ctx context.Context, ev *agent.Event) error {
	value := string(ev.Value)
	ev.Send(topic.Record{Topic: "out", Partition: topic.Any, Key: ev.Key, Value: []byte(value)})
	if m.rand(10) == 0 {
		<-time.After(time.Duration(m.rand(100)) * time.Millisecond)
	}
	if m.poisoned[value] || m.rand(40) == 0 {
		return errSome // the send above must never be stored by this attempt
	}
	m.mu.Lock()
	m.handled[value]++
	m.mu.Unlock()
	return nil
}

// stored counts the copies and dead letters that are in the broker now.
func (m *model) stored() (out, dead map[string]int) {
	return m.count("out"), m.count("property-copy-dead-letter")
}

func (m *model) count(name string) map[string]int {
	counts := map[string]int{}
	n := m.w.length(name)
	if n == 0 {
		return counts
	}
	for _, r := range m.w.records(name, n) {
		counts[string(r.Value)]++
	}
	return counts
}

// early makes sure that what is committed is stored.
func (m *model) early() {
	m.t.Helper()
	offsets := map[int32]int64{}
	for p := range int32(propertyPartitions) {
		at, metadata := m.w.committed("property", topic.Partition{Topic: "in", ID: p})
		offsets[p] = placesOf(broker.Position{Offset: at, Metadata: metadata}).at("copy", at).Low
	}
	out, dead := m.stored() // after the offsets were read
	for p, end := range offsets {
		for o := range end {
			value := fmt.Sprint(int(o)*propertyPartitions + int(p))
			if out[value]+dead[value] == 0 {
				m.t.Errorf("in/%d is committed at %d, but what record %d (value %s) caused is not stored", p, end, o, value)
				return
			}
		}
	}
}

// complete makes sure that everything arrived, and nothing of failed attempts did.
func (m *model) complete() {
	out, dead := m.stored()
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range propertyRecords {
		value := fmt.Sprint(i)
		switch {
		case m.poisoned[value] && (out[value] != 0 || dead[value] == 0):
			m.t.Errorf("record %s fails always: %d copies, %d dead letters", value, out[value], dead[value])
		case !m.poisoned[value] && out[value]+dead[value] == 0:
			m.t.Errorf("record %s is lost", value)
		case !m.looked[value]:
			m.t.Errorf("record %s did not reach the agent that looks", value)
		case out[value] > m.handled[value]:
			m.t.Errorf("record %s: %d copies of %d handled events", value, out[value], m.handled[value])
		}
	}
}
