package table

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// counted are numbers that count how many values were made of sums: by whoever looks at an entry.
type counted struct {
	numbers

	made int
}

func (c *counted) Value(n float64) Value {
	c.made++
	return number(n)
}

// Whoever goes page by page through what was written lately looks at what is in the page, not each time at all of it.
func TestPageLooksAtWhatIsInIt(t *testing.T) {
	t.Parallel()
	looks := &counted{}
	s := NewShard(ShardConfig{Table: &Definition{Name: "t", Numbers: looks}, Store: &shelf{data: map[string]string{}}})
	var by Effects
	for i := range 5000 {
		if _, _, err := s.Add(fmt.Sprintf("%04d", i*7919%5000), 1, &by); err != nil {
			t.Fatal(err)
		}
	}
	by.Settle()
	for from, n := "", 0; n < 5000; {
		page, more, err := s.Page(from, 10, nil)
		if err != nil || len(page) != 10 || page[0].Key != fmt.Sprintf("%04d", n) || more != (n < 4990) {
			t.Fatalf("at %d: %d pairs, more %v, %v", n, len(page), more, err)
		}
		n += 10
		if looks.made > n+20 {
			t.Fatalf("at %d: looked at %d", n, looks.made)
		}
		from = page[9].Key + "\x00"
	}
}

// Pages of what is partly in the store, written and deleted since, and in hand, in any order, are what they would be if all of it were sorted.
func TestPagesOfManyKeys(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		store, want := &shelf{data: map[string]string{}}, map[string]string{}
		s := NewShard(ShardConfig{Table: &Definition{Name: "t"}, Store: store, Cache: rng.IntN(2) * 10_000})
		var by Effects
		for range 600 {
			key := fmt.Sprintf("%03d", rng.IntN(300))
			switch rng.IntN(20) {
			case 0:
				by.Settle()
				if err := s.Seal(func(_, _ []byte) error { return nil }); err != nil {
					t.Fatal(err)
				}
				s.Commit()
				s.Checkpoint(func(key, value []byte) { _ = store.take(key, value) })()
			case 1:
				comparePage(t, s, want, key, rng, &by)
			case 2, 3, 4, 5, 6:
				delete(want, key)
				if err := s.Set(key, nil, &by); err != nil {
					t.Fatal(err)
				}
			default:
				want[key] = fmt.Sprint(rng.IntN(1000))
				if err := s.Set(key, &Stored{[]byte(want[key])}, &by); err != nil {
					t.Fatal(err)
				}
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// comparePage compares a page from a key on.
func comparePage(t *testing.T, s *Shard, want map[string]string, from string, rng *rand.Rand, by *Effects) {
	t.Helper()
	to, n := "", 1+rng.IntN(50)
	if rng.IntN(2) == 0 {
		to = fmt.Sprintf("%03d", rng.IntN(300))
	}
	page, more, err := s.Range(from, to, n, by)
	var got, all []string
	for _, p := range page {
		got = append(got, p.Key+"="+text(p.Value))
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if key >= from && (to == "" || key < to) {
			all = append(all, key+"="+want[key])
		}
	}
	if first := all[:min(n, len(all))]; err != nil || !slices.Equal(got, first) || !more && len(all) > n {
		t.Errorf("from %s to %q: %v, more %v, %v, want the first %d of %v", from, to, got, more, err, n, all)
	}
}
