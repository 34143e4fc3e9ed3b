package fault

import "strings"

type kind uint8

const (
	endOfFile kind = iota
	name
	keyword
	number
	text     // a string
	operator // of Lua, and brackets
	foreign  // what other languages have: != && += and so on
)

// token is a word of the source. Offsets, lines and columns are those of the file.
type token struct {
	kind     kind
	text     string // as written
	pos, end int
	line     int
	col      int // from 1, in bytes
	first    bool
	indent   int  // of the line that the token stands on, tabs expanded
	made     bool // not in the source: put in to repair the structure
	reserved bool // a keyword that stands where only a name can
}

// is tells whether t is the keyword or operator s.
func (t token) is(s string) bool {
	return t.text == s && t.kind != text && t.kind != number && t.kind != name
}

var keywords = map[string]bool{
	"and": true, "break": true, "do": true, "else": true, "elseif": true, "end": true, "false": true, "for": true, "function": true,
	"goto": true, "if": true, "in": true, "local": true, "nil": true, "not": true, "or": true, "repeat": true, "return": true,
	"then": true, "true": true, "until": true, "while": true,
}

// operators, longest first; those marked are not Lua.
var operators = []struct {
	text    string
	foreign bool
}{
	{"...", false}, {"===", true}, {"!==", true}, {"..=", true}, {"**=", true}, {"//=", true}, {"<<=", true}, {">>=", true}, {"&&=", true}, {"||=", true},
	{"==", false}, {"~=", false}, {"<=", false}, {">=", false}, {"..", false}, {"::", false},
	{"!=", true}, {"<>", true}, {"&&", true}, {"||", true}, {"++", true}, {"+=", true}, {"-=", true}, {"*=", true}, {"/=", true}, {"%=", true},
	{"^=", true}, {"|=", true}, {"&=", true}, {"**", true}, {"=>", true}, {"->", true}, {"//", true}, {"<<", true}, {">>", true}, {"??", true}, {"?.", true}, {":=", true},
	{"+", false}, {"-", false}, {"*", false}, {"/", false}, {"%", false}, {"^", false}, {"#", false}, {"<", false}, {">", false}, {"=", false},
	{"(", false}, {")", false}, {"{", false}, {"}", false}, {"[", false}, {"]", false}, {";", false}, {":", false}, {",", false}, {".", false},
	{"!", true}, {"?", true}, {"&", true}, {"|", true}, {"~", true}, {"@", true}, {"$", true}, {"\\", true},
}

// lexer cuts a source into tokens. What is not Lua becomes a foreign token or a diagnosis, never a dead end.
type lexer struct {
	src    string
	at     int
	line   int
	start  int // of the line
	indent int
	fresh  bool // no token on this line yet
	tokens []token
	report func(d diagnosis)
}

func lex(src string, report func(diagnosis)) []token {
	x := &lexer{src: src, line: 1, fresh: true, report: report}
	if strings.HasPrefix(src, "\uFEFF") {
		x.at, x.start = 3, 3
	}
	if strings.HasPrefix(src[x.at:], "#!") {
		x.skipLine()
	}
	x.measure()
	for x.next() {
	}
	x.emit(endOfFile, x.at, x.at)
	x.tokens[len(x.tokens)-1].line = lastLine(src) // where it is shown
	return x.tokens
}

func (x *lexer) peek(n int) byte {
	if x.at+n < len(x.src) {
		return x.src[x.at+n]
	}
	return 0
}

func (x *lexer) skipLine() {
	for x.at < len(x.src) && x.src[x.at] != '\n' && x.src[x.at] != '\r' {
		x.at++
	}
}

// newline steps over a line break, which the engine counts once for \r\n and \n\r.
func (x *lexer) newline() {
	c := x.src[x.at]
	x.at++
	if d := x.peek(0); (d == '\n' || d == '\r') && d != c {
		x.at++
	}
	x.line++
	x.start, x.fresh = x.at, true
	x.measure()
}

func (x *lexer) measure() {
	x.indent = 0
	for i := x.at; i < len(x.src); i++ {
		switch x.src[i] {
		case ' ':
			x.indent++
		case '\t':
			x.indent += tabWidth - x.indent%tabWidth
		default:
			return
		}
	}
}

func (x *lexer) emit(k kind, pos, end int) {
	x.tokens = append(x.tokens, token{kind: k, text: x.src[pos:end], pos: pos, end: end, line: x.line, col: pos - x.start + 1,
		first: x.fresh, indent: x.indent})
	x.fresh = false
}

// next reads one token or blank; false at the end.
func (x *lexer) next() bool {
	if x.at >= len(x.src) {
		return false
	}
	c := x.src[x.at]
	switch {
	case c == '\n' || c == '\r':
		x.newline()
	case c == ' ' || c == '\t' || c == '\v' || c == '\f':
		x.at++
	case isWord(c):
		x.word()
	case isDigit(c) || c == '.' && isDigit(x.peek(1)):
		x.number()
	case c == '"' || c == '\'':
		x.quoted(c)
	case c == '`':
		x.backquoted()
	case c == '-' && x.peek(1) == '-':
		x.comment()
	case c == '[' && (x.peek(1) == '[' || x.peek(1) == '='):
		x.long("string")
	case c == '/' && x.peek(1) == '*':
		x.blockComment()
	case c == '/' && x.peek(1) == '/' && x.slashComment():
	case c == '#' && x.hashComment():
	default:
		x.operator()
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isWord(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (x *lexer) word() {
	pos := x.at
	for x.at < len(x.src) && (isWord(x.src[x.at]) || isDigit(x.src[x.at])) {
		x.at++
	}
	k := name
	if keywords[x.src[pos:x.at]] {
		k = keyword
	}
	x.emit(k, pos, x.at)
}

func (x *lexer) number() {
	pos := x.at
	hex := x.src[x.at] == '0' && (x.peek(1) == 'x' || x.peek(1) == 'X')
	for x.at < len(x.src) {
		c := x.src[x.at]
		exponent := !hex && (c == '+' || c == '-') && x.at > pos && (x.src[x.at-1] == 'e' || x.src[x.at-1] == 'E')
		if c == '.' && x.peek(1) == '.' || !exponent && c != '.' && !isDigit(c) && !isWord(c) {
			break
		}
		x.at++
	}
	x.emit(number, pos, x.at)
}

// quoted reads a string in quotes, up to the end of the line if it is not finished.
func (x *lexer) quoted(quote byte) {
	pos, line, start, fresh, indent := x.at, x.line, x.start, x.fresh, x.indent
	x.at++
	for x.at < len(x.src) && x.src[x.at] != quote {
		c := x.src[x.at]
		if c == '\n' || c == '\r' {
			break
		}
		if c == '\\' {
			x.escape()
			continue
		}
		x.at++
	}
	done := x.at < len(x.src) && x.src[x.at] == quote
	end := x.at
	if done {
		x.at++
		end = x.at
	}
	t := token{kind: text, text: x.src[pos:end], pos: pos, end: end, line: line, col: pos - start + 1, first: fresh, indent: indent}
	x.tokens = append(x.tokens, t)
	x.fresh = false
	if !done {
		d := diagnosis{at: t, habit: "string", message: "this string is never finished: " + string(quote) + " is missing", label: "begins here"}
		d.hints = []string{"a string in quotes ends on its line; longer texts stand in [[ and ]]"}
		d.width = 1
		x.report(d)
	}
}

// escape steps over \ and what it escapes; the engine drops the backslash of those it does not know, silently.
func (x *lexer) escape() {
	c := x.peek(1)
	at := token{pos: x.at, end: x.at + 2, line: x.line, col: x.at - x.start + 1, text: `\` + string(c)}
	x.at = min(x.at+2, len(x.src))
	switch c {
	case '\n', '\r':
		x.at--
		x.newline()
		x.fresh = false
	case 'x':
		x.report(diagnosis{at: at, habit: `\x`, silent: true, message: `there is no escape \x in this Lua`, hints: []string{`write the byte in decimal: \065 for \x41`}})
	case 'u':
		if x.peek(0) == '{' {
			x.report(diagnosis{at: at, habit: `\u`, silent: true, message: `there is no escape \u{...} in this Lua`,
				hints: []string{"write the character itself: the file is UTF-8"}})
		}
	case 'z':
		x.report(diagnosis{at: at, habit: `\z`, silent: true, message: `there is no escape \z in this Lua`, hints: []string{"join shorter strings with .."}})
	}
}

func (x *lexer) backquoted() {
	pos := x.at
	end := strings.IndexByte(x.src[pos+1:], '`')
	if end < 0 || strings.ContainsAny(x.src[pos+1:pos+1+end], "\n\r") {
		end = strings.IndexAny(x.src[pos+1:]+"\n", "\n\r") - 1
	}
	x.at = pos + end + 2
	x.emit(text, pos, x.at)
	x.report(diagnosis{at: x.tokens[len(x.tokens)-1], habit: "`", message: "backquotes do not make a string in Lua",
		hints: []string{"write 'text', or [[text]] over several lines; put values in with ..  or  ('%s is %d'):format(a, b)"}})
}

func (x *lexer) comment() {
	x.at += 2
	if x.peek(0) == '[' && (x.peek(1) == '[' || x.peek(1) == '=') && x.longLevel() >= 0 {
		x.long("comment")
		return
	}
	x.skipLine()
}

// longLevel is the number of = in the long bracket at hand, or -1 if it is none.
func (x *lexer) longLevel() int {
	i := x.at + 1
	for i < len(x.src) && x.src[i] == '=' {
		i++
	}
	if i < len(x.src) && x.src[i] == '[' {
		return i - x.at - 1
	}
	return -1
}

// long reads a [[string]] or, without a token, a comment.
func (x *lexer) long(what string) {
	level := x.longLevel()
	if level < 0 {
		x.operator()
		return
	}
	t := token{kind: text, pos: x.at, line: x.line, col: x.at - x.start + 1, first: x.fresh, indent: x.indent}
	closer := "]" + strings.Repeat("=", level) + "]"
	n := strings.Index(x.src[x.at:], closer)
	end := len(x.src)
	if n >= 0 {
		end = x.at + n + len(closer)
	}
	fresh := x.fresh
	for x.at < end {
		if c := x.src[x.at]; c == '\n' || c == '\r' {
			x.newline()
		} else {
			x.at++
		}
	}
	x.at = max(x.at, end)
	t.end, t.text = end, x.src[t.pos:end]
	if n < 0 {
		x.report(diagnosis{at: t, habit: "string", width: level + 2, label: "begins here", message: "this " + what + " is never finished: " + closer + " is missing"})
	}
	x.fresh = fresh && what == "comment"
	if what == "string" {
		x.tokens = append(x.tokens, t)
	}
}

func (x *lexer) blockComment() {
	t := token{pos: x.at, end: x.at + 2, line: x.line, col: x.at - x.start + 1, text: "/*"}
	n := strings.Index(x.src[x.at:], "*/")
	end := len(x.src)
	if n >= 0 {
		end = x.at + n + 2
	}
	for x.at < end {
		if c := x.src[x.at]; c == '\n' || c == '\r' {
			x.newline()
		} else {
			x.at++
		}
	}
	x.report(diagnosis{at: t, habit: "comment", message: "/* */ is not a comment in Lua", hints: []string{"write  -- to the end of the line, or  --[[ over several lines ]]"}})
}

// slashComment tells whether // at hand begins a comment, and skips it. Between two operands it may be meant as a division.
func (x *lexer) slashComment() bool {
	rest := x.src[x.at+2:]
	if i := strings.IndexAny(rest, "\n\r"); i >= 0 {
		rest = rest[:i]
	}
	if !x.fresh && !looksLikeProse(rest) {
		return false
	}
	t := token{pos: x.at, end: x.at + 2, line: x.line, col: x.at - x.start + 1, text: "//"}
	x.report(diagnosis{at: t, habit: "comment", message: "// is not a comment in Lua", hints: []string{"write  -- text"}})
	x.skipLine()
	return true
}

// looksLikeProse tells whether two words stand side by side, as in no expression.
func looksLikeProse(s string) bool {
	words := strings.Fields(s)
	for i := 1; i < len(words); i++ {
		a, b := words[i-1], words[i]
		if isWord(a[len(a)-1]) && isWord(b[0]) && !keywords[a] && !keywords[b] {
			return true
		}
	}
	return len(words) == 0
}

// hashComment tells whether # begins a comment, and skips it: first on its line, where no length can stand.
func (x *lexer) hashComment() bool {
	if !x.fresh || x.peek(1) != ' ' && x.peek(1) != '#' && x.peek(1) != '!' {
		return false
	}
	if n := len(x.tokens); n > 0 {
		switch x.tokens[n-1].text {
		case "=", "(", ",", "{", "[", "..", "+", "-", "*", "/", "and", "or", "not", "return", "==", "~=", "<", ">", "<=", ">=":
			return false
		}
	}
	t := token{pos: x.at, end: x.at + 1, line: x.line, col: x.at - x.start + 1, text: "#"}
	x.report(diagnosis{at: t, habit: "comment", message: "# is not a comment in Lua", hints: []string{"write  -- text"}})
	x.skipLine()
	return true
}

func (x *lexer) operator() {
	pos := x.at
	for _, o := range operators {
		if strings.HasPrefix(x.src[pos:], o.text) {
			x.at += len(o.text)
			k := operator
			if o.foreign {
				k = foreign
			}
			x.emit(k, pos, x.at)
			return
		}
	}
	x.at++
	for x.at < len(x.src) && x.src[x.at] >= 0x80 {
		x.at++
	}
	x.emit(foreign, pos, x.at)
}
