package rewrite

import (
	"fmt"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// machine is a plain Lua state with a small model of streams, record types and topics, in which a program can be run as written or rewritten.
type machine struct {
	L      *lua.LState
	out    strings.Builder
	pass   Pass
	direct int // how often a hidden function did its work
}

type fakeStream struct {
	values []*lua.LTable
	reuse  *lua.LTable
	kept   bool
}

// copyOf gives a table with the contents of t, or, with into, changes that one.
func copyOf(L *lua.LState, t, into *lua.LTable) *lua.LTable {
	if into == nil {
		into = L.NewTable()
	}
	into.ForEach(func(k, _ lua.LValue) { into.RawSet(k, lua.LNil) })
	t.ForEach(func(k, v lua.LValue) { into.RawSet(k, v) })
	return into
}

func newMachine() *machine {
	m := &machine{L: lua.NewState()}
	L := m.L
	stream, record, topic := L.NewTable(), L.NewTable(), L.NewTable()
	wrap := func(v any, mt *lua.LTable) lua.LValue {
		ud := L.NewUserData()
		ud.Value, ud.Metatable = v, mt
		return ud
	}
	show := func(t *lua.LTable) string {
		var parts []string
		for _, k := range []string{"a", "b", "c", "n", "who"} {
			if v := t.RawGetString(k); v != lua.LNil {
				parts = append(parts, k+"="+v.String())
			}
		}
		return "{" + strings.Join(parts, " ") + "}"
	}
	build := func(t *lua.LTable) lua.LValue {
		r := copyOf(L, t, nil)
		if r.RawGetString("a") == lua.LNil {
			L.RaiseError("a is missing")
		}
		return r
	}
	sent := func(t *lua.LTable) {
		fmt.Fprintf(&m.out, "sent key=%v", t.RawGetString("key"))
		if v, ok := t.RawGetString("value").(*lua.LTable); ok {
			fmt.Fprint(&m.out, " value="+show(v))
		}
		m.out.WriteByte('\n')
	}
	stream.RawSetString("__call", L.NewFunction(func(L *lua.LState) int {
		s := L.CheckUserData(1).Value.(*fakeStream)
		if len(s.values) == 0 {
			return 0
		}
		L.Push(copyOf(L, s.values[0], nil))
		s.values = s.values[1:]
		return 1
	}))
	record.RawSetString("__call", L.NewFunction(func(L *lua.LState) int { L.Push(build(L.CheckTable(2))); return 1 }))
	topic.RawSetString("__index", L.SetFuncs(L.NewTable(), map[string]lua.LGFunction{
		"send": func(L *lua.LState) int { sent(L.CheckTable(2)); return 0 },
	}))
	L.SetGlobal("print", L.NewFunction(func(L *lua.LState) int {
		for i := 1; i <= L.GetTop(); i++ {
			if t, ok := L.Get(i).(*lua.LTable); ok {
				m.out.WriteString(show(t))
			} else {
				m.out.WriteString(L.Get(i).String())
			}
			m.out.WriteByte(' ')
		}
		m.out.WriteByte('\n')
		return 0
	}))
	L.SetGlobal("stream", L.NewFunction(func(L *lua.LState) int {
		s := &fakeStream{}
		for i := 1; i <= L.GetTop(); i++ {
			s.values = append(s.values, L.CheckTable(i))
		}
		L.Push(wrap(s, stream))
		return 1
	}))
	L.SetGlobal("O", wrap("record", record))
	L.SetGlobal("t", wrap("topic", topic))
	return m
}

func is(v lua.LValue, what string) bool {
	ud, ok := v.(*lua.LUserData)
	return ok && ud.Value == what
}

// hidden are the model's hidden functions, in the order of Hidden.
func (m *machine) hidden() []lua.LValue {
	L := m.L
	var current *fakeStream
	row := func(from int, names []string) *lua.LTable {
		t := L.NewTable()
		for i, n := range names {
			t.RawSetString(n, L.Get(from+i))
		}
		return t
	}
	fns := map[string]lua.LGFunction{
		IsStream: func(L *lua.LState) int {
			ud, ok := L.Get(1).(*lua.LUserData)
			if ok {
				_, ok = ud.Value.(*fakeStream)
			}
			L.Push(lua.LBool(ok))
			return 1
		},
		Each: func(L *lua.LState) int {
			m.direct++
			fields := m.pass.Sites[L.CheckInt(1)].Fields
			s := L.CheckUserData(2).Value.(*fakeStream)
			L.Push(L.NewFunction(func(L *lua.LState) int {
				if len(s.values) == 0 {
					return 0
				}
				if s.kept {
					s.reuse, s.kept = nil, false
				}
				current = s
				s.reuse = copyOf(L, s.values[0], s.reuse)
				s.values = s.values[1:]
				L.Push(s.reuse)
				for _, f := range fields {
					L.Push(s.reuse.RawGetString(f))
				}
				return 1 + len(fields)
			}))
			return 1
		},
		Keep: func(L *lua.LState) int { current.kept = true; L.Push(L.Get(1)); return 1 },
		Direct: func(L *lua.LState) int {
			L.Push(lua.LBool(is(L.Get(2), "topic") && (L.GetTop() < 3 || is(L.Get(3), "record"))))
			return 1
		},
		Send: func(L *lua.LState) int {
			m.direct++
			site := m.pass.Sites[L.CheckInt(1)]
			at, table := 3, L.NewTable()
			for _, f := range site.Fields {
				if f == "value" && site.Record != nil {
					r := row(at+1, site.Record)
					L.Push(L.Get(at))
					L.Push(r)
					L.Call(1, 1)
					table.RawSetString(f, L.Get(-1))
					L.Pop(1)
					at += 1 + len(site.Record)
					continue
				}
				table.RawSetString(f, L.Get(at))
				at++
			}
			L.Push(L.GetField(L.Get(2), "send"))
			L.Push(L.Get(2))
			L.Push(table)
			L.Call(2, 0)
			return 0
		},
		Fail:     func(L *lua.LState) int { L.RaiseError("a is missing"); return 0 },
		IsRecord: func(L *lua.LState) int { L.Push(lua.LBool(is(L.Get(1), "record"))); return 1 },
		Make: func(L *lua.LState) int {
			m.direct++
			L.Push(L.Get(2))
			L.Push(row(3, m.pass.Sites[L.CheckInt(1)].Fields))
			L.Call(1, 1)
			return 1
		},
	}
	out := make([]lua.LValue, len(Hidden))
	for i, name := range Hidden {
		out[i] = L.NewFunction(fns[name])
	}
	return out
}

// run runs src and gives what it printed and how it ended.
func run(t *testing.T, src string, rewritten bool) (string, int) {
	t.Helper()
	m := newMachine()
	defer m.L.Close()
	chunk, err := parse.Parse(strings.NewReader(src), "app.lua")
	if err != nil {
		t.Fatal(err)
	}
	changed := false
	if rewritten {
		chunk, changed = m.pass.Chunk(chunk)
	}
	proto, err := lua.Compile(chunk, "app.lua")
	if err != nil {
		t.Fatal(err)
	}
	fn := m.L.NewFunctionFromProto(proto)
	if changed {
		if err := m.L.CallByParam(lua.P{Fn: fn, NRet: 1, Protect: true}, m.hidden()...); err != nil {
			t.Fatal(err)
		}
		fn = m.L.Get(-1).(*lua.LFunction)
		m.L.Pop(1)
	}
	if err := m.L.CallByParam(lua.P{Fn: fn, Protect: true}, lua.LString("arg")); err != nil {
		ae := err.(*lua.ApiError)
		return m.out.String() + "error: " + ae.Object.String(), m.direct
	}
	return m.out.String(), m.direct
}

var programs = map[string]string{
	"fields":        `local s = stream({a=1,b=2},{a=3,b=4}) for w in s do print(w.a, w.b, w.a + w.b) end`,
	"missing":       `local s = stream({a=1},{b=false}) for w in s do print(w.a, w.b, w.c == nil) end`,
	"kept":          `local s, l = stream({a=1},{a=2},{a=3}), {} for w in s do if w.a ~= 2 then l[#l+1] = w end end for _, w in ipairs(l) do print(w) end`,
	"kept in call":  `local s, l = stream({a=1},{a=2}), {} local function add(x) table.insert(l, x) end for w in s do add(w) end print(l[1], l[2])`,
	"alias":         `local s = stream({a=1},{a=2}) for w in s do local y = w y.a = 10 print(w.a, y == w) end`,
	"written":       `local s = stream({a=1},{a=2}) for w in s do w.a = w.a + 1 w[w.b or 'b'] = 5 print(w.a, w.b) end`,
	"assigned":      `local s = stream({a=1},{a=2}) for w in s do w = {a=w.a*2} print(w.a) end`,
	"captured":      `local s, l = stream({a=1},{a=2}), {} for w in s do l[#l+1] = function() return w.a end end print(l[1](), l[2]())`,
	"declared":      `local s = stream({a=1}) for w in s do print(w.a) local w = {a=7} print(w.a) do local w = 1 end end`,
	"dynamic":       `local s = stream({a=1,b=2}) local k = 'b' for w in s do print(w[k], w['a'], w[w.who or 'a']) end`,
	"break":         `local s = stream({a=1},{a=2},{a=3}) for w in s do if w.a == 2 then break end print(w.a) end for w in s do print('rest', w.a) end`,
	"goto":          `local s = stream({a=1},{a=2}) for w in s do if w.a == 1 then goto continue end print(w.a) ::continue:: end`,
	"return":        `local function f(s) for w in s do if w.a == 2 then return w end end end print(f(stream({a=1},{a=2},{a=3})))`,
	"tables":        `local t0 = {x={a=1}} for w in next, t0 do print(w) end local it = function(_, i) i = (i or 0) + 1 if i < 3 then return i, {a=9} end end for w in it do print(w) end`,
	"two values":    `local n = 0 local function it() n = n + 1 if n < 3 then return {a=n}, 'second' end end for w in it do print(w.a) end`,
	"vararg":        `print(...) local s = stream({a=1}) for w in s do print(w.a) end`,
	"send":          `t:send { key = 'k', value = O { a = 1, b = 2 } } t:send { value = {a=3} } t:send { key = 'only' }`,
	"send loop":     `local s = stream({a=1,who='x'},{a=2,who='y'}) for w in s do t:send { key = w.who, value = O { a = w.a * 2, b = w.who:upper() } } end`,
	"send local":    `local O = O local s = stream({a=1,who='x'},{a=2,who='y'}) for w in s do t:send { key = w.who, value = O { a = w.a } } end`,
	"send late":     `local R = function() return O end local function key() R = function() return { a = 5 } end return 1 end R = O t:send { value = R { a = 1 }, key = key() }`,
	"send itself":   `local s = stream({a=1,who='x'},{a=2,who='y'}) for w in s do t:send { key = w.who, value = w } print(w.a) end`,
	"send to table": `local got = {} local t = { send = function(self, m) got[#got+1] = m.value end } local s = stream({a=1},{a=2}) for w in s do t:send { value = w } end print(got[1], got[2])`,
	"send wrong":    `local s = stream({b=1}) for w in s do t:send { key = 'k', value = O { b = w.b } } end`,
	"send no topic": `local u = {} u:send { key = 'k' }`,
	"send multiple": `local function two() return 1, 2 end t:send { key = 'k', value = O { a = two() } } t:send { value = {a = 1}, key = two() }`,
	"send order":    `local function say(x) print('eval', x) return x end t:send { key = say 'k', value = O { a = say(1), b = say(2) } } t:send { value = O { a = say(1) }, key = say 'late' }`,
	"send function": `t:send { key = (function() return 'f' end)(), value = O { a = 1 } }`,
	"send keys":     `t:send { key = 'k', ['va' .. 'lue'] = {a=1} } t:send { 'x', key = 'k' } t:send { key = 'k', kye = 1 }`,
	"literal":       `local r = O { a = 1, b = 2 } print(r) local list = { x = O { a = 3 } } print(list.x) r = O { a = 4 } print(r)`,
	"literal fn":    `local function O(x) return x, 'second' end local a, b = O { a = 1 } print(a, b) local c = O { a = 2 } print(c) print(O { a = 3 })`,
	"literal wrong": `local r = O { b = 2 }`,
	"literal list":  `local r = O { 1, 2, a = 3 } print(r) local q = O { a = 1, a = 2 } print(q)`,
	"nested":        `local s = stream({a=1},{a=2}) for w in s do local inner = stream({b=w.a}) for v in inner do print(w.a, v.b) end end`,
	"closure below": `local s = stream({a=1},{a=2}) for w in s do local a = w.a local f = function(x) local z = O { a = x } return z end print(f(a)) end`,
	"coroutine":     `local co = coroutine.wrap(function() local s = stream({a=1},{a=2}) for w in s do coroutine.yield(w.a) end end) print(co(), co())`,
	"yield in fn":   `local function O(x) coroutine.yield(x) return x end local co = coroutine.wrap(function() local r = O { a = 1 } print(r) return r end) print(co()) print(co())`,
	"repeat":        `local s = stream({a=1}) for w in s do local i = 0 repeat i = i + w.a until i > 2 while i > 0 do i = i - w.a end print(i, w.a) end`,
	"method on w":   `local s = stream({a=1, n=function(self) return self.a end}) for w in s do print(w:n(), w.a) end`,
	"compare":       `local s, last = stream({a=1},{a=2}) for w in s do print(w == last, not w, #w, w.a) last = w end print(last)`,
	"error line":    "local s = stream({a=1})\nfor w in s do\n  local x = w.a\n  local y = w.b + x\nend",
	"function":      `function go(s) for w in s do print(w.a) end end go(stream({a=1})) local o = {} function o.m(s) for w in s do print(w.a) end end function o:k(s) for w in s do print(w.a, self == o) end end o.m(stream({a=2})) o:k(stream({a=3}))`,
	"conditions":    `local s = stream({a=1,b=true},{a=2,b=false}) for w in s do if w.b and w.a > 0 or w.a == 2 then print(w.a, -w.a, w.a .. 'x') elseif not w.b then print('no') else print('else') end end`,
}

func TestSameMeaning(t *testing.T) {
	t.Parallel()
	for name, src := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, _ := run(t, src, false)
			got, _ := run(t, src, true)
			if got != want {
				t.Errorf("as written:\n%s\nrewritten:\n%s", want, got)
			}
		})
	}
}

// What has to be cheap takes the direct way.
func TestDirect(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{
		"fields": 1, "kept": 1, "written": 1, "send": 4, "send loop": 5, "send local": 3, "send late": 2, "send itself": 3, "literal": 3, "assigned": 0, "captured": 0, "declared": 0,
		"send to table": 1, "send keys": 0, "return": 1, "function": 3, "coroutine": 1,
	} {
		if _, got := run(t, programs[name], true); got != want {
			t.Errorf("%s: %d direct calls, want %d", name, got, want)
		}
	}
}

func TestUntouched(t *testing.T) {
	t.Parallel()
	chunk, err := parse.Parse(strings.NewReader(`local x = 1 for i = 1, 3 do x = x + i end return x`), "app.lua")
	if err != nil {
		t.Fatal(err)
	}
	var p Pass
	if out, changed := p.Chunk(chunk); changed || len(out) != len(chunk) {
		t.Error("a chunk without common forms was changed")
	}
}
