package module

import (
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"faust/luabind/fault"
	"faust/tests/drive"
)

// echo answers with what it was sent.
func echo(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-One", "1")
		w.Header().Add("X-Two", "a")
		w.Header().Add("X-Two", "b")
		fmt.Fprintf(w, "%s %s|%s|%s|%s|%s|%s", r.Method, r.URL, r.Header.Get("Content-Type"), r.Header.Get("User-Agent"), r.Header.Get("X-Own"), r.Host, body)
	}))
	t.Cleanup(server.Close)
	return server
}

// httpStage is a stage on which U is the URL of the server.
func httpStage(t *testing.T, cfg Config) *stage {
	t.Helper()
	cfg.UserAgent = "faust/test"
	return newStage(t, cfg)
}

func at(server *httptest.Server, src string) string {
	return strings.ReplaceAll(src, "URL", server.URL)
}

func TestHTTPSends(t *testing.T) {
	t.Parallel()
	server := echo(t)
	s := httpStage(t, Config{})
	host := strings.TrimPrefix(server.URL, "http://")
	for src, want := range map[string]string{
		`return http.get('URL/a').text`:                                                                                      "GET /a||faust/test||" + host + "|",
		`return http.delete('URL/a').text`:                                                                                   "DELETE /a||faust/test||" + host + "|",
		`return http.request('URL/a').text`:                                                                                  "GET /a||faust/test||" + host + "|",
		`return http.request('URL/a', { method = 'options' }).text`:                                                          "OPTIONS /a||faust/test||" + host + "|",
		`local r = http.head('URL/a') return r.status, r.text, r.ok`:                                                         "200  true",
		`return http.get('URL/a?x=1', { query = { q = 'a b', l = { 1, 2 }, ok = true } }).text`:                              "GET /a?x=1&l=1&l=2&ok=true&q=a+b||faust/test||" + host + "|",
		`return http.get('URL', { query = { at = time.parse '2026-11-23' } }).text`:                                          "GET /?at=2026-11-23T00%3A00%3A00Z||faust/test||" + host + "|",
		`return http.get('URL', { query = { id = 1234567890123456 }, headers = { ['X-Own'] = 9007199254740991 } }).text`:     "GET /?id=1234567890123456||faust/test|9007199254740991|" + host + "|",
		`return http.post('URL/p', { json = { a = { 1, 2 } } }).text`:                                                        "POST /p|application/json|faust/test||" + host + `|{"a":[1,2]}`,
		`return http.post('URL/p', { json = json.null }).text`:                                                               "POST /p|application/json|faust/test||" + host + "|null",
		`return http.post('URL/p', { json = false }).text`:                                                                   "POST /p|application/json|faust/test||" + host + "|false",
		`return http.put('URL/p', { body = 'plain' }).text`:                                                                  "PUT /p||faust/test||" + host + "|plain",
		`return http.patch('URL/p', { form = { b = 'x y', a = 1 } }).text`:                                                   "PATCH /p|application/x-www-form-urlencoded|faust/test||" + host + "|a=1&b=x+y",
		`return http.post('URL/p', { json = 1, headers = { ['content-type'] = 'application/x+json', ['X-Own'] = 5 } }).text`: "POST /p|application/x+json|faust/test|5|" + host + "|1",
		`return http.get('URL', { headers = { ['User-Agent'] = 'mine', Host = 'other.example' } }).text`:                     "GET /||mine||other.example|",
		`local r = http.get('URL/a') return r.status, r.ok, r.headers['x-one'], r.headers['X-Two'], r.headers.nope, r.url`:   "200 true 1 a, b nil " + server.URL + "/a",
		`local r = http.get('URL/a') return tostring(r), inspect(r), r:check() == r, r.headers == r.headers`:                 "response 200 ok response 200 ok true true",
		`return require('http') == http`:                                                                                     "true",
	} {
		s.want(at(server, src), want)
	}
}

func TestHTTPResponse(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/json":
			fmt.Fprint(w, `{"list":[1,2,{"n":9007199254740993}],"gone":null}`)
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			g := gzip.NewWriter(w)
			fmt.Fprint(g, strings.Repeat("x", 5000))
			g.Close()
		case "/empty":
			w.WriteHeader(http.StatusNoContent)
		case "/bytes":
			_, _ = w.Write([]byte{0, 255, 1})
		default:
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusTeapot)
			fmt.Fprint(w, "<h1>no\xff coffee</h1>")
		}
	}))
	t.Cleanup(server.Close)
	s := httpStage(t, Config{})
	for src, want := range map[string]string{
		`local r = http.get('URL/json') return r.json.list[2], r.json.list[3].n, r.json == r.json, r.json.gone`: "2 9007199254740993 true nil",
		`return #http.get('URL/gzip').text`:                                                   "5000",
		`local r = http.get('URL/empty') return r.status, r.text == ''`:                       "204 true",
		`return #http.get('URL/bytes').text`:                                                  "3",
		`local r = http.get('URL/x') return r.status, r.ok, #r.text`:                          "418 false 19",
		`local ok, err = pcall(function() http.get('URL/x'):check() end) return ok, err.code`: "false http_status",
		`local ok, err = pcall(function() return http.get('URL/x').json end) return err.code`: "decode",
	} {
		s.want(at(server, src), want)
	}
	for src, want := range map[string]fault.Error{
		`http.get('URL/x?a=1'):check()`:    {Code: fault.HTTPStatus, Message: "GET URL/x?a=1: 418 i'm a teapot", Notes: []fault.Note{{Label: "answer", Text: "<h1>no? coffee</h1>"}}},
		`local x = http.get('URL/x').json`: {Code: fault.Decode, Message: "GET URL/x: the answer is not JSON", Hints: []string{`its status is 418 i'm a teapot, its type "text/html"; r.text is what came`}},
		`local x = http.get('URL/x').txt`:  {Code: fault.Usage, Message: "a response has no 'txt'", Hints: []string{"did you mean 'text'?  known: status, ok, text, json, headers, url, check"}},
		`http.get('URL/x').check()`:        {Code: fault.Usage, Message: "check is a method: it is called with a colon, response:check(...), not with a dot"},
		`http.get('URL/x').text = 1`:       {Code: fault.ReadOnly, Message: "the fields of a response cannot be assigned"},
	} {
		_, err := s.run(t.Context(), at(server, src))
		var e *fault.Error
		if !errors.As(err, &e) || e.Code != want.Code || !strings.HasPrefix(e.Message, at(server, want.Message)) || e.Place.Line != 1 || e.Place.Column == 0 {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if want.Hints != nil && !slices.Equal(e.Hints, want.Hints) || want.Notes != nil && !slices.Equal(e.Notes, want.Notes) {
			t.Errorf("%s: hints %q, notes %q", src, e.Hints, e.Notes)
		}
	}
}

func TestHTTPWrongArguments(t *testing.T) {
	t.Parallel()
	s := httpStage(t, Config{Transport: refusing{t}})
	for src, want := range map[string]string{
		`http.get()`:                                                 "http.get: the URL is missing",
		`http.get(5)`:                                                "http.get: the URL is the number 5, expected a string",
		`http.get('example.com/x')`:                                  "http.get: the URL has to begin with http:// or https://",
		`http.get('ftp://h/')`:                                       "http.get: the URL has to begin with http:// or https://",
		`http.get('http:///x')`:                                      "http.get: the URL has no host",
		`http.get('http://u:pw@h:x/')`:                               `http.get: the URL cannot be read: the port is no number`,
		`http.get('http://h', { header = {} })`:                      "unknown option 'header' for http.get",
		`http.get('http://h', { method = 'PUT' })`:                   "unknown option 'method' for http.get",
		`http.get('http://h', { headers = 'x' })`:                    "option 'headers' of http.get is the string \"x\", expected a table",
		`http.get('http://h', { headers = { ['a b'] = 1 } })`:        "option 'headers' of http.get: 'a b' is no name of a header",
		`http.get('http://h', { headers = { A = 'x\r\ny' } })`:       "the value of 'A' has a line break",
		`http.get('http://h', { headers = { A = {} , B = print } })`: "'B' in option 'headers' of http.get is a function, expected a string or a number",
		`http.get('http://h', { timeout = 'soon' })`:                 "option 'timeout' of http.get is the string \"soon\", expected a duration like",
		`http.get('http://h', { timeout = 0 })`:                      "option 'timeout' of http.get is the number 0, expected a duration of more than 0",
		`http.get('http://h', { retry = -1 })`:                       "option 'retry' of http.get is the number -1, expected a whole number from 0 to 100",
		`http.get('http://h', { retry_post = 1 })`:                   "option 'retry_post' of http.get is the number 1, expected true or false",
		`http.get('http://h', { limit = 'x' })`:                      "option 'limit' of http.get is the string \"x\", expected a size",
		`http.post('http://h', { json = 1, body = 'x' })`:            "http.post: of json, body and form only one can be given",
		`http.post('http://h', { json = print })`:                    "not JSON: 'value' is a function",
		`http.post('http://h', { body = {} })`:                       "option 'body' of http.post is a table, expected a string",
		`http.post('http://h', { form = { 1 } })`:                    "option 'form' of http.post has the number 1 where a name is expected",
		`http.request('http://h', { method = 'G T' })`:               "option 'method' of http.request is 'G T', expected a method",
		`http.get('http://h', {}, 1)`:                                "http.get: argument 3 is too many",
		`http:get('http://h')`:                                       "http.get is called with a dot, not with a colon",
		`http.gett('http://h')`:                                      "http has no 'gett'",
	} {
		_, err := s.run(t.Context(), "\nlocal x = 1\n"+src)
		var e *fault.Error
		if !errors.As(err, &e) || !strings.Contains(e.Message, want) || e.Place.Line != 3 || e.Place.Column == 0 || strings.Contains(e.Message, "pw") {
			t.Errorf("%s\n got %v\nwant %s", src, err, want)
		}
	}
}

// refusing fails the test if something is sent.
type refusing struct{ t *testing.T }

func (r refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	r.t.Errorf("%s %s was sent", req.Method, req.URL)
	return nil, errors.New("not to be sent")
}

// Another task runs while one waits for an answer.
func TestHTTPDoesNotHoldTheMachine(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-answer
		fmt.Fprint(w, "late")
	}))
	t.Cleanup(server.Close)
	s := httpStage(t, Config{})
	var got string
	var err error
	var joined sync.WaitGroup
	joined.Go(func() { got, err = s.run(t.Context(), at(server, `return http.get('URL/slow').text`)) })
	<-asked
	what := ""
	for _, task := range s.vm.Tasks() {
		what += task.State + " for " + task.What
	}
	if want := "waiting for http.get " + server.URL + "/slow"; what != want {
		t.Errorf("the task is %q, not %q", what, want)
	}
	s.want(`return 1 + 1`, "2") // would hang
	close(answer)
	joined.Wait()
	if err != nil || got != "late" {
		t.Errorf("%q %v", got, err)
	}
}

func TestHTTPCancelled(t *testing.T) {
	t.Parallel()
	asked, gone := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
		close(gone)
	}))
	t.Cleanup(server.Close)
	s := httpStage(t, Config{})
	stop := errors.New("stopping")
	ctx, cancel := context.WithCancelCause(t.Context())
	var err error
	var joined sync.WaitGroup
	joined.Go(func() {
		_, err = s.run(ctx, at(server, `pcall(http.get, 'URL/', { retry = 5 }) return 'went on'`))
	})
	<-asked
	cancel(stop)
	joined.Wait()
	<-gone
	var e *fault.Error
	if !errors.As(err, &e) || e.Code != fault.Cancelled || !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

func TestConnectionText(t *testing.T) {
	t.Parallel()
	wrapped := func(err error) error { return &url.Error{Op: "Get", URL: "http://u:hush@h/", Err: err} }
	for _, c := range []struct {
		err     error
		want    string
		lasting bool
	}{
		{wrapped(&net.OpError{Op: "dial", Err: &net.DNSError{Name: "h", Err: "no such host", IsNotFound: true}}), "the host 'h' is not known", false},
		{wrapped(&net.OpError{Op: "dial", Err: &net.DNSError{Name: "h", Err: "server misbehaving"}}), "the host 'h' cannot be looked up: server misbehaving", false},
		{wrapped(io.EOF), "the connection was closed before the answer was complete", false},
		{wrapped(&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}), "the connection was closed before the answer was complete", false},
		{wrapped(&net.OpError{Op: "dial", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 80}, Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}),
			"cannot connect to 10.0.0.1:80: no route to host", false},
		{wrapped(x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"a.example"}}, Host: "h"}),
			"the server's certificate is not for this host: certificate is valid for a.example, not h", true},
		{wrapped(x509.CertificateInvalidError{Reason: x509.Expired, Detail: "current time is later"}),
			"the server's certificate is not valid: certificate has expired or is not yet valid: current time is later", true},
		{wrapped(errors.New("net/http: HTTP/1.x transport connection broken")), "HTTP/1.x transport connection broken", false},
	} {
		if text, lasting := connectionText(c.err); text != c.want || lasting != c.lasting {
			t.Errorf("%v: %q %v, want %q", c.err, text, lasting, c.want)
		}
	}
}

func TestHTTPConnection(t *testing.T) {
	t.Parallel()
	closed := drive.Closed(t)
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	secure.Config.ErrorLog = nil
	plain := echo(t)
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "half")
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(broken.Close)
	s := httpStage(t, Config{})
	for src, want := range map[string]string{
		`http.get('http://` + closed + `/x')`:                                            "http.get http://" + closed + "/x: cannot connect to " + closed + ": connection refused",
		`http.get('http://me:hush@` + closed + `/x')`:                                    "http.get http://me:xxxxx@" + closed + "/x: cannot connect to " + closed + ": connection refused",
		`http.get('http://` + closed + `/x', { retry = 1 })`:                             "connection refused (2 attempts)",
		`http.post('http://` + closed + `/x', { retry = 1 })`:                            "connection refused",
		`http.get('` + secure.URL + `/', { retry = 3 })`:                                 "the server's certificate is signed by an unknown authority",
		`http.get('https` + strings.TrimPrefix(plain.URL, "http") + `/', { retry = 3 })`: "the server speaks http, not https",
		`http.get('` + broken.URL + `/')`:                                                "the connection was closed before the answer was complete",
	} {
		_, err := s.run(t.Context(), src)
		var e *fault.Error
		if !errors.As(err, &e) || e.Code != fault.Connection || !strings.Contains(e.Message, want) || e.Place.Line != 1 {
			t.Errorf("%s\n got %v\nwant %s", src, err, want)
			continue
		}
		if strings.Contains(e.Message, "hush") || strings.Contains(e.Message, "*") || strings.Contains(e.Message, "0x") {
			t.Errorf("%s: %s", src, e.Message)
		}
		if strings.Contains(src, "retry = 3") && strings.Contains(e.Message, "attempts") {
			t.Errorf("%s: tried again, which cannot help: %s", src, e.Message)
		}
		if strings.Contains(src, "http.post") && strings.Contains(e.Message, "attempts") {
			t.Errorf("a POST was sent again: %s", e.Message)
		}
	}
}

func TestHTTPLimits(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/long":
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write(make([]byte, 100000))
		case "/stream":
			for range 100 {
				_, _ = w.Write(make([]byte, 1000))
				w.(http.Flusher).Flush()
			}
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			g := gzip.NewWriter(w)
			_, _ = g.Write(make([]byte, 1<<20))
			g.Close()
		case "/hop":
			http.Redirect(w, r, "/hop", http.StatusFound)
		case "/once":
			http.Redirect(w, r, "/end?x=1", http.StatusSeeOther)
		default:
			fmt.Fprintf(w, "%s %s", r.Method, r.URL)
		}
	}))
	t.Cleanup(server.Close)
	s := httpStage(t, Config{})
	for src, want := range map[string]string{
		`return #http.get('URL/long', { limit = 100000 }).text`:                                 "100000",
		`return http.head('URL/long', { limit = 1 }).status`:                                    "200",
		`return http.get('URL/once').text, http.get('URL/once').url`:                            "GET /end?x=1 " + server.URL + "/end?x=1",
		`return http.post('URL/once', { body = 'x' }).text`:                                     "GET /end?x=1",
		`local r = http.get('URL/once', { redirects = 0 }) return r.status, r.headers.location`: "303 /end?x=1",
	} {
		s.want(at(server, src), want)
	}
	for src, want := range map[string]fault.Error{
		`http.get('URL/long', { limit = 99999, retry = 3 })`: {Code: fault.TooLarge, Message: "http.get URL/long: the answer is larger than 99999 bytes"},
		`http.get('URL/stream', { limit = '64KiB' })`:        {Code: fault.TooLarge, Message: "http.get URL/stream: the answer is larger than 64KiB"},
		`http.get('URL/bomb', { limit = '1KiB' })`:           {Code: fault.TooLarge, Message: "http.get URL/bomb: the answer is larger than 1KiB"},
		`http.get('URL/hop', { redirects = 3, retry = 3 })`:  {Code: fault.HTTPStatus, Message: "http.get URL/hop: more than 3 redirects, the last to URL/hop"},
		`http.get('URL/hop')`:                                {Code: fault.HTTPStatus, Message: "http.get URL/hop: more than 10 redirects"},
	} {
		_, err := s.run(t.Context(), at(server, src))
		var e *fault.Error
		if !errors.As(err, &e) || e.Code != want.Code || !strings.HasPrefix(e.Message, at(server, want.Message)) || strings.Contains(e.Message, "attempts") {
			t.Errorf("%s: %v", src, err)
		}
	}
}

// played answers with what it has, one after the other, and remembers when it was asked.
type played struct {
	answers []any // a status, a *http.Response, or an error; nil: none comes
	times   []time.Duration
	bodies  []string
	started time.Time
}

func (p *played) RoundTrip(r *http.Request) (*http.Response, error) {
	if p.started.IsZero() {
		p.started = time.Now()
	}
	p.times = append(p.times, time.Since(p.started))
	if r.Body != nil {
		b, _ := io.ReadAll(r.Body)
		p.bodies = append(p.bodies, string(b))
	}
	if len(p.answers) == 0 {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	answer := p.answers[0]
	p.answers = p.answers[1:]
	res := &http.Response{Header: http.Header{}, Body: http.NoBody, Request: r}
	switch a := answer.(type) {
	case int:
		res.StatusCode = a
	case error:
		return nil, a
	case http.Header:
		res.StatusCode, res.Header = http.StatusServiceUnavailable, a
	default:
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return res, nil
}

func TestHTTPRetry(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "read", Err: errors.New("connection reset")}
	after := func(text string) http.Header { return http.Header{"Retry-After": {text}} }
	for name, c := range map[string]struct {
		answers []any
		src     string
		want    string
		pauses  [][2]time.Duration // before each attempt after the first: from, to
	}{
		"none by default": {[]any{503, 200}, `return http.get('http://h/').status`, "503", nil},
		"until it works":  {[]any{503, refused, 502, 200}, `return http.get('http://h/', { retry = 5 }).status`, "200", [][2]time.Duration{{100e6, 200e6}, {200e6, 400e6}, {400e6, 800e6}}},
		"each status":     {[]any{429, 502, 503, 504, 200}, `return http.get('http://h/', { retry = 4 }).status`, "200", [][2]time.Duration{{100e6, 200e6}, {200e6, 400e6}, {400e6, 800e6}, {800e6, 1600e6}}},
		"the last answer": {[]any{503, 429, 200}, `return http.get('http://h/', { retry = 1 }).status`, "429", [][2]time.Duration{{100e6, 200e6}}},
		"not 500":         {[]any{500, 200}, `return http.get('http://h/', { retry = 3 }).status`, "500", nil},
		"not 404":         {[]any{404, 200}, `return http.get('http://h/', { retry = 3 }).status`, "404", nil},
		"pauses are capped": {[]any{503, 503, 503, 503, 503, 503, 503, 503, 200}, `return http.get('http://h/', { retry = 9 }).status`, "200",
			[][2]time.Duration{{0, 1e9}, {0, 1e9}, {0, 1e9}, {0, 2e9}, {0, 4e9}, {0, 7e9}, {5e9, 10e9}, {5e9, 10e9}}},
		"asked to wait":       {[]any{after("30"), 200}, `return http.get('http://h/', { retry = 1 }).status`, "200", [][2]time.Duration{{30e9, 30e9}}},
		"asked for a date":    {[]any{after("Sat, 01 Jan 2000 00:00:20 GMT"), 200}, `return http.get('http://h/', { retry = 1 }).status`, "200", [][2]time.Duration{{20e9, 20e9}}},
		"a date gone by":      {[]any{after("Sat, 01 Jan 1999 00:00:20 GMT"), 200}, `return http.get('http://h/', { retry = 1 }).status`, "200", [][2]time.Duration{{100e6, 200e6}}},
		"asked for nonsense":  {[]any{after("soon"), 200}, `return http.get('http://h/', { retry = 1 }).status`, "200", [][2]time.Duration{{100e6, 200e6}}},
		"asked for too long":  {[]any{after("61"), 200}, `return http.get('http://h/', { retry = 1 }).status`, "503", nil},
		"a time-out":          {[]any{nil, 200}, `return http.get('http://h/', { retry = 1, timeout = '3s' }).status`, "200", [][2]time.Duration{{3100e6, 3200e6}}},
		"no post":             {[]any{503, 200}, `return http.post('http://h/', { retry = 3, body = 'x' }).status`, "503", nil},
		"no patch":            {[]any{503, 200}, `return http.patch('http://h/', { retry = 3, body = 'x' }).status`, "503", nil},
		"post if it may":      {[]any{503, 200}, `return http.post('http://h/', { retry = 3, retry_post = true, body = 'x' }).status`, "200", [][2]time.Duration{{100e6, 200e6}}},
		"put":                 {[]any{503, 200}, `return http.put('http://h/', { retry = 3, body = 'x' }).status`, "200", [][2]time.Duration{{100e6, 200e6}}},
		"request with a post": {[]any{503, 200}, `return http.request('http://h/', { method = 'post', retry = 3 }).status`, "503", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &played{answers: c.answers}
				s := httpStage(t, Config{Transport: server})
				s.want(c.src, c.want)
				if len(server.times) != len(c.pauses)+1 {
					t.Fatalf("%d attempts: %v", len(server.times), server.times)
				}
				for i, p := range c.pauses {
					if d := server.times[i+1] - server.times[i]; d < p[0] || d > p[1] {
						t.Errorf("attempt %d after %s, expected %s to %s", i+2, d, p[0], p[1])
					}
				}
				for _, b := range server.bodies {
					if b != "x" {
						t.Errorf("sent %q", server.bodies)
					}
				}
			})
		})
	}
}

func TestHTTPTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := httpStage(t, Config{Transport: &played{}})
		for src, want := range map[string]struct {
			message string
			took    time.Duration
		}{
			`http.get 'http://h/x'`:                          {"http.get http://h/x: no answer within 10s", 10 * time.Second},
			`http.post('http://h/x', { timeout = '1m30s' })`: {"http.post http://h/x: no answer within 1m30s", 90 * time.Second},
		} {
			started := time.Now()
			_, err := s.run(t.Context(), src)
			var e *fault.Error
			if !errors.As(err, &e) || e.Code != fault.Timeout || e.Message != want.message || time.Since(started) != want.took {
				t.Errorf("%s: %v after %s", src, err, time.Since(started))
			}
		}
		// A stop ends a pause between two attempts.
		server := &played{answers: []any{http.Header{"Retry-After": {"60"}}, 200}}
		s = httpStage(t, Config{Transport: server})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.run(ctx, `return http.get('http://h/', { retry = 1 }).status`)
		var e *fault.Error
		if !errors.As(err, &e) || e.Code != fault.Cancelled || len(server.times) != 1 {
			t.Errorf("%v, %d attempts", err, len(server.times))
		}
	})
}

func TestHTTPSecrets(t *testing.T) {
	t.Parallel()
	var seen []string
	var mu sync.Mutex
	note := func(r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprintf("%s %s auth=%s key=%s referer=%s %s", r.Method, r.URL, r.Header.Get("Authorization"), r.Header.Get("X-Key"), r.Header.Get("Referer"), body))
	}
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { note(r) }))
	t.Cleanup(other.Close)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note(r)
		switch r.URL.Path {
		case "/same":
			http.Redirect(w, r, "/end", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, r.URL.String(), http.StatusFound)
		case "/away":
			http.Redirect(w, r, other.URL+"/away", http.StatusTemporaryRedirect)
		case "/bad":
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, "your key %s is wrong", r.Header.Get("X-Key"))
		}
	}))
	t.Cleanup(server.Close)
	hidden := &fault.Secrets{}
	s := httpStage(t, Config{Env: environment(map[string]string{"KEY": "k-12345"}), Hidden: hidden})
	for src, want := range map[string][]string{
		`return http.get('URL/', { headers = { Authorization = 'Bearer ' .. key } }).status`:                       {"GET / auth=Bearer k-12345 key= referer= "},
		`return http.get('URL/', { query = { k = key } }).url`:                                                     {"GET /?k=k-12345 auth= key= referer= "},
		`return http.get('URL/' .. key).url`:                                                                       {"GET /k-12345 auth= key= referer= "},
		`return http.post('URL/', { json = { k = key } }).status`:                                                  {`POST / auth= key= referer= {"k":"k-12345"}`},
		`return http.post('URL/', { form = { k = key } }).status`:                                                  {`POST / auth= key= referer= k=k-12345`},
		`return http.post('URL/', { body = 'k=' .. key }).status`:                                                  {`POST / auth= key= referer= k=k-12345`},
		`return http.get('URL/', { headers = { Authorization = 'Basic ' .. base64.encode('u:' .. key) } }).status`: {"GET / auth=Basic dTprLTEyMzQ1 key= referer= "},
		`return http.get('URL/same?q=1', { headers = { ['X-Key'] = key } }).status`:                                {"GET /same?q=1 auth= key=k-12345 referer= ", "GET /end auth= key=k-12345 referer= "},
		`return http.get('URL/away', { headers = { ['X-Key'] = key } }).status`:                                    {"GET /away auth= key=k-12345 referer= ", "GET /away auth= key= referer= "},
		`return http.get('URL/away', { headers = { ['X-Key'] = 'plain' } }).status`:                                {"GET /away auth= key=plain referer= ", "GET /away auth= key=plain referer= "},
		`return http.post('URL/away', { json = { k = key } }).status`:                                              {`POST /away auth= key= referer= {"k":"k-12345"}`},
		`return http.post('URL/away', { json = { k = 1 } }).status`:                                                {`POST /away auth= key= referer= {"k":1}`, `POST /away auth= key= referer= {"k":1}`},
	} {
		seen = nil
		got, err := s.run(t.Context(), "local key = env.secret 'KEY'\n"+at(server, src))
		if err != nil || !slices.Equal(seen, want) {
			t.Errorf("%s: %q %v\n saw %q\nwant %q", src, got, err, seen, want)
		}
		if strings.Contains(got, "12345") {
			t.Errorf("%s gives %q", src, got)
		}
	}
	closed := "http://" + drive.Closed(t)
	for src, want := range map[string]string{
		`http.get('URL/bad', { headers = { ['X-Key'] = key } }):check()`:                "403 forbidden",
		`http.get('URL/loop', { query = { k = key }, redirects = 1 })`:                  "more than 1 redirects, the last to " + server.URL + "/loop?k=***",
		`http.get('CLOSED/' .. key)`:                                                    "http.get " + closed + "/***: ",
		`http.get('http://u:' .. key .. '@' .. ('CLOSED/'):sub(8))`:                     "http.get http://u:xxxxx@" + closed[7:] + "/: ",
		`http.get('CLOSED/', { query = { k = key } })`:                                  "http.get " + closed + "/?k=***: ",
		`http.get('URL/', { headers = { Authorization = ('Bearer %s'):format(key) } })`: "'Authorization' in option 'headers' of http.get has *** in it, where a secret was",
		`http.get(('URL/?k=%s'):format(key))`:                                           "http.get: the URL has *** in it, where a secret was",
		`http.get('URL/', { query = { k = tostring(key) } })`:                           "'k' in option 'query' of http.get has *** in it",
		`http.get('URL/', { headers = { A = key .. '\n' } })`:                           "the value of 'A' has a line break",
		`http.get('ftp://' .. key)`:                                                     "has to begin with http://",
	} {
		_, err := s.run(t.Context(), "local key = env.secret 'KEY'\n"+at(server, strings.ReplaceAll(src, "CLOSED", closed)))
		var e *fault.Error
		if !errors.As(err, &e) || !strings.Contains(e.Message, want) || strings.Contains(fmt.Sprint(e, e.Notes, e.Hints), "12345") {
			t.Errorf("%s\n got %v\nwant %s", src, err, want)
		}
	}
}

// Where a text is cut, or cannot be read, no part of a secret is left.
func TestHTTPPartsOfSecrets(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/away?"+r.URL.RawQuery, http.StatusFound)
			return
		}
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, strings.Repeat("x", len(r.URL.Path)-1), r.URL.Query().Get("k"))
	}))
	t.Cleanup(server.Close)
	s := httpStage(t, Config{Hidden: &fault.Secrets{}, Env: environment(map[string]string{
		"LONG": strings.Repeat("secretpart", 40), "SLASH": "secretpart/more", "PERCENT": "100%secretpart", "PATH": "secretpart;x/ö y"})})
	closed := "http://" + drive.Closed(t)
	for src, want := range map[string]string{
		`http.get('CLOSED/', { query = { k = env.secret 'LONG' } })`:                            "http.get " + closed + "/?k=***: ",
		`http.get('URL/away', { query = { k = env.secret 'LONG' }, redirects = 1 })`:            "the last to " + server.URL + "/away?k=***",
		`http.get('CLOSED/' .. env.secret 'PATH')`:                                              "http.get " + closed + "/***: ",
		`http.get('URL/' .. ('x'):rep(480), { query = { k = env.secret 'LONG' } }):check()`:     "403 forbidden",
		`return http.get('URL/' .. ('x'):rep(190), { query = { k = env.secret 'LONG' } }).json`: "the answer is not JSON",
		`http.get('http://u:' .. env.secret 'SLASH' .. '@h/')`:                                  "http.get: the URL cannot be read: the port is no number",
		`http.get('http://u:secretpart/more@h/')`:                                               "http.get: the URL cannot be read: the port is no number",
		`url.parse 'http://u:secretpart/more@h/'`:                                               "url.parse: the port is no number",
		`http.get('http://h/' .. env.secret 'PERCENT')`:                                         "http.get: the URL cannot be read: invalid URL escape",
		`http.get('http://u:' .. env.secret 'PERCENT' .. '@h/')`:                                "http.get: the URL cannot be read: invalid URL escape",
		`url.decode(env.secret 'PERCENT')`:                                                      "url.decode: invalid URL escape",
	} {
		_, err := s.run(t.Context(), at(server, strings.ReplaceAll(src, "CLOSED", closed)))
		var e *fault.Error
		if !errors.As(err, &e) || !strings.Contains(e.Message, want) || strings.Contains(fmt.Sprint(e, e.Notes, e.Hints, e.Cause), "secret") || strings.Contains(e.Message, "%se") {
			t.Errorf("%s\n got %v\nwant %s", src, fmt.Sprint(err, e.Notes, e.Hints, e.Cause), want)
		}
	}
}

func TestHTTPWhileLoading(t *testing.T) {
	t.Parallel()
	loading(t, `http.get 'http://h/'`, Config{Transport: refusing{t}})
}
