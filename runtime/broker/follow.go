package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"faust/runtime/topic"
)

// What a follower fetches at a time, compressed: it may have much to catch up with.
const (
	followBytes          = 4 << 20
	followPartitionBytes = 1 << 20
)

// Follower reads partitions that come and go, each from an offset on and then on for ever, with a connection of its own. What is there and is not committed
// is waited for. An offset that is not there any more, or a topic that was created anew, is an error of that partition: nothing is ever skipped. But
// that nobody asks for what is beyond the end is the user's part: the client may go on at the end then.
type Follower struct {
	cfg   Config
	kafka *kgo.Client
	log   faultLog
	pool  recordPool

	mu     sync.Mutex
	wanted map[topic.Partition]*followed // what is to be read from the next Each on
	wake   context.CancelFunc            // of the poll that waits; nil: none does

	reads map[topic.Partition]*followed // what is read; of Each's goroutine
}

// followed is a partition and who hears of it.
type followed struct {
	from  int64
	to    Listener
	begun bool // something came; of Each's goroutine
}

// Listener hears of a partition, on the goroutine of Each.
type Listener interface {
	// Records takes what comes, which may be nothing but an offset. The slice is not the listener's once it returns. next is the offset of what comes then, end where all that
	// could be read ended.
	Records(list []topic.Record, next, end int64)
	// Failed ends it: the partition is read no more.
	Failed(err error)
}

// NewFollower makes a follower that reads nothing yet.
func NewFollower(cfg Config) (*Follower, error) {
	f := &Follower{cfg: cfg, wanted: map[topic.Partition]*followed{}, reads: map[topic.Partition]*followed{}, log: faultLog{log: cfg.logger()}}
	kafka, err := kgo.NewClient(append(cfg.options("standby"),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.KeepControlRecords(), // they tell how far it is
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxBytes(followBytes), kgo.FetchMaxPartitionBytes(followPartitionBytes), kgo.FetchMaxWait(fetchWait),
		kgo.WithPools(&f.pool), kgo.AlwaysRetryEOF())...)
	if err != nil {
		return nil, fmt.Errorf("follow partitions: %w", err)
	}
	f.kafka = kafka
	return f, nil
}

// Add begins to read a partition from an offset on, instead of what was read of it before. It does not wait, and neither do the others.
func (f *Follower) Add(p topic.Partition, from int64, to Listener) {
	f.change(func() { f.wanted[p] = &followed{from: from, to: to} })
}

// Remove ends the reading of a partition for a listener. It may hear of what is being polled.
func (f *Follower) Remove(p topic.Partition, to Listener) {
	f.change(func() {
		if w := f.wanted[p]; w != nil && w.to == to {
			delete(f.wanted, p)
		}
	})
}

func (f *Follower) change(what func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what()
	if f.wake != nil {
		f.wake()
	}
}

// Close releases the connections.
func (f *Follower) Close() { f.kafka.Close() }

// Each waits for records, until ctx ends or what is wanted changes, and hands them to the listeners. An error ends the follower: the user may not read, or
// it was closed.
func (f *Follower) Each(ctx context.Context) error {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	f.mu.Lock()
	f.wake = cancel
	wanted := maps.Clone(f.wanted)
	f.mu.Unlock()
	f.adjust(wanted)
	fetches := f.kafka.PollFetches(waiting)
	f.mu.Lock()
	f.wake = nil
	f.mu.Unlock()
	var fatal error
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if err := f.hand(p); err != nil && fatal == nil && (waiting.Err() == nil || !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)) {
			fatal = err
		}
	})
	if errors.Is(fatal, kgo.ErrClientClosed) {
		return ErrClosed
	}
	return fatal
}

// hand gives a listener what was fetched. The error is of no partition that is read.
func (f *Follower) hand(p kgo.FetchTopicPartition) error {
	at := topic.Partition{Topic: p.Topic, ID: p.Partition}
	reads := f.reads[at]
	if reads == nil {
		return f.stray(p)
	}
	if n := len(p.Records); n > 0 {
		if reads.elsewhere(p) {
			f.fail(at, reads, kerr.OffsetOutOfRange)
			return nil
		}
		next := p.Records[n-1].Offset + 1
		p.Records = slices.DeleteFunc(p.Records, func(r *kgo.Record) bool { return r.Attrs.IsControl() })
		list := f.pool.convert(p)
		reads.to.Records(list, next, p.LastStableOffset)
		clear(list)
		f.pool.slices.put(list)
	}
	if p.Err != nil {
		f.fail(at, reads, p.Err)
	}
	return nil
}

func (f *Follower) fail(p topic.Partition, reads *followed, err error) {
	f.Remove(p, reads.to)
	reads.to.Failed(err)
}

// elsewhere tells of the first records whether they are not those that were to come: for a partition that it does not know yet, the client takes the next offset that
// there is for one that is not there, in silence.
func (r *followed) elsewhere(p kgo.FetchTopicPartition) bool {
	first := !r.begun
	r.begun = true
	return first && (r.from < p.LogStartOffset || p.Records[0].Offset < r.from)
}

// stray takes what is of no partition that is read: of all of a topic, or of the client.
func (f *Follower) stray(p kgo.FetchTopicPartition) error {
	if p.Err == nil {
		return nil
	}
	all := false
	for at, reads := range f.reads {
		if at.Topic == p.Topic && p.Partition < 0 {
			all = true
			f.fail(at, reads, p.Err)
		}
	}
	if all {
		return nil
	}
	return f.log.fault(p.Topic, p.Partition, p.Err)
}

// adjust makes the client read what is wanted.
func (f *Follower) adjust(wanted map[topic.Partition]*followed) {
	gone, stay := map[string][]int32{}, map[string]bool{}
	for p, r := range f.reads {
		if wanted[p] == r {
			stay[p.Topic] = true
			continue
		}
		gone[p.Topic] = append(gone[p.Topic], p.ID)
		delete(f.reads, p)
	}
	if len(gone) > 0 {
		f.kafka.RemoveConsumePartitions(gone)
	}
	for name := range gone {
		if !stay[name] {
			f.kafka.PurgeTopicsFromConsuming(name) // it may have been created anew, and have another id
		}
	}
	come := map[string]map[int32]kgo.Offset{}
	for p, r := range wanted {
		if f.reads[p] != r {
			f.reads[p] = r
			if come[p.Topic] == nil {
				come[p.Topic] = map[int32]kgo.Offset{}
			}
			come[p.Topic][p.ID] = kgo.NewOffset().At(r.from)
		}
	}
	if len(come) > 0 {
		f.kafka.AddConsumePartitions(come)
	}
}
