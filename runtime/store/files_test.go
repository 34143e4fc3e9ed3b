package store

import (
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// crashable is files in memory as a crash at any moment would leave them. Its Link takes a lock twice that a copy, asked for in between, keeps it from
// taking again: so no copy is made while there is one.
type crashable struct {
	*vfs.MemFS
	links sync.Mutex
}

func (c *crashable) Link(old, name string) error {
	c.links.Lock()
	defer c.links.Unlock()
	return c.MemFS.Link(old, name)
}

// crash gives what a crash now leaves.
func (c *crashable) crash(r *rand.Rand) vfs.FS {
	c.links.Lock()
	defer c.links.Unlock()
	return c.MemFS.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(101), RNG: r})
}

// hooked is files of which hook is told before each change; an error of it is that of the change.
type hooked struct {
	vfs.FS
	hook func(op, name string) error
}

// file gives a file that something made which may be refused.
func (f hooked) file(op, name string, open func() (vfs.File, error)) (vfs.File, error) {
	if err := f.hook(op, name); err != nil {
		return nil, err
	}
	file, err := open()
	return &hookedFile{file, f.hook, name}, err
}

func (f hooked) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.file("create", name, func() (vfs.File, error) { return f.FS.Create(name, c) })
}

func (f hooked) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.file("create", name, func() (vfs.File, error) { return f.FS.ReuseForWrite(old, name, c) })
}

func (f hooked) Rename(old, name string) error {
	if err := f.hook("rename", name); err != nil {
		return err
	}
	return f.FS.Rename(old, name)
}

func (f hooked) Link(old, name string) error {
	if err := f.hook("link", name); err != nil {
		return err
	}
	return f.FS.Link(old, name)
}

func (f hooked) Remove(name string) error {
	if err := f.hook("remove", name); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

type hookedFile struct {
	vfs.File
	hook func(op, name string) error
	name string
}

func (f *hookedFile) Write(b []byte) (int, error) {
	if err := f.hook("write", f.name); err != nil {
		return 0, err
	}
	return f.File.Write(b)
}

func (f *hookedFile) Sync() error {
	if err := f.hook("sync", f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *hookedFile) SyncData() error {
	if err := f.hook("sync", f.name); err != nil {
		return err
	}
	return f.File.SyncData()
}

// brokenFS refuses to change files whose names have a part, once armed. They can be removed.
type brokenFS struct {
	hooked
	part  string
	op    string // the operation that fails; empty: all
	armed atomic.Bool
}

func newBroken(part, op string) *brokenFS {
	f := &brokenFS{part: part, op: op}
	f.hooked = hooked{vfs.NewMem(), f.err}
	return f
}

func (f *brokenFS) err(op, name string) error {
	if f.armed.Load() && strings.Contains(filepath.Base(name), f.part) && op != "remove" && (f.op == "" || f.op == op) {
		return &fs.PathError{Op: op, Path: name, Err: syscall.ENOSPC}
	}
	return nil
}
