package broker

import (
	"testing"
	"time"
)

// An answer proves the membership once the next one is there: the first after a long silence may say that it is over.
func TestHearing(t *testing.T) {
	t.Parallel()
	var h hearing
	start := time.Now()
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	if q := h.quiet(at(100)); q != 0 {
		t.Errorf("before the first answer: %s", q)
	}
	h.answered(at(1))
	h.answered(at(2))
	if q := h.quiet(at(2)); q != time.Second {
		t.Errorf("between heartbeats: %s", q)
	}
	h.answered(at(20))
	if q := h.quiet(at(20)); q != 18*time.Second {
		t.Errorf("after the first answer since long: %s", q)
	}
	h.answered(at(21))
	if q := h.quiet(at(21)); q != time.Second {
		t.Errorf("after the second: %s", q)
	}
	// A machine that slept: the clock that only goes forward stood still, the time of day did not.
	if q := h.quiet(at(21).Round(0).Add(time.Hour)); q < time.Hour {
		t.Errorf("after a sleep: %s", q)
	}
}
