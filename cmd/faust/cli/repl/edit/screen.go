package edit

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

const (
	grey    = "\x1b[90m"
	inverse = "\x1b[7m"
	plain   = "\x1b[0m"
)

// screen is what was drawn last.
type screen struct {
	row   int    // of the cursor, counted from the first row that was drawn
	frame string // from the first row on; "": nothing is on the screen
	rows  []int  // how wide those of the input are
	col   int
	width int  // of the screen then
	last  bool // what is drawn now stays
}

// top gives what moves the cursor to the first row that was drawn, on a screen of so many columns, and clears from there.
func (s *screen) top(columns int) string {
	up := s.row
	if s.width != columns && s.frame != "" { // the terminal has folded the rows anew
		up = s.col / columns
		for _, w := range s.rows[:s.row] {
			up += max(1, (w+columns-1)/columns)
		}
	}
	if up > 0 {
		return fmt.Sprintf("\x1b[%dA\r\x1b[J", up)
	}
	return "\r\x1b[J"
}

// Above writes above the input while one is being edited, and as it comes otherwise: for logs. It may be used by any goroutine.
type Above struct {
	w      io.Writer
	mu     sync.Mutex
	editor *Editor // that reads
}

// NewAbove makes a writer for a terminal that w writes to.
func NewAbove(w io.Writer) *Above { return &Above{w: w} }

// Write implements io.Writer.
func (a *Above) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.editor == nil {
		return a.w.Write(p)
	}
	s := &a.editor.screen
	columns, _ := a.editor.Terminal.Size()
	text := strings.ReplaceAll(string(p), "\n", "\r\n")
	if !strings.HasSuffix(text, "\n") {
		text += "\r\n"
	}
	a.editor.write(s.top(columns) + text + s.frame)
	return len(p), nil
}

// use has the writer write above what e reads; nil: nothing is read any more.
func (a *Above) use(e *Editor) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.editor = e
}

// draw draws the input, with what belongs below it.
func (e *Editor) draw() {
	columns, height := e.Terminal.Size()
	prompt := e.Prompt
	if s := e.search; s != nil {
		state := "search"
		if s.missed {
			state = "not found"
		}
		prompt = fmt.Sprintf("(%s '%s') ", state, cutTo(s.what, max(3, columns/2-len(state))))
	}
	var spans []Span
	if e.Color && e.Style != nil {
		spans = e.Style(e.s, e.cursor())
	}
	p := lay(prompt, e.More, e.text, spans, e.ghost(), grey, columns)
	below := e.below(columns, height-1)
	// What does not fit is left out, around the cursor.
	rows, widths, room := p.rows, p.widths, max(1, height-len(below))
	if e.screen.last {
		room = len(rows)
	}
	top := min(max(0, p.row-room+1), max(0, len(rows)-room))
	if len(rows) > room {
		rows, widths = rows[top:top+room], widths[top:top+room]
	}
	all := append(rows[:len(rows):len(rows)], below...)
	row := p.row - top
	var b strings.Builder
	b.WriteString(strings.Join(all, "\r\n"))
	if up := len(all) - 1 - row; up > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", up)
	}
	b.WriteByte('\r')
	if p.col > 0 {
		fmt.Fprintf(&b, "\x1b[%dC", p.col)
	}
	e.show(screen{row: row, frame: b.String(), rows: widths, col: p.col, width: columns, last: e.screen.last})
}

// cursor is where the cursor is while it matters; -1: the input is done.
func (e *Editor) cursor() int {
	if e.screen.last {
		return -1
	}
	return e.at
}

// show puts a screen in place of the one before.
func (e *Editor) show(s screen) {
	e.Above.mu.Lock()
	defer e.Above.mu.Unlock()
	e.write(e.screen.top(s.width) + s.frame)
	e.screen = s
}

// clear forgets what is on the screen.
func (e *Editor) clear() {
	e.Above.mu.Lock()
	defer e.Above.mu.Unlock()
	e.screen = screen{}
}

// below gives the rows below the input: the signature, and the menu.
func (e *Editor) below(columns, room int) []string {
	if e.screen.last {
		return nil
	}
	var rows []string
	if e.hint != "" && room > 1 {
		hint := cutTo(e.hint, columns-1)
		if e.Color {
			hint = grey + hint + plain
		}
		rows = append(rows, hint)
	}
	if e.menu != nil {
		rows = append(rows, e.menu.rows(columns-1, min(room-len(rows), room/2), e.Color)...)
	}
	return rows
}
