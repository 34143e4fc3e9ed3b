package store

import "sync"

// life counts the calls of a store and knows whether there may be more: it ends by a failure, or because it is closed.
type life struct {
	mu      sync.RWMutex
	failure error
	closed  error
	failed  chan struct{} // closed with failure set
	over    chan struct{} // closed with either set
	running sync.WaitGroup
}

func newLife() life { return life{failed: make(chan struct{}), over: make(chan struct{})} }

// enter begins a call, unless there may be none; leave ends it.
func (l *life) enter() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if err := l.reason(); err != nil {
		return err
	}
	l.running.Add(1)
	return nil
}

func (l *life) leave() { l.running.Done() }

// why gives the reason for which there are no more calls, nil while there are.
func (l *life) why() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.reason()
}

func (l *life) reason() error {
	if l.failure != nil {
		return l.failure
	}
	return l.closed
}

// fail ends it with this error. The first failure stays; it is returned.
func (l *life) fail(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure == nil {
		l.end()
		l.failure = err
		close(l.failed)
	}
	return l.failure
}

// close ends it without a failure; err is what later calls get.
func (l *life) close(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end()
	l.closed = err
}

func (l *life) end() {
	if l.reason() == nil {
		close(l.over)
	}
}

// ended says whether there are no more calls.
func (l *life) ended() bool { return isClosed(l.over) }

// broken says whether it failed.
func (l *life) broken() bool { return isClosed(l.failed) }

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
