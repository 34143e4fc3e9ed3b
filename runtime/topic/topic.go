// Package topic is the vocabulary of the runtime: records, partitions, topics and how keys are spread over partitions.
// It imports nothing of ours and does no I/O.
package topic

import (
	"fmt"
	"time"
)

// Any as a record's partition leaves the choice to the topic's partitioner.
const Any int32 = -1

// Header is one header of a record. Names may repeat; order is kept.
type Header struct {
	Key   string
	Value []byte
}

// Record is one message, on its way in or out. Keys and values are the raw bytes of the broker; nobody in the runtime
// decodes them. The slices may be shared with a fetch buffer: who keeps a record beyond its event clones it.
type Record struct {
	Key       []byte // nil: no key
	Value     []byte // nil: a tombstone
	Headers   []Header
	Topic     string
	Offset    int64
	Timestamp int64 // milliseconds since 1970; 0 on the way out: now
	Partition int32 // Any on the way out: by key
}

// In gives the partition the record is in.
func (r *Record) In() Partition { return Partition{r.Topic, r.Partition} }

// Header gives the value of the last header of that name, and whether there is one.
func (r *Record) Header(name string) ([]byte, bool) {
	for i := len(r.Headers) - 1; i >= 0; i-- {
		if r.Headers[i].Key == name {
			return r.Headers[i].Value, true
		}
	}
	return nil, false
}

// Clone gives a record that shares no memory with r.
func (r *Record) Clone() Record {
	c := *r
	c.Key, c.Value = clone(r.Key), clone(r.Value)
	if r.Headers != nil {
		c.Headers = make([]Header, len(r.Headers))
		for i, h := range r.Headers {
			c.Headers[i] = Header{h.Key, clone(h.Value)}
		}
	}
	return c
}

func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}

// Partition names one partition of one topic.
type Partition struct {
	Topic string
	ID    int32
}

// String is the form used in logs and on the command line: withdrawals/2.
func (p Partition) String() string { return fmt.Sprintf("%s/%d", p.Topic, p.ID) }

// Topic is what an app declares of a topic. Zero fields mean "the broker's or the app's default".
type Topic struct {
	Name        string
	Partitions  int32         // 0: the app's topic_partitions if the topic is created, any number if it exists
	Replication int16         // 0: the app's replication_factor
	Retention   time.Duration // 0: not declared; -1: for ever
	Compact     bool
	Partitioner Partitioner
	Internal    bool // made by the runtime (dead letters, replies, private topics)
	Passing     bool // only on its way: what the app has consumed of it is deleted
}
