package luabind

import (
	"maps"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/console"
	"faust/luabind/fault"
	"faust/luabind/vm"
)

// appTable makes app: its functions and the tables of what was declared. A name that it does not have raises, and so does an assignment.
func (b *binding) appTable(L *lua.LState) *lua.LTable {
	members := L.CreateTable(0, 64)
	for _, set := range b.functions() {
		for name, f := range set {
			members.RawSetString(name, L.NewFunction(f))
		}
	}
	conf := b.confTable(L)
	members.RawSetString("conf", conf)
	b.listings[conf] = b.settingMembers
	for kind, d := range b.named() {
		t := lookup(L, strings.TrimSuffix(kind, "s"), d.names, d.value)
		members.RawSetString(kind, t)
		b.listings[t] = func() []console.Member { return declaredMembers(kind, d) }
	}
	var known []string
	members.ForEach(func(k, _ lua.LValue) { known = append(known, k.String()) })
	slices.Sort(known)
	t := readOnly(L, "app", members, func(L *lua.LState, key lua.LValue) {
		e := usage("app has no %s", fault.Quote(key))
		if best := fault.Suggest(lua.LVAsString(key), known); best != "" {
			e.Hints = []string{"did you mean 'app." + best + "'?"}
		}
		vm.Raise(L, e)
	})
	b.listings[t] = func() []console.Member { return tableMembers(members) }
	return t
}

// named is what is declared under names, by kind.
func (b *binding) named() map[string]finder {
	return map[string]finder{
		"topics":  {b.topics.names, b.topics.value},
		"agents":  {b.agents.names, b.agents.value},
		"records": {b.recordNames, b.recordValue},
		"tables":  {b.tables.names, b.tables.value},
	}
}

// finder finds values by name; value gives nil for a name there is not.
type finder struct {
	names func() []string
	value func(name string) lua.LValue
}

// readOnly makes an empty table that shows members and raises for the rest.
func readOnly(L *lua.LState, name string, members *lua.LTable, missing func(L *lua.LState, key lua.LValue)) *lua.LTable {
	mt := L.CreateTable(0, 4)
	mt.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		v := members.RawGet(L.Get(2))
		if v == lua.LNil {
			missing(L, L.Get(2))
		}
		L.Push(v)
		return 1
	}))
	mt.RawSetString("__pairs", L.NewFunction(func(L *lua.LState) int { return each(L, members) }))
	protect(L, mt, name)
	t := L.CreateTable(0, 0)
	t.Metatable = mt
	return t
}

// each pushes what pairs needs to go through a table that a script must not get.
func each(L *lua.LState, t *lua.LTable) int {
	L.Push(L.NewFunction(func(L *lua.LState) int {
		k, v := t.Next(L.Get(2))
		L.Push(k)
		L.Push(v)
		return 2
	}))
	return 1
}

// protect makes a metatable's table read only.
func protect(L *lua.LState, mt *lua.LTable, name string) {
	mt.RawSetString("__newindex", L.NewFunction(func(L *lua.LState) int {
		e := &fault.Error{Code: fault.ReadOnly, Message: name + " is read only: " + fault.Quote(L.Get(2)) + " cannot be assigned"}
		vm.Raise(L, e)
		return 0
	}))
	mt.RawSetString("__metatable", lua.LString(name))
}

// lookup makes a read-only table of what was declared so far, by name.
func lookup(L *lua.LState, kind string, names func() []string, value func(name string) lua.LValue) *lua.LTable {
	mt := L.CreateTable(0, 4)
	mt.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		v := value(lua.LVAsString(L.Get(2)))
		if v == nil {
			e := usage("no %s %s is declared", kind, fault.Quote(L.Get(2)))
			e.Hints = []string{fault.DidYouMean(lua.LVAsString(L.Get(2)), names())}
			vm.Raise(L, e)
		}
		L.Push(v)
		return 1
	}))
	mt.RawSetString("__pairs", L.NewFunction(func(L *lua.LState) int {
		all := L.CreateTable(0, 8)
		for _, name := range names() {
			all.RawSetString(name, value(name))
		}
		return each(L, all)
	}))
	protect(L, mt, "app."+kind+"s")
	t := L.CreateTable(0, 0)
	t.Metatable = mt
	return t
}

// declared are the objects of one kind, by name.
type declared[T interface{ value() lua.LValue }] struct {
	byName map[string]T
	order  []T
}

func (d *declared[T]) add(name string, v T) {
	if d.byName == nil {
		d.byName = map[string]T{}
	}
	d.byName[name] = v
	d.order = append(d.order, v)
}

func (d *declared[T]) find(name string) (T, bool) {
	v, ok := d.byName[name]
	return v, ok
}

func (d *declared[T]) names() []string { return slices.Sorted(maps.Keys(d.byName)) }

func (d *declared[T]) value(name string) lua.LValue {
	if v, ok := d.byName[name]; ok {
		return v.value()
	}
	return nil
}

// declare makes sure that the file is being loaded: what declares cannot be called later.
func (b *binding) declare(a *arg.Args) {
	if !b.vm.Loading() {
		a.Hint("call it at the top level of the file", "%s declares: it can only be used while the file is being loaded", a.Name)
	}
}

// running makes sure that the file is loaded: what waits or sends cannot be called before.
func (b *binding) running(a *arg.Args) {
	if b.vm.Loading() {
		a.Hint("put it into  app.task(function() ... end)  or another function of the app",
			"%s cannot be used while the file is being loaded", a.Name)
	}
	if b.app.Runtime() == nil {
		a.Fail("%s needs a running worker or command", a.Name)
	}
}
