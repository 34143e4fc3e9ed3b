package broker

import (
	"cmp"
	"slices"

	"faust/runtime/topic"
)

// Standbys are members that keep a copy of a unit's tables beside the one that has the unit. A unit does not go to a member that would have to read its tables
// first while another one is ready: that one has it meanwhile, and the member is to warm up a copy and to say when that is done.

// standbys is what is decided about copies of units' tables, by unit.
type standbys struct {
	owners  []int   // of the units for now
	copies  [][]int // members that keep a copy, ascending
	warming []int   // of these the one that is to have the unit once it is ready; -1: nobody
}

// shelve decides about copies, given where the units are to go in the end.
func shelve(units []unit, targets []int, members []groupMember) standbys {
	s := standbys{owners: slices.Clone(targets), copies: make([][]int, len(units)), warming: slices.Repeat([]int{-1}, len(units))}
	load := make([]int, len(members))
	for i := range units {
		if units[i].cold(targets[i], members) {
			s.warming[i] = targets[i]
		} else {
			load[targets[i]]++
		}
	}
	for i := range units {
		if s.warming[i] >= 0 {
			s.owners[i] = units[i].meanwhile(load)
			load[s.owners[i]]++
		}
	}
	var lots []lot
	var of []int // units of the lots
	for i := range units {
		if l := units[i].lot(s.owners[i], members); l.copies > 0 {
			lots, of = append(lots, l), append(of, i)
		}
	}
	for j, at := range distribute(lots, len(members), len(members)) {
		s.copies[of[j]] = at
	}
	for i, m := range s.warming {
		if m >= 0 && !slices.Contains(s.copies[i], m) {
			s.copies[i] = append(s.copies[i], m)
			slices.Sort(s.copies[i])
		}
	}
	return s
}

// cold tells whether m would have to read the unit's tables although another member is ready to have it.
func (u *unit) cold(m int, members []groupMember) bool {
	return members[m].replicas > 0 && len(u.kind.tables) > 0 && u.holder != m && !slices.Contains(u.ready, m) && (u.holder >= 0 || len(u.ready) > 0)
}

// meanwhile is who has the unit until somebody else is ready: who has it now, or of those that are ready the one with the least to do.
func (u *unit) meanwhile(load []int) int {
	if u.holder >= 0 {
		return u.holder
	}
	return slices.MinFunc(u.ready, func(a, b int) int {
		return cmp.Or(cmp.Compare(load[a], load[b]), cmp.Compare(u.stored[b], u.stored[a]), cmp.Compare(a, b))
	})
}

// lot is the unit's copies. Members have as many copies as each other of what one owner has: when that dies, all of them take a part of its load.
func (u *unit) lot(owner int, members []groupMember) lot {
	l := lot{kind: owner, at: u.copyAt}
	if len(u.kind.tables) == 0 {
		return l
	}
	want := 0
	for _, m := range u.kind.eligible {
		want = max(want, members[m].replicas)
		if m != owner && members[m].replicas > 0 {
			l.eligible = append(l.eligible, m)
		}
	}
	l.copies = min(want, len(l.eligible))
	return l
}

// copyAt is the cost of having a copy of the unit's tables at m, the counts left out.
func (u *unit) copyAt(m int) cost {
	if u.holder == m || slices.Contains(u.kept, m) {
		return cost{read: u.furthest - u.stored[m]}
	}
	return cost{moved: 1, read: u.furthest - u.stored[m]}
}

// keeps notes a member that keeps copies of all of the unit's tables.
func (u *unit) keeps(m int, member *groupMember) {
	warm := true
	for _, table := range u.kind.tables {
		w, ok := member.copies[Shard{table, u.partition}]
		if !ok {
			return
		}
		warm = warm && w
	}
	if len(u.kind.tables) == 0 || member.replicas == 0 {
		return
	}
	u.kept = append(u.kept, m)
	if warm {
		u.ready = append(u.ready, m)
	}
}

// keep notes the copies of a unit in the assignment. handed: its owner has it by now; until then that keeps its copy, as somebody who is ready.
func (a *assignment) keep(u *unit, s *standbys, i int, handed bool) {
	for _, m := range s.copies[i] {
		a.copy(u, m, m == s.warming[i])
	}
	if owner := s.owners[i]; !handed && len(u.kind.tables) > 0 && a.members[owner].replicas > 0 && !a.has(u, owner) {
		a.copy(u, owner, false)
	}
}

func (a *assignment) copy(u *unit, m int, warming bool) {
	for _, table := range u.kind.tables {
		a.standbys[m] = append(a.standbys[m], Shard{table, u.partition})
		if warming {
			a.warming[m] = append(a.warming[m], Shard{table, u.partition})
		}
	}
}

// has tells whether m was given any part of the unit: it has the tables then.
func (a *assignment) has(u *unit, m int) bool {
	return slices.ContainsFunc(u.parts(), func(p topic.Partition) bool { return slices.Contains(a.given[m][p.Topic], p.ID) })
}
