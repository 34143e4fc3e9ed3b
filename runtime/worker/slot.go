package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/google/uuid"
)

// maxSlots is how many workers of an app one data directory serves.
const maxSlots = 1000

// slotFile is where a slot keeps its state.
const slotFile = "worker.json"

// lockFile is what a worker locks of its slot, tablesFolder where it keeps its tables.
const (
	lockFile     = "lock"
	tablesFolder = "tables"
)

// DatadirError: the worker cannot use the data directory.
type DatadirError struct{ Err error }

func (e *DatadirError) Error() string { return "open data directory: " + e.Err.Error() }
func (e *DatadirError) Unwrap() error { return e.Err }

// slot is a worker's own folder in the data directory: <datadir>/<id>/<slot>/. Its lock tells whether the worker lives.
type slot struct {
	name   string
	dir    string
	lock   *os.File
	copied bool // the folder is a copy of another worker's

	mu    sync.Mutex
	state slotState
}

// slotState is what the slot's file keeps.
type slotState struct {
	UUID   string `json:"uuid"`             // of the slot, for ever
	Inode  uint64 `json:"inode,omitempty"`  // of its lock: another one in a copy of the folder; 0: not noted yet
	Member string `json:"member,omitempty"` // member id of the worker that has the slot; left behind by one that died
}

// openSlot takes the first slot that is free.
func openSlot(datadir, id string) (*slot, error) {
	for i := range maxSlots {
		s := &slot{name: strconv.Itoa(i), dir: filepath.Join(datadir, id, strconv.Itoa(i))}
		taken, err := s.take()
		if err != nil {
			return nil, &DatadirError{err}
		}
		if !taken {
			return s, nil
		}
	}
	return nil, fmt.Errorf("open data directory: all %d slots of %s are taken", maxSlots, filepath.Join(datadir, id))
}

// maxTakes is how often a slot may be deleted while it is being taken.
const maxTakes = 100

// take takes the slot unless somebody has it. A lock counts only if its file is still the slot's: the folder may be deleted, and made anew by another worker, meanwhile.
func (s *slot) take() (taken bool, err error) {
	for range maxTakes {
		if err = os.MkdirAll(s.dir, 0o755); errors.Is(err, fs.ErrExist) {
			continue // it was there, and was deleted while that was looked at
		}
		if err != nil {
			return false, err
		}
		if taken, err = s.tryTake(); !errors.Is(err, fs.ErrNotExist) {
			return taken, err
		}
	}
	return false, err
}

// tryTake is take of a folder that is there; fs.ErrNotExist: it is there no more.
func (s *slot) tryTake() (taken bool, err error) {
	f, err := os.OpenFile(filepath.Join(s.dir, lockFile), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return false, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		f.Close()
		return true, nil
	}
	if err == nil {
		err = s.owns(f)
	}
	if err == nil {
		err = s.read(inode(f))
	}
	if err != nil {
		f.Close()
		return false, err
	}
	s.lock = f
	return false, nil
}

// owns is fs.ErrNotExist if f is not the slot's lock any more.
func (s *slot) owns(f *os.File) error {
	here, err := os.Stat(f.Name())
	if err != nil {
		return err
	}
	locked, err := f.Stat()
	if err == nil && !os.SameFile(here, locked) {
		err = fs.ErrNotExist
	}
	return err
}

func (s *slot) file() string { return filepath.Join(s.dir, slotFile) }

// read reads the slot's file. In a copy of the folder it is not the slot's: two workers of one identity would end each other's transactions, and membership, again and again.
func (s *slot) read(inode uint64) error {
	text, err := os.ReadFile(s.file())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	known := json.Unmarshal(text, &s.state) == nil && s.state.UUID != ""
	switch {
	case known && s.state.Inode == inode:
		return nil
	case known && s.state.Inode == 0:
		s.state.Inode = inode
	default: // new, or torn by a crash of the machine, or copied: what it knew is of use only for a quick restart
		s.copied = known
		s.state = slotState{UUID: uuid.NewString(), Inode: inode}
	}
	return s.write()
}

// inode tells a file from copies of it; 0: that is not known here.
func inode(f *os.File) uint64 {
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		return sys.Ino
	}
	return 0
}

// write replaces the file at once.
func (s *slot) write() error {
	text, err := json.Marshal(s.state)
	if err != nil {
		return err
	}
	next := s.file() + ".new"
	if err := os.WriteFile(next, append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(next, s.file())
}

// member is the member id that was kept last; "" if that member left.
func (s *slot) member() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Member
}

// keep remembers the member id of the worker.
func (s *slot) keep(member string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Member == member {
		return nil
	}
	s.state.Member = member
	if err := s.write(); err != nil {
		return fmt.Errorf("keep member id: %w", err)
	}
	return nil
}

// close gives the slot back.
func (s *slot) close() { s.lock.Close() }

// LeftBehind gives the member ids that are kept in the slots of a group, and the slot of each: of workers that run, and of those that died and did not
// leave the group.
func LeftBehind(datadir, group string) map[string]string {
	members := map[string]string{}
	files, _ := filepath.Glob(filepath.Join(escapeGlob(filepath.Join(datadir, group)), "*", slotFile)) // the pattern is well-formed
	for _, file := range files {
		var s slotState
		if text, err := os.ReadFile(file); err == nil && json.Unmarshal(text, &s) == nil && s.Member != "" {
			members[s.Member] = filepath.Base(filepath.Dir(file))
		}
	}
	return members
}

// escapeGlob makes a pattern that only path matches.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}
