package broker

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"faust/runtime/topic"
)

// unitsProtocol names the balancer in the group protocol. Members say it first and cooperative-sticky second, so that members of a binary that knows
// only the latter can be in the group for the time of an upgrade; as long as one is, units are not kept together, and a member takes only what it was given all of.
const unitsProtocol = "faust-units"

// Tie names topics and tables of which partition p belongs together: one member has it of all of them, or none has. They have the same number
// of partitions. A topic in no tie is on its own.
type Tie struct{ Topics, Tables []string }

// Shard is one partition of a table.
type Shard struct {
	Table     string
	Partition int32
}

// balancer distributes units, never parts of them. It decides by what the members say of themselves only, not by the leader's own configuration: members of
// several versions of an app are in the group while it is deployed. kgo calls it on the group's goroutine.
type balancer struct {
	log    *slog.Logger
	self   joinData
	stored func() map[Shard]int64 // may be nil
	copies func() map[Shard]bool  // may be nil
	// What of the partitions that the client has it may claim, and what of those that it is given it takes now; see Group.claims.
	claims, undropped func(map[string][]int32) map[string][]int32

	mu     sync.Mutex
	told   assignData // with the last assignment
	faults []string   // that were logged last
}

func (b *balancer) ProtocolName() string { return unitsProtocol }

func (b *balancer) IsCooperative() bool { return true }

func (b *balancer) JoinGroupMetadata(topics []string, owned map[string][]int32, generation int32) []byte {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version, meta.Topics, meta.Generation = 3, topics, generation
	for name, ids := range b.claims(owned) {
		o := kmsg.NewConsumerMemberMetadataOwnedPartition()
		o.Topic, o.Partitions = name, ids
		meta.OwnedPartitions = append(meta.OwnedPartitions, o)
	}
	slices.SortFunc(meta.OwnedPartitions, func(a, b kmsg.ConsumerMemberMetadataOwnedPartition) int { return strings.Compare(a.Topic, b.Topic) })
	data := b.self
	if b.stored != nil {
		data.stored = b.stored()
	}
	if b.copies != nil {
		data.copies = b.copies()
	}
	meta.UserData = data.encode()
	return meta.AppendTo(nil)
}

func (b *balancer) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	ps, err := kgo.ParseConsumerSyncAssignment(assignment)
	if err != nil {
		return nil, err
	}
	var a kmsg.ConsumerMemberAssignment
	if err := a.ReadFrom(assignment); err != nil {
		return nil, err
	}
	b.learn(decodeAssignData(a.UserData))
	return b.undropped(ps), nil
}

func (b *balancer) learn(told assignData) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = told
}

// last is what was told with the last assignment. It is not changed.
func (b *balancer) last() assignData {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.told
}

func (b *balancer) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	c, err := kgo.NewConsumerBalancer(b, members)
	return c, c.MemberTopics(), err
}

// Balance makes the assignment of a generation; only the leader of the group is asked.
func (b *balancer) Balance(c *kgo.ConsumerBalancer, counts map[string]int32) kgo.IntoSyncAssignment {
	var members []groupMember
	c.EachMember(func(m *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		members = append(members, readMember(m.MemberID, meta))
	})
	plan, faults := balance(members, counts)
	b.complain(faults)
	return plan
}

// complain logs what is given to nobody, once.
func (b *balancer) complain(faults []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Equal(faults, b.faults) {
		for _, f := range faults {
			b.log.Warn("topics that belong together have no common worker", "reason", f)
		}
	}
	b.faults = faults
}

// groupMember is a member as it describes itself.
type groupMember struct {
	id         string
	topics     map[string]bool
	generation int32
	owned      map[topic.Partition]bool
	joinData
}

func readMember(id string, meta *kmsg.ConsumerMemberMetadata) groupMember {
	m := groupMember{id: id, topics: map[string]bool{}, generation: meta.Generation, owned: map[topic.Partition]bool{}, joinData: decodeJoinData(meta.UserData)}
	for _, name := range meta.Topics {
		m.topics[name] = true
	}
	for _, o := range meta.OwnedPartitions {
		for _, id := range o.Partitions {
			m.owned[topic.Partition{Topic: o.Topic, ID: id}] = true
		}
	}
	return m
}

// subscribes tells whether m reads all of the topics.
func (m *groupMember) subscribes(topics []string) bool {
	return !slices.ContainsFunc(topics, func(name string) bool { return !m.topics[name] })
}

// assignment is what each member gets.
type assignment struct {
	members []groupMember
	given   []map[string][]int32 // by member: partitions by topic
	owners  ownerMap

	standbys, warming [][]Shard // by member
}

// balance distributes the units of the members' topics; counts has the partitions of each topic. Faults say which topics nobody gets and why.
func balance(members []groupMember, counts map[string]int32) (*assignment, []string) {
	kinds, faults := unitKinds(members, counts)
	claims := claimsOf(members)
	units := unitsOf(kinds, members, claims)
	a := &assignment{
		members: members, given: make([]map[string][]int32, len(members)), standbys: make([][]Shard, len(members)), warming: make([][]Shard, len(members)),
	}
	for i := range a.given {
		a.given[i] = map[string][]int32{}
	}
	s := shelve(units, place(units, len(members)), members)
	at := 0
	for i := range kinds {
		owners := slices.Repeat([]int{-1}, int(kinds[i].partitions))
		for p := range owners {
			u, to := &units[at+p], s.owners[at+p]
			handed := a.hand(u, to, claims)
			if handed {
				owners[p] = to
			}
			a.keep(u, &s, at+p, handed)
		}
		a.owners.add(&kinds[i], owners, s.copies[at:at+len(owners)], members)
		at += len(owners)
	}
	return a, faults
}

// hand gives a unit to its new owner and tells whether that has all of it now. As long as another member claims a part of the unit, the new
// owner gets nothing that it does not have: the others do not find their parts in their assignments, give them up and join again, and the unit is free in that round.
func (a *assignment) hand(u *unit, to int, claims claims) bool {
	whole := true
	for _, p := range u.parts() {
		if u.contested(to) && !claims.valid(p, to, a.members) {
			whole = false
			continue
		}
		a.given[to][p.Topic] = append(a.given[to][p.Topic], p.ID)
	}
	return whole
}

// IntoSyncAssignment writes the assignment for the protocol.
func (a *assignment) IntoSyncAssignment() []kmsg.SyncGroupRequestGroupAssignment {
	out := make([]kmsg.SyncGroupRequestGroupAssignment, 0, len(a.members))
	for i, m := range a.members {
		var c kmsg.ConsumerMemberAssignment
		c.UserData = assignData{standbys: a.standbys[i], owners: a.owners, warming: a.warming[i]}.encode()
		for name, ids := range a.given[i] {
			t := kmsg.NewConsumerMemberAssignmentTopic()
			t.Topic, t.Partitions = name, ids
			c.Topics = append(c.Topics, t)
		}
		slices.SortFunc(c.Topics, func(a, b kmsg.ConsumerMemberAssignmentTopic) int { return strings.Compare(a.Topic, b.Topic) })
		s := kmsg.NewSyncGroupRequestGroupAssignment()
		s.MemberID, s.MemberAssignment = m.id, c.AppendTo(nil)
		out = append(out, s)
	}
	return out
}

// fallback is the balancer of groups with members that know nothing of units. It says nothing of owners, and gives parts of units: a member does not take these, since
// two would write to one shard of a table.
type fallback struct {
	kgo.GroupBalancer
	units *balancer
}

func (f fallback) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	f.units.learn(assignData{})
	ps, err := f.GroupBalancer.ParseSyncAssignment(assignment)
	return f.units.whole(f.units.undropped(ps)), err
}

func (f fallback) JoinGroupMetadata(topics []string, owned map[string][]int32, generation int32) []byte {
	return f.GroupBalancer.JoinGroupMetadata(topics, f.units.claims(owned), generation)
}

// whole leaves out the partitions of ties of which not all are there.
func (b *balancer) whole(ps map[string][]int32) map[string][]int32 {
	out := map[string][]int32{}
	for name, ids := range ps {
		out[name] = slices.Clone(ids)
	}
	var faults []string
	for some := true; some; { // what is left out of one tie may be in another
		some = false
		for _, t := range b.self.ties {
			for _, id := range parts(t, out) {
				some = true
				faults = append(faults, fmt.Sprintf("partition %d of %s waits until the last worker of an earlier version has left", id, strings.Join(t.Topics, ", ")))
				for _, name := range t.Topics {
					out[name] = slices.DeleteFunc(out[name], func(other int32) bool { return other == id })
				}
			}
		}
	}
	b.complain(faults)
	maps.DeleteFunc(out, func(_ string, ids []int32) bool { return len(ids) == 0 })
	return out
}

// parts are the partitions of which some of a tie's topics are among ps, and not all.
func parts(t Tie, ps map[string][]int32) (ids []int32) {
	count := map[int32]int{}
	for _, name := range t.Topics {
		for _, id := range ps[name] {
			count[id]++
		}
	}
	for id, n := range count {
		if n < len(t.Topics) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
