package broker

import (
	"fmt"
	"slices"
	"testing"
)

func TestUserData(t *testing.T) {
	join := joinData{
		ties: []Tie{{[]string{"a", "b"}, []string{"t"}}, {[]string{"c"}, nil}}, url: "http://here:6066", transaction: "app-1234",
		stored: map[Shard]int64{{"t", 0}: 1 << 40, {"t", 7}: 0, {"u", 2}: 3}, replicas: 2, copies: map[Shard]bool{{"t", 0}: true, {"u", 1}: false},
	}
	assign := assignData{standbys: []Shard{{"t", 1}}, owners: ownerMap{urls: []string{"http://one", ""}, kinds: []ownedKind{
		{names: []string{"a", "b", "t"}, tables: 1, owners: []int{1, 0, 2}, copies: [][]int{{1}, nil, {0, 1}}}, {names: []string{"c"}, owners: []int{2}},
	}}, warming: []Shard{{"t", 1}}}
	text := func(v any) string { return fmt.Sprintf("%+v", v) }
	b, c := join.encode(), assign.encode()
	for _, rest := range []string{"", "fields of a later binary"} {
		if got := decodeJoinData(append(slices.Clone(b), rest...)); text(got) != text(join) {
			t.Errorf("%+v", got)
		}
		if got := decodeAssignData(append(slices.Clone(c), rest...)); text(got) != text(assign) {
			t.Errorf("%+v", got)
		}
	}
	if !slices.Equal(b, join.encode()) {
		t.Error("the same data is written in two ways")
	}
	// what a binary before standbys writes ends where their fields begin, and is all that it reads
	oldJoin, oldAssign := join, assign
	oldJoin.replicas, oldJoin.copies = 0, nil
	oldAssign.warming, oldAssign.owners.kinds = nil, slices.Clone(assign.owners.kinds)
	oldAssign.owners.kinds[0].copies = nil
	joins, assigns := map[string]int{}, map[string]int{}
	for i := range b {
		joins[text(decodeJoinData(b[:i]))]++
	}
	for i := range c {
		assigns[text(decodeAssignData(c[:i]))]++
	}
	if joins[text(oldJoin)] != 1 || joins[text(joinData{})] != len(b)-1 {
		t.Errorf("%v", joins)
	}
	if assigns[text(oldAssign)] != 1 || assigns[text(assignData{})] != len(c)-1 {
		t.Errorf("%v", assigns)
	}
	b[0], c[0] = 2, 2
	if text(decodeJoinData(b)) != text(joinData{}) || text(decodeAssignData(c)) != text(assignData{}) {
		t.Error("another version is read")
	}
	rnd := seeded(t)
	for range 10000 {
		junk := []byte{dataVersion}
		for range rnd.IntN(30) {
			junk = append(junk, byte(rnd.IntN(256)>>rnd.IntN(8)))
		}
		decodeJoinData(junk)
		d := decodeAssignData(junk)
		for p := range int32(3) {
			d.owners.of("", p, true)
			d.owners.of("", p, false)
		}
	}
}
