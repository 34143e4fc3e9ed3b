// Package table is keyed state: what an agent's events write, one shard per partition, with its changelog. It knows neither Lua nor Kafka: keys are
// bytes, values know theirs; the worker carries changelog records to and fro.
package table

import (
	"errors"

	"faust/runtime/topic"
)

// Definition is a table as declared. It is data; the worker opens its shards.
type Definition struct {
	Name       string
	Help       string
	Place      string // file:line of the declaration
	Key, Value string // type names, for lists
	Form       string // how keys and values are written: state of another form cannot be read
	Default    string // as written, for lists
	Agents     []string
	Sources    []string          // topics of these agents: shard p has the state of partition p of each
	Sets       bool              // a key has members instead of a value: an entry is one of them
	Anywhere   bool              // a key may be written in any partition: state that is local by intent
	Global     bool              // every worker has all partitions, to read; one agent writes it
	Hash       topic.Partitioner // of the sources: which partition a key belongs to
	Windows    *Windows          // nil: a key has one value
	Changelog  topic.Topic
	Numbers    Numbers // what Shard.Add adds; nil: nothing can be added
}

// Value is what a key has, in the form of whoever wrote it. It is immutable, since its bytes may be asked for at any time on any goroutine, and
// comparable.
type Value interface {
	// Append appends the value's bytes.
	Append(to []byte) []byte
	// Size is about how much memory it takes, in bytes.
	Size() int
}

// Stored is a Value that is its bytes: what was read from disk. They are not changed.
type Stored struct{ Bytes []byte }

// Append implements Value.
func (s *Stored) Append(to []byte) []byte { return append(to, s.Bytes...) }

// Size implements Value.
func (s *Stored) Size() int { return len(s.Bytes) }

// ErrBusy is the error of a write to a key that another event wrote which is not settled yet.
var ErrBusy = errors.New("another event, which is not settled yet, has written it")

// ErrClosed is the error of a write to a window that closes or is closed.
var ErrClosed = errors.New("the window is closed")

// Store has the shard as of the last checkpoint. Its methods may be called from any goroutine.
type Store interface {
	// Get gives the value of a key; it belongs to the caller.
	Get(key []byte) (value []byte, ok bool, err error)
	// Each calls f with the keys from the given one on, in order, as of one moment, until f gives false. The slices are valid during f.
	Each(from []byte, f func(key, value []byte) bool) error
}

// Effects are the writes of the events in hand: they count from Settle on, and Undo takes them back. One goroutine at a time uses them.
type Effects struct{ writes []written }

// written is one key that the events in hand changed.
type written struct {
	shard *Shard
	entry *entry
}

// maxKept bounds the memory that settled events leave behind for the next.
const maxKept = 1024

// Settle makes the writes count.
func (e *Effects) Settle() { e.end((*Shard).settle) }

// Undo takes the writes back.
func (e *Effects) Undo() { e.end((*Shard).undo) }

// Len is how many keys the events in hand have changed.
func (e *Effects) Len() int { return len(e.writes) }

func (e *Effects) end(how func(*Shard, *entry)) {
	var locked *Shard
	for _, w := range e.writes {
		if w.shard != locked {
			if locked != nil {
				locked.mu.Unlock()
			}
			locked = w.shard
			locked.mu.Lock()
		}
		how(w.shard, w.entry)
	}
	if locked != nil {
		locked.mu.Unlock()
	}
	if cap(e.writes) > maxKept {
		e.writes = nil
		return
	}
	clear(e.writes)
	e.writes = e.writes[:0]
}
