package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"faust/tests/seed"
)

// TestKill: a process that is killed before any change it makes of the disk, while it loads, leaves all that it committed, and each commit whole or not at all.
// Whoever comes next goes on from there and finds nothing else.
func TestKill(t *testing.T) {
	kills := 20
	if testing.Short() {
		kills = 5
	}
	r := rand.New(rand.NewPCG(seed.Of(t), 0))
	dir := t.TempDir()
	must(t, mustOpen(t, dir).Close())
	at := int64(0)
	for range kills {
		n := 1 + r.IntN(400)
		last := killed(t, dir, n, at)
		left, _ := os.ReadDir(filepath.Join(dir, loadDir))
		s := mustOpen(t, dir)
		found := number(t, s)
		t.Logf("killed at change %d: committed %d, found %d, %d files of loads", n, last, found, len(left))
		if found != last && found != last+1 {
			t.Errorf("committed %d, found %d", last, found)
		}
		must(t, s.Close())
		unused(t, dir)
		if at = found; t.Failed() {
			return
		}
	}
}

// killed has a process of its own load into a store that is at from, until it dies before its nth change of the disk; it gives the last number that this said was committed.
func killed(t *testing.T, dir string, n int, from int64) int64 {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "STORE_DIR="+dir, "STORE_KILL="+strconv.Itoa(n))
	out, err := cmd.Output()
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("%v: %s", err, out)
	}
	for line := range bytes.Lines(out) {
		number, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64)
		if must(t, err); number != from+1 {
			t.Errorf("commit %d after %d", number, from)
		}
		from = number
	}
	return from
}

// mortal is the program of a child that loads, and says what is committed, until it dies before its nth change of the disk.
func mortal(dir, nth string) error {
	n, err := strconv.ParseInt(nth, 10, 64)
	if err != nil {
		return err
	}
	var changes atomic.Int64
	s, err := open(dir, dir, Config{}, hooked{vfs.Default, func(string, string) error {
		if changes.Add(1) < n {
			return nil
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}})
	if err != nil {
		return err
	}
	p, _, err := s.Position(orders)
	if err != nil {
		return err
	}
	next := loading(s)
	for i := p.Offset + 1; err == nil; i++ {
		if err = next(i); err == nil {
			fmt.Println(i)
		}
	}
	return err
}

// unused fails if a directory has files that its store, which is closed, does not need.
func unused(t *testing.T, dir string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, loadDir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("files of loads are left: %v", err)
	}
	db, err := pebble.Open(dir, &pebble.Options{ReadOnly: true, FormatMajorVersion: pebbleFormat, Logger: logger{&disk{}, slog.New(slog.DiscardHandler)}})
	if err != nil {
		t.Fatal(err)
	}
	levels, err := db.SSTables()
	must(t, err)
	want := []string{}
	for _, level := range levels {
		for _, table := range level {
			want = append(want, filepath.Join(dir, fmt.Sprintf("%06d.sst", uint64(table.FileNum))))
		}
	}
	must(t, db.Close())
	got, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	must(t, err)
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("files %q, the store needs %q", got, want)
	}
}
