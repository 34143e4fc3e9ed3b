// Package edit is the line editor of the console: inputs of several lines that are edited as a whole, history with search, completion with a
// menu, a suggestion in grey behind the cursor, pasting as one piece. It knows no Lua: what is whole and what could follow it is told.
package edit

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"faust/runtime/control"
)

// Editor reads inputs from a terminal. Its fields are set before the first Read.
type Editor struct {
	Terminal Terminal
	Prompt   string // before the first line
	More     string // before the others
	History  *History
	Color    bool // things may be drawn in grey

	// Style gives the styles of an input's parts, in order, with the cursor at a byte, or nowhere (-1); nil: there are none.
	Style func(input string, at int) []Span
	// Whole tells whether an input is all there; nil: it always is.
	Whole func(ctx context.Context, input string) bool
	// Complete gives what could stand at the end of a text; nil: nothing.
	Complete func(ctx context.Context, text string) control.Completion
	// Indent gives what the line after a text begins with, and Outdent whether the text ends with a word that belongs further left; nil: nothing.
	Indent  func(text string) string
	Outdent func(text string) bool
	Above   *Above // of what writes while an input is read; nil: nobody does
	// Edit lets the person edit an input with a program of theirs; nil: there is none.
	Edit func(input string) (string, error)

	keys    chan []byte // what was typed, if a read runs
	failed  chan error
	pending []byte // typed, not yet decoded
	reading bool   // a read runs

	restore func() // what the terminal was like before

	kill  string // what was cut last
	input        // being edited
}

// input is one input being edited.
type input struct {
	text
	undo   []text // earlier states, the latest last
	prefix bool   // the last key was C-x
	typing bool   // the last key was a character: it belongs to the same step of undo
	place  int    // in the history; len: the new input
	fresh  text   // the new input while the history is looked at
	menu   *menu
	search *search
	hint   string // the signature of the call being typed
	screen screen
	done   bool
	err    error
}

// What Read gives beside io.EOF.
var ErrInterrupted = errors.New("interrupted") // ^C

// escapeTime is how long the rest of a key that begins with ESC may take.
const escapeTime = 50 * time.Millisecond

// Read reads one input. The error is io.EOF after ^D, ErrInterrupted after ^C, that of the terminal, or the cause of ctx's end.
func (e *Editor) Read(ctx context.Context) (string, error) {
	var err error
	if e.restore, err = e.Terminal.Raw(); err != nil {
		return "", err
	}
	defer func() { e.restore() }()
	if e.History == nil {
		e.History = &History{}
	}
	if e.keys == nil {
		e.keys, e.failed = make(chan []byte, 1), make(chan error, 1) // of the one read that runs
	}
	if e.Above == nil {
		e.Above = NewAbove(e.Terminal)
	}
	e.input = input{place: len(e.History.entries)}
	e.Above.use(e)
	defer e.Above.use(nil)
	e.write("\x1b[?2004h")
	defer e.write("\x1b[?2004l")
	e.draw()
	for !e.done {
		k, err := e.key(ctx)
		if err != nil {
			e.leave()
			return "", err
		}
		e.press(ctx, k)
		if !e.done {
			e.draw()
		}
	}
	e.leave()
	return e.s, e.err
}

func (e *Editor) write(s string) {
	_, _ = io.WriteString(e.Terminal, s) // who does not see it cannot be told either
}

// key gives the next key. A read of the terminal runs only while a key is waited for, so that nobody else is robbed of what is typed.
func (e *Editor) key(ctx context.Context) (key, error) {
	for {
		if len(e.pending) > 0 {
			if k, n := decode(e.pending); n > 0 {
				e.pending = e.pending[n:]
				return k, nil
			}
		}
		var late <-chan time.Time
		if len(e.pending) == 1 && e.pending[0] == 0x1b {
			timer := time.NewTimer(escapeTime)
			defer timer.Stop()
			late = timer.C
		}
		if !e.reading {
			e.reading = true
			go e.read()
		}
		select {
		case b := <-e.keys:
			e.reading = false
			e.pending = append(e.pending, b...)
		case err := <-e.failed:
			e.reading = false
			return key{}, err
		case <-late:
			e.pending = nil
			return key{name: "escape"}, nil
		case <-ctx.Done():
			return key{}, context.Cause(ctx)
		}
	}
}

// read reads once.
func (e *Editor) read() {
	b := make([]byte, 4096)
	n, err := e.Terminal.Read(b)
	if n > 0 {
		e.keys <- b[:n]
		return
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	e.failed <- err
}

// press does what a key asks for.
func (e *Editor) press(ctx context.Context, k key) {
	if e.search != nil && e.searched(k) {
		return
	}
	if e.menu != nil && e.chose(k) {
		return
	}
	e.menu = nil
	prefixed := e.prefix
	e.prefix = false
	switch {
	case k.name == "" && k.text == "":
		return
	case prefixed && k.name == "C-e":
		e.edit()
		return
	}
	before := e.text
	switch k.name {
	case "":
		e.typed(ctx, k.text)
	case "paste":
		e.insert(k.text)
	case "tab":
		e.complete(ctx)
	case "enter":
		e.enter(ctx)
	default:
		if f := actions[k.name]; f != nil {
			f(e)
		}
	}
	if k.name != "tab" && k.name != "" {
		e.hint = ""
	}
	e.remember(before, k)
}

// remember keeps what was before a change, one state for a row of characters.
func (e *Editor) remember(before text, k key) {
	if k.name == "C-_" || before.s == e.s {
		e.typing = false
		return
	}
	if !(e.typing && k.name == "") {
		e.undo = append(e.undo, before)
	}
	e.typing = k.name == "" && k.text != " "
}

// typed puts a character in.
func (e *Editor) typed(ctx context.Context, s string) {
	e.insert(s)
	if e.Outdent != nil && e.at == e.lineEnd(e.at) && e.Outdent(e.s[:e.at]) {
		start := e.lineStart(e.at)
		if word := strings.TrimLeft(e.s[start:e.at], " "); start+2 <= e.at-len(word) {
			e.s, e.at = e.s[:start]+e.s[start+2:], e.at-2
		}
	}
	switch s {
	case "(", "{", ",":
		e.lookUp(ctx)
	case ")", "}":
		e.hint = ""
	}
}

// enter ends an input that is whole, and begins a new line in one that is not.
func (e *Editor) enter(ctx context.Context) {
	if e.Whole == nil || strings.TrimSpace(e.s) == "" || e.Whole(ctx, e.s) {
		e.at, e.done = len(e.s), true
		return
	}
	e.newLine()
}

func (e *Editor) newLine() {
	indent := ""
	if e.Indent != nil {
		indent = e.Indent(e.s[:e.at])
	}
	e.insert("\n" + indent)
}

// leave draws the input for the last time and goes to the line below.
func (e *Editor) leave() {
	e.menu, e.search, e.hint = nil, nil, ""
	e.at = len(e.s)
	e.screen.last = true
	e.draw()
	e.write("\r\n")
}
