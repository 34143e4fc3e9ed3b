package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"faust/tests/seed"
)

// TestCrash: a machine that crashes while batches are applied has all of those that were acknowledged, and each one whole or not at all.
func TestCrash(t *testing.T) {
	testCrash(t, func(s Store) func(i int64) error {
		return func(i int64) error {
			var b Batch
			numbered(&b, i)
			return s.Apply(&b)
		}
	})
}

// testCrash has a store numbered by what begin gives, one after the other, and looks at what crashes leave.
func testCrash(t *testing.T, begin func(s Store) func(i int64) error) {
	r := rand.New(rand.NewPCG(seed.Of(t), 0))
	mem := &crashable{MemFS: vfs.NewCrashableMem()}
	must(t, mem.MkdirAll("state", 0o755))
	s, err := open("state", "state", Config{}, mem)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var begun, done atomic.Int64
	crashes := make(chan func(), 100)
	stop := make(chan struct{})
	go func() {
		defer close(crashes)
		defer close(stop)
		for range 30 {
			low := done.Load()
			clone := mem.crash(r)
			high := begun.Load()
			crashes <- func() { crashed(t, clone, low, high) }
		}
	}()
	next := begin(s)
	for i := int64(1); !isClosed(stop); i++ {
		begun.Store(i)
		must(t, next(i))
		done.Store(i)
	}
	for check := range crashes {
		check()
	}
}

// numbered fills a batch that says i everywhere; every tenth is larger than a memtable.
func numbered(b *Batch, i int64) {
	b.Wipe(orders)
	size := 100
	if i%10 == 0 {
		size = memTable / 50
	}
	filler := bytes.Repeat([]byte{byte(i)}, size)
	for k := range 60 {
		b.Set(orders, fmt.Append(nil, k), fmt.Appendf(filler[:len(filler):len(filler)], "=%d", i))
	}
	b.Position(orders, Position{Offset: i})
	b.Position(order1, Position{Offset: i})
}

// number says which batch a store has, and fails if it has parts of several.
func number(t *testing.T, s Store) int64 {
	t.Helper()
	a, _, err := s.Position(orders)
	must(t, err)
	b, _, err := s.Position(order1)
	must(t, err)
	n := 0
	must(t, s.Each(orders, nil, func(k, v []byte) error {
		if n++; !bytes.HasSuffix(v, fmt.Appendf(nil, "=%d", a.Offset)) {
			return fmt.Errorf("%s has %s, the position %d", k, v[max(0, len(v)-10):], a.Offset)
		}
		return nil
	}))
	if a != b || n != 60 && a.Offset > 0 {
		t.Errorf("positions %d and %d, %d entries", a.Offset, b.Offset, n)
	}
	return a.Offset
}

func crashed(t *testing.T, disk vfs.FS, low, high int64) {
	t.Helper()
	s, err := open("state", "state", Config{}, disk)
	if err != nil {
		t.Error(err)
		return
	}
	defer s.Close()
	if i := number(t, s); i < low || i > high {
		t.Errorf("batch %d after a crash; acknowledged %d, begun %d", i, low, high)
	}
}

func TestOpenMakesTheDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := mustOpen(t, dir)
	must(t, s.Close())
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	defer s.Close()
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(dir, link))
	t.Chdir(filepath.Dir(dir))
	for _, name := range []string{dir, dir + "/.", link, filepath.Base(dir)} {
		other, err := Open(name, Config{})
		if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), name) {
			t.Errorf("Open(%s) = %v, %v", name, other, err)
		}
	}
	out, err := child(t, dir, false)
	if err == nil || !strings.Contains(out, ErrLocked.Error()) || !strings.Contains(out, dir) {
		t.Errorf("from another process: %v, %s", err, out)
	}
	apply(t, s, func(b *Batch) { b.Set(orders, nil, nil) })
}

// TestRights: a directory that must not be written, seen by a process that is not root.
func TestRights(t *testing.T) {
	dir := t.TempDir()
	for p := dir; len(p) > 1; p = filepath.Dir(p) {
		if strings.HasPrefix(p, os.TempDir()+"/") {
			must(t, os.Chmod(p, 0o755))
		}
	}
	must(t, mustOpen(t, filepath.Join(dir, "old")).Close())
	must(t, os.Mkdir(filepath.Join(dir, "empty"), 0o555))
	if os.Getuid() != 0 { // the process is of whoever owns all this
		for _, own := range []string{dir, filepath.Join(dir, "old")} {
			must(t, os.Chmod(own, 0o555))
			t.Cleanup(func() { must(t, os.Chmod(own, 0o755)) })
		}
	}
	for _, name := range []string{"old", "empty", "new"} {
		path := filepath.Join(dir, name)
		out, err := child(t, path, true)
		if err == nil || !strings.Contains(out, "permission denied") || !strings.Contains(out, path) || strings.Contains(out, "in use") {
			t.Errorf("%v, %s", err, out)
		}
	}
}

// child opens a store in a process of its own, which may be one without root's rights.
func child(t *testing.T, dir string, nobody bool) (string, error) {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "test")
	path, err := os.Executable()
	must(t, err)
	self, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(exe, self, 0o755))
	must(t, os.Chmod(filepath.Dir(exe), 0o755))
	must(t, os.Chmod(filepath.Dir(filepath.Dir(exe)), 0o755))
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "STORE_DIR="+dir)
	cmd.Dir = "/"
	if nobody && os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestMain is also the program of a child, which opens the store and closes it, or makes loads in between.
func TestMain(m *testing.M) {
	dir := os.Getenv("STORE_DIR")
	if dir == "" {
		os.Exit(m.Run())
	}
	var err error
	if at := os.Getenv("STORE_KILL"); at != "" {
		err = mortal(dir, at)
	} else if s, failed := Open(dir, Config{}); failed == nil {
		err = s.Close()
	} else {
		err = failed
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func TestNotADirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	for _, path := range []string{file, filepath.Join(file, "below")} {
		s, err := Open(path, Config{})
		if !errors.Is(err, syscall.ENOTDIR) || !strings.Contains(err.Error(), path) {
			t.Errorf("Open(%s) = %v, %v", path, s, err)
		}
	}
}

func TestFormat(t *testing.T) {
	write := func(key, value string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			db, err := pebble.Open(dir, &pebble.Options{FormatMajorVersion: pebbleFormat, Logger: logger{&disk{}, slog.New(slog.DiscardHandler)}})
			must(t, err)
			must(t, db.Set([]byte(key), []byte(value), pebble.Sync))
			must(t, db.Close())
		}
	}
	for name, c := range map[string]struct {
		prepare         func(t *testing.T, dir string)
		found, expected string
	}{
		"newer":   {write("f", "2"), `"2"`, `"1"`},
		"garbage": {write("f", "\x00"), `"\x00"`, `"1"`},
		"none":    {write("other", "x"), `"unknown"`, `"1"`},
		"pebble": {func(t *testing.T, dir string) {
			must(t, mustOpen(t, dir).Close())
			old, err := filepath.Glob(filepath.Join(dir, "marker.format-version.*"))
			if len(old) != 1 || err != nil {
				t.Fatal(old, err)
			}
			must(t, os.Rename(old[0], filepath.Join(dir, "marker.format-version.000099.099")))
		}, "pebble 099", fmt.Sprintf("pebble %03d", pebbleFormat)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c.prepare(t, dir)
			for range 2 {
				s, err := Open(dir, Config{})
				want := FormatError{Dir: dir, Found: c.found, Expected: c.expected}
				if got := (*FormatError)(nil); !errors.As(err, &got) || *got != want {
					t.Errorf("Open = %v, %v", s, err)
				}
			}
		})
	}
}

// TestFullDisk: whichever file cannot be written, Apply gives the error, nothing else ends, and a later Open finds what was acknowledged.
func TestFullDisk(t *testing.T) {
	for _, part := range []string{"", ".log", ".sst", "MANIFEST"} {
		for _, op := range []string{"", "create", "write", "sync"} {
			if part == "MANIFEST" && op == "create" {
				continue // is made when the store is opened
			}
			t.Run(part+"/"+op, func(t *testing.T) { testFullDisk(t, part, op) })
		}
	}
}

func testFullDisk(t *testing.T, part, op string) {
	disk := newBroken(part, op)
	must(t, disk.MkdirAll("state", 0o755))
	s, err := open("state", "state", Config{}, disk)
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	i := int64(1)
	for ; i < 300 && failed == nil; i++ {
		if i == 15 {
			disk.armed.Store(true)
		}
		var b Batch
		numbered(&b, i)
		failed = s.Apply(&b)
	}
	if i < 15 || !errors.Is(failed, syscall.ENOSPC) || !strings.Contains(failed.Error(), "state") {
		t.Fatalf("batch %d: %v", i, failed)
	}
	t.Logf("batch %d: %v", i, failed)
	var b Batch
	numbered(&b, 1)
	_, _, get := s.Get(orders, nil)
	for _, err := range []error{s.Apply(&b), s.Apply(new(Batch)), get, s.Each(orders, nil, nil)} {
		if err == nil || err.Error() != failed.Error() {
			t.Errorf("later: %v", err)
		}
	}
	must(t, s.Close())
	must(t, s.Close())
	disk.armed.Store(false)
	crashed(t, disk, i-2, i-1)
}

// TestFullDiskAtOpen: a store that cannot be made says so and leaves no lock.
func TestFullDiskAtOpen(t *testing.T) {
	for _, part := range []string{"", ".log", "MANIFEST", "temporary"} {
		for _, op := range []string{"", "write", "sync"} {
			disk := newBroken(part, op)
			must(t, disk.MkdirAll("state", 0o755))
			disk.armed.Store(true)
			_, err := open("state", "state", Config{}, disk)
			if !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), "open store state: ") || strings.Contains(err.Error(), "store state: failed") {
				t.Errorf("%s %s: %v", part, op, err)
			}
			disk.armed.Store(false)
			s, err := open("state", "state", Config{}, disk)
			if err != nil {
				t.Errorf("%s %s, with room again: %v", part, op, err)
				continue
			}
			must(t, s.Close())
		}
	}
}

// TestDamage: a changed byte in any file gives errors that name the store, or does no harm; never a panic, and never entries that nobody set.
func TestDamage(t *testing.T) {
	good := t.TempDir()
	s := mustOpen(t, good)
	for i := range int64(damagedBatches) {
		apply(t, s, func(b *Batch) { numbered(b, i+1) })
	}
	must(t, s.Close())
	r := rand.New(rand.NewPCG(seed.Of(t), 0))
	files, err := os.ReadDir(good)
	must(t, err)
	for _, f := range files {
		for range 4 {
			dir := t.TempDir()
			must(t, os.CopyFS(dir, os.DirFS(good)))
			at := 0
			edit(t, filepath.Join(dir, f.Name()), func(b []byte) []byte {
				if at = len(b); strings.HasSuffix(f.Name(), ".log") {
					at = 60_000 // what is behind is left from before
				}
				if at > 0 {
					at = r.IntN(at)
					b[at] ^= byte(1 + r.IntN(255))
				}
				return b
			})
			if err := damaged(t, dir); err != nil && (!strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("%s at %d: %v", f.Name(), at, err)
			} else {
				t.Logf("%s at %d: %v", f.Name(), at, err)
			}
		}
	}
}

// edit makes a file have what f makes of it.
func edit(t *testing.T, path string, f func([]byte) []byte) {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, f(content), 0o600))
}

// TestDamageAtOpen: damage that is found while the store is opened is told in one line.
func TestDamageAtOpen(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	must(t, s.(*disk).db.Flush())
	must(t, s.Close())
	files, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	must(t, err)
	for _, name := range files {
		edit(t, name, func(b []byte) []byte {
			b[10] ^= 1 // where the first entry is, that of the format
			return b
		})
	}
	_, err = Open(dir, Config{})
	t.Log(err)
	if err == nil || !strings.HasPrefix(err.Error(), "open store "+dir+": ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}

const damagedBatches = 18 // the tenth fills a memtable

// damaged uses a store until that has no part left which it has not read.
func damaged(t *testing.T, dir string) error {
	s, err := Open(dir, Config{})
	if err != nil {
		return err
	}
	defer s.Close()
	p, _, err := s.Position(orders)
	if err != nil {
		return err
	}
	if err := s.Each(orders, nil, func(k, v []byte) error {
		if !bytes.HasSuffix(v, fmt.Appendf(nil, "=%d", p.Offset)) {
			t.Errorf("%s: %s has %s, the position %d", dir, k, v[max(0, len(v)-10):], p.Offset)
		}
		return nil
	}); err != nil {
		return err
	}
	for i := range int64(9) {
		var b Batch
		numbered(&b, p.Offset+i+1)
		if err := s.Apply(&b); err != nil {
			return err
		}
	}
	if p.Offset != damagedBatches {
		return fmt.Errorf("store %s: is at batch %d", dir, p.Offset)
	}
	return nil
}

// TestLog: what Pebble says goes to the log, at debug.
func TestLog(t *testing.T) {
	var out bytes.Buffer
	s, err := Open(t.TempDir(), Config{Log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	must(t, err)
	must(t, s.Close())
	if !strings.Contains(out.String(), "level=DEBUG msg=pebble") || strings.Contains(out.String(), "level=INFO") {
		t.Errorf("log: %s", out.String())
	}
}
