package worker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"faust/runtime/store"
)

// Slots are the slots of a group in a data directory, held so that no worker takes one of them.
type Slots struct {
	group string
	dir   string
	list  []*slot
}

// InUseError: a worker runs in a slot.
type InUseError struct {
	Group, Slot, Datadir string
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("worker %s of %s runs with data directory %s", e.Slot, e.Group, e.Datadir)
}

// HoldSlots takes the slots that a group has in a data directory; none if it has none. *InUseError: a worker has one of them.
func HoldSlots(datadir, group string) (*Slots, error) {
	s := &Slots{group: group, dir: filepath.Join(datadir, group)}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return s, nil
		}
		return nil, &DatadirError{err}
	}
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err != nil || n < 0 || n >= maxSlots || strconv.Itoa(n) != e.Name() {
			continue // not of ours
		}
		one := &slot{name: e.Name(), dir: filepath.Join(s.dir, e.Name())}
		if _, err := os.Stat(filepath.Join(one.dir, lockFile)); err != nil {
			continue
		}
		taken, err := one.take()
		if err == nil && taken {
			err = &InUseError{Group: group, Slot: one.name, Datadir: datadir}
		} else if err != nil {
			err = &DatadirError{err}
		}
		if err != nil {
			s.Close()
			return nil, err
		}
		s.list = append(s.list, one)
	}
	return s, nil
}

// Close gives the slots back. Idempotent.
func (s *Slots) Close() {
	for _, one := range s.list {
		one.close()
	}
	s.list = nil
}

// Left gives the member ids of workers that died in the slots and did not leave the group.
func (s *Slots) Left() (members []string) {
	for _, one := range s.list {
		if m := one.member(); m != "" {
			members = append(members, m)
		}
	}
	return members
}

// States are the folders in which the slots keep tables.
func (s *Slots) States() (folders []string) {
	for _, one := range s.list {
		dir := filepath.Join(one.dir, tablesFolder)
		if _, err := os.Lstat(dir); err == nil {
			folders = append(folders, dir)
		}
	}
	return folders
}

// Folders are the slots themselves.
func (s *Slots) Folders() (folders []string) {
	for _, one := range s.list {
		folders = append(folders, one.dir)
	}
	return folders
}

// Tables names the tables of which the slots have something. What cannot be read is left out.
func (s *Slots) Tables() (names []string) {
	for _, dir := range s.States() {
		kept, err := store.Open(dir, store.Config{})
		if err != nil {
			continue
		}
		shards, _ := kept.Shards()
		for _, id := range shards {
			if !strings.HasPrefix(id.Table, "\x00") { // else it is of the worker's own
				names = append(names, id.Table)
			}
		}
		_ = kept.Close()
	}
	slices.Sort(names)
	return slices.Compact(names)
}
