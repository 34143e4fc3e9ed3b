package vm

import (
	"slices"
	"time"

	"faust/luabind/fault"
)

// TaskState is where a task stands.
type TaskState struct {
	Name  string
	State string // "running", "waiting", "ready"
	What  string // what it waits for
	Since time.Time
	Stack []fault.Frame // innermost first; of a running task best effort
}

// moment is how long Tasks waits for the baton.
const moment = 50 * time.Millisecond

// Tasks lists all tasks, the oldest state first. It takes the baton if it can have it in a moment; else places are read while the
// holder runs, and are best effort. May not be called with the baton held.
func (m *VM) Tasks() []TaskState {
	timer := time.NewTimer(moment)
	defer timer.Stop()
	m.waiting.Add(1)
	select {
	case <-m.baton:
		defer func() { m.baton <- struct{}{} }()
	case <-timer.C:
	}
	m.waiting.Add(-1)
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]TaskState, 0, len(m.tasks))
	for t := range m.tasks {
		out = append(out, m.stateOf(t))
	}
	slices.SortFunc(out, func(a, b TaskState) int { return a.Since.Compare(b.Since) })
	return out
}

// Holder tells which task has held the baton since when, and where it is now (best effort). ok is false if nobody holds it.
func (m *VM) Holder() (t TaskState, ok bool) {
	h := m.holder.Load()
	if h == nil {
		return TaskState{}, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stateOf(h), true
}

// stateOf describes t; with m.mu held.
func (m *VM) stateOf(t *task) TaskState {
	var spots [maxFrames]spot
	n := holderSpots(t, spots[:])
	return TaskState{Name: t.name, State: t.state, What: t.what, Since: t.since, Stack: name(spots[:n])}
}
