package vm

import (
	"fmt"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// openGlobals makes built-in modules appear when they are first used and, unless lax, undefined names errors. It is a metatable,
// so globals that exist cost nothing extra.
func (m *VM) openGlobals() {
	mt := m.root.NewTable()
	mt.RawSetString("__index", m.root.NewFunction(m.missingGlobal))
	if !m.cfg.Lax {
		mt.RawSetString("__newindex", m.root.NewFunction(m.newGlobal))
	}
	m.root.G.Global.Metatable = mt
}

// Relax makes undefined names nil from now on, as Config.Lax does from the start; with the baton held.
func (m *VM) Relax() {
	m.cfg.Lax = true
	if mt, ok := m.root.G.Global.Metatable.(*lua.LTable); ok {
		mt.RawSetString("__newindex", lua.LNil)
	}
}

// missingGlobal is called for a global that is nil. Only a plain name raises: _G.x and _G[x] ask whether it exists.
func (m *VM) missingGlobal(L *lua.LState) int {
	name, ok := L.Get(2).(lua.LString)
	if !ok {
		return 0
	}
	if v := m.builtin(L, string(name)); v != nil {
		m.root.G.Global.RawSetString(string(name), v)
		L.Push(v)
		return 1
	}
	caller := currentFrame(L).Parent
	if m.cfg.Lax || !runs(caller, lua.OP_GETGLOBAL) {
		return 0
	}
	e := &fault.Error{Code: fault.Script, Message: fmt.Sprintf("'%s' is not defined", name)}
	if s := fault.Suggest(string(name), append(inScope(caller), m.known()...)); s != "" {
		e.Hints = []string{fmt.Sprintf("did you mean '%s'?", s)}
	}
	L.Error(m.object(e), 0)
	return 0
}

// newGlobal is called for an assignment to a global that is nil.
func (m *VM) newGlobal(L *lua.LState) int {
	caller := currentFrame(L).Parent
	if runs(caller, lua.OP_SETGLOBAL) && caller.Fn.Proto.LineDefined != 0 {
		name := L.Get(2).String()
		m.fail(L, fault.Script, fmt.Sprintf("assignment to '%s', which is not defined", name),
			fmt.Sprintf("write 'local %s = ...', or define it first at the top level of the file", name))
	}
	L.RawSet(L.CheckTable(1), L.Get(2), L.Get(3))
	return 0
}

// runs tells whether cf is a Lua function that executes the instruction op.
func runs(cf *callFrame, op int) bool {
	return cf != nil && !cf.Fn.IsG && cf.Pc > 0 && int(cf.Fn.Proto.Code[cf.Pc-1]>>26) == op
}

// inScope gives the names of cf's locals and upvalues.
func inScope(cf *callFrame) []string {
	p, pc := cf.Fn.Proto, cf.Pc-1
	var names []string
	for _, l := range p.DbgLocals {
		if l.StartPc <= pc && pc < l.EndPc && !strings.HasPrefix(l.Name, "(") {
			names = append(names, l.Name)
		}
	}
	for _, name := range p.DbgUpvalues {
		if !strings.HasPrefix(name, "(") {
			names = append(names, name)
		}
	}
	return names
}

// known gives the names of all globals and built-in modules.
func (m *VM) known() []string {
	var names []string
	m.root.G.Global.ForEach(func(k, _ lua.LValue) {
		if s, ok := k.(lua.LString); ok {
			names = append(names, string(s))
		}
	})
	for name := range m.cfg.Modules {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
