// Package tests tells stories: whole sessions with the real command, written down in testdata/*.txtar. The command is this test binary under
// another name, so that the race detector and coverage come with it.
package tests

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"faust/cmd/faust/cli"
	"faust/tests/drive"
)

// cleaning removes the binary of the tests that run processes.
type cleaning struct{ *testing.M }

func (c cleaning) Run() int {
	defer drive.Clean()
	return c.M.Run()
}

func TestMain(m *testing.M) {
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0") // otherwise every command of a race build ends a second late
	}
	testscript.Main(cleaning{m}, map[string]func(){
		"faust": func() { os.Exit(cli.Main()) },
		"http":  func() { os.Exit(request(os.Args[1:])) },
		"until": func() { os.Exit(again(os.Args[1:])) },
	})
}

func TestStories(t *testing.T) {
	t.Parallel()
	testscript.Run(t, stories(t, "testdata"))
}

// stories are those of a folder.
func stories(t *testing.T, dir string) testscript.Params {
	t.Helper()
	examples, err := filepath.Abs("../examples")
	if err != nil {
		t.Fatal(err)
	}
	p := testscript.Params{
		Dir: dir,
		Setup: func(e *testscript.Env) error {
			e.Setenv("EXAMPLES", examples)
			e.Setenv("GORACE", os.Getenv("GORACE"))
			s := &stage{dir: e.WorkDir, processes: map[string]*process{}}
			e.Values[stageKey{}] = s
			e.Defer(s.clear)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"code":    exitsWith,
			"start":   start,
			"signal":  send,
			"ends":    ends,
			"waitfor": waitFor,
			"ports":   ports,
			"count":   count,
			"absent":  absent,
			"golden":  golden,

			"everything": everything,
			"killbroker": killBroker,
			"matched":    matched,
		},
	}
	maps.Copy(p.Cmds, systemCommands)
	return p
}

// systemCommands are those that only some systems have.
var systemCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){}
