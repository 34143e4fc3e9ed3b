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
	added  int // how often one of them was (add)
	own    int // and took a value from the loop variable
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
	keyed := L.NewTable()
	keyed.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		v := L.CheckUserData(1).Value.(*lua.LTable).RawGet(L.Get(2))
		fmt.Fprintln(&m.out, "read", L.Get(2))
		if v == lua.LNil {
			v = lua.LNumber(0)
		}
		L.Push(v)
		return 1
	}))
	keyed.RawSetString("__newindex", L.NewFunction(func(L *lua.LState) int {
		fmt.Fprintln(&m.out, "set", L.Get(2), L.Get(3))
		L.CheckUserData(1).Value.(*lua.LTable).RawSet(L.Get(2), L.Get(3))
		return 0
	}))
	app := L.NewTable()
	app.RawSetString("table", L.NewFunction(func(L *lua.LState) int { L.Push(wrap(L.NewTable(), keyed)); return 1 }))
	L.SetGlobal("app", app)
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
	send := func(L *lua.LState, site Site, to, typ lua.LValue, at int) int {
		m.direct++
		place, table, w := 0, L.NewTable(), L.Get(at)
		if site.Own != nil {
			at++
		}
		next := func() (v lua.LValue) {
			if site.Own != nil && site.Own[place] != "" {
				m.own++
				v = L.GetField(w, site.Own[place])
			} else {
				v = L.Get(at)
				at++
			}
			place++
			return v
		}
		for _, f := range site.Fields {
			if f == "value" && site.Record != nil {
				r := L.NewTable()
				for _, name := range site.Record {
					r.RawSetString(name, next())
				}
				L.Push(typ)
				L.Push(r)
				L.Call(1, 1)
				table.RawSetString(f, L.Get(-1))
				L.Pop(1)
				continue
			}
			table.RawSetString(f, next())
		}
		L.Push(L.GetField(to, "send"))
		L.Push(to)
		L.Push(table)
		L.Call(2, 0)
		return 0
	}
	add := func(L *lua.LState, to, k, n lua.LValue) int {
		ud, ok := to.(*lua.LUserData)
		more, isNumber := n.(lua.LNumber)
		_, isText := k.(lua.LString)
		if !ok || !isNumber || !isText {
			L.Push(lua.LFalse)
			return 1
		}
		t := ud.Value.(*lua.LTable)
		had, isNumber := t.RawGet(k).(lua.LNumber)
		if !isNumber && t.RawGet(k) != lua.LNil {
			L.Push(lua.LFalse)
			return 1
		}
		m.added++
		fmt.Fprintf(&m.out, "read %s\nset %s %s\n", k, k, had+more)
		t.RawSet(k, had+more)
		L.Push(lua.LTrue)
		return 1
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
			fields, sends := m.pass.Sites[L.CheckInt(1)].Fields, m.pass.Sites[L.CheckInt(1)].Sends
			var ready []lua.LValue
			for i, n := range sends {
				ready = append(ready, lua.LFalse)
				if to, typ, site := L.Get(3+2*i), L.Get(4+2*i), m.pass.Sites[n]; is(to, "topic") && (site.Record == nil || is(typ, "record")) {
					ready[i] = L.NewFunction(func(L *lua.LState) int { return send(L, site, to, typ, 1) })
				}
			}
			s := L.CheckUserData(2).Value.(*fakeStream)
			for i, n := range m.pass.Sites[L.CheckInt(1)].Adds {
				to, own := L.Get(3+2*len(sends)+i), m.pass.Sites[n].Own
				ready = append(ready, L.NewFunction(func(L *lua.LState) int {
					m.own++
					e := L.Get(1)
					if own[1] != "" {
						m.own++
						e = s.reuse.RawGetString(own[1])
					}
					return add(L, to, s.reuse.RawGetString(own[0]), e)
				}))
			}
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
				for _, f := range ready {
					L.Push(f)
				}
				return 1 + len(fields) + len(ready)
			}))
			return 1
		},
		Keep: func(L *lua.LState) int { current.kept = true; L.Push(L.Get(1)); return 1 },
		Direct: func(L *lua.LState) int {
			site := m.pass.Sites[L.CheckInt(1)]
			_, own := L.Get(4).(*lua.LTable)
			L.Push(lua.LBool(is(L.Get(2), "topic") && (site.Record == nil || is(L.Get(3), "record")) && (site.Own == nil || own)))
			return 1
		},
		Send: func(L *lua.LState) int {
			return send(L, m.pass.Sites[L.CheckInt(1)], L.Get(2), L.Get(3), 4)
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
	fns[Add] = func(L *lua.LState) int { return add(L, L.Get(1), L.Get(2), L.Get(3)) }
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
	return runOn(t, m, src, rewritten), m.direct
}

func runOn(t *testing.T, m *machine, src string, rewritten bool) string {
	t.Helper()
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
		return m.out.String() + "error: " + ae.Object.String()
	}
	return m.out.String()
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
	"send own":      `local O, s = O, stream({a=1,b=2,who='x'},{a=2,who='y'}) for w in s do t:send { key = w.who, value = O { a = w.a, b = w.b and w.b + w.a } } t:send { value = w.who, key = w.a } end`,
	"send altered":  `local O, s = O, stream({a=1,who='x'},{a=2,who='y'}) local function alter(x) x.who, x.a = 'z', 9 return 1 end for w in s do t:send { key = w.who, value = O { a = w.a, b = alter(w) } } end`,
	"send written":  `local O, s = O, stream({a=1,who='x'},{a=2,who='y'}) for w in s do w.a = w.a * 10 t:send { key = w.who, value = O { a = w.a, b = 2 } } t:send { key = w.who, value = w } end`,
	"send beside":   `local O, s = O, stream({a=1,who='x'}) for w in s do local t = { send = function(_, m) print(m.key, m.value) end } t:send { key = w.who, value = O { a = w.a } } print(w.a) end`,
	"send ready":    `local t, O, no, s = t, O, { send = function(_, m) print('no', m.key) end }, stream({a=1,b=2,who='x'},{a=2,who='y'}) for w in s do t:send { key = w.who, value = O { a = w.a, b = 1 } } no:send { key = w.a } t:send { value = w } t:send {} t:send { key = 1 } t:send { key = 'sixth' } end`,
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
	"add":           `local kt, two, s = app.table('t'), 2, stream({a=1,who='x'},{a=2,who='y'},{a=3,who='x'}) for w in s do kt[w.who] = kt[w.who] + w.a kt.all = kt.all + 1 kt['b'] = kt.b + two end print(kt.x, kt.y, kt.all, kt.b)`,
	"add by name":   `local kt = app.table('t') local s = stream({a=1,who='x'},{a=2,who='y'}) for w in s do local k = w.who kt[k] = kt[k] + w.a end local function count(k) kt[k] = kt[k] + 1 end count('x') count(7) print(kt.x, kt.y, kt[7])`,
	"add absent":    `local kt = app.table('t') local s = stream({a=1,who='x'},{who='y'}) for w in s do kt[w.who] = kt[w.who] + w.a end`,
	"add no key":    `local kt = app.table('t') local s = stream({a=1}) for w in s do kt[w.who] = kt[w.who] + w.a end`,
	"add to text":   `local kt = app.table('t') kt.x = 'text' local s = stream({a=1}) for w in s do kt.x = kt.x + w.a end`,
	"add effects":   `local kt = app.table('t') local function e() kt.x = 10 return 1 end local s = stream({a=1}) for w in s do kt.x = kt.x + e() kt.x = kt.x + kt.x kt.y = kt.x + 1 kt.x = 1 + kt.x end print(kt.x)`,
	"add elsewhere": `local kt = app.table('t') do local kt = {x=1} kt.x = kt.x + 1 print(kt.x) end local kp = {x=1} kp.x = kp.x + 1 print(kp.x)`,
	"add assigned":  `local kt = app.table('t') kt = {x=1} kt.x = kt.x + 1 print(kt.x)`,
	"add own app":   `local app = {table=function() return {x=1} end} local kt = app.table('t') kt.x = kt.x + 1 print(kt.x)`,
	"add written":   `local kt = app.table('t') local s = stream({a=1,who='x'}) for w in s do w.a = 5 kt[w.who] = kt[w.who] + w.a kt.all = kt.all + 1 end print(kt.x)`,
	"add own":       `local kt, two, s = app.table('t'), 2, stream({a=1,b=5,who='x'},{a=2,who='y'},{b=4,who='z'},{a=1}) for w in s do kt[w.who] = kt[w.who] + w.a kt[w.who] = kt[w.who] + 1 kt[w.who] = kt[w.who] + two if w.b then kt[w.who] = kt[w.who] + w.b kt[w.who] = kt[w.who] + 10 print(w.b) end end`,
	"add own fails": "local kt = app.table('t')\nlocal s = stream({a=1,who='x'},{who='y'})\nfor w in s do\n  kt[w.who] = kt[w.who] + w.a\n  print(w.who)\nend",
	"add own kept":  `local kt, last = app.table('t') local s = stream({a=1,who='x'},{a=2,who='y'}) for w in s do kt[w.who] = kt[w.who] + w.a last = w end print(last)`,
	"add two keys":  `local kt = app.table('t') local s = stream({a=1,b='y',who='x'}) for w in s do kt[w.who] = kt[w.b] + w.a kt[w.b] = kt['y'] + w.a end`,
	"add late name": `local kt = app.table('t') local s = stream({a=1,who='x'}) for w in s do kt[w.who] = kt[w.who] + later end`,
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
		"fields": 1, "kept": 1, "written": 1, "send": 4, "send loop": 5, "send local": 3, "send late": 2, "send itself": 3, "send ready": 11, "literal": 3, "assigned": 0, "captured": 0, "declared": 0,
		"send to table": 1, "send keys": 0, "return": 1, "function": 3, "coroutine": 1,
	} {
		if _, got := run(t, programs[name], true); got != want {
			t.Errorf("%s: %d direct calls, want %d", name, got, want)
		}
	}
}

// Additions to tables take the direct way where nothing happens between their parts.
func TestAdd(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{
		"add": 9, "add by name": 3, "add absent": 1, "add no key": 0, "add to text": 0, "add effects": 0, "add elsewhere": 0, "add assigned": 0, "add own app": 0,
		"add written": 1, "add late name": 0, "add own": 8, "add own fails": 1, "add own kept": 0, "add two keys": 0,
	} {
		m := newMachine()
		runOn(t, m, programs[name], true)
		if m.L.Close(); m.added != want {
			t.Errorf("%s: %d additions, want %d", name, m.added, want)
		}
	}
}

// Fields of the loop variable are taken from it, unless they may have changed between their reading and the send or addition.
func TestOwn(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"send ready": 4, "send own": 8, "send altered": 0, "send written": 6, "send itself": 2, "send loop": 2, "send local": 4, "send beside": 0,
		"add": 6, "add own": 12, "add own fails": 4, "add by name": 0, "add written": 0} {
		m := newMachine()
		runOn(t, m, programs[name], true)
		if m.L.Close(); m.own != want {
			t.Errorf("%s: %d values taken, want %d", name, m.own, want)
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
