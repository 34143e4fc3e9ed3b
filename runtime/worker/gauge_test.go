package worker

import "testing"

func TestGaugeFits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		records, bytes, n int64
		want              bool
	}{
		{0, 0, 1, true},
		{0, 0, 50, true}, // into an empty one anything fits, or it would never be sent
		{7, 10, 3, true},
		{8, 10, 3, false},
		{1, 100, 1, false},
	} {
		g := gauge{maxRecords: 10, maxBytes: 100}
		g.used.Store(c.records<<gaugeShift + c.bytes)
		if got := g.fits(c.n); got != c.want {
			t.Errorf("%d more fit with %d records of %d bytes: %v, want %v", c.n, c.records, c.bytes, got, c.want)
		}
	}
}
