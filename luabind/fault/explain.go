package fault

import (
	"fmt"
	"regexp"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

var (
	indexText   = regexp.MustCompile(`^attempt to index a non-table object\((.*)\) with key '((?s:.*))'$`)
	arithText   = regexp.MustCompile(`^cannot perform (add|sub|mul|div|mod|pow) operation between \S+ and \S+$`)
	concatText  = regexp.MustCompile(`^cannot perform concat operation between (\S+) and (\S+)$`)
	compareText = regexp.MustCompile(`^attempt to compare (\S+) with (\S+)$`)
	forText     = regexp.MustCompile(`^for statement (init|limit|step) must be a number$`)
	badArgument = regexp.MustCompile(`^bad argument #(\d+) to (.*?) \(((?s:.*))\)$`)
	concatItem  = regexp.MustCompile(`^invalid value \((\S+)\) at index (\d+) in table for concat$`)
)

// explain rewrites what the engine or a stock library says so that it names things. It tells whether it knew the text.
func (r *raising) explain(e *Error, text string) bool {
	s := r.site()
	if s == nil {
		return r.plain(e, text)
	}
	if !r.inGo() {
		if r.instruction(e, s, text) {
			return true
		}
	}
	if m := badArgument.FindStringSubmatch(text); m != nil {
		s.argument(e, m[1], m[2], m[3])
		return true
	}
	if m := concatItem.FindStringSubmatch(text); m != nil {
		e.Message = fmt.Sprintf("cannot concatenate the list: invalid value (%s) at index %s", m[1], m[2])
		e.Hints = append(e.Hints, "table.concat takes strings and numbers; tostring(v) makes a string of anything")
		r.underlineCall(e)
		return true
	}
	return r.plain(e, text)
}

// instruction explains what the instruction at s failed with.
func (r *raising) instruction(e *Error, s *site, text string) bool {
	switch {
	case text == "attempt to call a non-function object":
		s.calling(e, r.known)
	case indexText.MatchString(text):
		s.indexing(e, indexText.FindStringSubmatch(text), r)
	case arithText.MatchString(text):
		s.calculating(e, arithText.FindStringSubmatch(text)[1], r.known)
	case concatText.MatchString(text):
		s.joining(e, r.known)
	case compareText.MatchString(text):
		s.comparing(e, compareText.FindStringSubmatch(text), r.known)
	case text == "__unm undefined":
		s.unaryOperation(e, "cannot negate", r.known)
	case text == "__len undefined":
		s.unaryOperation(e, "cannot take the length", r.known)
	case forText.MatchString(text):
		s.looping(e, forText.FindStringSubmatch(text)[1], r.known)
	case text == "table index is nil" || text == "table index is NaN":
		s.badKey(e, text)
	default:
		return false
	}
	return true
}

// plain rewrites texts for which the instruction says no more.
func (r *raising) plain(e *Error, text string) bool {
	switch {
	case text == "stack overflow" || text == "registry overflow":
		e.Message = "the calls are nested too deep (stack overflow)"
		if text == "registry overflow" {
			e.Message = "too many values at once: the stack is full"
			break
		}
		e.Hints = append(e.Hints, "a function calls itself, directly or through others, without an end?")
	case strings.HasPrefix(text, "too many recursions in "):
		e.Message = "a chain of __index or __newindex goes round in a circle"
	case text == "attempt to call a non-function object":
		e.Message = "cannot call a value that is no function"
	case indexText.MatchString(text):
		m := indexText.FindStringSubmatch(text)
		e.Message = fmt.Sprintf("cannot read '%s': the value is %s", m[2], article(m[1]))
	case arithText.MatchString(text):
		e.Message = "cannot calculate with these values"
	case concatText.MatchString(text):
		m := concatText.FindStringSubmatch(text)
		e.Message = fmt.Sprintf("cannot concatenate %s with %s", m[1], m[2])
	case compareText.MatchString(text):
		m := compareText.FindStringSubmatch(text)
		e.Message = comparison(m[1], m[2])
	default:
		return false
	}
	r.underlineCall(e)
	return true
}

func article(name string) string {
	switch {
	case name == "nil" || name == "":
		return "nil"
	case name == "userdata":
		return "an object"
	case strings.ContainsRune("aeiou", rune(name[0])):
		return "an " + name
	}
	return "a " + name
}

// subject is a value at fault: where it stands and what it is.
type subject struct {
	node  *node // nil if not known
	text  string
	value lua.LValue
}

// called is the subject's name in a sentence, "" if it has none.
func (s *site) subject(n *node, v lua.LValue) subject {
	x := subject{node: n, value: v}
	if n != nil {
		x.text = s.tree.describe(n)
	}
	return x
}

// quoted gives the name in quotes unless it is a phrase.
func (x subject) quoted() string {
	switch {
	case x.text == "":
		return "a value"
	case x.node != nil && (x.node.kind == nameNode || x.node.kind == indexNode):
		return "'" + x.text + "'"
	}
	return x.text
}

func (x subject) plain() string {
	if x.text == "" {
		return "the value"
	}
	return x.text
}

// blame puts the caret under the value at fault and adds what is known about it.
func (s *site) blame(e *Error, x subject, known func() []string) {
	if x.node == nil {
		return
	}
	e.Place = s.tree.nodePlace(x.node)
	e.Hints = append(e.Hints, s.explainNil(e, x, known)...)
	if l := x.node.local; x.node.kind == nameNode && l != nil && l.at.line != e.Place.Line && l.name != "self" {
		e.Notes = append(e.Notes, Note{"defined", fmt.Sprintf("%s:%d  %s", s.tree.file, l.at.line, excerptOf(lineOf(s.tree.src, l.at.line)))})
	}
}

func excerptOf(line string) string {
	const most = 80
	r := []rune(strings.TrimSpace(line))
	if len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return string(r)
}

// calling explains a call of something that is no function.
func (s *site) calling(e *Error, known func() []string) {
	ins := s.ins()
	if ins.op() == lua.OP_TFORLOOP {
		s.iterating(e, known)
		return
	}
	v := s.register(ins.a())
	n := s.callNode()
	if n == nil {
		name := s.callee()
		e.Message = fmt.Sprintf("cannot call '%s': it is %s", name, aType(v))
		if name == "" {
			e.Message = fmt.Sprintf("cannot call a value that is %s", aType(v))
		} else {
			underline(e, s.sourceLine(), name)
		}
		return
	}
	f := n.kids[0]
	if f.kind == methodNode {
		s.callingMethod(e, f, v)
		return
	}
	x := s.subject(f, v)
	switch f.kind {
	case nameNode, indexNode:
		e.Message = fmt.Sprintf("cannot call '%s': it is %s", x.text, aType(v))
	default:
		e.Message = fmt.Sprintf("cannot call the %s: it is %s", strings.TrimPrefix(x.text, "the "), aType(v))
	}
	if hint := s.dataCalled(n, f); hint != "" {
		e.Hints = append(e.Hints, hint)
		e.Place = s.tree.nodePlace(f)
		return
	}
	s.blame(e, x, known)
	if v != lua.LNil && v.Type() == lua.LTString && f.kind == stringNode {
		e.Hints = append(e.Hints, "methods of a string constant need parentheses: ('text'):format(x)")
	}
	if p := s.tree.nodePlace(n); f.kind != nameNode && p.Line != s.tree.place(n.end-1, n.end).Line && strings.Contains(s.tree.src[f.end:n.end], "\n") && f.kind == callNode {
		e.Hints = append(e.Hints, "a '(' on the next line goes on with the statement: end the one before with ';'")
	}
}

// dataCalled is the hint for a call with a dot of a method of an object whose fields are data; "": it is none.
func (s *site) dataCalled(n, f *node) string {
	if f.kind != indexNode || !f.constant {
		return ""
	}
	ud, _ := s.calledObject(f).(*lua.LUserData)
	if ud == nil {
		return ""
	}
	if m, ok := ud.Value.(Methodical); !ok || !m.HasMethod(f.name) {
		return ""
	}
	return fmt.Sprintf("call it with a colon: %s:%s%s", s.tree.expression(f.kids[0]), f.name, s.argumentText(n))
}

func (s *site) sourceLine() string {
	if s.tree == nil {
		return ""
	}
	return lineOf(s.tree.src, s.line())
}

func (s *site) callingMethod(e *Error, f *node, v lua.LValue) {
	recv := s.tree.expression(f.kids[0])
	e.Place = s.tree.place(f.key.pos, f.key.end)
	if v != lua.LNil {
		e.Message = fmt.Sprintf("cannot call '%s:%s': it is %s", recv, f.name, aType(v))
		return
	}
	e.Message = fmt.Sprintf("cannot call '%s:%s': there is no such method", recv, f.name)
	base := s.register(s.ins().a() + 1)
	if base.Type() == lua.LTString && s.fn.Env != nil {
		base = s.fn.Env.RawGetString("string")
	}
	if best := Suggest(f.name, fieldNames(base)); best != "" {
		e.Hints = append(e.Hints, fmt.Sprintf("did you mean '%s:%s'?", recv, best))
	}
}

func (s *site) iterating(e *Error, known func() []string) {
	v := s.register(s.ins().a())
	x := subject{value: v}
	if s.node != nil && len(s.node.kids) > 0 {
		x = s.subject(s.node.kids[0], v)
	}
	e.Message = fmt.Sprintf("cannot iterate over %s: it is %s", x.plain(), aType(v))
	if x.text == "" {
		e.Message = fmt.Sprintf("cannot iterate over a value that is %s", aType(v))
	}
	s.blame(e, x, known)
	if v.Type() == lua.LTTable {
		name := x.text
		if name == "" || x.node.kind == callNode {
			name = "t"
		}
		e.Hints = append(e.Hints, fmt.Sprintf("for index, value in ipairs(%s) do,  or for key, value in pairs(%s) do", name, name))
	}
	if v.Type() == lua.LTNumber {
		e.Hints = append(e.Hints, "for i = 1, n do")
	}
}

// indexing explains reading or setting a field of something that has none.
func (s *site) indexing(e *Error, m []string, r *raising) {
	ins := s.ins()
	key, set := m[2], false
	var base int
	switch ins.op() {
	case lua.OP_GETTABLE, lua.OP_GETTABLEKS, lua.OP_SELF:
		base = ins.b()
	case lua.OP_SETTABLE, lua.OP_SETTABLEKS:
		base, set = ins.a(), true
	default:
		e.Message = fmt.Sprintf("cannot read '%s': the value is %s", key, article(m[1]))
		return
	}
	v := s.operand(base)
	if v.Type().String() != m[1] {
		e.Message = fmt.Sprintf("cannot look up '%s': its metatable leads to %s", key, article(m[1]))
		return
	}
	verb := "read"
	if set {
		verb = "set"
	} else if ins.op() == lua.OP_SELF {
		verb = "call"
	}
	x := subject{value: v}
	if n := s.node; n != nil && len(n.kids) > 0 {
		x = s.subject(n.kids[0], v)
		if n.kind == indexNode && (!n.constant || n.key.kind == text) {
			key = s.tree.expression(n)
		}
	} else {
		x.text = s.fallbackName(base)
		underline(e, s.sourceLine(), x.text)
	}
	e.Message = fmt.Sprintf("cannot %s '%s': %s is %s", verb, OneLine(key), x.plain(), aType(v))
	s.blame(e, x, r.known)
	s.selfless(e, x, r)
}

// fallbackName names a register without the tree, if it can be told for certain.
func (s *site) fallbackName(reg int) string {
	w := s.writer(reg, s.pc)
	if w < 0 {
		return ""
	}
	ins := s.at(w)
	switch ins.op() {
	case lua.OP_GETGLOBAL:
		return s.fn.Proto.Constants[ins.bx()].String()
	case lua.OP_GETUPVAL:
		if ins.b() < len(s.fn.Proto.DbgUpvalues) {
			return s.fn.Proto.DbgUpvalues[ins.b()]
		}
	}
	return ""
}

// selfless adds, when self is at fault, how the method was called.
func (s *site) selfless(e *Error, x subject, r *raising) {
	if x.node == nil || x.node.kind != nameNode || x.node.name != "self" || x.node.local == nil || r.top+1 >= len(r.stack) {
		return
	}
	caller := r.stack[r.top+1]
	if caller.fn.IsG {
		return
	}
	c := locate(caller)
	n := c.callNode()
	if n == nil || n.kids[0].kind != indexNode {
		return
	}
	f := n.kids[0]
	e.Hints = append(e.Hints, fmt.Sprintf("'%s' was called with a dot, on line %d: call it with a colon, %s:%s(...)",
		f.name, c.line(), c.tree.expression(f.kids[0]), f.name))
	e.Marks = append(e.Marks, Mark{Place: c.target(n), Label: "called here"})
}
