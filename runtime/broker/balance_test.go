package broker

import (
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"faust/runtime/topic"
	"faust/tests/seed"
)

// seeded gives random numbers.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	return rand.New(rand.NewPCG(seed.Of(t), 1))
}

// simulated is a member of a group without a broker. It does with its assignments what kgo does.
type simulated struct {
	id         string
	balancer   *balancer
	topics     []string
	owned      map[topic.Partition]bool
	generation int32
}

// simulation is a group whose members speak the real protocol data with each other.
type simulation struct {
	*testing.T
	rnd     *rand.Rand
	counts  map[string]int32
	members []*simulated
	now     int32
	born    int
	moved   int  // partitions that were given to somebody new
	loose   bool // ties change: what members have may be apart until a rebalance is over
	log     syncBuffer
	after   func(m *simulated) // an assignment; nil: nobody wants to know
}

func (s *simulation) logger() *slog.Logger { return slog.New(slog.NewTextHandler(&s.log, nil)) }

func (s *simulation) join(topics []string, ties ...Tie) *simulated {
	s.born++
	id := fmt.Sprintf("m%02d", s.born)
	slices.Sort(topics)
	m := &simulated{id: id, topics: topics, owned: map[topic.Partition]bool{}, generation: -1,
		balancer: &balancer{log: s.logger(), self: joinData{ties: ties, url: "http://" + id}, claims: same, undropped: same}}
	s.members = append(s.members, m)
	return m
}

// owner is where the member believes the owner to be.
func (m *simulated) owner(name string, partition int32, table bool) (string, bool) {
	told := m.balancer.last()
	return told.owners.of(name, partition, table)
}

// plan is one rebalance up to its assignments.
func (s *simulation) plan() map[string]map[string][]int32 {
	s.Helper()
	s.now++
	var joined []kmsg.JoinGroupResponseMember
	for _, m := range s.members {
		j := kmsg.NewJoinGroupResponseMember()
		j.MemberID, j.ProtocolMetadata = m.id, m.balancer.JoinGroupMetadata(slices.Clone(m.topics), byTopic(slices.Collect(maps.Keys(m.owned))), m.generation)
		joined = append(joined, j)
	}
	leader := s.members[s.rnd.IntN(len(s.members))]
	b, _, err := leader.balancer.MemberBalancer(joined)
	if err != nil {
		s.Fatal(err)
	}
	targets := s.targets()
	into, err := b.(kgo.GroupMemberBalancerOrError).BalanceOrError(s.counts)
	if err != nil {
		s.Fatal(err)
	}
	out := map[string]map[string][]int32{}
	for _, a := range into.IntoSyncAssignment() {
		for _, m := range s.members {
			if m.id == a.MemberID {
				if out[m.id], err = m.balancer.ParseSyncAssignment(a.MemberAssignment); err != nil {
					s.Fatal(err)
				}
				for _, p := range partitions(out[m.id]) {
					if targets[p] != m.id {
						s.Fatalf("%s is given to %s, least cost has %s\n%s", p, m.id, targets[p], s)
					}
				}
			}
		}
	}
	return out
}

// targets gives the members that every partition is to go to, and makes sure that no other distribution is better.
func (s *simulation) targets() map[topic.Partition]string {
	s.Helper()
	members := s.described()
	kinds, _ := unitKinds(members, s.counts)
	units := unitsOf(kinds, members, claimsOf(members))
	owners := place(units, len(members))
	if lots, _ := lotsOf(units); improvable(lots, single(owners), len(members)) {
		s.Fatalf("%v costs %v, there is a better one\n%s", owners, total(lots, single(owners), len(members)), s)
	}
	owners = shelve(units, owners, members).owners
	out := map[topic.Partition]string{}
	for i := range units {
		for _, p := range units[i].parts() {
			out[p] = members[owners[i]].id
		}
	}
	return out
}

// round is one rebalance; it tells whether another one follows: somebody lost something, or did not hear of its assignment (misses).
func (s *simulation) round(misses func() bool) (again bool) {
	s.Helper()
	given := s.plan()
	for _, i := range s.rnd.Perm(len(s.members)) { // they hear of it in any order
		m := s.members[i]
		if misses() { // it knows the generation or not
			again = true
			m.generation = []int32{m.generation, s.now}[s.rnd.IntN(2)]
			continue
		}
		m.generation = s.now
		next := map[topic.Partition]bool{}
		for _, p := range partitions(given[m.id]) {
			next[p] = true
			if !m.owned[p] {
				s.moved++
			}
		}
		for p := range m.owned {
			again = again || !next[p]
		}
		m.owned = next
		s.whole()
		if s.after != nil {
			s.after(m)
		}
	}
	return again
}

// settle rebalances until nothing follows.
func (s *simulation) settle() (rounds int) {
	s.Helper()
	for s.round(func() bool { return false }) {
		if rounds++; rounds > 5 {
			s.Fatalf("rebalances without end:\n%s", s)
		}
	}
	return rounds + 1
}

func (s *simulation) String() string {
	var b strings.Builder
	for _, m := range s.members {
		fmt.Fprintf(&b, "%s reads %v ties %v has %v\n", m.id, m.topics, m.balancer.self.ties, byTopic(slices.Collect(maps.Keys(m.owned))))
	}
	return b.String()
}

// described gives the members as a balancer sees them.
func (s *simulation) described() (out []groupMember) {
	for _, m := range s.members {
		data := m.balancer.self
		if m.balancer.stored != nil {
			data.stored = m.balancer.stored()
		}
		if m.balancer.copies != nil {
			data.copies = m.balancer.copies()
		}
		out = append(out, groupMember{id: m.id, topics: set(m.topics), generation: m.generation, owned: m.owned, joinData: data})
	}
	return out
}

// whole makes sure that nothing has two owners and that every unit is in one hand.
func (s *simulation) whole() {
	s.Helper()
	members := s.described()
	kinds, _ := unitKinds(members, s.counts)
	owner := map[topic.Partition]int{} // 1 + index
	for i, m := range s.members {
		for p := range m.owned {
			if owner[p] > 0 {
				s.Fatalf("%s belongs to %s and %s\n%s", p, s.members[owner[p]-1].id, m.id, s)
			}
			owner[p] = i + 1
		}
	}
	for _, k := range kinds {
		for p := range k.partitions {
			var of []int
			old := false // who does not read all of a tie that came up meanwhile has what it had until it hears of it
			for _, name := range k.topics {
				i := owner[topic.Partition{Topic: name, ID: p}]
				of, old = append(of, i), old || i > 0 && !members[i-1].subscribes(k.topics)
			}
			slices.Sort(of)
			if of = slices.Compact(of); old && of[0] == 0 {
				of = of[1:]
			}
			if len(of) > 1 && !s.loose {
				s.Fatalf("%v/%d belongs to %v\n%s", k.topics, p, of, s)
			}
		}
	}
}

// complete makes sure that all there is to give is given, evenly, and known to everybody.
func (s *simulation) complete() {
	s.Helper()
	members := s.described()
	kinds, _ := unitKinds(members, s.counts)
	load := make([]int, len(members))
	for _, k := range kinds {
		for p := range k.partitions {
			owner := -1
			for i, m := range members {
				if m.owned[topic.Partition{Topic: k.topics[0], ID: p}] {
					owner = i
				}
			}
			if !slices.Contains(k.eligible, owner) {
				s.Fatalf("%v/%d belongs to %d, of %v\n%s", k.topics, p, owner, k.eligible, s)
			}
			load[owner]++
			for _, m := range s.members {
				if url, ok := m.owner(k.topics[0], p, false); !ok || url != "http://"+members[owner].id {
					s.Fatalf("%s believes %v/%d to be at %q", m.id, k.topics, p, url)
				}
			}
		}
	}
	for i := range members {
		for j := range members {
			if slices.Equal(s.members[i].topics, s.members[j].topics) && load[i] > load[j]+1 {
				s.Fatalf("%d and %d have %v units\n%s", i, j, load, s)
			}
		}
	}
}

// Members of two versions come, go, crash and miss assignments. At every moment units are whole and nothing has two owners; in the end all is given, and
// a rebalance in which nothing changed moves nothing.
func TestBalanceRandom(t *testing.T) {
	rnd := seeded(t)
	for range 300 {
		s := &simulation{T: t, rnd: rnd, counts: map[string]int32{}}
		names := []string{"a", "b", "c", "d", "e"}[:1+rnd.IntN(5)]
		n := 1 + rnd.Int32N(6)
		for _, name := range names {
			s.counts[name] = n
		}
		s.counts["<id>-leader"] = 1
		old, added := names, names
		if len(names) > 2 && rnd.IntN(2) == 0 {
			old = names[:len(names)-1]
		}
		tie := func(of []string) (ties []Tie) { // of every version: the same ones, as far as it has the topics
			if len(of) > 1 && len(names) > 1 {
				ties = append(ties, Tie{Topics: []string{"a", "b"}})
			}
			if len(of) > 3 {
				ties = append(ties, Tie{Topics: []string{"c", "d"}})
			}
			return ties
		}
		for range 12 {
			switch k := rnd.IntN(4); {
			case len(s.members) > 1 && k == 0:
				i := rnd.IntN(len(s.members))
				s.members = slices.Delete(s.members, i, i+1)
			case len(s.members) < 6 && k == 1:
				s.join(append(slices.Clone(old), "<id>-leader"), tie(old)...)
			case len(s.members) < 6 || len(s.members) == 0:
				s.join(append(slices.Clone(added), "<id>-leader"), tie(added)...)
			}
			for s.round(func() bool { return rnd.IntN(4) == 0 }) && rnd.IntN(3) > 0 {
			}
			if rnd.IntN(2) == 0 {
				s.settle()
				s.complete()
			}
		}
		if rounds := s.settle(); rounds > 3 {
			t.Errorf("%d rounds", rounds)
		}
		s.complete()
		before := s.moved
		if s.round(func() bool { return false }) || s.moved != before {
			t.Fatalf("a rebalance without a change moves something:\n%s", s)
		}
	}
}

// Members of many versions with any ties and topics. Nothing ever has two owners, it comes to an end, and then units are whole and evenly spread.
func TestBalanceAnyTies(t *testing.T) {
	rnd := seeded(t)
	for range 300 {
		s := &simulation{T: t, rnd: rnd, counts: map[string]int32{"a": 3, "b": 3, "c": 3, "d": 3, "x": 2}, loose: true}
		names := slices.Sorted(maps.Keys(s.counts))
		some := func() (list []string) {
			for _, i := range rnd.Perm(len(names))[:1+rnd.IntN(len(names))] {
				list = append(list, names[i])
			}
			return list
		}
		for range 8 {
			if len(s.members) > 1 && rnd.IntN(3) == 0 {
				s.members = slices.Delete(s.members, 0, 1)
			} else {
				var ties []Tie
				for range rnd.IntN(3) {
					ties = append(ties, Tie{Topics: some(), Tables: []string{"t", "u", "v"}[rnd.IntN(3):]})
				}
				s.join(some(), ties...)
			}
			for s.round(func() bool { return rnd.IntN(4) == 0 }) && rnd.IntN(3) > 0 {
			}
			s.settle()
			s.loose = false
			s.whole()
			s.complete()
			s.loose = true
		}
	}
}

// From a settled group of one subscription, one member that comes or goes is over in two rounds, and moves no more than it has to.
func TestBalanceMovesLittle(t *testing.T) {
	rnd := seeded(t)
	for range 100 {
		s := &simulation{T: t, rnd: rnd, counts: map[string]int32{"a": 1 + rnd.Int32N(12)}}
		s.counts["b"] = s.counts["a"]
		come := func() { s.join([]string{"a", "b"}, Tie{Topics: []string{"a", "b"}}) }
		for range 1 + rnd.IntN(5) {
			come()
		}
		s.settle()
		units, before := int(s.counts["a"]), len(s.members)
		s.moved = 0
		if rnd.IntN(2) == 0 || before == 1 {
			come()
			rounds := s.settle()
			if want := units / (before + 1); s.moved != 2*want || rounds > 2 {
				t.Fatalf("%d units, %d members and one more: %d partitions moved in %d rounds, not %d\n%s", units, before, s.moved, rounds, 2*want, s)
			}
		} else {
			gone := len(s.members[0].owned)
			s.members = s.members[1:]
			if rounds := s.settle(); s.moved != gone || rounds != 1 {
				t.Fatalf("%d partitions are free, %d moved in %d rounds", gone, s.moved, rounds)
			}
		}
		s.complete()
	}
}

// A member that comes gets some of every kind, also of those that cost it something to read. Where kinds are uneven already, nothing moves for that.
func TestBalanceSpreadsKinds(t *testing.T) {
	s := &simulation{T: t, rnd: seeded(t), counts: map[string]int32{"in": 4, "by-country": 4}}
	come := func() *simulated {
		return s.join([]string{"in", "by-country"}, Tie{Topics: []string{"by-country"}, Tables: []string{"t"}})
	}
	one := come()
	s.settle()
	one.balancer.stored = func() map[Shard]int64 {
		return map[Shard]int64{{"t", 0}: 10, {"t", 1}: 20, {"t", 2}: 30, {"t", 3}: 5}
	}
	s.moved = 0
	two := come()
	s.settle()
	if got := byTopic(slices.Collect(maps.Keys(two.owned))); len(got["in"]) != 2 || len(got["by-country"]) != 2 || s.moved != 4 {
		t.Errorf("%d moved, the second has %v", s.moved, got)
	}
	if !two.owned[topic.Partition{Topic: "by-country", ID: 0}] || !two.owned[topic.Partition{Topic: "by-country", ID: 3}] {
		t.Errorf("not the least to read: %v", two.owned)
	}
	clear(one.owned)
	clear(two.owned)
	for p := range int32(4) {
		one.owned[topic.Partition{Topic: "in", ID: p}], two.owned[topic.Partition{Topic: "by-country", ID: p}] = true, true
	}
	s.moved = 0
	if rounds := s.settle(); rounds != 1 || s.moved != 0 {
		t.Errorf("%d moved in %d rounds\n%s", s.moved, rounds, s)
	}
}

// What nobody gets is said once.
func TestBalanceSaysWhatWaits(t *testing.T) {
	s := &simulation{T: t, rnd: seeded(t), counts: map[string]int32{"a": 2, "b": 3, "c": 1}}
	m := s.join([]string{"a", "b", "c"}, Tie{Topics: []string{"a", "b"}})
	s.settle()
	s.settle()
	if n := strings.Count(s.log.String(), "a has 2 partitions and b 3"); n != 1 || len(m.owned) != 1 {
		t.Errorf("said %d times, %v", n, m.owned)
	}
}

// Claims of an older generation do not count as having, but nothing of the unit moves while they are there.
func TestBalanceStaleClaims(t *testing.T) {
	s := &simulation{T: t, rnd: seeded(t), counts: map[string]int32{"a": 1, "b": 1}}
	tie := Tie{Topics: []string{"a", "b"}}
	unit := []topic.Partition{{Topic: "a"}, {Topic: "b"}}
	one := s.join([]string{"a", "b"}, tie)
	s.settle()
	two := s.join([]string{"a", "b"}, tie)
	s.settle()
	two.generation, two.owned = 0, map[topic.Partition]bool{unit[0]: true, unit[1]: true}
	given := s.plan()
	if len(given[one.id]) != 2 || len(given[two.id]) != 0 {
		t.Errorf("a stale claim changes something: %v", given)
	}
	one.topics = []string{"a"} // it cannot have the unit any more: to the other one, which has it by a stale claim only
	if given := s.plan(); len(given[one.id]) != 0 || len(given[two.id]) != 0 {
		t.Errorf("given while another claims it: %v", given)
	}
	one.owned, two.owned = nil, map[topic.Partition]bool{unit[1]: true}
	if given := s.plan(); len(given[two.id]) != 2 {
		t.Errorf("nobody else claims it: %v", given)
	}
	// after a time under a balancer that splits: who has a part and is to have the whole keeps its part until the rest is free
	one.topics = two.topics
	one.owned, two.owned = map[topic.Partition]bool{unit[0]: true}, map[topic.Partition]bool{unit[1]: true}
	one.generation, two.generation = 7, 7
	if given := s.plan(); fmt.Sprint(given) != "map[m01:map[a:[0]] m02:map[]]" {
		t.Errorf("%v", given)
	}
	if _, ok := one.owner("a", 0, false); ok {
		t.Error("nobody has the whole unit")
	}
}

// A unit that needs an owner goes to whose stores are the furthest, as long as that is even.
func TestBalancePrefersStores(t *testing.T) {
	s := &simulation{T: t, rnd: seeded(t), counts: map[string]int32{"a": 4}}
	tie := Tie{Topics: []string{"a"}, Tables: []string{"t", "u"}}
	far := func(p int32, at int64) map[Shard]int64 {
		return map[Shard]int64{{"t", p}: at, {"u", p}: at, {"other", p}: 99}
	}
	one, two := s.join([]string{"a"}, tie), s.join([]string{"a"}, tie)
	stored := map[Shard]int64{}
	for p, at := range []int64{10, 20, 30, 5} {
		maps.Copy(stored, far(int32(p), at))
	}
	two.balancer.stored = func() map[Shard]int64 { return stored }
	s.settle()
	if got := byTopic(slices.Collect(maps.Keys(two.owned)))["a"]; len(got) != 2 || slices.Contains(got, 0) || slices.Contains(got, 3) {
		t.Errorf("the second has %v", got)
	}
	three := s.join([]string{"a"}, tie)
	three.balancer.stored = func() map[Shard]int64 { return far(2, 29) }
	s.settle()
	if !three.owned[topic.Partition{Topic: "a", ID: 2}] {
		t.Errorf("the third has %v\n%s", three.owned, s)
	}
	if url, ok := one.owner("u", 2, true); !ok || url != "http://m03" {
		t.Errorf("the owner of a shard is %q", url)
	}
}

func same(ps map[string][]int32) map[string][]int32 { return ps }

// What the client's balancer gives of a unit is taken only if it is all of it.
func TestPartsOfUnitsAreNotTaken(t *testing.T) {
	t.Parallel()
	same := func(ps map[string][]int32) map[string][]int32 { return ps }
	units := &balancer{
		log: slog.New(slog.DiscardHandler), claims: same, undropped: same,
		self: joinData{ties: []Tie{{Topics: []string{"a", "b"}}, {Topics: []string{"b", "c"}}, {Topics: []string{"d"}}}},
	}
	var given kmsg.ConsumerMemberAssignment
	for name, ids := range map[string][]int32{"a": {0, 1, 2}, "b": {0, 1, 3}, "c": {0, 2, 3}, "d": {1}, "free": {2}} {
		p := kmsg.NewConsumerMemberAssignmentTopic()
		p.Topic, p.Partitions = name, ids
		given.Topics = append(given.Topics, p)
	}
	got, err := fallback{kgo.CooperativeStickyBalancer(), units}.ParseSyncAssignment(given.AppendTo(nil))
	if want := (map[string][]int32{"a": {0}, "b": {0}, "c": {0}, "d": {1}, "free": {2}}); err != nil || !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%v, %v", got, err)
	}
}
