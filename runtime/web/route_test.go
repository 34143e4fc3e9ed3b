package web

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRoute(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		route   string
		verbs   []string
		pattern string
		err     string
	}{
		{"/", nil, "/", ""},
		{"/orders/{id}/", nil, "/orders/{id}/", ""},
		{"POST /orders/", []string{"POST"}, "/orders/", ""},
		{"GET,PUT /orders/{id:[0-9]{2,3}}", []string{"GET", "PUT"}, "/orders/{id:[0-9]{2,3}}", ""},
		{"/static/*", nil, "/static/*", ""},
		{"/{year}-{month}", nil, "/{year}-{month}", ""},
		{"", nil, "", "not a path like"},
		{"orders", nil, "", "not a path like"},
		{"GET orders", nil, "", "not a path like"},
		{"GET /a /b", nil, "", "not a path like"},
		{"FETCH /a", nil, "", "no method FETCH; there are GET"},
		{"get /a", nil, "", "no method get"},
		{"/a/{id", nil, "", "a { is not closed"},
		{"/a/id}", nil, "", "a } without {"},
		{"/a/{}", nil, "", "needs a name"},
		{"/a/{9a}", nil, "", "{9a} is no name"},
		{"/a/{id}/{id}", nil, "", "{id} is there twice"},
		{"/a/{id}{x}", nil, "", "something between"},
		{"/a/{id:[}", nil, "", "no regular expression"},
		{"/a/*/b", nil, "", "comes last"},
		{"/a*", nil, "", "comes last"},
		{"/a?x=1", nil, "", "does not belong to a path"},
		{"/livez", nil, "", "the worker's own"},
		{"/readyz/", nil, "", "the worker's own"},
		{"GET /metrics", nil, "", "the worker's own"},
		{"/_/x", nil, "", "the worker's own"},
		{"/_", nil, "", "the worker's own"},
		{"/_x", nil, "/_x", ""},
	} {
		verbs, pattern, err := ParseRoute(c.route)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: error %v, want %q", c.route, err, c.err)
			}
			continue
		}
		if err != nil || pattern != c.pattern || cmp.Diff(c.verbs, verbs) != "" {
			t.Errorf("%q: %v %q %v", c.route, verbs, pattern, err)
		}
	}
	if diff := cmp.Diff([]string{"a", "b", "*"}, Parameters("/x/{a}/{b:[a-z]{1,2}}/*")); diff != "" {
		t.Error(diff)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	page := func(pattern string, methods ...string) *Page {
		return &Page{Pattern: pattern, Methods: methods, Place: "app.lua:3"}
	}
	for _, c := range []struct {
		pages []*Page
		err   string
	}{
		{[]*Page{page("/a"), page("/b"), page("/a/"), page("/a", "POST")}, ""},
		{[]*Page{page("/a/{x}"), page("/a/new"), page("/a/*")}, ""},
		{[]*Page{page("/a"), page("/a", "HEAD")}, ""},
		{[]*Page{page("/a/{x:[0-9]+}"), page("/a/{x}")}, ""},
		{[]*Page{page("/a"), page("/a")}, "page GET /a: answered already by /a (app.lua:3)"},
		{[]*Page{page("/a/{x}", "POST"), page("/a/{y}", "PUT", "POST")}, "page POST /a/{y}: answered already by /a/{x}"},
		{[]*Page{page("/a", "HEAD"), page("/a", "HEAD")}, "page HEAD /a"},
		{[]*Page{page("a")}, "begins with /"},
		{[]*Page{page("/{")}, "not closed"},
	} {
		err := Validate(c.pages)
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%v: %v, want %q", c.pages, err, c.err)
		}
	}
}

// FuzzParseRoute: what is accepted does not make the router panic.
func FuzzParseRoute(f *testing.F) {
	for _, s := range []string{"/", "POST /a/{id}/", "/a/{x:[0-9]{2}}/*", "/{a}-{b}", "/a/{x:}}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, route string) {
		verbs, pattern, err := ParseRoute(route)
		if err != nil {
			return
		}
		s, err := Open(Config{Listen: noListener, Pages: []*Page{{Methods: verbs, Pattern: pattern}}})
		if err != nil {
			t.Fatalf("%q: %v", route, err)
		}
		s.Close()
	})
}
