package vm

import "time"

// limitSteps is in how many steps a limit is measured. Each begins when the one before was seen to be over, so the time in which a busy
// computer does something else, and nothing here runs, counts as one step however long it is.
const limitSteps = 8

// limit is how long a task may hold the baton without waiting.
type limit struct {
	m     *VM
	t     *task
	after time.Duration
	over  func()
	timer *time.Timer

	// Guarded by VM.mu.
	steps   int // that are over since the baton was taken
	stopped bool
}

// Limit has over called, on a goroutine of its own, each time the running task holds the baton for that long without waiting, from now on;
// 0: no longer. over is to end the task's context, which ends the code of an interruptible task. To be called with the baton held.
func (m *VM) Limit(after time.Duration, over func()) {
	t := m.current()
	t.limit.stop()
	t.limit = nil
	if after <= 0 {
		return
	}
	l := &limit{m: m, t: t, after: after, over: over}
	m.mu.Lock()
	defer m.mu.Unlock()
	t.since = time.Now()
	l.timer = time.AfterFunc(l.step(), l.passed)
	t.limit = l
}

func (l *limit) step() time.Duration { return max(l.after/limitSteps, 1) }

// passed is called when a step is over.
func (l *limit) passed() {
	l.m.mu.Lock()
	l.steps++
	counts := !l.stopped && l.t.state == stateRunning
	over := counts && l.steps >= limitSteps && time.Since(l.t.since) >= l.after
	if counts && !over {
		l.timer.Reset(l.step())
	}
	l.m.mu.Unlock()
	if over {
		l.over()
	}
}

func (l *limit) start() {
	if l == nil {
		return
	}
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	l.steps, l.stopped = 0, false
	l.timer.Reset(l.step())
}

func (l *limit) stop() {
	if l == nil {
		return
	}
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	l.stopped = true
	l.timer.Stop()
}
