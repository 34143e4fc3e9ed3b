package luabind_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"faust/luabind"
	"faust/runtime/topic"
)

// lines runs the only agent of a script over records and gives what the script printed, without the last newline.
func lines(t *testing.T, s *script, name string, settled int, rs ...topic.Record) []string {
	t.Helper()
	deliver, drain := s.agent(name)
	deliver(rs...)
	s.until("settled", func() bool { return len(s.settled) >= settled })
	if err := drain(); err != nil {
		t.Fatal(render(err))
	}
	return strings.Split(strings.TrimSuffix(s.out.String(), "\n"), "\n")
}

// TestLoops has a script for each way of reading a stream; each forwards to out what it is done with, so that the end is known.
func TestLoops(t *testing.T) {
	t.Parallel()
	numbers := json("1", "2", "3", "4", "5")
	for name, c := range map[string]struct {
		body    string
		records []topic.Record
		settled int
		want    string
	}{
		"values": {"for v in stream do print(v) out:send { value = v } end print 'end'", numbers, 5, "1 2 3 4 5 end"},
		"tombstone": {"for v in stream do print(v == null, v) out:send { value = v } end", []topic.Record{{Key: []byte("k")}, {Value: []byte("1")}}, 2,
			"true\tnull false\t1"},
		"items":          {"for k, v in stream:items() do print(k, v) out:send { value = v } end", json("1", "2"), 2, "k0\t1 k1\t2"},
		"items, no key":  {"for k, v in stream:items() do print(k == null, v) out:send { value = v } end", []topic.Record{{Value: []byte("1")}}, 1, "true\t1"},
		"enumerate":      {"for i, v in stream:enumerate() do print(i, v) out:send { value = v } end", json("7", "8"), 2, "1\t7 2\t8"},
		"filter":         {"for v in stream:filter(function(v) return v % 2 == 1 end) do print(v) out:send { value = v } end", numbers, 3, "1 3 5"},
		"map":            {"for v in stream:map(function(v) return v * 10 end) do print(v) out:send { value = v } end", numbers, 5, "10 20 30 40 50"},
		"chain":          {"for v in stream:filter(function(v) return v > 2 end):map(function(v) return v * v end):filter(function(v) return v ~= 16 end) do print(v) out:send { value = v } end", numbers, 2, "9 25"},
		"chain, items":   {"for k, v in stream:map(function(v) return -v end):items() do print(k, v) out:send { value = v } end", json("1"), 1, "k0\t-1"},
		"take":           {"for b in stream:take(2) do print(table.concat(b, '+')) out:send { value = #b } end", numbers[:4], 2, "1+2 3+4"},
		"take within":    {"for b in stream:take(100, { within = '10ms' }) do print(table.concat(b, '+')) out:send { value = #b } end", numbers, 1, "1+2+3+4+5"},
		"take, filtered": {"for b in stream:filter(function(v) return v ~= 2 end):take(2) do print(table.concat(b, '+')) out:send { value = #b } end", numbers[:4], 2, "1 3+4"},
		"take_events":    {"for b in stream:take_events(2) do for _, e in ipairs(b) do print(e.offset, e.value) end out:send { value = 1 } end", numbers[:2], 1, "0\t1 1\t2"},
		"coroutine":      {"local co = coroutine.wrap(function() for v in stream do coroutine.yield(v) end end) for v in co do print(v) out:send { value = v } end", numbers[:2], 2, "1 2"},
		"pcall":          {"print(pcall(function() for v in stream do print(v) out:send { value = v } error('x', 0) end end)) for v in stream do print(v) out:send { value = v } end", numbers[:2], 2, "1 false\tx 2"},
		"events": {`for e in stream:events() do
				print(e.key, e.value.n, e.topic, e.partition, e.offset, e.headers.h, e.timestamp)
				out:send { value = 1 }
			end`, []topic.Record{{Key: []byte("a"), Value: []byte(`{"n":1}`), Headers: []topic.Header{{Key: "h", Value: []byte("x")}}}}, 1,
			"a\t1\tin\t0\t0\tx\t2023-11-14T22:13:20Z"},
		"event": {`local kept
			for v in stream do
				kept = kept or stream:event()
				assert(stream:event() == stream:event() and stream:event().value == v)
				print(stream:event().offset, kept.offset, kept.key)
				out:send { value = 1 }
			end`, numbers[:2], 2, "0\t0\tk0 1\t0\tk0"},
	} {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/plain=%v", name, plain), func(t *testing.T) {
				t.Parallel()
				s := loadWith(t, "local input, out = app.topic('in'), app.topic('out')\napp.agent('a', input, function(stream)\n"+c.body+"\nend)",
					luabind.Config{NoPass: plain})
				got := lines(t, s, "a", c.settled, append([]topic.Record{}, c.records...)...)
				equal(t, "printed", got, strings.Split(c.want, " ")...)
			})
		}
	}
}

func TestTypedStream(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		s := loadWith(t, `
			local Order = app.record('Order', { id = 'int', who = 'string?' })
			local input, out = app.topic('in', { value = Order }), app.topic('out', { value = Order })
			local kept = {}
			app.agent('a', input, function(stream)
				for order in stream do
					kept[#kept + 1] = order
					out:send { key = order.who, value = order }
				end
				for _, o in ipairs(kept) do print(o.id, o.who) end
			end)`, luabind.Config{NoPass: plain})
		got := lines(t, s, "a", 3, json(`{"id":1,"who":"x","extra":[1]}`, `{"id":"two"}`, `{"id":3}`)...)
		equal(t, "printed", got, "1\tx", "3\tnil")
		// The undecodable one is a dead letter, in its place; unknown fields pass through.
		equal(t, "settled", s.settledValues(), `out x={"id":1,"who":"x","extra":[1]}`, `app-a-dead-letter k1={"id":"two"}`, `out ={"id":3}`)
		if len(s.failed) != 1 || !strings.Contains(s.failed[0], "'id'") {
			t.Errorf("failed %q", s.failed)
		}
	}
}

func TestFailureDropsWhatWasSent(t *testing.T) {
	t.Parallel()
	s := load(t, `
		local input, out = app.topic('in'), app.topic('out')
		local starts = 0
		app.agent('a', input, { on_error = 'skip' }, function(stream)
			starts = starts + 1
			for v in stream do
				out:send { value = v }
				if v == 2 then error('two is bad') end
				out:send { value = -v }
			end
			print(starts)
		end)`)
	got := lines(t, s, "a", 4, json("1", "2", "3")...)
	equal(t, "starts", got, "2")
	equal(t, "settled", s.settledValues(), "out =1", "out =-1", "out =3", "out =-3")
	if len(s.failed) != 1 || !strings.Contains(s.failed[0], "app.lua:8: two is bad") {
		t.Errorf("failed %q", s.failed)
	}
}

// TestFailureNamesTheMessage looks at what is logged of a failure.
func TestFailureNamesTheMessage(t *testing.T) {
	t.Parallel()
	s := load(t, `
		local Order = app.record('Order', { id = 'int' })
		local input = app.topic('in', { value = Order })
		app.agent('a', input, function(stream)
			for v in stream do
				local x = v.id + nil
			end
		end)
		local plain = app.topic('plain')
		app.agent('b', plain, function(stream) for b in stream:take(2) do error('bad') end end)`)
	deliver, drain := s.agent("a")
	deliver(json(`{"id":1}`, `{"ident":1}`)...)
	s.until("dead letters", func() bool { return len(s.errs) == 2 })
	if err := drain(); err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]string{
		{"message in/0 @ 0 key \"k0\" 2023-11-14T22:13:20Z", `value {"id":1}`, "in agent 'a'", "app.lua:6"},
		{"message in/0 @ 1 key \"k1\"", `value {"ident":1}`, "not an Order: 'id' is missing", "expected id int"},
	} {
		text := strings.Join(strings.Fields(render(s.errs[i])), " ")
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("error %d lacks %q:\n%s", i, w, text)
			}
		}
	}
	deliver, drain = s.agent("b")
	deliver(json("1", "2")...)
	s.until("batch", func() bool { return len(s.errs) == 3 })
	if err := drain(); err != nil {
		t.Fatal(err)
	}
	if text := render(s.errs[2]); !strings.Contains(text, "the last of 2 messages, which fail together") || !strings.Contains(text, "plain/0 @ 1") {
		t.Error(text)
	}
}

func TestUndecodableInBatch(t *testing.T) {
	t.Parallel()
	s := load(t, `
		local Order = app.record('Order', { id = 'int' })
		local input, out = app.topic('in', { value = Order }), app.topic('out')
		app.agent('a', input, function(stream)
			for batch in stream:take(3) do
				for _, o in ipairs(batch) do out:send { value = o.id } end
			end
		end)`)
	lines(t, s, "a", 3, json(`{"id":1}`, `{"id":null}`, `{"id":3}`)...)
	equal(t, "settled", s.settledValues(), `app-a-dead-letter k1={"id":null}`, "out =1", "out =3")
}

func TestYieldAndForward(t *testing.T) {
	t.Parallel()
	s := load(t, `
		local input, out, raw, bin = app.topic('in'), app.topic('out'), app.topic('raw'), app.topic('bin', { key = 'int64' })
		local got = {}
		app.agent('a', input, { sinks = { out, function(v) got[#got + 1] = v end } }, function(stream)
			for v in stream do
				stream:yield({ v = v })
				stream:yield(null, { key = 'other' })
				stream:forward(raw)
				stream:event():forward(raw)
			end
			print(#got, got[1].v, got[2] == null)
		end)`)
	rs := []topic.Record{{Key: []byte("k"), Value: []byte(`{ "as": 1.0}`), Headers: []topic.Header{{Key: "h", Value: []byte("x")}, {Key: "faust-reply-to", Value: []byte("r")},
		{Key: "faust-replay", Value: []byte("a")}, {Key: "faust-replay-app", Value: []byte("app")}, {Key: "faust-replays", Value: []byte("1")}}}}
	got := lines(t, s, "a", 5, rs...)
	equal(t, "settled", s.settledValues(), `out k={"v":{"as":1}}`, `r ={"v":{"as":1}}`, "out other=", `raw k={ "as": 1.0}`, `raw k={ "as": 1.0}`)
	if r := s.settled[2]; r.Value != nil {
		t.Errorf("a yielded null is no tombstone: %q", r.Value)
	}
	if r := s.settled[3]; len(r.Headers) != 1 || r.Headers[0].Key != "h" || r.Timestamp != 1_700_000_000_000 {
		t.Errorf("forwarded %+v", r)
	}
	if len(got) != 1 || !strings.HasPrefix(got[0], "2\ttable") {
		equal(t, "printed", got, "2\ttable…")
	}
}

func TestManualAck(t *testing.T) {
	t.Parallel()
	s := load(t, `
		local input, out = app.topic('in'), app.topic('out')
		app.agent('a', input, { ack = 'manual' }, function(stream)
			local first
			for e in stream:events() do
				if first then
					e:forward(out)
					print(e:ack(), e:ack())
					first:forward(out)
					print(first:ack(), first:ack(), first.value)
					first = nil
				else
					first = e
				end
			end
		end)
		app.agent('b', app.topic('other'), function(stream)
			for e in stream:events() do
				local ok, err = pcall(e.ack, e)
				print(ok, err.message)
				out:send { value = 1 }
			end
		end)`)
	got := lines(t, s, "a", 2, json("1", "2")...)
	equal(t, "settled", s.settledValues(), "out k1=2", "out k0=1")
	equal(t, "printed", got, "true\tfalse", "true\tfalse\t1")
	s.out.Reset()
	got = lines(t, s, "b", 3, json("1")...)
	equal(t, "printed", got, "false\tevent:ack: agent 'b' settles an event when its loop asks for the next one")
}

func TestStreamsAreTheirAgents(t *testing.T) {
	t.Parallel()
	s := load(t, `
		local input, out = app.topic('in'), app.topic('out')
		local stolen
		app.agent('a', input, { concurrency = 1 }, function(stream)
			stolen = stream
			local ok, err = pcall(stream.event, stream)
			print(err.message)
			for v in stream do
				print(pcall(function() parallel { function() for v in stream do end end } end))
				out:send { value = v }
			end
			print(pcall(function() stream:yield(1) end))
			for v in stream do print 'never' end
		end)
		app.task(function()
			local ok, err = pcall(function() for v in stolen do end end)
			print(err.message)
			ok, err = pcall(function() return stolen:take(3) end)
			print(err.message)
			ok, err = pcall(function() return stolen:nxt() end)
			print(err.message)
		end)`)
	got := lines(t, s, "a", 1, json("1")...)
	want := []string{"stream:event: there is no event in hand: call it inside the loop over the stream",
		"a stream is read only by the function of its agent", "stream:yield: there is no event in hand"}
	for i, w := range want {
		if len(got) != 3 || !strings.Contains(got[i], w) {
			t.Fatalf("printed %q, want %q", got, want)
		}
	}
	s.out.Reset()
	s.check()
	for _, w := range []string{"for ... in stream: a stream is read only by the function of its agent, 'a'", "stream:take: a stream is read only", "a stream has no 'nxt'"} {
		if !strings.Contains(s.out.String(), w) {
			t.Errorf("printed %q, want %q", s.out, w)
		}
	}
}

func TestChannels(t *testing.T) {
	t.Parallel()
	s := load(t, `
		local ch = app.channel { value = 'string', maxsize = 2 }
		local agent_ch, out = app.channel(), app.topic('out')
		app.agent('a', agent_ch, function(stream)
			for k, v in stream:items() do out:send { key = k, value = v } end
		end)
		app.task(function()
			assert(ch:get(0) == nil)
			assert(ch:get('5ms') == nil)
			local filler = spawn(function() for i = 1, 5 do ch:put('v' .. i) end end)
			assert(ch:get() == 'v1')
			local seen = {}
			for v in ch do
				seen[#seen + 1] = v
				if #seen == 4 then break end
			end
			filler:join()
			assert(table.concat(seen, ' ') == 'v2 v3 v4 v5')
			agent_ch:put { n = 1 }
			agent_ch:put(null, { key = 'k' })
			app.agents.a:cast({ n = 2 }, { key = 'c' })
			local ok, err = pcall(function() app.agents.a:ask(1) end)
			assert(not ok and err.message:find('cannot answer'), err)
			ok, err = pcall(ch.put, ch, nil)
			assert(not ok and err.code == 'usage' and err.message == 'channel:put: the value is missing', err.message)
			ok, err = pcall(ch.put, ch, {})
			assert(not ok and err.code == 'validation', err)
		end)`)
	_, drain := s.agent("a")
	s.check()
	s.until("three", func() bool { return len(s.settled) == 3 })
	if err := drain(); err != nil {
		t.Fatal(err)
	}
	equal(t, "settled", s.settledValues(), `out ={"n":1}`, "out k=", `out c={"n":2}`)
}

// asking makes an ask of each text.
func asking(texts ...string) []topic.Record {
	rs := json(texts...)
	for i := range rs {
		rs[i].Headers = []topic.Header{{Key: "faust-reply-to", Value: []byte("replies")}, {Key: "faust-correlation-id", Value: fmt.Append(nil, i)}}
	}
	return rs
}

// TestBatchesAnswer: the asks of a batch of take are all answered.
func TestBatchesAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want []string
	}{
		"one yield each":   {"for _, v in ipairs(batch) do stream:yield(v * 10) end", []string{"replies =10", "replies =20", "replies =30"}},
		"one for all":      {"stream:yield(#batch)", []string{"replies =3", "replies =3", "replies =3"}},
		"two for three":    {"stream:yield('a') stream:yield('b')", []string{`replies ="a"`, `replies ="b"`, "replies ="}},
		"more than asked":  {"for i = 1, 5 do stream:yield(i) end", []string{"replies =1", "replies =2", "replies =3"}},
		"none":             {"", []string{"replies =", "replies =", "replies ="}},
		"one, then broken": {"stream:yield(1) error('no')", []string{"replies =", "replies =", "replies ="}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := load(t, `app.agent('a', app.topic('in'), { on_error = 'skip' }, function(stream)
				for batch in stream:take(3) do `+c.body+` end
			end)`)
			lines(t, s, "a", 3, asking("1", "2", "3")...)
			equal(t, "answers", s.settledValues(), c.want...)
		})
	}
	t.Run("a loop after take", func(t *testing.T) {
		t.Parallel()
		s := load(t, `app.agent('a', app.topic('in'), function(stream)
			for batch in stream:take(2) do stream:yield 'batch' break end
			for v in stream do stream:yield(v) end
		end)`)
		lines(t, s, "a", 3, asking("1", "2", "3")...)
		equal(t, "answers", s.settledValues(), `replies ="batch"`, `replies ="batch"`, "replies =3")
	})
}

// Two agents of different record types share a function, and one goes through its send while the other waits in there.
func TestSharedLoop(t *testing.T) {
	t.Parallel()
	for _, out := range []string{"local out", "out"} {
		s := load(t, `
			local A, B = app.record('A', { name = 'string' }), app.record('B', { first = 'string', name = 'string' })
			local gate = app.channel()
			`+out+` = app.topic('out', { value = 'string' })
			local function step(name)
				if name == 'one' then return gate:get() end
				gate:put('go')
				return 'gone'
			end
			local function work(stream)
				for w in stream do out:send { key = w.name, value = step(w.name) } end
			end
			app.agent('a', app.topic('as', { value = A }), work)
			app.agent('b', app.topic('bs', { value = B }), work)`)
		deliver, drain := s.agent("a")
		deliver(json(`{"name":"one"}`)...)
		s.waitsFor("get from channel-1")
		other, end := s.agent("b")
		other(json(`{"first":"f","name":"two"}`)...)
		s.until("settled", func() bool { return len(s.settled) >= 2 })
		for _, f := range []func() error{drain, end} {
			if err := f(); err != nil {
				t.Fatal(render(err))
			}
		}
		got := s.settledValues()
		slices.Sort(got)
		equal(t, "sent", got, "out one=go", "out two=gone")
	}
}
