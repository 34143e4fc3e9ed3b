package worker

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"faust/runtime/broker"
)

const (
	watchInterval = time.Second
	openTooLong   = 2 * time.Second  // that a transaction of another worker may hold this one up
	heldTooLong   = time.Minute      // that offsets may be held up by what nobody has open
	lostTooLong   = 2 * lookInterval // that something waits before ends are looked for which who wrote them would have noticed
)

// watch ends, until ctx does, transactions of workers that died in the middle of one, while this worker waits for what they decide: offsets and changelogs are not
// known before. The broker would do so as well, when their time-out is over and it looks. A worker that lives and is only slow takes its partitions up anew.
func (x *exact) watch(ctx context.Context) {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	seen := map[broker.OpenTransaction]time.Time{}
	held := time.Now()    // since when offsets are waited for; a moment ago if they are not
	waiting := time.Now() // since when anything is
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if group := x.run.group.Load(); group == nil || !group.Starting() {
			held = time.Now()
		}
		if !x.waits() {
			clear(seen)
			waiting = time.Now()
			continue
		}
		client, err := x.run.link.connect(ctx)
		if err == nil {
			err = x.unblock(ctx, client, seen)
		}
		if err == nil && time.Since(waiting) >= lostTooLong {
			waiting = time.Now()
			err = x.endOthers(ctx, client)
		}
		if err == nil && len(seen) == 0 && time.Since(held) >= heldTooLong {
			x.run.log.Warn("offsets of new partitions are not given out, though no worker of this app has a transaction open: if the cluster has lost the end of one of a worker that is gone, kafka-transactions.sh find-hanging shows it, and abort ends it and drops what it wrote",
				"group", x.run.set.GroupID())
			held = time.Now()
		}
		if err != nil && ctx.Err() == nil {
			x.run.log.Debug("transactions of other workers not looked at", "err", err)
		}
	}
}

// waits tells whether something cannot go on before transactions end: offsets of new partitions, or changelogs.
func (x *exact) waits() bool {
	group := x.run.group.Load()
	return x.run.state.waits() != nil || group != nil && group.Starting()
}

// unblock ends the app's transactions that are open for too long.
func (x *exact) unblock(ctx context.Context, client *broker.Client, seen map[broker.OpenTransaction]time.Time) error {
	open, err := client.OpenTransactions(ctx, x.sibling)
	maps.DeleteFunc(seen, func(t broker.OpenTransaction, _ time.Time) bool { return err == nil && !slices.Contains(open, t) })
	for _, t := range open {
		since, known := seen[t]
		switch {
		case !known:
			seen[t] = time.Now()
		case time.Since(since) >= openTooLong:
			delete(seen, t)
			x.run.log.Warn("transaction of another worker is ended, it was left open", "id", t.ID)
			if err := client.EndTransaction(ctx, t.ID); err != nil {
				return err
			}
		}
	}
	return err
}

// endOthers ends once more what the cluster has lost the end of, of workers that are gone.
func (x *exact) endOthers(ctx context.Context, client *broker.Client) error {
	group := x.run.group.Load()
	if group == nil {
		return nil
	}
	var topics []string
	for _, t := range declaredTopics(x.run.cfg.App) {
		topics = append(topics, t.Name)
	}
	for _, t := range x.run.cfg.App.Tables {
		topics = append(topics, t.Changelog.Name)
	}
	lost, err := client.EndOthers(ctx, x.sibling, topics, group)
	if lost > 0 {
		x.run.log.Warn("the cluster had lost how a transaction of another worker ended, it was ended once more", endedAgain(lost, err)...)
	}
	return err
}

// sibling tells whether an id is of another worker of this app.
func (x *exact) sibling(id string) bool {
	slot, ok := strings.CutPrefix(id, x.run.set.GroupID()+"-")
	return ok && id != x.id && uuid.Validate(slot) == nil
}
