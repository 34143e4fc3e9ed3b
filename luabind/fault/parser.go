package fault

import (
	"fmt"
	"strings"
)

// parser reads balanced tokens into a tree. It goes on after mistakes: a known one is reported and read as what was meant, an unknown one
// ends the statement.
type parser struct {
	t      *tree
	tokens []token
	at     int
	fn     *function
	blocks [][]*local
	choice int // inside so many  a ? b : c
	report func(diagnosis)
}

// stuck ends a statement that cannot be read on.
type stuck struct{}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) peekAt(n int) token {
	return p.tokens[min(p.at+n, len(p.tokens)-1)]
}

func (p *parser) prev() token {
	if p.at == 0 {
		return token{line: 1, col: 1}
	}
	return p.tokens[p.at-1]
}

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != endOfFile {
		p.at++
	}
	return t
}

func (p *parser) accept(s string) bool {
	if p.peek().is(s) {
		p.next()
		return true
	}
	return false
}

// tell reports a known mistake at t.
func (p *parser) tell(t token, habit, message, label string, hints ...string) {
	p.report(diagnosis{at: t, habit: habit, message: message, label: label, hints: hints})
}

// tellOpener is tell for a word that was meant to open a block, whose end will be found to close nothing.
func (p *parser) tellOpener(t token, habit, message, label string, hints ...string) {
	p.report(diagnosis{at: t, habit: habit, message: message, label: label, hints: hints, opens: true})
}

// fail reports that t was not expected, and ends the statement.
func (p *parser) fail(t token, expected string) {
	what := "unexpected " + t.title()
	if expected != "" {
		what += ": " + expected + " expected"
	}
	p.report(diagnosis{at: t, message: what, generic: true})
	panic(stuck{})
}

// title is a token as a message names it.
func (t token) title() string {
	switch t.kind {
	case endOfFile:
		return "end of the file"
	case text:
		return "string"
	case keyword:
		return "keyword '" + t.text + "'"
	}
	return "'" + OneLine(t.text) + "'"
}

// expect takes the token s; after is what it has to follow, for the message.
func (p *parser) expect(s, where string) token {
	t := p.peek()
	if t.is(s) {
		return p.next()
	}
	p.fail(t, "'"+s+"' "+where)
	return t
}

func (p *parser) expectName(where string) token {
	t := p.peek()
	if t.kind == name {
		p.next()
		if t.reserved {
			p.reserved(t)
		}
		return t
	}
	if t.kind == keyword && (p.peekAt(1).is("=") || p.peekAt(1).is(",") || p.peekAt(1).is("(") || p.peekAt(1).is(")")) {
		p.next()
		p.reserved(t)
		return t
	}
	p.fail(t, "a name "+where)
	return t
}

// reserved reports t, just taken, as a keyword that was used as a name.
func (p *parser) reserved(t token) {
	hint := "choose another name"
	if p.at >= 2 && p.tokens[p.at-2].is(".") || p.peek().is("=") && p.at >= 2 && !p.tokens[p.at-2].is("local") {
		hint = fmt.Sprintf("as a field write ['%s']", t.text)
	}
	p.tell(t, "keyword", fmt.Sprintf("'%s' is a keyword of Lua and cannot be a name", t.text), "", hint)
}

func (p *parser) file() {
	p.fn = &function{variadic: true, sets: map[*node]bool{}, end: len(p.t.src)}
	p.t.funcs = append(p.t.funcs, p.fn)
	p.open()
	for p.peek().kind != endOfFile {
		p.block()
		if t := p.peek(); t.kind != endOfFile {
			p.next() // a closer that balance left: reported there
			_ = t
		}
	}
	p.closeBlock(len(p.t.src))
}

func (p *parser) open() { p.blocks = append(p.blocks, nil) }

// closeBlock ends the scope of the innermost block's locals at offset end.
func (p *parser) closeBlock(end int) {
	last := len(p.blocks) - 1
	for _, l := range p.blocks[last] {
		l.to = end
	}
	p.blocks = p.blocks[:last]
}

func (p *parser) declare(t token, what string, from int) {
	l := &local{name: t.text, at: t, from: from, to: len(p.t.src) + 1, owner: p.fn, what: what}
	p.t.locals = append(p.t.locals, l)
	last := len(p.blocks) - 1
	p.blocks[last] = append(p.blocks[last], l)
}

func (p *parser) resolve(s string) *local {
	for i := len(p.blocks) - 1; i >= 0; i-- {
		for j := len(p.blocks[i]) - 1; j >= 0; j-- {
			if p.blocks[i][j].name == s {
				return p.blocks[i][j]
			}
		}
	}
	return nil
}

// op records that n is done by an instruction of its own, here.
func (p *parser) op(n *node) *node {
	n.owner = p.fn
	p.fn.ops = append(p.fn.ops, n)
	return n
}

func endsBlock(t token) bool {
	return t.kind == endOfFile || t.is("end") || t.is("else") || t.is("elseif") || t.is("until")
}

// block reads statements up to what ends the block.
func (p *parser) block() {
	for !endsBlock(p.peek()) {
		before := p.at
		last := p.statementSafely()
		if p.at == before {
			p.next()
		}
		p.accept(";")
		if t := p.peek(); last != "" && !endsBlock(t) {
			p.tell(t, "last", fmt.Sprintf("'%s' must be the last statement of its block", last), "this can never run",
				fmt.Sprintf("put it in a block of its own:  do %s end", last))
		}
	}
}

// statementSafely reads one statement; stuck in it, it goes on at the next one. It gives "return" or "break" for those.
func (p *parser) statementSafely() (last string) {
	depth, fn, start := len(p.blocks), p.fn, p.at
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(stuck); !ok {
				panic(r)
			}
			for len(p.blocks) > depth {
				p.closeBlock(p.peek().pos)
			}
			p.fn = fn
			p.sync(start)
		}
	}()
	return p.statement()
}

// sync skips to where a statement may begin: a keyword that starts one, or the first word of a line that does not lie in brackets.
func (p *parser) sync(start int) {
	if p.at == start {
		p.next()
	}
	for {
		t := p.peek()
		if endsBlock(t) || t.first && (t.kind == name || startsStatement(t)) {
			return
		}
		p.next()
	}
}

func startsStatement(t token) bool {
	switch t.text {
	case "local", "if", "for", "while", "repeat", "return", "break", "do", "goto", "function", "::":
		return t.kind == keyword || t.kind == operator
	}
	return false
}

func (p *parser) statement() string {
	t := p.peek()
	switch {
	case t.is(";"):
		p.next()
	case t.is("local"):
		p.local()
	case t.is("if"):
		p.ifStatement()
	case t.is("while"):
		p.while()
	case t.is("for"):
		p.forStatement()
	case t.is("repeat"):
		p.repeat()
	case t.is("do"):
		p.next()
		p.scope()
		p.expect("end", "at the end of the block")
	case t.is("function"):
		p.functionStatement()
	case t.is("return"):
		p.next()
		if !endsBlock(p.peek()) && !p.peek().is(";") {
			p.expressions()
		}
		return "return"
	case t.is("break"):
		p.next()
		if p.fn.loops == 0 {
			p.tell(t, "break", "'break' stands outside a loop", "", "to leave a function write 'return'")
		}
		return "break"
	case t.is("goto"):
		p.next()
		p.expectName("of a label")
	case t.is("::"):
		p.next()
		p.t.labels[p.expectName("of the label").text] = true
		p.expect("::", "after the label")
	default:
		p.expressionStatement()
	}
	return ""
}

// scope reads a block with locals of its own.
func (p *parser) scope() {
	p.open()
	p.block()
	p.closeBlock(p.peek().pos)
}

func (p *parser) loop() {
	p.fn.loops++
	p.block()
	p.fn.loops--
}

func (p *parser) ifStatement() {
	p.next()
	p.condition()
	p.word("then", "if")
	p.scope()
	for {
		t := p.peek()
		switch {
		case t.is("elseif"):
			p.next()
			p.condition()
			p.word("then", "elseif")
			p.scope()
		case t.is("else"):
			p.next()
			if u := p.peek(); u.is(":") {
				p.tell(p.next(), "colon", "a block begins without a colon in Lua", "leave it out")
			}
			p.scope()
		default:
			p.expect("end", "of the 'if'")
			return
		}
	}
}

// condition reads an expression in which = can only be meant as ==.
func (p *parser) condition() {
	p.expression(0)
	if t := p.peek(); t.is("=") {
		p.next()
		p.tell(t, "=", "'=' assigns; it does not compare", "write '=='")
		p.expression(0)
	}
}

// word takes the word between the head of a statement and its block.
func (p *parser) word(want, head string) {
	t := p.peek()
	switch {
	case t.is(want):
		p.next()
	case t.is("do") || t.is("then") || t.is(":"):
		p.next()
		p.tell(t, "word", fmt.Sprintf("'%s' stands where '%s' has to", t.text, want), "write '"+want+"'")
	case t.first || t.line > p.prev().line || startsStatement(t) || t.kind == name || endsBlock(t):
		at := p.prev()
		d := diagnosis{at: at, habit: "word", message: fmt.Sprintf("'%s' is missing after the condition of '%s'", want, head), label: "write '" + want + "' here"}
		if head == "for" {
			d.message = "'do' is missing after the head of 'for'"
		}
		d.at.pos, d.at.col, d.at.end = at.end, at.col+at.end-at.pos, at.end+1
		p.report(d)
	default:
		p.fail(t, "'"+want+"'")
	}
}

func (p *parser) while() {
	p.next()
	p.condition()
	p.word("do", "while")
	p.open()
	p.loop()
	p.closeBlock(p.peek().pos)
	p.expect("end", "of the 'while'")
}

func (p *parser) repeat() {
	p.next()
	p.open()
	p.loop()
	p.expect("until", "of the 'repeat'")
	p.condition()
	p.closeBlock(p.peek().pos)
}

func (p *parser) forStatement() {
	start := p.next()
	if p.cLoop() {
		return
	}
	names := []token{p.expectName("after 'for'")}
	for p.accept(",") {
		names = append(names, p.expectName("of a loop variable"))
	}
	head := &node{kind: loopNode, pos: start.pos, line: start.line}
	t := p.peek()
	switch {
	case t.is("="):
		p.next()
		head.kids = p.expressions()
	case t.is("in") || t.is(":") || t.kind == name && t.text == "of":
		if p.next(); !t.is("in") {
			p.tell(t, "in", fmt.Sprintf("'%s' stands where 'in' has to", t.text), "write 'in'", "for index, value in ipairs(list) do")
		}
		head.kids, head.generic = p.expressions(), true
	default:
		p.fail(t, "'=' or 'in'")
	}
	head.end = p.prev().end
	if !head.generic {
		p.op(head)
	}
	p.word("do", "for")
	p.open()
	for _, n := range names {
		p.declare(n, "loop variable", p.prev().end)
	}
	p.loop()
	p.closeBlock(p.peek().pos)
	if head.generic {
		p.op(head)
	}
	p.expect("end", "of the 'for'")
}

// cLoop reads for (i = 0; i < n; i++) and says how it is written here.
func (p *parser) cLoop() bool {
	if !p.peek().is("(") {
		return false
	}
	open, depth := p.peek(), 0
	for {
		t := p.next()
		if t.is("(") {
			depth++
		} else if t.is(")") {
			if depth--; depth == 0 {
				break
			}
		} else if t.kind == endOfFile {
			break
		}
	}
	p.tell(open, "for", "this is not how 'for' is written in Lua", "", "for i = 1, 10 do ... end   or   for index, value in ipairs(list) do ... end")
	if p.peek().is("do") {
		p.next()
	}
	p.open()
	p.loop()
	p.closeBlock(p.peek().pos)
	p.accept("end")
	return true
}

// local reads local x, y = ... and local function f.
func (p *parser) local() {
	p.next()
	if p.peek().is("function") {
		at := p.next()
		n := p.expectName("of the function")
		p.declare(n, "function", n.pos)
		p.body(at, n.text, false, p.peek().line)
		return
	}
	names := []token{p.expectName("after 'local'")}
	p.annotation()
	for p.accept(",") {
		names = append(names, p.expectName("after ','"))
		p.annotation()
	}
	if t := p.peek(); t.kind == foreign && strings.HasSuffix(t.text, "=") {
		p.next()
		p.tell(t, "=", fmt.Sprintf("'%s' does not declare in Lua", t.text), "write '='")
		p.expressions()
	} else if p.accept("=") {
		p.expressions()
	}
	for _, n := range names {
		p.declare(n, "local", p.prev().end)
	}
}

// annotation steps over the type of a name, which Lua does not have.
func (p *parser) annotation() {
	t := p.peek()
	switch {
	case t.is(":") && p.peekAt(1).kind == name && t.line == p.peekAt(1).line:
		p.next()
		p.tell(t, "type", "Lua has no types on names", "leave the type out")
		p.next()
		for p.peek().is(".") || p.peek().is("?") || p.peek().is("[") || p.peek().is("]") {
			p.next()
		}
	case t.is("<") && p.peekAt(2).is(">"):
		p.next()
		p.next()
		p.next()
		p.tell(t, "attribute", "this Lua has no attributes like <const>", "leave it out")
	}
}
