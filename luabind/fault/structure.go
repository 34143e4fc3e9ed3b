package fault

import (
	"fmt"
	"strings"
)

// opener is a token that something must close.
type opener struct {
	at     int // index of the token
	token  token
	closer string // end, until, ), ], }
	head   bool   // an if, while or for whose then or do has not come yet
	brace  bool   // a { that stands for the start of a block
}

// structure matches openers and closers, and repairs what does not match, so that the parser after it sees balanced code. It runs once
// by nesting alone; if that does not come out even, again with indentation deciding which opener was forgotten.
type structure struct {
	tokens   []token
	byIndent bool
	stack    []opener
	out      []token
	found    []diagnosis
	surplus  int // closers that close nothing
	missing  int
	elseIfs  map[int]int // index of the if of an 'else if', by that of the if it belongs to
}

// balance gives the tokens with what is missing put in and what is too much left out.
func balance(tokens []token, report func(diagnosis)) []token {
	s := &structure{tokens: tokens, elseIfs: map[int]int{}}
	s.run()
	if s.missing+s.surplus > 0 {
		second := &structure{tokens: tokens, byIndent: true, elseIfs: map[int]int{}}
		second.run()
		if second.missing+second.surplus <= s.missing+s.surplus {
			s = second
		}
	}
	for _, d := range s.found {
		report(d)
	}
	return s.out
}

func (s *structure) run() {
	for i, t := range s.tokens {
		if t.kind == endOfFile {
			s.unclosed(len(s.stack), t, "the file ends here")
			s.out = append(s.out, t)
			return
		}
		if t.kind == keyword && s.isName(i) {
			t.kind, t.reserved = name, true
			s.out = append(s.out, t)
			continue
		}
		s.token(i, t)
	}
}

// isName tells whether the keyword at i stands where only a name can: t.end, { end = 1 }.
func (s *structure) isName(i int) bool {
	if i == 0 || i+1 >= len(s.tokens) {
		return false
	}
	prev, next := s.tokens[i-1], s.tokens[i+1]
	if prev.is(".") || prev.is(":") && prev.line == s.tokens[i].line || prev.is("local") && !s.tokens[i].is("function") {
		return true
	}
	top := s.top()
	switch t := s.tokens[i]; {
	case !t.is("end") && !t.is("then") && !t.is("do") && !t.is("repeat") && !t.is("until") && !t.is("in"):
	case t.line == prev.line && (prev.is("(") || prev.is("=") || prev.is(",") || prev.is("..") || prev.is("+")):
		return true
	}
	return next.is("=") && top != nil && top.closer == "}" && (prev.is("{") || prev.is(",") || prev.is(";"))
}

func (s *structure) top() *opener {
	if len(s.stack) == 0 {
		return nil
	}
	return &s.stack[len(s.stack)-1]
}

func (s *structure) push(i int, t token, closer string) {
	s.stack = append(s.stack, opener{at: i, token: t, closer: closer})
	s.out = append(s.out, t)
}

func (s *structure) token(i int, t token) {
	if t.kind == text || t.kind == number || t.kind == name {
		s.out = append(s.out, t)
		return
	}
	switch t.text {
	case "function":
		s.push(i, t, "end")
	case "if", "while", "for":
		s.leaveBrackets(t)
		if top := s.top(); t.is("if") && i > 0 && s.tokens[i-1].is("else") && s.tokens[i-1].line == t.line && top != nil {
			s.elseIfs[top.at] = i
		}
		s.push(i, t, "end")
		s.top().head = true
	case "do":
		s.do(i, t)
	case "then":
		s.leaveBrackets(t)
		if top := s.top(); top != nil {
			top.head = false
		}
		s.out = append(s.out, t)
	case "repeat":
		s.leaveBrackets(t)
		s.push(i, t, "until")
	case "local", "return", "break":
		s.leaveBrackets(t)
		s.out = append(s.out, t)
	case "else", "elseif":
		s.leaveTo(func(o opener) bool { return o.token.is("if") }, t)
		if top := s.top(); top != nil && t.is("elseif") {
			top.head = true
		}
		s.out = append(s.out, t)
	case "(", "[", "{":
		s.bracket(i, t)
	case ")", "]", "}", "end", "until":
		s.close(t)
	default:
		s.out = append(s.out, t)
	}
}

func (s *structure) do(i int, t token) {
	s.leaveBrackets(t)
	if top := s.top(); top != nil && top.head {
		top.head = false
		s.out = append(s.out, t)
		return
	}
	s.push(i, t, "end")
}

// bracket pushes a bracket; a { where a block begins, as in other languages, becomes the block's word.
func (s *structure) bracket(i int, t token) {
	word, ok := s.blockBrace(i, t)
	if !ok {
		s.push(i, t, map[string]string{"(": ")", "[": "]", "{": "}"}[t.text])
		return
	}
	d := diagnosis{at: t, habit: "brace", message: "blocks have no braces in Lua", label: "write '" + word + "'", hints: []string{"a block ends with 'end'"}}
	if word == "" {
		d.label = ""
		d.hints = []string{"function name(a, b) ... end"}
	}
	s.found = append(s.found, d)
	if top := s.top(); top != nil {
		top.brace, top.head = true, false
	}
	if word != "" && word != "else" {
		s.out = append(s.out, made(word, t))
	}
}

// blockBrace tells whether { opens a block, and which word stands for it.
func (s *structure) blockBrace(i int, t token) (string, bool) {
	top := s.top()
	if top == nil || i == 0 || i+1 >= len(s.tokens) || !t.is("{") {
		return "", false
	}
	prev, next := s.tokens[i-1], s.tokens[i+1]
	switch {
	case top.token.is("function") && prev.is(")") && s.afterParameters(i):
		return "", true
	case top.head && (next.first || prev.is(")")) && (prev.is(")") || next.line > t.line):
		if top.token.is("if") {
			return "then", true
		}
		return "do", true
	case prev.is("else") && top.token.is("if"):
		return "else", true
	}
	return "", false
}

// afterParameters tells whether the ) before i closes the parameter list of the function on top of the stack.
func (s *structure) afterParameters(i int) bool {
	depth := 0
	for j := s.top().at + 1; j < i; j++ {
		switch s.tokens[j].text {
		case "(":
			depth++
		case ")":
			depth--
			if depth == 0 {
				return j == i-1
			}
		}
	}
	return false
}

func made(text string, at token) token {
	k := keyword
	if !keywords[text] {
		k = operator
	}
	return token{kind: k, text: text, pos: at.pos, end: at.pos, line: at.line, col: at.col, first: at.first, indent: at.indent, made: true}
}

// leaveBrackets closes the brackets that a statement's keyword cannot stand in.
func (s *structure) leaveBrackets(t token) {
	n := 0
	for n < len(s.stack) && isBracket(s.stack[len(s.stack)-1-n].closer) {
		n++
	}
	if n > 0 {
		s.unclosed(n, t, "")
	}
}

func isBracket(closer string) bool { return closer != "end" && closer != "until" }

// leaveTo closes whatever is open inside the nearest opener that ok accepts, if there is one.
func (s *structure) leaveTo(ok func(opener) bool, t token) bool {
	for n := 0; n < len(s.stack); n++ {
		if o := s.stack[len(s.stack)-1-n]; ok(o) {
			if n > 0 {
				s.unclosed(n, t, s.says(t, o))
			}
			return true
		}
	}
	return false
}

// close matches a closer.
func (s *structure) close(t token) {
	if top := s.top(); t.is("}") && top != nil && top.brace {
		s.closeBrace(t)
		return
	}
	fits := func(o opener) bool { return o.closer == t.text }
	if s.byIndent && t.first && s.closeByIndent(t, fits) {
		return
	}
	if !s.leaveTo(fits, t) {
		if top := s.top(); top != nil && isBracket(top.closer) && isBracket(t.text) {
			s.wrongBracket(*top, t)
		} else {
			s.extra(t)
		}
		return
	}
	s.stack = s.stack[:len(s.stack)-1]
	s.out = append(s.out, t)
}

// closeByIndent uses the indentation of a closer that begins its line. It tells whether the closer was dealt with.
func (s *structure) closeByIndent(t token, fits func(opener) bool) bool {
	top := s.top()
	if top == nil {
		return false
	}
	if fits(*top) && top.token.indent < t.indent && top.token.line != t.line && !isBracket(t.text) && s.laterCloser(t) {
		s.surplus++
		s.found = append(s.found, diagnosis{at: t, habit: "structure", message: fmt.Sprintf("this '%s' is one too many, judging by its indentation", t.text)})
		return true
	}
	if top.token.indent == t.indent {
		return false
	}
	return s.leaveTo(func(o opener) bool { return fits(o) && o.token.indent == t.indent }, t) && s.pop(t)
}

// laterCloser tells whether another closer of t's kind follows with the indentation of the opener that t would close.
func (s *structure) laterCloser(t token) bool {
	for _, u := range s.tokens {
		if u.pos > t.pos && u.first && u.text == t.text && u.indent == s.top().token.indent {
			return true
		}
	}
	return false
}

func (s *structure) pop(t token) bool {
	s.stack = s.stack[:len(s.stack)-1]
	s.out = append(s.out, t)
	return true
}

// closeBrace turns } into end, or into nothing where else follows.
func (s *structure) closeBrace(t token) {
	next := token{}
	for _, u := range s.tokens {
		if u.pos > t.pos {
			next = u
			break
		}
	}
	if s.top().token.is("if") && (next.is("else") || next.is("elseif")) {
		s.top().brace = false
		return
	}
	s.out = append(s.out, made("end", t))
	s.stack = s.stack[:len(s.stack)-1]
}

// wrongBracket reports a bracket closed by one of another kind.
func (s *structure) wrongBracket(o opener, t token) {
	s.stack = s.stack[:len(s.stack)-1]
	s.out = append(s.out, made(o.closer, t))
	s.missing++
	s.found = append(s.found, diagnosis{at: t, habit: "structure", message: fmt.Sprintf("'%s' cannot close '%s'", t.text, o.token.text),
		label: fmt.Sprintf("write '%s'", o.closer), marks: []diagnosisMark{{o.token, "opened here"}}})
}

func (s *structure) extra(t token) {
	s.surplus++
	what := fmt.Sprintf("this '%s' closes nothing", t.text)
	d := diagnosis{at: t, habit: "structure", message: what, follows: true}
	if t.is("end") {
		d.hints = []string{"there is one 'end' too many, or an 'if', 'for', 'while', 'do' or 'function' is missing above it"}
	}
	s.found = append(s.found, d)
}

// says is what the second mark tells of the closer t, which is taken to close o.
func (s *structure) says(t token, o opener) string {
	if t.is("else") || t.is("elseif") {
		return fmt.Sprintf("this '%s' belongs to the 'if' from line %d", t.text, o.token.line)
	}
	text := fmt.Sprintf("this '%s' closes the '%s' from line %d", t.text, o.token.text, o.token.line)
	if o.closer == "end" && o.token.is("function") {
		text = fmt.Sprintf("this '%s' closes the function from line %d", t.text, o.token.line)
	}
	if s.byIndent && t.first {
		text += ", judging by its indentation"
	}
	return text
}

// unclosed reports and closes the n innermost openers before t.
func (s *structure) unclosed(n int, t token, says string) {
	for ; n > 0; n-- {
		o := s.stack[len(s.stack)-1]
		s.stack = s.stack[:len(s.stack)-1]
		s.missing++
		d := diagnosis{at: o.token, habit: "structure", label: "opened here",
			message: fmt.Sprintf("'%s' on line %d is never closed: '%s' is missing", o.token.text, o.token.line, o.closer)}
		if says != "" && (t.line != o.token.line || t.kind == endOfFile) {
			d.marks = []diagnosisMark{{t, says}}
		}
		if o.brace {
			d.message = fmt.Sprintf("the block of '%s' on line %d is never closed: 'end' is missing", o.token.text, o.token.line)
		}
		if at, ok := s.elseIfs[o.at]; ok {
			d = elseIfDiagnosis(s.tokens[at-1], s.tokens[at])
		}
		s.found = append(s.found, d)
		s.out = append(s.out, made(o.closer, t))
		if o.closer == "until" {
			s.out = append(s.out, made("true", t))
		}
	}
}

func elseIfDiagnosis(first, second token) diagnosis {
	at := first
	at.end = second.end
	return diagnosis{at: at, habit: "else if", message: "'else if' opens a second 'if', which needs an 'end' of its own", label: "write 'elseif'"}
}

// lastLine is where a mark at the end of the file is drawn: the last line that has something on it.
func lastLine(src string) int {
	return len(splitLines(strings.TrimRight(src, " \t\r\n")))
}
