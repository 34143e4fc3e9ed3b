package fault

import (
	lua "github.com/yuin/gopher-lua"
)

// FromRaise is called as the engine's error handler, with the stack of L intact: it makes an *Error of what was raised, naming the value
// at fault. An *Error raised by our own functions keeps its identity and gets place and traceback. known gives the
// names to suggest for an undefined global.
func FromRaise(L *lua.LState, raised lua.LValue, known func() []string) *Error {
	e, ok := AsError(raised)
	if !ok {
		e = &Error{Code: Script, Message: raised.String()}
		if ud, isUD := raised.(*lua.LUserData); isUD {
			if err, isErr := ud.Value.(error); isErr {
				e.Message, e.Cause = err.Error(), err
			}
		}
	}
	if e.Place.File == "" {
		e.Place = Caller(L, 1)
	}
	if e.Trace == nil {
		e.Trace = Stack(L, 1)
	}
	return e
}
