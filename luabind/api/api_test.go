package api_test

import (
	"strings"
	"testing"

	"faust/luabind/api"
)

func TestEntriesAreWhole(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, e := range api.All() {
		id := e.Name
		if e.Kind == api.Object {
			id += " (object)"
		}
		if seen[id] {
			t.Errorf("%s is described twice", id)
		}
		seen[id] = true
		if e.Text == "" || !strings.HasSuffix(e.Text, ".") && !strings.HasSuffix(e.Text, ":") && e.Kind != api.Field {
			t.Errorf("%s: the text %q is no sentence", id, e.Text)
		}
		if of := e.Of(); of != "" && api.Get(of) == nil && api.ObjectOf(of) == nil {
			t.Errorf("%s belongs to %s, which is not described", id, of)
		}
		if (e.Type != "") != (e.Kind == api.Value || e.Kind == api.Field) {
			t.Errorf("%s: a %s of type %q", id, e.Kind, e.Type)
		}
		for _, name := range e.See {
			if len(api.Find(name)) == 0 {
				t.Errorf("%s refers to %s, which is not described", id, name)
			}
		}
		if e.Example != strings.TrimSpace(e.Example) || strings.Contains(e.Example, "\t") {
			t.Errorf("%s: the example has space around it, or tabs", id)
		}
		checkParams(t, e)
		checkOptions(t, id, e.Options)
	}
}

func checkParams(t *testing.T, e *api.Entry) {
	t.Helper()
	tables := 0
	for i, p := range e.Params {
		if p.Name == "" || p.Type == "" {
			t.Errorf("%s: parameter %d has no name or no type", e.Name, i+1)
		}
		if p.Type == api.Options {
			tables++
		}
		if p.Type == api.Func && p.Name == "fn" && i != len(e.Params)-1 && e.Params[i+1].Type != api.Options {
			t.Errorf("%s: the function does not come last", e.Name)
		}
	}
	if tables > 1 || tables == 0 && len(e.Options) > 0 && e.Name != "app.record" {
		t.Errorf("%s has options and %d tables for them", e.Name, tables)
	}
}

func checkOptions(t *testing.T, of string, options []api.Option) {
	t.Helper()
	names := map[string]bool{}
	for _, o := range options {
		if names[o.Name] || o.Name == "" || o.Type == "" || o.Text == "" {
			t.Errorf("%s: option %q is described twice or not whole", of, o.Name)
		}
		names[o.Name] = true
		if o.Type != api.Table && (o.Type == api.List) != (o.Of != "") {
			t.Errorf("%s: option %s is %s of %q", of, o.Name, o.Type, o.Of)
		}
		if o.Choices != nil && o.Type != api.String || (o.Min != 0 || o.Max != 0) && o.Type != api.Whole && (o.Type != api.List || o.Max != 0) {
			t.Errorf("%s: option %s has choices or limits that its type %s has not", of, o.Name, o.Type)
		}
		checkOptions(t, of+"."+o.Name, o.Options)
	}
}

// What faust adds to Lua has an example; Lua's own functions and fields do without.
func TestOursHaveExamples(t *testing.T) {
	t.Parallel()
	n := 0
	for _, e := range api.All() {
		if e.Kind == api.Field || api.OfLua(e.Name) {
			continue
		}
		if n++; e.Example == "" {
			t.Errorf("%s has no example", e.Name)
		}
	}
	if n < 100 {
		t.Errorf("only %d entries of ours", n)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"app.topic": "app.topic", "topic:send": "topic:send", "topic.send": "topic:send", "send": "agent:send topic:send", "stream": "stream",
		"null": "null", "App.Topic": "app.topic", "topic": "topic", "event.key": "event.key", "json.encode()": "json.encode", "say?": "say",
		"offset": "event.offset utf8.offset", "timer": "app.timer", "nothing": "", "": "",
	} {
		var got []string
		for _, e := range api.Find(name) {
			got = append(got, e.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("Find(%q) gives %q, want %q", name, got, want)
		}
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"send tombstone": "topic:send", "datetime layout": "datetime:format", "leader": "app.task", "sleep": "time.sleep",
	} {
		found := api.Search(text)
		ok := false
		for _, e := range found {
			ok = ok || e.Name == want
		}
		if !ok || len(found) > len(api.All())/4 {
			t.Errorf("Search(%q) gives %d entries, with %s: %v", text, len(found), want, ok)
		}
	}
	if first := api.Search("sleep")[0].Name; first != "time.sleep" {
		t.Errorf("what is called so comes first, not %s", first)
	}
	if found := api.Search(" "); found != nil {
		t.Errorf("nothing is found for nothing, not %d", len(found))
	}
}

func TestSignature(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"app.topic":     "app.topic(name, [{ options }]) -> topic",
		"app.agent":     "app.agent([name,] [source,] [{ options },] function(stream) ... end) -> agent",
		"app.task":      "app.task([{ name=, on_leader= },] function() ... end)",
		"topic:send":    "topic:send { key=, value=, headers=, partition=, timestamp= } -> message",
		"app.channel":   "app.channel([{ value=, maxsize= }]) -> channel",
		"app.configure": "app.configure { options }",
		"event.key":     "event.key  any",
		"json":          "json",
		"say":           "say(...)",
		"time.now":      "time.now() -> datetime",
		"stream:filter": "stream:filter(function(value) ... end) -> stream",
		"string.find":   "string.find(s, pattern, [init,] [plain]) -> first, last, ...",
	} {
		if got := api.Get(name).Signature(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
