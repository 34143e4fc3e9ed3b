package fault

import (
	lua "github.com/yuin/gopher-lua"
)

// instruction is one word of the engine's code.
type instruction uint32

func (i instruction) op() int { return int(i >> 26) }
func (i instruction) a() int  { return int(i>>18) & 0xff }
func (i instruction) b() int  { return int(i & 0x1ff) }
func (i instruction) c() int  { return int(i>>9) & 0x1ff }
func (i instruction) bx() int { return int(i & 0x3ffff) }

// constantBit marks an operand that is a constant and not a register.
const constantBit = 256

func (c call) at(pc int) instruction { return instruction(c.fn.Proto.Code[pc]) }

// ins is the instruction being executed.
func (c call) ins() instruction { return c.at(c.pc) }

// register gives what register r holds now.
func (c call) register(r int) lua.LValue {
	_, v := c.L.GetLocal(c.dbg, r+1)
	if v == nil {
		return lua.LNil
	}
	return v
}

// operand gives the value of a register or constant.
func (c call) operand(x int) lua.LValue {
	if x < constantBit {
		return c.register(x)
	}
	if k := x - constantBit; k < len(c.fn.Proto.Constants) {
		return c.fn.Proto.Constants[k]
	}
	return lua.LNil
}

// constant gives the constant that operand x of the instruction at pc, whose x is always one, stands for; nil if it is not found.
func (c call) constant(x, pc int) lua.LValue {
	if x >= constantBit {
		return c.operand(x)
	}
	// A key of an assignment, and any of a function with many constants, is loaded into a register first, which it has to itself until pc.
	for w := pc - 1; w >= 0; w-- {
		if ins := c.at(w); ins.op() == lua.OP_LOADK && ins.a() == x && ins.bx() < len(c.fn.Proto.Constants) {
			return c.fn.Proto.Constants[ins.bx()]
		}
	}
	return nil
}

// writer gives the index of the last instruction before pc, in the order of the code, that sets register r; -1 if there is none.
func (c call) writer(r, pc int) int {
	for i := pc - 1; i >= 0; i-- {
		if c.at(i).writes(r) {
			return i
		}
	}
	return -1
}

func (i instruction) writes(r int) bool {
	a := i.a()
	switch i.op() {
	case lua.OP_SETGLOBAL, lua.OP_SETUPVAL, lua.OP_SETTABLE, lua.OP_SETTABLEKS, lua.OP_JMP, lua.OP_EQ, lua.OP_LT, lua.OP_LE, lua.OP_TEST,
		lua.OP_TAILCALL, lua.OP_RETURN, lua.OP_SETLIST, lua.OP_CLOSE, lua.OP_NOP, lua.OP_FORPREP:
		return false
	case lua.OP_LOADNIL:
		return a <= r && r <= i.b()
	case lua.OP_SELF:
		return r == a || r == a+1
	case lua.OP_CALL:
		return a <= r && r < a+max(i.c()-1, 1)
	case lua.OP_VARARG:
		return a <= r && r < a+max(i.b()-1, 1)
	case lua.OP_FORLOOP:
		return r == a || r == a+3
	case lua.OP_TFORLOOP:
		return a+2 <= r && r <= a+2+i.c()
	}
	return r == a
}

// before gives the value that register r held right before the instruction at pc, worked out again from where it came from if the register
// has been used since; nil if it cannot be told. Nothing of the script runs for it.
func (c call) before(r, pc int) lua.LValue {
	w := c.writer(r, c.pc)
	if w < pc {
		return c.register(r)
	}
	if w = c.writer(r, pc); w < 0 {
		return nil
	}
	return c.result(w)
}

// result works out again what the instruction at pc gave, if it only read something.
func (c call) result(pc int) lua.LValue {
	ins := c.at(pc)
	switch ins.op() {
	case lua.OP_GETGLOBAL:
		if env := c.fn.Env; env != nil && ins.bx() < len(c.fn.Proto.Constants) {
			return rawField(env, c.fn.Proto.Constants[ins.bx()])
		}
	case lua.OP_GETUPVAL:
		if ins.b() < len(c.fn.Upvalues) {
			return c.fn.Upvalues[ins.b()].Value()
		}
	case lua.OP_MOVE:
		return c.before(ins.b(), pc)
	case lua.OP_GETTABLE, lua.OP_GETTABLEKS:
		key := c.before(ins.c(), pc)
		if ins.op() == lua.OP_GETTABLEKS || ins.c() >= constantBit {
			key = c.constant(ins.c(), pc)
		}
		base, ok := c.before(ins.b(), pc).(*lua.LTable)
		if ok && key != nil {
			return rawField(base, key)
		}
	}
	return nil
}

// rawField reads a field of t, or of the tables behind it, without calling anything.
func rawField(t *lua.LTable, key lua.LValue) lua.LValue {
	for range 8 {
		if v := t.RawGet(key); v != lua.LNil {
			return v
		}
		next := behind(t)
		if next == nil {
			break
		}
		t = next
	}
	return lua.LNil
}

// behind is the table in which a field is looked up that v has not, or nil.
func behind(v lua.LValue) *lua.LTable {
	var meta lua.LValue
	switch x := v.(type) {
	case *lua.LTable:
		meta = x.Metatable
	case *lua.LUserData:
		meta = x.Metatable
	}
	mt, ok := meta.(*lua.LTable)
	if !ok {
		return nil
	}
	next, _ := mt.RawGetString("__index").(*lua.LTable)
	return next
}

// fieldNames lists the names of the fields of v and of the tables behind it.
func fieldNames(v lua.LValue) []string {
	var names []string
	add := func(t *lua.LTable) {
		t.ForEach(func(k, _ lua.LValue) {
			if s, ok := k.(lua.LString); ok && len(names) < 1000 {
				names = append(names, string(s))
			}
		})
	}
	if t, ok := v.(*lua.LTable); ok {
		add(t)
	}
	next := behind(v)
	for range 8 {
		if next == nil {
			break
		}
		add(next)
		next = behind(next)
	}
	return names
}
