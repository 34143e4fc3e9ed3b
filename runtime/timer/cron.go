package timer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Cron is a crontab expression. It is due by the wall clock of the time zone that the time given to Next is in. Where that clock is
// changed, times at fixed hours are due once a day: one that the change skips at the moment of the change, one that it repeats the first
// time only; an expression with * (or */n) for the hour goes on by the time that really passes.
type Cron struct {
	spec    string
	plan    *cron.SpecSchedule
	elapses bool // any hour
}

var _ Schedule = (*Cron)(nil)

// field is one of the six, in the order of an expression.
type field struct {
	name     string
	min, max int
	words    []string // for min and up
}

// fields gives the fields in the order of an expression: seconds are the sixth, as in croniter.
func fields() []field {
	return []field{
		{"minute", 0, 59, nil},
		{"hour", 0, 23, nil},
		{"day of month", 1, 31, nil},
		{"month", 1, 12, strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec")},
		{"day of week", 0, 7, strings.Fields("sun mon tue wed thu fri sat sun")},
		{"second", 0, 59, nil},
	}
}

// Parse reads a crontab expression of five fields (minute, hour, day of month, month, day of week) or six (and second), or one of
// @yearly @annually @monthly @weekly @daily @midnight @hourly. The error names the field, and not the expression.
func Parse(spec string) (Schedule, error) {
	c, err := parse(spec)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func parse(spec string) (*Cron, error) {
	texts := strings.Fields(spec)
	if len(texts) > 0 && strings.HasPrefix(texts[0], "@") {
		if texts[0] == "@every" {
			return nil, errors.New("@every is no crontab: use a timer")
		}
		if texts = strings.Fields(named(spec)); len(texts) == 0 {
			return nil, errors.New("no such name; there are @yearly @monthly @weekly @daily @hourly")
		}
	}
	if strings.HasPrefix(spec, "TZ=") || strings.HasPrefix(spec, "CRON_TZ=") {
		return nil, errors.New("the time zone is not part of the expression")
	}
	if n := len(texts); n != 5 && n != 6 {
		return nil, fmt.Errorf("expected 5 fields (minute, hour, day of month, month, day of week) or 6 (and second), found %d", n)
	}
	for i, f := range fields()[:len(texts)] {
		text, err := f.normal(texts[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		texts[i] = text
	}
	second := "0"
	if len(texts) == 6 {
		second = texts[5]
	}
	parser := cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	parsed, err := parser.Parse(strings.Join(append([]string{second}, texts[:5]...), " "))
	if err != nil {
		return nil, err
	}
	c := &Cron{spec: spec, plan: parsed.(*cron.SpecSchedule), elapses: strings.HasPrefix(texts[1], "*")}
	if c.plan.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, errors.New("day of month: there is no such day in that month")
	}
	return c, nil
}

// named gives the five fields that a name stands for.
func named(name string) string {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "@yearly", "@annually":
		return "0 0 1 1 *"
	case "@monthly":
		return "0 0 1 * *"
	case "@weekly":
		return "0 0 * * 0"
	case "@daily", "@midnight":
		return "0 0 * * *"
	case "@hourly":
		return "0 * * * *"
	}
	return ""
}

// normal checks the text of a field and writes it in numbers, with Sunday as 0.
func (f field) normal(text string) (string, error) {
	var parts []string
	for _, part := range strings.Split(text, ",") {
		p, err := f.part(part)
		if err != nil {
			return "", err
		}
		parts = append(parts, p)
	}
	return strings.Join(parts, ","), nil
}

// part is one of a list: a value, a range or *, each perhaps with a step.
func (f field) part(text string) (string, error) {
	span, step, stepped := strings.Cut(text, "/")
	every := 1
	if stepped {
		n, err := strconv.Atoi(step)
		if err != nil || n < 1 {
			return "", fmt.Errorf("the step %q is not a positive number", step)
		}
		every = n
	}
	if span == "*" || span == "?" {
		return "*/" + strconv.Itoa(every), nil
	}
	from, to, ranged := strings.Cut(span, "-")
	low, err := f.value(from)
	if err != nil {
		return "", err
	}
	high := low
	if ranged {
		if high, err = f.value(to); err != nil {
			return "", err
		}
	} else if stepped {
		high = f.last()
	}
	if low > high && f.words != nil && high == 0 {
		high = f.max // sat-sun
	}
	if low > high {
		return "", fmt.Errorf("the range %s ends before it begins", span)
	}
	return f.list(low, high, every), nil
}

// last is the greatest value that stands for itself.
func (f field) last() int {
	if f.max == 7 {
		return 6
	}
	return f.max
}

// list writes the values one by one, a Sunday at the end as 0.
func (f field) list(low, high, every int) string {
	var values []string
	for v := low; v <= high; v += every {
		if v > f.last() {
			v = f.min
			high = f.min
		}
		values = append(values, strconv.Itoa(v))
	}
	return strings.Join(values, ",")
}

// value reads a number or a word.
func (f field) value(text string) (int, error) {
	for i, word := range f.words {
		if strings.EqualFold(text, word) {
			return f.min + i, nil
		}
	}
	n, err := strconv.Atoi(text)
	switch {
	case text == "":
		return 0, fmt.Errorf("a value is missing")
	case err != nil && f.words != nil:
		return 0, fmt.Errorf("%q is neither a number nor one of %s", text, strings.Join(f.words[:f.last()-f.min+1], " "))
	case err != nil:
		return 0, fmt.Errorf("%q is not a number", text)
	case n < f.min || n > f.max:
		return 0, fmt.Errorf("%d is not between %d and %d", n, f.min, f.max)
	}
	return n, nil
}

// String gives the expression as written.
func (c *Cron) String() string { return c.spec }

// Next gives the first instant after t at which the expression is due, in the time zone of t.
func (c *Cron) Next(t time.Time) time.Time {
	if c.elapses {
		return c.plan.Next(t)
	}
	zone := t.Location()
	wall := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	for {
		if wall = c.plan.Next(wall); wall.IsZero() {
			return wall
		}
		if due := instant(wall, zone); due.After(t) {
			return due
		}
	}
}

// instant is when the clock of zone shows wall for the first time; if it never does, when it jumps over wall.
func instant(wall time.Time, zone *time.Location) time.Time {
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
	start, end := t.ZoneBounds()
	switch shown := shows(t); {
	case shown.After(wall):
		return start
	case shown.Before(wall):
		return end
	}
	if !start.IsZero() {
		_, before := start.Add(-1).Zone()
		_, after := t.Zone()
		if first := t.Add(time.Duration(after-before) * time.Second); first.Before(start) && shows(first).Equal(wall) {
			return first
		}
	}
	return t
}

// shows is what the clock of t's zone shows at t, as a time in UTC.
func shows(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}
