package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"faust/runtime/deadletter"
	"faust/runtime/topic"
)

// replayed counts what became of letters that were to be sent back.
type replayed struct {
	Replayed int      `json:"replayed"`
	Failed   int      `json:"failed"`
	Messages []placed `json:"messages,omitempty"` // of those that were named
	err      error    // of the first that failed
	id       deadletter.ID
}

// placed is where a message was sent back to.
type placed struct {
	ID string `json:"id"`
	position
}

// replay sends letters back.
func (b *letterbox) replay(ctx context.Context) error {
	var done replayed
	told := func(o deadletter.Outcome) {
		if o.Err != nil {
			if done.Failed++; done.err == nil {
				done.err, done.id = o.Err, o.ID
			}
			return
		}
		done.Replayed++
		if len(b.ids) > 0 {
			done.Messages = append(done.Messages, placed{o.ID.String(), newPosition(o.To)})
		}
	}
	var err error
	if len(b.ids) > 0 {
		var letters []*deadletter.Letter
		if letters, err = b.named(ctx); err == nil {
			err = b.box.Replay(ctx, letters, b.to, told)
		}
	} else {
		err = b.inBatches(ctx, func(ls []*deadletter.Letter) error { return b.box.Replay(ctx, ls, b.to, told) })
	}
	if err != nil && done.Replayed+done.Failed == 0 {
		return err
	}
	return errors.Join(b.s.tellReplayed(&done), err)
}

func (s *session) tellReplayed(done *replayed) error {
	switch {
	case s.globals.json:
		if err := s.printJSON(done); err != nil {
			return err
		}
	case s.globals.quiet:
	case done.Replayed == len(done.Messages):
		for _, m := range done.Messages {
			fmt.Fprintf(s.Stdout, "%s sent back as %s@%d\n", m.ID, topic.Partition{Topic: m.Topic, ID: m.Partition}, m.Offset)
		}
		if done.Replayed == 0 {
			fmt.Fprintln(s.Stdout, "no message sent back")
		}
	default:
		fmt.Fprintf(s.Stdout, "%s sent back\n", plural(done.Replayed, "message"))
	}
	switch done.Failed {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("dead letter %s: %w", done.id, done.err)
	}
	return fmt.Errorf("%d dead letters were not sent back, the first, %s: %w", done.Failed, done.id, done.err)
}

// inBatches collects the letters that are meant, some at a time.
func (b *letterbox) inBatches(ctx context.Context, f func([]*deadletter.Letter) error) error {
	const size = 200
	var batch []*deadletter.Letter
	err := b.each(ctx, func(l *deadletter.Letter) error {
		if batch = append(batch, keepsake(l)); len(batch) < size {
			return nil
		}
		err := f(batch)
		batch = nil
		return err
	})
	if err == nil && len(batch) > 0 {
		err = f(batch)
	}
	return err
}

// drop forgets letters, once somebody has agreed.
func (b *letterbox) drop(ctx context.Context) error {
	var letters []*deadletter.Letter
	n := len(b.ids)
	var err error
	if n > 0 {
		letters, err = b.named(ctx)
	} else {
		counted := map[deadletter.ID]int64{}
		err = b.each(ctx, func(l *deadletter.Letter) error {
			n++
			counted[lane(l.ID)] = max(counted[lane(l.ID)], l.ID.Offset)
			return nil
		})
		b.counted = counted // who agrees does not agree to forget what comes meanwhile
	}
	if err != nil || n == 0 {
		if err == nil && !b.s.globals.quiet {
			fmt.Fprintln(b.s.Stdout, "no dead letters")
		}
		return err
	}
	if err := b.s.confirm(ctx, fmt.Sprintf("Forget %s for good?", plural(n, "dead letter"))); err != nil {
		return err
	}
	if letters != nil {
		err = b.box.Drop(ctx, letters)
	} else {
		n = 0
		err = b.inBatches(ctx, func(ls []*deadletter.Letter) error {
			n += len(ls)
			return b.box.Drop(ctx, ls)
		})
	}
	if err != nil {
		return err
	}
	if b.s.globals.json {
		return b.s.printJSON(map[string]int{"dropped": n})
	}
	if !b.s.globals.quiet {
		fmt.Fprintf(b.s.Stdout, "%s dropped\n", plural(n, "dead letter"))
	}
	return nil
}

// errDeclined is what confirm gives if the person does not agree: whoever waits for the command is to know that it did not do its work.
var errDeclined = errors.New("nothing was done")

// confirm asks a person, who has to agree by y or yes. With --yes nobody is asked.
func (s *session) confirm(ctx context.Context, question string) error {
	if s.globals.yes {
		return nil
	}
	if !s.isTerminalIn() {
		e := usagef("there is no terminal to ask on: %s", question)
		e.hint = "answer beforehand with --yes"
		return e
	}
	fmt.Fprintf(s.Stderr, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() { // nothing else ends a read that waits for a person
		text, _ := bufio.NewReader(s.Stdin).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(text))
	}()
	select {
	case text := <-answer:
		if text == "y" || text == "yes" {
			return nil
		}
		return errDeclined
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
