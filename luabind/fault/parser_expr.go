package fault

import (
	"fmt"
	"strings"
)

func (p *parser) expressions() []*node {
	list := []*node{p.expression(0)}
	for p.accept(",") {
		list = append(list, p.expression(0))
	}
	return list
}

// binary operators: left and right binding power.
var binary = map[string][2]int{
	"or": {1, 1}, "and": {2, 2}, "<": {3, 3}, ">": {3, 3}, "<=": {3, 3}, ">=": {3, 3}, "~=": {3, 3}, "==": {3, 3},
	"..": {5, 4}, "+": {6, 6}, "-": {6, 6}, "*": {7, 7}, "/": {7, 7}, "%": {7, 7}, "^": {10, 9},
}

const unaryPower = 8

// meant says which operator of Lua one of another language stands for, and what to write if there is none.
var meant = map[string]struct{ op, write, hint string }{
	"!=": {"~=", "~=", ""}, "!==": {"~=", "~=", ""}, "<>": {"~=", "~=", ""}, "===": {"==", "==", ""}, "&&": {"and", "and", ""}, "||": {"or", "or", ""}, "**": {"^", "^", ""},
	"??": {"or", "or", ""}, "//": {"/", "", "integer division: math.floor(a / b).  A comment begins with --"},
	"&": {"+", "", bitHint}, "|": {"+", "", bitHint}, "<<": {"*", "", "a << n is  a * 2^n"}, ">>": {"/", "", "a >> n is  math.floor(a / 2^n)"}, "~": {"~=", "", "not equal is ~=; " + bitHint},
}

const bitHint = "this Lua has no bit operators; calculate with %, ^ and math.floor"

// operatorAt gives the binary operator at hand as Lua has it.
func (p *parser) operatorAt() (op string, ok bool) {
	t := p.peek()
	if t.kind == foreign {
		m, known := meant[t.text]
		return m.op, known
	}
	if t.kind == operator || t.kind == keyword {
		_, ok = binary[t.text]
	}
	return t.text, ok
}

func (p *parser) expression(limit int) *node {
	left := p.unary()
	for {
		op, ok := p.operatorAt()
		if !ok || binary[op][0] <= limit {
			break
		}
		t := p.next()
		if t.kind == foreign {
			p.foreignOperator(t)
		}
		right := p.expression(binary[op][1])
		n := &node{kind: binaryNode, pos: left.pos, end: right.end, line: left.line, name: op, kids: []*node{left, right}}
		if op == ".." && right.kind == binaryNode && right.name == ".." {
			p.unop(right) // the engine joins a whole row at once
		}
		if op != "and" && op != "or" && !folded(n) {
			p.op(n)
		}
		left = n
	}
	if limit == 0 {
		p.afterExpression()
	}
	return left
}

func (p *parser) foreignOperator(t token) {
	m := meant[t.text]
	label := ""
	if m.write != "" {
		label = "write '" + m.write + "'"
	}
	d := diagnosis{at: t, habit: t.text, message: fmt.Sprintf("'%s' is not an operator of Lua", t.text), label: label}
	if m.hint != "" {
		d.hints = []string{m.hint}
	}
	p.report(d)
}

// afterExpression knows what may wrongly follow an expression.
func (p *parser) afterExpression() {
	t := p.peek()
	switch {
	case t.is("?"):
		p.next()
		p.tell(t, "?", "Lua has no 'a ? b : c'", "", "write  condition and b or c  (b must not be false or nil), or an 'if'")
		p.choice++
		p.expression(0)
		p.choice--
		if p.accept(":") {
			p.expression(0)
		}
	case t.is("=>") || t.is("->"):
		p.next()
		p.tell(t, "=>", "functions are not written with "+t.text+" in Lua", "", "function(x) return x + 1 end")
		p.expression(0)
	case t.is("++") || t.is("--"):
		p.next()
		p.tell(t, "++", "'"+t.text+"' is not an operator of Lua", "", "write  i = i + 1")
	}
}

func (p *parser) unary() *node {
	t := p.peek()
	op := t.text
	switch {
	case t.is("-"), t.is("#"), t.is("not"):
		p.next()
	case t.is("!"):
		p.next()
		p.tell(t, "!", "'!' is not an operator of Lua", "write 'not'")
		op = "not"
	case t.is("~"), t.is("&"), t.is("+"), t.is("++"):
		p.next()
		p.tell(t, t.text, fmt.Sprintf("'%s' is not an operator of Lua", t.text), "")
		return p.expression(unaryPower)
	default:
		return p.suffixed()
	}
	x := p.expression(unaryPower)
	n := &node{kind: unaryNode, pos: t.pos, end: x.end, line: x.line, name: op, kids: []*node{x}}
	if op != "not" && !folded(n) {
		p.op(n)
	}
	return n
}

// folded tells whether the compiler calculates n itself.
func folded(n *node) bool {
	switch n.kind {
	case numberNode:
		return true
	case unaryNode:
		return n.name == "-" && folded(n.kids[0])
	case binaryNode:
		return strings.Contains("+-*/%^", n.name) && folded(n.kids[0]) && folded(n.kids[1])
	}
	return false
}

// name makes the node of a name.
func (p *parser) name(t token) *node {
	n := &node{kind: nameNode, pos: t.pos, end: t.end, line: t.line, name: t.text, local: p.resolve(t.text), owner: p.fn}
	if n.local == nil {
		p.t.globs[t.text] = true
		p.op(n)
	}
	return n
}

func (p *parser) simple(t token, k nodeKind) *node {
	p.next()
	return &node{kind: k, pos: t.pos, end: t.end, line: t.line, name: t.text}
}

// suffixed reads a value with what is applied to it: fields, calls.
func (p *parser) suffixed() *node {
	t := p.peek()
	switch {
	case t.kind == number:
		return p.simple(t, numberNode)
	case t.kind == text:
		n := p.simple(t, stringNode)
		if u := p.peek(); u.is(":") && u.line == t.line && p.peekAt(1).kind == name && p.peekAt(2).is("(") {
			p.tell(t, "string method", "a string needs parentheses before ':'", "", "('text'):format(x)")
			return p.suffixes(n)
		}
		return n
	case t.is("nil"), t.is("true"), t.is("false"):
		return p.simple(t, otherNode)
	case t.is("..."):
		if !p.fn.variadic {
			p.tell(t, "...", "'...' stands in a function that takes no '...'", "", "write  function(...)")
		}
		return p.simple(t, otherNode)
	case t.is("{"):
		return p.table()
	case t.is("["):
		return p.list()
	case t.is("function"):
		at := p.next()
		title := ""
		if p.peek().kind == name {
			title = p.next().text
			p.tell(p.prev(), "named function", "a function inside an expression has no name", "leave the name out")
		}
		return p.body(at, title, false, at.line)
	case t.kind == name:
		p.next()
		if t.reserved {
			p.reserved(t)
		}
		if p.foreignValue(t) {
			return p.expression(unaryPower)
		}
		return p.suffixes(p.name(t))
	case t.is("(") && p.arrow():
		return &node{kind: functionNode, pos: t.pos, end: p.prev().end, line: t.line}
	case t.is("("):
		p.next()
		n := p.expression(0)
		p.closing(t, ")")
		n.line = t.line
		wrapped := *n
		wrapped.pos, wrapped.end = t.pos, p.prev().end
		for i, o := range p.fn.ops {
			if o == n {
				p.fn.ops[i] = &wrapped
			}
		}
		return p.suffixes(&wrapped)
	}
	p.noValue(t)
	return nil
}

// arrow reads (a, b) => expression, as functions are written elsewhere, if that is what stands here.
func (p *parser) arrow() bool {
	depth, i := 0, p.at
	for ; i < len(p.tokens); i++ {
		if t := p.tokens[i]; t.is("(") {
			depth++
		} else if t.is(")") {
			if depth--; depth == 0 {
				break
			}
		} else if t.kind == endOfFile {
			return false
		}
	}
	if i+1 >= len(p.tokens) || !p.tokens[i+1].is("=>") && !p.tokens[i+1].is("->") {
		return false
	}
	params := strings.TrimSpace(p.t.src[p.peek().pos:p.tokens[i].end])
	p.at = i + 1
	t := p.next()
	p.tell(t, "=>", fmt.Sprintf("functions are not written with %s in Lua", t.text), "", fmt.Sprintf("function%s return ... end", OneLine(params)))
	p.expression(0)
	return true
}

// foreignValue knows words that stand before a value elsewhere: new Foo(), await f().
func (p *parser) foreignValue(t token) bool {
	next := p.peek()
	if next.kind != name || next.line != t.line {
		return false
	}
	switch t.text {
	case "new":
		p.tell(t, "new", "Lua has no 'new'", "leave it out", "call the function that makes the object")
	case "await", "async", "yield":
		p.tell(t, "await", fmt.Sprintf("Lua has no '%s'", t.text), "leave it out", "waiting looks like calling: what waits lets others run by itself")
	case "typeof":
		p.tell(t, "typeof", "Lua has no operator 'typeof'", "", "type(x)")
	default:
		return false
	}
	return true
}

// noValue reports that no expression begins at t.
func (p *parser) noValue(t token) {
	prev := p.prev()
	switch {
	case t.kind == keyword && (t.is("end") || t.is("then") || t.is("do") || t.is("else") || t.is("elseif") || t.is("until")) || t.kind == endOfFile || t.is(")") || t.is("}") || t.is("]"):
		d := diagnosis{at: prev, generic: true, message: fmt.Sprintf("a value is missing after '%s'", OneLine(prev.text))}
		p.report(d)
		panic(stuck{})
	case t.kind == foreign && len(t.text) > 0 && t.text[0] >= 0x80:
		hint := ""
		if strings.ContainsAny(t.text, "“”„‘’‚«»") {
			hint = `quotes in Lua are " and '`
		}
		d := diagnosis{at: t, habit: "character", message: fmt.Sprintf("the character '%s' cannot stand here", OneLine(t.text))}
		if hint != "" {
			d.hints = []string{hint}
		}
		p.report(d)
		panic(stuck{})
	case t.kind == keyword && startsStatement(t):
		p.report(diagnosis{at: prev, generic: true, message: fmt.Sprintf("a value is missing after '%s'", OneLine(prev.text))})
		panic(stuck{})
	}
	p.fail(t, "a value")
}

// closing takes the bracket that closes open.
func (p *parser) closing(open token, want string) {
	t := p.peek()
	if t.is(want) {
		p.next()
		return
	}
	if t.line > open.line && t.first {
		p.report(diagnosis{at: open, habit: "structure", label: "opened here",
			message: fmt.Sprintf("'%s' on line %d is never closed: '%s' is missing", open.text, open.line, want)})
		panic(stuck{})
	}
	p.fail(t, "'"+want+"'")
}

func (p *parser) suffixes(n *node) *node {
	for {
		t := p.peek()
		switch {
		case t.is("."), t.is("?."):
			p.next()
			if t.is("?.") {
				p.tell(t, "?.", "Lua has no '?.'", "", "write  a and a.b")
			}
			key := p.expectName("after '.'")
			n = p.op(&node{kind: indexNode, pos: n.pos, end: key.end, line: n.line, name: key.text, key: key, constant: true, kids: []*node{n}})
		case t.is("["):
			p.next()
			k := p.expression(0)
			p.closing(t, "]")
			n = p.op(&node{kind: indexNode, pos: n.pos, end: p.prev().end, line: n.line, kids: []*node{n, k},
				constant: k.kind == stringNode, name: unquote(k), key: token{kind: text, pos: k.pos, end: k.end}})
		case t.is(":") && p.isMethod():
			n = p.method(n)
		case t.is(":") && p.choice == 0 && p.peekAt(1).kind == name && p.peekAt(1).line == t.line && n.end == t.pos && p.peekAt(1).pos == t.end && !p.peekAt(2).is("="):
			p.next()
			key := p.next()
			s := p.t.expression(n)
			p.tell(key, "method", fmt.Sprintf("a method has to be called: '%s:%s' lacks its arguments", s, key.text), "", fmt.Sprintf("write  %s:%s()  to call it, or  %s.%s  to read a field", s, key.text, s, key.text))
		case t.is("(") || t.is("{") || t.kind == text:
			if t.is("(") && t.first && n.kind != nameNode && p.ambiguous(t, n) {
				return n
			}
			call := &node{kind: callNode, pos: n.pos, line: n.line}
			call.kids = append([]*node{n}, p.arguments()...)
			call.end = p.prev().end
			n = p.op(call)
		default:
			return n
		}
	}
}

// isMethod tells whether : is followed by a method's name and arguments, and not by a type or the other half of ? :.
func (p *parser) isMethod() bool {
	n, a := p.peekAt(1), p.peekAt(2)
	return (n.kind == name || n.kind == keyword) && (a.is("(") || a.is("{") || a.kind == text)
}

func (p *parser) method(n *node) *node {
	p.next()
	key := p.expectName("of a method")
	self := &node{kind: methodNode, pos: n.pos, end: key.end, line: n.line, name: key.text, key: key, kids: []*node{n}}
	p.op(self) // fetching the method is an operation; calling it another
	args := p.arguments()
	self.kids = append(self.kids, args...)
	self.end = p.prev().end
	call := &node{kind: callNode, pos: n.pos, end: self.end, line: n.line, kids: []*node{self}}
	p.op(call)
	return self
}

// ambiguous reports a ( on a new line that the engine refuses, because it may begin a statement or call what stands before it.
func (p *parser) ambiguous(t token, n *node) bool {
	if n.kind != callNode && n.kind != methodNode {
		return false
	}
	p.tell(t, "ambiguous", "this '(' may begin a statement or be the arguments of the line before", "",
		"put ';' before it, or '(' at the end of the line before")
	return true
}

func (p *parser) arguments() []*node {
	t := p.peek()
	switch {
	case t.kind == text:
		return []*node{p.simple(t, stringNode)}
	case t.is("{"):
		return []*node{p.table()}
	case !t.is("("):
		p.fail(t, "arguments")
	}
	p.next()
	var args []*node
	for !p.accept(")") {
		args = append(args, p.expression(0))
		u := p.peek()
		switch {
		case u.is(")"):
		case u.is(","):
			p.next()
			if p.peek().is(")") {
				p.tell(u, "comma", "a value is missing after ','", "", "arguments end without a comma")
			}
		case u.is("="):
			p.next()
			p.tell(u, "named argument", "arguments have no names in Lua", "", "options stand in a table: f { name = value }")
			p.expression(0)
			p.accept(",")
		case u.first && u.line > t.line:
			p.closing(t, ")")
		case u.kind == name || u.kind == text || u.kind == number || u.is("{") || u.is("function"):
			p.missingComma("arguments")
		default:
			p.closing(t, ")")
		}
	}
	return args
}

// missingComma reports that a comma is missing after the last token.
func (p *parser) missingComma(between string) {
	at := p.prev()
	at.col += at.end - at.pos
	at.pos, at.end = at.end, at.end+1
	p.report(diagnosis{at: at, habit: "comma", message: "',' is missing between " + between, label: "write ',' here"})
}
