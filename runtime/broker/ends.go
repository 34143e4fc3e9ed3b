package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"faust/runtime/topic"
)

// A cluster can lose the end of a transaction: its coordinator has it as committed, or as aborted, and some of the partitions it wrote to never hear of that. Kafka 4.3.0
// and 4.3.1 do so when a partition is without a leader at that moment, as all are whose only broker is being stopped in order (KAFKA-20734). Nothing behind the
// transaction is given out then, for good, in such a partition; or offsets are not. Only who wrote it knows for certain how it ended: so that one looks from time
// to time whether its transactions are over where they wrote, and ends those that are not once more, the way they ended. Any transaction of the same
// producer that takes in such a partition does that.

// Ends is how the transactions of one id ended. It outlives the Transactors of that id, of which there is one at a time, and is used by whoever uses that.
type Ends struct {
	Sibling func(id string) bool // tells the ids of other members of the group; nil: there are none

	broke atomic.Bool // a connection did, since it was looked last

	mu     sync.Mutex
	topics map[string]bool // that were written to; nil: none

	kept      []end // the newest transactions, oldest first
	told      end   // the newest one that had offsets
	group     *Group
	positions []topic.Partition // whose offsets those were
}

// end is how a transaction ended. Producer and epoch name it in clusters whose transactions are of the second version; in others nothing is ended once more.
type end struct {
	producer int64
	epoch    int16
	outcome  outcome
}

type outcome int8

const (
	aborted   outcome = iota // or never told to commit
	committed                // the coordinator said so
	unknown                  // it was told to, and its answer was lost
)

// keptEnds is how many transactions are remembered: more than there are between two looks.
const keptEnds = 1024

// begun takes note of a transaction that begins.
func (e *Ends) begun(producer int64, epoch int16) {
	if len(e.kept) == keptEnds {
		e.kept = append(e.kept[:0], e.kept[keptEnds/2:]...)
	}
	e.kept = append(e.kept, end{producer: producer, epoch: epoch})
}

// offsets takes note of a group whose offsets the newest transaction has.
func (e *Ends) offsets(g *Group, positions map[topic.Partition]Position) {
	if len(e.kept) == 0 {
		return
	}
	e.told, e.group, e.positions = e.kept[len(e.kept)-1], g, e.positions[:0]
	for p := range positions {
		e.positions = append(e.positions, p)
	}
}

// ended takes note of how the newest transaction ended.
func (e *Ends) ended(how outcome) {
	if len(e.kept) > 0 {
		e.kept[len(e.kept)-1].outcome = how
	}
}

// outcome tells how a transaction ended.
func (e *Ends) outcome(producer int64, epoch int16) outcome {
	for i := len(e.kept) - 1; i >= 0; i-- {
		if k := e.kept[i]; k.producer == producer && k.epoch == epoch {
			return k.outcome
		}
	}
	if len(e.kept) > 0 && e.kept[0].producer == producer && e.kept[0].epoch < epoch {
		return aborted // the client took an epoch of its own
	}
	return unknown
}

// Broke tells whether a connection broke since it was looked last, so that ends may have been lost.
func (e *Ends) Broke() bool { return e.broke.Load() }

// Any tells whether there have been transactions.
func (e *Ends) Any() bool { return len(e.kept) > 0 }

// OnBrokerDisconnect implements kgo.HookBrokerDisconnect.
func (e *Ends) OnBrokerDisconnect(kgo.BrokerMetadata, net.Conn) { e.broke.Store(true) }

// noting makes partitioners, and notes of which topics.
type noting struct {
	kgo.Partitioner
	ends *Ends
}

// ForTopic implements kgo.Partitioner.
func (n noting) ForTopic(name string) kgo.TopicPartitioner {
	n.ends.mu.Lock()
	if n.ends.topics == nil {
		n.ends.topics = map[string]bool{}
	}
	n.ends.topics[name] = true
	n.ends.mu.Unlock()
	return n.Partitioner.ForTopic(name)
}

func (e *Ends) written() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Keys(e.topics))
}

// lost tells whether the answer was that says how the newest transaction ended.
func (e *Ends) lost() bool { return len(e.kept) > 0 && e.kept[len(e.kept)-1].outcome == unknown }

// settle learns how the newest transaction ended, if an answer was lost, by asking to abort it: that is refused if it was committed.
func (e *Ends) settle(ctx context.Context, kafka *kgo.Client, id string) error {
	if !e.lost() {
		return nil
	}
	_, _, err := endTransaction(ctx, kafka, id, e.kept[len(e.kept)-1], false)
	var k *kerr.Error
	switch {
	case err == nil:
		e.ended(aborted)
	case errors.Is(err, kerr.InvalidTxnState):
		e.ended(committed)
	case errors.As(err, &k) && !k.Retriable && !errors.Is(err, kerr.ConcurrentTransactions):
		// Nobody can tell any more, as when another one has the id by now: it stays unknown.
	default:
		return err
	}
	return nil
}

// EndAgain looks whether the transactions of this id are over in all partitions they wrote to and for the group, and ends those that are not once more, as they ended. None may
// be under way. If there were some, the Transactor is of no use any more then, and what the one opened next finds tells whether all is well.
func (t *Transactor) EndAgain(ctx context.Context) (lost int, err error) {
	if !t.implicit || !t.ends.Any() {
		return 0, nil
	}
	t.ends.broke.Store(false)
	left, err := t.open(ctx)
	for _, of := range left {
		lost += len(of.partitions) + len(of.offsets)
	}
	if lost == 0 {
		if err != nil {
			err = t.wrap(err, "look for transactions without an end")
		}
		return 0, err
	}
	var now end
	if now.producer, now.epoch, err = t.kafka.ProducerID(ctx); err != nil {
		return lost, t.wrap(err, "end transactions once more")
	}
	for how, of := range left {
		if now.producer, now.epoch, err = t.endAgain(ctx, now, how, of); err != nil {
			return lost, t.wrap(err, "end transactions once more")
		}
	}
	return lost, nil
}

// leftOpen is what transactions of one outcome left open.
type leftOpen struct {
	partitions []topic.Partition
	offsets    []topic.Partition
}

// open finds what is open although its coordinator has ended it. After an error there may be more.
func (t *Transactor) open(ctx context.Context) (map[outcome]leftOpen, error) {
	described, err := t.admin.DescribeTransactions(ctx, t.id)
	if err != nil {
		return nil, err
	}
	// From here on what is open has been forgotten: the coordinator is done before it says so, and nothing new is begun meanwhile.
	if s := described[t.id].State; s != "Empty" && s != "CompleteCommit" && s != "CompleteAbort" {
		return nil, fmt.Errorf("the last transaction is not over: %s", s)
	}
	left := map[outcome]leftOpen{}
	err = t.openPartitions(ctx, described[t.id].ProducerID, left)
	how := t.ends.outcome(t.ends.told.producer, t.ends.told.epoch)
	if t.ends.group == nil || how == unknown {
		return left, err
	}
	held, failed := t.heldOffsets(ctx)
	if len(held) > 0 {
		of := left[how]
		of.offsets = held
		left[how] = of
	}
	return left, cmp.Or(err, failed)
}

// openPartitions adds those in which a transaction of the producer is open, of which it is known how it ended.
func (t *Transactor) openPartitions(ctx context.Context, producer int64, left map[outcome]leftOpen) error {
	open, err := t.openIn(ctx, t.ends.written(), producer)
	for p, epoch := range open {
		if how := t.ends.outcome(producer, epoch); how != unknown {
			of := left[how]
			of.partitions = append(of.partitions, p)
			left[how] = of
		}
	}
	return err
}

// openIn finds the partitions of topics in which a transaction of a producer is open, and its epoch there. Topics that this user may not read are left out. After an error there may be more.
func (c *Client) openIn(ctx context.Context, names []string, producer int64) (map[topic.Partition]int16, error) {
	if len(names) == 0 {
		return nil, nil
	}
	meta, err := c.admin.Metadata(ctx, names...)
	if err != nil {
		return nil, err
	}
	open := map[topic.Partition]int16{}
	for name, ids := range meta.Topics.TopicsSet() {
		if len(ids) == 0 {
			continue // it is not there
		}
		topics, failed := c.admin.DescribeProducers(ctx, kadm.TopicsSet{name: ids})
		var denied *kadm.AuthError
		if !errors.As(failed, &denied) {
			err = cmp.Or(err, failed)
		}
		for id, p := range topics[name].Partitions {
			err = cmp.Or(err, p.Err)
			if d, ok := p.ActiveProducers[producer]; ok && d.CurrentTxnStartOffset >= 0 {
				open[topic.Partition{Topic: name, ID: id}] = d.ProducerEpoch
			}
		}
	}
	return open, err
}

// What looks at offsets of the group, one after the other: a transaction of another member, if they are its partitions now, is over meanwhile. One of a member that died
// is not, and while others have some the embedded broker gives out no offsets of the group at all: so there are more looks then, until there is one without.
const (
	heldLooks     = 5
	heldLooksMost = 10
	heldPause     = 200 * time.Millisecond
)

// heldOffsets finds those of the newest transaction with offsets that the group does not give out, unless another member's transaction may be why.
func (t *Transactor) heldOffsets(ctx context.Context) (held []topic.Partition, err error) {
	var open []OpenTransaction // all the time, by others
	for looks := 1; ; looks++ {
		if held, err = t.unstable(ctx); err != nil || len(held) == 0 {
			return nil, err
		}
		now, err := t.openBySiblings(ctx)
		if err != nil {
			return nil, err
		}
		if looks == 1 {
			open = now
		}
		open = slices.DeleteFunc(open, func(o OpenTransaction) bool { return !slices.Contains(now, o) })
		switch {
		case looks >= heldLooks && len(now) == 0, looks == heldLooksMost && len(open) == 0:
			return held, nil
		case looks == heldLooksMost:
			return nil, nil
		}
		select {
		case <-time.After(heldPause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// openBySiblings lists what other members of the group have under way.
func (t *Transactor) openBySiblings(ctx context.Context) ([]OpenTransaction, error) {
	if t.ends.Sibling == nil {
		return nil, nil
	}
	return t.OpenTransactions(ctx, t.ends.Sibling)
}

// unstable finds those of the newest transaction with offsets that the group does not give out now.
func (t *Transactor) unstable(ctx context.Context) (held []topic.Partition, err error) {
	resp, err := stableOffsets(t.ends.group.group.Group, t.ends.positions).RequestWith(ctx, t.kafka)
	if err != nil {
		return nil, err
	}
	for _, g := range resp.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil {
			return nil, err
		}
		for _, of := range g.Topics {
			for _, p := range of.Partitions {
				if p.ErrorCode == kerr.UnstableOffsetCommit.Code {
					held = append(held, topic.Partition{Topic: of.Topic, ID: p.Partition})
				}
			}
		}
	}
	return held, nil
}

// endAgain makes a transaction of what was left open, and ends it. What it gives is for the next one.
func (t *Transactor) endAgain(ctx context.Context, now end, how outcome, of leftOpen) (int64, int16, error) {
	if len(of.partitions) > 0 {
		req := kmsg.NewPtrAddPartitionsToTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch = t.id, now.producer, now.epoch
		for name, ids := range byTopic(of.partitions) {
			rt := kmsg.NewAddPartitionsToTxnRequestTopic()
			rt.Topic, rt.Partitions = name, ids
			req.Topics = append(req.Topics, rt)
		}
		err := patiently(ctx, func() error {
			resp, err := req.RequestWith(ctx, t.kafka)
			if err != nil {
				return err
			}
			for _, of := range resp.Topics {
				for _, p := range of.Partitions {
					if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
						return fmt.Errorf("%s/%d: %w", of.Topic, p.Partition, err)
					}
				}
			}
			return nil
		})
		if err != nil {
			return 0, 0, err
		}
	}
	if len(of.offsets) > 0 {
		if err := t.addOffsets(ctx, t.ends.group, now.producer, now.epoch); err != nil {
			return 0, 0, err
		}
	}
	return endTransaction(ctx, t.kafka, t.id, now, how == committed)
}

// endTransaction ends a transaction, past what the client knows of it. What it gives is for the next one.
func endTransaction(ctx context.Context, kafka *kgo.Client, id string, which end, commit bool) (producer int64, epoch int16, err error) {
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = id, which.producer, which.epoch, commit
	err = patiently(ctx, func() error {
		resp, err := req.RequestWith(ctx, kafka)
		if err != nil {
			return err
		}
		producer, epoch = resp.ProducerID, resp.ProducerEpoch
		return kerr.ErrorForCode(resp.ErrorCode)
	})
	return producer, epoch, err
}
