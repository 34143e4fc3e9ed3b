package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"faust/tests/drive"
)

// near is a worker that was given: it has partition 0 of a table of two, and says where the other one is.
type near struct {
	other Place
	gone  bool // partition 0 went to the other worker meanwhile
	err   error
}

func (n *near) Tables(context.Context) (Tables, error) {
	return Tables{Tables: []Table{{Name: "totals", Partitions: []Shard{{Place: Place{Here: true}}, {Place: n.other}}}}}, n.err
}

func (n *near) Get(_ context.Context, _ string, key []byte) (Found, error) {
	if string(key) == "near" {
		return Found{Place: Place{Here: true}, Found: true, Value: []byte("1")}, n.err
	}
	return Found{Place: n.other}, n.err
}

func (n *near) Slice(_ context.Context, what Slicing) (Slice, error) {
	if n.gone {
		return Slice{Place: Place{URL: n.other.URL}}, nil
	}
	if what.From == nil {
		return Slice{Place: Place{Here: true}, Pairs: []Pair{{[]byte("a"), []byte("1")}}, Next: []byte("b")}, nil
	}
	return Slice{Place: Place{Here: true}, Pairs: []Pair{{[]byte("b"), []byte("2")}}}, nil
}

// far is the web port of another worker, which asks for a token.
func far(t *testing.T) string {
	t.Helper()
	answers := map[string]any{
		"/status":            Status{},
		"/tables/totals/key": Found{Place: Place{Partition: 1, Here: true}, Found: true, Value: []byte("9")},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, Prefix)
		answer := answers[path]
		if path == "/tables/totals/keys" {
			slice := Slice{Place: Place{Partition: 1, Here: true}, Pairs: []Pair{{[]byte("far " + r.URL.Query().Get("partition")), []byte("3")}}}
			answer = slice
		}
		if r.Header.Get("Authorization") != "Bearer t0k" {
			w.WriteHeader(http.StatusForbidden)
			answer = Problem{Error: "other machines may not ask this"}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// walked are the keys of a walk.
func walked(t *testing.T, f *Finder) (keys []string, err error) {
	t.Helper()
	w, err := f.Walk(t.Context(), Slicing{Table: "totals"})
	if err != nil {
		return nil, err
	}
	for {
		_, pairs, err := w.Next(t.Context())
		if err != nil || len(pairs) == 0 {
			return keys, err
		}
		for _, p := range pairs {
			keys = append(keys, string(p.Key))
		}
	}
}

func TestFinder(t *testing.T) {
	t.Parallel()
	url := far(t)
	one := &near{other: Place{Partition: 1, URL: url}}
	f := NewFinder([]Looker{&near{err: errors.New("it stops")}, one}, Access{Token: "t0k"})
	defer f.Close()
	for key, want := range map[string]string{"near": "1", "far": "9"} {
		if found, err := f.Get(t.Context(), "totals", []byte(key)); err != nil || string(found.Value) != want {
			t.Errorf("%s: %v %+v", key, err, found)
		}
	}
	if keys, err := walked(t, f); err != nil || strings.Join(keys, ",") != "a,b,far 1" {
		t.Errorf("walk: %v %q", err, keys)
	}
	one.gone = true
	if keys, err := walked(t, f); err != nil || strings.Join(keys, ",") != "far 0,far 1" {
		t.Errorf("a partition that moved: %v %q", err, keys)
	}
}

func TestFinderCannot(t *testing.T) {
	t.Parallel()
	closed := "http://" + drive.Closed(t)
	for name, c := range map[string]struct {
		place      Place
		text, hint string
		kind       error
	}{
		"no token":   {Place{Partition: 1, URL: far(t)}, "partition 1 of table totals: other machines may not ask this", "web_token", ErrForbidden},
		"gone":       {Place{Partition: 1, URL: closed}, "partition 1 of table totals: worker at " + closed, "", ErrGone},
		"nobody":     {Place{Partition: 1, Problem: "no worker has it for the moment"}, "partition 1 of table totals: no worker has it for the moment", "try again", nil},
		"no table":   {Place{Partition: -1, Problem: "the worker starts"}, "table totals: the worker starts", "", nil},
		"on its way": {Place{Partition: 1}, "partition 1 of table totals: it goes from one worker to another", "try again", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := NewFinder([]Looker{&near{other: c.place}}, Access{})
			defer f.Close()
			_, err := f.Get(t.Context(), "totals", []byte("far"))
			var told *Error
			if !errors.As(err, &told) || !strings.Contains(err.Error(), c.text) || !strings.Contains(told.Hint, c.hint) || c.kind != nil && !errors.Is(err, c.kind) {
				t.Errorf("get: %v", err)
			}
			if _, err := walked(t, f); err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("walk: %v", err)
			}
		})
	}
}
