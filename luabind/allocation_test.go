package luabind_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"faust/luabind"
)

// TestAllocations bounds what a record costs on its way through an agent. Not parallel: others' allocations would count.
func TestAllocations(t *testing.T) { //nolint:paralleltest // see above
	const declared = `
		local Withdrawal = app.record('Withdrawal', { user = 'string', country = 'string', amount = 'float', region = { type = 'string', default = 'eu' }, fee = { type = 'float', default = 2 } })
		local input, out = app.topic('in', { value = Withdrawal }), app.topic('out', { value = Withdrawal })
		local totals = app.table('totals', { default = 0 })
		app.agent('a', input, { on_error = 'stop' }, function(stream) for w in stream do `
	for _, c := range []struct {
		name, body string
		sends      bool
		most       int64
	}{
		{"filter", `if w.amount < 0 or w.user == 'last' then out:send { key = w.country, value = Withdrawal { user = w.user, country = w.country, amount = w.amount } } end`, false, 1},
		{"table", `totals[w.country] = totals[w.country] + w.amount if w.user == 'last' then out:send { key = w.user, value = Withdrawal { user = w.user, country = w.country, amount = w.amount } } end`, false, 2},
		{"table of defaults", `totals[w.region] = totals[w.region] + w.fee if w.user == 'last' then out:send { key = w.user, value = Withdrawal { user = w.user, country = w.country, amount = w.amount } } end`, false, 2},
		{"forward", `out:send { key = w.user, value = w }`, true, 4},
		{"map", `out:send { key = w.user, value = Withdrawal { user = w.user, country = w.country:upper(), amount = w.amount * 0.01 } }`, true, 6},
	} {
		t.Run(c.name, func(t *testing.T) { //nolint:paralleltest // as above
			fixedRecords(t, "20000x")
			path := filepath.Join(t.TempDir(), "app.lua")
			if err := os.WriteFile(path, []byte(declared+c.body+" end end)"), 0o600); err != nil {
				t.Fatal(err)
			}
			got := testing.Benchmark(func(b *testing.B) {
				s, err := luabind.Load(path, luabind.Config{})
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				s.App.Attach(idle{state: &host{state: newState()}})
				runRecords(b, s.App.Agents[0], c.sends)
			})
			if n := got.AllocsPerOp(); got.N < 1000 || n > c.most {
				t.Errorf("%d allocations for each of %d records, want at most %d", n, got.N, c.most)
			}
		})
	}
}

// fixedRecords has benchmarks run for so many records rather than for a time, in which a busy machine may do only the first one.
func fixedRecords(t *testing.T, count string) {
	t.Helper()
	f := flag.Lookup("test.benchtime")
	before := f.Value.String()
	t.Cleanup(func() { _ = f.Value.Set(before) })
	if err := f.Value.Set(count); err != nil {
		t.Fatal(err)
	}
}
