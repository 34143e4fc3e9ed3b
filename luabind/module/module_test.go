package module

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/luabind/vm"
)

// stage is a machine with the modules, and what they wrote.
type stage struct {
	t      *testing.T
	vm     *vm.VM
	stdout bytes.Buffer
	stderr bytes.Buffer
	log    bytes.Buffer
}

func newStage(t *testing.T, cfg Config) *stage {
	t.Helper()
	s := &stage{t: t}
	cfg.Stdout, cfg.Stderr = &s.stdout, &s.stderr
	cfg.Logger = slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	set := New(cfg)
	t.Cleanup(set.Close)
	s.vm = vm.New(vm.Config{Root: t.TempDir(), Modules: set.Modules()})
	t.Cleanup(s.vm.Close)
	err := s.vm.Run(t.Context(), "setup", false, func(L *lua.LState) error {
		registry := record.NewRegistry(L)
		registry.Raise = vm.Raise
		set.Attach(s.vm, registry)
		set.SetGlobals(L)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.vm.Loaded()
	return s
}

// run gives what src returns, joined by spaces.
func (s *stage) run(ctx context.Context, src string) (string, error) {
	file := filepath.Join(s.t.TempDir(), "app.lua")
	if err := os.WriteFile(file, []byte(src), 0o600); err != nil {
		s.t.Fatal(err)
	}
	var words []string
	err := s.vm.Run(ctx, "test", false, func(L *lua.LState) error {
		fn, err := s.vm.Load(file)
		if err != nil {
			return err
		}
		values, err := s.vm.Call(L, "in the test", fn, lua.MultRet)
		for _, v := range values {
			words = append(words, L.ToStringMeta(v).String())
		}
		return err
	})
	return strings.Join(words, " "), err
}

func (s *stage) want(src, want string) {
	s.t.Helper()
	if got, err := s.run(s.t.Context(), src); err != nil || got != want {
		s.t.Errorf("%s\n got %q, %v\nwant %q", src, got, err, want)
	}
}

func environment(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
}

func TestValues(t *testing.T) {
	t.Parallel()
	s := newStage(t, Config{Env: environment(map[string]string{"NAME": "x", "N": " 42 ", "ON": "Yes", "OFF": "0", "EMPTY": ""})})
	for src, want := range map[string]string{
		`return json.encode { a = 1, b = { 1, 2 }, c = 'x' }`:                                      `{"a":1,"b":[1,2],"c":"x"}`,
		`return json.encode({ a = { 1 } }, { indent = 2 })`:                                        "{\n  \"a\": [\n    1\n  ]\n}",
		`return json.encode({}), json.encode(json.array{}), json.encode(json.array())`:             "{} [] []",
		`return json.encode(json.object(json.array{})), json.encode(json.object())`:                "{} {}",
		`return json.encode(nil), json.encode(json.null), json.encode(true)`:                       "null null true",
		`return json.decode('{"a":{"b":[1,2,3]}}').a.b[3]`:                                         "3",
		`return json.decode('null') == json.null, json.decode('[]') ~= nil`:                        "true true",
		`return json.encode(json.decode('{"l":[],"o":{}}'))`:                                       `{"l":[],"o":{}}`,
		`return json.encode(json.decode('9007199254740993'))`:                                      "9007199254740993",
		`return require('json') == json, require('uuid').new() ~= uuid.new()`:                      "true true",
		`return env.get('NAME'), env.get('NONE', 'd'), env.get('NONE'), env.get('EMPTY', 'e')`:     "x d nil e",
		`return env.int('N'), env.int('NONE', 7), env.int('NONE')`:                                 "42 7 nil",
		`return env.bool('ON'), env.bool('OFF'), env.bool('NONE', true)`:                           "true false true",
		`return env.require('NAME')`:                                                               "x",
		`return #random.bytes(0), #random.bytes(33), random.bytes(16) ~= random.bytes(16)`:         "0 33 true",
		`return random.choice { 'only' }, random.weighted { a = 1, b = 0 }`:                        "only a",
		`return inspect { 1234567890123456, -9007199254740992, 2^60 }`:                             "{ 1234567890123456, -9007199254740992, 1.152921504606847e+18 }",
		`return random.int(3, 3), random.int(1), random.float(2, 2)`:                               "3 1 2",
		`return time.parse('2026-11-23T18:00:00+01:00')`:                                           "2026-11-23T17:00:00Z",
		`return time.parse('2026-11-23') < time.now(), time.unix() > 1.7e9, time.monotonic() >= 0`: "true true true",
		`return inspect { b = 1, 'x' }`:                                                            `{ "x", b=1 }`,
		`return select('#', pp(1, nil, 'x'))`:                                                      "3",
		`return tostring(sql), type(require 'redis')`:                                              "module sql (not in this version) userdata",
	} {
		s.want(src, want)
	}
}

func TestUUID(t *testing.T) {
	t.Parallel()
	s := newStage(t, Config{})
	for version, src := range map[string]string{"4": "return uuid.new()", "7": "return uuid.v7()"} {
		got, err := s.run(t.Context(), src)
		if err != nil || !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-`+version+`[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(got) {
			t.Errorf("%s: %q %v", src, got, err)
		}
	}
	s.want(`local a, b = {}, {}  for i = 1, 50 do a[i] = uuid.v7() b[i] = a[i] end  table.sort(b)
		return table.concat(a) == table.concat(b)`, "true")
}

func TestRandom(t *testing.T) {
	t.Parallel()
	s := newStage(t, Config{})
	s.want(`
		local seen = {}
		for i = 1, 2000 do
			local n, f = random.int(-2, 2), random.float(5, 6)
			if n < -2 or n > 2 or n % 1 ~= 0 or f < 5 or f >= 6 then error('out of range') end
			seen[n] = true
		end
		return seen[-2] and seen[-1] and seen[0] and seen[1] and seen[2]`, "true")
	s.want(`
		random.seed(42)
		local function draw()
			local l = random.shuffle { 1, 2, 3, 4, 5, 6 }
			return table.concat(l, ',') .. random.int(1, 1000000) .. random.float() .. random.bytes(9) .. random.choice { 'a', 'b', 'c' }
		end
		local first = draw()
		random.seed(42)
		local second = draw()
		random.seed(43)
		return first == second, first == draw()`, "true false")
	s.want(`
		random.seed(1)
		local n = { a = 0, b = 0, c = 0 }
		for i = 1, 10000 do local k = random.weighted { a = 90, b = 10, c = 0 } n[k] = n[k] + 1 end
		return n.a > 8700 and n.a < 9300, n.c`, "true 0")
	s.want(`
		local l, sum = random.shuffle { 1, 2, 3, 4 }, 0
		for _, v in ipairs(l) do sum = sum + v end
		return #l, sum`, "4 10")
	s.want(`return random.int(-9007199254740992, 9007199254740992) % 1`, "0")
	s.want(`
		local low, high = 0, 0
		for i = 1, 1000 do local f = random.float(-1.7e308, 1.7e308) if f < 0 then low = low + 1 else high = high + 1 end end
		return low > 400 and high > 400`, "true")
}

func TestWrongArguments(t *testing.T) {
	t.Parallel()
	s := newStage(t, Config{Env: environment(map[string]string{"WORD": "ten", "HUGE": "99999999999999999999"})})
	for src, want := range map[string]string{
		`json.encode()`:                    "json.encode: the value is missing",
		`json.encode(1, { indnt = 2 })`:    "unknown option 'indnt' for json.encode",
		`json.encode(1, { indent = 'x' })`: `option 'indent' of json.encode is the string "x", expected a whole number from 0 to 16`,
		`json.encdoe(1)`:                   "json has no 'encdoe'",
		`local f = json[7]`:                "json has names only, not the number 7",
		`json.encode(1, {}, 3)`:            "json.encode: argument 3 is too many: the number 3",
		`json.encode(print)`:               "JSON",
		`json.encode(0/0)`:                 "JSON",
		`json.decode(5)`:                   "json.decode: the text is the number 5, expected a string",
		`json.decode('{"a":')`:             "not JSON",
		`json:decode('{}')`:                "json.decode is called with a dot, not with a colon",
		`json.array { a = 1 }`:             "json.array: the table has a field",
		`json.object { 1 }`:                "json.object: the table has items without names",
		`time.sleep()`:                     "time.sleep: the duration is missing",
		`time.sleep('soon')`:               `the duration is the string "soon", expected a duration like`,
		`time.sleep(-1)`:                   "time.sleep: the duration is the number -1, expected one that is not negative",
		`time.parse('soon')`:               "is no datetime",
		`time.now(1)`:                      "time.now: argument 1 is too many: the number 1",
		`random.int()`:                     "random.int: the bound is missing",
		`random.int(1.5)`:                  "random.int: the bound is the number 1.5, expected a whole number",
		`random.int(5, 1)`:                 "random.int: 5 to 1 is no range",
		`random.int(1, 'x')`:               `random.int: the upper bound is the string "x", expected a whole number`,
		`random.float(1)`:                  "random.float: the upper bound is missing",
		`random.float(2, 1)`:               "random.float: 2 to 1 is no range",
		`random.float(0, 1/0)`:             "random.float: the upper bound is",
		`random.choice {}`:                 "random.choice: the list is empty",
		`random.choice 'x'`:                `random.choice: the list is the string "x", expected a table`,
		`random.weighted { a = 'x' }`:      `random.weighted: the weight of 'a' is the string "x"`,
		`random.weighted { a = -1 }`:       "random.weighted: the weight of 'a' is the number -1",
		`random.weighted {}`:               "random.weighted: the weights add up to 0",
		`random.bytes(-1)`:                 "random.bytes: the number of bytes is the number -1, expected a whole number from 0",
		`random.seed()`:                    "random.seed: the seed is missing",
		`random.shuffle(nil)`:              "random.shuffle: the list is missing",
		`uuid.new(1)`:                      "uuid.new: argument 1 is too many: the number 1",
		`env.get()`:                        "env.get: the name of the variable is missing",
		`env.get('')`:                      "env.get: the name of the variable is",
		`env.int('WORD')`:                  `the environment variable WORD is the string "ten", expected a whole number`,
		`env.int('HUGE')`:                  "the environment variable HUGE is",
		`env.bool('WORD')`:                 `the environment variable WORD is the string "ten", expected true or false`,
		`env.require('NONE')`:              "the environment variable NONE is not set",
		`env.secret()`:                     "env.secret: the name of the variable is missing",
		`log.info()`:                       "log.info: the text is missing",
		`log.info('x', 5)`:                 "log.info: the table of fields is the number 5, expected a table",
		`log.info('x', {}, 5)`:             "log.info: argument 3 is too many",
		`sql.open 'x'`:                     "sql.open is not in this version",
		`metrics.x = 1`:                    "metrics.x is not in this version",
		`confirm()`:                        "confirm: the question is missing",
		`confirm 'sure?'`:                  "confirm: there is no terminal to ask on: sure?",
		`prompt()`:                         "prompt: the question is missing",
		`prompt('x', { secrt = true })`:    "unknown option 'secrt' for prompt",
		`prompt('x', { secret = 1 })`:      "option 'secret' of prompt is the number 1, expected true or false",
		`prompt('x', { default = 1 })`:     "option 'default' of prompt is the number 1, expected a string",
		`prompt 'name?'`:                   "prompt: the input has ended, nobody answers",
		`fail()`:                           "fail: the text is missing",
		`inspect(1, 2)`:                    "inspect: argument 2 is too many: the number 2",
	} {
		_, err := s.run(t.Context(), "\nlocal x = 1\n"+src)
		var e *fault.Error
		if !errors.As(err, &e) || !strings.Contains(e.Message, want) {
			t.Errorf("%s\n got %v\nwant %s", src, err, want)
			continue
		}
		if e.Place.Line != 3 || e.Place.Column == 0 {
			t.Errorf("%s: the place is %v", src, e.Place)
		}
		if strings.Contains(e.Message, "0x") || strings.Contains(e.Message, "%!") {
			t.Errorf("%s: %s", src, e.Message)
		}
	}
}

func TestNameIsSuggested(t *testing.T) {
	t.Parallel()
	s := newStage(t, Config{})
	for src, want := range map[string]string{"return json.encdoe": "did you mean 'json.encode'?", "return uuid.x": "known: new, v7"} {
		_, err := s.run(t.Context(), src)
		var e *fault.Error
		if !errors.As(err, &e) || len(e.Hints) != 1 || e.Hints[0] != want {
			t.Errorf("%s: %v", src, err)
		}
	}
}

func TestOptionIsUnderlined(t *testing.T) {
	t.Parallel()
	s := newStage(t, Config{})
	_, err := s.run(t.Context(), "json.encode({ indnt = 1 }, {\n  indnt = 2,\n})") // the table of options comes last
	var e *fault.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	if e.Place.Line != 2 || e.Place.Column != 3 || e.Place.EndColumn != 8 || len(e.Hints) != 1 || e.Hints[0] != "did you mean 'indent'?  known: indent" {
		t.Errorf("%v: %v", e.Place, e.Hints)
	}
}

func TestSleep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, Config{})
		started := time.Now()
		s.want(`local a = time.monotonic() time.sleep '1m30s' time.sleep(0.5) return time.monotonic() - a`, "90.5")
		if d := time.Since(started); d != 90500*time.Millisecond {
			t.Errorf("slept %s", d)
		}
		s.want(`local ok = pcall(function() time.sleep(1) error 'x' end) return ok`, "false")

		stop := errors.New("stopping")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(stop) })
		_, err := s.run(ctx, `pcall(time.sleep, '1h') return 'went on'`)
		var e *fault.Error
		if !errors.As(err, &e) || e.Code != fault.Cancelled || !errors.Is(err, stop) {
			t.Errorf("a cancelled sleep gave %v", err)
		}
	})
}

func TestNothingWaitsWhileLoading(t *testing.T) {
	t.Parallel()
	for _, src := range []string{"time.sleep(1)", "confirm 'x'", "prompt 'x'"} {
		loading(t, src, Config{Yes: true})
	}
}

// loading runs src while the file is being loaded, when it may not wait.
func loading(t *testing.T, src string, cfg Config) {
	t.Helper()
	set := New(cfg)
	m := vm.New(vm.Config{Root: t.TempDir(), Modules: set.Modules()})
	t.Cleanup(m.Close)
	file := filepath.Join(t.TempDir(), "app.lua")
	if err := os.WriteFile(file, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	err := m.Run(t.Context(), "load", false, func(L *lua.LState) error {
		set.Attach(m, record.NewRegistry(L))
		set.SetGlobals(L)
		fn, err := m.Load(file)
		if err != nil {
			return err
		}
		_, err = m.Call(L, "in the main chunk", fn, 0)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "nothing can wait while the file is being loaded") {
		t.Errorf("%s: %v", src, err)
	}
}

func TestSay(t *testing.T) {
	t.Parallel()
	s := newStage(t, Config{})
	s.want(`say 'hello' say(1, nil, true) say() pp({ a = 1 }, 'x')`, "")
	if want := "hello\n1\tnil\ttrue\n\n{ a=1 }\n\"x\"\n"; s.stdout.String() != want {
		t.Errorf("got %q, want %q", s.stdout.String(), want)
	}
	quiet := newStage(t, Config{Quiet: true})
	quiet.want(`say 'hello' return 1`, "1")
	if quiet.stdout.Len() > 0 {
		t.Errorf("quiet: %q", quiet.stdout.String())
	}
}

func TestFail(t *testing.T) {
	t.Parallel()
	s := newStage(t, Config{})
	_, err := s.run(t.Context(), `fail 'no such country: XX'`)
	var failure *Failure
	if !errors.As(err, &failure) || failure.Text != "no such country: XX" || failure.Error() != failure.Text {
		t.Errorf("got %v", err)
	}
	s.want(`local ok, err = pcall(fail, 'x') return ok, err.message`, "false x")
}

func TestConfirmAndPrompt(t *testing.T) {
	t.Parallel()
	yes := func() bool { return true }
	s := newStage(t, Config{Interactive: yes, Stdin: strings.NewReader("maybe\nYES\nno\n\nAnna\r\n\nlast")})
	s.want(`return confirm 'delete?', confirm 'delete?', confirm 'delete?'`, "true false false")
	s.want(`return prompt 'name?', prompt('country?', { default = 'NO' }), prompt('code?', { secret = true })`, "Anna NO ***")
	if want := strings.Repeat("delete? [y/N] ", 4) + "name? country? code? "; s.stderr.String() != want {
		t.Errorf("asked %q", s.stderr.String())
	}
	if _, err := s.run(t.Context(), `confirm 'more?'`); !errors.Is(err, io.EOF) {
		t.Errorf("at the end of the input: %v", err)
	}
	auto := newStage(t, Config{Yes: true})
	auto.want(`return confirm 'delete?'`, "true")
	if auto.stderr.Len() > 0 {
		t.Errorf("--yes asked %q", auto.stderr.String())
	}
}

// A question that is given up leaves its answer to the next one.
func TestPromptCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		s := newStage(t, Config{Interactive: func() bool { return true }, Stdin: r})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.run(ctx, `return prompt 'first?'`)
		var e *fault.Error
		if !errors.As(err, &e) || e.Code != fault.Cancelled {
			t.Fatalf("got %v", err)
		}
		go func() { fmt.Fprintln(w, "answer"); _ = w.Close() }()
		s.want(`return prompt 'second?'`, "answer")
	})
}

func TestLog(t *testing.T) {
	t.Parallel()
	s := newStage(t, Config{})
	s.want(`
		log.debug('hidden', { a = 1 })
		log.info('started', { b = 2.5, a = 1, ok = true, list = { 1, 2 }, name = 'x y' })
		log.warn(42)
		log.error('bad', { at = time.parse '2026-11-23' })
		log.info('odd', { nan = 0/0, inf = -1/0, [int64 '7'] = 1, [true] = 2 })`, "")
	want := `level=INFO msg=started a=1 b=2.5 list="{ 1, 2 }" name="x y" ok=true
level=WARN msg=42
level=ERROR msg=bad at=2026-11-23T00:00:00Z
level=INFO msg=odd 7=1 inf=-inf nan=NaN true=2
`
	if s.log.String() != want {
		t.Errorf("got\n%s\nwant\n%s", s.log.String(), want)
	}
}

func TestZeroConfig(t *testing.T) {
	t.Setenv("FAUST_MODULE_TEST", "here")
	set := New(Config{})
	if v, ok := set.cfg.Env("FAUST_MODULE_TEST"); !ok || v != "here" {
		t.Errorf("env: %q", v)
	}
	if set.cfg.Interactive() {
		t.Error("no input is a terminal")
	}
	if n, err := set.cfg.Stdin.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("stdin: %d %v", n, err)
	}
	if f := math.Float64bits(set.rand.Float64()); f == math.Float64bits(New(Config{}).rand.Float64()) {
		t.Error("two sets draw the same numbers")
	}
}
