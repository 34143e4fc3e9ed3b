package agent

import (
	"context"

	"faust/runtime/topic"
)

// Channel is an in-memory queue of records in this process: app.channel. Any goroutine may use it.
type Channel struct {
	name  string
	queue chan topic.Record
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
