package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// SocketName is the worker's socket in the folder of its slot.
const SocketName = "control.sock"

// Listen makes the socket in the folder of a slot: only its owner can connect. What a dead worker left behind is replaced; the caller holds the lock of
// the slot. Closing the listener removes the socket.
func Listen(dir string) (net.Listener, error) {
	l, err := listen(dir)
	if err != nil {
		return nil, fmt.Errorf("make socket %s: %w", filepath.Join(dir, SocketName), err)
	}
	return l, nil
}

// listen binds inside a folder that nobody else may enter, so that the socket is never seen with rights that it should not have.
func listen(dir string) (net.Listener, error) {
	private := filepath.Join(dir, SocketName+".new")
	if err := os.RemoveAll(private); err != nil {
		return nil, err
	}
	if err := os.Mkdir(private, 0o700); err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(private) }()
	l, err := bind(filepath.Join(private, "s"))
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it goes by another name
	s := &socket{UnixListener: l, path: filepath.Join(dir, SocketName)}
	err = os.Chmod(filepath.Join(private, "s"), 0o600)
	if err == nil {
		err = os.Rename(filepath.Join(private, "s"), s.path)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return s, nil
}

func bind(path string) (*net.UnixListener, error) {
	short, release, err := shorten(path)
	if err != nil {
		return nil, err
	}
	defer release()
	return net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
}

// socket is a listener that removes its file.
type socket struct {
	*net.UnixListener
	path string
	once sync.Once
	err  error
}

// Close removes the socket and closes it. Idempotent.
func (s *socket) Close() error {
	s.once.Do(func() { s.err = errors.Join(os.Remove(s.path), s.UnixListener.Close()) })
	return s.err
}

// connect opens a connection to a socket, however long its path is.
func connect(ctx context.Context, path string) (net.Conn, error) {
	short, release, err := shorten(path)
	if err != nil {
		return nil, err
	}
	defer release()
	return (&net.Dialer{}).DialContext(ctx, "unix", short)
}
