package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
)

// write answers with resp. An error after the first byte cannot be answered any more.
func (s *Server) write(w http.ResponseWriter, r *http.Request, resp *Response) error {
	if resp == nil {
		resp = &Response{}
	}
	if resp.Status != 0 && (resp.Status < 200 || resp.Status > 599) {
		return fmt.Errorf("answer page: status %d is not between 200 and 599", resp.Status)
	}
	for name, values := range resp.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	if resp.Type != "" {
		w.Header().Set("Content-Type", resp.Type)
	}
	if resp.Stream != nil {
		return s.stream(w, r, resp)
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	if resp.File != "" {
		return file(w, r, resp)
	}
	code := resp.Status
	if code == 0 && resp.Body == nil {
		code = http.StatusNoContent
	} else if code == 0 {
		code = http.StatusOK
	}
	if code == http.StatusNoContent || code == http.StatusNotModified || resp.Body == nil {
		w.WriteHeader(code)
		return nil
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(resp.Body)))
	w.WriteHeader(code)
	_, _ = w.Write(resp.Body) // an error means that the client left
	return nil
}

// file answers with a file, or the part of it that was asked for.
func file(w http.ResponseWriter, r *http.Request, resp *Response) error {
	f, err := open(resp)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return fmt.Errorf("answer page: %w", err)
	case !info.Mode().IsRegular():
		return notFound()
	case resp.Status == 0 || resp.Status == http.StatusOK:
		http.ServeContent(w, r, info.Name(), info.ModTime(), f)
		return nil
	}
	w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	w.WriteHeader(resp.Status)
	if r.Method != http.MethodHead {
		_, _ = io.Copy(w, f)
	}
	return nil
}

// open opens the file of a response. What is missing or outside of the root is not found. It does not wait for who writes into a pipe.
func open(resp *Response) (*os.File, error) {
	const how = os.O_RDONLY | syscall.O_NONBLOCK
	if resp.Root == "" {
		f, err := os.OpenFile(resp.File, how, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, notFound()
		}
		return f, err
	}
	name := filepath.Clean(filepath.FromSlash(resp.File))
	if !filepath.IsLocal(name) {
		return nil, notFound()
	}
	root, err := os.OpenRoot(resp.Root)
	if err != nil {
		return nil, fmt.Errorf("answer page: %w", err)
	}
	defer func() { _ = root.Close() }()
	f, err := root.OpenFile(name, how, 0)
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return nil, notFound() // missing, or a link that leads out
	}
	return f, err
}

func notFound() error { return &Status{Code: http.StatusNotFound, Text: "not found"} }

// stream lets the page write for as long as it likes, the client stays and the server does not stop.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, resp *Response) error {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	code := resp.Status
	if code == 0 {
		code = http.StatusOK
	}
	w.WriteHeader(code)
	if r.Method == http.MethodHead {
		return nil
	}
	control := http.NewResponseController(w)
	_ = control.Flush()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	err := streamed(ctx, resp, &flusher{w, control})
	if err != nil && (ctx.Err() == nil || s.stopping.Err() == nil) {
		return err
	}
	return nil
}

// streamed runs the page's function; a panic is an error.
func streamed(ctx context.Context, resp *Response, w io.Writer) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicked{v, string(debug.Stack())}
		}
	}()
	return resp.Stream(ctx, w)
}

// flusher sends every write at once. A client that takes nothing for a while is cut off.
type flusher struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (f *flusher) Write(b []byte) (int, error) {
	_ = f.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	n, err := f.w.Write(b)
	if err == nil {
		err = f.control.Flush()
	}
	return n, err
}
