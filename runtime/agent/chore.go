package agent

import (
	"errors"
	"fmt"

	"faust/runtime/topic"
)

// Chore is work that is done between two records, as an event of its own: a window that closes, for example.
type Chore interface {
	// Record is what the event shows of it: key, value and time.
	Record() topic.Record
	// Done tells that the event is settled.
	Done()
	// Failed tells that the event failed. again: it will be given once more, later. attempt counts from 1.
	Failed() (again bool, attempt int)
	// Drop tells that nobody does it: the processor ends.
	Drop()
}

// Chores gives the chores of a processor. Its methods may be called from any goroutine.
type Chores interface {
	// Due tells whether Claim may give one. It is cheap.
	Due() bool
	// Claim gives one, which nobody else gets; nil: there is none. The error ends the processor.
	Claim() (Chore, error)
}

// Nudge makes actors that wait look for chores.
func (p *Processor) Nudge() { p.wakeAll() }

// due tells whether there may be a chore.
func (s *Stream) due() bool { return s.p.cfg.Chores != nil && s.p.cfg.Chores.Due() }

// chores makes a chore the next to be given; false: there is none.
func (s *Stream) chores() (bool, error) {
	if s.chore != nil {
		return true, nil
	}
	if len(s.hand) > 0 || !s.due() {
		return false, nil
	}
	chore, err := s.p.cfg.Chores.Claim()
	if err != nil {
		return false, s.abort(err)
	}
	s.chore = chore
	return chore != nil, nil
}

// giveChore takes a chore into hand.
func (s *Stream) giveChore() *Event {
	r := s.chore.Record()
	r.Topic, r.Partition, r.Offset = s.p.cfg.Partition.Topic, s.p.cfg.Partition.ID, -1
	e := &Event{Record: &r, stream: s, held: &s.held, ask: none, chore: s.chore}
	s.chore = nil
	s.fresh = false
	s.hand = append(s.hand, e)
	s.show()
	return e
}

// Chore is the work that the event stands for; nil: it is a record.
func (e *Event) Chore() Chore { return e.chore }

// inHand gives the chore in hand; nil: there is none.
func (s *Stream) inHand() *Event {
	if len(s.hand) == 1 && s.hand[0].chore != nil {
		return s.hand[0]
	}
	return nil
}

// dropChore lets go of a chore that was not settled, at the end of the actor.
func (s *Stream) dropChore() {
	if e := s.inHand(); e != nil {
		e.held.undo()
		e.chore.Drop()
		s.hand = s.hand[:0]
	}
	if s.chore != nil {
		s.chore.Drop()
		s.chore = nil
	}
}

// missed is decide for a chore.
func (s *Stream) missed(ev *Event, cause error) error {
	ev.held.undo()
	ev.extract()
	if trouble := Trouble(nil); errors.As(cause, &trouble) {
		ev.chore.Drop()
		return s.abort(fmt.Errorf("agent %s: %w", s.agent.Name, cause))
	}
	again, attempt := ev.chore.Failed()
	action := Skip
	if again {
		action = Retry
	}
	s.p.cfg.Reporter.Failed(s.agent, ev, cause, action, attempt)
	return nil
}
