package console

import (
	"context"
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/vm"
)

func lostText(n int) string {
	return fmt.Sprintf("... %d bytes that were printed while no line ran are left out\n", n)
}

// open gives the session's variables that print to the console.
func (s *session) open(L *lua.LState) {
	for name, f := range map[string]lua.LGFunction{
		"print": s.print, "say": s.print, "pp": s.pp, "confirm": s.cannotAsk("confirm"), "prompt": s.cannotAsk("prompt"),
	} {
		s.scope.Preset(name, L.NewFunction(f))
	}
	s.scope.Preset("io", s.io(L))
}

// io gives an io whose output is the console; the rest is that of the app.
func (s *session) io(L *lua.LState) lua.LValue {
	io, stdout := L.NewTable(), L.NewTable()
	L.SetFuncs(io, map[string]lua.LGFunction{"write": func(L *lua.LState) int { return s.write(L, 1) }})
	L.SetFuncs(stdout, map[string]lua.LGFunction{
		"write":   func(L *lua.LState) int { s.write(L, 2); L.Push(L.Get(1)); return 1 },
		"flush":   func(*lua.LState) int { return 0 },
		"setvbuf": func(*lua.LState) int { return 0 },
	})
	io.RawSetString("stdout", stdout)
	io.Metatable = L.NewTable()
	io.Metatable.(*lua.LTable).RawSetString("__index", L.G.Global.RawGetString("io"))
	return io
}

// put prints text. It waits only if the reader is far behind.
func (s *session) put(L *lua.LState, text string) {
	if !s.out.put(text) {
		return
	}
	if err := s.cfg.VM.Block(L, "the console's output", func(ctx context.Context) error { return s.out.wait(ctx) }); err != nil {
		vm.Raise(L, &fault.Error{Code: fault.Cancelled, Message: "cancelled", Cause: err})
	}
}

// print(...) and say(...)
func (s *session) print(L *lua.LState) int {
	var b strings.Builder
	for i, n := 1, L.GetTop(); i <= n; i++ {
		if i > 1 {
			b.WriteByte('\t')
		}
		b.WriteString(vm.ToString(L, L.Get(i)))
	}
	b.WriteByte('\n')
	s.put(L, b.String())
	return 0
}

// pp(...) -> what it was given
func (s *session) pp(L *lua.LState) int {
	n := L.GetTop()
	for i := 1; i <= n; i++ {
		s.put(L, s.inspect(L.Get(i), s.view)+"\n")
	}
	return n
}

// write writes the arguments from first on.
func (s *session) write(L *lua.LState, first int) int {
	var b strings.Builder
	for i, n := first, L.GetTop(); i <= n; i++ {
		v := L.Get(i)
		if !lua.LVCanConvToString(v) {
			if _, isError := fault.AsError(v); !isError {
				L.ArgError(i, "string expected, got "+v.Type().String())
			}
		}
		b.WriteString(vm.ToString(L, v))
	}
	s.put(L, b.String())
	return 0
}

// cannotAsk makes a function that says that nobody can be asked.
func (s *session) cannotAsk(name string) lua.LGFunction {
	return func(L *lua.LState) int {
		vm.Raise(L, &fault.Error{Code: fault.Usage, Message: name + " cannot ask in a console", Hints: []string{"write the answer in its place"}})
		return 0
	}
}
