package vm

import (
	"context"
	"errors"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// machineKey is where a state's registry keeps its VM, for Raise.
const machineKey = "faust.vm"

// Raise raises err in L: as an error object that keeps its identity (errors.Is after a round trip). An *fault.Error without place gets the
// caller's; one that holds what a script gave to error() raises just that again. It does not return. To be called with the baton held.
func Raise(L *lua.LState, err error) {
	m := machine(L)
	e := fromGo(err)
	if e.Value == nil {
		L.Error(m.object(e), 0)
	}
	m.raiseAgain(L, e.Value, e)
}

// machine is the VM that L belongs to.
func machine(L *lua.LState) *VM {
	return L.G.Registry.RawGetString(machineKey).(*lua.LUserData).Value.(*VM)
}

// fromGo gives err as an *fault.Error.
func fromGo(err error) *fault.Error {
	if e, ok := err.(*fault.Error); ok { //nolint:errorlint // one further down is the cause, not the error
		return e
	}
	e := &fault.Error{Code: fault.Script, Message: err.Error(), Cause: err}
	var inner *fault.Error
	switch {
	case errors.As(err, &inner):
		e.Code, e.Retryable = inner.Code, inner.Retryable
	case errors.Is(err, context.Canceled):
		e.Code = fault.Cancelled
	case errors.Is(err, context.DeadlineExceeded):
		e.Code = fault.Timeout
	}
	return e
}

// raiseAgain raises v as a script did, explained already by e (nil: not yet).
func (m *VM) raiseAgain(L *lua.LState, v lua.LValue, e *fault.Error) {
	m.current().top.failure = e
	m.byScript = true
	L.Error(v, 0)
}

// object gives e as a value of Lua.
func (m *VM) object(e *fault.Error) *lua.LUserData {
	return &lua.LUserData{Value: e, Metatable: m.errors, Env: m.root.Env}
}

// fail raises an error of ours at the caller.
func (m *VM) fail(L *lua.LState, code fault.Code, message string, hints ...string) {
	L.Error(m.object(&fault.Error{Code: code, Message: message, Hints: hints}), 0)
}

// openErrors makes the metatable of error objects.
func (m *VM) openErrors() {
	m.root.G.Registry.RawSetString(machineKey, &lua.LUserData{Value: m, Metatable: lua.LNil})
	m.errors = m.root.NewTable()
	m.root.SetFuncs(m.errors, map[string]lua.LGFunction{
		"__index":    m.errorField,
		"__newindex": func(L *lua.LState) int { m.fail(L, fault.ReadOnly, "error objects cannot be changed"); return 0 },
		"__tostring": func(L *lua.LState) int { L.Push(errorText(L.Get(1))); return 1 },
		"__concat":   func(L *lua.LState) int { L.Push(m.concat(L, L.Get(1), L.Get(2))); return 1 },
		"__eq": func(L *lua.LState) int {
			a, ok1 := AsError(L.Get(1))
			b, ok2 := AsError(L.Get(2))
			L.Push(lua.LBool(ok1 && ok2 && a == b))
			return 1
		},
	})
	m.errors.RawSetString("__metatable", lua.LString("error"))
	m.errors.RawSetString("__name", lua.LString("error"))
}

// errorField reads err.message, .code, .cause, .traceback, .file and .line; then the string functions, for scripts that take errors for strings.
func (m *VM) errorField(L *lua.LState) int {
	e, ok := AsError(L.Get(1))
	if !ok {
		L.ArgError(1, "error object expected")
	}
	key, _ := L.Get(2).(lua.LString)
	L.Push(m.errorValue(e, string(key)))
	return 1
}

func (m *VM) errorValue(e *fault.Error, key string) lua.LValue {
	switch key {
	case "message":
		return lua.LString(e.Message)
	case "code":
		return lua.LString(e.Code)
	case "traceback":
		return lua.LString(e.Traceback())
	case "cause":
		return m.causeValue(e)
	case "file":
		return lua.LString(e.Place.File)
	case "line":
		return lua.LNumber(e.Place.Line)
	}
	return m.strings.RawGetString(key)
}

func (m *VM) causeValue(e *fault.Error) lua.LValue {
	if e.Value != nil {
		return e.Value
	}
	if e.Cause == nil {
		return lua.LNil
	}
	if inner, ok := e.Cause.(*fault.Error); ok { //nolint:errorlint // only the direct cause is an object
		return m.object(inner)
	}
	return lua.LString(e.Cause.Error())
}

// errorText gives an error object as its text, other values as they are.
func errorText(v lua.LValue) lua.LValue {
	if e, ok := AsError(v); ok {
		return lua.LString(e.Error())
	}
	return v
}

// concat is the .. of error objects.
func (m *VM) concat(L *lua.LState, a, b lua.LValue) lua.LValue {
	out := ""
	for _, v := range []lua.LValue{errorText(a), errorText(b)} {
		if !lua.LVCanConvToString(v) {
			L.RaiseError("attempt to concatenate a %s value", v.Type().String())
		}
		out += text(v)
	}
	return lua.LString(out)
}
