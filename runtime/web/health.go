package web

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"faust/runtime/control"
)

// live answers /livez.
func (s *Server) live(w http.ResponseWriter, _ *http.Request) {
	if s.cfg.Live != nil {
		if err := s.cfg.Live(); err != nil {
			writeJSON(w, http.StatusServiceUnavailable, map[string]any{"ok": false, "error": err.Error()})
			return
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"ok": true})
}

// ready answers /readyz.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) { writeHealth(w, s.cfg.Ready) }

// writeHealth answers with checks: 503 if one of them is not met.
func writeHealth(w http.ResponseWriter, ready func() []Check) {
	h, code := control.Health{OK: true, Checks: []Check{}}, http.StatusOK
	if ready != nil {
		h.Checks = append(h.Checks, ready()...)
	}
	for _, c := range h.Checks {
		if !c.OK {
			h.OK, code = false, http.StatusServiceUnavailable
		}
	}
	writeJSON(w, code, h)
}

// missing answers what no page does: OPTIONS with the methods of the path, 405 with them for a wrong method, else 404, with a hint
// if only the slash at the end is wrong.
func (s *Server) missing(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if r.URL.RawPath != "" {
		path = r.URL.RawPath
	}
	allowed := s.allowed(path)
	switch {
	case r.Method == http.MethodOptions && len(allowed) > 0:
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		w.WriteHeader(http.StatusNoContent)
	case len(allowed) > 0:
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		writeError(w, http.StatusMethodNotAllowed, r.Method+" is not allowed here, only "+strings.Join(allowed, ", "))
	default:
		answer := map[string]any{"error": "not found"}
		other := path + "/"
		if strings.HasSuffix(path, "/") {
			other = strings.TrimSuffix(path, "/")
		}
		if len(s.allowed(other)) > 0 {
			answer["hint"] = "there is " + other
		}
		writeJSON(w, http.StatusNotFound, answer)
	}
	s.metrics.count("", w)
}

// allowed gives the methods that a path has.
func (s *Server) allowed(path string) (verbs []string) {
	for _, verb := range methods() {
		if s.mux.Match(chi.NewRouteContext(), verb, path) {
			verbs = append(verbs, verb)
		}
	}
	if len(verbs) > 0 && verbs[len(verbs)-1] != http.MethodOptions {
		verbs = append(verbs, http.MethodOptions)
	}
	return verbs
}
