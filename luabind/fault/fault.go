// Package fault is what a script author sees when something is wrong: one error type with place, hint, traceback and notes, one
// renderer for it, and the passes that turn the engine's syntax and run-time errors into it. It knows Lua, not the runtime.
package fault

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

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

// String gives "file:line:column", as far as it is known.
func (p Place) String() string {
	switch {
	case p.File == "" || p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Mark is a place to underline with a text under it: a second excerpt, "opened here".
type Mark struct {
	Place
	Label string
}

// Frame is one line of a traceback, innermost first: "in function 'add'  app.lua:12". A frame without a file is the runtime's own
// (a function written in Go) if What begins with "in ", else a remark.
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

// Error gives "file:line: message" on one line.
func (e *Error) Error() string {
	text := OneLine(e.Message)
	if e.Place.File == "" || e.Place.Line == 0 {
		return text
	}
	return fmt.Sprintf("%s:%d: %s", e.Place.File, e.Place.Line, text)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Traceback gives all frames, innermost first, one a line, without a newline at the end; "" if there are none.
func (e *Error) Traceback() string {
	return strings.Join(traceLines(e.Trace), "\n")
}

// Within names the outermost frame of the traceback so far, "in command 'produce'", and says where its function was defined.
// Without frames it adds one. It is for whoever called the function from Go.
func (e *Error) Within(what string, defined Place) {
	if n := len(e.Trace); n == 0 {
		e.Trace = append(e.Trace, Frame{Place: e.Place, What: what})
	} else if last := &e.Trace[n-1]; last.File != "" || strings.HasPrefix(last.What, "in ") {
		last.What = what
	} else {
		e.Trace = append(e.Trace, Frame{What: what})
	}
	if defined.File != "" && defined.Line > 0 {
		e.Trace = append(e.Trace, Frame{Place: defined, What: "defined"})
	}
}

// Fields gives the error as fields for a log: message, code, file, line, column, hint, stack (a list), and the notes. What is not
// known is left out.
func (e *Error) Fields() []slog.Attr {
	attrs := []slog.Attr{slog.String("message", e.Message), slog.String("code", string(e.Code))}
	if e.Place.File != "" {
		attrs = append(attrs, slog.String("file", e.Place.File))
	}
	if e.Place.Line > 0 {
		attrs = append(attrs, slog.Int("line", e.Place.Line))
	}
	if e.Place.Column > 0 {
		attrs = append(attrs, slog.Int("column", e.Place.Column))
	}
	if len(e.Hints) > 0 {
		attrs = append(attrs, slog.String("hint", strings.Join(e.Hints, "; ")))
	}
	for _, n := range e.Notes {
		attrs = append(attrs, slog.String(n.Label, n.Text))
	}
	if len(e.Trace) > 0 {
		attrs = append(attrs, slog.Any("stack", traceLines(e.Trace)))
	}
	return attrs
}

// LogValue is the group of Fields.
func (e *Error) LogValue() slog.Value { return slog.GroupValue(e.Fields()...) }

// List is several errors of one file (syntax errors), in order of place. errors.As finds the first.
type List []*Error

// Error gives the first error and how many more there are.
func (l List) Error() string {
	switch len(l) {
	case 0:
		return "no errors"
	case 1:
		return l[0].Error()
	}
	return fmt.Sprintf("%s (and %d more)", l[0].Error(), len(l)-1)
}

// Unwrap gives the errors.
func (l List) Unwrap() []error {
	errs := make([]error, len(l))
	for i, e := range l {
		errs[i] = e
	}
	return errs
}

// AsError gives the *Error that v carries: v is a userdata whose Value is an error with an *Error in its chain. It is how an error of
// ours is recognised when it comes back from Lua.
func AsError(v lua.LValue) (*Error, bool) {
	ud, ok := v.(*lua.LUserData)
	if !ok {
		return nil, false
	}
	err, ok := ud.Value.(error)
	if !ok {
		return nil, false
	}
	var e *Error
	return e, errors.As(err, &e)
}

// OneLine makes a text fit for one line of a log or terminal: line breaks become spaces, control characters visible.
func OneLine(s string) string {
	return printable(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), " "))
}

// Visible makes a text fit for a terminal: control characters become visible, line breaks stay.
func Visible(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = printable(strings.TrimSuffix(l, "\r"))
	}
	return strings.Join(lines, "\n")
}

// printable replaces what a terminal would obey (escape sequences) or cannot show. JSON stays JSON of the same value.
func printable(s string) string {
	clean := true
	for _, r := range s {
		if isControl(r) {
			clean = false
			break
		}
	}
	if clean {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case isControl(r) && r < ' ': // which JSON does not have
			fmt.Fprintf(&b, `\%d`, r)
		case isControl(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isControl(r rune) bool {
	return r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}
