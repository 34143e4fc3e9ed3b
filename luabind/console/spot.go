package console

import (
	"strings"
)

// spot is what is being typed at the end of a text.
type spot struct {
	word   string // the name, or what is in the string so far
	path   []step // the value whose field or method it is; nil: it stands alone
	sep    byte   // between path and word: '.', ':', or '[' in a string
	quote  byte   // of the string it is in; 0: none
	frames []frame
	locals []string // names that the text itself declares
	silent bool     // in a comment or a number: there is nothing to offer
}

// frame is a bracket that is open.
type frame struct {
	open   byte
	callee []step   // of a call: what is called; nil: it is none
	arg    int      // which argument, or item, from 0
	key    string   // of a table: the name whose value is being typed
	atKey  bool     // of a table: a name could stand here
	given  []string // of a table: the names it has
}

// scanner goes through a text.
type scanner struct {
	text string
	pos  int
	spot spot
}

// lookAt finds out what is being typed at the end of text.
func lookAt(text string) spot {
	s := &scanner{text: text}
	for s.pos < len(text) {
		s.token()
	}
	if s.spot.quote != 0 || s.spot.silent {
		return s.spot
	}
	s.spot.locals = declaredIn(text)
	start := len(text)
	for start > 0 && isNameByte(text[start-1]) {
		start--
	}
	s.spot.word = text[start:]
	if s.spot.word != "" && s.spot.word[0] >= '0' && s.spot.word[0] <= '9' {
		s.spot.silent = true
	}
	if start == 0 {
		return s.spot
	}
	switch sep := text[start-1]; {
	case sep == '.' && strings.HasSuffix(text[:start], ".."), sep == ':' && strings.HasSuffix(text[:start], "::"):
	case sep == '.' || sep == ':':
		s.spot.sep = sep
		s.spot.path, s.spot.silent = pathBefore(text[:start-1])
	}
	return s.spot
}

func isNameByte(c byte) bool {
	return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
}

// token goes over one token.
func (s *scanner) token() {
	rest := s.text[s.pos:]
	switch c := rest[0]; {
	case strings.HasPrefix(rest, "--"):
		s.comment(rest)
	case c == '[' && longBracket(rest) >= 0:
		s.long(rest)
	case c == '"' || c == '\'':
		s.quoted(c)
	case strings.IndexByte("({[", c) >= 0:
		s.open(c)
	case strings.IndexByte(")}]", c) >= 0:
		if n := len(s.spot.frames); n > 0 {
			s.spot.frames = s.spot.frames[:n-1]
		}
		s.pos++
	default:
		s.plain(c)
	}
}

func (s *scanner) comment(rest string) {
	if longBracket(rest[2:]) >= 0 {
		s.pos += 2
		s.long(rest[2:])
		return
	}
	end := strings.IndexByte(rest, '\n')
	if end < 0 {
		s.spot.silent = true
		end = len(rest)
	}
	s.pos += end
}

// longBracket gives the level of the [[ or [=[ at the start of a text; -1: there is none.
func longBracket(text string) int {
	if !strings.HasPrefix(text, "[") {
		return -1
	}
	level := 0
	for level+1 < len(text) && text[level+1] == '=' {
		level++
	}
	if level+1 < len(text) && text[level+1] == '[' {
		return level
	}
	return -1
}

func (s *scanner) long(rest string) {
	closing := "]" + strings.Repeat("=", longBracket(rest)) + "]"
	end := strings.Index(rest, closing)
	if end < 0 {
		s.spot.silent = true
		s.pos = len(s.text)
		return
	}
	s.pos += end + len(closing)
}

func (s *scanner) quoted(quote byte) {
	start := s.pos
	for i := start + 1; i < len(s.text); i++ {
		switch s.text[i] {
		case '\\':
			i++
		case quote:
			s.pos = i + 1
			return
		}
	}
	s.pos = len(s.text)
	s.spot.quote, s.spot.word = quote, s.text[start+1:]
	if n := len(s.spot.frames); n > 0 && s.spot.frames[n-1].open == '[' {
		s.spot.path, s.spot.sep = s.spot.frames[n-1].callee, '['
	}
}

// open notes a bracket, and what stands before it.
func (s *scanner) open(c byte) {
	f := frame{open: c, atKey: c == '{'}
	before := strings.TrimRight(s.text[:s.pos], " \t\r\n")
	f.callee, _ = pathBefore(before)
	if len(f.callee) == 1 && isKeyword(f.callee[0].name) {
		f.callee = nil
	}
	s.spot.frames = append(s.spot.frames, f)
	s.pos++
}

func (s *scanner) plain(c byte) {
	n := len(s.spot.frames)
	switch {
	case isNameByte(c):
		start := s.pos
		for s.pos < len(s.text) && isNameByte(s.text[s.pos]) {
			s.pos++
		}
		if n > 0 && s.spot.frames[n-1].atKey && s.pos < len(s.text) {
			s.key(&s.spot.frames[n-1], s.text[start:s.pos])
		}
		return
	case n > 0 && (c == ',' || c == ';'):
		f := &s.spot.frames[n-1]
		f.arg, f.key, f.atKey = f.arg+1, "", f.open == '{'
	case n > 0 && c > ' ':
		s.spot.frames[n-1].atKey = false
	}
	s.pos++
}

// key notes the name of a table's field, if what follows it is an =.
func (s *scanner) key(f *frame, name string) {
	rest := strings.TrimLeft(s.text[s.pos:], " \t\r\n")
	if rest == "" {
		return
	}
	if f.atKey = false; strings.HasPrefix(rest, "=") && !strings.HasPrefix(rest, "==") {
		f.key, f.given = name, append(f.given, name)
	}
}

// pathBefore gives the path at the end of a text. unknown: there is a value, but it is not named by a path.
func pathBefore(text string) (steps []step, unknown bool) {
	start := len(text)
	for start > 0 {
		switch c := text[start-1]; {
		case isNameByte(c):
			start--
			continue
		case (c == '.' || c == ':') && !strings.HasSuffix(text[:start], string(c)+string(c)):
			start--
			continue
		case c == ']':
			if open := openingKey(text[:start]); open >= 0 {
				start = open
				continue
			}
		}
		break
	}
	steps, ok := pathOf(text[start:])
	if !ok {
		return nil, true
	}
	return steps, false
}

// openingKey gives where the ["name"] begins that a text ends with; -1: it ends with none.
func openingKey(text string) int {
	if len(text) < 4 {
		return -1
	}
	quote := text[len(text)-2]
	if quote != '"' && quote != '\'' {
		return -1
	}
	return strings.LastIndex(text[:len(text)-2], "["+string(quote))
}

// declaredIn gives the names that a text declares: locals, parameters, loop variables. It does not look at where they are known.
func declaredIn(text string) []string {
	var names []string
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' || r == ';' })
	for i, w := range words {
		switch {
		case (w == "local" || w == "for") && i+1 < len(words):
			for _, name := range words[i+1:] {
				if w == "local" && name == "function" {
					continue
				}
				first, _ := leadingName(name)
				if first == "" || isKeyword(first) {
					break
				}
				names = append(names, splitNames(name)...)
				if !strings.HasSuffix(name, ",") {
					break
				}
			}
		}
	}
	for rest := text; ; {
		i := strings.Index(rest, "function")
		if i < 0 {
			return names
		}
		rest = rest[i+len("function"):]
		open, end := strings.IndexByte(rest, '('), strings.IndexByte(rest, ')')
		if open >= 0 && end > open {
			names = append(names, splitNames(rest[open+1:end])...)
		}
	}
}

func splitNames(text string) []string {
	var names []string
	for part := range strings.SplitSeq(text, ",") {
		if name, _ := leadingName(strings.TrimSpace(part)); name != "" {
			names = append(names, name)
		}
	}
	return names
}

var keywords = strings.Fields("and break do else elseif end false for function goto if in local nil not or repeat return then true until while")

func isKeyword(name string) bool {
	for _, k := range keywords {
		if k == name {
			return true
		}
	}
	return false
}
