package table

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"faust/tests/seed"
)

// shelf is a Store that is a map.
type shelf struct {
	mu   sync.Mutex
	data map[string]string
	fail error
}

func (s *shelf) Get(key []byte) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.data[string(key)]
	return []byte(v), ok, s.fail
}

func (s *shelf) Each(from []byte, f func(key, value []byte) bool) error {
	s.mu.Lock()
	data := maps.Clone(s.data)
	s.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(data)) {
		if k >= string(from) && !f([]byte(k), []byte(data[k])) {
			break
		}
	}
	return s.fail
}

// number is a Value.
type number int

func (n number) Append(to []byte) []byte { return fmt.Append(to, int(n)) }
func (n number) Size() int               { return 16 }

func text(v Value) string {
	if v == nil {
		return ""
	}
	return string(v.Append(nil))
}

// TestShardAgainstModel does what workers do in random order and compares with maps: what is settled, what an event sees, changelog and store.
func TestShardAgainstModel(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(seed.Of(t), 0))
	for range 200 {
		play(t, rng)
		if t.Failed() {
			return
		}
	}
}

type game struct {
	*testing.T
	rng       *rand.Rand
	shard     *Shard
	shelf     *shelf
	settled   map[string]string
	hands     [3]Effects
	seen      [3]map[string]string // what each event changed; "": deleted
	changelog map[string]string
	committed map[string]string // what the changelog had at the last commit
}

func play(t *testing.T, rng *rand.Rand) {
	g := &game{T: t, rng: rng, shelf: &shelf{data: map[string]string{}}, settled: map[string]string{}, changelog: map[string]string{}, committed: map[string]string{}}
	g.shard = NewShard(ShardConfig{Table: &Definition{Name: "t", Numbers: numbers{}}, Store: g.shelf, Cache: rng.IntN(3) * 1000, Sole: rng.IntN(2) == 0})
	if err := g.shard.Restore(); err != nil {
		t.Fatal(err)
	}
	for i := range g.seen {
		g.seen[i] = map[string]string{}
	}
	for range 300 {
		g.step()
	}
	for h := range g.hands {
		g.hands[h].Undo()
		clear(g.seen[h])
	}
	g.seal()
	g.same("changelog", g.changelog, g.settled)
	g.commit()
	g.checkpoint()
	g.same("store", g.shelf.data, g.settled)
	g.page(0)
}

func (g *game) step() {
	h := g.rng.IntN(len(g.hands))
	key := string(rune('a' + g.rng.IntN(12)))
	switch g.rng.IntN(12) {
	case 0:
		g.hands[h].Undo()
		clear(g.seen[h])
	case 1, 2:
		g.hands[h].Settle()
		g.settle(h)
	case 3:
		g.seal()
	case 4:
		if g.rng.IntN(3) > 0 {
			g.commit()
		}
		if g.rng.IntN(3) > 0 {
			g.checkpoint()
		}
	case 5:
		if g.rng.IntN(3) == 0 {
			g.shard.Unseal() // the changelog may have it, or not
			g.seal()
		}
		g.page(h)
	case 6:
		g.length()
	case 7, 8, 9:
		g.write(h, key)
	default:
		g.read(h, key)
	}
}

func (g *game) settle(h int) {
	for k, v := range g.seen[h] {
		if v == "" {
			delete(g.settled, k)
		} else {
			g.settled[k] = v
		}
	}
	clear(g.seen[h])
}

func (g *game) write(h int, key string) {
	var v Value
	if g.rng.IntN(4) > 0 {
		v = number(g.rng.IntN(100))
	}
	busy := false
	for other := range g.seen {
		_, has := g.seen[other][key]
		busy = busy || has && other != h
	}
	switch err := g.set(h, key, v); {
	case busy != errors.Is(err, ErrBusy):
		g.Errorf("busy %v, error %v", busy, err)
	case !busy:
		g.seen[h][key] = text(v)
	}
}

// set is Set, or Update that does the same; now and then one that does nothing comes before.
func (g *game) set(h int, key string, v Value) error {
	does := true
	update := func(was Value) (Value, bool) {
		if text(was) != g.want(h, key) {
			g.Errorf("%s was %q, want %q", key, text(was), g.want(h, key))
		}
		return v, does
	}
	switch g.rng.IntN(5) {
	case 4:
		if n, ok := v.(number); ok {
			return g.add(h, key, int(n))
		}
	case 0:
		does = false
		if err := g.shard.Update(key, &g.hands[h], update); err != nil {
			g.Error(err)
		}
		fallthrough
	case 1:
		does = true
		return g.shard.Update(key, &g.hands[h], update)
	}
	return g.shard.Set(key, v, &g.hands[h])
}

// add makes what a key has n by Add.
func (g *game) add(h int, key string, n int) error {
	var had int
	_, _ = fmt.Sscan(g.want(h, key), &had)
	sum, ok, err := g.shard.Add(key, float64(n-had), &g.hands[h])
	if err != nil || ok && int(sum) != n {
		g.Errorf("%s became %v, %v, want %d", key, sum, err, n)
	}
	if !ok {
		return g.shard.Set(key, number(n), &g.hands[h]) // somebody else is at it, or it was read from the store and has no other form yet
	}
	return nil
}

// numbers are Numbers.
type numbers struct{}

func (numbers) Of(v Value) (float64, bool) {
	if v == nil {
		return 0, true
	}
	n, ok := v.(number)
	return float64(n), ok
}
func (numbers) Takes(n float64) bool               { return n != 13 }
func (numbers) Value(n float64) Value              { return number(n) }
func (numbers) Append(to []byte, n float64) []byte { return number(n).Append(to) }

func (g *game) want(h int, key string) string {
	if v, own := g.seen[h][key]; own {
		return v
	}
	return g.settled[key]
}

func (g *game) read(h int, key string) {
	v, err := g.shard.Get(key, &g.hands[h])
	if err != nil || text(v) != g.want(h, key) {
		g.Errorf("%s is %q, %v, want %q", key, text(v), err, g.want(h, key))
	}
	if s, ok := v.(*Stored); ok {
		var n int
		_, _ = fmt.Sscan(string(s.Bytes), &n)
		g.shard.Replace(key, v, number(n))
	}
}

func (g *game) page(h int) {
	want := map[string]string{}
	for k := range g.settled {
		want[k] = g.settled[k]
	}
	for k, v := range g.seen[h] {
		want[k] = v
		if v == "" {
			delete(want, k)
		}
	}
	got, from, n := map[string]string{}, "", 1+g.rng.IntN(5)
	for more := true; more; {
		page, rest, err := g.shard.Page(from, n, &g.hands[h])
		if err != nil || len(page) > n || rest && len(page) == 0 {
			g.Fatalf("page of %d, more %v, %v", len(page), rest, err)
		}
		for _, p := range page {
			if p.Key < from {
				g.Errorf("%q comes after %q", p.Key, from)
			}
			got[p.Key], from = text(p.Value), p.Key+"\x00"
		}
		more = rest
	}
	g.same("pages", got, want)
}

func (g *game) length() {
	want := len(g.settled)
	for h := range g.seen {
		for k, v := range g.seen[h] {
			_, had := g.settled[k]
			switch {
			case had && v == "":
				want--
			case !had && v != "":
				want++
			}
		}
	}
	if n, err := g.shard.Len(); err != nil || n != want {
		g.Errorf("%d keys, %v, want %d", n, err, want)
	}
}

func (g *game) seal() {
	seen := map[string]bool{}
	err := g.shard.Seal(func(key, value []byte) error {
		if seen[string(key)] {
			g.Errorf("%s twice in one seal", key)
		}
		seen[string(key)] = true
		delete(g.changelog, string(key))
		if value != nil {
			g.changelog[string(key)] = string(value)
		}
		return nil
	})
	if err != nil {
		g.Error(err)
	}
	g.same("changelog", g.changelog, g.settled)
}

func (g *game) commit() {
	g.shard.Commit()
	g.committed = maps.Clone(g.changelog)
}

func (g *game) checkpoint() {
	done := g.shard.Checkpoint(func(key, value []byte) {
		g.shelf.mu.Lock()
		defer g.shelf.mu.Unlock()
		delete(g.shelf.data, string(key))
		if value != nil {
			g.shelf.data[string(key)] = string(value)
		}
	})
	done()
	g.same("store", g.shelf.data, g.committed)
}

func (g *game) same(what string, got, want map[string]string) {
	g.Helper()
	if !maps.Equal(got, want) {
		g.Errorf("%s %v, want %v", what, got, want)
	}
}

// An empty value and an empty key are no deletions.
func TestEmpty(t *testing.T) {
	t.Parallel()
	s := NewShard(ShardConfig{Table: &Definition{Name: "t"}, Store: &shelf{data: map[string]string{}}})
	var by Effects
	if err := s.Set("", &Stored{}, &by); err != nil {
		t.Fatal(err)
	}
	by.Settle()
	err := s.Seal(func(key, value []byte) error {
		if len(key) != 0 || value == nil {
			t.Errorf("key %q, value %v", key, value)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// What is not in the store yet is not forgotten, however little room there is; the rest is.
func TestEvict(t *testing.T) {
	t.Parallel()
	shelf := &shelf{data: map[string]string{}}
	full := 0
	s := NewShard(ShardConfig{Table: &Definition{Name: "t"}, Store: shelf, Cache: 20_000, MaxDirty: 5000, Full: func() { full++ }})
	var by Effects
	for i := range 1000 {
		if err := s.Set(fmt.Sprintf("key %d", i), number(i), &by); err != nil {
			t.Fatal(err)
		}
		by.Settle()
	}
	if s.bytes < 1000*entryBytes || full != 1 {
		t.Errorf("%d bytes, full %d times", s.bytes, full)
	}
	_ = s.Seal(func(_, _ []byte) error { return nil })
	s.Commit()
	done := s.Checkpoint(func(key, value []byte) { shelf.data[string(key)] = string(value) })
	done()
	for i := range 1000 {
		if v, err := s.Get(fmt.Sprintf("key %d", i), nil); err != nil || text(v) != fmt.Sprint(i) {
			t.Fatalf("%d is %q, %v", i, text(v), err)
		}
	}
	if s.bytes > 25_000 || len(s.live) > 250 {
		t.Errorf("%d bytes and %d keys in memory", s.bytes, len(s.live))
	}
	var sharers atomic.Int64 // they come later
	sharers.Store(4)
	s.cfg.Sharers = &sharers
	if _, err := s.Get("another", nil); err != nil || s.bytes > 6000 {
		t.Errorf("%d bytes in memory with three others, %v", s.bytes, err)
	}
	shelf.fail = errors.New("the disk is gone")
	if _, err := s.Get("none", nil); err == nil || !strings.Contains(err.Error(), "table t, partition 0: the disk is gone") {
		t.Error(err)
	}
}

// A key that was deleted takes no memory once the store has it so: keys that come and go leave nothing behind.
func TestDeletedIsForgotten(t *testing.T) {
	t.Parallel()
	for _, sets := range []bool{false, true} {
		s := NewShard(ShardConfig{Table: &Definition{Name: "t", Sets: sets}, Store: &shelf{data: map[string]string{}}})
		var by Effects
		set := func(v Value) {
			for i := range 100 {
				if err := s.Set(Member(fmt.Sprint("key ", i), []byte("m")), v, &by); err != nil {
					t.Fatal(err)
				}
			}
			by.Settle()
		}
		commit := func() {
			_ = s.Seal(func(_, _ []byte) error { return nil })
			s.Commit()
			s.Checkpoint(func(_, _ []byte) {})()
		}
		set(number(1))
		commit()
		if len(s.live) != 100 {
			t.Errorf("%d keys in memory", len(s.live))
		}
		set(nil)
		if len(s.live) != 100 {
			t.Errorf("%d keys in memory, the store does not know yet", len(s.live))
		}
		commit()
		if len(s.live) != 0 || s.bytes != 0 {
			t.Errorf("%d keys and %d bytes in memory", len(s.live), s.bytes)
		}
	}
}

// BenchmarkAdd is what an event that adds to one of 500 keys costs in the shard.
func BenchmarkAdd(b *testing.B) {
	s := NewShard(ShardConfig{Table: &Definition{Name: "t", Numbers: numbers{}}, Store: &shelf{data: map[string]string{}}})
	keys := make([]string, 500)
	for i := range keys {
		keys[i] = fmt.Sprintf("user_%d", i)
	}
	var by Effects
	b.ReportAllocs()
	for i := range b.N {
		_, _, _ = s.Add(keys[i%len(keys)], 1, &by)
		by.Settle()
		if i%5000 == 0 {
			_ = s.Seal(func(_, _ []byte) error { return nil })
			s.Commit()
			s.Checkpoint(func(_, _ []byte) {})()
		}
	}
}

// BenchmarkAddNew is keys that are new, 20,000 between two checkpoints, in a shard that has room for far fewer.
func BenchmarkAddNew(b *testing.B) {
	s := NewShard(ShardConfig{Table: &Definition{Name: "t", Numbers: numbers{}}, Store: &shelf{data: map[string]string{}}, Cache: 200_000})
	var by Effects
	for i := range b.N {
		_, _, _ = s.Add(fmt.Sprint("user_", i), 1, &by)
		by.Settle()
		if i%20_000 == 0 {
			_ = s.Seal(func(_, _ []byte) error { return nil })
			s.Commit()
			s.Checkpoint(func(_, _ []byte) {})()
		}
	}
}

// What a Seal could not give because sending failed is given by the next one, and is not taken for stored meanwhile.
func TestSealThatFails(t *testing.T) {
	t.Parallel()
	s := NewShard(ShardConfig{Table: &Definition{Name: "t"}, Store: &shelf{data: map[string]string{}}})
	var by Effects
	for i, key := range []string{"a", "b", "c"} {
		if err := s.Set(key, number(i), &by); err != nil {
			t.Fatal(err)
		}
	}
	by.Settle()
	var got []string
	full := errors.New("full")
	take := func(n int) error {
		return s.Seal(func(key, value []byte) error {
			if len(got) == n {
				return full
			}
			got = append(got, fmt.Sprintf("%s=%s", key, value))
			return nil
		})
	}
	checkpoint := func() (n int) {
		s.Commit()
		s.Checkpoint(func(_, _ []byte) { n++ })()
		return n
	}
	if err := take(1); !errors.Is(err, full) || !s.Dirty() {
		t.Error(err, s.Dirty())
	}
	if n := checkpoint(); n != 1 {
		t.Errorf("%d changes for the store, one was sent", n)
	}
	if err := take(9); err != nil || s.Dirty() {
		t.Error(err, s.Dirty())
	}
	if n := checkpoint(); n != 2 || strings.Join(got, " ") != "a=0 b=1 c=2" {
		t.Errorf("%d changes for the store; sent %v", n, got)
	}
}
