package broker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"faust/runtime/topic"
)

// lotsOf makes the lots of which place finds owners, one copy of each.
func lotsOf(units []unit) (lots []lot, kinds int) {
	index := map[*unitKind]int{}
	for i := range units {
		u := &units[i]
		if _, ok := index[u.kind]; !ok {
			index[u.kind] = len(index)
		}
		lots = append(lots, lot{index[u.kind], u.kind.eligible, 1, u.at})
	}
	return lots, len(index)
}

func single(owners []int) (where [][]int) {
	for _, m := range owners {
		where = append(where, []int{m})
	}
	return where
}

// total is the cost of a distribution, from scratch, what counts most first: squares of counts, moves, squares of counts by kind, records to read.
func total(lots []lot, where [][]int, members int) []int64 {
	load, kinds := make([]int64, members), map[int][]int64{}
	c := make([]int64, 4)
	for l, at := range where {
		k := lots[l].kind
		if kinds[k] == nil {
			kinds[k] = make([]int64, members)
		}
		for _, m := range at {
			load[m]++
			kinds[k][m]++
			own := lots[l].at(m)
			c[1] += own.moved
			c[3] += own.read
		}
	}
	for m, l := range load {
		c[0] += l * l
		for _, counts := range kinds {
			c[2] += counts[m] * counts[m]
		}
	}
	return c
}

// improvable tells whether there is a distribution that costs less, which is so if and only if the residual graph of the flow has a cycle of negative cost.
// Nodes are the lots, the kinds at the members, the members, and the end of all.
func improvable(lots []lot, where [][]int, members int) bool {
	type arc struct {
		from, to int
		cost     cost
	}
	var arcs []arc
	flow := func(from, to, count int, by func(int64) cost) { // by is what more of it costs, each with its square
		c := int64(count)
		arcs = append(arcs, arc{from, to, by((c+1)*(c+1) - c*c)})
		if c > 0 {
			arcs = append(arcs, arc{to, from, by((c-1)*(c-1) - c*c)})
		}
	}
	kinds := map[int]int{} // the first node of each
	nodes := len(lots)
	for _, l := range lots {
		if _, ok := kinds[l.kind]; !ok {
			kinds[l.kind] = nodes
			nodes += members
		}
	}
	counts := make([]int, nodes+members)
	for i, l := range lots {
		for _, m := range l.eligible {
			if spot := kinds[l.kind] + m; slices.Contains(where[i], m) {
				arcs = append(arcs, arc{spot, i, cost{}.minus(l.at(m))})
				counts[spot]++
				counts[nodes+m]++
			} else {
				arcs = append(arcs, arc{i, spot, l.at(m)})
			}
		}
	}
	for m := range members {
		for _, first := range kinds {
			flow(first+m, nodes+m, counts[first+m], func(c int64) cost { return cost{kinds: c} })
		}
		flow(nodes+m, nodes+members, counts[nodes+m], func(c int64) cost { return cost{load: c} })
	}
	dist := make([]cost, nodes+members+1)
	for range dist {
		settled := true
		for _, a := range arcs {
			if c := dist[a.from].plus(a.cost); c.less(dist[a.to]) {
				dist[a.to], settled = c, false
			}
		}
		if settled {
			return false
		}
	}
	return true
}

// someUnits makes units of any kinds, with any holders and stores.
func someUnits(rnd *rand.Rand, members, kinds, count int) (units []unit) {
	of := make([]*unitKind, kinds)
	for i := range of {
		k := &unitKind{}
		for m := range members {
			if rnd.IntN(4) > 0 {
				k.eligible = append(k.eligible, m)
			}
		}
		if len(k.eligible) == 0 {
			k.eligible = []int{rnd.IntN(members)}
		}
		of[i] = k
	}
	for range count {
		u := unit{kind: of[rnd.IntN(kinds)], holder: -1}
		if rnd.IntN(3) > 0 {
			u.holder = u.kind.eligible[rnd.IntN(len(u.kind.eligible))]
		}
		if rnd.IntN(2) == 0 {
			u.stored = map[int]int64{}
			for _, m := range u.kind.eligible {
				u.stored[m] = rnd.Int64N(4)
				u.furthest = max(u.furthest, u.stored[m])
				if rnd.IntN(4) == 0 {
					u.ready = append(u.ready, m)
				}
			}
		}
		units = append(units, u)
	}
	return units
}

// Against all distributions there are, the chosen one is the most even, of these it moves the least, of these each kind is the most even, and of these it
// has the least to read again.
func TestPlaceIsLeast(t *testing.T) {
	rnd := seeded(t)
	for range 2000 {
		members := 1 + rnd.IntN(4)
		units := someUnits(rnd, members, 1+rnd.IntN(4), 1+rnd.IntN(6))
		got := place(units, members)
		lots, _ := lotsOf(units)
		least, owners := total(lots, single(got), members), make([]int, len(units))
		fewest := -1 // moves of those that are even
		var try func(u int)
		try = func(u int) {
			if u < len(units) {
				for _, m := range units[u].kind.eligible {
					owners[u] = m
					try(u + 1)
				}
				return
			}
			c := total(lots, single(owners), members)
			if slices.Compare(c, least) < 0 {
				t.Fatalf("%v costs %v, %v only %v: %+v", got, least, owners, c, units)
			}
			if rnd.IntN(100) == 0 && improvable(lots, single(owners), members) != (slices.Compare(least, c) < 0) {
				t.Fatalf("%v costs %v, %v %v: the latter is improvable or not: %+v", got, least, owners, c, units)
			}
			load := make([]int, members)
			for _, m := range owners {
				load[m]++
			}
			if slices.Max(load)-slices.Min(load) <= 1 && (fewest < 0 || int(c[1]) < fewest) {
				fewest = int(c[1])
			}
		}
		try(0)
		if fewest >= 0 && int(least[1]) != fewest {
			t.Fatalf("%v moves %d, %d would do: %+v", got, least[1], fewest, units)
		}
		if again := place(units, members); !slices.Equal(got, again) {
			t.Fatalf("%v, then %v", got, again)
		}
	}
}

// Where there are too many distributions to try, none is better than the chosen one either, and nothing moves from it.
func TestPlaceIsLeastOfMany(t *testing.T) {
	rnd := seeded(t)
	for range 200 {
		members := 1 + rnd.IntN(12)
		units := someUnits(rnd, members, 1+rnd.IntN(8), 1+rnd.IntN(80))
		got := place(units, members)
		if lots, _ := lotsOf(units); improvable(lots, single(got), members) {
			t.Fatalf("%v costs %v, there is a better one: %+v", got, total(lots, single(got), members), units)
		}
		for i, m := range got {
			units[i].holder = m
		}
		if again := place(units, members); !slices.Equal(got, again) {
			t.Fatalf("from %v to %v: %+v", got, again, units)
		}
	}
}

// Members with the same topics that start together have as many units as each other, of each kind too.
func TestPlaceSpreadsKinds(t *testing.T) {
	rnd := seeded(t)
	for range 200 {
		members := 1 + rnd.IntN(8)
		var eligible []int
		for m := range members {
			eligible = append(eligible, m)
		}
		var units []unit
		for range 1 + rnd.IntN(6) {
			k := &unitKind{eligible: eligible}
			for range 1 + rnd.IntN(20) {
				units = append(units, unit{kind: k, holder: -1})
			}
		}
		counts := map[*unitKind][]int{nil: make([]int, members)} // nil: of all kinds
		for i, m := range place(units, members) {
			k := units[i].kind
			if counts[k] == nil {
				counts[k] = make([]int, members)
			}
			counts[k][m]++
			counts[nil][m]++
		}
		for _, c := range counts {
			if slices.Max(c)-slices.Min(c) > 1 {
				t.Fatalf("%v", counts)
			}
		}
	}
}

// A thousand units and fifty members: the first assignment, one with nothing to do, and one for which a member came.
func BenchmarkBalance(b *testing.B) {
	for _, replicas := range []int{0, 1} {
		b.Run(fmt.Sprintf("standbys %d", replicas), func(b *testing.B) { benchmarkBalance(b, replicas) })
	}
}

func benchmarkBalance(b *testing.B, replicas int) {
	counts := map[string]int32{}
	var topics []string
	var ties []Tie
	for i := range 10 {
		one, two := fmt.Sprintf("in-%d", i), fmt.Sprintf("side-%d", i)
		counts[one], counts[two] = 100, 100
		topics = append(topics, one, two)
		ties = append(ties, Tie{Topics: []string{one, two}, Tables: []string{fmt.Sprintf("table-%d", i)}})
	}
	member := func(i int, owned map[string][]int32) groupMember {
		m := groupMember{id: fmt.Sprintf("m%02d", i), topics: set(topics), owned: map[topic.Partition]bool{}, joinData: joinData{ties: ties, stored: map[Shard]int64{}, replicas: replicas}}
		for _, p := range partitions(owned) {
			m.owned[p] = true
			m.stored[Shard{strings.NewReplacer("in", "table", "side", "table").Replace(p.Topic), p.ID}] = int64(p.ID)
		}
		return m
	}
	var fresh, settled []groupMember
	for i := range 50 {
		fresh = append(fresh, member(i, nil))
	}
	a, _ := balance(fresh, counts)
	for i := range 50 {
		m := member(i, a.given[i])
		m.copies = map[Shard]bool{}
		for _, s := range a.standbys[i] {
			m.copies[s] = true
		}
		settled = append(settled, m)
	}
	for _, c := range []struct {
		name    string
		members []groupMember
	}{{"first", fresh}, {"unchanged", settled}, {"one more", append(slices.Clone(settled), member(50, nil))}, {"one less", settled[1:]}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				balance(c.members, counts)
			}
		})
	}
}
