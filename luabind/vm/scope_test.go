package vm

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"faust/luabind/fault"
)

// inScopeOf runs src in the scope and gives its first result as text.
func inScopeOf(t *testing.T, m *VM, s *Scope, src string) (string, error) {
	t.Helper()
	out := "nothing"
	err := m.Run(t.Context(), "test", true, func(L *lua.LState) error {
		fn, err := s.Compile(src, "typed", func(c []ast.Stmt) []ast.Stmt { return c })
		if err != nil {
			return err
		}
		values, err := m.Call(L, "in main chunk", fn, lua.MultRet)
		if len(values) > 0 {
			out = text(errorText(values[0]))
		}
		return err
	})
	return out, err
}

func TestScope(t *testing.T) {
	m := open(t, Config{})
	if _, err := run(t, m, "shared = 1 function bump() shared = shared + 1 return shared end"); err != nil {
		t.Fatal(err)
	}
	s := m.NewScope(Names{
		Find: func(name string) lua.LValue {
			if name == "declared" {
				return lua.LString("by the app")
			}
			return nil
		},
		All: func() []string { return []string{"declared"} },
	})
	for _, c := range []struct{ src, want string }{
		{"return shared", "1"},
		{"return declared", "by the app"},
		{"own = 5 return own", "5"},
		{"local a, b, c = 1, 2, 3 a, b, c = c, a, b return c", "2"},
		{"return own + 1", "6"},
		{"function f() inner = 7 end f() return inner", "7"},
		{"shared = 'mine' return shared", "mine"},
		{"return bump()", "2"},
		{"shared = nil return tostring(shared)", "nil"},
		{"declared = nil return tostring(declared)", "nil"},
	} {
		got, err := inScopeOf(t, m, s, c.src)
		if err != nil || got != c.want {
			t.Errorf("%s: %s, %v; want %s", c.src, got, err, c.want)
		}
	}
	if got := strings.Join(s.Vars(), " "); got != "declared f inner own shared" {
		t.Errorf("variables: %s", got)
	}
	if got := eval(t, m, "return shared, tostring(rawget(_G, 'own'))"); got != "2 nil" {
		t.Errorf("the app's globals are %s", got)
	}
	if _, err := inScopeOf(t, m, s, "return inne"); err == nil || !strings.Contains(err.Error(), "'inne' is not defined") {
		t.Errorf("an undefined name: %v", err)
	} else if e := asErr(t, err); len(e.Hints) != 1 || e.Hints[0] != "did you mean 'inner'?" {
		t.Errorf("hints %q", e.Hints)
	}
}

func asErr(t *testing.T, err error) *fault.Error {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) {
		t.Fatalf("not an error of ours: %v", err)
	}
	return e
}

// What a chunk calls last keeps the chunk's own frame in the traceback.
func TestScopeKeepsFrames(t *testing.T) {
	m := open(t, Config{})
	if err := runChunk(t.Context(), m, "app.lua", "function broken() local x = nil; return x.y end"); err != nil {
		t.Fatal(err)
	}
	s := m.NewScope(Names{Find: func(string) lua.LValue { return nil }, All: func() []string { return nil }})
	_, err := inScopeOf(t, m, s, "return broken()")
	if trace := asErr(t, err).Traceback(); !strings.Contains(trace, "typed:1") || strings.Contains(trace, "tail calls") {
		t.Errorf("traceback\n%s", trace)
	}
}

var errLong = errors.New("too long")

// limited runs src with a limit, whose end ends it with errLong.
func limited(t *testing.T, m *VM, after time.Duration, src string) error {
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	return m.Run(ctx, "limited", true, func(L *lua.LState) error {
		m.Limit(after, func() { stop(errLong) })
		fn, err := m.compile(src, "app.lua")
		if err != nil {
			return err
		}
		_, err = m.Call(L, "in the test", fn, 0)
		return err
	})
}

// A task that holds the baton too long is told, whatever it does and however long it took to get there.
func TestLimit(t *testing.T) {
	m := open(t, Config{})
	set(m, "wait", func(L *lua.LState) int {
		if err := m.Block(L, "a moment", func(ctx context.Context) error { return context.Cause(ctx) }); err != nil {
			Raise(L, err)
		}
		return 0
	})
	for _, src := range []string{
		"while true do end",
		"while true do pcall(function() while true do end end) end",
		"while true do xpcall(error, function() while true do end end) end",
		"local co = coroutine.wrap(function() while true do end end) co()",
		"wait() while true do end",
		"local s = ('a'):rep(30000) while true do pcall(string.find, s, ('a?'):rep(30) .. 'b') end",
		"for _ in (('a'):rep(30000)):gmatch(('a?'):rep(30) .. 'b') do end while true do end",
		"(('a'):rep(30000)):gsub(('a-'):rep(30) .. 'b', '') while true do end",
		"table.sort({1,2,3,4}, function(a, b) while true do end end)",
		"return tostring(setmetatable({}, { __tostring = function() while true do end end }))",
	} {
		for _, after := range []time.Duration{50 * time.Millisecond, time.Nanosecond} { // the second is over before anything has run
			if err := limited(t, m, after, src); !errors.Is(err, errLong) {
				t.Errorf("%s, after %s: %v", src, after, err)
			}
		}
	}
}

// One that waits now and then is not told, however long it takes in all.
func TestLimitIsOfOneStretch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{})
		withSleep(m)
		if err := limited(t, m, time.Second, "for i = 1, 10 do sleep(0.9) end"); err != nil {
			t.Errorf("it held the machine for less than the limit each time: %v", err)
		}
	})
}

// What a computer did meanwhile is not what the task did: of a limit that is long over when that is seen for the first time, the task has the rest.
func TestLimitOfABusyComputer(t *testing.T) {
	t.Parallel()
	m := open(t, Config{})
	err := m.Run(t.Context(), "limited", true, func(*lua.LState) error {
		over := 0
		m.Limit(time.Hour, func() { over++ })
		l := m.current().limit
		m.mu.Lock()
		l.t.since = time.Now().Add(-2 * time.Hour)
		m.mu.Unlock()
		for range limitSteps - 1 {
			l.passed()
		}
		if over > 0 {
			t.Error("it is over at once")
		}
		if l.passed(); over != 1 {
			t.Errorf("told %d times", over)
		}
		m.Limit(0, nil)
		if l.passed(); over != 1 {
			t.Error("told after the limit was lifted")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
