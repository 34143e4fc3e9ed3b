package edit

import (
	"strings"

	"github.com/rivo/uniseg"
)

// Span is a part of an input, from one byte to another, that is drawn in a style: an escape sequence.
type Span struct {
	From, To int
	Style    string
}

// picture is a text as it stands on the screen: rows of at most so many columns, and where the cursor is.
type picture struct {
	rows     []string
	widths   []int // of the rows
	row, col int
}

// drawer lays out a text.
type drawer struct {
	columns int
	picture
	line  strings.Builder
	used  int
	style string // in force
}

// lay lays out a text with a prompt before its first line and another before the others, and its parts in styles. ghost is drawn behind it in the
// style given.
func lay(prompt, more string, t text, spans []Span, ghost, style string, columns int) picture {
	d := &drawer{columns: max(columns, 2)}
	d.put(prompt, "")
	rest, at := t.s, 0
	for rest != "" {
		if at == t.at {
			d.mark()
		}
		for len(spans) > 0 && spans[0].To <= at {
			spans = spans[1:]
		}
		look := ""
		if len(spans) > 0 && spans[0].From <= at {
			look = spans[0].Style
		}
		c, after, w, _ := uniseg.FirstGraphemeClusterInString(rest, -1)
		rest = after
		at += len(c)
		if strings.HasSuffix(c, "\n") {
			d.end()
			d.put(more, "")
			continue
		}
		c, w = shown(c, w)
		d.cell(c, w, look)
	}
	if at == t.at {
		d.mark()
	}
	for first, line := true, ""; ghost != ""; first = false {
		line, ghost, _ = strings.Cut(ghost, "\n")
		if !first {
			d.end()
			d.put(more, "")
		}
		d.put(line, style)
	}
	d.end()
	return d.picture
}

// put writes a text in one line.
func (d *drawer) put(s, style string) {
	for s != "" {
		var c string
		var w int
		c, s, w, _ = uniseg.FirstGraphemeClusterInString(s, -1)
		c, w = shown(c, w)
		d.cell(c, w, style)
	}
}

// cell writes one character, in the next row if there is no room for it.
func (d *drawer) cell(c string, w int, style string) {
	if d.used+w > d.columns {
		d.end()
	}
	d.change(style)
	d.line.WriteString(c)
	d.used += w
}

// change puts another style in force.
func (d *drawer) change(style string) {
	if style == d.style {
		return
	}
	if d.style != "" {
		d.line.WriteString(plain)
	}
	d.line.WriteString(style)
	d.style = style
}

// end ends a row. Each is drawn by itself, so its style ends as well.
func (d *drawer) end() {
	d.change("")
	d.rows, d.widths = append(d.rows, d.line.String()), append(d.widths, d.used)
	d.line.Reset()
	d.used = 0
}

// mark notes that the cursor is here. It cannot stand behind the last column.
func (d *drawer) mark() {
	if d.used >= d.columns {
		d.end()
	}
	d.row, d.col = len(d.rows), d.used
}

// cutTo cuts a text to so many columns.
func cutTo(s string, columns int) string {
	if width(s) <= columns {
		return s
	}
	var b strings.Builder
	used := 0
	for s != "" {
		c, after, w, _ := uniseg.FirstGraphemeClusterInString(s, -1)
		s = after
		c, w = shown(c, w)
		if used+w > columns-1 {
			break
		}
		b.WriteString(c)
		used += w
	}
	return b.String() + "…"
}
