package vm

import (
	"reflect"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// The record of a call that this package reads must be the engine's.
func TestCallFrameIsTheEngines(t *testing.T) {
	t.Parallel()
	field, ok := reflect.TypeFor[lua.LState]().FieldByName("currentFrame")
	if !ok || field.Offset != currentFrameOffset {
		t.Fatal("the engine has no currentFrame")
	}
	theirs, ours := field.Type.Elem(), reflect.TypeFor[callFrame]()
	if theirs.Size() != ours.Size() || theirs.NumField() != ours.NumField() {
		t.Fatalf("%v has another size than %v", theirs, ours)
	}
	for i := range ours.NumField() {
		a, b := theirs.Field(i), ours.Field(i)
		if a.Name != b.Name || a.Offset != b.Offset || a.Type.Kind() != b.Type.Kind() {
			t.Errorf("field %d is %s, not %s", i, a.Name, b.Name)
		}
	}
}

// The engine still does what this package works around; when one of these fails, a replacement may go.
func TestEngineFacts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ src, want string }{
		"pcall detaches locals (448)": {`local a function use() return a end pcall(function() error('x') end) a = 42 return tostring(use())`, "nil"},
		"tonumber knows no exponents": {`return tostring(tonumber('1e3'))`, "nil"},
		"a format may lack arguments": {`return string.format('%d', 1) .. string.format('%s')`, "1%!s(MISSING)"},
		"infinity has Go's name":      {`return tostring(1/0)`, "+Inf"},
		"error level 2 is wrong":      {"local function f()\n error('m', 2)\nend\nlocal function g()\n\n  f()\nend\nreturn select(2, pcall(g))", "<string>:2: m"},
		"pairs ignores __pairs":       {`for k in pairs(setmetatable({x = 1}, {__pairs = function() return function() end end})) do return k end`, "x"},
		"huge is finite":              {`return tostring(math.huge == 1/0)`, "false"},
	} {
		L := lua.NewState()
		defer L.Close()
		if err := L.DoString(c.src); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := L.Get(-1).String(); got != c.want {
			t.Errorf("%s: it gives %q now, not %q", name, got, c.want)
		}
	}
}
