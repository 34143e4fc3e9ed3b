package luabind

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/module"
	"faust/luabind/vm"
	"faust/runtime/web"
)

// webModule makes the module web: what a page returns or raises that is neither a value nor a text.
func (b *binding) webModule(L *lua.LState) lua.LValue {
	t := L.CreateTable(0, 8)
	for name, f := range map[string]lua.LGFunction{
		"html": b.webHTML, "redirect": b.webRedirect, "file": b.webFile, "stream": b.webStream, "error": b.webError,
	} {
		t.RawSetString(name, L.NewFunction(withDot(t, "web."+name, f)))
	}
	module.Strict(L, "web", t)
	return t
}

// withDot is a function of a module's table, which a call with a colon would give as the first argument.
func withDot(module *lua.LTable, name string, f lua.LGFunction) lua.LGFunction {
	return func(L *lua.LState) int {
		if L.Get(1) == lua.LValue(module) {
			vm.Raise(L, usage("%s is called with a dot, not with a colon: %s(...)", name, name))
		}
		return f(L)
	}
}

// answer pushes an answer that a page can return.
func (b *binding) answer(L *lua.LState, r *web.Response) int {
	L.Push(object(r, b.kinds.answer))
	return 1
}

// answerKind makes the metatable of answers.
func (b *binding) answerKind(L *lua.LState) *lua.LTable {
	return b.kind(L, "answer", nil, nil)
}

// webHTML is web.html(text): a page in HTML.
func (b *binding) webHTML(L *lua.LState) int {
	a := b.call(L, "web.html")
	text := a.Text("the text")
	a.Done()
	return b.answer(L, &web.Response{Type: "text/html; charset=utf-8", Body: []byte(text)})
}

// webRedirect is web.redirect(url, status): 302 unless it says otherwise.
func (b *binding) webRedirect(L *lua.LState) int {
	a := b.call(L, "web.redirect")
	target, status := a.Text("the URL"), http.StatusFound
	if a.Peek() != lua.LNil {
		status = int(a.Integer("the status", 300, arg.MaxInt))
	}
	a.Done()
	if status > 308 {
		a.Fail("web.redirect: the status is the number %d, expected 301, 302, 303, 307 or 308", status)
	}
	return b.answer(L, &web.Response{Status: status, Header: http.Header{"Location": {target}}})
}

// webFile is web.file(path, { type=, root= }): a file below root, which is relative to the app's folder as the path is. A path that is
// absolute or goes up with .. is not found.
func (b *binding) webFile(L *lua.LState) int {
	a := b.call(L, "web.file")
	r := &web.Response{File: filepath.ToSlash(a.Text("the path"))}
	o := a.Options()
	a.Done()
	if r.File == "" || strings.HasPrefix(r.File, "/") || slices.Contains(strings.Split(r.File, "/"), "..") {
		vm.Raise(L, deliberate(&web.Status{Code: http.StatusNotFound, Text: "not found"}))
	}
	r.Type, r.Root = o.Text("type"), o.Text("root")
	if !filepath.IsAbs(r.Root) {
		r.Root = filepath.Join(b.root(), r.Root)
	}
	return b.answer(L, r)
}

// webError is web.error(status, text) or web.error(status, table): raises an answer, which ends the page.
func (b *binding) webError(L *lua.LState) int {
	a := b.call(L, "web.error")
	status := &web.Status{Code: int(a.Integer("the status", 400, arg.MaxInt))}
	if status.Code > 599 {
		a.Fail("web.error: the status is the number %d, expected 400 to 599", status.Code)
	}
	b.says(a, status)
	a.Done()
	vm.Raise(L, deliberate(status))
	return 0
}

// says takes what web.error says: a text, a table, or nothing but the name of the status.
func (b *binding) says(a *arg.Args, status *web.Status) {
	status.Text = strings.ToLower(http.StatusText(status.Code))
	switch v := a.Maybe().(type) {
	case *lua.LNilType:
	case lua.LString:
		status.Text = string(v)
	case *lua.LTable:
		var err error
		if status.JSON, err = b.reg.JSON(a.L, v, 0); err != nil {
			a.Raise(err)
		}
	default:
		a.Wrong("what is said", v, "a string or a table")
	}
}

// deliberate makes an error of Lua of an answer: it passes pcall as any other, and answers the request if nobody catches it.
func deliberate(err error) error {
	var status *web.Status
	if errors.As(err, &status) {
		return &fault.Error{Code: fault.HTTPStatus, Message: status.Text, Cause: err}
	}
	return err
}

// webStream is web.stream(fn, { type= }): fn(write) sends as much as it likes, for as long as the client stays; write(text) waits until
// the text is on its way.
func (b *binding) webStream(L *lua.LState) int {
	a := b.call(L, "web.stream")
	v := a.Value("the function")
	fn, ok := v.(*lua.LFunction)
	if !ok {
		a.Wrong("the function", v, "a function")
	}
	r := &web.Response{Type: a.Options().Text("type")}
	a.Done()
	r.Type = cmp.Or(r.Type, textPlain)
	r.Stream = func(ctx context.Context, w io.Writer) error { return b.serve(ctx, w, fn) }
	return b.answer(L, r)
}

// serve runs the function of web.stream.
func (b *binding) serve(ctx context.Context, w io.Writer, fn *lua.LFunction) error {
	return b.vm.Run(ctx, "stream to a client", true, func(L *lua.LState) error {
		over := false
		write := L.NewFunction(func(L *lua.LState) int {
			a := b.call(L, "write")
			text := a.Text("the text")
			a.Done()
			if over {
				a.Fail("write: the stream is over")
			}
			b.push(L, w, text)
			return 0
		})
		_, err := b.vm.Call(L, "in web.stream", fn, 0, write)
		over = true
		return err
	})
}

// push sends a piece of a stream. A client that left cancels the task.
func (b *binding) push(L *lua.LState, w io.Writer, text string) {
	err := b.vm.Block(L, "the client of a stream", func(context.Context) error {
		_, err := io.WriteString(w, text)
		return err
	})
	if err != nil {
		vm.Raise(L, &fault.Error{Code: fault.Cancelled, Message: "cancelled: the client is gone", Cause: err})
	}
}
