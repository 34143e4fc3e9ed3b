package broker

import "slices"

// cost orders distributions: by balance, then by moves, then by the balance of every kind, then by what is to be read again. Costs are added field by field.
type cost struct {
	load  int64 // growth of the sum of the squares of the members' unit counts: least when they are as equal as can be
	moved int64 // units taken from a member that had them
	kinds int64 // growth of the sum of the squares of the members' unit counts of each kind
	read  int64 // changelog records that new owners have to read, as far as known
}

func (c cost) plus(d cost) cost {
	return cost{c.load + d.load, c.moved + d.moved, c.kinds + d.kinds, c.read + d.read}
}

func (c cost) minus(d cost) cost {
	return cost{c.load - d.load, c.moved - d.moved, c.kinds - d.kinds, c.read - d.read}
}

func (c cost) less(d cost) bool {
	switch {
	case c.load != d.load:
		return c.load < d.load
	case c.moved != d.moved:
		return c.moved < d.moved
	case c.kinds != d.kinds:
		return c.kinds < d.kinds
	}
	return c.read < d.read
}

// oneMore is what the square of a count grows by with one more.
func oneMore(count int) int64 { return int64(2*count + 1) }

// at is the cost of having the unit at m, the counts left out. To a member that is not ready, while another one is, it goes as if it were taken from that.
func (u *unit) at(m int) cost {
	if u.holder == m {
		return cost{}
	}
	c := cost{read: u.furthest - u.stored[m]}
	if u.holder >= 0 || len(u.ready) > 0 && !slices.Contains(u.ready, m) {
		c.moved = 1
	}
	return c
}

// place chooses the owner of every unit, all of which have eligible members.
func place(units []unit, members int) []int {
	lots := make([]lot, len(units))
	index := map[*unitKind]int{}
	for i := range units {
		u := &units[i]
		k, ok := index[u.kind]
		if !ok {
			k = len(index)
			index[u.kind] = k
		}
		lots[i] = lot{kind: k, eligible: u.kind.eligible, copies: 1, at: u.at}
	}
	owners := make([]int, len(units))
	for i, at := range distribute(lots, len(index), members) {
		owners[i] = at[0]
	}
	return owners
}

// lot is something that members are given: so many of them have a copy of it each.
type lot struct {
	kind     int // of 0, 1, ...
	eligible []int
	copies   int // not more than there are eligible members
	at       func(m int) cost
}

// placement is a least-cost distribution of some of the lots' copies: a flow from the lots to spots (a kind at a member), on to the members, and out of them. The
// costs of the latter two grow with what flows, so the flow can be made copy by copy: each makes the cheapest chain of moves that finds it a place, and the
// whole stays least (successive shortest paths in the residual graph). Nodes come in order and only what is strictly cheaper counts: the result is determined.
//
// Nodes of the graph are numbers: spots by kind and member, then members.
type placement struct {
	lots    []lot
	members int
	where   [][]int  // by lot: members that have a copy
	load    []int    // copies by member
	at      [][]int  // lots by spot
	steps   [][]step // by spot: cheapest lot to move from there to the same kind's spot of a member; nil: there is none
}

type step struct {
	lot  int // -1: none can go there
	cost cost
}

// distribute gives for every lot the members that have a copy of it, ascending.
func distribute(lots []lot, kinds, members int) [][]int {
	p := &placement{lots: lots, members: members, where: make([][]int, len(lots)), load: make([]int, members)}
	p.at, p.steps = make([][]int, kinds*members), make([][]step, kinds*members)
	for l := range lots {
		for range lots[l].copies {
			p.add(l)
		}
	}
	for _, at := range p.where {
		slices.Sort(at)
	}
	return p.where
}

// spot is the node of a lot's kind at m.
func (p *placement) spot(l, m int) int { return p.lots[l].kind*p.members + m }

// member is the node of m.
func (p *placement) member(m int) int { return len(p.at) + m }

// survey finds the steps from a spot anew.
func (p *placement) survey(spot int) {
	p.steps[spot] = nil
	for _, l := range p.at[spot] {
		p.consider(l, spot)
	}
}

// consider makes l the step from its spot to wherever it is the cheapest.
func (p *placement) consider(l, spot int) {
	if p.steps[spot] == nil {
		p.steps[spot] = slices.Repeat([]step{{lot: -1}}, p.members)
	}
	here := p.lots[l].at(spot % p.members)
	for _, to := range p.lots[l].eligible {
		if p.lots[l].copies > 1 && slices.Contains(p.where[l], to) {
			continue
		}
		s := &p.steps[spot][to]
		if c := p.lots[l].at(to).minus(here); s.lot < 0 || c.less(s.cost) {
			*s = step{l, c}
		}
	}
}

// route is how a new copy gets to a node cheapest. At a spot there is one copy of the kind too many then, at a member one of any kind.
type route struct {
	cost cost
	from int // the node before: of another spot the step is taken; -1: the new copy comes itself
	ok   bool
	open bool // what goes on from here is to be looked at
}

// add finds a place for a copy of a lot.
func (p *placement) add(l int) {
	best := make([]route, len(p.at)+p.members)
	for _, m := range p.lots[l].eligible {
		if !slices.Contains(p.where[l], m) {
			best[p.spot(l, m)] = route{p.lots[l].at(m), -1, true, true}
		}
	}
	for more := true; more; {
		more = false
		for n := range best {
			if best[n].open {
				best[n].open = false
				more = p.spread(best, n) || more
			}
		}
	}
	end, least := -1, cost{}
	for m := range p.members {
		r := best[p.member(m)]
		c := r.cost.plus(cost{load: oneMore(p.load[m])})
		if r.ok && (end < 0 || c.less(least)) {
			end, least = m, c
		}
	}
	p.load[end]++
	p.shift(l, best[p.member(end)].from, best)
}

// spread looks at what goes on from a node and tells whether another one is reached cheaper so.
func (p *placement) spread(best []route, n int) (more bool) {
	reach := func(to int, c cost) {
		if c = best[n].cost.plus(c); !best[to].ok || c.less(best[to].cost) {
			best[to] = route{c, n, true, true}
			more = true
		}
	}
	m := n % p.members
	if n >= len(p.at) { // the copy takes the place of another one here
		for s := m; s < len(p.at); s += p.members {
			if count := len(p.at[s]); count > 0 {
				reach(s, cost{kinds: -oneMore(count - 1)})
			}
		}
		return more
	}
	reach(p.member(m), cost{kinds: oneMore(len(p.at[n]))})
	for to, s := range p.steps[n] {
		if to != m && s.lot >= 0 {
			reach(n-m+to, s.cost)
		}
	}
	return more
}

// shift makes the moves of the route that ends at a spot.
func (p *placement) shift(l, spot int, best []route) {
	var stale []int // spots whose steps are to be found anew
	for n := spot; n >= 0; n = best[n].from {
		if n >= len(p.at) {
			continue
		}
		come, from, m := l, best[n].from, n%p.members
		switch {
		case from >= len(p.at): // a lot of another kind comes
			continue
		case from >= 0:
			come = p.steps[from][m].lot
			p.at[from] = without(p.at[from], come)
			p.where[come] = without(p.where[come], from%p.members)
			stale = append(stale, from)
		}
		p.at[n] = append(p.at[n], come)
		p.where[come] = append(p.where[come], m)
		if p.lots[come].copies == 1 {
			p.consider(come, n)
			continue
		}
		for _, other := range p.where[come] { // from there it can go elsewhere now
			stale = append(stale, p.spot(come, other))
		}
	}
	for _, spot := range stale {
		p.survey(spot)
	}
}

// without removes the first v.
func without(list []int, v int) []int {
	i := slices.Index(list, v)
	return slices.Delete(list, i, i+1)
}
