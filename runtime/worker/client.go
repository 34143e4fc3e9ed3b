package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"faust/runtime/app"
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
	unsent int   // records that were not stored
	err    error // of the first of these
}

// NewClient allocates. It uses App, Broker, Logger of the configuration.
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
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	c.tasks = newTaskSet(ctx)
	c.hooks = &serial{name: "hooks", tasks: c.tasks}
	c.mu.Lock()
	c.end = end
	c.mu.Unlock()
	c.cfg.App.Attach(c)
	err := f(ctx)
	if joined := c.tasks.join(ctx); joined != nil {
		// the command was stopped: its tasks are told, and get a last moment
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), minRest)
		_ = c.tasks.join(last)
		cancel()
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(c.cfg.App.Settings.Grace, minRest))
	defer cancel()
	flushed := c.link.flush(last)
	_ = c.tasks.join(last) // produce_error hooks
	c.tasks.cancel(errStopping)
	c.link.close(last)
	return c.result(err, flushed)
}

func (c *Client) result(err, flushed error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.exit != nil && (err == nil || errors.Is(err, context.Canceled) || errors.Is(err, c.exit)):
		return c.exit
	case err != nil:
		return err
	case c.unsent > 1:
		return fmt.Errorf("%d records were not stored, the first: %w", c.unsent, c.err)
	case c.unsent == 1:
		return c.err
	case flushed != nil:
		return fmt.Errorf("flush: %w", flushed)
	}
	return nil
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
	c.cfg.Logger.Error("record not stored", "topic", rec.Topic, "key", string(rec.Key), "err", err)
	c.mu.Lock()
	c.unsent++
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
	if hooks := c.cfg.App.Hooks.ProduceError; len(hooks) > 0 {
		c.hooks.add(func(ctx context.Context) {
			for _, hook := range hooks {
				if err := hook(ctx, rec, err); err != nil {
					c.cfg.Logger.Error("task failed", "task", "produce_error", "err", err)
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
