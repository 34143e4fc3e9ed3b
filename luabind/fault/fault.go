// Package fault is what a script author sees when something is wrong: one error type with place, hint, traceback and notes, one
// renderer for it, and the passes that turn the engine's syntax and run-time errors into it. It knows Lua, not the runtime.
package fault

import (
	"io"

	lua "github.com/yuin/gopher-lua"
)

// Code says what kind of error it is: the `code` of an error object in Lua.
type Code string

// The codes.
const (
	Script     Code = "script" // Lua itself, or error(x)
	Syntax     Code = "syntax" // the file could not be loaded
	Usage      Code = "usage"  // wrong argument or option to our API
	Validation Code = "validation"
	Decode     Code = "decode"
	Timeout    Code = "timeout"
	Cancelled  Code = "cancelled" // passes through pcall
	Connection Code = "connection"
	HTTPStatus Code = "http_status"
	TooLarge   Code = "too_large"
	ReadOnly   Code = "read_only"
	AgentError Code = "agent_error"
)

// Place is a span of a source line. Line and Column count from 1, Column in bytes; 0: not known. EndColumn is exclusive.
type Place struct {
	File              string
	Line              int
	Column, EndColumn int
}

// Mark is a place to underline with a text under it: a second excerpt, "opened here".
type Mark struct {
	Place
	Label string
}

// Frame is one line of a traceback, innermost first: "in function 'add'  app.lua:12".
type Frame struct {
	Place
	What string // "in function 'add'", "in command 'produce'", "(frames lost to tail calls: 'return f()')", "… 241 more"
}

// Note is a labelled line below the excerpt: message, value, expected, defined.
type Note struct{ Label, Text string }

// Error is an error as a script author sees it. Its Error text is one line, "file:line: message", without escape sequences.
type Error struct {
	Code      Code
	Message   string
	Place     Place
	Label     string // under the caret
	Marks     []Mark // further excerpts
	Hints     []string
	Notes     []Note
	Trace     []Frame
	Cause     error      // errors.Is and errors.As go through it
	Value     lua.LValue // what error(x) raised, as it was; nil otherwise
	Retryable bool
}

func (e *Error) Error() string     { panic("outline") }
func (e *Error) Unwrap() error     { return e.Cause }
func (e *Error) Traceback() string { panic("outline") }

// List is several errors of one file (syntax errors), in order of place. errors.As finds the first.
type List []*Error

func (l List) Error() string   { panic("outline") }
func (l List) Unwrap() []error { panic("outline") }

// RenderConfig says how Render draws. The zero value is plain text, short traceback, files read from disk.
type RenderConfig struct {
	Color     bool
	Traceback string // "short" (default), "full", "none"
	Source    func(file string) (string, bool)
}

// Render draws err (an *Error, a List, or any other error) as excerpts with carets, hints and traceback, ending in a newline.
func Render(w io.Writer, err error, cfg RenderConfig) { panic("outline") }

// FromCompile turns what the engine's parser or compiler said of src into errors of ours: up to five, with the opener that is never
// closed, and the mistakes people bring along from other languages.
func FromCompile(file, src string, err error) error { panic("outline") }

// FromRaise is called as the engine's error handler, with the stack of L intact: it makes an *Error of what was raised, naming the value
// at fault. An *Error raised by our own functions keeps its identity and gets place and traceback. known gives the
// names to suggest for an undefined global.
func FromRaise(L *lua.LState, raised lua.LValue, known func() []string) *Error { panic("outline") }

// Caller gives the place of the innermost Lua function at or above level of L's call stack (1: the caller of the running Go function).
func Caller(L *lua.LState, level int) Place { panic("outline") }

// Suggest gives the known name most like name, or "": edit distance of at most a third of the length plus one, prefix and case.
func Suggest(name string, known []string) string { panic("outline") }
