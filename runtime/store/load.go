package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// loadLimits bound a load, in bytes of changes.
type loadLimits struct {
	memory int // that are in memory before they are sorted and go into a file
	full   int // after which it is full: what a crash may cost, and what its runs take of the disk, a commit as much again
	small  int // that a commit gives the database as a batch, since a file is not worth it
	table  int // of one file that is given to the database
}

var usualLoad = loadLimits{memory: 8 << 20, full: 256 << 20, small: 1 << 20, table: 32 << 20}

// diskLoad is a load of a store on disk. Changes are collected in memory; when that is full they are sorted and become a run, a file of its own. A commit
// merges the runs into files of the form that the database has, which takes them as they are: nothing passes through its log and its memory, and
// there is nothing to compact where it had nothing of that range before.
type diskLoad struct {
	d     *disk
	shard Shard
	begin []byte // what the keys of shard begin with; empty before the first change
	page  *page
	runs  []*run
	taken int   // bytes since the last commit
	err   error // why it ended; what is above may be in use then, by what a failed store has left running
}

func (d *disk) Load() Load { return &diskLoad{d: d, page: newPage()} }

func (l *diskLoad) Set(s Shard, key, value []byte) { l.change(s, entryTag, key, value, true) }

func (l *diskLoad) Delete(s Shard, key []byte) { l.change(s, entryTag, key, nil, false) }

func (l *diskLoad) Position(s Shard, p Position) {
	l.change(s, positionTag, nil, writePosition(p), true)
}

func (l *diskLoad) change(s Shard, tag byte, key, value []byte, set bool) {
	if l.err != nil {
		return
	}
	if s != l.shard || len(l.begin) == 0 {
		l.shard, l.begin = s, appendShard(l.begin[:0], s)
	}
	size := len(l.begin) + len(key) + len(value)
	if len(l.page.data) > 0 && len(l.page.data)+size > l.d.limits.memory {
		if l.err = l.work(l.spill); l.err != nil {
			return
		}
	}
	l.taken += size
	l.page.add(l.begin, tag, key, value, set)
}

func (l *diskLoad) Full() bool { return l.err != nil || l.taken >= l.d.limits.full }

func (l *diskLoad) Commit() error {
	if l.err != nil {
		return l.err
	}
	l.err = l.work(func() error {
		size := l.page.sort()
		for _, r := range l.runs {
			size += r.size
		}
		m, err := l.merge()
		if err != nil {
			return err
		}
		defer m.close()
		if size <= l.d.limits.small {
			err = l.batch(m, size)
		} else {
			err = l.ingest(m)
		}
		l.drop()
		return err
	})
	return l.err
}

func (l *diskLoad) Close() {
	if l.err != nil {
		return // whoever failed may be still at it
	}
	if l.err = l.work(func() error { l.drop(); return nil }); l.err != nil {
		return
	}
	l.page.free()
	l.page, l.err = nil, fmt.Errorf("load into store %s: %w", l.d.dir, ErrClosed)
}

// work runs f, which changes the disk. The end of the store is no failure of it.
func (l *diskLoad) work(f func() error) error {
	if err := l.d.life.enter(); err != nil {
		return err
	}
	defer l.d.life.leave()
	var closed error
	err := l.d.await(func() error {
		err := f()
		if errors.Is(err, ErrClosed) {
			closed, err = err, nil
		}
		return err
	})
	if err != nil {
		return err
	}
	return closed
}

// spill makes a run of what is in memory.
func (l *diskLoad) spill() error {
	l.page.sort()
	r, err := l.d.newRun(l.page)
	if err != nil {
		return err
	}
	l.runs = append(l.runs, r)
	l.page.reset()
	return nil
}

// drop forgets all that was taken.
func (l *diskLoad) drop() {
	for _, r := range l.runs {
		r.remove()
	}
	l.runs, l.taken = nil, 0
	l.page.reset()
}

// merge begins to give all changes in order of their keys.
func (l *diskLoad) merge() (*merge, error) {
	m := &merge{}
	for _, r := range l.runs {
		from, err := r.open()
		if err == nil {
			err = m.add(from)
		}
		if err != nil {
			m.close()
			return nil, err
		}
	}
	return m, m.add(l.page.all())
}

// batchRoom is what a batch takes beside its changes: its head, and what is asked for before the lengths of a change are known.
const batchRoom = 64

// batch gives the database few changes, which take this many bytes. An error of it is the end of the store.
func (l *diskLoad) batch(m *merge, size int) error {
	to := l.d.db.NewBatchWithSize(size + batchRoom)
	for m.next() {
		var err error
		if m.set {
			err = to.Set(m.key, m.value, nil)
		} else {
			err = to.Delete(m.key, nil)
		}
		if err != nil {
			return err
		}
	}
	if m.err != nil {
		return m.err
	}
	if err := to.Commit(pebble.Sync); err != nil {
		return err
	}
	return to.Close()
}

// ingest gives the database files, all of them at once.
func (l *diskLoad) ingest(m *merge) error {
	t := tables{d: l.d}
	defer t.close()
	deletes, err := l.covers(m)
	if err != nil {
		return err
	}
	for m.next() {
		if l.d.life.ended() {
			return l.d.life.why()
		}
		if !m.set && !deletes {
			continue
		}
		if err := t.add(m.change); err != nil {
			return err
		}
	}
	if m.err != nil {
		return m.err
	}
	return t.ingest()
}

// covers tells whether the database has something in the range of m, so that deletions matter.
func (l *diskLoad) covers(m *merge) (bool, error) {
	last := l.page.last()
	for _, r := range l.runs {
		if bytes.Compare(r.last, last) > 0 {
			last = r.last
		}
	}
	c, err := l.d.open(bytes.Clone(m.first()), append(bytes.Clone(last), 0))
	if err != nil {
		return false, err
	}
	defer c.close()
	some := c.next()
	return some, c.err
}
