package timer

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

func at(t *testing.T, zone, s string) time.Time {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	v, err := time.ParseInLocation("2006-01-02 15:04:05", s, loc)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEvery(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	sec := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	e := Every{Start: start, Interval: 10 * time.Second}
	for _, c := range []struct{ t, want float64 }{{-100, 10}, {0, 10}, {9.9, 10}, {10, 20}, {1e6 + 1, 1e6 + 10}} {
		if got := e.Next(sec(c.t)); !got.Equal(sec(c.want)) {
			t.Errorf("after %v: %v, want %v", c.t, got.Sub(start), c.want)
		}
	}
	for _, c := range []struct {
		due, now, next float64
		missed         int
	}{{10, 10.5, 20, 0}, {10, 20, 20, 0}, {10, 20.1, 30, 1}, {10, 55, 60, 4}, {10, 60, 60, 4}, {20, 21, 30, 0}} {
		next, missed := e.After(sec(c.due), sec(c.now))
		if !next.Equal(sec(c.next)) || missed != c.missed {
			t.Errorf("due %v run until %v: %v, %d missed; want %v, %d", c.due, c.now, next.Sub(start), missed, c.next, c.missed)
		}
	}
}

func TestCron(t *testing.T) {
	t.Parallel()
	const utc, oslo = "UTC", "Europe/Oslo"
	for _, c := range []struct {
		spec, zone, from string
		want             []string // in UTC
	}{
		{"0 20 * * *", utc, "2026-11-23 19:59:59", []string{"2026-11-23 20:00:00", "2026-11-24 20:00:00"}},
		{"0 20 * * *", utc, "2026-11-23 20:00:00", []string{"2026-11-24 20:00:00"}},
		{"*/15 8-9 * * mon-fri", utc, "2026-11-27 09:31:00", []string{"2026-11-27 09:45:00", "2026-11-30 08:00:00"}},
		{"* * * * * */20", utc, "2026-11-27 09:31:59", []string{"2026-11-27 09:32:00", "2026-11-27 09:32:20"}},
		{"0 0 * * 0 30", utc, "2026-11-24 00:00:00", []string{"2026-11-29 00:00:30"}},
		{"0 0 * * 7", utc, "2026-11-24 00:00:00", []string{"2026-11-29 00:00:00", "2026-12-06 00:00:00"}},
		{"0 0 * * SAT-sun", utc, "2026-11-24 00:00:00", []string{"2026-11-28 00:00:00", "2026-11-29 00:00:00", "2026-12-05 00:00:00"}},
		{"0 0 * * 5-7/2", utc, "2026-11-24 00:00:00", []string{"2026-11-27 00:00:00", "2026-11-29 00:00:00", "2026-12-04 00:00:00"}},
		{"0 0 13 * fri", utc, "2026-11-10 00:00:00", []string{"2026-11-13 00:00:00", "2026-11-20 00:00:00", "2026-11-27 00:00:00", "2026-12-04 00:00:00", "2026-12-11 00:00:00", "2026-12-13 00:00:00"}},
		{"0 0 29 2 *", utc, "2026-11-10 00:00:00", []string{"2028-02-29 00:00:00"}},
		{"0 0 1 jan,Jul *", utc, "2026-11-10 00:00:00", []string{"2027-01-01 00:00:00", "2027-07-01 00:00:00"}},
		{"50/5 3 * * ?", utc, "2026-11-10 00:00:00", []string{"2026-11-10 03:50:00", "2026-11-10 03:55:00", "2026-11-11 03:50:00"}},
		{"@daily", oslo, "2026-11-10 12:00:00", []string{"2026-11-10 23:00:00"}},
		{"@hourly", utc, "2026-11-10 12:00:00", []string{"2026-11-10 13:00:00"}},
		{"@weekly", utc, "2026-11-10 12:00:00", []string{"2026-11-15 00:00:00"}},
		{"@monthly", utc, "2026-11-10 12:00:00", []string{"2026-12-01 00:00:00"}},
		{"@yearly", utc, "2026-11-10 12:00:00", []string{"2027-01-01 00:00:00"}},
		{"0 20 * * *", oslo, "2026-03-28 12:00:00", []string{"2026-03-28 19:00:00", "2026-03-29 18:00:00"}},
		// 02:00 to 03:00 does not exist on 2026-03-29 in Oslo: due when the clock jumps, once.
		{"30 2 * * *", oslo, "2026-03-28 12:00:00", []string{"2026-03-29 01:00:00", "2026-03-30 00:30:00"}},
		{"*/20 2,3 * * *", oslo, "2026-03-29 00:00:00", []string{"2026-03-29 01:00:00", "2026-03-29 01:20:00", "2026-03-29 01:40:00", "2026-03-30 00:00:00"}},
		// 02:00 to 03:00 comes twice on 2026-10-25: fixed hours the first time only, from whichever hour one asks.
		{"30 2 * * *", oslo, "2026-10-24 12:00:00", []string{"2026-10-25 00:30:00", "2026-10-26 01:30:00"}},
		{"30 2,3 * * *", oslo, "2026-10-24 12:00:00", []string{"2026-10-25 00:30:00", "2026-10-25 02:30:00"}},
		// any hour: by the time that passes
		{"*/30 * * * *", oslo, "2026-10-25 01:45:00", []string{"2026-10-25 00:00:00", "2026-10-25 00:30:00", "2026-10-25 01:00:00", "2026-10-25 01:30:00", "2026-10-25 02:00:00"}},
		{"*/30 * * * *", oslo, "2026-03-29 01:15:00", []string{"2026-03-29 00:30:00", "2026-03-29 01:00:00", "2026-03-29 01:30:00"}},
		// half-hour change
		{"45 1 * * *", "Australia/Lord_Howe", "2026-04-04 12:00:00", []string{"2026-04-04 14:45:00", "2026-04-05 15:15:00"}},
		{"15 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00:00", []string{"2026-10-03 15:30:00", "2026-10-04 15:15:00"}},
	} {
		t.Run(c.spec+" "+c.zone, func(t *testing.T) {
			t.Parallel()
			cron, err := Parse(c.spec)
			if err != nil {
				t.Fatal(err)
			}
			now := at(t, c.zone, c.from)
			for i, want := range c.want {
				if now = cron.Next(now); now.UTC().Format("2006-01-02 15:04:05") != want {
					t.Fatalf("%d: %v (%v), want %s UTC", i, now, now.UTC(), want)
				}
				if now.Location().String() != c.zone {
					t.Fatalf("in %v", now.Location())
				}
			}
			if got := cron.(*Cron).String(); got != c.spec {
				t.Error(got)
			}
		})
	}
}

func TestCronErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ spec, want string }{
		{"", "found 0"},
		{"* * * *", "found 4"},
		{"* * * * * * *", "found 7"},
		{"61 * * * *", "minute: 61 is not between 0 and 59"},
		{"* 24 * * *", "hour: 24 is not between 0 and 23"},
		{"* * 0 * *", "day of month: 0 is not between 1 and 31"},
		{"* * * 13 *", "month: 13 is not between 1 and 12"},
		{"* * * foo *", `month: "foo" is neither a number nor one of jan feb`},
		{"* * * * 8", "day of week: 8 is not between 0 and 7"},
		{"* * * * * 60", "second: 60 is not between 0 and 59"},
		{"a * * * *", `minute: "a" is not a number`},
		{"-5 * * * *", "minute: a value is missing"},
		{"1,,2 * * * *", "minute: a value is missing"},
		{"1-5-9 * * * *", `minute: "5-9" is not a number`},
		{"*/0 * * * *", `minute: the step "0" is not a positive number`},
		{"*/x * * * *", `minute: the step "x" is not a positive number`},
		{"* 22-2 * * *", "hour: the range 22-2 ends before it begins"},
		{"0 0 30 2 *", "day of month: there is no such day"},
		{"@every 1h", "use a timer"},
		{"TZ=UTC 0 20 * * *", "the time zone is not part"},
		{"@noon", "no such name"},
		{"0 0 L * *", `day of month: "L" is not a number`},
	} {
		_, err := Parse(c.spec)
		if err == nil || !strings.Contains(err.Error(), c.want) || c.spec != "" && strings.Contains(err.Error(), c.spec) {
			t.Errorf("%q: %v", c.spec, err)
		}
	}
}

// TestOncePerDay asks for all runs of a year with both changes of the clock.
func TestOncePerDay(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 7))
		minute, hour := r.IntN(60), r.IntN(24)
		spec := fmt.Sprintf("%d %d * * *", minute, hour)
		cron, err := Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		now := at(t, "Europe/Oslo", "2026-01-01 00:00:00")
		day := now
		for n := range 400 {
			now = cron.Next(now)
			if got, want := now.Format("01-02"), day.AddDate(0, 0, n).Format("01-02"); got != want {
				t.Fatalf("seed %d %s: run %d on %s, want once on %s", seed, spec, n, now, want)
			}
			if h, m, _ := now.Clock(); (h != hour || m != minute) && now.UTC().Format("01-02 15:04") != "03-29 01:00" {
				t.Fatalf("seed %d %s: run at %s", seed, spec, now)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"* * * * *", "0 20 * * mon-fri", "@daily", "1-7/2,9 */3 1 1-3 7 30", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		cron, err := Parse(spec)
		if err != nil {
			return
		}
		now := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
		if next := cron.Next(now); !next.After(now) && !next.IsZero() {
			t.Errorf("%q: %v after %v", spec, next, now)
		}
	})
}
