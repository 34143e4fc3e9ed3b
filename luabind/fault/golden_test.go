package fault

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
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
