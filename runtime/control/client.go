package control

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// answerTimeout is how long a worker may take to answer what is no stream.
const answerTimeout = 10 * time.Second

// Client speaks to a worker, through its socket or its web port. Its methods may be called from any goroutine. Their errors are *Error for what the
// worker refuses (with ErrUnknown or ErrForbidden inside), and wrap ErrGone if the worker is not there, or went away.
type Client struct {
	where string // as told in errors
	base  string
	token string
	http  *http.Client
}

// Access is how the web port of a worker is reached.
type Access struct {
	Token string                                                            // "": none
	Dial  func(ctx context.Context, network, addr string) (net.Conn, error) // nil: the network
}

// DialHTTP makes a client of the API on a web port, http://host:6066, and asks for the status once, so that a wrong address or token is told at once.
func DialHTTP(ctx context.Context, address string, access Access) (*Client, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, &Error{Text: fmt.Sprintf("'%s' is not the address of a worker", address), Hint: "expected http://host:6066"}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil // those of the environment are not for workers, and would be given the token
	if access.Dial != nil {
		transport.DialContext = access.Dial
	}
	c := newClient(&http.Client{Transport: transport})
	c.base, c.token = strings.TrimSuffix(u.Scheme+"://"+u.Host+u.Path, "/"), access.Token
	c.where = "worker at " + c.base
	if _, err := c.Status(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func newClient(h *http.Client) *Client {
	c := &Client{base: "http://worker", http: h}
	// A redirect would carry the token to somebody else.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// socketClient makes a client of the socket at path.
func socketClient(path string) *Client {
	c := newClient(&http.Client{Transport: &http.Transport{
		DisableCompression: true,
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return connect(ctx, path) },
	}})
	c.where = "worker at " + path
	return c
}

// String says where the worker is reached.
func (c *Client) String() string { return strings.TrimPrefix(c.where, "worker at ") }

// Close releases the connections. Streams and sessions go on until their context ends or they are closed.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status asks how the worker is.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.call(ctx, http.MethodGet, "/status", nil, &s)
}

// Errors asks what went wrong, newest first, at most limit groups; 0: all.
func (c *Client) Errors(ctx context.Context, limit int) (list []Failure, err error) {
	return list, c.call(ctx, http.MethodGet, "/errors?limit="+strconv.Itoa(limit), nil, &list)
}

// Tasks asks where the tasks of the script stand.
func (c *Client) Tasks(ctx context.Context) (list []Task, err error) {
	return list, c.call(ctx, http.MethodGet, "/tasks", nil, &list)
}

// Ready asks for the conditions of /readyz.
func (c *Client) Ready(ctx context.Context) (h Health, err error) {
	return h, c.call(ctx, http.MethodGet, "/ready", nil, &h)
}

// Live asks whether the worker makes progress at all; OK is false, with a reason, while one task keeps all others from running.
func (c *Client) Live(ctx context.Context) (check Check, err error) {
	return check, c.call(ctx, http.MethodGet, "/live", nil, &check)
}

// Pause stops deliveries to an agent on that worker until Resume.
func (c *Client) Pause(ctx context.Context, agent string) error {
	return c.call(ctx, http.MethodPost, "/agents/"+url.PathEscape(agent)+"/pause", nil, nil)
}

// Resume takes a Pause back.
func (c *Client) Resume(ctx context.Context, agent string) error {
	return c.call(ctx, http.MethodPost, "/agents/"+url.PathEscape(agent)+"/resume", nil, nil)
}

// Channels asks for the names of the channels that Tail knows.
func (c *Client) Channels(ctx context.Context) (names []string, err error) {
	return names, c.call(ctx, http.MethodGet, "/channels", nil, &names)
}

// Tail calls f with every message put into a channel from now on. It returns nil when ctx ends or the worker stops. ready, if not nil, is called
// once everything that is put from then on is seen.
func (c *Client) Tail(ctx context.Context, channel string, ready func(), f func(Message)) error {
	return follow(ctx, c, "/channels/"+url.PathEscape(channel)+"/tail", ready, f)
}

// Log calls f with every line that is logged from now on at the level or above; otherwise as Tail.
func (c *Client) Log(ctx context.Context, level string, ready func(), f func(Line)) error {
	return follow(ctx, c, "/log?level="+url.QueryEscape(level), ready, f)
}

// follow reads a stream.
func follow[T any](ctx context.Context, c *Client, path string, ready func(), f func(T)) error {
	resp, err := c.ask(ctx, http.MethodGet, path, nil)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer resp.Body.Close()
	if ready != nil {
		ready()
	}
	for lines := json.NewDecoder(resp.Body); ; {
		var v T
		err := lines.Decode(&v)
		switch {
		case err == nil:
			f(v)
		case ctx.Err() != nil || errors.Is(err, io.EOF):
			return nil
		default:
			return fmt.Errorf("%s: %w", c.where, ErrGone)
		}
	}
}

// call asks for one answer. out may be nil.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, fmt.Errorf("%s does not answer", c.where))
	defer cancel()
	resp, err := c.ask(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return c.broken(ctx, err)
	}
	return nil
}

// ask sends a request. An answer that is an error is the error; /ready and /live answer 503 with what was asked for.
func (c *Client) ask(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+Prefix+path, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.broken(ctx, err)
	}
	if resp.StatusCode < 300 || resp.StatusCode == http.StatusServiceUnavailable {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, c.refused(resp)
}

// refused reads an answer that is an error.
func (c *Client) refused(resp *http.Response) error {
	var p Problem
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil || json.Unmarshal(text, &p) != nil || p.Error == "" {
		return &Error{Text: fmt.Sprintf("%s answers %s: it is no worker of faust, or of another version", c.where, resp.Status)}
	}
	e := &Error{Text: p.Error, Hint: p.Hint}
	switch resp.StatusCode {
	case http.StatusNotFound:
		e.kind = ErrUnknown
	case http.StatusGone:
		e.kind = ErrGone
	case http.StatusUnauthorized, http.StatusForbidden:
		e.kind = ErrForbidden
	}
	return e
}

// broken is the error of a connection that could not be had, or broke.
func (c *Client) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s: %w", c.where, ErrGone)
	}
	return unreached(c.where, err)
}
