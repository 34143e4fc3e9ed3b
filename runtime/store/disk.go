package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
)

// Config of a store on disk. The zero value works.
type Config struct {
	Cache int64        // bytes of blocks of files kept in memory; 0: 8 MiB
	Log   *slog.Logger // gets what Pebble says of itself, at debug; nil: nobody does
}

// disk is a store in a Pebble database.
type disk struct {
	dir    string // as given
	real   string // its one true name
	life   life
	gate   *gate
	db     *pebble.DB
	limits loadLimits
	table  sstable.WriterOptions // of files that loads make
	files  atomic.Int64          // of loads, so far
	mu     sync.Mutex            // one Apply at a time
	once   func() error          // shut, once
}

// maxBatch keeps a batch below what Pebble takes in one.
const maxBatch = 2 << 30

func (d *disk) Get(s Shard, key []byte) ([]byte, bool, error) {
	v, ok, err := d.get(appendEntry(make([]byte, 0, 128), s, key))
	if err != nil {
		return nil, false, d.error("get of", s, err)
	}
	return v, ok, nil
}

func (d *disk) Position(s Shard) (p Position, ok bool, err error) {
	v, ok, err := d.get(appendPosition(nil, s))
	if ok {
		p, err = readPosition(v)
	}
	if err != nil {
		return Position{}, false, d.error("position of", s, err)
	}
	return p, ok, nil
}

// point makes a lookup ask the filters of the last level too, which Pebble's own Get does not: most of the data is there, and a key that is new would
// cost the reading of a block.
var point = pebble.IterOptions{UseL6Filters: true}

func (d *disk) get(key []byte) (value []byte, ok bool, err error) {
	if err := d.life.enter(); err != nil {
		return nil, false, err
	}
	defer d.life.leave()
	err = d.guard(func() error {
		it, err := d.db.NewIter(&point)
		if err != nil {
			return err
		}
		if it.SeekPrefixGE(key) { // a key's prefix is all of it
			var v []byte
			if v, err = it.ValueAndErr(); err == nil {
				value, ok = append([]byte{}, v...), true
			}
		}
		if closing := it.Close(); err == nil {
			err = closing
		}
		return err
	})
	return value, ok && err == nil, err
}

func (d *disk) Each(s Shard, key []byte, f func(key, value []byte) error) error {
	if err := d.life.enter(); err != nil {
		return err
	}
	defer d.life.leave()
	from, to := bounds(s, key)
	c, err := d.open(from, to)
	if err != nil {
		return d.error("read", s, err)
	}
	defer c.close()
	skip := len(from) - len(key)
	for c.next() {
		if d.life.ended() {
			return d.life.why()
		}
		if err := f(c.key[skip:], c.value); err != nil {
			return err
		}
	}
	if c.err != nil {
		return d.error("read", s, c.err)
	}
	return nil
}

func (d *disk) Shards() ([]Shard, error) {
	if err := d.life.enter(); err != nil {
		return nil, err
	}
	defer d.life.leave()
	c, err := d.open([]byte{shardKey}, []byte{shardKey + 1})
	if err != nil {
		return nil, fmt.Errorf("store %s: list shards: %w", d.dir, plain(err))
	}
	defer c.close()
	var all []Shard
	for c.next() {
		s, err := readShard(c.key)
		if err != nil {
			return nil, fmt.Errorf("store %s: list shards: key %q: %w", d.dir, c.key, err)
		}
		all = append(all, s)
		c.seek = after(appendShard(nil, s))
	}
	if c.err != nil {
		return nil, fmt.Errorf("store %s: list shards: %w", d.dir, plain(c.err))
	}
	return all, nil
}

func (d *disk) Apply(b *Batch) error {
	if b.Len() == 0 {
		return d.life.why()
	}
	if b.Bytes() > maxBatch {
		return fmt.Errorf("store %s: batch of %d bytes: at most %d", d.dir, b.Bytes(), maxBatch)
	}
	if err := d.life.enter(); err != nil {
		return err
	}
	defer d.life.leave()
	d.mu.Lock()
	defer d.mu.Unlock()
	to := d.db.NewBatchWithSize(b.Bytes() + b.Len()*8)
	if err := d.guard(func() error { return b.each(writeTo(to)) }); err != nil {
		return d.fail(err)
	}
	return d.await(func() error {
		if err := to.Commit(pebble.Sync); err != nil {
			return err
		}
		return to.Close()
	})
}

func writeTo(to *pebble.Batch) func(kind byte, key, value []byte) error {
	return func(kind byte, key, value []byte) error {
		switch kind {
		case opSet:
			return to.Set(key, value, nil)
		case opDelete:
			return to.Delete(key, nil)
		}
		return to.DeleteRange(key, after(bytes.Clone(key)), nil)
	}
}

func (d *disk) Bytes() int64 {
	if d.life.enter() != nil {
		return 0
	}
	defer d.life.leave()
	var m *pebble.Metrics
	if d.await(func() error { m = d.db.Metrics(); return nil }) != nil { // it waits for the manifest to be written
		return 0
	}
	log := max(m.WAL.Size, m.WAL.PhysicalSize) // the file's size is looked up when it is made
	return int64(m.DiskSpaceUsage() - m.WAL.PhysicalSize + log)
}

func (d *disk) Close() error { return d.once() }

// shut is Close, once. A failed store is left behind: its goroutines may hold each other's locks.
func (d *disk) shut() error {
	d.life.close(fmt.Errorf("store %s: %w", d.dir, ErrClosed))
	var err error
	if !d.life.broken() {
		d.life.running.Wait()
		err = d.await(d.db.Close)
	}
	return errors.Join(err, d.gate.shut())
}

func (d *disk) error(op string, s Shard, err error) error {
	if d.life.why() != nil {
		return d.life.why()
	}
	return fmt.Errorf("store %s: %s table %q partition %d: %w", d.dir, op, s.Table, s.Partition, plain(err))
}

// cursor goes through keys as of the moment it was opened.
type cursor struct {
	d          *disk
	it         *pebble.Iterator
	step       func() error
	seek       []byte // where next goes on, instead of the next key
	key, value []byte
	ok         bool
	err        error
}

func (d *disk) open(from, to []byte) (*cursor, error) {
	c := &cursor{d: d, seek: from}
	c.step = c.move
	err := d.guard(func() (err error) {
		c.it, err = d.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
		return err
	})
	return c, err
}

// next goes to the next entry; false at the end and after an error.
func (c *cursor) next() bool {
	c.err = c.d.guard(c.step)
	return c.ok && c.err == nil
}

func (c *cursor) move() (err error) {
	if c.seek != nil {
		c.ok = c.it.SeekGE(c.seek)
		c.seek = nil
	} else {
		c.ok = c.it.Next()
	}
	if !c.ok {
		return c.it.Error()
	}
	c.key = c.it.Key()
	c.value, err = c.it.ValueAndErr()
	return err
}

func (c *cursor) close() { _ = c.d.guard(c.it.Close) }
