package vm

import (
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// refused says what to use instead of functions that reach outside.
var refused = map[string]string{
	"os.exit":       "app.stop(code) ends the worker gracefully; a command returns its exit code, or calls fail(text)",
	"os.execute":    "run other programs beside the worker and talk to them through topics or http",
	"os.remove":     "files are not open to scripts",
	"os.rename":     "files are not open to scripts",
	"os.tmpname":    "files are not open to scripts",
	"os.setenv":     "settings belong in app.configure or the environment of the worker",
	"io.popen":      "run other programs beside the worker and talk to them through topics or http",
	"io.open":       "files are not open to scripts",
	"io.lines":      "files are not open to scripts",
	"io.input":      "files are not open to scripts",
	"io.output":     "print and io.write go to standard output",
	"io.close":      "files are not open to scripts",
	"io.tmpfile":    "files are not open to scripts",
	"io.read":       "prompt(text) asks in a command",
	"io.flush":      "print and io.write are not buffered",
	"debug.getinfo": "errors carry place and traceback: err.traceback",
}

// openOS opens os, io and debug: whole with Unsafe, else what touches nothing outside.
func (m *VM) openOS(g *lua.LTable) {
	io := g.RawGetString("io").(*lua.LTable)
	m.openWrite(io)
	if m.cfg.Unsafe {
		return
	}
	keep := map[string]bool{"os.clock": true, "os.date": true, "os.time": true, "os.difftime": true, "os.getenv": true, "os.setlocale": true,
		"io.write": true, "debug.traceback": true}
	for _, lib := range []string{"os", "io", "debug"} {
		t := g.RawGetString(lib).(*lua.LTable)
		var names []string
		t.ForEach(func(k, _ lua.LValue) { names = append(names, k.String()) })
		for _, name := range names {
			full := lib + "." + name
			switch _, isFunction := t.RawGetString(name).(*lua.LFunction); {
			case keep[full]:
			case isFunction:
				instead := refused[full]
				if instead == "" {
					instead = "scripts do without it"
				}
				t.RawSetString(name, m.refuse(full, instead))
			default:
				t.RawSetString(name, lua.LNil)
			}
		}
	}
	m.openTraceback(g.RawGetString("debug").(*lua.LTable))
	m.openStreams(io)
}

// openTraceback gives debug a traceback that goes on beyond protected calls and takes error objects: traceback(message).
func (m *VM) openTraceback(debug *lua.LTable) {
	debug.RawSetString("traceback", m.root.NewFunction(func(L *lua.LState) int {
		v := errorText(L.Get(1))
		if v != lua.LNil && !lua.LVCanConvToString(v) {
			L.Push(v)
			return 1
		}
		var b strings.Builder
		if v != lua.LNil {
			b.WriteString(text(v) + "\n")
		}
		b.WriteString("stack traceback:")
		for th, level := m.current().top, 1; th != nil; th, level = th.outer, 0 {
			for _, f := range visible(fault.Stack(th.L, level)) {
				b.WriteString("\n\t" + strings.TrimLeft(f.Place.String()+": "+f.What, ": "))
			}
		}
		L.Push(lua.LString(b.String()))
		return 1
	}))
}

// openWrite has io.write go where print goes, as long as io.output was not changed.
func (m *VM) openWrite(io *lua.LTable) {
	stock := io.RawGetString("write")
	output := io.RawGetString("output").(*lua.LFunction)
	stdout := io.RawGetString("stdout")
	io.RawSetString("write", m.root.NewFunction(func(L *lua.LState) int {
		if m.cfg.Unsafe {
			L.Push(output)
			L.Call(0, 1)
			file := L.Get(-1)
			L.Pop(1)
			if file != stdout {
				L.Insert(stock, 1)
				L.Call(L.GetTop()-1, lua.MultRet)
				return L.GetTop()
			}
		}
		return m.writeAll(L, 1)
	}))
}

// writeAll writes the arguments from first on, in one piece.
func (m *VM) writeAll(L *lua.LState, first int) int {
	var b strings.Builder
	for i, n := first, L.GetTop(); i <= n; i++ {
		b.WriteString(str(L, i))
	}
	m.write(L, b.String())
	return 0
}

// openStreams makes io.stdout, which can only be written to.
func (m *VM) openStreams(io *lua.LTable) {
	out := m.root.NewTable()
	m.root.SetFuncs(out, map[string]lua.LGFunction{
		"write":   func(L *lua.LState) int { m.writeAll(L, 2); L.Push(L.Get(1)); return 1 },
		"flush":   func(*lua.LState) int { return 0 },
		"setvbuf": func(*lua.LState) int { return 0 },
	})
	io.RawSetString("stdout", out)
}

// openUTF8 makes the utf8 library of Lua 5.3, without lax forms.
func (m *VM) openUTF8() {
	lib := m.root.NewTable()
	lib.RawSetString("charpattern", lua.LString("[\x00-\x7F\xC2-\xF4][\x80-\xBF]*"))
	m.root.SetFuncs(lib, map[string]lua.LGFunction{
		"char":      utf8Char,
		"len":       utf8Len,
		"codepoint": m.utf8Codepoint,
		"codes":     m.utf8Codes,
		"offset":    utf8Offset,
	})
	m.root.G.Global.RawSetString("utf8", lib)
	m.loaded.RawSetString("utf8", lib)
}

func (m *VM) invalidUTF8(L *lua.LState, at int) {
	m.fail(L, fault.Script, fmt.Sprintf("invalid UTF-8 at byte %d", at+1))
}
