package cli

import (
	"context"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// keys are the keys that somebody types at a running worker. The terminal gives them one by one and does not show them, while nobody is asked
// for a line and the process is in the foreground; ^C stays a signal.
type keys struct {
	typed chan byte
	fd    int // -1: there is no terminal to type at
	done  sync.WaitGroup
	stop  context.CancelFunc

	mu     sync.Mutex
	before *unix.Termios // as it was, while keys are read one by one
	asked  int           // questions that wait for a line
}

// keyPoll is how long a look for a key takes.
const keyPoll = 100 * time.Millisecond

// readKeys reads keys until ctx ends or close is called.
func readKeys(ctx context.Context, stdin io.Reader) *keys {
	k := &keys{typed: make(chan byte), fd: -1}
	ctx, k.stop = context.WithCancel(ctx)
	if f, ok := stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		k.fd = int(f.Fd())
		k.done.Go(func() { k.read(ctx) })
	}
	return k
}

// works tells whether there is a terminal to type at.
func (k *keys) works() bool { return k.fd >= 0 }

func (k *keys) read(ctx context.Context) {
	for ctx.Err() == nil {
		if !k.one() {
			select {
			case <-time.After(keyPoll):
			case <-ctx.Done():
			}
			continue
		}
		ready := []unix.PollFd{{Fd: int32(k.fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(ready, int(keyPoll/time.Millisecond)); n <= 0 || err != nil || ready[0].Revents&unix.POLLIN == 0 {
			continue
		}
		if b, ok := k.take(); ok {
			select {
			case k.typed <- b:
			case <-ctx.Done():
			}
		}
	}
}

// take reads a key, unless somebody has been asked for a line meanwhile.
func (k *keys) take() (byte, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var b [1]byte
	if k.before == nil {
		return 0, false
	}
	n, err := unix.Read(k.fd, b[:])
	return b[0], n == 1 && err == nil
}

// one makes the terminal give keys one by one; false: it may not be touched now.
func (k *keys) one() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.asked > 0 || !foreground(k.fd) {
		return false
	}
	now, err := unix.IoctlGetTermios(k.fd, termiosGet)
	if err != nil {
		return false
	}
	if now.Lflag&unix.ICANON == 0 && k.before != nil {
		return true
	}
	// at first, and after somebody else (a shell, after ^Z and fg) has set it
	before := *now
	now.Lflag &^= unix.ICANON | unix.ECHO
	now.Cc[unix.VMIN], now.Cc[unix.VTIME] = 1, 0
	if unix.IoctlSetTermios(k.fd, termiosSet, now) != nil {
		return false
	}
	k.before = &before
	return true
}

// restore gives the terminal back as it was; with k.mu held.
func (k *keys) restore() {
	if k.before != nil && foreground(k.fd) {
		_ = unix.IoctlSetTermios(k.fd, termiosSet, k.before)
	}
	k.before = nil
}

// ask lets somebody read lines from the terminal until the returned function is called.
func (k *keys) ask() (answered func()) {
	if k == nil || k.fd < 0 {
		return func() {}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked++
	k.restore()
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.asked--
	}
}

// close gives the terminal back.
func (k *keys) close() {
	k.stop()
	k.done.Wait()
	if k.fd >= 0 {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.asked++ // for good
		k.restore()
	}
}

// foreground tells whether the process may read from the terminal and set it: one in the background is stopped when it tries.
func foreground(fd int) bool {
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
