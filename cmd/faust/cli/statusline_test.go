package cli

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"faust/runtime/control"
)

func TestStatusFitsTheTerminal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // where time stands still
		s := control.Status{Rate: 1240.4, Lag: 12, LagTime: 61, Failed: 3, P99: 0.0031, Started: time.Now().Add(-760 * time.Second),
			Agents: []control.Agent{{Name: "a"}, {Name: "b", Paused: true}}}
		parts := statusParts(&s, true)
		if got, want := cutStatus(parts, 120), "▸ 1 240 msg/s  lag 12 (61s)  errors 3  p99 3.1ms  agents 1/2  1 paused  up 00:12:40  ? for keys"; got != want {
			t.Errorf("wide\n%s\nnot\n%s", got, want)
		}
		if got, want := cutStatus(parts, 40), "▸ 1 240 msg/s  lag 12 (61s)  errors 3"; got != want {
			t.Errorf("40 columns: %s, not %s", got, want)
		}
		if got := cutStatus(parts, 5); got != "" {
			t.Errorf("5 columns: %q", got)
		}
		s.Stopping = true
		if got := cutStatus(statusParts(&s, true), 80); got != "▸ stopping" {
			t.Errorf("stopping: %q", got)
		}
	})
}

func TestNumbersAndTimesForPeople(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1 000", 1234567: "1 234 567", -1234: "-1 234", -123: "-123"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %s, not %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{3123 * time.Microsecond: "3.1ms", 12 * time.Microsecond: "12µs", 345 * time.Millisecond: "345ms",
		2340 * time.Millisecond: "2.3s", 90 * time.Second: "90s", 10 * time.Minute: "10m", 50 * time.Hour: "50h"} {
		if got := short(d); got != want {
			t.Errorf("%s: %s, not %s", d, got, want)
		}
	}
}

func TestProgressBar(t *testing.T) {
	t.Parallel()
	if got := strings.Join(bar(520, 1000, 10*time.Second), " "); got != "██████████░░░░░░░░░░  52% 520/1 000 9s left" {
		t.Error(got)
	}
	if got := strings.Join(bar(1500, 0, time.Second), " "); got != "1 500 done" {
		t.Error(got)
	}
	if got := strings.Join(bar(20, 10, 5*time.Second), " "); got != "████████████████████ 100% 20/10" {
		t.Error(got)
	}
}

func TestScreenKeepsTheStatusBelow(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	sc := newScreen(w)
	out := &screenWriter{sc, w}
	const erase = "\r\x1b[2K"
	expect := func(what, want string) {
		t.Helper()
		b := make([]byte, 200)
		n, err := r.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(b[:n]); got != want {
			t.Errorf("%s: %q, not %q", what, got, want)
		}
	}
	both := func(what string, parts ...string) {
		t.Helper()
		expect(what, strings.Join(parts, ""))
	}
	sc.set("status 1")
	both("set", "status 1")
	sc.set("status 1") // nothing new is not drawn again
	_, _ = out.Write([]byte("a line\n"))
	both("line", erase, "a line\n", "status 1")
	_, _ = out.Write([]byte("no end"))
	both("half a line", erase, "no end")
	sc.set("status 2")
	_, _ = out.Write([]byte(" yet\n"))
	both("the rest", " yet\n", "status 2")
	answered := sc.ask()
	both("asked", erase)
	_, _ = out.Write([]byte("name? "))
	both("question", "name? ")
	answered()
	both("answered", "status 2")
	sc.set("")
	both("none", erase)
}
