package luabind_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"faust/luabind"
	"faust/runtime/topic"
)

// keyed makes records with keys: k=v.
func keyed(pairs ...string) []topic.Record {
	out := make([]topic.Record, len(pairs))
	for i, p := range pairs {
		k, v, _ := strings.Cut(p, "=")
		out[i] = topic.Record{Key: []byte(k), Value: []byte(v)}
	}
	return out
}

// events runs the body of an agent over records, each forwarded to out when it is done with, and waits for n of them. The script's locals are t (default 0), d
// (default {}), and those of declared.
func events(t *testing.T, plain bool, declared, body string, n int, rs ...topic.Record) *script {
	t.Helper()
	s := loadWith(t, `local input, out = app.topic('in'), app.topic('out')
local t, d = app.table('t', { default = 0 }), app.table('d', { default = {} })
`+declared+`
app.agent('a', input, function(stream)
`+body+`
end)`, luabind.Config{NoPass: plain})
	deliver, drain := s.agent("a")
	deliver(rs...)
	s.until("settled", func() bool { return len(s.settled)+len(s.failed) >= n })
	if err := drain(); err != nil {
		t.Fatal(render(err))
	}
	return s
}

// both runs f with the load-time pass and without.
func both(t *testing.T, f func(t *testing.T, plain bool)) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain=%v", plain), func(t *testing.T) { t.Parallel(); f(t, plain) })
	}
}

func TestTableSum(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		s := events(t, plain, "", `for k, v in stream:items() do
			t[k] = t[k] + v
			out:send { value = t[k] }
		end`, 3, keyed("a=1", "b=2", "a=3")...)
		equal(t, "settled", s.settledValues(), "out =1", "out =2", "out =4")
		equal(t, "content", s.content("t"), "a=4", "b=2")
		def := s.table("t")
		if def.Changelog.Name != "app-t-changelog" || !def.Changelog.Compact || !def.Changelog.Internal {
			t.Errorf("changelog %+v", def.Changelog)
		}
		equal(t, "sources", def.Sources, "in")
		equal(t, "agents", def.Agents, "a")
	})
}

// TestTableEvents has the rules about what an event does with tables: what the body printed, what is settled, what failed.
func TestTableEvents(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		declared, body string
		records        []topic.Record
		want           string // printed, with | for newlines
		t, d           string // content
		failed         string // part of the first failure
		n              int    // records and failures to wait for, if not one for each
	}{
		"missing": {"", `for k in stream:items() do print(t[k], d[k].n, t:get(k), t:get(k, 'x'), t:has(k)) out:send { value = 1 } end`, keyed("a=1"),
			"0\tnil\tnil\tx\tfalse", "", "", "", 0},
		"delete": {"", `for k in stream:items() do t[k] = 5 print(t:has(k), #t) t[k] = nil print(t:has(k), t[k], #t) out:send { value = 1 } end`, keyed("a=1"),
			"true\t1|false\t0\t0", "", "", "", 0},
		"kinds": {"", `for k in stream:items() do
				for i, v in ipairs { 1.5, 'x"y', true, false, { 1, null, 2 }, json.array{}, { a = {} }, time.parse '2026-11-23T18:00:00Z', int64.new '9007199254740993' } do
					t[k] = v
					print(inspect(t[k]))
					out:send { value = t[k] }
				end
			end`, keyed("a=1"), `1.5|"x\"y"|true|false|{ 1, null, 2 }|[]|{ a={} }|"2026-11-23T18:00:00Z"|9007199254740993`, "a=9007199254740993", "", "", 0},
		"in place": {"", `for k, v in stream:items() do local x = d[k] x.n = (x.n or 0) + v assert(d[k] == x) out:send { value = x } end`, keyed("a=1", "a=2", "b=1"), "", "",
			`a={"n":3} b={"n":1}`, "", 0},
		"default that is only read": {"", `for k in stream:items() do local x = d[k] print(d:has(k)) out:send { value = x } end`, keyed("a=1"), "false", "", "", "", 0},
		"default that was changed":  {"", `for k in stream:items() do d[k].n = 1 print(d:has(k), #d, d:get(k).n) out:send { value = 1 } end`, keyed("a=1"), "true\t1\t1", "", `a={"n":1}`, "", 0},
		"assigned, then changed":    {"", `for k in stream:items() do local x = { n = 1 } d[k] = x x.n = 2 print(d[k] == x) out:send { value = 1 } end`, keyed("a=1"), "true", "", `a={"n":2}`, "", 0},
		"changed, then replaced":    {"", `for k in stream:items() do local x = d[k] x.n = 1 d[k] = { m = 1 } x.n = 2 out:send { value = 1 } end`, keyed("a=1"), "", "", `a={"m":1}`, "", 0},
		"changed, then deleted":     {"", `for k in stream:items() do local x = d[k] x.n = 1 d[k] = nil x.n = 2 print(d:has(k)) out:send { value = 1 } end`, keyed("a=1"), "false", "", "", "", 0},
		"changed before the end":    {"", `for k in stream:items() do d[k].n = 1 out:send { value = 1 } break end for k in stream:items() do out:send { value = d[k] } end`, keyed("a=1", "a=2"), "", "", `a={"n":1}`, "", 0},
		"add":                       {"", `for k, v in stream:items() do print(t:add(k, v)) out:send { value = 1 } end`, keyed("a=1", "a=0.5"), "1|1.5", "a=1.5", "", "", 0},
		"add to nothing":            {"local e = app.table('e')", `for k, v in stream:items() do print(e:add(k, v), e:add(k, 1)) out:send { value = 1 } end`, keyed("a=1"), "1\t2", "", "", "", 0},
		"add exact numbers": {"local e, m = app.table('e', { value = 'int64', default = 0 }), app.table('m')", `for k, v in stream:items() do
				print(e:add(k, int64.new '9007199254740993'), e:add(k, 1))
				m[k] = decimal.new '0.10'
				print(pcall(m.add, m, k, decimal.new '0.20'))
				out:send { value = 1 }
			end`, keyed("a=1"), "9007199254740993\t9007199254740994|false\tapp.lua", "", "", "", 0},
		"update":              {"", `for k, v in stream:items() do print(t:update(k, function(x) return x + v end)) out:send { value = 1 } end`, keyed("a=1", "a=2"), "1|3", "a=3", "", "", 0},
		"update in place":     {"", `for k, v in stream:items() do d:update(k, function(x) table.insert(x, v) return x end) out:send { value = 1 } end`, keyed("a=1", "a=2"), "", "", "a=[1,2]", "", 0},
		"update deletes":      {"", `for k, v in stream:items() do t[k] = 1 print(t:update(k, function(x) return nil end), t:has(k)) out:send { value = 1 } end`, keyed("a=1"), "nil\tfalse", "", "", "", 0},
		"keys and methods":    {"", `for k in stream:items() do t.keys = 1 t.add = 2 t['get'] = 3 t.has = nil print(t.keys, t.add, t.get, t.has, inspect(t:keys())) out:send { value = 1 } end`, keyed("a=1"), "1\t2\t3\t0\t{ \"add\", \"get\", \"keys\" }", "add=2 get=3 keys=1", "", "", 0},
		"pairs":               {"", `for k in stream:items() do t.c = 3 t.a = 1 t.b = 2 for k, v in pairs(t) do print(k, v) end out:send { value = 1 } end`, keyed("x=1"), "a\t1|b\t2|c\t3", "a=1 b=2 c=3", "", "", 0},
		"pairs that delete":   {"", `for _ in stream:items() do for i = 1, 600 do t['k' .. i] = i end local n = 0 for k, v in pairs(t) do t[k] = nil n = n + 1 end print(n, #t, #t:keys()) out:send { value = 1 } end`, keyed("x=1"), "600\t0\t0", "", "", "", 0},
		"pairs, others go":    {"", `for _ in stream:items() do t.a = 1 t.b = 2 t.c = 3 for k, v in pairs(t) do print(k, v) t.b = nil t.c = 4 end out:send { value = 1 } end`, keyed("x=1"), "a\t1|c\t4", "a=1 c=4", "", "", 0},
		"pairs change":        {"", `for k in stream:items() do d.a = { n = 1 } d.b.n = 2 for k, v in pairs(d) do v.n = v.n * 10 end print(d.a.n) out:send { value = 1 } end`, keyed("x=1"), "10", "", `a={"n":10} b={"n":20}`, "", 0},
		"a failure":           {"", `for k, v in stream:items() do t[k] = t[k] + v d[k].n = v t.x = nil t.new = 1 if v == 2 then error 'no' end out:send { value = t[k] } end`, keyed("a=1", "a=2", "a=3"), "", "a=4 new=1", `a={"n":3}`, "no", 4},
		"a failure, caught":   {"", `for k, v in stream:items() do pcall(function() t[k] = v error 'no' end) out:send { value = t[k] } end`, keyed("a=1"), "", "a=1", "", "", 0},
		"batches":             {"", `for b in stream:take(2) do for _, v in ipairs(b) do t.sum = t.sum + v d.list[#d.list + 1] = v end if t.sum == 10 then error 'no' end out:send { value = t.sum } end`, keyed("=1", "=2", "=3", "=4", "=5", "=6"), "", "sum=14", "list=[1,2,5,6]", "no", 5},
		"filter and map":      {"", `for v in stream:map(function(v) t.seen = t.seen + 1 return v end):filter(function(v) return v > 1 end) do out:send { value = v } end`, keyed("=1", "=2", "=3"), "", "seen=3", "", "", 2},
		"undecodable":         {"", `for k, v in stream:items() do d.x.n = v t[k] = v out:send { value = 1 } end`, keyed("a=1", "a={", "a=3"), "", "a=3", `x={"n":3}`, "not JSON", 4},
		"joined":              {"", `for k, v in stream:items() do parallel { function() t[k] = v d[k].n = v end, function() t.other = 1 time.sleep(0) end } out:send { value = 1 } end`, keyed("a=1"), "", "a=1 other=1", `a={"n":1}`, "", 0},
		"int keys":            {"local e = app.table('e', { key = 'int' })", `for k, v in stream:items() do e[v] = k e[int64.new '9007199254740993'] = 2 print(e[v], inspect(e:keys())) out:send { value = 1 } end`, keyed("a=17"), "a\t{ 17, 9007199254740993 }", "", "", "", 0},
		"int64 keys":          {"local e = app.table('e', { key = 'int64' })", `for k, v in stream:items() do e[v] = k for k, v in pairs(e) do print(k, v) end out:send { value = 1 } end`, keyed("a=17"), "17\ta", "", "", "", 0},
		"record keys":         {"local R = app.record('R', { a = 'string', b = 'int' }) local e = app.table('e', { key = R, value = R })", `for k, v in stream:items() do local r = R { a = 'x', b = 1 } e[r] = r for k, v in pairs(e) do print(k, v == r, e[{ a = 'x', b = 1 }].b) end out:send { value = 1 } end`, keyed("a=17"), "R{ a=\"x\", b=1 }\ttrue\t1", "", "", "", 0},
		"record values":       {"local R = app.record('R', { a = 'string', n = { type = 'int', default = 0 } }) local e = app.table('e', { value = R, default = { a = 'new' } })", `for k, v in stream:items() do e[k].n = e[k].n + v print(e[k]) out:send { value = 1 } end`, keyed("a=1", "a=2"), "R{ a=\"new\", n=1 }|R{ a=\"new\", n=3 }", "", "", "", 0},
		"a record that stays": {"local R = app.record('R', { n = 'int' }) local typed = app.topic('typed', { value = R }) local e = app.table('e', { value = R })", `for k, v in stream:items() do e[k] = R { n = v } local r = e[k] r.n = 5 print(e[k].n, e[k] == r) out:send { value = 1 } end`, keyed("a=1"), "5\ttrue", "", "", "", 0},
		"default function":    {"local e = app.table('e', { default = function() return { made = true } end })", `for k in stream:items() do local x = e[k] print(x.made, e[k] == x) x.n = 1 out:send { value = 1 } end`, keyed("a=1", "a=2"), "true\ttrue|true\ttrue", "", "", "", 0},
		"typed values":        {"local f, i, b, s = app.table('f', { value = 'float' }), app.table('i', { value = 'int' }), app.table('b', { value = 'bool' }), app.table('s', { value = 'string' })", `for k in stream:items() do f[k] = 0.1 + 0.2 i[k] = 7 b[k] = false s[k] = '\0\255' print(f[k] == 0.1 + 0.2, i[k], b[k], #s[k]) out:send { value = 1 } end`, keyed("a=1"), "true\t7\tfalse\t2", "", "", "", 0},
		"after the loop":      {"", `for k, v in stream:items() do t[k] = v out:send { value = 1 } end print(t.a) print(pcall(function() t.a = 2 end))`, keyed("a=1"), "1|false\tapp.lua:5: table 't' is written while an event is in hand: inside the loop over the stream of agent 'a'", "a=1", "", "", 0},

		"null":          {"", `for k in stream:items() do t[k] = null end`, keyed("a=1"), "", "", "", "app.lua:5: null cannot be the value of 'a' in t", 0},
		"nil key":       {"", `for k in stream:items() do t[nil] = 1 end`, keyed("a=1"), "", "", "", "app.lua:5: the key of table 't' is nil", 0},
		"nil key, read": {"", `for k in stream:items() do print(t[nil]) end`, keyed("a=1"), "", "", "", "app.lua:5: the key of table 't' is nil", 0},
		"null key":      {"", `for k in stream:items() do t[null] = 1 end`, keyed("a=1"), "", "", "", "app.lua:5: the key of table 't' is null", 0},
		"wrong key":     {"", `for k, v in stream:items() do t[v] = 1 end`, keyed("a=1"), "", "", "", "app.lua:5: the number 1 is no string", 0},
		"wrong value":   {"local e = app.table('e', { value = 'int' })", `for k, v in stream:items() do e[k] = v end`, keyed("a=1.5"), "", "", "", "app.lua:5: not an int: it is the number 1.5, expected int", 0},
		"no JSON":       {"", `for k, v in stream:items() do t[k] = print end`, keyed("a=1"), "", "", "", "app.lua:5: not JSON: 'value' is a function", 0},
		"NaN":           {"", `for k, v in stream:items() do t[k] = 0/0 end`, keyed("a=1"), "", "", "", "app.lua:5: not JSON: 'value' is NaN", 0},
		"text":          {"", `for k, v in stream:items() do t[k] = '\255' end`, keyed("a=1"), "", "", "", "not valid UTF-8", 0},
		"too large":     {"", `for k, v in stream:items() do t[k] = ('x'):rep(2^20) end`, keyed("a=1"), "", "", "", "value of 'a' in t has 1048579 bytes with its key, more than max_message_bytes (1048576) leaves room for", 0},
		"escaped":       {"", `for k, v in stream:items() do t[k] = ('"'):rep(2^19) end`, keyed("a=1"), "", "", "", "value of 'a' in t has 1048579 bytes with its key, more than max_message_bytes (1048576) leaves room for", 0},
		"large":         {"", `for k, v in stream:items() do t[k] = ('x'):rep(2^20 - 300) t[k] = ('"'):rep(2^19 - 300) t[k] = 1 out:send { value = 1 } end`, keyed("a=1"), "", "a=1", "", "", 0},
		"long key":      {"", `for k, v in stream:items() do t[('k'):rep(2^20)] = 1 end`, keyed("a=1"), "", "", "", "has 1048584 bytes with its key", 0},
		"ipairs":        {"local e = app.table('e', { key = 'int', default = 0 })", `for k, v in stream:items() do for i, v in ipairs(e) do end end`, keyed("a=1"), "", "", "", "app.lua:5: ipairs of the table e: it is no list", 0},
		"nothing there": {"local e = app.table('e')", `for k, v in stream:items() do print(e[k].n) end`, keyed("a=1"), "", "", "", "app.lua:5: cannot read", 0},
		"spoilt":        {"", `for k, v in stream:items() do d[k].f = print end`, keyed("a=1"), "", "", "", "app.lua:5: value of 'a' in d, which was changed in place, cannot be saved: not JSON: 'value.f' is a function", 0},
		"grown":         {"", `for k, v in stream:items() do d[k].f = ('x'):rep(2^20) end`, keyed("a=1"), "", "", "", "value of 'a' in d has 1048585 bytes", 0},
		"spoilt, break": {"", `for k, v in stream:items() do d[k].f = print break end`, keyed("a=1"), "", "", "", "value of 'a' in d, which was changed in place, cannot be saved: not JSON: 'value.f' is a function", 0},
		"add a text":    {"", `for k, v in stream:items() do t:add(k, 'x') end`, keyed("a=1"), "", "", "", `app.lua:5: table:add: what to add is the string "x", expected a number`, 0},
		"add to a text": {"", `for k, v in stream:items() do t[k] = 'x' t:add(k, 1) end`, keyed("a=1"), "", "", "", `app.lua:5: table:add: value of 'a' in t is the string "x", expected a number`, 0},
		"no method":     {"", `for k, v in stream:items() do t:incr(k) end`, keyed("a=1"), "", "", "", "app.lua:5: a table has no 'incr'", 0},
		"a dot":         {"", `for k, v in stream:items() do t.add(k, 1) end`, keyed("a=1"), "", "", "", "app.lua:5: cannot call 't.add'", 0},
	} {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/plain=%v", name, plain), func(t *testing.T) {
				t.Parallel()
				n := c.n
				if n == 0 {
					n = len(c.records)
				}
				s := events(t, plain, c.declared, c.body, n, append([]topic.Record{}, c.records...)...)
				got := strings.ReplaceAll(strings.TrimSuffix(s.out.String(), "\n"), "\n", "|")
				if !strings.HasPrefix(short(got), c.want) || c.want == "" && got != "" {
					t.Errorf("printed %q, want %q", got, c.want)
				}
				equal(t, "t", []string{strings.Join(s.content("t"), " ")}, c.t)
				equal(t, "d", []string{strings.Join(s.content("d"), " ")}, c.d)
				if failed := short(strings.Join(s.failed, "; ")); !strings.Contains(failed, c.failed) || c.failed == "" && failed != "" {
					t.Errorf("failed %q, want %q", failed, c.failed)
				}
			})
		}
	}
}

// short cuts the folders off paths of scripts.
func short(text string) string { return scriptPath.ReplaceAllString(text, "app.lua") }

var scriptPath = regexp.MustCompile(`/[^ \t]*/app\.lua`)
