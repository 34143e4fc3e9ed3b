package mend

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"faust/luabind/rewrite"
	"faust/tests/seed"
)

var (
	programCount = flag.Int("program.count", 500, "programs of TestPrograms")
	programLua   = flag.String("program.lua", "", "a command, another Lua with goto, that TestPrograms compares with as well")
)

// hidden are functions for the load-time pass. hopeful: an iterator function is a stream; everything else is nothing special.
func hidden(L *lua.LState, sites []rewrite.Site, hopeful bool) []lua.LValue {
	no := func(L *lua.LState) int { L.Push(lua.LFalse); return 1 }
	fns := map[string]lua.LGFunction{}
	if hopeful {
		fns[rewrite.IsStream] = func(L *lua.LState) int { L.Push(lua.LBool(L.Get(1).Type() == lua.LTFunction)); return 1 }
		fns[rewrite.Keep] = func(*lua.LState) int { return 1 }
		fns[rewrite.Each] = func(L *lua.LState) int {
			fields, f := sites[L.CheckInt(1)].Fields, L.Get(2)
			L.Push(L.NewFunction(func(L *lua.LState) int {
				L.Push(f)
				L.Push(lua.LNil)
				L.Push(L.Get(2))
				L.Call(2, 1)
				for _, name := range fields {
					v := lua.LNil
					if t, ok := L.Get(3).(*lua.LTable); ok {
						v = L.GetField(t, name)
					}
					L.Push(v)
				}
				return 1 + len(fields)
			}))
			return 1
		}
	}
	out := make([]lua.LValue, len(rewrite.Hidden))
	for i, name := range rewrite.Hidden {
		f := fns[name]
		if f == nil {
			f = no
		}
		out[i] = L.NewFunction(f)
	}
	return out
}

// rewritten is the loader that applies the load-time pass.
func rewritten(hopeful bool) loader {
	return func(t *testing.T, L *lua.LState, chunk []ast.Stmt) *lua.LFunction {
		t.Helper()
		var p rewrite.Pass
		chunk, changed := p.Chunk(chunk)
		fn := by(Compile)(t, L, chunk)
		if changed {
			if err := L.CallByParam(lua.P{Fn: fn, NRet: 1, Protect: true}, hidden(L, p.Sites, hopeful)...); err != nil {
				t.Fatal(err)
			}
			fn = L.Get(-1).(*lua.LFunction)
			L.Pop(1)
		}
		return fn
	}
}

// TestPrograms runs random programs, as written and rewritten, and compares what they print with what they should.
func TestPrograms(t *testing.T) {
	t.Parallel()
	base := seed.Of(t)
	loaders := map[string]loader{"as written": by(Compile), "rewritten": rewritten(true), "rewritten in vain": rewritten(false)}
	ran, wrong, bad := 0, 0, []string{}
	for i := range *programCount {
		n := base + uint64(i)
		src := program(n)
		want, err := runOracle(src)
		if errors.Is(err, errTooLong) {
			continue
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
		ran++
		if *programLua != "" {
			if got := otherLua(t, src); got != want {
				t.Errorf("SEED=%d: %s differs\n%s\nwant:\n%s\ngot:\n%s", n, *programLua, src, want, got)
			}
		}
		right := len(bad)
		for how, load := range loaders {
			if got := run(t, src, load); got != want {
				bad = append(bad, fmt.Sprintf("SEED=%d -program.count 1, %s:\n%s\nwant:\n%s\ngot:\n%s", n, how, src, want, got))
			}
		}
		if len(bad) > right {
			wrong++
		}
	}
	if len(bad) > 0 {
		shortest := slices.MinFunc(bad, func(a, b string) int { return len(a) - len(b) })
		t.Errorf("%d of %d programs go wrong; the shortest:\n%s", wrong, ran, shortest)
	}
	if ran < *programCount/3 {
		t.Errorf("only %d of %d programs end in time", ran, *programCount)
	}
}

func otherLua(t *testing.T, src string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, *programLua, "-")
	cmd.Stdin = strings.NewReader(src)
	cmd.Stderr = nil
	out, err := cmd.Output()
	if err != nil {
		return string(out) + "error\n"
	}
	return string(out)
}
