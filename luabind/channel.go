package luabind

import (
	"context"
	"errors"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/record"
	"faust/luabind/vm"
	"faust/runtime/agent"
	"faust/runtime/topic"
)

// channelObject is an in-memory queue of values. They go through it as bytes, so what is taken out is a copy of what was put in.
type channelObject struct {
	queue    *agent.Channel
	key, val record.Codec
}

func (c *channelObject) Describe() string { return "the " + c.queue.Name() }

func (b *binding) channelKind(L *lua.LState) *lua.LTable {
	mt := b.kind(L, "channel", map[string]lua.LGFunction{"put": b.channelPut, "get": b.channelGet}, nil)
	mt.RawSetString("__call", L.NewFunction(b.channelNext))
	return mt
}

// appChannel is app.channel{ value=, maxsize= } -> channel.
func (b *binding) appChannel(L *lua.LState) int {
	a := b.call(L, "app.channel")
	b.declare(a)
	o := a.Options()
	a.Done()
	size, _ := o.Integer("maxsize")
	b.names.channels++
	key, err := b.reg.Codec(lua.LNil, "string")
	if err != nil {
		a.Raise(err)
	}
	c := &channelObject{queue: agent.NewChannel(fmt.Sprintf("channel-%d", b.names.channels), size), key: key, val: b.codec(o, "value", "json")}
	b.app.Channels = append(b.app.Channels, c.queue)
	L.Push(object(c, b.kinds.channel))
	return 1
}

// channelPut is channel:put(value, { key= }): waits while the channel is full.
func (b *binding) channelPut(L *lua.LState) int {
	c, a := arg.Method[*channelObject](L, "channel:put")
	b.running(a)
	v := a.Value("the value")
	o := a.Options()
	a.Done()
	b.put(a, c, o.Value("key"), v)
	return 0
}

// put queues a value, and waits if the channel is full.
func (b *binding) put(a *arg.Args, c *channelObject, key, v lua.LValue) {
	r := topic.Record{Timestamp: time.Now().UnixMilli()}
	var err error
	if r.Value, err = c.val.Encode(a.L, nil, v); err != nil {
		a.Raise(err)
	}
	if key != lua.LNil {
		if r.Key, err = c.key.Encode(a.L, nil, key); err != nil {
			a.Raise(err)
		}
	}
	if c.queue.TryPut(r) {
		return
	}
	what := "put into " + c.queue.Name()
	if err := b.vm.Block(a.L, what, func(ctx context.Context) error { return c.queue.Put(ctx, r) }); err != nil {
		a.Raise(b.waited(err, what))
	}
}

// channelGet is channel:get(timeout) -> value; nil if there was none in that time.
func (b *binding) channelGet(L *lua.LState) int {
	c, a := arg.Method[*channelObject](L, "channel:get")
	b.running(a)
	timeout, limited := a.MaybeDuration("the timeout")
	a.Done()
	if !limited {
		timeout = -1
	}
	L.Push(b.take(a, c, timeout))
	return 1
}

// channelNext is what for v in channel do calls.
func (b *binding) channelNext(L *lua.LState) int {
	c, a := arg.Method[*channelObject](L, "channel:get")
	b.running(a)
	b.vm.Pause(L)
	L.Push(b.take(a, c, -1))
	return 1
}

// take gives the next value, waiting for at most timeout (negative: as long as it takes).
func (b *binding) take(a *arg.Args, c *channelObject, timeout time.Duration) lua.LValue {
	r, ok := c.queue.TryGet()
	if !ok {
		what := "get from " + c.queue.Name()
		err := b.vm.Block(a.L, what, func(ctx context.Context) (err error) {
			if timeout >= 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, timeout)
				defer cancel()
			}
			r, err = c.queue.Get(ctx)
			return err
		})
		if errors.Is(err, context.DeadlineExceeded) && b.vm.Context().Err() == nil {
			return lua.LNil
		}
		if err != nil {
			a.Raise(b.waited(err, what))
		}
	}
	v, err := c.val.Decode(a.L, r.Value)
	if err != nil {
		vm.Raise(a.L, err)
	}
	return v
}
