package luabind

import (
	"context"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/vm"
)

// appGlobal is app.global_table(name, { default=, key=, value=, help= }) -> table: every worker has all of it to read, one agent writes it.
func (b *binding) appGlobal(L *lua.LState) int {
	return b.declareTable(L, "app.global_table", b.kinds.table, func(t *tableObject, o arg.Options) {
		t.defaults(o)
		t.def.Global = true
	})
}

// sealGlobal finds the agent that writes a global table: the one that declares it with tables =, or the only one that uses it. The agents' tables are known.
func (t *tableObject) sealGlobal() error {
	var users, writers []*agentObject
	for _, g := range t.b.agents.order {
		if g.source == nil || !g.uses(t) {
			continue
		}
		users = append(users, g)
		for _, declared := range g.declared {
			if declared == t {
				writers = append(writers, g)
			}
		}
	}
	if len(writers) == 0 && len(users) == 1 {
		writers = users
	}
	switch {
	case len(users) == 0:
		return nil
	case len(writers) == 1:
		t.writer = writers[0]
		return t.usedBy(t.writer)
	case len(writers) > 1:
		e := usage("global table '%s' is written by one agent, and agents '%s' and '%s' declare it with tables =", t.def.Name, writers[0].def.Name, writers[1].def.Name)
		e.Place = writers[1].declaredAt
		e.Notes = []fault.Note{{Label: "agent '" + writers[0].def.Name + "'", Text: writers[0].declaredAt.String()}}
		return e
	}
	var names []string
	for _, g := range users {
		names = append(names, "'"+g.def.Name+"'")
	}
	e := usage("global table '%s' is used by agents %s: it is not known which one writes it", t.def.Name, strings.Join(names, ", "))
	e.Place = t.declaredAt
	e.Hints = []string{"that agent declares it:  app.agent('" + users[0].def.Name + "', ..., { tables = { " + identifier(t.def.Name) + " } }, ...); the others read it"}
	return e
}

// reads tells whether an agent only reads the table, as pages do: a global one that another agent writes.
func (t *tableObject) reads(in *body) bool { return t.def.Global && t.writer != in.agent }

// unwritten is the error of a write to a global table by an agent that only reads it.
func (t *tableObject) unwritten(in *body) *fault.Error {
	if t.writer == nil {
		return t.wrong(fault.ReadOnly, "", "global table '%s' is written by an agent that reads a topic, and there is none: agent '%s' reads a channel", t.def.Name, in.agent.def.Name)
	}
	return t.wrong(fault.ReadOnly, "send that one a message:  app.agents['"+t.writer.def.Name+"']:send { key = ..., value = ... }",
		"global table '%s' is written by agent '%s' alone, and this is agent '%s'", t.def.Name, t.writer.def.Name, in.agent.def.Name)
}

// await waits for partitions of a global table that this worker does not know for the moment: its copy is read anew.
func (t *tableObject) await(L *lua.LState, partitions ...int32) {
	rt := t.runtime(L)
	err := t.b.vm.Block(L, "global table "+t.def.Name+", which is read anew", func(ctx context.Context) error {
		for _, p := range partitions {
			if err := rt.Await(ctx, t.def, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		vm.Raise(L, err)
	}
}
