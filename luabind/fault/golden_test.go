package fault

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

var update = flag.Bool("update", false, "write the golden files")

// compileScript compiles src as the machine does.
func compileScript(t *testing.T, file, src string) (*lua.FunctionProto, error) {
	t.Helper()
	chunk, err := parse.Parse(strings.NewReader(src), file)
	if err != nil {
		return nil, FromCompile(file, src, err)
	}
	proto, err := lua.Compile(chunk, file)
	if err != nil {
		return nil, FromCompile(file, src, err)
	}
	return proto, nil
}

// checkGolden compares got with the .txt beside file.
func checkGolden(t *testing.T, file, got string) {
	t.Helper()
	for _, bad := range []string{"non-table object", "non-function object", "0x", ".go:", "%!", "LNil", "lua.L", "\x1b", "goroutine"} {
		if strings.Contains(got, bad) {
			t.Errorf("the message contains %q:\n%s", bad, got)
		}
	}
	golden := strings.TrimSuffix(file, ".lua") + ".txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func scripts(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/" + dir + "/*.lua")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d scripts in %s: %v", len(files), dir, err)
	}
	return files
}

func TestSyntaxGolden(t *testing.T) {
	t.Parallel()
	for _, file := range scripts(t, "syntax") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".lua"), func(t *testing.T) {
			t.Parallel()
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Base(file)
			_, err = compileScript(t, name, string(src))
			if err == nil {
				t.Fatal("the script compiles")
			}
			var b bytes.Buffer
			Render(&b, err, RenderConfig{Source: func(string) (string, bool) { return string(src), true }})
			checkGolden(t, file, b.String())
		})
	}
}

// runScript runs src on a plain state and gives the error as FromRaise makes it where the machine calls it: in a handler that runs on top
// of the stack that failed, or without one if there is no room for it.
func runScript(t *testing.T, file, src string, setup func(*lua.LState)) *Error {
	t.Helper()
	proto, err := compileScript(t, file, src)
	if err != nil {
		t.Fatal(err)
	}
	L := lua.NewState()
	defer L.Close()
	L.SetGlobal("print", L.NewFunction(func(*lua.LState) int { return 0 }))
	if setup != nil {
		setup(L)
	}
	KeepSource(L, file, src)
	var found *Error
	handler := L.NewFunction(func(L *lua.LState) int {
		found = FromRaise(L, L.Get(1), nil)
		return 0
	})
	fn := L.NewFunctionFromProto(proto)
	err = L.CallByParam(lua.P{Protect: true, Fn: L.NewFunction(func(L *lua.LState) int {
		L.Panic = func(L *lua.LState) {
			v := L.Get(-1)
			func() {
				defer func() {
					if recover() != nil {
						found = FromRaise(L, v, nil)
					}
				}()
				L.Panic = func(L *lua.LState) { panic("no room") }
				L.Push(handler)
				L.Push(v)
				L.Call(1, 0)
			}()
			panic(&lua.ApiError{Object: v, StackTrace: "-"})
		}
		L.Push(fn)
		L.Call(0, 0)
		return 0
	})})
	if err == nil || found == nil {
		t.Fatalf("the script ended with %v", err)
	}
	found.Trace = slices.DeleteFunc(found.Trace, func(f Frame) bool { return f.What == "in the main chunk" && f.File == "" })
	if n := len(found.Trace); n > 0 && found.Trace[n-1] == (Frame{What: "in a function of the runtime"}) {
		found.Trace = found.Trace[:n-1] // the function that set the hook
	}
	return found
}

func TestRunGolden(t *testing.T) {
	t.Parallel()
	for _, file := range scripts(t, "run") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".lua"), func(t *testing.T) {
			t.Parallel()
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			e := runScript(t, filepath.Base(file), string(src), nil)
			var b bytes.Buffer
			Render(&b, e, RenderConfig{Source: func(string) (string, bool) { return string(src), true }})
			checkGolden(t, file, b.String())
		})
	}
}
