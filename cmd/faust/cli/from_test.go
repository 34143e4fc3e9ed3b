package cli

import (
	"testing"
	"time"

	"faust/runtime/broker"
)

func TestParseFrom(t *testing.T) {
	t.Parallel()
	oslo := time.FixedZone("there", 2*3600)
	now := time.Date(2026, 11, 23, 14, 2, 0, 0, oslo)
	at := func(text string) broker.From {
		when, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return broker.From{Kind: broker.FromTime, Time: when}
	}
	for text, want := range map[string]broker.From{
		"start":                     {},
		"end":                       {Kind: broker.FromEnd},
		"0":                         {Kind: broker.FromOffset},
		"10433":                     {Kind: broker.FromOffset, Offset: 10433},
		"10m":                       at("2026-11-23T13:52:00+02:00"),
		"10m ago":                   at("2026-11-23T13:52:00+02:00"),
		"1d12hago":                  at("2026-11-22T02:02:00+02:00"),
		"2026-11-23T10:00:00Z":      at("2026-11-23T12:00:00+02:00"),
		"2026-11-23T10:00:00.25":    at("2026-11-23T10:00:00.25+02:00"),
		"2026-11-23 10:00":          at("2026-11-23T10:00:00+02:00"),
		"2026-11-01":                at("2026-11-01T00:00:00+02:00"),
		"14:01":                     at("2026-11-23T14:01:00+02:00"),
		"14:03:30":                  at("2026-11-22T14:03:30+02:00"),
		"2026-11-23T14:02:11+01:00": at("2026-11-23T15:02:11+02:00"),
	} {
		got, err := parseFrom(text, now, oslo)
		if err != nil || got.Kind != want.Kind || got.Offset != want.Offset || !got.Time.Equal(want.Time) {
			t.Errorf("%s: %+v, %v, not %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "yesterday", "ago", "25:00", "2026-13-01", "10 apples", "10y"} {
		if got, err := parseFrom(text, now, oslo); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}
