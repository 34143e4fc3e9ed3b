package fault

import (
	"fmt"
	"strings"
)

// expressionStatement reads a call or an assignment, and what people write in their place.
func (p *parser) expressionStatement() {
	t := p.peek()
	if t.kind == name && p.foreignStatement(t) {
		return
	}
	if t.kind == foreign && t.text == "++" || t.is("--") {
		p.next()
		p.tell(t, "++", "'++' is not an operator of Lua", "", "write  i = i + 1")
		p.suffixed()
		return
	}
	if t.is("@") {
		p.next()
		p.tell(t, "@", "Lua has no decorators", "", "pass the function as an argument:  app.agent('name', topic, function(stream) ... end)")
		p.suffixed()
		return
	}
	if t.kind == keyword && !t.is("nil") && !t.is("true") && !t.is("false") || t.is(")") || t.is("]") || t.is("}") {
		p.fail(t, "a statement")
	}
	n := p.suffixed()
	u := p.peek()
	switch {
	case u.is("=") || u.is(","):
		p.assignment(n)
	case u.kind == foreign && strings.HasSuffix(u.text, "=") && !strings.HasPrefix(u.text, "!") && u.text != "===":
		p.compound(n, u)
	case u.is("++") || u.is("-") && p.peekAt(1).is("-"):
		p.next()
		s := p.t.expression(n)
		p.tell(u, "++", fmt.Sprintf("'%s' is not an operator of Lua", u.text), "", fmt.Sprintf("write  %s = %s + 1", s, s))
	case n.kind == callNode || n.kind == methodNode:
		p.afterCall(n, u)
	default:
		p.noStatement(t, n)
	}
}

// compound reads x += 1.
func (p *parser) compound(n *node, op token) {
	p.next()
	right := p.expression(0)
	s, sign := p.t.expression(n), strings.TrimSuffix(op.text, "=")
	write := map[string]string{"&&": "and", "||": "or", "**": "^", ":": ""}
	if w, ok := write[sign]; ok {
		sign = w
	}
	hint := fmt.Sprintf("write  %s = %s %s %s", s, s, sign, p.t.expression(right))
	if sign == "" {
		hint = fmt.Sprintf("write  local %s = %s", s, p.t.expression(right))
	}
	p.tell(op, op.text, fmt.Sprintf("'%s' is not an operator of Lua", op.text), "", hint)
}

func (p *parser) assignment(first *node) {
	targets := []*node{first}
	p.target(first)
	for p.accept(",") {
		n := p.suffixed()
		p.target(n)
		targets = append(targets, n)
	}
	p.expect("=", "after the names")
	if u := p.peek(); u.is("=") {
		p.fail(u, "a value")
	}
	p.expressions()
	for i := len(targets) - 1; i >= 0; i-- {
		if n := targets[i]; n.kind == indexNode || n.kind == nameNode && n.local == nil {
			set := p.op(n)
			p.fn.sets[set] = true
		}
	}
}

// target makes the read of n, which is assigned to, no operation.
func (p *parser) target(n *node) {
	switch n.kind {
	case nameNode, indexNode:
		p.unop(n)
	case callNode, methodNode:
		p.tell(p.peek(), "target", "the result of a call cannot be assigned to", "", "to compare write '=='")
	default:
		p.report(diagnosis{at: p.peek(), message: fmt.Sprintf("%s cannot be assigned to", p.t.expression(n)), generic: true})
	}
}

// afterCall knows what may wrongly follow a call that stands as a statement: print 'a' .. b.
func (p *parser) afterCall(n *node, u token) {
	op, ok := p.operatorAt()
	if !ok || u.first && u.kind != operator {
		return
	}
	if u.first && (op == "-" || op == "#") {
		return
	}
	hint := "nothing is done with the value"
	if n.kind == callNode && len(n.kids) == 2 && n.kids[1].kind == stringNode && n.end == n.kids[1].end {
		f := p.t.expression(n.kids[0])
		hint = fmt.Sprintf("with an operator the argument needs parentheses:  %s(%s %s ...)", f, p.t.expression(n.kids[1]), u.text)
	}
	p.tell(u, "statement", "a calculation cannot be a statement", "", hint)
	p.next()
	p.expression(0)
}

// noStatement reports an expression that stands where a statement has to.
func (p *parser) noStatement(t token, n *node) {
	u := p.peek()
	switch {
	case u.is("==") || u.is("==="):
		p.tell(u, "==", "'==' compares; it does not assign", "write '='")
		p.next()
		p.expression(0)
	case u.is(":") && n.kind == nameNode && p.peekAt(1).kind == name && p.peekAt(2).is("="):
		p.next()
		p.tell(u, "type", "Lua has no types on names", "leave the type out")
		p.next()
		p.next()
		p.expressions()
	case u.is(":") && !u.first:
		p.fail(p.peekAt(1), "a method and its arguments, "+p.t.expression(n)+":name(...),")
	case u.kind == name && u.line == t.line && n.kind == nameNode && Suggest(n.name, statementWords) != "":
		w := Suggest(n.name, statementWords)
		p.tellOpener(t, "word", fmt.Sprintf("'%s' is not a statement", n.name), "", fmt.Sprintf("did you mean '%s'?", w))
		panic(stuck{})
	case u.kind == name && u.line == t.line && !u.first:
		p.fail(u, "'=' or '('")
	case n.kind == nameNode || n.kind == indexNode:
		s := p.t.expression(n)
		if (u.kind == operator || u.kind == foreign) && !u.first && !u.is(";") && !u.is("}") && !u.is(")") && !u.is("]") {
			p.tell(u, "statement", "a calculation cannot be a statement", "", fmt.Sprintf("to keep it write  local x = %s %s ...", s, u.text))
			panic(stuck{})
		}
		d := diagnosis{at: t, habit: "statement", message: fmt.Sprintf("'%s' alone is not a statement", s)}
		d.at.end = n.end
		d.hints = []string{fmt.Sprintf("to call it write  %s()", s)}
		if n.kind == nameNode && n.name == "continue" {
			d.message, d.hints = "Lua has no 'continue'", []string{"write  goto continue  and put  ::continue::  before the 'end' of the loop"}
		} else if n.kind == nameNode && n.name == "pass" {
			d.message, d.hints = "Lua has no 'pass'", []string{"an empty block is allowed"}
		}
		p.report(d)
	default:
		d := diagnosis{at: t, habit: "statement", message: "a value alone is not a statement"}
		d.at.end = n.end
		p.report(d)
		if _, ok := p.operatorAt(); ok {
			panic(stuck{})
		}
	}
}

var statementWords = []string{"local", "function", "return", "while", "repeat", "goto", "for", "if"}

// foreignStatement knows statements of other languages that begin with a word Lua takes for a name.
func (p *parser) foreignStatement(t token) bool {
	u := p.peekAt(1)
	same := u.line == t.line && !u.first
	switch t.text {
	case "let", "var", "const", "auto", "int", "float", "double", "string", "bool", "my":
		if same && u.kind == name {
			p.tell(t, "let", fmt.Sprintf("'%s' does not declare in Lua", t.text), "write 'local'")
			p.at++ // read on as after local
			p.declaration()
			return true
		}
	case "func", "def", "fn", "fun", "sub", "proc":
		if same && u.kind == name && p.peekAt(2).is("(") {
			p.tellOpener(t, "func", fmt.Sprintf("'%s' is not a word of Lua", t.text), "write 'function'")
			panic(stuck{})
		}
	case "class", "struct", "interface", "enum":
		if same && u.kind == name {
			p.tellOpener(t, "class", fmt.Sprintf("Lua has no '%s'", t.text), "", "an object is a table, its methods are  function Account:deposit(n) ... end")
			panic(stuck{})
		}
	case "import", "from", "using", "include":
		if same && (u.kind == name || u.kind == text) && !p.peekAt(2).is(",") {
			p.tell(t, "import", fmt.Sprintf("Lua has no '%s'", t.text), "", "local users = require 'lib.users'")
			panic(stuck{})
		}
	case "try":
		if u.is("{") || u.is(":") || u.first {
			p.tellOpener(t, "try", "Lua has no 'try'", "", "local ok, err = pcall(function() ... end)  if not ok then ... end")
			panic(stuck{})
		}
	case "catch", "except", "finally":
		if u.is("(") && p.closesBefore("{") || u.is("{") || u.is(":") || same && u.kind == name {
			p.tellOpener(t, "try", fmt.Sprintf("Lua has no '%s'", t.text), "", "local ok, err = pcall(function() ... end)  if not ok then ... end")
			panic(stuck{})
		}
	default:
		return p.foreignControl(t, u, same)
	}
	return false
}

// foreignControl knows words that steer elsewhere.
func (p *parser) foreignControl(t, u token, same bool) bool {
	switch t.text {
	case "switch", "match":
		if u.is("(") && p.closesBefore("{") || same && u.kind == name {
			p.tellOpener(t, "switch", fmt.Sprintf("Lua has no '%s'", t.text), "", "if x == 1 then ... elseif x == 2 then ... else ... end, or a table of functions by value")
			panic(stuck{})
		}
	case "case", "default":
		if same && (u.kind == name || u.kind == number || u.kind == text) || u.is(":") {
			p.tellOpener(t, "switch", fmt.Sprintf("Lua has no '%s'", t.text), "", "if x == 1 then ... elseif x == 2 then ... else ... end")
			panic(stuck{})
		}
	case "elif", "elsif", "elseIf", "else_if":
		p.tell(t, "elseif", fmt.Sprintf("'%s' is not a word of Lua", t.text), "write 'elseif'")
		p.next()
		p.condition()
		p.accept("then")
		p.accept(":")
		return true
	case "foreach", "loop", "unless", "until":
		if u.is("(") && p.closesBefore("{") || same && u.kind == name {
			p.tellOpener(t, "foreach", fmt.Sprintf("Lua has no '%s'", t.text), "", "for index, value in ipairs(list) do ... end")
			panic(stuck{})
		}
	case "throw", "raise":
		if same && (u.kind == name || u.kind == text && p.peekAt(1).line == t.line && t.text == "throw") {
			p.tell(t, "throw", fmt.Sprintf("Lua has no '%s'", t.text), "", "error('text')")
			panic(stuck{})
		}
	case "async":
		if u.is("function") {
			p.tell(t, "await", "Lua has no 'async'", "leave it out", "waiting looks like calling: what waits lets others run by itself")
			p.next()
			p.statement()
			return true
		}
	case "print", "echo", "puts":
		if same && (u.kind == name || u.kind == number) {
			p.tell(t, "print", "'print' is a function", "", fmt.Sprintf("print(%s)", u.text))
			panic(stuck{})
		}
	}
	return false
}

// declaration reads name = value, as after local.
func (p *parser) declaration() {
	names := []token{p.expectName("to declare")}
	p.annotation()
	for p.accept(",") {
		names = append(names, p.expectName("after ','"))
	}
	if p.accept("=") {
		p.expressions()
	}
	for _, n := range names {
		p.declare(n, "local", p.prev().end)
	}
}

// closesBefore tells whether the bracket after the word at hand closes right before a token s.
func (p *parser) closesBefore(s string) bool {
	depth := 0
	for i := p.at + 1; i < len(p.tokens); i++ {
		switch t := p.tokens[i]; {
		case t.is("("):
			depth++
		case t.is(")"):
			if depth--; depth == 0 {
				return p.tokens[i+1].is(s) || p.tokens[i+1].is("do") || p.tokens[i+1].first
			}
		case t.kind == endOfFile:
			return false
		}
	}
	return false
}
