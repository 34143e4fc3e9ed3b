package luabind

import (
	"context"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/vm"
	"faust/runtime/app"
	"faust/runtime/table"
)

// tableEverywhere is t:everywhere(): for key, value in t:everywhere() do, over the partitions of all workers. The values are copies.
func tableEverywhere(L *lua.LState) int {
	t, a := arg.Method[*tableObject](L, "table:everywhere")
	a.Done()
	next := t.pairsEverywhere(L, a)
	L.Push(L.NewFunction(func(L *lua.LState) int {
		p := next(L)
		if p == nil {
			L.Push(lua.LNil)
			return 1
		}
		return t.pushPair(L, *p)
	}))
	return 1
}

// pairsEverywhere gives what gives the next pair of all workers; nil: that was all.
func (t *tableObject) pairsEverywhere(L *lua.LState, a *arg.Args) func(L *lua.LState) *table.Pair {
	rt := t.runtime(L)
	if _, inEvent := t.b.hand(); inEvent {
		a.Hint("pairs("+identifier(t.def.Name)+")  goes through what this worker has", "%s asks other workers, which an event cannot wait for: it is for pages, timers, tasks and commands", a.Name)
	}
	var walk app.Walk
	t.asking(L, func(ctx context.Context) (err error) {
		walk, err = rt.Everywhere(ctx, t.def)
		return err
	})
	var page []table.Pair
	return func(L *lua.LState) *table.Pair {
		if len(page) == 0 {
			t.asking(L, func(ctx context.Context) (err error) {
				page, err = walk(ctx)
				return err
			})
		}
		if len(page) == 0 {
			return nil
		}
		p := page[0]
		page = page[1:]
		return &p
	}
}

// asking runs what asks other workers, while other tasks run. What goes wrong raises.
func (t *tableObject) asking(L *lua.LState, f func(ctx context.Context) error) {
	if err := t.b.vm.Block(L, "workers that have "+t.def.Name, f); err != nil {
		vm.Raise(L, t.b.waited(err, "look into table '"+t.def.Name+"' on all workers"))
	}
}

// pushPair pushes a key and what it has, as copies.
func (t *tableObject) pushPair(L *lua.LState, p table.Pair) int {
	key, err := t.key.Decode(L, []byte(t.plainKey(p.Key)))
	if err != nil {
		vm.Raise(L, noted(err, "table", "key of "+t.def.Name))
	}
	L.Push(key)
	v, err := t.decode(L, nil, p.Key, p.Value)
	if err != nil {
		vm.Raise(L, err)
	}
	L.Push(v)
	return 2
}
