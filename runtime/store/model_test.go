package store

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"faust/tests/seed"
)

// model is a store as a plain map.
type model map[Shard]*modelShard

type modelShard struct {
	data     map[string]string
	position *Position
}

// testRandom: whatever batches are applied, the store has what the model has.
func testRandom(t *testing.T, e engine) {
	r := rand.New(rand.NewPCG(seed.Of(t), 0))
	s, m := e.open(t), model{}
	for range 150 {
		var b Batch
		for range r.IntN(30) {
			m.change(r, &b)
		}
		must(t, s.Apply(&b))
		if r.IntN(6) == 0 {
			m.load(t, r, s)
		}
		if e.reopen != nil && r.IntN(15) == 0 {
			s = e.reopen(t, s)
		}
		if m.compare(t, r, s); t.Failed() {
			return
		}
	}
	must(t, s.Close())
}

// load puts a load into the store, of small or usual bounds.
func (m model) load(t *testing.T, r *rand.Rand, s Store) {
	t.Helper()
	if d, ok := s.(*disk); ok {
		d.limits = usualLoad
		if r.IntN(2) == 0 {
			d.limits = loadLimits{memory: 1 << r.IntN(10), full: 1 << 20, small: r.IntN(100), table: 1000 << r.IntN(4)}
		}
	}
	l := s.Load()
	defer l.Close()
	for range 1 + r.IntN(2) {
		for range r.IntN(300) {
			m.change(r, l)
		}
		must(t, l.Commit())
	}
	l.Set(randomShard(r), randomKey(r), nil) // is not committed
}

// changes is a batch, or a load, which cannot wipe.
type changes interface {
	Set(s Shard, key, value []byte)
	Delete(s Shard, key []byte)
	Position(s Shard, p Position)
}

func (m model) shard(s Shard) *modelShard {
	if m[s] == nil {
		m[s] = &modelShard{data: map[string]string{}}
	}
	return m[s]
}

func (m model) change(r *rand.Rand, b changes) {
	s, k := randomShard(r), randomKey(r)
	switch n := r.IntN(100); {
	case n < 60:
		v := make([]byte, r.IntN(40))
		if n == 0 {
			v = make([]byte, 200_000)
		}
		for i := range v {
			v[i] = byte(r.Uint32())
		}
		b.Set(s, k, v)
		m.shard(s).data[string(k)] = string(v)
	case n < 85:
		b.Delete(s, k)
		delete(m.shard(s).data, string(k))
	case n < 95:
		p := Position{Topic: [16]byte{byte(n)}, Offset: r.Int64(), Fence: r.Int64(), Time: time.Unix(r.Int64N(1<<40), r.Int64N(1e9)).UTC()}
		b.Position(s, p)
		m.shard(s).position = &p
	default:
		if b, ok := b.(*Batch); ok {
			b.Wipe(s)
			delete(m, s)
		}
	}
}

func (m model) compare(t *testing.T, r *rand.Rand, s Store) {
	t.Helper()
	var shards []Shard
	for shard, in := range m {
		if len(in.data) > 0 || in.position != nil {
			shards = append(shards, shard)
		}
	}
	slices.SortFunc(shards, func(a, b Shard) int {
		if a.Table != b.Table {
			return bytes.Compare([]byte(a.Table), []byte(b.Table))
		}
		return int(a.Partition) - int(b.Partition)
	})
	got, err := s.Shards()
	if err != nil || !slices.Equal(got, shards) {
		t.Errorf("shards %q, %v, want %q", got, err, shards)
	}
	for range 3 {
		m.compareShard(t, r, s, randomShard(r))
	}
}

func (m model) compareShard(t *testing.T, r *rand.Rand, s Store, shard Shard) {
	t.Helper()
	in := &modelShard{}
	if m[shard] != nil {
		in = m[shard]
	}
	p, ok, err := s.Position(shard)
	if err != nil || ok != (in.position != nil) || ok && p != *in.position {
		t.Errorf("position of %q: %v, %v, %v, want %v", shard, p, ok, err, in.position)
	}
	k := randomKey(r)
	v, ok, err := s.Get(shard, k)
	if want, wantOk := in.data[string(k)]; err != nil || ok != wantOk || string(v) != want {
		t.Errorf("%q of %q: %q, %v, %v, want %q, %v", k, shard, v, ok, err, want, wantOk)
	}
	from := randomKey(r)[:r.IntN(2)]
	want := []string{}
	for _, k := range slices.Sorted(maps.Keys(in.data)) {
		if k >= string(from) {
			want = append(want, k, in.data[k])
		}
	}
	entries := []string{}
	must(t, s.Each(shard, from, func(k, v []byte) error { entries = append(entries, string(k), string(v)); return nil }))
	if d := cmp.Diff(want, entries); d != "" {
		t.Errorf("entries of %q from %q: %s", shard, from, d)
	}
}

func randomShard(r *rand.Rand) Shard {
	tables := []string{"", "a", "a\x00", "a\x00\x01", "a\x00\xff", "b", "\xff", "\x00"}
	return Shard{tables[r.IntN(len(tables))], int32(r.IntN(3)) - 1}
}

func randomKey(r *rand.Rand) []byte {
	k := make([]byte, 1+r.IntN(3))
	for i := range k {
		k[i] = "\x00\x01ab\xfe\xff"[r.IntN(6)]
	}
	return k
}
