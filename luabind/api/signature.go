package api

import "strings"

// shortOptions is how many options a signature names; more are left to the list below it.
const shortOptions = 5

// Signature tells how an entry is called and what it gives: topic:send { key=, value= } -> message. What may be left out stands in brackets.
func (e *Entry) Signature() string {
	switch e.Kind {
	case Module, Object:
		return e.Name
	case Value, Field:
		return strings.TrimSuffix(e.Name+"  "+e.Type, "  ")
	}
	return e.Name + e.arguments() + e.results()
}

func (e *Entry) arguments() string {
	if len(e.Params) == 1 && e.Params[0].Type == Options {
		if e.Params[0].Optional {
			return "([" + e.optionTable() + "])"
		}
		return " " + e.optionTable()
	}
	var b strings.Builder
	b.WriteByte('(')
	for i := range e.Params {
		p := &e.Params[i]
		text := e.argument(p)
		if i < len(e.Params)-1 {
			text += ","
		}
		if p.Optional {
			text = "[" + text + "]"
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(text)
	}
	b.WriteByte(')')
	return b.String()
}

func (e *Entry) argument(p *Param) string {
	switch {
	case p.Type == Options:
		return e.optionTable()
	case p.Type == Func && p.Args != "" || p.Type == Func && p.Name == "fn":
		return "function(" + p.Args + ") ... end"
	case p.Rest:
		return "..."
	}
	return p.Name
}

func (e *Entry) optionTable() string {
	if n := len(e.Options); n == 0 || n > shortOptions {
		return "{ options }"
	}
	names := make([]string, len(e.Options))
	for i := range e.Options {
		names[i] = e.Options[i].Name + "="
	}
	return "{ " + strings.Join(names, ", ") + " }"
}

func (e *Entry) results() string {
	var types []string
	for _, r := range e.Returns {
		types = append(types, r.Type)
	}
	if len(types) == 0 {
		return ""
	}
	return " -> " + strings.Join(types, ", ")
}
