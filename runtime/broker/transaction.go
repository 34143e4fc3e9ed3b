package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"faust/runtime/topic"
)

// Transactor writes transactions: records, and offsets of a group, all of them or none. It is a Client that sends nothing outside of them. A transaction is
// Begin, Post, Flush, Offsets and Commit, in this order, on one goroutine. After any error the outcome may be unknown: Close, open another one with the
// same id, which decides it, and ask the group for its offsets.
type Transactor struct {
	*Client
	id       string
	implicit bool // the broker adds to a transaction whatever is sent in it
	ends     *Ends

	producer int64 // as which the transaction under way was begun
	epoch    int16
}

// txnBackoff is how long what the coordinator cannot do yet waits before it is tried again.
const txnBackoff = 20 * time.Millisecond

// OpenTransactor opens a Transactor. A transaction that an earlier one of the same id left open is aborted, and if that lives still, it can commit nothing any more. A
// transaction that takes longer than the timeout is aborted by the broker. ends is that of the earlier Transactors of this id, or a new one.
func (c *Client) OpenTransactor(ctx context.Context, id string, timeout time.Duration, ends *Ends) (*Transactor, error) {
	implicit, err := c.implicitTransactions(ctx)
	if err != nil {
		return nil, c.wrap(err, "ask for the features of the cluster")
	}
	if implicit {
		if err := ends.settle(ctx, c.kafka, id); err != nil {
			return nil, c.wrap(err, "learn how the last transaction of %s ended", id)
		}
	}
	cfg := c.cfg
	cfg.Metrics = nil
	t := &Transactor{Client: &Client{cfg: cfg, topics: c.topics, whole: true}, id: id, implicit: implicit, ends: ends}
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(kmsg.NewPtrAddPartitionsToTxnRequest().Key(), 3) // from 4 on it is for brokers
	if implicit {
		versions.SetMaxKeyVersion(kmsg.NewPtrTxnOffsetCommitRequest().Key(), 5) // from 6 on they go by topic id
	} else {
		versions.SetMaxKeyVersion(kmsg.NewPtrTxnOffsetCommitRequest().Key(), 4)
	}
	kafka, err := kgo.NewClient(append(append(cfg.options("transactor"), t.producing()...),
		kgo.TransactionalID(id), kgo.TransactionTimeout(timeout), kgo.MaxVersions(versions), kgo.ProducerLinger(0),
		kgo.RecordPartitioner(noting{c.topics, ends}), kgo.WithHooks(ends))...)
	if err != nil {
		return nil, fmt.Errorf("open transactions: %w", err)
	}
	t.kafka, t.admin = kafka, kadm.NewClient(kafka)
	if _, _, err := kafka.ProducerID(ctx); err != nil {
		t.Close()
		if errors.Is(err, kerr.TransactionalIDAuthorizationFailed) {
			return nil, &Error{Class: Authorization, Addr: "transactional id " + id, Err: err}
		}
		return nil, c.wrap(err, "open transactions of %s", id)
	}
	return t, nil
}

// implicitTransactions tells whether the cluster has transactions of the second version.
func (c *Client) implicitTransactions(ctx context.Context) (bool, error) {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "faust", "1"
	resp, err := req.RequestWith(ctx, c.kafka)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return false, err
	}
	for _, f := range resp.FinalizedFeatures {
		if f.Name == "transaction.version" {
			return f.MaxVersionLevel >= 2, nil
		}
	}
	return false, nil
}

// Begin begins a transaction.
func (t *Transactor) Begin() error {
	err := t.kafka.BeginTransaction()
	if err == nil {
		t.producer, t.epoch, err = t.kafka.ProducerID(context.Background())
	}
	if err != nil {
		return t.wrap(err, "begin a transaction")
	}
	t.ends.begun(t.producer, t.epoch)
	return nil
}

// errReplaced: the client took a new epoch by itself, which ended the transaction; what it does from then on is another one.
var errReplaced = errors.New("the transaction was ended by the broker meanwhile")

// same makes sure that the transaction is still the one that was begun.
func (t *Transactor) same(ctx context.Context) error {
	producer, epoch, err := t.kafka.ProducerID(ctx)
	if err == nil && (producer != t.producer || epoch != t.epoch) {
		err = errReplaced
	}
	return err
}

// Offsets makes positions of a group a part of the transaction, in the name of a member. They are stored when it is committed. The error wraps ErrRebalanced if
// one of the partitions is not this member's any more, or the member is of an older generation: nothing of them is stored then, and it may be tried again.
func (t *Transactor) Offsets(ctx context.Context, g *Group, positions map[topic.Partition]Position) error {
	if err := t.same(ctx); err != nil {
		return t.wrap(err, "commit offsets")
	}
	if !t.implicit {
		if err := t.addOffsets(ctx, g, t.producer, t.epoch); err != nil {
			return t.wrap(err, "commit offsets")
		}
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = t.id, g.group.Group, t.producer, t.epoch
	req.Topics = positionTopics(positions)
	t.ends.offsets(g, positions)
	err := g.once(ctx, t.kafka, func(coordinator *kgo.Broker) error {
		req.MemberID, req.Generation = g.Member()
		if req.MemberID == "" || !g.owns(positions) {
			return ErrRebalanced
		}
		resp, err := coordinator.Request(ctx, req) // in older clusters the next transaction has the same epoch, and one that was sent again could arrive in that
		if err != nil {
			return err
		}
		for _, of := range resp.(*kmsg.TxnOffsetCommitResponse).Topics {
			for _, p := range of.Partitions {
				if err := membership(p.ErrorCode); err != nil {
					return fmt.Errorf("%s/%d: %w", of.Topic, p.Partition, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		return t.wrap(err, "commit offsets of group %s", g.group.Group)
	}
	return nil
}

func positionTopics(positions map[topic.Partition]Position) (list []kmsg.TxnOffsetCommitRequestTopic) {
	at := map[string]int{}
	for p, pos := range positions {
		i, ok := at[p.Topic]
		if !ok {
			i = len(list)
			at[p.Topic] = i
			t := kmsg.NewTxnOffsetCommitRequestTopic()
			t.Topic = p.Topic
			list = append(list, t)
		}
		rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		rp.Partition, rp.Offset, rp.LeaderEpoch, rp.Metadata = p.ID, pos.Offset, -1, kmsg.StringPtr(pos.Metadata)
		list[i].Partitions = append(list[i].Partitions, rp)
	}
	return list
}

// owns tells whether all partitions are this member's.
func (g *Group) owns(positions map[topic.Partition]Position) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for p := range positions {
		if !g.owned[p] {
			return false
		}
	}
	return true
}

// addOffsets tells the coordinator of transactions that a group is part of this one.
func (t *Transactor) addOffsets(ctx context.Context, g *Group, producer int64, epoch int16) error {
	return patiently(ctx, func() error {
		req := kmsg.NewPtrAddOffsetsToTxnRequest()
		req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = t.id, g.group.Group, producer, epoch
		resp, err := req.RequestWith(ctx, t.kafka)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.ErrorCode)
	})
}

// patiently repeats what a coordinator is not ready for, until ctx ends.
func patiently(ctx context.Context, f func() error) error {
	for {
		err := f()
		var k *kerr.Error
		if !errors.As(err, &k) || !k.Retriable && !errors.Is(err, kerr.ConcurrentTransactions) || errors.Is(err, ErrRebalanced) {
			return err
		}
		select {
		case <-time.After(txnBackoff):
		case <-ctx.Done():
			return err
		}
	}
}

// Commit ends the transaction. Only nil is a commit; what an error means is not known.
func (t *Transactor) Commit(ctx context.Context) error {
	err := t.same(ctx)
	if err == nil {
		t.ends.ended(unknown)
		err = t.kafka.EndTransaction(ctx, kgo.TryCommit)
	}
	if err != nil {
		return t.wrap(err, "commit a transaction")
	}
	t.ends.ended(committed)
	return nil
}

// Abort ends the transaction that is under way, if any, so that readers need not wait for its time-out. It is of no use any more then.
func (t *Transactor) Abort(ctx context.Context) {
	if t.implicit && t.ends.lost() {
		_ = t.ends.settle(ctx, t.kafka, t.id) // before the client takes another epoch, after which nobody can tell
		return
	}
	if t.kafka.AbortBufferedRecords(ctx) == nil {
		_ = t.kafka.EndTransaction(ctx, kgo.TryAbort) // whoever opens the next one aborts it as well
	}
}

// Positions reads what the group has committed in partitions, of those of which something was, once transactions that have a say in it are over. Those of other
// partitions, which their owners go on with, it does not wait for. What is beyond the end of a partition was committed in another life of the topic, and is left out.
func (g *Group) Positions(ctx context.Context, ps []topic.Partition) (map[topic.Partition]Position, error) {
	out := map[topic.Partition]Position{}
	if len(ps) == 0 {
		return out, nil
	}
	req := stableOffsets(g.group.Group, ps)
	err := patiently(ctx, func() error {
		resp, err := req.RequestWith(ctx, g.kafka)
		if err == nil {
			err = positions(resp, out)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the offsets of group %s: %w", g.group.Group, g.wrap(err))
	}
	return out, g.within(ctx, out)
}

// within takes out the positions that are beyond the end of their partition, as far as that is there.
func (g *Group) within(ctx context.Context, positions map[topic.Partition]Position) error {
	if len(positions) == 0 {
		return nil
	}
	names := slices.Collect(maps.Keys(byTopic(slices.Collect(maps.Keys(positions)))))
	ends, err := g.admin.ListEndOffsets(ctx, names...)
	for p, pos := range positions {
		end, ok := ends.Lookup(p.Topic, p.ID)
		switch {
		case !ok || errors.Is(end.Err, kerr.UnknownTopicOrPartition):
		case end.Err != nil:
			err = cmp.Or(err, end.Err)
		case pos.Offset > end.Offset:
			delete(positions, p)
		}
	}
	if err != nil {
		return fmt.Errorf("read the ends of the topics of group %s: %w", g.group.Group, g.wrap(err))
	}
	return nil
}

// stableOffsets asks for what a group has committed in partitions, once no transaction has a say in it.
func stableOffsets(group string, ps []topic.Partition) *kmsg.OffsetFetchRequest {
	wanted := kmsg.NewOffsetFetchRequestGroup()
	wanted.Group = group
	for name, ids := range byTopic(ps) {
		t := kmsg.NewOffsetFetchRequestGroupTopic()
		t.Topic, t.Partitions = name, ids
		wanted.Topics = append(wanted.Topics, t)
	}
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true
	req.Groups = append(req.Groups, wanted)
	return req
}

// positions takes those of an answer.
func positions(resp *kmsg.OffsetFetchResponse, out map[topic.Partition]Position) error {
	err := kerr.ErrorForCode(resp.ErrorCode)
	for _, group := range resp.Groups {
		err = cmp.Or(err, kerr.ErrorForCode(group.ErrorCode))
		for _, t := range group.Topics {
			for _, p := range t.Partitions {
				err = cmp.Or(err, kerr.ErrorForCode(p.ErrorCode))
				if p.Offset < 0 {
					continue
				}
				pos := Position{Offset: p.Offset}
				if p.Metadata != nil {
					pos.Metadata = *p.Metadata
				}
				out[topic.Partition{Topic: t.Topic, ID: p.Partition}] = pos
			}
		}
	}
	return err
}

// OpenTransaction is one that is under way: the id of whose it is, and when it began, by the broker's clock.
type OpenTransaction struct {
	ID    string
	Start int64 // milliseconds
}

// OpenTransactions lists what is under way in the cluster, of ids that this user may see and whose keep keeps.
func (c *Client) OpenTransactions(ctx context.Context, keep func(id string) bool) ([]OpenTransaction, error) {
	listed, err := c.admin.ListTransactions(ctx, nil, []string{"Ongoing"})
	if err != nil {
		return nil, c.wrap(err, "list transactions")
	}
	var ids []string
	for id := range listed {
		if keep(id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	described, err := c.admin.DescribeTransactions(ctx, ids...)
	if err != nil {
		return nil, c.wrap(err, "describe transactions")
	}
	var open []OpenTransaction
	for id, t := range described {
		if t.Err == nil && t.State == "Ongoing" {
			open = append(open, OpenTransaction{id, t.StartTimestamp})
		}
	}
	return open, nil
}

// EndTransaction aborts the transaction that is under way under an id. Whoever wrote it can commit nothing any more before it opens a new one.
func (c *Client) EndTransaction(ctx context.Context, id string) error {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = &id, int32(time.Minute.Milliseconds())
	req.ProducerID, req.ProducerEpoch = -1, -1
	err := patiently(ctx, func() error {
		resp, err := req.RequestWith(ctx, c.kafka)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.ErrorCode)
	})
	if err != nil {
		return c.wrap(err, "end the transaction of %s", id)
	}
	return nil
}
