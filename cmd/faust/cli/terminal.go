package cli

import (
	"io"
	"os"

	"golang.org/x/term"
)

// isTerminal tells whether somebody looks at w.
func (s *session) isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && s.env.get("TERM") != "dumb"
}

// colored tells whether w may get colours.
func (s *session) colored(w io.Writer) bool {
	return s.isTerminal(w) && s.env.get("NO_COLOR") == "" && s.env.get("CI") == ""
}

// width is how many columns w has; 80 if it is no terminal.
func width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			return columns
		}
	}
	return 80
}
