package mend

import (
	"context"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// steps is a context that ends after so many instructions of a Lua state that has it.
type steps struct {
	context.Context
	left int
	end  chan struct{}
}

func (s *steps) Done() <-chan struct{} {
	if s.left--; s.left == 0 {
		close(s.end)
	}
	return s.end
}

func (s *steps) Err() error { return context.Canceled }

// most is how many instructions a program of the tests may take.
const most = 1_000_000

// loader makes a function of a chunk.
type loader func(t *testing.T, L *lua.LState, chunk []ast.Stmt) *lua.LFunction

// by is the loader that compiles.
func by(compile func([]ast.Stmt, string) (*lua.FunctionProto, error)) loader {
	return func(t *testing.T, L *lua.LState, chunk []ast.Stmt) *lua.LFunction {
		t.Helper()
		proto, err := compile(chunk, "app.lua")
		if err != nil {
			t.Fatal(err)
		}
		return L.NewFunctionFromProto(proto)
	}
}

// run runs src and gives what it prints, with "error" at the end if it fails; "endless" if it does not end, "crash" if the engine breaks.
func run(t *testing.T, src string, load loader) (printed string) {
	t.Helper()
	defer func() {
		if recover() != nil {
			printed = "crash"
		}
	}()
	chunk, err := parse.Parse(strings.NewReader(src), "app.lua")
	if err != nil {
		t.Fatal(err)
	}
	L := lua.NewState()
	defer L.Close()
	var out strings.Builder
	L.SetGlobal("print", L.NewFunction(func(L *lua.LState) int {
		for i := range L.GetTop() {
			if i > 0 {
				out.WriteByte('\t')
			}
			out.WriteString(text(L.Get(i + 1)))
		}
		out.WriteByte('\n')
		return 0
	}))
	fn := load(t, L, chunk)
	s := &steps{t.Context(), most, make(chan struct{})}
	L.SetContext(s)
	err = L.CallByParam(lua.P{Fn: fn, Protect: true})
	switch {
	case s.left <= 0:
		return "endless"
	case err != nil:
		return out.String() + "error\n"
	}
	return out.String()
}

func text(v lua.LValue) string {
	switch v := v.(type) {
	case lua.LNumber:
		return show(float64(v))
	case *lua.LFunction, *lua.LTable:
		return v.Type().String()
	}
	return v.String()
}

// A testCase is a program, what it prints, and, if that is known, what it prints as the engine alone compiles it.
type testCase struct{ src, want, alone string }

func testCases(t *testing.T, cases []testCase) {
	t.Helper()
	for _, c := range cases {
		if got := strings.TrimSuffix(run(t, c.src, by(Compile)), "\n"); got != c.want {
			t.Errorf("%s\n got  %q\n want %q", c.src, got, c.want)
		}
		if got := strings.TrimSuffix(run(t, c.src, by(lua.Compile)), "\n"); got != c.alone {
			t.Errorf("%s\n the engine alone gives %q now, not %q: if that is right, a mend may go", c.src, got, c.alone)
		}
	}
}

// A loop, or what a goto goes back to, may begin with a jump. Where the engine alone jumps to depends on how many labels there are before.
func TestJumpFirst(t *testing.T) {
	t.Parallel()
	const f = "local n = 0 local function f() n = n + 1 if n < 4 then return n end end "
	for src, want := range map[string]string{
		"for x in pairs {1, 2} do break end print 'end'":                                                                                        "end",
		"for x in pairs {1, 2} do do do break end end print 'no' end print 'end'":                                                               "end",
		"for x in pairs {1, 2} do if true then break end end print 'end'":                                                                       "end",
		f + "for x in f do if false then local y end print(x) end print 'end'":                                                                  "1\n2\n3\nend",
		f + "for x in f do if nil then print 'no' else print(x) end end":                                                                        "1\n2\n3",
		f + "for x in f do while false do end print(x) end":                                                                                     "1\n2\n3",
		f + "for x in f do while true do break end print(x) end":                                                                                "1\n2\n3",
		f + "for x in f do repeat break until nil print(x) end":                                                                                 "1\n2\n3",
		f + "for x in f do local y = true and x print(y) end":                                                                                   "1\n2\n3",
		f + "for x in f do print(x) if x == (nil or 2) then break end end":                                                                      "1\n2",
		f + "for x in f do n = 1 and n print(x) end":                                                                                            "1\n2\n3",
		f + "for x in f do ({})[1 and x] = 2 print(x) end":                                                                                      "1\n2\n3",
		f + "for x in f do for y = 1 and x, 2 do print(x, y) end end":                                                                           "1\t1\n1\t2\n2\t2",
		f + "for x in f do for y in (false or pairs) {7} do print(x, y) end end":                                                                "1\t1\n2\t1\n3\t1",
		"local m = 0 for x in pairs {7} do ::next:: do if nil then end end m = m + 1 if m < 3 then goto next end print(x, m) end":               "1\t3",
		"local i = 0 repeat if false then i = 9 end i = i + 1 until i > 2 print(i)":                                                             "3",
		"local i = 0 repeat local x = 1 and i i = x + 1 until x > 2 print(i)":                                                                   "4",
		"local i = 0 repeat repeat break until true i = i + 1 until i > 5 print(i)":                                                             "6",
		"local i = 3 repeat until (nil or print) (i) == nil print 'end'":                                                                        "3\nend",
		"local i = 0 while true do do break end end print(i)":                                                                                   "0",
		"local i = 0 while i < 3 do if nil then break end i = i + 1 end print(i)":                                                               "3",
		"local i = 0 while true do while false do end i = i + 1 if i > 2 then break end end print(i)":                                           "3",
		"local i = 0 while (nil and i) or i < 3 do i = i + 1 end print(i)":                                                                      "3",
		"local i = 0 while (1 and i) < 3 do i = i + 1 end print(i)":                                                                             "3",
		"local i = 5 while i ~= (1 and 7) do i = i + 1 if i == 6 then print 'six' end end print(i)":                                             "six\n7",
		"local i = 0 ::top:: if false then print 'no' end i = i + 1 if i < 3 then goto top end print(i)":                                        "3",
		"local i = 0 ::top:: while true do break end i = i + 1 if i < 3 then goto top end print(i)":                                             "3",
		"local i = 0 while i < 9 do ::top:: do while nil do end end i = i + 1 if i == 2 then goto top end if i > 3 then break end end print(i)": "4",
		"for i = 1, 2 do if false then end for j = 1, 2 do while true do break end print(i, j) end end":                                         "1\t1\n1\t2\n2\t1\n2\t2",
	} {
		for before := range 12 {
			src := "local a " + strings.Repeat("if a then a = 1 else a = nil end ", before) + src
			if got := strings.TrimSuffix(run(t, src, by(Compile)), "\n"); got != want {
				t.Errorf("%s\n got  %q\n want %q", src, got, want)
				break
			}
		}
	}
	testCases(t, []testCase{ // the engine still does it
		{"local a if a then end if a then end for x in pairs {1} do do do break end end print 'no' end print 'end'", "end", "endless"},
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	testCases(t, []testCase{
		// A goto closes what it leaves, and nothing else.
		{"local n = 0 local function f() n = n + 1 end for i = 1, 3 do f() if i == 2 then goto continue end ::continue:: end print(n)", "3", "2"},
		{"local fs, i = {}, 0 ::top:: do local x = i fs[#fs + 1] = function() return x end i = i + 1 if i < 3 then goto top end end print(fs[1](), fs[2](), fs[3]())",
			"0\t1\t2", "0\t1\t2"},
		{"local function f(a, ...) local g = function() a = a + 1 return a end while true do if g() > 2 then goto out end end ::out:: a = 10 return g() end print(f(0, 1))", "11", "4"},
		{"local function f(a) local g = function() a = a + 1 return a end do local b = 5 local h = function() b = b + 1 return b end h() if a then goto out end ::out:: print(b, h()) end a = 10 return g() end print(f(0))",
			"6\t7\n11", "6\t7\n1"},
		// break closes what it leaves, in inner blocks as well.
		{"local f while true do do local x = 1 f = function() return x end break end end local y, z, w = 42, 43, 44 print(f())", "1", "42"},
		{"local f for i = 1, 3 do if i == 2 then local x = 7 f = function() return x end break end end local a, b, c, d, e = 1, 2, 3, 4, 5 print(f())", "7", "5"},
		{"local f repeat if true then local x = 7 f = function() return x end break end until false local a, b = 1, 2 print(f())", "7", "1"},
		{"local f, done while true do local x = 1 ::again:: if done then break end f = function() return x end done = true goto again end local y, z = 5, 6 print(f())", "1", "1"},
		{"local f for i in pairs {1} do local x = 3 for j = 1, 2 do if j == 2 then local x = x + j f = function() return x end break end end print(f()) end local a, b, c, d, e, g, h = 9, 9, 9, 9, 9, 9, 9 print(f())",
			"5\n5", "5\n5"},
		{"local fs = {} for i = 1, 3 do while true do local x = i fs[i] = function() x = x + 1 return x end if x then break end end end print(fs[1](), fs[2](), fs[3](), fs[1]())",
			"2\t3\t4\t3", "2\t3\t4\t3"},
		{"local o = {} function o:m() local g = function() return self end for i = 1, 2 do if i then goto continue end ::continue:: end self = 5 return g() end print(o:m())", "5", "table"},
	})
}

func TestAssignment(t *testing.T) {
	t.Parallel()
	testCases(t, []testCase{
		{"local a, b = 1, 2 a, b = b, a print(a, b)", "2\t1", "2\t2"},
		{"local a, b = 0, 0 a, b = a + 1, a + b print(a, b)", "1\t0", "1\t1"},
		{"local a, b, c = 1, 2, 3 a, b, c = c, a, b print(a, b, c)", "3\t1\t2", "3\t3\t3"},
		{"local t, n = {}, 1 t.x, t = n, {} print(t.x)", "nil", "1"},
		{"local t, n = {}, 1 t.x, n = n, 2 print(t.x, n)", "1\t2", "2\t2"},
		{"local t, n = {}, 1 g, t.x = 5, n print(g, t.x)", "5\t1", "x\t1"},
		{"local t, n = {}, 1 t[n], n = 'x', n + 1 print(t[1], n)", "x\t2", "x\t2"},
		{"local x = 1 local function f() return x end local y x, y = 2, f() print(x, y)", "2\t1", "2\t2"},
		{"local x = 1 local function f() x = 5 return 7 end local t = {} t.a, t.b = x, f() print(t.a, t.b)", "1\t7", "5\t7"},
		{"local x = 1 local get = function() return x end local ok = pcall(function() local t x, t.y = 2, 3 end) print(get(), ok)", "1\tfalse", "1\tfalse"},
		{"local function f(p, ...) local q, r = 5, 6 p, q = print('call'), q return p, q, r end print(f(1))", "call\nnil\t5\t6", "call\nnil\terror"},
		{"local function f(p) local q = 5 p = (type(q)) return p, q end print(f(1))", "number\t5", "error"},
		{"local function f(p) local q, r = 5, 6 p = (type(1)), 3 return p, q, r end print(f(1))", "number\t5\t6", "number\terror"},
		{"local a, b = true, 3 b = (a or nil) and b * 2 or 0 print(b)", "6", "error"},
		{"local a, b = 'x', 3 local function f() return b end b = (a or nil) and f() or 0 print(b)", "3", "x"},
		{"local a, b, c = true, 3 c, b = 1, (a or nil) and b * 2 or 0 print(b, c)", "6\t1", "error"},
		{"local a, b, c = 1, 2, 3 a, b = (function() return b, c end)() print(a, b)", "2\t3", "2\t3"},
		{"local a, a = 1, 2 local b = a a, b = 5 print(a, b)", "5\tnil", "5\tnil"},
		{"local function f(...) local a, b = 1, 2 a, g = (...), 5 return a, b, g end print(f(7))", "7\t2\t5", "7\t5\t5"},
		{"local function f(...) local a, b = 1, 2 g, b = 5, (...) return a, b, g end print(f(7))", "1\t7\t5", "1\t7\t1"},
		{"local function f(...) local a, b, c = 1, 2, 3 a = (...) return a, b, c end print(f(7))", "7\t2\t3", "7\terror"},
		{"local a = 1 a = x and 2 print(a)", "nil", "1"},
		{"local a, b, f = 1, 2, function() return false end a, b = f() and 2, b print(a)", "false", "1"},
		{"local a, t = 1, {} a = t.x and t.x.y print(a)", "nil", "1"},
		{"local a, b = 1 a = not not b and 2 print(a)", "false", "1"},
		{"local a, b = 1 a = b and 2 or x and 3 print(a)", "nil", "1"},
		{"local a = 1 local function f() return a end a = x and 2 print(f())", "nil", "1"},
		{"local a, b = 1, 2 a = b and 3 print(a) a = nil and 3 print(a)", "3\nnil", "3\nnil"},
	})
}

// What a variable is declared with does not see it, but for local function.
func TestLocalFunction(t *testing.T) {
	t.Parallel()
	testCases(t, []testCase{
		{"local print = function(x) print('my', x) end print(1)", "my\t1", "error"},
		{"local f = function() return f end print(f())", "nil", "function"},
		{"local f = 1 local f = function() return (function() return f end)() end print(f())", "1", "function"},
		{"local f = 1 local g = function() return f end local f = function() f = f + 1 return f end print(f(), g())", "2\t2", "error"},
		{"local f = 1 do local f = function() f = 2 return f end print(f()) end local a, b = 3 print(f)", "2\n2", "2\n1"},
		{"local function f(n) return n > 1 and n * f(n - 1) or 1 end print(f(4))", "24", "24"},
		{"local f f = function(n) return n > 1 and n * f(n - 1) or 1 end print(f(4))", "24", "24"},
		{"local f = function(f) return f end print(f(1))", "1", "1"},
		{"local f = 5 for i = 1, 2 do local f = function() f = f + i return f end do local x = f goto on ::on:: print(x()) end end", "6\n8", "error"},
	})
}

func TestGenericFor(t *testing.T) {
	t.Parallel()
	const junk = "local f = function(s, c) print(s, c) end do local a, b, c, d = 'junk', 'junk', 'junk', 'junk' end "
	testCases(t, []testCase{
		{junk + "for x in f do end", "nil\tnil", "junk\tjunk"},
		{junk + "for x in f, 1 do end", "1\tnil", "1\tjunk"},
		{junk + "for x, y in f do end", "nil\tnil", "nil\tjunk"},
		{junk + "local function two() return 1, 2 end for x in f, two() do end", "1\t2", "nil\tnil"},
		{junk + "local function two() return 1, 2 end for x in f, (two()) do end", "1\tnil", "nil\tnil"},
		{junk + "for x in (function(...) return f, ... end)(1, 2) do end", "1\t2", "1\t2"},
		{junk + "for x in f, 1, 2, print 'more' do end", "more\n1\t2", "more\n1\t2"},
		// What begins with a call.
		{"local function f() return print end for x in f()(1) do end", "1\nerror", "error"},
		{"local function f() return { print = print } end for x in f().print(1) do end", "1\nerror", "error"},
		{"local function f() return { { print = print } } end local function one() return 1 end for x in f()[one()].print(1) do end", "1\nerror", "error"},
		{"local function f(...) for x in (...).print(1) do end end f { print = print }", "1\nerror", "error"},
		{"local a for x in (a or {{ print = print }})[1].print(1) do end", "1\nerror", "1\nerror"},
		{"local function f() return { f = function(i) return i end } end for x in (a or f().f), 1 do print(x) break end", "1", "error"},
		{"local o = { me = function(o) return o end, say = print } for x in o:me():say() do end", "table\nerror", "table\nerror"},
		{"local f = function(o) return { each = pairs } end for x in f().each { 1 } do local y = x goto on ::on:: print((function() return y end)()) break end", "1", "error"},
	})
}

func TestNumber(t *testing.T) {
	t.Parallel()
	testCases(t, []testCase{
		{"print(1e400, 0xffffffffffffffff, 0XFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF)", "+Inf\t1.844674407371e+19\t3.4028236692094e+38", "NaN\tNaN\tNaN"},
		{"print(-1e999, 0x7fffffffffffffff, 0x10, 010, 1e3)", "-Inf\t9.2233720368548e+18\t16\t10\t1000", "NaN\t9.2233720368548e+18\t16\t10\t1000"},
	})
}

func TestTable(t *testing.T) {
	t.Parallel()
	many := func(n int) string { return strings.Repeat("1,", n) }
	testCases(t, []testCase{
		{"local t = { 1, n = tostring(5) } print(#t, t.n)", "1\t5", "2\t5"},
		{"local t = { " + many(50) + " a = 'x', b = tostring('y') } print(#t, t[1], t.a, t.b)", "50\t1\tx\ty", "50\ty\tx\ty"},
		{"local function f() return 7, 8 end local t = { " + many(50) + " f() } print(#t, t[1], t[51], t[52])", "52\t1\t7\t8", "50\t7\tnil\tnil"},
		{"local function f(...) local t = { " + many(100) + " ... } print(#t, t[51], t[101]) end f(7)", "101\t1\t7", "100\t7\tnil"},
		{"local function f() return 7, 8 end local t = { " + many(49) + " f() } print(#t, t[1], t[50], t[51])", "51\t1\t7\t8", "51\t1\t7\t8"},
		{"local function f() return 7, 8 end local t = { " + many(51) + " f() } print(#t, t[1], t[52], t[53])", "53\t1\t7\t8", "53\t1\t7\t8"},
		{"local function f() return 7, 8 end local t = { " + many(50) + " f(), n = 3 } print(#t, t[51], t.n)", "51\t7\t3", "51\t7\t3"},
	})
}

// A goto that the engine refuses is refused as it does that, by the lines of the source.
func TestWrongGoto(t *testing.T) {
	t.Parallel()
	for _, src := range []string{"local x\ngoto none", "do\ngoto on\nlocal x\n::on::\nprint(x) end", "::a::\ngoto a\n::a::"} {
		var texts []string
		for _, compile := range []func([]ast.Stmt, string) (*lua.FunctionProto, error){Compile, lua.Compile} {
			chunk, err := parse.Parse(strings.NewReader(src), "app.lua")
			if err != nil {
				t.Fatal(err)
			}
			_, err = compile(chunk, "app.lua")
			if err == nil {
				t.Fatalf("%s: no error", src)
			}
			texts = append(texts, err.Error())
		}
		if texts[0] != texts[1] {
			t.Errorf("%s\n got  %s\n want %s", src, texts[0], texts[1])
		}
	}
}

// Lines stay what they are.
func TestLines(t *testing.T) {
	t.Parallel()
	testCases(t, []testCase{{"local n = 0 ::top:: n = n + 1 print(n) if n > 1 then return end goto top", "1\n2", "1\n2"}}) // ends with a goto
	const src = "local a, b, c, f = 1, 2\na, b =\n  b,\n  a\nfor x in f do\n  if false then end\n  do local y = x f = function() return y end\n    break end\n  goto on\n  ::on::\nend\n"
	chunk, err := parse.Parse(strings.NewReader(src), "app.lua")
	if err != nil {
		t.Fatal(err)
	}
	proto, err := Compile(chunk, "app.lua")
	if err != nil {
		t.Fatal(err)
	}
	for pc, line := range proto.DbgSourcePositions {
		if line < 1 || line > strings.Count(src, "\n")+1 {
			t.Errorf("instruction %d is in line %d", pc, line)
		}
	}
}
