package luabind

import (
	"context"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/api"
	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/runtime/app"
	"faust/runtime/topic"
)

// names are those of what runs beside agents.
type names struct {
	tasks    map[string]fault.Place
	timers   map[string]fault.Place // and crontabs
	channels int
}

// claim takes the option name, or numbers the default if it is not given.
func claim(o arg.Options, taken *map[string]fault.Place, kind, fallback string) string {
	a, name := o.Args(), o.Text("name")
	if name == "" && o.Has("name") {
		o.Fail("name", "option 'name' of %s is empty", a.Of())
	}
	if *taken == nil {
		*taken = map[string]fault.Place{}
	}
	if name != "" {
		if first, ok := (*taken)[name]; ok {
			a.Fail("%s '%s' is declared twice: first at %s", kind, name, first)
		}
	} else {
		name = fallback
		for n := 2; ; n++ {
			if _, ok := (*taken)[name]; !ok {
				break
			}
			name = fallback + "-" + itoa(n)
		}
	}
	(*taken)[name] = a.Place()
	return name
}

// appTask is app.task({ name=, on_leader= }, fn): runs once when the worker is fully operational; with on_leader at every gain of leadership.
func (b *binding) appTask(L *lua.LState) int {
	a := b.call(L, "app.task")
	b.declare(a)
	o := a.Options()
	fn := a.Function()
	t := &app.Task{Name: claim(o, &b.names.tasks, "task", "task"), OnLeader: o.Boolean("on_leader"), Place: a.Place().String()}
	t.Run = b.callback("task", t.Name, fn)
	b.app.Tasks = append(b.app.Tasks, t)
	return 0
}

// callback makes a Go function of a Lua function without arguments, to be run as a task of its own.
func (b *binding) callback(kind, name string, fn *lua.LFunction) func(ctx context.Context) error {
	b.bodies = append(b.bodies, code{kind + " " + name, fn})
	return func(ctx context.Context) error {
		return b.vm.Run(ctx, kind+" "+name, true, func(L *lua.LState) error {
			_, err := b.vm.Call(L, "in "+kind+" '"+name+"'", fn, 0)
			return err
		})
	}
}

// appStop is app.stop(code): ends the worker or command gracefully.
func (b *binding) appStop(L *lua.LState) int {
	a := b.call(L, "app.stop")
	b.running(a)
	code := 0
	if a.Peek() != lua.LNil {
		code = int(a.Integer("the exit code", 0, arg.MaxInt))
	}
	a.Done()
	if code > 255 {
		a.Fail("app.stop: the exit code is %d, expected a whole number from 0 to 255", code)
	}
	b.app.Runtime().Stop(code)
	return 0
}

// eventNames are what app.on takes.
var eventNames = api.Get("app.on").Params[0].Choices

// appOn is app.on(event, fn): partitions_assigned and partitions_revoked with a list of { topic=, partition= }, produce_error with the
// message and the error.
func (b *binding) appOn(L *lua.LState) int {
	a := b.call(L, "app.on")
	b.declare(a)
	name := a.Text("the event's name")
	if !slices.Contains(eventNames, name) {
		a.Hint(fault.DidYouMean(name, eventNames), "unknown event '%s' for app.on", name)
	}
	a.About(name)
	fn := a.Function()
	h := &b.app.Hooks
	switch name {
	case "partitions_assigned":
		h.PartitionsAssigned = append(h.PartitionsAssigned, b.partitionHook(name, fn))
	case "partitions_revoked":
		h.PartitionsRevoked = append(h.PartitionsRevoked, b.partitionHook(name, fn))
	case "produce_error":
		h.ProduceError = append(h.ProduceError, b.produceHook(fn))
	}
	return 0
}

// partitionHook calls fn with a list of partitions.
func (b *binding) partitionHook(name string, fn *lua.LFunction) func(context.Context, []topic.Partition) error {
	return func(ctx context.Context, ps []topic.Partition) error {
		return b.vm.Run(ctx, "on "+name, true, func(L *lua.LState) error {
			list := L.CreateTable(len(ps), 0)
			for _, p := range ps {
				t := L.CreateTable(0, 2)
				t.RawSetString("topic", lua.LString(p.Topic))
				t.RawSetString("partition", lua.LNumber(p.ID))
				list.Append(t)
			}
			_, err := b.vm.Call(L, "in app.on '"+name+"'", fn, 0, b.reg.Array(list))
			return err
		})
	}
}

// produceHook calls fn with a message that could not be stored, as { topic=, key=, value=, headers= }, and why.
func (b *binding) produceHook(fn *lua.LFunction) func(context.Context, topic.Record, error) error {
	return func(ctx context.Context, r topic.Record, cause error) error {
		return b.vm.Run(ctx, "on produce_error", true, func(L *lua.LState) error {
			t := L.CreateTable(0, 4)
			t.RawSetString("topic", lua.LString(r.Topic))
			t.RawSetString("headers", headerTable(L, r.Headers))
			b.rawFields(L, t, &r)
			failed := &fault.Error{Code: fault.Connection, Message: cause.Error(), Cause: cause}
			_, err := b.vm.Call(L, "in app.on 'produce_error'", fn, 0, t, b.vm.ErrorObject(failed))
			return err
		})
	}
}

// rawFields puts key and value of a record into t, decoded as its topic declares, or as they are.
func (b *binding) rawFields(L *lua.LState, t *lua.LTable, r *topic.Record) {
	key, val := lua.LValue(lua.LString(r.Key)), lua.LValue(lua.LString(r.Value))
	if declared, ok := b.topics.find(r.Topic); ok {
		key, _ = lenient{declared.key}.Decode(L, r.Key)
		val, _ = lenient{declared.val}.Decode(L, r.Value)
	}
	t.RawSetString("key", key)
	t.RawSetString("value", val)
}

// spot is what a spawned task is called: the place of its spawn.
func spot(L *lua.LState) string {
	p := fault.Caller(L, 1)
	return strings.TrimSpace("task of " + p.String())
}
