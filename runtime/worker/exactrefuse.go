package worker

import (
	"context"
	"maps"
	"strconv"

	"faust/runtime/agent"
	"faust/runtime/broker"
	"faust/runtime/topic"
)

// A record that the broker refuses ends its transaction, and with it all others of its batch fail. So their events are suspects: when they come again, after the
// reset, what they send is sent one by one. A record that is refused then is left out the next time, and its event goes before the policy.

// suspect takes note of the events whose records failed. Answers for which nobody waits any more, since the topic they go to is gone, are refused at once:
// there may be many, and their topic tells that it is no other record's fault.
func (x *exact) suspect(c *collected, failed map[int]error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i, err := range failed {
		if d := &c.deliveries[i]; agent.IsAnswer(&d.record) && broker.Nowhere(err) {
			x.leaveOut(refusal{d.origin, 0}, &d.record, err)
		} else {
			x.suspects[d.origin] = true
		}
	}
}

// alone sends the records of suspects one by one, and tells which these are. The error is that of the first which is refused.
func (x *exact) alone(ctx context.Context, tx *broker.Transactor, c *collected, p *dispatch) (map[int]bool, error) {
	x.mu.Lock()
	suspects := maps.Clone(x.suspects)
	x.mu.Unlock()
	if len(suspects) == 0 {
		return nil, nil
	}
	done, count := map[int]bool{}, map[origin]int{}
	for i := range c.deliveries {
		d := &c.deliveries[i]
		n := count[d.origin]
		for x.refusals[refusal{d.origin, n}] != nil { // left out
			n++
		}
		count[d.origin] = n + 1
		if !suspects[d.origin] {
			continue
		}
		tx.Post(x.run.link.ctx, &d.record, p, &broker.Note{Epoch: int64(i)})
		if err := tx.Flush(ctx); err != nil {
			return nil, err
		}
		done[i] = true
		p.mu.Lock()
		refused := p.failed[i]
		p.mu.Unlock()
		if refused != nil {
			x.refuse(refusal{d.origin, n}, &d.record, refused)
			return nil, refused
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for o := range count { // they are not to blame, if this transaction is committed
		delete(x.suspects, o)
	}
	return done, nil
}

// refuse takes note of a record that the broker does not take.
func (x *exact) refuse(which refusal, r *topic.Record, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.leaveOut(which, r, err)
}

// leaveOut is refuse with x.mu held.
func (x *exact) leaveOut(which refusal, r *topic.Record, err error) {
	x.run.metrics.refused.Inc()
	x.run.log.Debug("record refused", "topic", r.Topic, "agent", which.agent, "err", err)
	x.refusals[which] = err
	x.refusing.Store(true)
}

// refused implements agent.Exact's Refused.
func (x *exact) refused(c *agent.Cause, n int) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	which := refusal{originOf(c), n}
	err := x.refusals[which]
	if err != nil && which.row != "" {
		x.told[which] = true
	}
	return err
}

// passes deals with the records that no policy decides about, if they are refused: answers, for which nobody waits any more, are dropped, dead letters lose
// their message. false: nothing is left to send.
func (x *exact) passes(d *delivery) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	which := refusal{d.origin, 0}
	if x.refusals[which] == nil {
		return true
	}
	x.told[which] = true
	switch r := &d.record; {
	case agent.IsAnswer(r):
		return false
	case agent.IsLetter(r):
		*r = shortened(r)
	}
	return true
}

// buried is the origin of a dead letter.
func buried(r *topic.Record) origin {
	name, _ := r.Header(agent.HeaderAgent)
	in, _ := r.Header(agent.HeaderTopic)
	id, _ := r.Header(agent.HeaderPartition)
	at, _ := r.Header(agent.HeaderOffset)
	partition, _ := strconv.ParseInt(string(id), 10, 32)
	offset, _ := strconv.ParseInt(string(at), 10, 64)
	o := origin{agent: "letter of " + string(name), in: topic.Partition{Topic: string(in), ID: int32(partition)}, offset: offset}
	if window, closes := r.Header(agent.HeaderWindow); closes && offset < 0 {
		o.row = string(window) + " " + string(r.Key)
	}
	return o
}

// forget drops what is known of events that are committed.
func (x *exact) forget(c *collected) {
	if !x.refusing.Load() {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	maps.DeleteFunc(x.refusals, func(which refusal, _ error) bool {
		if which.row != "" {
			return x.told[which]
		}
		pos, ok := c.positions[which.in]
		return ok && pos.Offset > which.offset
	})
	clear(x.told)
	x.refusing.Store(len(x.refusals) > 0)
}
