package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// gate is the file system of a store that runs: a change of the disk that fails ends the store and never returns to Pebble, which would end the
// process over it (see failure.go). After shut no change returns and none is made, so that whatever a failed store has left running does no harm to
// who opens the directory next.
type gate struct {
	vfs.FS
	fail    func(error) error
	scratch string // a directory that has nothing in it when the lock is taken, and when it is given back
	mu      sync.RWMutex
	strict  bool // errors end the store; before, while it is being opened, Pebble returns them
	closed  bool
	lock    io.Closer
}

// change makes one change of the disk.
func (g *gate) change(f func() error) error {
	g.mu.RLock()
	strict, closed, err := g.strict, g.closed, error(nil)
	if !closed {
		err = f()
	}
	g.mu.RUnlock()
	if err != nil && strict {
		_ = g.fail(err)
	}
	if closed || err != nil && strict {
		select {} // for ever
	}
	return err
}

// try is change for one that may fail, since Pebble goes on without it.
func (g *gate) try(f func() error) (err error) {
	_ = g.change(func() error {
		err = f()
		return nil
	})
	return err
}

// opened ends the opening.
func (g *gate) opened() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.strict = true
}

// shut waits for changes under way, lets no more through, and gives back the lock.
func (g *gate) shut() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	return g.unlock()
}

func (g *gate) unlock() error {
	if g.lock == nil {
		return nil
	}
	_ = g.FS.RemoveAll(g.scratch) // or whoever opens it next does
	err := g.lock.Close()
	g.lock = nil
	return err
}

func (g *gate) Unwrap() vfs.FS { return g.FS }

// Lock is called once, by Pebble, before it writes anything; it closes what it gets or leaves that to shut. What a process that died has left in scratch is removed
// first, since there may be no room for anything else.
func (g *gate) Lock(name string) (io.Closer, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	lock, err := g.FS.Lock(name)
	if disk := (*fs.PathError)(nil); errors.As(err, &disk) {
		return nil, err // there is no lock file to be had
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w (%w)", name, ErrLocked, err)
	}
	if err := g.FS.RemoveAll(g.scratch); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	g.lock = lock
	return unlocker{g}, nil
}

type unlocker struct{ g *gate }

func (u unlocker) Close() error {
	u.g.mu.Lock()
	defer u.g.mu.Unlock()
	return u.g.unlock()
}

func (g *gate) file(open func() (vfs.File, error)) (f vfs.File, err error) {
	err = g.change(func() error {
		f, err = open()
		return err
	})
	if err != nil {
		return nil, err
	}
	return &gateFile{File: f, g: g}, nil
}

func (g *gate) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.file(func() (vfs.File, error) { return g.FS.Create(name, c) })
}

func (g *gate) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return g.file(func() (vfs.File, error) { return g.FS.OpenReadWrite(name, c, opts...) })
}

func (g *gate) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.file(func() (vfs.File, error) { return g.FS.ReuseForWrite(old, name, c) })
}

// OpenDir is for syncing: what was created and renamed is durable only then.
func (g *gate) OpenDir(name string) (vfs.File, error) {
	return g.file(func() (vfs.File, error) { return g.FS.OpenDir(name) })
}

func (g *gate) Link(old, name string) error {
	return g.try(func() error { return g.FS.Link(old, name) })
}

func (g *gate) Remove(name string) error {
	return g.try(func() error { return g.FS.Remove(name) })
}

func (g *gate) RemoveAll(name string) error {
	return g.try(func() error { return g.FS.RemoveAll(name) })
}

func (g *gate) Rename(old, name string) error {
	return g.change(func() error { return g.FS.Rename(old, name) })
}

func (g *gate) MkdirAll(dir string, perm os.FileMode) error {
	return g.try(func() error { return g.FS.MkdirAll(dir, perm) })
}

// gateFile is a file opened for writing, or a directory.
type gateFile struct {
	vfs.File
	g *gate
}

func (f *gateFile) Write(b []byte) (n int, err error) {
	err = f.g.change(func() error {
		n, err = f.File.Write(b)
		return err
	})
	return n, err
}

func (f *gateFile) WriteAt(b []byte, at int64) (n int, err error) {
	err = f.g.change(func() error {
		n, err = f.File.WriteAt(b, at)
		return err
	})
	return n, err
}

func (f *gateFile) Preallocate(at, n int64) error {
	return f.g.try(func() error { return f.File.Preallocate(at, n) })
}

func (f *gateFile) Sync() error { return f.g.change(f.File.Sync) }

func (f *gateFile) SyncData() error { return f.g.change(f.File.SyncData) }

func (f *gateFile) SyncTo(n int64) (full bool, err error) {
	err = f.g.change(func() error {
		full, err = f.File.SyncTo(n)
		return err
	})
	return full, err
}
