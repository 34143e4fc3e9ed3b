package docs

import (
	"strings"
)

// Style says how a page is shown.
type Style struct {
	Width int // columns; 0: 80
	Color bool
}

// The bounds of lines: longer ones cannot be read, shorter ones hold no words.
const (
	widest     = 100
	narrowest  = 30
	usual      = 80
	indent     = 2
	columnGap  = 2
	leastWords = 16 // columns of a table's last cell
)

// Render writes Markdown for a terminal: headings at the margin, everything else indented, tables in columns. It ends with a line break.
func Render(text string, s Style) string {
	if s.Width == 0 {
		s.Width = usual
	}
	p := &printer{Style: s}
	p.Width = min(max(p.Width, narrowest), widest)
	list := blocks(text)
	for i, b := range list {
		// What belongs together stands together: items that follow each other closely, and a table below its heading.
		if i > 0 && !(b.tight && b.kind == item) && list[i-1].kind != heading {
			p.out.WriteByte('\n')
		} else if i > 0 && b.kind == heading {
			p.out.WriteByte('\n')
		}
		p.block(b)
	}
	return p.out.String()
}

// printer writes one page.
type printer struct {
	Style
	out strings.Builder
}

func (p *printer) block(b block) {
	switch b.kind {
	case heading:
		p.heading(b)
	case code:
		p.code(b.lines)
	case item:
		p.item(b)
	case quote:
		p.hang("| ", "| ", strings.Join(b.lines, " "))
	case table:
		p.table(b.lines)
	case rule:
		p.out.WriteString(strings.Repeat(" ", indent) + strings.Repeat("-", p.Width-2*indent) + "\n")
	default:
		p.hang("", "", strings.Join(b.lines, " "))
	}
}

// heading writes a heading; those of the third level on are indented as the text is.
func (p *printer) heading(b block) {
	text := plain(b.lines[0])
	margin := ""
	if b.level > 2 {
		margin = strings.Repeat(" ", indent)
	}
	if p.Color {
		p.out.WriteString(margin + bold + text + reset + "\n")
		return
	}
	p.out.WriteString(margin + text + "\n")
	if b.level == 1 {
		p.out.WriteString(strings.Repeat("=", columns(text)) + "\n")
	}
}

// code writes lines as they are.
func (p *printer) code(lines []string) {
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	for _, line := range lines {
		p.out.WriteString(strings.TrimRight(strings.Repeat(" ", 2*indent)+line, " ") + "\n")
	}
}

func (p *printer) item(b block) {
	mark := b.mark
	if len(mark) == 1 {
		mark = "*"
	}
	first := strings.Repeat(" ", indent*b.level) + mark + " "
	p.hang(first, strings.Repeat(" ", columns(first)), strings.Join(b.lines, " "))
}

// hang writes a text whose lines begin with first and then rest.
func (p *printer) hang(first, rest, text string) {
	margin := strings.Repeat(" ", indent)
	for i, line := range wrap(inline(text, p.Color), p.Width-indent-columns(first)) {
		if i > 0 {
			first = rest
		}
		p.out.WriteString(margin + first + line + "\n")
	}
}

// table writes rows in columns: the last one is wrapped. What would leave it no room is written line below line.
func (p *printer) table(lines []string) {
	rows, head := p.rows(lines)
	wide := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			wide[i] = max(wide[i], columns(cell))
		}
	}
	last := len(wide) - 1
	before := indent
	for _, w := range wide[:last] {
		if w > 0 {
			before += w + columnGap
		}
	}
	if p.Width-before < min(wide[last], leastWords) {
		p.stack(rows[head:])
		return
	}
	for i, row := range rows {
		if strings.Join(row, "") == "" {
			continue
		}
		start := p.line(row[:last], wide)
		for j, line := range wrap(row[last], p.Width-before) {
			if j > 0 {
				start = strings.Repeat(" ", before)
			}
			p.row(start+line, i < head)
		}
		if row[last] == "" {
			p.row(strings.TrimRight(start, " "), i < head)
		}
	}
}

// rows takes a table apart. head is how many rows are its head.
func (p *printer) rows(lines []string) (rows [][]string, head int) {
	for i, line := range lines {
		if i == 1 && dashLine.MatchString(line) {
			head = 1
			continue
		}
		row := cells(line)
		for j := range row {
			row[j] = inline(row[j], p.Color)
		}
		rows = append(rows, row)
	}
	for i, row := range rows {
		for len(row) < len(rows[0]) {
			row = append(row, "")
		}
		rows[i] = row[:len(rows[0])]
	}
	return rows, head
}

// line writes the cells before the last one.
func (p *printer) line(row []string, wide []int) string {
	line := strings.Repeat(" ", indent)
	for i, cell := range row {
		if wide[i] > 0 {
			line += cell + strings.Repeat(" ", wide[i]-columns(cell)+columnGap)
		}
	}
	return line
}

func (p *printer) row(line string, head bool) {
	if head && p.Color {
		line = dim + escape.ReplaceAllString(line, "") + reset
	}
	p.out.WriteString(line + "\n")
}

// stack writes every row as lines, for narrow terminals.
func (p *printer) stack(rows [][]string) {
	for _, row := range rows {
		var parts []string
		for _, cell := range row[:len(row)-1] {
			if cell != "" {
				parts = append(parts, cell)
			}
		}
		margin := strings.Repeat(" ", indent)
		for _, line := range wrap(strings.Join(parts, "  "), p.Width-indent) {
			p.out.WriteString(margin + line + "\n")
		}
		for _, line := range wrap(row[len(row)-1], p.Width-3*indent) {
			p.out.WriteString(margin + margin + margin + line + "\n")
		}
	}
}
