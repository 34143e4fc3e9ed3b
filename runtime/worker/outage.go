package worker

import (
	"context"
	"errors"
	"time"

	"faust/runtime/broker"
)

const (
	// outageEvery is how often the worker makes sure that the broker answers.
	outageEvery = 5 * time.Second
	// outageRepeat is how often it is said that it still does not.
	outageRepeat = time.Minute
)

// outage tells of a broker that is out of reach, and that it is back: the clients behind agents and sends only try again, in silence.
type outage struct {
	run   *run
	since time.Time // zero: the broker answers
	told  time.Time
}

func (r *run) watchBroker(ctx context.Context) {
	o := &outage{run: r}
	tick := time.NewTicker(outageEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := r.brokerAnswers(ctx); ctx.Err() == nil {
			o.saw(err, time.Now())
		}
	}
}

// saw takes note of whether the broker answered.
func (o *outage) saw(err error, now time.Time) {
	log := o.run.log
	if err == nil {
		if !o.since.IsZero() {
			log.Warn("broker answers again", "after", now.Sub(o.since).Round(time.Second).String())
		}
		o.since = time.Time{}
		return
	}
	if errors.Is(err, broker.ErrReplaced) {
		o.run.halt(err)
		return
	}
	if o.since.IsZero() {
		o.since = now
	}
	if o.told.Before(o.since) || now.Sub(o.told) >= outageRepeat {
		o.told = now
		log.Error("broker out of reach, trying again", "since", o.since.Format(time.RFC3339), "err", err)
	}
}
