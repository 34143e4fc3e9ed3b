package console

import (
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/record"
	"faust/luabind/vm"
	"faust/runtime/control"
)

// Limits of what is shown of a value unless all is asked for.
const (
	shownItems = 50   // of a table
	shownText  = 1000 // bytes of a string
	shownDepth = 12
	shortItems = 8 // of a table in one line
	shortText  = 60
	deepest    = 200 // in any case
	plainWidth = 100 // where the width of the screen is not known
	allHint    = ", :all"
)

// view says how values are shown.
type view struct {
	form  string
	all   bool
	width int
	items int
	text  int
}

func viewOf(in control.Input) view {
	v := view{form: in.Form, all: in.All, width: in.Width, items: shownItems, text: shownText}
	if v.width <= 0 {
		v.width = plainWidth
	}
	return v
}

// short is a view of one line.
func (v view) short() view {
	v.items, v.text, v.all, v.form = shortItems, shortText, false, ""
	return v
}

// limits are those of package record for the view.
func (v view) limits() record.View {
	if v.all {
		return record.View{Width: v.width, Depth: deepest, Metas: true}
	}
	return record.View{Width: v.width, Items: v.items, Text: v.text, Depth: shownDepth, More: allHint, Metas: true}
}

// inspect writes a value readably.
func (s *session) inspect(v lua.LValue, view view) string {
	if t, ok := v.(*lua.LTable); ok {
		if members, ok := s.cfg.App.Members(t); ok {
			v = listed(members)
		}
	}
	return s.cfg.Registry.InspectAs(v, view.limits())
}

// listed makes a plain table of the members of one of ours, which shows nothing by itself.
func listed(members []Member) lua.LValue {
	t := &lua.LTable{Metatable: lua.LNil}
	for _, m := range members {
		if m.Value != nil {
			t.RawSetString(m.Name, m.Value)
		}
	}
	return t
}

// show writes what an input gave. Errors are raised in L.
func (s *session) show(L *lua.LState, values []lua.LValue, view view) string {
	texts := make([]string, len(values))
	lines := false
	for i, v := range values {
		texts[i] = s.form(L, v, view)
		lines = lines || strings.Contains(texts[i], "\n")
	}
	if lines || view.form != "" {
		return strings.Join(texts, "\n")
	}
	return strings.Join(texts, ", ")
}

// form writes one value in the form of the view.
func (s *session) form(L *lua.LState, v lua.LValue, view view) string {
	switch view.form {
	case "json":
		return s.json(L, v, view)
	case "lua":
		return s.cfg.Registry.InspectAs(v, record.View{Width: view.width, Depth: deepest, Code: true})
	case "csv":
		return s.csv(L, v)
	case "table":
		return s.grid(v, view).draw(view)
	}
	if list, ok := s.records(v, view); ok {
		return list
	}
	return s.inspect(v, view)
}

// json writes a value as JSON: in one line if it fits or no width is given.
func (s *session) json(L *lua.LState, v lua.LValue, view view) string {
	text, err := s.cfg.Registry.JSON(L, v, 0)
	if err == nil && len(text) > view.width {
		text, err = s.cfg.Registry.JSON(L, v, 2)
	}
	if err != nil {
		vm.Raise(L, err)
	}
	return string(text)
}
