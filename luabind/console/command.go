package console

import (
	"regexp"
	"slices"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/runtime/control"
)

var commandLine = regexp.MustCompile(`^\s*:([a-z]+)(?:\s+([\s\S]*))?$`)

// command takes a text for one of the commands that need the session: :who, :time EXPR, :write.
func command(text string) (name, rest string, ok bool) {
	m := commandLine.FindStringSubmatch(text)
	if m == nil {
		return "", "", false
	}
	return m[1], strings.TrimSpace(m[2]), true
}

func (e *evaluation) command(name, rest string) control.Result {
	switch name {
	case "who":
		return e.variables()
	case "time":
		e.in.Text = rest
		r := e.evaluate(rest, func(L *lua.LState, values []lua.LValue) string {
			e.remember(values)
			return e.show(L, values, e.view)
		})
		if !r.Failed && !r.Incomplete {
			r.Text = strings.TrimLeft(r.Text+"\n"+e.took.Round(time.Microsecond).String(), "\n")
		}
		return r
	}
	return e.failed(&fault.Error{Code: fault.Usage, Message: "unknown command ':" + name + "'"})
}

// variables lists the session's variables, one a line.
func (e *evaluation) variables() control.Result {
	var b strings.Builder
	err := e.within(func(L *lua.LState) error {
		width := 0
		names := slices.DeleteFunc(e.scope.Vars(), func(name string) bool { return name == "_" }) // the last value, or what nobody wants
		for _, name := range names {
			width = max(width, len(name))
		}
		view := e.view.short()
		for _, name := range names {
			v := e.scope.Lookup(L, name)
			b.WriteString(name + strings.Repeat(" ", width-len(name)) + "  " + firstLine(e.inspect(v, view)) + "\n")
		}
		return nil
	})
	if err != nil {
		return e.failed(err)
	}
	if b.Len() == 0 {
		return control.Result{Text: "no variables yet: what you assign stays, local or not"}
	}
	return control.Result{Text: strings.TrimRight(b.String(), "\n")}
}

func firstLine(text string) string {
	line, rest, more := strings.Cut(text, "\n")
	if more && rest != "" {
		return line + " …"
	}
	return line
}
