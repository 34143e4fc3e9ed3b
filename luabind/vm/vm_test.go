package vm

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// open makes a VM whose functions the test may add to, and closes it at the end.
func open(t testing.TB, cfg Config) *VM {
	t.Helper()
	m := New(cfg)
	t.Cleanup(m.Close)
	return m
}

// set defines a global function.
func set(m *VM, name string, f lua.LGFunction) {
	m.root.G.Global.RawSetString(name, m.root.NewFunction(f))
}

// script writes src to app.lua in a folder of its own and gives its path.
func script(t testing.TB, src string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.lua")
	if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs src as a task and gives what it returns.
func run(t testing.TB, m *VM, src string) ([]lua.LValue, error) {
	t.Helper()
	return runAs(t.Context(), m, "test", false, src)
}

func runAs(ctx context.Context, m *VM, name string, interruptible bool, src string) (out []lua.LValue, err error) {
	err = m.Run(ctx, name, interruptible, func(L *lua.LState) error {
		fn, err := m.compile(src, "app.lua")
		if err != nil {
			return err
		}
		out, err = m.Call(L, "in the test", fn, lua.MultRet)
		return err
	})
	return out, err
}

// runChunk runs src under the name of a file.
func runChunk(ctx context.Context, m *VM, name, src string) error {
	return m.Run(ctx, "test", false, func(L *lua.LState) error {
		fn, err := m.compile(src, name)
		if err != nil {
			return err
		}
		_, err = m.Call(L, "in the test", fn, 0)
		return err
	})
}

// eval runs src, which must not fail, and gives its results as text.
func eval(t testing.TB, m *VM, src string) string {
	t.Helper()
	out, err := run(t, m, src)
	if err != nil {
		t.Fatalf("%s\n%v", src, err)
	}
	texts := make([]string, len(out))
	for i, v := range out {
		texts[i] = text(errorText(v))
	}
	return strings.Join(texts, " ")
}

// check runs scripts and compares their results.
func check(t *testing.T, cfg Config, cases map[string]string) {
	t.Helper()
	for src, want := range cases {
		if got := eval(t, open(t, cfg), src); got != want {
			t.Errorf("%s\n got  %s\n want %s", src, got, want)
		}
	}
}

func TestRunAndCall(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	m := open(t, Config{Stdout: &out})
	if got := eval(t, m, `print('a', 1, nil, 1/0, -1/0, 0/0, 0.1, 2^53) return 1, 'x', 3`); got != "1 x 3" {
		t.Errorf("results %q", got)
	}
	if got, want := out.String(), "a\t1\tnil\tinf\t-inf\tnan\t0.1\t9007199254740992\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	_, err := run(t, m, "local t = nil\nreturn t.x")
	var e *fault.Error
	if !errors.As(err, &e) || e.Place.File != "app.lua" || e.Place.Line != 2 || e.Code != fault.Script {
		t.Errorf("error %#v", err)
	}
	if n := len(e.Trace); n != 1 || e.Trace[0].What != "in the test" {
		t.Errorf("trace %v", e.Trace)
	}
}
