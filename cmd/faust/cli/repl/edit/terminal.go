package edit

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Terminal is where a person types and sees.
type Terminal interface {
	io.ReadWriter
	// Size gives the columns and rows.
	Size() (columns, rows int)
	// Raw has keys come as they are pressed, until restore is called.
	Raw() (restore func(), err error)
}

// Console is the terminal of two files.
type Console struct {
	In, Out *os.File
}

// Read implements Terminal.
func (c Console) Read(p []byte) (int, error) { return c.In.Read(p) }

// Write implements Terminal.
func (c Console) Write(p []byte) (int, error) { return c.Out.Write(p) }

// Size implements Terminal.
func (c Console) Size() (columns, rows int) {
	columns, rows, err := term.GetSize(int(c.Out.Fd()))
	if err != nil || columns <= 0 || rows <= 0 {
		return 80, 24
	}
	return columns, rows
}

// Raw implements Terminal.
func (c Console) Raw() (func(), error) {
	fd := int(c.In.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return nil, err
	}
	return func() { _ = term.Restore(fd, before) }, nil
}
