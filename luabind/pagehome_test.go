package luabind_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A page of a table is answered where the key is; the key has its type there.
func TestPageOfTable(t *testing.T) {
	t.Parallel()
	var asked string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.RequestURI
		w.Header().Set("From", "elsewhere")
		w.Header().Set("Faust-Forwarded", "1")
		w.WriteHeader(http.StatusAccepted)
	}))
	defer other.Close()
	s, _ := serve(t, `
		local input, out = app.topic('in', { key = 'int' }), app.topic('out')
		local t = app.table('t', { key = 'int', default = 0 })
		local unused = app.table('unused', { default = 7 })
		app.agent('a', input, function(stream) for k, v in stream:items() do t[k] = t[k] + v out:send { value = v } end end)
		app.page('/t/{id}/', { table = t, key = 'id' }, function(request)
			local id = request.params.id
			return { id = id, type = type(id), total = t[id] }
		end)
		app.page('POST /t/{id}/', { table = t, key = 'id', body = 'json' }, function(request) return request.params.id + request.body end)
		app.page('/unused/{id}/', { table = unused, key = 'id' }, function(request) return unused[request.params.id] end)`)
	table := s.table("t")
	deliver, drain := s.agent("a")
	deliver(keyed("1=5", "2=6", "1=7")...)
	s.until("settled", func() bool { return len(s.settled) == 3 })
	if err := drain(); err != nil {
		t.Fatal(err)
	}
	if resp, body := s.ask("GET /t/1/", ""); resp.StatusCode != 200 || body != `{"id":1,"type":"number","total":12}` {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, body := s.ask("POST /t/1/", "41"); resp.StatusCode != 200 || body != "42" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	for _, bad := range []string{"x", "null", "1.5", "%20"} {
		if resp, body := s.ask("GET /t/"+bad+"/", ""); resp.StatusCode != 400 || !strings.Contains(body, `"field":"id","expected":"int"`) {
			t.Errorf("%s: %d %s", bad, resp.StatusCode, body)
		}
	}
	if resp, body := s.ask("GET /unused/x/", ""); resp.StatusCode != 200 || body != "7" {
		t.Errorf("a table that nobody writes: %d %s", resp.StatusCode, body)
	}

	// two partitions, and the key is in the one that is not here
	s.state.mu.Lock()
	s.state.counts["t"] = 2
	s.state.lacks[table.Hash.Partition([]byte("1"), 2)] = true
	s.state.mu.Unlock()
	if resp, body := s.ask("GET /t/1/", ""); resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" || !strings.Contains(body, "no worker has it for the moment") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	s.state.mu.Lock()
	s.state.home = other.URL
	s.state.mu.Unlock()
	if resp, _ := s.ask("POST /t/1/?a=b", "not JSON"); resp.StatusCode != 202 || resp.Header.Get("From") != "elsewhere" || asked != "/t/1/?a=b" {
		t.Errorf("%d %s", resp.StatusCode, asked)
	}
	s.state.mu.Lock()
	s.state.counts["t"] = 0 // a worker that starts
	s.state.mu.Unlock()
	if resp, body := s.ask("GET /t/1/", ""); resp.StatusCode != 503 || !strings.Contains(body, "the worker starts") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// A page that may be old is answered from a copy, here or elsewhere, while the worker that has the key cannot answer.
func TestPageOfCopies(t *testing.T) {
	t.Parallel()
	var asked []string
	code := http.StatusOK
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Faust-Forwarded"))
		w.Header().Set("Faust-Forwarded", "1")
		w.WriteHeader(code)
	}))
	defer other.Close()
	s, _ := serve(t, `
		local input = app.topic('in')
		local t = app.table('t', { value = 'int' })
		app.agent('a', input, function(stream) for k, v in stream:items() do t[k] = v end end)
		local function page(request) return { value = t[request.params.id], stale = request.stale } end
		app.page('/t/{id}/', { table = t, key = 'id', stale = true }, page)
		app.page('/now/{id}/', { table = t, key = 'id' }, page)`)
	set := func(f func()) {
		s.state.mu.Lock()
		defer s.state.mu.Unlock()
		f()
		asked = nil
	}
	ask := func(path string, want int, text string, headers ...string) {
		t.Helper()
		if resp, body := s.ask("GET "+path, "", headers...); resp.StatusCode != want || !strings.Contains(body, text) {
			t.Errorf("%s: %d %s, want %d %s", path, resp.StatusCode, body, want, text)
		}
	}
	ask("/t/x/", 200, `{"stale":false}`)
	set(func() { s.state.lacks[0] = true })
	ask("/t/x/", 503, "no worker has it for the moment, nor a copy")
	set(func() { s.state.copy = &shelf{data: map[string]string{"x": "7"}} })
	ask("/t/x/", 200, `{"value":7,"stale":true}`)
	ask("/t/x/", 200, `{"value":7,"stale":true}`, "Faust-Forwarded: stale")
	ask("/now/x/", 503, "no worker has it for the moment")
	set(func() { s.state.home = other.URL })
	ask("/t/x/", 200, "") // the owner answers
	if len(asked) != 1 || asked[0] != "1" {
		t.Errorf("%v", asked)
	}
	code = http.StatusServiceUnavailable
	ask("/t/x/", 200, `{"value":7,"stale":true}`) // it cannot
	set(func() { s.state.home = "http://127.0.0.1:1" })
	ask("/t/x/", 200, `{"value":7,"stale":true}`) // it is gone
	ask("/now/x/", 503, "out of reach")
	set(func() { s.state.copy, s.state.copyHomes = nil, []string{"http://127.0.0.1:1", other.URL} })
	code = http.StatusOK
	ask("/t/x/", 200, "")
	if len(asked) != 1 || asked[0] != "stale" {
		t.Errorf("%v", asked)
	}
	code = http.StatusServiceUnavailable
	ask("/t/x/", 503, "")
	ask("/t/x/", 503, "", "Faust-Forwarded: stale")
}
