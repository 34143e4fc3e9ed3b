package docs

import (
	"regexp"
	"strings"
)

// blockKind is what a block of Markdown is.
type blockKind int

const (
	paragraph blockKind = iota
	heading
	code
	item
	quote
	table
	rule
)

// block is a piece of a page between blank lines, or a heading, an item, a table.
type block struct {
	kind  blockKind
	level int    // of a heading, from 1; of an item, from 0
	mark  string // of an item: *, 1.
	lines []string
	tight bool // no blank line stands before it
}

var (
	headLine = regexp.MustCompile(`^(#{1,6}) +(.*?) *#*$`)
	itemLine = regexp.MustCompile(`^( *)([*+-]|\d+[.)]) +(.*)$`)
	ruleLine = regexp.MustCompile(`^ *([-*_])( *[-*_]){2,} *$`)
	cellLine = regexp.MustCompile(`^ *\|.*\| *$`)
	dashLine = regexp.MustCompile(`^ *\|?[ :|-]*-[ :|-]*\|?[ :|-]*$`)
)

// reader takes a page apart.
type reader struct {
	out   []block
	open  bool // the last block goes on with the next line of text
	blank bool // the last line was
	fence string
}

// blocks takes a page apart. HTML comments are left out.
func blocks(text string) []block {
	text = regexp.MustCompile(`(?s)<!--.*?-->\n?`).ReplaceAllString(text, "")
	r := &reader{blank: true}
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		r.line(strings.TrimRight(strings.ReplaceAll(line, "\t", "    "), " \r"))
	}
	return r.out
}

func (r *reader) add(b block) {
	b.tight = !r.blank
	r.out = append(r.out, b)
	r.open, r.blank = true, false
}

// last is the block that may go on; nil: there is none.
func (r *reader) last(kind blockKind) *block {
	if n := len(r.out); n > 0 && r.open && r.out[n-1].kind == kind {
		return &r.out[n-1]
	}
	return nil
}

func (r *reader) line(line string) {
	trimmed := strings.TrimLeft(line, " ")
	if r.fenced(trimmed, line) {
		return
	}
	switch {
	case trimmed == "":
		r.gap()
	case headLine.MatchString(line):
		m := headLine.FindStringSubmatch(line)
		r.add(block{kind: heading, level: len(m[1]), lines: []string{m[2]}})
		r.open = false
	case ruleLine.MatchString(line) && r.last(paragraph) == nil:
		r.add(block{kind: rule})
		r.open = false
	case cellLine.MatchString(line):
		r.extend(table, trimmed)
	case itemLine.MatchString(line):
		m := itemLine.FindStringSubmatch(line)
		r.add(block{kind: item, level: (len(m[1]) + 1) / 2, mark: m[2], lines: []string{m[3]}})
	case strings.HasPrefix(line, "    ") && r.last(item) == nil && r.last(paragraph) == nil:
		r.extend(code, line[4:])
	case strings.HasPrefix(trimmed, "> ") || trimmed == ">":
		r.extend(quote, strings.TrimPrefix(strings.TrimPrefix(trimmed, ">"), " "))
	default:
		r.text(trimmed)
	}
}

// fenced takes a line of a fenced piece of code, and the fences.
func (r *reader) fenced(trimmed, line string) bool {
	mark := ""
	if strings.HasPrefix(trimmed, "```") || strings.HasPrefix(trimmed, "~~~") {
		mark = trimmed[:3]
	}
	switch {
	case r.fence == "" && mark == "":
		return false
	case r.fence == "":
		r.fence = mark
		r.add(block{kind: code})
	case trimmed == r.fence:
		r.fence, r.open = "", false
	default:
		b := &r.out[len(r.out)-1]
		b.lines = append(b.lines, line)
	}
	return true
}

// gap ends what a blank line ends; indented code goes on after it.
func (r *reader) gap() {
	if b := r.last(code); b != nil {
		b.lines = append(b.lines, "")
	} else {
		r.open = false
	}
	r.blank = true
}

// extend adds a line to the last block if that is of the kind, else begins one.
func (r *reader) extend(kind blockKind, line string) {
	if b := r.last(kind); b != nil {
		b.lines = append(b.lines, line)
		r.blank = false
		return
	}
	r.add(block{kind: kind, lines: []string{line}})
}

// text adds a line to the paragraph, item or quote that is open, else begins a paragraph.
func (r *reader) text(line string) {
	for _, kind := range []blockKind{paragraph, item, quote} {
		if b := r.last(kind); b != nil {
			b.lines = append(b.lines, line)
			return
		}
	}
	r.add(block{kind: paragraph, lines: []string{line}})
}

// cells takes a row of a table apart. \| is a bar in a cell.
func cells(line string) []string {
	line = strings.Trim(strings.TrimSpace(line), "|")
	line = strings.ReplaceAll(line, `\|`, "\x00")
	parts := strings.Split(line, "|")
	for i, p := range parts {
		parts[i] = strings.TrimSpace(strings.ReplaceAll(p, "\x00", "|"))
	}
	return parts
}
