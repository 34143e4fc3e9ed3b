package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// errStopping is the cause that tasks see when the worker stops.
var errStopping = errors.New("the worker stops")

// taskSet is the tasks that run: what Go started, and the worker's own on behalf of the script. They end together.
type taskSet struct {
	ctx    context.Context // of all tasks
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	next  int
	tasks map[int]task
	empty chan struct{} // closed when the last task ends; nil: nobody waits
}

type task struct {
	name  string
	since time.Time
}

func newTaskSet(ctx context.Context) *taskSet {
	s := &taskSet{tasks: map[int]task{}}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	return s
}

// run runs f on a goroutine of its own, with a context that ends with ctx and with the set. After the set's end f still
// runs, with a context that has ended: who waits for it is not left alone.
func (s *taskSet) run(ctx context.Context, name string, f func(ctx context.Context)) {
	s.mu.Lock()
	id := s.next
	s.next++
	s.tasks[id] = task{name, time.Now()}
	s.mu.Unlock()
	go func() {
		defer s.done(id)
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(s.ctx, func() { cancel(context.Cause(s.ctx)) })()
		f(ctx)
	}()
}

func (s *taskSet) done(id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tasks, id)
	if len(s.tasks) == 0 && s.empty != nil {
		close(s.empty)
		s.empty = nil
	}
}

// join waits until no task runs.
func (s *taskSet) join(ctx context.Context) error {
	s.mu.Lock()
	if len(s.tasks) == 0 {
		s.mu.Unlock()
		return nil
	}
	if s.empty == nil {
		s.empty = make(chan struct{})
	}
	empty := s.empty
	s.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// waiting names what runs, longest first: "task warm (3.2s)".
func (s *taskSet) waiting() []string {
	s.mu.Lock()
	tasks := make([]task, 0, len(s.tasks))
	for _, t := range s.tasks {
		tasks = append(tasks, t)
	}
	s.mu.Unlock()
	slices.SortFunc(tasks, func(a, b task) int { return a.since.Compare(b.since) })
	names := make([]string, len(tasks))
	for i, t := range tasks {
		names[i] = waitingFor(t.name, t.since)
	}
	return names
}

func waitingFor(name string, since time.Time) string {
	return fmt.Sprintf("%s (%.1fs)", name, time.Since(since).Seconds())
}

// serial runs functions one after the other, as a task that exists only while there is something to do.
type serial struct {
	name  string
	tasks *taskSet

	mu      sync.Mutex
	queue   []func(ctx context.Context)
	running bool
}

// add queues f; it never waits.
func (s *serial) add(f func(ctx context.Context)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, f)
	if !s.running {
		s.running = true
		s.tasks.run(context.WithoutCancel(s.tasks.ctx), s.name, s.drain)
	}
}

// wait waits until nothing is left to do.
func (s *serial) wait(ctx context.Context) {
	done := make(chan struct{})
	s.add(func(context.Context) { close(done) })
	select {
	case <-done:
	case <-ctx.Done():
	}
}

func (s *serial) drain(ctx context.Context) {
	for {
		s.mu.Lock()
		if len(s.queue) == 0 {
			s.running = false
			s.mu.Unlock()
			return
		}
		f := s.queue[0]
		s.queue = s.queue[1:]
		s.mu.Unlock()
		f(ctx)
	}
}
