//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package module

import "golang.org/x/sys/unix"

// silence ends the echo of a terminal.
func silence(fd int) error {
	state, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return err
	}
	state.Lflag &^= unix.ECHO
	return unix.IoctlSetTermios(fd, setTermios, state)
}
