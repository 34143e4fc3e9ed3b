package vm

import (
	"fmt"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"faust/luabind/fault"
	"faust/luabind/mend"
)

// Names are what a scope knows beside its variables and the globals.
type Names struct {
	Find func(name string) lua.LValue // what a name means; nil: nothing
	All  func() []string              // the names, to suggest them
}

// Scope is an environment for code that is typed in while the app runs: its own variables over the globals over Names. Assigning to a name makes
// a variable of the scope, wherever it is done. It is used with the baton held.
type Scope struct {
	vm    *VM
	names Names
	table *lua.LTable
	vars  map[string]bool // also those that are nil
}

// NewScope makes a scope without variables.
func (m *VM) NewScope(names Names) *Scope {
	s := &Scope{vm: m, names: names, table: m.root.NewTable(), vars: map[string]bool{}}
	mt := m.root.NewTable()
	mt.RawSetString("__index", m.root.NewFunction(s.index))
	mt.RawSetString("__newindex", m.root.NewFunction(s.newIndex))
	mt.RawSetString("__metatable", lua.LString("console"))
	s.table.Metatable = mt
	return s
}

// Compile makes a function of a text that is no file, which sees the scope. change gets the syntax tree before. The error is that of Load.
func (s *Scope) Compile(src, name string, change func([]ast.Stmt) []ast.Stmt) (*lua.LFunction, error) {
	chunk, err := read(src, name)
	if err != nil {
		return nil, err
	}
	if err := fault.Check(name, src); err != nil {
		return nil, err
	}
	proto, err := mend.Compile(change(chunk), name)
	if err != nil {
		return nil, fault.FromCompile(name, src, err)
	}
	keepFrames(proto)
	fault.KeepSource(s.vm.root, name, src)
	s.vm.publish()
	fn := s.vm.root.NewFunctionFromProto(proto)
	fn.Env = s.table
	return fn, nil
}

// keepFrames makes ordinary calls of the tail calls of a chunk: its frame is what the traceback of an error in the called function ends with.
func keepFrames(chunk *lua.FunctionProto) {
	const operands = 1<<26 - 1
	for pc, ins := range chunk.Code {
		if int(ins>>26) == opTailCall {
			chunk.Code[pc] = uint32(opCall)<<26 | ins&operands
		}
	}
}

// Enter has code that the running task compiles (load) see the scope as well; to be called at the start of the task.
func (s *Scope) Enter(L *lua.LState) { L.Env = s.table }

// Preset gives a name a value that is no variable, and hides a global.
func (s *Scope) Preset(name string, v lua.LValue) { s.table.RawSetString(name, v) }

// Set makes a variable.
func (s *Scope) Set(name string, v lua.LValue) {
	s.vars[name] = true
	s.table.RawSetString(name, v)
}

// Own tells whether a name is a variable of the scope.
func (s *Scope) Own(name string) bool { return s.vars[name] }

// Vars gives the names of the variables, in order.
func (s *Scope) Vars() []string {
	names := make([]string, 0, len(s.vars))
	for name := range s.vars {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Lookup gives what a name means; nil: nothing.
func (s *Scope) Lookup(L *lua.LState, name string) lua.LValue {
	if v := s.table.RawGetString(name); v != lua.LNil || s.vars[name] {
		return v
	}
	if v := s.vm.root.G.Global.RawGetString(name); v != lua.LNil {
		return v
	}
	if v := s.vm.builtin(L, name); v != nil {
		s.vm.root.G.Global.RawSetString(name, v)
		return v
	}
	return s.names.Find(name)
}

// Known gives all names that mean something, in order.
func (s *Scope) Known() []string {
	all := slices.Concat(s.Vars(), s.vm.known(), s.names.All())
	slices.Sort(all)
	return slices.Compact(all)
}

// index is called for a name that is no variable with a value.
func (s *Scope) index(L *lua.LState) int {
	name, ok := L.Get(2).(lua.LString)
	if !ok {
		return 0
	}
	if v := s.Lookup(L, string(name)); v != nil {
		L.Push(v)
		return 1
	}
	caller := currentFrame(L).Parent
	if s.vm.cfg.Lax || !runs(caller, lua.OP_GETGLOBAL) {
		return 0
	}
	e := &fault.Error{Code: fault.Script, Message: fmt.Sprintf("'%s' is not defined", name)}
	if best := fault.Suggest(string(name), append(inScope(caller), s.Known()...)); best != "" {
		e.Hints = []string{fmt.Sprintf("did you mean '%s'?", best)}
	}
	L.Error(s.vm.object(e), 0)
	return 0
}

// newIndex is called for an assignment to a name that is no variable with a value.
func (s *Scope) newIndex(L *lua.LState) int {
	name, ok := L.Get(2).(lua.LString)
	if !ok {
		L.RawSet(s.table, L.Get(2), L.Get(3))
		return 0
	}
	if !strings.HasPrefix(string(name), "(") {
		s.Set(string(name), L.Get(3))
	}
	return 0
}
