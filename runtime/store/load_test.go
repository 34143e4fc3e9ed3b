package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"faust/tests/seed"
)

// smallLoad has runs and files of few changes.
var smallLoad = loadLimits{memory: 2000, full: 20_000, small: 0, table: 3000}

// loaded fills a load that says i everywhere. Of two keys one is there at odd i only, the other at even ones.
func loaded(l Load, i int64) {
	filler := bytes.Repeat([]byte{byte(i)}, 100)
	for _, of := range []int64{i - 2, i} { // the earlier one is covered
		for k := range 60 {
			l.Set(orders, fmt.Append(nil, k), fmt.Appendf(filler[:100:100], "=%d", of))
		}
	}
	l.Set(orders, fmt.Append(nil, "odd or even", i%2), fmt.Appendf(nil, "=%d", i))
	l.Delete(orders, fmt.Append(nil, "odd or even", (i+1)%2))
	l.Delete(orders, fmt.Append(nil, 59))
	l.Position(orders, Position{Offset: i})
	l.Position(order1, Position{Offset: i})
}

// testLoad: what a load was given is there once it is committed, not before, and it can go on then.
func testLoad(t *testing.T, e engine) {
	s := e.open(t)
	defer s.Close()
	l := s.Load()
	must(t, l.Commit())
	for i := range int64(4) {
		loaded(l, i+1)
		if n := number(t, s); n != i {
			t.Errorf("before commit %d the store is at %d", i+1, n)
		}
		must(t, l.Commit())
		if n := number(t, s); n != i+1 {
			t.Errorf("after commit %d the store is at %d", i+1, n)
		}
	}
	loaded(l, 9)
	l.Close()
	if n := number(t, s); n != 4 {
		t.Errorf("after the load was closed the store is at %d", n)
	}
	l.Set(orders, nil, nil)
	if err := l.Commit(); !errors.Is(err, ErrClosed) || !l.Full() {
		t.Errorf("commit of a closed load: %v", err)
	}
}

// testLoadFull: a load is full some time, and takes all the same what comes.
func testLoadFull(t *testing.T, e engine) {
	s := e.open(t)
	defer s.Close()
	if d, ok := s.(*disk); ok {
		d.limits = smallLoad
	}
	l := s.Load()
	defer l.Close()
	n, big := 0, bytes.Repeat([]byte("x"), 100_000)
	for ; !l.Full(); n++ {
		l.Set(orders, fmt.Append(nil, n), big)
	}
	l.Set(orders, fmt.Append(nil, n), big)
	must(t, l.Commit())
	if l.Full() {
		t.Error("full after the commit")
	}
	if got := len(keysOf(t, s, orders, "")); got != n+1 {
		t.Errorf("%d of %d keys", got, n+1)
	}
}

// TestLoadOfLargeValues: what a commit takes of memory does not grow with the values.
func TestLoadOfLargeValues(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	defer s.Close()
	s.(*disk).limits = loadLimits{memory: 1, full: 1 << 30, table: 2 << 20}
	l := s.Load()
	defer l.Close()
	want := map[string][]byte{}
	for i := range 40 {
		key, value := fmt.Sprint(i%30), append(noise(100), make([]byte, 1<<18+i)...)
		l.Set(orders, []byte(key), value)
		want[key] = value
	}
	l.Delete(orders, []byte("7"))
	delete(want, "7")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := l.(*diskLoad).merge()
	must(t, err)
	runtime.ReadMemStats(&after)
	m.close()
	if n := after.TotalAlloc - before.TotalAlloc; n > 6<<20 {
		t.Errorf("%d bytes for %d values", n, len(want))
	}
	must(t, l.Commit())
	must(t, s.Each(orders, nil, func(k, v []byte) error {
		if !bytes.Equal(v, want[string(k)]) {
			t.Errorf("%s has another value", k)
		}
		delete(want, string(k))
		return nil
	}))
	if len(want) > 0 {
		t.Errorf("%d are missing", len(want))
	}
}

// TestLoadCrash: a machine that crashes while loads are committed has all of those that were, and each one whole or not at all. Files of loads are not left.
func TestLoadCrash(t *testing.T) { testCrash(t, loading) }

// loading has a store numbered by loads, and by batches in between.
func loading(s Store) func(i int64) error {
	s.(*disk).limits = smallLoad
	l := s.Load()
	return func(i int64) error {
		if i%7 == 0 {
			var b Batch
			numbered(&b, i)
			return s.Apply(&b)
		}
		loaded(l, i)
		return l.Commit()
	}
}

// TestLoadFullDisk: whichever file of a load cannot be written, the load gives the error, nothing else ends, and a later Open finds what was committed.
func TestLoadFullDisk(t *testing.T) {
	for _, part := range []string{"", ".run", ".sst", "MANIFEST"} {
		for _, op := range []string{"", "create", "write", "sync"} {
			if part == "MANIFEST" && op == "create" || part == ".run" && op == "sync" {
				continue // never comes
			}
			t.Run(part+"/"+op, func(t *testing.T) {
				broken := newBroken(part, op)
				must(t, broken.MkdirAll("state", 0o755))
				s, err := open("state", "state", Config{}, broken)
				must(t, err)
				s.(*disk).limits = smallLoad
				l := s.Load()
				loaded(l, 1)
				must(t, l.Commit())
				var others sync.WaitGroup
				others.Go(func() { // is under way, or waits for its turn, when the load fails
					for err := error(nil); err == nil; {
						var b Batch
						b.Set(totals, []byte("k"), nil)
						err = s.Apply(&b)
					}
				})
				others.Go(func() {
					for s.Bytes() > 0 {
					}
				})
				broken.armed.Store(true)
				loaded(l, 2)
				err = l.Commit()
				others.Wait()
				if !errors.Is(err, syscall.ENOSPC) || !l.Full() {
					t.Errorf("load: %v", err)
				}
				l.Close()
				var b Batch
				numbered(&b, 3)
				if later := s.Apply(&b); later == nil || later.Error() != err.Error() {
					t.Errorf("batch after it: %v", later)
				}
				must(t, s.Close())
				nothingLeft(t, broken)
				broken.armed.Store(false)
				crashed(t, broken, 1, 2)
			})
		}
	}
}

// nothingLeft fails if there are files of loads in the directory that crash tests have their store in.
func nothingLeft(t *testing.T, files vfs.FS) {
	t.Helper()
	if left, err := files.List(files.PathJoin("state", loadDir)); len(left) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left: %q, %v", left, err)
	}
}

// TestLoadFilledDisk: what a load of a process that died has left of the disk is given back before anything else needs room there.
func TestLoadFilledDisk(t *testing.T) {
	mem := vfs.NewMem()
	dir := mem.PathJoin("state", loadDir)
	must(t, mem.MkdirAll(dir, 0o755))
	f, err := mem.Create(mem.PathJoin(dir, "1.run"), vfs.WriteCategoryUnspecified)
	must(t, err)
	must(t, f.Close())
	s, err := open("state", "state", Config{}, hooked{mem, func(op, name string) error {
		if left, _ := mem.List(dir); len(left) > 0 {
			return &fs.PathError{Op: op, Path: name, Err: syscall.ENOSPC}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, mem)
	must(t, s.Close())
}

// TestLoadOfFailedStore: a load of a store that fails meanwhile ends at once, and what it was doing gets in nobody's way.
func TestLoadOfFailedStore(t *testing.T) {
	for name, end := range map[string]func(l Load) error{
		"commit": Load.Commit,
		"close":  func(l Load) error { l.Close(); return l.Commit() },
	} {
		t.Run(name, func(t *testing.T) {
			reached, resume := make(chan struct{}), make(chan struct{})
			files := hooked{vfs.NewMem(), func(op, name string) error {
				if op == "remove" && strings.HasSuffix(name, ".run") {
					reached <- struct{}{}
					<-resume
				}
				return nil
			}}
			must(t, files.MkdirAll("state", 0o755))
			s, err := open("state", "state", Config{}, files)
			must(t, err)
			d := s.(*disk)
			d.limits = loadLimits{memory: 10_000, full: 1 << 20, table: 3000}
			l := s.Load()
			loaded(l, 1)
			ended := make(chan error)
			go func() { ended <- end(l) }()
			<-reached
			failed := d.fail(syscall.EIO)
			if err := <-ended; err == nil || err.Error() != failed.Error() {
				t.Errorf("%v", err)
			}
			close(resume)
			l.Set(orders, nil, nil)
			if !l.Full() {
				t.Error("takes more")
			}
			l.Close()
			if l.(*diskLoad).page == nil {
				t.Error("its memory is another's, and it may be still at it")
			}
			must(t, s.Close())
		})
	}
}

// TestLoadDamage: what the disk gives back of a load in another form is an error, and nothing of the load is there.
func TestLoadDamage(t *testing.T) {
	r := rand.New(rand.NewPCG(seed.Of(t), 0))
	for _, cut := range []bool{false, true, false, true, false} {
		dir := t.TempDir()
		s := mustOpen(t, dir)
		s.(*disk).limits = smallLoad
		l := s.Load()
		loaded(l, 1)
		runs, err := filepath.Glob(filepath.Join(dir, loadDir, "*.run"))
		must(t, err)
		edit(t, runs[r.IntN(len(runs))], func(b []byte) []byte {
			at := r.IntN(len(b))
			if cut {
				return b[:at]
			}
			b[at] ^= byte(1 + r.IntN(255))
			return b
		})
		if err := l.Commit(); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("commit: %v", err)
		}
		l.Close()
		must(t, s.Close())
		s = mustOpen(t, dir)
		if n := number(t, s); n != 0 {
			t.Errorf("the store is at %d", n)
		}
		left, err := filepath.Glob(filepath.Join(dir, loadDir, "*"))
		if must(t, err); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
		must(t, s.Close())
	}
}

// testLoadClosed: a load of a store that is closed says so.
func testLoadClosed(t *testing.T, e engine) {
	s := e.open(t)
	if d, ok := s.(*disk); ok {
		d.limits = smallLoad
	}
	l := s.Load()
	loaded(l, 1)
	must(t, s.Close())
	loaded(l, 2)
	if err := l.Commit(); !errors.Is(err, ErrClosed) {
		t.Errorf("commit: %v", err)
	}
	l.Close()
	l.Close()
	if d, ok := s.(*disk); ok {
		if left, err := os.ReadDir(filepath.Join(d.dir, loadDir)); len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
}
