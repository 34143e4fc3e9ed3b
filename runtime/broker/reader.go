package broker

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"faust/runtime/topic"
)

const (
	readBytes     = 8 << 20          // of one answer
	readMemory    = 64 << 20         // of all partitions together
	readPartition = 256 << 10        // of one partition, in one answer; records take ten times as much where they are compressed well
	readPause     = time.Second / 4  // after a fault
	readGiveUp    = 30 * time.Second // of nothing but faults, unless it follows
	readCommitted = int8(1)

	readRenewal = time.Minute // of what is known of the partitions, while it follows
)

// cursor is where reading is in one partition.
type cursor struct {
	id         int32
	leader     int32
	first, end int64 // when reading began
	next       int64 // to be fetched
	records    []topic.Record
	at         int // next in records
}

func (c *cursor) rewind(to int64) { c.next, c.records, c.at = to, nil, 0 }

// head is the next record, if it is here.
func (c *cursor) head() *topic.Record {
	if c.at < len(c.records) {
		return &c.records[c.at]
	}
	return nil
}

// through tells whether all that was there when reading began has been taken.
func (c *cursor) through() bool {
	if h := c.head(); h != nil {
		return h.Offset >= c.end
	}
	return c.next >= c.end
}

// reader is one Read under way. Its fields are for the goroutine of Read.
type reader struct {
	c    *Client
	what Reading
	sink func([]topic.Record) error

	ctx     context.Context // of the requests
	cancel  context.CancelFunc
	asking  sync.WaitGroup
	answers chan answer
	busy    map[int32]bool // leaders that were asked

	id      [16]byte // of the topic
	known   map[int32]Span
	cursors []*cursor
	out     []topic.Record
	pool    recordPool
	unpack  kgo.Decompressor
	log     faultLog
	failing time.Time // since when nothing but faults comes
	renewed time.Time
}

// answer is what a broker said.
type answer struct {
	leader  int32
	cursors []*cursor
	resp    *kmsg.FetchResponse
	err     error
}

func (c *Client) newReader(ctx context.Context, what Reading, f func([]topic.Record) error) (*reader, error) {
	spans, err := c.Spans(ctx, what.Topic)
	if err != nil {
		return nil, err
	}
	r := &reader{c: c, what: what, sink: f, known: spans, busy: map[int32]bool{}, answers: make(chan answer), log: faultLog{log: c.cfg.logger()}, unpack: kgo.DefaultDecompressor()}
	for id, s := range spans {
		if what.Partitions == nil || slices.Contains(what.Partitions, id) {
			r.cursors = append(r.cursors, &cursor{id: id, leader: -1, first: s.First, end: s.End})
		}
	}
	for _, id := range what.Partitions {
		if _, ok := spans[id]; !ok {
			return nil, &NoPartition{Topic: what.Topic, ID: id, Count: len(spans)}
		}
	}
	slices.SortFunc(r.cursors, func(a, b *cursor) int { return cmp.Compare(a.id, b.id) })
	r.ctx, r.cancel = context.WithCancel(ctx)
	if err := r.renew(); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// NoPartition is the error for a partition that a topic does not have.
type NoPartition struct {
	Topic string
	ID    int32
	Count int
}

func (e *NoPartition) Error() string {
	return fmt.Sprintf("topic %s has no partition %d: it has %d, from 0 on", e.Topic, e.ID, e.Count)
}

// close ends what is under way.
func (r *reader) close() {
	r.cancel()
	r.asking.Wait()
}

// renew learns who leads which partition, and of new partitions while following.
func (r *reader) renew() error {
	found, err := existing(r.ctx, r.c.kafka, []string{r.what.Topic})
	if err != nil {
		return r.c.wrap(err, "look up topic %s", r.what.Topic)
	}
	t, ok := found[r.what.Topic]
	if !ok {
		return topicError(r.what.Topic, errMissing, "")
	}
	r.id, r.renewed = t.TopicID, time.Now()
	for _, p := range t.Partitions {
		i := slices.IndexFunc(r.cursors, func(c *cursor) bool { return c.id == p.Partition })
		switch {
		case i >= 0:
			r.cursors[i].leader = p.Leader
		case r.what.Follow && r.what.Partitions == nil && p.Leader >= 0:
			r.cursors = append(r.cursors, &cursor{id: p.Partition, leader: p.Leader})
		}
	}
	return nil
}

// backlog hands what was there when reading began to f, all partitions merged by time.
func (r *reader) backlog(f func([]topic.Record) error) error {
	var m merge
	waiting := slices.Clone(r.cursors) // for their next record
	for {
		waiting = slices.DeleteFunc(waiting, func(c *cursor) bool {
			if !c.through() && c.head() != nil {
				heap.Push(&m, c)
				return true
			}
			return c.through()
		})
		var err error
		switch {
		case len(waiting) > 0:
			err = r.fetch(waiting)
		case len(m) == 0:
			return r.flush(f)
		default:
			c := m[0]
			err = r.give(c, f)
			if c.through() || c.head() == nil {
				waiting = append(waiting, heap.Pop(&m).(*cursor))
			} else {
				heap.Fix(&m, 0)
			}
		}
		if err != nil {
			return err
		}
	}
}

// merge is a heap of cursors, the one with the oldest record first.
type merge []*cursor

func (m merge) Len() int      { return len(m) }
func (m merge) Swap(i, j int) { m[i], m[j] = m[j], m[i] }
func (m merge) Less(i, j int) bool {
	a, b := m[i].head(), m[j].head()
	if a.Timestamp != b.Timestamp {
		return a.Timestamp < b.Timestamp
	}
	return a.Partition < b.Partition
}

// Push implements heap.Interface.
func (m *merge) Push(x any) { *m = append(*m, x.(*cursor)) }

// Pop implements heap.Interface.
func (m *merge) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}

// follow hands over what comes, what came together in order of time.
func (r *reader) follow() error {
	for {
		var m merge
		for _, c := range r.cursors {
			if c.head() != nil {
				heap.Push(&m, c)
			}
		}
		for len(m) > 0 {
			if err := r.give(m[0], r.sink); err != nil {
				return err
			}
			if m[0].head() == nil {
				heap.Pop(&m)
			} else {
				heap.Fix(&m, 0)
			}
		}
		if err := r.flush(r.sink); err != nil {
			return err
		}
		if time.Since(r.renewed) > readRenewal {
			if err := r.renew(); missing(err) {
				return err
			}
		}
		if err := r.fetch(r.cursors); err != nil {
			return err
		}
	}
}

// missing tells whether err says that the topic is gone.
func missing(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Class == MissingTopic
}

// give takes the next record of c.
func (r *reader) give(c *cursor, f func([]topic.Record) error) error {
	rec := c.head()
	c.at++
	if r.what.Keep == nil || r.what.Keep(rec) {
		r.out = append(r.out, *rec)
	}
	if len(r.out) >= maxDelivery {
		return r.flush(f)
	}
	return r.ctx.Err()
}

// flush hands over what was taken.
func (r *reader) flush(f func([]topic.Record) error) error {
	if len(r.out) == 0 {
		return r.ctx.Err()
	}
	err := f(r.out)
	clear(r.out)
	r.out = r.out[:0]
	return err
}

// fetch asks for records of cursors that have none, and waits for one answer.
func (r *reader) fetch(cursors []*cursor) error {
	byLeader := map[int32][]*cursor{}
	for _, c := range cursors {
		if c.head() == nil {
			byLeader[c.leader] = append(byLeader[c.leader], c)
		}
	}
	if lost := byLeader[-1]; len(lost) > 0 && len(r.busy) == 0 && len(byLeader) == 1 {
		return r.faulty(lost[0].id, kerr.LeaderNotAvailable)
	}
	for leader, of := range byLeader {
		if leader >= 0 && !r.busy[leader] {
			r.ask(leader, of)
		}
	}
	select {
	case a := <-r.answers:
		delete(r.busy, a.leader)
		return r.take(a)
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

// ask sends a request to a leader.
func (r *reader) ask(leader int32, cursors []*cursor) {
	r.busy[leader] = true
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = -1, int32(fetchWait.Milliseconds()), 1, readBytes
	req.SessionID, req.SessionEpoch, req.IsolationLevel = 0, -1, readCommitted
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = r.what.Topic, r.id
	for _, c := range cursors {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.CurrentLeaderEpoch, p.FetchOffset, p.LastFetchedEpoch, p.LogStartOffset = c.id, -1, c.next, -1, -1
		p.PartitionMaxBytes = int32(min(max(readMemory/len(r.cursors), 64<<10), readPartition))
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	r.asking.Go(func() {
		a := answer{leader: leader, cursors: cursors}
		resp, err := r.c.kafka.Broker(int(leader)).RetriableRequest(r.ctx, req)
		a.err = err
		if err == nil {
			a.resp = resp.(*kmsg.FetchResponse)
			a.err = kerr.ErrorForCode(a.resp.ErrorCode)
		}
		select {
		case r.answers <- a:
		case <-r.ctx.Done():
		}
	})
}

// take stores what an answer has.
func (r *reader) take(a answer) error {
	if a.err != nil {
		return r.faulty(a.cursors[0].id, a.err)
	}
	var fault error
	var at int32
	silent, ends := true, map[*cursor]Span{}
	for _, t := range a.resp.Topics {
		for i := range t.Partitions {
			p := &t.Partitions[i]
			j := slices.IndexFunc(a.cursors, func(c *cursor) bool { return c.id == p.Partition })
			if j < 0 {
				continue
			}
			silent = silent && len(p.RecordBatches) == 0 && p.ErrorCode == 0
			ends[a.cursors[j]] = Span{p.LastStableOffset, p.HighWatermark}
			if err := r.fill(a.cursors[j], p); err != nil {
				fault, at = err, p.Partition
			}
		}
	}
	if fault != nil {
		return r.faulty(at, fault)
	}
	if silent { // of several partitions one may be silent because another took all the room
		return r.missed(ends)
	}
	r.failing = time.Time{}
	return nil
}

// missed is told of partitions that have nothing where reading is, with the offsets at which their open transactions begin and at which they end: what was to be
// read is not there any more, or not yet.
func (r *reader) missed(ends map[*cursor]Span) error {
	short := false
	for c, open := range ends {
		switch {
		case c.next >= c.end:
		case open.End < c.end:
			short = true
		case open.First < c.end && r.what.Open:
			c.next = max(c.next, open.First)
		default: // compacted, or the marks of transactions
			c.end = min(c.end, max(c.next, open.First))
			c.next = c.end
		}
	}
	switch {
	case !short:
		r.failing = time.Time{}
	case r.failing.IsZero(): // a new leader may not know yet how far the others have read
		r.failing = time.Now()
	case time.Since(r.failing) > readGiveUp:
		for c, open := range ends {
			c.end = min(c.end, open.End)
		}
	}
	return nil
}

// fill gives a cursor the records of an answer.
func (r *reader) fill(c *cursor, p *kmsg.FetchResponseTopicPartition) error {
	fp, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: c.next, IsolationLevel: kgo.ReadCommitted(), Topic: r.what.Topic, Partition: c.id, Pools: []kgo.Pool{&r.pool},
	}, p, r.unpack, nil)
	if errors.Is(fp.Err, kerr.OffsetOutOfRange) {
		if r.what.Exact {
			return r.gone(c, c.next)
		}
		return r.reset(c)
	}
	if len(fp.Records) > 0 {
		if used := c.records; used != nil {
			clear(used)
			r.pool.slices.put(used)
		}
		c.records, c.at = r.pool.convert(kgo.FetchTopicPartition{Topic: r.what.Topic, FetchPartition: fp}), 0
	}
	c.next = max(c.next, next)
	if len(fp.Records) > 0 {
		return nil // the error comes again with the next answer
	}
	return fp.Err
}

func (r *reader) gone(c *cursor, at int64) error {
	return fmt.Errorf("%s/%d, offset %d: %w", r.what.Topic, c.id, at, ErrGone)
}

// reset goes on where the partition begins now: records were deleted, or the topic was made anew.
func (r *reader) reset(c *cursor) error {
	spans, err := r.c.Spans(r.ctx, r.what.Topic)
	if err != nil {
		return err
	}
	s := spans[c.id]
	c.next, c.end = s.First, min(c.end, s.End)
	return nil
}

// faulty waits a little after a fault, and learns who leads now. What time does not mend is the error.
func (r *reader) faulty(id int32, err error) error {
	if r.ctx.Err() != nil {
		return r.ctx.Err()
	}
	if errors.Is(err, ErrGone) {
		return err
	}
	if fatal := r.log.fault(r.what.Topic, id, err); fatal != nil {
		return r.c.wrap(fatal, "read topic %s", r.what.Topic)
	}
	if r.failing.IsZero() {
		r.failing = time.Now()
	}
	if !r.what.Follow && time.Since(r.failing) > readGiveUp {
		return r.c.wrap(err, "read topic %s", r.what.Topic)
	}
	select {
	case <-time.After(readPause):
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
	if err := r.renew(); missing(err) {
		return err
	}
	return nil
}
