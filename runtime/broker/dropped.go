package broker

import (
	"maps"
	"slices"

	"faust/runtime/topic"
)

// A member that the group has dropped, because nothing was heard of it for longer than a session, joins as another one, and others may have had its partitions
// meanwhile. Usually the client is told so by a heartbeat and gives up all it has. But if the broker says so only when it asks to join once more, the client takes
// a new id and goes on as if it had had its partitions all the time. So they are lost here, at that moment: nothing of them is claimed in the request to join, and what of
// them the group gives to the new member is not taken yet. The client then says that it was taken away and joins once more, and what comes then is new.

// claims gives what the member may say it owns when it asks to join.
func (g *Group) claims(owned map[string][]int32) map[string][]int32 {
	if id, _ := g.Member(); id == "" && len(owned) > 0 {
		ps := partitions(owned)
		g.mu.Lock()
		for _, p := range ps {
			g.dropped[p] = true
		}
		g.mu.Unlock()
		if lost := g.take(ps); len(lost) > 0 {
			g.log.log.Info("the group has dropped this member, it joins anew", "group", g.group.Group, "lost", len(lost))
			g.yield(g.life, lost)
		}
	}
	return g.undropped(owned)
}

// undropped leaves out what was lost with an earlier membership, and is not known to the client as lost yet.
func (g *Group) undropped(ps map[string][]int32) map[string][]int32 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.dropped) == 0 {
		return ps
	}
	out := map[string][]int32{}
	for name, ids := range ps {
		left := slices.DeleteFunc(slices.Clone(ids), func(id int32) bool { return g.dropped[topic.Partition{Topic: name, ID: id}] })
		if len(left) > 0 {
			out[name] = left
		}
	}
	return out
}

// heard takes note of what the client knows as lost.
func (g *Group) heard(ps []topic.Partition) {
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.dropped, func(p topic.Partition, _ bool) bool { return slices.Contains(ps, p) })
}
