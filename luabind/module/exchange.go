package module

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"faust/luabind/fault"
)

// exchange is one call of http.*: what is sent, and how long and how often that is tried. It touches no Lua value, so it may run without the baton.
type exchange struct {
	name      string // http.get
	method    string
	url       *url.URL
	shown     string // the URL without passwords and secrets
	secrets   *fault.Secrets
	header    http.Header
	body      []byte   // nil: none
	secret    []string // the headers with a secret in them
	hidden    bool     // there is a secret in the body
	timeout   time.Duration
	retry     int
	retryPost bool
	redirects int
	limit     int64
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   []byte
	url    *url.URL // after redirects
}

const (
	firstPause = 200 * time.Millisecond // before the second attempt, doubled with each further one
	maxPause   = 10 * time.Second
	maxWait    = time.Minute // the longest Retry-After that is waited for
)

// run sends until there is an answer to keep. The error is a *fault.Error, or that of ctx.
func (x *exchange) run(ctx context.Context, transport http.RoundTripper) (*reply, error) {
	for n := 0; ; n++ {
		r, err := x.attempt(ctx, transport)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		pause, again := x.again(n, r, err)
		if !again {
			var e *fault.Error
			if n > 0 && errors.As(err, &e) {
				e.Message += fmt.Sprintf(" (%d attempts)", n+1)
			}
			return r, err
		}
		if err := wait(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// wait waits for that long; the error is why ctx ended before.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// again tells whether to try once more after n attempts more than one, and how long to wait before.
func (x *exchange) again(n int, r *reply, err error) (time.Duration, bool) {
	if n >= x.retry || !x.repeatable() {
		return 0, false
	}
	pause := min(firstPause<<min(n, 16), maxPause)
	pause = pause/2 + rand.N(pause/2) // so that many who failed together do not come back together
	if err != nil {
		var e *fault.Error
		return pause, errors.As(err, &e) && e.Retryable
	}
	switch r.status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		asked := retryAfter(r.header.Get("Retry-After"))
		return max(pause, asked), asked <= maxWait
	}
	return 0, false
}

// repeatable tells whether sending twice does no more than sending once, or the script said that it may.
func (x *exchange) repeatable() bool {
	return x.retryPost || !slices.Contains([]string{http.MethodPost, http.MethodPatch, http.MethodConnect}, x.method)
}

// retryAfter reads the header Retry-After: seconds, or a date. 0: it is not there.
func retryAfter(text string) time.Duration {
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(max(n, 0)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

// attempt sends once and reads the whole answer.
func (x *exchange) attempt(ctx context.Context, transport http.RoundTripper) (*reply, error) {
	limited, cancel := context.WithTimeout(ctx, x.timeout)
	defer cancel()
	var body io.Reader
	if x.body != nil {
		body = bytes.NewReader(x.body)
	}
	req, err := http.NewRequestWithContext(limited, x.method, x.url.String(), body)
	if err != nil {
		return nil, x.failed(limited, err)
	}
	req.Header = x.header.Clone()
	req.Host = x.header.Get("Host")
	client := http.Client{Transport: transport, CheckRedirect: x.redirect}
	res, err := client.Do(req)
	if err != nil {
		return nil, x.failed(limited, err)
	}
	defer res.Body.Close()
	if res.ContentLength > x.limit && x.method != http.MethodHead {
		return nil, x.tooLarge()
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, x.limit+1))
	if err != nil {
		return nil, x.failed(limited, err)
	}
	if int64(len(text)) > x.limit {
		return nil, x.tooLarge()
	}
	return &reply{res.StatusCode, res.Header, text, res.Request.URL}, nil
}

// redirect follows a redirect, unless there were too many. What is secret goes to no other host, and over no connection that is less safe.
func (x *exchange) redirect(next *http.Request, via []*http.Request) error {
	if x.redirects == 0 {
		return http.ErrUseLastResponse
	}
	if len(via) > x.redirects {
		return x.problem(fault.HTTPStatus, fmt.Sprintf("more than %d redirects, the last to %s", x.redirects, cut(next.URL, x.secrets)))
	}
	next.Header.Del("Referer") // it would have the query
	if next.URL.Host == x.url.Host && (next.URL.Scheme == x.url.Scheme || next.URL.Scheme == "https") {
		return nil
	}
	if x.hidden && next.Body != nil && next.Body != http.NoBody {
		return http.ErrUseLastResponse
	}
	for _, name := range x.secret {
		next.Header.Del(name)
	}
	return nil
}

// cut shows a URL: without password and secrets, and not too long.
func cut(u *url.URL, secrets *fault.Secrets) string {
	return fault.Cut(secrets.Redact(u.Redacted()), 200)
}

func (x *exchange) problem(code fault.Code, what string) *fault.Error {
	return &fault.Error{Code: code, Message: x.name + " " + x.shown + ": " + what}
}

func (x *exchange) tooLarge() *fault.Error {
	e := x.problem(fault.TooLarge, "the answer is larger than "+sizeText(x.limit))
	e.Hints = []string{"{ limit = '100MiB' } allows more"}
	return e
}

// sizeText writes a number of bytes as a script would.
func sizeText(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return strconv.FormatInt(n>>20, 10) + "MiB"
	case n >= 1<<10 && n%(1<<10) == 0:
		return strconv.FormatInt(n>>10, 10) + "KiB"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}
