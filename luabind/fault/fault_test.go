package fault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"

	"faust/tests/seed"
)

func TestErrorText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string
	}{
		{&Error{Message: "m"}, "m"},
		{&Error{Message: "a\nb\x1b[31m", Place: Place{File: "f.lua", Line: 3, Column: 2}}, `f.lua:3: a b\27[31m`},
		{&Error{Message: "m", Place: Place{File: "f.lua"}}, "m"},
		{List{}, "no errors"},
		{List{{Message: "one"}}, "one"},
		{List{{Message: "one"}, {Message: "two"}, {Message: "three"}}, "one (and 2 more)"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestErrorChain(t *testing.T) {
	t.Parallel()
	e := &Error{Code: Connection, Message: "m", Cause: fmt.Errorf("read: %w", io.ErrUnexpectedEOF)}
	if !errors.Is(e, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
	var first *Error
	if list := (List{e, {Message: "other"}}); !errors.As(list, &first) || first != e || !errors.Is(list, io.ErrUnexpectedEOF) {
		t.Error("errors.As does not find the first of a list")
	}
	for _, c := range []struct {
		v    lua.LValue
		want *Error
	}{
		{&lua.LUserData{Value: e}, e},
		{&lua.LUserData{Value: fmt.Errorf("wrapped: %w", e)}, e},
		{&lua.LUserData{Value: io.EOF}, nil},
		{&lua.LUserData{Value: "text"}, nil},
		{lua.LString("text"), nil},
	} {
		if got, ok := AsError(c.v); got != c.want || ok != (c.want != nil) {
			t.Errorf("%v: got %v", c.v, got)
		}
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	e := &Error{Code: Decode, Message: "not a Withdrawal", Place: Place{File: "a.lua", Line: 3, Column: 5}, Hints: []string{"x", "y"},
		Notes: []Note{{"value", "{}"}}, Trace: []Frame{{Place{File: "a.lua", Line: 3}, "in agent 'a'"}, {Place{}, "… 3 more"}}}
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Error("it failed", "error", e)
	var line struct {
		Error map[string]any `json:"error"`
	}
	if err := json.Unmarshal(b.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"message": "not a Withdrawal", "code": "decode", "file": "a.lua", "line": 3.0, "column": 5.0, "hint": "x; y",
		"value": "{}", "stack": []any{"in agent 'a'  a.lua:3", "… 3 more"}}
	if diff := cmp.Diff(want, line.Error); diff != "" {
		t.Error(diff)
	}
	if attrs := (&Error{Message: "m", Code: Script}).Fields(); len(attrs) != 2 {
		t.Errorf("what is not known is there: %v", attrs)
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	e := &Error{Place: Place{File: "a.lua", Line: 2}, Trace: []Frame{{Place{File: "a.lua", Line: 2}, "in function 'f'"}, {Place{File: "a.lua", Line: 9}, "in the function from line 8"}}}
	e.Within("in command 'produce'", Place{File: "a.lua", Line: 8})
	want := "in function 'f'       a.lua:2\nin command 'produce'  a.lua:9\ndefined               a.lua:8"
	if got := e.Traceback(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	bare := &Error{Place: Place{File: "a.lua", Line: 2}}
	bare.Within("in timer 'x'", Place{})
	if got := bare.Traceback(); got != "in timer 'x'  a.lua:2" {
		t.Errorf("got %s", got)
	}
}

func rendered(err error, cfg RenderConfig) string {
	cfg.Source = func(string) (string, bool) { return "one\ntwo\n\tthree = 3\n", true }
	var b bytes.Buffer
	Render(&b, err, cfg)
	return b.String()
}

func TestRender(t *testing.T) {
	t.Parallel()
	trace := []Frame{{Place{}, "in function 'insert'"}, {Place{File: "a.lua", Line: 3}, "in function 'f'"}, {Place{}, "… 4 more"}, {Place{File: "a.lua", Line: 1}, "in task 'x'"}}
	e := &Error{Message: "bad\x1b[2J\nmore", Place: Place{File: "a.lua", Line: 3, Column: 2, EndColumn: 7}, Label: "here", Hints: []string{"try"},
		Notes: []Note{{"message", "t/0 @ 1"}, {"value", "{}"}}, Trace: trace}
	full := `error: bad\27[2J
  more
  --> a.lua:3:2
   |
 2 | two
 3 |     three = 3
   |     ^^^^^ here
   |
   message  t/0 @ 1
   value    {}
   = hint: try

  in function 'insert'  (runtime)
  in function 'f'       a.lua:3
  … 4 more
  in task 'x'           a.lua:1
`
	if diff := cmp.Diff(full, rendered(e, RenderConfig{Traceback: "full"})); diff != "" {
		t.Error(diff)
	}
	short := rendered(e, RenderConfig{})
	if strings.Contains(short, "insert") || !strings.HasSuffix(short, "\n\n  1 frame of the runtime hidden (--traceback=full)\n") {
		t.Error(short)
	}
	if none := rendered(e, RenderConfig{Traceback: "none"}); strings.Contains(none, "in task") || !strings.HasSuffix(none, "= hint: try\n") {
		t.Error(none)
	}
	colored := rendered(e, RenderConfig{Color: true})
	for _, want := range []string{red + "error", red + "^^^^^ here" + plain, cyan + "= hint: "} {
		if !strings.Contains(colored, want) {
			t.Errorf("%q is not in %q", want, colored)
		}
	}
}

func TestRenderOthers(t *testing.T) {
	t.Parallel()
	e := &Error{Message: "inner", Place: Place{File: "a.lua", Line: 1, Column: 1, EndColumn: 4}}
	excerpt := "  --> a.lua:1:1\n   |\n 1 | one\n   | ^^^\n"
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{io.EOF, "error: EOF\n"},
		{fmt.Errorf("agent x: %w", e), "error: agent x: inner\n" + excerpt},
		{List{e, {Message: "second", Place: Place{File: "a.lua", Line: 9}}}, "error: inner\n" + excerpt + "\nerror: second\n  --> a.lua:9\n"},
		{&Error{Message: "m"}, "error: m\n"},
	} {
		if got := rendered(c.err, RenderConfig{}); got != c.want {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
	var b bytes.Buffer
	Render(&b, e, RenderConfig{})
	if got := b.String(); got != "error: inner\n  --> a.lua:1:1\n" {
		t.Errorf("without the file: %s", got)
	}
}

// The caret stands under the same character in every line, whatever is before it.
func TestCaretStaysAligned(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"X", "\tX", "  \t X", "åäö X", "日本 X", "e\u0301X", "👍 X", "\x1bX", "\xff\xfeX", strings.Repeat("a", 300) + "X" + strings.Repeat("b", 300),
		strings.Repeat("日", 200) + "X"} {
		at := strings.Index(line, "X")
		v := newView(line, at+1)
		from, to := v.span(at+1, at+2)
		cut := strings.Index(v.text, "X")
		if cut < 0 || textWidth(v.text[:cut]) != from || to != from+1 {
			t.Errorf("%q: drawn %q, caret at %d to %d", line, v.text, from, to)
		}
		if w := textWidth(v.text); w > viewWidth+2 {
			t.Errorf("%q is drawn %d wide", line, w)
		}
	}
}

func TestSuggest(t *testing.T) {
	t.Parallel()
	known := []string{"agent", "topic", "table", "timer", "task", "crontab", "page", "command", "record", "channel", "configure", "option", "argument", "main",
		"withdrawals", "withdrawal", "country_totals", "max_messages", "max_latency", "default", "help", "key", "value", "partitions", "retention", "concurrency",
		"on_error", "max_failures", "produce", "worker", "broker", "version", "print", "pairs", "ipairs", "tostring", "tonumber", "string", "math", "json", "random",
		"--max-messages", "--loglevel", "FAUST_BROKER_URL", "user", "amount", "date", "send", "items", "events", "enumerate", "take", "filter", "map", "x"}
	for name, want := range map[string]string{
		"agnet": "agent", "agents": "agent", "Agent": "agent", "topc": "topic", "topics": "topic", "tpoic": "topic", "tabel": "table", "tabl": "table",
		"tiemr": "timer", "taks": "task", "crontabs": "crontab", "crotnab": "crontab", "pgae": "page", "comand": "command", "commnad": "command", "recrod": "record",
		"chanel": "channel", "confgure": "configure", "configuer": "configure", "optoin": "option", "arguemnt": "argument", "argumnet": "argument", "mian": "main",
		"withdrawls": "withdrawals", "withdrawel": "withdrawal", "countrytotals": "country_totals", "country_total": "country_totals", "maxmessages": "max_messages",
		"max_mesages": "max_messages", "max_latncy": "max_latency", "defualt": "default", "hepl": "help", "ky": "key", "vlaue": "value", "partition": "partitions",
		"retetnion": "retention", "concurency": "concurrency", "onerror": "on_error", "on_eror": "on_error", "produec": "produce", "wroker": "worker",
		"brokr": "broker", "verison": "version", "pritn": "print", "prnit": "print", "iparis": "ipairs", "to_string": "tostring", "tonumbr": "tonumber",
		"strng": "string", "maths": "math", "jsno": "json", "radnom": "random", "--max-mesages": "--max-messages", "--log-level": "--loglevel",
		"FAUST_BROKR_URL": "FAUST_BROKER_URL", "usr": "user", "ammount": "amount", "dat": "date", "itmes": "items", "enumrate": "enumerate",
		"filtre": "filter", "snd": "send", "evnets": "events", "ITEMS": "items", "quux": "", "y": "", "": "", "zzzzzzzz": "",
	} {
		if got := Suggest(name, known); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	short := []string{"tz", "id", "bool", "scan", "quit", "repl", "http", "int", "name", "write", "topic", "get", "key", "on", "tables", "x1"}
	for name, want := range map[string]string{
		"to": "", "if": "", "foo": "", "cat": "", "put": "", "rec": "", "stop": "", "list": "", "none": "", "wait": "", "y2": "", "or": "",
		"zt": "tz", "di": "id", "ky": "key", "tpc": "topic", "set": "get", "tabl": "tables", "naem": "name", "iid": "id", "o": "", "hhtp": "http", "ID": "id",
	} {
		if got := Suggest(name, short); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	both := []string{"Order", "orders", "Payment", "payments"} // a record and its topic
	for name, want := range map[string]string{"ordes": "orders", "oders": "orders", "Ordes": "Order", "paymens": "payments", "Paymens": "Payment", "Payent": "Payment"} {
		if got := Suggest(name, both); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	if got := Suggest("agent", []string{"agent"}); got != "" {
		t.Errorf("a name suggests itself: %q", got)
	}
}

// The order of the known names does not matter.
func TestSuggestIsDeterministic(t *testing.T) {
	t.Parallel()
	known := []string{"abcd", "abce", "abcf", "abdc", "bacd", "abcde", "abc"}
	want := Suggest("abcg", known)
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		r.Shuffle(len(known), func(i, j int) { known[i], known[j] = known[j], known[i] })
		if got := Suggest("abcg", known); got != want {
			t.Fatalf("got %q and %q", got, want)
		}
	}
}

// An error of ours keeps its identity, gets place and traceback, and a caret.
func TestOwnErrors(t *testing.T) {
	t.Parallel()
	ours := &Error{Code: Usage, Message: "no"}
	setup := func(L *lua.LState) {
		raise := func(L *lua.LState) int { L.Error(&lua.LUserData{Value: ours}, 0); return 0 }
		mod := L.NewTable()
		mod.RawSetString("open", L.NewFunction(raise))
		L.SetGlobal("mod", mod)
	}
	got := runScript(t, "a.lua", "local function f()\n  mod.open { name = 1 }\n  return 1\nend\nf()\n", setup)
	if got != ours {
		t.Fatal("another error came out")
	}
	if want := (Place{"a.lua", 2, 3, 11}); got.Place != want {
		t.Errorf("place %v", got.Place)
	}
	if trace := got.Traceback(); !strings.Contains(trace, "in function 'f'") || !strings.Contains(trace, "a.lua:5") {
		t.Errorf("trace %s", trace)
	}

	placed := &Error{Message: "no", Place: Place{"other.lua", 7, 1, 2}, Trace: []Frame{{Place{}, "mine"}}}
	_ = runScript(t, "a.lua", "fail()", func(L *lua.LState) {
		L.SetGlobal("fail", L.NewFunction(func(L *lua.LState) int { L.Error(&lua.LUserData{Value: placed}, 0); return 0 }))
	})
	if placed.Place.File != "other.lua" || len(placed.Trace) != 1 {
		t.Errorf("place and trace were replaced: %v", placed)
	}

	wrapped := runScript(t, "a.lua", "fail()", func(L *lua.LState) {
		L.SetGlobal("fail", L.NewFunction(func(L *lua.LState) int { L.Error(&lua.LUserData{Value: io.ErrClosedPipe}, 0); return 0 }))
	})
	if !errors.Is(wrapped, io.ErrClosedPipe) || wrapped.Place.Line != 1 {
		t.Errorf("got %v", wrapped)
	}
}

// Strict globals: the metatable of the globals raises, the caret and the suggestion come from here.
func TestUndefinedGlobal(t *testing.T) {
	t.Parallel()
	strict := func(L *lua.LState) {
		mt := L.NewTable()
		mt.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
			L.Error(&lua.LUserData{Value: &Error{Message: "'" + L.CheckString(2) + "' is not defined"}}, 0)
			return 0
		}))
		L.SetMetatable(L.G.Global, mt)
	}
	e := runScript(t, "a.lua", "local orders = {}\nlocal x = { 1, ordres.x }\n", strict)
	if e.Place != (Place{"a.lua", 2, 16, 22}) || len(e.Hints) != 1 || e.Hints[0] != "did you mean 'orders' (line 1)?" || e.Label != "not defined anywhere" {
		t.Errorf("%v %v %q", e.Place, e.Hints, e.Label)
	}
}

func TestPlacesOfArguments(t *testing.T) {
	t.Parallel()
	var option, missing, second, none, caller Place
	setup := func(L *lua.LState) {
		L.SetGlobal("declare", L.NewFunction(func(L *lua.LState) int {
			option, missing = OptionPlace(L, "defualt"), OptionPlace(L, "other")
			second, none, caller = ArgPlace(L, 2), ArgPlace(L, 9), Caller(L, 1)
			L.RaiseError("done")
			return 0
		}))
	}
	_ = runScript(t, "a.lua", "local t = {\n}\ndeclare('totals', {\n  help = { defualt2 = 1 },\n\tdefualt = 0,\n})\n", setup)
	for name, c := range map[string]struct{ got, want Place }{
		"option": {option, Place{"a.lua", 5, 2, 9}}, "missing": {missing, Place{"a.lua", 3, 1, 8}},
		"second": {second, Place{"a.lua", 3, 19, 20}}, "none": {none, Place{"a.lua", 3, 1, 8}}, "caller": {caller, Place{"a.lua", 3, 0, 0}},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", name, c.got, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`local a = '\n\065\\x'`:                           "",
		`local a = [[\x41 \u{41}]] -- '\x41'`:             "",
		`local a = '\x41'`:                                `a.lua:1: there is no escape \x in this Lua`,
		"local a = 1\nlocal b = \"\\u{48}\"":              `a.lua:2: there is no escape \u{...} in this Lua`,
		"local t = {" + strings.Repeat("1,", 25550) + "}": "",
		"local t = {" + strings.Repeat("1,", 25551) + "}": "a.lua:1: a list of 25551 items is too long for one constructor: at most 25550",
	} {
		err := Check("a.lua", src)
		if got := fmt.Sprint(err); err != nil && got != want || err == nil && want != "" {
			t.Errorf("%.60s: got %s", src, got)
		}
	}
}

// engineScripts are the scripts of the engine's own tests, which are right.
func engineScripts(t *testing.T) []string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/yuin/gopher-lua").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(strings.TrimSpace(string(dir)) + "/_*/*.lua")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	return files
}

// The parser finds nothing wrong in what the engine accepts.
func TestParserAcceptsWhatIsRight(t *testing.T) {
	t.Parallel()
	for _, file := range engineScripts(t) {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parse.Parse(bytes.NewReader(src), file); err != nil {
			continue
		}
		for _, d := range readTree(filepath.Base(file), string(src)).found {
			if !d.silent {
				t.Errorf("%s:%d: %s", filepath.Base(file), d.at.line, d.message)
			}
		}
	}
}

// Whatever is broken, the answer comes at once, names a place inside the file and can be drawn.
func TestBrokenAnyhow(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(seed.Of(t), 0))
	files := append(scripts(t, "syntax"), scripts(t, "run")...)
	pieces := []string{"end", "(", ")", "{", "}", "[", "]", "if", "then", "function", "=", "\"", "'", "[[", "--[[", "`", ",", "::", "\n", "!", "for", "else", "\\", "\xff", "/*", "//", "repeat", "...", "?", ":", "=>"}
	for range 3000 {
		b, err := os.ReadFile(files[r.IntN(len(files))])
		if err != nil {
			t.Fatal(err)
		}
		src := string(b)
		if len(src) > 2000 {
			continue
		}
		for range 1 + r.IntN(4) {
			from := r.IntN(len(src) + 1)
			to := min(len(src), from+r.IntN(6))
			src = src[:from] + pieces[r.IntN(len(pieces))] + src[to:]
		}
		_, err = compileScript(t, "a.lua", src)
		if err == nil {
			continue
		}
		checkPlaces(t, src, err)
		var out bytes.Buffer
		Render(&out, err, RenderConfig{Source: func(string) (string, bool) { return src, true }})
		if t.Failed() {
			t.Fatalf("%q\n%s", src, out.String())
		}
	}
}

func checkPlaces(t *testing.T, src string, err error) {
	t.Helper()
	list := List{}
	if !errors.As(err, &list) {
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%v is none of ours", err)
			return
		}
		list = List{e}
	}
	lines := splitLines(src)
	if len(list) > maxDiagnoses {
		t.Errorf("%d errors", len(list))
	}
	for i, e := range list {
		if e.Place.Line < 1 || e.Place.Line > len(lines) || e.Place.Column > len(lines[e.Place.Line-1])+2 || e.Message == "" {
			t.Errorf("place %v, message %q", e.Place, e.Message)
		}
		if i > 0 && e.Place.Line <= list[i-1].Place.Line {
			t.Errorf("%v after %v", e.Place, list[i-1].Place)
		}
	}
}

// Run-time errors in code that the load-time pass doubled are found as well: the order of the copies repeats.
func TestDoubledCode(t *testing.T) {
	t.Parallel()
	const src = "local o = { a = {} }\nprint(o.a, o.a.b, o.a.b.c)\n"
	chunk, err := parse.Parse(strings.NewReader(src), "a.lua")
	if err != nil {
		t.Fatal(err)
	}
	chunk = append(chunk, chunk[1])
	proto, err := lua.Compile(chunk, "a.lua")
	if err != nil {
		t.Fatal(err)
	}
	L := lua.NewState()
	defer L.Close()
	L.SetGlobal("print", L.NewFunction(func(*lua.LState) int { return 0 }))
	KeepSource(L, "a.lua", src)
	var e *Error
	L.Push(L.NewFunctionFromProto(proto))
	_ = L.PCall(0, 0, L.NewFunction(func(L *lua.LState) int { e = FromRaise(L, L.Get(1), nil); return 0 }))
	if e == nil || e.Place != (Place{"a.lua", 2, 19, 24}) || e.Message != "cannot read 'c': o.a.b is nil" {
		t.Errorf("got %v", e)
	}
}

// Without the source the instruction alone still names globals and upvalues.
func TestWithoutSource(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"print(undefined.x)": "cannot read 'x': undefined is nil",
		"local up\nlocal function f() return up.x end\nf()": "cannot read 'x': up is nil",
		"missing(1)":            "cannot call 'missing': it is nil",
		"local a\nprint(a + 1)": "cannot add: a value is nil",
		"print('x' .. {})":      "cannot concatenate: a value is a table",
		"print(1 < 'x')":        "cannot compare number with string",
		"print(#nil_value)":     "cannot take the length: nil_value is nil",
		"for i = 1, {} do end":  "the end of this 'for' has to be a number: it is a table",
		"for k in {} do end":    "cannot iterate over a value that is a table",
		"table.insert(nil, 1)":  "bad argument #1 to 'insert': table expected, got nil",
	} {
		L := lua.NewState()
		var e *Error
		fn, err := L.Load(strings.NewReader(src), "no such file.lua")
		if err != nil {
			t.Fatal(err)
		}
		L.Push(fn)
		_ = L.PCall(0, 0, L.NewFunction(func(L *lua.LState) int { e = FromRaise(L, L.Get(1), nil); return 0 }))
		if e == nil || e.Message != want {
			t.Errorf("%s: got %v, want %s", src, e, want)
		}
		L.Close()
	}
}
