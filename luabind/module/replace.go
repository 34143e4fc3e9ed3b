package module

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
)

// regexReplace is re:gsub(text, replacement, n) -> the text with the first n matches, or all, replaced, and how many were. The replacement is a text with $1, ${name} and $$ for
// a dollar sign, a table from the first group (or the match), or a function of what match gives; nil and false leave the match as it is.
func regexReplace(p *pattern, text string, a *args) []lua.LValue {
	with := p.replacer(a)
	most := -1
	if !a.Absent() {
		most = int(a.Integer("the number of replacements", 0, arg.MaxWhole))
	}
	a.Done()
	all := p.re.FindAllStringSubmatchIndex(text, most)
	var b strings.Builder
	end := 0
	for _, at := range all {
		b.WriteString(text[end:at[0]])
		with(&b, text, at)
		end = at[1]
	}
	b.WriteString(text[end:])
	return []lua.LValue{lua.LString(b.String()), lua.LNumber(len(all))}
}

// replacer takes the replacement, as a function that writes it for one match.
func (p *pattern) replacer(a *args) func(b *strings.Builder, text string, at []int) {
	switch v := a.Value("the replacement").(type) {
	case lua.LString:
		parts := p.template(a, string(v))
		return func(b *strings.Builder, text string, at []int) {
			for _, part := range parts {
				part.write(b, text, at)
			}
		}
	case *lua.LTable:
		return func(b *strings.Builder, text string, at []int) {
			key := text[at[0]:at[1]]
			if len(p.names) > 0 && at[2] >= 0 {
				key = text[at[2]:at[3]]
			}
			replaced(a, b, text, at, a.L.GetField(v, key))
		}
	case *lua.LFunction:
		return func(b *strings.Builder, text string, at []int) {
			a.L.Push(v)
			values := p.matched(a.L, text, at)
			for _, value := range values {
				a.L.Push(value)
			}
			a.L.Call(len(values), 1)
			result := a.L.Get(-1)
			a.L.Pop(1)
			replaced(a, b, text, at, result)
		}
	default:
		a.Wrong("the replacement", v, "a string, a table or a function")
		return nil
	}
}

// replaced writes what a table or a function gave.
func replaced(a *args, b *strings.Builder, text string, at []int, v lua.LValue) {
	switch v := v.(type) {
	case lua.LString, lua.LNumber:
		b.WriteString(v.String())
		return
	default:
		if lua.LVAsBool(v) {
			a.Fail("%s: the replacement for '%s' is %s, expected a string", a.Name, fault.Cut(text[at[0]:at[1]], 40), fault.Describe(v))
		}
	}
	b.WriteString(text[at[0]:at[1]])
}

// piece is a part of a replacement: a text, or a group.
type piece struct {
	text  string
	group int // -1: a text
}

func (c piece) write(b *strings.Builder, text string, at []int) {
	switch {
	case c.group < 0:
		b.WriteString(c.text)
	case at[2*c.group] >= 0:
		b.WriteString(text[at[2*c.group]:at[2*c.group+1]])
	}
}

// template takes a replacement apart.
func (p *pattern) template(a *args, s string) []piece {
	var parts []piece
	for {
		before, after, found := strings.Cut(s, "$")
		parts = append(parts, piece{before, -1})
		if !found {
			return parts
		}
		name := ""
		switch {
		case strings.HasPrefix(after, "$"):
			parts, s = append(parts, piece{"$", -1}), after[1:]
			continue
		case strings.HasPrefix(after, "{"):
			name, s, found = strings.Cut(after[1:], "}")
			if !found {
				p.badTemplate(a, "a { after $ is not closed")
			}
		default:
			s = strings.TrimLeft(after, "0123456789")
			name = after[:len(after)-len(s)]
		}
		parts = append(parts, piece{"", p.group(a, name)})
	}
}

// group gives the number of a group by name or number.
func (p *pattern) group(a *args, name string) int {
	if name == "" {
		p.badTemplate(a, "a $ stands alone")
	}
	if i := slices.Index(p.names, name); i >= 0 {
		return i + 1
	}
	n, err := strconv.Atoi(name)
	switch {
	case err != nil:
		p.badTemplate(a, "the pattern has no group '"+fault.Cut(name, 40)+"'")
	case n > len(p.names):
		p.badTemplate(a, fmt.Sprintf("there is no group %d: the pattern has %d", n, len(p.names)))
	}
	return n
}

func (p *pattern) badTemplate(a *args, what string) {
	a.Raise(&fault.Error{Code: fault.Usage, Message: a.Name + ": the replacement cannot be read: " + what, Place: a.At(),
		Hints: []string{"$1 is the first group, ${name} one with a name, $0 the whole match, $$ a dollar sign"}})
}
