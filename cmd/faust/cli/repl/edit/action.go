package edit

import (
	"io"
	"slices"
	"strings"
)

// actions are what keys with names do.
var actions map[string]func(e *Editor)

func init() {
	actions = map[string]func(e *Editor){
		"left": func(e *Editor) { e.at = e.before(e.at) }, "C-b": func(e *Editor) { e.at = e.before(e.at) },
		"right": right, "C-f": right,
		"home": func(e *Editor) { e.at = e.lineStart(e.at) }, "C-a": func(e *Editor) { e.at = e.lineStart(e.at) },
		"end": lineEnd, "C-e": lineEnd,
		"up": up, "C-p": up, "down": down, "C-n": down,
		"pageup":   func(e *Editor) { e.walk(-1) },
		"pagedown": func(e *Editor) { e.walk(1) },
		"M-<":      func(e *Editor) { e.walk(-e.place) },
		"C-left":   wordLeft, "M-b": wordLeft, "M-left": wordLeft,
		"C-right": wordRight, "M-f": wordRight, "M-right": wordRight,
		"backspace":   func(e *Editor) { e.cut(e.before(e.at), e.at) },
		"delete":      func(e *Editor) { e.cut(e.at, e.next(e.at)) },
		"C-d":         deleteOrEnd,
		"C-k":         killLine,
		"C-u":         func(e *Editor) { e.take(e.lineStart(e.at), e.at) },
		"C-w":         func(e *Editor) { e.take(e.blankStart(e.at), e.at) },
		"M-backspace": func(e *Editor) { e.take(e.wordStart(e.at), e.at) },
		"M-d":         func(e *Editor) { e.take(e.at, e.wordEnd(e.at)) },
		"C-y":         func(e *Editor) { e.insert(e.kill) },
		"C-t":         swap,
		"C-_":         undo,
		"C-l":         func(e *Editor) { e.clear(); e.write("\x1b[H\x1b[2J") },
		"C-c":         interrupt,
		"C-r":         func(e *Editor) { e.search = &search{before: e.text, at: len(e.History.entries)} },
		"M-enter":     func(e *Editor) { e.newLine() },
		"C-o":         func(e *Editor) { e.newLine() },
		"C-x":         func(e *Editor) { e.prefix = true },
	}
}

// right goes on one character, or takes the suggestion at the end of the input.
func right(e *Editor) {
	if ghost := e.ghost(); ghost != "" {
		e.insert(ghost)
		return
	}
	e.at = e.next(e.at)
}

func lineEnd(e *Editor) {
	if ghost := e.ghost(); ghost != "" {
		e.insert(ghost)
		return
	}
	e.at = e.lineEnd(e.at)
}

func wordLeft(e *Editor) { e.at = e.wordStart(e.at) }

// wordRight goes on one word, or takes a word of the suggestion.
func wordRight(e *Editor) {
	if ghost := e.ghost(); ghost != "" {
		t := text{s: ghost}
		e.insert(ghost[:t.wordEnd(0)])
		return
	}
	e.at = e.wordEnd(e.at)
}

func up(e *Editor) {
	if !e.up() {
		e.walk(-1)
	}
}

func down(e *Editor) {
	if !e.down() {
		e.walk(1)
	}
}

// take cuts something out that C-y puts in again.
func (e *Editor) take(from, to int) {
	if from < to {
		e.kill = e.cut(from, to)
	}
}

func killLine(e *Editor) {
	end := e.lineEnd(e.at)
	if end == e.at && end < len(e.s) {
		end++ // the line break
	}
	e.take(e.at, end)
}

func deleteOrEnd(e *Editor) {
	if e.s == "" {
		e.done, e.err = true, io.EOF
		return
	}
	e.cut(e.at, e.next(e.at))
}

// swap changes the two characters around the cursor.
func swap(e *Editor) {
	at := e.at
	if at == e.lineEnd(at) {
		at = e.before(at)
	}
	left, right := e.before(at), e.next(at)
	if left < at && right > at && e.s[left] != '\n' {
		e.s = e.s[:left] + e.s[at:right] + e.s[left:at] + e.s[right:]
		e.at = right
	}
}

func undo(e *Editor) {
	if n := len(e.undo); n > 0 {
		e.text, e.undo = e.undo[n-1], e.undo[:n-1]
	}
}

func interrupt(e *Editor) { e.done, e.err = true, ErrInterrupted }

// edit has the input edited by a program, which gets the terminal as it was.
func (e *Editor) edit() {
	if e.Edit == nil {
		return
	}
	e.Above.use(nil)
	defer e.Above.use(e)
	e.write("\r\n")
	e.restore()
	if s, err := e.Edit(e.s); err == nil {
		e.s = strings.TrimRight(s, "\n")
		e.at = len(e.s)
	}
	if restore, err := e.Terminal.Raw(); err == nil {
		e.restore = restore
	}
	e.clear()
}

// walk goes so many entries through the history.
func (e *Editor) walk(by int) {
	entries := e.History.entries
	to := min(max(e.place+by, 0), len(entries))
	if to == e.place {
		return
	}
	if e.place == len(entries) {
		e.fresh = e.text
	}
	e.place = to
	if to == len(entries) {
		e.text = e.fresh
		return
	}
	e.text = text{s: entries[to], at: len(entries[to])}
}

// ghost is how an earlier input goes on after the one that is typed; nothing once that is done: it would be taken for what was typed.
func (e *Editor) ghost() string {
	if !e.Color || e.screen.last || e.at != len(e.s) || e.search != nil || e.menu != nil || strings.Contains(e.s, "\n") {
		return ""
	}
	return e.History.suggest(e.s)
}

// search is a search backwards through the history.
type search struct {
	before text
	what   string
	at     int // of what was found; len: nothing yet
	missed bool
}

// searched does what a key asks for while the history is searched; false: the search has ended and the key is an ordinary one.
func (e *Editor) searched(k key) bool {
	s := e.search
	switch {
	case k.name == "C-r":
		e.look(s.at)
	case k.name == "backspace":
		if s.what != "" {
			t := text{s: s.what}
			s.what = s.what[:t.before(len(s.what))]
			e.look(len(e.History.entries))
		}
	case k.name == "" && k.text != "", k.name == "paste":
		s.what += strings.ReplaceAll(k.text, "\n", " ")
		e.look(min(s.at+1, len(e.History.entries)))
	case k.name == "C-g", k.name == "escape", k.name == "C-c":
		e.text, e.search = s.before, nil
	case k.name == "":
	default:
		if s.at < len(e.History.entries) && s.what != "" {
			e.place = s.at
		}
		e.search = nil
		return slices.Contains([]string{"tab", "C-r"}, k.name)
	}
	return true
}

// look finds what is searched for before an entry.
func (e *Editor) look(from int) {
	s := e.search
	if s.what == "" {
		e.text, s.at, s.missed = s.before, len(e.History.entries), false
		return
	}
	found := e.History.search(s.what, from)
	if s.missed = found < 0; s.missed {
		return
	}
	s.at = found
	entry := e.History.entries[found]
	e.text = text{s: entry, at: strings.Index(entry, s.what)}
}
