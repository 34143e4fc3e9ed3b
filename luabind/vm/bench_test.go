package vm

import (
	"context"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// inTask runs f in a task with a Lua function compiled from src.
func inTask(tb testing.TB, m *VM, src string, f func(L *lua.LState, fn *lua.LFunction)) {
	tb.Helper()
	err := m.Run(tb.Context(), "bench", false, func(L *lua.LState) error {
		chunk, err := m.compile(src, "bench.lua")
		if err != nil {
			return err
		}
		out, err := m.Call(L, "in bench", chunk, 1)
		if err != nil {
			return err
		}
		f(L, out[0].(*lua.LFunction))
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
}

func BenchmarkCall(b *testing.B) {
	m := open(b, Config{})
	inTask(b, m, `return function(x) end`, func(L *lua.LState, fn *lua.LFunction) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := m.Call(L, "x", fn, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchLoop(b *testing.B, m *VM, src string) {
	inTask(b, m, src, func(L *lua.LState, fn *lua.LFunction) {
		b.ReportAllocs()
		b.ResetTimer()
		if _, err := m.Call(L, "in bench", fn, 0, lua.LNumber(b.N)); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkPcall(b *testing.B) {
	benchLoop(b, open(b, Config{}), `local function f(x) return x end return function(n) for i = 1, n do pcall(f, i) end end`)
}

func BenchmarkPcallThatFails(b *testing.B) {
	benchLoop(b, open(b, Config{}), `local function f(x) error(x, 0) end return function(n) for i = 1, n do pcall(f, i) end end`)
}

func BenchmarkPause(b *testing.B) {
	m := open(b, Config{})
	withSleep(m)
	benchLoop(b, m, `return function(n) for i = 1, n do pause() end end`)
}

func BenchmarkBlock(b *testing.B) {
	m := open(b, Config{})
	nothing := func(context.Context) error { return nil }
	set(m, "block", func(L *lua.LState) int {
		if err := m.Block(L, "nothing", nothing); err != nil {
			Raise(L, err)
		}
		return 0
	})
	benchLoop(b, m, `return function(n) for i = 1, n do block() end end`)
}

func BenchmarkResume(b *testing.B) {
	benchLoop(b, open(b, Config{}), `return function(n) local f = coroutine.wrap(function() while true do coroutine.yield() end end) for i = 1, n do f() end end`)
}

// What a call costs in memory is bounded: its thread comes from the pool.
func TestAllocations(t *testing.T) {
	m := open(t, Config{})
	withSleep(m)
	inTask(t, m, `local function f() end return function() pcall(f) pause() end`, func(L *lua.LState, fn *lua.LFunction) {
		n := testing.AllocsPerRun(1000, func() {
			if _, err := m.Call(L, "in a test", fn, 0); err != nil {
				t.Fatal(err)
			}
		})
		if n > 0 {
			t.Errorf("a call with a pcall allocates %v times", n)
		}
	})
}
