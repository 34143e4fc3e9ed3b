package fault

import "strings"

// list reads [1, 2], as lists are written elsewhere.
func (p *parser) list() *node {
	open := p.next()
	n := &node{kind: tableNode, pos: open.pos, line: open.line}
	p.tell(open, "[", "lists are written with braces in Lua", "", "{ 1, 2, 3 }")
	for !p.accept("]") {
		p.expression(0)
		if !p.accept(",") && !p.peek().is("]") {
			p.closing(open, "]")
		}
	}
	n.end = p.prev().end
	return n
}

func (p *parser) table() *node {
	open := p.next()
	n := &node{kind: tableNode, pos: open.pos, line: open.line}
	items := 0
	for !p.accept("}") {
		f := p.field()
		if f.name == "" && len(f.kids) == 1 {
			items++
		}
		n.kids = append(n.kids, f)
		t := p.peek()
		switch {
		case t.is(",") || t.is(";"):
			p.next()
		case t.is("}"):
		case t.kind == name || t.kind == text || t.kind == number || t.is("[") || t.is("{") || t.is("function") || t.kind == keyword && p.peekAt(1).is("="):
			p.missingComma("the fields of the table")
		default:
			p.closing(open, "}")
		}
	}
	n.end = p.prev().end
	p.t.items = max(p.t.items, items)
	return n
}

func (p *parser) field() *node {
	t, u := p.peek(), p.peekAt(1)
	f := &node{kind: fieldNode, pos: t.pos, line: t.line, owner: p.fn}
	switch {
	case (t.kind == name || t.kind == keyword) && u.is("="):
		f.key = p.expectName("of a field")
		f.name = t.text
		p.next()
		f.kids = []*node{p.expression(0)}
	case (t.kind == name || t.kind == text) && u.is(":") && !(t.kind == name && p.peekAt(2).kind == name && (p.peekAt(3).is("(") || p.peekAt(3).is("{") || p.peekAt(3).kind == text)):
		p.next()
		p.next()
		write := t.text + " = ..."
		if t.kind == text {
			write = "[" + t.text + "] = ..."
		}
		p.tell(u, ":", "the fields of a table are set with '='", "write '='", write)
		f.name = strings.Trim(t.text, `"'`)
		f.key = t
		f.kids = []*node{p.expression(0)}
	case t.kind == text && u.is("="):
		p.next()
		p.next()
		p.tell(t, "string key", "a string as the name of a field stands in brackets", "", "["+t.text+"] = ...")
		f.kids = []*node{p.expression(0)}
	case t.is("["):
		p.bracketField(f)
	default:
		f.kids = []*node{p.expression(0)}
	}
	f.end = p.prev().end
	return f
}

// bracketField reads [key] = value, or a list in brackets.
func (p *parser) bracketField(f *node) {
	start := p.at
	open := p.next()
	k := p.expression(0)
	if p.peek().is(",") {
		p.at = start
		f.kids = []*node{p.list()}
		return
	}
	p.closing(open, "]")
	if !p.peek().is("=") {
		p.at = start
		f.kids = []*node{p.list()}
		return
	}
	p.next()
	f.key = token{kind: text, pos: k.pos, end: k.end}
	f.name = unquote(k)
	f.kids = []*node{k, p.expression(0)}
}

// unquote gives the text of a plain string constant.
func unquote(n *node) string {
	if n.kind != stringNode || len(n.name) < 2 {
		return ""
	}
	if c := n.name[0]; c == '"' || c == '\'' {
		return strings.TrimSuffix(n.name[1:], string(c))
	}
	return strings.TrimSuffix(strings.TrimPrefix(n.name, "[["), "]]")
}
