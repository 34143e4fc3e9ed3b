package luabind_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"faust/runtime/web"
)

// The keys of all workers, as copies; nowhere but outside of events.
func TestTableEverywhere(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		s := events(t, plain, `
			app.page('/sum/', function()
				local keys, sum = 0, 0
				for k, v in t:everywhere() do keys, sum = keys + 1, sum + v end
				for k, v in d:everywhere() do v.x = 'changed' end
				return { keys, sum, d['a'].x }
			end)`, `for k, v in stream:items() do
				t[k] = t[k] + v
				d[k].x = 'as it was'
				out:send { value = select(2, pcall(function() return t:everywhere() end)).message }
			end`, 2, keyed("a=1", "b=2")...)
		for _, v := range s.settledValues() {
			if !strings.Contains(v, "table:everywhere asks other workers, which an event cannot wait for") {
				t.Error(v)
			}
		}
		p := page(t, s, "/sum/")
		if p != `[2,3,"as it was"]` {
			t.Error(p)
		}
		s.state.mu.Lock()
		s.state.lacks[0] = true
		s.state.mu.Unlock()
		if p := page(t, s, "/sum/"); !strings.Contains(p, "look into table 't' on all workers: partition 0 of table t: nobody has it") {
			t.Error(p)
		}
	})
}

// page gives the body that a page answers, or its error as drawn.
func page(t *testing.T, s *script, path string) string {
	t.Helper()
	for _, p := range s.App.Pages {
		if p.Pattern != path {
			continue
		}
		r := httptest.NewRequest("GET", path, nil)
		resp, err := p.Handle(t.Context(), &web.Request{Request: r})
		if err != nil {
			return render(err)
		}
		return string(resp.Body)
	}
	t.Fatalf("no page %s", path)
	return ""
}
