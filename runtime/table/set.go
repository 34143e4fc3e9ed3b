package table

import (
	"bytes"
	"strings"
)

// A table of sets keeps an entry for each member, under a key that is made of both: a change costs one member, however large its set is. The entries of a
// set lie together, and sets in the order of their keys, since a zero byte of a key is escaped and two bytes that no escaped key has end it.
const (
	zero    = "\x00\xff" // stands for a zero byte of the key
	endOf   = "\x00\x01" // of the key
	afterOf = "\x00\x02" // what stands behind all members of the key
)

// MemberPrefix is what the entries of all members of a key begin with.
func MemberPrefix(key string) string { return KeysBegin(key) + endOf }

// KeysBegin is what the entries of all keys begin with that begin with a text.
func KeysBegin(text string) string { return strings.ReplaceAll(text, "\x00", zero) }

// Member is the entry of a member of a key.
func Member(key string, member []byte) string {
	return MemberPrefix(key) + string(member)
}

// AfterMembers stands behind the entries of all members of the key that an entry is of.
func AfterMembers(entry string) string { return entry[:bounds(entry)] + afterOf }

// SplitMember gives the key and the member that an entry is of.
func SplitMember(entry string) (key string, member []byte) {
	n := bounds(entry)
	return strings.ReplaceAll(entry[:n], zero, "\x00"), []byte(entry[min(n+len(endOf), len(entry)):])
}

// Apart gives the key and the value of a pair or, of a table of sets, the key and the member that its key is of.
func (d *Definition) Apart(p Pair) (key string, value []byte) {
	if d.Sets {
		return SplitMember(p.Key)
	}
	return p.Key, p.Value.Append([]byte{})
}

// prefixOf is what the entries of the same key begin with.
func prefixOf(entry string) string { return entry[:min(bounds(entry)+len(endOf), len(entry))] }

// bounds is where the key ends in an entry.
func bounds(entry string) int {
	if n := strings.Index(entry, endOf); n >= 0 {
		return n
	}
	return len(entry) // nobody writes such
}

// set is what a shard knows of the set of a key.
type set struct {
	recent recent // those of its entries that are in Shard.recent
	count  int    // members there are, also by events in hand; -1: nobody asked yet
}

// maxCounted bounds for how many sets it is remembered how large they are.
const maxCounted = 10_000

// note puts an entry that is new in Shard.recent into its set; s.mu is held.
func (s *Shard) note(e *entry) {
	s.set(prefixOf(e.key)).recent.add(e)
}

// set gives what is known of the set whose entries begin with prefix; s.mu is held.
func (s *Shard) set(prefix string) *set {
	x := s.sets[prefix]
	if x == nil {
		x = &set{count: -1}
		s.sets[prefix] = x
	}
	return x
}

// counted takes a change of an entry into the count of its set; s.mu is held.
func (s *Shard) counted(e *entry, n int) {
	if n == 0 || len(s.sets) == 0 {
		return
	}
	if x := s.sets[prefixOf(e.key)]; x != nil && x.count >= 0 {
		x.count += n
	}
}

// forget drops what is known of sets as far as nobody needs it; s.mu is held.
func (s *Shard) forget() {
	for prefix, x := range s.sets {
		x.recent.keep(func(e *entry) bool { return e.recent })
		if len(x.recent.list) == 0 && (x.count < 0 || len(s.sets) > maxCounted) {
			delete(s.sets, prefix)
		}
	}
}

// Members gives up to n entries of a key of a table of sets, from the given one on, as Page does.
func (s *Shard) Members(key, from string, n int, by *Effects) (page []Pair, more bool, err error) {
	prefix := MemberPrefix(key)
	s.mu.Lock()
	var list []Pair
	if x := s.sets[prefix]; x != nil {
		list = s.pending(&x.recent, max(from, prefix), "", n, by)
	}
	s.mu.Unlock()
	return s.page(list, prefix, max(from, prefix), "", n)
}

// Count is how many members a key of a table of sets has, those by events in hand included. The first time it counts them, which takes as long as reading them.
func (s *Shard) Count(key string) (int, error) {
	prefix := MemberPrefix(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.sets[prefix]; x != nil && x.count >= 0 {
		return x.count, nil
	}
	x := s.set(prefix)
	n, here := 0, map[string]bool{}
	for _, e := range x.recent.list {
		if e.ahead() { // others may be forgotten, and here a second time
			here[e.key] = true
			n += e.there()
		}
	}
	err := s.cfg.Store.Each([]byte(prefix), func(key, _ []byte) bool {
		if !bytes.HasPrefix(key, []byte(prefix)) {
			return false
		}
		if !here[string(key)] {
			n++
		}
		return true
	})
	if err != nil {
		return 0, s.wrap(err)
	}
	x.count = n
	return n, nil
}
