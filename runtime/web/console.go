package web

import (
	"context"
	"crypto/rand"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"

	"faust/runtime/control"
)

const (
	// sessionIdle is how long a session that nobody uses is kept: its client may have died without a word.
	sessionIdle = 4 * time.Hour
	// maxSessions is how many there may be; one more takes the place of the one that was idle for the longest time.
	maxSessions = 64
	// maxOutput is how much of what an input prints waits for a slow reader, in bytes.
	maxOutput = 4 << 20
)

// sessions are the consoles that are open.
type sessions struct {
	console control.Console

	mu     sync.Mutex
	open   map[string]*session
	closed bool
}

// session is a console with what it takes to end it in time.
type session struct {
	control.Session
	id    string
	timer *time.Timer // closes it when nobody uses it
	used  time.Time
	users int // requests that run
}

func newSessions(c control.Console) *sessions {
	return &sessions{console: c, open: map[string]*session{}}
}

var errSession = &problem{http.StatusGone, "the session is closed", "nobody used it for hours, or the worker was started again; open a new one"}

// problem is an error with its answer.
type problem struct {
	code       int
	text, hint string
}

func (p *problem) write(w http.ResponseWriter) { writeProblem(w, p.code, p.text, p.hint) }

// add opens a session.
func (s *sessions) add(who string) (*session, *problem) {
	if s.console == nil {
		return nil, &problem{http.StatusNotFound, "this worker has no console", ""}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, &problem{http.StatusGone, "the worker stops", ""}
	}
	if len(s.open) >= maxSessions {
		s.evict()
	}
	o := &session{Session: s.console.Open(who), id: rand.Text(), used: time.Now()}
	o.timer = time.AfterFunc(sessionIdle, func() { s.remove(o.id, true) })
	s.open[o.id] = o
	return o, nil
}

// evict closes the session that was idle for the longest time; s.mu is held.
func (s *sessions) evict() {
	var oldest *session
	for _, o := range s.open {
		if o.users == 0 && (oldest == nil || o.used.Before(oldest.used)) {
			oldest = o
		}
	}
	if oldest != nil {
		delete(s.open, oldest.id)
		oldest.timer.Stop()
		go oldest.Close()
	}
}

// use gives a session for a request that calls release at its end.
func (s *sessions) use(id string) (o *session, release func(), p *problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o = s.open[id]
	if o == nil {
		return nil, nil, errSession
	}
	o.users++
	o.timer.Stop()
	return o, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		o.users--
		o.used = time.Now()
		if o.users == 0 && s.open[id] == o {
			o.timer.Reset(sessionIdle)
		}
	}, nil
}

// remove closes a session; with idle only if nobody uses it.
func (s *sessions) remove(id string, idle bool) bool {
	s.mu.Lock()
	o := s.open[id]
	if o == nil || idle && o.users > 0 {
		s.mu.Unlock()
		return false
	}
	delete(s.open, id)
	o.timer.Stop()
	s.mu.Unlock()
	o.Close()
	return true
}

// close closes all, and lets none be opened any more.
func (s *sessions) close() {
	s.mu.Lock()
	s.closed = true
	open := s.open
	s.open = map[string]*session{}
	s.mu.Unlock()
	for _, o := range open {
		o.timer.Stop()
		o.Close()
	}
}

func (a *API) open(w http.ResponseWriter, r *http.Request) {
	var in control.Opening
	if !a.input(w, r, &in) {
		return
	}
	o, p := a.sessions.add(in.Who)
	if p != nil {
		p.write(w)
		return
	}
	writeJSON(w, http.StatusCreated, control.Opened{ID: o.id})
}

// session reads what a request has, and gives the session that it is for until release is called; nil: the request was answered.
func (a *API) session(w http.ResponseWriter, r *http.Request, in any) (o *session, release func()) {
	if !a.input(w, r, in) {
		return nil, nil
	}
	o, release, p := a.sessions.use(params(r)["id"])
	if p != nil {
		p.write(w)
		return nil, nil
	}
	return o, release
}

// eval answers with a stream: what the input prints, as it comes, and at last the result.
func (a *API) eval(w http.ResponseWriter, r *http.Request) {
	var in control.Input
	o, release := a.session(w, r, &in)
	if o == nil {
		return
	}
	defer release()
	ctx, cancel := a.until(r)
	defer cancel()
	out := &output{lines: newLines(w), broken: cancel, wake: make(chan struct{}, 1), done: make(chan struct{})}
	over, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go out.run(over)
	out.end(o.Eval(ctx, in, out))
}

// complete answers with what could stand at the cursor.
func (a *API) complete(w http.ResponseWriter, r *http.Request) {
	var in control.Cursor
	o, release := a.session(w, r, &in)
	if o == nil {
		return
	}
	defer release()
	c := o.Complete(r.Context(), in.Text)
	c.Candidates = list(c.Candidates)
	writeJSON(w, http.StatusOK, c)
}

func (a *API) closeSession(w http.ResponseWriter, r *http.Request) {
	if !a.sessions.remove(params(r)["id"], false) {
		errSession.write(w)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// output takes what an input prints, without ever waiting for the reader: the input may hold the script's engine.
type output struct {
	lines  ndjson
	broken context.CancelFunc // ends the input when the reader is gone

	mu      sync.Mutex
	queue   []control.Chunk
	size    int
	dropped int
	ended   bool

	wake chan struct{}
	done chan struct{}
}

// Write queues what was printed; what is too much for the reader is left out.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.ended || len(b) == 0:
	case o.size+len(b) > maxOutput:
		o.dropped += len(b)
	default:
		c := control.Chunk{Dropped: o.dropped}
		o.dropped = 0
		if utf8.Valid(b) {
			c.Output = string(b)
		} else {
			c.Bytes = append([]byte(nil), b...)
		}
		o.add(c, len(b))
	}
	return len(b), nil
}

// add queues a chunk; o.mu is held.
func (o *output) add(c control.Chunk, size int) {
	o.queue = append(o.queue, c)
	o.size += size
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// run writes what is queued until the result was written, the reader is gone or ctx ends.
func (o *output) run(ctx context.Context) {
	defer close(o.done)
	for {
		select {
		case <-o.wake:
		case <-ctx.Done():
			return
		}
		o.mu.Lock()
		queue := o.queue
		o.queue, o.size = nil, 0
		o.mu.Unlock()
		for _, c := range queue {
			if o.lines.write(c) != nil {
				o.broken()
				return
			}
			if c.Result != nil {
				return
			}
		}
	}
}

// end writes the result and waits until the reader has it or is gone.
func (o *output) end(r control.Result) {
	o.mu.Lock()
	o.ended = true
	o.add(control.Chunk{Dropped: o.dropped, Result: &r}, 0)
	o.mu.Unlock()
	<-o.done
}
