package luabind

import (
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
)

// call takes the arguments of a function of app, or of a global function.
func (b *binding) call(L *lua.LState, name string) *arg.Args {
	a := arg.Call(L, name)
	if strings.HasPrefix(name, "app.") {
		a.WithDot(b.table)
	}
	return a
}

// usage is an error in the use of our API.
func usage(format string, values ...any) *fault.Error {
	return &fault.Error{Code: fault.Usage, Message: fmt.Sprintf(format, values...)}
}
