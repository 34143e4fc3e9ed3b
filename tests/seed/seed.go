// Package seed says which games the tests play that draw them.
package seed

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// usual is the seed of a run that asks for no other. With it the crash suite, which is short then, has an app of all forms and hangs, kills and restarts all there is.
const usual = 895

// Of is the seed of a test. It is always the same, so that a test that goes wrong was made to by a change; the environment's SEED is another one, to play its game again, or
// "clock" for one that was not there before (a synctest bubble has another clock: Of is called outside). The test says how to run it again.
func Of(t testing.TB) uint64 {
	t.Helper()
	n := uint64(usual)
	switch env := os.Getenv("SEED"); env {
	case "":
	case "clock":
		n = uint64(time.Now().UnixNano()) % 1e9
	default:
		var err error
		if n, err = strconv.ParseUint(env, 10, 64); err != nil {
			t.Fatalf("SEED=%s is not a number, nor clock", env)
		}
	}
	Again(t, n)
	return n
}

// Again lets a test say how to run it with this seed; flags are what it takes besides. Of does it; so does one that plays several games, in each.
func Again(t testing.TB, n uint64, flags ...string) {
	t.Helper()
	pkg := "."
	if info, ok := debug.ReadBuildInfo(); ok {
		pkg = strings.TrimSuffix(info.Path, ".test")
	}
	run := fmt.Sprintf("SEED=%d go test %s -run '^%s$'", n, pkg, strings.ReplaceAll(t.Name(), "/", "$/^"))
	t.Log("again:", strings.Join(append([]string{run}, flags...), " "))
}
