package edit

import (
	"context"
	"fmt"
	"strings"

	"faust/runtime/control"
)

// menu is the candidates of a completion below the input.
type menu struct {
	list   []control.Candidate
	start  int // of the word in the text
	word   string
	chosen int // -1: none yet
}

// complete puts in what all candidates have in common; if that is nothing new, it opens the menu.
func (e *Editor) complete(ctx context.Context) {
	before := e.s[:e.at]
	// At the start of a line a tab is an indentation.
	if strings.TrimLeft(before[e.lineStart(e.at):], " ") == "" && strings.Contains(before, "\n") {
		e.insert("  ")
		return
	}
	if e.Complete == nil {
		return
	}
	c := e.Complete(ctx, before)
	e.hint = c.Signature
	if len(c.Candidates) == 0 || c.Replace > len(before) {
		return
	}
	start := e.at - c.Replace
	word, common := before[start:], c.Candidates[0].Text
	for _, candidate := range c.Candidates[1:] {
		common = commonPrefix(common, candidate.Text)
	}
	if len(common) > len(word) && strings.HasPrefix(common, word) || len(c.Candidates) == 1 {
		e.replace(start, common)
		return
	}
	e.menu = &menu{list: c.Candidates, start: start, word: word, chosen: -1}
}

func commonPrefix(a, b string) string {
	t := text{s: a}
	end := 0
	for end < len(a) {
		next := t.next(end)
		if next > len(b) || a[:next] != b[:next] {
			break
		}
		end = next
	}
	return a[:end]
}

// replace puts s in place of what stands between start and the cursor.
func (e *Editor) replace(start int, s string) {
	e.cut(start, e.at)
	e.insert(s)
}

// lookUp shows the signature of the call that is typed.
func (e *Editor) lookUp(ctx context.Context) {
	if e.Complete != nil {
		e.hint = e.Complete(ctx, e.s[:e.at]).Signature
	}
}

// chose does what a key asks for while the menu is open; false: the key is an ordinary one.
func (e *Editor) chose(k key) bool {
	m := e.menu
	step := 0
	switch k.name {
	case "tab", "down", "C-n":
		step = 1
	case "backtab", "up", "C-p":
		step = -1
	case "right", "left":
		if m.chosen < 0 {
			return false
		}
		step = map[string]int{"right": 1, "left": -1}[k.name]
	case "enter":
		if m.chosen < 0 {
			return false
		}
		e.menu = nil
		return true
	case "escape", "C-g":
		e.replace(m.start, m.word)
		e.menu = nil
		return true
	default:
		return false
	}
	if m.chosen < 0 && step < 0 {
		m.chosen = 0
	}
	m.chosen = (m.chosen + step + len(m.list)) % len(m.list)
	e.replace(m.start, m.list[m.chosen].Text)
	return true
}

// most is how many rows of candidates are shown.
const most = 8

// rows draws the menu: one candidate a row with what it is if there is room, else several a row.
func (m *menu) rows(columns, limit int, color bool) []string {
	limit = min(limit, most)
	if limit < 1 {
		return nil
	}
	widest, helped := 0, false
	for _, c := range m.list {
		widest = max(widest, width(c.Text))
		helped = helped || c.Help != "" || c.Kind != ""
	}
	mark := 0 // the chosen one is marked, if not by its colour
	if !color {
		mark, columns = 1, columns-1
	}
	perRow := 1
	if columns < 60 || !helped {
		perRow = max(1, (columns+2)/(widest+2+mark))
	}
	total := (len(m.list) + perRow - 1) / perRow
	first := 0
	if m.chosen >= 0 {
		first = max(0, min(m.chosen/perRow-limit/2, total-limit))
	}
	var rows []string
	for r := first; r < min(total, first+limit); r++ {
		rows = append(rows, m.row(r*perRow, perRow, widest, columns, color))
	}
	if left := total - first - limit; left > 0 && len(rows) > 1 {
		rows[len(rows)-1] = cutTo(fmt.Sprintf("… %d more", len(m.list)-(first+limit-1)*perRow), columns)
	}
	return rows
}

// row draws the candidates from number i on.
func (m *menu) row(i, n, widest, columns int, color bool) string {
	var b strings.Builder
	for j := i; j < min(i+n, len(m.list)); j++ {
		c := m.list[j]
		cell := cutTo(c.Text, columns)
		pad := strings.Repeat(" ", max(0, widest-width(cell))+2)
		if n == 1 && columns >= 60 {
			pad += cutTo(fmt.Sprintf("%-8s  %s", c.Kind, c.Help), columns-widest-3)
		}
		switch chosen := j == m.chosen; {
		case chosen && color:
			cell = inverse + cell + plain
		case chosen:
			cell = ">" + cell
		case !color:
			cell = " " + cell
		}
		b.WriteString(cell + pad)
	}
	return strings.TrimRight(b.String(), " ")
}
