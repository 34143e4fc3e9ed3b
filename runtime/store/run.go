package store

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"slices"
	"strconv"

	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// loadDir has the files of loads, below the directory of the store. They are of use to their load only.
const loadDir = "load"

// runBuffer is what writing a run, and reading it, takes of memory.
const runBuffer = 64 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errRun says that a run is not read as it was written.
var errRun = errors.New("a file of a load is damaged")

// loadFile makes a file for a load.
func (d *disk) loadFile(kind string) (string, vfs.File, error) {
	if err := d.gate.MkdirAll(d.gate.scratch, 0o755); err != nil {
		return "", nil, err
	}
	name := d.gate.PathJoin(d.gate.scratch, strconv.FormatInt(d.files.Add(1), 10)+kind)
	f, err := d.gate.Create(name, vfs.WriteCategoryUnspecified)
	return name, f, err
}

// run is a file with changes in order of their keys. It outlives no crash, so it is not synced.
type run struct {
	d    *disk
	name string
	size int
	sum  uint32
	last []byte // key
}

// newRun writes a sorted page.
func (d *disk) newRun(p *page) (*run, error) {
	name, f, err := d.loadFile(".run")
	if err != nil {
		return nil, err
	}
	r := &run{d: d, name: name, last: bytes.Clone(p.last())}
	sum := crc32.New(castagnoli)
	w := bufio.NewWriterSize(io.MultiWriter(sum, f), runBuffer) // in this order: a file may change what it is given
	for _, at := range p.index {
		raw := p.raw(at)
		r.size += len(raw)
		_, _ = w.Write(raw) // an error comes again
	}
	err = w.Flush()
	r.sum = sum.Sum32()
	return r, errors.Join(err, f.Close())
}

func (r *run) remove() { _ = r.d.gate.Remove(r.name) }

// open begins to read the run.
func (r *run) open() (source, error) {
	f, err := r.d.gate.Open(r.name, vfs.SequentialReadsOption)
	if err != nil {
		return nil, err
	}
	sum := crc32.New(castagnoli)
	return &runReader{run: r, file: f, sum: sum, from: bufio.NewReaderSize(io.TeeReader(f, sum), runBuffer)}, nil
}

// runReader gives the changes of a run. It has in memory what its buffer has and a key: values may be large, and runs are many.
type runReader struct {
	run  *run
	file vfs.File
	sum  hash.Hash32
	from *bufio.Reader
	key  []byte
	left int // of the value, which was not given yet
}

func (r *runReader) next() (c change, ok bool, err error) {
	if _, err := r.from.Discard(r.left); err != nil {
		return change{}, false, damage(err)
	}
	r.left = 0
	b, err := r.from.Peek(maxLengths)
	if len(b) == 0 && errors.Is(err, io.EOF) {
		if r.sum.Sum32() != r.run.sum {
			err = errRun
		} else {
			err = nil
		}
		return change{}, false, err
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return change{}, false, err
	}
	key, value, end, set := lengths(b)
	if key == 0 || value < key || end < value || end > r.run.size {
		return change{}, false, errRun
	}
	_, _ = r.from.Discard(key) // these were seen
	r.key = slices.Grow(r.key[:0], value-key)[:value-key]
	if _, err := io.ReadFull(r.from, r.key); err != nil {
		return change{}, false, damage(err)
	}
	r.left = end - value
	return change{key: r.key, set: set}, true, nil
}

func (r *runReader) value(to []byte) ([]byte, error) {
	n := len(to)
	to = slices.Grow(to, r.left)[:n+r.left]
	r.left = 0
	if _, err := io.ReadFull(r.from, to[n:]); err != nil {
		return nil, damage(err)
	}
	return to, nil
}

// damage is what it means that reading a run fails: it does not end in the middle of a change.
func damage(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errRun
	}
	return err
}

func (r *runReader) close() { _ = r.file.Close() }

// tables are files as the database has them, each with larger keys than the one before.
type tables struct {
	d     *disk
	names []string
	w     *sstable.Writer // of the last one; nil: it is complete
	size  int             // of the last one
}

func (t *tables) add(c change) error {
	if t.size >= t.d.limits.table {
		if err := t.end(); err != nil {
			return err
		}
	}
	if t.w == nil {
		name, f, err := t.d.loadFile(".sst")
		if err != nil {
			return err
		}
		t.names = append(t.names, name)
		t.w = sstable.NewWriter(objstorageprovider.NewFileWritable(f), t.d.table)
	}
	t.size += len(c.key) + len(c.value)
	if c.set {
		return t.w.Set(c.key, c.value)
	}
	return t.w.Delete(c.key)
}

// end completes the last file.
func (t *tables) end() error {
	if t.w == nil {
		return nil
	}
	w := t.w
	t.w, t.size = nil, 0
	return w.Close()
}

// ingest gives the files to the database.
func (t *tables) ingest() error {
	if err := t.end(); err != nil || len(t.names) == 0 {
		return err
	}
	if err := t.d.db.Ingest(context.Background(), t.names); err != nil {
		return fmt.Errorf("take in a load: %w", err)
	}
	return nil
}

// close removes what the database has not taken, and the second names of what it has.
func (t *tables) close() {
	_ = t.end()
	for _, name := range t.names {
		_ = t.d.gate.Remove(name)
	}
}
