package edit

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// text is what is being edited, and the cursor in it, a byte offset that stands between two characters as a person sees them.
type text struct {
	s  string
	at int
}

// insert puts s in at the cursor.
func (t *text) insert(s string) {
	t.s = t.s[:t.at] + s + t.s[t.at:]
	t.at += len(s)
}

// cut takes the bytes from one offset to another out and leaves the cursor there.
func (t *text) cut(from, to int) string {
	gone := t.s[from:to]
	t.s, t.at = t.s[:from]+t.s[to:], from
	return gone
}

// next gives the offset after the character at offset i.
func (t *text) next(i int) int {
	if i >= len(t.s) {
		return i
	}
	c, _, _, _ := uniseg.FirstGraphemeClusterInString(t.s[i:], -1)
	return i + len(c)
}

// before gives the offset of the character before offset i.
func (t *text) before(i int) int {
	if i == 0 {
		return 0
	}
	if t.s[i-1] == '\n' {
		return i - 1
	}
	at := t.lineStart(i)
	for {
		next := t.next(at)
		if next >= i {
			return at
		}
		at = next
	}
}

func (t *text) lineStart(i int) int { return strings.LastIndexByte(t.s[:i], '\n') + 1 }

func (t *text) lineEnd(i int) int {
	if n := strings.IndexByte(t.s[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(t.s)
}

func isWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// wordStart gives the start of the word before offset i.
func (t *text) wordStart(i int) int {
	i = backWhile(t.s, i, func(r rune) bool { return !isWord(r) })
	return backWhile(t.s, i, isWord)
}

// wordEnd gives the end of the word after offset i.
func (t *text) wordEnd(i int) int {
	i = onWhile(t.s, i, func(r rune) bool { return !isWord(r) })
	return onWhile(t.s, i, isWord)
}

// blankStart gives the start of what stands before offset i without blanks.
func (t *text) blankStart(i int) int {
	i = backWhile(t.s, i, unicode.IsSpace)
	return backWhile(t.s, i, func(r rune) bool { return !unicode.IsSpace(r) })
}

func backWhile(s string, i int, is func(rune) bool) int {
	for i > 0 {
		r, size := utf8.DecodeLastRuneInString(s[:i])
		if !is(r) {
			break
		}
		i -= size
	}
	return i
}

func onWhile(s string, i int, is func(rune) bool) int {
	for i < len(s) {
		r, size := utf8.DecodeRuneInString(s[i:])
		if !is(r) {
			break
		}
		i += size
	}
	return i
}

// column gives how far the cursor is from the start of its line, in columns of the screen.
func (t *text) column() int { return width(t.s[t.lineStart(t.at):t.at]) }

// toColumn gives the offset of a column in the line that offset i is in.
func (t *text) toColumn(i, column int) int {
	at, end := t.lineStart(i), t.lineEnd(i)
	for at < end && column > 0 {
		next := t.next(at)
		column -= width(t.s[at:next])
		at = next
	}
	return at
}

// up moves the cursor to the line above; false: there is none.
func (t *text) up() bool {
	start := t.lineStart(t.at)
	if start == 0 {
		return false
	}
	t.at = t.toColumn(start-1, t.column())
	return true
}

// down moves the cursor to the line below; false: there is none.
func (t *text) down() bool {
	end := t.lineEnd(t.at)
	if end == len(t.s) {
		return false
	}
	t.at = t.toColumn(end+1, t.column())
	return true
}

// width is how many columns a text takes as it is shown.
func width(s string) int {
	n := 0
	for s != "" {
		var c string
		var w int
		c, s, w, _ = uniseg.FirstGraphemeClusterInString(s, -1)
		_, w = shown(c, w)
		n += w
	}
	return n
}

// tabWidth is how many columns a tab takes.
const tabWidth = 4

// shown gives how a character is drawn, and its width.
func shown(cluster string, w int) (string, int) {
	r, _ := utf8.DecodeRuneInString(cluster)
	switch {
	case r == '\t':
		return strings.Repeat(" ", tabWidth), tabWidth
	case r == '\n':
		return "", 0
	case r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == utf8.RuneError:
		return "·", 1
	case w == 0: // what belongs to a character that is not there
		return "·", 1
	}
	return cluster, w
}
