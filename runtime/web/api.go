package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"faust/runtime/control"
)

// APIConfig says what the control API looks into.
type APIConfig struct {
	Worker  control.Worker
	Console control.Console // nil: there is none
	Live    func() error    // nil: always
	Ready   func() []Check  // nil: always
	Logger  *slog.Logger
}

// API is the control API of a worker. A Server answers it below control.Prefix, to those who may; Serve to whoever connects.
type API struct {
	cfg      APIConfig
	handler  http.Handler
	sessions *sessions
	closed   context.Context // ended by Close: streams end with it
	end      context.CancelFunc
}

// maxInput is the size of what may be asked, in bytes.
const maxInput = 8 << 20

// NewAPI allocates.
func NewAPI(cfg APIConfig) *API {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	a := &API{cfg: cfg, sessions: newSessions(cfg.Console)}
	a.closed, a.end = context.WithCancel(context.Background())
	a.route()
	return a
}

// Close ends all streams and sessions; what is asked from then on of a console is refused. Idempotent.
func (a *API) Close() {
	a.end()
	a.sessions.close()
}

// Serve answers on a listener until ctx ends, then ends what is still being answered. Everybody who can connect may do everything.
func (a *API) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: a.handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: 64 << 10, ErrorLog: log.New(quiet{a.cfg.Logger}, "", 0),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	_ = server.Close()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}

func (a *API) route() {
	mux := chi.NewRouter()
	mux.Use(recovered(a.cfg.Logger))
	mux.NotFound(func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, http.StatusNotFound, "the control API has no "+r.URL.Path, "client and worker may be of different versions")
	})
	mux.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, http.StatusMethodNotAllowed, r.Method+" is not allowed here", "")
	})
	mux.Route(control.Prefix, func(mux chi.Router) {
		mux.Get("/status", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, a.cfg.Worker.Status()) })
		mux.Get("/tasks", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, list(a.cfg.Worker.Tasks())) })
		mux.Get("/channels", func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, http.StatusOK, list(a.cfg.Worker.Channels()))
		})
		mux.Get("/tables", a.tables)
		mux.Get("/tables/{name}/key", a.key)
		mux.Get("/tables/{name}/keys", a.keys)
		mux.Get("/errors", a.errors)
		mux.Get("/ready", a.ready)
		mux.Get("/live", a.live)
		mux.Post("/agents/{name}/pause", a.agent(a.cfg.Worker.Pause))
		mux.Post("/agents/{name}/resume", a.agent(a.cfg.Worker.Resume))
		mux.Get("/channels/{name}/tail", a.tail)
		mux.Get("/log", a.log)
		mux.Post("/sessions", a.open)
		mux.Post("/sessions/{id}/eval", a.eval)
		mux.Post("/sessions/{id}/complete", a.complete)
		mux.Delete("/sessions/{id}", a.closeSession)
	})
	a.handler = mux
}

// list makes an empty list of nil.
func list[T any](l []T) []T { return append([]T{}, l...) }

func (a *API) errors(w http.ResponseWriter, r *http.Request) {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if text := r.URL.Query().Get("limit"); err != nil && text != "" || limit < 0 {
		writeProblem(w, http.StatusBadRequest, fmt.Sprintf("limit cannot be '%s': expected a number from 0 on", text), "")
		return
	}
	writeJSON(w, http.StatusOK, list(a.cfg.Worker.Errors(limit)))
}

// ready answers as /readyz does.
func (a *API) ready(w http.ResponseWriter, _ *http.Request) { writeHealth(w, a.cfg.Ready) }

// live tells whether other tasks than one make progress.
func (a *API) live(w http.ResponseWriter, _ *http.Request) {
	check, code := Check{Name: "live", OK: true}, http.StatusOK
	if a.cfg.Live != nil {
		if err := a.cfg.Live(); err != nil {
			check.OK, check.Reason, code = false, err.Error(), http.StatusServiceUnavailable
		}
	}
	writeJSON(w, code, check)
}

// agent makes the handler of what is done to an agent.
func (a *API) agent(do func(name string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := params(r)["name"]
		if err := do(name); err != nil {
			writeFailure(w, fmt.Errorf("agent %s: %w", name, err))
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func (a *API) tail(w http.ResponseWriter, r *http.Request) {
	name := params(r)["name"]
	follow(a, w, r, func(f func(control.Message)) (func(), error) {
		stop, err := a.cfg.Worker.Tail(name, f)
		if err != nil {
			err = fmt.Errorf("channel %s: %w", name, err)
		}
		return stop, err
	}, func(m *control.Message, n int) { m.Dropped = n })
}

func (a *API) log(w http.ResponseWriter, r *http.Request) {
	level := r.URL.Query().Get("level")
	if level == "" {
		level = "info"
	}
	if levels := []string{"debug", "info", "warn", "error"}; !slices.Contains(levels, level) {
		writeProblem(w, http.StatusBadRequest, fmt.Sprintf("level cannot be '%s'", level), "it is one of "+strings.Join(levels, ", "))
		return
	}
	follow(a, w, r, func(f func(control.Line)) (func(), error) { return a.cfg.Worker.Log(level, f) },
		func(l *control.Line, n int) { l.Dropped = n })
}

// input reads the body of a request; false: it was answered.
func (a *API) input(w http.ResponseWriter, r *http.Request, v any) bool {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxInput))
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // a deadline that stays would end the request's context
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		writeProblem(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", large.Limit), "")
	case err != nil:
		writeProblem(w, http.StatusBadRequest, "the body could not be read", "")
	default:
		if err = json.Unmarshal(text, v); err != nil {
			writeProblem(w, http.StatusBadRequest, "the body is not the JSON that is expected here: "+err.Error(), "")
		}
	}
	return err == nil
}

// writeFailure answers an error of the worker.
func writeFailure(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	switch {
	case errors.Is(err, control.ErrUnknown):
		code = http.StatusNotFound
	case errors.Is(err, control.ErrGone):
		code = http.StatusGone
	}
	var e *control.Error
	hint := ""
	if errors.As(err, &e) {
		hint = e.Hint
	}
	writeProblem(w, code, err.Error(), hint)
}

func writeProblem(w http.ResponseWriter, code int, text, hint string) {
	writeJSON(w, code, control.Problem{Error: text, Hint: hint})
}
