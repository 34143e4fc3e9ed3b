package arg_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/vm"
)

// message runs a script with a global function f, and gives what it raised: message, place and hints.
func message(t *testing.T, src string, f lua.LGFunction) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "app.lua")
	if err := os.WriteFile(file, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	m := vm.New(vm.Config{Root: filepath.Dir(file)})
	defer m.Close()
	err := m.Run(t.Context(), "test", false, func(L *lua.LState) error {
		m.Globals().RawSetString("f", L.NewFunction(f))
		fn, err := m.Load(file)
		if err == nil {
			_, err = m.Call(L, "test", fn, 0)
		}
		return err
	})
	var e *fault.Error
	if !errors.As(err, &e) {
		return ""
	}
	place := e.Place
	place.File = filepath.Base(place.File)
	return strings.Join(append([]string{place.String() + ": " + e.Message}, e.Hints...), " | ")
}

// Options are checked by the description of app.topic, app.option, app.agent and topic:send.
func TestOptions(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`f 'app.topic'`: "",
		`f('app.topic', { key = 1, partitions = 10000, retention = {}, compact = false, partitioner = 'crc32', help = '' })`: "",
		`f('app.topic', { partitons = 1 })`:                  "app.lua:1:18: unknown option 'partitons' for app.topic('x') | did you mean 'partitions'?  known: key, value, partitions, retention, compact, partitioner, help, replication",
		`f('app.topic', { partitions = 0 })`:                 "app.lua:1:18: option 'partitions' of app.topic('x') is the number 0, expected a whole number from 1 to 10000",
		`f('app.topic', { partitions = 1.5 })`:               "app.lua:1:18: option 'partitions' of app.topic('x') is the number 1.5, expected a whole number from 1 to 10000",
		`f('app.topic', { compact = 'yes' })`:                "app.lua:1:18: option 'compact' of app.topic('x') is the string \"yes\", expected true or false",
		`f('app.topic', { help = 1 })`:                       "app.lua:1:18: option 'help' of app.topic('x') is the number 1, expected a string",
		`f('app.topic', { partitioner = 'crc' })`:            "app.lua:1:18: option 'partitioner' of app.topic('x') is 'crc', expected one of: murmur2, crc32 | did you mean 'crc32'?",
		`f('app.topic', 'k')`:                                "app.lua:1:16: app.topic('x'): the table of options is the string \"k\", expected a table, as { key = ... }",
		`f('app.topic', { 1 })`:                              "app.lua:1:1: app.topic('x'): the options have names, here is the number 1 without one",
		`f('app.topic', { [{}] = 1 })`:                       "app.lua:1:1: app.topic('x'): the name of an option is a table, expected a string",
		`f('app.topic', {}, 2)`:                              "app.lua:1:1: app.topic('x'): argument 3 is too many: the number 2",
		`f('app.option', { choices = {} })`:                  "app.lua:1:19: option 'choices' of app.option('x') is a table, expected a list of values",
		`f('agent:ask', { timeout = 'soon' })`:               "app.lua:1:18: option 'timeout' of agent:ask('x') is the string \"soon\", expected a duration like '10s', '1h30m', '7d', or a number of seconds",
		`f('agent:ask', { timeout = -1 })`:                   "app.lua:1:18: option 'timeout' of agent:ask('x') is the number -1, expected one that is not negative",
		`f('topic:send', { headers = 'a' })`:                 "app.lua:1:19: option 'headers' of topic:send('x') is the string \"a\", expected a table of names and strings",
		`f('topic:send', { partition = 0, timestamp = {} })`: "",
	} {
		got := message(t, src, func(L *lua.LState) int {
			a := arg.Call(L, "")
			a.Name = a.Text("the name")
			a.About("x")
			a.Options()
			a.Done()
			return 0
		})
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", src, got, want)
		}
	}
}

// What an option may be besides its simple type is left to who asks; asked for as one type it is checked as that.
func TestNarrowed(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`f { min = 1 }`:      "",
		`f { min = '1h' }`:   "app.lua:1:5: option 'min' of app.option is the string \"1h\", expected a number",
		`f { max = '1h' }`:   "",
		`f { max = 'long' }`: "app.lua:1:5: option 'max' of app.option is the string \"long\", expected a duration like '10s', '1h30m', '7d', or a number of seconds",
	} {
		got := message(t, src, func(L *lua.LState) int {
			o := arg.Call(L, "app.option").Options()
			o.Number("min")
			o.Duration("max")
			return 0
		})
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", src, got, want)
		}
	}
}

func TestInside(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`f { on_error = { retry = 3, give_up = 'skip' } }`: "",
		`f { on_error = { retry = 0 } }`:                   "app.lua:1:18: option 'retry' of app.agent is the number 0, expected a whole number from 1",
		`f { on_error = { retires = 3 } }`:                 "app.lua:1:18: unknown option 'retires' for app.agent | did you mean 'retry'?  known: retry, backoff, give_up",
	} {
		got := message(t, src, func(L *lua.LState) int {
			in := arg.Call(L, "app.agent").Options().Inside("on_error")
			if n, ok := in.Integer("retry"); ok && n != 3 {
				t.Errorf("retry is %d", n)
			}
			return 0
		})
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", src, got, want)
		}
	}
}
