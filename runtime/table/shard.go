package table

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// Shard is one partition of a table on this worker. What was changed or looked at lately is in memory; all of it, as of the last checkpoint, is in the
// store. Its methods may be called from any goroutine; keys that they are given need to last only as long as the call.
type Shard struct {
	cfg ShardConfig

	mu     sync.Mutex
	live   map[string]*entry
	bytes  int      // of live, about
	least  int      // bytes that evict could not free, and a tenth more; 0 after a checkpoint, which makes it possible
	dirty  []*entry // changed since the last Seal, each once
	fresh  int      // bytes of dirty, about
	full   bool     // Full was called since the last Seal
	sealed []change // since the last commit, in order
	told   int      // how many of sealed Seal's emit took
	kept   []kept   // committed and not in the store yet, each key once
	held   int      // bytes that kept holds, about
	hands  []*hand  // free ones
	whole  bool     // the store has nothing that is not in memory
	recent recent   // those that the store may not have as they are
	count  int      // keys there are, also by events in hand; -1: nobody asked yet

	win    *windowed // of a table with windows: what is known of time; nil otherwise
	failed error     // why the store could not be read

	sets map[string]*set // of a table of sets: what is known of them, by what their entries begin with; nil otherwise
}

// ShardConfig says what a Shard is of.
type ShardConfig struct {
	Table     *Definition
	Partition int32
	Store     Store
	Cache     int           // bytes in memory beside what has to be; 0: no bound
	MaxDirty  int           // bytes changed between two Seals before Full is called; 0: no bound
	Sharers   *atomic.Int64 // how many shards share Cache and MaxDirty, at any time; nil: none else
	Full      func()        // wants a Seal soon; must not wait
	Sole      bool          // nobody else changes what the store has of it
	Atomic    bool          // what a Seal gives is committed together with what the events sent, or not at all
	Clocks    int           // how many are to join before time passes
	Late      func()        // a message came too late for a window; must not wait. nil: nobody wants to know
	Due       func()        // there may be windows to close; must not wait. nil: nobody wants to know
}

// entry is one key that is in memory.
type entry struct {
	key string
	content
	hand   *hand // of the events that wrote it and are not settled; nil: there are none
	pins   int32 // how often it is in Shard.sealed
	kept   int32 // where it is in Shard.kept, plus one; 0: it is not
	dirty  bool  // in Shard.dirty
	used   bool  // looked at since evict passed by
	recent bool  // in Shard.recent
}

// content is what a key has.
type content struct {
	value Value   // nil: the key is not there
	sum   float64 // if value is summed: what Add made, of which a value is made when somebody asks for it
}

// hand is events that wrote an entry and are not settled.
type hand struct {
	owner  *Effects
	before content
}

// entryBytes is about what an entry takes beside key and value.
const entryBytes = 128

// NewShard allocates; nothing is read before it is asked for.
func NewShard(cfg ShardConfig) *Shard {
	s := &Shard{cfg: cfg, live: map[string]*entry{}, count: -1}
	if cfg.Table.Windows != nil {
		s.win = newWindowed(cfg.Table.Windows)
	}
	if cfg.Table.Sets {
		s.sets = map[string]*set{}
	}
	return s
}

// Table is what the shard is of.
func (s *Shard) Table() *Definition { return s.cfg.Table }

// Partition is which one it is.
func (s *Shard) Partition() int32 { return s.cfg.Partition }

// Get gives the value of a key as the events of by see it: with what they wrote, without what others wrote that is not settled. by may be nil. nil:
// there is none.
func (s *Shard) Get(key string, by *Effects) (Value, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(key)
	if err != nil {
		return nil, err
	}
	return s.seen(e, by), nil
}

// Set gives a key a value, nil deletes it, as an effect of by, which is not nil. ErrBusy: somebody else is at it.
func (s *Shard) Set(key string, v Value, by *Effects) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(key)
	if err != nil {
		return err
	}
	return s.write(e, v, by)
}

// Update is Set with what f makes of the value that Get gives; false: nothing is done. f must not use the shard.
func (s *Shard) Update(key string, by *Effects, f func(v Value) (Value, bool)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(key)
	if err != nil {
		return err
	}
	v, ok := f(s.seen(e, by))
	if !ok {
		return nil
	}
	return s.write(e, v, by)
}

// write gives an entry a value as an effect of by; s.mu is held.
func (s *Shard) write(e *entry, v Value, by *Effects) error {
	if owner := e.owner(); owner != by {
		if owner != nil {
			return ErrBusy
		}
		if s.win != nil && !s.win.take(e.key) {
			return ErrClosed
		}
		s.own(e, by)
	}
	s.put(e, content{value: v})
	return nil
}

// own makes an entry one that the events of by have written; s.mu is held.
func (s *Shard) own(e *entry, by *Effects) {
	if n := len(s.hands); n > 0 {
		e.hand, s.hands = s.hands[n-1], s.hands[:n-1]
	} else {
		e.hand = &hand{}
	}
	e.hand.owner, e.hand.before = by, e.content
	by.writes = append(by.writes, written{s, e})
	s.remember(e)
}

// remember makes an entry one of those that the store may not have as they are; s.mu is held.
func (s *Shard) remember(e *entry) {
	if e.recent {
		return
	}
	e.recent = true
	s.recent.add(e)
	if s.sets != nil {
		s.note(e)
	}
}

// Replace puts another form of the same value in the place of was, if that is still what the key has: what was decoded need not be decoded again.
func (s *Shard) Replace(key string, was, form Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.live[key]; e != nil && e.value == was && was != nil {
		s.bytes += form.Size() - was.Size()
		e.value = form
	}
}

// seen is the value that the events of by see; s.mu is held.
func (s *Shard) seen(e *entry, by *Effects) Value {
	if e.hand != nil && e.hand.owner != by {
		return s.valueOf(&e.hand.before)
	}
	return s.valueOf(&e.content)
}

// free makes an entry one that no events in hand have written; s.mu is held.
func (s *Shard) free(e *entry) {
	if len(s.hands) < maxKept {
		*e.hand = hand{}
		s.hands = append(s.hands, e.hand)
	}
	e.hand = nil
	if s.win != nil {
		s.win.give(e.key)
	}
}

// owner is whose events wrote the entry and are not settled; nil: nobody's.
func (e *entry) owner() *Effects {
	if e.hand == nil {
		return nil
	}
	return e.hand.owner
}

// ahead tells whether the store may not have the key as it is here.
func (e *entry) ahead() bool { return e.hand != nil || e.dirty || e.pins > 0 || e.kept > 0 }

// find gives the entry of a key, from the store if need be; s.mu is held.
func (s *Shard) find(key string) (*entry, error) {
	if e := s.live[key]; e != nil {
		e.used = true
		return e, nil
	}
	key = strings.Clone(key) // it may be a part of something large, or of a buffer that is used again
	e := &entry{key: key, used: true}
	if !s.whole {
		b, ok, err := s.cfg.Store.Get([]byte(key))
		if err != nil {
			s.failed = s.wrap(err)
			return nil, s.failed
		}
		if ok {
			e.value = &Stored{b}
		}
	}
	if s.crowded() {
		s.evict()
	}
	s.live[key] = e
	s.bytes += entryBytes + len(key) + sizeOf(e.value)
	return e, nil
}

// crowded tells whether more is in memory than has to be; s.mu is held.
func (s *Shard) crowded() bool {
	return s.cfg.Cache > 0 && s.bytes > max(s.share(s.cfg.Cache), s.least)
}

// share is this shard's part of bytes that several have.
func (s *Shard) share(bytes int) int {
	if s.cfg.Sharers == nil {
		return bytes
	}
	return bytes / int(max(s.cfg.Sharers.Load(), 1))
}

// put changes the value of an entry; s.mu is held.
func (s *Shard) put(e *entry, c content) {
	s.bytes += c.size() - e.size()
	more := c.there() - e.there()
	if s.count >= 0 {
		s.count += more
	}
	if s.sets != nil {
		s.counted(e, more)
	}
	e.content = c
}

func sizeOf(v Value) int {
	if v == nil {
		return 0
	}
	return v.Size()
}

// evict forgets entries that the store has as well, first those that nobody looked at lately, until a tenth of the room is free; s.mu is held.
func (s *Shard) evict() {
	for range 2 {
		for _, e := range s.live {
			switch {
			case e.ahead():
				continue
			case e.used:
				e.used = false
				continue
			}
			s.drop(e)
			if s.bytes <= s.share(s.cfg.Cache)*9/10 {
				return
			}
		}
	}
	s.least = s.bytes * 11 / 10 // else every key that is new would look through all of them
}

// drop forgets an entry that the store has as well; s.mu is held.
func (s *Shard) drop(e *entry) {
	s.whole = s.whole && e.there() == 0
	delete(s.live, e.key)
	s.bytes -= entryBytes + len(e.key) + e.size()
}

// Forget makes keys, without any all of them, be looked at in the store again, which somebody else has changed.
func (s *Shard) Forget(keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count = -1
	for _, key := range keys {
		if e := s.live[key]; e != nil && !e.ahead() {
			s.drop(e)
		}
	}
	if len(keys) > 0 {
		return
	}
	for _, e := range s.live {
		if !e.ahead() {
			s.drop(e)
		}
	}
}

// settle makes a write count; s.mu is held.
func (s *Shard) settle(e *entry) {
	s.free(e)
	s.soil(e)
}

// Touch makes the next Seal give a key as if it had been changed.
func (s *Shard) Touch(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(key)
	if err == nil {
		s.soil(e)
	}
	return err
}

// soil makes an entry one of those that the next Seal gives; s.mu is held.
func (s *Shard) soil(e *entry) {
	if e.dirty {
		return
	}
	e.dirty = true
	s.dirty = append(s.dirty, e)
	s.fresh += len(e.key) + e.size()
	if s.cfg.MaxDirty > 0 && !s.full && s.fresh > s.share(s.cfg.MaxDirty) {
		s.full = true
		s.cfg.Full()
	}
}

// undo takes a write back; s.mu is held.
func (s *Shard) undo(e *entry) {
	s.put(e, e.hand.before)
	s.free(e)
}

func (s *Shard) wrap(err error) error {
	return fmt.Errorf("table %s, partition %d: %w", s.cfg.Table.Name, s.cfg.Partition, err)
}
