package store

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/RaduBerinde/btreemap"
)

// memory keeps the keys of layout.go in a B-tree. Each and Shards read a copy of it, which costs nothing until something is written.
type memory struct {
	life life
	mu   sync.RWMutex
	tree *tree
	size int64
}

type tree = btreemap.BTreeMap[[]byte, []byte]

// degree is how wide the nodes of the tree are.
const degree = 16

// entryOverhead is about what an entry takes beside its bytes: two slice headers, and the room that allocations and half-full nodes waste.
const entryOverhead = 80

// NewMemory gives an empty store that lives as long as the process.
func NewMemory() Store {
	return &memory{life: newLife(), tree: btreemap.New[[]byte, []byte](degree, bytes.Compare)}
}

func (m *memory) Get(s Shard, key []byte) ([]byte, bool, error) {
	return m.get(appendEntry(make([]byte, 0, 128), s, key))
}

func (m *memory) Position(s Shard) (Position, bool, error) {
	v, ok, err := m.get(appendPosition(nil, s))
	if !ok || err != nil {
		return Position{}, false, err
	}
	p, err := readPosition(v)
	return p, err == nil, err
}

func (m *memory) get(key []byte) ([]byte, bool, error) {
	if err := m.life.enter(); err != nil {
		return nil, false, err
	}
	defer m.life.leave()
	m.mu.RLock()
	_, v, ok := m.tree.Get(key)
	m.mu.RUnlock()
	if !ok {
		return nil, false, nil
	}
	return append([]byte{}, v...), true, nil // values are replaced, never written to
}

func (m *memory) Each(s Shard, key []byte, f func(key, value []byte) error) error {
	if err := m.life.enter(); err != nil {
		return err
	}
	defer m.life.leave()
	from, to := bounds(s, key)
	skip := len(from) - len(key)
	for k, v := range m.moment().Ascend(btreemap.GE(from), btreemap.LT(to)) {
		if m.life.ended() {
			return m.life.why()
		}
		if err := f(k[skip:], v); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Shards() ([]Shard, error) {
	if err := m.life.enter(); err != nil {
		return nil, err
	}
	defer m.life.leave()
	now := m.moment()
	var all []Shard
	for from := []byte{shardKey}; ; {
		key, ok := first(now, from)
		if !ok {
			return all, nil
		}
		s, err := readShard(key)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
		from = after(appendShard(nil, s))
	}
}

func first(t *tree, from []byte) ([]byte, bool) {
	for k := range t.Ascend(btreemap.GE(from), btreemap.Max[[]byte]()) {
		return k, true
	}
	return nil, false
}

// moment gives the tree as it is now; the caller only reads it.
func (m *memory) moment() *tree {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tree.Clone()
}

func (m *memory) Apply(b *Batch) error {
	if err := m.life.enter(); err != nil {
		return err
	}
	defer m.life.leave()
	m.mu.Lock()
	defer m.mu.Unlock()
	return b.each(func(kind byte, key, value []byte) error {
		switch kind {
		case opSet:
			m.set(bytes.Clone(key), append([]byte{}, value...))
		case opDelete:
			m.remove(key)
		case opWipe:
			m.wipe(key)
		}
		return nil
	})
}

// memoryLoad is a load of a store in memory: a batch that is full soon, since what is in it is in memory twice.
type memoryLoad struct {
	Batch
	m      *memory
	closed bool
}

const memoryLoadBytes = 4 << 20

func (m *memory) Load() Load { return &memoryLoad{m: m} }

func (l *memoryLoad) Full() bool { return l.closed || l.Bytes() >= memoryLoadBytes }

func (l *memoryLoad) Commit() error {
	if l.closed {
		return fmt.Errorf("load into store in memory: %w", ErrClosed)
	}
	err := l.m.Apply(&l.Batch)
	if err == nil {
		l.Reset()
	}
	return err
}

func (l *memoryLoad) Close() { l.Batch, l.closed = Batch{}, true }

func (m *memory) set(key, value []byte) {
	_, old, replaced := m.tree.ReplaceOrInsert(key, value)
	if !replaced {
		m.size += int64(len(key)) + entryOverhead
	}
	m.size += int64(len(value) - len(old))
}

func (m *memory) remove(key []byte) {
	if _, old, ok := m.tree.Delete(key); ok {
		m.size -= int64(len(key)+len(old)) + entryOverhead
	}
}

func (m *memory) wipe(begin []byte) {
	var keys [][]byte
	for k := range m.tree.Ascend(btreemap.GE(begin), btreemap.LT(after(bytes.Clone(begin)))) {
		keys = append(keys, k)
	}
	for _, k := range keys {
		m.remove(k)
	}
}

func (m *memory) Bytes() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.size
}

func (m *memory) Close() error {
	m.life.close(fmt.Errorf("store in memory: %w", ErrClosed))
	m.life.running.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tree, m.size = btreemap.New[[]byte, []byte](degree, bytes.Compare), 0
	return nil
}
