package fault

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	tabWidth  = 4
	viewWidth = 110 // columns of a source line that are shown
	viewLead  = 40  // of them before the caret, when the line is cut
)

// view is a source line as it is drawn: tabs expanded, nothing a terminal obeys, cut around the column of interest.
type view struct {
	text   string
	at     []int // by byte of the source line, and one for its end: the column it is drawn at, from 0
	indent int   // where the line's first visible character is drawn
	cols   int
}

// newView lays out a line; focus is the byte column (from 1) that must be visible, 0 for the start of the line.
func newView(line string, focus int) view {
	cells, at := layout(line)
	total := 0
	if len(at) > 0 {
		total = at[len(at)-1]
	}
	v := view{at: at}
	for v.indent < len(line) && (line[v.indent] == ' ' || line[v.indent] == '\t') {
		v.indent++
	}
	v.indent = at[v.indent]
	if total <= viewWidth {
		v.text, v.cols = strings.Join(cells, ""), total
		return v
	}
	v.cut(cells, total, at[min(max(focus-1, 0), len(line))])
	return v
}

// layout gives the drawn text of each byte of a line ("" inside a character) and the column where it is drawn.
func layout(line string) (cells []string, at []int) {
	cells, at = make([]string, len(line)), make([]int, len(line)+1)
	col := 0
	for i := 0; i < len(line); {
		r, size := utf8.DecodeRuneInString(line[i:])
		cell, width := string(r), runeWidth(r)
		switch {
		case r == '\t':
			width = tabWidth - col%tabWidth
			cell = strings.Repeat(" ", width)
		case isControl(r):
			cell, width = "·", 1
		}
		cells[i] = cell
		for j := range size {
			at[i+j] = col
		}
		col += width
		i += size
	}
	at[len(line)] = col
	return cells, at
}

// cut keeps the columns around focus and shifts at so that it fits the text that is left.
func (v *view) cut(cells []string, total, focus int) {
	from := max(0, min(focus-viewLead, total-viewWidth))
	to := from + viewWidth
	var b strings.Builder
	shift, next := from, from
	if from > 0 {
		b.WriteString("…")
		shift = from - 1
	}
	for i, cell := range cells {
		if cell != "" && v.at[i] >= from && v.at[i] < to {
			b.WriteString(strings.Repeat(" ", v.at[i]-next)) // half a wide character or tab was cut off
			next = v.at[i] + textWidth(cell)
			b.WriteString(cell)
		}
	}
	v.cols = to - shift
	if to < total {
		b.WriteString("…")
	}
	v.text = b.String()
	for i := range v.at {
		v.at[i] = min(max(v.at[i]-shift, 0), v.cols)
	}
	v.indent = max(v.indent-shift, 0)
}

// span gives where the bytes column to end (exclusive) are drawn; at least one column wide.
func (v view) span(column, end int) (from, to int) {
	last := len(v.at) - 1
	from = v.at[min(column-1, last)]
	to = from + 1
	if end > column {
		to = v.at[min(end-1, last)]
	}
	return from, max(to, from+1)
}

func textWidth(s string) int {
	w := 0
	for _, r := range s {
		w += runeWidth(r)
	}
	return w
}

// wide are the characters that take two columns: East Asian wide and full-width forms, and emoji.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, {Lo: 0x231a, Hi: 0x231b, Stride: 1}, {Lo: 0x23e9, Hi: 0x23ec, Stride: 1},
		{Lo: 0x2614, Hi: 0x2615, Stride: 1}, {Lo: 0x26a1, Hi: 0x26a1, Stride: 1}, {Lo: 0x2705, Hi: 0x2705, Stride: 1},
		{Lo: 0x274c, Hi: 0x274c, Stride: 1}, {Lo: 0x2e80, Hi: 0x303e, Stride: 1}, {Lo: 0x3041, Hi: 0x33ff, Stride: 1},
		{Lo: 0x3400, Hi: 0x4dbf, Stride: 1}, {Lo: 0x4e00, Hi: 0x9fff, Stride: 1}, {Lo: 0xa000, Hi: 0xa4cf, Stride: 1},
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1}, {Lo: 0xf900, Hi: 0xfaff, Stride: 1}, {Lo: 0xfe30, Hi: 0xfe6f, Stride: 1},
		{Lo: 0xff00, Hi: 0xff60, Stride: 1}, {Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x1f300, Hi: 0x1f64f, Stride: 1}, {Lo: 0x1f680, Hi: 0x1f6ff, Stride: 1}, {Lo: 0x1f900, Hi: 0x1f9ff, Stride: 1},
		{Lo: 0x20000, Hi: 0x3fffd, Stride: 1},
	},
}

func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// Width is how many columns of a terminal a line of text takes.
func Width(s string) int { return textWidth(s) }

// Fold breaks a text at blanks into lines of at most so many columns, 10 at least, but not in a word; one blank is as good as several.
func Fold(text string, columns int) []string {
	columns = max(columns, 10)
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && Width(line)+1+Width(word) > columns {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
