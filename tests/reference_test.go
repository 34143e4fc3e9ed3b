package tests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"faust/luabind"
	"faust/luabind/api"
	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/web"
	"faust/runtime/worker"
)

// TestExamplesOfTheReference runs every example of the description of the API: it has to load, what it declares has to run without a complaint in the log,
// and what it prints has to be what its comments say.
func TestExamplesOfTheReference(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, e := range api.All() {
		if e.Example == "" || seen[e.Example] {
			continue
		}
		seen[e.Example] = true
		t.Run(strings.ReplaceAll(e.Name, "/", "_"), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "example.lua")
			if err := os.WriteFile(file, []byte(e.Example), 0o600); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) { (&example{t: t, file: file, dir: dir, text: e.Example}).run() })
		})
	}
	if len(seen) < 100 {
		t.Errorf("only %d examples", len(seen))
	}
}

// example is one example being run, in virtual time and on a virtual network.
type example struct {
	t         *testing.T
	file, dir string
	text      string
	out       lines
	log       lines
	config    broker.Config
}

// lines is an output that can be waited for.
type lines struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	return l.text.Write(p)
}

// get gives the lines so far, with one space for every gap, and a channel that is closed when there is more.
func (l *lines) get() ([]string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	var out []string
	for line := range strings.Lines(l.text.String()) {
		out = append(out, strings.Join(strings.Fields(line), " "))
	}
	return out, l.changed
}

var expectation = regexp.MustCompile(`-->(.*)`)

// expected gives what the comments of the example say.
func (e *example) expected() []string {
	var want []string
	for _, m := range expectation.FindAllStringSubmatch(e.text, -1) {
		want = append(want, strings.Join(strings.Fields(m[1]), " "))
	}
	return want
}

func (e *example) load(out io.Writer) *luabind.Script {
	layer := app.LayerOf("test", map[string]string{"datadir": e.dir, "web_enabled": "false"})
	s, err := luabind.Load(e.file, luabind.Config{
		Stdin: strings.NewReader("Anna\n"), Stdout: &e.out, LoadPrint: out, Yes: true, Layers: app.Layers{layer},
		Log: e.logger(), Transport: webShop{},
	})
	if err != nil {
		e.t.Fatal(err)
	}
	return s
}

// webShop is a web server that the examples ask: it has what they expect.
type webShop struct{}

func (webShop) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "shop.example" {
		return nil, fmt.Errorf("no such host: %s", r.URL.Host)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(`{"id":"o1"}`)), Request: r,
	}, nil
}

func (e *example) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(&e.log, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func (e *example) run() {
	network := &kfake.VirtualNetwork{}
	server, err := broker.OpenServer(broker.ServerConfig{Listen: network.Listen})
	if err != nil {
		e.t.Fatal(err)
	}
	defer server.Close()
	e.config = server.Config()
	e.config.Embedded, e.config.Dial = false, network.DialContext

	script := e.load(&e.out)
	defer script.Close()
	stop := e.work(script)
	e.commands()
	e.pages(script.App.Pages)
	e.await()
	stop()
	if got, want := e.printed(), e.expected(); fmt.Sprint(got) != fmt.Sprint(want) {
		e.t.Errorf("%s\nprinted %q\n   want %q", e.text, got, want)
	}
	if log, _ := e.log.get(); len(log) > 0 && !strings.Contains(e.text, "error '") && !strings.Contains(e.text, "log.") {
		e.t.Errorf("%s\nlogged %q", e.text, log)
	}
}

func (e *example) printed() []string {
	got, _ := e.out.get()
	return got
}

// work starts a worker if the example declares something for one, and waits until it is operational. The function stops it.
func (e *example) work(s *luabind.Script) (stop func()) {
	if len(s.App.Agents)+len(s.App.Tasks)+len(s.App.Timers)+len(s.App.Pages) == 0 {
		return func() {}
	}
	ready, done := make(chan struct{}), make(chan error, 1)
	w := worker.New(worker.Config{
		App: s.App, Broker: e.broker, Logger: e.logger(), Events: worker.Events{Ready: func(worker.Info) { close(ready) }},
		Socket: func(string) (net.Listener, error) { return (&kfake.VirtualNetwork{}).Listen("tcp", "127.0.0.1:6067") }, // a real one stops the clock
	})
	ctx, cancel := context.WithCancel(e.t.Context())
	go func() { done <- w.Run(ctx) }()
	select {
	case <-ready:
	case err := <-done:
		e.t.Fatalf("%s\nthe worker ended: %v", e.text, err)
	}
	return func() {
		cancel()
		var exit *app.Exit
		if err := <-done; err != nil && (!errors.As(err, &exit) || exit.Code != 0) {
			e.t.Errorf("%s\nthe worker ended: %v", e.text, err)
		}
	}
}

func (e *example) broker(context.Context) (broker.Config, error) { return e.config, nil }

// commands runs the commands of the example without arguments, as a process of their own would.
func (e *example) commands() {
	script := e.load(io.Discard)
	defer script.Close()
	for _, c := range script.App.Commands {
		in := app.Input{}
		for _, o := range c.Options {
			if o.Default != nil {
				in[o.Name] = o.Default
			}
		}
		client := worker.NewClient(worker.Config{App: script.App, Broker: e.broker, Logger: e.logger()})
		err := client.Run(e.t.Context(), func(ctx context.Context) error {
			_, err := c.Run(ctx, in)
			return err
		})
		if err != nil {
			e.t.Errorf("%s\ncommand %s: %v", e.text, c.Name, err)
		}
	}
}

// pages asks for every page; none may fail.
func (e *example) pages(pages []*web.Page) {
	for _, p := range pages {
		method := http.MethodGet
		if len(p.Methods) > 0 {
			method = p.Methods[0]
		}
		params := map[string]string{}
		for _, m := range regexp.MustCompile(`{(\w+)}`).FindAllStringSubmatch(p.Pattern, -1) {
			params[m[1]] = "x"
		}
		request := &web.Request{Request: httptest.NewRequest(method, "/", nil), Params: params, Body: []byte(`{"id":"o1"}`)}
		answer, err := p.Handle(e.t.Context(), request)
		var status *web.Status
		if err != nil && (!errors.As(err, &status) || status.Code >= 500) {
			e.t.Errorf("%s\npage %s: %v", e.text, p.Name, err)
		}
		if answer != nil && answer.Stream != nil {
			if err := answer.Stream(e.t.Context(), io.Discard); err != nil {
				e.t.Errorf("%s\npage %s: %v", e.text, p.Name, err)
			}
		}
	}
}

// await waits until the example has printed as much as it has to.
func (e *example) await() {
	limit := time.After(10 * time.Minute)
	for {
		got, more := e.out.get()
		if len(got) >= len(e.expected()) {
			return
		}
		select {
		case <-more:
		case <-limit:
			return
		}
	}
}
