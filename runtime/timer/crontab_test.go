package timer_test

import (
	"strings"
	"testing"
	"time"

	"faust/runtime/timer"
)

func TestParse(t *testing.T) {
	t.Parallel()
	oslo, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ spec, from, next string }{
		{"0 20 * * *", "2026-11-24T19:00:00+01:00", "2026-11-24T20:00:00+01:00"},
		{"0 20 * * *", "2026-11-24T20:00:00+01:00", "2026-11-25T20:00:00+01:00"},
		{"0 9 * * 1-5", "2026-11-27T12:00:00+01:00", "2026-11-30T09:00:00+01:00"},
		{"*/10 * * * * *", "2026-11-24T19:00:01+01:00", "2026-11-24T19:00:10+01:00"},
		{"@daily", "2026-11-24T19:00:00+01:00", "2026-11-25T00:00:00+01:00"},
		{"0 12 * * *", "2026-03-28T12:00:00+01:00", "2026-03-29T12:00:00+02:00"}, // clocks go forward in the night
	} {
		s, err := timer.Parse(c.spec)
		if err != nil {
			t.Errorf("Parse(%q): %v", c.spec, err)
			continue
		}
		from, err := time.Parse(time.RFC3339, c.from)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Next(from.In(oslo)).Format(time.RFC3339); got != c.next {
			t.Errorf("%q after %s: got %s, want %s", c.spec, c.from, got, c.next)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		"":                 "found 0",
		"* * * *":          "found 4",
		"61 * * * *":       "61",
		"0 0 31 2 *":       "no such day",
		"@every 5s":        "timer",
		"TZ=UTC * * * * *": "time zone",
		"0 20 * * Foo":     "Foo",
	} {
		if _, err := timer.Parse(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q): got error %v, want one with %q", spec, err, want)
		}
	}
}
