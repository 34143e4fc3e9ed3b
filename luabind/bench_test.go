package luabind_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"faust/luabind"
	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// counter is a Sender that counts and forgets, and tells when it has seen enough.
type counter struct {
	left atomic.Int64
	done chan struct{}
}

func (c *counter) Room(int) bool { return true }

func (c *counter) Send(context.Context, *topic.Record, *agent.Cause) error {
	if c.left.Add(-1) == 0 {
		close(c.done)
	}
	return nil
}

// idle is a runtime that nobody calls: an event's sends are held on the event.
type idle struct {
	app.Runtime
	state *host
}

func (i idle) Shard(t *table.Definition, partition int32) *table.Shard {
	return i.state.Shard(t, partition)
}
func (i idle) Partitions(t *table.Definition) int32 { return i.state.Partitions(t) }

// BenchmarkRecord is the path of one record through an agent: the work of the whole-process benchmark, without Kafka.
func BenchmarkRecord(b *testing.B) {
	const declared = `
		local Withdrawal = app.record('Withdrawal', { user = 'string', country = 'string', amount = 'float', date = 'datetime?' })
		local input, out = app.topic('in', { value = Withdrawal }), app.topic('out', { value = Withdrawal })
		local plain = app.topic('plain')
		local totals = {}
		local kept, objects = app.table('kept', { default = 0 }), app.table('objects', { default = {} })
		`
	const last = `if w.user == 'last' then plain:send { value = w.amount } end `
	for _, c := range []struct {
		name, source, body string
		sends              bool
	}{
		{"filter", "input", `for w in stream do if w.country == 'country_9' then plain:send { value = w.amount } end ` + last + `end`, false},
		{"sum", "input", `for w in stream do local c = w.country totals[c] = (totals[c] or 0) + w.amount ` + last + `end`, false},
		{"table", "input", `for w in stream do kept[w.country] = kept[w.country] + w.amount ` + last + `end`, false},
		{"table read", "input", `for w in stream do local x = kept[w.country] ` + last + `end`, false},
		{"table add", "input", `for w in stream do kept:add(w.country, w.amount) ` + last + `end`, false},
		{"table object", "input", `for w in stream do local x = objects[w.country] x.n = (x.n or 0) + 1 ` + last + `end`, false},
		{"nothing", "input", `for w in stream do ` + last + `end`, false},
		{"forward", "input", `for w in stream do out:send { key = w.user, value = w } end`, true},
		{"map", "input", `for w in stream do
			out:send { key = w.user, value = Withdrawal { user = w.user, country = w.country:upper(), amount = w.amount + 1, date = w.date } }
		end`, true},
		{"untyped", "plain", `for w in stream do if w.user == 'last' then out:send { value = w } end end`, false},
		{"events", "input", `for e in stream:events() do if e.value.user == 'last' then e:forward(out) end end`, false},
	} {
		for _, plain := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/pass=%v", c.name, !plain), func(b *testing.B) {
				path := filepath.Join(b.TempDir(), "app.lua")
				src := declared + "app.agent('a', " + c.source + ", { on_error = 'stop' }, function(stream) " + c.body + " end)"
				if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
					b.Fatal(err)
				}
				s, err := luabind.Load(path, luabind.Config{NoPass: plain})
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				s.App.Attach(idle{state: &host{state: newState()}})
				runRecords(b, s.App.Agents[0], c.sends)
			})
		}
	}
}

// runRecords delivers b.N records and waits until all are through. sends: each sends one, else only the last does.
func runRecords(b *testing.B, def *agent.Definition, sends bool) {
	out := &counter{done: make(chan struct{})}
	out.left.Store(1)
	if sends {
		out.left.Store(int64(b.N))
	}
	p := agent.NewProcessor(agent.ProcessorConfig{Agent: def, Partition: topic.Partition{Topic: "in"}, Sender: out})
	records := make([]topic.Record, b.N)
	for i := range records {
		user := fmt.Sprintf("user_%d", i%500)
		if i == b.N-1 {
			user = "last"
		}
		records[i] = topic.Record{Key: []byte(user), Offset: int64(i), Timestamp: 1_700_000_000_000,
			Value: fmt.Appendf(nil, `{"user":%q,"country":"country_%d","amount":1234.56,"date":"2026-11-23T18:00:00Z"}`, user, i%5)}
	}
	ended := make(chan error, 1)
	b.ReportAllocs()
	b.ResetTimer()
	go func() { ended <- p.Run(b.Context()) }()
	for len(records) > 0 {
		n := min(len(records), 1000)
		p.Deliver(records[:n:n])
		records = records[n:]
	}
	select {
	case err := <-ended:
		b.Fatal(err)
	case <-out.done:
	case <-b.Context().Done():
		b.Fatal("ended early")
	}
	b.StopTimer()
	p.Drain()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}
