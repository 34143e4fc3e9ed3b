package console

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"

	"faust/luabind/api"
	"faust/luabind/fault"
	"faust/runtime/control"
)

var asked = regexp.MustCompile(`^\s*([^?]*[^?\s])\s*(\?\??)\s*$`)

// question takes a text for x? (what it is) or x?? (its source).
func question(text string) (steps []step, source, ok bool) {
	m := asked.FindStringSubmatch(text)
	if m == nil {
		return nil, false, false
	}
	steps, ok = pathOf(m[1])
	return steps, m[2] == "??", ok
}

// ask answers a question.
func (e *evaluation) ask(steps []step, source bool) control.Result {
	var text string
	err := e.within(func(L *lua.LState) error {
		v := e.resolve(L, steps)
		if source {
			return e.answerSource(L, steps, v, &text)
		}
		var b strings.Builder
		if !e.describe(L, &b, steps, v) {
			return e.unknown(L, steps)
		}
		text = b.String()
		return nil
	})
	if err != nil {
		return e.failed(err)
	}
	return control.Result{Text: strings.TrimRight(text, "\n")}
}

// unknown says that a path names nothing.
func (e *evaluation) unknown(L *lua.LState, steps []step) error {
	last := len(steps) - 1
	if last == 0 || e.scope.Lookup(L, steps[0].name) == nil {
		return &fault.Error{Code: fault.Script, Message: fmt.Sprintf("'%s' is not defined", steps[0].name),
			Hints: didYouMean(steps[0].name, e.scope.Known())}
	}
	owner := e.resolve(L, steps[:last])
	var known []string
	for _, c := range e.membersOf(owner) {
		known = append(known, c.Text)
	}
	return &fault.Error{Code: fault.Script, Message: fmt.Sprintf("%s has no '%s'", pathText(steps[:last]), steps[last].name),
		Hints: didYouMean(steps[last].name, known)}
}

func didYouMean(name string, known []string) []string {
	if best := fault.Suggest(name, known); best != "" {
		return []string{fmt.Sprintf("did you mean '%s'?", best)}
	}
	return nil
}

func pathText(steps []step) string {
	var b strings.Builder
	for _, s := range steps {
		switch s.sep {
		case 0:
			b.WriteString(s.name)
		case '[':
			b.WriteString("[" + strconv.Quote(s.name) + "]")
		default:
			b.WriteString(string(s.sep) + s.name)
		}
	}
	return b.String()
}

// entry finds what package api says of a path; nil: it names something else.
func (s *session) entry(L *lua.LState, steps []step) *api.Entry {
	last := steps[len(steps)-1]
	if len(steps) > 1 {
		owner := s.resolve(L, steps[:len(steps)-1])
		if kind := kindOf(owner); kind != "" {
			if e := api.Get(kind + ":" + last.name); e != nil {
				return e
			}
			return api.Get(kind + "." + last.name)
		}
		if _, ok := owner.(lua.LString); ok {
			return api.Get("string." + last.name)
		}
	}
	// A name of the session or of the app hides one of ours.
	first := steps[0].name
	if s.scope.Own(first) {
		return nil
	}
	var names []string
	for _, step := range steps {
		names = append(names, step.name)
	}
	e := api.Get(strings.Join(names, "."))
	if e == nil || e.Kind == api.Module && len(steps) > 1 {
		return nil
	}
	if fn, ok := s.resolve(L, steps).(*lua.LFunction); ok && !fn.IsG {
		return nil // the script has its own
	}
	return e
}

// kindOf gives the name under which package api has the fields and methods of a value of ours; "": it is none.
func kindOf(v lua.LValue) string {
	ud, ok := v.(*lua.LUserData)
	if !ok {
		return ""
	}
	mt, ok := ud.Metatable.(*lua.LTable)
	if !ok {
		return ""
	}
	name, _ := mt.RawGetString("__metatable").(lua.LString)
	return string(name)
}

// describe writes what there is to say of a value; false: nothing, it is not known.
func (e *evaluation) describe(L *lua.LState, b *strings.Builder, steps []step, v lua.LValue) bool {
	if entry := e.entry(L, steps); entry != nil {
		writeEntry(b, entry, e.view.width)
		return true
	}
	if v == nil {
		return false
	}
	if about := e.cfg.App.About(v); about != nil {
		writeAbout(b, about, e.view.width)
		return true
	}
	switch x := v.(type) {
	case *lua.LFunction:
		e.describeFunction(L, b, steps, x)
	case *lua.LTable:
		e.describeTable(b, steps, x)
	default:
		what := v.Type().String()
		if kind := kindOf(v); kind != "" {
			what = kind
		}
		b.WriteString(what + "  " + firstLine(e.inspect(v, e.view.short())) + "\n")
		writeRows(b, members(kindOf(v)), e.view.width)
	}
	return true
}

func writeAbout(b *strings.Builder, about *About, width int) {
	b.WriteString(about.Title + "\n")
	rows := about.Rows
	if about.Place != "" {
		rows = append(rows, Row{"defined", about.Place})
	}
	writeRows(b, append(rows, members(about.Type)...), width)
}

// writeRows writes labelled texts, folded to the width.
func writeRows(b *strings.Builder, rows []Row, width int) {
	label := 0
	for _, r := range rows {
		label = max(label, fault.Width(r.Label))
	}
	label = min(label, max(8, width/3))
	for _, r := range rows {
		lines := fault.Fold(r.Text, width-label-4)
		for i, line := range lines {
			text := ""
			if i == 0 {
				text = r.Label
			}
			b.WriteString(strings.TrimRight("  "+text+strings.Repeat(" ", max(0, label-fault.Width(text)))+"  "+line, " ") + "\n")
		}
	}
}

// members gives the methods and fields of a kind of object.
func members(kind string) (rows []Row) {
	var methods, fields []string
	for _, m := range api.Members(kind) {
		switch m.Kind {
		case api.Method:
			methods = append(methods, m.Last())
		case api.Field:
			fields = append(fields, m.Last())
		}
	}
	if len(methods) > 0 {
		rows = append(rows, Row{"methods", strings.Join(methods, " ")})
	}
	if len(fields) > 0 {
		rows = append(rows, Row{"fields", strings.Join(fields, " ")})
	}
	return rows
}

// writeEntry writes what package api says.
func writeEntry(b *strings.Builder, entry *api.Entry, width int) {
	b.WriteString(entry.Signature() + "\n")
	for _, line := range fault.Fold(entry.Text, width-2) {
		b.WriteString("  " + line + "\n")
	}
	var rows []Row
	for _, p := range entry.Params {
		if p.Type != api.Options {
			rows = append(rows, Row{p.Name, sentence(p.Type, p.Text)})
		}
	}
	for _, o := range entry.Options {
		text := sentence(o.Type, o.Text)
		if o.Default != "" {
			text += " [" + o.Default + "]"
		}
		rows = append(rows, Row{o.Name + " =", text})
	}
	for _, r := range entry.Returns {
		if r.Text != "" {
			rows = append(rows, Row{"->", sentence(r.Type, r.Text)})
		}
	}
	if len(entry.See) > 0 {
		rows = append(rows, Row{"see", strings.Join(entry.See, ", ")})
	}
	rows = append(rows, Row{"more", ":help " + entry.Name})
	writeRows(b, rows, width)
}

func sentence(kind, text string) string {
	return strings.Trim(kind+"  "+text, " ")
}

func (e *evaluation) describeFunction(L *lua.LState, b *strings.Builder, steps []step, fn *lua.LFunction) {
	if fn.IsG {
		b.WriteString("built-in function " + pathText(steps) + "\n")
		return
	}
	b.WriteString("function " + pathText(steps) + signature(fn) + "\n")
	src, _ := e.codeOf(L, fn.Proto.SourceName)
	for _, line := range comment(src, fn.Proto.LineDefined) {
		b.WriteString("  " + line + "\n")
	}
	writeRows(b, []Row{{"defined", fmt.Sprintf("%s:%d", fn.Proto.SourceName, fn.Proto.LineDefined)}}, e.view.width)
}

// signature gives the parameters of a function of the script.
func signature(fn *lua.LFunction) string {
	var names []string
	for i := 0; i < int(fn.Proto.NumParameters) && i < len(fn.Proto.DbgLocals); i++ {
		names = append(names, fn.Proto.DbgLocals[i].Name)
	}
	if fn.Proto.IsVarArg != 0 {
		names = append(names, "...")
	}
	return "(" + strings.Join(names, ", ") + ")"
}

// comment gives the comment right above a line of a source.
func comment(src string, line int) []string {
	lines := strings.Split(src, "\n")
	var out []string
	for i := line - 2; i >= 0 && i < len(lines); i-- {
		text, ok := strings.CutPrefix(strings.TrimSpace(lines[i]), "--")
		if !ok {
			break
		}
		out = append([]string{strings.TrimSpace(strings.TrimLeft(text, "-"))}, out...)
	}
	return out
}

func (e *evaluation) describeTable(b *strings.Builder, steps []step, t *lua.LTable) {
	list, all := 0, 0
	for t.RawGetInt(list+1) != lua.LNil {
		list++
	}
	for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
		all++
	}
	if members, ok := e.cfg.App.Members(t); ok {
		all = len(members)
	}
	what := fmt.Sprintf("table %s  %d %s", pathText(steps), all, plural(all, "entry", "entries"))
	if list > 0 {
		what = fmt.Sprintf("table %s  a list of %d", pathText(steps), list)
		if more := all - list; more > 0 {
			what += fmt.Sprintf(" and %d with names", more)
		}
	}
	b.WriteString(what + "\n")
	for line := range strings.SplitSeq(e.inspect(t, e.view.short()), "\n") {
		b.WriteString("  " + line + "\n")
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// answerSource writes the source of a function or a declaration.
func (e *evaluation) answerSource(L *lua.LState, steps []step, v lua.LValue, text *string) error {
	if v == nil {
		if e.entry(L, steps) == nil {
			return e.unknown(L, steps)
		}
		return noSource(pathText(steps) + " is built in: it has no source")
	}
	file, from, to := "", 0, 0
	if about := e.cfg.App.About(v); about != nil && about.Place != "" {
		file, from = splitPlace(about.Place)
		to = from
		if about.Code != nil {
			to = about.Code.Proto.LastLineDefined
		}
	} else if fn, ok := v.(*lua.LFunction); ok && !fn.IsG {
		file, from, to = fn.Proto.SourceName, fn.Proto.LineDefined, fn.Proto.LastLineDefined
	} else if ok {
		return noSource(pathText(steps) + " is built in: it has no source")
	} else {
		return noSource(fmt.Sprintf("%s is %s: it has no source", pathText(steps), fault.Describe(v)))
	}
	src, ok := e.codeOf(L, file)
	if !ok {
		return noSource(fmt.Sprintf("the source of %s cannot be read: %s", pathText(steps), file))
	}
	to = lastLine(src, from, to)
	lines := strings.Split(src, "\n")
	if from < 1 || from > len(lines) {
		return noSource(fmt.Sprintf("%s has no line %d any more", file, from))
	}
	*text = fmt.Sprintf("-- %s:%d\n%s", file, from, strings.Join(lines[from-1:min(to, len(lines))], "\n"))
	return nil
}

func noSource(message string) error { return &fault.Error{Code: fault.Usage, Message: message} }

func splitPlace(place string) (file string, line int) {
	i := strings.LastIndexByte(place, ':')
	line, _ = strconv.Atoi(place[i+1:])
	return place[:max(i, 0)], line
}

// longest is how many lines of a declaration are looked at for its end.
const longest = 500

// lastLine finds the line with which the statement that begins on line from, and goes on until line to at least, ends.
func lastLine(src string, from, to int) int {
	lines := strings.Split(src, "\n")
	for end := max(to, from); end <= min(len(lines), from+longest); end++ {
		if _, err := parse.Parse(strings.NewReader(strings.Join(lines[from-1:end], "\n")), ""); err == nil {
			return end
		}
	}
	return max(to, from)
}

// codeOf gives the text that a chunk was compiled from, or that the file has now.
func (e *evaluation) codeOf(L *lua.LState, file string) (string, bool) {
	if text, ok := e.text(file); ok {
		return text, true
	}
	if text, ok := fault.KeptSource(L, file); ok {
		return text, true
	}
	b, err := os.ReadFile(file)
	return string(b), err == nil
}
