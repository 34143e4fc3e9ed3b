package module

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

const (
	httpTimeout   = 10 * time.Second // of one attempt
	httpRedirects = 10
	httpLimit     = 32 << 20 // bytes of an answer
)

func (s *Set) httpModule(L *lua.LState) lua.LValue {
	s.response = s.responseKind(L)
	functions := map[string]function{"request": func(a *args) []lua.LValue { return s.fetch(a, "") }}
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead} {
		functions[strings.ToLower(method)] = func(a *args) []lua.LValue { return s.fetch(a, method) }
	}
	return table(L, "http", functions)
}

// newTransport makes what keeps the connections of a machine.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
		MaxIdleConns: 100, MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second, ExpectContinueTimeout: time.Second, MaxResponseHeaderBytes: 1 << 20,
	}
}

// fetch is http.get(url, { headers=, query=, timeout=, json=, body=, form=, retry=, retry_post=, redirects=, limit= }) -> response, and its kin; method "": http.request, where
// an option says it. Other tasks run meanwhile.
func (s *Set) fetch(a *args, method string) []lua.LValue {
	x := s.exchange(a, method)
	s.waits(a)
	var r *reply
	err := s.cfg.VM.Block(a.L, a.Name+" "+x.shown, func(ctx context.Context) (err error) {
		r, err = x.run(ctx, s.cfg.Transport)
		return err
	})
	var e *fault.Error
	if errors.As(err, &e) {
		e.Message = s.cfg.Hidden.Redact(e.Message)
	}
	s.waited(a, err)
	return []lua.LValue{&lua.LUserData{Value: &response{reply: r, set: s, shown: x.shown, method: x.method}, Metatable: s.response}}
}

// exchange takes the arguments.
func (s *Set) exchange(a *args, method string) *exchange {
	u := s.address(a)
	o := a.Options()
	a.Done()
	x := &exchange{name: a.Name, method: method, url: u, secrets: s.cfg.Hidden, header: http.Header{}, timeout: timeoutOf(o),
		retry: o.IntegerOr("retry", 0), retryPost: o.Boolean("retry_post"),
		redirects: o.IntegerOr("redirects", httpRedirects), limit: sizeOf(o, "limit", httpLimit)}
	if method == "" {
		x.method = s.verb(o)
	}
	query := pairsOf(o, "query")
	s.unmasked(o, "query", query)
	u.RawQuery = strings.Trim(u.RawQuery+"&"+query.values().Encode(), "&")
	x.shown = cut(u, x.secrets)
	s.headers(o, x)
	s.content(o, x)
	return x
}

// timeoutOf takes the time that one attempt may take.
func timeoutOf(o options) time.Duration {
	d, ok := o.Duration("timeout")
	switch {
	case !ok:
		return httpTimeout
	case d == 0:
		o.Wrong("timeout", o.Value("timeout"), "a duration of more than 0, as '10s'")
	}
	return d
}

// address takes the URL.
func (s *Set) address(a *args) *url.URL {
	text, hidden := secretOrText(a, "the URL")
	wrong := func(what string) {
		a.Raise(&fault.Error{Code: fault.Usage, Message: a.Name + ": " + what, Place: fault.ArgPlace(a.L, 1)})
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		e := notURL(a.Name+": the URL cannot be read", err, hidden)
		e.Code, e.Place = fault.Usage, fault.ArgPlace(a.L, 1)
		a.Raise(e)
	case u.Scheme != "http" && u.Scheme != "https":
		wrong("the URL has to begin with http:// or https://")
	case u.Host == "":
		wrong("the URL has no host")
	case !hidden && s.masked(text):
		wrong("the URL has *** in it, where a secret was: join it with .., which keeps the secret")
	}
	return u
}

// verb takes the method of http.request.
func (s *Set) verb(o options) string {
	m := strings.ToUpper(o.TextOr("method", http.MethodGet))
	if strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" || m == "" || m == http.MethodConnect {
		o.Fail("method", "option 'method' of %s is '%s', expected a method such as GET or OPTIONS", o.Args().Name, fault.Cut(m, 40))
	}
	return m
}

// headers takes the headers.
func (s *Set) headers(o options, x *exchange) {
	x.header.Set("User-Agent", s.cfg.UserAgent)
	list := pairsOf(o, "headers")
	s.unmasked(o, "headers", list)
	for _, p := range list {
		if !isToken(p.name) {
			o.Fail("headers", "option 'headers' of %s: '%s' is no name of a header", o.Args().Name, fault.Cut(p.name, 60))
		}
		x.header.Del(p.name)
		for _, v := range p.values {
			if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
				o.Fail("headers", "option 'headers' of %s: the value of '%s' has a line break or another control character", o.Args().Name, p.name)
			}
			x.header.Add(p.name, v)
		}
		if p.secret {
			x.secret = append(x.secret, p.name)
		}
	}
}

// isToken tells whether a text can name a header.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// content takes the body: a text, a value as JSON, or the fields of a form.
func (s *Set) content(o options, x *exchange) {
	kind := ""
	for _, name := range []string{"json", "body", "form"} {
		if !o.Has(name) {
			continue
		}
		if x.body != nil {
			o.Fail(name, "%s: of json, body and form only one can be given", o.Args().Name)
		}
		switch name {
		case "json":
			b, secret, err := s.cfg.Registry.Sent(o.Value(name))
			x.body, x.hidden, kind = must(o.Args(), b, err), secret, "application/json"
		case "body":
			text, secret := hidden(o, name)
			x.body, x.hidden = []byte(text), secret
		case "form":
			fields := pairsOf(o, name)
			x.body, x.hidden, kind = []byte(fields.values().Encode()), fields.secret(), "application/x-www-form-urlencoded"
		}
	}
	if kind != "" && x.header.Get("Content-Type") == "" {
		x.header.Set("Content-Type", kind)
	}
}

// masked tells whether a text has what is shown of a secret where the secret should be.
func (s *Set) masked(text string) bool { return s.secrets != nil && strings.Contains(text, fault.Mask) }

// unmasked refuses texts in which a secret was lost, as string.format loses it.
func (s *Set) unmasked(o options, name string, list pairs) {
	for _, p := range list {
		for _, v := range p.values {
			if !p.secret && s.masked(v) {
				e := &fault.Error{Code: fault.Usage, Place: fault.OptionPlace(o.Args().L, p.name), Hints: []string{"join it with .., which keeps the secret:  'Bearer ' .. key"},
					Message: "'" + p.name + "' in option '" + name + "' of " + o.Args().Name + " has *** in it, where a secret was"}
				o.Args().Raise(e)
			}
		}
	}
}
