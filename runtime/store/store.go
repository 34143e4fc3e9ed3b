// Package store has the bytes of tables: the entries of every shard a worker holds, and how far each shard has taken in its changelog. Open keeps
// them in a directory, NewMemory in memory; both behave alike. It knows no Kafka and no table: keys and values are bytes. It imports nothing of
// ours, and Pebble is used nowhere else.
package store

import (
	"errors"
	"fmt"
	"time"
)

// Shard names one partition of one table. A table's name may have any bytes.
type Shard struct {
	Table     string
	Partition int32
}

// Position is how far a shard has taken in its changelog: all records below Offset of the topic with this id, at Time. Fence is where the latest writer whose
// records were taken began. Time is an instant: a store gives it back in UTC.
type Position struct {
	Topic  [16]byte
	Offset int64
	Fence  int64
	Time   time.Time
}

// Store has the data of shards. All methods may be called by any goroutine, at the same time, also from the function given to Each.
//
// What is read is what batches applied so far have set. A Get that runs beside an Apply may see the batch before Apply returns.
//
// The first failed write of a store on disk, a full disk for example, is its end: that Apply, and every call after it, give that error, and the
// process goes on. What was applied before is there when the store is opened again.
type Store interface {
	// Get gives the value of a key. The value is the caller's.
	Get(s Shard, key []byte) (value []byte, ok bool, err error)
	// Each calls f for the entries of a shard from a key on, in order of keys and as of one moment: what is applied meanwhile does
	// not show. The slices are valid until f returns and must not be changed. An error of f ends it and is returned as it is; Close ends it with
	// ErrClosed.
	Each(s Shard, from []byte, f func(key, value []byte) error) error
	// Position gives what the last batch said of the shard.
	Position(s Shard) (p Position, ok bool, err error)
	// Shards gives those that have a position or data, ordered by table and partition.
	Shards() ([]Shard, error)
	// Apply makes all of the batch true or nothing of it, and returns when that survives a crash of the machine. Batches are applied one after the
	// other. The batch is not kept and may be used again.
	Apply(b *Batch) error
	// Load begins a batch that may be larger than what memory has room for.
	Load() Load
	// Bytes is about what the store takes, on disk or in memory; 0 for one that is closed or failed.
	Bytes() int64
	// Close waits for running calls and frees what the store holds; every call after it gives ErrClosed. It must not be called from Each's function.
	// A second Close waits for the first and gives the same error.
	Close() error
}

// Load is for very many changes: it takes them as a Batch does, in memory of a bounded size, and whatever it is given at once is cheaper than the same as batches. Two
// loads, or a load and a batch, must not change the same keys at the same time. It belongs to one goroutine at a time.
type Load interface {
	Set(s Shard, key, value []byte)
	Delete(s Shard, key []byte)
	Position(s Shard, p Position)
	// Full says that it is time for Commit: until then nothing of it can be read, and all of it is lost in a crash.
	Full() bool
	// Commit makes all that was taken since the last one true, or nothing of it, and returns when that survives a crash of the machine. An error ends the load.
	Commit() error
	// Close drops what was not committed. It must be called.
	Close()
}

// Errors of Open and of a store that is closed; they come wrapped.
var (
	ErrClosed = errors.New("store is closed")
	ErrLocked = errors.New("in use: another process, or another part of this one, has it open")
)

// formatVersion is the layout of keys and values on disk (see layout.go). It changes when they do, and when pebbleFormat does.
const formatVersion = "1"

// FormatError says that a directory was written in a format that this version does not read.
type FormatError struct {
	Dir             string
	Found, Expected string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("open store %s: it has format %s, this version reads format %s", e.Dir, e.Found, e.Expected)
}
