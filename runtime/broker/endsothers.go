package broker

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"faust/runtime/topic"
)

// EndOthers does what EndAgain does for those who are gone: for ids that keep keeps, in topics, and in a group for the partitions of its member. How the last transaction of an id ended its
// coordinator says, as long as nobody opens another Transactor of that id. Whoever has such an id and lives after all can commit nothing before he opens one.
func (c *Client) EndOthers(ctx context.Context, keep func(id string) bool, topics []string, g *Group) (lost int, err error) {
	implicit, err := c.implicitTransactions(ctx)
	if err != nil || !implicit {
		return 0, err
	}
	listed, err := c.admin.ListTransactions(ctx, nil, []string{"CompleteCommit", "CompleteAbort"})
	if err != nil {
		return 0, c.wrap(err, "list transactions")
	}
	ids := slices.DeleteFunc(slices.Collect(maps.Keys(listed)), func(id string) bool { return !keep(id) })
	if len(ids) == 0 {
		return 0, nil
	}
	described, err := c.admin.DescribeTransactions(ctx, ids...)
	if err != nil {
		return 0, c.wrap(err, "describe transactions")
	}
	for _, t := range described {
		n, err := c.endOther(ctx, t, topics, g)
		if lost += n; err != nil {
			return lost, c.wrap(err, "end the transaction of %s once more", t.TxnID)
		}
	}
	return lost, nil
}

// endOther does so for one id.
func (c *Client) endOther(ctx context.Context, t kadm.DescribedTransaction, topics []string, g *Group) (int, error) {
	last := end{producer: t.ProducerID, epoch: t.ProducerEpoch - 1} // the end of a transaction takes the next epoch
	switch t.State {
	case "CompleteCommit":
		last.outcome = committed
	case "CompleteAbort":
	default:
		return 0, nil
	}
	open, err := c.openIn(ctx, topics, t.ProducerID)
	maps.DeleteFunc(open, func(_ topic.Partition, epoch int16) bool { return epoch != last.epoch })
	if len(open) == 0 {
		return 0, err
	}
	ends := &Ends{topics: map[string]bool{}, kept: []end{last}, told: last, group: g, positions: g.mine()}
	for _, name := range topics {
		ends.topics[name] = true
	}
	tx, err := c.OpenTransactor(ctx, t.TxnID, time.Minute, ends)
	if err != nil {
		return 0, err
	}
	defer tx.Close()
	return tx.EndAgain(ctx)
}

// mine gives the partitions of this member.
func (g *Group) mine() []topic.Partition {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Collect(maps.Keys(g.owned))
}
