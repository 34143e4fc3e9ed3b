package control

import (
	"fmt"
	"os"
	"path/filepath"
)

// maxPath is the longest path that the address of a socket has room for.
const maxPath = 107

// shorten gives a name of path that a socket's address has room for, valid until release is called: through the descriptor of its folder.
func shorten(path string) (short string, release func(), err error) {
	if len(path) <= maxPath {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), func() { dir.Close() }, nil
}
