package fault

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

// elsewhere is what names of other languages are called here.
var elsewhere = map[string]string{
	"null": "the value that is nothing is nil", "None": "the value that is nothing is nil", "undefined": "the value that is nothing is nil",
	"NULL": "the value that is nothing is nil", "Null": "the value that is nothing is nil", "NIL": "the value that is nothing is nil",
	"True": "write true", "False": "write false", "TRUE": "write true", "FALSE": "write false",
	"this": "in a method the object is called self", "console": "to print write  print(...)", "System": "to print write  print(...)",
	"printf": "print(('%d'):format(n))", "sprintf": "('%d'):format(n)", "len": "the length of a list or string is  #x", "str": "tostring(x)",
	"int": "math.floor(x), or tonumber(text)", "float": "tonumber(text)", "range": "for i = 1, 10 do", "typeof": "type(x)", "isinstance": "type(x) == 'table'",
	"parseInt": "tonumber(text)", "parseFloat": "tonumber(text)", "JSON": "json.encode(v), json.decode(text)", "Math": "the module is called math",
	"setTimeout": "time.sleep('1s') in a task, or app.timer", "sleep": "time.sleep('1s')", "fetch": "http.get(url)", "raise": "error('text')", "throw": "error('text')",
	"try": "ok, err = pcall(function() ... end)", "catch": "ok, err = pcall(function() ... end)", "f": "", "foreach": "for key, value in pairs(t) do",
	"map": "for index, value in ipairs(list) do", "enumerate": "for index, value in ipairs(list) do", "sum": "", "append": "list[#list + 1] = value", "list": "", "dict": "",
	"import": "require 'lib.users'", "include": "require 'lib.users'", "exit": "os.exit is not for scripts: return, or app.stop()", "sorted": "table.sort(list)",
}

// explainNil gives hints for a value at fault that is nil, or why a name may not be what was meant.
func (s *site) explainNil(e *Error, x subject, known func() []string) []string {
	if x.value != lua.LNil {
		return nil
	}
	switch x.node.kind {
	case nameNode:
		if x.node.local != nil {
			return nil
		}
		if e.Label == "" && !s.assigned(x.node.name) {
			e.Label = "not defined anywhere"
		}
		return s.undefined(x.node, known)
	case indexNode:
		return s.fieldHint(x.node)
	case callNode, methodNode:
		return nil
	}
	return nil
}

// assigned tells whether the file sets a global of that name.
func (s *site) assigned(name string) bool {
	for _, f := range s.tree.funcs {
		for n := range f.sets {
			if n.kind == nameNode && n.name == name {
				return true
			}
		}
	}
	return false
}

// undefined gives hints for a global that is not defined.
func (s *site) undefined(n *node, known func() []string) []string {
	for _, l := range s.tree.locals {
		if l.name != n.name {
			continue
		}
		if n.pos < l.from && n.pos < l.to && n.end <= l.at.pos {
			return []string{fmt.Sprintf("the local '%s' is declared only further down, on line %d: move it above", l.name, l.at.line)}
		}
		if n.pos >= l.to {
			return []string{fmt.Sprintf("'%s' is a local of the block on line %d and known only there", l.name, l.at.line)}
		}
		if n.pos >= l.at.pos && n.pos < l.from {
			return []string{fmt.Sprintf("'%s' is known only after this statement, which declares it", l.name)}
		}
	}
	if hint := elsewhere[n.name]; hint != "" {
		return []string{hint}
	}
	var names []string
	lines := map[string]int{}
	for _, l := range s.tree.visible(n.pos) {
		names = append(names, l.name)
		lines[l.name] = l.at.line
	}
	if known != nil {
		names = append(names, known()...)
	} else if env := s.fn.Env; env != nil {
		names = append(names, fieldNames(env)...)
	}
	best := Suggest(n.name, names)
	switch {
	case best == "":
		return nil
	case lines[best] > 0:
		return []string{fmt.Sprintf("did you mean '%s' (line %d)?", best, lines[best])}
	}
	return []string{fmt.Sprintf("did you mean '%s'?", best)}
}

// fieldHint suggests a field that the table has, for one that is nil.
func (s *site) fieldHint(n *node) []string {
	if !n.constant {
		return nil
	}
	// the instruction that read the field is the last one before the fault that reads that key
	for pc := s.pc; pc >= 0 && pc > s.pc-64; pc-- {
		ins := s.at(pc)
		op := ins.op()
		if op != lua.OP_GETTABLEKS && op != lua.OP_SELF && op != lua.OP_GETTABLE {
			continue
		}
		if k, ok := s.constant(ins.c(), pc).(lua.LString); !ok || string(k) != n.name || pc == s.pc && n == s.node {
			continue
		}
		base := s.before(ins.b(), pc)
		if base == nil {
			return nil
		}
		owner := s.tree.expression(n.kids[0])
		if best := Suggest(n.name, fieldNames(base)); best != "" {
			return []string{fmt.Sprintf("did you mean '%s.%s'?", owner, best)}
		}
		return nil
	}
	return nil
}

// mixedUp gives a hint if a function of a table was called with a colon, or a method with a dot.
func (s *site) mixedUp(n *node) []string {
	f := n.kids[0]
	recv := func() string { return s.tree.expression(f.kids[0]) }
	switch {
	case f.kind == methodNode && f.kids[0].kind == nameNode && f.kids[0].local == nil:
		if lib, ok := s.argumentValue(1).(*lua.LTable); ok && libraries[f.kids[0].name] && lib.RawGetString(f.name) != lua.LNil {
			return []string{fmt.Sprintf("call it with a dot: %s.%s(...)", recv(), f.name)}
		}
	case f.kind == indexNode && f.constant && len(n.kids) < 2 || f.kind == indexNode && f.constant && s.lacksSelf(n):
		base := s.calledObject(f)
		if _, isTable := base.(*lua.LTable); base != nil && !isTable && base != lua.LNil {
			return []string{fmt.Sprintf("call it with a colon: %s:%s%s", recv(), f.name, s.argumentText(n))}
		}
	}
	return nil
}

// argumentText is how the arguments of a call were written, in short.
func (s *site) argumentText(n *node) string {
	if len(n.kids) == 2 && n.kids[1].kind == tableNode {
		return "{...}"
	}
	if len(n.kids) < 2 {
		return "()"
	}
	return "(...)"
}

// lacksSelf tells whether the first argument of a call is not the object whose field was called.
func (s *site) lacksSelf(n *node) bool {
	base := s.calledObject(n.kids[0])
	return base != nil && s.argumentValue(1) != base
}

// calledObject gives the object whose field f was read for the call at hand.
func (s *site) calledObject(f *node) lua.LValue {
	w := s.writer(s.ins().a(), s.pc)
	if w < 0 || s.at(w).op() != lua.OP_GETTABLEKS {
		return nil
	}
	if k, ok := s.constant(s.at(w).c(), w).(lua.LString); !ok || string(k) != f.name {
		return nil
	}
	return s.before(s.at(w).b(), w)
}

// libraries are the global tables whose functions are called with a dot.
var libraries = map[string]bool{"string": true, "table": true, "math": true, "os": true, "io": true, "coroutine": true, "debug": true, "app": true,
	"json": true, "time": true, "random": true, "uuid": true, "env": true, "log": true, "http": true, "web": true, "utf8": true,
	"regex": true, "base64": true, "crypto": true, "url": true, "decimal": true, "int64": true}
