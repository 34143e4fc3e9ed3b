package cli

import (
	"io"
	"os"
	"sync"
)

// screen is a terminal whose last line is a status: what is written through it scrolls above. While a written line has no end yet, or somebody
// is asked something, the status is not shown.
type screen struct {
	tty *os.File // where the status is drawn

	mu    sync.Mutex
	line  string // the status; "": none
	shown bool
	open  bool // what was written last did not end its line
	asked int  // questions that wait for an answer
}

// newScreen makes a screen of the terminal that f is.
func newScreen(f *os.File) *screen { return &screen{tty: f} }

// screenWriter writes to a terminal above the status.
type screenWriter struct {
	screen *screen
	inner  io.Writer
}

// Unwrap gives what is written to.
func (w *screenWriter) Unwrap() io.Writer { return w.inner }

// writer makes w write above the status, if it is a terminal.
func (sc *screen) writer(s *session, w io.Writer) io.Writer {
	if s.isTerminal(w) {
		return &screenWriter{sc, w}
	}
	return w
}

// Write implements io.Writer.
func (w *screenWriter) Write(p []byte) (int, error) {
	sc := w.screen
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.erase()
	n, err := w.inner.Write(p)
	if n > 0 {
		sc.open = p[n-1] != '\n'
	}
	sc.draw()
	return n, err
}

// set shows a status, "" none. It has to fit into one line.
func (sc *screen) set(line string) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if line == sc.line && sc.shown {
		return
	}
	sc.erase()
	sc.line = line
	sc.draw()
}

// ask hides the status until the returned function is called: somebody is asked something.
func (sc *screen) ask() (answered func()) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.erase()
	sc.asked++
	return func() {
		sc.mu.Lock()
		defer sc.mu.Unlock()
		sc.asked--
		sc.open = false // the answer ended the line
		sc.draw()
	}
}

// With sc.mu held.
func (sc *screen) erase() {
	if sc.shown {
		_, _ = io.WriteString(sc.tty, "\r\x1b[2K") // a terminal that is gone is nobody's loss
		sc.shown = false
	}
}

// With sc.mu held.
func (sc *screen) draw() {
	if sc.line != "" && !sc.open && !sc.shown && sc.asked == 0 {
		_, _ = io.WriteString(sc.tty, sc.line)
		sc.shown = true
	}
}
