package web

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"faust/runtime/control"
)

func (w *fake) Tables() control.Tables {
	return control.Tables{Bytes: 7, Tables: []control.Table{{Name: "totals", Partitions: []control.Shard{{Place: control.Place{Here: true}, Keys: 3}, {Place: control.Place{Partition: 1, URL: "http://b:1"}, Keys: -1}}}}}
}

func (w *fake) Get(table string, key []byte) (control.Found, error) {
	if table != "to/tals" {
		return control.Found{}, control.ErrUnknown
	}
	if len(key) == 0 {
		return control.Found{Place: control.Place{Partition: 1, URL: "http://b:1"}}, nil
	}
	return control.Found{Place: control.Place{Here: true}, Found: true, Value: bytes.TrimPrefix(key, []byte("empty"))}, nil
}

func (w *fake) Slice(s control.Slicing) (control.Slice, error) {
	if s.Table != "to/tals" {
		return control.Slice{}, control.ErrUnknown
	}
	said := fmt.Sprintf("%d %q %q %d", s.Partition, s.From, s.Prefix, s.Limit)
	return control.Slice{Place: control.Place{Partition: s.Partition, Here: true}, Pairs: []control.Pair{{Key: []byte(said), Value: []byte{}}}, Next: []byte{0xff}}, nil
}

func TestTablesOfTheAPI(t *testing.T) {
	t.Parallel()
	w := newFake()
	c, _ := socket(t, NewAPI(APIConfig{Worker: w}))
	ctx := t.Context()
	tables, err := c.Tables(ctx)
	if diff := cmp.Diff(w.Tables(), tables); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	for _, key := range []string{"a\x00\xff/?", "", "empty"} {
		want, _ := w.Get("to/tals", []byte(key))
		got, err := c.Get(ctx, "to/tals", []byte(key))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v %s", key, err, diff)
		}
	}
	slice, err := c.Slice(ctx, control.Slicing{Table: "to/tals", Partition: 2, From: []byte("\xffa"), Prefix: []byte("p"), Limit: 9})
	if err != nil || string(slice.Pairs[0].Key) != `2 "\xffa" "p" 9` || slice.Pairs[0].Value == nil || string(slice.Next) != "\xff" || !slice.Here {
		t.Errorf("%v %+v", err, slice)
	}
	if _, err := c.Get(ctx, "x", nil); !errors.Is(err, control.ErrUnknown) || !strings.HasPrefix(err.Error(), "table x: ") {
		t.Errorf("unknown table: %v", err)
	}
	var refused *control.Error
	if _, err := c.Slice(ctx, control.Slicing{Table: "to/tals", Limit: -1}); !errors.As(err, &refused) || !strings.Contains(err.Error(), "limit cannot be '-1'") {
		t.Errorf("limit: %v", err)
	}
}

func TestTablesAreLookedAtWithoutToken(t *testing.T) {
	t.Parallel()
	s, _ := server(t, Config{API: NewAPI(APIConfig{Worker: newFake()})})
	for path, want := range map[string]int{
		"/_/api/tables": 200, "/_/api/tables/to%2Ftals/key?key=YQ": 200, "/_/api/tables/to%2Ftals/keys?partition=1": 200,
		"/_/api/tables/to%2Ftals/key?key=*": 400, "/_/api/tables/to%2Ftals/keys?from=*": 400, "/_/api/tables/to%2Ftals/keys?partition=x": 400, "/_/api/tables/x/keys": 404,
	} {
		if resp := ask(s, "GET "+path, ""); resp.StatusCode != want {
			t.Errorf("%s: %d %s", path, resp.StatusCode, text(t, resp))
		}
		if resp := ask(s, "GET "+path, "", "From: 10.0.0.1:5"); resp.StatusCode != 403 {
			t.Errorf("%s from another machine: %d", path, resp.StatusCode)
		}
	}
}
