package console_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"faust/luabind"
	"faust/luabind/fault"
	"faust/runtime/control"
)

const shop = `-- A shop.
app.configure { id = 'shop' }
local Order = app.record('Order', { id = 'string', amount = 'float', tags = { type = '[string]?', help = 'what it is about' } })
local orders = app.topic('orders', { key = 'string', value = Order, help = 'What was bought.' })
local seen = app.topic('seen-today')
local counter = app.agent('counter', orders, { sinks = { seen } }, function(stream)
  for order in stream do stream:yield(order.id) end
end)
local function place(n)
  for i = 1, n do orders:send { key = 'k', value = Order { id = 'o' .. i, amount = i } } end
end
app.command('produce', function() place(10) end)

-- Adds two numbers.
-- That is all.
function add(a, b, ...)
  return a + b
end
total = 5
shared = { list = { 1, 2, 3 }, name = 'x' }
function spin() while true do end end
function broken() local nothing; return nothing.field end
function bump() total = total + 1 return total end
function tell() print 'told' end
local totals = app.table('totals', { default = 0, help = 'What was paid.' })
`

// open loads a script and opens a session of its console.
func open(t *testing.T, cfg luabind.Config, limit time.Duration, who string) (control.Session, *luabind.Script) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "app.lua"), []byte(shop), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	s, err := luabind.Load("app.lua", cfg)
	if err != nil {
		t.Fatal(err)
	}
	session := s.Console(limit, nil).Open(who)
	t.Cleanup(func() { session.Close(); s.Close() })
	return session, s
}

// eval runs an input and gives what it printed and showed.
func eval(t *testing.T, s control.Session, text string) string {
	t.Helper()
	return evalAs(t, s, control.Input{Text: text})
}

func evalAs(t *testing.T, s control.Session, in control.Input) string {
	t.Helper()
	var out bytes.Buffer
	r := s.Eval(t.Context(), in, &out)
	if r.Incomplete {
		return "incomplete"
	}
	return out.String() + r.Text
}

// talk goes through inputs and what comes of them, in one session. An expected text that ends in … need only begin so.
func talk(t *testing.T, s control.Session, lines ...string) {
	t.Helper()
	for i := 0; i < len(lines); i += 2 {
		got, want := eval(t, s, lines[i]), lines[i+1]
		begin, open := strings.CutSuffix(want, "…")
		if got != want && !(open && strings.HasPrefix(got, begin)) {
			t.Errorf(">> %s\n%s\nwant\n%s", lines[i], got, want)
		}
	}
}

// What a console shows and prints has no secret in it, even where the line got hold of the text.
func TestSecretsInConsole(t *testing.T) {
	hidden := &fault.Secrets{}
	s, _ := open(t, luabind.Config{Secrets: map[string]string{"KEY": "k-12345"}, Hidden: hidden}, 0, "")
	talk(t, s,
		"key = env.secret 'KEY'", "",
		"key", "***",
		"{ key = key }", "{ key=*** }",
		"'Bearer ' .. key", "Bearer ***",
		"('k-%d'):format(12345)", `"***"`,
		"print(('k-%d'):format(12345))", "***\n",
		"error(('k-%d'):format(12345), 0)", "error: ***…",
	)
	for _, form := range []string{"json", "table", "lua", "csv"} {
		for _, text := range []string{"key", "{ { key = key } }", "{ { key = 'k-' .. '12345' } }"} {
			if got := evalAs(t, s, control.Input{Text: text, Form: form}); strings.Contains(got, "12345") {
				t.Errorf("%s as %s: %s", text, form, got)
			}
		}
	}
}

func TestVariables(t *testing.T) {
	s, script := open(t, luabind.Config{}, 0, "")
	talk(t, s,
		"1 + 1", "2",
		"_ * 10", "20",
		"_1, _2", "20, 2",
		"local x = 5", "",
		"x", "5",
		"local function twice(n) return 2 * n end", "",
		"twice(x), 'a'", `10, "a"`,
		"local a, b, a = 1, 2, 3", "",
		"a, b", "3, 2",
		"local none", "",
		"none", "nil",
		"x = nil", "",
		"x", "nil",
		"for i = 1, 2 do\n  y = i\nend\ny", "2",
		"total = 100; return bump()", "6",
		"total", "100",
		"function global() fresh = 1 end global() return fresh", "1",
		"load 'loaded = 7'() return loaded", "7",
		"orders", "<topic orders>",
		"counter", "<agent counter>",
		"Order { id = 'x', amount = 1 }", `Order{ id="x", amount=1 }`,
		"totals", "<table totals>",
		"app.tables", "{ totals=<table totals> }",
		"app.topics", `{ orders=<topic orders>, ["seen-today"]=<topic seen-today> }`,
		"nothing()", "error: 'nothing' is not defined\n…",
		"ordres", "error: 'ordres' is not defined\n   = hint: did you mean 'orders'?",
		"twce(1)", "error: 'twce' is not defined…",
		"_err", "console[27]:1: 'twce' is not defined",
		":who", "a       3\nb       2\nfresh   1\nglobal  <function console[17]:1>\nloaded  7\nnone    nil\ntotal   100\ntwice   <function console[6]:1>\nx       nil\ny       2",
		"print(1, nil, 'a')", "1\tnil\ta\n",
		"io.write('a', 1) io.stdout:write('b')", "a1b",
		"say 'hello'", "hello\n",
		"pp({ 1 }); 5", "{ 1 }\n5",
		"confirm 'sure?'", "error: confirm cannot ask in a console…",
		"pcall(error, 'x')", `false, "x"`,
	)
	_ = script
}

func TestErrors(t *testing.T) {
	s, _ := open(t, luabind.Config{}, 0, "")
	talk(t, s,
		"add(1)", `error: cannot add: 'b' is nil
  --> app.lua:17:14
   |
16 | function add(a, b, ...)
17 |   return a + b
   |              ^
   |
   defined  app.lua:16  function add(a, b, ...)

  in function 'add'  app.lua:17
  in main chunk      console[1]:1`,
		"local t = {}\nt.a.b = 1", `error: cannot set 'b': t.a is nil
  --> console[2]:2:1
   |
 1 | local t = {}
 2 | t.a.b = 1
   | ^^^`,
		"1 + #nil", `error: cannot take the length: the value is nil
  --> console[3]:1:6
   |
 1 | 1 + #nil
   |      ^^^`,
		"x = 1\nx + {}", `error: cannot add: one side is a table
  --> console[4]:2:5
   |
 1 | x = 1
 2 | x + {}
   |     ^^`,
		"function later() return undefined_thing end", "",
		"later()", `error: 'undefined_thing' is not defined
  --> console[5]:1:25
   |
 1 | function later() return undefined_thing end
   |                         ^^^^^^^^^^^^^^^ not defined anywhere…`,
		"1 + + 2", `error: '+' is not an operator of Lua…`,
		":nonsense", "error: unknown command ':nonsense'",
	)
	for text, endless := range map[string]bool{"for i = 1, 2 do": true, "f(": true, "orders?": false, ":time f(": true, ":who": false, "print 'x'": false, "x y": false} {
		if r := s.Eval(t.Context(), control.Input{Text: text, Check: true}, nil); r != (control.Result{Incomplete: endless}) {
			t.Errorf("check of %s: %+v", text, r)
		}
	}
	r := s.Eval(t.Context(), control.Input{Text: "for i = 1, 2 do", Last: true}, &bytes.Buffer{})
	if !r.Failed || !strings.Contains(r.Text, "is never closed") {
		t.Errorf("an input that ends too early at the end: %+v", r)
	}
}

func TestForms(t *testing.T) {
	s, _ := open(t, luabind.Config{}, 0, "")
	talk(t, s,
		"local many = {} for i = 1, 362 do many[i] = i end", "",
		"local list = {} for i = 1, 3 do list[i] = Order { id = 'o' .. i, amount = i * 1.5 } end", "",
		"list", "id  amount  tags\no1     1.5\no2       3\no3     4.5",
		"{ { a = 1, b = 'x' }, { a = 22, c = true } }", " a  b  c\n 1  x\n22     true",
		"{ { 1 }, { 2 } }", "{ { 1 }, { 2 } }",
		"local loop = {} loop.self = loop", "",
		"loop", "{ self={ … the table itself } }",
		"setmetatable({ 1 }, { __index = {} })", "{ 1, <metatable>={ __index } }",
	)
	if got := eval(t, s, "many"); !strings.Contains(got, "  50,\n  … 312 more, :all\n}") {
		t.Errorf("a long list: %s", got)
	}
	if got := evalAs(t, s, control.Input{Text: "many", All: true}); !strings.Contains(got, "362") || strings.Contains(got, "more") {
		t.Errorf("all of a long list: %s", got)
	}
	if got := eval(t, s, "('x'):rep(5000)"); len(got) > 1100 || !strings.HasSuffix(got, "(5000 bytes)") {
		t.Errorf("a long string: %s", got)
	}
	for _, c := range []struct{ form, text, want string }{
		{"json", "list[1]", `{"id":"o1","amount":1.5}`},
		{"json", "1, 'a'", "1\n\"a\""},
		{"json", "print", "error: not JSON: 'value' is a function…"},
		{"lua", "{ a = list[1], t = time.parse '2026-11-25T10:00:00Z', n = null, f = 0.1 + 0.2 }", "{\n  a = Order{ id=\"o1\", amount=1.5 },\n  f = 0.30000000000000004,\n  n = null,\n  t = time.parse \"2026-11-25T10:00:00Z\",\n}"},
		{"csv", "list", "id,amount,tags\no1,1.5,\no2,3,\no3,4.5,"},
		{"csv", "{ 'a,b', { 1, 2 } }", "#,value\n1,\"a,b\"\n2,\"[1,2]\""},
		{"table", "{ b = 2, a = 'x' }", "key  value\na    x\nb    2"},
		{"table", "list[1]", "field   value\nid      o1\namount  1.5\ntags"},
		{"table", "5", "value\n    5"},
		{"csv", "{ { a = 1 }, 'x' }", "#,value\n1,\"{\"\"a\"\":1}\"\n2,x"},
		{"table", "{}", "key  value"},
		{"table", "{ { name = ('x'):rep(60), n = 1 } }", "n  name\n1  xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…"},
	} {
		got := evalAs(t, s, control.Input{Text: c.text, Form: c.form, Width: 40})
		begin, open := strings.CutSuffix(c.want, "…")
		if got != c.want && !(open && strings.HasPrefix(got, begin)) {
			t.Errorf(":%s %s\n%s\nwant\n%s", c.form, c.text, got, c.want)
		}
	}
	wide := "{ { a = 'some longer text', b = 'some longer text', c = 'x' }, { a = '', b = '', c = '' } }"
	if got := evalAs(t, s, control.Input{Text: wide, Width: 30}); !strings.HasPrefix(got, "{\n") {
		t.Errorf("a table that is too wide is drawn as one:\n%s", got)
	}
	got := evalAs(t, s, control.Input{Text: wide, Form: "table", Width: 14})
	if got != "a       b\nsome …  some …\n\nnot shown: c" {
		t.Errorf("a table on a narrow screen:\n%s", got)
	}
}

func TestAbout(t *testing.T) {
	s, _ := open(t, luabind.Config{}, 0, "")
	talk(t, s,
		"orders?", "topic orders\n  key         string\n  value       Order\n  partitions  8\n  help        What was bought.\n"+
			"  read by     agent counter\n  written by  command produce\n  defined     app.lua:4\n  methods     send group_by\n  fields      name",
		"totals?", "table totals\n  key        string\n  value      json\n  default    0\n  changelog  shop-totals-changelog\n  help       What was paid.\n  defined    app.lua:25\n  methods    add update get has keys everywhere tumbling hopping on_close on_late now delta windows",
		"app.topics['seen-today']?", "topic seen-today\n  key         string\n  value       json\n  partitions  8\n  written by  agent counter\n  defined     app.lua:5\n…",
		"counter?", "agent counter\n  reads         orders\n…",
		"Order?", "record Order\n  id       string\n  amount   float\n  tags     [string]? what it is about\n  defined  app.lua:3",
		"add ?", "function add(a, b, ...)\n  Adds two numbers.\n  That is all.\n  defined  app.lua:16",
		"add??", "-- app.lua:16\nfunction add(a, b, ...)\n  return a + b\nend",
		"counter??", "-- app.lua:6\nlocal counter = app.agent('counter', orders, { sinks = { seen } }, function(stream)\n"+
			"  for order in stream do stream:yield(order.id) end\nend)",
		"orders??", "-- app.lua:4\nlocal orders = app.topic('orders'…",
		"app.topic?", "app.topic(name, [{ options }]) -> topic\n…",
		"orders:send?", "topic:send { key=, value=, headers=, partition=, timestamp= } -> message\n…",
		"json.encode?", "json.encode(…",
		"print?", "print(...)\n…",
		"print??", "error: print is built in: it has no source",
		"app.topics.ordrs?", "error: app.topics has no 'ordrs'\n   = hint: did you mean 'orders'?",
		"ordrs?", "error: 'ordrs' is not defined\n   = hint: did you mean 'orders'?",
		"shared?", "table shared  2 entries\n  { list={ 1, 2, 3 }, name=\"x\" }",
		"shared.list?", "table shared.list  a list of 3\n  { 1, 2, 3 }",
		"total?", "number  5",
		"local mine = function(a) return a end", "",
		"mine??", "-- console[1]:1\nlocal mine = function(a) return a end",
		"'what?'", `"what?"`,
	)
}

func TestComplete(t *testing.T) {
	s, _ := open(t, luabind.Config{}, 0, "")
	talk(t, s, "local order = Order { id = 'a', amount = 1 }", "", "local text = 'a'", "", "effects = setmetatable({}, { __index = function() read = true end })", "")
	for text, want := range map[string]string{
		"ord":                            "order orders",
		"sha":                            "shared",
		"total + sha":                    "shared",
		"shared.":                        "list name",
		"shared.list.":                   "",
		"order.":                         "amount derive id tags",
		"order:":                         "derive",
		"orders:":                        "group_by send",
		"orders.":                        "group_by name send",
		"app.top":                        "topic topics",
		"app.topics.o":                   "orders",
		"totals:":                        "add delta everywhere get has hopping keys now on_close on_late tumbling update windows",
		"app.tables.":                    "totals",
		"app.topics['":                   "orders'] seen-today']",
		`app.topics["seen`:               `seen-today"]`,
		"app.agents.":                    "counter",
		"json.en":                        "encode",
		"text:up":                        "upper",
		"orders:send { ":                 "headers =  key =  partition =  timestamp =  value = ",
		"orders:send { key = 'a', va":    "value = ",
		"orders:send { value = { ":       "amount =  id =  tags = ",
		"Order { id = 'x', ":             "amount =  tags = ",
		"counter:ask({ ":                 "amount =  id =  tags = ",
		"app.topic('x', { pa":            "package pairs parallel partitioner =  partitions = ",
		"app.topic('x', { partitioner":   "partitioner = ",
		"app.on('":                       "partitions_assigned' partitions_revoked' produce_error'",
		"app.on('prod":                   "produce_error'",
		"effects.":                       "",
		"-- ord":                         "",
		"'ord":                           "",
		"[[ ord":                         "",
		"12":                             "",
		"f().":                           "",
		"'a' .. ord":                     "order orders",
		"local zebra = 1; zeb":           "zebra",
		"function(zulu, zebra) return z": "zebra zulu",
		"whi":                            "while",
		"_":                              "_G _VERSION",
	} {
		var got []string
		c := s.Complete(t.Context(), text)
		for _, x := range c.Candidates {
			got = append(got, x.Text)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if got := eval(t, s, "read"); !strings.Contains(got, "not defined") {
		t.Error("completing ran code of the script")
	}
	for text, want := range map[string]string{
		"add(1, ":              "add(a, b, ...)",
		"orders:send { key":    "topic:send { key=, value=, headers=, partition=, timestamp= } -> message",
		"print(add(1, 2), ":    "print(...)",
		"Order { ":             "Order { id string, amount float, tags [string]? }",
		"if (1 + ":             "",
		"json.encode({ a = (1": "json.encode(value, [{ indent= }]) -> string",
	} {
		got := s.Complete(t.Context(), text).Signature
		if got != want {
			t.Errorf("%s: signature %q, want %q", text, got, want)
		}
	}
}

// A line that waits lets others run, and ends at once when it is told to.
func TestWaiting(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "app.lua")
	if err := os.WriteFile(file, []byte("ticks = 0"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s, err := luabind.Load(file, luabind.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		one, two := s.Console(200*time.Millisecond, nil).Open("anna"), s.Console(0, nil).Open("")
		ctx, cancel := context.WithCancel(t.Context())
		var done atomic.Pointer[control.Result]
		var out bytes.Buffer
		go func() {
			r := one.Eval(ctx, control.Input{Text: "print 'begun' time.sleep '1h'"}, &out)
			done.Store(&r)
		}()
		synctest.Wait()
		if out.String() != "begun\n" || done.Load() != nil {
			t.Errorf("printed %q, done %v", &out, done.Load())
		}
		states := s.VM.Tasks()
		if len(states) != 1 || states[0].Name != "console of anna" || states[0].What != "time.sleep 1h0m0s" {
			t.Errorf("tasks %+v", states)
		}
		if got := evalAs(t, two, control.Input{Text: "ticks"}); got != "0" {
			t.Errorf("meanwhile: %s", got)
		}
		cancel()
		synctest.Wait()
		if r := done.Load(); r == nil || !r.Stopped || r.Text != "error: stopped" {
			t.Errorf("after the end of ctx: %+v", r)
		}
		done.Store(nil)
		go func() {
			r := one.Eval(t.Context(), control.Input{Text: "time.sleep '1h'"}, &out)
			done.Store(&r)
		}()
		synctest.Wait()
		one.Close()
		synctest.Wait()
		if r := done.Load(); r == nil || !r.Stopped {
			t.Errorf("after Close: %+v", r)
		}
		two.Close()
	})
}

// A line that never waits is stopped, whatever it is doing, and the machine goes on.
func TestRunaway(t *testing.T) {
	s, script := open(t, luabind.Config{}, 50*time.Millisecond, "")
	for _, text := range []string{
		"while true do end",
		"spin()",
		"while true do pcall(spin) end",
		"while true do xpcall(spin, function() spin() end) end",
		"coroutine.wrap(spin)()",
		"local s = ('a'):rep(30000) while true do string.find(s, ('a?'):rep(30) .. 'b') end",
		"while true do ('x'):rep(1000000) end",
		"table.sort({ 1, 2, 3, 4, 5 }, function() spin() end)",
		"pp(setmetatable({}, { __tostring = spin })); tostring(setmetatable({}, { __tostring = spin }))",
	} {
		var out bytes.Buffer
		r := s.Eval(t.Context(), control.Input{Text: text}, &out)
		if !r.Stopped || !r.Failed || !strings.HasPrefix(r.Text, "error: stopped: it held the machine for 50ms without waiting") {
			t.Errorf("%s: %+v", text, r)
		}
		got := eval(t, s, "1 + 1")
		for strings.HasPrefix(got, "error: stopped") { // the computer did something else for that long
			got = eval(t, s, "1 + 1")
		}
		if got != "2" {
			t.Errorf("after %s: %s", text, got)
		}
	}
	if states := script.VM.Tasks(); len(states) != 0 {
		t.Errorf("tasks are left: %+v", states)
	}
}

// What app functions print goes where the app prints, what the line prints to the console.
func TestOutput(t *testing.T) {
	var stdout, log bytes.Buffer
	s, _ := open(t, luabind.Config{Stdout: &stdout, Log: slog.New(slog.NewTextHandler(&log, nil))}, 0, "anna@desk")
	talk(t, s, "print 'mine' tell()", "mine\n", "late = function() print 'late' end", "", "late()", "late\n")
	if stdout.String() != "told\n" {
		t.Errorf("the app printed %q", &stdout)
	}
	if got := log.String(); strings.Count(got, "msg=console who=anna@desk line=") != 3 || !strings.Contains(got, `line="print 'mine' tell()"`) {
		t.Errorf("logged\n%s", got)
	}
}

// A reader that does not read holds up the line that prints, and nothing else; the line can be stopped.
func TestSlowReader(t *testing.T) {
	s, script := open(t, luabind.Config{}, 0, "")
	other := script.Console(0, nil).Open("")
	defer other.Close()
	w := &stuck{begun: make(chan struct{}), free: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan control.Result)
	go func() {
		done <- s.Eval(ctx, control.Input{Text: "while true do print(('x'):rep(1000)) end"}, w)
	}()
	<-w.begun
	for { // until it waits
		states := script.VM.Tasks()
		if len(states) > 0 && states[0].What == "the console's output" {
			break
		}
	}
	if got := eval(t, other, "total"); got != "5" {
		t.Errorf("meanwhile: %s", got)
	}
	cancel()
	close(w.free)
	if r := <-done; !r.Stopped {
		t.Errorf("%+v", r)
	}
}

type stuck struct {
	begun, free chan struct{}
	once        atomic.Bool
}

func (w *stuck) Write(p []byte) (int, error) {
	if !w.once.Swap(true) {
		close(w.begun)
	}
	<-w.free
	return len(p), nil
}

// Sessions have places of their own, and numbers are used again.
func TestSessions(t *testing.T) {
	var late bytes.Buffer
	one, script := open(t, luabind.Config{}, 0, "")
	c := script.Console(0, &late)
	first, second := c.Open(""), c.Open("")
	talk(t, first, "function f() return undefined_one end", "")
	talk(t, second, "function f() return undefined_two end", "", "f()", "error: 'undefined_two' is not defined\n  --> console-2[1]:1:21…", "_G.g = f", "")
	talk(t, first, "f()", "error: 'undefined_one' is not defined\n  --> console[1]:1:21…", "g()", "error: 'undefined_two' is not defined\n  --> console-2[1]:1:21…")
	first.Close()
	third := c.Open("")
	talk(t, third, "f", "error: 'f' is not defined…", "nothing_at_all.x", "error: 'nothing_at_all' is not defined\n  --> console[2]:1:1…")
	for _, s := range []control.Session{first, second, third} {
		s.Close()
	}
	// What a function of a line prints later.
	talk(t, one, "_G.later = function() print 'later' end", "")
	fourth := c.Open("")
	talk(t, fourth, "_G.mine = function() print 'mine' end", "", "later()", "")
	talk(t, one, "mine()", "later\n", "2", "2")
	if late.String() != "mine\n" {
		t.Errorf("printed late: %q", &late)
	}
	fourth.Close()
}
