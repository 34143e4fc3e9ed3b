package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"faust/luabind/fault"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	m := open(t, Config{})
	path := script(t, "\xef\xbb\xbf#!/usr/bin/env -S faust run\nlocal x = 1\nerror('here')\n")
	fn, err := m.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	err = m.Run(t.Context(), "load", false, func(L *lua.LState) error {
		_, err := m.Call(L, "in main", fn, 0)
		return err
	})
	var e *fault.Error
	if !errors.As(err, &e) || e.Place.File != path || e.Place.Line != 3 {
		t.Errorf("got %#v", err)
	}
	if _, err := m.Load(script(t, "local x = = 1")); !errors.As(err, &e) || e.Code != fault.Syntax {
		t.Errorf("got %#v", err)
	}
	if _, err := m.Load(filepath.Join(t.TempDir(), "none.lua")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// The engine keeps only the first 25 550 list items of a constructor.
func TestLongLists(t *testing.T) {
	t.Parallel()
	m := open(t, Config{})
	list := func(n int) string {
		return "local x\nlocal f = function() return {" + strings.Repeat("1,", n) + "} end return #f()"
	}
	if got := eval(t, m, list(maxListItems)); got != "25550" {
		t.Errorf("got %s", got)
	}
	_, err := m.compile(list(maxListItems+1), "app.lua")
	var e *fault.Error
	if !errors.As(err, &e) || e.Place.Line != 2 || e.Code != fault.Syntax {
		t.Errorf("got %#v", err)
	}
}

// What the engine makes of list items and named fields in one table.
func TestMixedTables(t *testing.T) {
	t.Parallel()
	m := open(t, Config{})
	for src, want := range map[string]string{
		"local t = { 1, n = tostring(5) } return #t .. t.n":                                                                 "15",
		"local t = (function(...) return { 1, n = ... } end)(7, 8) return #t .. t.n":                                        "17",
		"local t = { 1, n = 2, (function() return 3, 4 end)() } return #t":                                                  "3",
		"local t = { " + strings.Repeat("1,", 50) + " a = 'x', b = tostring('y') } return #t .. t[1] .. t.a .. t.b":         "501xy",
		"local t = { " + strings.Repeat("1,", 100) + " a = 'x', 7, b = tostring('y') } return #t .. t[51] .. t[101] .. t.b": "10117y",
		"local t = { a = 'x', " + strings.Repeat("1,", 49) + " (function() return 2, 3 end)() } return #t .. t[51] .. t.a":  "513x",
	} {
		if got := eval(t, m, src); got != want {
			t.Errorf("%s: got %s, want %s", src, got, want)
		}
	}
}

// What the engine alone compiles wrong runs right, with the load-time pass and without.
func TestMended(t *testing.T) {
	t.Parallel()
	for _, pass := range []func([]ast.Stmt) ([]ast.Stmt, []lua.LValue){nil, hopeless} {
		check(t, Config{Pass: pass}, map[string]string{
			"local f = ipairs {} for _ in f, {1, 2}, 0 do do do break end end end local a, b = 1, 2 a, b = b, a return a, b":                                      "2 1",
			"local n = 0 local function f() n = n + 1 end for x in pairs {1, 2, 3} do f() if x == 2 then goto on end ::on:: end return n":                         "3",
			"local it, f = ipairs {1} for x in it, {1}, 0 do if true then local y = x + 6 f = function() return y end break end end local a, b = 1, 2 return f()": "7",
		})
	}
}

// An error in a form that is compiled in another one is told as if it were not.
func TestMendedErrors(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"local t, n = nil, 1\n\nt.x, n = 5, 2":                   "app.lua:3:1: cannot set 'x': t is nil", // as it is
		"local t, n = nil, 1\n\nt.x, n = n, 2":                   "app.lua:3:1: cannot set 'x': t is nil",
		"local t, n = nil, 1\nn, t.x =\n n + 1,\n n":             "app.lua:2:4: cannot set 'x': t is nil",
		"local a, b = 1, {}\na, b = b, a +\n b.x.y":              "app.lua:3:2: cannot read 'y': b.x is nil",
		"local a, b = 1\nb, a = a, a + b":                        "app.lua:2:15: cannot add: 'b' is nil",
		"for x in pairs {1} do if false then end\n  x.y.z() end": "app.lua:2:3: cannot read 'y': x is a number",
		"local a, b = 1, true\na = (b or a) and a\n.. {} or a":   "app.lua:3:4: cannot concatenate: one side is a table",
		"local f = 5\nfor x in f do if true then break end end":  "app.lua:2:10: cannot iterate over f",
	} {
		for _, pass := range []func([]ast.Stmt) ([]ast.Stmt, []lua.LValue){nil, hopeless} {
			_, err := run(t, open(t, Config{Pass: pass}), src)
			var e *fault.Error
			if !errors.As(err, &e) {
				t.Errorf("%s: %v", src, err)
			} else if got := fmt.Sprintf("%s:%d:%d: %s", e.Place.File, e.Place.Line, e.Place.Column, e.Message); !strings.HasPrefix(got, want) {
				t.Errorf("%s\n got  %s\n want %s", src, got, want)
			}
		}
	}
}

func TestPass(t *testing.T) {
	t.Parallel()
	m := open(t, Config{Pass: func(chunk []ast.Stmt) ([]ast.Stmt, []lua.LValue) {
		if len(chunk) == 1 {
			return chunk[:0], nil // not to be taken
		}
		return chunk[:len(chunk)-1], []lua.LValue{lua.LString("hidden")}
	}})
	if got := eval(t, m, "local h = ... do return function() return h end end return 2"); got != "hidden" {
		t.Errorf("got %q", got)
	}
	if got := eval(t, m, "return 2"); got != "2" {
		t.Errorf("got %q", got)
	}
}

// app writes files into a folder and gives a VM for it and its app.lua's function to run.
func app(t *testing.T, cfg Config, files map[string]string) (*VM, func() ([]lua.LValue, error)) {
	t.Helper()
	dir := t.TempDir()
	for name, src := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg.Root = dir
	m := open(t, cfg)
	return m, func() (out []lua.LValue, err error) {
		fn, err := m.Load(filepath.Join(dir, "app.lua"))
		if err != nil {
			return nil, err
		}
		err = m.Run(t.Context(), "main", false, func(L *lua.LState) error {
			out, err = m.Call(L, "in main", fn, lua.MultRet)
			return err
		})
		return out, err
	}
}

func TestRequire(t *testing.T) {
	t.Parallel()
	made := 0
	modules := map[string]func(*lua.LState) lua.LValue{"json": func(L *lua.LState) lua.LValue {
		made++
		t := L.NewTable()
		t.RawSetString("name", lua.LString("json"))
		return t
	}}
	_, run := app(t, Config{Modules: modules}, map[string]string{
		"app.lua": `
			local users = require 'lib.users'
			assert(users == require 'lib.users' and users.helper == 'next to users' and users.name == 'lib.users')
			assert(require 'helper' == 'at the root')
			assert(require 'pkg' == 'pkg')
			assert(require 'vendored' == 'lua_modules')
			assert(json.name == 'json' and require 'json' == json)
			assert(require 'string' == string and package.loaded.table == table)
			package.preload.virtual = function(name) return { name = name } end
			assert(require('virtual').name == 'virtual' and require 'virtual' == require 'virtual')
			package.loaded.mock = 42 assert(require 'mock' == 42)
			assert(require 'none' == true)
			package.loaded['pkg'] = nil assert(require 'pkg' == 'pkg')
			return count`,
		"lib/users.lua":            `return { name = ..., helper = require 'helper' }`,
		"lib/helper.lua":           `return 'next to users'`,
		"helper.lua":               `return 'at the root'`,
		"pkg/init.lua":             `count = (rawget(_G, 'count') or 0) + 1 return 'pkg'`,
		"lua_modules/vendored.lua": `return 'lua_modules'`,
		"none.lua":                 ``,
	})
	out, err := run()
	if err != nil {
		t.Fatal(err)
	}
	if out[0] != lua.LNumber(2) || made != 1 {
		t.Errorf("pkg ran %v times, json was made %d times", out[0], made)
	}
}

func TestRequireErrors(t *testing.T) {
	t.Parallel()
	for src, want := range map[string][]string{
		`require 'lib.usres'`:   {"module 'lib.usres' not found", "did you mean 'lib.users'?", "lib/usres.lua", "lua_modules"},
		`require 'cjson'`:       {"not found", "use json"},
		`require 'socket.http'`: {"not found", "use http"},
		`require '../x'`:        {"not found", "dots for slashes"},
		`require 'a'`:           {"requires itself", "app.lua:1", "call require inside"},
		`require 'bad'`:         {"lib.lua:2", "boom"},
		`require 'syntax'`:      {"syntax.lua:2"},
	} {
		_, run := app(t, Config{}, map[string]string{
			"app.lua": src, "lib/users.lua": "", "a.lua": "require 'b'", "b.lua": "require 'a'",
			"bad.lua": "require 'lib'", "lib.lua": "\nerror('boom')", "syntax.lua": "\nlocal = 3",
		})
		_, err := run()
		var e *fault.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", src, err)
			continue
		}
		all := e.Error() + strings.Join(e.Hints, " ") + e.Traceback()
		for _, n := range e.Notes {
			all += n.Text
		}
		for _, w := range want {
			if !strings.Contains(all, w) {
				t.Errorf("%s: no %q in\n%s", src, w, all)
			}
		}
	}
}

// A module that raised may be required again; one that another task loads is waited for.
func TestRequireFromManyTasks(t *testing.T) {
	t.Parallel()
	m, _ := app(t, Config{}, map[string]string{"slow.lua": `runs = (rawget(_G, 'runs') or 0) + 1 sleep(0.02) return runs`})
	set(m, "sleep", func(L *lua.LState) int {
		if err := m.Block(L, "sleep", func(context.Context) error { <-time.After(20 * time.Millisecond); return nil }); err != nil {
			Raise(L, err)
		}
		return 0
	})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if out, err := runAs(t.Context(), m, "t", false, `return require 'slow'`); err != nil || out[0] != lua.LNumber(1) {
				t.Errorf("got %v, %v", out, err)
			}
		})
	}
	wg.Wait()
}
