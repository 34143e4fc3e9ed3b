package table

import (
	"slices"
	"time"
)

const (
	closingPage = 256
	maxFailed   = 1000        // rows that could not be told of, before no others are,
	failedBytes = 256 << 10   // and their bytes, which all are in one record of the changelog
	firstDelay  = time.Second // until one is tried again,
	lastDelay   = time.Minute // doubling up to this
)

// closing is how far a shard is with telling of windows that close: row after row, in order. Guarded by Shard.mu.
type closing struct {
	closed
	claimed bool           // a row is being told of
	queue   []string       // rows that come next
	floor   int64          // windows that begin there or before close or are closed: nobody writes to them
	writing map[int64]int  // rows of a window that events in hand have written
	tries   map[string]try // of closed.failed
	soonest time.Time      // when the next of these is tried again
	heavy   int            // bytes of closed.failed

	version   int                                    // counts changes of closed
	sealed    closed                                 // as of mark
	marked    bool                                   // mark was called since the last save
	confirmed closed                                 // what is saved unless Atomic: all that was sent because of it is stored
	at        struct{ sealed, confirmed, saved int } // versions of these
}

// closed says which rows were told of.
type closed struct {
	before string   // all before this one,
	failed []string // but for these; it is not changed, but replaced
}

// try is how often a row failed, and when it is tried again.
type try struct {
	times int
	next  time.Time
}

func newClosing() closing {
	return closing{floor: Never, writing: map[int64]int{}, tries: map[string]try{}}
}

// load begins where a shard was saved.
func (c *closing) load(t *times) {
	c.before = string(t.Closed)
	for _, row := range t.Failed {
		c.failed = append(c.failed, string(row))
		c.tries[string(row)] = try{}
		c.heavy += len(row)
	}
	c.sealed, c.confirmed = c.closed, c.closed
	if start, _, ok := SplitRow(c.before); ok {
		c.floor = start - 1
		if len(c.before) > rowHead { // some of the window was closed
			c.floor = start
		}
	}
}

// mark notes what was told of by now. With atomic it is saved next, else when what was sent because of it is stored.
func (c *closing) mark(atomic bool) {
	c.sealed, c.at.sealed = c.closed, c.version
	if atomic {
		c.confirm()
	}
	c.marked = true
}

// save writes it for the next load.
func (c *closing) save(t *times) {
	c.at.saved = c.at.confirmed
	t.Closed = []byte(c.confirmed.before)
	for _, row := range c.confirmed.failed {
		t.Failed = append(t.Failed, []byte(row))
	}
}

// confirm hears that what was sent before the last mark, and written to whichever table, is stored.
func (c *closing) confirm() { c.confirmed, c.at.confirmed = c.sealed, c.at.sealed }

// unsaved tells whether there is something to save.
func (c *closing) unsaved() bool { return c.version != c.at.sealed || c.at.confirmed != c.at.saved }

// from is the start of the oldest window that is not done with.
func (c *closing) from() int64 {
	if start, _, ok := SplitRow(c.before); ok {
		return start
	}
	return Never
}

func (c *closing) take(start int64) bool {
	if start <= c.floor {
		return false
	}
	c.writing[start]++
	return true
}

// give tells whether nobody writes to the window any more.
func (c *closing) give(start int64) bool {
	if c.writing[start]--; c.writing[start] > 0 {
		return false
	}
	delete(c.writing, start)
	return true
}

// busy tells whether the window cannot be closed now.
func (c *closing) busy(start int64) bool {
	return c.claimed || c.writing[start] > 0 || c.full()
}

// full tells whether so much failed that nothing else is closed.
func (c *closing) full() bool { return len(c.failed) >= maxFailed || c.heavy >= failedBytes }

// ready tells whether something that failed is to be tried again.
func (c *closing) ready() bool { return !c.claimed && c.again() != "" }

// again gives a row that is to be tried again; "": there is none.
func (c *closing) again() string {
	if len(c.failed) == 0 {
		return ""
	}
	now := time.Now()
	if c.soonest.After(now) {
		return ""
	}
	for _, row := range c.failed {
		if !c.tries[row].next.After(now) {
			return row
		}
	}
	return ""
}

// reckon finds soonest.
func (c *closing) reckon() {
	for i, row := range c.failed {
		if next := c.tries[row].next; i == 0 || next.Before(c.soonest) {
			c.soonest = next
		}
	}
}

// keeps tells whether a row is still to be told of.
func (c *closing) keeps(row string) bool {
	return slices.Contains(c.failed, row) || slices.Contains(c.confirmed.failed, row)
}

// pass takes a row for told of.
func (c *closing) pass(row string) {
	c.version++
	if row >= c.before {
		c.before = row + "\x00"
	} else {
		c.forget(row)
	}
}

func (c *closing) forget(row string) {
	if _, known := c.tries[row]; known {
		c.heavy -= len(row)
	}
	c.failed = slices.DeleteFunc(slices.Clone(c.failed), func(f string) bool { return f == row })
	delete(c.tries, row)
	c.reckon()
}

// fail leaves a row for later.
func (c *closing) fail(row string) {
	c.version++
	t := c.tries[row]
	t.times++
	t.next = time.Now().Add(min(firstDelay<<min(t.times-1, 10), lastDelay))
	c.tries[row] = t
	if row >= c.before {
		c.before = row + "\x00"
		c.failed = append(slices.Clone(c.failed), row)
		c.heavy += len(row)
	}
	c.reckon()
}

// Closing is a key in a window that closes: whoever claimed it tells of it, and calls Done or Failed.
type Closing struct {
	Window
	Key   string
	Value Value

	shard *Shard
	row   string
}

// Table is what it is of.
func (c *Closing) Table() *Definition { return c.shard.cfg.Table }

// Due tells whether Claim may give something. It is cheap.
func (s *Shard) Due() bool {
	return s.win != nil && s.win.now.Load() >= s.win.due.Load()
}

// Next is the time at which the next window is to close, whether it can be closed then or not.
func (s *Shard) Next() int64 { return s.win.next.Load() }

// Claim gives the next key whose window closes, one at a time; nil: there is none.
func (s *Shard) Claim() (*Closing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.win
	if w.closing.claimed {
		return nil, nil
	}
	w.closing.claimed = true
	c, err := s.claim()
	w.closing.claimed = c != nil
	w.arm()
	return c, err
}

// claim finds what Claim gives; s.mu is held, but for the time it reads.
func (s *Shard) claim() (*Closing, error) {
	w := s.win
	c := &w.closing
	if row := c.again(); row != "" {
		if got, err := s.closingOf(row); got != nil || err != nil {
			return got, err
		}
		c.pass(row)
	}
	for {
		if len(c.queue) == 0 {
			if more, err := s.refill(); err != nil || !more {
				return nil, err
			}
			continue
		}
		row := c.queue[0]
		c.queue = c.queue[1:]
		if got, err := s.closingOf(row); got != nil || err != nil {
			return got, err
		}
		c.pass(row)
	}
}

// closingOf makes what is told of a row; nil: it is not there any more.
func (s *Shard) closingOf(row string) (*Closing, error) {
	e, err := s.find(row)
	if err != nil || s.seen(e, nil) == nil {
		return nil, err
	}
	start, key, _ := SplitRow(e.key)
	return &Closing{Window: s.win.spec.At(start), Key: key, Value: s.seen(e, nil), shard: s, row: e.key}, nil
}

// refill reads the next rows that are to be told of into the queue; false: there are none, for now.
func (s *Shard) refill() (bool, error) {
	w := s.win
	c := &w.closing
	start, ok := w.unclosed()
	if now := w.now.Load(); !ok || now == Never || w.spec.closes(start) > now || c.writing[start] > 0 || c.full() {
		return false, nil
	}
	c.floor = max(c.floor, start)
	from, to := Rows(start)
	from = max(from, c.before)
	s.mu.Unlock()
	page, _, err := s.Range(from, to, closingPage, nil)
	s.mu.Lock()
	if err != nil {
		return false, err
	}
	for _, p := range page {
		c.queue = append(c.queue, p.Key)
	}
	if len(page) == 0 {
		c.before = to
		c.version++
	}
	return true, nil
}

// Done tells that what was done because of the window counts.
func (c *Closing) Done() { c.end(func(k *closing) { k.pass(c.row) }) }

// Drop tells that nothing was done, and that somebody else may do it.
func (c *Closing) Drop() {
	c.end(func(k *closing) {
		if c.row >= k.before {
			k.queue = append([]string{c.row}, k.queue...)
		}
	})
}

// Told gives it to whoever has it as something else.
func (c *Closing) Told() *Closing { return c }

// Failed tells that the window could not be told of, and is to be tried again later, or not. attempt counts from 1.
func (c *Closing) Failed() (again bool, attempt int) {
	c.end(func(k *closing) {
		attempt = k.tries[c.row].times + 1
		if again = !c.shard.win.spec.Skips; again {
			k.fail(c.row)
		} else {
			k.pass(c.row)
		}
	})
	return again, attempt
}

func (c *Closing) end(how func(*closing)) {
	s := c.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	s.win.closing.claimed = false
	how(&s.win.closing)
	s.win.arm()
}
