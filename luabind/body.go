package luabind

import (
	"context"
	"errors"
	"io"
	"slices"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/vm"
	"faust/runtime/agent"
)

// body is one start of an agent's function: the stream it reads and the event it has in hand. It is what the task of an agent keeps in its
// local slot; with the baton held.
type body struct {
	b      *binding
	agent  *agentObject
	src    *agent.Stream
	stream *stream
	turn   uint64 // changes whenever the event in hand does, before the old one is settled
	inHand bool
	ended  bool  // nothing more is read
	fatal  error // ends the agent whatever the script does
	batch  []*agent.Event
	yields int                           // of the batch in hand
	only   []byte                        // what the batch in hand yielded, if that was once
	event  *eventObject                  // made in this turn
	value  lua.LValue                    // of the event in hand, nil: not decoded
	open   map[*agent.Event]*eventObject // manual mode: not settled
	seats  []seat                        // of tables, by their numbers; those without a shard were not used yet
	kept   map[keptKey]*kept             // values of tables that can be changed in place, of the event in hand

	wait func(ctx context.Context) error // for the next event, into got
	got  *agent.Event
	what string // what it waits for
}

func (b *binding) newBody(g *agentObject, src *agent.Stream) *body {
	in := &body{b: b, agent: g, src: src, what: "the next event"}
	in.stream = &stream{body: in}
	in.stream.lua = object(in.stream, b.kinds.stream)
	in.wait = func(ctx context.Context) (err error) {
		in.got, err = src.Next(ctx)
		return err
	}
	return in
}

// hold is the event that is in hand during one turn of a body.
type hold struct {
	body *body
	turn uint64
}

// valid tells whether that event is still in hand.
func (h hold) valid() bool { return h.body != nil && h.body.inHand && h.body.turn == h.turn }

func (h hold) event() *agent.Event { return h.body.src.Current() }

// hand gives the event that the running task works for: that of the agent's body it is, or that it was started by.
func (b *binding) hand() (hold, bool) {
	switch local := (*b.vm.Local()).(type) {
	case *body:
		return hold{local, local.turn}, local.inHand
	case *hold:
		return *local, local.valid()
	}
	return hold{}, false
}

// release lets go of the event in hand: who asks from now on finds none, before it is settled.
func (in *body) release() {
	if in.yields > 0 {
		in.answerBatch()
	}
	in.turn++
	in.inHand, in.event, in.value = false, nil, nil
}

// leave saves what the event in hand has changed in the values of tables, and lets go of it.
func (in *body) leave(L *lua.LState) {
	if len(in.kept) > 0 {
		in.save(L)
		in.kept = nil
	}
	in.release()
}

// answer gives the ask in hand its answer. The n-th yield of a batch answers its n-th message.
func (in *body) answer(a *arg.Args, v lua.LValue) {
	asks := []*agent.Event{in.handOf(a)}
	batch := len(in.batch) > 0 && in.batch[len(in.batch)-1] == asks[0]
	if batch {
		asks = in.batch
	}
	if !slices.ContainsFunc(asks, (*agent.Event).Wants) {
		return
	}
	text, err := in.b.reg.JSON(a.L, v, 0)
	if err != nil {
		a.Raise(err)
	}
	if !batch {
		asks[0].Reply(text)
		return
	}
	if in.yields < len(asks) {
		asks[in.yields].Reply(text)
	}
	in.only = nil
	if in.yields++; in.yields == 1 {
		in.only = text
	}
}

// answerBatch is called when a batch that yielded is settled: what it yielded once answers all its messages.
func (in *body) answerBatch() {
	for _, ev := range in.batch {
		if in.yields == 1 && in.inHand {
			ev.Reply(in.only)
		}
	}
	in.yields, in.only = 0, nil
}

// close ends the body: its streams read nothing any more.
func (in *body) close() {
	in.release()
	in.kept = nil
	in.ended = true
}

// next settles the event in hand and gives the next one; nil: the end. The baton is given away while there is none, and while there is no
// room for what the event in hand has sent.
func (in *body) next(L *lua.LState) *agent.Event {
	for !in.ended {
		in.leave(L)
		in.b.vm.Pause(L)
		ev, err := in.src.TryNext()
		if ev == nil && err == nil {
			err = in.b.vm.Block(L, in.what, in.wait)
			ev = in.got
		}
		if err != nil {
			in.over(L, err)
			return nil
		}
		in.inHand = true
		if ev.Chore() == nil {
			return ev
		}
		in.closes(L, ev)
	}
	return nil
}

// over ends the body because there is no next event. Unless that is an ordinary end, it raises.
func (in *body) over(L *lua.LState, err error) {
	in.ended = true
	if errors.Is(err, io.EOF) {
		return
	}
	if in.b.vm.Context().Err() == nil {
		in.fatal = err
	}
	vm.Raise(L, &fault.Error{Code: fault.Cancelled, Message: "cancelled: agent '" + in.agent.def.Name + "' ends", Cause: err})
}

// reject puts an event that cannot be decoded before the policy; the loop goes on with the next one.
func (in *body) reject(L *lua.LState, ev *agent.Event, cause error) {
	failed := undecodable{in.described(cause, ev)}
	in.release()
	err := in.b.vm.Block(L, "the policy for an event that cannot be decoded", func(ctx context.Context) error {
		return in.src.Reject(ctx, ev, failed)
	})
	if err != nil {
		in.over(L, err)
	}
	if in.inHand = in.src.Current() != nil; !in.inHand { // else it is the rest of a batch
		in.kept = nil
	}
}

// undecodable is an error that another attempt cannot mend.
type undecodable struct{ cause *fault.Error }

func (u undecodable) Error() string { return u.cause.Error() }

// Retryable says so to the policy.
func (undecodable) Retryable() bool { return false }

// Unwrap gives the error itself.
func (u undecodable) Unwrap() error { return u.cause }

// decode makes the value of an event; nil: it cannot be, and went to the policy.
func (in *body) decode(L *lua.LState, ev *agent.Event) lua.LValue {
	v, err := in.agent.val.Decode(L, ev.Value)
	if err != nil {
		in.reject(L, ev, err)
		return nil
	}
	return v
}

// own makes sure that the running task is the body itself: nobody else may read its stream.
func (in *body) own(a *arg.Args) {
	if local, ok := (*in.b.vm.Local()).(*body); !ok || local != in {
		a.Fail("%s: a stream is read only by the function of its agent, '%s', while it runs", a.Name, in.agent.def.Name)
	}
}

// handOf gives the event in hand of this body, for the body and the tasks it waits for.
func (in *body) handOf(a *arg.Args) *agent.Event {
	h, ok := in.b.hand()
	if !ok || h.body != in {
		a.Fail("%s: there is no event in hand: call it inside the loop over the stream", a.Name)
	}
	return h.event()
}
