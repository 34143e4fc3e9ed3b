package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"faust/luabind/fault"
)

// table is what a list command shows to people.
type table struct {
	heads []string
	rows  [][]string
	empty string // said instead of a table without rows
}

// add adds a row. What is in a cell stays there, and does nothing to a terminal.
func (t *table) add(cells ...string) {
	for i := range cells {
		cells[i] = fault.OneLine(cells[i])
	}
	t.rows = append(t.rows, cells)
}

// cellGap stands between two columns.
const cellGap = "  "

// print writes the table to standard output.
func (s *session) print(t *table) { s.printTo(s.Stdout, t) }

// printTo writes the table to w. On a terminal that is too narrow the last column is cut, or broken at words if the table has no heads; where too little of it would
// be left every row becomes lines.
func (s *session) printTo(w io.Writer, t *table) {
	if len(t.rows) == 0 {
		if t.empty != "" {
			fmt.Fprintln(w, t.empty)
		}
		return
	}
	wide := t.widths()
	before, last := lastColumn(wide)
	room := 0
	if s.isTerminal(w) {
		room = width(w)
	}
	const least = 24 // columns of the last cell that are worth showing
	if room > 0 && before+min(last, least) > room {
		t.stack(w, room)
		return
	}
	if t.heads != nil {
		head := fitted(joined(t.heads, wide), room)
		if s.colored(w) {
			head = "\x1b[2m" + head + "\x1b[0m"
		}
		fmt.Fprintln(w, head)
	}
	for _, row := range t.rows {
		if t.heads == nil && room > 0 {
			fmt.Fprintln(w, wrapped(joined(row, wide), room, before))
		} else {
			fmt.Fprintln(w, fitted(joined(row, wide), room))
		}
	}
}

// fitted cuts a line to room columns; 0: it may be as long as it is.
func fitted(line string, room int) string {
	if room == 0 {
		return line
	}
	return cut(line, room)
}

// lastColumn tells what is before the last column in which something stands, and how wide that is.
func lastColumn(wide []int) (before, last int) {
	for _, columns := range wide {
		if columns > 0 {
			if last > 0 {
				before += last + len(cellGap)
			}
			last = columns
		}
	}
	return before, last
}

// widths are those of the columns; columns in which nothing stands have none.
func (t *table) widths() []int {
	wide := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			wide[i] = max(wide[i], fault.Width(cell))
		}
	}
	for i, head := range t.heads {
		if wide[i] > 0 {
			wide[i] = max(wide[i], fault.Width(head))
		}
	}
	return wide
}

// joined makes a line of cells.
func joined(cells []string, wide []int) string {
	var b strings.Builder
	for i, cell := range cells {
		if wide[i] > 0 {
			b.WriteString(cell + strings.Repeat(" ", max(0, wide[i]-fault.Width(cell))) + cellGap)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// stack writes every row as lines, for narrow terminals. Nothing is cut there.
func (t *table) stack(w io.Writer, room int) {
	for i, row := range t.rows {
		if i > 0 {
			fmt.Fprintln(w)
		}
		headed := false // by the first cell that has something in it
		for j, cell := range row {
			switch {
			case cell == "":
			case !headed:
				headed = true
				fmt.Fprintln(w, wrapped(t.title(j, cell), room, 2))
			case t.heads == nil, t.heads[j] == "":
				fmt.Fprintln(w, wrapped("  "+cell, room, 4))
			default:
				fmt.Fprintln(w, wrapped(fmt.Sprintf("  %s: %s", strings.ToLower(t.heads[j]), cell), room, 4))
			}
		}
	}
}

// title is what stands above the lines of a row: its first cell, with the column's name where the cell is but a number.
func (t *table) title(column int, cell string) string {
	if _, err := strconv.Atoi(cell); err == nil && t.heads != nil {
		return strings.ToLower(t.heads[column]) + " " + cell
	}
	return cell
}

// printJSON writes v for programs.
func (s *session) printJSON(v any) error {
	e := json.NewEncoder(s.Stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
