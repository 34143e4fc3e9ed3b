package luabind

import (
	"context"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"faust/luabind/arg"
	"faust/luabind/record"
	"faust/luabind/rewrite"
	"faust/luabind/vm"
	"faust/runtime/topic"
)

// direct is the short way that the load-time pass opens: loops over a stream that use one record object again and get its fields as loop
// variables, sends that are encoded from the values of a literal. What its functions do not take goes the way the script is written.
type direct struct {
	b      *binding
	arena  []byte       // what is sent is encoded here, piece after piece
	values []lua.LValue // of a literal
}

// changed is a chunk that the pass changed, as its hidden functions know it; it lives as long as its code.
type changed struct {
	*direct
	sites []site
	err   error // what is wrong with the literal of the send just tried
}

// arenaSize is how much is allocated at once for what is sent; a piece lives until all of it is stored.
const arenaSize = 64 << 10

// rewritten is the load-time pass as the machine wants it.
func (d *direct) rewritten(chunk []ast.Stmt) ([]ast.Stmt, []lua.LValue) {
	var p rewrite.Pass
	out, different := p.Chunk(chunk)
	if !different {
		return out, nil
	}
	c := &changed{direct: d, sites: make([]site, len(p.Sites))}
	for i, s := range p.Sites {
		c.sites[i].Site = s
	}
	return out, c.functions()
}

// functions are the hidden functions.
func (c *changed) functions() []lua.LValue {
	functions := map[string]lua.LGFunction{
		rewrite.IsStream: isStream, rewrite.Each: c.each, rewrite.Keep: keep, rewrite.Direct: c.isDirect,
		rewrite.Send: c.send, rewrite.Fail: c.fail, rewrite.IsRecord: isRecord, rewrite.Make: c.make, rewrite.Add: addTo,
	}
	out := make([]lua.LValue, len(rewrite.Hidden))
	for i, name := range rewrite.Hidden {
		out[i] = &lua.LFunction{IsG: true, Env: c.b.vm.Globals(), GFunction: functions[name]}
	}
	return out
}

// isStream is (x) -> bool: a stream of records, unfiltered.
func isStream(L *lua.LState) int {
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
	fields []int          // numbers of the fields that are loop variables, -1: there is none of that name
	ready  []lua.LValue   // what sends and adds, as loop variables
	object *record.Object // nil: none yet
}

// each is (site, stream, topics and types of the sends, tables of the additions) -> iterator.
func (c *changed) each(L *lua.LState) int {
	s, _ := as[*stream](L.Get(2))
	schema, _ := record.CodecSchema(s.body.agent.val)
	l := &loop{d: c.direct, body: s.body, schema: schema}
	site := &c.sites[int(L.Get(1).(lua.LNumber))]
	for _, name := range site.Fields {
		l.fields = append(l.fields, schema.Index(name))
	}
	for i, n := range site.Sends {
		l.ready = append(l.ready, c.sender(c.sites[n].Site, L.Get(3+2*i), L.Get(4+2*i), schema))
	}
	for i, n := range site.Adds {
		l.ready = append(l.ready, l.adder(c.sites[n].Own, L.Get(3+2*len(site.Sends)+i)))
	}
	L.Push(L.NewFunction(l.next))
	return 1
}

// sender makes what sends from the loop variable of a loop over records of type from; false: the send is not for it.
func (c *changed) sender(at rewrite.Site, t, typ lua.LValue, from *record.Schema) lua.LValue {
	s := &sender{changed: c, site: site{Site: at}}
	s.topic, _ = as[*topicObject](t)
	if s.topic == nil || !c.takes(&s.site, s.topic, typ) || at.Own != nil && !s.site.owned(from) {
		return lua.LFalse
	}
	return &lua.LFunction{IsG: true, Env: c.b.vm.Globals(), GFunction: s.send}
}

// takes tells whether a send to t can be encoded from the values of the site, and what they are of its literal's record type.
func (c *changed) takes(s *site, t *topicObject, typ lua.LValue) bool {
	if c.b.app.Runtime() == nil {
		return false
	}
	if s.Record == nil {
		return true
	}
	schema, _ := record.SchemaOf(typ)
	if declared, _ := record.CodecSchema(t.val); schema == nil || schema != declared {
		return false
	}
	s.resolve(schema)
	return true
}

// next gives the next record and its fields; nil at the end.
func (l *loop) next(L *lua.LState) int {
	in := l.body
	if local, own := (*in.b.vm.Local()).(*body); !own || local != in {
		in.own(&arg.Args{L: L, Name: "for ... in stream"})
	}
	for {
		ev := in.next(L)
		if ev == nil {
			L.Push(lua.LNil)
			return 1
		}
		if ev.Value == nil {
			return l.null(L)
		}
		if l.object == nil || !l.object.Borrowed() { // kept by the script
			l.object = l.schema.NewObject()
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
		for _, f := range l.ready {
			L.Push(f)
		}
		return 1 + len(l.fields) + len(l.ready)
	}
}

// null gives a tombstone, which goes the way the script is written.
func (l *loop) null(L *lua.LState) int {
	L.Push(l.d.b.reg.Null())
	return 1
}

// keep is (w) -> w: the script holds on to w, so its loop has to go on with another object.
func keep(L *lua.LState) int {
	v := L.Get(1)
	if o, ok := record.ObjectOf(v); ok && o.Borrowed() {
		o.Escape()
	}
	L.Push(v)
	return 1
}

// isDirect is (site, t, O or nil, w or nil) -> bool: a send to t can be encoded from the values of the site.
func (c *changed) isDirect(L *lua.LState) int {
	s := &c.sites[int(L.Get(1).(lua.LNumber))]
	t, ok := as[*topicObject](L.Get(2))
	if ok = ok && c.takes(s, t, L.Get(3)); ok && s.Own != nil {
		w, is := record.ObjectOf(L.Get(4))
		ok = is && s.owned(w.Schema())
	}
	L.Push(lua.LBool(ok))
	return 1
}

// send is (site, t, O or nil[, w], values in a row) -> bool: what t:send{...} does; true: its literal is wrong, (fail) says how.
func (c *changed) send(L *lua.LState) int {
	s := &c.sites[int(L.Get(1).(lua.LNumber))]
	t, _ := as[*topicObject](L.Get(2))
	if s.Record != nil {
		schema, _ := record.SchemaOf(L.Get(3))
		s.resolve(schema)
	}
	return c.put(s, t, row{L: L, site: s, at: 4})
}

// sender is a send that a loop was made ready for.
type sender struct {
	*changed
	site  site
	topic *topicObject
}

// send is ([w,] values in a row) -> bool.
func (s *sender) send(L *lua.LState) int {
	return s.put(&s.site, s.topic, row{L: L, site: &s.site, at: 1})
}

// put sends to t, which takes the site, what is in the row, and w before it if there are values of its own.
func (c *changed) put(s *site, t *topicObject, row row) int {
	L := row.L
	if s.Own != nil {
		row.own, _ = record.ObjectOf(L.Get(row.at))
		row.at++
		s.owned(row.own.Schema()) // who waited meanwhile may have met others
	}
	r := topic.Record{Topic: t.decl.Name, Partition: topic.Any}
	a := arg.Args{L: L, Name: "topic:send"}
	key, value := given{value: lua.LNil}, given{value: lua.LNil}
	for _, name := range s.Fields {
		switch {
		case name == "key":
			key = row.next()
		case s.Record == nil:
			value = row.next()
		default:
			if value.value, c.err = c.encodeLiteral(&r, &row); c.err != nil {
				L.Push(lua.LTrue)
				return 1
			}
		}
	}
	if r.Value != nil {
		c.encodeKey(&a, t, &r, key)
	} else {
		v := value.get()
		t.checkValue(&a, v)
		c.encode(&a, t, &r, key, v)
	}
	t.checkSize(&a, &r)
	c.b.post(L, r)
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
func (d *direct) encode(a *arg.Args, t *topicObject, r *topic.Record, key given, value lua.LValue) {
	d.encodeKey(a, t, r, key)
	b, err := t.val.Encode(a.L, d.room(), value)
	if err != nil {
		a.Raise(explained(err, "value for topic '"+t.decl.Name+"'"))
	}
	if r.Value = b; b != nil {
		r.Value = d.took(b)
	}
}

func (d *direct) encodeKey(a *arg.Args, t *topicObject, r *topic.Record, key given) {
	if key.value == lua.LNil {
		return
	}
	var b []byte
	var err error
	if key.own != nil {
		b, err = key.own.EncodeField(a.L, d.room(), key.n, t.key)
	} else {
		b, err = t.key.Encode(a.L, d.room(), key.value)
	}
	if err != nil {
		a.Raise(explained(err, "key for topic '"+t.decl.Name+"'"))
	}
	if r.Key = b; b != nil {
		r.Key = d.took(b)
	}
}

// encodeLiteral encodes the record whose values are next in the row. What can be made but not encoded comes back, for the
// send to fail with; the error is that of making it.
func (c *changed) encodeLiteral(r *topic.Record, row *row) (lua.LValue, error) {
	shape := row.site.shape
	from := record.From{}
	if row.own != nil {
		from = record.From{Record: row.own, Fields: row.site.take[row.place:]}
	}
	c.values = row.values(c.values[:0], len(row.site.Record))
	b, err := shape.AppendFields(c.room(), c.values, from)
	v := lua.LValue(lua.LNil)
	if err == nil {
		r.Value = c.took(b)
	} else {
		from.Load(c.values)
		v, err = shape.Make(c.values)
	}
	clear(c.values)
	return v, err
}

// isRecord is (O) -> bool.
func isRecord(L *lua.LState) int {
	_, ok := record.SchemaOf(L.Get(1))
	L.Push(lua.LBool(ok))
	return 1
}

// make is (site, O, values in a row) -> record.
func (c *changed) make(L *lua.LState) int {
	n := int(L.Get(1).(lua.LNumber))
	schema, _ := record.SchemaOf(L.Get(2))
	c.row(L, 3, len(c.sites[n].Fields))
	v, err := c.sites[n].resolve(schema).Make(c.values)
	clear(c.values)
	if err != nil {
		vm.Raise(L, err)
	}
	L.Push(v)
	return 1
}

// row takes n arguments from index first on as values.
func (d *direct) row(L *lua.LState, first, n int) {
	d.values = d.values[:0]
	for i := range n {
		d.values = append(d.values, L.Get(first+i))
	}
}

// fail is (site): raises what is wrong with the literal.
func (c *changed) fail(L *lua.LState) int {
	err := c.err
	c.err = nil
	vm.Raise(L, err)
	return 0
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
	b.sent = r
	sent := rt.TrySend(&b.sent, nil)
	b.sent = topic.Record{}
	if sent {
		return
	}
	late := r // a variable of its own: that it is shared with the wait costs only who waits
	err := b.vm.Block(L, "send to "+r.Topic, func(ctx context.Context) error { return rt.Send(ctx, &late, nil) })
	if err != nil {
		vm.Raise(L, b.waited(err, "send to "+r.Topic))
	}
}
