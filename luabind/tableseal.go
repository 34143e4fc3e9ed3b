package luabind

import (
	"slices"
	"strings"

	"faust/luabind/fault"
	"faust/runtime/topic"
)

// sealTables tells the tables which agents use them and names their changelogs; the agents' own topics have their names. owners has the names that are taken.
func (b *binding) sealTables(taken owners) error {
	for _, t := range b.tables.order {
		if err := t.nameChangelog(taken); err != nil {
			return err
		}
	}
	if len(b.tables.order) == 0 {
		return nil
	}
	for _, g := range b.agents.order {
		g.tables = b.tablesOf(g)
		if g.source == nil {
			continue // it has no partitions: it reads tables as pages do
		}
		for _, t := range g.tables {
			if t.def.Global {
				continue
			}
			if err := t.usedBy(g); err != nil {
				return err
			}
		}
	}
	for _, t := range b.tables.order {
		if t.def.Global {
			if err := t.sealGlobal(); err != nil {
				return err
			}
		}
	}
	return b.timed()
}

// uses tells whether the agent was found to use the table.
func (g *agentObject) uses(t *tableObject) bool { return slices.Contains(g.tables, t) }

// usedBy notes that an agent of a topic uses the table. A key has to be in the same partition whoever writes it.
func (t *tableObject) usedBy(g *agentObject) error {
	if t.user == nil {
		t.user = g
		t.def.Hash = g.source.decl.Partitioner
	}
	for _, source := range g.sources() {
		if err := t.together(g, source); err != nil {
			return err
		}
		t.listed.Partitions = max(t.listed.Partitions, source.decl.Partitions)
		if name := source.decl.Name; !slices.Contains(t.def.Sources, name) {
			t.def.Sources = append(t.def.Sources, name)
		}
	}
	t.def.Agents = append(t.def.Agents, g.def.Name)
	return nil
}

// together makes sure that what agent g reads and what the first agent reads can share the table.
func (t *tableObject) together(g *agentObject, source *topicObject) error {
	a, b := t.user.source.decl, source.decl
	if !t.def.Anywhere && hash(a.Partitioner) != hash(b.Partitioner) {
		return t.apart(g, source, "partitioner '"+string(hash(a.Partitioner))+"'", "'"+string(hash(b.Partitioner))+"'",
			"give both topics one partitioner, or write to the table from one of them only")
	}
	if a.Partitions != b.Partitions && a.Partitions != 0 && b.Partitions != 0 {
		return t.apart(g, source, itoa(int(a.Partitions))+" partitions", itoa(int(b.Partitions)),
			"read one of them through group_by:  "+identifier(b.Name)+":group_by('...'), or give both the same number of partitions")
	}
	return nil
}

// apart is the error of two agents that cannot share the table.
func (t *tableObject) apart(g *agentObject, source *topicObject, one, other, hint string) error {
	first := t.user
	e := usage("table '%s' is used by agent '%s', whose topic %s has %s, and by agent '%s', whose topic %s has %s: a key would be in two places",
		t.def.Name, first.def.Name, first.source.decl.Name, one, g.def.Name, source.decl.Name, other)
	e.Place = g.declaredAt
	e.Hints = []string{hint}
	e.Notes = []fault.Note{{Label: "agent '" + first.def.Name + "'", Text: first.declaredAt.String()}}
	return e
}

// hash names a partitioner, the default one included.
func hash(p topic.Partitioner) topic.Partitioner {
	if p == "" {
		return topic.Murmur2
	}
	return p
}

// users lists the agents that use the table, for people.
func (t *tableObject) users() string {
	var list []string
	for _, name := range t.def.Agents {
		list = append(list, "agent "+name)
	}
	return strings.Join(list, ", ")
}
