package broker

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"faust/runtime/topic"
)

// unitKind stands for the units of one tie, or of a topic in none: one for each partition.
type unitKind struct {
	topics     []string // sorted
	tables     []string // sorted
	partitions int32
	eligible   []int // members that read all of the topics, ascending
}

// tied is a tie that members declared, or several that were joined because they share a topic or a table.
type tied struct {
	topics, tables map[string]bool
	declared       int // by so many members
}

// unitKinds joins the ties of all members. Ties that share a topic or a table become one if some member reads all of its topics and these have
// the same number of partitions. Where that cannot be, the tie that more members declare stands (then the first by name), and what only the
// other one has is given to nobody: a unit without its other half would write state that belongs to somebody else. Faults tell of that.
func unitKinds(members []groupMember, counts map[string]int32) (kinds []unitKind, faults []string) {
	var stands []tied
	waits := map[string]bool{}
	for _, t := range declaredTies(members) {
		all, rest := t, stands[:0:0]
		for _, s := range stands {
			if s.overlaps(t) {
				all = all.join(s)
			} else {
				rest = append(rest, s)
			}
		}
		if why := all.fault(members, counts); why != "" {
			faults = append(faults, why)
			for name := range t.topics {
				waits[name] = true
			}
			continue
		}
		stands = append(rest, all)
	}
	for _, t := range stands {
		kinds = append(kinds, unitKind{topics: slices.Sorted(maps.Keys(t.topics)), tables: slices.Sorted(maps.Keys(t.tables))})
		for name := range t.topics {
			waits[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if !waits[name] {
			kinds = append(kinds, unitKind{topics: []string{name}})
		}
	}
	for i := range kinds {
		k := &kinds[i]
		k.partitions = counts[k.topics[0]]
		for m := range members {
			if members[m].subscribes(k.topics) {
				k.eligible = append(k.eligible, m)
			}
		}
	}
	kinds = slices.DeleteFunc(kinds, func(k unitKind) bool { return len(k.eligible) == 0 })
	slices.SortFunc(kinds, func(a, b unitKind) int { return strings.Compare(a.topics[0], b.topics[0]) })
	return kinds, faults
}

// declaredTies lists the members' ties, those of more members first.
func declaredTies(members []groupMember) []tied {
	byName := map[string]*tied{}
	for _, m := range members {
		seen := map[string]bool{}
		for _, t := range m.ties {
			d := tied{topics: set(t.Topics), tables: set(t.Tables), declared: 1}
			name := d.String()
			if len(d.topics) == 0 || seen[name] {
				continue
			}
			seen[name] = true
			if have := byName[name]; have != nil {
				have.declared++
			} else {
				byName[name] = &d
			}
		}
	}
	names := slices.SortedFunc(maps.Keys(byName), func(a, b string) int {
		return cmp.Or(cmp.Compare(byName[b].declared, byName[a].declared), strings.Compare(a, b))
	})
	var out []tied
	for _, name := range names {
		out = append(out, *byName[name])
	}
	return out
}

func set(names []string) map[string]bool {
	out := map[string]bool{}
	for _, n := range names {
		out[n] = true
	}
	return out
}

func (t tied) String() string {
	text := "topics " + strings.Join(slices.Sorted(maps.Keys(t.topics)), ", ")
	if len(t.tables) > 0 {
		text += " with tables " + strings.Join(slices.Sorted(maps.Keys(t.tables)), ", ")
	}
	return text
}

func (t tied) overlaps(other tied) bool {
	share := func(a, b map[string]bool) bool {
		for name := range a {
			if b[name] {
				return true
			}
		}
		return false
	}
	return share(t.topics, other.topics) || share(t.tables, other.tables)
}

func (t tied) join(other tied) tied {
	out := tied{topics: maps.Clone(t.topics), tables: maps.Clone(t.tables)}
	maps.Copy(out.topics, other.topics)
	maps.Copy(out.tables, other.tables)
	return out
}

// fault tells why a tie cannot stand; "" if it can.
func (t tied) fault(members []groupMember, counts map[string]int32) string {
	names := slices.Sorted(maps.Keys(t.topics))
	if !slices.ContainsFunc(members, func(m groupMember) bool { return m.subscribes(names) }) {
		return fmt.Sprintf("%s belong together, but no worker reads all of them", t)
	}
	for _, name := range names {
		if counts[name] != counts[names[0]] || counts[name] == 0 {
			return fmt.Sprintf("%s belong together, but %s has %d partitions and %s %d", t, names[0], counts[names[0]], name, counts[name])
		}
	}
	return ""
}

// claims tells who says that it has a partition, as indexes of members.
type claims map[topic.Partition][]int

func claimsOf(members []groupMember) claims {
	c := claims{}
	for i := range members {
		for p := range members[i].owned {
			c[p] = append(c[p], i)
		}
	}
	return c
}

// valid tells whether m has p: it claims it, and nobody has a claim of a newer generation. A member that missed generations still claims what was
// given to another one meanwhile.
func (c claims) valid(p topic.Partition, m int, members []groupMember) bool {
	has := false
	for _, i := range c[p] {
		has = has || i == m
		if members[i].generation > members[m].generation {
			return false
		}
	}
	return has
}

// unit is what is distributed.
type unit struct {
	kind      *unitKind
	partition int32
	claimants []int         // members that claim a part of it, however old the claim is
	holder    int           // of the claimants the one that it stays with if balance allows; -1: nobody
	stored    map[int]int64 // by member: sum of the offsets of the local stores; nil without any
	furthest  int64         // of stored
	kept      []int         // members that keep copies of the tables, ascending
	ready     []int         // of these the ones that are as far as the changelogs
}

// unitsOf lists the units of all kinds, by kind and partition.
func unitsOf(kinds []unitKind, members []groupMember, claims claims) (units []unit) {
	for i := range kinds {
		for p := range kinds[i].partitions {
			units = append(units, newUnit(&kinds[i], p, members, claims))
		}
	}
	return units
}

func newUnit(kind *unitKind, partition int32, members []groupMember, claims claims) unit {
	u := unit{kind: kind, partition: partition, holder: -1}
	parts := map[int]int{} // valid claims by member
	for _, p := range u.parts() {
		for _, m := range claims[p] {
			if !slices.Contains(u.claimants, m) {
				u.claimants = append(u.claimants, m)
			}
			if claims.valid(p, m, members) {
				parts[m]++
			}
		}
	}
	for _, m := range kind.eligible {
		if parts[m] > 0 && (u.holder < 0 || cmp.Or(cmp.Compare(parts[m], parts[u.holder]), cmp.Compare(members[m].generation, members[u.holder].generation)) > 0) {
			u.holder = m
		}
		u.measure(m, &members[m])
		u.keeps(m, &members[m])
	}
	return u
}

// measure adds up how far the stores of a member are.
func (u *unit) measure(m int, member *groupMember) {
	var sum int64
	for _, table := range u.kind.tables {
		sum += max(0, member.stored[Shard{table, u.partition}])
	}
	if sum == 0 {
		return
	}
	if u.stored == nil {
		u.stored = map[int]int64{}
	}
	u.stored[m] = sum
	u.furthest = max(u.furthest, sum)
}

func (u *unit) parts() []topic.Partition {
	out := make([]topic.Partition, len(u.kind.topics))
	for i, name := range u.kind.topics {
		out[i] = topic.Partition{Topic: name, ID: u.partition}
	}
	return out
}

// contested tells whether a member other than m claims a part of the unit.
func (u *unit) contested(m int) bool {
	return slices.ContainsFunc(u.claimants, func(i int) bool { return i != m })
}
