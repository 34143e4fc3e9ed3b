package cli

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// noRoom is a standard output that takes nothing.
type noRoom struct{ err error }

func (w noRoom) Write([]byte) (int, error) { return 0, w.err }

// A command whose output is lost has failed, also one whose lines nobody checks one by one; who reads only a part of it is content.
func TestOutputThatIsLost(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "app.lua")
	if err := os.WriteFile(file, []byte("app.topic('orders')\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"topics", "topics --json", "agents", "tables", "config --all", "repl --new -e 1+1", "--help", "help app.topic"} {
		full := &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}
		for _, c := range []struct {
			err  error
			code int
			told string
		}{{full, 1, "error: write /dev/stdout: no space left on device\n"}, {syscall.EPIPE, 0, ""}} {
			var told strings.Builder
			code := Run(t.Context(), Process{
				Args: append([]string{"run", file}, strings.Fields(args)...), Environ: []string{"FAUST_DATADIR=" + t.TempDir()},
				Stdin: strings.NewReader(""), Stdout: noRoom{c.err}, Stderr: &told,
			})
			if code != c.code || told.String() != c.told {
				t.Errorf("%s with %v: exit code %d\n%s", args, c.err, code, told.String())
			}
		}
	}
}
