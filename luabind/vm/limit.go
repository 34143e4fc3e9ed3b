package vm

import "time"

// limit is how long a task may hold the baton without waiting.
type limit struct {
	after time.Duration
	timer *time.Timer
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
	m.mu.Lock()
	t.since = time.Now()
	m.mu.Unlock()
	t.limit = &limit{after: after, timer: time.AfterFunc(after, func() {
		m.mu.Lock()
		still := t.state == stateRunning && time.Since(t.since) >= after
		m.mu.Unlock()
		if still {
			over()
		}
	})}
}

func (l *limit) start() {
	if l != nil {
		l.timer.Reset(l.after)
	}
}

func (l *limit) stop() {
	if l != nil {
		l.timer.Stop()
	}
}
