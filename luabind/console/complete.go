package console

import (
	"context"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/api"
	"faust/luabind/record"
	"faust/runtime/control"
)

// A completion has at most so many candidates, and looks at so many entries of a table: no more are of use to anybody.
const (
	mostCandidates = 500
	mostSeen       = 20_000
)

// Complete implements control.Session.
func (s *session) Complete(ctx context.Context, text string) control.Completion {
	ctx, stop, leave, err := s.enter(ctx)
	if err != nil {
		return control.Completion{}
	}
	defer leave()
	e := &evaluation{session: s, ctx: ctx, stop: stop, view: viewOf(control.Input{})}
	at := lookAt(text)
	c := control.Completion{Replace: len(at.word)}
	// What it cannot find out it does not offer.
	_ = e.within(func(L *lua.LState) error {
		c.Signature = e.calling(L, at)
		if !at.silent {
			c.Candidates = chosen(e.candidates(L, at), at.word)
		}
		return nil
	})
	return c
}

// chosen are the candidates that begin with word, in order, each once.
func chosen(all []control.Candidate, word string) []control.Candidate {
	var out []control.Candidate
	seen := map[string]bool{}
	for _, c := range all {
		if strings.HasPrefix(c.Text, word) && !seen[c.Text] {
			seen[c.Text] = true
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b control.Candidate) int { return strings.Compare(a.Text, b.Text) })
	return out[:min(len(out), mostCandidates)]
}

func (e *evaluation) candidates(L *lua.LState, at spot) []control.Candidate {
	switch {
	case at.quote != 0:
		return e.inString(L, at)
	case at.path != nil:
		list := e.membersOf(e.resolve(L, at.path))
		if at.sep == ':' {
			list = slices.DeleteFunc(list, func(c control.Candidate) bool { return c.Kind != "method" && c.Kind != "function" })
		}
		return list
	}
	var out []control.Candidate
	if n := len(at.frames); n > 0 && at.frames[n-1].atKey {
		if out = e.options(L, at.frames); out != nil && at.word == "" {
			return out
		}
	}
	return append(out, e.freeNames(L, at)...)
}

// freeNames are the names that can begin an expression.
func (e *evaluation) freeNames(L *lua.LState, at spot) []control.Candidate {
	var out []control.Candidate
	for _, name := range at.locals {
		out = append(out, control.Candidate{Text: name, Kind: "local"})
	}
	for _, name := range e.scope.Known() {
		if _, rest := leadingName(name); rest != "" || !strings.HasPrefix(name, at.word) {
			continue
		}
		c := control.Candidate{Text: name, Kind: "variable"}
		if entry := e.entry(L, []step{{0, name}}); entry != nil {
			c.Kind, c.Help = string(entry.Kind), entry.Text
		} else if v := e.scope.Lookup(L, name); v != nil {
			c.Kind, c.Help = e.word(v)
		}
		out = append(out, c)
	}
	if at.word != "" {
		for _, k := range keywords {
			out = append(out, control.Candidate{Text: k, Kind: "keyword"})
		}
	}
	return out
}

// word says in a word what a value is, and in one line what there is to know.
func (e *evaluation) word(v lua.LValue) (kind, help string) {
	if about := e.cfg.App.About(v); about != nil {
		kind, _, _ := strings.Cut(about.Title, " ")
		return kind, about.Title
	}
	if fn, ok := v.(*lua.LFunction); ok {
		if !fn.IsG {
			return "function", "function" + signature(fn)
		}
		return "function", ""
	}
	if kind = kindOf(v); kind == "" {
		kind = v.Type().String()
	}
	if t, ok := v.(*lua.LTable); ok && !small(t) {
		return kind, ""
	}
	return kind, firstLine(e.inspect(v, e.view.short()))
}

// small tells whether a table has few entries, without going through all of one that has many.
func small(t *lua.LTable) bool {
	n := 0
	for k, _ := t.Next(lua.LNil); k != lua.LNil && n <= shortItems; k, _ = t.Next(k) {
		n++
	}
	return n <= shortItems
}

// membersOf gives what can be read of a value.
func (e *evaluation) membersOf(v lua.LValue) []control.Candidate {
	var out []control.Candidate
	described := func(of string, kinds ...api.Kind) {
		for _, m := range api.Members(of) {
			if slices.Contains(kinds, m.Kind) {
				out = append(out, control.Candidate{Text: m.Last(), Kind: string(m.Kind), Help: m.Text})
			}
		}
	}
	switch x := v.(type) {
	case lua.LString:
		described("string", api.Function)
	case *lua.LUserData:
		if o, ok := record.ObjectOf(x); ok {
			for _, f := range o.Schema().Fields {
				out = append(out, control.Candidate{Text: f.Name, Kind: "field", Help: sentence(f.Type, f.Help)})
			}
		}
		described(kindOf(x), api.Method, api.Field)
	case *lua.LTable:
		if members, ok := e.cfg.App.Members(x); ok {
			for _, m := range members {
				out = append(out, e.candidate(m))
			}
			return out
		}
		return e.fieldsOf(x)
	}
	return out
}

// candidate gives a member of one of our tables as a candidate.
func (e *evaluation) candidate(m Member) control.Candidate {
	c := control.Candidate{Text: m.Name, Kind: m.Kind}
	if entry := api.Get("app." + m.Name); entry != nil {
		c.Kind, c.Help = string(entry.Kind), entry.Text
	} else if m.Value != nil {
		_, c.Help = e.word(m.Value)
	}
	return c
}

// fieldsOf gives the names in a table, and in those behind it.
func (e *evaluation) fieldsOf(t *lua.LTable) []control.Candidate {
	var out []control.Candidate
	module, seen := e.moduleOf(t), 0
	for range chained {
		for k, v := t.Next(lua.LNil); k != lua.LNil && seen < mostSeen; k, v = t.Next(k) {
			seen++
			name, ok := k.(lua.LString)
			if _, rest := leadingName(string(name)); !ok || rest != "" {
				continue
			}
			c := control.Candidate{Text: string(name), Kind: "field"}
			if v.Type() == lua.LTFunction {
				c.Kind = "function"
			}
			if entry := api.Get(module + "." + string(name)); entry != nil && module != "" {
				c.Help = entry.Text
			} else {
				_, c.Help = e.word(v)
			}
			out = append(out, c)
		}
		next, ok := behind(t).(*lua.LTable)
		if !ok {
			break
		}
		t = next
	}
	return out
}

// moduleOf gives the name of the built-in module that a table is; "": it is none.
func (e *evaluation) moduleOf(t *lua.LTable) string {
	for _, entry := range api.All() {
		if entry.Kind == api.Module && e.cfg.VM.Globals().RawGetString(entry.Name) == lua.LValue(t) {
			return entry.Name
		}
	}
	return ""
}

// inString gives what can stand in a string: the names in a table that is indexed with it, or the choices of an argument or option.
func (e *evaluation) inString(L *lua.LState, at spot) []control.Candidate {
	if at.sep == '[' {
		if at.path == nil {
			return nil
		}
		list := e.membersOf(e.resolve(L, at.path))
		for i := range list {
			list[i].Text += string(at.quote) + "]"
		}
		return list
	}
	if len(at.frames) == 0 {
		return nil
	}
	var choices []string
	f := at.frames[len(at.frames)-1]
	if f.open == '(' && f.callee != nil {
		if entry := e.entry(L, f.callee); entry != nil && f.arg < len(entry.Params) {
			choices = entry.Params[f.arg].Choices
		}
	} else if f.key != "" {
		for _, o := range e.optionsOf(L, at.frames) {
			if o.Name == f.key {
				choices = o.Choices
			}
		}
	}
	var out []control.Candidate
	for _, c := range choices {
		out = append(out, control.Candidate{Text: c + string(at.quote), Kind: "choice"})
	}
	return out
}

// options gives the names that the innermost table may have and does not have yet.
func (e *evaluation) options(L *lua.LState, frames []frame) []control.Candidate {
	var out []control.Candidate
	given := frames[len(frames)-1].given
	for _, o := range e.optionsOf(L, frames) {
		if !slices.Contains(given, o.Name) {
			out = append(out, control.Candidate{Text: o.Name + " = ", Kind: "option", Help: sentence(o.Type, o.Text)})
		}
	}
	return out
}

// optionsOf gives what the innermost of the brackets, a table, may have: the options of a call, or the fields of a record.
func (e *evaluation) optionsOf(L *lua.LState, frames []frame) []api.Option {
	f := frames[len(frames)-1]
	if f.callee != nil {
		if s, ok := record.SchemaOf(e.resolve(L, f.callee)); ok {
			return fieldOptions(s)
		}
		return e.callOptions(L, f.callee, 0)
	}
	if len(frames) < 2 {
		return nil
	}
	outer := frames[len(frames)-2]
	if outer.open == '(' && outer.callee != nil {
		return e.callOptions(L, outer.callee, outer.arg)
	}
	if outer.open != '{' || outer.key == "" {
		return nil
	}
	if outer.key == "value" && outer.callee != nil {
		if s := e.messages(L, outer.callee); s != nil {
			return fieldOptions(s)
		}
	}
	for _, o := range e.optionsOf(L, frames[:len(frames)-1]) {
		if o.Name == outer.key {
			return o.Options
		}
	}
	return nil
}

// callOptions gives what a table may have that is argument number arg, from 0, of a call.
func (e *evaluation) callOptions(L *lua.LState, callee []step, arg int) []api.Option {
	entry := e.entry(L, callee)
	if entry == nil {
		return nil
	}
	// What stands before it may have been left out.
	for i := arg; i < len(entry.Params); i++ {
		if entry.Params[i].Type == api.Options {
			return entry.Options
		}
		if !entry.Params[i].Optional {
			break
		}
	}
	if arg == 0 {
		if s := e.messages(L, callee); s != nil {
			return fieldOptions(s)
		}
	}
	return nil
}

// messages gives the record type of what a topic, agent or channel takes, whose method callee is; nil: there is none.
func (e *evaluation) messages(L *lua.LState, callee []step) *record.Schema {
	if len(callee) < 2 {
		return nil
	}
	v := e.resolve(L, callee[:len(callee)-1])
	if about := e.cfg.App.About(v); about != nil {
		return about.Schema
	}
	return nil
}

func fieldOptions(s *record.Schema) []api.Option {
	var out []api.Option
	for _, f := range s.Fields {
		out = append(out, api.Option{Name: f.Name, Type: f.Type, Text: f.Help, Required: f.Required})
	}
	return out
}

// calling gives the signature of the innermost call whose arguments are being typed.
func (e *evaluation) calling(L *lua.LState, at spot) string {
	for i := len(at.frames) - 1; i >= 0; i-- {
		callee := at.frames[i].callee
		if callee == nil || at.frames[i].open == '[' {
			continue
		}
		if entry := e.entry(L, callee); entry != nil {
			return entry.Signature()
		}
		switch v := e.resolve(L, callee).(type) {
		case *lua.LFunction:
			if !v.IsG {
				return pathText(callee) + signature(v)
			}
		case *lua.LUserData:
			if s, ok := record.SchemaOf(v); ok {
				return s.Name + " { " + s.Declaration() + " }"
			}
		}
		return ""
	}
	return ""
}
