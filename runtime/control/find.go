package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// dialTimeout is how long a socket may take to answer a connection.
const dialTimeout = 2 * time.Second

// Workers finds the workers that run with a data directory: those of a group (id, or id-vN), or with "" all, in order of group and slot. Sockets that dead workers
// left behind are passed over. The error tells of sockets that could not be opened for another reason; the others are given nevertheless. The
// caller closes the clients.
func Workers(ctx context.Context, datadir, group string) ([]*Client, error) {
	paths, err := sockets(datadir, group)
	if err != nil {
		return nil, fmt.Errorf("look for workers in %s: %w", datadir, err)
	}
	var found []*Client
	var problems []error
	for _, path := range paths {
		c, err := Dial(ctx, path)
		switch {
		case err == nil:
			found = append(found, c)
		case !errors.Is(err, ErrGone):
			problems = append(problems, err)
		}
	}
	return found, errors.Join(problems...)
}

// sockets lists the sockets of a data directory that are there, alive or dead.
func sockets(datadir, group string) ([]string, error) {
	groups := []string{group}
	if group == "" {
		var err error
		if groups, err = folders(datadir); err != nil {
			return nil, err
		}
	}
	var paths []string
	for _, g := range groups {
		slots, err := folders(filepath.Join(datadir, g))
		if err != nil {
			return nil, err
		}
		slots = slices.DeleteFunc(slots, func(s string) bool { _, err := strconv.Atoi(s); return err != nil })
		slices.SortFunc(slots, func(a, b string) int { x, _ := strconv.Atoi(a); y, _ := strconv.Atoi(b); return x - y })
		for _, s := range slots {
			path := filepath.Join(datadir, g, s, SocketName)
			if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
				paths = append(paths, path)
			}
		}
	}
	return paths, nil
}

// folders lists the folders in dir by name; none if dir is not there or no folder.
func folders(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		return nil, err
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Dial connects to the socket of a worker. ErrGone: nobody listens there any more.
func Dial(ctx context.Context, path string) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := connect(ctx, path)
	if err != nil {
		return nil, unreached("worker at "+path, err)
	}
	conn.Close()
	return socketClient(path), nil
}

// unreached is the error of a connection that could not be had.
func unreached(subject string, err error) error {
	for _, gone := range []error{syscall.ECONNREFUSED, fs.ErrNotExist, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, gone) {
			return fmt.Errorf("%s: %w", subject, ErrGone)
		}
	}
	if errors.Is(err, fs.ErrPermission) {
		return &Error{Text: subject + ": only the user who started it may do that", Hint: "run this as that user", kind: ErrForbidden}
	}
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return fmt.Errorf("%s: the host name is not known", subject)
	}
	return fmt.Errorf("%s: %w", subject, err)
}
