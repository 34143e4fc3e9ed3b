package luabind_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"faust/runtime/app"
	"faust/runtime/table"
)

// state has the shards of the tables of a script; only for those partitions that the worker is to have.
type state struct {
	mu        sync.Mutex
	counts    map[string]int32 // partitions of tables, 1 unless said otherwise
	lacks     map[int32]bool   // partitions that another worker has
	here      chan struct{}    // closed when these are here
	home      string           // where partitions are that the worker does not have
	copyHomes []string         // where others are
	copy      *shelf           // what copies have; nil: there are none
	shards    map[string]map[int32]*table.Shard
	stores    map[string]map[int32]*shelf
	moved     error // keys of tables are elsewhere
}

func newState() *state {
	return &state{counts: map[string]int32{}, lacks: map[int32]bool{}, shards: map[string]map[int32]*table.Shard{}, stores: map[string]map[int32]*shelf{}}
}

// Shard implements app.Runtime.
func (h *host) Shard(t *table.Definition, partition int32) *table.Shard {
	h.state.mu.Lock()
	defer h.state.mu.Unlock()
	if partition >= h.state.count(t) || h.state.lacks[partition] {
		return nil
	}
	if h.state.shards[t.Name] == nil {
		h.state.shards[t.Name], h.state.stores[t.Name] = map[int32]*table.Shard{}, map[int32]*shelf{}
	}
	s := h.state.shards[t.Name][partition]
	if s == nil {
		store := &shelf{data: map[string]string{}}
		s = table.NewShard(table.ShardConfig{Table: t, Partition: partition, Store: store})
		if err := s.Restore(); err != nil {
			panic(err)
		}
		h.state.shards[t.Name][partition], h.state.stores[t.Name][partition] = s, store
	}
	return s
}

// Await implements app.Runtime.
func (h *host) Await(ctx context.Context, t *table.Definition, partition int32) error {
	h.note(func() { h.awaited++ })
	select {
	case <-h.state.here:
		h.state.mu.Lock()
		defer h.state.mu.Unlock()
		delete(h.state.lacks, partition)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Shards implements app.Runtime.
func (h *host) Shards(t *table.Definition) (list []*table.Shard) {
	for p := range h.Partitions(t) {
		if s := h.Shard(t, p); s != nil {
			list = append(list, s)
		}
	}
	return list
}

// Partitions implements app.Runtime.
func (h *host) Partitions(t *table.Definition) int32 {
	h.state.mu.Lock()
	defer h.state.mu.Unlock()
	return h.state.count(t)
}

// Everywhere implements app.Runtime: partitions that are not here fail, one page each otherwise.
func (h *host) Everywhere(_ context.Context, t *table.Definition) (app.Walk, error) {
	next := int32(0)
	return func(context.Context) ([]table.Pair, error) {
		for next < h.Partitions(t) {
			s := h.Shard(t, next)
			if s == nil {
				return nil, fmt.Errorf("partition %d of table %s: nobody has it", next, t.Name)
			}
			next++
			page, _, err := s.Page("", 1000, nil)
			for i := range page {
				key, value := t.Apart(page[i])
				page[i] = table.Pair{Key: key, Value: &table.Stored{Bytes: value}}
			}
			if len(page) > 0 || err != nil {
				return page, err
			}
		}
		return nil, nil
	}, nil
}

// Moved implements app.Runtime.
func (h *host) Moved(context.Context, *table.Definition) error {
	h.state.mu.Lock()
	defer h.state.mu.Unlock()
	return h.state.moved
}

// Home implements app.Runtime.
func (h *host) Home(t *table.Definition, partition int32) (string, error) {
	h.state.mu.Lock()
	defer h.state.mu.Unlock()
	if h.state.home == "" {
		return "", errors.New("no worker has it for the moment")
	}
	return h.state.home, nil
}

// Copy implements app.Runtime.
func (h *host) Copy(t *table.Definition, partition int32) *table.Shard {
	h.state.mu.Lock()
	defer h.state.mu.Unlock()
	if h.state.copy == nil {
		return nil
	}
	return table.NewShard(table.ShardConfig{Table: t, Partition: partition, Store: h.state.copy})
}

// CopyHomes implements app.Runtime.
func (h *host) CopyHomes(*table.Definition, int32) []string {
	h.state.mu.Lock()
	defer h.state.mu.Unlock()
	return slices.Clone(h.state.copyHomes)
}

func (s *state) count(t *table.Definition) int32 {
	switch n, ok := s.counts[t.Name]; {
	case ok:
		return n
	case len(t.Sources) == 0:
		return 0
	}
	return 1
}

// table gives the declaration of a table.
func (s *script) table(name string) *table.Definition {
	for _, t := range s.App.Tables {
		if t.Name == name {
			return t
		}
	}
	s.t.Fatalf("no table %s", name)
	return nil
}

// content lists what is settled in a table, as the changelog would have it: partition/key=value.
func (s *script) content(name string) []string {
	var list []string
	t := s.table(name)
	for _, shard := range s.Shards(t) {
		for from, more := "", true; more; {
			var page []table.Pair
			page, more, _ = shard.Page(from, 100, nil)
			for _, p := range page {
				key, value := t.Apart(p)
				list = append(list, key+"="+string(value))
				from = p.Key + "\x00"
			}
		}
	}
	return list
}

// checkpoint moves what is settled to the store and forgets what is in memory, as a restart does.
func (s *script) checkpoint(name string) {
	t := s.table(name)
	for _, shard := range s.Shards(t) {
		store := s.state.stores[name][shard.Partition()]
		if err := shard.Seal(func(_, _ []byte) error { return nil }); err != nil {
			s.t.Fatal(err)
		}
		shard.Commit()
		shard.Checkpoint(func(key, value []byte) {
			if value == nil {
				delete(store.data, string(key))
			} else {
				store.data[string(key)] = string(value)
			}
		})()
		fresh := table.NewShard(table.ShardConfig{Table: t, Partition: shard.Partition(), Store: store})
		if err := fresh.Restore(); err != nil {
			s.t.Fatal(err)
		}
		s.state.shards[name][shard.Partition()] = fresh
	}
}

// shelf is a table.Store that is a map.
type shelf struct {
	mu   sync.Mutex
	data map[string]string
	got  func() // called by Get before it looks; may be nil
}

func (s *shelf) Get(key []byte) ([]byte, bool, error) {
	if s.got != nil {
		s.got()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.data[string(key)]
	return []byte(v), ok, nil
}

func (s *shelf) Each(from []byte, f func(key, value []byte) bool) error {
	s.mu.Lock()
	data := maps.Clone(s.data)
	s.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(data)) {
		if k >= string(from) && !f([]byte(k), []byte(data[k])) {
			break
		}
	}
	return nil
}
