package seed

import (
	"fmt"
	"testing"
)

// recorder is a test that keeps what it says.
type recorder struct {
	testing.TB
	said string
}

func (r *recorder) Name() string { return "TestGames/first" }

func (r *recorder) Log(args ...any) { r.said = fmt.Sprintln(args...) }

func (r *recorder) Fatalf(format string, args ...any) { r.said = fmt.Sprintf(format, args...) }

func TestOf(t *testing.T) {
	const again = " go test faust/tests/seed -run '^TestGames$/^first$'\n"
	for env, want := range map[string]string{"": "again: SEED=895" + again, "0": "again: SEED=0" + again, "12": "again: SEED=12" + again} {
		t.Setenv("SEED", env)
		r := &recorder{TB: t}
		if n := Of(r); r.said != want {
			t.Errorf("SEED=%s is %d: %s", env, n, r.said)
		}
	}
}
