package broker

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestUnitKinds(t *testing.T) {
	v := func(topics string, ties ...Tie) groupMember {
		return groupMember{topics: set(strings.Fields(topics)), joinData: joinData{ties: ties}}
	}
	tie := func(topics string, tables ...string) Tie { return Tie{strings.Fields(topics), tables} }
	counts := map[string]int32{"a": 2, "b": 2, "c": 2, "x": 3}
	for _, c := range []struct {
		name    string
		members []groupMember
		kinds   string
		faults  string
	}{
		{"nothing tied", []groupMember{v("a b")}, "a[0] b[0]", ""},
		{"tied", []groupMember{v("a b x", tie("a b"))}, "a+b[0] x[0]", ""},
		{"one declares", []groupMember{v("a b"), v("a b", tie("b a"))}, "a+b[0 1]", ""},
		{"by a table", []groupMember{v("a b c", tie("a", "t"), tie("b", "t"))}, "a+b+t[0] c[0]", ""},
		{"union", []groupMember{v("a b c", tie("a b")), v("a b c", tie("b c"))}, "a+b+c[0 1]", ""},
		{"a version more", []groupMember{v("a b", tie("a b")), v("a b c", tie("a b c"))}, "a+b+c[1]", ""},
		{"a version that cannot be joined", []groupMember{v("a b", tie("a b")), v("a b", tie("a b")), v("b c", tie("b c"))}, "a+b[0 1]",
			"topics a, b, c belong together, but no worker reads all of them"},
		{"the same from the other side", []groupMember{v("a b", tie("a b")), v("b c", tie("b c")), v("b c", tie("b c"))}, "b+c[1 2]",
			"topics a, b, c belong together, but no worker reads all of them"},
		{"different counts", []groupMember{v("a x c", tie("a x", "t"))}, "c[0]",
			"topics a, x with tables t belong together, but a has 2 partitions and x 3"},
		{"unknown topic", []groupMember{v("a z", tie("a z"))}, "", "topics a, z belong together, but a has 2 partitions and z 0"},
		{"different counts do not stop another version", []groupMember{v("a", tie("a", "t")), v("a", tie("a", "t")), v("a x", tie("a x"))}, "a+t[0 1 2]",
			"topics a, x with tables t belong together, but a has 2 partitions and x 3"},
	} {
		kinds, faults := unitKinds(c.members, counts)
		var got []string
		for _, k := range kinds {
			got = append(got, strings.Join(slices.Concat(k.topics, k.tables), "+")+fmt.Sprint(k.eligible))
		}
		if text := strings.Join(got, " "); text != c.kinds || strings.Join(faults, "; ") != c.faults {
			t.Errorf("%s: %s, %q", c.name, text, faults)
		}
	}
}
