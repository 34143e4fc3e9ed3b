package table

import "slices"

// change is a sealed write on its way to the changelog.
type change struct {
	entry *entry
	key   []byte
	value []byte // nil: the key was deleted
}

// kept is a committed write on its way to the store.
type kept struct {
	entry *entry
	value []byte // nil: the key was deleted
}

// Bounds of the buffers that sealed changes share.
const (
	minChunk = 128
	maxChunk = 64 << 10
)

// keptBytes is about what one takes beside its value.
const keptBytes = 32

// Dirty tells whether Seal has something to do. Not to be called beside Seal.
func (s *Shard) Dirty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.dirty) > 0 || s.told < len(s.sealed) || s.win != nil && s.win.unsaved()
}

// Seal freezes what was settled since the last one and gives each changed key once, with its latest settled value, nil if it was deleted: that is to go
// to the changelog, and after that by Checkpoint to the store. What an earlier Seal could not give, because emit failed, comes first. Not to be called by
// two goroutines at a time. Once the store could not be read it gives that error: an event that went on all the same may have been settled without what it should have written.
func (s *Shard) Seal(emit func(key, value []byte) error) error {
	if s.win != nil {
		if err := s.saveTime(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	if s.failed != nil {
		defer s.mu.Unlock()
		return s.failed
	}
	s.sealed = slices.Grow(s.sealed, len(s.dirty))
	chunk := min(max(2*s.fresh, minChunk), maxChunk)
	slab := make([]byte, 0, chunk) // not nil: an empty value is no deletion
	cut := func(n int) []byte { return slab[n:len(slab):len(slab)] }
	for _, e := range s.dirty {
		if cap(slab)-len(slab) < len(e.key)+minChunk {
			slab = make([]byte, 0, max(chunk, 2*len(e.key)))
		}
		n := len(slab)
		slab = append(slab, e.key...)
		c := change{entry: e, key: cut(n)}
		n = len(slab)
		var there bool
		if slab, there = s.settled(e).append(slab, s.cfg.Table.Numbers); there {
			c.value = cut(n)
		}
		e.dirty = false
		e.pins++
		s.sealed = append(s.sealed, c)
	}
	clear(s.dirty)
	s.dirty, s.fresh, s.full = s.dirty[:0], 0, false
	changes := s.sealed[s.told:]
	s.mu.Unlock()
	for _, c := range changes {
		if err := emit(c.key, c.value); err != nil {
			return err
		}
		s.told++
	}
	return nil
}

// Unseal takes back what was sealed and not committed: the changelog may not have it, so it is to be sealed again. Not to be called beside Seal or Commit.
func (s *Shard) Unseal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.sealed {
		if c.entry.pins--; !c.entry.dirty {
			c.entry.dirty = true
			s.dirty = append(s.dirty, c.entry)
		}
	}
	clear(s.sealed)
	s.sealed, s.told = s.sealed[:0], 0
	if s.win != nil {
		s.win.moved = true
	}
}

// Commit hears that all sealed changes that emit took are in the changelog for good. They are kept for the next Checkpoint; held is about how many bytes are. Not
// to be called by two goroutines at a time, nor beside Seal.
func (s *Shard) Commit() (held int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.win != nil {
		s.win.confirm()
	}
	if len(s.kept) == 0 {
		s.kept = make([]kept, 0, s.told)
	}
	for _, c := range s.sealed[:s.told] {
		s.keep(c)
	}
	s.sealed = slices.Delete(s.sealed, 0, s.told)
	s.told = 0
	if cap(s.sealed) > maxKept {
		s.sealed = slices.Clone(s.sealed)
	}
	return s.held
}

// keep makes a committed change one of those that the next Checkpoint gives; s.mu is held.
func (s *Shard) keep(c change) {
	e := c.entry
	e.pins--
	s.held += len(c.key) + len(c.value) // of both there is one buffer
	if e.kept > 0 {
		s.kept[e.kept-1].value = c.value
		return
	}
	s.kept = append(s.kept, kept{e, c.value})
	e.kept = int32(len(s.kept))
	s.held += keptBytes
}

// Checkpoint gives what was committed since the last one, each key once with its latest committed value, for a batch of the store; done, to be called once that is applied,
// drops it. Not to be called by two goroutines at a time, nor beside Seal or Commit.
func (s *Shard) Checkpoint(add func(key, value []byte)) (done func()) {
	s.mu.Lock()
	list := s.kept
	s.mu.Unlock()
	var key []byte
	for _, k := range list {
		key = append(key[:0], k.entry.key...)
		add(key, k.value)
	}
	return s.stored
}

// stored drops what Checkpoint gave: the store has it.
func (s *Shard) stored() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.kept {
		k.entry.kept = 0
	}
	s.kept, s.held = nil, 0
	s.recent.keep(func(e *entry) bool {
		e.recent = e.ahead()
		if !e.recent && e.there() == 0 && s.live[e.key] == e {
			s.drop(e) // keys that come and go would fill all the room
		}
		return e.recent
	})
	s.forget()
	s.least = 0
	if s.crowded() {
		s.evict()
	}
}
