package luabind_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"faust/luabind"
)

// Which agent uses which table is found in its code, while the file is loaded.
func TestTablesOfAgents(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		path := write(t, `
			local up, called, entry, nested, declared, sunk, meta, listed, mapped, other, unused =
				app.table('up'), app.table('called'), app.table('entry'), app.table('nested'), app.table('declared'), app.table('sunk'), app.table('meta'), app.table('listed'),
				app.table('mapped'), app.table('other'), app.table('unused')
			global = app.table('global')
			local lib = require 'lib'
			local input = app.topic('in')
			local function call() called.x = 1 end
			local function between() return call() end
			local box = { inner = { entry } }
			local object = setmetatable({}, { __index = { get = function() return meta.x end } })
			local cycle = {} cycle.cycle = cycle
			local rows = {} for i = 1, 150000 do rows[i] = { {} } end
			function globally() return byname() end
			function byname() return listed.x end
			app.agent('a', input, { tables = { declared }, sinks = { function(v) sunk.x = v end } }, function(stream)
				local values = stream:map(function(v) return mapped[v] end)
				for v in values do
					up.x = v
					global.x = v
					between()
					print(rows[1], box.inner[1], object.get(), cycle, globally())
					local function deep() return function() nested.x = 1 end end
					lib.write(v)
					app.tables.named.x = 1
				end
			end)
			app.agent('b', input, function(stream) for v in stream do other.x = app.agents.a end end)
			app.table('named')
			app.task(function() print(unused.x) end)`)
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), "lib.lua"), []byte("local kept = app.table('module')\nreturn { write = function(v) kept.x = v end }"), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := luabind.Load(path, luabind.Config{NoPass: plain})
		if err != nil {
			t.Fatal(render(err))
		}
		defer s.Close()
		var got []string
		for _, def := range s.App.Tables {
			got = append(got, fmt.Sprintf("%s %s %s", def.Name, strings.Join(def.Agents, "+"), strings.Join(def.Sources, "+")))
		}
		equal(t, "tables", sorted(got), "called a in", "declared a in", "entry a in", "global a in", "listed a in", "mapped a in", "meta a in", "module a in", "named a in",
			"nested a in", "other b in", "sunk a in", "unused  ", "up a in")
	})
}

// A use that the walk cannot see is refused, with the fix.
func TestTableUndeclared(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		s := loadWith(t, `app.table('hidden-one')
			local name, out = 'hidden-one', app.topic 'out'
			app.agent('a', app.topic('in'), { on_error = 'skip' }, function(stream)
				for v in stream do
					if v == 1 then print(app.tables[name].x) else app.tables[name].x = 1 end
				end
			end)
			app.agent('b', app.topic('in2'), { tables = { app.tables[name] } }, function(stream)
				for v in stream do app.tables[name].x = v out:send { value = 1 } end
			end)`, luabind.Config{NoPass: plain})
		deliver, drain := s.agent("a")
		deliver(json("1", "2")...)
		s.until("failed", func() bool { return len(s.failed) == 2 })
		_ = drain()
		for _, f := range s.failed {
			if !strings.Contains(f, "agent 'a' uses table 'hidden-one' in a way that was not found while loading: declare  tables = { hidden_one }") {
				t.Errorf("failed %q", f)
			}
		}
		deliver, drain = s.agent("b")
		deliver(json("3")...)
		s.until("settled", func() bool { return len(s.settled) == 1 })
		_ = drain()
		equal(t, "content", s.content("hidden-one"), "x=3")
	})
}
