package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// noListener is a listener that nobody reaches.
func noListener(string, string) (net.Listener, error) { return &deaf{closed: make(chan struct{})}, nil }

type deaf struct {
	once   sync.Once
	closed chan struct{}
}

func (d *deaf) Accept() (net.Conn, error) { <-d.closed; return nil, net.ErrClosed }
func (d *deaf) Close() error              { d.once.Do(func() { close(d.closed) }); return nil }
func (d *deaf) Addr() net.Addr            { return &net.TCPAddr{IP: net.IPv4zero, Port: 6066} }

// lines is a log that can be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// server opens a Server that is asked through its handler only.
func server(t *testing.T, cfg Config) (*Server, *lines) {
	t.Helper()
	out := &lines{}
	cfg.Logger = slog.New(slog.NewTextHandler(out, nil))
	if cfg.Listen == nil {
		cfg.Listen = noListener
	}
	for _, p := range cfg.Pages {
		if p.Name == "" {
			p.Name = p.Pattern
		}
	}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, out
}

// ask sends a request to the handler: "POST /path", headers as "Name: value".
func ask(s *Server, what, body string, headers ...string) *http.Response {
	method, path, _ := strings.Cut(what, " ")
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr, r.Host = "127.0.0.1:50000", "127.0.0.1:6066"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "From" {
			r.RemoteAddr = value
			continue
		}
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// answers is a Handler that gives a response.
func answers(r *Response) Handler {
	return func(context.Context, *Request) (*Response, error) { return r, nil }
}

// fails is a Handler that fails.
func fails(err error) Handler {
	return func(context.Context, *Request) (*Response, error) { return nil, err }
}

func TestPages(t *testing.T) {
	t.Parallel()
	s, out := server(t, Config{Pages: []*Page{
		{Pattern: "/text", Handle: answers(&Response{Body: []byte("hello")})},
		{Pattern: "/json", Handle: answers(&Response{Body: []byte("{}"), Type: "application/json", Status: 201, Header: http.Header{"x-a": {"1", "2"}}})},
		{Pattern: "/none", Handle: answers(nil)},
		{Pattern: "/accepted", Methods: []string{"POST"}, Handle: answers(&Response{Status: 202})},
		{Pattern: "/found", Handle: answers(&Response{Status: 302, Header: http.Header{"Location": {"/text"}}})},
		{Pattern: "/odd", Handle: answers(&Response{Status: 7, Body: []byte("x")})},
		{Pattern: "/status", Handle: fails(fmt.Errorf("app.lua:3: %w", &Status{Code: 404, Text: "no such \"order\""}))},
		{Pattern: "/status-json", Handle: fails(&Status{Code: 400, JSON: []byte(`{"error":"x","field":"a"}`)})},
		{Pattern: "/status-odd", Handle: fails(&Status{Code: 20, Text: "x"})},
		{Pattern: "/error", Handle: fails(errors.New("secret"))},
		{Pattern: "/panic", Handle: func(context.Context, *Request) (*Response, error) { panic("oh") }},
		{Pattern: "/stream-panic", Handle: answers(&Response{Stream: func(context.Context, io.Writer) error { panic("oh") }})},
		{Pattern: "/echo/{a}/{b:[0-9]+}/*", Methods: []string{"GET", "PUT"}, Handle: func(_ context.Context, r *Request) (*Response, error) {
			return &Response{Body: fmt.Appendf(nil, "%s %v %s", r.Method, r.Params, r.Body)}, nil
		}},
		{Pattern: "/echo/new", Methods: []string{"DELETE"}, Handle: answers(nil)},
		{Pattern: "/dir/", Handle: answers(nil)},
		{Pattern: "/own", Handle: answers(&Response{Body: []byte("get")})},
		{Pattern: "/own", Methods: []string{"HEAD"}, Handle: answers(&Response{Status: 204, Header: http.Header{"Own": {"1"}}})},
		{Pattern: "/own", Methods: []string{"OPTIONS"}, Handle: answers(&Response{Body: []byte("options")})},
	}})
	for _, c := range []struct {
		ask, body string
		code      int
		text      string
		header    string // "Name: value" that must be there
	}{
		{"GET /text", "", 200, "hello", "Content-Type: text/plain; charset=utf-8"},
		{"GET /text?x=1", "", 200, "hello", "X-Content-Type-Options: nosniff"},
		{"HEAD /text", "", 200, "", "Content-Length: 5"},
		{"GET /json", "", 201, "{}", "Content-Type: application/json"},
		{"GET /json", "", 201, "{}", "X-A: 1"},
		{"GET /none", "", 204, "", ""},
		{"POST /accepted", "x", 202, "", ""},
		{"GET /found", "", 302, "", "Location: /text"},
		{"GET /status", "", 404, `{"error":"no such \"order\""}`, "Content-Type: application/json"},
		{"GET /status-json", "", 400, `{"error":"x","field":"a"}`, ""},
		{"GET /status-odd", "", 500, `{"error":"x"}`, ""},
		{"GET /error", "", 500, `{"error":"internal error"}`, ""},
		{"GET /panic", "", 500, `{"error":"internal error"}`, ""},
		{"GET /odd", "", 500, `{"error":"internal error"}`, ""},
		{"GET /echo/x%20y/12/rest/of", "", 200, "GET map[*:rest/of a:x y b:12]", ""},
		{"PUT /echo/x%2Fy/12/", "body", 200, "PUT map[*: a:x/y b:12] body", ""},
		{"GET /echo/x/y/z", "", 404, `{"error":"not found"}`, ""},
		{"GET /nothing", "", 404, `{"error":"not found"}`, ""},
		{"GET /dir", "", 404, `{"error":"not found","hint":"there is /dir/"}`, ""},
		{"GET /text/", "", 404, `{"error":"not found","hint":"there is /text"}`, ""},
		{"POST /text", "", 405, `{"error":"POST is not allowed here, only GET, HEAD, OPTIONS"}`, "Allow: GET, HEAD, OPTIONS"},
		{"GET /echo/new", "", 405, "", "Allow: DELETE, OPTIONS"},
		{"PROPFIND /accepted", "", 405, "", "Allow: POST, OPTIONS"},
		{"OPTIONS /accepted", "", 204, "", "Allow: POST, OPTIONS"},
		{"OPTIONS /nothing", "", 404, `{"error":"not found"}`, ""},
		{"HEAD /own", "", 204, "", "Own: 1"},
		{"GET /own", "", 200, "get", ""},
		{"OPTIONS /own", "", 200, "options", ""},
	} {
		r := ask(s, c.ask, c.body)
		got := text(t, r)
		if strings.HasPrefix(c.ask, "HEAD") {
			got = "" // the server, not the handler, leaves it out
		}
		if r.StatusCode != c.code || c.text != "" && got != c.text {
			t.Errorf("%s: %d %s, want %d %s", c.ask, r.StatusCode, got, c.code, c.text)
		}
		if name, value, ok := strings.Cut(c.header, ": "); ok && r.Header.Get(name) != value {
			t.Errorf("%s: header %s is %q, want %q", c.ask, name, r.Header.Get(name), value)
		}
	}
	logged := out.String()
	for _, want := range []string{"page=/error method=GET path=/error err=secret", `page=/panic method=GET path=/panic err="panic: oh"`, "status 7 is not between"} {
		if strings.Count(logged, want) != 1 {
			t.Errorf("%q is not logged once:\n%s", want, logged)
		}
	}
	if n := strings.Count(logged, "\n"); n != 3 {
		t.Errorf("%d log lines:\n%s", n, logged)
	}
}

func TestDevelopment(t *testing.T) {
	t.Parallel()
	page := []*Page{{Pattern: "/error", Handle: fails(errors.New("a < b"))}}
	for _, c := range []struct {
		development bool
		headers     []string
		shown       bool
	}{
		{true, []string{"Accept: text/html,*/*"}, true},
		{true, []string{"Accept: */*"}, false},
		{true, []string{"Accept: text/html", "From: 192.0.2.1:4000"}, false},
		{true, []string{"Accept: text/html", "X-Forwarded-For: 192.0.2.1"}, false},
		{false, []string{"Accept: text/html"}, false},
	} {
		s, _ := server(t, Config{Pages: page, Development: c.development, Render: func(err error) string { return "rendered: " + err.Error() }})
		got := text(t, ask(s, "GET /error", "", c.headers...))
		if strings.Contains(got, "rendered: a &lt; b") != c.shown || strings.Contains(got, "internal error") == c.shown {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	s, out := server(t, Config{BodyLimit: 10, Pages: []*Page{{Pattern: "/", Methods: []string{"POST"}, Handle: func(_ context.Context, r *Request) (*Response, error) {
		return &Response{Body: r.Body}, nil
	}}}})
	if r := ask(s, "POST /", "0123456789"); r.StatusCode != 200 {
		t.Error(r.Status)
	}
	if r := ask(s, "POST /", "0123456789a"); r.StatusCode != 413 || text(t, r) != `{"error":"the body is larger than 10 bytes"}` {
		t.Error(r.Status)
	}
	if out.String() != "" {
		t.Error(out)
	}
	if s, _ := server(t, Config{}); s.cfg.BodyLimit != 1<<20 {
		t.Error(s.cfg.BodyLimit)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := filepath.Join(dir, "static")
	write := func(name, content string) {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	write("static/a.html", "<p>hello</p>")
	write("static/sub/b.txt", "0123456789")
	write("secret.txt", "secret")
	if err := os.Symlink(filepath.Join(dir, "secret.txt"), filepath.Join(root, "link.txt")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600); err != nil { // to open it would be to wait for who writes
		t.Fatal(err)
	}
	s, _ := server(t, Config{Pages: []*Page{
		{Pattern: "/static/*", Handle: func(_ context.Context, r *Request) (*Response, error) {
			return &Response{File: r.Params["*"], Root: root}, nil
		}},
		{Pattern: "/whole", Handle: answers(&Response{File: filepath.Join(root, "a.html"), Type: "text/plain"})},
		{Pattern: "/pipe", Handle: answers(&Response{File: filepath.Join(root, "pipe")})},
		{Pattern: "/sorry", Handle: answers(&Response{File: "a.html", Root: root, Status: 503})},
		{Pattern: "/gone", Handle: answers(&Response{File: filepath.Join(root, "nothing")})},
	}})
	for _, c := range []struct {
		ask, header string
		code        int
		text, kind  string
	}{
		{"GET /static/a.html", "", 200, "<p>hello</p>", "text/html; charset=utf-8"},
		{"GET /static/sub/b.txt", "Range: bytes=2-4", 206, "234", "text/plain; charset=utf-8"},
		{"GET /static/sub/b.txt", "Range: bytes=50-", 416, "", ""},
		{"GET /static/sub", "", 404, `{"error":"not found"}`, "application/json"},
		{"GET /static/nothing", "", 404, `{"error":"not found"}`, ""},
		{"GET /static/../secret.txt", "", 404, `{"error":"not found"}`, ""},
		{"GET /static/%2e%2e/secret.txt", "", 404, `{"error":"not found"}`, ""},
		{"GET /static/%2e%2e%2fsecret.txt", "", 404, `{"error":"not found"}`, ""},
		{"GET /static//etc/passwd", "", 404, `{"error":"not found"}`, ""},
		{"GET /static/link.txt", "", 404, `{"error":"not found"}`, ""},
		{"GET /static/pipe", "", 404, `{"error":"not found"}`, ""},
		{"GET /pipe", "", 404, `{"error":"not found"}`, ""},
		{"GET /whole", "", 200, "<p>hello</p>", "text/plain"},
		{"GET /sorry", "", 503, "<p>hello</p>", ""},
		{"GET /gone", "", 404, `{"error":"not found"}`, ""},
	} {
		r := ask(s, c.ask, "", c.header)
		got := text(t, r)
		if r.StatusCode != c.code || c.text != "" && got != c.text || c.kind != "" && r.Header.Get("Content-Type") != c.kind {
			t.Errorf("%s: %d %q %s", c.ask, r.StatusCode, got, r.Header.Get("Content-Type"))
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	var dead error
	checks := []Check{{Name: "broker", OK: true}}
	registry := prometheus.NewRegistry()
	s, _ := server(t, Config{
		Live: func() error { return dead }, Ready: func() []Check { return checks }, Registry: registry, Token: "t0k",
		Pages: []*Page{{Name: "hi", Pattern: "/hi", Handle: answers(nil)}, {Name: "bad", Pattern: "/bad", Handle: fails(errors.New("x"))}},
	})
	check := func(what string, code int, want string, headers ...string) {
		t.Helper()
		r := ask(s, what, "", headers...)
		if got := text(t, r); r.StatusCode != code || want != "" && got != want {
			t.Errorf("%s: %d %s, want %d %s", what, r.StatusCode, got, code, want)
		}
	}
	check("GET /livez", 200, `{"ok":true}`)
	check("HEAD /livez", 200, "")
	check("GET /readyz", 200, `{"checks":[{"name":"broker","ok":true}],"ok":true}`)
	dead, checks = errors.New("stuck"), append(checks, Check{Name: "orders/2", Reason: "100 failed events in a row"})
	check("GET /livez", 503, `{"error":"stuck","ok":false}`)
	check("GET /readyz", 503, `{"checks":[{"name":"broker","ok":true},{"name":"orders/2","ok":false,"reason":"100 failed events in a row"}],"ok":false}`)
	check("POST /livez", 405, "")
	check("GET /_/api", 404, "")
	check("GET /_/api", 401, "", "From: 192.0.2.1:4000")
	check("GET /_/api", 401, "", "From: 192.0.2.1:4000", "Authorization: Bearer no")
	check("GET /_/api", 404, "", "From: 192.0.2.1:4000", "Authorization: Bearer t0k")
	check("GET /hi", 204, "")
	check("GET /hi", 204, "")
	check("GET /bad", 500, "")
	check("GET /nowhere", 404, "")
	got := text(t, ask(s, "GET /metrics", ""))
	for _, want := range []string{`faust_web_requests_total{code="204",page="hi"} 2`, `faust_web_requests_total{code="500",page="bad"} 1`,
		`faust_web_requests_total{code="404",page=""} 1`, `faust_web_request_seconds_count{page="hi"} 2`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if _, err := Open(Config{Registry: registry, Listen: noListener}); err == nil {
		t.Error("metrics registered twice")
	}
	plain, _ := server(t, Config{})
	if r := ask(plain, "GET /readyz", ""); r.StatusCode != 200 || text(t, r) != `{"checks":[],"ok":true}` {
		t.Error(r.Status)
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	taken := func(n int) (func(string, string) (net.Listener, error), *[]string) {
		var asked []string
		return func(_, addr string) (net.Listener, error) {
			if asked = append(asked, addr); len(asked) <= n {
				return nil, &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
			}
			return noListener("", "")
		}, &asked
	}
	listen, asked := taken(2)
	s, _ := server(t, Config{Port: 6066, Listen: listen})
	if diff := cmp.Diff([]string{"127.0.0.1:6066", "127.0.0.1:6067", "127.0.0.1:6068"}, *asked); diff != "" {
		t.Error(diff)
	}
	if s.URL() != "http://localhost:6066" {
		t.Error(s.URL())
	}
	listen, asked = taken(1)
	if _, err := Open(Config{Port: 6066, Explicit: true, Listen: listen}); !errors.Is(err, syscall.EADDRINUSE) || err.Error() != "web server on 127.0.0.1:6066: the port is taken" || len(*asked) != 1 {
		t.Error(err, *asked)
	}
	listen, asked = taken(1000)
	if _, err := Open(Config{Port: 6066, Bind: "::1", Listen: listen}); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "[::1]:6066") || len(*asked) != ports {
		t.Error(err, len(*asked))
	}
	refused := errors.New("no such address")
	if _, err := Open(Config{Port: 6066, Listen: func(string, string) (net.Listener, error) { return nil, refused }}); !errors.Is(err, refused) {
		t.Error(err)
	}
	unknown := &net.OpError{Op: "listen", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "shop", Server: "10.0.0.53:53", IsNotFound: true}}
	_, err := Open(Config{Bind: "shop", Port: 6066, Listen: func(string, string) (net.Listener, error) { return nil, unknown }})
	if err == nil || err.Error() != "web server on shop:6066: the host name is not known" {
		t.Error(err)
	}
	if _, err := Open(Config{Pages: []*Page{{Pattern: "x"}}}); err == nil {
		t.Error("pages are not checked")
	}
	a, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := Open(Config{Port: a.Addr().(*net.TCPAddr).Port})
	if err != nil || b.URL() == a.URL() || !strings.HasPrefix(b.URL(), "http://127.0.0.1:") {
		t.Fatal(err, b)
	}
	if errors.Join(b.Close(), b.Close()) != nil {
		t.Error("close twice")
	}
}

// run serves on a real port of loopback until the test ends or stop is called, which gives Run's error.
func run(t *testing.T, cfg Config) (s *Server, stop func() error, out *lines) {
	t.Helper()
	cfg.Listen = net.Listen
	if cfg.Grace == 0 {
		cfg.Grace = time.Minute // of the machine's time, which may be busy
	}
	s, out = server(t, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var once sync.Once
	var err error
	stop = func() error { once.Do(func() { cancel(); err = <-done }); return err }
	t.Cleanup(func() { _ = stop() })
	return s, stop, out
}

func get(t *testing.T, url string) *http.Response {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Body.Close() })
	return r
}

func TestRun(t *testing.T) {
	t.Parallel()
	in, gate := make(chan struct{}), make(chan struct{})
	s, stop, _ := run(t, Config{Pages: []*Page{{Pattern: "/slow", Handle: func(context.Context, *Request) (*Response, error) {
		close(in)
		<-gate
		return &Response{Body: []byte("done")}, nil
	}}}})
	answer := make(chan string, 1)
	go func() {
		r, err := http.Get(s.URL() + "/slow")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		answer <- string(b)
	}()
	<-in
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	<-s.stopping.Done()
	close(gate)
	if got := <-answer; got != "done" {
		t.Errorf("the page that ran was not finished: %s", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := http.Get(s.URL() + "/slow"); err == nil {
		t.Error("still answers")
	}
}

func TestRunCutsOff(t *testing.T) {
	t.Parallel()
	in := make(chan struct{})
	s, stop, out := run(t, Config{Grace: time.Millisecond, Pages: []*Page{{Pattern: "/stuck", Handle: func(ctx context.Context, _ *Request) (*Response, error) {
		close(in)
		<-ctx.Done()
		return nil, ctx.Err()
	}}}})
	failed := make(chan error, 1)
	go func() {
		_, err := http.Get(s.URL() + "/stuck")
		failed <- err
	}()
	<-in
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := <-failed; err == nil {
		t.Error("answered")
	}
	if !strings.Contains(out.String(), "pages cut off") {
		t.Error(out)
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	next, ended := make(chan string), make(chan error, 4)
	s, stop, out := run(t, Config{Pages: []*Page{
		{Pattern: "/stream", Handle: answers(&Response{Type: "text/event-stream", Stream: func(ctx context.Context, w io.Writer) error {
			for {
				select {
				case line, ok := <-next:
					if !ok {
						ended <- nil
						return nil
					}
					if _, err := io.WriteString(w, line+"\n"); err != nil {
						ended <- err
						return err
					}
				case <-ctx.Done():
					ended <- ctx.Err()
					return ctx.Err()
				}
			}
		}})},
		{Pattern: "/broken", Handle: answers(&Response{Stream: func(_ context.Context, w io.Writer) error {
			fmt.Fprintln(w, "first")
			return errors.New("lost the thread")
		}})},
	}})
	r := get(t, s.URL()+"/stream")
	if r.Header.Get("Content-Type") != "text/event-stream" {
		t.Error(r.Header)
	}
	lines := bufio.NewReader(r.Body)
	for _, line := range []string{"one", "two"} {
		next <- line
		if got, err := lines.ReadString('\n'); err != nil || got != line+"\n" {
			t.Errorf("%q %v", got, err)
		}
	}
	r.Body.Close()
	if err := <-ended; err == nil {
		t.Error("the page does not hear that the client left")
	}
	broken := get(t, s.URL()+"/broken")
	if b, err := io.ReadAll(broken.Body); err == nil || string(b) != "first\n" {
		t.Errorf("%q %v: a stream that fails must not look complete", b, err)
	}
	again := get(t, s.URL()+"/stream")
	next <- "x"
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("at stop: %v", err)
	}
	if b, err := io.ReadAll(again.Body); string(b) != "x\n" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	if logged := out.String(); strings.Count(logged, "\n") != 1 || !strings.Contains(logged, "lost the thread") {
		t.Errorf("log: %s", logged)
	}
}

func TestClientLeaves(t *testing.T) {
	t.Parallel()
	in, over := make(chan struct{}), make(chan struct{})
	registry := prometheus.NewRegistry()
	s, stop, out := run(t, Config{Registry: registry, Pages: []*Page{{Pattern: "/wait", Handle: func(ctx context.Context, _ *Request) (*Response, error) {
		close(in)
		<-ctx.Done()
		defer close(over)
		return nil, fmt.Errorf("ask: %w", ctx.Err())
	}}}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-in; cancel() }()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/wait", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.DefaultClient.Do(r); err == nil {
		t.Error("answered")
	}
	<-over
	if err := stop(); err != nil {
		t.Error(err)
	}
	if out.String() != "" {
		t.Errorf("logged: %s", out)
	}
	if got := text(t, ask(s, "GET /metrics", "")); !strings.Contains(got, `code="499",page="/wait"`) {
		t.Error(got)
	}
}

// TestDeadlines: what a slow client gets, in virtual time over an in-memory connection.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pipes := &pipe{conns: make(chan net.Conn), closed: make(chan struct{})}
		s, err := Open(Config{Listen: func(string, string) (net.Listener, error) { return pipes, nil }, Pages: []*Page{
			{Pattern: "/", Methods: []string{"POST"}, Handle: func(context.Context, *Request) (*Response, error) { return nil, nil }},
			{Pattern: "/think", Handle: func(ctx context.Context, _ *Request) (*Response, error) {
				select {
				case <-time.After(10 * time.Minute):
				case <-ctx.Done():
				}
				return &Response{Body: fmt.Appendf(nil, "%v", ctx.Err())}, nil
			}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		client, server := net.Pipe()
		pipes.conns <- server
		for _, c := range []struct {
			send string
			want string
			took time.Duration
		}{
			{"GET /think HTTP/1.1\r\nHost: x\r\n\r\n", "<nil>", 10 * time.Minute},
			{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n123", "400 Bad Request", bodyTimeout},
		} {
			start := time.Now()
			if _, err := io.WriteString(client, c.send); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 4096)
			n, _ := client.Read(b)
			if !strings.Contains(string(b[:n]), c.want) || time.Since(start) != c.took {
				t.Errorf("after %v: %s", time.Since(start), b[:n])
			}
		}
		go func() { _, _ = io.Copy(io.Discard, client) }()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		client.Close()
	})
}

// pipe is a listener of in-memory connections.
type pipe struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipe) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipe) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func TestJSONShape(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	writeJSON(w, 200, map[string]any{"x": func() {}})
	if !json.Valid(w.Body.Bytes()) {
		t.Error(w.Body)
	}
}
