package record

import (
	"errors"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// bench is a registry with a state for one test.
type bench struct {
	*Registry
	L *lua.LState
	t testing.TB
}

func newBench(t testing.TB) *bench {
	L := lua.NewState()
	t.Cleanup(L.Close)
	b := &bench{NewRegistry(L), L, t}
	L.SetGlobal("null", b.Null())
	L.SetGlobal("array", L.NewFunction(func(L *lua.LState) int { L.Push(b.Array(L.CheckTable(1))); return 1 }))
	for name, make := range map[string]func(lua.LValue) (lua.LValue, error){
		"int64": b.ParseInt64, "decimal": b.ParseDecimal, "datetime": b.ParseDatetime, "date": b.ParseDate} {
		L.SetGlobal(name, b.wrap(L, func(L *lua.LState) (lua.LValue, error) { return make(L.Get(1)) }))
	}
	L.SetGlobal("pairs", L.NewFunction(func(L *lua.LState) int {
		L.Push(L.GetMetaField(L.Get(1), "__pairs"))
		L.Push(L.Get(1))
		L.Call(1, 3)
		return 3
	}))
	L.SetGlobal("record", L.NewFunction(func(L *lua.LState) int {
		s, err := b.Declare(L.CheckString(1), L.CheckTable(2))
		if err != nil {
			b.raise(L, err)
		}
		L.Push(s.Value())
		return 1
	}))
	return b
}

// eval runs Lua text and gives what it returns.
func (b *bench) eval(src string) lua.LValue {
	b.t.Helper()
	v, err := b.try(src)
	if err != nil {
		b.t.Fatalf("%s\n%v", src, err)
	}
	return v
}

func (b *bench) try(src string) (lua.LValue, error) {
	fn, err := b.L.LoadString(src)
	if err != nil {
		return nil, err
	}
	top := b.L.GetTop()
	b.L.Push(fn)
	if err := b.L.PCall(0, 1, nil); err != nil {
		var api *lua.ApiError
		if errors.As(err, &api) {
			if ud, ok := api.Object.(*lua.LUserData); ok {
				if e, ok := ud.Value.(error); ok {
					return nil, e
				}
			}
		}
		return nil, err
	}
	v := b.L.Get(-1)
	b.L.SetTop(top)
	return v, nil
}

// declare declares a record from Lua text.
func (b *bench) declare(src string) *Schema {
	b.t.Helper()
	s, ok := SchemaOf(b.eval(src))
	if !ok {
		b.t.Fatalf("%s: no record type", src)
	}
	return s
}

// text is an error with all that a reader sees of it.
func text(err error) string {
	if err == nil {
		return ""
	}
	var e *fault.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	lines := []string{string(e.Code) + ": " + e.Message}
	for _, n := range e.Notes {
		lines = append(lines, n.Label+": "+n.Text)
	}
	for _, h := range e.Hints {
		lines = append(lines, "hint: "+h)
	}
	return strings.Join(lines, "\n")
}

const withdrawal = `return record('Withdrawal', { user='string', country='string', amount='float', date='datetime?' })`

const message = `{"user":"user_123","country":"country_3","amount":1234.56,"date":"2026-11-23T18:00:00Z"}`

func (b *bench) decode(s *Schema, raw string) *Object {
	b.t.Helper()
	o := s.NewObject()
	if err := o.Reset([]byte(raw)); err != nil {
		b.t.Fatal(text(err))
	}
	return o
}

func (b *bench) encode(o *Object) string {
	b.t.Helper()
	raw, err := o.Append(nil)
	if err != nil {
		b.t.Fatal(text(err))
	}
	return string(raw)
}

func TestRecordFromMessage(t *testing.T) {
	b := newBench(t)
	s := b.declare(withdrawal)
	o := b.decode(s, message)
	b.L.SetGlobal("w", o.Self())
	if got := b.eval(`return w.user .. ' ' .. w.country .. ' ' .. w.amount .. ' ' .. tostring(w.date)`).String(); got != "user_123 country_3 1234.56 2026-11-23T18:00:00Z" {
		t.Error(got)
	}
	if got := b.encode(o); got != message {
		t.Errorf("unchanged, it was written as %s", got)
	}
	b.eval(`w.amount = 2`)
	if got := b.encode(o); got != `{"user":"user_123","country":"country_3","amount":2,"date":"2026-11-23T18:00:00Z"}` {
		t.Errorf("changed, it was written as %s", got)
	}
}
