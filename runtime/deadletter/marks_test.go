package deadletter

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"faust/runtime/broker"
	"faust/tests/seed"
)

func TestMarks(t *testing.T) {
	t.Parallel()
	m := marks{below: 5}
	for _, c := range []struct {
		add  []span
		want string
	}{
		{[]span{{7, 8}}, "5 1 2"},
		{[]span{{12, 20}, {9, 10}}, "5 1 2,1,2.8"},
		{[]span{{8, 9}}, "5 1 2.3,2.8"},
		{[]span{{3, 6}}, "6 1 1.3,2.8"},
		{[]span{{6, 7}}, "10 1 2.8"},
		{[]span{{0, 50}}, "50 "},
	} {
		m = m.add(c.add...)
		got, fits := m.mark()
		if text := fmt.Sprint(got.Offset, " ", got.Text); text != c.want || !fits {
			t.Errorf("%v: %q, not %q", c.add, text, c.want)
		}
	}
	for _, text := range []string{"2 1", "x", "1 ", "1 -1", "1 1..2", "1 1,,2"} {
		if got, err := readMarks(broker.Mark{Text: text}); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
	if m, err := readMarks(broker.Mark{Offset: 7}); err != nil || m.below != 7 || m.spans != nil {
		t.Errorf("%+v, %v", m, err)
	}
	long := marks{}
	for i := range int64(2100) {
		long = long.add(span{2*i + 1, 2*i + 2})
	}
	if got, fits := long.mark(); fits {
		t.Errorf("%d bytes fit", len(got.Text))
	}
}

// Against a set of single offsets.
func TestMarksAreASet(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(seed.Of(t), 1))
	for range 300 {
		const size = 60
		var set [size]bool
		m := marks{}
		for range r.IntN(20) {
			from := r.Int64N(size)
			s := span{from, from + 1 + r.Int64N(size-from)/4}
			for i := s.from; i < s.to; i++ {
				set[i] = true
			}
			m = m.add(s)
			stored, _ := m.mark()
			back, err := readMarks(stored)
			if err != nil || fmt.Sprint(back) != fmt.Sprint(m) {
				t.Fatalf("%+v is written %+v and read %+v, %v", m, stored, back, err)
			}
		}
		for from := range int64(size) {
			whole := true
			for to := from + 1; to <= size; to++ {
				whole = whole && set[to-1]
				if m.has(span{from, to}) != whole {
					t.Fatalf("%+v has %d..%d: %v", m, from, to, !whole)
				}
			}
		}
		if m.below < size && set[m.below] || strings.Contains(fmt.Sprint(m.spans), "{0 ") {
			t.Fatalf("%+v could go further", m)
		}
	}
}

func TestParseID(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]ID{
		"ledger/0@17": {"ledger", 0, 17}, "@ledger/3@0": {"ledger", 3, 0}, "0@17": {"", 0, 17}, "a.b-c/7@9007199254740993": {"a.b-c", 7, 9007199254740993},
	} {
		if got, ok := ParseID(text); !ok || got != want {
			t.Errorf("%s: %+v %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "7", "@ledger", "ledger/", "/0@1", "ledger/x@1", "0@", "@1", "0@-1", "-1@0"} {
		if got, ok := ParseID(text); ok {
			t.Errorf("%q: %+v", text, got)
		}
	}
	if text := (ID{"ledger", 2, 5}).String(); text != "ledger/2@5" {
		t.Error(text)
	}
}
