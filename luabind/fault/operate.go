package fault

import (
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

var verbs = map[string]string{"add": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "mod": "take the remainder", "pow": "raise to a power"}

// isNumeric tells whether the engine calculates with v.
func isNumeric(v lua.LValue) bool {
	switch x := v.(type) {
	case lua.LNumber:
		return true
	case lua.LString:
		return lua.LVAsNumber(x) != 0 || strings.Trim(string(x), " 0.xX\t\n") == "" && strings.Contains(string(x), "0")
	}
	return false
}

// sides gives the two operands of the instruction as the source has them.
func (s *site) sides() (left, right subject) {
	ins := s.ins()
	b, c := ins.b(), ins.c()
	if s.node == nil || len(s.node.kids) != 2 {
		return subject{value: s.operand(b), text: s.fallbackOperand(b)}, subject{value: s.operand(c), text: s.fallbackOperand(c)}
	}
	if s.node.name == ">" || s.node.name == ">=" {
		b, c = c, b
	}
	return s.subject(s.node.kids[0], s.operand(b)), s.subject(s.node.kids[1], s.operand(c))
}

func (s *site) fallbackOperand(x int) string {
	if x >= constantBit {
		return ""
	}
	return s.fallbackName(x)
}

// calculating explains arithmetic with something that is no number.
func (s *site) calculating(e *Error, event string, known func() []string) {
	left, right := s.sides()
	var bad []subject
	for _, x := range []subject{left, right} {
		if !isNumeric(x.value) {
			bad = append(bad, x)
		}
	}
	s.operands(e, "cannot "+verbs[event], bad, known)
}

// operands says of each value at fault what it is.
func (s *site) operands(e *Error, what string, bad []subject, known func() []string) {
	var parts []string
	for i, x := range bad {
		if i > 0 && x.text != "" && x.text == bad[0].text {
			continue
		}
		part := x.quoted() + " is " + aType(x.value)
		if str, ok := x.value.(lua.LString); ok {
			part = fmt.Sprintf("%s is the string %s", x.quoted(), brief(str))
			if x.node != nil && x.node.kind == stringNode {
				part = brief(str) + " is a string"
			}
		} else if x.text == "" && x.value == lua.LNil {
			part = "a value is nil"
		} else if x.node != nil && x.node.kind == tableNode {
			part = s.side() + " is a table"
		} else if x.node != nil && x.node.kind == otherNode {
			part = s.side() + " is " + x.text
		}
		parts = append(parts, part)
	}
	e.Message = what
	if len(parts) > 0 {
		e.Message += ": " + strings.Join(parts, ", and ")
	}
	if len(bad) > 0 {
		s.blame(e, bad[0], known)
		if bad[0].node == nil {
			underline(e, s.sourceLine(), bad[0].text)
		}
	}
	if s.node != nil && e.Place.Column == 0 {
		e.Place = s.tree.nodePlace(s.node)
	}
}

// side is what an operand without a name is called: # and - have one only.
func (s *site) side() string {
	if s.node != nil && len(s.node.kids) == 1 {
		return "the value"
	}
	return "one side"
}

// joining explains .. with something that is neither string nor number.
func (s *site) joining(e *Error, known func() []string) {
	ins := s.ins()
	parts := flatten(s.node, nil)
	var bad []subject
	for i, r := 0, ins.b(); r <= ins.c(); i, r = i+1, r+1 {
		v := s.register(r)
		if lua.LVCanConvToString(v) {
			continue
		}
		x := subject{value: v}
		if len(parts) == ins.c()-ins.b()+1 {
			x = s.subject(parts[i], v)
		}
		bad = append(bad, x)
	}
	// the engine works from the right: what it did last is the fault, the others are only likely ones
	s.operands(e, "cannot concatenate", bad, known)
	for _, x := range bad {
		if t := x.value.Type(); t == lua.LTBool || t == lua.LTTable {
			e.Hints = append(e.Hints, fmt.Sprintf("tostring(%s) or inspect(%s) makes a string of it", orValue(x), orValue(x)))
			break
		}
	}
}

func orValue(x subject) string {
	if x.node != nil && (x.node.kind == nameNode || x.node.kind == indexNode) {
		return x.text
	}
	return "value"
}

// flatten gives the operands of a row of .. in order.
func flatten(n *node, out []*node) []*node {
	if n == nil {
		return out
	}
	if n.kind == binaryNode && n.name == ".." && len(n.kids) == 2 {
		return flatten(n.kids[1], append(out, n.kids[0]))
	}
	return append(out, n)
}

func comparison(a, b string) string {
	name := func(s string) string { return strings.Replace(s, "userdata", "object", 1) }
	if a == b {
		return fmt.Sprintf("cannot compare two %ss with < or >", name(a))
	}
	return fmt.Sprintf("cannot compare %s with %s", name(a), name(b))
}

// comparing explains < and its kin between values that have no order.
func (s *site) comparing(e *Error, m []string, known func() []string) {
	left, right := s.sides()
	if len(m) == 3 && (left.value == nil || right.value == nil) {
		e.Message = comparison(m[1], m[2])
		return
	}
	lt, rt := typeName(left.value), typeName(right.value)
	e.Message = comparison(lt, rt)
	bad := left
	if left.value != lua.LNil && (right.value == lua.LNil || isNumeric(left.value) && left.value.Type() == lua.LTNumber) {
		bad = right
	}
	s.blame(e, bad, known)
	if bad.node != nil && lt != rt {
		e.Label = "this is " + aType(bad.value)
	} else if s.node != nil {
		e.Place = s.tree.nodePlace(s.node)
	}
	if str, ok := bad.value.(lua.LString); ok && isNumeric(str) {
		e.Hints = append(e.Hints, fmt.Sprintf("tonumber(%s) makes a number of the string", orValue(bad)))
	}
	if lt == rt && lt == "nil" {
		e.Message = "cannot compare nil with nil"
	}
	if u := left.value.Type() == lua.LTUserData || right.value.Type() == lua.LTUserData; u && lt != rt {
		e.Hints = append(e.Hints, "an object compares only with its own kind; for a plain number use its methods :lt and :eq")
	}
}

// unaryOperation explains - and # of something that has neither.
func (s *site) unaryOperation(e *Error, what string, known func() []string) {
	x := subject{value: s.operand(s.ins().b())}
	if s.node != nil && len(s.node.kids) == 1 {
		x = s.subject(s.node.kids[0], x.value)
	} else {
		x.text = s.fallbackOperand(s.ins().b())
	}
	s.operands(e, what, []subject{x}, known)
}

// looping explains bounds of a for loop that are no numbers.
func (s *site) looping(e *Error, which string, known func() []string) {
	index := map[string]int{"init": 0, "limit": 1, "step": 2}[which]
	title := [...]string{"start", "end", "step"}[index]
	x := subject{value: s.register(s.ins().a() + index)}
	if s.node != nil && index < len(s.node.kids) {
		x = s.subject(s.node.kids[index], x.value)
	}
	e.Message = fmt.Sprintf("the %s of this 'for' has to be a number: it is %s", title, aType(x.value))
	if x.text != "" {
		e.Message = fmt.Sprintf("the %s of this 'for' has to be a number: %s is %s", title, x.quoted(), aType(x.value))
	}
	s.blame(e, x, known)
	if x.value.Type() == lua.LTTable && which == "limit" {
		e.Hints = append(e.Hints, fmt.Sprintf("the number of items is  #%s", orValue(x)))
	}
}

// badKey explains t[nil] = v.
func (s *site) badKey(e *Error, message string) {
	e.Message = message
	if n := s.node; n != nil && n.kind == indexNode && len(n.kids) == 2 {
		e.Message = fmt.Sprintf("cannot set '%s': %s", s.tree.expression(n), message)
		s.blame(e, s.subject(n.kids[1], lua.LNil), nil)
		e.Label = "this is " + message[strings.LastIndexByte(message, ' ')+1:]
	}
}
