package fault

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// RenderConfig says how Render draws. The zero value is plain text, short traceback, files read from disk.
type RenderConfig struct {
	Color     bool
	Traceback string // "short" (default), "full", "none"
	Source    func(file string) (string, bool)
	Secrets   *Secrets // what is not shown
}

// Render draws err (an *Error, a List, or any other error) as excerpts with carets, hints and traceback, ending in a newline.
func Render(w io.Writer, err error, cfg RenderConfig) {
	if err == nil {
		return
	}
	if cfg.Source == nil {
		cfg.Source = readSource
	}
	d := &drawing{cfg: cfg, lines: map[string][]string{}}
	var list List
	var one *Error
	switch {
	case errors.As(err, &list) && len(list) > 0:
		for i, e := range list {
			if i > 0 {
				d.line("")
			}
			d.error(e, e.Message)
		}
	case errors.As(err, &one):
		d.error(one, strings.Replace(err.Error(), one.Error(), one.Message, 1))
	default:
		d.header(err.Error())
	}
	_, _ = io.WriteString(w, cfg.Secrets.Redact(d.out.String()))
}

func readSource(file string) (string, bool) {
	b, err := os.ReadFile(file)
	return string(b), err == nil
}

// drawing collects the text of one Render.
type drawing struct {
	cfg    RenderConfig
	out    strings.Builder
	lines  map[string][]string // of the files read so far
	gutter int                 // width of the line numbers
}

const (
	red   = "\x1b[1;31m"
	blue  = "\x1b[34m"
	cyan  = "\x1b[36m"
	bold  = "\x1b[1m"
	plain = "\x1b[0m"
)

func (d *drawing) paint(color, text string) string {
	if !d.cfg.Color || text == "" {
		return text
	}
	return color + text + plain
}

func (d *drawing) line(text string) {
	d.out.WriteString(strings.TrimRight(text, " "))
	d.out.WriteByte('\n')
}

func (d *drawing) header(message string) {
	first, rest, _ := strings.Cut(strings.TrimRight(message, "\r\n"), "\n")
	d.line(d.paint(red, "error") + d.paint(bold, ": "+printable(first)))
	for l := range strings.SplitSeq(rest, "\n") {
		if rest != "" {
			d.line("  " + printable(strings.TrimRight(l, "\r")))
		}
	}
}

func (d *drawing) error(e *Error, message string) {
	d.header(message)
	drawn := d.excerpts(e)
	if drawn && len(e.Notes)+len(e.Hints) > 0 {
		d.line(d.bar(""))
	}
	d.notes(e)
	d.trace(e)
}

// bar is the left margin of an excerpt, with a line number or without.
func (d *drawing) bar(number string) string {
	return d.paint(blue, fmt.Sprintf("%*s |", d.gutter, number))
}

// excerpts draws the place of e and its further marks, those in the same file close by in one piece. It tells whether source was shown.
func (d *drawing) excerpts(e *Error) bool {
	main := Mark{Place: e.Place, Label: e.Label}
	d.gutter = 2
	for _, m := range append([]Mark{main}, e.Marks...) {
		d.gutter = max(d.gutter, len(fmt.Sprint(m.Line)))
	}
	near, far := []Mark{main}, []Mark(nil)
	for _, m := range e.Marks {
		if m.File == e.Place.File || m.File == "" {
			near = append(near, m)
		} else {
			far = append(far, m)
		}
	}
	drawn := d.excerpt(e.Place, near)
	for _, m := range far {
		drawn = d.excerpt(m.Place, []Mark{m}) || drawn
	}
	return drawn
}

func (d *drawing) excerpt(at Place, marks []Mark) bool {
	if at.File == "" {
		return false
	}
	d.line(d.paint(blue, strings.Repeat(" ", d.gutter)+"--> ") + printable(at.String()))
	lines := d.source(at.File)
	if at.Line < 1 || at.Line > len(lines) {
		return false
	}
	d.line(d.bar(""))
	shown := 0
	for _, n := range shownLines(marks, len(lines)) {
		if shown > 0 && n > shown+1 {
			d.line(d.paint(blue, "..."))
		}
		shown = n
		d.sourceLine(n, lines[n-1], marks)
	}
	return true
}

// shownLines are the numbers of the lines to draw: the marked ones, one before a lone mark, and what lies between two that are close.
func shownLines(marks []Mark, last int) []int {
	const close = 4
	want := map[int]bool{}
	lo, hi := marks[0].Line, marks[0].Line
	for _, m := range marks {
		if m.Line >= 1 && m.Line <= last {
			want[m.Line] = true
			lo, hi = min(lo, m.Line), max(hi, m.Line)
		}
	}
	if lo == hi && lo > 1 {
		want[lo-1] = true
		lo--
	}
	var out []int
	previous := 0
	for n := lo; n <= hi; n++ {
		if !want[n] {
			continue
		}
		if previous > 0 && n-previous <= close {
			for between := previous + 1; between < n; between++ {
				out = append(out, between)
			}
		}
		out = append(out, n)
		previous = n
	}
	return out
}

func (d *drawing) sourceLine(n int, text string, marks []Mark) {
	focus := 0
	for _, m := range marks {
		if m.Line == n && m.Column > 0 {
			focus = m.Column
			break
		}
	}
	view := newView(text, focus)
	d.line(d.bar(fmt.Sprint(n)) + " " + view.text)
	for _, m := range marks {
		if m.Line != n {
			continue
		}
		label := printable(m.Label)
		if m.Column == 0 || m.Column > len(text)+1 {
			if label != "" {
				d.line(d.bar("") + " " + d.paint(red, strings.Repeat(" ", view.indent)+label))
			}
			continue
		}
		from, to := view.span(m.Column, m.EndColumn)
		carets := strings.Repeat("^", to-from)
		if label != "" {
			carets += " " + label
		}
		d.line(d.bar("") + " " + strings.Repeat(" ", from) + d.paint(red, carets))
	}
}

func (d *drawing) notes(e *Error) {
	margin, width := strings.Repeat(" ", d.gutter+1), 0
	for _, n := range e.Notes {
		width = max(width, textWidth(n.Label))
	}
	for _, n := range e.Notes {
		pad := strings.Repeat(" ", width-textWidth(n.Label)+2)
		d.line(margin + d.paint(blue, printable(n.Label)) + pad + OneLine(n.Text))
	}
	for _, h := range e.Hints {
		d.line(margin + d.paint(cyan, "= hint: ") + OneLine(h))
	}
}

// trace draws the frames. The short form leaves out those of the runtime, and all of them if there is only what the excerpt says.
func (d *drawing) trace(e *Error) {
	trace := e.Trace
	if len(trace) == 0 || d.cfg.Traceback == "none" {
		return
	}
	shown, hidden := trace, 0
	if d.cfg.Traceback != "full" {
		shown = nil
		for _, f := range trace {
			if f.hidden() {
				hidden++
			} else {
				shown = append(shown, f)
			}
		}
		if len(shown) == 0 || len(shown) == 1 && strings.HasSuffix(shown[0].What, "main chunk") {
			return
		}
	}
	d.line("")
	for _, l := range traceLines(shown) {
		d.line("  " + l)
	}
	if hidden > 0 {
		d.line("")
		d.line(fmt.Sprintf("  %d %s of the runtime hidden (--traceback=full)", hidden, plural(hidden, "frame", "frames")))
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func (d *drawing) source(file string) []string {
	lines, ok := d.lines[file]
	if !ok {
		if text, found := d.cfg.Source(file); found {
			lines = splitLines(text)
		}
		d.lines[file] = lines
	}
	return lines
}

// splitLines cuts a source text into lines as the engine counts them: \n, \r, \r\n and \n\r each end one.
func splitLines(text string) []string {
	text = strings.TrimPrefix(text, "\uFEFF")
	var lines []string
	start := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '\n' && c != '\r' {
			continue
		}
		lines = append(lines, text[start:i])
		if i+1 < len(text) && (text[i+1] == '\n' || text[i+1] == '\r') && text[i+1] != c {
			i++
		}
		start = i + 1
	}
	return append(lines, text[start:])
}
