package record

import (
	"reflect"

	"faust/luabind/fault"

	lua "github.com/yuin/gopher-lua"
)

// Object is a record: a Lua value over the raw bytes of a message. A field becomes a Lua value when it is read for the first time; what is not read
// costs nothing, and a record that was not changed is written as the bytes it came from.
type Object struct {
	lua.LUserData // what Lua sees; its Value is the Object
	schema        *Schema
	raw           []byte // nil: made by a script
	slots         []slot
	vals          []lua.LValue // nil: not read yet; LNil: absent
	dirty         bool         // a field was assigned
	borrowed      bool         // raw belongs to who called Reset
	opened        bool         // a list, map, record or any was read, and may have been changed in place
}

// object8 holds a record of at most 8 fields in one piece.
type object8 struct {
	Object
	slots8 [8]slot
	vals8  [8]lua.LValue
}

// NewObject makes an empty record for Reset.
func (s *Schema) NewObject() *Object {
	var o *Object
	if n := len(s.fields); n <= 8 {
		o8 := &object8{}
		o = &o8.Object
		o.slots, o.vals = o8.slots8[:n], o8.vals8[:n]
	} else {
		o = &Object{slots: make([]slot, n), vals: make([]lua.LValue, n)}
	}
	o.schema = s
	o.Value, o.Metatable = o, s.reg.recordMT
	return o
}

// Reset makes o the record in raw, which is checked whole. raw is shared and must not change until the next Reset or Escape: an object that
// outlives its message must be escaped. What was read from o before is gone. The error is a *fault.Error with code decode.
func (o *Object) Reset(raw []byte) error {
	o.raw, o.dirty, o.opened, o.borrowed = raw, false, false, true
	clear(o.slots)
	for i, v := range o.vals {
		if v != nil { // clear would be dearer: it asks the garbage collector first
			o.vals[i] = nil
		}
	}
	end, p := o.schema.scan(raw, skipSpace(raw, 0), o.slots, 0)
	if p == nil {
		if end = skipSpace(raw, end); end < len(raw) {
			p = unexpected(raw, end, "the end")
		}
	}
	if p != nil {
		return o.schema.decodeError(raw, p)
	}
	return nil
}

// Escape gives o bytes of its own, so that it may be kept without holding a whole fetch buffer.
func (o *Object) Escape() {
	o.borrowed = false
	if o.raw != nil {
		o.raw = append(make([]byte, 0, len(o.raw)), o.raw...)
	}
}

// Borrowed tells whether o was reset and not escaped since: nobody but its owner may have it.
func (o *Object) Borrowed() bool { return o.borrowed }

// Schema is the record's type.
func (o *Object) Schema() *Schema { return o.schema }

// ObjectOf gives the record that v is.
func ObjectOf(v lua.LValue) (*Object, bool) {
	if ud, ok := v.(*lua.LUserData); ok {
		o, ok := ud.Value.(*Object)
		return o, ok
	}
	return nil, false
}

// Self is the record as a Lua value.
func (o *Object) Self() lua.LValue { return &o.LUserData }

// Field gives field i (Schema.Index), nil if it is absent.
func (o *Object) Field(i int) lua.LValue {
	if v := o.vals[i]; v != nil {
		return v
	}
	return o.load(i)
}

// load makes the Lua value of field i. It cannot fail: Reset has checked all.
func (o *Object) load(i int) lua.LValue {
	f := &o.schema.fields[i]
	v := o.schema.reg.convert(f.typ, o.raw, o.slots[i], &f.stat)
	if v == lua.LNil && f.def != nil {
		v = o.schema.reg.copyValue(f.def)
	}
	o.vals[i] = v
	switch f.typ.kind {
	case kList, kMap, kRecord, kAny:
		o.opened = true
	}
	return v
}

// Assign sets field i, checked as by the constructor. nil takes an optional field away and gives one with a default its default back.
func (o *Object) Assign(i int, v lua.LValue) error {
	v, p := o.schema.field(i, v, 0)
	if p != nil {
		return p.validation(o.schema)
	}
	o.vals[i] = v
	o.slots[i].set = true
	o.dirty = true
	return nil
}

// field checks v as field i of a new record.
func (s *Schema) field(i int, v lua.LValue, depth int) (lua.LValue, *problem) {
	f := &s.fields[i]
	if v == nil || v == lua.LNil || s.reg.IsNull(v) && (f.typ.kind != kAny || f.typ.optional) {
		switch {
		case f.def != nil:
			return s.reg.copyValue(f.def), nil
		case f.typ.optional:
			return lua.LNil, nil
		}
		return nil, &problem{path: f.name, what: "is missing", at: -1, lost: f.name, want: f.typ.String()}
	}
	v, p := s.reg.coerce(f.typ, v, depth)
	if p != nil {
		return nil, p.in(f.name)
	}
	return v, nil
}

// Make makes a record of a table: what Withdrawal{ ... } does. A record of the same type is copied.
func (s *Schema) Make(v lua.LValue) (lua.LValue, error) {
	o, p := s.construct(v, 0)
	if p != nil {
		return nil, p.validation(s)
	}
	return o.Self(), nil
}

func (s *Schema) construct(v lua.LValue, depth int) (*Object, *problem) {
	if from, ok := ObjectOf(v); ok && from.schema == s {
		return from.clone(), nil
	}
	t, ok := v.(*lua.LTable)
	if !ok {
		return nil, wrong("it is %s, expected a table", fault.Describe(v)).hint("write  " + s.Name + "{ " + s.example() + " }")
	}
	for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
		if name, ok := k.(lua.LString); !ok || s.Index(string(name)) < 0 {
			return nil, s.unknownField(k)
		}
	}
	o := s.NewObject()
	o.dirty = true
	for i := range s.fields {
		var p *problem
		if o.vals[i], p = s.field(i, t.RawGetString(s.fields[i].name), depth); p != nil {
			return nil, p
		}
		o.slots[i].set = true
	}
	return o, nil
}

func (s *Schema) unknownField(k lua.LValue) *problem {
	return wrong("it has no field %s", fault.Quote(k)).hint(fault.DidYouMean(lua.LVAsString(k), s.Names()))
}

// example shows how a record is written.
func (s *Schema) example() string {
	if len(s.fields) == 0 {
		return ""
	}
	return s.fields[0].name + " = ..."
}

// clone copies a record and what is in it.
func (o *Object) clone() *Object {
	c, _ := ObjectOf(o.schema.reg.copyValue(o.Self()))
	return c
}

// newRecordMeta makes the metatable that all records share.
func (g *Registry) newRecordMeta(L *lua.LState) *lua.LTable {
	g.derive = g.wrap(L, g.deriveRecord)
	g.next = L.NewFunction(g.nextField)
	mt := g.metatable(L, "record", map[string]func(*lua.LState) (lua.LValue, error){
		"__eq": func(L *lua.LState) (lua.LValue, error) { return lua.LBool(g.equal(L.Get(1), L.Get(2), 0)), nil },
		"__tostring": func(L *lua.LState) (lua.LValue, error) {
			return lua.LString(g.Inspect(L.Get(1))), nil
		},
		"__len": func(L *lua.LState) (lua.LValue, error) {
			o, _ := ObjectOf(L.Get(1))
			return nil, invalid("'#' counts lists and strings", "%s has no length", fault.Article(o.schema.Name))
		},
	})
	mt.RawSetString("__index", L.NewFunction(g.indexRecord))
	mt.RawSetString("__newindex", L.NewFunction(g.assignRecord))
	mt.RawSetString("__pairs", L.NewFunction(func(L *lua.LState) int {
		L.Push(g.next)
		L.Push(L.Get(1))
		L.Push(lua.LNil)
		return 3
	}))
	return mt
}

// indexRecord is __index: a field, or a method that is called.
func (g *Registry) indexRecord(L *lua.LState) int {
	o := L.Get(1).(*lua.LUserData).Value.(*Object)
	name, ok := L.Get(2).(lua.LString)
	if ok {
		i := o.schema.Index(string(name))
		if name == "derive" && (i < 0 || calledAsMethod(L)) {
			L.Push(g.derive)
			return 1
		}
		if i >= 0 {
			L.Push(o.Field(i))
			return 1
		}
	}
	g.raise(L, o.schema.noField(L.Get(2)))
	return 0
}

// assignRecord is __newindex.
func (g *Registry) assignRecord(L *lua.LState) int {
	o := L.Get(1).(*lua.LUserData).Value.(*Object)
	i := -1
	if name, ok := L.Get(2).(lua.LString); ok {
		i = o.schema.Index(string(name))
	}
	if i < 0 {
		g.raise(L, o.schema.noField(L.Get(2)))
	}
	if err := o.Assign(i, L.Get(3)); err != nil {
		g.raise(L, err)
	}
	return 0
}

// noField is the error for the use of a field that was not declared.
func (s *Schema) noField(k lua.LValue) error {
	return invalid(fault.DidYouMean(lua.LVAsString(k), s.Names()), "%s has no field %s", fault.Article(s.Name), fault.Quote(k))
}

// nextField is the iterator of pairs(record): the fields that are there, in the order of declaration.
func (g *Registry) nextField(L *lua.LState) int {
	o, ok := ObjectOf(L.Get(1))
	if !ok {
		g.raise(L, usage("", "the iterator of a record got %s", fault.Describe(L.Get(1))))
	}
	i := 0
	if k, ok := L.Get(2).(lua.LString); ok {
		i = o.schema.Index(string(k)) + 1
	}
	for ; i < len(o.vals); i++ {
		if v := o.Field(i); v != lua.LNil {
			L.Push(lua.LString(o.schema.fields[i].name))
			L.Push(v)
			return 2
		}
	}
	L.Push(lua.LNil)
	return 1
}

// deriveRecord is w:derive{ amount=2 }: a copy with other values.
func (g *Registry) deriveRecord(L *lua.LState) (lua.LValue, error) {
	o, ok := ObjectOf(L.Get(1))
	if !ok {
		return nil, usage("write  w:derive{ amount = 2 }  with a colon", "derive of %s, expected a record", fault.Describe(L.Get(1)))
	}
	t, ok := L.Get(2).(*lua.LTable)
	if !ok {
		return nil, usage("write  w:derive{ amount = 2 }", "derive got %s, expected a table of fields", fault.Describe(L.Get(2)))
	}
	c := o.clone()
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		i := -1
		if name, ok := k.(lua.LString); ok {
			i = o.schema.Index(string(name))
		}
		if i < 0 {
			return nil, o.schema.unknownField(k).validation(o.schema)
		}
		if err := c.Assign(i, v); err != nil {
			return nil, err
		}
	}
	return c.Self(), nil
}

// calledAsMethod tells whether __index runs for w:name() rather than w.name: by the instruction of the caller.
func calledAsMethod(L *lua.LState) bool {
	dbg, ok := L.GetStack(1)
	if !ok {
		return false
	}
	v, err := L.GetInfo("f", dbg, lua.LNil)
	fn, ok := v.(*lua.LFunction)
	if err != nil || !ok || fn.Proto == nil {
		return false
	}
	pc := int(reflect.ValueOf(dbg).Elem().FieldByName("frame").Elem().FieldByName("Pc").Int()) - 1
	return pc >= 0 && pc < len(fn.Proto.Code) && int(fn.Proto.Code[pc]>>26) == lua.OP_SELF
}

// FieldWith names the field of a record or a table whose value is what the caller looks for; "": none is.
func (g *Registry) FieldWith(v lua.LValue, is func(v lua.LValue) bool) string {
	if o, ok := ObjectOf(v); ok {
		for i := range o.vals {
			if x := o.Field(i); x != lua.LNil && is(x) {
				return o.schema.fields[i].name
			}
		}
	}
	if t, ok := v.(*lua.LTable); ok {
		for k, x := t.Next(lua.LNil); k != lua.LNil; k, x = t.Next(k) {
			if name, named := k.(lua.LString); named && is(x) {
				return string(name)
			}
		}
	}
	return ""
}
