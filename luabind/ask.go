package luabind

import (
	"context"
	"errors"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/vm"
	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/topic"
)

// askTimeout is how long an ask waits unless it says otherwise.
const askTimeout = 10 * time.Second

// agentSend is agent:send{ key=, value=, ... }: topic:send to the agent's topic.
func (b *binding) agentSend(L *lua.LState) int {
	g, a := arg.Method[*agentObject](L, "agent:send")
	if g.channel != nil {
		a.Fail("agent:send: agent '%s' reads a channel: use agent:cast(value), or channel:put(value)", g.def.Name)
	}
	L.Push(b.send(a, g.to(a)))
	return 1
}

// agentCast is agent:cast(value, { key= }): gives the agent a value to process, and does not wait.
func (b *binding) agentCast(L *lua.LState) int {
	g, a := arg.Method[*agentObject](L, "agent:cast")
	b.running(a)
	v := a.Value("the value")
	o := a.Options()
	a.Done()
	if g.channel != nil {
		b.put(a, g.channel, o.Value("key"), v)
		return 0
	}
	to := g.to(a)
	r := topic.Record{Topic: to.decl.Name, Partition: topic.Any}
	to.encode(a, &r, o.Value("key"), v)
	to.checkSize(a, &r)
	b.deliver(L, r)
	return 0
}

// question is an ask on its way.
type question struct {
	agent   *agentObject
	timeout time.Duration
}

// agentAsk is agent:ask(value, { key=, timeout= }) -> what the agent yields first; nil if it yields nothing. A failure of the agent raises.
func (b *binding) agentAsk(L *lua.LState) int {
	g, a := arg.Method[*agentObject](L, "agent:ask")
	b.running(a)
	v := a.Value("the value")
	q, o := g.question(a)
	r := q.record(a, o.Value("key"), v)
	var answer topic.Record
	err := b.vm.Block(L, "an answer of agent "+g.def.Name, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, q.timeout)
		defer cancel()
		replies := make(chan reply, 1)
		if err := b.app.Runtime().Request(ctx, &r, func(r topic.Record, err error) { replies <- reply{r, err} }); err != nil {
			return err
		}
		got := <-replies
		answer = got.record
		return got.err
	})
	L.Push(q.answer(L, answer, err))
	return 1
}

// reply is what came back of a request; i counts the requests of a map.
type reply struct {
	record topic.Record
	err    error
}

// question reads the options of an ask and makes sure that the agent can be asked.
func (g *agentObject) question(a *arg.Args) (question, arg.Options) {
	o := a.Options()
	a.Done()
	if g.channel != nil {
		a.Fail("%s: agent '%s' reads a channel, so it cannot answer; give it a topic, or no source", a.Name, g.def.Name)
	}
	q := question{agent: g, timeout: askTimeout}
	if d, ok := o.Duration("timeout"); ok {
		q.timeout = d
	}
	return q, o
}

// record makes the request. It names the agent, because other agents may read the topic too.
func (q question) record(a *arg.Args, key, v lua.LValue) topic.Record {
	to := q.agent.to(a)
	r := topic.Record{Topic: to.decl.Name, Partition: topic.Any}
	r.Headers = []topic.Header{{Key: agent.HeaderAgent, Value: []byte(q.agent.def.Name)}}
	to.encode(a, &r, key, v)
	to.checkSize(a, &r)
	return r
}

// answer gives the value of an answer, or raises what went wrong.
func (q question) answer(L *lua.LState, r topic.Record, err error) lua.LValue {
	b, name := q.agent.b, q.agent.def.Name
	if errors.Is(err, context.DeadlineExceeded) && b.vm.Context().Err() == nil {
		e := &fault.Error{Code: fault.Timeout, Message: "no answer from agent '" + name + "' within " + app.FormatDuration(q.timeout), Cause: err}
		e.Hints = []string{"is a worker running? a longer time:  { timeout = '1m' }"}
		vm.Raise(L, e)
	}
	if err != nil {
		vm.Raise(L, b.waited(err, "ask agent '"+name+"'"))
	}
	if text, failed := r.Header(agent.HeaderError); failed {
		vm.Raise(L, &fault.Error{Code: fault.AgentError, Message: "agent '" + name + "' failed: " + string(text)})
	}
	if r.Value == nil {
		return lua.LNil
	}
	v, err := b.reg.ParseJSON(L, r.Value)
	if err != nil {
		vm.Raise(L, err)
	}
	return v
}

// round is several asks at once.
type round struct {
	question
	ctx     context.Context
	cancel  context.CancelFunc
	replies chan numbered
	left    int
}

// numbered is the answer to the i-th ask of a round, from 1.
type numbered struct {
	i int
	reply
}

// newRound sends the asks for all items of a list.
func (b *binding) newRound(L *lua.LState, name string) *round {
	g, a := arg.Method[*agentObject](L, "agent:"+name)
	b.running(a)
	list := a.Table("the list of values", "a table")
	q, o := g.question(a)
	var records []topic.Record
	for i := 1; i <= list.Len(); i++ {
		v := list.RawGetInt(i)
		records = append(records, q.record(a, itemKey(L, o, v), v))
	}
	m := &round{question: q, replies: make(chan numbered, len(records)), left: len(records)}
	m.ctx, m.cancel = context.WithTimeout(b.vm.Context(), q.timeout)
	err := b.vm.Block(L, "asks to agent "+g.def.Name, func(context.Context) error { return m.request(b.app.Runtime(), records) })
	if err != nil {
		m.cancel()
		m.answer(L, topic.Record{}, err)
	}
	return m
}

// itemKey gives the key of an item: key= as it is, or what a function given as key= makes of the item.
func itemKey(L *lua.LState, o arg.Options, v lua.LValue) lua.LValue {
	fn := o.Value("key")
	if fn.Type() != lua.LTFunction {
		return fn
	}
	L.Push(fn)
	L.Push(v)
	L.Call(1, 1)
	defer L.Pop(1)
	return L.Get(-1)
}

func (m *round) request(rt app.Runtime, records []topic.Record) error {
	for i := range records {
		err := rt.Request(m.ctx, &records[i], func(r topic.Record, err error) { m.replies <- numbered{i + 1, reply{r, err}} })
		if err != nil {
			return err
		}
	}
	return nil
}

// next waits for the next answer and gives it with its number; null if the agent yielded nothing; 0: that was all.
func (m *round) next(L *lua.LState) (int, lua.LValue) {
	if m.left == 0 {
		m.cancel()
		return 0, lua.LNil
	}
	m.left--
	var got numbered
	_ = m.agent.b.vm.Block(L, "an answer of agent "+m.agent.def.Name, func(context.Context) error {
		got = <-m.replies // every request is answered, at the latest when its context ends
		return nil
	})
	if got.err != nil {
		m.cancel()
	}
	v := m.answer(L, got.record, got.err)
	if v == lua.LNil {
		v = m.agent.b.reg.Null()
	}
	return got.i, v
}

// agentMap is agent:map(list, { key=, timeout= }): for value in agent:map{ v1, v2 } do, in order of arrival.
func (b *binding) agentMap(L *lua.LState) int {
	m := b.newRound(L, "map")
	L.Push(L.NewFunction(func(L *lua.LState) int {
		_, v := m.next(L)
		L.Push(v)
		return 1
	}))
	return 1
}

// agentJoin is agent:join(list, { key=, timeout= }) -> list of the answers, in order of the values.
func (b *binding) agentJoin(L *lua.LState) int {
	m := b.newRound(L, "join")
	defer m.cancel()
	out := L.CreateTable(m.left, 0)
	for n := m.left; n > 0; n-- {
		i, v := m.next(L)
		out.RawSetInt(i, v)
	}
	L.Push(b.reg.Array(out))
	return 1
}
