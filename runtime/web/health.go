package web

import (
	"crypto/subtle"
	"net"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
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

// ready answers /readyz with the checks: 503 if one of them is not met.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	checks := []Check{}
	if s.cfg.Ready != nil {
		checks = append(checks, s.cfg.Ready()...)
	}
	code := http.StatusOK
	for _, c := range checks {
		if !c.OK {
			code = http.StatusServiceUnavailable
		}
	}
	writeJSON(w, code, map[string]any{"ok": code == http.StatusOK, "checks": checks})
}

// internal answers below /_/, which no page may use: other machines learn nothing of it without the token.
func (s *Server) internal(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	known := s.cfg.Token != "" && ok && subtle.ConstantTimeCompare([]byte(token), []byte(s.cfg.Token)) == 1
	if !known && !local(r) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		writeError(w, http.StatusUnauthorized, "a token is needed (web_token)")
		return
	}
	writeError(w, http.StatusNotFound, "not found")
}

// local tells whether the request comes from this machine, and not through a proxy on it.
func local(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
		return false
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
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
