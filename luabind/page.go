package luabind

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/runtime/web"
)

// page is what a script declared as a page. Its decl is what the web server runs.
type page struct {
	b    *binding
	decl *web.Page
	body record.Codec // nil: the body is a string
	home *home        // nil: any worker answers
	fn   *lua.LFunction
}

// appPage is app.page('POST /orders/{id}/', { body=, name=, table=, key= }, fn): fn(request) -> body, status, headers.
func (b *binding) appPage(L *lua.LState) int {
	a := b.call(L, "app.page")
	b.declare(a)
	p := &page{b: b, decl: route(a)}
	p.options(a)
	p.fn, p.decl.Handle = a.Function(), p.handle
	b.bodies = append(b.bodies, code{"page " + p.decl.Name, p.fn})
	pages := append(b.app.Pages[:len(b.app.Pages):len(b.app.Pages)], p.decl)
	if err := web.Validate(pages); err != nil {
		a.Fail("app.page: %s", err)
	}
	b.app.Pages = pages
	return 0
}

// route takes the path of a page, with the methods before it.
func route(a *arg.Args) *web.Page {
	path := a.Text("the path")
	a.About(path)
	verbs, pattern, err := web.ParseRoute(path)
	if err != nil {
		a.Hint("app.page('/orders/{id}/', fn)  or  app.page('POST /orders/', fn)", "app.page: %s", err)
	}
	return &web.Page{Name: strings.Join(strings.Fields(path), " "), Methods: verbs, Pattern: pattern, Place: a.Place().String()}
}

// options takes the options of app.page.
func (p *page) options(a *arg.Args) {
	o := a.Options()
	if name := o.Text("name"); name != "" {
		p.decl.Name = name
	}
	if o.Has("body") {
		var err error
		if p.body, err = p.b.reg.Codec(o.Value("body"), "json"); err != nil {
			o.Raise("body", err)
		}
	}
	p.routed(o)
}

// handle answers a request: a task of its own that runs the page's function.
func (p *page) handle(ctx context.Context, r *web.Request) (resp *web.Response, err error) {
	if p.home == nil {
		return p.answer(ctx, r)
	}
	err = p.b.vm.Run(ctx, "page "+p.decl.Name, true, func(L *lua.LState) error {
		resp, err = p.elsewhere(L, r)
		return err
	})
	if err != nil || resp != nil {
		return resp, p.failure(ctx, err)
	}
	return p.answer(ctx, r)
}

// answer runs the page's function.
func (p *page) answer(ctx context.Context, r *web.Request) (resp *web.Response, err error) {
	if p.home != nil && p.home.stale {
		ctx = context.WithValue(ctx, staleKey{}, true)
	}
	err = p.b.vm.Run(ctx, "page "+p.decl.Name, true, func(L *lua.LState) error {
		req, err := p.request(L, r)
		if err != nil {
			return err
		}
		values, err := p.b.vm.Call(L, "in page '"+p.decl.Name+"'", p.fn, 3, req.lua)
		if err == nil {
			resp, err = p.response(L, values)
		}
		return err
	})
	return resp, p.failure(ctx, err)
}

// failure is what the web server is to make of an error: what waited too long is a 504.
func (p *page) failure(ctx context.Context, err error) error {
	var status *web.Status
	var e *fault.Error
	if err == nil || errors.As(err, &status) || !errors.As(err, &e) || e.Code != fault.Timeout {
		return err
	}
	p.b.log.WarnContext(ctx, "page timed out", "app", p.b.app.Settings.ID, "page", p.decl.Name, "err", err)
	return &web.Status{Code: http.StatusGatewayTimeout, Text: "timed out"}
}

// root is the folder of the app: files of pages are below it.
func (b *binding) root() string {
	path, err := filepath.Abs(b.app.File)
	if err != nil {
		path = b.app.File
	}
	return filepath.Dir(path)
}

// response makes an answer of what the function returned: body, status, headers.
func (p *page) response(L *lua.LState, values []lua.LValue) (*web.Response, error) {
	resp, err := p.content(L, values[0])
	if err != nil {
		return nil, err
	}
	if v := values[1]; v != lua.LNil {
		status, ok := arg.Whole(v, 200, 599)
		if !ok {
			return nil, p.wrong("the status, its second value,", v, "a number from 200 to 599")
		}
		resp.Status = int(status)
	}
	if v := values[2]; v != lua.LNil {
		t, ok := v.(*lua.LTable)
		if !ok {
			return nil, p.wrong("the headers, its third value,", v, "a table")
		}
		if err := p.headers(resp, t); err != nil {
			return nil, err
		}
	}
	return resp, nil
}

// wrong is the error about a value that a page returned.
func (p *page) wrong(what string, v lua.LValue, expected string) error {
	e := usage("page '%s' returned %s as %s expected %s", p.decl.Name, fault.Describe(v), what, expected)
	e.Place = p.place()
	e.Hints = []string{"a page returns its body, then its status, then its headers:  return { id = id }, 201, { Location = url }"}
	return e
}

// place is where the page's function is written.
func (p *page) place() fault.Place {
	return fault.Place{File: p.fn.Proto.SourceName, Line: p.fn.Proto.LineDefined}
}

// content makes the body. Tables, records, numbers and booleans are JSON, strings are text; nil is no body.
func (p *page) content(L *lua.LState, v lua.LValue) (*web.Response, error) {
	switch v := v.(type) {
	case *lua.LNilType:
		return &web.Response{}, nil
	case lua.LString:
		return &web.Response{Type: textPlain, Body: []byte(v)}, nil
	case *lua.LFunction:
		return nil, p.wrong("its body,", v, "a table, a string, a number or nil")
	}
	if made, ok := as[*web.Response](v); ok {
		resp := *made
		resp.Header = made.Header.Clone()
		return &resp, nil
	}
	body, err := p.b.reg.JSON(L, v, 0)
	if err != nil {
		var e *fault.Error
		if errors.As(err, &e) && e.Place.File == "" {
			e.Place = p.place()
		}
		return nil, err
	}
	return &web.Response{Type: "application/json", Body: body}, nil
}

const textPlain = "text/plain; charset=utf-8"

// headers sets the headers of an answer: a string, or a list of strings for a header that is there more than once.
func (p *page) headers(resp *web.Response, t *lua.LTable) error {
	if resp.Header == nil {
		resp.Header = http.Header{}
	}
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		name, ok := k.(lua.LString)
		if !ok {
			return p.wrong("the name of a header,", k, "a string")
		}
		list, ok := v.(*lua.LTable)
		if !ok {
			list = &lua.LTable{}
			list.Append(v)
		}
		resp.Header.Del(string(name))
		for i := 1; i <= list.Len(); i++ {
			item := list.RawGetInt(i)
			if !lua.LVCanConvToString(item) {
				return p.wrong("the header "+string(name)+",", item, "a string")
			}
			resp.Header.Add(string(name), lua.LVAsString(item))
		}
	}
	if kind := resp.Header.Get("Content-Type"); kind != "" {
		resp.Type = kind
	}
	return nil
}

// badRequest is the answer to a body that is no good: { error, field, expected }.
func badRequest(text, field, expected string) error {
	answer := struct {
		Error    string `json:"error"`
		Field    string `json:"field,omitempty"`
		Expected string `json:"expected,omitempty"`
	}{text, field, expected}
	out, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return &web.Status{Code: http.StatusBadRequest, Text: text, JSON: out}
}
