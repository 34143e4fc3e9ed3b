package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"github.com/google/uuid"
)

// maxSlots is how many workers of an app one data directory serves.
const maxSlots = 1000

// slot is a worker's own folder in the data directory: <datadir>/<id>/<slot>/. Its lock tells whether the worker lives.
type slot struct {
	name string
	dir  string
	lock *os.File

	mu    sync.Mutex
	state slotState
}

// slotState is what the slot's file keeps.
type slotState struct {
	UUID   string `json:"uuid"`             // of the slot, for ever
	Member string `json:"member,omitempty"` // member id of the worker that has the slot; left behind by one that died
}

// openSlot takes the first slot that is free.
func openSlot(datadir, id string) (*slot, error) {
	for i := range maxSlots {
		s := &slot{name: strconv.Itoa(i), dir: filepath.Join(datadir, id, strconv.Itoa(i))}
		taken, err := s.take()
		if err != nil {
			return nil, fmt.Errorf("open data directory: %w", err)
		}
		if !taken {
			return s, nil
		}
	}
	return nil, fmt.Errorf("open data directory: all %d slots of %s are taken", maxSlots, filepath.Join(datadir, id))
}

func (s *slot) take() (taken bool, err error) {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return false, err
	}
	f, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return false, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		f.Close()
		return true, nil
	}
	if err == nil {
		err = s.read()
	}
	if err != nil {
		f.Close()
		return false, err
	}
	s.lock = f
	return false, nil
}

func (s *slot) file() string { return filepath.Join(s.dir, "worker.json") }

func (s *slot) read() error {
	text, err := os.ReadFile(s.file())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if json.Unmarshal(text, &s.state) != nil || s.state.UUID == "" {
		// new, or torn by a crash of the machine: what it knew is of use only for a quick restart
		s.state = slotState{UUID: uuid.NewString()}
		return s.write()
	}
	return nil
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
