package tests

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"faust/tests/drive"
)

var update = flag.Bool("update", false, "rewrite the golden messages of testdata/broken")

// ugly is what no message to a script author may contain: addresses, Go types and files, unexpanded placeholders.
var ugly = regexp.MustCompile(`non-table object|non-function object|0x[0-9a-f]{4,}|\.go:\d|goroutine \d|%!|\*lua\.|\*fault\.|lua\.L[A-Z]|userdata: `)

// Every broken script has its message, and none of them speaks of our insides.
func TestBrokenScripts(t *testing.T) {
	t.Parallel()
	dir, err := filepath.Abs("testdata/broken")
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob(filepath.Join(dir, "*.lua"))
	if err != nil || len(scripts) < 40 {
		t.Fatalf("%d scripts, %v", len(scripts), err)
	}
	for _, script := range scripts {
		name := strings.TrimSuffix(filepath.Base(script), ".lua")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command, code := "worker", 3
			if strings.HasPrefix(name, "run_") {
				command, code = "go", 1
			}
			p := drive.Start(t, dir, []string{"NO_COLOR=1"}, "run", name+".lua", command, "--datadir", t.TempDir())
			if got := p.Exit(drive.Patience); got != code {
				t.Errorf("exit code %d, want %d", got, code)
			}
			got := p.Output()
			if bad := ugly.FindString(got); bad != "" {
				t.Errorf("the message contains %q:\n%s", bad, got)
			}
			golden := filepath.Join(dir, name+".txt")
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
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}
