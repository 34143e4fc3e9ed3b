package vm

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestSliceIsOver: the end of a slice is seen, however long the pauses are apart, though the clock is not looked at each time.
func TestSliceIsOver(t *testing.T) {
	t.Parallel()
	const slice = 2 * time.Millisecond
	for name, c := range map[string]struct {
		between func(n int) time.Duration
		late    time.Duration // at most
	}{
		"short":                  {func(int) time.Duration { return 3 * time.Microsecond }, maxStride * 3 * time.Microsecond},
		"long":                   {func(int) time.Duration { return slice / 3 }, slice / 3},
		"longer than the slice":  {func(int) time.Duration { return time.Second }, time.Second},
		"longer than those past": {func(n int) time.Duration { return time.Duration(1+n/20*100) * time.Microsecond }, maxStride * 100 * time.Microsecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := &task{taken: time.Now()}
				for k.pauses < pauseLimit {
					<-time.After(c.between(k.pauses))
					if k.pauses++; k.pauses >= k.look && k.over(slice) {
						break
					}
				}
				if took := time.Since(k.taken); took < slice || took > slice+c.late {
					t.Errorf("over after %v and %d pauses", took, k.pauses)
				}
			})
		})
	}
}

// TestSliceWithoutClock: where the clock stands still the count ends a slice.
func TestSliceWithoutClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &task{taken: time.Now()}
		for k.pauses = 1; k.pauses < k.look || !k.over(time.Second); k.pauses++ {
		}
		if k.pauses < pauseLimit || k.pauses > pauseLimit+maxStride {
			t.Errorf("over after %d pauses", k.pauses)
		}
	})
}
