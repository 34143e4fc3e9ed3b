package module

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
)

// pattern is what a Lua regex holds.
type pattern struct {
	re    *regexp.Regexp
	names []string // of its groups, from 1; "": without
	named bool     // one has a name at least
}

// String gives the pattern as it was written.
func (p *pattern) String() string { return p.re.String() }

// Describe names it in messages.
func (p *pattern) Describe() string { return "the regex " + fault.Cut(p.re.String(), 60) }

// patterns keeps the patterns that were compiled last: young ones, and those from before the last time young was full.
type patterns struct{ young, old map[string]*pattern }

// maxPatterns is how many young ones there may be.
const maxPatterns = 256

// compiled gives the pattern of a text.
func (c *patterns) compiled(text string) (*pattern, error) {
	if p := c.young[text]; p != nil {
		return p, nil
	}
	p := c.old[text]
	if p == nil {
		re, err := regexp.Compile(text)
		if err != nil {
			return nil, err
		}
		p = &pattern{re: re, names: re.SubexpNames()[1:]}
		p.named = strings.Join(p.names, "") != ""
	}
	if c.young == nil || len(c.young) >= maxPatterns {
		c.old, c.young = c.young, map[string]*pattern{}
	}
	c.young[text] = p
	return p, nil
}

// search is what is done with a pattern and a text; the arguments after both are still to be taken.
type search func(p *pattern, text string, a *args) []lua.LValue

var searches = map[string]search{"match": regexMatch, "find": regexFind, "gmatch": regexEach, "gsub": regexReplace, "split": regexSplit, "test": regexTest}

// regexModule is regex.new(pattern), and each method of what that gives as a function that takes the text and then the pattern, as those of
// string do.
func (s *Set) regexModule(L *lua.LState) lua.LValue {
	methods := map[string]method[*pattern]{}
	functions := map[string]function{"escape": regexEscape}
	for name, f := range searches {
		methods[name] = func(p *pattern, a *args) []lua.LValue { return f(p, a.Text("the text"), a) }
		functions[name] = func(a *args) []lua.LValue {
			text := a.Text("the text")
			return f(s.pattern(a), text, a)
		}
	}
	mt := kind(L, "regex", methods, nil)
	functions["new"] = func(a *args) []lua.LValue {
		p := s.pattern(a)
		a.Done()
		return []lua.LValue{&lua.LUserData{Value: p, Metatable: mt}}
	}
	return table(L, "regex", functions)
}

// pattern takes a pattern: a text, or a regex.
func (s *Set) pattern(a *args) *pattern {
	v := a.Value("the pattern")
	if ud, ok := v.(*lua.LUserData); ok {
		if p, ok := ud.Value.(*pattern); ok {
			return p
		}
	}
	text, ok := v.(lua.LString)
	if !ok {
		a.Wrong("the pattern", v, "a string or a regex")
	}
	p, err := s.patterns.compiled(string(text))
	if err != nil {
		a.Raise(badPattern(a, err))
	}
	return p
}

// badPattern says what is wrong with a pattern.
func badPattern(a *args, err error) *fault.Error {
	e := &fault.Error{Code: fault.Usage, Message: a.Name + ": the pattern cannot be read: " + err.Error(), Place: a.At(), Cause: err}
	var wrong *syntax.Error
	if !errors.As(err, &wrong) {
		return e
	}
	e.Message = a.Name + ": the pattern cannot be read: " + wrong.Code.String() + ": '" + fault.Cut(wrong.Expr, 60) + "'"
	switch digit := strings.TrimPrefix(wrong.Expr, `\`); {
	case wrong.Code == syntax.ErrInvalidPerlOp:
		e.Hints = []string{"patterns are RE2's, which has no look-ahead and no look-behind"}
	case wrong.Code == syntax.ErrInvalidEscape && digit != "" && digit[0] >= '1' && digit[0] <= '9':
		e.Hints = []string{"patterns are RE2's, which has no back references"}
	case wrong.Code == syntax.ErrInvalidRepeatSize:
		e.Hints = []string{"a repeat count is at most 1000"}
	}
	return e
}

// regexEscape is regex.escape(text) -> a pattern that matches just this text.
func regexEscape(a *args) []lua.LValue {
	text := a.Text("the text")
	a.Done()
	return []lua.LValue{lua.LString(regexp.QuoteMeta(text))}
}

// rest takes the number of the byte to begin at, which may be left out and counts from the end if it is negative; ok is false if it is behind the end.
func rest(text string, a *args) (from int, ok bool) {
	if a.Absent() {
		a.Skip()
		return 0, true
	}
	from = int(a.Integer("the start", -arg.MaxWhole, arg.MaxWhole))
	switch {
	case from > 0:
		from--
	case from < 0:
		from = max(0, len(text)+from)
	}
	return from, from <= len(text)
}

// first takes the start and gives where the first match from there on is, counted from the start; nil: there is none.
func (p *pattern) first(text string, a *args) (from int, at []int) {
	from, ok := rest(text, a)
	a.Done()
	if !ok {
		return 0, nil
	}
	return from, p.re.FindStringSubmatchIndex(text[from:])
}

// regexMatch is re:match(text, start) -> the groups, or the whole match if the pattern has none; one table if groups have names; nil.
func regexMatch(p *pattern, text string, a *args) []lua.LValue {
	from, at := p.first(text, a)
	if at == nil {
		return []lua.LValue{lua.LNil}
	}
	return p.matched(a.L, text[from:], at)
}

// regexFind is re:find(text, start) -> the numbers of the first and the last byte, then the groups if the pattern has some; nil.
func regexFind(p *pattern, text string, a *args) []lua.LValue {
	from, at := p.first(text, a)
	if at == nil {
		return []lua.LValue{lua.LNil}
	}
	found := []lua.LValue{lua.LNumber(from + at[0] + 1), lua.LNumber(from + at[1])}
	if len(p.names) > 0 {
		found = append(found, p.matched(a.L, text[from:], at)...)
	}
	return found
}

// matched gives what match gives. A group that took no part is false, so that what follows keeps its place; it is not in the table.
func (p *pattern) matched(L *lua.LState, text string, at []int) []lua.LValue {
	if len(p.names) == 0 {
		return []lua.LValue{lua.LString(text[at[0]:at[1]])}
	}
	if p.named {
		return []lua.LValue{p.groups(L, text, at)}
	}
	values := make([]lua.LValue, len(p.names))
	for i := range values {
		values[i] = lua.LFalse
		if from := at[2*i+2]; from >= 0 {
			values[i] = lua.LString(text[from:at[2*i+3]])
		}
	}
	return values
}

// groups gives the groups by number and name, and the whole match as number 0.
func (p *pattern) groups(L *lua.LState, text string, at []int) *lua.LTable {
	t := L.CreateTable(len(p.names), len(p.names))
	for i := 0; i <= len(p.names); i++ {
		if at[2*i] < 0 {
			continue
		}
		v := lua.LString(text[at[2*i]:at[2*i+1]])
		t.RawSetInt(i, v)
		if i > 0 && p.names[i-1] != "" {
			t.RawSetString(p.names[i-1], v)
		}
	}
	return t
}

// regexTest is re:test(text) -> boolean.
func regexTest(p *pattern, text string, a *args) []lua.LValue {
	a.Done()
	return []lua.LValue{lua.LBool(p.re.MatchString(text))}
}

// regexEach is re:gmatch(text) -> an iterator over what match gives for each match.
func regexEach(p *pattern, text string, a *args) []lua.LValue {
	a.Done()
	all := p.re.FindAllStringSubmatchIndex(text, -1)
	return []lua.LValue{a.L.NewFunction(func(L *lua.LState) int {
		if len(all) == 0 {
			L.Push(lua.LNil)
			return 1
		}
		values := p.matched(L, text, all[0])
		all = all[1:]
		for _, v := range values {
			L.Push(v)
		}
		return len(values)
	})}
}

// regexSplit is re:split(text, n) -> the list of what stands between the matches; at most n parts.
func regexSplit(p *pattern, text string, a *args) []lua.LValue {
	most := -1
	if !a.Absent() {
		most = int(a.Integer("the number of parts", 1, arg.MaxWhole))
	}
	a.Done()
	parts := p.re.Split(text, most)
	t := a.L.CreateTable(len(parts), 0)
	for i, part := range parts {
		t.RawSetInt(i+1, lua.LString(part))
	}
	return []lua.LValue{t}
}
