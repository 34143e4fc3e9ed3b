package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"faust/runtime/control"
)

// Registry is where request metrics go and where /metrics comes from; *prometheus.Registry is one.
type Registry interface {
	prometheus.Registerer
	prometheus.Gatherer
}

// Check is one condition of /readyz.
type Check = control.Check

// Config says what a Server serves and where. The zero value serves health and metrics on a free port of loopback.
type Config struct {
	Pages       []*Page
	Bind        string                       // empty: 127.0.0.1
	Port        int                          // 0: any free one
	Explicit    bool                         // Port was asked for: taken is an error, else the next free one is used
	Token       string                       // asked for below /_/ ("Authorization: Bearer ...") from other machines, and of those who act
	API         *API                         // answered below /_/; nil: none
	Failed      func(page string, err error) // hears of uncaught errors, beside the log; nil: nobody does
	Logger      *slog.Logger
	Registry    Registry       // nil: one of the server's own
	Live        func() error   // /livez; nil: always
	Ready       func() []Check // /readyz; nil: always
	Development bool           // a browser on this machine is shown Render's text of an uncaught error
	Render      func(err error) string
	Listen      func(network, addr string) (net.Listener, error) // nil: net.Listen
	BodyLimit   int64                                            // bytes of a request's body; 0: 1 MiB
	Grace       time.Duration                                    // for the pages that run when Run's context ends; 0: 5 s
	Dial        Dial                                             // of connections to other workers; nil: the network
}

// The times that a client is given. Streams have no end, but each write has.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 30 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	ports         = 100 // tried one after the other
)

// Server is the HTTP server of a worker.
type Server struct {
	cfg      Config
	listener net.Listener
	http     *http.Server
	mux      *chi.Mux
	metrics  *metrics
	others   *http.Transport // to other workers
	stopping context.Context // ended when the server begins to stop: streams end with it
	stop     context.CancelFunc
}

// Open checks the pages and binds the port. The caller runs the server, or closes it.
func Open(cfg Config) (*Server, error) {
	if err := Validate(cfg.Pages); err != nil {
		return nil, err
	}
	cfg.Bind = cmp.Or(cfg.Bind, "127.0.0.1")
	cfg.BodyLimit = cmp.Or(cfg.BodyLimit, 1<<20)
	cfg.Grace = cmp.Or(cfg.Grace, 5*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Registry == nil {
		cfg.Registry = prometheus.NewRegistry()
	}
	if cfg.Listen == nil {
		cfg.Listen = net.Listen
	}
	s := &Server{cfg: cfg, others: newTransport(cfg.Dial)}
	var err error
	if s.metrics, err = newMetrics(cfg.Registry); err != nil {
		return nil, fmt.Errorf("register request metrics: %w", err)
	}
	if s.listener, err = listen(cfg); err != nil {
		return nil, err
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.route()
	s.http = &http.Server{
		Handler: s.mux, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: 64 << 10, ErrorLog: log.New(quiet{cfg.Logger}, "", 0),
	}
	return s, nil
}

// PortError is an address that the server cannot have.
type PortError struct {
	Addr string
	Err  error
}

// Taken tells whether somebody else has it.
func (e *PortError) Taken() bool { return errors.Is(e.Err, syscall.EADDRINUSE) }

func (e *PortError) Error() string {
	why := e.Err.Error()
	var system *os.SyscallError
	var name *net.DNSError
	switch {
	case e.Taken():
		why = "the port is taken"
	case errors.As(e.Err, &name) && name.IsNotFound:
		why = "the host name is not known"
	case errors.As(e.Err, &system):
		why = system.Err.Error()
	}
	return fmt.Sprintf("web server on %s: %s", e.Addr, why)
}

func (e *PortError) Unwrap() error { return e.Err }

// listen binds the port, or the next free one if it was not asked for.
func listen(cfg Config) (net.Listener, error) {
	tries := ports
	if cfg.Explicit || cfg.Port == 0 {
		tries = 1
	}
	var first error
	for i := range tries {
		addr := net.JoinHostPort(cfg.Bind, strconv.Itoa(cfg.Port+i))
		l, err := cfg.Listen("tcp", addr)
		if err == nil {
			return l, nil
		}
		if first == nil {
			first = &PortError{Addr: addr, Err: err}
		}
		if !errors.Is(err, syscall.EADDRINUSE) || cfg.Port+i >= 65535 {
			break
		}
	}
	return nil, first
}

// quiet takes the standard library's log lines about connections: they are not worth more than debug.
type quiet struct{ logger *slog.Logger }

func (q quiet) Write(b []byte) (int, error) {
	q.logger.Debug("web connection", "err", string(b))
	return len(b), nil
}

// URL is where a browser on this machine finds the server, without a slash at the end.
func (s *Server) URL() string {
	host, port, _ := net.SplitHostPort(s.listener.Addr().String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// Addr is the address the server is bound to.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Close releases the port; requests that run are cut off. Idempotent.
func (s *Server) Close() error {
	s.stop()
	s.others.CloseIdleConnections()
	_ = s.listener.Close()
	return s.http.Close()
}

// Run serves until ctx ends, then lets the pages that run finish for Config.Grace and closes. The error is nil after that.
func (s *Server) Run(ctx context.Context) error {
	defer s.others.CloseIdleConnections()
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()
	select {
	case err := <-served:
		s.stop()
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("serve %s: %w", s.listener.Addr(), err)
	case <-ctx.Done():
	}
	s.stop()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Grace)
	defer cancel()
	if err := s.http.Shutdown(grace); err != nil {
		s.cfg.Logger.Warn("pages cut off", "err", err)
		_ = s.http.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// route builds the router.
func (s *Server) route() {
	s.mux = chi.NewRouter()
	s.mux.Use(recovered(s.cfg.Logger))
	s.mux.Get("/livez", s.live)
	s.mux.Head("/livez", s.live)
	s.mux.Get("/readyz", s.ready)
	s.mux.Head("/readyz", s.ready)
	exposition := promhttp.HandlerFor(s.cfg.Registry, promhttp.HandlerOpts{})
	s.mux.Method(http.MethodGet, "/metrics", exposition)
	s.mux.Method(http.MethodHead, "/metrics", exposition)
	s.mux.HandleFunc("/_/*", s.internal)
	for _, p := range s.cfg.Pages {
		h := s.page(p)
		for _, verb := range p.verbs() {
			if verb != http.MethodHead || !s.explicitHead(p) {
				s.mux.MethodFunc(verb, p.Pattern, h)
			}
		}
	}
	s.mux.NotFound(s.missing)
	s.mux.MethodNotAllowed(s.missing)
}

// explicitHead tells whether HEAD of p's pattern is answered by another page that asked for it.
func (s *Server) explicitHead(p *Page) bool {
	for _, other := range s.cfg.Pages {
		for _, verb := range other.Methods {
			if other != p && verb == http.MethodHead && shape(other.Pattern) == shape(p.Pattern) {
				return true
			}
		}
	}
	return false
}
