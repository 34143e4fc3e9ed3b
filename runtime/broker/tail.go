package broker

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"faust/runtime/topic"
)

// Tail reads a topic from its end (replies): f gets every record until ctx ends, which is no error. ready is called when records produced
// from then on will be seen. Faults of the connection are waited out.
func (c *Client) Tail(ctx context.Context, name string, ready func(), f func(r topic.Record)) error {
	ends, err := c.admin.ListEndOffsets(ctx, name)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return c.wrap(err, "read the end of topic %s", name)
	}
	if len(ends[name]) == 0 {
		return fmt.Errorf("read the end of %w", topicError(name, errMissing, ""))
	}
	start := map[int32]kgo.Offset{}
	ends.Each(func(o kadm.ListedOffset) { start[o.Partition] = kgo.NewOffset().At(o.Offset) })
	opts := append(c.cfg.options("replies"),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: start}),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()),
		kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxWait(fetchWait), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.AlwaysRetryEOF())
	kafka, err := kgo.NewClient(opts...)
	if err != nil {
		return fmt.Errorf("read topic %s: %w", name, err)
	}
	defer kafka.Close()
	ready()
	log := faultLog{log: c.cfg.logger()}
	var pool recordPool
	for {
		fetches := kafka.PollFetches(ctx)
		var fatal error
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			for _, r := range pool.convert(p) {
				f(r)
			}
			if p.Err != nil && ctx.Err() == nil && !errors.Is(p.Err, context.Canceled) && fatal == nil {
				fatal = log.fault(p.Topic, p.Partition, p.Err)
			}
		})
		if ctx.Err() != nil {
			return nil
		}
		if fatal != nil {
			return c.wrap(fatal, "read topic %s", name)
		}
	}
}
