package luabind_test

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"faust/runtime/topic"
)

// TestSetEvents has the rules about what an event does with tables of sets: what the body printed, what is settled, what failed.
func TestSetEvents(t *testing.T) {
	t.Parallel()
	const set = "local s = app.set_table('s')"
	for name, c := range map[string]struct {
		declared, body string
		records        []topic.Record
		want           string // printed, with | for newlines
		content        string
		failed         string // part of the first failure
		n              int    // records and failures to wait for, if not one for each
	}{
		"add": {set, `for k, v in stream:items() do print(s:add(k, v), s:add(k, v), s:has(k, v), s:has(k), s:count(k)) out:send { value = 1 } end`, keyed("a=1", "a=2", "a=1", "b=1"),
			"true\tfalse\ttrue\ttrue\t1|true\tfalse\ttrue\ttrue\t2|false\tfalse\ttrue\ttrue\t2|true\tfalse\ttrue\ttrue\t1", "a=1 a=2 b=1", "", 0},
		"remove": {set, `for k, v in stream:items() do s:add(k, v) print(s:remove(k, v), s:remove(k, v), s:has(k, v), s:has(k), s:count(k), #s) out:send { value = 1 } end`, keyed("a=1"),
			"true\tfalse\tfalse\tfalse\t0\t0", "", "", 0},
		"nothing there": {set, `for k, v in stream:items() do print(s:has(k), s:has(k, v), s:count(k), #s[k], inspect(s[k]), s:remove(k, v)) s:clear(k) for m in s:members(k) do print(m) end out:send { value = 1 } end`, keyed("a=1"),
			"false\tfalse\t0\t0\t[]\tfalse", "", "", 0},
		"kinds": {set, `for k in stream:items() do
				for i, v in ipairs { 1.5, 'x"y', true, false, 0, int64.new '9007199254740993', '1', '' } do assert(s:add(k, v) and not s:add(k, v)) end
				print(s:add(k, -0.0), inspect(s[k])) out:send { value = 1 }
			end`, keyed("a=1"), `false	{ "", "1", "x\"y", 0, 1.5, 9007199254740993, false, true }`, `a="" a="1" a="x\"y" a=0 a=1.5 a=9007199254740993 a=false a=true`, "", 0},
		"any key": {set, `for _ in stream:items() do for _, k in ipairs { '', '\0', '\0\255', '\0\1', 'a', 'a\0', 'a\0\1x', 'keys', 'add' } do s:add(k, #k) s:add(k, 'm') end
				print(#s, inspect(s['\0\1']), inspect(s.keys), inspect(s['']), #s:keys(), s:keys()[4] == '\0\255', s:keys()[7] == 'a\0\1x') for k in pairs(s) do s[k] = nil end print(#s) out:send { value = 1 } end`, keyed("x=1"),
			`9	{ "m", 2 }	{ "m", 4 }	{ "m", 0 }	9	true	true|0`, "", "", 0},
		"assign": {set, `for k in stream:items() do s:add(k, 1) s[k] = { 2, 3, 2 } print(inspect(s[k]), s:count(k)) s[k] = { 3, 4 } print(inspect(s[k]), s:count(k)) s[k] = {} print(s:has(k)) s[k] = { 5 } s[k] = nil print(s:has(k)) s[k] = s[k] out:send { value = 1 } end`, keyed("a=1"),
			"{ 2, 3 }\t2|{ 3, 4 }\t2|false|false", "", "", 0},
		"what is read is a copy": {set, `for k, v in stream:items() do s:add(k, v) local list = s[k] list[#list + 1] = 17 print(#s[k], s[k] == s[k]) out:send { value = 1 } end`, keyed("a=1"), "1\tfalse", "a=1", "", 0},
		"large": {set, `for _, v in stream:items() do
				for i = 1, 1000 do s:add('b', i) end s:add('a', 1) s:add('c', 1)
				local n = 0 for m in s:members 'b' do n = n + 1 end
				print(#s, inspect(s:keys()), s:count 'b', n, #s.b) s:clear 'b' print(#s, s:count 'b') out:send { value = 1 }
			end`, keyed("x=1"), "3\t{ \"a\", \"b\", \"c\" }\t1000\t1000\t1000|2\t0", "a=1 c=1", "", 0},
		"members that go":   {set, `for k in stream:items() do s[k] = { 1, 2, 3, 4 } for m in s:members(k) do print(m) s:remove(k, m) s:remove(k, 3) end print(s:has(k, 4)) out:send { value = 1 } end`, keyed("a=1"), "1|2|4|false", "", "", 0},
		"pairs":             {set, `for _ in stream:items() do s.b = { 1 } s.a = { 2, 1 } s.c = { 3 } for k, list in pairs(s) do print(k, inspect(list)) s.b = nil end out:send { value = 1 } end`, keyed("x=1"), "a\t{ 1, 2 }|c\t{ 3 }", "a=1 a=2 c=3", "", 0},
		"a failure":         {set, `for k, v in stream:items() do s:add(k, v) s:remove(k, 1) s:add('x', v) print(s:count(k)) if v == 2 then error 'no' end out:send { value = 1 } end`, keyed("a=1", "a=3", "a=2", "a=4"), "0|1|2|2", "a=3 a=4 x=1 x=3 x=4", "no", 5},
		"batches":           {set, `for b in stream:take(2) do for _, v in ipairs(b) do s:add('k', v) end if s:has('k', 3) then error 'no' end out:send { value = 1 } end`, keyed("=1", "=2", "=3", "=4", "=5", "=6"), "", "k=1 k=2 k=5 k=6", "no", 5},
		"typed":             {"local s = app.set_table('s', { key = 'int', value = 'string' })", `for k, v in stream:items() do s:add(v, k) s:add(v, '\0\1\255') print(inspect(s:keys()), #s[v], s:has(v, k)) out:send { value = 1 } end`, keyed("a=17"), "{ 17 }\t2\ttrue", "17=\x00\x01\xff 17=a", "", 0},
		"as a table of Lua": {set, `for k, v in stream:items() do local ok, e = pcall(function() s[k] = s[k] + v end) print(ok) out:send { value = 1 } end`, keyed("a=1"), "false", "", "", 0},
		"found by an alias": {"local s = app.set_table('s') local f = function(k, v) return s:add(k, v) end", `for k, v in stream:items() do print(f(k, v)) out:send { value = 1 } end`, keyed("a=1"), "true", "a=1", "", 0},

		"a table":        {set, `for k in stream:items() do s:add(k, {}) end`, keyed("a=1"), "", "", "app.lua:5: a table cannot be a member of table 's'", 0},
		"null":           {set, `for k in stream:items() do s:add(k, null) end`, keyed("a=1"), "", "", "app.lua:5: null cannot be a member of 'a' in s", 0},
		"nil":            {set, `for k in stream:items() do s:add(k, nil) end`, keyed("a=1"), "", "", "app.lua:5: set_table:add", 0},
		"no member":      {set, `for k in stream:items() do s:remove(k) end`, keyed("a=1"), "", "", "app.lua:5: set_table:remove", 0},
		"a function":     {set, `for k in stream:items() do s:has(k, print) end`, keyed("a=1"), "", "", "app.lua:5: not JSON", 0},
		"no list":        {set, `for k in stream:items() do s[k] = 17 end`, keyed("a=1"), "", "", "app.lua:5: the members of 'a' in s are the number 17, expected a list", 0},
		"nil in a list":  {set, `for k in stream:items() do s[k] = { 1, null } end`, keyed("a=1"), "", "", "app.lua:5: null cannot be a member", 0},
		"nil key":        {set, `for k in stream:items() do s:add(nil, 1) end`, keyed("a=1"), "", "", "app.lua:5: set_table:add", 0},
		"too large":      {set, `for k in stream:items() do s:add(k, ('x'):rep(2^20)) end`, keyed("a=1"), "", "", "more than max_message_bytes", 0},
		"what tables do": {set, `for k in stream:items() do s:get(k) end`, keyed("a=1"), "", "", "app.lua:5: a set_table has no 'get'", 0},
	} {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/plain=%v", name, plain), func(t *testing.T) {
				t.Parallel()
				s := events(t, plain, c.declared, c.body, cmp.Or(c.n, len(c.records)), append([]topic.Record{}, c.records...)...)
				if got := strings.ReplaceAll(strings.TrimSuffix(s.out.String(), "\n"), "\n", "|"); got != c.want {
					t.Errorf("printed %q, want %q", got, c.want)
				}
				equal(t, "content", []string{strings.Join(s.content("s"), " ")}, c.content)
				if failed := short(strings.Join(s.failed, "; ")); !strings.Contains(failed, c.failed) || c.failed == "" && failed != "" {
					t.Errorf("failed %q, want %q", failed, c.failed)
				}
			})
		}
	}
}

// Outside of events sets are read only, wherever they are: in memory, in the store, on other workers.
func TestSetsOutsideEvents(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		s := events(t, plain, `local s, l = app.set_table('s'), app.set_table('l', { scope = 'partition' })
			app.page('/all/', function()
				local list = {}
				for k, members in s:everywhere() do list[#list + 1] = k .. '=' .. table.concat(members, ',') end
				for k, members in pairs(s) do list[#list + 1] = k .. #members end
				return { list, s.a, s:count 'a', s:has('a', 2), s:has 'c', #s, l:count 'x', l.x }
			end)
			app.page('/write/', function() s:add('a', 1) end)
			app.page('/assign/', function() s.a = { 1 } end)`,
			`for k, v in stream:items() do s:add(k, v) l:add('x', v) out:send { value = select(2, pcall(function() return s:everywhere() end)).message } end`, 3, keyed("a=1", "b=2", "a=2")...)
		for _, v := range s.settledValues() {
			if !strings.Contains(v, "set_table:everywhere asks other workers, which an event cannot wait for") {
				t.Error(v)
			}
		}
		for range 2 {
			if p := page(t, s, "/all/"); p != `[["a=1,2","b=2","a2","b1"],[1,2],2,true,false,2,2,[1,2]]` {
				t.Error(p)
			}
			s.checkpoint("s")
			s.checkpoint("l")
		}
		for _, path := range []string{"/write/", "/assign/"} {
			if p := page(t, s, path); !strings.Contains(p, "table 's' is written by agents only") {
				t.Error(p)
			}
		}
		if def := s.table("s"); def.Form != "keys as text and members of sets as JSON" || def.Value != "set of json" {
			t.Errorf("%+v", def)
		}
	})
}
