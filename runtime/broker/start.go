package broker

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"faust/runtime/topic"
)

// starts resolves where newly assigned partitions begin to exact offsets: the committed one if it still exists, the first one if
// that was deleted, else by the reset policy.
// The answer is the truth for both sides: what is fetched and what the caller is told.
func (g *Group) starts(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, map[topic.Partition]int64, error) {
	names := make([]string, 0, len(offsets))
	for name := range offsets {
		names = append(names, name)
	}
	for {
		first, last, err := g.bounds(ctx, names)
		if err == nil {
			starts, missing := g.resolve(offsets, first, last)
			if missing == nil {
				return offsets, starts, nil
			}
			err = missing
		}
		g.log.log.Warn("the bounds of the assigned partitions cannot be read", "group", g.group.Group, "err", err)
		select {
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("start of the assigned partitions: %w", ctx.Err())
		case <-time.After(250 * time.Millisecond):
		}
	}
}

func (g *Group) bounds(ctx context.Context, names []string) (first, last kadm.ListedOffsets, err error) {
	if first, err = g.admin.ListStartOffsets(ctx, names...); err != nil {
		return nil, nil, err
	}
	last, err = g.admin.ListEndOffsets(ctx, names...)
	return first, last, err
}

// resolve writes the exact offsets into offsets.
func (g *Group) resolve(offsets map[string]map[int32]kgo.Offset, first, last kadm.ListedOffsets) (map[topic.Partition]int64, error) {
	starts := map[topic.Partition]int64{}
	for name, ps := range offsets {
		for id, o := range ps {
			p := topic.Partition{Topic: name, ID: id}
			begin, ok1 := first.Lookup(name, id)
			end, ok2 := last.Lookup(name, id)
			if !ok1 || !ok2 || begin.Err != nil || end.Err != nil {
				return nil, fmt.Errorf("%s: the broker does not tell: %w", p, cmpErr(begin.Err, end.Err))
			}
			reset := begin.Offset
			if g.group.Reset == "latest" && int(id) < g.counts[name] && !slices.Contains(g.group.Whole, name) {
				reset = end.Offset
			}
			at := o.EpochOffset().Offset
			switch {
			case at < 0:
				at = reset
				ps[id] = kgo.NewOffset().At(at)
			case at < begin.Offset, at > end.Offset:
				if at < begin.Offset {
					reset = begin.Offset // all that comes next of what is there
				}
				g.log.log.Warn("the committed offset does not exist any more", "topic", name, "partition", id,
					"committed", at, "first", begin.Offset, "end", end.Offset, "start", reset)
				at = reset
				ps[id] = kgo.NewOffset().At(at)
			}
			starts[p] = at
		}
	}
	return starts, nil
}

func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return errMissing
}
