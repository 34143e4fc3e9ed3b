package luabind_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"faust/luabind"
	"faust/luabind/fault"
	"faust/runtime/agent"
	"faust/runtime/topic"
	"faust/runtime/web"
)

// site serves the pages of a script on loopback.
type site struct {
	*script
	url string
	log *bytes.Buffer
}

// serve loads a script and serves its pages until the test ends; stop ends that before.
func serve(t *testing.T, src string) (s *site, stop func()) {
	t.Helper()
	s = &site{script: load(t, src), log: &bytes.Buffer{}}
	server, err := web.Open(web.Config{Pages: s.App.Pages, Logger: slog.New(slog.NewTextHandler(s.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s.url = server.URL()
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	ended := false
	stop = func() {
		if cancel(); !ended {
			ended = true
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	return s, stop
}

// ask sends "POST /path" and gives the answer and its body. Headers are "Name: value".
func (s *site) ask(what, body string, headers ...string) (*http.Response, string) {
	s.t.Helper()
	method, path, _ := strings.Cut(what, " ")
	r, err := http.NewRequestWithContext(s.ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, h := range headers {
		if name, value, ok := strings.Cut(h, ": "); ok {
			r.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, strings.TrimSuffix(string(b), "\n")
}

func TestPageAnswers(t *testing.T) {
	t.Parallel()
	s, stop := serve(t, `
		local Order = app.record('Order', { id = 'string', amount = 'float' })
		local page = function(path, ...) local values, n = { ... }, select('#', ...) app.page(path, function() return unpack(values, 1, n) end) end
		page('/table', { a = 1 })
		page('/empty', {})
		page('/list', json.array {})
		page('/number', 7)
		page('/true', true)
		page('/null', null)
		page('/text', 'hello')
		page('/record', Order { id = 'x', amount = 2 })
		page('/nothing')
		page('/accepted', nil, 202)
		page('/created', { id = 3 }, 201, { Location = '/table', ['X-Two'] = { 'a', 'b' } })
		page('/csv', 'a,b', nil, { ['content-type'] = 'text/csv' })
		app.page('/html', function() return web.html('<b>x</b>') end)
		app.page('/html/404', function() return web.html('<b>x</b>'), 404, { A = 'b' } end)
		app.page('/redirect', function() return web.redirect('/table') end)
		app.page('/moved', function() return web.redirect('/table', 301) end)
		app.page('/error', function() web.error(404, 'no such order') end)
		app.page('/error/plain', function() web.error(409) end)
		app.page('/error/table', function() web.error(422, { why = 'because' }) end)
		app.page('/error/caught', function()
			local ok, e = pcall(web.error, 404, 'x')
			return { ok = ok, code = e.code, message = e.message }
		end)
		app.page('/raise', function() error('secret') end)
		app.page('/index', function() local x return x.y end)
		app.page('/bad/status', function() return 'x', 7 end)
		app.page('/bad/body', function() return function() end end)
		app.page('/bad/headers', function() return 'x', 200, 'y' end)
		app.page('/bad/json', function() return { 0/0 } end)
		app.page('/slow', function() time.sleep('20ms') return 'slept' end)
	`)
	for _, c := range []struct {
		ask    string
		status int
		body   string
		header string
	}{
		{"GET /table", 200, `{"a":1}`, "Content-Type: application/json"},
		{"GET /empty", 200, `{}`, ""},
		{"GET /list", 200, `[]`, ""},
		{"GET /number", 200, `7`, "Content-Type: application/json"},
		{"GET /true", 200, `true`, ""},
		{"GET /null", 200, `null`, ""},
		{"GET /text", 200, `hello`, "Content-Type: text/plain; charset=utf-8"},
		{"GET /record", 200, `{"id":"x","amount":2}`, "Content-Type: application/json"},
		{"GET /nothing", 204, ``, ""},
		{"HEAD /table", 200, ``, "Content-Type: application/json"},
		{"GET /accepted", 202, ``, ""},
		{"GET /created", 201, `{"id":3}`, "Location: /table"},
		{"GET /created", 201, `{"id":3}`, "X-Two: a"},
		{"GET /csv", 200, `a,b`, "Content-Type: text/csv"},
		{"GET /html", 200, `<b>x</b>`, "Content-Type: text/html; charset=utf-8"},
		{"GET /html/404", 404, `<b>x</b>`, "A: b"},
		{"GET /html", 200, `<b>x</b>`, ""},
		{"GET /redirect", 302, ``, "Location: /table"},
		{"GET /moved", 301, ``, "Location: /table"},
		{"GET /error", 404, `{"error":"no such order"}`, ""},
		{"GET /error/plain", 409, `{"error":"conflict"}`, ""},
		{"GET /error/table", 422, `{"why":"because"}`, ""},
		{"GET /error/caught", 200, `{"code":"http_status","message":"x","ok":false}`, ""},
		{"GET /raise", 500, `{"error":"internal error"}`, ""},
		{"GET /index", 500, `{"error":"internal error"}`, ""},
		{"GET /bad/status", 500, `{"error":"internal error"}`, ""},
		{"GET /bad/body", 500, `{"error":"internal error"}`, ""},
		{"GET /bad/headers", 500, `{"error":"internal error"}`, ""},
		{"GET /bad/json", 500, `{"error":"internal error"}`, ""},
		{"GET /slow", 200, `slept`, ""},
		{"POST /table", 405, `{"error":"POST is not allowed here, only GET, HEAD, OPTIONS"}`, ""},
	} {
		resp, body := s.ask(c.ask, "")
		if c.ask == "GET /error/caught" {
			for _, part := range []string{`"code":"http_status"`, `"message":"x"`, `"ok":false`} {
				if !strings.Contains(body, part) {
					t.Errorf("%s: %s", c.ask, body)
				}
			}
			continue
		}
		if resp.StatusCode != c.status || body != c.body {
			t.Errorf("%s: %d %s, want %d %s", c.ask, resp.StatusCode, body, c.status, c.body)
		}
		if name, value, ok := strings.Cut(c.header, ": "); ok && resp.Header.Get(name) != value {
			t.Errorf("%s: %s is %q, want %q", c.ask, name, resp.Header.Get(name), value)
		}
	}
	stop()
	for _, want := range []string{
		"page=/raise method=GET path=/raise", "secret", "err.line=27",
		`page '/bad/status' returned the number 7 as the status, its second value, expected a number from 200 to 599`,
		`page '/bad/body' returned a function as its body, expected`,
		`page '/bad/headers' returned the string \"y\" as the headers`,
	} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("not logged: %s\n%s", want, s.log)
		}
	}
	if n := strings.Count(s.log.String(), "page failed"); n != 6 {
		t.Errorf("%d errors logged:\n%s", n, s.log)
	}
}

func TestPageRequest(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, `
		local Item = app.record('Item', { n = 'int' })
		local Order = app.record('Order', { id = 'string', amount = 'float', items = '[Item]?' })
		app.page('GET,POST /echo/{a}/*', function(request)
			local out = { request.method, request.path, request.params.a, request.params['*'], request.query.x or 'none', request.query.missing == nil,
				request.headers['X-Thing'] or 'none', request.headers['x-thing'] or 'none', request.cookies.session or 'none', request.body, request.remote_addr }
			for i, v in ipairs(out) do out[i] = tostring(v) end
			return table.concat(out, '|')
		end)
		app.page('POST /json', function(request) return { got = request.json } end)
		app.page('POST /caught', function(request) local ok = pcall(function() return request.json end) return { ok = ok } end)
		app.page('POST /form', function(request) return request.form end)
		app.page('POST /orders/', { body = Order }, function(request)
			local order = request.body
			return { id = order.id, double = order.amount * 2, raw = request.json.amount }
		end)
		app.page('POST /any', { body = 'json' }, function(request) return request.body end)
		app.page('/typo', function(request) return request.quary end)
		app.page('/assign', function(request) request.x = 1 end)
		app.page('/show', function(request) return tostring(request) end)
	`)
	const multipart = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\nfile\r\n--B--\r\n"
	for _, c := range []struct {
		ask, body string
		headers   []string
		status    int
		want      string
	}{
		{"GET /echo/x%2Fy/b/c?x=1&x=2", "", []string{"X-Thing: t", "Cookie: session=s"}, 200, "GET|/echo/x/y/b/c|x/y|b/c|1|true|t|t|s||127.0.0.1"},
		{"POST /echo/%C3%A6/", "body", nil, 200, "POST|/echo/æ/|æ||none|true|none|none|none|body|127.0.0.1"},
		{"POST /json", `{"a":[1,2]}`, nil, 200, `{"got":{"a":[1,2]}}`},
		{"POST /json", `{"a":`, nil, 400, `{"error":"not JSON: at byte 6: it ends where a value is expected"}`},
		{"POST /json", ``, nil, 400, `{"error":"not JSON: at byte 1: it ends where a value is expected"}`},
		{"POST /caught", `{`, nil, 200, `{"ok":false}`},
		{"POST /form", "a=1&b=x+y&a=2", []string{"Content-Type: application/x-www-form-urlencoded"}, 200, `{"a":"1","b":"x y"}`},
		{"POST /form", "a=%zz", []string{"Content-Type: application/x-www-form-urlencoded"}, 400, ""},
		{"POST /form", multipart, []string{"Content-Type: multipart/form-data; boundary=B"}, 200, `{"a":"1","f":"file"}`},
		{"POST /form", "garbage", []string{"Content-Type: multipart/form-data; boundary=B"}, 400, ""},
		{"POST /form", "x", nil, 200, `{}`},
		{"POST /orders/", `{"id":"a","amount":2.5}`, nil, 200, `{"double":5,"id":"a","raw":2.5}`},
		{"POST /orders/", `{"id":"a","amount":"2"}`, nil, 400, `{"error":"not an Order: 'amount' is the string \"2\", expected float","field":"amount","expected":"float"}`},
		{"POST /orders/", `{"id":"a"}`, nil, 400, `{"error":"not an Order: 'amount' is missing","field":"amount","expected":"float"}`},
		{"POST /orders/", `{"id":"a","amount":1,"items":[{"n":1},{"n":"x"}]}`, nil, 400,
			`{"error":"not an Order: 'items[2].n' is the string \"x\", expected an int (a whole number of at most 64 bits)","field":"items[2].n","expected":"an int (a whole number of at most 64 bits)"}`},
		{"POST /orders/", `{"id":`, nil, 400, `{"error":"not an Order: broken JSON at byte 7: it ends where a value is expected"}`},
		{"POST /orders/", ``, nil, 400, `{"error":"not an Order: broken JSON at byte 1: it ends where a value is expected"}`},
		{"POST /any", `[1]`, nil, 200, `[1]`},
		{"POST /any", `[1`, nil, 400, ""},
		{"GET /typo", "", nil, 500, `{"error":"internal error"}`},
		{"GET /assign", "", nil, 500, `{"error":"internal error"}`},
		{"GET /show", "", nil, 200, "the request GET /show"},
	} {
		resp, body := s.ask(c.ask, c.body, c.headers...)
		if resp.StatusCode != c.status || c.want != "" && !sameJSON(body, c.want) {
			t.Errorf("%s %s: %d %s, want %d %s", c.ask, c.body, resp.StatusCode, body, c.status, c.want)
		}
	}
}

// sameJSON compares two texts, leaving aside the order of the members of a flat object.
func sameJSON(a, b string) bool {
	if a == b {
		return true
	}
	sorted := func(s string) string {
		parts := strings.Split(strings.Trim(s, "{}"), ",")
		for i := range parts {
			for j := i + 1; j < len(parts); j++ {
				if parts[j] < parts[i] {
					parts[i], parts[j] = parts[j], parts[i]
				}
			}
		}
		return strings.Join(parts, ",")
	}
	return strings.HasPrefix(a, "{") && sorted(a) == sorted(b)
}

func TestPageFiles(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, `
		app.page('/static/*', function(request) return web.file('static/' .. request.params['*']) end)
		app.page('/type', function() return web.file('static/a.txt', { type = 'text/csv' }) end)
		app.page('/root/*', function(request) return web.file(request.params['*'], { root = 'static' }) end)
	`)
	dir := filepath.Dir(s.App.File)
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "static"), 0o700), os.WriteFile(filepath.Join(dir, "static", "a.txt"), []byte("0123456789"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ask, header string
		status      int
		body        string
		kind        string
	}{
		{"GET /static/a.txt", "", 200, "0123456789", "text/plain; charset=utf-8"},
		{"GET /static/a.txt", "Range: bytes=3-5", 206, "345", ""},
		{"GET /type", "", 200, "0123456789", "text/csv"},
		{"GET /root/a.txt", "", 200, "0123456789", ""},
		{"GET /static/b.txt", "", 404, `{"error":"not found"}`, ""},
		{"GET /static/%2e%2e/app.lua", "", 404, `{"error":"not found"}`, ""},
		{"GET /static/%2e%2e%2fapp.lua", "", 404, `{"error":"not found"}`, ""},
		{"GET /root/%2e%2e/app.lua", "", 404, `{"error":"not found"}`, ""},
		{"GET /root/", "", 404, `{"error":"not found"}`, ""},
		{"GET /root//etc/passwd", "", 404, `{"error":"not found"}`, ""},
	} {
		resp, body := s.ask(c.ask, "", c.header)
		if resp.StatusCode != c.status || body != c.body || c.kind != "" && resp.Header.Get("Content-Type") != c.kind {
			t.Errorf("%s: %d %q %s", c.ask, resp.StatusCode, body, resp.Header.Get("Content-Type"))
		}
	}
}

func TestPageStream(t *testing.T) {
	t.Parallel()
	s, stop := serve(t, `
		local kept
		app.page('/stream', function()
			return web.stream(function(write)
				kept = write
				for i = 1, 3 do write(i .. '\n') time.sleep('1ms') end
			end, { type = 'text/event-stream' })
		end)
		app.page('/late', function() kept('x') end)
		app.page('/broken', function() return web.stream(function(write) write('a') error('thread lost') end) end)
		app.page('/endless', function() return web.stream(function(write) while true do write('x') time.sleep('1ms') end end) end)
	`)
	resp, body := s.ask("GET /stream", "")
	if resp.Header.Get("Content-Type") != "text/event-stream" || body != "1\n2\n3" {
		t.Errorf("%q %v", body, resp.Header)
	}
	if resp, _ := s.ask("GET /late", ""); resp.StatusCode != 500 {
		t.Error("a stream that is over can be written to")
	}
	broken, err := http.Get(s.url + "/broken")
	if err != nil {
		t.Fatal(err)
	}
	defer broken.Body.Close()
	if b, err := io.ReadAll(broken.Body); err == nil || string(b) != "a" {
		t.Errorf("%q %v", b, err)
	}
	endless, err := http.Get(s.url + "/endless")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(endless.Body, make([]byte, 3)); err != nil {
		t.Error(err)
	}
	endless.Body.Close()
	stop() // does not return before the stream has ended
	if logged := s.log.String(); strings.Count(logged, "page failed") != 2 || !strings.Contains(logged, "thread lost") || !strings.Contains(logged, "the stream is over") {
		t.Error(logged)
	}
}

func TestPageAsks(t *testing.T) {
	t.Parallel()
	s, stop := serve(t, `
		local adder = app.agent('adder', function(stream) for r in stream do stream:yield(r.a + r.b) end end)
		local out = app.topic('out')
		app.page('/add', function(request) return { sum = adder:ask({ a = 1, b = 2 }, { timeout = request.query.within or '1m' }) } end)
		app.page('POST /out', function(request) out:send { key = 'k', value = request.json } return nil, 202 end)
	`)
	if resp, body := s.ask("POST /out", `{"n":1}`); resp.StatusCode != 202 || body != "" {
		t.Error(resp.Status, body)
	}
	equal(t, "sent", s.sentValues(), `out k={"n":1}`)
	if resp, body := s.ask("GET /add?within=10ms", ""); resp.StatusCode != 504 || body != `{"error":"timed out"}` {
		t.Error(resp.Status, body)
	}
	s.mu.Lock()
	s.answers = func(topic.Record) (topic.Record, error) { return topic.Record{Value: []byte("3")}, nil }
	s.mu.Unlock()
	if resp, body := s.ask("GET /add", ""); resp.StatusCode != 200 || body != `{"sum":3}` {
		t.Error(resp.Status, body)
	}
	s.mu.Lock()
	s.answers = func(topic.Record) (topic.Record, error) {
		return topic.Record{Headers: []topic.Header{{Key: agent.HeaderError, Value: []byte("no")}}}, nil
	}
	s.mu.Unlock()
	if resp, body := s.ask("GET /add", ""); resp.StatusCode != 500 || body != `{"error":"internal error"}` {
		t.Error(resp.Status, body)
	}
	stop()
	if n := strings.Count(s.log.String(), "page failed"); n != 1 {
		t.Error(s.log)
	}
}

func TestPageDeclarations(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ src, message, hint string }{
		"path":         {`app.page('orders', function() end)`, `app.page: page "orders": not a path like`, "app.page('/orders/{id}/', fn)"},
		"method":       {`app.page('FETCH /x', function() end)`, "no method FETCH", ""},
		"reserved":     {`app.page('/metrics', function() end)`, "the worker's own", ""},
		"brace":        {`app.page('/x/{id', function() end)`, "a { is not closed", ""},
		"twice":        {"app.page('/x/{a}', function() end)\napp.page('/x/{b}', function() end)", "page GET /x/{b}: answered already by /x/{a}", ""},
		"no function":  {`app.page('/x')`, "app.page('/x'): the function is missing", "the function comes last"},
		"option":       {`app.page('/x', { bdy = 1 }, function() end)`, "unknown option 'bdy' for app.page('/x')", "did you mean 'body'?"},
		"body":         {`app.page('/x', { body = 'jsn' }, function() end)`, "jsn", ""},
		"table":        {"app.page('/x', {\n  table = {}, key = 'id' }, function() end)", "option 'table' of app.page('/x') is a table, expected what app.table gives", ""},
		"key":          {`app.page('/x', { key = 'id' }, function() end)`, "key = 'id' needs table = ...", ""},
		"colon":        {`app:page('/x', function() end)`, "called with a dot", ""},
		"error status": {`web.error(200, 'x')`, "web.error: the status is the number 200, expected a whole number from 400", ""},
		"redirect":     {`web.redirect('/x', 404)`, "web.redirect: the status is the number 404", ""},
		"html":         {`web.html(1)`, "web.html: the text is the number 1, expected a string", ""},
		"unknown":      {`web.htm('x')`, "htm", "web.html"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := luabind.Load(write(t, c.src), luabind.Config{})
			if err == nil {
				s.Close()
				t.Fatal("it loads")
			}
			text := render(err)
			var e *fault.Error
			if !errors.As(err, &e) || e.Place.Line == 0 || !strings.Contains(e.Message, c.message) || !strings.Contains(text, c.hint) {
				t.Errorf("%s", text)
			}
		})
	}
}

// TestPagesRunBeside: a page that waits holds up no other.
func TestPagesRunBeside(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, `
		local gate = app.channel { maxsize = 1 }
		app.page('/wait', function() return { got = gate:get('1m') } end)
		app.page('POST /go', function(request) gate:put(request.body) return 'ok' end)
	`)
	got := make(chan string, 1)
	go func() {
		resp, err := http.Get(s.url + "/wait")
		if err != nil {
			got <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		got <- string(b)
	}()
	if _, body := s.ask("POST /go", "now"); body != "ok" {
		t.Error(body)
	}
	if body := <-got; body != `{"got":"now"}` {
		t.Error(body)
	}
}
