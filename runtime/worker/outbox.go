package worker

import (
	"context"
	"errors"
	"strings"
	"sync"

	"faust/runtime/agent"
	"faust/runtime/broker"
	"faust/runtime/topic"
)

// outbox takes what events send. It counts what is not yet acknowledged by epoch: seal ends an epoch, flush waits until it and
// all before it are stored. It implements agent.Sender.
type outbox struct {
	link    *link
	metrics *metrics
	report  agent.Reporter
	refused *serial
	version int
	fail    func(err error) // ends the worker; called once

	mu      sync.Mutex
	epoch   int64   // of what is sent now
	first   int64   // the epoch that counts[0] belongs to
	counts  []int64 // unacknowledged, by epoch
	err     error   // why nothing can be flushed any more
	changed chan struct{}
}

// Send queues r in the current epoch.
func (o *outbox) Send(ctx context.Context, r *topic.Record, cause *agent.Cause) error {
	c := o.link.client.Load()
	if c == nil {
		var err error
		if c, err = o.link.touch(ctx, r.Topic); err != nil {
			return err
		}
	}
	return o.post(ctx, c, o.begin(), r, cause)
}

// post sends r, which its epoch counts already.
func (o *outbox) post(ctx context.Context, c *broker.Client, epoch int64, r *topic.Record, cause *agent.Cause) error {
	note := broker.Note{Epoch: epoch, Size: size(r)}
	if cause != nil {
		note.Owner, note.Origin = cause.Agent, cause.Record
	}
	if err := o.link.gauge.take(ctx, note.Size); err != nil {
		o.end(epoch)
		return err
	}
	c.Post(o.link.ctx, r, o, &note)
	o.metrics.sent.Inc()
	return nil
}

// change sends a record of a changelog in the current epoch. A broker that does not take it ends the worker: state cannot go on without.
func (o *outbox) change(ctx context.Context, r *topic.Record, h *holding) error {
	c, err := h.state.writer.connect(ctx)
	if err != nil {
		return err
	}
	note := broker.Note{Epoch: o.begin(), Size: size(r)}
	if err := o.link.gauge.take(ctx, note.Size); err != nil {
		o.end(note.Epoch)
		return err
	}
	c.Post(o.link.ctx, r, (*changes)(h), &note)
	return nil
}

// changes is a holding that hears of its changelog records.
type changes holding

// Stored implements broker.Receipt.
func (h *changes) Stored(s *broker.Sending, err error) {
	o := h.state.run.box
	o.link.gauge.give(s.Note.Size)
	if err != nil && !errors.Is(err, broker.ErrClosed) {
		if broker.Missing(err) {
			err = replacedError(h.key.table.Changelog.Name)
		}
		o.broken(err)
		return
	}
	if err != nil { // the writer was fenced
		h.unwritten.Store(true)
	} else {
		(*holding)(h).stored(s.Record().Offset)
	}
	o.end(s.Note.Epoch)
}

// Stored implements broker.Receipt for what post sends.
func (o *outbox) Stored(s *broker.Sending, err error) {
	o.link.gauge.give(s.Note.Size)
	if err == nil {
		o.end(s.Note.Epoch)
		return
	}
	cause := &agent.Cause{}
	if s.Note.Origin != nil {
		origin := *s.Note.Origin
		cause.Record = &origin
	}
	cause.Agent, _ = s.Note.Owner.(*agent.Definition)
	o.failed(s.Note.Epoch, s.Record(), cause, err)
}

// sendError is why nothing that was sent can be acknowledged any more.
type sendError struct{ error }

func (e *sendError) Unwrap() error { return e.error }

// begin counts a send of the current epoch.
func (o *outbox) begin() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	for int64(len(o.counts)) <= o.epoch-o.first {
		o.counts = append(o.counts, 0)
	}
	o.counts[o.epoch-o.first]++
	return o.epoch
}

// end uncounts a send.
func (o *outbox) end(epoch int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.counts[epoch-o.first]--
	if o.counts[epoch-o.first] > 0 {
		return // flush waits for epochs that are empty
	}
	for o.first < o.epoch && len(o.counts) > 0 && o.counts[0] == 0 {
		o.counts = o.counts[1:]
		o.first++
	}
	if len(o.counts) == 0 {
		o.first = o.epoch
	}
	o.wake()
}

// wake tells those who wait in flush to look again; o.mu is held.
func (o *outbox) wake() {
	if o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
}

// seal ends the epoch and gives its number.
func (o *outbox) seal() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.epoch++
	if len(o.counts) == 0 {
		o.first = o.epoch
	}
	return o.epoch - 1
}

// flush waits until everything that was sent in epochs up to the given one is stored.
func (o *outbox) flush(ctx context.Context, epoch int64) error {
	for {
		o.mu.Lock()
		if o.err != nil {
			defer o.mu.Unlock()
			return &sendError{o.err}
		}
		if o.settledLocked(epoch) {
			o.mu.Unlock()
			return nil
		}
		if o.changed == nil {
			o.changed = make(chan struct{})
		}
		changed := o.changed
		o.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (o *outbox) settledLocked(epoch int64) bool {
	for i, n := range o.counts {
		if o.first+int64(i) > epoch {
			break
		}
		if n > 0 {
			return false
		}
	}
	return true
}

// failed hears of a send that was not stored; it runs on the producer's goroutine. r is the producer's own: the sender's may be used again.
func (o *outbox) failed(epoch int64, r topic.Record, cause *agent.Cause, err error) {
	if !broker.Permanent(err) {
		o.broken(err)
		return
	}
	o.refused.add(func(ctx context.Context) { o.refuse(ctx, epoch, &r, cause, err) })
}

// broken makes every flush fail from now on and ends the worker.
func (o *outbox) broken(err error) {
	o.mu.Lock()
	first := o.err == nil
	if first {
		o.err = err
		o.wake()
	}
	o.mu.Unlock()
	if first {
		o.fail(err)
	}
}

// refuse puts the event that sent r before its agent's policy, since the broker does not take r. The epoch stays open until that
// is done, so no offset of the event is committed before.
func (o *outbox) refuse(ctx context.Context, epoch int64, r *topic.Record, cause *agent.Cause, err error) {
	o.metrics.refused.Inc()
	switch {
	case agent.IsAnswer(r):
		// Nobody waits for it any more: that is not the event's failure.
		o.link.log.Debug("answer not delivered", "topic", r.Topic, "err", err)
		o.end(epoch)
		return
	case agent.IsLetter(r):
		o.shorten(ctx, epoch, r, cause, err)
		return
	case cause == nil || cause.Agent == nil:
		o.broken(err)
		return
	}
	err = cause.Refused(ctx, err, agent.ProcessorConfig{
		Agent: cause.Agent, Partition: cause.Record.In(), Sender: late{o, epoch}, Reporter: o.report, AppVersion: o.version,
	})
	if err != nil {
		o.broken(err)
		return
	}
	o.end(epoch)
}

// late sends within an epoch that may be sealed already but is kept open by the caller.
type late struct {
	box   *outbox
	epoch int64
}

// Send implements agent.Sender.
func (s late) Send(ctx context.Context, r *topic.Record, cause *agent.Cause) error {
	c, err := s.box.link.touch(ctx, r.Topic)
	if err != nil {
		return err
	}
	s.box.mu.Lock()
	s.box.counts[s.epoch-s.box.first]++
	s.box.mu.Unlock()
	return s.box.post(ctx, c, s.epoch, r, cause)
}

// shorten sends a dead letter that the broker refused without its value and traceback: its headers name the record, which can be read
// again at its place. If that is refused as well, the worker ends rather than lose it.
func (o *outbox) shorten(ctx context.Context, epoch int64, r *topic.Record, cause *agent.Cause, err error) {
	if _, full := r.Header(agent.HeaderTraceback); !full {
		o.broken(err)
		return
	}
	short := shortened(r)
	o.link.log.Warn("dead letter refused, stored without its message", "topic", r.Topic, "err", err)
	if err := (late{o, epoch}).Send(ctx, &short, cause); err != nil {
		o.broken(err)
		return
	}
	o.end(epoch)
}

// shortened is a dead letter without its message.
func shortened(r *topic.Record) topic.Record {
	short := *r
	short.Partition, short.Key, short.Value, short.Headers = topic.Any, nil, nil, nil
	for _, h := range r.Headers {
		if strings.HasPrefix(h.Key, "faust-") && h.Key != agent.HeaderTraceback {
			short.Headers = append(short.Headers, h)
		}
	}
	return short
}
