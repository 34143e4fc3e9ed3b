package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// An error in a protected call must not detach locals that live on, nor share those that died (engine issue 448).
func TestUpvaluesSurviveErrors(t *testing.T) {
	t.Parallel()
	check(t, Config{Lax: true}, map[string]string{
		`local a
		 function use_a() return a end
		 pcall(function() error('an error') end)
		 a = 42
		 return use_a()`: "42",
		`local a
		 function use_a() return a end
		 xpcall(function() error('an error') end, function() end)
		 a = 42
		 return use_a()`: "42",
		`local saved
		 xpcall(function() local n = 10; saved = function() n = n + 1 return n end; error('x') end, function(e) return e end)
		 saved()
		 return saved()`: "12",
		`local saved = {}
		 for i = 1, 50 do
		   pcall(function() local n = i; saved[i] = function() n = n + 1 return n end; error('x') end)
		 end
		 local sum = 0
		 for i = 1, 50 do sum = sum + saved[i]() end
		 return sum`: "1325",
		`local n = 0
		 local function inc() n = n + 1 end
		 pcall(function() inc() pcall(function() inc() error() end) inc() local t = nil; t() end)
		 inc()
		 return n`: "4",
		`local n = 0
		 local co = coroutine.wrap(function() local function inc() n = n + 1 end pcall(function() inc() error() end) inc() coroutine.yield() inc() end)
		 co() co()
		 return n`: "3",
	})
}

func TestErrorPassesValuesOn(t *testing.T) {
	t.Parallel()
	check(t, Config{}, map[string]string{
		`local x = {} local ok, e = pcall(error, x) return tostring(e == x)`:                                                                                            "true",
		`return select(2, pcall(error, 'text', 0))`:                                                                                                                     "text",
		`return select(2, pcall(function() error('text') end))`:                                                                                                         "app.lua:1: text",
		"local function f()\n error('msg', 2)\nend\nlocal function g()\n\n  f()\nend\nreturn select(2, pcall(g))":                                                       "app.lua:6: msg",
		"local function f()\n error('msg', 1)\nend\nreturn select(2, pcall(f))":                                                                                         "app.lua:2: msg",
		"local function f()\n error('msg', 3)\nend\nlocal function g()\n f()\nend\n\nlocal function h()\n g()\nend\nh = pcall(h) and 1 or select(2, pcall(h)) return h": "app.lua:9: msg",
		"local function f()\n error('msg', 3)\nend\nlocal ok, e = pcall(f)\nreturn e":                                                                                   "app.lua:4: msg",
		`return select(2, pcall(error, 42))`:                                                                                                                            "42",
		`return select('#', pcall(error))`:                                                                                                                              "2",
		`return select(2, pcall(assert, false, 'as it is'))`:                                                                                                            "as it is",
		`return type(select(2, pcall(assert, nil, {})))`:                                                                                                                "table",
		`return select(2, pcall(assert, nil)).message`:                                                                                                                  "assertion failed!",
		`return select(2, xpcall(function() error('a', 0) end, function(e) return e .. 'b' end))`:                                                                       "ab",
		`return select(2, xpcall(function(...) return select('#', ...) end, error, 1, 2, 3))`:                                                                           "3",
		`return select(2, xpcall(function() error('a', 0) end, function(e) error('in handler', 0) end))`:                                                                "in handler",
		`local ok, e = coroutine.resume(coroutine.create(function() error('a', 0) end)) return tostring(ok), e`:                                                         "false a",
		`return select(2, pcall(coroutine.wrap(function() error('a', 0) end)))`:                                                                                         "a",
		`local x = {} return tostring(select(2, pcall(coroutine.wrap(function() error(x) end))) == x)`:                                                                  "true",
	})
}

func TestErrorObjects(t *testing.T) {
	t.Parallel()
	check(t, Config{}, map[string]string{
		`local ok, e = pcall(function() local t; return t.x end) return type(e), e.code, e.file, e.line`:                  "userdata script app.lua 1",
		`local ok, e = pcall(function() local t; return t.x end) return tostring(e) == e .. '', ('' .. e) == tostring(e)`: "true true",
		`local ok, e = pcall(function() local t; return t.x end)
		 local ok2, e2 = pcall(error, e)
		 return e == e2, rawequal(e, e2), e ~= nil`: "true true true",
		`local ok, e = pcall(function() local t; return t.x end) return #e.traceback > 0, e.nothing`:                                   "true nil",
		`local ok, e = pcall(function() local t; return t.x end) return tostring(pcall(function() e.message = 1 end))`:                 "false",
		`local ok, e = pcall(function() local t; return t.x end) return e:sub(1, 9), e:match('^(.-):'), string.len(e) == #tostring(e)`: "app.lua:1 app.lua true",
		`local ok, e = pcall(coroutine.wrap(function() local t; return t.x end)) return e.line`:                                        "1",
		`local ok, e = xpcall(function() local t; return t.x end, function(e) return e.code end) return e`:                             "script",
	})
}

func TestGoErrorsKeepTheirIdentity(t *testing.T) {
	t.Parallel()
	m := open(t, Config{})
	sentinel := fmt.Errorf("open orders: %w", fs.ErrNotExist)
	set(m, "fail", func(L *lua.LState) int { Raise(L, sentinel); return 0 })
	for _, src := range []string{`fail()`, `local ok, e = pcall(fail) error(e)`, `local ok, e = pcall(function() fail() end) error(e, 2)`,
		`coroutine.wrap(fail)()`, `assert(pcall(fail))` + ` local ok, e = pcall(fail) assert(ok, e)`} {
		_, err := run(t, m, src)
		var e *fault.Error
		if src[0] == 'a' {
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &e) || e.Place.Line != 1 {
			t.Errorf("%s: %v", src, err)
		}
	}
	if got := eval(t, m, `local ok, e = pcall(fail) return e.message, e.cause`); got != "open orders: file does not exist open orders: file does not exist" {
		t.Errorf("got %q", got)
	}
	set(m, "timeout", func(L *lua.LState) int { Raise(L, context.DeadlineExceeded); return 0 })
	if got := eval(t, m, `local ok, e = pcall(timeout) return e.code`); got != "timeout" {
		t.Errorf("got %q", got)
	}
}

// What a script gave to error() comes back as it was, also through a Go function between.
func TestValueThroughGo(t *testing.T) {
	t.Parallel()
	m := open(t, Config{})
	set(m, "through", func(L *lua.LState) int {
		if _, err := m.Call(L, "in through", L.Get(1), 0); err != nil {
			Raise(L, err)
		}
		return 0
	})
	if got := eval(t, m, `local x = {} local ok, e = pcall(through, function() error(x) end) return e == x`); got != "true" {
		t.Errorf("got %q", got)
	}
	_, err := run(t, m, "through(function()\n error('deep')\nend)")
	var e *fault.Error
	if !errors.As(err, &e) || e.Value != lua.LString("app.lua:2: deep") || e.Place.Line != 2 {
		t.Errorf("got %#v", err)
	}
}

func TestTracebackCrossesProtectedCalls(t *testing.T) {
	t.Parallel()
	m := open(t, Config{})
	_, err := run(t, m, "local function inner()\n error({})\nend\nlocal function outer()\n coroutine.wrap(inner)()\n return 1\nend\nlocal r = outer()")
	var e *fault.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	var lines []int
	for _, f := range e.Trace {
		if f.File != "" {
			lines = append(lines, f.Line)
		}
	}
	if fmt.Sprint(lines) != "[2 5 8]" || e.Trace[len(e.Trace)-1].What != "in the test" {
		t.Errorf("trace %v", e.Trace)
	}
}

func TestGoPanic(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	m := open(t, Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	set(m, "broken", func(*lua.LState) int { var s []int; return s[3] })
	got := eval(t, m, `local ok, e = pcall(broken) return tostring(ok), e.code, e.message, tostring(e.traceback:find('goroutine'))`)
	if got != "false script internal error: runtime error: index out of range [3] with length 0 nil" {
		t.Errorf("got %s", got)
	}
	if !strings.Contains(log.String(), "goroutine") || !strings.Contains(log.String(), "panic in a host function") {
		t.Errorf("log %s", log.String())
	}
	for _, src := range []string{`broken()`, `coroutine.wrap(broken)()`, `local t = setmetatable({}, {__index = broken}) return t.x`, `table.sort({1,2,3}, broken)`} {
		if _, err := run(t, m, src); err == nil || !strings.Contains(err.Error(), "internal error") {
			t.Errorf("%s: %v", src, err)
		}
	}
	err := m.Run(t.Context(), "f", false, func(*lua.LState) error { panic("in f") })
	if err == nil || !strings.Contains(err.Error(), "in f") {
		t.Errorf("got %v", err)
	}
	if got := eval(t, m, `return 1`); got != "1" {
		t.Error("the machine does not work any more")
	}
}

func TestEndlessRecursionIsAnError(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		`local function f() return 1 + f() end f()`,
		`local function f() local ok, e = pcall(f) if not ok then error(e, 0) end end f()`,
		`local function f() coroutine.wrap(f)() end f()`,
		`local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k .. 'x'] end return t.a`,
		`local function f() ('x'):gsub('x', f) end f()`,
	} {
		m := open(t, Config{})
		_, err := run(t, m, src)
		if err == nil || !strings.Contains(err.Error(), "stack overflow") {
			t.Errorf("%s\n%v", src, err)
		}
		if got := eval(t, m, `return 1`); got != "1" {
			t.Error("the machine does not work any more")
		}
	}
}

func TestYieldOnlyWhereItWorks(t *testing.T) {
	t.Parallel()
	check(t, Config{}, map[string]string{
		`local co = coroutine.create(function() return coroutine.yield(1) end)
		 local _, a = coroutine.resume(co) local _, b, c = coroutine.resume(co, 5, 6)
		 return a, b, c, coroutine.status(co)`: "1 5 6 dead",
		`local function gen(n) for i = 1, n do coroutine.yield(i) end end
		 local s = 0 for v in coroutine.wrap(function() gen(3) gen(2) end) do s = s + v end return s`: "9",
		`return tostring(coroutine.running()), tostring(coroutine.isyieldable())`: "nil false",
		`local co co = coroutine.create(function() return coroutine.running() == co, coroutine.isyieldable(), coroutine.status(co) end)
		 return select(2, coroutine.resume(co))`: "true true running",
	})
	for _, body := range []string{
		`pcall(function() coroutine.yield() end) error(select(2, pcall(coroutine.yield)))`,
		`for x in function() coroutine.yield(1) end do end`,
		`local t = setmetatable({}, {__index = function() coroutine.yield(1) end}) return t.x`,
		`table.sort({3, 2, 1}, function() coroutine.yield(1) end)`,
		`('abc'):gsub('.', function() coroutine.yield(1) end)`,
	} {
		_, err := run(t, open(t, Config{}), `local co = coroutine.create(function() `+body+` end)
			local ok, e = coroutine.resume(co) assert(not ok) error(e)`)
		if err == nil || !strings.Contains(err.Error(), "cannot yield") {
			t.Errorf("%s\n%v", body, err)
		}
	}
	if _, err := run(t, open(t, Config{}), `coroutine.yield()`); err == nil || !strings.Contains(err.Error(), "outside of a coroutine") {
		t.Error(err)
	}
}
