package luabind_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"faust/luabind"
	"faust/luabind/fault"
	"faust/runtime/agent"
	"faust/runtime/topic"
)

// TestInTask runs scripts with assertions as a task, with every global of the app there.
func TestInTask(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"send": `
			local h = orders:send { key = 'k', value = { a = 1 }, headers = { h = 'x', n = 5 }, partition = 2, timestamp = 1.5 }
			assert(tostring(h) == 'the message for orders')
			local r = h:wait()
			assert(r.topic == 'orders' and r.partition == 2 and r.offset == 0 and tostring(r.timestamp) == '2023-11-14T22:13:20Z')
			assert(h:wait().offset == 0)`,
		"send is checked": `
			fails('topic:send: value is nil', orders.send, orders, { key = 'k' })
			fails("unknown option 'vaule' for topic:send", orders.send, orders, { vaule = 1 })
			fails('topic:send: the message, { value = ... }, is missing', orders.send, orders)
			fails('the message is the number 5, expected a table', orders.send, orders, 5)
			fails("option 'partition' of topic:send is", orders.send, orders, { value = 1, partition = -1 })
			fails("option 'timestamp' of topic:send is", orders.send, orders, { value = 1, timestamp = 'now' })
			fails("header 'h' is a table, expected a string", orders.send, orders, { value = 1, headers = { h = {} } })
			fails('headers have names', orders.send, orders, { value = 1, headers = { 'x' } })
			fails('send is a method', orders.send, { value = 1 })
			fails("not an Order: 'id' is", typed.send, typed, { value = { id = 'x' } })
			local e = fails('more than max_message_bytes (1048576)', orders.send, orders, { value = ('x'):rep(1100000) })
			assert(e.code == 'too_large')
			e = fails("not an Order", typed.send, typed, { value = 5 })
			assert(e.code == 'validation')`,
		"spawn": `
			local order = {}
			local a = spawn(function() order[#order + 1] = 'a' return 1, 2 end)
			local x, y = a:join()
			assert(x == 1 and y == 2 and select('#', a:join()) == 2)
			local bad = spawn(function() error('bad') end)
			fails('bad', bad.join, bad)
			local value = spawn(function() error { code = 7 } end)
			local ok, err = pcall(value.join, value)
			assert(not ok and err.code == 7)
			local ch = app.agents.quiet
			local waiting = spawn(function() channel:get() end)
			waiting:cancel()
			fails('was cancelled', waiting.join, waiting)
			fails('spawn: the function is missing', spawn)
			fails('task:join is', function() error('task:join is') end)
			fails('join is a method', waiting.join)`,
		"parallel": `
			local a, b, c = parallel { function() return channel:get() end, function() channel:put('x') return 2, 3 end, function() end }
			assert(a == 'x' and b == 2 and c == nil)
			assert(select('#', parallel {}) == 0)
			local cleaned
			local started = false
			local e = fails('boom', parallel, {
				function() started = true local ok = pcall(function() channel:get() end) cleaned = true end,
				function() while not started do channel:get(0.001) end error('boom', 0) end,
			})
			assert(not cleaned, 'a cancelled task went on')
			fails('item 2 is the number 5, expected a function', parallel, { function() end, 5 })
			fails('the list of functions is missing', parallel)
			assert(parallel { function() return (parallel { function() return 'deep' end }) end } == 'deep')`,
		"conf": `
			assert(app.conf.id == 'app' and app.conf.web_port == 6066)
			for k in pairs(app.agents) do assert(k == 'quiet') end
			fails("no agent 'quite' is declared", function() return app.agents.quite end)
			fails("no record 'order' is declared", function() return app.records.order end)
			fails("no table 'x' is declared", function() return app.tables.x end)
			fails('app.topics is read only', function() app.topics.x = 1 end)`,
		"casts": `
			app.agents.quiet:cast({ n = 1 }, { key = 'k' })
			app.agents.quiet:send { value = 2 }:wait()
			fails('agent:cast: the value is missing', app.agents.quiet.cast, app.agents.quiet)`,
		"null": `assert(null == json.null and tostring(null) == 'null')`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := load(t, `
				Order = app.record('Order', { id = 'int' })
				orders, typed = app.topic('orders'), app.topic('typed', { value = Order })
				channel = app.channel()
				app.agent('quiet', function(stream) for v in stream do end end)
				function fails(text, f, ...)
					local ok, err = pcall(f, ...)
					assert(not ok, 'it succeeded: ' .. text)
					assert(tostring(err):find(text, 1, true), 'got: ' .. tostring(err) .. ', want: ' .. text)
					return err
				end
				app.task(function()`+body+`
				end)`)
			s.check()
		})
	}
}

func TestSentRecords(t *testing.T) {
	t.Parallel()
	s := load(t, `
		local Order = app.record('Order', { id = 'int' })
		local orders, raw, ints = app.topic('orders', { value = Order }), app.topic('raw', { value = 'bytes' }), app.topic('ints', { key = 'int64' })
		app.task(function()
			orders:send { key = 'a', value = Order { id = 1 } }
			orders:send { key = 'a', value = { id = 2 } }
			orders:send { key = 'a', value = null }
			orders:send { value = { id = 3 }, headers = { h = 'x', n = 5 }, partition = 2, timestamp = 1.5 }
			raw:send { value = 'by\0tes' }
			raw:send { value = '' }
			ints:send { key = 258, value = true }
		end)`)
	s.check()
	equal(t, "sent", s.sentValues(), `orders a={"id":1}`, `orders a={"id":2}`, "orders a=", `orders ={"id":3}`, "raw =by\x00tes", "raw =",
		"ints \x00\x00\x00\x00\x00\x00\x01\x02=true")
	if s.sent[2].Value != nil || s.sent[5].Value == nil {
		t.Error("null is a tombstone, an empty text is not")
	}
	if r := s.sent[0]; r.Partition != topic.Any || r.Timestamp != 0 {
		t.Errorf("record %+v", r)
	}
	if r := s.sent[3]; r.Key != nil || r.Partition != 2 || r.Timestamp != 1500 || fmt.Sprintf("%s", r.Headers) != "[{h x} {n 5}]" {
		t.Errorf("record %+v", r)
	}
}

func TestWaitRaisesWhatTheBrokerSays(t *testing.T) {
	t.Parallel()
	for _, refusal := range []string{"topic authorization failed", "send to orders: topic authorization failed"} {
		s := load(t, `
			local orders = app.topic('orders')
			app.task(function()
				local ok, err = pcall(function() orders:send { value = 1 }:wait() end)
				print(err.code, err.message)
				orders:send { value = 2 }
			end)`)
		s.refuse = errors.New(refusal)
		s.check()
		if got := s.out.String(); got != "connection\tsend to orders: topic authorization failed\n" {
			t.Errorf("%s: printed %q", refusal, got)
		}
	}
}

func TestWaitIsCancelled(t *testing.T) {
	t.Parallel()
	s := load(t, `
		local orders = app.topic('orders')
		app.task(function()
			print(pcall(function() orders:send { value = 1 }:wait() end))
		end)`)
	s.hold = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.App.Tasks[0].Run(ctx) }()
	s.until("sent", func() bool { return len(s.sent) == 1 })
	cancel()
	var e *fault.Error
	if err := <-ended; !errors.As(err, &e) || e.Code != fault.Cancelled || s.out.Len() > 0 {
		t.Errorf("got %v, printed %q", err, s.out)
	}
}

// TestWaitInsideAnEvent sends at once what would have been held, and leaves the rest on the event.
func TestWaitInsideAnEvent(t *testing.T) {
	t.Parallel()
	s := load(t, `
		local input, out = app.topic('in'), app.topic('out')
		local late
		app.agent('a', input, { on_error = 'skip' }, function(stream)
			for v in stream do
				if late then print(pcall(late.wait, late)) end
				out:send { value = 'before' }
				local h = out:send { value = 'waited' }
				late = out:send { value = 'after' }
				print(h:wait().offset)
				if v == 1 then error('failed') end
			end
		end)`)
	got := lines(t, s, "a", 2, json("1", "2")...)
	equal(t, "sent at once", s.sentValues(), `out ="waited"`, `out ="waited"`)
	equal(t, "held", s.settledValues(), `out ="before"`, `out ="after"`)
	if len(got) != 3 || got[0] != "0" || !strings.Contains(got[1], "the event that sent it is settled") || got[2] != "1" {
		t.Errorf("printed %q", got)
	}
}

// TestTasksOfAnEvent has work that is joined count as the event, and work that outlives it not.
func TestTasksOfAnEvent(t *testing.T) {
	t.Parallel()
	s := load(t, `
		local input, out = app.topic('in'), app.topic('out')
		local gate, done = app.channel(), app.channel()
		app.agent('a', input, { on_error = 'skip' }, function(stream)
			for v in stream do
				parallel {
					function() out:send { value = 'p' .. v } end,
					function() spawn(function() stream:event():forward(out) out:send { value = 's' .. v } end):join() end,
				}
				spawn(function() gate:get() out:send { value = 'outlives ' .. v } done:put(1) end)
				if v == 1 then error('failed') end
			end
			gate:put(1) gate:put(2)
			done:get() done:get()
		end)`)
	deliver, drain := s.agent("a")
	deliver(json("1", "2")...)
	s.until("settled", func() bool { return len(s.settled) >= 3 })
	if err := drain(); err != nil {
		t.Fatal(render(err))
	}
	equal(t, "held", sorted(s.settledValues()), `out ="p2"`, `out ="s2"`, "out k1=2")
	equal(t, "on its own", sorted(s.sentValues()), `out ="outlives 1"`, `out ="outlives 2"`)
}

func TestSpawnedFailureIsTold(t *testing.T) {
	t.Parallel()
	s := loadWith(t, `
		local done = app.channel()
		app.task(function()
			spawn(function() done:put(1) error('nobody joins') end)
			done:get()
			local t = spawn(function() channel_that_is_not() end)
			pcall(t.join, t)
		end)`, luabind.Config{})
	s.check()
	s.tasks.Wait()
	if got := s.failed; len(got) != 1 || !strings.Contains(got[0], "nobody joins") {
		t.Errorf("told: %q", got)
	}
}

func TestAsk(t *testing.T) {
	t.Parallel()
	s := load(t, `
		local adder = app.agent('adder', function(stream) for v in stream do stream:yield(v) end end)
		app.task(function()
			local r = adder:ask({ n = 2 }, { key = 'k' })
			assert(r.n == 4)
			assert(adder:ask { n = -1 } == nil)
			local ok, err = pcall(adder.ask, adder, { n = 0 })
			assert(not ok and err.code == 'agent_error' and err.message == "agent 'adder' failed: zero", err)
			assert(err.line == 7, err.line)
			local list = adder:join { { n = 3 }, { n = -1 }, { n = 1 } }
			assert(#list == 3 and list[1].n == 6 and list[2] == null and list[3].n == 2)
			assert(#adder:join {} == 0)
			local sum = 0
			for v in adder:map({ { n = 3 }, { n = 1 }, { n = 2 } }, { key = function(v) return 'k' .. v.n end }) do sum = sum + v.n end
			assert(sum == 12)
			ok, err = pcall(adder.join, adder, { { n = 1 }, { n = 0 } })
			assert(not ok and err.code == 'agent_error', err)
			ok, err = pcall(adder.ask, adder, {}, { timout = 1 })
			assert(not ok and err.message == "unknown option 'timout' for agent:ask", err.message)
		end)`)
	s.answers = func(r topic.Record) (topic.Record, error) {
		var n int
		if _, err := fmt.Sscanf(string(r.Value), `{"n":%d}`, &n); err != nil {
			return topic.Record{}, err
		}
		switch n {
		case 0:
			return topic.Record{Headers: []topic.Header{{Key: agent.HeaderError, Value: []byte("zero")}}}, nil
		case -1:
			return topic.Record{}, nil
		}
		return topic.Record{Value: fmt.Appendf(nil, `{"n":%d}`, 2*n)}, nil
	}
	s.check()
	if r := s.asked[0]; r.Topic != "app-adder" || string(r.Key) != "k" {
		t.Errorf("asked %+v", r)
	} else if name, _ := r.Header(agent.HeaderAgent); string(name) != "adder" {
		t.Errorf("asked agent %q", name)
	}
	var keys []string
	for _, r := range s.asked[6:9] {
		keys = append(keys, string(r.Key))
	}
	equal(t, "keys", keys, "k3", "k1", "k2")
}

func TestAskTimesOut(t *testing.T) {
	t.Parallel()
	s := load(t, `
		local slow = app.agent('slow', function(stream) end)
		app.task(function()
			local ok, err = pcall(function() slow:ask(1, { timeout = '20ms' }) end)
			print(err.code, err.message)
			ok, err = pcall(function() for v in slow:map({ 1, 2 }, { timeout = 0.02 }) do end end)
			print(err.code)
			ok, err = pcall(slow.join, slow, { 1 }, { timeout = 0.02 })
			print(err.code)
		end)`)
	s.check()
	equal(t, "printed", strings.Split(strings.TrimSpace(s.out.String()), "\n"), "timeout\tno answer from agent 'slow' within 20ms", "timeout", "timeout")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	s2 := load(t, `local slow = app.agent('slow', function(stream) end) app.task(function() slow:ask(1) end)`)
	go func() { ended <- s2.App.Tasks[0].Run(ctx) }()
	s2.until("asked", func() bool { return len(s2.asked) == 1 })
	cancel()
	var e *fault.Error
	if err := <-ended; !errors.As(err, &e) || e.Code != fault.Cancelled {
		t.Errorf("got %v", err)
	}
}

// TestAnswers has an agent answer requests: the first yield, nothing, an error; and none that is for another agent.
func TestAnswers(t *testing.T) {
	t.Parallel()
	s := load(t, `
		app.agent('a', app.topic('in'), function(stream)
			for v in stream do
				if v == 1 then stream:yield { r = 1 } stream:yield(2) end
				if v == 3 then stream:yield(0) error('three is bad') end
			end
		end)`)
	ask := func(value, id, name string) topic.Record {
		return topic.Record{Value: []byte(value), Headers: []topic.Header{{Key: agent.HeaderReplyTo, Value: []byte("replies")},
			{Key: agent.HeaderCorrelation, Value: []byte(id)}, {Key: agent.HeaderAgent, Value: []byte(name)}}}
	}
	deliver, drain := s.agent("a")
	deliver(ask("1", "one", "a"), ask("2", "two", "a"), ask("1", "other", "b"), ask("3", "three", "a"))
	s.until("answers", func() bool { return len(s.settled) >= 4 })
	if err := drain(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range s.settled {
		id, _ := r.Header(agent.HeaderCorrelation)
		failure, failed := r.Header(agent.HeaderError)
		if failed {
			failure = []byte("failed:" + string(failure[strings.LastIndex(string(failure), " "):]))
		}
		got = append(got, fmt.Sprintf("%s %s %s %s", r.Topic, id, r.Value, failure))
	}
	equal(t, "answers", got, `replies one {"r":1} `, "replies two  ", "app-a-dead-letter three 3 failed: bad", "replies three  failed: bad")
}

func TestOnErrorFunction(t *testing.T) {
	t.Parallel()
	s := load(t, `
		local input = app.topic('in')
		local tries = 0
		app.agent('a', input, { on_error = function(err, event)
			tries = tries + 1
			print(err.message, err.code, event.offset, event.key, event.value)
			if event.value == 1 then return 'skip' end
			if event.value == 3 and tries < 4 then return 'retry' end
			if event.value == 4 then error('policy fails') end
			if event.value == 5 then return 'skpi' end
		end }, function(stream)
			for v in stream do error('no ' .. v, 0) end
		end)`)
	got := lines(t, s, "a", 4, json("1", "2", "3", "4", "5")...)
	equal(t, "printed", got, "no 1\tscript\t0\tk0\t1", "no 2\tscript\t1\tk1\t2", "no 3\tscript\t2\tk2\t3", "no 3\tscript\t2\tk2\t3", "no 4\tscript\t3\tk3\t4", "no 5\tscript\t4\tk4\t5")
	equal(t, "dead letters", s.settledValues(), "app-a-dead-letter k1=2", "app-a-dead-letter k2=3", "app-a-dead-letter k3=4", "app-a-dead-letter k4=5")
	if text := render(s.errs[5]); !strings.Contains(text, "on_error of agent 'a' gave the string \"skpi\"") {
		t.Error(text)
	}
}

func TestCancelledBody(t *testing.T) {
	t.Parallel()
	s := load(t, `
		local input, ch = app.topic('in'), app.channel()
		app.agent('a', input, function(stream)
			for v in stream do print 'waits' pcall(function() ch:get() end) print 'never' end
		end)`)
	deliver, _ := s.agent("a")
	deliver(json("1")...)
	s.waitsFor("get from channel-1")
	s.cancel()
	s.tasks.Wait()
	if strings.Contains(s.out.String(), "never") {
		t.Errorf("printed %q", s.out)
	}
}

// waitsFor waits until some task waits for that.
func (s *script) waitsFor(what string) {
	s.t.Helper()
	s.until("a task waits for "+what, func() bool {
		for _, task := range s.VM.Tasks() {
			if task.What == what && task.State == "waiting" {
				return true
			}
		}
		go s.note(func() {}) // look again
		return false
	})
}

func TestLeftBodyIsStartedAgain(t *testing.T) {
	t.Parallel()
	s := load(t, `
		local input, out = app.topic('in'), app.topic('out')
		app.agent('a', input, function(stream) for v in stream do out:send { value = v } break end end)`)
	lines(t, s, "a", 3, json("1", "2", "3")...)
	equal(t, "settled", s.settledValues(), "out =1", "out =2", "out =3")
	if s.left < 2 {
		t.Errorf("left %d times", s.left)
	}
}

func TestHooksAndStop(t *testing.T) {
	t.Parallel()
	s := load(t, `
		local orders = app.topic('orders')
		app.on('partitions_assigned', function(ps) print('assigned', #ps, ps[1].topic, ps[1].partition) end)
		app.on('partitions_revoked', function(ps) print('revoked', #ps) end)
		app.on('produce_error', function(message, err) print(message.topic, message.key, message.value.n, err.message) end)
		app.timer('1s', function() app.stop(3) end)
		app.crontab('* * * * *', { name = 'bad' }, function() app.stop('x') end)`)
	h := s.App.Hooks
	if err := h.PartitionsAssigned[0](s.ctx, []topic.Partition{{Topic: "orders", ID: 3}}); err != nil {
		t.Fatal(err)
	}
	if err := h.PartitionsRevoked[0](s.ctx, nil); err != nil {
		t.Fatal(err)
	}
	if err := h.ProduceError[0](s.ctx, topic.Record{Topic: "orders", Key: []byte("k"), Value: []byte(`{"n":1}`)}, errors.New("refused")); err != nil {
		t.Fatal(err)
	}
	equal(t, "printed", strings.Split(strings.TrimSpace(s.out.String()), "\n"), "assigned\t1\torders\t3", "revoked\t0", "orders\tk\t1\trefused")
	if err := s.App.Timers[0].Run(s.ctx); err != nil || len(s.stops) != 1 || s.stops[0] != 3 {
		t.Errorf("stop: %v, %v", s.stops, err)
	}
	err := s.App.Timers[1].Run(s.ctx)
	var e *fault.Error
	if !errors.As(err, &e) || !strings.Contains(e.Message, `app.stop: the exit code is the string "x"`) || !strings.Contains(e.Traceback(), "in crontab 'bad'") {
		t.Errorf("got %v\n%s", err, render(err))
	}
}

func TestTaskIsInterrupted(t *testing.T) {
	t.Parallel()
	s := load(t, `app.task(function() while true do end end)`)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var e *fault.Error
	if err := s.App.Tasks[0].Run(ctx); !errors.As(err, &e) || e.Code != fault.Cancelled {
		t.Errorf("got %v", err)
	}
}

// TestFullSendBufferHoldsNobodyElse has an agent wait for room; a task runs meanwhile.
func TestFullSendBufferHoldsNobodyElse(t *testing.T) {
	t.Parallel()
	s := load(t, `
		local input, out = app.topic('in'), app.topic('out')
		app.agent('a', input, function(stream) for v in stream do out:send { value = v } end end)
		app.task(function() print 'runs' end)`)
	s.room = make(chan struct{})
	deliver, drain := s.agent("a")
	deliver(json("1", "2")...)
	s.waitsFor("the next event")
	s.check()
	close(s.room)
	s.until("settled", func() bool { return len(s.settled) == 2 })
	if err := drain(); err != nil {
		t.Fatal(err)
	}
	if s.out.String() != "runs\n" {
		t.Errorf("printed %q", s.out)
	}
}

func TestStrict(t *testing.T) {
	t.Parallel()
	if _, err := luabind.Load(write(t, "print(undefined_name)"), luabind.Config{}); err == nil || !strings.Contains(err.Error(), "undefined_name") {
		t.Errorf("strict: %v", err)
	}
	s := load(t, "app.configure { strict = false }\nassert(undefined_name == nil)\nfunction f() global = 1 end f() assert(global == 1)")
	if s.App.Settings.Strict {
		t.Error("strict in force")
	}
}

// TestCaret draws errors of arguments and options: the caret is under what is wrong.
func TestCaret(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"app.topic('a', {\n  defualt = 0,\n})":     "2 |   defualt = 0,\n   |   ^^^^^^^",
		"app.timer('soon', function() end)":        "1 | app.timer('soon', function() end)\n   |           ^^^^^^",
		"app.topic('a', { retention = 'x' })":      "1 | app.topic('a', { retention = 'x' })\n   |                  ^^^^^^^^^",
		"app.tabel('x')":                           "1 | app.tabel('x')\n   |     ^^^^^",
		"local x = app.topics.orders":              "1 | local x = app.topics.orders",
		"local t = app.topic('a')\nt:send(5)":      "2 | t:send(5)\n",
		"app.agent('x', 'orders', function() end)": "'orders', function() end)\n   |                ^^^^^^^^",
	} {
		_, err := luabind.Load(write(t, src), luabind.Config{})
		if err == nil {
			t.Errorf("%s: no error", src)
		} else if text := render(err); !strings.Contains(text, want) {
			t.Errorf("%s: want\n%s\ngot\n%s", src, want, text)
		}
	}
}
