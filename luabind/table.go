package luabind

import (
	lua "github.com/yuin/gopher-lua"

	"faust/luabind/api"
	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/luabind/vm"
	"faust/runtime/app"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// tableObject is a table: keyed state that agents write.
type tableObject struct {
	b          *binding
	n          int // which one it is, in the order of declaration
	def        *table.Definition
	key, val   record.Codec
	rawKeys    bool  // keys are texts as they are
	forms      forms // which values are kept as they are
	otherwise  missing
	limit      int          // bytes of a key and its value
	writer     *agentObject // of a global table; nil: nobody is
	user       *agentObject // the first agent of a topic that uses it; nil: none does
	listed     *app.Topic   // the changelog, for the looking commands
	declaredAt fault.Place
	changes    int      // writes so far, of all events: who goes through the keys looks whether there were some
	windows    *windows // nil: a key has one value
	lua        *lua.LUserData
}

func (t *tableObject) Describe() string  { return "the table " + t.def.Name }
func (t *tableObject) value() lua.LValue { return t.lua }

// HasMethod implements fault.Methodical.
func (t *tableObject) HasMethod(name string) bool {
	kind, _ := t.lua.Metatable.(*lua.LTable)
	return t.b.members[kind].methods.RawGetString(name) != lua.LNil
}

// changelogOverhead is what a change takes in its changelog beside key and value, and more.
const changelogOverhead = 256

// tableMethods are the methods of a table.
func (b *binding) tableMethods() map[string]lua.LGFunction {
	methods := map[string]lua.LGFunction{
		"add": tableAdd, "update": tableUpdate, "get": tableGet, "has": tableHas, "keys": tableKeys, "everywhere": tableEverywhere,
		"tumbling": tableTumbling, "hopping": tableHopping, "on_close": tableOnClose, "on_late": tableOnLate,
		"now": tableNow, "delta": tableDelta, "windows": tableWindows,
	}
	for _, name := range api.LaterMembers("table") {
		methods[name] = later("table:" + name)
	}
	return methods
}

// tableKind makes the metatable of tables.
func (b *binding) tableKind(L *lua.LState) *lua.LTable {
	mt := b.keyedKind(L, "table", b.tableMethods())
	mt.RawSetString("__len", L.NewFunction(tableLen))
	mt.RawSetString("__pairs", L.NewFunction(tablePairs))
	return mt
}

// keyedKind makes the metatable of a kind of tables. Keys and methods do not meet: t.keys is data, t:keys() the method.
func (b *binding) keyedKind(L *lua.LState, name string, methods map[string]lua.LGFunction) *lua.LTable {
	mt := b.kind(L, name, methods, nil)
	named, _ := mt.RawGetString("__index").(*lua.LTable)
	mt.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		if vm.CallsMethod(L) {
			L.Push(L.GetField(named, lua.LVAsString(L.Get(2)))) // raises for what is no method
		} else {
			L.Push(L.Get(1).(*lua.LUserData).Value.(*tableObject).read(L, L.Get(2)))
		}
		return 1
	}))
	mt.RawSetString("__newindex", L.NewFunction(func(L *lua.LState) int {
		L.Get(1).(*lua.LUserData).Value.(*tableObject).write(L, L.Get(2), L.Get(3))
		return 0
	}))
	mt.RawSetString("__ipairs", L.NewFunction(func(L *lua.LState) int { // with a default it would have no end
		e := usage("ipairs of %s: it is no list", fault.Describe(L.Get(1)))
		e.Hints = []string{"for key, value in pairs(t) do"}
		vm.Raise(L, e)
		return 0
	}))
	return mt
}

// appKeyed is app.table(name, { default=, key=, value=, scope=, help= }) -> table.
func (b *binding) appKeyed(L *lua.LState) int {
	return b.declareTable(L, "app.table", b.kinds.table, (*tableObject).defaults)
}

// declareTable is a call that declares a table of a kind; finish reads the options that are that kind's own.
func (b *binding) declareTable(L *lua.LState, function string, kind *lua.LTable, finish func(t *tableObject, o arg.Options)) int {
	a := b.call(L, function)
	b.declare(a)
	name := a.Text("the table's name")
	a.About(name)
	b.checkTableName(a, name)
	o := a.Options()
	a.Done()
	t := b.newTable(name, o, kind)
	finish(t, o)
	b.tables.add(name, t)
	b.app.Tables = append(b.app.Tables, t.def)
	L.Push(t.lua)
	return 1
}

// newTable makes the table with the options that all kinds have.
func (b *binding) newTable(name string, o arg.Options, kind *lua.LTable) *tableObject {
	t := &tableObject{b: b, n: len(b.tables.order), declaredAt: o.Args().Place()}
	t.key, t.val = b.codec(o, "key", "string"), b.codec(o, "value", "json")
	t.rawKeys, t.forms = record.IsText(t.key), formsOf(t.val)
	t.def = &table.Definition{
		Name: name, Help: o.Text("help"), Place: t.declaredAt.String(), Key: t.key.Name(), Value: t.val.Name(), Anywhere: o.Text("scope") == "partition",
	}
	t.def.Numbers = t
	t.lua = object(t, kind)
	return t
}

func (b *binding) checkTableName(a *arg.Args, name string) {
	first, taken := b.tables.find(name)
	if taken {
		alreadyDeclared(a, "table", name, first.declaredAt)
	}
	checkName(a, "table", name)
}

// nameChangelog gives the table its changelog, now that the app's id is known.
func (t *tableObject) nameChangelog(taken owners) error {
	name := t.b.app.Settings.Internal(t.def.Name, "changelog")
	who := "table '" + t.def.Name + "'"
	if err := taken.claim(name, who, "the changelog of "+who, t.declaredAt, "give the table another name"); err != nil {
		return err
	}
	t.def.Form = "keys as " + form(t.key) + " and values as " + form(t.val)
	if t.def.Sets {
		t.def.Form = "keys as " + form(t.key) + " and members of sets as " + form(t.val)
	}
	t.def.Changelog = topic.Topic{Name: name, Compact: true, Internal: true}
	t.limit = t.b.app.Settings.MaxMessageBytes - changelogOverhead
	t.listed = &app.Topic{Topic: t.def.Changelog, Key: t.def.Key, Value: t.def.Value, Place: t.def.Place}
	t.b.app.Internal = append(t.b.app.Internal, t.listed)
	return nil
}

// form says how a codec writes, as far as it decides what others can read.
func form(c record.Codec) string {
	switch {
	case record.IsText(c):
		return "text"
	case c.Name() == "int64":
		return "int64"
	}
	return "JSON"
}
