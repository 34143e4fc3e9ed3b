package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"faust/runtime/topic"
)

// settle settles what is in hand because the body asks for more.
func (s *Stream) settle() error {
	if s.fatal != nil || len(s.hand) == 0 {
		return s.fatal
	}
	if s.agent.ManualAck && s.inHand() == nil {
		s.hand = s.hand[:0]
		return nil
	}
	if err := s.finish(s.hand, &s.held); err != nil {
		return s.abort(err)
	}
	s.hand = s.hand[:0]
	s.succeeded()
	if s.timing {
		s.timing = false
		s.p.timed(s.began)
	}
	return nil
}

// succeeded ends the row of failures.
func (s *Stream) succeeded() {
	if s.p.failures.Load() != 0 {
		s.p.failures.Store(0)
	}
}

// finish hands over what the unit sent, makes its other effects count and only then marks it done: whoever reads the watermark and then closes the send epoch
// has everything that the events below it caused. An ask without an answer is answered with nil.
func (s *Stream) finish(unit []*Event, h *held) error {
	for _, e := range unit {
		if len(e.Headers) > 0 && e.Wants() {
			e.reply(nil, "")
		}
	}
	x := s.p.cfg.Exact
	if x == nil || len(h.sends) == 0 && h.effects == nil && len(s.p.cfg.Clocks) == 0 && unit[0].chore == nil {
		return s.conclude(unit, h)
	}
	if len(h.sends) > 0 {
		if err := s.prepare(x, h); err != nil {
			return err
		}
	}
	x.Gate.Lock()
	defer x.Gate.Unlock()
	return s.conclude(unit, h)
}

// conclude is finish once all that the unit does is held and may count.
func (s *Stream) conclude(unit []*Event, h *held) error {
	if err := s.release(h); err != nil {
		return err
	}
	if h.effects != nil {
		h.effects.Settle()
	}
	for _, e := range unit {
		if e.chore != nil {
			e.chore.Done()
			continue
		}
		s.p.done(e.pos, e.Offset)
		s.p.follow(e.pos, e.Record)
	}
	return nil
}

// release hands held sends to the sender, in order.
func (s *Stream) release(h *held) error {
	if len(h.sends) == 0 {
		return nil
	}
	var last *Event
	var cause *Cause
	for i := range h.sends {
		send := &h.sends[i]
		if send.event != last {
			last, cause = send.event, s.cause(send.event)
		}
		if err := s.send(&send.record, cause); err != nil {
			return err
		}
	}
	h.drop()
	return nil
}

func (s *Stream) send(r *topic.Record, cause *Cause) error {
	if err := s.p.cfg.Sender.Send(s.ctx, r, cause); err != nil {
		return fmt.Errorf("agent %s: send to %s: %w", s.agent.Name, r.Topic, err)
	}
	return nil
}

// abort ends the actor and drains the processor.
func (s *Stream) abort(err error) error {
	s.fatal = err
	s.p.abort(err)
	return err
}

// cause gives what names e as the origin of a send. Events acknowledged by hand may be settled by several goroutines at a time.
func (s *Stream) cause(e *Event) *Cause {
	if s.agent.ManualAck {
		return &Cause{Agent: s.agent, Record: e.Record}
	}
	s.origin = Cause{Agent: s.agent, Record: e.Record}
	return &s.origin
}

// Ack settles ev in manual mode. A second Ack, and one of an event that was given to a newer start of the body, is ignored and
// reported as false; so is any without ManualAck. It may be called from any goroutine.
func (s *Stream) Ack(ev *Event) bool {
	if !s.agent.ManualAck || !s.claim(ev) {
		return false
	}
	if err := s.finish([]*Event{ev}, ev.held); err != nil {
		s.p.abort(err)
		return false
	}
	s.succeeded()
	return true
}

// claim makes the caller the one who settles ev.
func (s *Stream) claim(ev *Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ev.gone {
		return false
	}
	ev.gone = true
	s.unsettled.Add(-1)
	for len(s.open) > 0 && s.open[0].gone {
		s.open[0], s.open = nil, s.open[1:]
	}
	return true
}

// Fail puts the event in hand (of a batch: the last) before the policy because of err, without ending the body: for what goes wrong
// before the body sees the event (an undecodable message). nil: go on with Next. Otherwise the body returns the error at once.
func (s *Stream) Fail(ctx context.Context, err error) error {
	return s.Reject(ctx, s.Current(), err)
}

// Reject is Fail for one event of those in hand: it alone fails and leaves the batch.
func (s *Stream) Reject(ctx context.Context, ev *Event, err error) error {
	for i, e := range s.hand {
		if e == ev {
			unit := []*Event{ev}
			if len(s.hand) == 1 && !s.agent.ManualAck {
				s.held.undo() // else it is of the others
			}
			s.hand = append(s.hand[:i], s.hand[i+1:]...)
			s.slots = rotate(s.slots, i, len(s.hand))
			return s.decide(ctx, unit, err)
		}
	}
	return nil
}

// rotate moves the slot at i behind the n that stay in hand, so that it is used again only for a new event.
func rotate(slots []*Event, i, n int) []*Event {
	if i < len(slots) {
		e := slots[i]
		copy(slots[i:n], slots[i+1:n+1])
		slots[n] = e
	}
	return slots
}

// requeue gives events again, before everything else, in their order.
func (s *Stream) requeue(unit []*Event) {
	items := make([]item, 0, len(unit)+len(s.again))
	for _, e := range unit {
		if s.agent.ManualAck && !s.claim(e) {
			continue
		}
		items = append(items, item{*e.Record, e.pos})
	}
	s.taken.Add(-int64(len(items)))
	s.again = append(items, s.again...)
	slices.SortStableFunc(s.again, func(a, b item) int { return cmp.Compare(a.pos, b.pos) })
}

// decide puts a failed unit before the policy and does what it says. The error, if any, ends the actor.
func (s *Stream) decide(ctx context.Context, unit []*Event, cause error) error {
	ev := unit[len(unit)-1]
	s.timing = false
	if ev.chore != nil {
		return s.missed(ev, cause)
	}
	s.undo(unit)
	if trouble := Trouble(nil); errors.As(cause, &trouble) {
		return s.abort(fmt.Errorf("agent %s: event %s@%d: %w", s.agent.Name, ev.In(), ev.Offset, cause))
	}
	if s.p.state.Load() == broken { // it is to be processed when that is mended
		s.requeue(unit)
		return nil
	}
	if s.failed != unit[0].pos {
		s.failed, s.attempt = unit[0].pos, 0
	}
	s.attempt++
	action, delay := s.judge(ctx, cause, ev)
	if action == DeadLetter && s.agent.DeadLetter.Name == "" {
		action = Skip
	}
	s.p.cfg.Reporter.Failed(s.agent, ev, cause, action, s.attempt)
	switch action {
	case Retry:
		s.requeue(unit)
		return s.pause(ctx, delay)
	case Stop:
		s.refuse(unit, cause)
		for _, e := range unit {
			own := e.extract()
			_ = s.release(&own) // the worker ends with cause in any case
		}
		return s.abort(fmt.Errorf("agent %s: event %s@%d: %w", s.agent.Name, ev.In(), ev.Offset, cause))
	}
	return s.giveUp(unit, action, cause)
}

// undo drops what the unit sent, its answers included, and takes back what else events did that are settled one by one.
func (s *Stream) undo(unit []*Event) {
	for _, e := range unit {
		if s.agent.ManualAck {
			e.held.undo()
		}
		if e.ask == given {
			e.ask = wanted
		}
		e.extract()
	}
}

// judge asks the policy; one that panics is a dead letter.
func (s *Stream) judge(ctx context.Context, cause error, ev *Event) (action Action, delay time.Duration) {
	if s.agent.Policy == nil {
		return DeadLetter, 0
	}
	defer func() {
		if recover() != nil {
			action = DeadLetter
		}
	}()
	return s.agent.Policy.Decide(ctx, cause, ev, s.attempt)
}

// refuse answers the asks among the unit with the error.
func (s *Stream) refuse(unit []*Event, cause error) {
	for _, e := range unit {
		if e.Wants() {
			e.reply(nil, errorText(cause))
		}
	}
}

// giveUp settles a failed unit: what is sent now is what became of it.
func (s *Stream) giveUp(unit []*Event, action Action, cause error) error {
	s.refuse(unit, cause)
	for _, e := range unit {
		if s.agent.ManualAck && !s.claim(e) {
			continue
		}
		own := e.extract()
		if err := s.bury(e, &own, action, cause); err != nil {
			return s.abort(err)
		}
	}
	s.p.fail(s.agent, cause)
	return nil
}

// bury settles an event that failed.
func (s *Stream) bury(e *Event, own *held, action Action, cause error) error {
	if x := s.p.cfg.Exact; x != nil {
		x.Gate.Lock()
		defer x.Gate.Unlock()
	}
	if action == DeadLetter {
		r := deadLetter(s.agent, e.Record, cause, s.p.cfg.AppVersion)
		if err := s.send(&r, nil); err != nil {
			return err
		}
	}
	return s.conclude([]*Event{e}, own)
}

// pause waits until d is over or the processor drains.
func (s *Stream) pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.p.drained:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
	return nil
}
