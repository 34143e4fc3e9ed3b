package agent

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"faust/runtime/topic"
)

// Channel is an in-memory queue of records in this process: app.channel. Any goroutine may use it.
type Channel struct {
	name  string
	queue chan topic.Record

	mu   sync.Mutex // of whoever changes taps
	taps atomic.Pointer[[]*tap]
}

// tap is somebody who looks at what is put.
type tap struct{ f func(topic.Record) }

// Tap calls f with every record that is put from now on, until stop is called. f must not wait, and must not change the record's bytes.
func (c *Channel) Tap(f func(topic.Record)) (stop func()) {
	t := &tap{f}
	c.change(func(taps []*tap) []*tap { return append(taps, t) })
	return func() {
		c.change(func(taps []*tap) []*tap { return slices.DeleteFunc(taps, func(other *tap) bool { return other == t }) })
	}
}

// change replaces the list of taps.
func (c *Channel) change(f func([]*tap) []*tap) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var now []*tap
	if taps := c.taps.Load(); taps != nil {
		now = slices.Clone(*taps)
	}
	if now = f(now); len(now) == 0 {
		c.taps.Store(nil)
		return
	}
	c.taps.Store(&now)
}

// tell shows a record to the taps.
func (c *Channel) tell(r topic.Record) {
	if taps := c.taps.Load(); taps != nil {
		for _, t := range *taps {
			t.f(r)
		}
	}
}

// NewChannel makes one that holds up to size records (0: 1000).
func NewChannel(name string, size int) *Channel {
	if size <= 0 {
		size = 1000
	}
	return &Channel{name: name, queue: make(chan topic.Record, size)}
}

// Name is what the channel is called in logs.
func (c *Channel) Name() string { return c.name }

// Put waits while the channel is full. r's slices belong to the channel from then on.
func (c *Channel) Put(ctx context.Context, r topic.Record) error {
	r.Topic, r.Partition = c.name, 0
	select {
	case c.queue <- r:
		c.tell(r)
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// TryPut is Put that does not wait: false, the channel is full.
func (c *Channel) TryPut(r topic.Record) bool {
	r.Topic, r.Partition = c.name, 0
	select {
	case c.queue <- r:
		c.tell(r)
		return true
	default:
		return false
	}
}

// Get waits for a record.
func (c *Channel) Get(ctx context.Context) (topic.Record, error) {
	select {
	case r := <-c.queue:
		return r, nil
	case <-ctx.Done():
		return topic.Record{}, context.Cause(ctx)
	}
}

// TryGet is Get that does not wait: false, the channel is empty.
func (c *Channel) TryGet() (topic.Record, bool) {
	select {
	case r := <-c.queue:
		return r, true
	default:
		return topic.Record{}, false
	}
}

// Len is how many records wait.
func (c *Channel) Len() int { return len(c.queue) }
