package worker

import (
	"context"
	"time"

	"faust/runtime/broker"
)

const (
	lookInterval = 10 * time.Second // between two looks whether all transactions are over where they wrote
	lookPause    = time.Second      // until it is looked again, if it could not be seen
	lookBudget   = 3 * time.Second  // for one look, and what it leads to
	maxLooks     = 3                // more in a row, if they find something
)

// open gives the transactor. Opening it aborts what an earlier one of this worker's left open, and what the cluster has lost the end of is ended once more, before
// another transaction could end it otherwise.
func (x *exact) open(ctx context.Context) (*broker.Transactor, error) {
	for looks := 0; ; looks++ {
		if x.tx == nil {
			client, err := x.run.link.connect(ctx)
			if err != nil {
				return nil, err
			}
			if x.tx, err = client.OpenTransactor(ctx, x.id, x.timeout, &x.ends); err != nil {
				return nil, err
			}
			x.look = time.Time{}
		}
		if looks == maxLooks || !x.due() || !x.endAgain(ctx) {
			return x.tx, nil
		}
		x.close()
	}
}

// due tells whether it is to be seen if all transactions are over.
func (x *exact) due() bool { return x.ends.Any() && (x.ends.Broke() || !time.Now().Before(x.look)) }

// endAgain ends once more what the cluster has lost the end of, and tells whether there was something: another transactor is needed then. Where that cannot be seen,
// work goes on without.
func (x *exact) endAgain(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, lookBudget)
	defer cancel()
	lost, err := x.tx.EndAgain(ctx)
	switch {
	case lost > 0:
		x.run.log.Warn("the cluster had lost how a transaction ended, it was ended once more", endedAgain(lost, err)...)
	case err != nil:
		x.look = time.Now().Add(lookPause)
		x.run.log.Debug("it could not be seen whether all transactions are over", "err", err)
	default:
		x.look = time.Now().Add(lookInterval)
	}
	return lost > 0
}

// endedAgain is what the log says of ends that were lost.
func endedAgain(lost int, err error) []any {
	if err != nil {
		return []any{"partitions", lost, "err", err}
	}
	return []any{"partitions", lost}
}
