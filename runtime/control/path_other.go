//go:build !linux

package control

import "fmt"

// maxPath is the longest path that the address of a socket has room for.
const maxPath = 103

// shorten gives a name of path that a socket's address has room for.
func shorten(path string) (short string, release func(), err error) {
	if len(path) > maxPath {
		return "", nil, fmt.Errorf("the path has %d bytes, the system allows %d: choose a shorter --datadir", len(path), maxPath)
	}
	return path, func() {}, nil
}
