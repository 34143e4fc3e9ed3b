package agent

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"
)

// maxPause bounds the wait before a body that takes no events is started again.
const maxPause = 30 * time.Second

// run starts the body until it was told of the end, something fatal happens or the context ends.
func (s *Stream) run() {
	idle := 0 // starts in a row that got nowhere
	for {
		s.fresh = true
		err := s.start()
		if s.fatal != nil || s.ctx.Err() != nil {
			return
		}
		if s.ended {
			if err != nil && !errors.Is(err, io.EOF) {
				s.p.cfg.Reporter.Failed(s.agent, nil, err, Skip, 1)
			}
			return
		}
		stuck := s.over(err)
		if s.fatal != nil || s.p.state.Load() == draining {
			return
		}
		if !stuck {
			idle = 0
			continue
		}
		idle++
		if !s.rest(idle) {
			return
		}
	}
}

// start runs the body once. A panic is an error.
func (s *Stream) start() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicked{value: r, stack: string(debug.Stack())}
		}
	}()
	return s.agent.Body(s.ctx, s)
}

// over settles what the body left in hand when it ended early, and tells whether it got nowhere.
func (s *Stream) over(err error) (stuck bool) {
	stuck = s.fresh
	if len(s.hand) > 0 && s.agent.ManualAck {
		s.hand = unsettled(s, s.hand)
	}
	switch {
	case err != nil && len(s.hand) > 0:
		unit := append([]*Event(nil), s.hand...)
		s.held.undo()
		_ = s.decide(s.ctx, unit, err)
	case err != nil:
		s.p.cfg.Reporter.Failed(s.agent, nil, err, Retry, 1)
		stuck = true
	default:
		s.p.cfg.Reporter.Left(s.agent, s.p.cfg.Partition)
		if s.agent.ManualAck && s.inHand() == nil {
			stuck = stuck || len(s.hand) > 0
		} else {
			_ = s.settle()
		}
	}
	s.hand = s.hand[:0]
	s.reopen()
	s.show()
	return stuck
}

// unsettled leaves out what was acknowledged already.
func unsettled(s *Stream, hand []*Event) []*Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := hand[:0]
	for _, e := range hand {
		if !e.gone {
			rest = append(rest, e)
		}
	}
	return rest
}

// reopen gives the events that nobody acknowledged to the next start of the body: the one that had them is gone.
func (s *Stream) reopen() {
	s.mu.Lock()
	open := append([]*Event(nil), s.open...)
	s.mu.Unlock()
	for _, e := range open {
		if e.held != nil {
			e.held.undo()
		}
	}
	s.requeue(open)
}

// rest waits for something to read and then for a while, longer each time. false: it is over.
func (s *Stream) rest(n int) bool {
	ready, err := s.await(s.ctx, nil)
	if err != nil || !ready {
		return false
	}
	return s.pause(s.ctx, backoff(n, maxPause)) == nil && s.p.state.Load() != draining
}

// panicked is a panic of a body, as an error.
type panicked struct {
	value any
	stack string
}

func (p *panicked) Error() string     { return fmt.Sprintf("panic: %v", p.value) }
func (p *panicked) Traceback() string { return p.stack }

// Unwrap gives the error that was the value of the panic, if it was one.
func (p *panicked) Unwrap() error {
	err, _ := p.value.(error)
	return err
}
