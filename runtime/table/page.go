package table

import (
	"cmp"
	"slices"
	"strings"
)

// Pair is a key and its value.
type Pair struct {
	Key   string
	Value Value
}

// Page gives up to n pairs, at least one if there is one, in the order of their keys' bytes from the given key on, as Get would; more: there may be others after them.
func (s *Shard) Page(from string, n int, by *Effects) (page []Pair, more bool, err error) {
	return s.Range(from, "", n, by)
}

// Range is Page for the keys before to; "": all.
func (s *Shard) Range(from, to string, n int, by *Effects) (page []Pair, more bool, err error) {
	s.mu.Lock()
	list := s.pending(&s.recent, from, to, n, by)
	s.mu.Unlock()
	return s.page(list, "", from, to, n)
}

// shows tells whether a key is one of the table's, and not of the shard's own.
func (s *Shard) shows(key string) bool { return s.win == nil || len(key) >= rowHead }

// pending are those of some entries from a key on, before to, that the store does not have as they are, deletions included; of those that are there no more than are
// needed for n pairs and to know whether there are others. s.mu is held.
func (s *Shard) pending(recent *recent, from, to string, n int, by *Effects) (list []Pair) {
	recent.order()
	take := func(e *entry) (there bool) {
		if !e.ahead() || !s.shows(e.key) {
			return false
		}
		v := s.seen(e, by)
		list = append(list, Pair{e.key, v})
		return v != nil
	}
	for _, e := range recent.list[recent.ordered:] {
		if e.key >= from && (to == "" || e.key < to) {
			take(e)
		}
	}
	i, _ := slices.BinarySearchFunc(recent.list[:recent.ordered], from, func(e *entry, key string) int { return cmp.Compare(e.key, key) })
	for _, e := range recent.list[i:recent.ordered] {
		if n < 0 || to != "" && e.key >= to {
			break
		}
		if take(e) {
			n--
		}
	}
	return list
}

// page merges what the store does not have into what it has, of the keys that begin with prefix and are before to; "": of all.
func (s *Shard) page(recent []Pair, prefix, from, to string, n int) (page []Pair, more bool, err error) {
	slices.SortFunc(recent, func(a, b Pair) int { return cmp.Compare(a.Key, b.Key) })
	take := func(p Pair) {
		if p.Value != nil {
			page = append(page, p)
		}
	}
	err = s.cfg.Store.Each([]byte(from), func(key, value []byte) bool {
		if prefix != "" && !strings.HasPrefix(string(key), prefix) || to != "" && string(key) >= to {
			return false
		}
		if !s.shows(string(key)) {
			return true
		}
		for len(recent) > 0 && recent[0].Key < string(key) {
			take(recent[0])
			recent = recent[1:]
		}
		switch {
		case len(page) >= n:
			more = true
			return false
		case len(recent) > 0 && recent[0].Key == string(key):
			take(recent[0])
			recent = recent[1:]
		default:
			take(Pair{string(key), &Stored{slices.Clone(value)}})
		}
		return true
	})
	if err != nil {
		return nil, false, s.wrap(err)
	}
	if !more {
		for _, p := range recent {
			take(p)
		}
	}
	if len(page) > n {
		page, more = page[:n], true
	}
	return page, more, nil
}

// Counted is how many keys there are if Len counted them already, else -1.
func (s *Shard) Counted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// Len is how many keys there are, those of events in hand included. The first time it counts them, which takes as long as reading all.
func (s *Shard) Len() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count >= 0 {
		return s.count, nil
	}
	n := 0
	for _, e := range s.live {
		n += e.there()
	}
	err := s.cfg.Store.Each(nil, func(key, _ []byte) bool {
		if s.live[string(key)] == nil {
			n++
		}
		return true
	})
	if err != nil {
		return 0, s.wrap(err)
	}
	s.count = n
	return n, nil
}
