package repl

import (
	"regexp"
	"slices"
	"strings"

	"faust/cmd/faust/cli/repl/edit"
)

// The styles of inputs.
const (
	ofKeyword = "\x1b[35m"
	ofString  = "\x1b[32m"
	ofNumber  = "\x1b[36m"
	ofComment = "\x1b[90m"
	ofMatch   = "\x1b[1;4m"
)

var (
	tokens = regexp.MustCompile(`--\[=*\[|--[^\n]*|\[=*\[|"(?:\\[\s\S]|[^"\\\n])*"?|'(?:\\[\s\S]|[^'\\\n])*'?|[A-Za-z_]\w*|` +
		`0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?|[(){}\[\]]`)
	keywords = strings.Fields("and break do else elseif end false for function goto if in local nil not or repeat return then true until while")
	openers  = map[string]bool{"do": true, "then": true, "function": true, "repeat": true, "(": true, "{": true, "[": true}
	closers  = map[string]string{"end": "", "until": "repeat", ")": "(", "}": "{", "]": "["}
)

// token is a word or bracket that opens or closes something.
type token struct {
	from, to int
	text     string
}

// styles gives the styles of a piece of Lua: keywords, strings, numbers, comments, and what opens or closes the part whose end the cursor is at.
func styles(input string, at int) []edit.Span {
	var spans []edit.Span
	var open []token
	var pairs [][2]token
	command := strings.HasPrefix(input, ":")
	for pos := 0; pos < len(input); {
		m := tokens.FindStringIndex(input[pos:])
		if m == nil {
			break
		}
		t := token{pos + m[0], pos + m[1], input[pos+m[0] : pos+m[1]]}
		t.to = longEnd(input, t)
		pos = t.to
		if style := styleOf(t.text, command && t.from == 1); style != "" {
			spans = append(spans, edit.Span{From: t.from, To: t.to, Style: style})
		}
		n := len(open)
		switch want, closes := closers[t.text]; {
		case t.text == "elseif" && n > 0 && open[n-1].text == "then":
			open = open[:n-1] // its own then goes on
		case openers[t.text]:
			open = append(open, t)
		case closes && n > 0:
			if last := open[n-1]; last.text == want || want == "" && len(last.text) > 1 && last.text != "repeat" {
				pairs = append(pairs, [2]token{last, t})
			}
			open = open[:n-1]
		}
	}
	for _, pair := range pairs {
		if pair[1].to == at || pair[0].to == at && len(pair[0].text) == 1 {
			for _, t := range pair {
				spans = slices.DeleteFunc(spans, func(s edit.Span) bool { return s.From == t.from })
				spans = append(spans, edit.Span{From: t.from, To: t.to, Style: ofMatch})
			}
		}
	}
	slices.SortFunc(spans, func(a, b edit.Span) int { return a.From - b.From })
	return spans
}

// longEnd gives the end of a token: that of a long string or comment is where its bracket is closed.
func longEnd(input string, t token) int {
	bracket := strings.TrimPrefix(t.text, "--")
	if len(bracket) < 2 || bracket[0] != '[' || bracket[len(bracket)-1] != '[' {
		return t.to
	}
	closing := strings.ReplaceAll(bracket, "[", "]")
	if i := strings.Index(input[t.to:], closing); i >= 0 {
		return t.to + i + len(closing)
	}
	return len(input)
}

func styleOf(text string, command bool) string {
	switch c := text[0]; {
	case command, slices.Contains(keywords, text):
		return ofKeyword
	case strings.HasPrefix(text, "--"):
		return ofComment
	case c == '"' || c == '\'' || c == '[' && len(text) > 1:
		return ofString
	case c >= '0' && c <= '9':
		return ofNumber
	}
	return ""
}
