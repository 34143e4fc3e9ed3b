package module

import (
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
)

func (s *Set) envModule(L *lua.LState) lua.LValue {
	return table(L, "env", map[string]function{"get": s.envGet, "int": s.envInt, "bool": s.envBool, "require": s.envRequire,
		"secret": s.envSecret})
}

// variable takes the name of a variable and looks it up; ok is false if it is not set or empty.
func (s *Set) variable(a *args) (name, value string, ok bool) {
	name = a.Text("the name of the variable")
	if name == "" || strings.ContainsAny(name, "=\x00") {
		a.Wrong("the name of the variable", a.L.Get(1), "a name")
	}
	value, ok = s.cfg.Env(name)
	return name, value, ok && value != ""
}

// envGet is env.get(name, default) -> string; the default, or nil, if it is not set or empty.
func (s *Set) envGet(a *args) []lua.LValue {
	_, value, ok := s.variable(a)
	fallback := a.Maybe()
	a.Done()
	if ok {
		return []lua.LValue{lua.LString(value)}
	}
	return []lua.LValue{fallback}
}

// envInt is env.int(name, default) -> whole number.
func (s *Set) envInt(a *args) []lua.LValue {
	name, value, ok := s.variable(a)
	fallback := a.Maybe()
	a.Done()
	if !ok {
		return []lua.LValue{fallback}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	if err != nil || n > arg.MaxWhole || n < -arg.MaxWhole {
		badVariable(a, name, value, "a whole number")
	}
	return []lua.LValue{lua.LNumber(n)}
}

var booleans = map[string]bool{"1": true, "true": true, "yes": true, "on": true, "0": false, "false": false, "no": false, "off": false}

// envBool is env.bool(name, default) -> boolean: 1 true yes on, 0 false no off.
func (s *Set) envBool(a *args) []lua.LValue {
	name, value, ok := s.variable(a)
	fallback := a.Maybe()
	a.Done()
	if !ok {
		return []lua.LValue{fallback}
	}
	b, known := booleans[strings.ToLower(strings.TrimSpace(value))]
	if !known {
		badVariable(a, name, value, "true or false (1 true yes on, 0 false no off)")
	}
	return []lua.LValue{lua.LBool(b)}
}

// envRequire is env.require(name) -> string; it raises if the variable is not set.
func (s *Set) envRequire(a *args) []lua.LValue {
	name, value, ok := s.variable(a)
	a.Done()
	if !ok {
		a.Raise(&fault.Error{Code: fault.Usage, Message: "the environment variable " + name + " is not set", Hints: []string{"set it:  " + name + "=... faust run ..."}})
	}
	return []lua.LValue{lua.LString(value)}
}

// badVariable raises an error about a variable's value.
func badVariable(a *args, name, value, expected string) {
	a.Fail("the environment variable %s is %s, expected %s", name, fault.Describe(lua.LString(value)), expected)
}
