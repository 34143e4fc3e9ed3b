package cli

import (
	"errors"
	"io"
	"sync/atomic"
	"syscall"
)

// output is standard output. It remembers that something could not be written, so that not everybody who writes a line has to look.
type output struct {
	inner io.Writer
	lost  atomic.Pointer[error] // the first error
}

// Unwrap gives what is written to.
func (o *output) Unwrap() io.Writer { return o.inner }

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	n, err := o.inner.Write(p)
	if err != nil {
		o.lost.CompareAndSwap(nil, &err)
	}
	return n, err
}

// judge gives how a command ended that came to err: one whose output is lost has failed, unless its reader wanted no more of it.
func (o *output) judge(err error) error {
	lost := o.lost.Load()
	switch {
	case lost == nil:
		return err
	case errors.Is(*lost, syscall.EPIPE):
		if errors.Is(err, syscall.EPIPE) {
			return nil
		}
		return err
	case err == nil:
		return *lost
	}
	return err
}
