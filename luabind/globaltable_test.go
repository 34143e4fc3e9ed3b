package luabind_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"faust/luabind"
	"faust/luabind/fault"
)

// One agent writes a global table, in its own partition; everybody reads any key, as copies.
func TestGlobalTable(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		src := fmt.Sprintf(`local quotes, orders, out = app.topic('quotes'), app.topic('orders'), app.topic('out')
			local rates = app.global_table('rates', { default = { n = 0 } })
			local calls = app.channel()
			app.agent('quote', quotes, { tables = { rates } }, function(stream)
				for k, v in stream:items() do rates[k] = { n = v } print(rates[k].n, rates[%q].n) rates[k].n = v + 1 out:send { value = 1 } end
			end)
			app.agent('price', orders, { on_error = 'skip' }, function(stream)
				for k, v in stream:items() do
					print(rates[%q].n, rates[%q].n, rates:has(%[2]q), #rates, #rates:keys())
					rates[%[2]q].n = 77
					if v == 1 then rates[k] = { n = 5 } elseif v == 2 then rates:update(k, function() end) end
					out:send { value = 1 }
				end
			end)`, of(3), of(2), of(3))
		s := loadWith(t, src, luabind.Config{NoPass: plain})
		s.state.counts["rates"] = 4
		def := s.table("rates")
		if !def.Global || strings.Join(def.Agents, " ") != "quote" || strings.Join(def.Sources, " ") != "quotes" {
			t.Errorf("%+v", def)
		}
		deliver, drain := s.agentOn("quote", 2)
		deliver(keyed(of(2) + "=5")...)
		s.until("written", func() bool { return len(s.settled) == 1 })
		_ = drain()
		deliver, drain = s.agentOn("price", 3)
		deliver(keyed(of(3)+"=0", of(3)+"=1", of(3)+"=2")...)
		s.until("read", func() bool { return len(s.settled)+len(s.failed) == 4 })
		_ = drain()
		equal(t, "printed", strings.Split(s.out.String(), "\n"), "5\t0", "6\t0\ttrue\t1\t1", "6\t0\ttrue\t1\t1", "6\t0\ttrue\t1\t1", "")
		equal(t, "content", s.content("rates"), of(2)+`={"n":6}`)
		if want := "global table 'rates' is written by agent 'quote' alone, and this is agent 'price'"; len(s.failed) != 2 || !strings.Contains(s.failed[0], want) || !strings.Contains(s.failed[1], want) {
			t.Errorf("%q", s.failed)
		}
	})
}

// A partition that is read anew is no reason to take a default for the value, or to fail an event: it is waited for.
func TestGlobalTableNotKnown(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]string{"a key": fmt.Sprintf("rates[%q]", of(3)), "another key": fmt.Sprintf("rates[%q]", of(2)), "all": "#rates"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := load(t, fmt.Sprintf(`local rates, out = app.global_table('rates', { default = 1 }), app.topic('out')
				app.agent('quote', app.topic('quotes'), { tables = { rates } }, function(stream)
					for k, v in stream:items() do rates[k] = v out:send { value = 1 } end
				end)
				app.agent('price', app.topic('orders'), { on_error = 'skip' }, function(stream)
					for v in stream do print(%s) out:send { value = 1 } end
				end)`, read))
			here := make(chan struct{})
			s.state.counts["rates"], s.state.here = 4, here
			deliver, drain := s.agentOn("quote", 3)
			deliver(keyed(of(3) + "=5")...)
			s.until("written", func() bool { return len(s.settled) == 1 })
			_ = drain()
			s.state.lacks[3] = true
			deliver, drain = s.agentOn("price", 0)
			deliver(keyed(of(0) + "=0")...)
			want := "5\n"
			if name == "another key" {
				want = "1\n"
				s.until("read", func() bool { return len(s.settled) == 2 })
			} else {
				s.until("it waits", func() bool { return s.awaited == 1 })
			}
			close(here)
			s.until("read", func() bool { return len(s.settled) == 2 })
			_ = drain()
			if name == "all" {
				want = "1\n"
			}
			if got := s.out.String(); got != want || len(s.failed) > 0 {
				t.Errorf("%q, failed: %q", got, s.failed)
			}
		})
	}
}

// Nor is a partition that begins to be read anew while somebody looks for a key.
func TestGlobalTableAnewWhileItIsRead(t *testing.T) {
	t.Parallel()
	s := load(t, fmt.Sprintf(`local rates = app.global_table('rates', { default = 1 })
		app.agent('quote', app.topic('quotes'), function(stream) for k, v in stream:items() do rates[k] = v end end)
		app.task(function() print(rates[%q]) end)`, of(3)))
	s.state.counts["rates"], s.state.here = 4, make(chan struct{})
	shard := s.Shard(s.table("rates"), 3)
	kept := s.state.stores["rates"][3]
	var once sync.Once
	kept.got = func() {
		once.Do(func() {
			s.state.mu.Lock()
			s.state.lacks[3] = true
			s.state.mu.Unlock()
			go func() {
				s.until("it waits", func() bool { return s.awaited == 1 })
				kept.mu.Lock()
				kept.data[of(3)] = "5"
				kept.mu.Unlock()
				shard.Forget()
				close(s.state.here)
			}()
		})
	}
	if err := s.task(); err != nil {
		t.Fatal(err)
	}
	if got := s.out.String(); got != "5\n" {
		t.Error(got)
	}
}

func TestGlobalTableWriters(t *testing.T) {
	t.Parallel()
	agent := func(name, options, body string) string {
		return fmt.Sprintf("app.agent('%s', app.topic('%s'), { %s }, function(stream) for k, v in stream:items() do %s end end)\n", name, name, options, body)
	}
	for name, c := range map[string]struct{ src, want string }{
		"only one":     {agent("a", "", "t[k] = v"), ""},
		"nobody":       {"", ""},
		"one of two":   {agent("a", "tables = { t }", "t[k] = v") + agent("b", "", "print(t[k])"), ""},
		"not known":    {agent("a", "", "t[k] = v") + agent("b", "", "print(t[k])"), "global table 't' is used by agents 'a', 'b': it is not known which one writes it"},
		"both declare": {agent("a", "tables = { t }", "t[k] = v") + agent("b", "tables = { t }", "t[k] = v"), "global table 't' is written by one agent, and agents 'a' and 'b' declare it with tables ="},
		"windows":      {"t:tumbling('1m')", "table 't' is global"},
		"a scope":      {"app.global_table('x', { scope = 'partition' })", "scope"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loaded, err := luabind.Load(write(t, "local t = app.global_table('t')\n"+c.src), luabind.Config{})
			if err == nil {
				loaded.Close()
			}
			var e *fault.Error
			switch {
			case c.want == "" && err == nil:
			case c.want == "" || !errors.As(err, &e) || !strings.Contains(e.Message, c.want) || e.Place.Line == 0:
				t.Errorf("%v", err)
			}
		})
	}
}
