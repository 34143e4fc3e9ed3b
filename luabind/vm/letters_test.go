package vm

import (
	"fmt"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// TestLetters: what is remembered is what would be made anew, whatever shares its place.
func TestLetters(t *testing.T) {
	t.Parallel()
	L := lua.NewState()
	defer L.Close()
	upper := &letters{change: strings.ToUpper, from: 'a', to: 'z'}
	f := L.NewFunction(upper.call)
	for round := range 2 {
		for i := range 3000 {
			for _, in := range []string{fmt.Sprintf("country_%d", i), fmt.Sprintf("cou%dtry", i), fmt.Sprint(i), "", "ä" + fmt.Sprint(i), fmt.Sprintf("\xff%da", i), strings.Repeat("x", i%100)} {
				want := strings.ToUpper(in)
				if strings.HasPrefix(in, "\xff") {
					want = in[:len(in)-1] + "A"
				}
				if err := L.CallByParam(lua.P{Fn: f, NRet: 1, Protect: true}, lua.LString(in)); err != nil {
					t.Fatal(err)
				}
				if got := L.Get(-1); got != lua.LString(want) {
					t.Fatalf("round %d: %q becomes %q, want %q", round, in, got, want)
				}
				L.Pop(1)
			}
		}
	}
}
