package luabind

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/luabind/vm"
	"faust/runtime/app"
	"faust/runtime/topic"
)

// topicSend is topic:send{ key=, value=, headers=, partition=, timestamp= } -> handle with :wait().
func (b *binding) topicSend(L *lua.LState) int {
	t, a := arg.Method[*topicObject](L, "topic:send")
	L.Push(b.send(a, t))
	return 1
}

// send takes the table of a send, checks and encodes it and sends it.
func (b *binding) send(a *arg.Args, t *topicObject) lua.LValue {
	b.running(a)
	v := a.Value("the message, { value = ... },")
	table, ok := v.(*lua.LTable)
	if !ok {
		a.Wrong("the message", v, "a table: "+a.Name+"{ key = ..., value = ... }")
	}
	o := a.Named(table)
	a.Done()
	return b.deliver(a.L, t.record(o))
}

// record makes the record that a send describes.
func (t *topicObject) record(o arg.Options) topic.Record {
	value := o.Value("value")
	t.checkValue(o.Args(), value)
	r := topic.Record{Topic: t.decl.Name, Partition: topic.Any}
	t.encode(o.Args(), &r, o.Value("key"), value)
	if o.Given() {
		t.extras(o, &r)
	}
	t.checkSize(o.Args(), &r)
	return r
}

// checkValue refuses nil, which is more often a mistake than a tombstone.
func (t *topicObject) checkValue(a *arg.Args, value lua.LValue) {
	if value == lua.LNil {
		a.Hint("value = null  sends a tombstone, which deletes the key from a compacted topic", "%s: value is nil", a.Name)
	}
}

// encode fills in key and value. A missing key is no key.
func (t *topicObject) encode(a *arg.Args, r *topic.Record, key, value lua.LValue) {
	var err error
	if key != lua.LNil {
		if r.Key, err = t.key.Encode(a.L, nil, key); err != nil {
			a.Raise(explained(err, "key for topic '"+t.decl.Name+"'"))
		}
	}
	if r.Value, err = t.val.Encode(a.L, nil, value); err != nil {
		a.Raise(explained(err, "value for topic '"+t.decl.Name+"'"))
	}
	if r.Value == nil && !t.b.reg.IsNull(value) {
		r.Value = []byte{}
	}
}

// explained adds what was encoded to the hints of an error.
func explained(err error, what string) error {
	if e, ok := err.(*fault.Error); ok { //nolint:errorlint // only an error of its own is completed
		e.Notes = append(e.Notes, fault.Note{Label: "sent as", Text: what})
	}
	return err
}

// extras fills in headers, partition and timestamp.
func (t *topicObject) extras(o arg.Options, r *topic.Record) {
	if n, ok := o.Integer("partition"); ok {
		r.Partition = int32(n)
	}
	if v := o.Value("timestamp"); v != lua.LNil {
		ms, ok := milliseconds(v)
		if !ok {
			o.Wrong("timestamp", v, "a datetime or seconds since 1970")
		}
		r.Timestamp = ms
	}
	if table, ok := o.Value("headers").(*lua.LTable); ok {
		r.Headers = headers(o, table)
	}
}

// headers reads { name = 'text', ... }.
func headers(o arg.Options, table *lua.LTable) []topic.Header {
	var out []topic.Header
	for k, v := table.Next(lua.LNil); k != lua.LNil; k, v = table.Next(k) {
		name, named := k.(lua.LString)
		if !named {
			o.Fail("headers", "%s: headers have names, here is %s without one", o.Args().Name, fault.Describe(v))
		}
		switch v.(type) {
		case lua.LString, lua.LNumber:
			out = append(out, topic.Header{Key: string(name), Value: []byte(v.String())})
		default:
			o.Fail("headers", "%s: header '%s' is %s, expected a string", o.Args().Name, name, fault.Describe(v))
		}
	}
	return out
}

// milliseconds reads a point in time: a datetime, or seconds since 1970. false: it is none.
func milliseconds(v lua.LValue) (int64, bool) {
	switch v := v.(type) {
	case lua.LNumber:
		return int64(float64(v) * 1000), v >= 0 && v <= latest/1000
	case *lua.LUserData:
		if t, ok := v.Value.(record.Datetime); ok {
			return t.Time.UnixMilli(), true
		}
	}
	return 0, false
}

// checkSize refuses what the broker would.
func (t *topicObject) checkSize(a *arg.Args, r *topic.Record) {
	if e := tooLarge(t.b.app.Settings.MaxMessageBytes, t.decl.Name, r); e != nil {
		vm.Raise(a.L, e)
	}
}

// tooLarge is the error for a record of more than limit bytes; nil: it has not as many.
func tooLarge(limit int, name string, r *topic.Record) *fault.Error {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	if limit <= 0 || n <= limit {
		return nil
	}
	return &fault.Error{
		Code:    fault.TooLarge,
		Message: fmt.Sprintf("message for topic '%s' has %d bytes, more than max_message_bytes (%d)", name, n, limit),
		Hints:   []string{"send a reference to the data, or raise it with  app.configure { max_message_bytes = '4MiB' }"},
	}
}

// sending is one record on its way.
type sending struct {
	b      *binding
	record topic.Record
	held   hold // the event that holds it; none: it went out at once
	id     uint64

	mu     sync.Mutex
	done   bool
	stored topic.Record
	err    error
	ended  chan struct{} // closed when done; made by who waits
}

func (s *sending) Describe() string { return "the message for " + s.record.Topic }

func (b *binding) sendingKind(L *lua.LState) *lua.LTable {
	return b.kind(L, "message", map[string]lua.LGFunction{"wait": b.sendingWait}, nil)
}

// deliver sends r: held on the event in hand, or at once if there is none. It gives the handle.
func (b *binding) deliver(L *lua.LState, r topic.Record) lua.LValue {
	s := &sending{b: b, record: r}
	if h, ok := b.hand(); ok {
		s.held = h
		s.id = h.event().Hold(r)
	} else {
		s.queue(L)
	}
	return object(s, b.kinds.sending)
}

// queue hands the record to the runtime. The baton is given away only if that may have to wait.
func (s *sending) queue(L *lua.LState) {
	rt := s.b.app.Runtime()
	if rt.TrySend(&s.record, s.arrived) {
		return
	}
	err := s.b.vm.Block(L, "send to "+s.record.Topic, func(ctx context.Context) error {
		return rt.Send(ctx, &s.record, s.arrived)
	})
	if err != nil {
		vm.Raise(L, s.b.waited(err, "send to "+s.record.Topic))
	}
}

// arrived hears what became of the record; it may run on any goroutine.
func (s *sending) arrived(stored topic.Record, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done, s.stored, s.err = true, stored, err
	if s.ended != nil {
		close(s.ended)
	}
}

// sendingWait is handle:wait() -> { topic=, partition=, offset=, timestamp= }, once the record is stored.
func (b *binding) sendingWait(L *lua.LState) int {
	s, a := arg.Method[*sending](L, "message:wait")
	a.Done()
	if s.held.body != nil {
		s.recall(a)
	}
	if err := b.vm.Block(L, "store in "+s.record.Topic, s.await); err != nil {
		vm.Raise(L, b.waited(err, "send to "+s.record.Topic))
	}
	L.Push(b.position(L, &s.stored))
	return 1
}

// position is where a record is stored: { topic=, partition=, offset=, timestamp= }.
func (b *binding) position(L *lua.LState, r *topic.Record) *lua.LTable {
	t := L.CreateTable(0, 4)
	t.RawSetString("topic", lua.LString(r.Topic))
	t.RawSetString("partition", lua.LNumber(r.Partition))
	t.RawSetString("offset", lua.LNumber(r.Offset))
	t.RawSetString("timestamp", b.reg.NewDatetime(time.UnixMilli(r.Timestamp)))
	return t
}

// recall takes the record back from the event that holds it, and sends it at once.
func (s *sending) recall(a *arg.Args) {
	if s.b.app.Settings.ProcessingGuarantee == app.ExactlyOnce && s.held.body.agent.def.Channel == nil {
		a.Hint("leave :wait() out; send from a task or a page if the answer is needed",
			"message:wait: under exactly_once what an event sends is stored with all that the event does, after it: it cannot be waited for inside")
	}
	if !s.held.valid() || !s.held.event().Recall(s.id) {
		a.Hint("write  topic:send{ ... }:wait()", "message:wait: the event that sent it is settled; call :wait() while it is in hand")
	}
	s.held = hold{}
	s.queue(a.L)
}

// await waits for arrived.
func (s *sending) await(ctx context.Context) error {
	s.mu.Lock()
	if s.done {
		defer s.mu.Unlock()
		return s.err
	}
	if s.ended == nil {
		s.ended = make(chan struct{})
	}
	ended := s.ended
	s.mu.Unlock()
	select {
	case <-ended:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// waited makes an error of ours of what a wait gave: cancelled if the task was, else what failed and why. To be called with the baton held.
func (b *binding) waited(err error, what string) error {
	if e, ok := err.(*fault.Error); ok { //nolint:errorlint // one further down is the cause
		return e
	}
	if b.vm.Context().Err() != nil {
		return &fault.Error{Code: fault.Cancelled, Message: "cancelled: " + what, Cause: err}
	}
	text := err.Error()
	if !strings.HasPrefix(text, what+": ") {
		text = what + ": " + text
	}
	return &fault.Error{Code: fault.Connection, Message: text, Cause: err}
}
