package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"faust/runtime/topic"
)

// Committed reads offset and metadata of a partition; offset -1: nothing was committed.
func (g *Group) Committed(ctx context.Context, p topic.Partition) (offset int64, metadata string, err error) {
	all, err := g.admin.FetchOffsets(ctx, g.group.Group)
	if err != nil {
		return -1, "", fmt.Errorf("read the offset of %s: %w", p, g.wrap(err))
	}
	o, ok := all.Lookup(p.Topic, p.ID)
	if !ok {
		return -1, "", nil
	}
	if o.Err != nil {
		return -1, "", fmt.Errorf("read the offset of %s: %w", p, g.wrap(o.Err))
	}
	return o.At, o.Metadata, nil
}

// Position is where a group goes on in a partition: the offset of the next record, and a text for whoever has the partition then.
type Position struct {
	Offset   int64
	Metadata string
}

// Commit stores positions. An error that a rebalance explains wraps ErrRebalanced; the other
// offsets are stored then. A partition that is not owned is not committed, whatever the broker would say.
//
// It does not go through the client's own commit, which waits until a rebalance is over: that can take as long as the slowest member
// needs to give its partitions up, while the broker takes offsets of the present generation all the time.
func (g *Group) Commit(ctx context.Context, positions map[topic.Partition]Position) error {
	return g.commit(positions, func(req *kmsg.OffsetCommitRequest) (*kmsg.OffsetCommitResponse, error) {
		return req.RequestWith(ctx, g.kafka)
	})
}

// CommitOnce is Commit with a request that is sent once. After an error that does not wrap ErrRebalanced nobody knows whether it has arrived, or will; but it never
// arrives after a later one, as a request may that was sent again because its connection broke.
func (g *Group) CommitOnce(ctx context.Context, positions map[topic.Partition]Position) error {
	return g.once(ctx, g.kafka, func(coordinator *kgo.Broker) error {
		return g.commit(positions, func(req *kmsg.OffsetCommitRequest) (*kmsg.OffsetCommitResponse, error) {
			resp, err := coordinator.Request(ctx, req)
			if err != nil {
				return nil, err
			}
			return resp.(*kmsg.OffsetCommitResponse), nil
		})
	})
}

// once gives f the coordinator of the group, for one request that is sent one time. What the coordinator itself says that it cannot do yet is tried again.
func (g *Group) once(ctx context.Context, kafka *kgo.Client, f func(coordinator *kgo.Broker) error) error {
	return patiently(ctx, func() error {
		if g.coordinator == nil {
			found := kadm.NewClient(kafka).FindGroupCoordinators(ctx, g.group.Group)[g.group.Group]
			if found.Err != nil {
				return found.Err
			}
			g.coordinator = &found.NodeID
		}
		err := f(kafka.Broker(int(*g.coordinator)))
		if err != nil {
			g.coordinator = nil
		}
		return err
	})
}

// commit builds the request and sees what became of it.
func (g *Group) commit(positions map[topic.Partition]Position, send func(*kmsg.OffsetCommitRequest) (*kmsg.OffsetCommitResponse, error)) error {
	if len(positions) == 0 {
		return nil
	}
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group = g.group.Group
	req.MemberID, req.Generation = g.Member()
	ids := slices.Collect(maps.Keys(positions))
	for name, of := range byTopic(ids) {
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic = name
		for _, id := range of {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			pos := positions[topic.Partition{Topic: name, ID: id}]
			p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = id, pos.Offset, -1, &pos.Metadata
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	gone := g.prune(req)
	var err error
	switch {
	case len(req.Topics) > 0:
		resp, failed := send(req)
		err = commitError(resp, failed)
	case len(gone) == 0:
		err = ErrRebalanced
	}
	if err == nil && len(gone) > 0 {
		err = fmt.Errorf("%s: %w", gone[0], ErrRebalanced)
	}
	if err != nil {
		return fmt.Errorf("commit offsets of group %s: %w", g.group.Group, g.wrap(err))
	}
	return nil
}

// prune takes out of a commit, at the last moment, what was revoked while it waited.
func (g *Group) prune(req *kmsg.OffsetCommitRequest) []topic.Partition {
	g.mu.Lock()
	defer g.mu.Unlock()
	var gone []topic.Partition
	if req.MemberID == "" { // not a member: the broker would take the offsets of an empty group from anybody
		req.Topics = nil
		return nil
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		t.Partitions = slices.DeleteFunc(t.Partitions, func(p kmsg.OffsetCommitRequestTopicPartition) bool {
			q := topic.Partition{Topic: t.Topic, ID: p.Partition}
			if !g.owned[q] {
				gone = append(gone, q)
			}
			return !g.owned[q]
		})
	}
	req.Topics = slices.DeleteFunc(req.Topics, func(t kmsg.OffsetCommitRequestTopic) bool { return len(t.Partitions) == 0 })
	return gone
}

func commitError(resp *kmsg.OffsetCommitResponse, failed error) error {
	if failed != nil || resp == nil {
		return failed
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := membership(p.ErrorCode); err != nil {
				return fmt.Errorf("%s/%d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	return nil
}

// membership is the error of a commit; one that a rebalance explains wraps ErrRebalanced.
func membership(code int16) error {
	err := kerr.ErrorForCode(code)
	for _, k := range []error{kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.FencedInstanceID} {
		if errors.Is(err, k) {
			return fmt.Errorf("%w (%s)", ErrRebalanced, clean(err))
		}
	}
	return err
}
