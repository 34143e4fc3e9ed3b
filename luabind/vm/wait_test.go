package vm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// withSleep gives m a sleep(seconds) that waits through Block, and a pause().
func withSleep(m *VM) {
	set(m, "sleep", func(L *lua.LState) int {
		d := time.Duration(float64(L.CheckNumber(1)) * float64(time.Second))
		err := m.Block(L, "sleep "+d.String(), func(ctx context.Context) error {
			select {
			case <-time.After(d):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if err != nil {
			Raise(L, err)
		}
		return 0
	})
	set(m, "pause", func(L *lua.LState) int { m.Pause(L); return 0 })
}

// everywhere waits in every place where Lua code runs, keeping a sum that comes out right only if no place loses its state.
const everywhere = `
local n = 0
local function wait() sleep(0.001) n = n + 1 end
for i in function(_, i) wait() if (i or 0) < 3 then return (i or 0) + 1 end end do end      -- for: 4
assert(pcall(wait))                                                                          -- 5
local ok, e = pcall(function() wait() error({}) end) assert(not ok and type(e) == 'table')   -- 6
assert(xpcall(wait, function() end))                                                         -- 7
xpcall(function() wait() error('x') end, function(e) wait() return e end)                    -- 9
local mt = { __index = function(t, k) wait() return k end, __add = function(a, b) wait() return 5 end,
  __eq = function() wait() return true end, __call = function(self, x) wait() return x end, __concat = function() wait() return 'c' end }
local a, b = setmetatable({}, mt), setmetatable({}, mt)
assert(a.foo == 'foo' and a + b == 5 and a == b and a(7) == 7 and a .. b == 'c')             -- 14
local t = { 3, 1, 2 }
local compared = 0
table.sort(t, function(x, y) compared = compared + 1 wait() return x < y end)
assert(t[1] == 1 and t[2] == 2 and t[3] == 3)
assert(string.gsub('abc', '.', function(c) wait() return c:upper() end) == 'ABC')            -- 17
local co = coroutine.wrap(function(x) wait() x = coroutine.yield(x + 1) wait() return x * 2 end)
assert(co(1) == 2 and co(21) == 42)                                                          -- 19
local function tail() return wait() end tail()                                               -- 20
local deep = coroutine.create(function() return pcall(function() wait() return select(2, coroutine.resume(coroutine.create(function() wait() return 'in' end))) end) end)
local _, ok, v = coroutine.resume(deep) assert(ok and v == 'in')                             -- 22
return n - compared
`

func TestWaitEverywhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{})
		withSleep(m)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for range 5 {
					out, err := runAs(t.Context(), m, fmt.Sprint("task ", i), i%2 == 0, everywhere)
					if err != nil || text(out[0]) != "22" {
						t.Errorf("got %v, %v", out, err)
					}
				}
			})
		}
		wg.Wait()
		if n := len(m.Tasks()); n != 0 {
			t.Errorf("%d tasks are left", n)
		}
	})
}

func TestLocalAndContextAreTheTasks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{})
		withSleep(m)
		type key struct{}
		set(m, "mine", func(L *lua.LState) int {
			if *m.Local() == nil {
				*m.Local() = L.Get(1)
			}
			L.Push(lua.LBool(*m.Local() == L.Get(1) && m.Context().Value(key{}) == string(L.Get(1).(lua.LString))))
			return 1
		})
		var wg sync.WaitGroup
		for i := range 5 {
			id := fmt.Sprint("t", i)
			wg.Go(func() {
				ctx := context.WithValue(t.Context(), key{}, id)
				src := fmt.Sprintf(`for i = 1, 20 do assert(mine('%s')) sleep(0.001 * (i %% 3)) pcall(function() sleep(0.001) error() end) end`, id)
				if _, err := runAs(ctx, m, id, false, src); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

// A coroutine that waits in one task cannot be resumed by another, and goes on afterwards.
func TestParkedCoroutineIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{Lax: true})
		withSleep(m)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := runAs(t.Context(), m, "a", false, `
				co = coroutine.create(function() sleep(1) coroutine.yield(1) return 2 end)
				local w = coroutine.wrap(function() sleep(1) return 3 end) wrapped = w
				assert(select(2, coroutine.resume(co)) == 1)
				assert(w() == 3)
				assert(select(2, coroutine.resume(co)) == 2)`); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if _, err := runAs(t.Context(), m, "b", false, `
				sleep(0.5)
				local ok, e = coroutine.resume(co)
				assert(not ok and e:find('waiting in another task'), e)
				assert(coroutine.status(co) == 'normal')
				sleep(1)
				local ok, e = pcall(wrapped)
				assert(not ok and e:find('waiting in another task'), e)`); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
	})
}

// A task that pauses lets those in that wait, in order of arrival.
func TestPauseIsFair(t *testing.T) {
	t.Parallel()
	m := open(t, Config{Slice: time.Nanosecond})
	withSleep(m)
	var stop lua.LValue = lua.LFalse
	set(m, "stopped", func(L *lua.LState) int { L.Push(stop); return 1 })
	set(m, "stop", func(*lua.LState) int { stop = lua.LTrue; return 0 })
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, err := runAs(t.Context(), m, "spin", false, `while not stopped() do pause() end`); err != nil {
				t.Error(err)
			}
		})
	}
	for i := range 100 {
		if _, err := runAs(t.Context(), m, "guest", false, `return 1`); err != nil {
			t.Fatal(i, err)
		}
	}
	if _, err := runAs(t.Context(), m, "stop", false, `stop()`); err != nil {
		t.Error(err)
	}
	wg.Wait()
}

// With a clock that stands still while tasks run, the count of pauses ends a slice.
func TestPauseWithoutClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{})
		withSleep(m)
		done := lua.LValue(lua.LFalse)
		set(m, "done", func(L *lua.LState) int { L.Push(done); return 1 })
		set(m, "finish", func(*lua.LState) int { done = lua.LTrue; return 0 })
		var wg sync.WaitGroup
		for _, src := range []string{`while not done() do pause() end`, `finish()`} {
			wg.Go(func() {
				if _, err := runAs(t.Context(), m, "t", false, src); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func TestCancelledPassesThrough(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`while true do pcall(sleep, 100) end`,
		`while true do xpcall(function() sleep(100) end, function(e) return 'caught' end) end`,
		`while true do coroutine.resume(coroutine.create(function() sleep(100) end)) end`,
		`while true do pcall(coroutine.wrap(function() sleep(100) end)) end`,
		`while true do pcall(string.gsub, 'a', 'a', function() sleep(100) end) end`,
	} {
		synctest.Test(t, func(t *testing.T) {
			m := open(t, Config{})
			withSleep(m)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			_, err := runAs(ctx, m, "t", false, body)
			var e *fault.Error
			if !errors.As(err, &e) || e.Code != fault.Cancelled || !errors.Is(err, context.Canceled) {
				t.Errorf("%s\n%v", body, err)
			}
		})
	}
}

// A task that is interruptible ends with its context even if its Lua never waits.
func TestInterruptible(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`while true do end`, `pcall(function() while true do end end)`, `while true do pcall(function() while true do end end) end`,
		`coroutine.wrap(function() while true do end end)()`} {
		m := open(t, Config{})
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("revoked")
		go func() {
			for {
				if h, ok := m.Holder(); ok && h.State == stateRunning {
					cancel(why)
					return
				}
			}
		}()
		_, err := runAs(ctx, m, "t", true, body)
		var e *fault.Error
		if !errors.As(err, &e) || e.Code != fault.Cancelled || !errors.Is(err, why) {
			t.Errorf("%s\n%v", body, err)
		}
	}
}

func TestRunGivesUpWhileItWaitsForTheBaton(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{})
		release := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = m.Run(t.Context(), "holder", false, func(*lua.LState) error { <-release; return nil })
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := m.Run(ctx, "late", false, func(*lua.LState) error { t.Error("ran"); return nil })
		var e *fault.Error
		if !errors.As(err, &e) || e.Code != fault.Cancelled {
			t.Errorf("got %v", err)
		}
		close(release)
		wg.Wait()
	})
}

func TestTasks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{})
		withSleep(m)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, _ = runAs(t.Context(), m, "agent x/1", false, "local function deep()\n  sleep(10)\nend\npcall(deep)")
		})
		synctest.Wait()
		tasks := m.Tasks()
		if len(tasks) != 1 {
			t.Fatalf("tasks %v", tasks)
		}
		got := tasks[0]
		if got.Name != "agent x/1" || got.State != stateWaiting || got.What != "sleep 10s" || len(got.Stack) != 2 ||
			got.Stack[0].Line != 2 || got.Stack[1].Line != 4 {
			t.Errorf("task %+v", got)
		}
		if _, ok := m.Holder(); ok {
			t.Error("somebody holds the baton")
		}
		wg.Wait()
	})
}

// The place of a task that never gives the baton away is read while it runs.
func TestHolderOfARunawayTask(t *testing.T) {
	t.Parallel()
	m := open(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = runAs(ctx, m, "runaway", true, "local function spin()\n  while true do\n    local x = pcall(function() return 1 end)\n  end\nend\nspin()")
	})
	seen := 0
	for seen < 200 {
		if h, ok := m.Holder(); ok && h.Name == "runaway" && len(h.Stack) > 0 && strings.HasPrefix(h.Stack[0].File, "app.lua") {
			seen++
		}
	}
	if tasks := m.Tasks(); len(tasks) != 1 || tasks[0].State != stateRunning {
		t.Errorf("tasks %+v", tasks)
	}
	cancel()
	wg.Wait()
}

// A place that is read while a loop runs is in the loop, also at the moment of the jump back.
func TestPlaceInALoop(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"while":   "local n, told = 1, false\nwhile true do\n  if not told and n > 1 then told = true end\nend",
		"empty":   "local n, told = 1, false\nwhile true do\nend",
		"for":     "local n, told = 1, false\nfor i = 1, 1e18 do\nn = i\nend",
		"repeat":  "local n, told = 1, false\nrepeat\nn = n + 1\nuntil told",
		"generic": "local n, told = 1, false\nfor i in function() return 1 end do\nn = i\nend",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := open(t, Config{})
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = runAs(ctx, m, "runaway", true, "local function spin()\n"+src+"\nend\nspin()") })
			within := func() bool {
				h, ok := m.Holder()
				return ok && len(h.Stack) > 1 && h.Stack[0].Line > 2
			}
			for !within() { //nolint:revive // until it is there
			}
			for range 20000 {
				if h, ok := m.Holder(); !ok || len(h.Stack) > 0 && h.Stack[0].Line < 3 {
					t.Errorf("at %+v", h.Stack)
					break
				}
			}
			cancel()
			wg.Wait()
		})
	}
}
