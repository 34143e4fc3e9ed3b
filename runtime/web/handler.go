package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are counted for every request; page is empty where no page answered.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics(r Registry) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "faust", Name: "web_requests_total",
			Help: "Requests answered, by page and status code; 499: the client left."}, []string{"page", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "faust", Name: "web_request_seconds",
			Help: "Time a page takes.", Buckets: prometheus.ExponentialBuckets(1e-4, 4, 10)}, []string{"page"}),
	}
	return m, errors.Join(r.Register(m.requests), r.Register(m.seconds))
}

// count counts an answer.
func (m *metrics) count(page string, w http.ResponseWriter) {
	code := http.StatusOK
	if a, ok := w.(*answer); ok && a.code != 0 {
		code = a.code
	}
	m.requests.WithLabelValues(page, strconv.Itoa(code)).Inc()
}

// left is the status that the metrics have for a client that went away.
const left = 499

// answer is a ResponseWriter that knows what was answered.
type answer struct {
	http.ResponseWriter
	code int // 0: nothing yet
}

func (a *answer) WriteHeader(code int) {
	if a.code == 0 {
		a.code = code
	}
	a.ResponseWriter.WriteHeader(code)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.code == 0 {
		a.code = http.StatusOK
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// recovered wraps everything: deadlines of the connection start afresh, and a panic of ours is a 500.
func recovered(logger *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { recovering(logger, next, w, r) })
	}
}

func recovering(logger *slog.Logger, next http.Handler, w http.ResponseWriter, r *http.Request) {
	a := &answer{ResponseWriter: w}
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{})
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			logger.Error("web handler panicked", "path", r.URL.Path, "err", fmt.Errorf("panic: %v", p), "stack", string(debug.Stack()))
			if a.code == 0 {
				writeError(a, http.StatusInternalServerError, "internal error")
			}
		}
	}()
	a.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Header.Get(hopHeader) != "" {
		a.Header().Set(hopHeader, "1")
	}
	next.ServeHTTP(a, r)
}

// page makes the handler of a page.
func (s *Server) page(p *Page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		aborted := true
		defer func() {
			if a, ok := w.(*answer); ok && aborted && a.code == 0 {
				a.code = http.StatusInternalServerError
			}
			s.metrics.count(p.Name, w)
			s.metrics.seconds.WithLabelValues(p.Name).Observe(time.Since(start).Seconds())
		}()
		s.serve(p, w, r)
		aborted = false
	}
}

// serve reads the body, runs the page and writes what it answers.
func (s *Server) serve(p *Page, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.cfg.BodyLimit))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			writeError(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", large.Limit))
		} else {
			writeError(w, http.StatusBadRequest, "the body could not be read")
		}
		return
	}
	// The time for the body is over; a deadline that stays would end the request's context.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	req := &Request{Request: r, Params: params(r), Body: body}
	resp, err := call(p.Handle, r.Context(), req)
	for err == nil && resp != nil && resp.Forward != "" {
		otherwise := resp.Else
		if err = s.forward(w, req, resp); err == nil {
			return
		}
		if otherwise != nil && unavailable(err) {
			resp, err = call(otherwise, r.Context(), req)
		}
	}
	if err == nil {
		err = s.write(w, r, resp)
	}
	if err != nil {
		s.failed(p, w, r, err)
	}
}

// panicked is a panic of a page as an error.
type panicked struct {
	value any
	stack string
}

func (p *panicked) Error() string     { return fmt.Sprintf("panic: %v", p.value) }
func (p *panicked) Traceback() string { return p.stack }

// call runs a page; a panic is an error.
func call(h Handler, ctx context.Context, r *Request) (resp *Response, err error) {
	defer func() {
		if v := recover(); v != nil {
			resp, err = nil, &panicked{v, string(debug.Stack())}
		}
	}()
	return h(ctx, r)
}

// params gives the path parameters, decoded: the router matches the escaped path if there is one.
func params(r *http.Request) map[string]string {
	route := chi.RouteContext(r.Context())
	out := make(map[string]string, len(route.URLParams.Keys))
	for i, key := range route.URLParams.Keys {
		value := route.URLParams.Values[i]
		if r.URL.RawPath != "" {
			if plain, err := url.PathUnescape(value); err == nil {
				value = plain
			}
		}
		out[key] = value
	}
	return out
}

// failed answers an error of a page.
func (s *Server) failed(p *Page, w http.ResponseWriter, r *http.Request, err error) {
	a, ours := w.(*answer)
	var status *Status
	switch {
	case ours && a.code != 0: // too late for a status: the client sees a broken connection
		if r.Context().Err() == nil && s.stopping.Err() == nil {
			s.report(p, r, err)
		}
		panic(http.ErrAbortHandler)
	case errors.As(err, &status):
		writeStatus(w, status)
	case r.Context().Err() != nil: // nobody is there to answer
		if ours {
			a.code = left
		}
	default:
		s.report(p, r, err)
		if s.cfg.Development && s.cfg.Render != nil && local(r) && strings.Contains(r.Header.Get("Accept"), "text/html") {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprintf(w, "<!doctype html><title>%s failed</title><pre>%s</pre>\n", html.EscapeString(p.Name), html.EscapeString(s.cfg.Render(err)))
			return
		}
		writeError(w, http.StatusInternalServerError, "internal error")
	}
}

func (s *Server) report(p *Page, r *http.Request, err error) {
	if s.cfg.Failed != nil {
		s.cfg.Failed(p.Name, err)
	}
	s.cfg.Logger.Error("page failed", "page", p.Name, "method", r.Method, "path", r.URL.Path, "err", err)
}

// writeStatus writes a deliberate answer.
func writeStatus(w http.ResponseWriter, s *Status) {
	code := s.Code
	if code < 200 || code > 599 {
		code = http.StatusInternalServerError
	}
	if s.Wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(s.Wait.Seconds()))))
	}
	if s.JSON == nil {
		writeError(w, code, s.Text)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(s.JSON)
}

func writeError(w http.ResponseWriter, code int, text string) {
	writeJSON(w, code, map[string]any{"error": text})
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		b = []byte(`{"error":"internal error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)+1))
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n'))
}
