package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/control"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// Client is the Runtime of a command: it connects on the first send or request and consumes nothing but its own replies.
type Client struct {
	cfg   Config
	link  *link
	tasks *taskSet
	hooks *serial

	hear func(topic.Record, error) // heard, made once

	mu     sync.Mutex
	end    context.CancelCauseFunc
	exit   *app.Exit
	gaveUp error // why nothing more was waited for
	unsent int   // records that were not stored
	err    error // of the first of these
}

// clientPatience is how long a command waits for a broker that it lost, as Kafka's own clients do for a record. Some troubles it does not wait out at all.
const clientPatience = 2 * time.Minute

// NewClient allocates. It uses App, Broker, Machine, Logger of the configuration.
func NewClient(cfg Config) *Client {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Client{cfg: cfg, link: newLink(cfg, nil)}
	c.hear = c.heard
	return c
}

// Run attaches the client to the app, runs f, waits for its tasks, flushes what was sent. The error is f's, or names the records that
// were not stored; *app.Exit after app.stop(code). Run may be called once.
func (c *Client) Run(ctx context.Context, f func(ctx context.Context) error) error {
	lasting, giveUp := context.WithCancelCause(context.WithoutCancel(ctx))
	defer giveUp(nil)
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	c.tasks = newTaskSet(ctx)
	c.hooks = &serial{name: "hooks", tasks: c.tasks}
	c.mu.Lock()
	c.end = end
	c.mu.Unlock()
	c.cfg.App.Attach(c)
	explains, stopWatching := c.watch(lasting, func(err error) { end(err); giveUp(err) })
	err := c.hearing(ctx, f)
	if joined := c.tasks.join(ctx); joined != nil {
		// the command was stopped: its tasks are told, and get a last moment
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), minRest)
		_ = c.tasks.join(last)
		cancel()
	}
	last, cancel := c.lastly(ctx, lasting)
	defer cancel()
	flushed := c.link.flush(last)
	if flushed != nil && last.Err() != nil {
		flushed = context.Cause(last)
	}
	flushed = explains(flushed)
	_ = c.tasks.join(last) // produce_error hooks
	c.tasks.cancel(errStopping)
	stopWatching()
	left, _ := c.link.gauge.level()
	c.link.close(last)
	return c.result(err, flushed, left)
}

// lastly is the context of what a command does in the end: it lasts until that is done or given up, once ctx has ended only for the grace.
func (c *Client) lastly(ctx, lasting context.Context) (context.Context, context.CancelFunc) {
	last, cancel := context.WithCancelCause(lasting)
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(max(c.cfg.App.Settings.Grace, minRest))
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(context.DeadlineExceeded)
		case <-last.Done():
		}
	})
	return last, func() { stop(); cancel(nil) }
}

// deafness is how long a function that was stopped may run Lua without waiting, which is how it would hear of the stop.
const deafness = 2 * time.Second

// hearing runs f. When ctx has ended and Lua computes on and on, f is left where it is: that is the end of a command, for which nobody waits twice.
func (c *Client) hearing(ctx context.Context, f func(ctx context.Context) error) error {
	if c.cfg.Machine == nil {
		return f(ctx)
	}
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	var exit *app.Exit
	if errors.As(context.Cause(ctx), &exit) { // the app itself asked for the end, and may have something to finish
		return <-done
	}
	ended := time.Now()
	ticker := time.NewTicker(deafness / 20)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-ticker.C:
		}
		task, place, since, ok := c.cfg.Machine.Holder()
		if ok && time.Since(ended) > deafness && time.Since(since) > deafness {
			return fmt.Errorf("%s runs at %s without waiting, so it did not hear of the stop and was left", task, place)
		}
	}
}

// watch tells in the log while the broker cannot be used and records wait for it, and gives up after a while, or at once if waiting is of no use.
func (c *Client) watch(ctx context.Context, giveUp func(error)) (explains func(error) error, stop func()) {
	o := &outage{link: c.link, ends: func(err error, lasts time.Duration) bool {
		if !lost(err) && !errors.Is(err, broker.ErrFull) && lasts < clientPatience {
			return false
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.gaveUp == nil {
			c.gaveUp = err
			giveUp(err)
		}
		return true
	}}
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { o.watch(ctx) })
	return o.explains, func() {
		cancel()
		watching.Wait()
	}
}

// result is the error of a run: of its function, or of flushing, or of records that were not stored. left are those that nobody waits for any more.
func (c *Client) result(err, flushed error, left int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	why := c.gaveUp
	if why == nil && flushed != nil {
		why = fmt.Errorf("flush: %w", flushed)
	}
	switch {
	case c.exit != nil && (err == nil || errors.Is(err, context.Canceled) || errors.Is(err, c.exit)):
		return c.exit
	case err != nil && (c.gaveUp == nil || !errors.Is(err, c.gaveUp)):
		if left > 0 {
			c.cfg.Logger.Error("records not stored", "count", left, "err", why)
		}
		return err
	case c.err != nil && c.unsent > 1:
		return fmt.Errorf("%d records were not stored, the first: %w", c.unsent, c.err)
	case c.err != nil:
		return c.err
	case left == 1 && why != nil:
		return fmt.Errorf("one record was not stored: %w", why)
	case left > 1 && why != nil:
		return fmt.Errorf("%d records were not stored: %w", left, why)
	}
	return why
}

// Broker gives the connection to the cluster, which is opened if it is not yet; it is closed at the end of Run.
func (c *Client) Broker(ctx context.Context) (*broker.Client, error) { return c.link.connect(ctx) }

// Ensure connects and makes sure of a topic that the app declares; another one is taken as it is.
func (c *Client) Ensure(ctx context.Context, name string) (*broker.Client, error) {
	return c.link.touch(ctx, name)
}

// Sent is how many records are stored. It may be called at any time.
func (c *Client) Sent() int64 { return c.link.stored.Load() }

// Unsent is how many records were sent and are not stored yet. It may be called at any time.
func (c *Client) Unsent() int64 {
	records, _ := c.link.gauge.level()
	return records
}

// Send implements app.Runtime.
func (c *Client) Send(ctx context.Context, rec *topic.Record, done func(topic.Record, error)) error {
	return c.link.send(ctx, rec, c.told(done))
}

// TrySend implements app.Runtime.
func (c *Client) TrySend(rec *topic.Record, done func(topic.Record, error)) bool {
	return c.link.trySend(rec, c.told(done))
}

// told makes done hear of a record after the client.
func (c *Client) told(done func(topic.Record, error)) func(topic.Record, error) {
	if done == nil {
		return c.hear
	}
	return func(stored topic.Record, err error) {
		c.heard(stored, err)
		done(stored, err)
	}
}

// heard notes a record that was not stored.
func (c *Client) heard(stored topic.Record, err error) {
	if err != nil {
		c.failed(stored, err)
	}
}

func (c *Client) failed(rec topic.Record, err error) {
	if errors.Is(err, broker.ErrClosed) || c.link.ctx.Err() != nil {
		c.cfg.Logger.Debug("record not stored", "topic", rec.Topic, "key", string(rec.Key), "err", err) // it was left, which result tells
	} else {
		c.cfg.Logger.Error("record not stored", "topic", rec.Topic, "key", string(rec.Key), "err", err)
		c.mu.Lock()
		c.unsent++
		if c.err == nil {
			c.err = err
		}
		c.mu.Unlock()
	}
	if hooks := c.cfg.App.Hooks.ProduceError; len(hooks) > 0 {
		c.hooks.add(func(ctx context.Context) {
			for _, hook := range hooks {
				if err := hook(ctx, rec, err); err != nil {
					logFailure(c.cfg.Logger, "produce_error", err)
				}
			}
		})
	}
}

// Request implements app.Runtime.
func (c *Client) Request(ctx context.Context, rec *topic.Record, answer func(topic.Record, error)) error {
	return c.link.request(ctx, rec, answer)
}

// Go implements app.Runtime.
func (c *Client) Go(ctx context.Context, name string, f func(ctx context.Context)) {
	c.tasks.run(ctx, name, f)
}

// Shard implements app.Runtime: a command has no state.
func (c *Client) Shard(*table.Definition, int32) *table.Shard { return nil }

// Await implements app.Runtime.
func (c *Client) Await(context.Context, *table.Definition, int32) error { return nil }

// Shards implements app.Runtime.
func (c *Client) Shards(*table.Definition) []*table.Shard { return nil }

// Partitions implements app.Runtime.
func (c *Client) Partitions(*table.Definition) int32 { return 0 }

// Home implements app.Runtime: a command is no member of the group.
func (c *Client) Home(*table.Definition, int32) (string, error) {
	return "", errors.New("a command does not know where partitions of tables are")
}

// Copy implements app.Runtime: a command keeps none.
func (c *Client) Copy(*table.Definition, int32) *table.Shard { return nil }

// CopyHomes implements app.Runtime.
func (c *Client) CopyHomes(*table.Definition, int32) []string { return nil }

// Everywhere implements app.Runtime: it asks the workers that run with the data directory, and by what they say the others.
func (c *Client) Everywhere(ctx context.Context, t *table.Definition) (app.Walk, error) {
	set := c.cfg.App.Settings
	workers, err := control.Workers(ctx, set.Datadir, set.GroupID())
	if len(workers) == 0 {
		if err == nil {
			err = fmt.Errorf("no worker of %s runs with this data directory", set.GroupID())
		}
		return nil, err
	}
	finder := control.NewFinder(control.Lookers(workers), control.Access{Token: set.WebToken, Dial: c.cfg.Dial})
	stop := func() bool { return true }
	end := func() {
		stop()
		finder.Close()
		for _, w := range workers {
			w.Close()
		}
	}
	w, err := finder.Walk(ctx, control.Slicing{Table: t.Name, Now: true})
	if err != nil {
		end()
		return nil, err
	}
	stop = context.AfterFunc(c.link.ctx, end) // of a walk that is left before its end
	next := walking(w)
	return func(ctx context.Context) ([]table.Pair, error) {
		pairs, err := next(ctx)
		if err != nil || len(pairs) == 0 {
			end()
		}
		return pairs, err
	}, nil
}

// TaskFailed implements app.Runtime.
func (c *Client) TaskFailed(_ context.Context, name string, err error) {
	logFailure(c.cfg.Logger, name, err)
}

// Stop implements app.Runtime.
func (c *Client) Stop(code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.exit == nil {
		c.exit = &app.Exit{Code: code}
		c.end(c.exit)
	}
}

var (
	_ app.Runtime = (*Client)(nil)
	_ app.Runtime = (*run)(nil)
)
