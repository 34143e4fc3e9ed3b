package worker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"faust/runtime/agent"
	"faust/runtime/broker"
	"faust/runtime/topic"
)

// replyRetention is how long answers are kept that nobody came to delete.
const replyRetention = 10 * time.Minute

// replies are the requests that wait for an answer and the topic the answers come on. The topic is made at the first request.
type replies struct {
	mu      sync.Mutex
	topic   string
	next    int64
	waiting map[string]*request
	reader  *reader
	closed  error
}

// reader is one attempt at reading the reply topic.
type reader struct {
	ready chan struct{} // answers to what is sent from now on will be seen
	done  chan struct{} // reading ended
	err   error         // why; valid after done
}

type request struct {
	answer func(topic.Record, error)
	forget func() bool // stops watching the context
}

// request sends r with what an answer needs and calls answer once, unless it gives an error.
func (l *link) request(ctx context.Context, r *topic.Record, answer func(topic.Record, error)) error {
	c, err := l.touch(ctx, r.Topic)
	if err != nil {
		return err
	}
	replyTo, err := l.listen(ctx, c)
	if err != nil {
		return fmt.Errorf("open reply topic: %w", err)
	}
	id, err := l.replies.add(ctx, answer)
	if err != nil {
		return err
	}
	headers := append(make([]topic.Header, 0, len(r.Headers)+2), r.Headers...)
	r.Headers = append(headers, topic.Header{Key: agent.HeaderReplyTo, Value: []byte(replyTo)}, topic.Header{Key: agent.HeaderCorrelation, Value: []byte(id)})
	err = l.produce(ctx, c, r, func(_ topic.Record, err error) {
		if err != nil {
			l.replies.settle(id, topic.Record{}, fmt.Errorf("request: %w", err))
		}
	})
	if err != nil && l.replies.take(id) != nil {
		return err
	}
	return nil
}

// listen gives the reply topic once it is being read.
func (l *link) listen(ctx context.Context, c *broker.Client) (string, error) {
	p := &l.replies
	p.mu.Lock()
	if p.closed != nil {
		p.mu.Unlock()
		return "", p.closed
	}
	if p.topic == "" {
		p.topic = l.app.Settings.Internal("reply", uuid.NewString())
		p.waiting = map[string]*request{}
	}
	name, rd := p.topic, p.reader
	if rd == nil {
		rd = &reader{ready: make(chan struct{}), done: make(chan struct{})}
		p.reader = rd
		l.readers.Go(func() { l.read(c, name, rd) })
	}
	p.mu.Unlock()
	select {
	case <-rd.ready:
		return name, nil
	case <-rd.done:
		return "", rd.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// read makes the reply topic and reads it until the link closes or reading fails; the next request tries again then.
func (l *link) read(c *broker.Client, name string, rd *reader) {
	t := topic.Topic{Name: name, Partitions: 1, Retention: replyRetention, Internal: true}
	err := l.ensure(l.ctx, []topic.Topic{t})
	if err == nil {
		err = c.Tail(l.ctx, name, func() { close(rd.ready) }, func(r topic.Record) {
			if id, ok := r.Header(agent.HeaderCorrelation); ok {
				l.replies.settle(string(id), r.Clone(), nil)
			}
		})
	}
	if err == nil {
		err = errClosed
	}
	rd.err = err
	l.replies.lost(rd)
	close(rd.done)
}

// add registers a request; the end of ctx answers it.
func (p *replies) add(ctx context.Context, answer func(topic.Record, error)) (id string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed != nil {
		return "", p.closed
	}
	p.next++
	id = strconv.FormatInt(p.next, 10)
	p.waiting[id] = &request{answer: answer, forget: context.AfterFunc(ctx, func() {
		p.settle(id, topic.Record{}, ended(ctx))
	})}
	return id, nil
}

// ended is why ctx ended: its cause, and for a time-out always an error that is context.DeadlineExceeded.
func ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	if ctx.Err() != nil && !errors.Is(cause, ctx.Err()) {
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return cause
}

// take removes a request; nil: it was answered.
func (p *replies) take(id string) *request {
	p.mu.Lock()
	r := p.waiting[id]
	delete(p.waiting, id)
	p.mu.Unlock()
	if r != nil {
		r.forget()
	}
	return r
}

// settle answers a request if it still waits.
func (p *replies) settle(id string, r topic.Record, err error) {
	if q := p.take(id); q != nil {
		q.answer(r, err)
	}
}

// lost answers everything that waits after rd ended.
func (p *replies) lost(rd *reader) {
	p.mu.Lock()
	if p.reader == rd {
		p.reader = nil
	}
	ids := make([]string, 0, len(p.waiting))
	for id := range p.waiting {
		ids = append(ids, id)
	}
	p.mu.Unlock()
	for _, id := range ids {
		p.settle(id, topic.Record{}, fmt.Errorf("read answers: %w", rd.err))
	}
}

// count is how many requests wait.
func (p *replies) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting)
}

// close answers what waits with errStopping and deletes the reply topic.
func (p *replies) close(ctx context.Context, l *link) {
	p.mu.Lock()
	p.closed = errStopping
	ids := make([]string, 0, len(p.waiting))
	for id := range p.waiting {
		ids = append(ids, id)
	}
	name := p.topic
	p.mu.Unlock()
	for _, id := range ids {
		p.settle(id, topic.Record{}, errStopping)
	}
	if c := l.client.Load(); c != nil && name != "" {
		if err := c.Delete(ctx, name); err != nil {
			l.log.Debug("reply topic not deleted", "topic", name, "err", err)
		}
	}
}
