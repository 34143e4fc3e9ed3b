package table

import (
	"encoding/json"
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// windowed is what a shard with windows knows of time. Where nothing else is said it is guarded by Shard.mu.
type windowed struct {
	spec   *Windows
	now    atomic.Int64 // how far time is; it never goes back
	due    atomic.Int64 // from which time on there is a window to close,
	next   atomic.Int64 // and one that is to close, perhaps not at once
	clocks atomic.Pointer[[]*Clock]

	starts []int64 // of the windows that may have rows, in order
	latest int64   // of these the one that was written last
	moved  bool    // time went on since it was saved

	closing closing
	restore map[string][]int64 // times of the feeders of clocks that have not joined yet
}

// times is how the state of time is saved.
type times struct {
	At     int64              `json:"at"`
	Clocks map[string][]int64 `json:"clocks,omitempty"` // of feeders
	Closed []byte             `json:"closed,omitempty"` // rows before this one were told of
	Failed [][]byte           `json:"failed,omitempty"` // but for these
}

func newWindowed(spec *Windows) *windowed {
	w := &windowed{spec: spec, latest: Never, restore: map[string][]int64{}}
	w.now.Store(Never)
	w.due.Store(math.MaxInt64)
	w.next.Store(math.MaxInt64)
	w.clocks.Store(&[]*Clock{})
	w.closing = newClosing()
	return w
}

// Restore looks at what the store has: whether there is anything, and how far time and windows are. It comes before everything else.
func (s *Shard) Restore() error {
	if s.cfg.Sole {
		s.whole = true
		if err := s.cfg.Store.Each(nil, func(_, _ []byte) bool { s.whole = false; return false }); err != nil {
			return s.wrap(err)
		}
	}
	w := s.win
	if w == nil {
		return nil
	}
	b, ok, err := s.cfg.Store.Get([]byte(timeKey))
	if err != nil {
		return s.wrap(err)
	}
	if ok {
		t := times{Clocks: w.restore} // which may say nothing of clocks
		if err := json.Unmarshal(b, &t); err != nil {
			return s.wrap(err)
		}
		w.now.Store(t.At)
		w.closing.load(&t)
	}
	for from := ""; ; {
		page, _, err := s.Range(from, "", 1, nil)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		start, _, _ := SplitRow(page[0].Key)
		w.starts = append(w.starts, start)
		from = rowsFrom(start + 1)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w.arm()
	return nil
}

// saveTime puts how far time is among what the next Seal gives, as the last, if there is a reason.
func (s *Shard) saveTime() error {
	w := s.win
	t := times{Clocks: map[string][]int64{}}
	for _, c := range *w.clocks.Load() { // before anything is frozen: what they say was settled
		t.Clocks[c.name] = c.times()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, list := range w.restore {
		if t.Clocks[name] == nil {
			t.Clocks[name] = list
		}
	}
	if !w.closing.marked {
		w.closing.mark(s.cfg.Atomic)
	}
	w.closing.marked = false
	if !w.moved && !w.closing.unsaved() && len(s.dirty) == 0 {
		return nil
	}
	e, err := s.find(timeKey)
	if err != nil {
		return err
	}
	t.At = w.now.Load()
	w.closing.save(&t)
	b, err := json.Marshal(&t)
	if err != nil {
		return s.wrap(err)
	}
	w.moved = false
	to := &Stored{b}
	s.bytes += sizeOf(to) - sizeOf(e.value)
	e.value = to
	if e.dirty {
		e.dirty = false
		s.dirty = slices.DeleteFunc(s.dirty, func(d *entry) bool { return d == e })
	}
	s.soil(e)
	return nil
}

// Mark notes of which windows was told by now. Where several shards are sealed together it is called for all of them before: what was done because of a window is in these Seals
// then, in whichever shard it is.
func (s *Shard) Mark() {
	if s.win == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.win.closing.mark(s.cfg.Atomic)
}

// unsaved tells whether Seal has something to do although no row changed.
func (w *windowed) unsaved() bool { return w.moved || w.closing.unsaved() }

// confirm hears that what Seal gave, and what was sent before, is stored.
func (w *windowed) confirm() { w.closing.confirm() }

// Join makes the shard go by a clock as well: time in it is the smallest of its clocks'. The clock goes on from where it was when the shard was saved.
func (s *Shard) Join(c *Clock) {
	w := s.win
	s.mu.Lock()
	saved := w.restore[c.name]
	delete(w.restore, c.name)
	list := append(slices.Clone(*w.clocks.Load()), c)
	w.clocks.Store(&list)
	s.mu.Unlock()
	c.join(s)
	for i, at := range saved {
		if at > Never {
			c.note(int32(i), at, false, true)
		}
	}
}

// Leave is the end of Join.
func (s *Shard) Leave(c *Clock) {
	times := c.times()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(*s.win.clocks.Load(), c) {
		return
	}
	s.win.restore[c.name] = times
	list := slices.DeleteFunc(slices.Clone(*s.win.clocks.Load()), func(d *Clock) bool { return d == c })
	s.win.clocks.Store(&list)
}

// follow hears that one of the clocks went on, by messages or only because nothing comes: time is the smallest of those that do not rest or, if all do, the
// largest.
func (s *Shard) follow(byMessages bool) {
	clocks := *s.win.clocks.Load()
	if len(clocks) < s.cfg.Clocks {
		return // one may be behind those that are here
	}
	low, high := int64(math.MaxInt64), int64(Never)
	for _, c := range clocks {
		if c.Resting() {
			high = max(high, c.Time())
		} else {
			low = min(low, c.Time())
		}
	}
	if low == math.MaxInt64 {
		low = high
	}
	s.advance(low, byMessages)
}

// advance makes time what it is now, unless it is that already.
func (s *Shard) advance(now int64, save bool) {
	w := s.win
	if now <= w.now.Load() {
		return
	}
	s.mu.Lock()
	w.now.Store(max(now, w.now.Load()))
	w.moved = w.moved || save
	s.mu.Unlock()
	s.tellDue()
}

// Tick lets time pass at the pace of a clock on the wall: that of the shard if messages count when they are processed, and that of what is to be tried again.
func (s *Shard) Tick(now time.Time) {
	w := s.win
	if w == nil {
		return
	}
	if w.spec.Time == ClockTime {
		s.advance(now.UnixMilli(), false)
	}
	s.mu.Lock()
	w.arm()
	s.mu.Unlock()
	s.tellDue()
}

func (s *Shard) tellDue() {
	if s.cfg.Due != nil && s.Due() {
		s.cfg.Due()
	}
}

// Now is how far time is in a shard with windows; Never: not known.
func (s *Shard) Now() int64 { return s.win.now.Load() }

// Present is the time at which a shard is read where no message says it: how far time is or, while that is not known, the newest window; Never: there is none.
func (s *Shard) Present() int64 {
	if now := s.Now(); now != Never {
		return now
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.win.starts); n > 0 {
		return s.win.starts[n-1]
	}
	return Never
}

// Late tells whether the window that begins at start counts nothing any more.
func (s *Shard) Late(start int64) bool {
	now := s.win.now.Load()
	return now > Never && s.win.spec.closes(start) <= now
}

// Closes tells whether the rows of the window that begins at start are being told of, or were.
func (s *Shard) Closes(start int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.win.spec.Told && start <= s.win.closing.floor
}

// Missed takes note of a message that came too late for a window.
func (s *Shard) Missed() {
	if s.cfg.Late != nil {
		s.cfg.Late()
	}
}

// Starts gives the windows that may have rows, in order.
func (s *Shard) Starts() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.win.starts)
}

// take lets a row be written by events that have not written it yet; false: its window closes or is closed.
func (w *windowed) take(row string) bool {
	start, _, ok := SplitRow(row)
	if !ok {
		return true
	}
	if w.spec.Told && !w.closing.take(start) {
		return false
	}
	w.begin(start)
	return true
}

// give is the end of take.
func (w *windowed) give(row string) {
	start, _, ok := SplitRow(row)
	if !ok {
		return
	}
	w.begin(start) // it may have been swept meanwhile
	if w.spec.Told && w.closing.give(start) {
		w.arm()
	}
}

// begin takes note of a window that has a row.
func (w *windowed) begin(start int64) {
	if start == w.latest {
		return
	}
	w.latest = start
	i, known := slices.BinarySearch(w.starts, start)
	if known {
		return
	}
	w.starts = slices.Insert(w.starts, i, start)
	w.arm()
}

// arm finds when the next window is due.
func (w *windowed) arm() {
	due, next := int64(math.MaxInt64), int64(math.MaxInt64)
	if w.spec.Told {
		if start, ok := w.unclosed(); ok && !w.closing.full() {
			next = w.spec.closes(start)
			if !w.closing.busy(start) {
				due = next
			}
		}
		if w.closing.ready() {
			due = Never + 1
		}
	}
	w.due.Store(due)
	w.next.Store(next)
}

// unclosed is the oldest window that has rows nobody was told of, as far as one knows.
func (w *windowed) unclosed() (start int64, ok bool) {
	i, _ := slices.BinarySearch(w.starts, w.closing.from())
	if i == len(w.starts) {
		return 0, false
	}
	return w.starts[i], true
}

// sweepPage is how many rows are looked at at a time.
const sweepPage = 512

// Sweep deletes the rows of windows that have expired; if that is much, some of them.
func (s *Shard) Sweep() error {
	if s.win == nil {
		return nil
	}
	for _, start := range s.Starts() {
		if now := s.win.now.Load(); now == Never || s.win.spec.expires(start) > now {
			return nil
		}
		if done, err := s.sweep(start); err != nil || !done {
			return err
		}
	}
	return nil
}

// sweep deletes the rows of a window; false: enough for now.
func (s *Shard) sweep(start int64) (bool, error) {
	w, end := s.win, rowsFrom(start+1)
	to := end
	s.mu.Lock()
	if w.spec.Told {
		to = min(to, w.closing.confirmed.before)
	}
	s.mu.Unlock()
	left := to < end
	for from, more := rowsFrom(start), true; more && from < to; {
		var page []Pair
		var err error
		if page, more, err = s.Range(from, to, sweepPage, nil); err != nil {
			return false, err
		}
		s.mu.Lock()
		for _, p := range page {
			left = !s.expire(p) || left
			from = p.Key + "\x00"
		}
		full := s.full
		s.mu.Unlock()
		if full {
			return false, nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := slices.BinarySearch(w.starts, start); ok && !left {
		w.starts = slices.Delete(w.starts, i, i+1)
		if w.latest == start {
			w.latest = Never
		}
	}
	return true, nil
}

// expire deletes a row that expired; false: it is still needed. s.mu is held.
func (s *Shard) expire(p Pair) bool {
	if s.win.spec.Told && s.win.closing.keeps(p.Key) {
		return false
	}
	e := s.live[p.Key]
	if e == nil {
		e = &entry{key: p.Key, content: content{value: p.Value}}
		s.live[p.Key] = e
		s.bytes += entryBytes + len(p.Key) + sizeOf(p.Value)
	}
	if e.hand != nil {
		return false
	}
	s.put(e, content{})
	s.remember(e)
	s.soil(e)
	return true
}
