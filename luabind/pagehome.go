package luabind

import (
	"context"
	"errors"
	"net/http"
	"slices"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/vm"
	"faust/runtime/web"
)

// home says which worker a page's requests belong to: the one that has a key of a table.
type home struct {
	table *tableObject
	param string // the part of the path that is the key
	stale bool   // a copy may answer while that worker cannot
}

// routed takes table= and key= of app.page.
func (p *page) routed(o arg.Options) {
	switch {
	case !o.Has("table") && o.Boolean("stale"):
		o.Fail("stale", "stale = true needs table = ... and key = '...', of which a copy may answer")
	case !o.Has("table") && !o.Has("key"):
		return
	case !o.Has("table"):
		o.Fail("key", "key = '%s' needs table = ..., the table whose key it is", o.Text("key"))
	case !o.Has("key"):
		o.Fail("table", "table = ... needs key = '...', the part of the path that is the key")
	}
	t, ok := as[*tableObject](o.Value("table"))
	if !ok {
		p.noTable(o)
	}
	if t.def.Anywhere {
		o.Fail("table", "table '%s' has scope = 'partition': a key of it is on every worker, and no worker is the one to ask", t.def.Name)
	}
	known := slices.DeleteFunc(web.Parameters(p.decl.Pattern), func(name string) bool { return name == "*" })
	if len(known) == 0 {
		o.Fail("key", "the path '%s' has no part that could be the key; one is written {%s}", p.decl.Pattern, o.Text("key"))
	}
	o.Choice("key", o.Text("key"), known)
	p.home = &home{table: t, param: o.Text("key"), stale: o.Boolean("stale")}
	p.decl.Table, p.decl.Key = t.def.Name, o.Text("key")
}

// noTable raises what is to be said of a table= that is none.
func (p *page) noTable(o arg.Options) {
	v := o.Value("table")
	e := usage("option 'table' of %s is %s, expected what app.table gives", o.Args().Of(), fault.Describe(v))
	e.Place = o.Place("table")
	if name, ok := v.(lua.LString); ok {
		if _, known := p.b.tables.find(string(name)); known {
			e.Hints = []string{"app.tables['" + string(name) + "'] gives it"}
		} else {
			e.Hints = []string{fault.DidYouMean(string(name), p.b.tables.names())}
		}
	}
	vm.Raise(o.Args().L, e)
}

// elsewhere tells where a request is answered; nil: here.
func (p *page) elsewhere(L *lua.LState, r *web.Request) (*web.Response, error) {
	h := p.home
	if len(h.table.def.Sources) == 0 { // nobody writes it: it is the same everywhere
		return nil, nil
	}
	key, err := h.key(L, r)
	if err != nil {
		return nil, err
	}
	rt, def := p.b.app.Runtime(), h.table.def
	n := rt.Partitions(def)
	if n <= 0 {
		return nil, web.Unavailable("the worker starts")
	}
	partition := def.Hash.Partition(key, n)
	if rt.Shard(def, partition) != nil {
		return nil, nil
	}
	url, err := rt.Home(def, partition)
	switch {
	case h.stale && (err != nil || r.Stale()):
		return p.copied(partition, rt.CopyHomes(def, partition))
	case h.stale:
		return &web.Response{Forward: url, Else: p.otherwise(partition, rt.CopyHomes(def, partition))}, nil
	case err != nil:
		return nil, web.Unavailable(err.Error())
	}
	return &web.Response{Forward: url}, nil
}

// copied tells which copy answers: that of this worker (nil), if it has one, else that of another one.
func (p *page) copied(partition int32, others []string) (*web.Response, error) {
	switch {
	case p.b.app.Runtime().Copy(p.home.table.def, partition) != nil:
		return nil, nil
	case len(others) == 0:
		return nil, web.Unavailable("no worker has it for the moment, nor a copy")
	}
	return &web.Response{Forward: others[0], Stale: true, Else: p.otherwise(partition, others[1:])}, nil
}

// otherwise answers from a copy, since the worker that was asked cannot.
func (p *page) otherwise(partition int32, others []string) web.Handler {
	return func(ctx context.Context, r *web.Request) (*web.Response, error) {
		if resp, err := p.copied(partition, others); resp != nil || err != nil {
			return resp, err
		}
		return p.answer(ctx, r)
	}
}

// staleKey marks the context of a page that may read copies.
type staleKey struct{}

// copies tells whether the running task is a page that may read copies of what is not here.
func (b *binding) copies() bool { return b.vm.Context().Value(staleKey{}) != nil }

// key gives the bytes of the key that a request is about. What cannot be one is answered with 400.
func (h *home) key(L *lua.LState, r *web.Request) ([]byte, error) {
	reg, codec := h.table.b.reg, h.table.key
	key, err := reg.FromText(L, codec, r.Params[h.param], true)
	if err == nil && key != nil {
		return key, nil
	}
	text := "null is no key"
	var e *fault.Error
	if errors.As(err, &e) {
		text = e.Message
	}
	return nil, badRequest("the part {"+h.param+"} of the path: "+text, h.param, codec.Name())
}

// typed gives the key in the parameters the type that the table's keys have.
func (h *home) typed(L *lua.LState, r *web.Request, params *lua.LTable) error {
	key, err := h.key(L, r)
	if err != nil {
		return err
	}
	v, err := h.table.key.Decode(L, key)
	if err != nil {
		return &web.Status{Code: http.StatusBadRequest, Text: err.Error()}
	}
	params.RawSetString(h.param, v)
	return nil
}
