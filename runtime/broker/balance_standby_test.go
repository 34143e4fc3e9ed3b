package broker

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"faust/runtime/topic"
)

// someLots makes lots of any kinds, with up to so many copies and any costs.
func someLots(rnd *rand.Rand, members, kinds, count, copies int) (lots []lot) {
	for range count {
		l := lot{kind: rnd.IntN(kinds), copies: rnd.IntN(copies + 1)}
		for m := range members {
			if rnd.IntN(4) > 0 {
				l.eligible = append(l.eligible, m)
			}
		}
		l.copies = min(l.copies, len(l.eligible))
		costs := make([]cost, members)
		for m := range costs {
			costs[m] = cost{moved: rnd.Int64N(2), read: rnd.Int64N(4)}
		}
		l.at = func(m int) cost { return costs[m] }
		lots = append(lots, l)
	}
	return lots
}

// Against all distributions there are, the chosen one costs the least, also where a lot has several copies, and no member has two of one.
func TestDistributeIsLeast(t *testing.T) {
	rnd := seeded(t)
	for range 300 {
		members, kinds := 1+rnd.IntN(4), 1+rnd.IntN(3)
		lots := someLots(rnd, members, kinds, 1+rnd.IntN(4), 3)
		got := distribute(lots, kinds, members)
		for l, at := range got {
			if len(at) != lots[l].copies || len(slices.Compact(slices.Clone(at))) != len(at) || slices.ContainsFunc(at, func(m int) bool { return !slices.Contains(lots[l].eligible, m) }) {
				t.Fatalf("lot %d, of %d copies for %v: %v", l, lots[l].copies, lots[l].eligible, at)
			}
		}
		least, where := total(lots, got, members), make([][]int, len(lots))
		var try func(l, from int)
		try = func(l, from int) {
			switch {
			case l == len(lots):
				if c := total(lots, where, members); slices.Compare(c, least) < 0 {
					t.Fatalf("%v costs %v, %v only %v", got, least, where, c)
				}
			case len(where[l]) == lots[l].copies:
				try(l+1, 0)
			default:
				for i := from; i < len(lots[l].eligible); i++ {
					where[l] = append(where[l], lots[l].eligible[i])
					try(l, i+1)
					where[l] = where[l][:len(where[l])-1]
				}
			}
		}
		try(0, 0)
	}
	for range 100 {
		members, kinds := 1+rnd.IntN(9), 1+rnd.IntN(6)
		lots := someLots(rnd, members, kinds, 1+rnd.IntN(50), 3)
		if got := distribute(lots, kinds, members); improvable(lots, got, members) {
			t.Fatalf("%v costs %v, there is a better one", got, total(lots, got, members))
		}
	}
}

// kept are the copies of a simulated member; true: as far as the changelog.
type kept map[Shard]bool

// copying lets the members of a simulation keep copies.
type copying struct {
	*simulation
	kept map[*simulated]kept
	told map[*simulated]assignData
}

func newCopying(t *testing.T, partitions int32) *copying {
	s := &copying{kept: map[*simulated]kept{}, told: map[*simulated]assignData{}}
	s.simulation = &simulation{T: t, rnd: seeded(t), counts: map[string]int32{"a": partitions, "b": partitions, "c": partitions}, after: s.hear}
	return s
}

func (s *copying) come(replicas int) *simulated {
	m := s.join([]string{"a", "b", "c"}, Tie{Topics: []string{"a"}, Tables: []string{"t", "u"}}, Tie{Topics: []string{"b"}, Tables: []string{"v"}})
	m.balancer.self.replicas = replicas
	s.kept[m] = kept{}
	m.balancer.copies = func() map[Shard]bool { return maps.Clone(s.kept[m]) }
	return m
}

// hear is told when a member has its assignment.
func (s *copying) hear(m *simulated) {
	told := m.balancer.last()
	s.told[m] = told
	next := kept{}
	for _, sh := range told.standbys {
		if _, twice := next[sh]; twice {
			s.Fatalf("%s keeps %v twice", m.id, sh)
		}
		if m.owned[topic.Partition{Topic: sourceOf(sh.Table), ID: sh.Partition}] {
			s.Fatalf("%s has %v and keeps a copy", m.id, sh)
		}
		next[sh] = s.kept[m][sh]
	}
	for _, sh := range told.warming {
		if !slices.Contains(told.standbys, sh) {
			s.Fatalf("%s is to warm up %v without keeping it", m.id, sh)
		}
	}
	s.kept[m] = next
}

func sourceOf(table string) string {
	if table == "v" {
		return "b"
	}
	return "a"
}

// catchUp makes all copies as far as their changelogs, and tells whether somebody is to join again for that.
func (s *copying) catchUp() (again bool) {
	for _, m := range s.members {
		for sh := range s.kept[m] {
			s.kept[m][sh] = true
		}
		again = again || len(s.told[m].warming) > 0
	}
	return again
}

// calm rebalances until nobody has a reason to.
func (s *copying) calm() {
	s.Helper()
	for n := 0; ; n++ {
		s.settle()
		if !s.catchUp() {
			return
		}
		if n > 5 {
			s.Fatalf("copies are warmed up without end\n%s", s)
		}
	}
}

// ready gives the members that are ready to have a unit, by its first topic and partition.
func (s *copying) ready() map[topic.Partition][]string {
	out := map[topic.Partition][]string{}
	for _, m := range s.members {
		for p := range s.counts["a"] {
			if s.kept[m][Shard{"t", p}] && s.kept[m][Shard{"u", p}] {
				out[topic.Partition{Topic: "a", ID: p}] = append(out[topic.Partition{Topic: "a", ID: p}], m.id)
			}
			if s.kept[m][Shard{"v", p}] {
				out[topic.Partition{Topic: "b", ID: p}] = append(out[topic.Partition{Topic: "b", ID: p}], m.id)
			}
		}
	}
	return out
}

func (s *copying) ownerOf(p topic.Partition) string {
	for _, m := range s.members {
		if m.owned[p] {
			return m.id
		}
	}
	return ""
}

// spread makes sure that every unit with tables has the copies that it should, evenly, and that everybody knows where.
func (s *copying) spread(replicas int) {
	s.Helper()
	for _, m := range s.members {
		if n := len(s.told[m].warming); n > 0 {
			s.Fatalf("%s still warms up %d shards\n%s", m.id, n, s)
		}
	}
	for _, table := range []string{"t", "u", "v"} {
		for p := range s.counts["a"] {
			var urls []string
			for _, m := range s.members {
				if _, ok := s.kept[m][Shard{table, p}]; ok {
					urls = append(urls, "http://"+m.id)
				}
			}
			if len(urls) != min(replicas, len(s.members)-1) {
				s.Fatalf("%s/%d has copies at %v\n%s", table, p, urls, s)
			}
			for _, m := range s.members {
				told := s.told[m]
				if got := told.owners.ofTable(table, p); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(urls))) {
					s.Fatalf("%s believes that %s/%d has copies at %v, not %v", m.id, table, p, got, urls)
				}
			}
		}
	}
	members := s.described()
	kinds, _ := unitKinds(members, s.counts)
	units := unitsOf(kinds, members, claimsOf(members))
	var lots []lot
	var where [][]int
	for i := range units {
		l := units[i].lot(units[i].holder, members)
		var at []int
		for m := range members {
			if len(units[i].kind.tables) > 0 && slices.Contains(units[i].kept, m) {
				at = append(at, m)
			}
		}
		lots, where = append(lots, l), append(where, at)
	}
	if improvable(lots, where, len(members)) {
		s.Fatalf("copies cost %v, there is something better\n%s", total(lots, where, len(members)), s)
	}
}

// Workers come, stop and die. A unit never goes to a worker that would have to read its tables while another one has them; copies are never with the owner, are as
// many as wanted and evenly spread; in the end all is warm and even, and then nothing moves any more.
func TestBalanceStandbys(t *testing.T) {
	for range 60 {
		s := newCopying(t, 0)
		n, replicas := 1+s.rnd.Int32N(6), 1+s.rnd.IntN(2)
		s.counts["a"], s.counts["b"], s.counts["c"] = n, n, n
		for range 12 {
			if len(s.members) > 1 && s.rnd.IntN(3) == 0 {
				i := s.rnd.IntN(len(s.members))
				s.members = slices.Delete(s.members, i, i+1)
			} else if len(s.members) < 6 {
				s.come(replicas)
			}
			before, ready := map[topic.Partition]string{}, s.ready()
			for p := range n {
				for _, name := range []string{"a", "b"} {
					before[topic.Partition{Topic: name, ID: p}] = s.ownerOf(topic.Partition{Topic: name, ID: p})
				}
			}
			s.settle()
			for p, owner := range before {
				now := s.ownerOf(p)
				if now != owner && (owner != "" || len(ready[p]) > 0) && !slices.Contains(ready[p], now) {
					t.Fatalf("%s went from %q to %s, ready were %v\n%s", p, owner, now, ready[p], s)
				}
			}
			if s.rnd.IntN(2) == 0 {
				s.calm()
				s.complete()
				s.spread(replicas)
			}
		}
		s.calm()
		s.complete()
		s.spread(replicas)
		copies, moved := fmt.Sprint(s.members, s.kept), s.moved
		if s.round(func() bool { return false }) || s.moved != moved || fmt.Sprint(s.members, s.kept) != copies {
			t.Fatalf("a rebalance without a change moves something\n%s", s)
		}
	}
}

// The units of a worker that dies go to those that have copies of them, and as little as can be is read anew: a new copy for each that was lost.
func TestBalanceFailsOver(t *testing.T) {
	s := newCopying(t, 12)
	for range 4 {
		s.come(1)
	}
	s.calm()
	dead := s.members[s.rnd.IntN(4)]
	lost := len(s.kept[dead]) // and as many of what it had get new copies, when their copies become the real thing
	for p := range dead.owned {
		lost += map[string]int{"a": 2, "b": 1, "c": 0}[p.Topic]
	}
	ready, had := s.ready(), maps.Clone(dead.owned)
	s.members = slices.DeleteFunc(s.members, func(m *simulated) bool { return m == dead })
	before := map[*simulated]kept{}
	for _, m := range s.members {
		before[m] = maps.Clone(s.kept[m])
	}
	if rounds := s.settle(); rounds != 1 {
		t.Errorf("%d rounds", rounds)
	}
	for p := range had {
		if owner := s.ownerOf(p); p.Topic != "c" && !slices.Contains(ready[p], owner) {
			t.Errorf("%s went to %s, ready are %v", p, owner, ready[p])
		}
	}
	fresh := 0
	for _, m := range s.members {
		for sh := range s.kept[m] {
			if _, ok := before[m][sh]; !ok {
				fresh++
			}
		}
	}
	if fresh > lost {
		t.Errorf("%d new copies, %d were lost", fresh, lost)
	}
	s.calm()
	s.complete()
	s.spread(1)
}

// A worker that comes is given copies first; the units go to it when these are warm, in one go.
func TestBalanceWarmsUp(t *testing.T) {
	s := newCopying(t, 4)
	one := s.come(1)
	s.calm()
	two := s.come(1)
	s.settle()
	for p := range two.owned {
		if p.Topic != "c" {
			t.Errorf("it has %s, and nothing of the table", p)
		}
	}
	if n := len(s.told[two].warming); n == 0 {
		t.Fatal("it warms up nothing")
	}
	s.settle() // without news nothing goes on
	if len(one.owned) < 8 {
		t.Error("the first one has lost something")
	}
	s.catchUp()
	s.settle()
	if len(s.told[two].warming) > 0 {
		t.Error("it still warms up something")
	}
	s.catchUp()
	s.complete()
	s.spread(1)
}

// Binaries that know nothing of copies, and workers that keep none, are given none and get their units at once.
func TestBalanceWithoutStandbys(t *testing.T) {
	s := newCopying(t, 4)
	s.come(1)
	s.calm()
	two := s.come(0)
	s.settle()
	if len(s.told[two].standbys) > 0 || len(two.owned) != 6 {
		t.Errorf("it keeps %v and has %v", s.told[two].standbys, two.owned)
	}
	old := joinData{ties: two.balancer.self.ties}.encode()
	if d := decodeJoinData(old[:len(old)-2]); d.replicas != 0 || len(d.ties) != 2 {
		t.Errorf("%+v", d)
	}
}
