package docs

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// Escape sequences of a terminal.
const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	cyan  = "\x1b[36m"
	reset = "\x1b[0m"
)

var (
	codeSpan = regexp.MustCompile("`([^`]+)`")
	linkSpan = regexp.MustCompile(`\[([^\]]+)\]\(([^)\s]+)\)`)
	boldSpan = regexp.MustCompile(`\*\*([^*]+)\*\*`)
	emSpan   = regexp.MustCompile(`(^|[\s(])[*_]([^*_\s][^*_]*)[*_]`)
)

// inline gives a text without Markdown's marks, with colours if wanted. What stands between backticks is left as it is.
func inline(text string, color bool) string {
	paint := func(code, s string) string {
		if !color {
			return s
		}
		return code + s + reset
	}
	var out strings.Builder
	for {
		m := codeSpan.FindStringSubmatchIndex(text)
		plainEnd := len(text)
		if m != nil {
			plainEnd = m[0]
		}
		piece := linkSpan.ReplaceAllStringFunc(text[:plainEnd], func(s string) string {
			l := linkSpan.FindStringSubmatch(s)
			return link(l[1], l[2])
		})
		piece = boldSpan.ReplaceAllStringFunc(piece, func(s string) string { return paint(bold, s[2:len(s)-2]) })
		out.WriteString(emSpan.ReplaceAllString(piece, "$1$2"))
		if m == nil {
			return out.String()
		}
		out.WriteString(paint(cyan, text[m[2]:m[3]]))
		text = text[m[1]:]
	}
}

// link says where a link leads: to another page, or to an address.
func link(text, target string) string {
	if name, isPage := strings.CutSuffix(target, ".md"); isPage && !strings.Contains(name, "/") {
		return text + " (faust help " + name + ")"
	}
	if strings.Contains(target, "://") && text != target {
		return text + " (" + target + ")"
	}
	return text
}

// plain gives a text without Markdown's marks.
func plain(text string) string { return inline(text, false) }

var escape = regexp.MustCompile("\x1b\\[[0-9;]*m")

// columns is how wide a text is.
func columns(text string) int { return utf8.RuneCountInString(escape.ReplaceAllString(text, "")) }

// wrap breaks a text at spaces into lines of at most room columns; a word that is longer has a line of its own.
func wrap(text string, room int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case columns(line)+1+columns(word) > room:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
