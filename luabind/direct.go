package luabind

import (
	"context"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/luabind/rewrite"
	"faust/luabind/vm"
	"faust/runtime/topic"
)

// direct is the short way that the load-time pass opens: loops over a stream that use one record object again and get its fields as loop
// variables, sends that are encoded from the values of a literal. What its functions do not take goes the way the script is written.
type direct struct {
	b      *binding
	pass   rewrite.Pass
	sites  []site // by index, as far as used
	hidden []lua.LValue
	arena  []byte       // what is sent is encoded here, piece after piece
	values []lua.LValue // of a literal
}

// site is what is known of one place that the pass changed: it meets the same record type nearly always.
type site struct {
	schema *record.Schema
	shape  *record.Shape
}

// arenaSize is how much is allocated at once for what is sent; a piece lives until all of it is stored.
const arenaSize = 64 << 10

// rewritten is the load-time pass as the machine wants it.
func (d *direct) rewritten(chunk []ast.Stmt, file string) ([]ast.Stmt, []lua.LValue) {
	out, changed := d.pass.Chunk(chunk, file)
	if !changed {
		return out, nil
	}
	d.sites = append(d.sites, make([]site, len(d.pass.Sites)-len(d.sites))...)
	return out, d.hidden
}

// open makes the hidden functions.
func (d *direct) open(L *lua.LState) {
	functions := map[string]lua.LGFunction{
		rewrite.IsStream: d.isStream, rewrite.Each: d.each, rewrite.Keep: d.keep, rewrite.Direct: d.isDirect,
		rewrite.Send: d.send, rewrite.IsRecord: d.isRecord, rewrite.Make: d.make,
	}
	for _, name := range rewrite.Hidden {
		d.hidden = append(d.hidden, L.NewFunction(functions[name]))
	}
}

// isStream is (x) -> bool: a stream of records, unfiltered.
func (d *direct) isStream(L *lua.LState) int {
	s, ok := as[*stream](L.Get(1))
	if ok {
		_, ok = record.CodecSchema(s.body.agent.val)
	}
	L.Push(lua.LBool(ok && len(s.ops) == 0))
	return 1
}

// loop is a direct loop over a stream.
type loop struct {
	d      *direct
	body   *body
	schema *record.Schema
	fields []int // numbers of the fields that are loop variables, -1: there is none of that name
	object *record.Object
	kept   bool // the object lives on outside the loop
}

// each is (site, stream) -> iterator.
func (d *direct) each(L *lua.LState) int {
	s, _ := as[*stream](L.Get(2))
	schema, _ := record.CodecSchema(s.body.agent.val)
	l := &loop{d: d, body: s.body, schema: schema, object: schema.NewObject()}
	for _, name := range d.pass.Sites[int(L.Get(1).(lua.LNumber))].Fields {
		l.fields = append(l.fields, schema.Index(name))
	}
	s.body.loops = append(s.body.loops, l)
	L.Push(L.NewFunction(l.next))
	return 1
}

// next gives the next record and its fields; nil at the end.
func (l *loop) next(L *lua.LState) int {
	in := l.body
	if local, own := (*in.b.vm.Local()).(*body); !own || local != in {
		in.own(&args{L: L, name: "for ... in stream"})
	}
	for {
		ev := in.next(L)
		if ev == nil {
			L.Push(lua.LNil)
			return 1
		}
		if ev.Value == nil {
			L.Push(l.d.b.reg.Null())
			return 1
		}
		if l.kept {
			l.object, l.kept = l.schema.NewObject(), false
		}
		if err := l.object.Reset(ev.Value); err != nil {
			in.reject(L, ev, err)
			continue
		}
		L.Push(l.object.Self())
		for _, i := range l.fields {
			if i < 0 {
				L.Push(lua.LNil)
			} else {
				L.Push(l.object.Field(i))
			}
		}
		return 1 + len(l.fields)
	}
}

// keep is (w) -> w: the script holds on to w, so its loop has to go on with another object.
func (d *direct) keep(L *lua.LState) int {
	v := L.Get(1)
	if o, ok := record.ObjectOf(v); ok {
		if in, ok := (*d.b.vm.Local()).(*body); ok {
			for _, l := range in.loops {
				if l.object == o && !l.kept {
					l.kept = true
					o.Escape()
				}
			}
		}
	}
	L.Push(v)
	return 1
}

// isDirect is (site, t[, O]) -> bool: a send to t can be encoded from the values of the site.
func (d *direct) isDirect(L *lua.LState) int {
	t, ok := as[*topicObject](L.Get(2))
	if ok = ok && d.b.app.Runtime() != nil; ok && L.GetTop() > 2 {
		schema, _ := record.SchemaOf(L.Get(3))
		declared, _ := record.CodecSchema(t.val)
		if ok = schema != nil && schema == declared; ok {
			d.shape(int(L.Get(1).(lua.LNumber)), schema)
		}
	}
	L.Push(lua.LBool(ok))
	return 1
}

// shape resolves the names of a site's literal for a record type.
func (d *direct) shape(n int, schema *record.Schema) *record.Shape {
	at := &d.sites[n]
	if at.schema != schema {
		names := d.pass.Sites[n].Record
		if names == nil {
			names = d.pass.Sites[n].Fields
		}
		at.schema, at.shape = schema, schema.Shape(names)
	}
	return at.shape
}

// send is (site, t, values in a row): what t:send{...} does.
func (d *direct) send(L *lua.LState) int {
	n := int(L.Get(1).(lua.LNumber))
	t, _ := as[*topicObject](L.Get(2))
	s := &d.pass.Sites[n]
	key, value, at := lua.LValue(lua.LNil), lua.LValue(lua.LNil), 3
	literal := 0
	for _, name := range s.Fields {
		switch {
		case name == "key":
			key = L.Get(at)
		case s.Record != nil:
			literal = at + 1
			at += len(s.Record)
		default:
			value = L.Get(at)
		}
		at++
	}
	r := topic.Record{Topic: t.decl.Name, Partition: topic.Any}
	a := args{L: L, name: "topic:send", of: "topic:send"}
	if literal == 0 {
		t.checkValue(&a, value)
		d.encode(&a, t, &r, key, value)
	} else {
		d.encodeLiteral(&a, t, n, &r, literal)
		d.encodeKey(&a, t, &r, key)
	}
	t.checkSize(&a, &r)
	d.b.post(L, r)
	return 0
}

// room gives space for the next piece of the arena.
func (d *direct) room() []byte {
	if cap(d.arena)-len(d.arena) < 1024 {
		d.arena = make([]byte, 0, arenaSize)
	}
	return d.arena[len(d.arena):]
}

// took takes a piece that was encoded into room's space, or beside it if it grew out of it.
func (d *direct) took(piece []byte) []byte {
	if n := len(d.arena); cap(d.arena)-n >= len(piece) {
		d.arena = d.arena[:n+len(piece)]
	}
	return piece[:len(piece):len(piece)]
}

// encode fills in key and value.
func (d *direct) encode(a *args, t *topicObject, r *topic.Record, key, value lua.LValue) {
	d.encodeKey(a, t, r, key)
	b, err := t.val.Encode(a.L, d.room(), value)
	if err != nil {
		a.raise(explained(err, "value for topic '"+t.decl.Name+"'"))
	}
	if r.Value = b; b != nil {
		r.Value = d.took(b)
	}
}

func (d *direct) encodeKey(a *args, t *topicObject, r *topic.Record, key lua.LValue) {
	if key == lua.LNil {
		return
	}
	b, err := t.key.Encode(a.L, d.room(), key)
	if err != nil {
		a.raise(explained(err, "key for topic '"+t.decl.Name+"'"))
	}
	if r.Key = b; b != nil {
		r.Key = d.took(b)
	}
}

// encodeLiteral encodes the record whose type and values stand from index first-1 on; what is wrong with it is told at the literal.
func (d *direct) encodeLiteral(a *args, t *topicObject, n int, r *topic.Record, first int) {
	s := &d.pass.Sites[n]
	schema, ok := record.SchemaOf(a.L.Get(first - 1))
	if declared, _ := record.CodecSchema(t.val); !ok || schema != declared {
		a.fail("the record type changed while its fields were computed")
	}
	d.values = d.values[:0]
	for i := range s.Record {
		d.values = append(d.values, a.L.Get(first+i))
	}
	b, err := d.shape(n, schema).AppendFields(d.room(), d.values)
	clear(d.values)
	if err != nil {
		d.raise(a.L, s, err)
	}
	r.Value = d.took(b)
}

// isRecord is (O) -> bool.
func (d *direct) isRecord(L *lua.LState) int {
	_, ok := record.SchemaOf(L.Get(1))
	L.Push(lua.LBool(ok))
	return 1
}

// make is (site, O, values in a row) -> record.
func (d *direct) make(L *lua.LState) int {
	n := int(L.Get(1).(lua.LNumber))
	schema, _ := record.SchemaOf(L.Get(2))
	s := &d.pass.Sites[n]
	d.values = d.values[:0]
	for i := range s.Fields {
		d.values = append(d.values, L.Get(3+i))
	}
	v, err := d.shape(n, schema).Make(d.values)
	clear(d.values)
	if err != nil {
		d.raise(L, s, err)
	}
	L.Push(v)
	return 1
}

// raise raises an error about a literal, at its line.
func (d *direct) raise(L *lua.LState, s *rewrite.Site, err error) {
	if e, ok := err.(*fault.Error); ok { //nolint:errorlint // only an error of its own has no place yet
		c := *e
		c.Place = fault.Place{File: s.File, Line: s.Line}
		err = &c
	}
	vm.Raise(L, err)
}

// post sends r without a handle: held on the event in hand, or at once if there is none.
func (b *binding) post(L *lua.LState, r topic.Record) {
	if h, ok := b.hand(); ok {
		h.event().Hold(r)
		return
	}
	b.postNow(L, r)
}

func (b *binding) postNow(L *lua.LState, r topic.Record) {
	rt := b.app.Runtime()
	if rt.TrySend(&r, nil) {
		return
	}
	err := b.vm.Block(L, "send to "+r.Topic, func(ctx context.Context) error { return rt.Send(ctx, &r, nil) })
	if err != nil {
		vm.Raise(L, b.waited(err, "send to "+r.Topic))
	}
}
