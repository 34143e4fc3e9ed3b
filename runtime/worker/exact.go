package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"faust/runtime/agent"
	"faust/runtime/broker"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// What settled events may have sent before the next commit; others wait above it.
const (
	maxPendingRecords = 32 << 10
	maxPendingBytes   = 32 << 20
)

// maxTransaction bounds the time-out of transactions, where sessions are long.
const maxTransaction = time.Minute

// exact is the worker's side of exactly-once. What settled events send is kept here until the next commit, which stores it together with the changes of
// tables and the places of the processors in one transaction. Nothing is sent between two commits, so partitions may come and go without ending one; and
// whatever does not end in a confirmed commit ends in a reset: the partitions are taken up anew from what the group has.
type exact struct {
	run     *run
	id      string        // of the transactions
	timeout time.Duration // of one
	gate    sync.RWMutex  // held shared while what an event did begins to count, and wholly while it is collected
	gauge   gauge         // of pending

	over   atomic.Bool
	loose  int32              // generation in which a commit of offsets alone was sent whose fate is not known; with run.verbs
	broken bool               // the last commit failed, and no reset was made; with run.verbs
	tx     *broker.Transactor // nil: none is open; with run.verbs
	ends   broker.Ends        // of the transactions; with run.verbs
	look   time.Time          // when it is to be seen whether they are over

	mu       sync.Mutex
	pending  []delivery // of settled events, in order
	refusing atomic.Bool
	refusals map[refusal]error
	told     map[refusal]bool // of windows that close: they are tried again later, with what they send then
	suspects map[origin]bool  // events that sent records of which one was refused
}

// delivery is a record that a settled event sends.
type delivery struct {
	lane   *lane
	origin origin
	record topic.Record
}

// origin is the event that a record is of.
type origin struct {
	agent  string
	in     topic.Partition
	offset int64
	row    string // of a window that closes, which has no offset
}

// refusal is a record of an event, by its number.
type refusal struct {
	origin
	n int
}

func newExact(r *run) *exact {
	x := &exact{run: r, id: r.set.GroupID() + "-" + uuid.NewString(), timeout: min(r.session()*4/5, maxTransaction), refusals: map[refusal]error{}, told: map[refusal]bool{}, suspects: map[origin]bool{}}
	x.ends.Sibling = x.sibling
	x.gauge.maxRecords, x.gauge.maxBytes = maxPendingRecords, maxPendingBytes
	return x
}

// name is the id of the transactions; "" without any.
func (x *exact) name() string {
	if x == nil {
		return ""
	}
	return x.id
}

// desk is the agent.Sender of one lane.
type desk struct {
	*exact
	lane *lane
}

// Send implements agent.Sender. It does not wait.
func (d desk) Send(_ context.Context, r *topic.Record, cause *agent.Cause) error {
	v := delivery{lane: d.lane, record: *r}
	if cause != nil {
		v.origin = originOf(cause)
	}
	switch {
	case agent.IsLetter(r):
		v.origin = buried(r)
	case agent.IsAnswer(r):
		v.origin.agent = "answer of " + v.origin.agent
	}
	if d.refusing.Load() && !d.passes(&v) {
		return nil
	}
	d.gauge.add(size(r))
	d.mu.Lock()
	d.pending = append(d.pending, v)
	d.mu.Unlock()
	if records, bytes := d.gauge.level(); records > maxPendingRecords/2 || bytes > maxPendingBytes/2 {
		d.run.state.full()
	}
	return nil
}

// Room implements agent.Roomer.
func (d desk) Room(n int) bool { return d.gauge.fits(int64(n)) }

// wait waits until there is room.
func (x *exact) wait(ctx context.Context) error {
	for !x.gauge.fits(1) {
		free := x.gauge.wait()
		if x.gauge.fits(1) {
			return nil
		}
		select {
		case <-free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func originOf(c *agent.Cause) origin {
	o := origin{agent: c.Agent.Name, in: c.Record.In(), offset: c.Record.Offset}
	if o.offset < 0 {
		window, _ := c.Record.Header(agent.HeaderWindow)
		o.row = string(window) + " " + string(c.Record.Key)
	}
	return o
}

// config is what the processors of a lane need; how many share the lane's metadata.
func (x *exact) config(place agent.Place, agents int) *agent.Exact {
	return &agent.Exact{Gate: x.gate.RLocker(), Room: x.wait, Refused: x.refused, Refusing: &x.refusing, Window: maxWindow / int64(agents), Place: place}
}

// collected is what one commit stores.
type collected struct {
	lanes      []*lane
	tables     []*holding
	positions  map[topic.Partition]broker.Position
	moved      bool // one of the positions is new
	deliveries []delivery
	changes    []change
}

// change is a record for the changelog of a shard.
type change struct {
	holding *holding
	record  topic.Record
}

// collect takes what the events of the lanes did since the last commit: of each of them all or nothing.
func (x *exact) collect(lanes []*lane) (*collected, error) {
	c := &collected{positions: map[topic.Partition]broker.Position{}}
	mine := map[*lane]bool{}
	x.gate.Lock()
	defer x.gate.Unlock()
	for _, l := range lanes {
		if l.gone.Load() || len(l.procs) == 0 {
			continue
		}
		pos, ok, err := l.position()
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		mine[l] = true
		c.lanes = append(c.lanes, l)
		c.positions[l.partition] = pos
		c.moved = c.moved || l.unsaid || pos.Offset != l.committed.Load() || pos.Metadata != l.noted
	}
	c.tables = holdings(c.lanes)
	c.deliveries = x.take(mine)
	for _, h := range c.tables {
		headers := table.Writer(h.fence)
		err := h.shard.Seal(func(key, value []byte) error {
			c.changes = append(c.changes, change{h, h.record(key, value, headers)})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

// take takes the deliveries of lanes out of the pending ones, and drops those of lanes that are gone.
func (x *exact) take(lanes map[*lane]bool) (list []delivery) {
	x.mu.Lock()
	defer x.mu.Unlock()
	left := x.pending[:0]
	for _, d := range x.pending {
		switch {
		case lanes[d.lane]:
			list = append(list, d)
		case d.lane.gone.Load():
			x.gauge.give(size(&d.record))
		default:
			left = append(left, d)
		}
	}
	clear(x.pending[len(left):])
	x.pending = left
	return list
}

// errReset is why nothing can be committed before a reset.
var errReset = errors.New("the last transaction was not committed")

// commit runs the verbs for the lanes, as one transaction; run.verbs is held. After an error reset has to be called before the next one.
func (x *exact) commit(ctx context.Context, lanes []*lane) error {
	r := x.run
	if x.broken {
		return errReset
	}
	if r.stale() {
		return nil
	}
	if err := r.at(beforeSeal); err != nil {
		return err
	}
	if x.tx != nil && x.due() {
		if _, err := x.open(ctx); err != nil {
			return err
		}
	}
	begun := time.Now()
	c, err := x.collect(lanes)
	if err != nil {
		return err
	}
	if !c.moved && len(c.deliveries) == 0 && len(c.changes) == 0 {
		return r.state.checkpoint(c.tables, false)
	}
	// One that is begun is ended, whatever ends the caller: half of one would have to be done again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), x.timeout)
	defer cancel()
	err = x.write(ctx, c)
	for i := range c.deliveries {
		x.gauge.give(size(&c.deliveries[i].record))
	}
	switch {
	case err == nil:
		r.metrics.commits.WithLabelValues("stored").Inc()
		r.metrics.commit.Observe(time.Since(begun).Seconds())
		x.forget(c)
		return r.checkpoint(c.tables)
	case errors.Is(err, broker.ErrRebalanced):
		r.metrics.commits.WithLabelValues("rebalanced").Inc()
	default:
		r.metrics.commits.WithLabelValues("failed").Inc()
	}
	x.broken = true
	if len(c.deliveries)+len(c.changes) == 0 && !errors.Is(err, broker.ErrRebalanced) {
		_, x.loose = r.group.Load().Member()
	}
	x.close()
	return err
}

// write stores what was collected.
func (x *exact) write(ctx context.Context, c *collected) error {
	if err := x.run.at(sealed); err != nil {
		return err
	}
	if len(c.deliveries)+len(c.changes) == 0 {
		return x.store(ctx, c, func(ctx context.Context, group *broker.Group) error { return group.CommitOnce(ctx, c.positions) })
	}
	tx, err := x.open(ctx)
	if err != nil {
		return err
	}
	if err := tx.Begin(); err != nil {
		return err
	}
	if err := x.post(ctx, tx, c); err != nil {
		return err
	}
	if err := x.run.at(flushed); err != nil {
		return err
	}
	return x.store(ctx, c, func(ctx context.Context, group *broker.Group) error {
		if err := tx.Offsets(ctx, group, c.positions); err != nil {
			return err
		}
		if err := x.run.at(prepared); err != nil {
			return err
		}
		return tx.Commit(ctx)
	})
}

// begin opens the transactor, before there is anything to commit.
func (x *exact) begin(ctx context.Context) error {
	if err := x.run.hold(ctx); err != nil {
		return err
	}
	defer x.run.release()
	_, err := x.open(ctx)
	return err
}

// close ends the transaction that is under way, if there is one.
func (x *exact) close() {
	if x.tx == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	x.tx.Abort(ctx)
	x.tx.Close()
	x.tx = nil
}

// end closes for good, at the latest when the commit that is under way ends.
func (x *exact) end(ctx context.Context) {
	x.over.Store(true)
	select {
	case x.run.verbs <- struct{}{}: // also when no time is left
	default:
		if x.run.hold(ctx) != nil {
			return
		}
	}
	x.run.release()
}

// dispatch hears what becomes of the records of a transaction.
type dispatch struct {
	mu     sync.Mutex
	err    error         // not the fault of a record
	failed map[int]error // by the index of the delivery
}

// Stored implements broker.Receipt.
func (p *dispatch) Stored(s *broker.Sending, err error) {
	if h, ok := s.Note.Owner.(*holding); ok && err == nil {
		at := s.Record().Offset + 1
		h.acked.Store(max(h.acked.Load(), at))
		return
	}
	if err == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.Note.Epoch >= 0 && broker.Permanent(err) {
		p.failed[int(s.Note.Epoch)] = err
	} else if p.err == nil {
		p.err = err
	}
}

// post sends the records of a transaction and waits until the broker has them.
func (x *exact) post(ctx context.Context, tx *broker.Transactor, c *collected) error {
	p := &dispatch{failed: map[int]error{}}
	alone, err := x.alone(ctx, tx, c, p)
	if err != nil {
		return err
	}
	for i := range c.changes {
		ch := &c.changes[i]
		tx.Post(x.run.link.ctx, &ch.record, p, &broker.Note{Epoch: -1, Owner: ch.holding})
	}
	for i := range c.deliveries {
		if !alone[i] {
			tx.Post(x.run.link.ctx, &c.deliveries[i].record, p, &broker.Note{Epoch: int64(i)})
		}
	}
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	x.run.metrics.sent.Add(float64(len(c.changes) + len(c.deliveries)))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil && len(p.failed) > 0 {
		x.suspect(c, p.failed)
		for _, err := range p.failed {
			return fmt.Errorf("the broker refused a record: %w", err)
		}
	}
	return p.err
}

// store does f, which commits the positions, in line with the callbacks of the group, and takes note of them. While the group rebalances it is
// tried again: members keep what is not taken away from them.
func (x *exact) store(ctx context.Context, c *collected, f func(ctx context.Context, group *broker.Group) error) error {
	r := x.run
	select {
	case r.stage <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-r.stage }()
	group := r.group.Load()
	if group == nil {
		return broker.ErrClosed
	}
	for {
		for _, l := range c.lanes {
			if l.gone.Load() {
				return fmt.Errorf("%s was lost: %w", l.partition, broker.ErrRebalanced)
			}
		}
		err := f(ctx, group)
		if err == nil {
			break
		}
		if !errors.Is(err, broker.ErrRebalanced) || !sleepUntil(ctx, time.Now().Add(rebalancePause)) {
			return err
		}
	}
	for _, l := range c.lanes {
		l.stored(c.positions[l.partition])
	}
	return nil
}

// rebalancePause is between two attempts to commit while the group rebalances.
const rebalancePause = 20 * time.Millisecond
