package cli

import (
	"io"
	"os"

	"golang.org/x/term"
)

// fileOf gives the file behind w, if there is one.
func fileOf(w io.Writer) (*os.File, bool) {
	for {
		inner, ok := w.(interface{ Unwrap() io.Writer })
		if !ok {
			break
		}
		w = inner.Unwrap()
	}
	f, ok := w.(*os.File)
	return f, ok
}

// isTerminal tells whether somebody looks at w.
func (s *session) isTerminal(w io.Writer) bool {
	f, ok := fileOf(w)
	return ok && term.IsTerminal(int(f.Fd())) && s.env.get("TERM") != "dumb"
}

// isTerminalFile tells whether f is a terminal, whatever it can.
func (s *session) isTerminalFile(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// isTerminalIn tells whether somebody types what is read.
func (s *session) isTerminalIn() bool {
	f, ok := s.Stdin.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colored tells whether w may get colours.
func (s *session) colored(w io.Writer) bool {
	return s.isTerminal(w) && s.env.get("NO_COLOR") == "" && s.env.get("CI") == ""
}

// animated tells whether w may get lines that change.
func (s *session) animated(w io.Writer) bool { return s.colored(w) && !s.globals.quiet }

// width is how many columns w has; 80 if it is no terminal.
func width(w io.Writer) int {
	if f, ok := fileOf(w); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			return columns
		}
	}
	return 80
}

// leaveTerminal takes the status line away and gives the terminal back as it was, for good: the process is about to end.
func (s *session) leaveTerminal() {
	if s.screen != nil {
		s.screen.ask()
	}
	if k := s.keys.Load(); k != nil {
		k.close()
	}
}
