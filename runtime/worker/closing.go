package worker

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"faust/runtime/agent"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// turn sees to it that the windows of a partition close one after the other, over all tables: those of a minute before those of its hour, which may add them up.
type turn struct {
	mu    sync.Mutex
	busy  bool
	users []*chores // of the processors that close windows
}

// chores are the windows that a processor closes. It implements agent.Chores.
type chores struct {
	turn   *turn
	shards []*table.Shard // changed with turn.mu
}

// add is called before the processor runs.
func (c *chores) add(t *turn, s *table.Shard) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.turn == nil {
		c.turn = t
		t.users = append(t.users, c)
	}
	c.shards = append(c.shards, s)
}

// remove is called when the processor closes none any more.
func (t *turn) remove(c *chores) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.users = slices.DeleteFunc(t.users, func(u *chores) bool { return u == c })
}

// Due implements agent.Chores.
func (c *chores) Due() bool {
	for _, s := range c.shards {
		if s.Due() {
			return true
		}
	}
	return false
}

// Claim implements agent.Chores.
func (c *chores) Claim() (agent.Chore, error) {
	c.turn.mu.Lock()
	defer c.turn.mu.Unlock()
	if c.turn.busy {
		return nil, nil
	}
	for _, s := range slices.SortedStableFunc(slices.Values(c.shards), byTurn) {
		if !s.Due() || c.turn.before(s) {
			continue
		}
		if k, err := s.Claim(); k != nil || err != nil {
			if err != nil {
				return nil, &StoreError{err}
			}
			c.turn.busy = true
			return &chore{Closing: k, turn: c.turn}, nil
		}
	}
	return nil, nil
}

// before tells whether a window of another table that an agent has beside that of s is to close first, also if it cannot be closed now: since an event in hand has
// written to it, or since only another processor closes it. What is done then may count in those of s. t.mu is held.
func (t *turn) before(s *table.Shard) bool {
	for _, u := range t.users {
		if slices.Contains(u.shards, s) && slices.ContainsFunc(u.shards, func(o *table.Shard) bool { return o.Next() <= o.Now() && byTurn(o, s) < 0 }) {
			return true
		}
	}
	return false
}

// byTurn is the order in which the next windows of shards are to close: of two that are due at the same time the shorter first.
func byTurn(a, b *table.Shard) int {
	return cmp.Or(cmp.Compare(a.Next(), b.Next()), cmp.Compare(a.Table().Windows.Size, b.Table().Windows.Size))
}

// chore is a window that closes. It implements agent.Chore.
type chore struct {
	*table.Closing
	turn *turn
}

func (c *chore) end() {
	c.turn.mu.Lock()
	defer c.turn.mu.Unlock()
	c.turn.busy = false
}

// Record implements agent.Chore: the last moment of the window, which a header names.
func (c *chore) Record() topic.Record {
	window := append([]byte(c.Table().Name), ' ')
	for _, at := range []int64{c.Start, c.End} {
		window = time.UnixMilli(at).UTC().AppendFormat(window, "2006-01-02T15:04:05.999Z")
		window = append(window, '/')
	}
	return topic.Record{Key: []byte(c.Key), Timestamp: c.End - 1, Headers: []topic.Header{{Key: agent.HeaderWindow, Value: window[:len(window)-1]}}}
}

// Done implements agent.Chore.
func (c *chore) Done() {
	c.Closing.Done()
	c.end()
}

// Failed implements agent.Chore.
func (c *chore) Failed() (again bool, attempt int) {
	again, attempt = c.Closing.Failed()
	c.end()
	return again, attempt
}

// Drop implements agent.Chore.
func (c *chore) Drop() {
	c.Closing.Drop()
	c.end()
}

// users are the processors that close the windows of a shard.
type users struct {
	mu   sync.Mutex
	list atomic.Pointer[[]*agent.Processor]
}

func (u *users) add(p *agent.Processor) {
	u.change(func(list []*agent.Processor) []*agent.Processor { return append(list, p) })
}

func (u *users) remove(p *agent.Processor) {
	u.change(func(list []*agent.Processor) []*agent.Processor {
		return slices.DeleteFunc(list, func(q *agent.Processor) bool { return p == q })
	})
}

func (u *users) change(how func([]*agent.Processor) []*agent.Processor) {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := how(slices.Clone(u.get()))
	u.list.Store(&list)
}

func (u *users) get() []*agent.Processor {
	if list := u.list.Load(); list != nil {
		return *list
	}
	return nil
}

// nudge makes them look.
func (u *users) nudge() {
	for _, p := range u.get() {
		p.Nudge()
	}
}
