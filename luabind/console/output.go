package console

import (
	"bytes"
	"context"
	"io"
	"sync"
)

const (
	outputAhead = 256 << 10 // bytes that may wait for a slow reader before whoever prints has to
	outputLate  = 64 << 10  // bytes that are kept of what is printed while no input runs
)

// output is what the inputs of a session print. It is written at the pace of its reader, so that a slow one does not hold the machine.
type output struct {
	late    io.Writer // gets what is printed while no input runs; nil: it is kept for the next
	mu      sync.Mutex
	pending bytes.Buffer
	lost    int           // bytes beyond outputLate
	flowing bool          // an input runs
	changed chan struct{} // holds a token if there is something for the pump to look at
	room    chan struct{} // holds a token if pending became short
}

func newOutput(late io.Writer) *output {
	return &output{late: late, changed: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// put queues text. full: the caller should wait for wait before it puts more.
func (o *output) put(text string) (full bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.flowing && o.late != nil {
		_, _ = io.WriteString(o.late, text) // whoever does not see it cannot be told
		return false
	}
	if !o.flowing {
		if n := min(len(text), max(0, outputLate-o.pending.Len())); n < len(text) {
			o.lost += len(text) - n
			text = text[:n]
		}
	}
	o.pending.WriteString(text)
	signal(o.changed)
	return o.flowing && o.pending.Len() > outputAhead
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// wait waits until there is room, no input runs, or ctx ends.
func (o *output) wait(ctx context.Context) error {
	for {
		o.mu.Lock()
		full := o.flowing && o.pending.Len() > outputAhead
		o.mu.Unlock()
		if !full {
			return nil
		}
		select {
		case <-o.room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// flow writes what is put to w until the function it gives is called, which returns when all is written.
func (o *output) flow(w io.Writer) (end func()) {
	o.mu.Lock()
	o.flowing = true
	o.mu.Unlock()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			o.drain(w)
			select {
			case <-o.changed:
			case <-stop:
				o.mu.Lock()
				o.flowing = false
				o.mu.Unlock()
				signal(o.room)
				o.drain(w)
				return
			}
		}
	}()
	return func() {
		close(stop)
		<-done
	}
}

// drain writes what is pending. If w fails, its reader is gone and the text with it.
func (o *output) drain(w io.Writer) {
	for {
		o.mu.Lock()
		text := bytes.Clone(o.pending.Bytes())
		o.pending.Reset()
		lost := o.lost
		o.lost = 0
		o.mu.Unlock()
		signal(o.room)
		if lost > 0 {
			text = append(text, lostText(lost)...)
		}
		if len(text) == 0 {
			return
		}
		_, _ = w.Write(text)
	}
}
