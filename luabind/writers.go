package luabind

import (
	"slices"

	lua "github.com/yuin/gopher-lua"
)

// code is a function of the script that the runtime calls, and what it is: command produce.
type code struct {
	what string
	fn   *lua.LFunction
}

// writers tells what sends to the topic, as far as the code says so: functions that call its send, or functions they call, and the
// agents that have it for a sink.
func (b *binding) writers(t *topicObject) []string {
	var out []string
	for _, g := range b.agents.order {
		sink := slices.ContainsFunc(g.sinks, func(s sink) bool { return s.topic == t })
		if sink || b.sends(g.fn, t, map[*lua.LFunction]bool{}) {
			out = append(out, "agent "+g.def.Name)
		}
	}
	for _, c := range b.bodies {
		if b.sends(c.fn, t, map[*lua.LFunction]bool{}) {
			out = append(out, c.what)
		}
	}
	return out
}

// sends tells whether fn, or one of the functions it has, calls t:send.
func (b *binding) sends(fn *lua.LFunction, t *topicObject, seen map[*lua.LFunction]bool) bool {
	if fn == nil || fn.IsG || seen[fn] {
		return false
	}
	seen[fn] = true
	named := func(name string) lua.LValue {
		for i, up := range fn.Proto.DbgUpvalues {
			if up == name && i < len(fn.Upvalues) && fn.Upvalues[i] != nil {
				return fn.Upvalues[i].Value()
			}
		}
		return b.vm.Globals().RawGetString(name)
	}
	if b.protoSends(fn.Proto, t, named) {
		return true
	}
	for _, name := range usedNames(fn.Proto) {
		if inner, ok := named(name).(*lua.LFunction); ok && b.sends(inner, t, seen) {
			return true
		}
	}
	return false
}

// usedNames are those of the upvalues and globals that a function uses, with the functions inside it.
func usedNames(p *lua.FunctionProto) []string {
	out := slices.Clone(p.DbgUpvalues)
	for _, ins := range p.Code {
		if opcode(ins) == lua.OP_GETGLOBAL {
			out = append(out, p.Constants[ins&0x3ffff].String())
		}
	}
	for _, child := range p.FunctionPrototypes {
		out = append(out, usedNames(child)...)
	}
	return out
}

// protoSends looks for calls of send on what is t. named gives the value of an upvalue or global.
func (b *binding) protoSends(p *lua.FunctionProto, t *topicObject, named func(string) lua.LValue) bool {
	for pc, ins := range p.Code {
		if pc == 0 || opcode(ins) != lua.OP_SELF || key(p, operandC(ins)) != "send" {
			continue
		}
		before := p.Code[pc-1]
		var v lua.LValue
		switch opcode(before) {
		case lua.OP_GETUPVAL:
			v = named(p.DbgUpvalues[operandB(before)])
		case lua.OP_GETGLOBAL:
			v = named(p.Constants[before&0x3ffff].String())
		case lua.OP_GETTABLEKS: // app.topics.orders:send
			if pc > 1 && key(p, operandC(p.Code[pc-2])) == "topics" {
				v = b.topics.value(key(p, operandC(before)))
			}
		}
		if got, ok := as[*topicObject](v); ok && got == t {
			return true
		}
	}
	return slices.ContainsFunc(p.FunctionPrototypes, func(child *lua.FunctionProto) bool { return b.protoSends(child, t, named) })
}

func opcode(ins uint32) int   { return int(ins >> 26) }
func operandB(ins uint32) int { return int(ins & 0x1ff) }
func operandC(ins uint32) int { return int(ins>>9) & 0x1ff }

// key gives the text constant that an operand names; "" if it names something else.
func key(p *lua.FunctionProto, operand int) string {
	const constant = 1 << 8
	if i := operand &^ constant; operand&constant != 0 && i < len(p.Constants) {
		return lua.LVAsString(p.Constants[i])
	}
	return ""
}
