package agent

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// model is the naive tracker: all records, sorted by offset, with a mark.
type model struct {
	offsets []int64
	done    []bool
}

func (m *model) low() int64 {
	low := m.offsets[0]
	for i, done := range m.done {
		if !done {
			break
		}
		low = m.offsets[i] + 1
	}
	return low
}

func TestTrackerAgainstModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		tr := newTracker(seed%2 == 0)
		m := &model{}
		next, window := int64(r.IntN(1000)), 1+r.IntN(300)
		var open []int // positions delivered and not done
		for step := 0; step < 2000; step++ {
			if len(open) < window && r.IntN(2) == 0 {
				if m.offsets == nil {
					tr.start(next)
				}
				open = append(open, len(m.offsets))
				m.offsets, m.done = append(m.offsets, next), append(m.done, false)
				next += int64(1 + r.IntN(3)*r.IntN(50)) // holes
				continue
			}
			if len(open) == 0 {
				continue
			}
			i := 0
			if r.IntN(3) > 0 {
				i = r.IntN(len(open))
			}
			pos := open[i]
			open = slices.Delete(open, i, i+1)
			tr.done(uint64(pos), m.offsets[pos])
			m.done[pos] = true
			if got, want := tr.low.Load(), m.low(); got != want {
				t.Fatalf("seed %d step %d: watermark %d, want %d", seed, step, got, want)
			}
		}
	}
}

func TestTrackerBeforeDelivery(t *testing.T) {
	t.Parallel()
	tr := newTracker(false)
	if got := tr.low.Load(); got != -1 {
		t.Fatalf("watermark %d before anything was delivered", got)
	}
	tr.start(7)
	tr.start(9)
	if got := tr.low.Load(); got != 7 {
		t.Fatalf("watermark %d, want the first offset", got)
	}
}

func BenchmarkTracker(b *testing.B) {
	b.Run("in order", func(b *testing.B) {
		tr := newTracker(false)
		b.ReportAllocs()
		for i := range b.N {
			tr.done(uint64(i), int64(i))
		}
	})
	b.Run("shared, every second one late", func(b *testing.B) {
		tr := newTracker(true)
		b.ReportAllocs()
		for i := range b.N {
			tr.done(uint64(i^1), int64(i^1))
		}
	})
}
