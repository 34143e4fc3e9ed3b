package fault

import "fmt"

func (p *parser) functionStatement() {
	at := p.next()
	n := p.expectName("of the function")
	target := p.name(n)
	full := n.text
	method := false
	for p.peek().is(".") || p.peek().is(":") {
		sep := p.next()
		key := p.expectName("after '" + sep.text + "'")
		full += sep.text + key.text
		if sep.is(":") {
			method = true
			break
		}
		target = p.op(&node{kind: indexNode, pos: target.pos, end: key.end, line: key.line, name: key.text, key: key, constant: true, kids: []*node{target}})
	}
	if !method && target.kind == indexNode {
		p.unop(target)
	}
	p.body(at, full, method, p.peek().line)
	if !method && target.kind == indexNode {
		p.fn.sets[p.op(target)] = true
	}
}

// unop takes back the last operation, which turned out to be none.
func (p *parser) unop(n *node) {
	if k := len(p.fn.ops); k > 0 && p.fn.ops[k-1] == n {
		p.fn.ops = p.fn.ops[:k-1]
	}
}

// body reads (parameters) block end. line is what the engine takes for the function's.
func (p *parser) body(at token, title string, method bool, line int) *node {
	f := &function{line: line, parent: p.fn, sets: map[*node]bool{}, name: title, pos: at.pos}
	p.t.funcs = append(p.t.funcs, f)
	outer := p.fn
	p.fn = f
	p.open()
	p.expect("(", "before the parameters")
	if method {
		p.declare(token{kind: name, text: "self", pos: at.pos, end: at.end, line: at.line, col: at.col}, "parameter", at.pos)
	}
	p.parameters()
	p.resultType()
	p.block()
	f.last, f.end = p.peek().line, p.peek().end
	p.closeBlock(p.peek().pos)
	p.fn = outer
	p.expect("end", "of the function")
	return &node{kind: functionNode, pos: at.pos, end: p.prev().end, line: at.line}
}

func (p *parser) parameters() {
	for !p.accept(")") {
		t := p.peek()
		if t.is("...") {
			p.next()
			p.fn.variadic = true
		} else {
			n := p.expectName("of a parameter")
			p.declare(n, "parameter", n.pos)
			p.annotation()
			if d := p.peek(); d.is("=") {
				p.next()
				p.tell(d, "default", "parameters have no defaults in Lua", "", fmt.Sprintf("in the function write  if %s == nil then %s = ... end", n.text, n.text))
				p.expression(0)
			}
		}
		if !p.peek().is(")") {
			p.expect(",", "between parameters")
		}
	}
}

// resultType steps over what stands between ) and the body in typed languages.
func (p *parser) resultType() {
	t := p.peek()
	if (t.is(":") || t.is("->")) && p.peekAt(1).kind == name && t.line == p.prev().line {
		p.next()
		p.next()
		p.tell(t, "type", "Lua has no types on functions", "leave the type out")
	} else if t.is(":") && p.peekAt(1).first {
		p.tell(p.next(), "colon", "a block begins without a colon in Lua", "leave it out")
	} else if t.is("=>") {
		p.tell(p.next(), "=>", "functions are not written with => in Lua", "", "function(x) return x + 1 end")
	}
}
