package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"faust/runtime/topic"
)

// MaxMarkText is how long the text of a mark may be: Kafka's own limit (offset.metadata.max.bytes) unless it was changed.
const MaxMarkText = 4096

// markLife is how long marks are asked to be kept. Without it Kafka forgets the offsets of a group without members after a week.
const markLife = 10 * 365 * 24 * time.Hour

// coordinatorWait is how long a group may be without a coordinator.
const coordinatorWait = 15 * time.Second

// Mark is what is remembered of a partition under the name of a group that has no members: an offset, and a text.
type Mark struct {
	Offset int64
	Text   string
}

// Marks reads the marks of a group. Partitions without one are left out.
func (c *Client) Marks(ctx context.Context, group string) (map[topic.Partition]Mark, error) {
	var all kadm.OffsetResponses
	err := coordinated(ctx, func() (err error) {
		all, err = c.admin.FetchOffsets(ctx, group)
		return err
	})
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, c.wrap(err, "read the marks of group %s", group)
	}
	out := map[topic.Partition]Mark{}
	var failed error
	all.Each(func(o kadm.OffsetResponse) {
		switch {
		case o.Err != nil:
			failed = o.Err
		case o.At >= 0:
			out[topic.Partition{Topic: o.Topic, ID: o.Partition}] = Mark{o.At, o.Metadata}
		}
	})
	if failed != nil {
		return nil, c.wrap(failed, "read the marks of group %s", group)
	}
	return out, nil
}

// SetMarks writes marks of a group. A group that has members refuses it.
func (c *Client) SetMarks(ctx context.Context, group string, marks map[topic.Partition]Mark) error {
	if len(marks) == 0 {
		return nil
	}
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation, req.RetentionTimeMillis = group, -1, markLife.Milliseconds()
	byName := map[string]*kmsg.OffsetCommitRequestTopic{}
	for p, m := range marks {
		t := byName[p.Topic]
		if t == nil {
			fresh := kmsg.NewOffsetCommitRequestTopic()
			t = &fresh
			t.Topic = p.Topic
			byName[p.Topic] = t
		}
		part := kmsg.NewOffsetCommitRequestTopicPartition()
		part.Partition, part.Offset, part.LeaderEpoch, part.Metadata = p.ID, m.Offset, -1, kmsg.StringPtr(m.Text)
		t.Partitions = append(t.Partitions, part)
	}
	for _, t := range byName {
		req.Topics = append(req.Topics, *t)
	}
	// Only versions up to 4 of the request say how long the offsets are to be kept.
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(req.Key(), 4)
	kafka, err := kgo.NewClient(append(c.cfg.options(""), kgo.MaxVersions(versions))...)
	if err != nil {
		return fmt.Errorf("write the marks of group %s: %w", group, err)
	}
	defer kafka.Close()
	err = coordinated(ctx, func() error {
		resp, err := req.RequestWith(ctx, kafka)
		return commitError(resp, err)
	})
	if err != nil {
		return c.wrap(err, "write the marks of group %s", group)
	}
	return nil
}

// coordinated tries f again for a while as long as nobody coordinates the group: a fresh cluster makes the topic for it only when it is asked.
func coordinated(ctx context.Context, f func() error) error {
	for until := time.Now().Add(coordinatorWait); ; {
		err := f()
		passing := errors.Is(err, kerr.CoordinatorNotAvailable) || errors.Is(err, kerr.CoordinatorLoadInProgress) || errors.Is(err, kerr.NotCoordinator)
		if !passing || time.Now().After(until) {
			return err
		}
		select {
		case <-time.After(readPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// DeleteRecords deletes the records below an offset of each partition, for good.
func (c *Client) DeleteRecords(ctx context.Context, below map[topic.Partition]int64) error {
	var offsets kadm.Offsets
	for p, at := range below {
		offsets.Add(kadm.Offset{Topic: p.Topic, Partition: p.ID, At: at, LeaderEpoch: -1})
	}
	if len(offsets) == 0 {
		return nil
	}
	resp, err := c.admin.DeleteRecords(ctx, offsets)
	if err != nil {
		return c.wrap(err, "delete records")
	}
	for _, r := range resp.Sorted() {
		if r.Err != nil && !errors.Is(r.Err, kerr.OffsetOutOfRange) { // they are gone already
			return c.wrap(r.Err, "delete records of %s/%d", r.Topic, r.Partition)
		}
	}
	return nil
}
