package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"faust/runtime/broker"
	"faust/runtime/topic"
)

const (
	// outageTick is how often it is looked whether records wait, and whether trouble is over.
	outageTick = time.Second
	// outageEvery is how often a worker makes sure that the broker answers.
	outageEvery = 5 * time.Second
	// outageRepeat is how often it is said that it still does not.
	outageRepeat = time.Minute
	// quietFor is how long records may wait, and none be stored, before somebody asks why.
	quietFor = 2 * time.Second
	// stalledFor is when that is trouble though the broker answers.
	stalledFor = 15 * time.Second
)

// errStalled: the broker answers, but stores nothing.
var errStalled = errors.New("the broker answers, but stores nothing")

// errUnconnected: the start has not come that far; if the broker is not there, that says so.
var errUnconnected = errors.New("not connected yet")

// outage tells of a broker that cannot be used, and that it can again: the clients behind agents and sends only try again, in silence.
type outage struct {
	link   *link
	always bool                                      // not only while records wait
	ends   func(err error, lasts time.Duration) bool // hears of trouble at every look, and may end everything for it: true
	well   func(ctx context.Context)                 // is called when watch finds nothing wrong; may be nil

	mu     sync.Mutex
	asked  time.Time // the latest look that counts
	since  time.Time // zero: all is well
	told   time.Time
	err    error // nil: all is well
	kind   trouble
	stored int64     // batches, at the last look
	quiet  time.Time // since when records wait and none was stored; zero: none waits
}

// trouble is a kind of outage: what the log says when it begins and when it is over.
type trouble struct{ begins, ends string }

var (
	unreachable = trouble{"broker out of reach, trying again", "broker answers again"}
	fullDisk    = trouble{"broker has no room, trying again", "broker takes records again"}
	stalled     = trouble{"records are not stored, trying again", "records are stored again"}
)

func troubleOf(err error) trouble {
	switch {
	case errors.Is(err, broker.ErrFull):
		return fullDisk
	case errors.Is(err, errStalled):
		return stalled
	}
	return unreachable
}

// watch looks until ctx ends.
func (o *outage) watch(ctx context.Context) {
	tick := time.NewTicker(outageTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if o.due(time.Now()) && o.look(ctx) == nil && o.well != nil {
			o.well(ctx)
		}
	}
}

// due tells whether it is time for a look.
func (o *outage) due(now time.Time) bool {
	quiet := o.waits(now)
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.since.IsZero() || quiet >= quietFor || o.always && now.Sub(o.asked) >= outageEvery
}

// waits gives how long records have waited while none was stored.
func (o *outage) waits(now time.Time) time.Duration {
	client := o.link.client.Load()
	if client == nil {
		return 0
	}
	stored, waiting := client.Waiting()
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case !waiting:
		o.quiet = time.Time{}
	case o.quiet.IsZero(), stored != o.stored:
		o.quiet = now
	}
	o.stored = stored
	if o.quiet.IsZero() {
		return 0
	}
	return now.Sub(o.quiet)
}

// look asks what is wrong; nil: all is well.
func (o *outage) look(ctx context.Context) error {
	begun := time.Now()
	err := o.link.trouble(ctx, o.waits(begun))
	if ctx.Err() == nil && !errors.Is(err, errUnconnected) {
		o.saw(err, begun)
	}
	return err
}

// saw takes note of what a look found.
func (o *outage) saw(err error, begun time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if begun.Before(o.asked) {
		return
	}
	o.asked = begun
	now := time.Now()
	if err == nil {
		o.over(now)
		return
	}
	if kind := troubleOf(err); kind != o.kind {
		o.over(now)
		o.kind = kind
	}
	if o.since.IsZero() {
		o.since = now
	}
	o.err = err
	if o.ends(err, now.Sub(o.since)) {
		return
	}
	if now.Sub(o.told) >= outageRepeat {
		o.told = now
		o.log().Error(o.kind.begins, "since", o.since.Format(time.RFC3339), "err", err)
	}
}

// explains gives why something failed for which the broker was needed: for what is wrong with it, or err if that is not known.
func (o *outage) explains(err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil && o.err != nil && errors.Is(err, context.DeadlineExceeded) {
		return o.err
	}
	return err
}

// over says that the trouble is, if there was any; o.mu is held.
func (o *outage) over(now time.Time) {
	if !o.since.IsZero() {
		o.log().Warn(o.kind.ends, "after", now.Sub(o.since).Round(time.Second).String())
	}
	o.since, o.told, o.kind, o.err = time.Time{}, time.Time{}, trouble{}, nil
}

// now gives what was wrong at the last look; nil: nothing.
func (o *outage) now() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

func (o *outage) log() *slog.Logger { return o.link.log }

// lost tells whether waiting is of no use: there is nothing to come back to.
func lost(err error) bool {
	return errors.Is(err, broker.ErrReplaced) || errors.Is(err, broker.ErrEnded)
}

// trouble is why the broker cannot be used; nil: it can. waits is how long records have waited while none was stored.
func (l *link) trouble(ctx context.Context, waits time.Duration) error {
	client := l.client.Load()
	if client == nil {
		return errUnconnected
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := l.answers(ctx, client); err != nil {
		return fmt.Errorf("the broker does not answer: %w", err)
	}
	var size int64
	if waits >= stalledFor {
		_, size = l.gauge.level() // how it is split into requests is not known here
	}
	if err := client.Room(uint64(size)); err != nil {
		return err
	}
	if waits >= stalledFor {
		return fmt.Errorf("%w for %s", errStalled, waits.Round(time.Second))
	}
	return nil
}

// answers asks the broker for something small, with little patience.
func (l *link) answers(ctx context.Context, client *broker.Client) error {
	topics := declaredTopics(l.app)
	if len(topics) == 0 || !l.knows(topics[0].Name) {
		return client.Ping(ctx)
	}
	_, err := client.Partitions(ctx, topics[0].Name)
	return err
}

// seeEnds asks how far partitions go of which fetching may not tell.
func (r *run) seeEnds(ctx context.Context) {
	lanes := map[topic.Partition]*lane{}
	var stale []topic.Partition
	for _, l := range r.fetch.snapshot() {
		if l.stale() {
			lanes[l.partition] = l
			stale = append(stale, l.partition)
		}
	}
	client := r.link.client.Load()
	if client == nil || len(stale) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, outageEvery)
	defer cancel()
	ends, err := client.Ends(ctx, stale...)
	if err != nil {
		r.log.Debug("ends of partitions not read", "err", err)
		return
	}
	for p, end := range ends {
		lanes[p].raise(end)
	}
}
