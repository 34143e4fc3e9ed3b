package module

import (
	"github.com/google/uuid"
	lua "github.com/yuin/gopher-lua"
)

func (s *Set) uuidModule(L *lua.LState) lua.LValue {
	return table(L, "uuid", map[string]function{"new": made(uuid.NewRandom), "v7": made(uuid.NewV7)})
}

// made is uuid.new() and uuid.v7(), which sorts by time.
func made(id func() (uuid.UUID, error)) function {
	return func(a *args) []lua.LValue {
		a.Done()
		v, err := id()
		return []lua.LValue{lua.LString(must(a, v, err).String())}
	}
}
