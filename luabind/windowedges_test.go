package luabind_test

import (
	"cmp"
	"math"
	"strings"
	"testing"
	"time"

	"faust/luabind"
	"faust/runtime/topic"
)

// A field is read in the way of the topic that a message comes from, whoever else writes the table.
func TestWindowsOfTwoTopics(t *testing.T) {
	t.Parallel()
	s := load(t, `
		local Sale = app.record('Sale', { placed = { type = 'datetime', format = 'unix_ms' } })
		local out = app.topic('out')
		local w = app.table('w', { default = 0 }):tumbling('20s', { time = 'placed' })
		app.agent('a', app.topic('plain'), function(stream) for k in stream:items() do w:add(k, 1) out:send { value = 1 } end end)
		app.agent('b', app.topic('typed', { value = Sale }), function(stream) for k in stream:items() do w:add(k, 1) end end)`)
	deliver, drain := s.agent("a")
	deliver(keyed(`a={"placed":1700000001}`)...) // seconds, which the other topic has none of
	s.until("settled", func() bool { return len(s.settled)+len(s.failed) >= 1 })
	if err := drain(); err != nil {
		t.Fatal(render(err))
	}
	equal(t, "rows", s.rows("w"), "a@0=1")
}

// Times that are none fail their message, and nothing else.
func TestWindowsOfImpossibleTimes(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		far := keyed("a=1", "a=2")
		far[0].Timestamp, far[1].Timestamp = math.MaxInt64, 1_700_000_000_000
		s := events(t, plain, "local w = app.table('w', { default = 0 }):hopping('20s', '10s')", `for k, v in stream:items() do
				print(pcall(function() w:add(k, 1, { at = math.huge }) end))
				w:add(k, v)
				out:send { value = 1 }
			end`, 3, far...)
		if text := strings.Join(s.failed, "; "); !strings.Contains(text, "a timestamp beyond the year 9999") || len(s.failed) != 1 {
			t.Errorf("failed %q", text)
		}
		if text := s.out.String(); !strings.Contains(text, "option 'at'") {
			t.Errorf("printed %q", text)
		}
		equal(t, "rows", s.rows("w"), "a@-10=2", "a@0=2")
	})
}

// A message that claims to be of a time far ahead fails, whoever says the time; how far that is can be said.
func TestWindowsOfTheFuture(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		for options, want := range map[string]string{"{}": "near:1", "{ ahead = '365d' }": "near:1 far:1", "{ ahead = '1h' }": ""} {
			list := keyed("near=1", "far=2", "said=3")
			now := time.Now()
			list[0].Timestamp, list[1].Timestamp, list[2].Timestamp = now.Add(23*time.Hour).UnixMilli(), now.AddDate(0, 6, 0).UnixMilli(), now.UnixMilli()
			s := events(t, plain, "local w = app.table('w', { default = 0 }):tumbling('20s', "+options+")", `for k, v in stream:items() do
					print(k, pcall(function() if k == 'said' then w:add(k, 1, { at = time.now() + '800d' }) else w:add(k, 1) end end))
					out:send { value = 1 }
				end`, 3, list...)
			text := s.out.String()
			for _, key := range []string{"near", "far", "said"} {
				if counts := strings.Contains(want, key); strings.Contains(text, key+"\ttrue") != counts || !counts && !strings.Contains(text, "ahead of this machine's clock, and counts in no window of table 'w'") {
					t.Errorf("%s: %s", options, text)
				}
			}
		}
	})
}

// Windows before 1970 close as others do, and may be added up.
func TestWindowsBefore1970(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		s := events(t, plain, `
			local years = app.table('years', { default = 0 }):tumbling('1d', { time = 'born', grace = 0, expires = '100d' })
			local days = app.table('days', { default = 0 }):tumbling('1h', { time = 'born', grace = 0 })
			days:on_close(function(key, window, n) print(window.from, n, days[key], years:add(key, n)) out:send { value = n } end)`,
			`for k, v in stream:items() do days:add(k, 1) out:send { value = 0 } end`, 3, keyed(`a={"born":"1960-05-01T10:30:00Z"}`, `a={"born":"1960-05-01T12:00:00Z"}`)...)
		if got := s.out.String(); got != "1960-05-01T10:00:00Z\t1\t1\t1\n" {
			t.Errorf("printed %q, failed %v", got, s.failed)
		}
	})
}

// on_late hears of the message of a batch that is late, not of the last one.
func TestLateInABatch(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		s := events(t, plain, `
			local w = app.table('w', { default = 0 }):tumbling('20s', { grace = 0 })
			w:on_late(function(key, event) print(key, event and event.value) end)`,
			`for list in stream:take_events(3) do
				for _, e in ipairs(list) do w:add(e.key, 1, { at = e.timestamp }) end
				w:add('x', 1, { at = 5 })
				out:send { value = 1 }
			end`, 2, timed("a@0=1", "a@20=2", "a@21=3", "b@22=4", "c@3=5", "d@23=6")...)
		if got := s.out.String(); got != "c\t5\nx\tnil\n" {
			t.Errorf("printed %q, failed %v", got, s.failed)
		}
	})
}

// By the clock nothing is late, although time goes on while a message is counted.
func TestNothingIsLateByTheClock(t *testing.T) {
	t.Parallel()
	s := loadWith(t, `local out = app.topic('out')
		local w = app.table('w', { default = 0 }):hopping(0.01, 0.001, { time = 'now', expires = '1h' })
		local missed = 0
		w:on_late(function() missed = missed + 1 end)
		app.agent('a', app.topic('in'), function(stream)
			for k in stream:items() do
				w:update(k, function(n) time.sleep(0.005) return n + 1 end)
				print(missed)
				out:send { value = 1 }
			end
		end)`, luabind.Config{})
	deliver, drain := s.agent("a")
	shard := s.Shard(s.table("w"), 0)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			default:
				shard.Tick(time.Now())
			}
		}
	}()
	deliver(topic.Record{Key: []byte("a")})
	s.until("settled", func() bool { return len(s.settled)+len(s.failed) >= 1 })
	close(done)
	if err := drain(); err != nil {
		t.Fatal(render(err))
	}
	if got := s.out.String(); got != "0\n" {
		t.Errorf("printed %q, failed %v", got, s.failed)
	}
}

// The messages of a batch have a time each: what is changed in place belongs to the window of none of them, unless they count when they are processed.
func TestChangesInPlaceInABatch(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		for options, want := range map[string]string{"": "in place, but the messages of a batch have a time each", "{ time = 'now' }": ""} {
			s := events(t, plain, "local w = app.table('w', { default = { n = 0 } }):tumbling('20s', "+cmp.Or(options, "{}")+")", `for list in stream:take_events(2) do
					for _, e in ipairs(list) do
						if e.key == 'read' then print(w[e.key].n) else w[e.key].n = w[e.key].n + 1 end
					end
					out:send { value = 1 }
				end`, 2, timed("read@0=1", "read@20=2", "a@21=3", "a@40=4")...)
			switch failed := strings.Join(s.failed, "; "); {
			case want == "" && failed != "" || !strings.Contains(failed, want):
				t.Errorf("%s failed %q", options, failed)
			case want != "":
				equal(t, "rows", s.rows("w"))
			}
			if got := s.out.String(); got != "0\n0\n" {
				t.Errorf("printed %q", got)
			}
		}
	})
}
