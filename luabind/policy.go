package luabind

import (
	"context"
	"errors"
	"strconv"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/runtime/agent"
)

// actions are the words of on_error.
var actionWords = []string{"dead_letter", "skip", "stop", "retry"}

// action gives the action of a word.
func action(word string) (agent.Action, bool) {
	switch word {
	case "dead_letter":
		return agent.DeadLetter, true
	case "skip":
		return agent.Skip, true
	case "stop":
		return agent.Stop, true
	case "retry":
		return agent.Retry, true
	}
	return 0, false
}

// policy reads on_error=: a word, { retry=, backoff=, give_up= }, or a function of the error and the event that gives a word.
func (b *binding) policy(o arg.Options, g *agentObject) agent.Policy {
	switch v := o.Value("on_error").(type) {
	case *lua.LNilType:
		return agent.Fixed(agent.DeadLetter)
	case lua.LString:
		o.Choice("on_error", string(v), actionWords[:3])
		act, _ := action(string(v))
		return agent.Fixed(act)
	case *lua.LFunction:
		return &luaPolicy{agent: g, fn: v}
	case *lua.LTable:
		return retryPolicy(o.Inside("on_error"))
	default:
		o.Wrong("on_error", v, "'dead_letter', 'skip', 'stop', { retry = 5 } or a function")
		return nil
	}
}

// retryPolicy reads { retry=, backoff=, give_up= }.
func retryPolicy(o arg.Options) agent.Policy {
	p := agent.RetryPolicy{}
	n, ok := o.Integer("retry")
	if !ok {
		o.Fail("on_error", "on_error of %s: retry, the number of further attempts, is missing", o.Args().Of())
	}
	p.Attempts = n
	p.GiveUp, _ = action(o.Text("give_up"))
	list, ok := o.Value("backoff").(*lua.LTable)
	if d, given := o.Value("backoff"), o.Has("backoff"); given && !ok {
		list = &lua.LTable{}
		list.Append(d)
	}
	for _, v := range arg.Items(list) {
		d, err := arg.Duration(v)
		if err != nil {
			o.Wrong("backoff", v, "a duration, or a list of them: { '1s', '1m' }")
		}
		p.Backoff = append(p.Backoff, d)
	}
	return p
}

// luaPolicy is on_error = function(err, event) ... end.
type luaPolicy struct {
	agent *agentObject
	fn    *lua.LFunction
}

// String names the function's place.
func (p *luaPolicy) String() string {
	return "function at " + p.fn.Proto.SourceName + ":" + strconv.Itoa(p.fn.Proto.LineDefined)
}

// Decide asks the function. nil, and a function that fails itself, are dead_letter; retries wait longer each time.
func (p *luaPolicy) Decide(ctx context.Context, cause error, ev *agent.Event, attempt int) (agent.Action, time.Duration) {
	g := p.agent
	act := agent.DeadLetter
	var failed *fault.Error
	if !errors.As(cause, &failed) {
		failed = &fault.Error{Code: fault.Script, Message: cause.Error(), Cause: cause}
	}
	err := g.b.vm.Run(ctx, "on_error of agent "+g.def.Name, true, func(L *lua.LState) (err error) {
		act, err = p.ask(L, failed, ev)
		return err
	})
	if err != nil {
		failed.Notes = append(failed.Notes, fault.Note{Label: "on_error", Text: "the function failed itself, so the event is a dead letter: " + err.Error()})
		return agent.DeadLetter, 0
	}
	if act == agent.Retry {
		_, delay := agent.RetryPolicy{Attempts: attempt}.Decide(ctx, nil, ev, attempt)
		return agent.Retry, delay
	}
	return act, 0
}

// ask calls the function.
func (p *luaPolicy) ask(L *lua.LState, cause *fault.Error, ev *agent.Event) (agent.Action, error) {
	g := p.agent
	event := &eventObject{body: &body{b: g.b, agent: g}, ev: ev, record: *ev.Record}
	event.lua = object(event, g.b.kinds.event)
	out, err := g.b.vm.Call(L, "in on_error of agent '"+g.def.Name+"'", p.fn, 1, g.b.vm.ErrorObject(cause), event.lua)
	if err != nil {
		return agent.DeadLetter, err
	}
	if out[0] == lua.LNil {
		return agent.DeadLetter, nil
	}
	act, ok := action(lua.LVAsString(out[0]))
	if !ok {
		e := usage("on_error of agent '%s' gave %s, expected 'dead_letter', 'skip', 'retry' or 'stop'", g.def.Name, fault.Describe(out[0]))
		e.Hints = []string{fault.DidYouMean(lua.LVAsString(out[0]), actionWords)}
		return agent.DeadLetter, e
	}
	return act, nil
}
