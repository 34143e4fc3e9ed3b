package store

import (
	"encoding/binary"
	"slices"
)

// Batch collects changes for Apply, of any number of shards. They take effect in the order they were made. Keys and values are copied. The zero value
// is empty and ready; a batch belongs to one goroutine at a time.
type Batch struct {
	ops   []byte
	n     int
	shard Shard
	begin []byte // what the keys of shard begin with; empty before the first change
}

// The kinds of a change; each is followed by a key, those that set by a value.
const (
	opSet = iota
	opDelete
	opWipe // the key is what those of the shard begin with
)

// Set gives the key this value.
func (b *Batch) Set(s Shard, key, value []byte) {
	b.key(opSet, s, entryTag, key)
	b.value(value)
}

// Delete removes the key, if it is there.
func (b *Batch) Delete(s Shard, key []byte) {
	b.key(opDelete, s, entryTag, key)
}

// Position says how far the shard is.
func (b *Batch) Position(s Shard, p Position) {
	b.key(opSet, s, positionTag, nil)
	b.value(writePosition(p))
}

// Wipe removes the shard's entries and its position: what the store has, and what the batch set before.
func (b *Batch) Wipe(s Shard) {
	b.head(opWipe, s, 0)
}

// Len is the number of changes.
func (b *Batch) Len() int { return b.n }

// Bytes is about what the changes take.
func (b *Batch) Bytes() int { return len(b.ops) }

// Grow makes room for changes of so many bytes.
func (b *Batch) Grow(n int) { b.ops = slices.Grow(b.ops, n) }

// Reset empties the batch; it keeps its memory for what comes next.
func (b *Batch) Reset() { b.ops, b.n = b.ops[:0], 0 }

// head begins a change: kind, length of the key, and the part of the key that all of the shard have.
func (b *Batch) head(kind byte, s Shard, more int) {
	if s != b.shard || len(b.begin) == 0 {
		b.shard, b.begin = s, appendShard(b.begin[:0], s)
	}
	b.n++
	b.ops = binary.AppendUvarint(append(b.ops, kind), uint64(len(b.begin)+more))
	b.ops = append(b.ops, b.begin...)
}

func (b *Batch) key(kind byte, s Shard, tag byte, key []byte) {
	b.head(kind, s, 1+len(key))
	b.ops = append(append(b.ops, tag), key...)
}

func (b *Batch) value(v []byte) {
	b.ops = append(binary.AppendUvarint(b.ops, uint64(len(v))), v...)
}

// each calls f for the changes in order. The slices are the batch's.
func (b *Batch) each(f func(kind byte, key, value []byte) error) error {
	for rest := b.ops; len(rest) > 0; {
		kind := rest[0]
		var key, value []byte
		key, rest = cut(rest[1:])
		if kind == opSet {
			value, rest = cut(rest)
		}
		if err := f(kind, key, value); err != nil {
			return err
		}
	}
	return nil
}

// cut takes a slice that follows its length.
func cut(b []byte) (part, rest []byte) {
	n, w := binary.Uvarint(b)
	end := w + int(n)
	return b[w:end:end], b[end:]
}
