package module

import (
	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
)

// args takes the arguments of one call, in order. What is wrong raises an error at the caller's place.
type args = arg.Args

// options are the named values of one call.
type options = arg.Options

// must raises err if there is one.
func must[T any](a *args, v T, err error) T {
	if err != nil {
		a.Raise(err)
	}
	return v
}

// taken takes an argument through a reader of package record.
func taken[T any](a *args, what string, read func(lua.LValue) (T, error)) T {
	v, err := read(a.Value(what))
	return must(a, v, err)
}
