package web

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"strings"

	"faust/runtime/control"
)

// internal answers below /_/, which no page may use, to those who may.
func (s *Server) internal(w http.ResponseWriter, r *http.Request) {
	if p := s.refusal(r); p != nil {
		if p.code == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		p.write(w)
		return
	}
	if s.cfg.API == nil {
		writeError(w, http.StatusNotFound, "not found")
		return
	}
	s.cfg.API.handler.ServeHTTP(w, r)
}

// refusal tells why a request may not be answered; nil: it may. Who has the token may do everything. Without it programs on this machine may look, but no
// web page from elsewhere that a browser on this machine shows: neither one that asks openly, nor one whose name was made to point here.
func (s *Server) refusal(r *http.Request) *problem {
	const hint = "send web_token: Authorization: Bearer TOKEN"
	if header := r.Header.Get("Authorization"); header != "" {
		token, ok := strings.CutPrefix(header, "Bearer ")
		if ok && s.cfg.Token != "" && subtle.ConstantTimeCompare([]byte(token), []byte(s.cfg.Token)) == 1 {
			return nil
		}
		if s.cfg.Token != "" {
			return &problem{http.StatusUnauthorized, "the token is wrong", hint}
		}
	}
	switch {
	case !local(r) && s.cfg.Token == "":
		return &problem{http.StatusForbidden, "other machines may not ask this", "set web_token in the worker, and send it"}
	case !local(r):
		return &problem{http.StatusUnauthorized, "a token is needed (web_token)", hint}
	case foreign(r):
		return &problem{http.StatusForbidden, "web pages from elsewhere may not ask this", ""}
	case !looks(r) && s.cfg.Token == "":
		return &problem{http.StatusForbidden, "the web port allows only looking", "set web_token in the worker and send it, or use the worker's socket in its data directory"}
	case !looks(r):
		return &problem{http.StatusUnauthorized, "a token is needed (web_token)", hint}
	}
	return nil
}

// looks tells whether a request changes nothing.
func looks(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && !strings.HasPrefix(r.URL.Path, control.Prefix+"/sessions")
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

// foreign tells whether a browser asks on behalf of a page that is not of this server under a name of this machine.
func foreign(r *http.Request) bool {
	if !loopback(r.Host) {
		return true
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host != r.Host
}

// loopback tells whether a Host header names this machine in a way that no name server decides about.
func loopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	if name = strings.ToLower(name); name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback()
}
