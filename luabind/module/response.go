package module

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/record"
)

// shownBody is how much of a body is looked at to show the beginning of it: many times what is shown, so that a secret that is cut here is not seen.
const shownBody = 64 << 10

// response is what http.get and its kin give.
type response struct {
	*reply
	set     *Set
	method  string
	shown   string     // the URL that was asked
	json    lua.LValue // nil: not read yet
	headers lua.LValue // nil: not made yet
}

// String gives the status line.
func (r *response) String() string { return "response " + r.statusText() }

// Describe names it in messages.
func (r *response) Describe() string { return "the response " + r.statusText() }

func (r *response) statusText() string {
	return strings.TrimSpace(strconv.Itoa(r.status) + " " + strings.ToLower(http.StatusText(r.status)))
}

func (r *response) ok() bool { return r.status >= 200 && r.status < 300 }

// responseKind makes the metatable of responses.
func (s *Set) responseKind(L *lua.LState) *lua.LTable {
	return kind(L, "response", map[string]method[*response]{"check": (*response).check}, (*response).field, "status", "ok", "text", "json", "headers", "url")
}

// field gives a field.
func (r *response) field(L *lua.LState, name string) lua.LValue {
	switch name {
	case "status":
		return lua.LNumber(r.status)
	case "ok":
		return lua.LBool(r.ok())
	case "text":
		return lua.LString(r.body)
	case "url":
		return lua.LString(r.set.cfg.Hidden.Redact(r.url.Redacted()))
	case "headers":
		if r.headers == nil {
			r.headers = HeaderTable(L, r.header)
		}
		return r.headers
	}
	if r.json == nil {
		r.json = r.parsed(L)
	}
	return r.json
}

// parsed reads the body as JSON.
func (r *response) parsed(L *lua.LState) lua.LValue {
	v, err := r.set.cfg.Registry.ParseJSON(L, r.body)
	var e *fault.Error
	if errors.As(err, &e) {
		e.Notes = []fault.Note{{Label: "value", Text: record.Excerpt([]byte(r.excerpt()))}}
		e.Message = r.method + " " + r.shown + ": the answer is " + e.Message
		e.Hints = append(e.Hints, "its status is "+r.statusText()+", its type "+strconv.Quote(fault.Cut(r.header.Get("Content-Type"), 100))+"; r.text is what came")
	}
	a := arg.Call(L, "response")
	return must(a, v, err)
}

// excerpt gives the body without the secrets, or the beginning of a long one.
func (r *response) excerpt() string {
	return r.set.cfg.Hidden.Redact(string(r.body[:min(len(r.body), shownBody)]))
}

// check is r:check() -> r; it raises unless the status is one of success.
func (r *response) check(a *args) []lua.LValue {
	a.Done()
	if !r.ok() {
		e := &fault.Error{Code: fault.HTTPStatus, Message: r.method + " " + r.shown + ": " + r.statusText()}
		if len(r.body) > 0 {
			e.Notes = []fault.Note{{Label: "answer", Text: fault.Cut(strings.ToValidUTF8(r.excerpt(), "?"), 500)}}
		}
		a.Raise(e)
	}
	return []lua.LValue{a.L.Get(1)}
}

// HeaderTable makes a table of headers, by name in lower case; reading it does not mind the case.
func HeaderTable(L *lua.LState, header http.Header) *lua.LTable {
	t := L.CreateTable(0, len(header))
	for name, list := range header {
		t.RawSetString(strings.ToLower(name), lua.LString(strings.Join(list, ", ")))
	}
	mt := L.CreateTable(0, 1)
	mt.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		L.Push(t.RawGetString(strings.ToLower(lua.LVAsString(L.Get(2)))))
		return 1
	}))
	t.Metatable = mt
	return t
}
