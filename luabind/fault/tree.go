package fault

// nodeKind is what an expression is.
type nodeKind uint8

const (
	otherNode  nodeKind = iota // nil, true, ...
	nameNode                   // name
	indexNode                  // kids[0].name or kids[0][kids[1]]
	callNode                   // kids[0](kids[1:])
	methodNode                 // kids[0]:name(kids[1:])
	binaryNode                 // kids[0] name kids[1]
	unaryNode                  // name kids[0]
	tableNode                  // fields
	fieldNode                  // name = kids[0], [kids[0]] = kids[1], or kids[0]
	functionNode
	stringNode
	numberNode
	loopNode // the head of a for loop: kids are its expressions
)

// node is an expression with its place in the source. The tree exists to find, for a failing instruction, the text that it was made of.
type node struct {
	kind     nodeKind
	pos, end int
	line     int    // as the engine counts it for the node's instructions
	name     string // of a name, field, method, operator; the text of a string
	key      token  // of a field or method: where its name stands
	constant bool   // of an index: the key is a constant string
	generic  bool   // of a loop: for ... in
	kids     []*node
	local    *local // of a name: what it refers to; nil: a global
	owner    *function
}

// local is a declared local variable or parameter, visible between from and to.
type local struct {
	name     string
	at       token
	from, to int
	owner    *function
	what     string // local, parameter, loop variable, function
}

// function is a function of the source with the operations its code was made of.
type function struct {
	line, last int // as in the engine's prototype; 0 for the file itself
	parent     *function
	ops        []*node // in the order of their instructions
	sets       map[*node]bool
	name       string
	variadic   bool
	loops      int
	pos, end   int
}

// tree is a parsed source.
type tree struct {
	file   string
	src    string
	starts []int // offsets of the lines
	funcs  []*function
	locals []*local
	found  []diagnosis
	labels map[string]bool
	items  int // of the largest list constructor
	globs  map[string]bool
}

// readTree reads a source. It always gives a tree; what is wrong is in found, unsorted.
func readTree(file, src string) *tree {
	t := &tree{file: file, src: src, labels: map[string]bool{}, globs: map[string]bool{}}
	report := func(d diagnosis) { t.found = append(t.found, d) }
	tokens := balance(lex(src, report), report)
	t.starts = lineStarts(src)
	p := &parser{t: t, tokens: tokens, report: report}
	p.file()
	return t
}

func lineStarts(src string) []int {
	starts := []int{0}
	for i := 0; i < len(src); i++ {
		if c := src[i]; c == '\n' || c == '\r' {
			if i+1 < len(src) && (src[i+1] == '\n' || src[i+1] == '\r') && src[i+1] != c {
				i++
			}
			starts = append(starts, i+1)
		}
	}
	if len(src) >= 3 && src[:3] == "\uFEFF" {
		starts[0] = 3
	}
	return starts
}

// place is the place of the bytes from pos to end, on the line where they begin.
func (t *tree) place(pos, end int) Place {
	lo, hi := 0, len(t.starts)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; t.starts[mid] <= pos {
			lo = mid
		} else {
			hi = mid
		}
	}
	for i := pos; i < end; i++ {
		if t.src[i] == '\n' || t.src[i] == '\r' {
			end = i
		}
	}
	col := pos - t.starts[lo] + 1
	return Place{File: t.file, Line: lo + 1, Column: col, EndColumn: col + max(end-pos, 1)}
}

func (t *tree) nodePlace(n *node) Place { return t.place(n.pos, n.end) }

// visible gives the locals that can be named at pos, innermost last.
func (t *tree) visible(pos int) []*local {
	var out []*local
	for _, l := range t.locals {
		if l.from <= pos && pos < l.to {
			out = append(out, l)
		}
	}
	return out
}

// expression gives n as a message names it: calls without their arguments, long ones cut.
func (t *tree) expression(n *node) string {
	s := t.short(n)
	const most = 48
	if r := []rune(s); len(r) > most {
		s = string(r[:most-1]) + "…"
	}
	return s
}

func (t *tree) short(n *node) string {
	switch n.kind {
	case nameNode:
		return n.name
	case indexNode:
		base := t.short(n.kids[0])
		if n.constant && n.key.kind != text {
			return base + "." + n.name
		}
		return base + "[" + t.short(n.kids[1]) + "]"
	case callNode:
		return t.short(n.kids[0]) + t.arguments(n)
	case methodNode:
		return t.short(n.kids[0]) + ":" + n.name + t.arguments(n)
	case functionNode:
		return "function() … end"
	case tableNode:
		if n.end-n.pos > 2 {
			return "{…}"
		}
		return "{}"
	case unaryNode:
		if n.name == "not" {
			return "not " + t.short(n.kids[0])
		}
		return n.name + t.short(n.kids[0])
	case binaryNode:
		return t.short(n.kids[0]) + " " + n.name + " " + t.short(n.kids[1])
	}
	return OneLine(t.src[n.pos:min(n.end, len(t.src))])
}

func (t *tree) arguments(n *node) string {
	if len(n.kids) > 1 {
		return "(…)"
	}
	return "()"
}

// describe gives n as the subject of a sentence: "o.foo", "result of f(…)".
func (t *tree) describe(n *node) string {
	switch n.kind {
	case callNode, methodNode:
		return "result of " + t.expression(n)
	}
	return t.expression(n)
}
