package cli

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"faust/runtime/app"
)

func TestScan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args     string
		file     string
		run      bool
		command  string
		rest     string
		settings map[string]string
	}{
		{"", "", false, "", "", nil},
		{"version", "", false, "version", "", nil},
		{"run a.lua worker -l info", "a.lua", true, "worker", "-l info", nil},
		{"run -l info a.lua worker", "a.lua", true, "worker", "", map[string]string{"loglevel": "info"}},
		{"-l info run a.lua -p 80 worker x", "a.lua", true, "worker", "x", map[string]string{"loglevel": "info", "web_port": "80"}},
		{"-A a.lua worker -l info", "a.lua", false, "worker", "-l info", nil},
		{"--app=a worker", "a", false, "worker", "", nil},
		{"worker -A a.lua -l info", "a.lua", false, "worker", "-l info", nil},
		{"worker --app=a.lua", "a.lua", false, "worker", "", nil},
		{"worker -Aa.lua x", "a.lua", false, "worker", "x", nil},
		{"worker -- -A a.lua", "", false, "worker", "-- -A a.lua", nil},
		{"run", "", true, "", "", nil},
		{"run a.lua --without-web --no-strict=false produce --n 1", "a.lua", true, "produce", "--n 1", map[string]string{"web_enabled": "false", "strict": "true"}},
	} {
		var g globals
		call, err := g.scan(strings.Fields(c.args))
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		if call.file != c.file || call.run != c.run || call.command != c.command || !slices.Equal(call.args, strings.Fields(c.rest)) && len(call.args) > 0 {
			t.Errorf("%s: %+v", c.args, call)
		}
		if !maps.Equal(g.settings, c.settings) {
			t.Errorf("%s: settings %v", c.args, g.settings)
		}
	}
}

func TestScanRefuses(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--frob run x":           "unknown flag '--frob'",
		"-Z run x":               "unknown flag '-Z'",
		"run x -l":               "-l needs a value",
		"run x --web-port":       "--web-port needs a value",
		"-A y run x":             "the app is given twice: by --app and by run",
		"--traceback=long run":   "--traceback cannot be 'long': expected one of: short, full, none",
		"--quiet=maybe run x":    "--quiet cannot be 'maybe': expected true or false",
		"--without-web=ja run x": "--without-web cannot be 'ja': expected true or false",
	} {
		var g globals
		_, err := g.scan(strings.Fields(args))
		var usage *usageError
		if !errors.As(err, &usage) || usage.message != want {
			t.Errorf("%s: %v", args, err)
		}
	}
	var g globals
	_, err := g.scan([]string{"--loglevle", "info"})
	var usage *usageError
	if !errors.As(err, &usage) || usage.hint != "did you mean '--loglevel'?" {
		t.Errorf("got %+v", usage)
	}
}

func TestGuessPassesOverWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	g := globals{}
	g.guess(strings.Fields("--max-messages 3 -n -l info --frob=1 x -5 --yes"))
	if g.settings["loglevel"] != "info" || !g.yes {
		t.Errorf("got %+v", g)
	}
}

func TestOptionsOfAppsWin(t *testing.T) {
	t.Parallel()
	set := pflag.NewFlagSet("produce", pflag.ContinueOnError)
	flags := addOptions(set, []app.Option{{Name: "partition", Short: "p", Kind: app.Int}, {Name: "quiet", Kind: app.Bool}, {Name: "tag", Kind: app.String, Multiple: true}})
	var g globals
	g.add(set)
	if err := set.Parse(guardNumbers(strings.Fields("-p -3 --no-quiet --tag a --tag b --web-port 80 -l info"))); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(flags[0].values, []string{"-3"}) || !slices.Equal(flags[1].values, []string{"false"}) || !slices.Equal(flags[2].values, []string{"a", "b"}) {
		t.Errorf("got %v %v %v", flags[0].values, flags[1].values, flags[2].values)
	}
	if g.quiet || g.settings["web_port"] != "80" || g.settings["loglevel"] != "info" {
		t.Errorf("got %+v", g)
	}
}

func TestInput(t *testing.T) {
	t.Parallel()
	one := 1.0
	c := &app.Command{
		Name: "produce",
		Options: []app.Option{
			{Name: "max", Kind: app.Int, Min: &one}, {Name: "wait", Kind: app.Duration, Env: "WAIT", Default: []string{"0.5"}},
			{Name: "key", Kind: app.String, Env: "KEYS", Multiple: true}, {Name: "must", Kind: app.String, Required: true, Env: "MUST"},
		},
		Arguments: []app.Argument{{Name: "to", Kind: app.Int, Required: true}, {Name: "more", Kind: app.Int, Multiple: true}},
	}
	run := func(environ, args string) (app.Input, error) {
		s := &session{env: readEnvironment(strings.Fields(environ))}
		set := pflag.NewFlagSet("produce", pflag.ContinueOnError)
		flags := addOptions(set, c.Options)
		if err := set.Parse(guardNumbers(strings.Fields(args))); err != nil {
			return nil, flagError(set, err)
		}
		return s.input(c, flags, set.Args())
	}
	in, err := run("WAIT=2s KEYS=a,b", "1 --max 5 --must x -2 3")
	want := map[string]string{"max": "5", "wait": "2", "key": "a b", "must": "x", "to": "1", "more": "-2 3"}
	if err != nil || len(in) != len(want) {
		t.Fatalf("%v, %v", in, err)
	}
	for name, text := range want {
		if strings.Join(in[name], " ") != text {
			t.Errorf("%s: %v", name, in[name])
		}
	}
	if in, err := run("MUST=y", "1"); err != nil || in["wait"][0] != "0.5" || in["max"] != nil || in["must"][0] != "y" {
		t.Errorf("%v, %v", in, err)
	}
	for args, want := range map[string]string{
		"--must x":           "argument 'to' is missing",
		"--must x a":         "argument 'to' cannot be 'a': expected a whole number",
		"1":                  "--must is missing",
		"1 --must x --max 0": "--max cannot be '0': expected at least 1",
		"1 --mst x":          "unknown flag '--mst'",
	} {
		if _, err := run("", args); err == nil || err.Error() != want {
			t.Errorf("%s: %v", args, err)
		}
	}
	if _, err := run("WAIT=soon MUST=x", "1"); err == nil || !strings.HasPrefix(err.Error(), "WAIT cannot be 'soon': expected a duration") {
		t.Errorf("got %v", err)
	}
	c.Arguments = c.Arguments[:1]
	if _, err := run("MUST=x", "1 2"); err == nil || err.Error() != "argument '2' is too many" {
		t.Errorf("got %v", err)
	}
}

func TestLayersOrigins(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	text := "\ufeff# comment\nexport FAUST_GRACE='5s'\nFAUST_WEB_PORT=1 # no\nFAUST_LOGLEVEL=debug\nOTHER_OF_THIS_TEST=\"a b\"\n\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, name := range []string{"FAUST_GRACE", "FAUST_LOGLEVEL", "OTHER_OF_THIS_TEST", "FAUST_WEB_PORT"} {
			os.Unsetenv(name)
		}
	})
	s := &session{env: readEnvironment([]string{"FAUST_WEB_PORT=7001", "FAUST_LOGLEVEL=info", "FAUST_ID="})}
	if _, err := s.globals.scan([]string{"--loglevel", "error"}); err != nil {
		t.Fatal(err)
	}
	if err := s.env.addFile(file); err != nil {
		t.Fatal(err)
	}
	settings, err := app.Resolve(s.layers()...)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"loglevel": "error (--loglevel)", "web_port": "7001 (FAUST_WEB_PORT)", "grace": "5s (FAUST_GRACE in " + file + ")", "id": "app (default)",
	} {
		if v, _ := settings.Value(name); v.Text+" ("+string(v.Origin)+")" != want {
			t.Errorf("%s: %+v, not %s", name, v, want)
		}
	}
	if got := os.Getenv("OTHER_OF_THIS_TEST"); got != "a b" {
		t.Errorf("scripts see %q", got)
	}
	if err := os.WriteFile(file, []byte("A=1\nnonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.env.addFile(file); err == nil || !strings.Contains(err.Error(), ":2: expected NAME=value") {
		t.Errorf("got %v", err)
	}
	os.Unsetenv("A")
}

func TestWarnUnknownVariables(t *testing.T) {
	t.Parallel()
	e := readEnvironment([]string{"FAUST_BROKR_URL=x", "FAUST_BROKER=x", "FAUST_GRACE=1", "FAUST_QQQQQQQQQQQQQQ=1", "OTHER=1", "FAUST_ENV=x"})
	var b bytes.Buffer
	e.warnUnknown(&b, nil)
	want := "warning: FAUST_BROKER is set but unknown; did you mean FAUST_BROKER_URL?\n" +
		"warning: FAUST_BROKR_URL is set but unknown; did you mean FAUST_BROKER_URL?\n" +
		"warning: FAUST_QQQQQQQQQQQQQQ is set but unknown\n"
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}

func TestProduction(t *testing.T) {
	t.Parallel()
	for environ, want := range map[string]bool{"": false, "FAUST_ENV=production": true, "FAUST_ENV=test": false, "KUBERNETES_SERVICE_HOST=10.0.0.1": true} {
		e := readEnvironment([]string{environ})
		if got := e.production() != ""; got != want {
			t.Errorf("%s: %v", environ, got)
		}
	}
}
