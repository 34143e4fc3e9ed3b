package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes dials a handler of ours in memory.
func pipes(ctx context.Context, h http.Handler) Dial {
	l := &piped{conns: make(chan net.Conn), done: ctx.Done()}
	server := &http.Server{Handler: h}
	go func() { _ = server.Serve(l) }()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		select {
		case l.conns <- theirs:
			return ours, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

type piped struct {
	conns chan net.Conn
	done  <-chan struct{}
}

func (p *piped) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *piped) Close() error   { return nil }
func (p *piped) Addr() net.Addr { return &net.TCPAddr{} }

// owner is a page of which another worker has all.
func owner(methods ...string) []*Page {
	return []*Page{{Pattern: "/p/{id}/", Methods: methods, Handle: answers(&Response{Forward: "http://10.0.0.2:6066"})}}
}

func TestForward(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got *http.Request
		var body []byte
		dial := pipes(t.Context(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r
			w.Header().Set(hopHeader, r.Header.Get(hopHeader))
			body, _ = io.ReadAll(r.Body)
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2")
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte("made"))
		}))
		s, _ := server(t, Config{Pages: owner("GET", "POST"), Dial: dial})
		resp := ask(s, "POST /p/a%2Fb/?q=1;2&q=%zz", "hello", "X-Mine: 1", "X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https", "Connection: X-Hop", "X-Hop: 1")
		if resp.StatusCode != 201 || text(t, resp) != "made" || fmt.Sprint(resp.Header["Set-Cookie"]) != "[a=1 b=2]" || len(resp.Header["X-Content-Type-Options"]) != 1 || resp.Header.Get(hopHeader) != "" {
			t.Errorf("answer %d %v", resp.StatusCode, resp.Header)
		}
		if got.Method != "POST" || got.RequestURI != "/p/a%2Fb/?q=1;2&q=%zz" || string(body) != "hello" || got.Host != "127.0.0.1:6066" {
			t.Errorf("request %s %s %s %q", got.Method, got.RequestURI, got.Host, body)
		}
		for name, want := range map[string]string{"X-Mine": "1", "X-Forwarded-For": "9.9.9.9, 127.0.0.1", "X-Forwarded-Proto": "https", "X-Hop": "", hopHeader: "1"} {
			if v := got.Header.Get(name); v != want {
				t.Errorf("header %s is %q, not %q", name, v, want)
			}
		}
		if resp := ask(s, "GET /p/1/", ""); resp.StatusCode != 201 || got.ContentLength != 0 {
			t.Errorf("without a body: %d, %d bytes", resp.StatusCode, got.ContentLength)
		}
		if resp := ask(s, "HEAD /p/1/", ""); resp.StatusCode != 201 || got.Method != "HEAD" || text(t, resp) != "" {
			t.Errorf("HEAD: %d", resp.StatusCode)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestForwardedTwice(t *testing.T) {
	t.Parallel()
	s, _ := server(t, Config{Pages: owner(), Dial: func(context.Context, string, string) (net.Conn, error) {
		t.Error("it was forwarded again")
		return nil, errors.New("no")
	}})
	resp := ask(s, "GET /p/1/", "", hopHeader+": 1")
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" || !strings.Contains(text(t, resp), `"error"`) {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}

func TestForwardFails(t *testing.T) {
	t.Parallel()
	refuses := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	}
	for name, c := range map[string]struct {
		dial Dial
		code int
		text string
	}{
		"nobody":   {refuses, 503, "out of reach"},
		"silence":  {nil, 504, "timed out"},
		"stranger": {nil, 503, "out of reach"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dial := c.dial
				if dial == nil {
					dial = pipes(t.Context(), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
						if name == "silence" {
							<-r.Context().Done()
						}
					}))
				}
				s, log := server(t, Config{Pages: owner(), Dial: dial})
				start := time.Now()
				resp := ask(s, "GET /p/1/", "")
				if b := text(t, resp); resp.StatusCode != c.code || !strings.Contains(b, c.text) || time.Since(start) > forwardTimeout {
					t.Errorf("%d %s after %s", resp.StatusCode, b, time.Since(start))
				}
				if retry := resp.Header.Get("Retry-After"); (retry != "") != (c.code == 503) {
					t.Errorf("Retry-After %q", retry)
				}
				if !strings.Contains(log.String(), "url=http://10.0.0.2:6066") {
					t.Error(log.String())
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// A stream of another worker passes as it comes, and ends when the server stops.
func TestForwardStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dial := pipes(t.Context(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(hopHeader, "1")
			for {
				if _, err := w.Write([]byte("tick\n")); err != nil {
					return
				}
				_ = http.NewResponseController(w).Flush()
				select {
				case <-time.After(time.Second):
				case <-r.Context().Done():
					return
				}
			}
		}))
		s, _ := server(t, Config{Pages: owner(), Dial: dial})
		w := &recorder{ResponseRecorder: httptest.NewRecorder(), wrote: make(chan struct{}, 100)}
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.mux.ServeHTTP(w, httptest.NewRequest("GET", "/p/1/", nil))
		}()
		<-w.wrote
		<-w.wrote
		s.stop()
		<-done
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// recorder tells of every write.
type recorder struct {
	*httptest.ResponseRecorder
	wrote chan struct{}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.wrote <- struct{}{}
	return r.ResponseRecorder.Write(b)
}
