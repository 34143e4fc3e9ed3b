package luabind_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand"
	"regexp"
	"strings"
	"testing"

	"faust/luabind"
	"faust/runtime/agent"
	"faust/runtime/topic"
	"faust/tests/seed"
)

var passScripts = flag.Int("pass.scripts", 60, "scripts of TestPassChangesNoMeaning, of 30 programs each")

// passPrelude is what the generated programs have in common. G and gout are globals, L and out locals that stay, R2 one that changes.
const passPrelude = `
local S = app.record('S', { x = 'int', y = 'string?' })
local L = app.record('L', { id = 'int', name = 'string', price = 'decimal?', big = 'int64?', ok = 'bool?', tags = '[string]?', sub = 'S?', any = 'any?', f = { type = 'float', default = 1.5 } })
G = app.record('G', { id = 'int', name = 'string?' })
local input, out, typed = app.topic('in', { value = L }), app.topic('out'), app.topic('typed', { value = L })
local ints = app.topic('ints', { key = 'int64', value = 'string' })
gout = app.topic('gout', { value = G })
local kt, kd, kf = app.table('kt', { default = 0 }), app.table('kd', { default = {} }), app.table('kf', { default = 0.5, value = 'float' })
local half, seven, plainly = app.table('half', { default = 0 }), 7, {}
local r2
local R2, kept, fns, cos = L, {}, {}, {}
local faux = { send = function(self, m) print('faux', inspect(m.key), inspect(m.value)) end }
local holder = { R = L, t = typed }
local K = L { id = 9, name = 'k', price = 3, big = 12, sub = { x = 3 }, tags = { 't' }, any = { k = 1 } }
local function two(x) return x, 'second' end
local function id(x) return x end
local function wait(x) time.sleep(0) return x end
local function boom() error('boom') end
local function swap() R2 = R2 == L and G or L return 'swapped' end
local function steady(f) return function(...) return (f(...):gsub('0x%x+', '0x')) end end -- an address as a key would be in another partition each time
local text, shown = steady(tostring), steady(inspect)
local function note(x) print('note', inspect(x)) return x end
local function dump() for i = math.max(1, #kept - 5), #kept do print('kept', inspect(kept[i])) end for i = math.max(1, #fns - 3), #fns do print('fn', inspect(fns[i]())) end end
local function try(f, ...)
	local r = { pcall(f, ...) }
	if r[1] then print('fine', inspect(r[2])) else print('caught', tostring(r[2]), type(r[2]) == 'table' or r[2].line, type(r[2]) == 'table' or r[2].traceback) end
end
`

var address = regexp.MustCompile("0x[0-9a-f]+")

// passGen writes programs.
type passGen struct {
	*rand.Rand
	b       strings.Builder
	depth   int
	vars    []string // what may hold a record
	inLoop  bool
	inEvent bool // in the body of an agent, not of a function in it
}

func (g *passGen) pick(list ...string) string { return list[g.Intn(len(list))] }

func (g *passGen) sep() {
	if g.Intn(3) == 0 {
		g.b.WriteString(" ")
	} else {
		g.b.WriteString("\n")
	}
}

func (g *passGen) emit(format string, values ...any) {
	fmt.Fprintf(&g.b, format, values...)
	g.sep()
}

func (g *passGen) v() string { return g.vars[g.Intn(len(g.vars))] }

func (g *passGen) field() string {
	if g.Intn(40) == 0 {
		return g.pick("nmae", "zzz", "derive", "sub.x", "tags.n.m")
	}
	return g.pick("id", "name", "price", "big", "ok", "tags", "sub", "any", "f", "id", "name")
}

func (g *passGen) expr(depth int) string {
	w := g.v()
	if depth > 2 {
		return g.pick("1", "'s'", "nil", "true", w+".id", w+".name")
	}
	switch g.Intn(24) {
	case 0, 1, 2, 3, 4:
		return w + "." + g.field()
	case 5:
		return w + g.pick("['id']", "[id 'name']", "['na' .. 'me']")
	case 6:
		return w
	case 7:
		return fmt.Sprintf("%s(%s)", g.pick("id", "two", "wait", "note", "shown", "text", "type"), g.expr(depth+1))
	case 8:
		return fmt.Sprintf("(%s.id + %s.id)", w, g.v())
	case 9:
		return fmt.Sprintf("(%s.name .. %s)", w, g.pick("'x'", g.v()+".name", g.v()+".id"))
	case 10:
		return fmt.Sprintf("(%s %s %s)", g.expr(depth+1), g.pick("and", "or", "=="), g.expr(depth+1))
	case 11:
		return w + ":derive{ id = " + g.expr(depth+1) + " }"
	case 12:
		return w + ".name:upper()"
	case 13:
		return g.pick("#"+w+".name", "-"+w+".id", "not "+w+".ok", "not "+w)
	case 14:
		return g.literal(depth)
	case 15:
		return "{ " + g.expr(depth+1) + ", k = " + g.expr(depth+1) + " }"
	case 16:
		return fmt.Sprintf("id(function(...) return %s end)()", g.expr(depth+1))
	case 17:
		return w + g.pick(".sub.x", ".tags[1]", ".any.k", ".sub.y")
	case 18:
		return g.pick("null", "nil", "false", "2^60", "0/0", "1.5", "'12'", "K.price", "K.big", "undefinedname", "sned", "...")
	case 19:
		return g.pick("swap()", "boom()", "two(1)", "note(2)", "R2", "L")
	default:
		return g.pick("1", "2", "'a'", "'b\\255'", "true", w+".id", w+".name")
	}
}

// literal writes a record literal, right more often than not.
func (g *passGen) literal(depth int) string {
	typ := g.pick("L", "L", "L", "L", "G", "R2", "holder.R", "id", "S", "nothing")
	var fields []string
	add := func(name, usual string) {
		v := usual
		if g.Intn(5) == 0 {
			v = g.expr(depth + 1)
		}
		fields = append(fields, name+g.pick(" = ", " = ", "\n= ")+v)
	}
	w := g.v()
	add("id", g.pick("1", w+".id", w+".id + 1", "two(3)"))
	add("name", g.pick("'n'", w+".name", w+".name .. 'x'", "note('m')"))
	for _, extra := range []string{"price", "big", "ok", "tags", "sub", "any", "f"} {
		if typ != "G" && g.Intn(5) == 0 {
			add(extra, w+"."+extra)
		}
	}
	if g.Intn(6) == 0 {
		fields = append(fields, g.pick("sub = S { x = "+w+".id }", "sub = { x = 1, y = 2 }", "tags = { 'a', "+w+".name }", "zzz = nil", "zzz = 1", "['id'] = 2", "7",
			"['n' .. 'ame'] = 1", "big = K.big", "tags = {1}"))
	}
	if g.Intn(12) == 0 {
		fields = fields[1:]
	}
	g.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	return typ + " { " + strings.Join(fields, g.pick(", ", ",\n", "; ")) + " }"
}

func (g *passGen) send() string {
	t := g.pick("typed", "typed", "typed", "out", "out", "gout", "ints", "faux", "holder.t", "nothing", "outt", g.v())
	value := g.expr(1)
	switch g.Intn(6) {
	case 0, 1, 2:
		value = g.literal(1)
	case 3, 4:
		value = g.v()
	}
	key := g.pick("'k'", "nil", "null", g.v()+".name", g.v()+".name", g.v()+".name", g.v()+".id", g.expr(1))
	fields := []string{"key = " + key, "value = " + value}
	if g.Intn(4) == 0 {
		fields[0], fields[1] = fields[1], fields[0]
	}
	switch g.Intn(24) {
	case 0:
		fields = fields[:1]
	case 1:
		fields = append(fields, g.pick("headers = { a = 'b' }", "partition = 1", "vaule = 1", "key = 3", "7"))
	case 2:
		fields = nil
	}
	return t + ":send { " + strings.Join(fields, g.pick(", ", ",\n")) + " }"
}

func (g *passGen) block(n int) {
	g.depth++
	vars := len(g.vars)
	for range 1 + g.Intn(n) {
		g.stmt()
	}
	g.vars = g.vars[:vars]
	g.depth--
}

func (g *passGen) function(head, tail string) {
	loop, event := g.inLoop, g.inEvent
	g.inLoop, g.inEvent = false, false
	g.emit("%s", head)
	g.block(3)
	g.emit("%s", tail)
	g.inLoop, g.inEvent = loop, event
}

func (g *passGen) stmt() {
	if g.depth > 4 {
		g.emit("print(inspect(%s))", g.expr(0))
		return
	}
	w := g.v()
	switch g.Intn(42) {
	case 0, 1, 2, 3:
		g.emit("print(inspect(%s), inspect(%s))", g.expr(0), g.expr(0))
	case 4, 5, 6, 7, 8, 9:
		g.emit("%s", g.send())
	case 10:
		g.emit("kept[#kept + 1] = %s", g.pick(w, w, g.expr(0)))
	case 11:
		g.emit("fns[#fns + 1] = function(...) return %s end", g.pick(w, w+".id", g.expr(0)))
	case 12:
		name := g.pick("x", "y", "z", "w")
		g.emit("local %s = %s", name, g.expr(0))
		if g.Intn(3) == 0 {
			g.vars = append(g.vars, name)
		}
	case 13:
		g.emit("local r, q = %s, %s", g.literal(0), g.pick(g.literal(0), g.expr(0)))
		g.vars = append(g.vars, "r")
	case 14:
		g.emit("%s%s = %s", w, g.pick(".id", ".name", "", ".sub.x", ".zzz", "['id']"), g.expr(0))
	case 15, 16:
		g.emit("if %s then", g.pick(w+".id == "+g.expr(0), w+".ok", g.expr(0), "true", "false", "nil", "not nil", "nil or "+w+".ok"))
		g.block(3)
		if g.Intn(2) == 0 {
			g.emit("else")
			g.block(2)
		}
		g.emit("end")
	case 17:
		loop := g.inLoop
		g.inLoop = true
		g.emit("for i = 1, %s do do", g.pick("2", "2", w+".sub.x"))
		g.block(2)
		g.emit("end ::continue:: end")
		g.inLoop = loop
	case 18:
		g.function("try(function(...)", "end, "+w+")")
	case 19:
		g.function("spawn(function(...)", "end):join()")
	case 20:
		g.function("coroutine.wrap(function(...)", "coroutine.yield("+g.expr(0)+") end)()")
	case 21:
		g.function("parallel { function(...)", "end }")
	case 22:
		if g.inLoop {
			g.emit("if %s then %s end", g.pick(w+".ok", w+".id == 2", w+".name", "true", "not "+w+".ok"), g.pick("break", "goto continue", "local x = 1 fns[#fns + 1] = function() return x, "+w+" end break"))
		}
	case 23:
		g.emit("dump()")
	case 24:
		if g.inEvent {
			g.loop()
		}
	case 25:
		g.emit("print(inspect(stream:event().value), stream:event().value == %s)", w)
	case 26:
		g.emit("stream:yield(%s)", g.pick(w, g.expr(0)))
	case 27:
		g.emit("print(debug.traceback(%s))", g.expr(1))
	case 28:
		g.emit("r2 = R2 R2 = %s R2 = r2", g.pick("L", "G", g.expr(1)))
	case 29:
		g.emit("local function look(x, ...) return x.id, %s end print(look(%s))", w, g.v())
	case 30:
		g.emit("cos[#cos + 1] = coroutine.wrap(function(a, ...) while true do a = coroutine.yield(%s) end end) print(inspect(cos[#cos](%s)), #cos > 1 and inspect(cos[#cos - 1](1)))", g.pick("a", w), w)
	case 31:
		g.emit("do if %s then return %s end end", g.pick(w+".id == 3", w+".ok"), g.pick("", w))
	case 32, 33, 34, 35, 36:
		g.sum(w, "["+g.expr(1)+"]", g.expr(1), "two(1)")
	case 37:
		t := g.pick("kt", "kd", "kf", "half")
		g.emit("print(#%s) for k, v in pairs(%s) do print(k, inspect(v)) %s end", t, t, g.pick("", t+"[k] = nil", "if "+w+".ok then "+t+"[k] = v end"))
	case 38:
		g.emit("%s[%s] = %s", g.pick("kt", "kd", "kf", "half"), g.pick("'a'", "'b'", w+".name"), g.pick("nil", "1", "0/0", "'text'", g.expr(0)))
	case 39:
		g.emit("%s%s = %s", g.pick("kd.a", "kd.b", "kd["+w+".name]"), g.pick(".x", ".list", "[1]"), g.expr(0))
	case 40:
		g.emit("print(inspect(%s))", g.pick("kt.a", "kd.a", "kd["+w+".name]", "kt:add('a', "+g.expr(1)+")", "kt:get('b')", "kd:update('a', function(v) v.n = "+w+".id return v end)", "kt:has("+w+".name)", "half["+w+".name]"))
	default:
		g.emit("print(%s)", g.expr(0))
	}
}

// sum adds to a table, mostly; odd is a key, and odds are what is added, that are not often there.
func (g *passGen) sum(w, odd string, odds ...string) {
	t := g.pick("kt", "kt", "kt", "kf", "half", "kd", "plainly", "nothing", w)
	k := g.pick("."+g.pick("a", "b", "keys"), "["+w+".name]", "["+w+".name]", "["+w+".id]", "[x]", "['a']", odd)
	other := t + k
	if g.Intn(10) == 0 {
		other = g.pick("kt.a", "kf"+k, w+".id")
	}
	g.emit("%s%s = %s %s %s", t, k, other, g.pick("+", "+", "+", "+", "-", ".."), g.pick(append(odds, "1", "seven", w+".id", w+".id", w+".f", w+".price", w+".zzz")...))
}

// sums is a body that only reads the record.
func (g *passGen) sums(w string) {
	g.emit("kt.a, kf.a = kt.a, kf.a") // the first use of a table is never short
	for range 1 + g.Intn(7) {
		switch g.Intn(8) {
		case 0:
			g.emit("print(%s.id, inspect(%s.%s))", w, w, g.field())
		case 1:
			g.emit("if %s.id %% 2 == 0 then", w)
			g.sum(w, "["+w+".sub.y]", w+".sub.x")
			g.emit("end")
		case 2:
			g.emit("print(pcall(function() %s = %s + 1 end))", "kt.a", "kt.a")
		default:
			g.sum(w, "["+w+".name:upper()]", w+".big", "-1.5")
		}
	}
}

func (g *passGen) loop() {
	v := g.pick("w", "w", "w", "v", "x")
	loop, vars := g.inLoop, len(g.vars)
	g.inLoop = true
	g.vars = append(g.vars, v, v, v)
	from := g.pick("stream", "stream", "stream", "stream", "s2", "stream:filter(function(x) return x.id ~= 4 end)", "strm")
	if g.depth == 0 && from == "strm" {
		from = "stream" // who never reads gets nowhere
	}
	if from == "s2" {
		g.emit("local s2 = stream%s", g.pick("", ":map(function(x) return x end)", ":items()"))
	}
	g.emit("for %s in %s do do", v, from)
	if g.Intn(4) == 0 {
		g.sums(v)
	} else {
		g.block(6)
	}
	g.emit("end ::continue:: end")
	g.inLoop, g.vars = loop, g.vars[:vars]
}

func (g *passGen) program(n int) {
	g.emit("app.agent('a%d', input, { on_error = 'skip', sinks = { out } }, function(stream, ...)", n)
	g.vars, g.depth, g.inEvent = []string{"K"}, 0, true
	g.loop()
	if g.Intn(4) == 0 {
		g.emit("dump() print(%s)", g.expr(0))
	}
	g.emit("end)")
}

// passRecords are what the programs read; the last one cannot be decoded and shows the end.
func passRecords() []topic.Record {
	out := json(`{"id":1,"name":"one","price":"1.50","big":9007199254740993,"ok":true,"tags":["a","b"],"sub":{"x":1,"y":"why"},"any":{"k":[1,null]},"more":[1]}`,
		`{"id":2,"name":"two","ok":false,"tags":[],"sub":{"x":2},"f":0.25}`, `{"id":"bad","name":"x"}`, `{"id":3,"name":"three","price":"3","any":null,"f":null}`, "",
		`{"id":4,"name":"four","any":"text"}`, `{"name":"five","id":5,"ok":true,"sub":{"x":-5,"y":"s"}}`, `{"id":6,"name":"`+strings.Repeat("long ", 20)+`"}`, `the end`)
	out[4].Value = nil
	return out
}

// passRun runs every agent of a script and tells what each did.
func passRun(t *testing.T, path string, count int, plain bool) []string {
	t.Helper()
	s := &script{host: newHost(t), out: &bytes.Buffer{}, t: t}
	loaded, err := luabind.Load(path, luabind.Config{Stdout: s.out, NoPass: plain})
	if err != nil {
		return []string{render(err)}
	}
	defer loaded.Close()
	s.Script = loaded
	loaded.App.Attach(s.host)
	s.state.counts["half"] = 2
	var all []string
	for i := range count {
		s.out.Reset()
		s.sent, s.settled, s.failed, s.errs, s.left = nil, nil, nil, nil, 0
		records := passRecords()
		deliver, drain := s.agent(fmt.Sprintf("a%d", i))
		deliver(records...)
		last := fmt.Sprintf("%d ", len(records)-1)
		s.until(fmt.Sprintf("the end of a%d", i), func() bool {
			n := len(s.failed)
			return n > 0 && strings.HasPrefix(s.failed[n-1], last)
		})
		if err := drain(); err != nil {
			all = append(all, err.Error())
			continue
		}
		text := "printed:\n" + s.out.String() + "\nsent:\n" + strings.Join(values(s.sent), "\n") + "\nsettled:\n" + strings.Join(values(s.settled), "\n") + "\nfailed:\n"
		for j, f := range s.failed {
			text += f + "\n" + render(s.errs[j]) + "\n"
		}
		for _, name := range []string{"kt", "kd", "kf", "half"} {
			text += name + ":\n" + strings.Join(s.content(name), "\n") + "\n"
		}
		all = append(all, address.ReplaceAllString(text, "0x"))
	}
	s.cancel()
	s.tasks.Wait()
	return all
}

// TestPassChangesNoMeaning runs random programs as written and rewritten, on the same records.
func TestPassChangesNoMeaning(t *testing.T) {
	if plain {
		t.Skip("it runs both ways itself")
	}
	t.Parallel()
	base := seed.Of(t)
	for i := range uint64(*passScripts) {
		t.Run(fmt.Sprint(base+i), func(t *testing.T) {
			seed.Again(t, base+i)
			passScript(t, base+i, testing.Verbose() && i == 0)
		})
	}
}

// passScript compares what the programs of one script do.
func passScript(t *testing.T, seed uint64, show bool) {
	const perScript = 30
	g := &passGen{Rand: rand.New(rand.NewSource(int64(seed)))}
	g.b.WriteString(passPrelude)
	starts := []int{}
	for n := range perScript {
		starts = append(starts, g.b.Len())
		g.program(n)
	}
	src := g.b.String()
	path := write(t, src)
	want, got := passRun(t, path, perScript, true), passRun(t, path, perScript, false)
	if len(want) != perScript {
		t.Fatal(want)
	}
	for n := range max(len(want), len(got)) {
		if show {
			t.Log(want[n])
		}
		if n < min(len(want), len(got)) && want[n] == got[n] {
			continue
		}
		program := src
		if n < len(starts)-1 {
			program = src[starts[n]:starts[n+1]]
		}
		t.Fatalf("program %d:\n%s\n%s", n, program, difference(at(want, n), at(got, n)))
	}
}

func at(list []string, n int) string {
	if n < len(list) {
		return list[n]
	}
	return ""
}

// difference shows the first lines in which two texts differ.
func difference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(a), len(b)) {
		if at(a, i) != at(b, i) {
			lo := max(0, i-6)
			return "as written:\n" + strings.Join(a[min(lo, len(a)):min(i+12, len(a))], "\n") + "\nrewritten:\n" + strings.Join(b[min(lo, len(b)):min(i+12, len(b))], "\n")
		}
	}
	return "equal"
}

var _ agent.Sender = sender{}
