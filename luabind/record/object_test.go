package record

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"faust/tests/seed"
)

// expect evaluates Lua expressions and compares what tostring gives.
func (b *bench) expect(tests [][2]string) {
	b.t.Helper()
	for _, tt := range tests {
		v, err := b.try(`return tostring(` + tt[0] + `)`)
		if err != nil {
			b.t.Errorf("%s: %s", tt[0], text(err))
		} else if v.String() != tt[1] {
			b.t.Errorf("%s\ngot  %s\nwant %s", tt[0], v, tt[1])
		}
	}
}

func TestRecordInLua(t *testing.T) {
	b := newBench(t)
	s := b.declare(withdrawal)
	b.L.SetGlobal("W", s.Value())
	b.L.SetGlobal("w", b.decode(s, message).Self())
	b.eval(`a, b = W{ user='u', country='c', amount=1 }, W{ amount=1, country='c', user='u' }
		function list(r) local out = {} for k, v in pairs(r) do out[#out+1] = k .. '=' .. tostring(v) end return table.concat(out, ' ') end`)
	b.expect([][2]string{
		{`W`, "record Withdrawal"}, {`W.name`, "Withdrawal"},
		{`a`, `Withdrawal{ user="u", country="c", amount=1 }`},
		{`w`, `Withdrawal{ user="user_123", country="country_3", amount=1234.56, date=2026-11-23T18:00:00Z }`},
		{`a.date`, "nil"}, {`a == b`, "true"}, {`a == w`, "false"}, {`a:derive{ amount=2 } == a`, "false"}, {`a:derive{} == a`, "true"},
		{`a:derive{ amount=2 }`, `Withdrawal{ user="u", country="c", amount=2 }`}, {`a.amount`, "1"},
		{`w == w:derive{}`, "true"}, {`w:derive{ date=null }.date`, "nil"}, {`w:derive{ date='2026-01-02T03:04:05.5+01:00' }.date`, "2026-01-02T02:04:05.5Z"},
		{`list(a)`, "user=u country=c amount=1"},
		{`list(w)`, "user=user_123 country=country_3 amount=1234.56 date=2026-11-23T18:00:00Z"},
		{`W(a) == a and not rawequal(W(a), a)`, "true"},
		{`a.derive ~= nil`, "true"},
	})
}

func TestFieldCalledDerive(t *testing.T) {
	b := newBench(t)
	b.declare(`R = record('R', { derive='string', n='int' }) r = R{ derive='data', n=1 } return R`)
	b.expect([][2]string{{`r.derive`, "data"}, {`r['derive']`, "data"}, {`r:derive{ n=2 }`, `R{ derive="data", n=2 }`}, {`r:derive{ derive='x' }.derive`, "x"}})
}

// TestTypes reads and writes a field of each type: from JSON, as Lua sees it, and back after a change elsewhere in the record.
func TestTypes(t *testing.T) {
	tests := []struct{ typ, raw, lua, out string }{
		{`'string'`, `"a\"\u00e9\n"`, "a\"é\n", `"a\"é\n"`},
		{`'string?'`, `null`, "nil", ``},
		{`'float'`, `1.50`, "1.5", `1.5`},
		{`'float'`, `-0.0`, "-0", `-0`},
		{`'float'`, `1e30`, "1e+30", `1e+30`},
		{`'int'`, `12`, "12", `12`},
		{`'int'`, `2.0`, "2", `2`},
		{`'int'`, `-3e2`, "-300", `-300`},
		{`'int'`, `9007199254740993`, "9007199254740993", `9007199254740993`},
		{`'int64'`, `7`, "7", `7`},
		{`'bool'`, `false`, "false", `false`},
		{`'bytes'`, `"AP8="`, "\x00\xff", `"AP8="`},
		{`'datetime'`, `"2026-11-23T19:00:00.123456789+01:00"`, "2026-11-23T18:00:00.123456789Z", `"2026-11-23T18:00:00.123456789Z"`},
		{`'datetime'`, `"2026-11-23 18:00:00"`, "2026-11-23T18:00:00Z", `"2026-11-23T18:00:00Z"`},
		{`{type='datetime', format='unix'}`, `1700000000.5`, "2023-11-14T22:13:20.5Z", `1700000000.5`},
		{`{type='datetime', format='unix_ms'}`, `1700000000123`, "2023-11-14T22:13:20.123Z", `1700000000123`},
		{`{type='datetime', format='unix_us'}`, `-1`, "1969-12-31T23:59:59.999999Z", `-1`},
		{`{type='datetime', format='unix_ns'}`, `1700000000123456789`, "2023-11-14T22:13:20.123456789Z", `1700000000123456789`},
		{`'date'`, `"2024-02-29"`, "2024-02-29", `"2024-02-29"`},
		{`'uuid'`, `"f81d4fae-7dec-11d0-a765-00a0c91e6bf6"`, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", `"f81d4fae-7dec-11d0-a765-00a0c91e6bf6"`},
		{`'decimal'`, `"0.10"`, "0.10", `"0.10"`},
		{`'decimal'`, `12.30`, "12.30", `"12.30"`},
		{`'any'`, `null`, "null", `null`},
		{`'any'`, `[1,{"a":[]},null,{}]`, "{ 1, { a=[] }, null, {} }", `[1,{"a":[]},null,{}]`},
		{`'any'`, `123456789012345678901234567890`, "123456789012345678901234567890", `123456789012345678901234567890`},
		{`'[int]'`, `[1, 2]`, "{ 1, 2 }", `[1,2]`},
		{`'[int]'`, `[]`, "[]", `[]`},
		{`'[int?]'`, `[1,null]`, "{ 1, null }", `[1,null]`},
		{`'{string:float}'`, `{"x": 1, "y z":2.5}`, `{ x=1, ["y z"]=2.5 }`, `{"x":1,"y z":2.5}`},
		{`'{int:bool}'`, `{"7":true}`, `{ [7]=true }`, `{"7":true}`},
		{`'{string:int}'`, `{}`, `{}`, `{}`},
		{`'Inner'`, `{"n":1, "more":[1]}`, `Inner{ n=1 }`, `{"n":1, "more":[1]}`},
		{`'[Inner]'`, `[{"n":1},{"n":2}]`, `{ Inner{ n=1 }, Inner{ n=2 } }`, `[{"n":1},{"n":2}]`},
	}
	for _, tt := range tests {
		b := newBench(t)
		b.declare(`return record('Inner', { n='int' })`)
		s := b.declare(`return record('R', { f=` + tt.typ + `, id='int' })`)
		o := b.decode(s, `{"f":`+tt.raw+`,"id":1}`)
		got := b.Inspect(o.Field(0))
		if str, ok := o.Field(0).(lua.LString); ok {
			got = string(str)
		}
		if got != tt.lua {
			t.Errorf("%s %s is %s in Lua, want %s", tt.typ, tt.raw, got, tt.lua)
		}
		want := fmt.Sprintf(`{"f":%s,"id":1}`, tt.raw)
		if out := b.encode(o); out != want {
			t.Errorf("%s: unchanged but read: %s", want, out)
		}
		if err := o.Assign(0, o.Field(0)); err != nil {
			t.Errorf("%s: its own value is refused: %s", want, text(err))
			continue
		}
		want = `{"f":` + tt.out + `,"id":1}`
		if tt.out == "" {
			want = `{"id":1}`
		}
		if out := b.encode(o); out != want {
			t.Errorf("%s %s: assigned and written as %s", tt.typ, tt.raw, out)
		}
		again := s.NewObject()
		if err := again.Reset([]byte(want)); err != nil || !b.equal(again.Self(), o.Self(), 0) {
			t.Errorf("%s: not equal after a round trip (%v)", want, err)
		}
	}
}

func TestChangesKeepTheRest(t *testing.T) {
	b := newBench(t)
	b.declare(`return record('Item', { sku='string', n='int' })`)
	s := b.declare(`return record('Order', { id='int', tags='[string]?', items='[Item]?', info='any?', map='{string:int}?', item='Item?' })`)
	const raw = `{ "z":1.0, "id":1, "tags":["a"], "items":[{"sku":"x","n":1,"q":2}], "info":{"k":[]}, "map":{"m":1}, "item":{"sku":"y","n":2,"w":null}, "é":"\u00e9" }`
	tests := []struct{ change, want string }{
		{`local x = o.tags[1] .. o.items[1].sku .. o.info.k[1]  --`, raw},
		{`o.id = 2`, `{"z":1.0,"id":2,"tags":["a"],"items":[{"sku":"x","n":1,"q":2}],"info":{"k":[]},"map":{"m":1},"item":{"sku":"y","n":2,"w":null},"é":"\u00e9"}`},
		{`o.tags[2] = 'b'`, `{"z":1.0,"id":1,"tags":["a","b"],"items":[{"sku":"x","n":1,"q":2}],"info":{"k":[]},"map":{"m":1},"item":{"sku":"y","n":2,"w":null},"é":"\u00e9"}`},
		{`o.items[1].n = 5`, `{"z":1.0,"id":1,"tags":["a"],"items":[{"sku":"x","n":5,"q":2}],"info":{"k":[]},"map":{"m":1},"item":{"sku":"y","n":2,"w":null},"é":"\u00e9"}`},
		{`o.info.k = nil`, `{"z":1.0,"id":1,"tags":["a"],"items":[{"sku":"x","n":1,"q":2}],"info":{},"map":{"m":1},"item":{"sku":"y","n":2,"w":null},"é":"\u00e9"}`},
		{`o.map.m = 2`, `{"z":1.0,"id":1,"tags":["a"],"items":[{"sku":"x","n":1,"q":2}],"info":{"k":[]},"map":{"m":2},"item":{"sku":"y","n":2,"w":null},"é":"\u00e9"}`},
		{`o.item.n = 3`, `{"z":1.0,"id":1,"tags":["a"],"items":[{"sku":"x","n":1,"q":2}],"info":{"k":[]},"map":{"m":1},"item":{"sku":"y","n":3,"w":null},"é":"\u00e9"}`},
		{`o.tags = nil o.items = nil o.info = nil o.map = nil`, `{"z":1.0,"id":1,"item":{"sku":"y","n":2,"w":null},"é":"\u00e9"}`},
		{`o.item = { sku='new', n=0 }`, `{"z":1.0,"id":1,"tags":["a"],"items":[{"sku":"x","n":1,"q":2}],"info":{"k":[]},"map":{"m":1},"item":{"sku":"new","n":0},"é":"\u00e9"}`},
	}
	for _, tt := range tests {
		o := b.decode(s, raw)
		b.L.SetGlobal("o", o.Self())
		if strings.HasSuffix(tt.change, "--") {
			tt.change = `local x = o.tags[1] .. o.items[1].sku .. #o.info.k .. o.map.m .. o.item.sku`
		}
		b.eval(tt.change)
		if got := b.encode(o); got != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.change, got, tt.want)
		}
		// A copy is written as the record is, and changes of it leave the record alone.
		b.eval(`c = o:derive{ id=99 } if c.tags then c.tags[1] = 'changed' end if c.item then c.item.n = 77 end`)
		if got := b.encode(o); got != tt.want {
			t.Errorf("%s: a change of a copy shows: %s", tt.change, got)
		}
	}
	o := b.decode(s, raw)
	b.L.SetGlobal("o", o.Self())
	b.eval(`o.tags[1] = 5`)
	if _, err := o.Append(nil); !strings.HasPrefix(text(err), "validation: not an Order: 'tags[1]' is the number 5, expected string") {
		t.Error(text(err))
	}
}

func TestDefaults(t *testing.T) {
	b := newBench(t)
	s := b.declare(`R = record('R', { n={ type='int', default=3, min=0, help='how many' }, tags={ type='[string]', default={} }, s={ type='string', default='x' } }) return R`)
	if got := fmt.Sprintf("%+v", s.Fields); got != `[{Name:n Type:int Default:3 Help:how many Required:false} {Name:tags Type:[string] Default:[] Help: Required:false} {Name:s Type:string Default:"x" Help: Required:false}]` {
		t.Error(got)
	}
	b.eval(`a, b = R{}, R{} a.tags[1] = 'only a' c = R{ n=9 } c.n = nil`)
	b.expect([][2]string{{`a`, `R{ n=3, tags={ "only a" }, s="x" }`}, {`b`, `R{ n=3, tags=[], s="x" }`}, {`c.n`, "3"}})
	for _, raw := range []string{`{}`, `{"n":null,"tags":null}`} {
		o := b.decode(s, raw)
		b.L.SetGlobal("o", o.Self())
		b.expect([][2]string{{`o`, `R{ n=3, tags=[], s="x" }`}, {`o == R{}`, "true"}})
		if got := b.encode(o); got != raw {
			t.Errorf("%s, read but not changed, is written as %s", raw, got)
		}
		b.eval(`o.tags[1] = 'x'`)
		if got := b.encode(o); !strings.Contains(got, `"tags":["x"]`) || strings.Contains(got, `"s"`) {
			t.Errorf("a changed default was written as %s", got)
		}
	}
}

func TestRecursiveRecord(t *testing.T) {
	b := newBench(t)
	s := b.declare(`Node = record('Node', { v='int', next='Node?', kids='[Node]?' }) return Node`)
	o := b.decode(s, `{"v":1,"next":{"v":2,"next":{"v":3}},"kids":[{"v":4,"kids":[]}]}`)
	b.L.SetGlobal("o", o.Self())
	b.expect([][2]string{{`o.next.next.v`, "3"}, {`o.kids[1]`, "Node{ v=4, kids=[] }"}})
	b.eval(`o.next.next.v = 33`)
	if got := b.encode(o); got != `{"v":1,"next":{"v":2,"next":{"v":33}},"kids":[{"v":4,"kids":[]}]}` {
		t.Error(got)
	}
	b.eval(`loop = Node{ v=1 } loop.next = loop loop.kids = { loop, loop } copy = loop:derive{} same = copy == loop text = tostring(loop)`)
	deep := strings.Repeat(`{"v":1,"next":`, 1000)
	if err := s.NewObject().Reset([]byte(deep)); !strings.Contains(text(err), "more than 256 deep") {
		t.Error(text(err))
	}
	_, err := b.try(`local t = { v=1 } t.next = t return Node(t)`)
	if !strings.Contains(text(err), "is more than 256 deep, or contains itself") {
		t.Error(text(err))
	}
}

// TestEscape shows that an object can be reused while what was read from it lives on, and that an escaped one owns its bytes.
func TestEscape(t *testing.T) {
	b := newBench(t)
	b.declare(`return record('Inner', { s='string' })`)
	s := b.declare(`return record('R', { s='string', inner='Inner', list='[string]' })`)
	buf := []byte(`{"s":"first","inner":{"s":"deep"},"list":["item"]}`)
	o := s.NewObject()
	if err := o.Reset(buf); err != nil {
		t.Fatal(err)
	}
	str, inner, list := o.Field(0), o.Field(1), o.Field(2)
	kept := s.NewObject()
	if err := kept.Reset(buf); err != nil {
		t.Fatal(err)
	}
	kept.Escape()
	for i := range buf {
		buf[i] = 'X'
	}
	if err := o.Reset([]byte(`{"s":"other","inner":{"s":"o"},"list":[]}`)); err != nil {
		t.Fatal(err)
	}
	if got := b.Inspect(str) + b.Inspect(inner) + b.Inspect(list) + b.Inspect(kept.Self()) + b.Inspect(o.Self()); got !=
		`"first"Inner{ s="deep" }{ "item" }R{ s="first", inner=Inner{ s="deep" }, list={ "item" } }R{ s="other", inner=Inner{ s="o" }, list=[] }` {
		t.Error(got)
	}
}

// TestShapeIsConstructor makes random literals both ways: straight to bytes, and with the constructor. Both must agree, errors included.
func TestShapeIsConstructor(t *testing.T) {
	rng := rand.New(rand.NewSource(int64(seed.Of(t))))
	b := newBench(t)
	b.declare(`return record('Inner', { n='int' })`)
	s := b.declare(`return record('R', { s='string', n='int?', f={ type='float', default=1.5, min=0 }, d='datetime?', dec='decimal?', b='bool?',
		raw='bytes?', any='any?', list='[int]?', map='{string:Inner}?', inner='Inner?', u='uuid?' })`)
	values := []string{`'text'`, `''`, `1`, `-1`, `1.5`, `2^60`, `int64 '9007199254740993'`, `decimal '0.10'`, `datetime '2026-01-02T03:04:05Z'`, `true`, `false`, `nil`,
		`null`, `{}`, `{ 1, 2 }`, `{ n=1 }`, `{ a={ n=1 } }`, `{ 1, x=2 }`, `{ 'x' }`, `0/0`, `'\255'`, `print`, `'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'`, `'2026-01-02T03:04:05Z'`}
	names := append(s.Names(), "unknown")
	good := 0
	for range 5000 {
		var used []string
		var vals []lua.LValue
		table := b.L.NewTable()
		for _, i := range rng.Perm(len(names))[:rng.Intn(4)] {
			if names[i] == "unknown" && rng.Intn(4) > 0 {
				continue
			}
			v := b.eval(`return ` + values[rng.Intn(len(values))])
			used, vals = append(used, names[i]), append(vals, v)
			table.RawSetString(names[i], v)
		}
		if rng.Intn(5) > 0 && table.RawGetString("s") == lua.LNil {
			table.RawSetString("s", lua.LString("s"))
			used, vals = append(used, "s"), append(vals, lua.LString("s"))
		}
		sh := s.Shape(used)
		if tableMissesUnknown(table, used) {
			continue // an unknown name with the value nil is not in the table at all
		}
		direct, errDirect := sh.AppendFields([]byte("x"), vals, From{})
		made, errMade := s.Make(table)
		row, errRow := sh.Make(vals)
		if text(errDirect) != text(errMade) || text(errRow) != text(errMade) {
			t.Fatalf("%s: errors differ:\n%s\n%s\n%s", b.Inspect(table), text(errDirect), text(errMade), text(errRow))
		}
		if errMade != nil {
			if string(direct) != "x" {
				t.Fatalf("%q is left behind by an error", direct)
			}
			continue
		}
		good++
		o, _ := ObjectOf(made)
		if want := "x" + b.encode(o); string(direct) != want || !b.equal(made, row, 0) {
			t.Fatalf("%s: %s, want %s", b.Inspect(table), direct, want)
		}
	}
	if good < 500 {
		t.Errorf("only %d literals were good", good)
	}
}

func tableMissesUnknown(t *lua.LTable, used []string) bool {
	for _, n := range used {
		if n == "unknown" && t.RawGetString(n) == lua.LNil {
			return true
		}
	}
	return false
}

// TestAllocations holds the record path to what it costs.
func TestAllocations(t *testing.T) {
	b := newBench(t)
	s := b.declare(withdrawal)
	o, raw := s.NewObject(), []byte(message)
	reset := func() {
		if err := o.Reset(raw); err != nil {
			t.Fatal(err)
		}
	}
	sh := s.Shape([]string{"user", "country", "amount"})
	vals := []lua.LValue{lua.LString("user_123"), lua.LString("country_3"), lua.LNumber(1234.56)}
	buf := make([]byte, 0, 256)
	c, err := b.Codec(s.Value(), "json")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		what string
		most float64
		f    func()
	}{
		{"scan into a reused object", 0, reset},
		{"scan and two fields", 0.1, func() { reset(); o.Field(1); o.Field(2) }},
		{"pass on unchanged", 0, func() {
			reset()
			if buf, err = o.Append(buf[:0]); err != nil {
				t.Fatal(err)
			}
		}},
		{"encode a literal", 0, func() {
			if buf, err = sh.AppendFields(buf[:0], vals, From{}); err != nil {
				t.Fatal(err)
			}
		}},
		{"a fresh record", 2, func() {
			if _, err := c.Decode(b.L, raw); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, tt := range tests {
		if got := testing.AllocsPerRun(1000, tt.f); got > tt.most {
			t.Errorf("%s: %v allocations, at most %v", tt.what, got, tt.most)
		}
	}
}
