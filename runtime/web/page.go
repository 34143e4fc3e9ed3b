// Package web is everything about HTTP: the script's pages, health, metrics. It owns the router and the server; what a page does is
// a Go function given to it.
package web

import (
	"context"
	"io"
	"net/http"
	"time"
)

// Page is a route declared by the script. It is data; Server runs it.
type Page struct {
	Name    string
	Methods []string // empty: GET (HEAD is added to GET)
	Pattern string   // chi's: /orders/{id}/
	Place   string   // file:line of the declaration
	Table   string   // whose keys say which worker answers; "": any does
	Key     string   // the part of the path that is the key
	Handle  Handler
}

// Handler answers one request on its goroutine. An error is a 500 and a log line, unless it is a *Status (deliberate).
type Handler func(ctx context.Context, r *Request) (*Response, error)

// Request is what a page sees of a request.
type Request struct {
	*http.Request
	Params map[string]string // path parameters, decoded; the rest of the path is *
	Body   []byte            // read whole, up to the limit
}

// Stale tells whether another worker asks for what this one has, though that may be old.
func (r *Request) Stale() bool { return r.Header.Get(hopHeader) == hopStale }

// Response is what a page answers. At most one of Body, File, Stream and Forward is used; with Forward the rest is empty.
type Response struct {
	Status int    // 0: 200, or 204 without a body
	Type   string // content type; empty: by the file's name, else plain text
	Header http.Header
	Body   []byte
	File   string                                       // path of a file; a missing one is a 404
	Root   string                                       // folder that File is relative to and must not leave; empty: File is taken as it is
	Stream func(ctx context.Context, w io.Writer) error // each Write is flushed to the client
	// Forward is the URL of the worker that is to answer in the place of this one. A request that was forwarded already is not forwarded again.
	Forward string
	Stale   bool    // that worker is to answer from a copy, which may be old
	Else    Handler // what answers if that worker cannot; nil: it is a 503
}

// Status is a deliberate answer raised as an error: web.error(404, 'text').
type Status struct {
	Code int
	Text string
	JSON []byte        // answered instead of {"error": Text} when set
	Wait time.Duration // after which it is worth asking again, told as Retry-After; 0: nothing is said
}

func (s *Status) Error() string { return s.Text }
