package fault

import "slices"

// diagnosis is a syntax error as the passes over the tokens find it.
type diagnosis struct {
	at      token
	width   int // of the underline; 0: the whole token
	message string
	label   string
	hints   []string
	marks   []diagnosisMark
	habit   string // what kind of mistake: at most two of a kind are told
	generic bool   // nothing better is known than that the parser is stuck
	follows bool   // may only be the consequence of an earlier one
	opens   bool   // a word that should have opened a block
	silent  bool   // the engine would not notice
}

type diagnosisMark struct {
	at    token
	label string
}

const (
	maxDiagnoses = 5
	maxAlike     = 2
)

// pick gives the diagnoses to tell, in order of place: one a line, few of a kind, a generic one only if it is the first of all, because the
// parser may only be stuck over what an earlier one left behind.
func pick(all []diagnosis) []diagnosis {
	slices.SortStableFunc(all, func(a, b diagnosis) int { return a.at.pos - b.at.pos })
	var out []diagnosis
	alike := map[string]int{}
	lines := map[int]bool{}
	opened := false
	for _, d := range all {
		if len(out) == maxDiagnoses || lines[d.at.line] || d.generic && len(out) > 0 || d.follows && opened || d.habit != "" && alike[d.habit] == maxAlike {
			continue
		}
		alike[d.habit]++
		lines[d.at.line] = true
		opened = opened || d.opens
		out = append(out, d)
	}
	return out
}

// error makes an *Error of d.
func (d diagnosis) error(file, src string) *Error {
	e := &Error{Code: Syntax, Message: d.message, Label: d.label, Hints: d.hints, Place: tokenPlace(file, src, d.at)}
	if d.width > 0 {
		e.Place.EndColumn = e.Place.Column + d.width
	}
	for _, m := range d.marks {
		e.Marks = append(e.Marks, Mark{Place: tokenPlace(file, src, m.at), Label: m.label})
	}
	return e
}

// tokenPlace is the place of t; one of several lines is underlined on its first. The end of the file is behind the last text.
func tokenPlace(file, src string, t token) Place {
	if t.kind == endOfFile && t.text == "" && !t.made {
		line := lastLine(src)
		return Place{File: file, Line: line, Column: len(lineOf(src, line)) + 1}
	}
	end := t.end
	for i := t.pos; i < end && i < len(src); i++ {
		if src[i] == '\n' || src[i] == '\r' {
			end = i
		}
	}
	return Place{File: file, Line: t.line, Column: t.col, EndColumn: t.col + max(end-t.pos, 1)}
}

func lineOf(src string, line int) string {
	if lines := splitLines(src); line >= 1 && line <= len(lines) {
		return lines[line-1]
	}
	return ""
}
