package reset

import (
	"slices"
	"testing"
)

func TestOlder(t *testing.T) {
	t.Parallel()
	names := []string{"shop", "shop-v2", "shop-v2-totals-changelog", "shop-v3-x", "shop-v03", "shop-v1", "shop-v0", "shop-v-2", "shop-v4.5", "shop-v5", "shop-v6", "shop-v99", "shop-vx", "shop-version-2", "other-v2", "ashop-v2", "shop-v"}
	for below, want := range map[int][]int{1: {}, 2: {1}, 3: {1, 2}, 5: {1, 2, 3}, 20_261_126: {1, 2, 3, 5, 6, 99}} {
		if got := older("shop", below, names); !slices.Equal(got, want) {
			t.Errorf("below %d: %v, want %v", below, got, want)
		}
	}
}
