package module

import (
	"cmp"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

func (s *Set) urlModule(L *lua.LState) lua.LValue {
	return table(L, "url", map[string]function{"parse": urlParse, "build": s.urlBuild, "encode": s.urlEncode, "decode": s.urlDecode, "query": urlQuery})
}

// urlParse is url.parse(text) -> { scheme=, user=, password=, host=, port=, path=, query={...}, fragment= }: decoded, and without what is not there.
func urlParse(a *args) []lua.LValue {
	text := a.Text("the text")
	a.Done()
	u, err := url.Parse(text)
	if err != nil {
		a.Raise(notURL(a.Name, err, false))
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		a.Raise(notURL(a.Name, err, false))
	}
	return []lua.LValue{parts(a.L, u, query)}
}

// parts makes the table of a URL.
func parts(L *lua.LState, u *url.URL, query url.Values) *lua.LTable {
	password, _ := u.User.Password()
	path := cmp.Or(u.Opaque, u.Path) // mailto:x@y
	t := L.CreateTable(0, 8)
	for name, v := range map[string]string{"scheme": u.Scheme, "user": u.User.Username(), "password": password, "host": u.Hostname(), "path": path, "fragment": u.Fragment} {
		if v != "" {
			t.RawSetString(name, lua.LString(v))
		}
	}
	if n, err := strconv.Atoi(u.Port()); err == nil {
		t.RawSetString("port", lua.LNumber(n))
	}
	t.RawSetString("query", queryTable(L, query))
	return t
}

// notURL is the error for a text that is no URL. It does not show the text, which may have a password in it, and no part of a hidden one.
func notURL(name string, err error, hidden bool) *fault.Error {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	e := &fault.Error{Code: fault.Decode}
	text := strings.TrimPrefix(err.Error(), "net/url: ")
	switch part, _, quotes := strings.Cut(text, ` "`); {
	case strings.HasPrefix(text, "invalid port "): // or what stands between a colon and a slash of the password
		text = "the port is no number"
		e.Hints = []string{"what stands for something in a URL, as a / in a password, is written with url.encode"}
	case hidden && quotes:
		text = part
	}
	e.Message = name + ": " + text
	return e
}

// urlQuery is url.query(text) -> { name = value }; a name that is there several times has a list.
func urlQuery(a *args) []lua.LValue {
	text := a.Text("the text")
	a.Done()
	query, err := url.ParseQuery(strings.TrimPrefix(text, "?"))
	if err != nil {
		a.Raise(notURL(a.Name, err, false))
	}
	return []lua.LValue{queryTable(a.L, query)}
}

func queryTable(L *lua.LState, query url.Values) *lua.LTable {
	t := L.CreateTable(0, len(query))
	for name, list := range query {
		if len(list) == 1 {
			t.RawSetString(name, lua.LString(list[0]))
			continue
		}
		values := L.CreateTable(len(list), 0)
		for i, v := range list {
			values.RawSetInt(i+1, lua.LString(v))
		}
		t.RawSetString(name, values)
	}
	return t
}

// urlEncode is url.encode(text) -> string, in which whatever has a meaning in a URL is written %XX. A secret gives a secret.
func (s *Set) urlEncode(a *args) []lua.LValue {
	text, hidden := secretOrText(a, "the text")
	a.Done()
	return s.textual(a.L, strings.ReplaceAll(url.QueryEscape(text), "+", "%20"), hidden)
}

// urlDecode is url.decode(text) -> string, with the %XX as what they stand for.
func (s *Set) urlDecode(a *args) []lua.LValue {
	text, hidden := secretOrText(a, "the text")
	a.Done()
	out, err := url.PathUnescape(text)
	if err != nil {
		a.Raise(notURL(a.Name, err, hidden))
	}
	return s.textual(a.L, out, hidden)
}

// urlBuild is url.build{ scheme=, user=, password=, host=, port=, path=, query={...}, fragment= } -> string; a secret if one is in it.
func (s *Set) urlBuild(a *args) []lua.LValue {
	o := a.Named(a.Table("the table of parts", "a table, as { scheme = 'https', host = 'example.com' }"))
	a.Done()
	query := pairsOf(o, "query")
	password, secret := hidden(o, "password")
	u := url.URL{Scheme: o.Text("scheme"), Host: hostOf(o), Path: o.Text("path"), RawQuery: query.values().Encode(), Fragment: o.Text("fragment")}
	if u.Host != "" && u.Path != "" && !strings.HasPrefix(u.Path, "/") {
		u.Path = "/" + u.Path
	}
	if user := o.Text("user"); password != "" {
		u.User = url.UserPassword(user, password)
	} else if user != "" {
		u.User = url.User(user)
	}
	return s.textual(a.L, u.String(), query.secret() || secret)
}

// hostOf takes host and port.
func hostOf(o options) string {
	host := o.Text("host")
	if port := o.IntegerOr("port", 0); port > 0 {
		return net.JoinHostPort(host, strconv.Itoa(port))
	}
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}
