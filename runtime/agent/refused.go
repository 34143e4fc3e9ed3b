package agent

import (
	"context"
	"fmt"
)

// Refused puts the event of c before its agent's policy once more because the broker refused for good a record that it sent: err
// says why. The event is settled already and does not run again, so a policy that wants to retry gives up instead. The error, if any, is to end the
// worker. Called by the Sender, on a goroutine that may wait.
func (c *Cause) Refused(ctx context.Context, err error, cfg ProcessorConfig) error {
	if cfg.Reporter == nil {
		cfg.Reporter = silent{}
	}
	p := &Processor{cfg: cfg}
	s := &Stream{agent: c.Agent, p: p, ctx: ctx, attempt: 1}
	ev := &Event{Record: c.Record, stream: s, held: &held{}, ask: none}
	action, _ := s.judge(ctx, final{err}, ev)
	if action == Retry || action == DeadLetter {
		action = DeadLetter
		if c.Agent.DeadLetter.Name == "" {
			action = Skip
		}
	}
	cfg.Reporter.Failed(c.Agent, ev, err, action, 1)
	if action == Stop {
		return fmt.Errorf("agent %s: event %s@%d: %w", c.Agent.Name, ev.In(), ev.Offset, err)
	}
	if action == DeadLetter {
		r := deadLetter(c.Agent, c.Record, err, cfg.AppVersion)
		if err := s.send(&r, nil); err != nil {
			return err
		}
	}
	return s.forward(ev.held)
}

// forward sends what a policy sent from its event, with no event to blame any more.
func (s *Stream) forward(h *held) error {
	for i := range h.sends {
		if err := s.send(&h.sends[i].record, nil); err != nil {
			return err
		}
	}
	return nil
}

// final is an error that no retry mends.
type final struct{ error }

func (final) Retryable() bool { return false }

func (f final) Unwrap() error { return f.error }
