package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"faust/runtime/control"
	"faust/tests/drive"
)

// fake is a worker with one agent and one channel.
type fake struct {
	mu     sync.Mutex
	paused map[string]bool
	asked  []int // limits of Errors
	f      func(control.Message)
	log    func(control.Line)
	level  string
	tails  chan bool // true: one begins, false: it ends
}

func newFake() *fake { return &fake{paused: map[string]bool{}, tails: make(chan bool, 100)} }

func (w *fake) Status() control.Status {
	return control.Status{App: "shop", ID: "shop", PID: 7, Problems: []string{}, Agents: []control.Agent{{Name: "orders", Partitions: []control.Partition{}}}}
}

func (w *fake) Errors(limit int) []control.Failure {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, limit)
	if limit == 1 {
		return []control.Failure{{Number: 3, Count: 2, Source: "agent orders", Message: "x"}}
	}
	return nil
}

func (w *fake) Tasks() []control.Task {
	return []control.Task{{Name: "agent orders", State: "waiting", Stack: []string{"shop.lua:3"}}}
}

func (w *fake) Pause(name string) error  { return w.set(name, true) }
func (w *fake) Resume(name string) error { return w.set(name, false) }

func (w *fake) set(name string, paused bool) error {
	if name != "or/ders" {
		return control.ErrUnknown
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paused[name] = paused
	return nil
}

func (w *fake) Channels() []string { return []string{"channel-1"} }

func (w *fake) Tail(name string, f func(control.Message)) (func(), error) {
	if name != "channel-1" {
		return nil, control.ErrUnknown
	}
	w.mu.Lock()
	w.f = f
	w.mu.Unlock()
	w.tails <- true
	return func() { w.tails <- false }, nil
}

func (w *fake) Log(level string, f func(control.Line)) (func(), error) {
	w.mu.Lock()
	w.log, w.level = f, level
	w.mu.Unlock()
	return func() {}, nil
}

// talk is a console whose inputs are commands of the test.
type talk struct {
	mu     sync.Mutex
	who    []string
	closed []string
	waits  chan struct{} // told when an input waits
}

func (c *talk) Open(who string) control.Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.who = append(c.who, who)
	return &talking{console: c, who: who}
}

func (c *talk) ended() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.closed...)
}

type talking struct {
	console *talk
	who     string
}

func (s *talking) Eval(ctx context.Context, in control.Input, out io.Writer) control.Result {
	switch in.Text {
	case "print":
		io.WriteString(out, "one\n")
		io.WriteString(out, "")
		out.Write([]byte{0xff, 'x'})
	case "wait":
		io.WriteString(out, "begun")
		s.console.waits <- struct{}{}
		<-ctx.Done()
		s.console.waits <- struct{}{}
		return control.Result{Stopped: true, Failed: true}
	case "flood":
		for range 3 {
			out.Write(bytes.Repeat([]byte("x"), maxOutput/2+1))
		}
	case "panic":
		panic("no")
	}
	return control.Result{Text: fmt.Sprintf("%s %s %v %d", in.Text, in.Form, in.All, in.Width)}
}

func (s *talking) Complete(_ context.Context, text string) control.Completion {
	if text == "" {
		return control.Completion{}
	}
	return control.Completion{Replace: 2, Candidates: []control.Candidate{{Text: text + "draw", Kind: "function"}}}
}

func (s *talking) Close() {
	s.console.mu.Lock()
	defer s.console.mu.Unlock()
	s.console.closed = append(s.console.closed, s.who)
}

// socket serves an API on a socket of its own, and gives a client; stop ends it.
func socket(t *testing.T, a *API) (c *control.Client, stop func()) {
	t.Helper()
	dir := t.TempDir()
	l, err := control.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx, l) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	t.Cleanup(a.Close)
	c, err = control.Dial(t.Context(), dir+"/"+control.SocketName)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, stop
}

func TestAPI(t *testing.T) {
	t.Parallel()
	w := newFake()
	live := errors.New("agent orders has run at shop.lua:3 for 12 s without waiting")
	checks := []Check{{Name: "running", OK: true, Reason: "paused"}}
	a := NewAPI(APIConfig{Worker: w, Live: func() error { return live }, Ready: func() []Check { return checks }})
	c, stop := socket(t, a)
	ctx := t.Context()
	equal := func(what string, err error, got, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", what, err, diff)
		}
	}
	status, err := c.Status(ctx)
	equal("status", err, status, w.Status())
	failures, err := c.Errors(ctx, 1)
	equal("errors", err, failures, w.Errors(1))
	failures, err = c.Errors(ctx, 0)
	equal("no errors", err, failures, []control.Failure{})
	tasks, err := c.Tasks(ctx)
	equal("tasks", err, tasks, w.Tasks())
	names, err := c.Channels(ctx)
	equal("channels", err, names, []string{"channel-1"})
	check, err := c.Live(ctx)
	equal("live", err, check, Check{Name: "live", Reason: live.Error()})
	health, err := c.Ready(ctx)
	equal("ready", err, health, control.Health{OK: true, Checks: checks})
	checks = append(checks, Check{Name: "broker", Reason: "away"})
	health, err = c.Ready(ctx)
	equal("not ready", err, health, control.Health{Checks: checks})
	if err := c.Pause(ctx, "or/ders"); err != nil || !w.paused["or/ders"] {
		t.Errorf("pause: %v", err)
	}
	if err := c.Resume(ctx, "or/ders"); err != nil || w.paused["or/ders"] {
		t.Errorf("resume: %v", err)
	}
	if err := c.Pause(ctx, "nobody"); !errors.Is(err, control.ErrUnknown) || err.Error() != "agent nobody: there is none of that name" {
		t.Errorf("pause of nobody: %v", err)
	}
	if err := c.Tail(ctx, "nothing", nil, nil); !errors.Is(err, control.ErrUnknown) || !strings.HasPrefix(err.Error(), "channel nothing: ") {
		t.Errorf("tail of nothing: %v", err)
	}
	var refused *control.Error
	if err := c.Log(ctx, "loud", nil, nil); !errors.As(err, &refused) || refused.Hint != "it is one of debug, info, warn, error" {
		t.Errorf("log: %v", err)
	}
	if _, err := c.Errors(ctx, -1); !errors.As(err, &refused) {
		t.Errorf("limit: %v", err)
	}
	if _, err := c.Open(ctx, "me"); !errors.Is(err, control.ErrUnknown) || err.Error() != "this worker has no console" {
		t.Errorf("console: %v", err)
	}
	stop()
	if _, err := c.Status(ctx); !errors.Is(err, control.ErrGone) || !strings.Contains(err.Error(), control.SocketName) {
		t.Errorf("status of a worker that stopped: %v", err)
	}
}

func TestStreamsOfTheAPI(t *testing.T) {
	t.Parallel()
	w := newFake()
	a := NewAPI(APIConfig{Worker: w})
	c, _ := socket(t, a)
	ctx, cancel := context.WithCancel(t.Context())
	got, ended := make(chan control.Message), make(chan error, 1)
	go func() {
		ended <- c.Tail(ctx, "channel-1", func() { w.f(control.Message{Key: "k", Value: "<1>"}) }, func(m control.Message) { got <- m })
	}()
	if m := <-got; m.Key != "k" || m.Value != "<1>" || m.Dropped != 0 {
		t.Errorf("%+v", m)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("a tail that was left: %v", err)
	}
	if !<-w.tails || <-w.tails {
		t.Error("the worker goes on with a tail that was left")
	}
	said := make(chan control.Line)
	go func() {
		ended <- c.Log(t.Context(), "debug", func() { w.log(control.Line{Text: w.level}) }, func(l control.Line) { said <- l })
	}()
	if l := <-said; l.Text != "debug" {
		t.Errorf("%+v", l)
	}
	a.Close()
	if err := <-ended; err != nil {
		t.Errorf("the log of a worker that stops: %v", err)
	}
}

// TestSlowReader: a stream never holds up who fills it, and tells what it left out.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := NewAPI(APIConfig{Worker: newFake()})
		defer a.Close()
		var put func(control.Message)
		r, w := newPipe(t)
		done := make(chan struct{})
		go func() {
			defer close(done)
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			follow(a, w, req, func(f func(control.Message)) (func(), error) { put = f; return func() {}, nil },
				func(m *control.Message, n int) { m.Dropped = n })
		}()
		synctest.Wait()
		put(control.Message{Value: "first"})
		synctest.Wait() // it is being written now
		for range backlog + 10 {
			put(control.Message{Value: "x"})
		}
		seen, dropped := 0, 0
		for range backlog + 1 {
			var m control.Message
			r.decode(&m)
			seen++
			dropped += m.Dropped
		}
		synctest.Wait()
		put(control.Message{Value: "last"})
		var m control.Message
		r.decode(&m)
		if dropped += m.Dropped; m.Value != "last" || dropped != 10 {
			t.Errorf("%d seen, %d told as left out, then %+v", seen, dropped, m)
		}
		a.Close()
		go func() { _, _ = io.Copy(io.Discard, r.rest) }()
		<-done
		r.rest.Close()
	})
}

func TestConsole(t *testing.T) {
	t.Parallel()
	console := &talk{waits: make(chan struct{}, 10)}
	a := NewAPI(APIConfig{Worker: newFake(), Console: console})
	c, stop := socket(t, a)
	s, err := c.Open(t.Context(), "me@tty1")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if r := s.Eval(t.Context(), control.Input{Text: "print", Form: "json", All: true, Width: 80}, &out); r != (control.Result{Text: "print json true 80"}) || out.String() != "one\n\xffx" {
		t.Errorf("%+v %q", r, out.String())
	}
	got := s.Complete(t.Context(), "with")
	for range 30 { // of two seconds, which a busy machine may take
		if len(got.Candidates) == 0 {
			got = s.Complete(t.Context(), "with")
		}
	}
	if got.Replace != 2 || len(got.Candidates) != 1 || got.Candidates[0].Text != "withdraw" {
		t.Errorf("%+v", got)
	}
	if got := s.Complete(t.Context(), ""); len(got.Candidates) != 0 {
		t.Errorf("%+v", got)
	}
	// what is printed comes while the input runs, and leaving ends it
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	result := make(chan control.Result, 1)
	go func() { result <- s.Eval(ctx, control.Input{Text: "wait"}, w) }()
	<-console.waits
	begun := make([]byte, 5)
	if _, err := io.ReadFull(r, begun); err != nil || string(begun) != "begun" {
		t.Errorf("%q %v", begun, err)
	}
	cancel()
	if r := <-result; !r.Stopped || !r.Failed || r.Gone {
		t.Errorf("%+v", r)
	}
	<-console.waits
	if r := s.Eval(t.Context(), control.Input{Text: "panic"}, io.Discard); !r.Failed {
		t.Errorf("%+v", r)
	}
	s.Close()
	if r := s.Eval(t.Context(), control.Input{Text: "x"}, io.Discard); !r.Gone || !strings.HasPrefix(r.Text, "error: the session is closed\n  = hint: ") {
		t.Errorf("%+v", r)
	}
	other, err := c.Open(t.Context(), "other")
	if err != nil {
		t.Fatal(err)
	}
	go func() { result <- other.Eval(t.Context(), control.Input{Text: "wait"}, io.Discard) }()
	<-console.waits
	a.Close()
	<-console.waits
	if r := <-result; !r.Stopped {
		t.Errorf("an input when the worker stops: %+v", r)
	}
	if _, err := c.Open(t.Context(), "late"); !errors.Is(err, control.ErrGone) {
		t.Errorf("a session of a worker that stops: %v", err)
	}
	stop()
	if r := other.Eval(t.Context(), control.Input{Text: "x"}, io.Discard); !r.Gone || !strings.Contains(r.Text, "the worker is not there") {
		t.Errorf("%+v", r)
	}
	if diff := cmp.Diff([]string{"me@tty1", "other"}, console.ended()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"me@tty1", "other"}, console.who); diff != "" {
		t.Error(diff)
	}
}

// TestFlood: an input that prints more than its reader takes is not held up.
func TestFlood(t *testing.T) {
	t.Parallel()
	c, _ := socket(t, NewAPI(APIConfig{Worker: newFake(), Console: &talk{}}))
	s, err := c.Open(t.Context(), "me")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	r := s.Eval(t.Context(), control.Input{Text: "flood"}, &out)
	if r.Text != "flood  false 0" {
		t.Errorf("%+v", r)
	}
	if text := out.String(); strings.Count(text, "x")%(maxOutput/2+1) != 0 || len(text) < maxOutput/2+1 {
		t.Errorf("%d bytes", len(text))
	}
}

func TestIdleSessions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		console := &talk{}
		s := newSessions(console)
		first, _ := s.add("first")
		<-time.After(sessionIdle / 2)
		_, release, p := s.use(first.id)
		if p != nil {
			t.Fatal(p)
		}
		<-time.After(2 * sessionIdle)
		release()
		<-time.After(sessionIdle - time.Second)
		if len(console.ended()) != 0 {
			t.Error("closed too early")
		}
		<-time.After(2 * time.Second)
		if _, _, p := s.use(first.id); p != errSession || len(console.ended()) != 1 {
			t.Error("an idle session is not closed")
		}
		for i := range maxSessions + 1 {
			if _, p := s.add(fmt.Sprint(i)); p != nil {
				t.Fatal(p)
			}
			<-time.After(time.Second)
		}
		if ended := console.ended(); len(ended) != 2 || ended[1] != "0" {
			t.Errorf("too many sessions: %v", ended)
		}
		s.close()
		if len(console.ended()) != maxSessions+2 {
			t.Errorf("%d closed", len(console.ended()))
		}
	})
}

func TestAccess(t *testing.T) {
	t.Parallel()
	api := func(t *testing.T) *API {
		a := NewAPI(APIConfig{Worker: newFake(), Console: &talk{}})
		t.Cleanup(a.Close)
		return a
	}
	open, _ := server(t, Config{API: api(t)})
	guarded, _ := server(t, Config{API: api(t), Token: "t0k"})
	const away, here = "From: 192.0.2.1:4000", "Host: localhost:6066"
	for _, c := range []struct {
		s       *Server
		ask     string
		headers []string
		code    int
	}{
		{open, "GET /_/api/status", []string{here}, 200},
		{open, "GET /_/api/status", []string{"Host: 127.0.0.1:6066"}, 200},
		{open, "GET /_/api/status", []string{"Host: [::1]:6066"}, 200},
		{open, "GET /_/api/status", []string{"Host: [::1]"}, 200},
		{open, "GET /_/api/status", []string{"Host: Shop.localhost"}, 200},
		{open, "GET /_/api/status", []string{here, "Origin: http://localhost:6066", "Sec-Fetch-Site: same-origin"}, 200},
		{open, "GET /_/api/status", []string{here, "Sec-Fetch-Site: none"}, 200},
		{open, "GET /_/api/status", []string{"Host: evil.example:6066"}, 403},
		{open, "GET /_/api/status", []string{"Host: localhost.evil.example"}, 403},
		{open, "GET /_/api/status", []string{here, "Origin: http://evil.example"}, 403},
		{open, "GET /_/api/status", []string{here, "Origin: null"}, 403},
		{open, "GET /_/api/status", []string{here, "Origin: http://localhost:3000"}, 403},
		{open, "GET /_/api/status", []string{here, "Sec-Fetch-Site: cross-site"}, 403},
		{open, "GET /_/api/status", []string{here, away}, 403},
		{open, "GET /_/api/status", []string{here, "X-Forwarded-For: 192.0.2.1"}, 403},
		{open, "GET /_/api/status", []string{here, away, "Authorization: Bearer "}, 403},
		{open, "POST /_/api/agents/or%2Fders/pause", []string{here}, 403},
		{open, "POST /_/api/sessions", []string{here}, 403},
		{open, "GET /_/api/sessions/x", []string{here}, 403},
		{guarded, "GET /_/api/status", []string{here}, 200},
		{guarded, "GET /_/api/status", []string{here, "Authorization: Bearer no"}, 401},
		{guarded, "GET /_/api/status", []string{here, "Authorization: t0k"}, 401},
		{guarded, "GET /_/api/status", []string{here, away}, 401},
		{guarded, "GET /_/api/status", []string{"Host: shop.example", away, "Authorization: Bearer t0k"}, 200},
		{guarded, "POST /_/api/agents/or%2Fders/pause", []string{here}, 401},
		{guarded, "POST /_/api/agents/or%2Fders/pause", []string{here, "Authorization: Bearer t0k"}, 204},
		{guarded, "POST /_/api/agents/or%2Fders/resume", []string{"Host: shop.example", away, "Authorization: Bearer t0k"}, 204},
		{guarded, "DELETE /_/api/sessions/x", []string{here, "Authorization: Bearer t0k"}, 410},
		{guarded, "POST /_/api/sessions", []string{here, "Authorization: Bearer t0k"}, 400},
		{guarded, "PUT /_/api/status", []string{here, "Authorization: Bearer t0k"}, 405},
		{guarded, "GET /_/api/nothing", []string{here}, 404},
		{guarded, "GET /_/else", []string{here}, 404},
	} {
		r := ask(c.s, c.ask, "", c.headers...)
		if got := text(t, r); r.StatusCode != c.code || c.code >= 400 && !strings.HasPrefix(got, `{"error":"`) {
			t.Errorf("%s %v: %d %s, expected %d", c.ask, c.headers, r.StatusCode, got, c.code)
		}
	}
}

// TestRemote: the same API over the web port.
func TestRemote(t *testing.T) {
	t.Parallel()
	a := NewAPI(APIConfig{Worker: newFake(), Console: &talk{}})
	t.Cleanup(a.Close)
	s, _, _ := run(t, Config{API: a, Token: "t0k"})
	if _, err := control.DialHTTP(t.Context(), s.URL(), control.Access{Token: "no"}); !errors.Is(err, control.ErrForbidden) {
		t.Errorf("a wrong token: %v", err)
	}
	plain, err := control.DialHTTP(t.Context(), strings.TrimPrefix(s.URL(), "http://"), control.Access{})
	if err != nil {
		t.Fatal(err)
	}
	if err := plain.Pause(t.Context(), "or/ders"); !errors.Is(err, control.ErrForbidden) {
		t.Errorf("acting without a token: %v", err)
	}
	c, err := control.DialHTTP(t.Context(), s.URL()+"/", control.Access{Token: "t0k"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Pause(t.Context(), "or/ders"); err != nil {
		t.Error(err)
	}
	session, err := c.Open(t.Context(), "me")
	if err != nil {
		t.Fatal(err)
	}
	if r := session.Eval(t.Context(), control.Input{Text: "1"}, io.Discard); r.Text != "1  false 0" {
		t.Errorf("%+v", r)
	}
	for _, address := range []string{"ftp://x", "http://", "::"} {
		var e *control.Error
		if _, err := control.DialHTTP(t.Context(), address, control.Access{Token: ""}); !errors.As(err, &e) {
			t.Errorf("%s: %v", address, err)
		}
	}
	other, _, _ := run(t, Config{Pages: []*Page{{Name: "x", Pattern: "/", Handle: answers(nil)}}})
	if _, err := control.DialHTTP(t.Context(), other.URL(), control.Access{Token: ""}); !errors.Is(err, control.ErrUnknown) {
		t.Errorf("a worker without an API: %v", err)
	}
	if _, err := control.DialHTTP(t.Context(), drive.Closed(t), control.Access{Token: ""}); !errors.Is(err, control.ErrGone) {
		t.Errorf("nobody listens: %v", err)
	}
}

// slow is an answer whose reader takes one byte after the other.
type slow struct {
	http.ResponseWriter
	to *io.PipeWriter
}

func (s slow) Header() http.Header              { return http.Header{} }
func (s slow) WriteHeader(int)                  {}
func (s slow) Write(b []byte) (int, error)      { return s.to.Write(b) }
func (s slow) FlushError() error                { return nil }
func (s slow) SetReadDeadline(time.Time) error  { return nil }
func (s slow) SetWriteDeadline(time.Time) error { return nil }

type reader struct {
	t    *testing.T
	from *json.Decoder
	rest *io.PipeReader
}

func (r reader) decode(v any) {
	r.t.Helper()
	if err := r.from.Decode(v); err != nil {
		r.t.Fatal(err)
	}
}

func newPipe(t *testing.T) (reader, http.ResponseWriter) {
	r, w := io.Pipe()
	return reader{t, json.NewDecoder(oneByOne{r}), r}, slow{to: w}
}

// oneByOne reads single bytes.
type oneByOne struct{ r io.Reader }

func (o oneByOne) Read(b []byte) (int, error) { return o.r.Read(b[:1]) }
