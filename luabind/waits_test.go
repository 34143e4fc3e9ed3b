package luabind_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"faust/luabind"
	"faust/luabind/api"
	"faust/runtime/app"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// stalled is a runtime that takes records and never stores them; a full one takes none.
type stalled struct {
	*host
	full bool
}

func (s stalled) TrySend(*topic.Record, func(topic.Record, error)) bool { return !s.full }

func (s stalled) Send(ctx context.Context, _ *topic.Record, _ func(topic.Record, error)) error {
	if s.full {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (s stalled) Everywhere(ctx context.Context, _ *table.Definition) (app.Walk, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// stall is a call that has to wait. The agent a, if there is one, gets three messages first; then the tasks run.
type stall struct {
	src  string
	full bool
	what string // what it waits for
}

// stalls are calls of everything that is described as waiting, but for what is in package module.
var stalls = map[string]stall{
	"parallel":           {src: `app.task(function() parallel { function() time.sleep '1h' end } end)`, what: "task of "},
	"task:join":          {src: `app.task(function() spawn(function() time.sleep '1h' end):join() end)`, what: "task of "},
	"stream:items":       {src: `app.agent('a', input, function(stream) for k, v in stream:items() do end end)`, what: "the next event"},
	"stream:events":      {src: `app.agent('a', input, function(stream) for e in stream:events() do end end)`, what: "the next event"},
	"stream:enumerate":   {src: `app.agent('a', input, function(stream) for i, v in stream:enumerate() do end end)`, what: "the next event"},
	"stream:take":        {src: `app.agent('a', input, function(stream) for batch in stream:take(7, { within = '1h' }) do end end)`, what: "a batch of 7 events"},
	"stream:take_events": {src: `app.agent('a', input, function(stream) for batch in stream:take_events(7, { within = '1h' }) do end end)`, what: "a batch of 7 events"},
	"event:forward": {full: true, src: `app.agent('a', input, function(stream) for e in stream:events() do kept = e end end)
		app.task(function() kept:forward(out) end)`, what: "send to out"},
	"agent:send":           {full: true, src: `local b = app.agent('b', out, function() end) app.task(function() b:send { value = 1 } end)`, what: "send to out"},
	"agent:cast":           {full: true, src: `local b = app.agent('b', out, function() end) app.task(function() b:cast(1) end)`, what: "send to out"},
	"agent:ask":            {src: `local b = app.agent('b', out, function() end) app.task(function() b:ask(1, { timeout = '1h' }) end)`, what: "an answer of agent b"},
	"agent:map":            {src: `local b = app.agent('b', out, function() end) app.task(function() for v in b:map({ 1 }, { timeout = '1h' }) do end end)`, what: "an answer of agent b"},
	"agent:join":           {src: `local b = app.agent('b', out, function() end) app.task(function() b:join({ 1 }, { timeout = '1h' }) end)`, what: "an answer of agent b"},
	"topic:send":           {full: true, src: `app.task(function() out:send { value = 1 } end)`, what: "send to out"},
	"message:wait":         {src: `app.task(function() out:send { value = 1 }:wait() end)`, what: "store in out"},
	"channel:put":          {src: `local c = app.channel { maxsize = 1 } app.task(function() c:put(1) c:put(2) end)`, what: "put into channel-1"},
	"set_table:everywhere": {full: true, src: `local t = app.set_table('t') app.task(function() t:everywhere() end)`, what: "workers that have t"},
	"table:everywhere":     {full: true, src: `local t = app.table('t') app.task(function() t:everywhere() end)`, what: "workers that have t"},
	"channel:get":          {src: `local c = app.channel() app.task(function() c:get() end)`, what: "get from channel-1"},
}

// TestWhatIsDescribedAsWaitingWaits makes every call wait, and looks at what the machine says that it waits for.
func TestWhatIsDescribedAsWaitingWaits(t *testing.T) {
	t.Parallel()
	var described []string
	for _, e := range api.All() {
		if e.Waits && !inModule(e) {
			described = append(described, e.Name)
		}
	}
	slices.Sort(described)
	if tried := slices.Sorted(maps.Keys(stalls)); !slices.Equal(described, tried) {
		t.Errorf("described as waiting:\n%q\ntried:\n%q", described, tried)
	}
	for name, c := range stalls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { c.try(t) })
		})
	}
}

// inModule tells whether an entry is a function of package module, whose tests look whether it waits.
func inModule(e *api.Entry) bool { return e.Kind == api.Function && e.Name != "parallel" }

func (c stall) try(t *testing.T) {
	s := &script{host: newHost(t), t: t}
	loaded, err := luabind.Load(write(t, "app.configure { id = 'stall' }\nlocal input, out = app.topic('in'), app.topic('out')\nkept = false\n"+c.src), luabind.Config{NoPass: plain})
	if err != nil {
		t.Fatal(render(err))
	}
	defer loaded.Close()
	defer s.tasks.Wait()
	defer s.cancel()
	s.Script = loaded
	loaded.App.Attach(stalled{s.host, c.full})
	if len(loaded.App.Agents) > 0 && loaded.App.Agents[0].Name == "a" {
		deliver, _ := s.agent("a")
		deliver(json("1", "2", "3")...)
	}
	synctest.Wait()
	for _, task := range loaded.App.Tasks {
		s.tasks.Go(func() {
			if err := task.Run(s.ctx); err != nil && s.ctx.Err() == nil {
				t.Error(render(err))
			}
		})
	}
	synctest.Wait()
	var seen []string
	for _, state := range loaded.VM.Tasks() {
		seen = append(seen, state.State+" for "+state.What)
	}
	if !slices.ContainsFunc(seen, func(x string) bool { return strings.HasPrefix(x, "waiting for "+c.what) }) {
		t.Errorf("nothing waits for %s: %q", c.what, seen)
	}
}

// waitSites are the functions that wait through the machine, and the names that reach them; in brackets what is no name of the description that waits.
var waitSites = map[string]string{
	"body.next":           "stream:items stream:events stream:enumerate",
	"body.closes":         "stream:items stream:events stream:enumerate",
	"body.take":           "stream:take stream:take_events",
	"binding.put":         "channel:put agent:cast",
	"binding.take":        "channel:get",
	"sending.queue":       "topic:send agent:send agent:cast event:forward",
	"binding.sendingWait": "message:wait",
	"binding.agentAsk":    "agent:ask",
	"binding.newRound":    "agent:map agent:join",
	"round.next":          "agent:map agent:join",
	"taskObject.await":    "task:join",
	"tableObject.asking":  "table:everywhere set_table:everywhere",
	"seat.moved":          "(a key that is in another partition)",
	"tableObject.await":   "(a global table that is read anew)",
	"VM.file":             "(require)",
	"Set.answer":          "confirm prompt",
	"Set.timeSleep":       "time.sleep",
	"binding.together":    "parallel",
	"Set.fetch":           "http.get http.head http.post http.put http.patch http.delete http.request",
	"session.put":         "(print, say and pp of a console)",
	"binding.push":        "(write of web.stream)",
	"body.reject":         "(a loop over a stream)",
	"binding.postNow":     "topic:send",
}

// TestEverythingThatWaitsIsDescribedSo finds the places that wait in the sources: a new one has to be named here, and what reaches it described.
func TestEverythingThatWaitsIsDescribedSo(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && waits(fn) {
				found[method(fn)] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := slices.Sorted(maps.Keys(found)), slices.Sorted(maps.Keys(waitSites)); !slices.Equal(got, want) {
		t.Errorf("functions that wait:\n%q\nnamed here:\n%q", got, want)
	}
	named := map[string]bool{}
	for site, names := range waitSites {
		if strings.HasPrefix(names, "(") {
			continue
		}
		for name := range strings.FieldsSeq(names) {
			named[name] = true
			if e := api.Get(name); e == nil || !e.Waits {
				t.Errorf("%s reaches %s and is not described as waiting", name, site)
			}
		}
	}
	for _, e := range api.All() {
		if e.Waits && !named[e.Name] {
			t.Errorf("%s is described as waiting, and reaches nothing that waits", e.Name)
		}
	}
}

// waits tells whether a function calls Block of the machine.
func waits(fn *ast.FuncDecl) (yes bool) {
	ast.Inspect(fn, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Block" {
				yes = true
			}
		}
		return true
	})
	return yes
}

// method names a function with its receiver's type.
func method(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	of := fn.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	return of.(*ast.Ident).Name + "." + fn.Name.Name
}
