package record

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"faust/tests/seed"
)

func TestInspectView(t *testing.T) {
	L := lua.NewState()
	defer L.Close()
	g := NewRegistry(L)
	L.SetGlobal("null", g.Null())
	L.SetGlobal("list", g.Array(L.NewTable()))
	value := func(src string) lua.LValue {
		if err := L.DoString("return " + src); err != nil {
			t.Fatal(err)
		}
		defer L.Pop(1)
		return L.Get(-1)
	}
	for _, c := range []struct {
		src, want string
		view      View
	}{
		{"{1, 2, 3, 4, 5}", "{ 1, 2, … 3 more, :all }", View{Items: 2, More: ", :all"}},
		{"{1, 2, a=3, b=4, c=5}", "{ 1, 2, a=3, … 2 more }", View{Items: 3}},
		{"{z=1, y=2, x=3}", "{ x=3, … 2 more }", View{Items: 1}},
		{"{alpha=1, beta=2}", "{\n  alpha = 1,\n  beta  = 2,\n}", View{Width: 10}},
		{"('x'):rep(20)", `"xxxxx…" (20 bytes)`, View{Text: 5}},
		{"{{{{}}}}", "{ { { … } } }", View{Depth: 1}},
		{"setmetatable({1}, { __index = {}, __call = 1 })", "{ 1, <metatable>={ __call, __index } }", View{Metas: true}},
		{"setmetatable({}, { __metatable = 'point' })", "<point>", View{Metas: true}},
		{"setmetatable({}, {})", "{}", View{}},
		{"{list, null, 1/0, 0/0, print, ['end']=1}", "{ json.array{}, null, math.huge, 0/0, nil --[[ <built-in function> ]], [\"end\"]=1 }", View{Code: true}},
	} {
		if got := g.InspectAs(value(c.src), c.view); got != c.want {
			t.Errorf("%s: %s; want %s", c.src, got, c.want)
		}
	}
}

// The first keys of a large table are the smallest, in order, whatever the order in which they came.
func TestInspectFirstKeys(t *testing.T) {
	L := lua.NewState()
	defer L.Close()
	g := NewRegistry(L)
	tab := L.NewTable()
	const n = 20_000
	for _, i := range rand.New(rand.NewPCG(seed.Of(t), 0)).Perm(n) {
		tab.RawSetString(fmt.Sprintf("k%05d", i), lua.LNumber(i))
	}
	got := g.InspectAs(tab, View{Items: 3})
	if want := fmt.Sprintf("{ k00000=0, k00001=1, k00002=2, … %d more }", n-3); got != want {
		t.Errorf("%s; want %s", got, want)
	}
	if all := g.InspectAs(tab, View{}); strings.Count(all, "=") != n {
		t.Errorf("%d of %d keys are shown", strings.Count(all, "="), n)
	}
}
