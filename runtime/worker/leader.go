package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/topic"
)

// maxMetadata keeps below what brokers store with an offset (offset.metadata.max.bytes, 4096).
const maxMetadata = 3500

// loseBudget is how long a rebalance waits for the tasks of a leader that is none any more.
const loseBudget = 5 * time.Second

var errNotLeader = errors.New("another worker leads")

// leader runs what is marked on_leader while this worker owns the leader partition. Before each run it commits an offset on that partition with
// its member id and generation: a worker that does not know yet that it lost the partition is refused, and does not run.
type leader struct {
	run       *run
	partition topic.Partition

	mu      sync.Mutex
	owned   bool
	ready   bool // the worker is fully operational
	cancel  context.CancelCauseFunc
	session chan struct{} // closed when what the session started has ended
}

// session is one time of leadership.
type session struct {
	leader *leader
	mu     sync.Mutex
	last   map[string]int64 // when timers ran last, by name, in milliseconds since 1970
	offset int64
}

func newLeader(r *run) *leader {
	l := &leader{run: r}
	if usesLeader(r.app) {
		l.partition = topic.Partition{Topic: leaderTopic(r.app).Name}
	}
	return l
}

// is tells whether p makes its owner the leader.
func (l *leader) is(p topic.Partition) bool { return l.partition.Topic != "" && p == l.partition }

// gain begins a session, or remembers to when the worker is operational.
func (l *leader) gain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owned = true
	l.begin()
}

// operational lets sessions begin.
func (l *leader) operational() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready = true
	l.begin()
}

// begin starts a session; l.mu is held.
func (l *leader) begin() {
	if !l.owned || !l.ready || l.cancel != nil {
		return
	}
	ctx, cancel := context.WithCancelCause(l.run.tasks.ctx)
	done := make(chan struct{})
	l.cancel, l.session = cancel, done
	s := &session{leader: l, last: map[string]int64{}}
	l.run.log.Info("leadership gained")
	l.run.inner.Go(func() {
		defer close(done)
		s.lead(ctx)
	})
}

// lose ends the session: its tasks are cancelled, and waited for a little, since the next leader starts them soon.
func (l *leader) lose() {
	l.mu.Lock()
	l.owned = false
	done := l.session
	if l.cancel != nil {
		l.cancel(errNotLeader)
		l.cancel, l.session = nil, nil
		l.run.log.Info("leadership lost")
	}
	l.mu.Unlock()
	if done == nil {
		return
	}
	timer := time.NewTimer(loseBudget)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		l.run.log.Warn("leader tasks still run after leadership was lost")
	}
}

// leads tells whether this worker leads.
func (l *leader) leads() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cancel != nil
}

// lead learns what the predecessor ran and starts tasks, timers and crontabs; it ends with the session.
func (s *session) lead(ctx context.Context) {
	r := s.leader.run
	if !s.learn(ctx) {
		return
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	before := s.last
	for _, t := range r.app.Tasks {
		if t.OnLeader {
			wg.Go(func() { s.task(ctx, t) })
		}
	}
	for _, t := range r.app.Timers {
		if t.OnLeader {
			base := time.Now()
			if last, ok := before[t.Name]; ok {
				base = time.UnixMilli(last)
			}
			wg.Go(func() { r.runTimer(ctx, t, base, s.fire) })
		}
	}
}

// learn reads the times of the last runs. It tries until it succeeds or ctx ends.
func (s *session) learn(ctx context.Context) bool {
	r := s.leader.run
	for {
		offset, metadata, err := r.group.Load().Committed(ctx, s.leader.partition)
		if err == nil {
			s.offset = max(offset, 0)
			if metadata != "" && json.Unmarshal([]byte(metadata), &s.last) != nil {
				r.log.Warn("times of the last runs not readable", "topic", s.leader.partition.Topic)
				s.last = map[string]int64{}
			}
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		r.log.Debug("times of the last runs not read", "err", err)
		if !sleepUntil(ctx, time.Now().Add(100*time.Millisecond)) {
			return false
		}
	}
}

// task runs a task of the leader until it ends or leadership does.
func (s *session) task(ctx context.Context, t *app.Task) {
	r := s.leader.run
	if err := s.prove(ctx, "", time.Time{}); err != nil {
		if ctx.Err() == nil {
			r.log.Warn("leader task not run", "task", t.Name, "err", err)
		}
		return
	}
	done := make(chan struct{})
	name := "task " + t.Name
	r.tasks.run(ctx, name, func(ctx context.Context) {
		defer close(done)
		r.report.task(ctx, name, t.Run(ctx))
	})
	<-done
}

// fire proves leadership for a run of a timer that was due at a time. What ran at that time or later already does not run again.
func (s *session) fire(ctx context.Context, t *app.Timer, due time.Time) bool {
	s.mu.Lock()
	last, ran := s.last[t.Name]
	s.mu.Unlock()
	if ran && due.UnixMilli() <= last || s.leader.run.soft.Err() != nil {
		return false
	}
	err := s.prove(ctx, t.Name, due)
	if err != nil && ctx.Err() == nil {
		s.leader.run.log.Warn("leader timer not run", "timer", t.Name, "err", err)
	}
	return err == nil && ctx.Err() == nil
}

// prove commits the offset of the leader partition with the time that the named timer is due. While the group rebalances it tries
// again for as long as a session lasts.
func (s *session) prove(ctx context.Context, name string, due time.Time) error {
	r := s.leader.run
	limit := time.Now().Add(r.set.SessionTimeout)
	for {
		err := s.commit(ctx, name, due)
		if err == nil || !errors.Is(err, broker.ErrRebalanced) || time.Now().After(limit) {
			return err
		}
		if !sleepUntil(ctx, time.Now().Add(100*time.Millisecond)) {
			return context.Cause(ctx)
		}
	}
}

func (s *session) commit(ctx context.Context, name string, due time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.leader.run
	last := map[string]int64{}
	for _, t := range r.app.Timers {
		if at, ok := s.last[t.Name]; ok && t.OnLeader {
			last[t.Name] = at
		}
	}
	if name != "" {
		last[name] = due.UnixMilli()
	}
	select {
	case r.stage <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-r.stage }()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := r.group.Load().Commit(ctx, map[topic.Partition]broker.Position{s.leader.partition: {Offset: s.offset, Metadata: metadata(last)}}); err != nil {
		return fmt.Errorf("prove leadership: %w", err)
	}
	s.last = last
	return nil
}

// metadata writes the times of the last runs, without the oldest if they are too many for a broker.
func metadata(last map[string]int64) string {
	names := make([]string, 0, len(last))
	for name := range last {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(last[a], last[b]) })
	for {
		text, _ := json.Marshal(last) // a map of numbers can always be written
		if len(text) <= maxMetadata || len(names) == 0 {
			return string(text)
		}
		delete(last, names[0])
		names = names[1:]
	}
}
