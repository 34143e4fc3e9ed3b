package worker

import (
	"context"
	"slices"
	"strings"

	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/control"
	"faust/runtime/table"
)

// Bounds of what Slice gives at a time.
const (
	slicePairs = 100     // unless more are asked for
	sliceMost  = 1000    // pairs
	sliceBytes = 1 << 20 // of keys and values, one pair at least
	sliceRead  = 100     // pairs read at a time
)

// Tables implements control.Worker.
func (p *panel) Tables() control.Tables {
	s := p.run.state
	out, copies := control.Tables{Bytes: s.size()}, s.standby.copies()
	for _, d := range p.run.app.Tables {
		t := control.Table{Name: d.Name, Partitions: []control.Shard{}}
		for id := range s.partitions(d) {
			shard := control.Shard{Place: s.place(d, id), Keys: -1}
			_, shard.Copy = copies[broker.Shard{Table: d.Name, Partition: id}]
			if here := s.shard(d, id); here != nil {
				shard.Keys = here.Counted()
			}
			t.Partitions = append(t.Partitions, shard)
		}
		out.Tables = append(out.Tables, t)
	}
	return out
}

// place tells where a partition is.
func (s *state) place(t *table.Definition, partition int32) control.Place {
	at := control.Place{Partition: partition, Here: s.shard(t, partition) != nil}
	if !at.Here {
		url, err := s.home(t, partition)
		at.URL = url
		if err != nil {
			at.Problem = err.Error()
		}
	}
	return at
}

func (s *state) table(name string) (*table.Definition, error) {
	i := slices.IndexFunc(s.run.app.Tables, func(t *table.Definition) bool { return t.Name == name })
	if i < 0 {
		return nil, control.ErrUnknown
	}
	return s.run.app.Tables[i], nil
}

// Get implements control.Worker.
func (p *panel) Get(name string, key []byte) (control.Found, error) {
	s := p.run.state
	t, err := s.table(name)
	if err != nil {
		return control.Found{}, err
	}
	if t.Anywhere {
		return s.anywhere(t, key)
	}
	n := s.partitions(t)
	switch {
	case len(t.Sources) == 0:
		return control.Found{Place: control.Place{Partition: -1, Problem: "no agent writes it"}}, nil
	case n <= 0:
		return control.Found{Place: control.Place{Partition: -1, Problem: "the worker starts"}}, nil
	}
	id := t.Hash.Partition(key, n)
	shard := s.shard(t, id)
	if shard == nil {
		return control.Found{Place: s.place(t, id)}, nil
	}
	return lookUp(shard, key)
}

// anywhere looks for a key that may be in any partition, in those that are here.
func (s *state) anywhere(t *table.Definition, key []byte) (control.Found, error) {
	for _, shard := range s.shards(t) {
		if found, err := lookUp(shard, key); found.Found || err != nil {
			return found, err
		}
	}
	return control.Found{Place: control.Place{Partition: -1, Problem: "it is in none of the partitions of this worker"}}, nil
}

func lookUp(shard *table.Shard, key []byte) (control.Found, error) {
	found := control.Found{Place: control.Place{Partition: shard.Partition(), Here: true}}
	if shard.Table().Sets {
		page, _, err := shard.Members(string(key), "", 1, nil)
		found.Found = len(page) > 0
		return found, err
	}
	at := string(key)
	if w := shard.Table().Windows; w != nil {
		now := shard.Present()
		if now == table.Never {
			return found, nil
		}
		at = string(table.Row(nil, w.First(now), at))
	}
	v, err := shard.Get(at, nil)
	if v == nil || err != nil {
		return found, err
	}
	found.Found, found.Value = true, v.Append([]byte{})
	return found, nil
}

// Slice implements control.Worker.
func (p *panel) Slice(what control.Slicing) (control.Slice, error) {
	s := p.run.state
	t, err := s.table(what.Table)
	if err != nil {
		return control.Slice{}, err
	}
	shard := s.shard(t, what.Partition)
	if shard == nil {
		return control.Slice{Place: s.place(t, what.Partition)}, nil
	}
	return slice(shard, what)
}

// slice gives a part of a shard. In one with windows the keys that begin with the prefix are in all of them.
func slice(shard *table.Shard, what control.Slicing) (control.Slice, error) {
	t, out := shard.Table(), control.Slice{Place: control.Place{Partition: what.Partition, Here: true}}
	limit := min(what.Limit, sliceMost)
	if limit <= 0 {
		limit = slicePairs
	}
	from, to, prefix := string(what.From), "", string(what.Prefix)
	if t.Sets {
		prefix = table.KeysBegin(prefix)
		if what.Key != nil {
			prefix = table.MemberPrefix(string(what.Key))
		}
	}
	switch {
	case t.Windows == nil:
		from = max(from, prefix)
	case what.Now && shard.Present() == table.Never:
		return out, nil
	case what.Now:
		start, _, goesOn := table.SplitRow(from) // in that window, although another one may be the present one by now
		if !goesOn {
			start = t.Windows.First(shard.Present())
		}
		var begin string
		begin, to = table.Rows(start)
		from = max(from, begin)
	}
	size := 0
	for {
		page, more, err := shard.Range(from, to, min(limit, sliceRead), nil)
		if err != nil {
			return out, err
		}
		for _, p := range page {
			from = p.Key + "\x00"
			if t.Windows != nil {
				if _, key, _ := table.SplitRow(p.Key); !strings.HasPrefix(key, prefix) {
					continue
				}
			} else if !strings.HasPrefix(p.Key, prefix) {
				return out, nil
			}
			if len(out.Pairs) == limit || size >= sliceBytes {
				out.Next = []byte(p.Key)
				return out, nil
			}
			key, value := t.Apart(p)
			pair := control.Pair{Key: []byte(key), Value: value}
			size += len(pair.Key) + len(pair.Value)
			out.Pairs = append(out.Pairs, pair)
		}
		if !more || len(page) == 0 {
			return out, nil
		}
	}
}

// looker is this worker among those that a control.Finder asks.
type looker struct{ panel *panel }

// Tables implements control.Looker.
func (l looker) Tables(context.Context) (control.Tables, error) { return l.panel.Tables(), nil }

// Get implements control.Looker.
func (l looker) Get(_ context.Context, table string, key []byte) (control.Found, error) {
	return l.panel.Get(table, key)
}

// Slice implements control.Looker.
func (l looker) Slice(_ context.Context, what control.Slicing) (control.Slice, error) {
	return l.panel.Slice(what)
}

// walking is what app.Runtime gives of a walk.
func walking(w *control.Walk) app.Walk {
	return func(ctx context.Context) ([]table.Pair, error) {
		_, pairs, err := w.Next(ctx)
		list := make([]table.Pair, len(pairs))
		for i, p := range pairs {
			list[i] = table.Pair{Key: string(p.Key), Value: &table.Stored{Bytes: p.Value}}
		}
		return list, err
	}
}
