package fault

import (
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// FromRaise is called in the engine's error handler, a Go function on top of the intact stack of L: it makes an *Error of what was raised, naming the value
// at fault. An *Error raised by our own functions keeps its identity and gets place and traceback. known gives the
// names to suggest for an undefined global; nil: none. To be called with the baton held; no code of the script is run, but for a __tostring.
func FromRaise(L *lua.LState, raised lua.LValue, known func() []string) *Error {
	stack := calls(L, 0, maxFrames)
	if len(stack) > 1 && stack[0].fn.IsG {
		stack = stack[1:] // the handler itself
	}
	r := &raising{L: L, stack: stack, known: known, top: -1}
	for i, c := range stack {
		if !c.fn.IsG {
			r.top = i
			break
		}
	}
	e, own := AsError(raised)
	if own {
		r.complete(e)
	} else {
		e = r.make(raised)
	}
	if e.Trace == nil {
		e.Trace = frames(r.stack)
	}
	return e
}

// raising is what happens around an error.
type raising struct {
	L     *lua.LState
	stack []call
	known func() []string
	top   int // the innermost Lua function, as an index of stack; -1: none
	at    *site
}

// site is the place in the innermost Lua function; nil if there is none.
func (r *raising) site() *site {
	if r.at == nil && r.top >= 0 {
		r.at = locate(r.stack[r.top])
		if r.top > 0 {
			r.at.inner = &r.stack[r.top-1]
		}
	}
	return r.at
}

// inGo tells whether the error came out of a function written in Go.
func (r *raising) inGo() bool { return r.top != 0 }

// complete adds to an error of ours what only the stack knows.
func (r *raising) complete(e *Error) {
	s := r.site()
	if s == nil {
		return
	}
	if e.Place.File == "" {
		e.Place = s.place()
	}
	if e.Place.Column > 0 || e.Place.File != s.place().File || e.Place.Line != s.place().Line {
		return
	}
	if s.node == nil {
		return
	}
	switch s.node.kind {
	case nameNode:
		e.Place = s.tree.nodePlace(s.node)
		if hints := s.undefined(s.node, r.known); len(hints) > 0 && onlySuggests(e.Hints) && !s.node.set(s) {
			e.Hints = hints
		}
		if e.Label == "" && !s.node.set(s) {
			e.Label = "not defined anywhere"
		}
	case callNode:
		e.Place = s.target(s.node)
		e.Hints = append(e.Hints, s.mixedUp(s.node)...)
	default:
		e.Place = s.part(s.node)
	}
}

func onlySuggests(hints []string) bool {
	return len(hints) == 0 || len(hints) == 1 && strings.HasPrefix(hints[0], "did you mean")
}

// set tells whether n is assigned to.
func (n *node) set(_ *site) bool { return n.owner != nil && n.owner.sets[n] }

// part is what to underline of an expression whose operation failed.
func (s *site) part(n *node) Place {
	switch n.kind {
	case indexNode, methodNode:
		if n.key.end > 0 {
			return s.tree.place(n.key.pos, n.key.end)
		}
	}
	return s.tree.nodePlace(n)
}

// make gives an *Error for a value that is none of ours.
func (r *raising) make(raised lua.LValue) *Error {
	e := &Error{Code: Script, Value: raised}
	if s := r.site(); s != nil {
		e.Place = s.place()
	}
	switch v := raised.(type) {
	case lua.LString:
		r.fromString(e, string(v))
		return e
	case *lua.LNilType:
		e.Message = "an error without a value was raised: error(nil)"
	case *lua.LTable:
		e.Message = r.tableText(v)
	case *lua.LUserData:
		if err, ok := v.Value.(error); ok {
			e.Message, e.Cause = err.Error(), err
		} else {
			e.Message = r.toString(v, "an object")
		}
	case lua.LNumber, lua.LBool:
		e.Message = v.String()
	default:
		e.Message = "an error of type " + typeName(raised) + " was raised"
	}
	r.underlineCall(e)
	return e
}

// underlineCall puts the caret under the call that raised, if the error's line is that of the innermost function.
func (r *raising) underlineCall(e *Error) {
	s := r.site()
	if s == nil || e.Place.Column > 0 || e.Place.Line != s.line() || e.Place.File != s.place().File {
		return
	}
	if n := s.callNode(); n != nil {
		e.Place = s.target(n)
	}
}

// tableText is the text of a table that was raised: what its __tostring says, a message it has, or its fields.
func (r *raising) tableText(t *lua.LTable) string {
	if s := r.toString(t, ""); s != "" {
		return s
	}
	if m, ok := t.RawGetString("message").(lua.LString); ok && m != "" {
		if rest := fieldList(t, "message"); rest != "" {
			return string(m) + " (" + rest + ")"
		}
		return string(m)
	}
	if list := fieldList(t, ""); list != "" {
		return "{ " + list + " }"
	}
	return "an error was raised with an empty table"
}

// toString calls a __tostring, or gives otherwise.
func (r *raising) toString(v lua.LValue, otherwise string) (text string) {
	fn, ok := r.L.GetMetaField(v, "__tostring").(*lua.LFunction)
	if !ok {
		return otherwise
	}
	if err := r.L.CallByParam(lua.P{Fn: fn, NRet: 1, Protect: true}, v); err != nil {
		return otherwise
	}
	defer r.L.Pop(1)
	if s, ok := r.L.Get(-1).(lua.LString); ok {
		return string(s)
	}
	return otherwise
}

// fieldList writes the fields of a table on one line, sorted, without except.
func fieldList(t *lua.LTable, except string) string {
	const most = 12
	var fields []string
	t.ForEach(func(k, v lua.LValue) {
		if s, ok := k.(lua.LString); ok && string(s) == except {
			return
		}
		key := k.String()
		switch k.(type) {
		case lua.LString:
		case lua.LNumber:
			key = "[" + key + "]"
		default:
			key = "[" + typeName(k) + "]"
		}
		fields = append(fields, key+" = "+brief(v))
	})
	sort.Strings(fields)
	if len(fields) > most {
		fields = append(fields[:most], fmt.Sprintf("… %d more", len(fields)-most))
	}
	return strings.Join(fields, ", ")
}

// brief is a value in a few characters.
func brief(v lua.LValue) string {
	switch x := v.(type) {
	case lua.LString:
		const most = 60
		if r := []rune(string(x)); len(r) > most {
			x = lua.LString(string(r[:most-1]) + "…")
		}
		return strconv.Quote(string(x))
	case lua.LNumber, lua.LBool, *lua.LNilType:
		return v.String()
	case *lua.LTable:
		return "{…}"
	}
	return typeName(v)
}

// typeName is the type of a value as messages name it.
func typeName(v lua.LValue) string {
	if v == nil {
		return "nil"
	}
	if t := v.Type(); t == lua.LTUserData {
		if mt, ok := v.(*lua.LUserData).Metatable.(*lua.LTable); ok {
			for _, field := range []string{"__name", "__metatable"} {
				if s, ok := mt.RawGetString(field).(lua.LString); ok && s != "" {
					return string(s)
				}
			}
		}
		return "object"
	}
	return v.Type().String()
}

// aType is a type with its article: "a table", "an object", "nil".
func aType(v lua.LValue) string {
	s := typeName(v)
	if s == "nil" {
		return s
	}
	if strings.ContainsRune("aeiou", rune(s[0])) {
		return "an " + s
	}
	return "a " + s
}

var positioned = regexp.MustCompile(`^(.*?):(\d+): ?((?s:.*))$`)

// fromString explains a string that was raised: by the engine, by a library or by the script.
func (r *raising) fromString(e *Error, message string) {
	text := message
	if m := positioned.FindStringSubmatch(message); m != nil {
		if line, err := strconv.Atoi(m[2]); err == nil && r.places(e, m[1], line) {
			text = m[3]
		}
	}
	e.Message = text
	if explained := r.explain(e, text); explained {
		e.Value = nil
		return
	}
	if e.Message == "" {
		e.Message = "an error without a text was raised"
	}
	r.underlineCall(e)
}

// places takes file:line for the place of e if a function on the stack is at it, and tells whether it is.
func (r *raising) places(e *Error, file string, line int) bool {
	for i, c := range r.stack {
		if i > 64 {
			break
		}
		if p := c.place(); p.File == file && p.Line == line {
			e.Place = p
			if s := locate(c); i != r.top && s.callNode() != nil {
				e.Place = s.target(s.node)
			}
			return true
		}
	}
	// an error that comes out of a coroutine carries a place that is not on this stack
	if _, kept := sourcesOf(r.L).text[file]; kept {
		e.Place = Place{File: file, Line: line}
		return true
	}
	return false
}
