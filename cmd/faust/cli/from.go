package cli

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"faust/runtime/app"
	"faust/runtime/broker"
)

var errFrom = errors.New("expected start, end, an offset, a time such as 2026-11-23T14:02:00Z, 2026-11-23 or 14:02, or how long ago: 10m, 2d")

// clockLayouts are how times are written that name no zone.
var clockLayouts = []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02", "15:04:05", "15:04"}

// parseFrom reads where a topic is to be read from: start, end, an offset, a time (in zone if it names none; a time of the day is the latest such
// moment before now) or a duration before now.
func parseFrom(text string, now time.Time, zone *time.Location) (broker.From, error) {
	switch text {
	case "start":
		return broker.From{}, nil
	case "end":
		return broker.From{Kind: broker.FromEnd}, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n < 0 {
			return broker.From{}, errFrom
		}
		return broker.From{Kind: broker.FromOffset, Offset: n}, nil
	}
	if d, err := app.ParseDuration(strings.TrimSpace(strings.TrimSuffix(text, "ago"))); err == nil {
		return broker.From{Kind: broker.FromTime, Time: now.Add(-d)}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	for _, layout := range clockLayouts {
		if err == nil {
			break
		}
		at, err = time.ParseInLocation(layout, text, zone)
		if err == nil && !strings.HasPrefix(layout, "2006") {
			y, m, d := now.In(zone).Date()
			at = time.Date(y, m, d, at.Hour(), at.Minute(), at.Second(), 0, zone)
			if at.After(now) {
				at = at.AddDate(0, 0, -1)
			}
		}
	}
	if err != nil {
		return broker.From{}, errFrom
	}
	return broker.From{Kind: broker.FromTime, Time: at}, nil
}
