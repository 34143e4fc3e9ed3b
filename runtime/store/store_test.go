package store

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"faust/tests/seed"
)

// engine makes stores for the suite; reopen closes one and gives it again as it was left, nil where that cannot be.
type engine struct {
	open   func(t *testing.T) Store
	reopen func(t *testing.T, s Store) Store
}

func engines() map[string]engine {
	return map[string]engine{
		"memory": {open: func(*testing.T) Store { return NewMemory() }},
		"disk": {
			open: func(t *testing.T) Store { return mustOpen(t, t.TempDir()) },
			reopen: func(t *testing.T, s Store) Store {
				must(t, s.Close())
				return mustOpen(t, s.(*disk).dir)
			},
		},
	}
}

// TestStore is what both engines have to do.
func TestStore(t *testing.T) {
	suite := map[string]func(t *testing.T, e engine){
		"get": testGet, "each": testEach, "moment": testMoment, "position": testPosition, "shards": testShards, "wipe": testWipe, "batch": testBatch,
		"copies": testCopies, "callback": testCallback, "closed": testClosed, "bytes": testBytes, "readers": testReaders, "random": testRandom,
		"load": testLoad, "load that is full": testLoadFull, "load of a closed store": testLoadClosed,
	}
	for name, e := range engines() {
		for what, test := range suite {
			t.Run(name+"/"+what, func(t *testing.T) { test(t, e) })
		}
	}
}

var orders, order1, totals = Shard{"orders", 0}, Shard{"orders", 1}, Shard{"totals", 0}

func testGet(t *testing.T, e engine) {
	s := e.open(t)
	defer s.Close()
	apply(t, s, func(b *Batch) {
		b.Set(orders, []byte("a"), []byte("1"))
		b.Set(order1, []byte("a"), []byte("2"))
		b.Set(orders, nil, nil)
	})
	for _, c := range []struct {
		shard Shard
		key   string
		want  string
		ok    bool
	}{{orders, "a", "1", true}, {order1, "a", "2", true}, {orders, "", "", true}, {orders, "b", "", false}, {totals, "a", "", false}, {order1, "", "", false}} {
		v, ok, err := s.Get(c.shard, []byte(c.key))
		if err != nil || ok != c.ok || string(v) != c.want || ok && v == nil {
			t.Errorf("Get(%v, %q) = %q, %v, %v", c.shard, c.key, v, ok, err)
		}
	}
}

func testEach(t *testing.T, e engine) {
	s := e.open(t)
	defer s.Close()
	keys := []string{"", "\x00", "\x00\xff", "a", "a\x00", "ab", "b", "\xff", "\xff\xff", "\xff\xff\xffz"}
	apply(t, s, func(b *Batch) {
		for _, i := range rand.New(rand.NewPCG(seed.Of(t), 0)).Perm(len(keys)) {
			b.Set(orders, []byte(keys[i]), []byte(keys[i]))
		}
		b.Set(order1, []byte("other"), nil)
		b.Position(orders, Position{Offset: 1})
	})
	for from, want := range map[string][]string{"": keys, "a": keys[3:], "a\x00\x00": keys[5:], "ab": keys[5:], "c": keys[7:], "\xff\xff": keys[8:], "\xff\xff\xffzz": nil} {
		if got := keysOf(t, s, orders, from); !slices.Equal(got, want) {
			t.Errorf("Each(%q) = %q, want %q", from, got, want)
		}
	}
	stop, n := errors.New("enough"), 0
	err := s.Each(orders, nil, func(key, value []byte) error {
		if n++; n == 2 {
			return stop
		}
		return nil
	})
	if err != stop || n != 2 {
		t.Errorf("Each ended with %v after %d entries", err, n)
	}
}

func testMoment(t *testing.T, e engine) {
	s := e.open(t)
	defer s.Close()
	set := func(value string) {
		apply(t, s, func(b *Batch) {
			for i := range 100 {
				b.Set(orders, fmt.Appendf(nil, "%02d", i), []byte(value))
			}
		})
	}
	set("old")
	n := 0
	must(t, s.Each(orders, nil, func(key, value []byte) error {
		if n++; n == 10 {
			set("new")
			apply(t, s, func(b *Batch) { b.Wipe(orders) })
		}
		if string(value) != "old" {
			t.Fatalf("%s = %s", key, value)
		}
		return nil
	}))
	if n != 100 {
		t.Errorf("%d entries", n)
	}
	if left := keysOf(t, s, orders, ""); left != nil {
		t.Errorf("after the wipe: %q", left)
	}
}

func testPosition(t *testing.T, e engine) {
	s := e.open(t)
	if _, ok, err := s.Position(orders); ok || err != nil {
		t.Fatalf("position of nothing: %v, %v", ok, err)
	}
	positions := map[Shard]Position{
		orders: {Topic: [16]byte{1, 15: 2}, Offset: 1 << 40, Time: time.Date(2026, 2, 3, 4, 5, 6, 789, time.UTC)},
		order1: {Offset: -1},
		totals: {Offset: 7, Time: time.Date(1969, 1, 1, 0, 0, 0, 1, time.UTC)},
	}
	apply(t, s, func(b *Batch) {
		for shard, p := range positions {
			p.Time = p.Time.In(time.FixedZone("", 3600))
			b.Position(shard, p)
		}
	})
	if e.reopen != nil {
		s = e.reopen(t, s)
	}
	defer s.Close()
	for shard, want := range positions {
		got, ok, err := s.Position(shard)
		if !ok || err != nil || got != want {
			t.Errorf("Position(%v) = %v, %v, %v, want %v", shard, got, ok, err, want)
		}
	}
}

func testShards(t *testing.T, e engine) {
	s := e.open(t)
	defer s.Close()
	want := []Shard{{"", -1}, {"", 0}, {"\x00", 3}, {"\x00\x01", 3}, {"a", -1 << 31}, {"a", 0}, {"a", 1<<31 - 1}, {"a\x00", 0}, {"a\x00\xff", 0}, {"ab", 0}, {"\xff", 1}}
	apply(t, s, func(b *Batch) {
		for _, i := range rand.New(rand.NewPCG(seed.Of(t), 0)).Perm(len(want)) {
			if i%3 == 0 {
				b.Position(want[i], Position{Offset: 1})
			}
			if i%3 != 0 || i%2 == 0 {
				b.Set(want[i], []byte("k"), nil)
				b.Set(want[i], []byte("\xff"), nil)
			}
		}
		b.Delete(Shard{"gone", 0}, []byte("k"))
	})
	got, err := s.Shards()
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Shards() = %q, %v", got, err)
	}
}

func testWipe(t *testing.T, e engine) {
	s := e.open(t)
	defer s.Close()
	shards := []Shard{{"a", -1}, {"a", 0}, {"a", 1}, {"a\x00", 0}, {"", 0}, {"b", 0}}
	apply(t, s, func(b *Batch) {
		for _, shard := range shards {
			for _, k := range []string{"", "k", "\xff\xff"} {
				b.Set(shard, []byte(k), nil)
			}
			b.Position(shard, Position{Offset: 5})
		}
	})
	apply(t, s, func(b *Batch) {
		b.Set(shards[1], []byte("before"), nil)
		b.Wipe(shards[1])
		b.Set(shards[1], []byte("behind"), nil)
	})
	for _, shard := range shards {
		want, wantOk := []string{"", "k", "\xff\xff"}, true
		if shard == shards[1] {
			want, wantOk = []string{"behind"}, false
		}
		_, ok, err := s.Position(shard)
		if got := keysOf(t, s, shard, ""); !slices.Equal(got, want) || ok != wantOk || err != nil {
			t.Errorf("%q: keys %q, position %v, %v", shard, got, ok, err)
		}
	}
}

func testBatch(t *testing.T, e engine) {
	s := e.open(t)
	defer s.Close()
	var b Batch
	must(t, s.Apply(&b))
	b.Set(orders, []byte("a"), []byte("1"))
	b.Delete(orders, []byte("a"))
	b.Set(orders, []byte("b"), []byte("1"))
	b.Set(orders, []byte("b"), []byte("2"))
	if b.Len() != 4 || b.Bytes() < 10 {
		t.Errorf("Len %d, Bytes %d", b.Len(), b.Bytes())
	}
	must(t, s.Apply(&b))
	must(t, s.Apply(&b)) // again: nothing was kept, nothing taken
	b.Reset()
	if b.Len() != 0 || b.Bytes() != 0 {
		t.Errorf("after Reset: Len %d, Bytes %d", b.Len(), b.Bytes())
	}
	b.Set(order1, []byte("c"), nil)
	must(t, s.Apply(&b))
	if got := append(keysOf(t, s, orders, ""), keysOf(t, s, order1, "")...); !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("keys %q", got)
	}
	if v, _, _ := s.Get(orders, []byte("b")); string(v) != "2" {
		t.Errorf("b = %q", v)
	}
}

func testCopies(t *testing.T, e engine) {
	s := e.open(t)
	defer s.Close()
	var b Batch
	k, v := []byte("key"), []byte("value")
	b.Set(orders, k, v)
	copy(k, "xxx")
	copy(v, "xxxxx")
	must(t, s.Apply(&b))
	clear(b.ops)
	got, _, err := s.Get(orders, []byte("key"))
	if string(got) != "value" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	copy(got, "yyyyy")
	if got, _, _ := s.Get(orders, []byte("key")); string(got) != "value" {
		t.Errorf("got %q", got)
	}
}

func testCallback(t *testing.T, e engine) {
	s := e.open(t)
	defer s.Close()
	apply(t, s, func(b *Batch) { b.Set(orders, []byte("a"), []byte("1")) })
	defer func() {
		if r := recover(); r != "mine" {
			t.Errorf("recovered %v", r)
		}
		if _, ok, err := s.Get(orders, []byte("a")); !ok || err != nil {
			t.Errorf("after a panic in the function: %v, %v", ok, err)
		}
	}()
	_ = s.Each(orders, nil, func(key, value []byte) error { panic("mine") })
}

func testClosed(t *testing.T, e engine) {
	s := e.open(t)
	apply(t, s, func(b *Batch) {
		b.Set(orders, []byte("a"), nil)
		b.Set(orders, []byte("b"), nil)
	})
	var closing sync.WaitGroup
	err := s.Each(orders, nil, func(key, value []byte) error {
		if string(key) == "b" {
			t.Error("went on after Close")
		}
		closing.Go(func() { must(t, s.Close()) })
		for {
			if _, _, err := s.Get(orders, key); err != nil {
				return nil
			}
		}
	})
	closing.Wait()
	must(t, s.Close())
	var b Batch
	b.Set(orders, nil, nil)
	_, _, get := s.Get(orders, nil)
	_, _, position := s.Position(orders)
	_, shards := s.Shards()
	for i, err := range []error{err, get, position, shards, s.Apply(&b), s.Each(orders, nil, nil)} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if s.Bytes() != 0 {
		t.Errorf("%d bytes", s.Bytes())
	}
}

func testBytes(t *testing.T, e engine) {
	s := e.open(t)
	defer s.Close()
	before := s.Bytes()
	apply(t, s, func(b *Batch) { b.Set(orders, []byte("a"), noise(1<<20)) })
	if got := s.Bytes() - before; got < 1<<20 || got > 3<<20 {
		t.Errorf("%d bytes", got)
	}
}

// testReaders: a batch sets all keys to one value; what is read in one moment is never of two batches, and never older than one that was applied.
func testReaders(t *testing.T, e engine) {
	s := e.open(t)
	defer s.Close()
	set := func(i int) {
		apply(t, s, func(b *Batch) {
			if i%7 == 0 {
				b.Wipe(orders)
			}
			for k := range 20 {
				b.Set(orders, []byte{byte(k)}, fmt.Appendf(nil, "%06d", i))
			}
			b.Position(orders, Position{Offset: int64(i)})
		})
	}
	set(0)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for last := ""; ; {
				select {
				case <-done:
					return
				default:
				}
				seen := map[string]int{}
				must(t, s.Each(orders, nil, func(k, v []byte) error { seen[string(v)]++; return nil }))
				now := slices.Collect(maps.Keys(seen))
				if len(now) != 1 || seen[now[0]] != 20 || now[0] < last {
					t.Errorf("saw %v after %s", seen, last)
					return
				}
				last = now[0]
				v, ok, err := s.Get(orders, []byte{3})
				p, pok, perr := s.Position(orders)
				if !ok || err != nil || string(v) < last || !pok || perr != nil || fmt.Sprintf("%06d", p.Offset) < last {
					t.Errorf("Get %s, %v, %v; position %v, %v, %v; after %s", v, ok, err, p, pok, perr, last)
				}
			}
		})
	}
	for i := 1; i < 200; i++ {
		set(i)
	}
	close(done)
	readers.Wait()
}

func apply(t *testing.T, s Store, fill func(b *Batch)) {
	t.Helper()
	var b Batch
	fill(&b)
	must(t, s.Apply(&b))
}

func keysOf(t *testing.T, s Store, shard Shard, from string) (keys []string) {
	t.Helper()
	must(t, s.Each(shard, []byte(from), func(k, v []byte) error { keys = append(keys, string(k)); return nil }))
	return keys
}

func mustOpen(t testing.TB, dir string) Store {
	t.Helper()
	s, err := Open(dir, Config{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// noise is bytes that do not compress.
func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}
