package cli

import "testing"

// The next collection starts at the floor, or at twice what is alive when that is more.
func TestHeapPercent(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{
		0: 6300, 1 << 20: 6300, 20 << 20: 220, 40 << 20: 100, 80 << 20: 100, 1 << 30: 100,
	} {
		if got := heapPercent(live); got != want {
			t.Errorf("%d bytes alive: %d, want %d", live, got, want)
		}
	}
}
