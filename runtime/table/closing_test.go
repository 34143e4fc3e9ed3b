package table

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// minute is a shard of windows of a minute that somebody is told of, and a clock that it goes by.
func minute(t *testing.T, shelf *shelf, atomic bool) (*Shard, *Clock) {
	t.Helper()
	d := &Definition{Name: "t", Windows: &Windows{Time: EventTime, Size: time.Minute, Step: time.Minute, Grace: 10 * time.Second, Expires: time.Hour, Told: true}}
	s := NewShard(ShardConfig{Table: d, Store: shelf, Atomic: atomic, Clocks: 1})
	if err := s.Restore(); err != nil {
		t.Fatal(err)
	}
	c := NewClock("c", 1)
	s.Join(c)
	return s, c
}

func (s *shelf) take(key, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.data, string(key))
	if value != nil {
		s.data[string(key)] = string(value)
	}
	return nil
}

func claimed(t *testing.T, s *Shard) (list []string) {
	t.Helper()
	for {
		k, err := s.Claim()
		if err != nil {
			t.Fatal(err)
		}
		if k == nil {
			return list
		}
		list = append(list, fmt.Sprintf("%s@%d=%s", k.Key, k.Start, text(k.Value)))
		k.Done()
	}
}

func put(t *testing.T, s *Shard, start int64, key string, n int) {
	t.Helper()
	var by Effects
	if err := s.Set(string(Row(nil, start, key)), number(n), &by); err != nil {
		t.Fatal(err)
	}
	by.Settle()
}

// What was told of is told of again after a crash until what was sent because of it is stored; with atomic commits it is saved with that.
func TestClosingIsSavedWhenItIsStored(t *testing.T) {
	t.Parallel()
	for _, atomic := range []bool{false, true} {
		shelf, changelog := &shelf{data: map[string]string{}}, &shelf{data: map[string]string{}}
		s, c := minute(t, shelf, atomic)
		put(t, s, 0, "a", 1)
		put(t, s, 0, "b", 2)
		put(t, s, 60_000, "a", 3)
		c.Note(0, 70_000-1)
		if got := claimed(t, s); len(got) > 0 {
			t.Errorf("too early: %v", got)
		}
		c.Note(0, 70_000)
		if got := fmt.Sprint(claimed(t, s)); got != "[a@0=1 b@0=2]" {
			t.Errorf("told of %s", got)
		}
		after := func(what, want string) {
			t.Helper()
			if err := s.Seal(changelog.take); err != nil {
				t.Fatal(err)
			}
			next, _ := minute(t, changelog, atomic)
			if next.Now() != 70_000 {
				t.Errorf("atomic %v, %s: time is %d", atomic, what, next.Now())
			}
			if got := fmt.Sprint(claimed(t, next)); got != want {
				t.Errorf("atomic %v, %s: a successor is told of %s, want %s", atomic, what, got, want)
			}
		}
		if atomic {
			after("sealed", "[]")
			continue
		}
		after("sealed", "[a@0=1 b@0=2]")
		s.Commit()
		s.Checkpoint(func(key, value []byte) { _ = shelf.take(key, value) })()
		if !s.Dirty() {
			t.Error("nothing is left to be saved")
		}
		after("stored", "[]")
	}
}

// What was done because of a window may be in a table that was sealed before: it is not taken for stored with that Seal.
func TestClosingIsSavedAfterWhatItDidElsewhere(t *testing.T) {
	t.Parallel()
	changelog := &shelf{data: map[string]string{}}
	hours, _ := minute(t, &shelf{data: map[string]string{}}, false)
	minutes, c := minute(t, &shelf{data: map[string]string{}}, false)
	put(t, minutes, 0, "a", 1)
	c.Note(0, 70_000)
	nowhere := func(_, _ []byte) error { return nil }
	hours.Mark()
	minutes.Mark()
	if err := hours.Seal(nowhere); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(claimed(t, minutes)); got != "[a@0=1]" {
		t.Fatal(got)
	}
	put(t, hours, 0, "a", 1) // because of that
	if err := minutes.Seal(nowhere); err != nil {
		t.Fatal(err)
	}
	hours.Commit()
	hours.Checkpoint(func(_, _ []byte) {})()
	minutes.Commit()
	minutes.Checkpoint(func(_, _ []byte) {})()
	put(t, minutes, 60_000, "b", 1)
	if err := minutes.Seal(changelog.take); err != nil { // and then the worker dies
		t.Fatal(err)
	}
	changelog.data[string(Row(nil, 0, "a"))] = "1"
	next, _ := minute(t, changelog, false)
	if got := fmt.Sprint(claimed(t, next)); got != "[a@0=1]" {
		t.Errorf("a successor is told of %s", got)
	}
}

// A window does not close while an event in hand has written to it, and takes no writes once it closes.
func TestClosingWaitsForWrites(t *testing.T) {
	t.Parallel()
	s, c := minute(t, &shelf{data: map[string]string{}}, false)
	put(t, s, 0, "a", 1)
	var by, other Effects
	if err := s.Set(string(Row(nil, 0, "b")), number(2), &by); err != nil {
		t.Fatal(err)
	}
	c.Note(0, 100_000)
	if got := claimed(t, s); s.Due() || len(got) > 0 {
		t.Errorf("told of %v while an event writes", got)
	}
	by.Settle()
	if !s.Due() {
		t.Error("nothing is due")
	}
	if got := fmt.Sprint(claimed(t, s)); got != "[a@0=1 b@0=2]" {
		t.Errorf("told of %s", got)
	}
	if err := s.Set(string(Row(nil, 0, "c")), number(3), &other); !errors.Is(err, ErrClosed) {
		t.Errorf("written to a closed window: %v", err)
	}
	if got := s.Starts(); len(got) != 1 {
		t.Errorf("windows %v", got)
	}
	c.Note(0, 60_000+3600_000)
	_ = s.Seal(func(_, _ []byte) error { return nil })
	s.Commit()
	s.Checkpoint(func(_, _ []byte) {})()
	if err := s.Sweep(); err != nil {
		t.Fatal(err)
	}
	if page, _, _ := s.Page("", 10, nil); len(page) > 0 || len(s.Starts()) > 0 {
		t.Errorf("%d rows and windows %v are left", len(page), s.Starts())
	}
}

// A table that went by the clock, and has saved no others, may go by the time of messages from the next start of the app on.
func TestTimeAfterThatOfTheClock(t *testing.T) {
	t.Parallel()
	shelf := &shelf{data: map[string]string{}}
	d := &Definition{Name: "t", Windows: &Windows{Time: ClockTime, Size: time.Minute, Step: time.Minute}}
	s := NewShard(ShardConfig{Table: d, Store: shelf})
	if err := s.Restore(); err != nil {
		t.Fatal(err)
	}
	s.Tick(time.UnixMilli(100_000))
	put(t, s, 60_000, "a", 1)
	if err := s.Seal(shelf.take); err != nil {
		t.Fatal(err)
	}
	next, c := minute(t, shelf, false)
	c.Note(0, 200_000)
	next.Leave(c)
	if next.Now() != 200_000 {
		t.Errorf("time is %d", next.Now())
	}
}

// Time in a partition is that of the slowest of what feeds it, without what rests, and never goes back.
func TestClock(t *testing.T) {
	t.Parallel()
	c := NewClock("c", 3)
	at := func(want int64, resting bool) {
		t.Helper()
		if c.Time() != want || c.Resting() != resting {
			t.Errorf("time is %d, resting %v, want %d, %v", c.Time(), c.Resting(), want, resting)
		}
	}
	c.Note(0, 100)
	c.Note(1, 200)
	at(Never, false)
	c.Rest(2, Never)
	at(100, false)
	c.Note(0, 50)
	c.Note(7, 1000) // of a topic that had more partitions
	at(100, false)
	c.Rest(0, 120)
	at(200, false)
	c.Note(2, 90)
	at(200, false)
	c.Note(2, time.Now().Add(time.Hour).UnixMilli()) // nobody believes it
	c.Rest(1, 200)
	c.Rest(2, 300)
	at(300, true)
}
