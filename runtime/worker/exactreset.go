package worker

import (
	"context"
	"errors"
	"time"

	"faust/runtime/broker"
	"faust/runtime/topic"
)

// errAnew is why actors end when what they did is done again.
var errAnew = errors.New("the transaction was not committed, its events are done again")

// mend makes commits possible again after one that failed.
func (r *run) mend(ctx context.Context) error {
	if err := r.hold(ctx); err != nil {
		return err
	}
	defer r.release()
	if !r.exact.broken {
		return nil
	}
	return r.exact.reset(ctx)
}

// reset takes the partitions up anew from what the group has, since nobody knows how the last transaction ended, or since it was aborted. run.verbs is held.
func (x *exact) reset(ctx context.Context) error {
	r := x.run
	group := r.group.Load()
	old := r.fetch.clear()
	list := make([]topic.Partition, 0, len(old))
	for _, l := range old {
		list = append(list, l.partition)
	}
	group.Pause(list...)
	r.close(old)
	if !drainLanes(old, 0, lostBudget, errAnew) {
		r.log.Warn("agents still busy with what is done again", "waiting", waitingLanes(old))
	}
	x.take(nil)
	var positions map[topic.Partition]broker.Position
	for {
		_, err := x.open(ctx) // decides how the last one ends
		if err == nil {
			err = x.outdate(group)
		}
		if err == nil {
			positions, err = x.positions(ctx, group, list)
		}
		if err == nil {
			break
		}
		if hopeless(err) {
			return err
		}
		r.log.Debug("transactions cannot be taken up yet", "err", err)
		x.close()
		if !sleepUntil(ctx, time.Now().Add(resetPause)) {
			return context.Cause(ctx)
		}
	}
	fresh := r.fetch.again(group, old, positions)
	x.broken = false
	r.log.Info("partitions were taken up anew", "partitions", len(fresh))
	r.begin(fresh)
	return nil
}

// positions reads what the group has. If that is held up, it may be by a transaction of this worker whose end was lost, so the wait ends for a look at that.
func (x *exact) positions(ctx context.Context, group *broker.Group, list []topic.Partition) (map[topic.Partition]broker.Position, error) {
	ctx, cancel := context.WithTimeout(ctx, positionsBudget)
	defer cancel()
	return x.run.recorded(ctx, group, list)
}

// outdate makes sure that a commit of offsets alone, which no transaction fences, cannot arrive any more: those of an older generation are refused.
func (x *exact) outdate(group *broker.Group) error {
	if x.loose == 0 {
		return nil
	}
	if _, now := group.Member(); now == x.loose {
		group.Rejoin()
		return errLoose
	}
	x.loose = 0
	return nil
}

var errLoose = errors.New("the group is joined anew, so that an earlier commit cannot arrive any more")

const (
	resetPause      = 250 * time.Millisecond // between two attempts to learn how a transaction ended
	positionsBudget = 5 * time.Second        // for one of them
)

// clear takes all lanes of the group out of the dispatch.
func (f *fetcher) clear() (old []*lane) {
	f.change(func(lanes map[topic.Partition]*lane) {
		for p, l := range lanes {
			old = append(old, l)
			delete(lanes, p)
		}
	})
	return old
}

// again makes lanes in the place of old ones, as far as their partitions are still here, and reads on from the positions of the group.
func (f *fetcher) again(group *broker.Group, old []*lane, positions map[topic.Partition]broker.Position) (fresh []*lane) {
	group.Seek(func(owned func(topic.Partition) bool) map[topic.Partition]int64 {
		offsets := map[topic.Partition]int64{}
		f.change(func(lanes map[topic.Partition]*lane) {
			for _, l := range old {
				p := l.partition
				if !owned(p) || lanes[p] != nil {
					continue
				}
				lanes[p] = f.run.resumed(p, l.start, positions)
				offsets[p] = lanes[p].start
				fresh = append(fresh, lanes[p])
			}
		})
		return offsets
	})
	return fresh
}
