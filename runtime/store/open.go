package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

// pebbleFormat is the newest of Pebble's own format that we know to be stable: it notices damage in the middle of its log, and in the footers of files.
const pebbleFormat = pebble.FormatTableFormatV6

const (
	defaultCache = 8 << 20
	memTable     = 4 << 20
	memTables    = 2 // at most: one that takes writes, one on its way to the disk
)

// Open opens the store in dir, and makes it if there is none. It is ErrLocked if somebody has it open, a *FormatError if another version wrote it,
// and otherwise says what the disk said.
func Open(dir string, cfg Config) (Store, error) {
	real, err := resolve(dir)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	return open(dir, real, cfg, vfs.Default)
}

// resolve makes the directory and gives its one true name: the lock only notices this process under the same name.
func resolve(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	return filepath.Abs(real)
}

func open(dir, real string, cfg Config, files vfs.FS) (Store, error) {
	d := &disk{dir: dir, real: real, life: newLife(), limits: usualLoad}
	d.gate = &gate{FS: files, fail: d.fail, scratch: files.PathJoin(real, loadDir)}
	d.once = sync.OnceValue(d.shut)
	err := d.start(cfg)
	if err == nil {
		return d, nil
	}
	if d.db == nil {
		_ = d.fail(err) // Pebble may hang half-way
	}
	_ = d.Close()
	if format := (*FormatError)(nil); errors.As(err, &format) {
		return nil, format
	}
	if f := (*failure)(nil); errors.As(err, &f) {
		err = f.cause
	}
	return nil, fmt.Errorf("open store %s: %w", dir, plain(err))
}

// start opens the database. Pebble compacts while it opens, and waits for that: so it may fail without an end.
func (d *disk) start(cfg Config) error {
	if err := d.newer(d.real); err != nil {
		return err
	}
	o := d.options(cfg)
	o.EnsureDefaults()
	d.table = o.MakeWriterOptions(len(o.Levels)-1, pebbleFormat.MaxTableFormat())
	d.table.WritingToLowestLevel = false // they may have to go above others, and deletions count there
	opened := make(chan *pebble.DB, 1)
	err := d.await(func() error {
		db, err := pebble.Open(d.real, o)
		opened <- db
		return err
	})
	if err != nil {
		return err
	}
	d.db = <-opened
	d.gate.opened()
	return d.format()
}

func (d *disk) options(cfg Config) *pebble.Options {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Cache == 0 {
		cfg.Cache = defaultCache
	}
	l := logger{d: d, log: cfg.Log}
	o := &pebble.Options{
		FS:                          d.gate,
		FormatMajorVersion:          pebbleFormat,
		CacheSize:                   cfg.Cache + memTables*memTable, // Pebble takes its memtables from the cache's size
		MemTableSize:                memTable,
		MemTableStopWritesThreshold: memTables,
		LBaseMaxBytes:               64 << 20,
		L0CompactionThreshold:       4,
		MaxOpenFiles:                256,
		Logger:                      l,
		EventListener:               l.listener(),
	}
	o.TargetFileSizes[0] = 4 << 20
	o.Levels[0].FilterPolicy = bloom.FilterPolicy(10)
	return o
}

// newer refuses a database that a newer Pebble wrote, before ours says so in its own way.
func (d *disk) newer(dir string) error {
	value, err := atomicfs.ReadMarker(d.gate.FS, dir, "format-version")
	if value == "" || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if v, err := strconv.Atoi(value); err == nil && v > int(pebbleFormat) {
		return &FormatError{Dir: d.dir, Found: "pebble " + value, Expected: fmt.Sprintf("pebble %03d", int(pebbleFormat))}
	}
	return nil
}

// format compares the version on disk, and writes ours into a new database.
func (d *disk) format() error {
	found, ok, err := d.get([]byte{formatKey})
	if err != nil {
		return err
	}
	if ok {
		return d.expect(string(found))
	}
	c, err := d.open([]byte{0}, []byte{0xff})
	if err != nil {
		return err
	}
	defer c.close()
	if c.next() {
		return d.expect("unknown")
	}
	if c.err != nil {
		return c.err
	}
	return d.await(func() error { return d.db.Set([]byte{formatKey}, []byte(formatVersion), pebble.Sync) })
}

func (d *disk) expect(found string) error {
	if found != formatVersion {
		return &FormatError{Dir: d.dir, Found: strconv.Quote(found), Expected: strconv.Quote(formatVersion)}
	}
	return nil
}
