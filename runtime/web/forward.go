package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// Dial makes a connection, as net.Dialer.DialContext does.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// hopHeader is in requests that another worker forwarded, and in the answers to them. It has no power: who sends it is answered by this worker or not at all.
const hopHeader = "Faust-Forwarded"

// hopStale is its value in requests that are to be answered from a copy.
const hopStale = "stale"

// What another worker is given.
const (
	reachTimeout   = 2 * time.Second  // to take a connection
	forwardTimeout = 30 * time.Second // until it begins to answer
	retryAfter     = time.Second      // after which a client may ask again what nobody could answer
)

// newTransport makes what requests to other workers go through. Proxies of the environment are not for them.
func newTransport(dial Dial) *http.Transport {
	if dial == nil {
		dial = (&net.Dialer{Timeout: reachTimeout}).DialContext
	}
	return &http.Transport{
		DialContext: dial, ResponseHeaderTimeout: forwardTimeout, MaxIdleConnsPerHost: 32, IdleConnTimeout: idleTimeout / 2,
		DisableCompression: true, // the answer is passed on as it is
	}
}

// Unavailable is the answer while nobody can answer a request; the client may ask again in a second.
func Unavailable(text string) error {
	return &Status{Code: http.StatusServiceUnavailable, Text: text, Wait: retryAfter}
}

// unavailable tells whether an error is what Unavailable gives.
func unavailable(err error) bool {
	var status *Status
	return errors.As(err, &status) && status.Code == http.StatusServiceUnavailable && status.Wait > 0
}

// forward lets another worker answer, by the same path. An error is to be answered; one that Unavailable gives comes before anything is written.
func (s *Server) forward(w http.ResponseWriter, r *Request, answer *Response) error {
	to := answer.Forward
	if r.Header.Get(hopHeader) != "" {
		return Unavailable("the worker that was said to have it does not")
	}
	target, err := url.Parse(to)
	if err != nil {
		return fmt.Errorf("forward to another worker: %w", err)
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	end := func() bool { return true }
	defer func() { end() }()
	var failed error
	proxy := httputil.ReverseProxy{
		Transport: s.others, FlushInterval: -1, ErrorLog: log.New(quiet{s.cfg.Logger}, "", 0),
		Rewrite: func(p *httputil.ProxyRequest) {
			if rewrite(p, r, target); answer.Stale {
				p.Out.Header.Set(hopHeader, hopStale)
			}
		},
		ModifyResponse: func(resp *http.Response) error {
			if resp.Header.Get(hopHeader) == "" {
				return errStranger
			}
			if resp.StatusCode == http.StatusServiceUnavailable && answer.Else != nil {
				return errNotThere
			}
			resp.Header.Del(hopHeader)
			resp.Header.Del("X-Content-Type-Options") // which w has already
			if resp.ContentLength < 0 {               // it is a stream, which ends when the server stops
				end = context.AfterFunc(s.stopping, cancel)
			}
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { failed = err },
	}
	proxy.ServeHTTP(&passing{flusher{w, http.NewResponseController(w)}}, r.WithContext(ctx))
	return s.unforwarded(r, to, failed)
}

// errStranger is the error of an answer that no worker gave.
var errStranger = errors.New("what answers there is no worker: see its web_advertise")

// errNotThere is the error of an answer that says that the worker has not got it any more, or not yet.
var errNotThere = errors.New("it has not got it")

// rewrite makes the request to the other worker of the one that came.
func rewrite(p *httputil.ProxyRequest, r *Request, target *url.URL) {
	p.Out.URL.Scheme, p.Out.URL.Host = target.Scheme, target.Host
	p.Out.URL.RawQuery = p.In.URL.RawQuery // also what cannot be parsed
	p.Out.Host = p.In.Host
	p.Out.ContentLength, p.Out.TransferEncoding = int64(len(r.Body)), nil
	p.Out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.Body)), nil } // for a connection that was closed meanwhile
	p.Out.Body, _ = p.Out.GetBody()
	if len(r.Body) == 0 {
		p.Out.Body = http.NoBody
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values, ok := p.In.Header[name]; ok {
			p.Out.Header[name] = values
		}
	}
	if host, _, err := net.SplitHostPort(p.In.RemoteAddr); err == nil {
		before := p.In.Header["X-Forwarded-For"]
		p.Out.Header.Set("X-Forwarded-For", strings.Join(append(before[:len(before):len(before)], host), ", "))
	}
	p.Out.Header.Set(hopHeader, "1")
}

// unforwarded makes the answer of a request that the other worker did not answer.
func (s *Server) unforwarded(r *Request, to string, err error) error {
	var timeout net.Error
	switch {
	case err == nil || r.Context().Err() != nil:
		return err
	case errors.As(err, &timeout) && timeout.Timeout() && !isDial(err):
		s.cfg.Logger.Warn("worker does not answer", "url", to, "path", r.URL.Path, "err", err)
		return &Status{Code: http.StatusGatewayTimeout, Text: "timed out"}
	}
	s.cfg.Logger.Warn("worker out of reach", "url", to, "path", r.URL.Path, "err", err)
	return Unavailable("the worker that has it is out of reach")
}

// isDial tells whether a connection could not be had.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// passing is the client of a forwarded answer: each write has its time.
type passing struct{ flusher }

func (p *passing) Header() http.Header  { return p.w.Header() }
func (p *passing) WriteHeader(code int) { p.w.WriteHeader(code) }
func (p *passing) Flush()               { _ = p.control.Flush() }
