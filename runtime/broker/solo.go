package broker

import (
	"context"
	"errors"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// solo sends the records of a refused batch again, one at a time through a client of its own, so that only those at fault fail.
type solo struct {
	mu      sync.Mutex
	queue   []*Sending
	running bool
	closed  bool
	idle    chan struct{} // closed when the queue is empty; nil: nobody waits
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

// add takes a record over; false: the client closes, or the record was alone already.
func (s *solo) add(r *Sending) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || int64(len(r.record.Key)+len(r.record.Value)) > int64(r.client.MaxMessageBytes(r.record.Topic)) {
		return false
	}
	s.queue = append(s.queue, r)
	if !s.running {
		var ctx context.Context
		ctx, s.cancel = context.WithCancel(context.Background())
		s.running = true
		s.done.Go(func() { s.run(ctx, r.client) })
	}
	return true
}

func (s *solo) run(ctx context.Context, c *Client) {
	kafka, err := kgo.NewClient(append(append(c.cfg.options(""), c.producing()...), kgo.ProducerLinger(0))...)
	if err == nil {
		defer kafka.Close()
	}
	for {
		s.mu.Lock()
		if len(s.queue) == 0 {
			s.running = false
			if s.idle != nil {
				close(s.idle)
				s.idle = nil
			}
			s.mu.Unlock()
			return
		}
		r := s.queue[0]
		s.queue = s.queue[1:]
		s.mu.Unlock()
		fate := err
		if fate == nil {
			fate = kafka.ProduceSync(ctx, &r.record).FirstErr()
		}
		if ctx.Err() != nil && errors.Is(fate, context.Canceled) {
			fate = kgo.ErrClientClosed
		}
		r.finish(fate)
	}
}

// wait waits until nothing is left to send.
func (s *solo) wait(ctx context.Context) error {
	s.mu.Lock()
	if !s.running {
		s.mu.Unlock()
		return nil
	}
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	idle := s.idle
	s.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *solo) close() {
	s.mu.Lock()
	s.closed = true
	if s.cancel != nil {
		s.cancel()
	}
	s.mu.Unlock()
	s.done.Wait()
}
