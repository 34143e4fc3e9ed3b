package vm

import (
	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// ErrorObject gives e as the error object that scripts see: what a function of ours passes as an argument instead of raising it.
func (m *VM) ErrorObject(e *fault.Error) lua.LValue { return m.object(e) }
