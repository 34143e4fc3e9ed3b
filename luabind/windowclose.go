package luabind

import (
	"context"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/vm"
	"faust/runtime/agent"
	"faust/runtime/table"
)

// closes tells of a window that closes, which is the event in hand. What goes wrong is reported, and left to the table.
func (in *body) closes(L *lua.LState, ev *agent.Event) {
	k := ev.Chore().(interface{ Told() *table.Closing }).Told()
	t := in.b.tableOf(k.Table())
	_, err := in.b.vm.Call(L, "in on_close of table '"+t.def.Name+"'", L.NewFunction(func(L *lua.LState) int {
		t.tell(L, k)
		in.save(L)
		return 0
	}), 0)
	if err == nil {
		return
	}
	if in.b.vm.Context().Err() != nil {
		vm.Raise(L, err)
	}
	key := t.shown(L, k.Key)
	e := faultOf(err)
	e.Notes = append([]fault.Note{{Label: "window", Text: t.def.Name + ": " + key + ", " + spanText(k.Window)}}, e.Notes...)
	in.release()
	in.kept = nil
	_ = in.b.cleared(e)
	err = in.b.vm.Block(L, "the end of an event that failed", func(ctx context.Context) error { return in.src.Reject(ctx, ev, e) })
	if err != nil {
		in.over(L, err)
	}
}

// tell calls the table's on_close.
func (t *tableObject) tell(L *lua.LState, k *table.Closing) {
	key, err := t.key.Decode(L, []byte(k.Key))
	if err != nil {
		vm.Raise(L, noted(err, "table", "key of "+t.def.Name))
	}
	v, err := t.decodeKey(L, nil, k.Key, k.Key, k.Value)
	if err != nil {
		vm.Raise(L, err)
	}
	L.Push(t.windows.onClose)
	L.Push(key)
	L.Push(t.span(L, k.Window))
	L.Push(v)
	L.Call(3, 0)
}

// tableOf gives the table that a declaration is of.
func (b *binding) tableOf(d *table.Definition) *tableObject {
	t, _ := b.tables.find(d.Name)
	return t
}
