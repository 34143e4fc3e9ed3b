package fault

import (
	"os"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// site is where a script failed: the call, and the expression that the failing instruction was made of.
type site struct {
	call
	tree  *tree // of the source; nil if it cannot be read
	node  *node // nil if it cannot be told
	inner *call // the Go function that it called, if that raised
}

// sources holds what KeepSource was given, and the trees made of it.
type sources struct {
	text  map[string]string
	trees map[string]*tree
}

const sourcesKey = "faust.fault.sources"

func sourcesOf(L *lua.LState) *sources {
	if ud, ok := L.G.Registry.RawGetString(sourcesKey).(*lua.LUserData); ok {
		if s, ok := ud.Value.(*sources); ok {
			return s
		}
	}
	s := &sources{text: map[string]string{}, trees: map[string]*tree{}}
	L.G.Registry.RawSetString(sourcesKey, &lua.LUserData{Value: s})
	return s
}

// KeepSource remembers the text that file was compiled from, so that errors are explained by what runs and not by what has become of
// the file since. Files it was not called for are read from disk when an error happens. To be called with the baton held.
func KeepSource(L *lua.LState, file, text string) {
	s := sourcesOf(L)
	s.text[file] = text
	delete(s.trees, file)
}

// KeptSource gives what KeepSource was given for file last. To be called with the baton held.
func KeptSource(L *lua.LState, file string) (text string, ok bool) {
	text, ok = sourcesOf(L).text[file]
	return text, ok
}

// ForgetSource forgets it again: nothing that was compiled from it runs any more. To be called with the baton held.
func ForgetSource(L *lua.LState, file string) {
	s := sourcesOf(L)
	delete(s.text, file)
	delete(s.trees, file)
}

// ForgetSources is ForgetSource for all files whose names begin so.
func ForgetSources(L *lua.LState, prefix string) {
	for file := range sourcesOf(L).text {
		if strings.HasPrefix(file, prefix) {
			ForgetSource(L, file)
		}
	}
}

// treeOf gives the parsed source of file, or nil.
func treeOf(L *lua.LState, file string) *tree {
	s := sourcesOf(L)
	if t, ok := s.trees[file]; ok {
		return t
	}
	text, ok := s.text[file]
	if !ok {
		const most = 4 << 20
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Size() < most {
			text, ok = readSource(file)
		}
	}
	var t *tree
	if ok {
		t = readTree(file, text)
	}
	s.trees[file] = t
	return t
}

// locate finds the expression of the instruction that c is at.
func locate(c call) *site {
	s := &site{call: c}
	if c.fn.IsG {
		return s
	}
	s.tree = treeOf(c.L, c.fn.Proto.SourceName)
	if s.tree != nil {
		s.node = s.find()
	}
	return s
}

// class is what instructions and expressions are matched by.
type class struct {
	op  int
	key string
}

// find matches the failing instruction with the expressions of its function: those of its line with the same operation and key, in order. In
// adopted code the order is that of the original.
func (s *site) find() *node {
	want, ok := s.classAt(s.pc)
	if !ok {
		return nil
	}
	line := s.line()
	index, count, adopted := s.origin()
	if adopted && count == 0 {
		return nil
	}
	for pc := 0; pc < len(s.fn.Proto.Code) && !adopted; pc++ {
		if got, ok := s.classAt(pc); ok && got == want && s.fn.Proto.DbgSourcePositions[pc] == line {
			if pc < s.pc {
				index++
			}
			count++
		}
	}
	var nodes []*node
	for _, f := range s.tree.functionsOf(s.fn.Proto) {
		for _, n := range f.ops {
			if n.line == line && n.class(f.sets[n]) == want {
				nodes = append(nodes, n)
			}
		}
	}
	switch {
	case len(nodes) == 1:
		return nodes[0]
	case len(nodes) > 1 && count%len(nodes) == 0:
		return nodes[index%len(nodes)]
	}
	return nil
}

// functionsOf gives the functions of the source that proto may be.
func (t *tree) functionsOf(proto *lua.FunctionProto) []*function {
	if proto.LineDefined == 0 {
		return t.funcs[:1]
	}
	var out []*function
	for _, f := range t.funcs[1:] {
		if f.line == proto.LineDefined && f.last == proto.LastLineDefined {
			out = append(out, f)
		}
	}
	return out
}

func (c call) classAt(pc int) (class, bool) {
	ins := c.at(pc)
	key := func(x int) string {
		if k, ok := c.constant(x, pc).(lua.LString); ok {
			return string(k)
		}
		return ""
	}
	switch op := ins.op(); op {
	case lua.OP_GETGLOBAL, lua.OP_SETGLOBAL:
		return class{op, c.fn.Proto.Constants[ins.bx()].String()}, true
	case lua.OP_GETTABLEKS, lua.OP_SELF:
		return class{op, key(ins.c())}, true
	case lua.OP_SETTABLEKS:
		return class{op, key(ins.b())}, true
	case lua.OP_CALL, lua.OP_TAILCALL:
		return class{op: lua.OP_CALL}, true
	case lua.OP_GETTABLE, lua.OP_SETTABLE, lua.OP_ADD, lua.OP_SUB, lua.OP_MUL, lua.OP_DIV, lua.OP_MOD, lua.OP_POW, lua.OP_UNM, lua.OP_LEN,
		lua.OP_CONCAT, lua.OP_LT, lua.OP_LE, lua.OP_EQ, lua.OP_FORPREP, lua.OP_TFORLOOP:
		return class{op: op}, true
	case lua.OP_FORLOOP:
		return class{op: lua.OP_FORPREP}, c.pc == pc
	}
	return class{}, false
}

var binaryOps = map[string]int{"+": lua.OP_ADD, "-": lua.OP_SUB, "*": lua.OP_MUL, "/": lua.OP_DIV, "%": lua.OP_MOD, "^": lua.OP_POW,
	"..": lua.OP_CONCAT, "<": lua.OP_LT, ">": lua.OP_LT, "<=": lua.OP_LE, ">=": lua.OP_LE, "==": lua.OP_EQ, "~=": lua.OP_EQ}

// class is the operation that n was compiled to; set: n is assigned to.
func (n *node) class(set bool) class {
	switch n.kind {
	case nameNode:
		if set {
			return class{lua.OP_SETGLOBAL, n.name}
		}
		return class{lua.OP_GETGLOBAL, n.name}
	case indexNode:
		switch {
		case set && n.constant:
			return class{lua.OP_SETTABLEKS, n.name}
		case set:
			return class{op: lua.OP_SETTABLE}
		case n.constant:
			return class{lua.OP_GETTABLEKS, n.name}
		}
		return class{op: lua.OP_GETTABLE}
	case methodNode:
		return class{lua.OP_SELF, n.name}
	case callNode:
		return class{op: lua.OP_CALL}
	case binaryNode:
		return class{op: binaryOps[n.name]}
	case unaryNode:
		if n.name == "#" {
			return class{op: lua.OP_LEN}
		}
		return class{op: lua.OP_UNM}
	case loopNode:
		if n.generic {
			return class{op: lua.OP_TFORLOOP}
		}
		return class{op: lua.OP_FORPREP}
	}
	return class{op: -1}
}

// argumentValue gives argument i, from 1, of the call that the site is at. The object of a method is its first.
func (s *site) argumentValue(i int) lua.LValue {
	if s.inner == nil {
		return s.register(s.ins().a() + i)
	}
	if _, v := s.L.GetLocal(s.inner.dbg, i); v != nil {
		return v
	}
	return lua.LNil
}

// callNode gives the call that the site is at, if it is at one; a method call's function is the methodNode in kids[0].
func (s *site) callNode() *node {
	if s.node != nil && s.node.kind == callNode {
		return s.node
	}
	return nil
}

// target is the part of a call to underline: the function's name, for a method the object and its method.
func (s *site) target(n *node) Place {
	f := n.kids[0]
	end := f.end
	if f.kind == methodNode {
		end = f.key.end
	}
	if f.kind == methodNode || f.kind == indexNode && f.constant && f.key.kind != text {
		// of a chain over several lines only the last name
		if p := s.tree.place(f.pos, end); s.tree.place(f.key.pos, f.key.end).Line != p.Line {
			return s.tree.place(f.key.pos, f.key.end)
		}
	}
	return s.tree.place(f.pos, end)
}
