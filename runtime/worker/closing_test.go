package worker

import (
	"testing"
	"time"

	"faust/runtime/store"
	"faust/runtime/table"
)

// sums is a shard of windows that somebody is told of.
func sums(t *testing.T, name string, size time.Duration) *table.Shard {
	t.Helper()
	kept := store.NewMemory()
	t.Cleanup(func() { kept.Close() })
	d := &table.Definition{Name: name, Windows: &table.Windows{Time: table.EventTime, Size: size, Step: size, Expires: size, Told: true}}
	s := table.NewShard(table.ShardConfig{Table: d, Store: view{kept, store.Shard{Table: name}}, Clocks: 1})
	if err := s.Restore(); err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t *testing.T, s *table.Shard, at int64, by *table.Effects) {
	t.Helper()
	if err := s.Set(string(table.Row(nil, s.Table().Windows.First(at), "a")), &table.Stored{Bytes: []byte("1")}, by); err != nil {
		t.Fatal(err)
	}
}

// The last minute of an hour closes before the hour does, which it may be added to, also when it cannot be closed at once.
func TestShorterWindowsCloseFirst(t *testing.T) {
	t.Parallel()
	const hour = 3_600_000
	minutes, hours := sums(t, "minutes", time.Minute), sums(t, "hours", time.Hour)
	var both, one chores
	order := &turn{}
	both.add(order, hours) // of an agent that uses both
	both.add(order, minutes)
	one.add(order, hours) // of one that only uses the hours
	clock := table.NewClock("c", 1)
	minutes.Join(clock)
	hours.Join(clock)
	next := func(c *chores, want string) {
		t.Helper()
		k, err := c.Claim()
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if k != nil {
			got = k.(*chore).Table().Name
			k.Done()
		}
		if got != want {
			t.Errorf("%q closes, want %q", got, want)
		}
	}
	var settled, inHand table.Effects
	write(t, minutes, hour-1, &settled)
	write(t, hours, hour-1, &settled)
	settled.Settle()
	write(t, minutes, hour-2, &inHand)
	clock.Note(0, hour)
	next(&both, "")
	next(&one, "")
	inHand.Settle()
	next(&one, "")
	next(&both, "minutes")
	next(&one, "") // it is not known yet that this was all of the minute
	next(&both, "hours")
	order.remove(&both)
	write(t, hours, 2*hour-1, &settled)
	settled.Settle()
	clock.Note(0, 2*hour)
	next(&one, "hours")
}
