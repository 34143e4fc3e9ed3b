package luabind

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/api"
	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/runtime/app"
	"faust/runtime/topic"
	"faust/runtime/web"
)

// registered is what scripts can reach, as the machine of a loaded script has it.
type registered struct {
	t     *testing.T
	b     *binding
	L     *lua.LState
	names map[string]lua.LValue // app.topic, say, json.encode
}

const declaredForAll = `
	Order = app.record('Order', { id = 'string', total = 'decimal?', count = 'int64?' })
	orders = app.topic('orders', { value = Order })
	jobs = app.channel()
	totals = app.table('totals', { default = 0 })
	seen = app.set_table('seen')
	audit = app.agent('audit', orders, function(stream) for order in stream do end end)
	option = app.option('--x')
	pattern = regex.new 'x'
	order = Order { id = 'o1', total = '0.10', count = 1 }
	ok, failure = pcall(error, 'text')
	ok, failure = pcall(json.decode, '{')`

// inside runs f in the machine of a script that has something of everything.
func inside(t *testing.T, f func(r *registered)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "app.lua")
	if err := os.WriteFile(file, []byte(declaredForAll), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := newBinding(file, declaredForAll, Config{Transport: answers{}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.vm.Close()
	err = b.vm.Run(t.Context(), "test", false, func(L *lua.LState) error {
		b.open(L)
		fn, err := b.vm.Load(file)
		if err == nil {
			_, err = b.vm.Call(L, "in main chunk", fn, 0)
		}
		if err == nil {
			r := &registered{t: t, b: b, L: L, names: map[string]lua.LValue{}}
			r.walk()
			f(r)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// walk finds the globals, the modules and what is in them.
func (r *registered) walk() {
	own := []string{"Order", "orders", "jobs", "totals", "seen", "audit", "option", "order", "pattern", "ok", "failure"}
	for name := range r.b.modules() {
		r.put(name, r.L.GetField(r.b.vm.Globals(), name))
	}
	r.b.vm.Globals().ForEach(func(k, v lua.LValue) {
		if !slices.Contains(own, k.String()) {
			r.put(k.String(), v)
		}
	})
	for name, v := range r.names {
		e := api.Get(name)
		if e == nil || e.Kind != api.Module {
			continue
		}
		for _, key := range r.keys(v) {
			r.put(name+"."+key, r.L.GetField(v, key))
		}
	}
}

func (r *registered) put(name string, v lua.LValue) { r.names[name] = v }

// keys gives the names in a module, by pairs.
func (r *registered) keys(v lua.LValue) []string {
	if mt := metatable(v); mt != nil && mt.RawGetString("__pairs") != lua.LNil {
		r.L.Push(mt.RawGetString("__pairs"))
		r.L.Push(v)
		r.L.Call(1, 1)
		next := r.L.Get(-1)
		r.L.Pop(1)
		var keys []string
		for key := lua.LValue(lua.LNil); ; {
			r.L.Push(next)
			r.L.Push(v)
			r.L.Push(key)
			r.L.Call(2, 1)
			key = r.L.Get(-1)
			r.L.Pop(1)
			if key == lua.LNil {
				return keys
			}
			keys = append(keys, key.String())
		}
	}
	t, ok := v.(*lua.LTable)
	if !ok {
		r.t.Fatalf("a module is %s", v.Type())
	}
	var keys []string
	t.ForEach(func(k, _ lua.LValue) {
		if k != lua.LString("__index") { // string is the metatable of strings as well
			keys = append(keys, k.String())
		}
	})
	return keys
}

// metatable is that of a table or an object; nil: it has none.
func metatable(v lua.LValue) *lua.LTable {
	var mt lua.LValue
	switch v := v.(type) {
	case *lua.LTable:
		mt = v.Metatable
	case *lua.LUserData:
		mt = v.Metatable
	}
	t, _ := mt.(*lua.LTable)
	return t
}

// call calls a function as a script would, and gives what it raised.
func (r *registered) call(f lua.LValue, args ...lua.LValue) *fault.Error {
	fn, ok := f.(*lua.LFunction)
	if !ok {
		r.t.Fatalf("not a function: %s", f.Type())
	}
	_, err := r.b.vm.Call(r.L, "test", fn, 0, args...)
	var e *fault.Error
	if err != nil && !errors.As(err, &e) {
		r.t.Fatalf("raised %v", err)
	}
	return e
}

// get reads v[key] as a script would.
func (r *registered) get(v lua.LValue, key string) (got lua.LValue, raised *fault.Error) {
	if _, ok := as[*tableObject](v); ok { // its fields are data
		v = r.b.members[metatable(v)].methods
	}
	got = lua.LNil
	raised = r.call(r.L.NewFunction(func(L *lua.LState) int { got = L.GetField(v, key); return 0 }))
	return got, raised
}

// Every name that scripts can reach is described, or only says that it is not there.
func TestWhatIsRegisteredIsDescribed(t *testing.T) {
	t.Parallel()
	inside(t, func(r *registered) {
		if len(r.names) < 200 {
			t.Errorf("only %d names", len(r.names))
		}
		for name, v := range r.names {
			e := api.Get(name)
			_, function := v.(*lua.LFunction)
			switch {
			case e == nil && api.Later(name):
				r.isLater(name, v)
			case e == nil && function:
				if raised := r.call(v); raised == nil || !strings.Contains(raised.Message, name+" is not available to scripts") {
					t.Errorf("%s is not described, and says %v", name, raised)
				}
			case e == nil:
				t.Errorf("%s is not described; it is a %s", name, v.Type())
			case function != (e.Kind == api.Function):
				t.Errorf("%s is described as a %s, and is a %s", name, e.Kind, v.Type())
			}
		}
	})
}

// isLater makes sure that a name of a later version says so.
func (r *registered) isLater(name string, v lua.LValue) {
	var raised *fault.Error
	switch v := v.(type) {
	case *lua.LFunction:
		raised = r.call(v)
	case *lua.LUserData:
		_, raised = r.get(v, "anything")
	case *lua.LTable:
		if keys := r.keys(v); len(keys) > 0 {
			r.t.Errorf("%s has %v", name, keys)
		}
		return
	}
	if raised == nil || !strings.Contains(raised.Message, "is not in this version") {
		r.t.Errorf("%s is one of a later version, and says %v", name, raised)
	}
}

// Everything described is there: as a global, in its module, or as a member of its objects.
func TestWhatIsDescribedIsRegistered(t *testing.T) {
	t.Parallel()
	inside(t, func(r *registered) {
		objects := r.objects()
		for _, e := range api.All() {
			switch e.Kind {
			case api.Object:
				if objects[e.Name] == nil {
					t.Errorf("no %s is looked at", e.Name)
				}
			case api.Method, api.Field:
				r.isMember(e, objects[e.Of()])
			default:
				if _, ok := r.names[e.Name]; !ok {
					t.Errorf("%s does not exist", e.Name)
				}
			}
		}
		for kind, v := range objects {
			if name := metatable(v).RawGetString("__metatable"); name != lua.LString(kind) && kind != "conf" {
				t.Errorf("a %s says that it is a %s", kind, name)
			}
			r.hasNoMore(kind, v)
		}
	})
}

// isMember makes sure that an object has what an entry describes.
func (r *registered) isMember(e *api.Entry, v lua.LValue) {
	got, raised := r.get(v, e.Last())
	_, function := got.(*lua.LFunction)
	switch {
	case raised != nil:
		r.t.Errorf("%s: %v", e.Name, raised)
	case function != (e.Kind == api.Method):
		r.t.Errorf("%s is described as a %s, and is a %s", e.Name, e.Kind, got.Type())
	case got == lua.LNil && e.Of() != "conf" && e.Name != "error.cause":
		r.t.Errorf("%s is nil", e.Name)
	}
}

// hasNoMore makes sure that an object has only members that are described. What it has is what it says when it is asked for something else.
func (r *registered) hasNoMore(kind string, v lua.LValue) {
	if kind == "error" || kind == "record" || kind == "null" { // one has the functions of strings beside its own, one its fields, one nothing
		return
	}
	_, raised := r.get(v, "no_such_member")
	if raised == nil {
		r.t.Errorf("a %s has everything", kind)
		return
	}
	_, list, _ := strings.Cut(strings.Join(raised.Hints, " "), "known: ")
	for name := range strings.SplitSeq(list, ", ") {
		method, field := kind+":"+name, kind+"."+name
		known := api.Get(method) != nil || api.Get(field) != nil
		if name != "" && !known && !api.Later(method) {
			r.t.Errorf("%s of a %s is not described", name, kind)
		}
		if api.Later(method) {
			f, _ := r.get(v, name)
			r.isLater(method, f)
		}
	}
}

// answers is a network on which everything is there.
type answers struct{}

func (answers) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
}

// answer gives what http.get gives, after loading.
func (r *registered) answer() lua.LValue {
	r.b.vm.Loaded()
	values, err := r.b.vm.Call(r.L, "test", r.names["http.get"].(*lua.LFunction), 1, lua.LString("http://shop.example/"))
	if err != nil {
		r.t.Fatal(err)
	}
	return values[0]
}

// objects gives one of each kind. After it the script is loaded.
func (r *registered) objects() map[string]lua.LValue {
	b, global := r.b, func(name string) lua.LValue { return r.b.vm.Globals().RawGetString(name) }
	field := func(v lua.LValue, name string) lua.LValue {
		got, _ := r.get(v, name)
		return got
	}
	audit, _ := as[*agentObject](global("audit"))
	in := &body{b: b, agent: audit}
	event := &eventObject{body: in, record: topic.Record{Topic: "orders", Key: []byte("k"), Value: []byte(`{"id":"o1"}`)}}
	asked := httptest.NewRequest("POST", "/orders/1/", nil)
	asked.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req := &request{page: &page{b: b}, web: &web.Request{Request: asked, Body: []byte("{}")}, fields: map[string]lua.LValue{"body": lua.LString("{}")}}
	now := time.Now()
	return map[string]lua.LValue{
		"conf": field(b.table, "conf"), "topic": global("orders"), "table": global("totals"), "set_table": global("seen"), "channel": global("jobs"), "agent": global("audit"), "command item": global("option"),
		"record type": global("Order"), "record": global("order"), "decimal": field(global("order"), "total"), "int64": b.reg.NewInt64(1),
		"datetime": b.reg.NewDatetime(now), "date": b.reg.NewDate(record.Date{Year: 2026, Month: 11, Day: 23}), "null": b.reg.Null(), "error": global("failure"),
		"regex": global("pattern"), "secret": b.module.NewSecret(r.L, "text"), "response": r.answer(),
		"stream": object(&stream{body: in}, b.kinds.stream), "event": object(event, b.kinds.event), "message": object(&sending{b: b}, b.kinds.sending),
		"task": object(&taskObject{b: b}, b.kinds.task), "request": object(req, b.kinds.request), "answer": object(&web.Response{}, b.kinds.answer),
	}
}

// A function that needs an argument says so when it gets none, and names itself: those that declare while the script is loaded, the others later.
func TestFunctionsNameThemselves(t *testing.T) {
	t.Parallel()
	inside(t, func(r *registered) {
		var objects map[string]lua.LValue
		n := 0
		for _, loading := range []bool{true, false} {
			for _, e := range api.All() {
				if api.OfLua(e.Name) || len(e.Params) == 0 || e.Params[0].Optional || e.Params[0].Rest || (e.Of() == "app" && e.Name != "app.stop") != loading {
					continue
				}
				n++
				var raised *fault.Error
				switch e.Kind {
				case api.Function:
					raised = r.call(r.names[e.Name])
				case api.Method:
					f, _ := r.get(objects[e.Of()], e.Last())
					raised = r.call(f, objects[e.Of()])
				}
				if raised == nil || !strings.Contains(raised.Message, e.Last()) && !strings.Contains(raised.Message, e.Of()+" ") {
					t.Errorf("%s without arguments says %v", e.Name, raised)
				}
			}
			objects = r.objects()
			r.b.app.Attach(noRuntime{})
		}
		if n < 40 {
			t.Errorf("only %d functions", n)
		}
	})
}

type noRuntime struct{ app.Runtime }

// The settings are described as package app has them.
func TestSettingsAreDescribed(t *testing.T) {
	t.Parallel()
	kinds := map[string]string{"text": api.String, "int": api.Whole, "bool": api.Boolean, "duration": api.Duration, "size": "size"}
	described := api.Get("app.configure").Options
	if names := api.Names(described); !slices.Equal(slices.Sorted(slices.Values(names)), app.SettingNames()) {
		t.Errorf("described are %v", names)
	}
	for _, o := range described {
		s, _ := app.Lookup(o.Name)
		if kinds[s.Kind] != o.Type || !slices.Equal(s.Choices, o.Choices) {
			t.Errorf("%s is a %s of %v, described as a %s of %v", o.Name, s.Kind, s.Choices, o.Type, o.Choices)
		}
		if s.Default != strings.Trim(o.Default, "'") && (s.Default != "" && o.Name != "id" || o.Default == "") {
			t.Errorf("%s has the default %q, described as %q", o.Name, s.Default, o.Default)
		}
	}
}
