package luabind

import (
	"slices"

	lua "github.com/yuin/gopher-lua"
)

// maxWalked bounds how many functions and tables are looked at for one agent.
const maxWalked = 1_000_000

// search looks for the tables that a function can get at by its code: its upvalues and the globals it names, through the Lua functions and tables reachable
// from them, but not through the functions of other agents.
type search struct {
	b         *binding
	closed    map[*lua.LFunction]bool // of other agents
	functions map[*lua.LFunction]bool
	tables    map[*lua.LTable]bool
	found     []*tableObject
	code      []*lua.LFunction // to be looked at: first of all,
	data      []*lua.LTable    // and then those, the nearest first
}

// tablesOf gives the tables that an agent uses: those found, and those declared.
func (b *binding) tablesOf(g *agentObject) []*tableObject {
	s := &search{b: b, closed: map[*lua.LFunction]bool{}, functions: map[*lua.LFunction]bool{}, tables: map[*lua.LTable]bool{}}
	for _, other := range b.agents.order {
		if other != g {
			for _, fn := range other.code() {
				s.closed[fn] = true
			}
		}
	}
	s.tables[b.vm.Globals()], s.tables[b.table] = true, true
	for _, fn := range g.code() {
		delete(s.closed, fn) // one function may be that of two agents
		s.add(fn)
	}
	for n := 0; n < maxWalked && s.step(); n++ {
	}
	for _, t := range g.declared {
		s.use(t)
	}
	return s.found
}

// code is what runs when an agent has an event in hand.
func (g *agentObject) code() (list []*lua.LFunction) {
	if g.fn != nil { // else it only sends on by a field
		list = append(list, g.fn)
	}
	for _, to := range g.sinks {
		if to.fn != nil {
			list = append(list, to.fn)
		}
	}
	return list
}

// step looks at one function or table; false: there is none left.
func (s *search) step() bool {
	if last := len(s.code) - 1; last >= 0 {
		fn := s.code[last]
		s.code = s.code[:last]
		s.function(fn)
		return true
	}
	if len(s.data) == 0 {
		return false
	}
	t := s.data[0]
	s.data = s.data[1:]
	s.entries(t)
	return true
}

// add takes a value that may be a table or lead to one.
func (s *search) add(v lua.LValue) {
	switch v := v.(type) {
	case *lua.LUserData:
		if t, ok := v.Value.(*tableObject); ok {
			s.use(t)
		}
	case *lua.LFunction:
		if !v.IsG && !s.closed[v] && !s.functions[v] {
			s.functions[v] = true
			s.code = append(s.code, v)
		}
	case *lua.LTable:
		if !s.tables[v] {
			s.tables[v] = true
			s.data = append(s.data, v)
		}
	}
}

func (s *search) use(t *tableObject) {
	if !slices.Contains(s.found, t) {
		s.found = append(s.found, t)
		if w := t.windows; w != nil {
			for _, fn := range []*lua.LFunction{w.onClose, w.onLate} {
				if fn != nil {
					s.add(fn)
				}
			}
		}
	}
}

// entries looks at what is in a table, and what stands behind it.
func (s *search) entries(t *lua.LTable) {
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		s.add(k)
		s.add(v)
	}
	s.add(t.Metatable)
}

// function looks at the upvalues of a function and at the globals that it, or a function inside it, names.
func (s *search) function(fn *lua.LFunction) {
	for _, up := range fn.Upvalues {
		if up != nil {
			s.add(up.Value())
		}
	}
	s.names(fn, fn.Proto)
}

// names looks at the globals that code names.
func (s *search) names(fn *lua.LFunction, p *lua.FunctionProto) {
	for pc, ins := range p.Code {
		switch opcode(ins) {
		case lua.OP_GETGLOBAL:
			s.add(s.global(fn, p.Constants[ins&0x3ffff]))
		case lua.OP_GETTABLEKS: // app.tables.totals
			if pc > 0 && opcode(p.Code[pc-1]) == lua.OP_GETTABLEKS && key(p, operandC(p.Code[pc-1])) == "tables" {
				if t, ok := s.b.tables.find(key(p, operandC(ins))); ok {
					s.use(t)
				}
			}
		}
	}
	for _, child := range p.FunctionPrototypes {
		s.names(fn, child)
	}
}

// global gives a global as the function sees it.
func (s *search) global(fn *lua.LFunction, name lua.LValue) lua.LValue {
	if fn.Env != nil {
		if v := fn.Env.RawGet(name); v != lua.LNil {
			return v
		}
	}
	return s.b.vm.Globals().RawGet(name)
}
