package luabind_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"faust/luabind"
	"faust/runtime/agent"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// clocks gives a processor what the worker gives it for tables with windows: clocks that the shards go by, and the windows that close.
func (s *script) clocks(cfg *agent.ProcessorConfig) {
	var told chores
	clocks := make([]*table.Clock, len(cfg.Agent.Timings))
	for i, way := range cfg.Agent.Timings {
		clocks[i] = table.NewClock(cfg.Agent.Name+way.Name, 1)
		cfg.Clocks = append(cfg.Clocks, clocks[i])
	}
	for _, t := range s.App.Tables {
		if t.Windows == nil || !slices.Contains(t.Agents, cfg.Agent.Name) {
			continue
		}
		shard := s.Shard(t, cfg.Partition.ID)
		if t.Windows.Told {
			told = append(told, shard)
		}
		for i, way := range cfg.Agent.Timings {
			if way.Name == t.Windows.Time {
				shard.Join(clocks[i])
			}
		}
	}
	cfg.Chores = told
}

// chores are the shards whose windows close.
type chores []*table.Shard

func (c chores) Due() bool { return slices.ContainsFunc(c, (*table.Shard).Due) }

func (c chores) Claim() (agent.Chore, error) {
	for _, s := range c {
		if k, err := s.Claim(); k != nil || err != nil {
			return chore{k}, err
		}
	}
	return nil, nil
}

type chore struct{ *table.Closing }

func (c chore) Record() topic.Record {
	return topic.Record{Key: []byte(c.Key), Timestamp: c.End - 1}
}

// timed makes messages of key@seconds=value.
func timed(pairs ...string) []topic.Record {
	out := keyed(pairs...)
	for i := range out {
		key, seconds, _ := strings.Cut(string(out[i].Key), "@")
		d, err := time.ParseDuration(seconds + "s")
		if err != nil {
			panic(err)
		}
		out[i].Key, out[i].Timestamp = []byte(key), 1_700_000_000_000+d.Milliseconds() // which is the beginning of no minute, but of 20 s
	}
	return out
}

// rows lists what is in a table with windows: key@seconds=value.
func (s *script) rows(name string) (list []string) {
	for _, row := range s.content(name) {
		start, rest, _ := table.SplitRow(row)
		list = append(list, strings.Replace(rest, "=", fmt.Sprintf("@%d=", (start-1_700_000_000_000)/1000), 1))
	}
	return list
}

// TestWindowEvents has the rules about what an event does with tables that have windows: what the body printed, what is in the table, what failed.
func TestWindowEvents(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		declared, body string
		records        []topic.Record
		want           string // printed, with | for newlines
		rows           string
		failed         string // part of the first failure
		n              int    // records and failures to wait for, if not one for each
	}{
		"add": {"local w = app.table('w', { default = 0 }):tumbling('20s')", `for k, v in stream:items() do print(w:add(k, v), w[k]) out:send { value = 1 } end`,
			timed("a@0=1", "a@19=2", "a@20=3", "b@5=4", "a@1=5"), "1\t1|3\t3|3\t3|4\t4|8\t8", "a@0=8 b@0=4 a@20=3", "", 0},
		"late": {`local w = app.table('w', { default = 0 }):tumbling('20s', { grace = '5s' })
			w:on_late(function(k, event) print('late', k, event.value) end)`, `for k, v in stream:items() do print(w:add(k, v)) out:send { value = 1 } end`,
			timed("a@0=1", "a@24=2", "a@1=3", "a@25=4", "a@2=5", "b@3=6"), "1|2|4|6|late\ta\t5|nil|late\tb\t6|nil", "a@0=4 a@20=6", "", 0},
		"hopping": {"local w = app.table('w', { default = 0 }):hopping('20s', '10s', { grace = 0 })", `for k, v in stream:items() do print(w:add(k, v), w[k], #w:windows(k)) out:send { value = 1 } end`,
			timed("a@0=1", "a@9=2", "a@10=3", "a@25=4", "a@11=5"), "1\t1\t2|3\t3\t2|6\t6\t3|7\t7\t4|12\t6\t4", "", "", 0},
		"assigned": {"local w = app.table('w'):tumbling('20s')", `for k, v in stream:items() do w[k] = v print(w[k], w:has(k), w:get(k), w:get('x', 'y')) out:send { value = 1 } end`,
			timed("a@0=1", "a@19=2", "a@20=3"), "1\ttrue\t1\ty|2\ttrue\t2\ty|3\ttrue\t3\ty", "a@0=2 a@20=3", "", 0},
		"assigned late": {"local w = app.table('w'):tumbling('20s', { grace = 0 }) w:on_late(function(k) print('late', k) end)", `for k, v in stream:items() do w[k] = v out:send { value = 1 } end`,
			timed("a@0=1", "a@20=2", "a@1=3"), "late\ta", "a@0=1 a@20=2", "", 0},
		"assigned to several": {"local w = app.table('w'):hopping('20s', '10s')", `for k, v in stream:items() do w[k] = v end`, timed("a@0=1"), "", "",
			"app.lua:5: a message counts in several windows of table 'w', which cannot be assigned at once", 0},
		"deleted":       {"local w = app.table('w'):tumbling('20s')", `for k, v in stream:items() do w[k] = v w[k] = nil print(w[k]) out:send { value = 1 } end`, timed("a@0=1"), "nil", "", "", 0},
		"update":        {"local w = app.table('w', { default = {} }):hopping('20s', '10s')", `for k, v in stream:items() do w:update(k, function(l) table.insert(l, v) return l end) out:send { value = 1 } end`, timed("a@0=1", "a@10=2"), "", "a@-10=[1] a@0=[1,2] a@10=[2]", "", 0},
		"in place":      {"local w = app.table('w', { default = {} }):tumbling('20s')", `for k, v in stream:items() do table.insert(w[k], v) out:send { value = 1 } end`, timed("a@0=1", "a@1=2", "a@20=3"), "", "a@0=[1,2] a@20=[3]", "", 0},
		"in place late": {"local w = app.table('w', { default = {} }):tumbling('20s', { grace = 0 }) w:on_late(function(k) print('late', k) end)", `for k, v in stream:items() do table.insert(w[k], v) out:send { value = 1 } end`, timed("a@0=1", "a@20=2", "a@3=3"), "late\ta", "a@0=[1] a@20=[2]", "", 0},
		"in place, several": {"local w = app.table('w', { default = {} }):hopping('20s', '10s')", `for k, v in stream:items() do table.insert(w[k], v) out:send { value = 1 } end`, timed("a@0=1"), "", "",
			"value of 'a' in w was changed in place, but the message counts in several windows", 0},
		"delta": {"local w = app.table('w', { default = 0 }):tumbling('20s', { expires = '1m' })", `for k, v in stream:items() do w:add(k, v) print(w:delta(k, '20s'), w:delta(k, 45), w:now(k)) out:send { value = 1 } end`,
			timed("a@0=1", "a@20=2", "a@40=3"), "0\t0\t0|1\t0\t0|2\t0\t0", "a@0=1 a@20=2 a@40=3", "", 0},
		"delta too far": {"local w = app.table('w', { default = 0 }):tumbling('20s', { expires = '1m' })", `for k, v in stream:items() do print(w:delta(k, '2m')) end`, timed("a@0=1"), "", "",
			"app.lua:5: table:delta: windows of table 'w' are forgotten 1m0s after their end, before 2m0s are over", 0},
		"windows": {"local w = app.table('w', { default = 0 }):tumbling('20s', { expires = '1m' })", `for k, v in stream:items() do w:add(k, v) for _, x in ipairs(w:windows(k)) do print(x.from, x.to, x.value) end out:send { value = 1 } end`,
			timed("a@0=1", "a@20=2"), "2023-11-14T22:13:20Z\t2023-11-14T22:13:40Z\t1|2023-11-14T22:13:20Z\t2023-11-14T22:13:40Z\t1|2023-11-14T22:13:40Z\t2023-11-14T22:14:00Z\t2", "a@0=1 a@20=2", "", 0},
		"pairs": {"local w = app.table('w', { default = 0 }):tumbling('20s')", `for k, v in stream:items() do w:add(k, v) local n = 0 for k, v in pairs(w) do n = n + 1 print(k, v) end print(#w, n, inspect(w:keys())) out:send { value = 1 } end`,
			timed("a@0=1", "b@1=2", "a@20=3"), "a\t1|1\t1\t{ \"a\" }|a\t1|b\t2|2\t2\t{ \"a\", \"b\" }|a\t3|1\t1\t{ \"a\" }", "a@0=1 b@0=2 a@20=3", "", 0},
		"a field": {"local w = app.table('w', { default = 0 }):tumbling('20s', { time = 'when' })", `for k, v in stream:items() do w:add(k, 1) out:send { value = 1 } end`,
			keyed(`a={"when":1700000001}`, `a={"n":{"when":1},"when":1700000021999}`, `a={"when":"2023-11-14T22:13:39.999Z"}`), "", "a@0=2 a@20=1", "", 0},
		"no field": {"local w = app.table('w', { default = 0 }):tumbling('20s', { time = 'when' })", `for k, v in stream:items() do w:add(k, 1) end`, keyed(`a={"then":1}`), "", "",
			"app.lua:5: the message has no time in its field 'when', by which it counts in the windows of table 'w'", 0},
		"at": {"local w = app.table('w', { default = 0 }):tumbling('20s')", `for events in stream:take_events(2) do for _, e in ipairs(events) do w:add(e.key, e.value, { at = e.timestamp }) w:update(e.key, { at = e.timestamp }, function(n) return n + 1 end) end out:send { value = 1 } end`,
			timed("a@0=1", "a@20=2"), "", "a@0=2 a@20=3", "", 1},
		"a batch": {"local w = app.table('w', { default = 0 }):tumbling('20s')", `for list in stream:take(2) do w:add('a', 1) end`, timed("a@0=1", "a@20=2"), "", "",
			"app.lua:5: the messages of a batch have a time each: in which window of table 'w' it counts is not known", 2},
		"at without windows": {"", `for k in stream:items() do t:add(k, 1, { at = 5 }) end`, timed("a@0=1"), "", "", "app.lua:5: option 'at' of table:add is for tables with windows, and 't' has none", 0},
		"a failure": {"local w = app.table('w', { default = 0 }):tumbling('20s')", `for k, v in stream:items() do w:add(k, v) if v == 2 then error 'no' end out:send { value = 1 } end`, timed("a@0=1", "a@1=2", "a@2=3"), "",
			"a@0=4", "no", 4},
		"no windows":   {"", `for k in stream:items() do t:delta(k, 1) end`, timed("a@0=1"), "", "", "app.lua:5: table:delta: table 't' has no windows", 0},
		"not declared": {"", `for k in stream:items() do t:tumbling '1m' end`, timed("a@0=1"), "", "", "app.lua:5: table:tumbling declares: it can only be used while the file is being loaded", 0},
	} {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/plain=%v", name, plain), func(t *testing.T) {
				t.Parallel()
				n := c.n
				if n == 0 {
					n = len(c.records)
				}
				records := make([]topic.Record, len(c.records))
				copy(records, c.records)
				s := events(t, plain, c.declared, c.body, n, records...)
				got := strings.ReplaceAll(strings.TrimSuffix(s.out.String(), "\n"), "\n", "|")
				if got != c.want {
					t.Errorf("printed %q, want %q", got, c.want)
				}
				if c.declared != "" && c.rows != "" {
					equal(t, "rows", []string{strings.Join(s.rows("w"), " ")}, c.rows)
				}
				if failed := short(strings.Join(s.failed, "; ")); !strings.Contains(failed, c.failed) || c.failed == "" && failed != "" {
					t.Errorf("failed %q, want %q", failed, c.failed)
				}
			})
		}
	}
}

// TestOnClose has windows close, and their function send, write, fail and be tried again.
func TestOnClose(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		s := events(t, plain, `
			local w = app.table('w', { default = 0 }):tumbling('20s', { grace = '5s' })
			local sums = app.table('sums', { default = 0 })
			local failed = false
			w:on_close(function(key, window, value)
				print('closed', key, window.from, window.to, value, w[key])
				sums:add(key, value)
				out:send { key = key, value = value }
				if key == 'b' and not failed then failed = true error 'not yet' end
			end)`, `for k, v in stream:items() do w:add(k, v) print(k, v) out:send { value = 0 } end`, 10, // nine are settled, and one fails
			timed("a@0=1", "b@1=2", "c@20=3", "a@24=4", "a@25=5", "a@70=6")...)
		equal(t, "settled", s.settledValues(), "out =0", "out =0", "out =0", "out =0", "out =0", "out a=1", "out =0", "out a=9", "out c=3")
		equal(t, "sums", s.content("sums"), "a=10", "c=3")
		want := "a\t1|b\t2|c\t3|a\t4|a\t5|closed\ta\t2023-11-14T22:13:20Z\t2023-11-14T22:13:40Z\t1\t1|closed\tb\t2023-11-14T22:13:20Z\t2023-11-14T22:13:40Z\t2\t2|a\t6|"
		if got := strings.ReplaceAll(s.out.String(), "\n", "|"); !strings.HasPrefix(got, want) {
			t.Errorf("printed %q, want %q", got, want)
		}
		if text := render(s.errs[0]); !strings.Contains(text, "not yet") || !strings.Contains(text, "w: 'b', 2023-11-14T22:13:20 to 22:13:40Z") || !strings.Contains(text, "in on_close of table 'w'") {
			t.Error(text)
		}
	})
}

// TestWindowDeclarations has what is wrong with a declaration said where it is.
func TestWindowDeclarations(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"app.table('t'):tumbling()":                                            "table:tumbling: the size is missing",
		"app.table('t'):tumbling('soon')":                                      "table:tumbling: the size is the string \"soon\", expected a duration like '10s'",
		"app.table('t'):tumbling(0)":                                           "table:tumbling: the size is 0s, expected whole milliseconds, at least one",
		"app.table('t'):tumbling(-5)":                                          "expected one that is not negative",
		"app.table('t'):tumbling(0.0005)":                                      "expected whole milliseconds, at least one",
		"app.table('t'):hopping('10s')":                                        "table:hopping: the step is missing",
		"app.table('t'):hopping('10s', '20s')":                                 "table:hopping: the step, 20s, is longer than the window, 10s: what comes between two windows would count in none",
		"app.table('t'):hopping('1d', '1s')":                                   "with a step of 1s every message would count in 86400 windows of 1d, more than 1000",
		"app.table('t'):tumbling('1m', { garce = '1s' })":                      "did you mean 'grace'?",
		"app.table('t'):tumbling('1m', { grace = 'x' })":                       "option 'grace' of table:tumbling is the string \"x\"",
		"app.table('t'):tumbling('1m', { grace = '1m', expires = 5 })":         "expires, 5s, is shorter than grace, 1m: a window is kept as long as it counts what comes late",
		"app.table('t'):tumbling('1m', { time = 'now', grace = 5 })":           "option 'grace' of table:tumbling says nothing with time = 'now'",
		"app.table('t'):tumbling('1m', { time = 'now', ahead = 5 })":           "option 'ahead' of table:tumbling says nothing with time = 'now'",
		"app.table('t'):tumbling('1m', { time = 5 })":                          "option 'time' of table:tumbling is the number 5, expected a string",
		"app.table('t'):tumbling('1m'):hopping('1m', '1s')":                    "table:hopping: table 't' has windows already: 1m0s, at ",
		"app.table('t'):on_close(print)":                                       "table:on_close: table 't' has no windows",
		"app.table('t'):on_late(print)":                                        "app.table('t', { ... }):tumbling('1m')  gives it some",
		"app.table('t'):tumbling('1m'):on_close()":                             "table:on_close: the function is missing",
		"app.table('t'):tumbling('1m'):on_close(5)":                            "table:on_close",
		"app.table('t'):tumbling('1m'):on_close({ on_error = 'stop' }, print)": "option 'on_error' of table:on_close is 'stop', expected one of: retry, skip",
		"app.table('t'):tumbling('1m'):on_close(print):on_close(print)":        "table:on_close: table 't' has one already",
		"app.table('t').tumbling('1m')":                                        "cannot",
		"local R = app.record('R', { a = 'string', n = 'bool' }) local t = app.table('t'):tumbling('1m', { time = 'b' }) app.agent('x', app.topic('x', { value = R }), function() t:add('k', 1) end)": "the windows of table 't' go by the field 'b' of messages, and agent 'x' reads such that have no time there: R has no field 'b'",
		"local R = app.record('R', { a = 'string', n = 'bool' }) local t = app.table('t'):tumbling('1m', { time = 'n' }) app.agent('x', app.topic('x', { value = R }), function() t:add('k', 1) end)": "field 'n' of R is of type bool, which is no time",
		"local t = app.table('t'):tumbling('1m', { time = 'n' }) app.agent('x', app.topic('x', { value = 'string' }), function() t:add('k', 1) end)":                                                  "messages of type string have no fields",
	} {
		_, err := luabind.Load(write(t, src), luabind.Config{})
		if err == nil {
			t.Errorf("%s: no error", src)
		} else if text := render(err); !strings.Contains(text, want) || !strings.Contains(text, "app.lua:1") {
			t.Errorf("%s: want %s\ngot\n%s", src, want, text)
		}
	}
}

// TestTimesOfGroups finds by which times the agents go that send messages on for tables with windows.
func TestTimesOfGroups(t *testing.T) {
	t.Parallel()
	s := load(t, `
		local hits, other = app.topic('hits'), app.topic('other')
		local a = app.table('a', { default = 0 }):tumbling('1m', { time = 'when', idle = '5s' })
		local b = app.table('b', { default = 0 }):tumbling('1m', { idle = '2m' })
		local patient = app.table('patient', { default = 0 }):tumbling('1m', { idle = '3m' })
		local c = app.table('c', { default = 0 }):tumbling('1m', { time = 'now' })
		local plain = app.table('plain')
		app.agent('deep', hits:group_by('x'):group_by('y'), function(stream) for v in stream do a:add(v.y, 1) b:add(v.y, 1) patient:add(v.y, 1) end end)
		app.agent('flat', other, function(stream) for v in stream do c:add('k', 1) end end)
		app.agent('none', other:group_by('z'), function(stream) for v in stream do plain[v.z] = 1 end end)
		b:on_close(function() plain.x = 1 end)`)
	got := map[string]string{}
	for _, d := range s.App.Agents {
		for _, way := range d.Timings {
			got[d.Name] += fmt.Sprintf("%s %s, ", way.Name, way.Idle)
		}
		got[d.Name] += d.Onward
	}
	for name, want := range map[string]string{
		"deep": "when 5s, event 3m0s, ", "flat": "", "none": "", "other-by-z": "",
		"hits-by-x": "when 5s, event 3m0s, app-hits-by-x-repartition", "hits-by-x-by-y": "when 5s, event 3m0s, app-hits-by-x-by-y-repartition",
	} {
		if got[name] != want {
			t.Errorf("%s goes by %q, want %q", name, got[name], want)
		}
	}
	equal(t, "agents of plain", s.table("plain").Agents, "deep", "none")
}
