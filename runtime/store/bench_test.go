package store

import (
	"encoding/binary"
	"fmt"
	"syscall"
	"testing"
	"time"
)

// benchEntries is how many entries of 16 and 100 bytes the stores read from have: more than the cache holds.
const benchEntries = 500_000

func benchKey(to []byte, i int) []byte {
	return binary.BigEndian.AppendUint64(append(to[:0], "customer"...), uint64(i)*0x9e3779b97f4a7c15)
}

func benchStores(b *testing.B, run func(b *testing.B, s Store)) {
	for _, name := range []string{"disk", "memory"} {
		b.Run(name, func(b *testing.B) {
			s := NewMemory()
			if name == "disk" {
				s = mustOpen(b, b.TempDir())
			}
			defer s.Close()
			run(b, s)
		})
	}
}

// fill sets entries from to up to in batches of 10,000.
func fill(b *testing.B, s Store, from, to int) {
	var batch Batch
	value := noise(100)
	var key []byte
	for i := from; i < to; i++ {
		key = benchKey(key, i)
		batch.Set(orders, key, value)
		if batch.Len() == 10_000 || i == to-1 {
			must(b, s.Apply(&batch))
			batch.Reset()
		}
	}
}

// settled fills a store and lets it have its compactions behind it.
func settled(b *testing.B, s Store) {
	fill(b, s, 0, benchEntries)
	if d, ok := s.(*disk); ok {
		must(b, d.db.Compact(b.Context(), []byte{0}, []byte{0xff}, false))
	}
}

// cpu reports the time of processors rather than of the clock, for machines that have something else to do.
func cpu(b *testing.B, n *int) func() {
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(*n), "cpu-ns/op") }
}

func used() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkGet(b *testing.B) {
	benchStores(b, func(b *testing.B, s Store) {
		settled(b, s)
		for _, c := range []struct {
			name       string
			from, keys int
			hit        bool
		}{{"hit", 0, benchEntries, true}, {"hit-hot", 0, 1000, true}, {"miss", benchEntries, benchEntries, false}} {
			b.Run(c.name, func(b *testing.B) {
				b.ReportAllocs()
				var key []byte
				i := 0
				defer cpu(b, &i)()
				for ; b.Loop(); i++ {
					key = benchKey(key, c.from+i*7919%c.keys)
					if _, ok, err := s.Get(orders, key); ok != c.hit || err != nil {
						b.Fatal(ok, err)
					}
				}
			})
		}
	})
}

func BenchmarkApply(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			benchStores(b, func(b *testing.B, s Store) {
				i := 0
				defer cpu(b, &i)()
				for ; b.Loop(); i++ {
					fill(b, s, i*n%benchEntries, i*n%benchEntries+n)
				}
			})
		})
	}
}

// BenchmarkEach counts entries, not calls, in cpu-ns/op.
func BenchmarkEach(b *testing.B) {
	benchStores(b, func(b *testing.B, s Store) {
		settled(b, s)
		n := 0
		defer cpu(b, &n)()
		for b.Loop() {
			must(b, s.Each(orders, nil, func(k, v []byte) error { n++; return nil }))
		}
	})
}

func BenchmarkEachPrefix(b *testing.B) {
	benchStores(b, func(b *testing.B, s Store) {
		settled(b, s)
		i := 0
		defer cpu(b, &i)()
		for ; b.Loop(); i++ {
			must(b, s.Each(orders, benchKey(nil, i%benchEntries), func(k, v []byte) error { return nil }))
		}
	})
}
