package worker

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"faust/runtime/agent"
	"faust/runtime/control"
	"faust/runtime/store"
	"faust/runtime/table"
)

// Sets are recovered from the changelog, what was removed is not, and they are shown as keys and members.
func TestSetLives(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 4)
		for round := range 3 {
			a := newApp("sets")
			declare(a, 4, "in")
			def := keeps(a, "seen", "in")
			def.Sets = true
			reads(a, "see", "in", each(func(_ context.Context, ev *agent.Event) error {
				shard, by := a.Runtime().Shard(def, ev.Partition), effects(ev)
				key := bucket(ev.Value)
				if err := shard.Set(table.Member(key, []byte("gone")), nil, by); err != nil {
					return err
				}
				return shard.Set(table.Member(key, ev.Value), &table.Stored{}, by)
			}))
			kept := store.NewMemory()
			defer kept.Close()
			r := w.start(a, func(cfg *Config) { cfg.Store = kept }).operational()
			w.produce("in", 4, 100*round, 100)
			w.settled("sets", int64(100*(round+1)))
			panel := r.worker.Control()
			n := 0
			for p := range int32(4) {
				n += sliced(t, panel, control.Slicing{Table: "seen", Partition: p, Limit: 7}, p)
				n -= sliced(t, panel, control.Slicing{Table: "seen", Partition: p, Prefix: []byte("b"), Limit: 7}, p)
				n += sliced(t, panel, control.Slicing{Table: "seen", Partition: p, Key: []byte("b3"), Limit: 7}, p)
				n += sliced(t, panel, control.Slicing{Table: "seen", Partition: p, Key: []byte("b"), Limit: 7}, p)
			}
			if n != 10*(round+1) { // of b3
				t.Errorf("%d members in round %d", n, round)
			}
			for i := range 10 {
				key := fmt.Sprint("b", i)
				found, err := panel.Get("seen", []byte(key))
				if err != nil || found.Value != nil || !found.Here {
					t.Errorf("%+v, %v", found, err)
				}
				if home := found.Partition; found.Found != slices.Contains(homes(i), home) {
					t.Errorf("%s is in partition %d: %v", key, home, found.Found)
				}
			}
			if err := r.stop(); err != nil {
				t.Error(err)
			}
		}
	})
}

// homes are the partitions in which records of a bucket are.
func homes(bucket int) (list []int32) {
	for n := bucket; n < 100; n += 10 {
		list = append(list, int32(n%4))
	}
	return list
}

// sliced goes through a slice and gives how many members it has; partition p has the multiples of 4 and p.
func sliced(t *testing.T, panel control.Worker, what control.Slicing, p int32) (n int) {
	t.Helper()
	for {
		s, err := panel.Slice(what)
		if err != nil {
			t.Fatal(err)
		}
		for _, pair := range s.Pairs {
			var value int
			_, _ = fmt.Sscan(string(pair.Value), &value)
			if string(pair.Key) != bucket(pair.Value) || int32(value%4) != p {
				t.Errorf("%q has %q", pair.Key, pair.Value)
			}
			n++
		}
		if s.Next == nil {
			return n
		}
		what.From = s.Next
	}
}
