package table

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"faust/tests/seed"
)

// What is put together comes apart again, and the entries of a key lie together in the order of keys and members.
func TestMember(t *testing.T) {
	t.Parallel()
	parts := []string{"", "\x00", "\x00\x00", "\x00\x01", "\x00\x02", "\x00\xff", "\x01", "a", "a\x00", "a\x00\x01b", "ab", "\xff", "\xff\x00"}
	var entries []string
	for _, key := range parts {
		for _, member := range parts {
			entry := Member(key, []byte(member))
			if k, m := SplitMember(entry); k != key || string(m) != member {
				t.Errorf("%q and %q became %q and %q", key, member, k, m)
			}
			if entry < MemberPrefix(key) || entry >= AfterMembers(entry) || prefixOf(entry) != MemberPrefix(key) {
				t.Errorf("%q is outside of %q to %q", entry, MemberPrefix(key), AfterMembers(entry))
			}
			entries = append(entries, entry)
		}
	}
	slices.Sort(parts)
	var want []string
	for _, key := range parts {
		for _, member := range parts {
			want = append(want, Member(key, []byte(member)))
		}
	}
	if slices.Sort(entries); !slices.Equal(entries, want) {
		t.Error("entries are in another order than keys and members")
	}
	if k, m := SplitMember("no entry"); k != "no entry" || len(m) != 0 {
		t.Errorf("%q, %q", k, m)
	}
}

// sets plays with a shard of a table of sets, and with maps of what is in it.
type sets struct {
	*testing.T
	rng   *rand.Rand
	shard *Shard
	shelf *shelf
	hands [2]Effects
	seen  [2]map[string]bool // what each event changed
	now   map[string]bool    // settled
}

// TestSetsAgainstModel adds and removes members in random order, with seals and checkpoints between, and compares members and counts with a map.
func TestSetsAgainstModel(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(seed.Of(t), 0))
	for range 100 {
		g := &sets{T: t, rng: rng, shelf: &shelf{data: map[string]string{}}, now: map[string]bool{}}
		g.shard = NewShard(ShardConfig{Table: &Definition{Name: "t", Sets: true}, Store: g.shelf, Cache: rng.IntN(3) * 1000})
		for i := range g.seen {
			g.seen[i] = map[string]bool{}
		}
		for range 300 {
			g.step()
		}
		if t.Failed() {
			return
		}
	}
}

func (g *sets) step() {
	h := g.rng.IntN(len(g.hands))
	key := string(rune('a' + g.rng.IntN(3)))
	entry := Member(key, []byte{byte(g.rng.IntN(8))})
	switch g.rng.IntN(10) {
	case 0:
		g.hands[h].Undo()
		clear(g.seen[h])
	case 1, 2:
		g.hands[h].Settle()
		for e, there := range g.seen[h] {
			if delete(g.now, e); there {
				g.now[e] = true
			}
		}
		clear(g.seen[h])
	case 3:
		if err := g.shard.Seal(func(_, _ []byte) error { return nil }); err != nil {
			g.Error(err)
		}
		if g.rng.IntN(4) == 0 {
			g.shard.Unseal()
		}
	case 4:
		g.shard.Commit()
		g.shard.Checkpoint(func(key, value []byte) {
			delete(g.shelf.data, string(key))
			if value != nil {
				g.shelf.data[string(key)] = string(value)
			}
		})()
	case 5, 6:
		g.read(h, key)
	default:
		var v Value
		if g.rng.IntN(3) > 0 {
			v = &Stored{}
		}
		if _, busy := g.seen[1-h][entry]; busy {
			return
		}
		if err := g.shard.Set(entry, v, &g.hands[h]); err != nil {
			g.Error(err)
		}
		g.seen[h][entry] = v != nil
	}
}

// read compares the members that an event sees, and the count, which takes all events in.
func (g *sets) read(h int, key string) {
	want, all := map[string]bool{}, map[string]bool{}
	maps.Copy(want, g.now)
	maps.Copy(all, g.now)
	maps.Copy(want, g.seen[h])
	for _, seen := range g.seen {
		maps.Copy(all, seen)
	}
	of := func(m map[string]bool) (list []string) {
		for e, there := range m {
			if k, _ := SplitMember(e); there && k == key {
				list = append(list, e)
			}
		}
		slices.Sort(list)
		return list
	}
	var got []string
	for from, more := "", true; more; {
		page, rest, err := g.shard.Members(key, from, 1+g.rng.IntN(3), &g.hands[h])
		if err != nil || rest && len(page) == 0 {
			g.Fatalf("page of %d, more %v, %v", len(page), rest, err)
		}
		for _, p := range page {
			got = append(got, p.Key)
			from = p.Key + "\x00"
		}
		more = rest
	}
	if !slices.Equal(got, of(want)) {
		g.Errorf("members of %s are %q, want %q", key, got, of(want))
	}
	if n, err := g.shard.Count(key); err != nil || n != len(of(all)) {
		g.Errorf("%d members of %s, %v, want %d", n, key, err, len(of(all)))
	}
}

// What is known of sets is forgotten when it is of no use, so that many sets do not fill the memory.
func TestSetsForgotten(t *testing.T) {
	t.Parallel()
	shelf := &shelf{data: map[string]string{}}
	s := NewShard(ShardConfig{Table: &Definition{Name: "t", Sets: true}, Store: shelf})
	var by Effects
	for i := range 2 * maxCounted {
		key := fmt.Sprint("key ", i)
		if err := s.Set(Member(key, []byte("m")), &Stored{}, &by); err != nil {
			t.Fatal(err)
		}
		by.Settle()
		if n, err := s.Count(key); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	_ = s.Seal(func(_, _ []byte) error { return nil })
	s.Commit()
	s.Checkpoint(func(key, value []byte) { shelf.data[string(key)] = string(bytes.Clone(value)) })()
	if n := len(s.sets); n > maxCounted {
		t.Errorf("%d sets are remembered", n)
	}
	if n, err := s.Count("key 3"); n != 1 || err != nil {
		t.Error(n, err)
	}
}

// A member whose change was taken back, and that was forgotten since, counts once when it is written again.
func TestSetsCountOnce(t *testing.T) {
	t.Parallel()
	shelf := &shelf{data: map[string]string{}}
	s := NewShard(ShardConfig{Table: &Definition{Name: "t", Sets: true}, Store: shelf, Cache: 1})
	shelf.data[Member("k", []byte("m"))] = ""
	var by Effects
	write := func(v Value) {
		t.Helper()
		if err := s.Set(Member("k", []byte("m")), v, &by); err != nil {
			t.Fatal(err)
		}
	}
	write(nil)
	by.Undo()
	for _, other := range []string{"a", "b"} { // there is room for one
		if _, err := s.Get(Member(other, nil), nil); err != nil {
			t.Fatal(err)
		}
	}
	write(&Stored{})
	if n, err := s.Count("k"); n != 1 || err != nil {
		t.Errorf("%d members, %v, want 1", n, err)
	}
}
