package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"faust/luabind/fault"
	"faust/runtime/control"
)

// channelMessage is a message of a channel as --json shows it.
type channelMessage struct {
	Channel   string          `json:"channel"`
	Timestamp string          `json:"timestamp"`
	Key       string          `json:"key,omitempty"`
	Value     json.RawMessage `json:"value"`
}

// tailChannel writes what is put into a channel of the workers that run with this data directory. There is no backlog: a channel lives in memory.
func (s *session) tailChannel(ctx context.Context, t *tailing, out io.Writer) error {
	n := 0
	switch {
	case t.where != nil:
		return usagef("--where is for topics; %s reads a channel", t.target.Name)
	case t.placed:
		return usagef("%s reads a channel, which is in the memory of its worker: what is put from now on can be shown, -n of it", t.target.Name)
	case t.counted:
		n = t.what.Last
	}
	workers, leave, err := s.workers(ctx, "a channel is in the memory of its worker; start one, or give the --datadir of the one that runs")
	if err != nil {
		return err
	}
	defer leave()
	p := &channelPrinter{s: s, t: t, out: out, left: n}
	ctx, p.stop = context.WithCancelCause(ctx)
	defer p.stop(nil)
	var all errgroup.Group
	for _, w := range workers {
		all.Go(func() error { return w.Tail(ctx, t.target.Channel, nil, p.print) })
	}
	err = all.Wait()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errEnough) {
		return cause
	}
	return err
}

// channelPrinter writes what several workers tell at the same time.
type channelPrinter struct {
	s    *session
	t    *tailing
	stop context.CancelCauseFunc

	mu   sync.Mutex
	out  io.Writer
	left int // messages to be shown; 0 at the beginning: all
}

func (p *channelPrinter) print(m control.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left < 0 {
		return
	}
	if m.Dropped > 0 {
		fmt.Fprintf(p.s.Stderr, "… %s left out: they came faster than they could be shown\n", plural(m.Dropped, "message"))
	}
	if _, err := io.WriteString(p.out, channelLine(p.t, m)+"\n"); err != nil {
		p.left = -1
		p.stop(err)
		return
	}
	if p.left > 0 {
		if p.left--; p.left == 0 {
			p.left = -1
			p.stop(errEnough)
		}
	}
}

func channelLine(t *tailing, m control.Message) string {
	if !t.json {
		return fmt.Sprintf("%q  %s", m.Key, fault.OneLine(m.Value))
	}
	value := json.RawMessage(m.Value)
	if !json.Valid(value) {
		value, _ = json.Marshal(m.Value)
	}
	text, err := json.Marshal(channelMessage{t.target.Channel, m.Time.UTC().Format("2006-01-02T15:04:05.000Z07:00"), m.Key, value})
	if err != nil {
		return err.Error()
	}
	return string(text)
}
