package fault

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

var expected = regexp.MustCompile(`^(\S+) expected, got (\S+)$`)

// argument explains "bad argument #1 to insert (table expected, got nil)", with the caller's names and place.
func (s *site) argument(e *Error, number, function, detail string) {
	index, _ := strconv.Atoi(number)
	n := s.callNode()
	title := "'" + strings.Trim(function, "'") + "'"
	if n != nil {
		title = "'" + s.tree.expression(n.kids[0]) + "'"
		if f := n.kids[0]; f.kind == methodNode {
			title = "'" + s.tree.expression(f.kids[0]) + ":" + f.name + "'"
		}
	} else if function == "(anonymous)" || function == "?" || strings.HasPrefix(function, "<") {
		title = "the function"
	}
	e.Message = fmt.Sprintf("bad argument #%d to %s: %s", index, title, s.detail(detail, index, n))
	if n == nil {
		return
	}
	e.Place = s.target(n)
	args := n.kids[1:]
	if f := n.kids[0]; f.kind == methodNode {
		args = f.kids[1:]
		index--
		if index == 0 {
			e.Message = fmt.Sprintf("%s is called on the wrong object: %s", title, s.detail(detail, 1, n))
		} else {
			e.Message = strings.Replace(e.Message, fmt.Sprintf("#%d", index+1), fmt.Sprintf("#%d", index), 1)
		}
	}
	if index >= 1 && index <= len(args) {
		x := s.subject(args[index-1], s.argumentValue(argumentOffset(n)+index))
		hints := e.Hints
		s.blame(e, x, nil)
		if x.value != lua.LNil {
			e.Hints = hints
		}
	}
	if h := s.mixedUp(n); len(h) > 0 {
		e.Hints = h
	}
}

// argumentOffset is 1 for a method, whose first argument is the object.
func argumentOffset(call *node) int {
	if call.kids[0].kind == methodNode {
		return 1
	}
	return 0
}

// detail tells nothing from nil, and objects by their name.
func (s *site) detail(detail string, index int, n *node) string {
	m := expected.FindStringSubmatch(detail)
	if m == nil {
		return detail
	}
	got := m[2]
	switch got {
	case "nil":
		if n != nil && index > argumentOffset(n)+lenArgs(n) && !s.openEnded(n) {
			got = "nothing"
		}
	case "userdata":
		got = typeName(s.argumentValue(index))
	}
	return strings.Replace(m[1], "userdata", "object", 1) + " expected, got " + got
}

func lenArgs(call *node) int {
	if f := call.kids[0]; f.kind == methodNode {
		return len(f.kids) - 1
	}
	return len(call.kids) - 1
}

// openEnded tells whether the last argument may be several values.
func (s *site) openEnded(call *node) bool {
	args := call.kids[1:]
	if f := call.kids[0]; f.kind == methodNode {
		args = f.kids[1:]
	}
	if len(args) == 0 {
		return false
	}
	last := args[len(args)-1]
	return last.kind == callNode || last.kind == methodNode || last.kind == otherNode && last.name == "..."
}

// OptionPlace gives the place of an option's name in the call that the running Go function was called by: where "name =" stands in a table
// of its arguments. If it stands nowhere, the place is that of the call. To be called by Go functions, with the baton held.
func OptionPlace(L *lua.LState, option string) Place {
	c, ok := luaCall(L, 1)
	if !ok {
		return Place{}
	}
	s := locate(c)
	n := s.callNode()
	if n == nil {
		return s.place()
	}
	for _, a := range slices.Backward(s.arguments(n)) { // options come late
		if f := findField(a, option); f != nil {
			return s.tree.place(f.key.pos, f.key.end)
		}
	}
	return s.target(n)
}

// findField looks for a field of that name in a table constructor and those inside it.
func findField(n *node, option string) *node {
	if n.kind != tableNode {
		return nil
	}
	for _, f := range n.kids {
		if f.name == option && f.key.end > 0 {
			return f
		}
	}
	for _, f := range n.kids {
		for _, k := range f.kids {
			if found := findField(k, option); found != nil {
				return found
			}
		}
	}
	return nil
}

func (s *site) arguments(call *node) []*node {
	if f := call.kids[0]; f.kind == methodNode {
		return f.kids[1:]
	}
	return call.kids[1:]
}

// ArgPlace gives the place of argument number i (from 1, not counting the object of a method) in the call that the running Go function was
// called by; that of the call if there is no such argument. To be called by Go functions, with the baton held.
func ArgPlace(L *lua.LState, i int) Place {
	c, ok := luaCall(L, 1)
	if !ok {
		return Place{}
	}
	s := locate(c)
	n := s.callNode()
	if n == nil {
		return s.place()
	}
	if args := s.arguments(n); i >= 1 && i <= len(args) {
		return s.tree.nodePlace(args[i-1])
	}
	return s.target(n)
}
