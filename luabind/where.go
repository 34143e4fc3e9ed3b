package luabind

import (
	"context"
	"errors"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/runtime/topic"
)

// WhereFile stands for the file in the places of errors of a Where.
const WhereFile = "--where"

// whereNames are what an expression calls the parts of a message.
var whereNames = []string{"key", "value", "headers", "topic", "partition", "offset", "timestamp"}

// Where is an expression of Lua about messages: value.amount > 1e5 and key ~= 'x'.
type Where struct {
	s    *Script
	Text string
	fn   *lua.LFunction
}

const whereHint = "--where takes one expression, as  value.amount > 100 and key ~= 'x'"

// Where compiles an expression; more are names that Match gets texts for. The error is a *fault.Error or fault.List in WhereFile.
func (s *Script) Where(ctx context.Context, text string, more ...string) (*Where, error) {
	w := &Where{s: s, Text: text}
	if strings.TrimSpace(text) == "" {
		return nil, usage("the expression of --where is empty")
	}
	head := "local " + strings.Join(append(append([]string{}, whereNames...), more...), ", ") + " = ... return\n"
	err := s.VM.Run(ctx, "reading --where", false, func(*lua.LState) (err error) {
		w.fn, err = s.VM.Compile(head+text, WhereFile)
		return err
	})
	if err = risen(err); err != nil {
		return nil, oneExpression(text, err)
	}
	return w, nil
}

// Match tells whether a message is meant. A value that cannot be decoded is nil: with known false the expression failed because of that, or else
// err says what it raised.
func (w *Where) Match(ctx context.Context, t *Target, r *topic.Record, more ...string) (match, known bool, err error) {
	known = true
	err = w.s.VM.Run(ctx, "--where", true, func(L *lua.LState) error {
		args, readable := w.s.b.parts(L, t, r)
		for _, m := range more {
			args = append(args, lua.LString(m))
		}
		out, err := w.s.VM.Call(L, "in --where", w.fn, 1, args...)
		if err != nil {
			known = readable || ctx.Err() != nil
			return err
		}
		match = lua.LVAsBool(out[0])
		return nil
	})
	if !known {
		err = nil
	}
	return match, known, risen(err)
}

// parts are the values of whereNames; false: one of them cannot be decoded.
func (b *binding) parts(L *lua.LState, t *Target, r *topic.Record) ([]lua.LValue, bool) {
	key, keyErr := t.key.Decode(L, r.Key)
	value, valueErr := t.val.Decode(L, r.Value)
	if keyErr != nil {
		key = lua.LNil
	}
	if valueErr != nil {
		value = lua.LNil
	}
	return []lua.LValue{
		key, value, headerTable(L, r.Headers), lua.LString(r.Topic), lua.LNumber(r.Partition), lua.LNumber(r.Offset),
		b.reg.NewDatetime(time.UnixMilli(r.Timestamp)),
	}, keyErr == nil && valueErr == nil
}

// risen moves places in a Where up by the line that was put before it.
func risen(err error) error {
	var list fault.List
	var one *fault.Error
	switch {
	case errors.As(err, &list):
	case errors.As(err, &one):
		list = fault.List{one}
	}
	for _, e := range list {
		if e.Place.File == WhereFile && e.Place.Line == 1 { // what stands before the expression cannot be wrong by itself
			return usage(whereHint)
		}
		lift(&e.Place)
		for i, hint := range e.Hints {
			e.Hints[i] = strings.Replace(hint, " (line 1)", "", 1) // where we declare the names
		}
		for i := range e.Marks {
			lift(&e.Marks[i].Place)
		}
		for i := range e.Trace {
			lift(&e.Trace[i].Place)
		}
	}
	return err
}

// oneExpression says of an expression that something follows what is not known to its author: that there is a return before it.
func oneExpression(text string, err error) error {
	var e *fault.Error
	if errors.As(err, &e) && strings.HasPrefix(e.Message, "'return' must be the last statement") && !strings.Contains(text, "return") {
		e.Message, e.Label, e.Hints = "the expression is over before this", "", []string{whereHint}
	}
	return err
}

func lift(p *fault.Place) {
	if p.File == WhereFile && p.Line > 1 {
		p.Line--
	}
}
