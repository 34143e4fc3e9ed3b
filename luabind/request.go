package luabind

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/module"
	"faust/luabind/record"
	"faust/luabind/vm"
	"faust/runtime/web"
)

// request is what the function of a page gets. Its fields are made when they are read first.
type request struct {
	page   *page
	web    *web.Request
	lua    *lua.LUserData
	fields map[string]lua.LValue
}

func (r *request) Describe() string { return "the request " + r.web.Method + " " + r.web.URL.Path }

// requestFields are the fields of a request.
var requestFields = []string{"method", "path", "params", "query", "headers", "cookies", "body", "json", "form", "remote_addr", "stale"}

// requestKind makes the metatable of requests.
func (b *binding) requestKind(L *lua.LState) *lua.LTable {
	return b.kind(L, "request", nil, func(L *lua.LState, self any, key string) lua.LValue {
		r, ok := self.(*request)
		if !ok {
			return nil
		}
		if v, ok := r.fields[key]; ok {
			return v
		}
		v, err := r.field(L, key)
		if err != nil {
			vm.Raise(L, deliberate(err))
		}
		if v != nil {
			r.fields[key] = v
		}
		return v
	}, requestFields...)
}

// request makes the request. A body that is not what the page declares is answered with 400.
func (p *page) request(L *lua.LState, r *web.Request) (*request, error) {
	req := &request{page: p, web: r, fields: map[string]lua.LValue{}}
	req.lua = object(req, p.b.kinds.request)
	body := lua.LValue(lua.LString(r.Body))
	if p.body != nil {
		var err error
		if body, err = p.decode(L, r.Body); err != nil {
			return nil, err
		}
	}
	req.fields["body"] = body
	return req, nil
}

// decode makes the declared value of a body.
func (p *page) decode(L *lua.LState, raw []byte) (lua.LValue, error) {
	if raw == nil {
		raw = []byte{} // nil is a tombstone, which a request is never
	}
	v, err := p.body.Decode(L, raw)
	var e *fault.Error
	if err == nil || !errors.As(err, &e) {
		return v, err
	}
	if s, ok := record.CodecSchema(p.body); ok {
		field, expected := s.Explain(raw)
		return nil, badRequest(e.Message, field, expected)
	}
	return nil, badRequest(e.Message, "", "")
}

// field makes the value of a field; nil: there is none of that name.
func (r *request) field(L *lua.LState, name string) (lua.LValue, error) {
	switch name {
	case "method":
		return lua.LString(r.web.Method), nil
	case "path":
		return lua.LString(r.web.URL.Path), nil
	case "params":
		t := L.CreateTable(0, len(r.web.Params))
		for k, v := range r.web.Params {
			t.RawSetString(k, lua.LString(v))
		}
		if h := r.page.home; h != nil {
			return t, h.typed(L, r.web, t)
		}
		return t, nil
	case "query":
		return values(L, r.web.URL.Query()), nil
	case "headers":
		return headersTable(L, r.web.Request), nil
	case "cookies":
		return cookies(L, r.web.Request), nil
	case "json":
		return r.json(L)
	case "form":
		return r.form(L)
	case "stale":
		return r.stale(L)
	case "remote_addr":
		host, _, err := net.SplitHostPort(r.web.RemoteAddr)
		if err != nil {
			host = r.web.RemoteAddr
		}
		return lua.LString(host), nil
	}
	return nil, nil
}

// stale tells whether a copy answers.
func (r *request) stale(L *lua.LState) (lua.LValue, error) {
	h := r.page.home
	if h == nil || !h.stale || len(h.table.def.Sources) == 0 {
		return lua.LFalse, nil
	}
	key, err := h.key(L, r.web)
	if err != nil {
		return nil, err
	}
	rt, def := r.page.b.app.Runtime(), h.table.def
	return lua.LBool(rt.Shard(def, def.Hash.Partition(key, rt.Partitions(def))) == nil), nil
}

// values makes a table of the first value of each name.
func values(L *lua.LState, vs url.Values) *lua.LTable {
	t := L.CreateTable(0, len(vs))
	for name, list := range vs {
		if len(list) > 0 {
			t.RawSetString(name, lua.LString(list[0]))
		}
	}
	return t
}

// headersTable makes a table of the headers, by name in lower case; reading it does not mind the case.
func headersTable(L *lua.LState, r *http.Request) *lua.LTable {
	t := module.HeaderTable(L, r.Header)
	t.RawSetString("host", lua.LString(r.Host))
	return t
}

// cookies makes a table of the cookies.
func cookies(L *lua.LState, r *http.Request) *lua.LTable {
	list := r.Cookies()
	t := L.CreateTable(0, len(list))
	for _, c := range list {
		t.RawSetString(c.Name, lua.LString(c.Value))
	}
	return t
}

// json reads the body as JSON; what is none is answered with 400.
func (r *request) json(L *lua.LState) (lua.LValue, error) {
	v, err := r.page.b.reg.ParseJSON(L, r.web.Body)
	var e *fault.Error
	if errors.As(err, &e) {
		return nil, badRequest(e.Message, "", "")
	}
	return v, err
}

// form reads the fields of a form; a file that is sent along is its content. A body that is no form has no fields.
func (r *request) form(L *lua.LState) (lua.LValue, error) {
	kind, params, err := mime.ParseMediaType(r.web.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	switch kind {
	case "application/x-www-form-urlencoded":
		fields, err := url.ParseQuery(string(r.web.Body))
		if err != nil {
			return nil, badRequest("not a form: "+err.Error(), "", "")
		}
		return values(L, fields), nil
	case "multipart/form-data":
		return parts(L, multipart.NewReader(bytes.NewReader(r.web.Body), params["boundary"]))
	}
	return L.CreateTable(0, 0), nil
}

// parts reads the parts of a form.
func parts(L *lua.LState, r *multipart.Reader) (lua.LValue, error) {
	t := L.CreateTable(0, 8)
	for n := 0; ; n++ {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) && n > 0 {
			return t, nil
		}
		if err != nil {
			return nil, badRequest("not a form: "+err.Error(), "", "")
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, badRequest("not a form: "+err.Error(), "", "")
		}
		if name := part.FormName(); name != "" && t.RawGetString(name) == lua.LNil {
			t.RawSetString(name, lua.LString(content))
		}
	}
}
