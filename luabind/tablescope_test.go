package luabind_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"faust/luabind"
	"faust/luabind/fault"
	"faust/runtime/topic"
)

// of gives a key of partition p of 4.
func of(p int32) string {
	for i := 0; ; i++ {
		if key := fmt.Sprintf("key%d", i); topic.Murmur2.Partition([]byte(key), 4) == p {
			return key
		}
	}
}

// An event writes and reads keys of its own partition only, unless the table is local to partitions.
func TestTablePartitions(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		s := loadWith(t, `local Order = app.record('Order', { user = 'string', country = 'string' })
			local orders, out = app.topic('orders', { value = Order }), app.topic('out')
			local t, l = app.table('t'), app.table('l', { scope = 'partition' })
			local private = app.agent('private', function(stream) for v in stream do t[v] = 1 end end)
			app.agent('a', orders, { on_error = 'skip' }, function(stream)
				for order in stream do
					l[order.country] = (l[order.country] or 0) + 1
					if order.user == 'read' then print(t[order.country]) elseif order.user == 'has' then print(t:has(order.country))
					else t[order.country] = order.user end
					out:send { value = 1 }
				end
			end)`, luabind.Config{NoPass: plain})
		s.state.counts["t"], s.state.counts["l"] = 4, 4
		deliver, drain := s.agentOn("a", 1)
		order := func(user, country string) string { return fmt.Sprintf(`{"user":%q,"country":%q}`, user, country) }
		deliver(json(order("x", of(1)), order("write", of(3)), order("read", of(3)), order("has", of(0)))...)
		s.until("done", func() bool { return len(s.settled)+len(s.failed) == 4 })
		if err := drain(); err != nil {
			t.Fatal(err)
		}
		equal(t, "t", s.content("t"), of(1)+"=\"x\"")
		equal(t, "l", s.content("l"), of(1)+"=1")
		for i, p := range []int32{3, 3, 0} {
			want := fmt.Sprintf("key '%s' of t belongs to partition %d, this record came from partition 1 of orders: use orders:group_by('country')", of(p), p)
			if !strings.Contains(s.failed[i], want) {
				t.Errorf("failed %q, want %q", s.failed[i], want)
			}
		}
		send, end := s.agentOn("private", 1)
		send(json(`"` + of(3) + `"`)...)
		s.until("failed", func() bool { return len(s.failed) == 4 })
		_ = end()
		if want := fmt.Sprintf("key '%s' of t belongs to partition 3, this record came to agent 'private' in partition 1", of(3)); !strings.Contains(s.failed[3], want) {
			t.Errorf("failed %q, want %q", s.failed[3], want)
		}
	})
}

// A key that is elsewhere because its topic has got partitions is told as that.
func TestTableOfTopicThatGrew(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		s := loadWith(t, `local orders, t, s = app.topic('orders'), app.table('t', { default = 0 }), app.set_table('s')
			app.agent('a', orders, { on_error = 'skip' }, function(stream)
				for k, v in stream:items() do
					if v == 1 then t[k] = t[k] + 1 elseif v == 2 then print(t[k]) else s:add(k, v) end
				end
			end)`, luabind.Config{NoPass: plain})
		s.state.counts["t"], s.state.counts["s"] = 4, 4
		s.state.moved = errors.New("topic orders has 6 partitions now")
		deliver, drain := s.agentOn("a", 1)
		deliver(keyed(of(3)+"=1", of(0)+"=2", of(2)+"=3")...)
		s.until("failed", func() bool { return len(s.failed) == 3 })
		if err := drain(); err != nil {
			t.Fatal(err)
		}
		for _, f := range s.failed {
			if !strings.Contains(f, "topic orders has 6 partitions now") {
				t.Error(f)
			}
		}
	})
}

// Outside events a table shows what this worker has, as copies.
func TestTableOutside(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		src := fmt.Sprintf(`local orders, out = app.topic('orders'), app.topic('out')
			local t, l = app.table('t', { default = {} }), app.table('l', { scope = 'partition' })
			local made = app.table('made', { default = function() return { n = 1 } end })
			app.agent('a', orders, function(stream) for k, v in stream:items() do t[k] = { n = v } l.x = v l[k] = v out:send { value = 1 } end end)
			app.task(function()
				local mine, other = %q, %q
				print(t[mine].n, t[other].n, t:has(mine), t:has(other), t:get(other, 'none'))
				assert(t[mine] ~= t[mine])
				t[mine].n = 7
				print(t[mine].n, #t, inspect(t:keys()), l.x, l[mine], l[other], made.none.n)
				for k, v in pairs(t) do print(k == mine, v.n) v.n = 8 end
				print(t[mine].n, inspect(t), tostring(t), app.tables.t == t)
				for name in pairs(app.tables) do print(name) end
			end)`, of(2), of(3))
		s := loadWith(t, src, luabind.Config{NoPass: plain})
		for _, name := range []string{"t", "l", "made"} {
			s.state.counts[name] = 4
		}
		s.state.lacks[3] = true
		deliver, drain := s.agentOn("a", 2)
		deliver(keyed(of(2) + "=5")...)
		s.until("done", func() bool { return len(s.settled) == 1 })
		_ = drain()
		s.check()
		equal(t, "printed", strings.Split(s.out.String(), "\n"), "5\tnil\ttrue\tfalse\tnone", "5\t1\t{ \""+of(2)+"\" }\t5\t5\tnil\t1", "true\t5",
			"5\t<table t>\tthe table t\ttrue", "l", "made", "t", "")
	})
}

// Only events write; elsewhere it is said why not, and what to do.
func TestTableWritesElsewhere(t *testing.T) {
	t.Parallel()
	declared := "local t = app.table('t', { default = 0 })\napp.agent('a', app.topic('in'), function(stream) for v in stream do t.x = v end end)\n"
	for name, c := range map[string]struct {
		src  string
		run  func(s *script) error
		want string
	}{
		"task": {"app.task(function()\nt.x = 1 end)", (*script).task,
			"table 't' is written by agents only, and this is task task | send an agent a message:  app.agents['a']:send { key = ..., value = ... }"},
		"add":    {"app.task(function()\nt:add('x', 1) end)", (*script).task, "table 't' is written by agents only, and this is task task"},
		"delete": {"app.task(function()\nt.x = nil end)", (*script).task, "table 't' is written by agents only"},
		"update": {"app.task(function()\nt:update('x', function() return 1 end) end)", (*script).task, "table 't' is written by agents only"},
		"timer":  {"app.timer('10s', function()\nt.x = 1 end)", func(s *script) error { return s.App.Timers[0].Run(s.ctx) }, "and this is timer 10s"},
		"command": {"app.command('go', function()\nt.x = 1 end)", func(s *script) error {
			_, err := s.App.Commands[0].Run(s.ctx, nil)
			return err
		}, "and this is command go"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := load(t, declared+c.src)
			err := c.run(s)
			var e *fault.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if got := e.Message + " | " + strings.Join(e.Hints, " "); !strings.Contains(got, c.want) || e.Place.Line != 4 || e.Code != fault.ReadOnly {
				t.Errorf("got %q at %d with %s", got, e.Place.Line, e.Code)
			}
		})
	}
}

// What an event has started writes as long as the event is in hand.
func TestTableTaskOutlivesEvent(t *testing.T) {
	t.Parallel()
	s := load(t, `local t, gate, out = app.table('t'), app.channel(), app.topic('out')
		local late
		app.agent('a', app.topic('in'), function(stream)
			for k, v in stream:items() do
				if v == 1 then late = spawn(function() t.early = 1 gate:get() t.late = 1 end) gate:put(0) late:join()
				late = spawn(function() gate:get() t.later = 1 end)
				else gate:put(0) print(pcall(late.join, late)) end
				out:send { value = 1 }
			end
		end)`)
	deliver, drain := s.agent("a")
	deliver(keyed("a=1", "a=2")...)
	s.until("done", func() bool { return len(s.settled) == 2 })
	if err := drain(); err != nil {
		t.Fatal(err)
	}
	equal(t, "t", s.content("t"), "early=1", "late=1")
	if want := "table 't' is written while an event is in hand: the one that this task was started by is settled"; !strings.Contains(s.out.String(), want) {
		t.Errorf("printed %q", s.out.String())
	}
}

func TestTableManualAck(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		s := loadWith(t, `local input, out = app.topic('in'), app.topic('out')
			local t, d = app.table('t', { default = 0 }), app.table('d', { default = {} })
			app.agent('a', input, { ack = 'manual' }, function(stream)
				local open
				for e in stream:events() do
					local k, v = e.key, e.value
					if v == 1 then t[k] = 1 d[k].n = 1 e:ack() print(t[k], pcall(function() t[k] = 2 end))
					elseif v == 2 then t[k] = 2 d[k].n = 2 open = e
					elseif v == 3 then print(t[k], d[k].n, pcall(function() t[k] = 3 end)) open:ack() t[k] = t[k] + 3 print(d[k].n) e:ack() out:send { value = 1 } :wait()
					end
				end
			end)`, luabind.Config{NoPass: plain})
		deliver, drain := s.agent("a")
		deliver(keyed("a=1", "b=2", "b=3")...)
		s.until("sent", func() bool { return len(s.sent) == 1 })
		if err := drain(); err != nil {
			t.Fatal(err)
		}
		equal(t, "t", s.content("t"), "a=1", "b=5")
		equal(t, "d", s.content("d"), `a={"n":1}`, `b={"n":2}`)
		got := short(s.out.String())
		for _, want := range []string{
			"1\tfalse\tapp.lua:7: table 't' is written while an event is in hand", "0\tnil\tfalse\tapp.lua:9: 'b' of t is being written by another event, which is not settled yet\nnil\n",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("printed %q, want %q", got, want)
			}
		}
	})
}

// What two events change in one value is not lost silently.
func TestTableChangedTwice(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		s := loadWith(t, `local d, out = app.table('d', { default = {} }), app.topic('out')
			app.agent('a', app.topic('in'), { ack = 'manual' }, function(stream)
				local open
				for e in stream:events() do
					if not open then d.k = { n = 1 } open = e
					else
						local x = d.k
						open:ack()
						x.n = 2
						print(pcall(e.ack, e))
						print(d.k.n, e:ack())
						out:send { value = 1 }:wait()
					end
				end
			end)`, luabind.Config{NoPass: plain})
		deliver, drain := s.agent("a")
		deliver(keyed("a=1", "b=2")...)
		s.until("sent", func() bool { return len(s.sent) == 1 })
		if err := drain(); err != nil {
			t.Fatal(err)
		}
		want := "false\tapp.lua:10: value of 'k' in d was changed in place, and by another event meanwhile\n1\ttrue\n"
		if got := short(s.out.String()); got != want {
			t.Errorf("printed %q, want %q", got, want)
		}
		equal(t, "d", s.content("d"), `k={"n":1}`)
	})
}

// Two actors of one partition cannot write one key at a time.
func TestTableBusy(t *testing.T) {
	t.Parallel()
	s := load(t, `local t = app.table('t', { default = 0 })
		app.agent('a', app.topic('in'), { concurrency = 8, on_error = { retry = 100, backoff = '1ms' } }, function(stream)
			for k in stream:items() do t.x = t.x + 1 time.sleep '1ms' app.topics.out:send { value = 1 } end
		end)
		app.topic 'out'`)
	deliver, drain := s.agent("a")
	var records []topic.Record
	for i := range 40 {
		records = append(records, keyed(fmt.Sprintf("k%d=1", i))...)
	}
	deliver(records...)
	s.until("all", func() bool { return len(s.settled) == 40 })
	if err := drain(); err != nil {
		t.Fatal(err)
	}
	equal(t, "t", s.content("t"), "x=40")
	for _, f := range s.failed {
		if !strings.Contains(f, "'x' of t is being written by another event, which is not settled yet") {
			t.Errorf("failed %q", f)
		}
	}
}

func TestTableRetry(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		s := loadWith(t, `local t, tries = app.table('t', { default = {} }), 0
			app.agent('a', app.topic('in'), { on_error = { retry = 5, backoff = 0 } }, function(stream)
				for k, v in stream:items() do
					t[k].list = t[k].list or {}
					table.insert(t[k].list, v)
					tries = tries + 1
					if tries == 2 then t[k] = t[k] error 'no' end
					if tries == 4 then t[k].f = print end
					app.topics.out:send { value = tries }
				end
			end)
			app.topic 'out'`, luabind.Config{NoPass: plain})
		deliver, drain := s.agent("a")
		deliver(keyed("a=1", "a=2", "a=3")...)
		s.until("settled", func() bool { return len(s.settled) == 3 })
		if err := drain(); err != nil {
			t.Fatal(err)
		}
		equal(t, "t", s.content("t"), `a={"list":[1,2,3]}`)
		equal(t, "settled", s.settledValues(), "out =1", "out =3", "out =5")
	})
}

// What was read from the store is the same as what was written.
func TestTableStored(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		s := loadWith(t, `local R = app.record('R', { a = 'string', at = 'datetime', n = 'int64?' })
			local t, r, i, s = app.table('t'), app.table('r', { key = R, value = R }), app.table('i', { key = 'int64', value = 'int64' }), app.table('s', { value = 'string' })
			local f = app.table('f', { value = 'float', key = 'json' })
			local key = R { a = 'k', at = time.parse '2026-11-23T18:00:00Z' }
			local values = { 1.5, 'x', true, false, 0.1 + 0.2, 1e300, { 1, null, { } }, json.array {}, int64.new '9007199254740993', '', 'null' }
			app.agent('a', app.topic('in'), function(stream)
				for v in stream do
					if v == 'write' then
						for n, value in ipairs(values) do t['k' .. n] = value end
						r[key] = R { a = 'v', at = time.parse '2026-11-23T18:00:00Z', n = int64.new '9223372036854775807' }
						i[int64.new '-9007199254740993'] = int64.new '9223372036854775807'
						i[1] = 2
						s[''] = ''
						f[1.5] = 0.1
						f['x'] = 7
					else
						for n in ipairs(values) do print(inspect(t['k' .. n]), inspect(t['k' .. n]) == inspect(values[n])) end
						print(r[key], i[int64.new '-9007199254740993'], i[1], inspect(s['']), s:has '', f[1.5], f.x)
						for k, v in pairs(i) do print(k, v) end
						for k, v in pairs(r) do print(k == key, v.n) end
						for k, v in pairs(f) do print(type(k), v) end
					end
					app.topics.out:send { value = 1 }
				end
			end)
			app.topic 'out'`, luabind.Config{NoPass: plain})
		for n, step := range []string{`"write"`, `"read"`, `"read"`} {
			deliver, drain := s.agent("a")
			deliver(json(step)...)
			s.until("settled", func() bool { return len(s.settled) == n+1 || len(s.failed) > 0 })
			if err := drain(); err != nil || s.failed != nil {
				t.Fatal(err, s.failed)
			}
			for _, def := range s.App.Tables {
				if n == 0 {
					s.checkpoint(def.Name)
				}
			}
		}
		got := s.out.String()
		half := len(got) / 2
		if got[:half] != got[half:] {
			t.Errorf("the second reading differs:\n%s", got)
		}
		want := `1.5	true
"x"	true
true	true
false	true
0.30000000000000004	true
1e+300	true
{ 1, null, {} }	true
[]	true
9007199254740993	true
""	true
"null"	true
R{ a="v", at=2026-11-23T18:00:00Z, n=9223372036854775807 }	9223372036854775807	2	""	true	0.1	7
1	2
-9007199254740993	9223372036854775807
true	9223372036854775807
string	7
number	0.1
`
		if got[:half] != want {
			t.Errorf("printed\n%s", got[:half])
		}
	})
}

// A value that cannot be read any more says which it is.
func TestTableUnreadable(t *testing.T) {
	t.Parallel()
	s := load(t, `local t = app.table('t', { value = 'int' })
		app.agent('a', app.topic('in'), function(stream) for k in stream:items() do print(t[k]) end end)`)
	s.Shard(s.table("t"), 0)
	s.state.stores["t"][0].data["a"] = `"text"`
	deliver, drain := s.agent("a")
	deliver(keyed("a=1")...)
	s.until("failed", func() bool { return len(s.failed) == 1 })
	_ = drain()
	var e *fault.Error
	if !errors.As(s.errs[0], &e) || e.Code != fault.Decode || !strings.Contains(render(e), "value of 'a' in t") {
		t.Errorf("failed %s", render(s.errs[0]))
	}
}

// An agent of a channel has no partitions: it reads tables, and cannot write them.
func TestTableAndChannel(t *testing.T) {
	t.Parallel()
	s := load(t, `local t, jobs = app.table('t', { default = 0 }), app.channel()
		app.agent('w', app.topic('in'), function(stream) for v in stream do t.x = v end end)
		app.agent('a', jobs, function(stream) for v in stream do print(t.x) t.x = 1 end end)
		app.task(function() jobs:put(1) end)`)
	_, drain := s.agent("a")
	s.check()
	s.until("failed", func() bool { return len(s.failed) == 1 })
	_ = drain()
	if s.out.String() != "0\n" || !strings.Contains(s.failed[0], "table 't' is written by agents of topics, where each key has its partition: agent 'a' reads a channel") {
		t.Errorf("printed %q, failed %q", s.out.String(), s.failed)
	}
	equal(t, "agents", s.table("t").Agents, "w")
}
