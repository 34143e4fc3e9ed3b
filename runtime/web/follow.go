package web

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"
)

// backlog is how many lines of a stream wait for a reader before lines are left out.
const backlog = 4096

// follow answers with a stream of JSON lines, one for each value that f is given, until the client leaves or the API closes. subscribe calls f from then
// on until stop is called. f does not wait: a reader that is too slow is told with mark how many values were left out before the one it gets.
func follow[T any](a *API, w http.ResponseWriter, r *http.Request, subscribe func(f func(T)) (stop func(), err error), mark func(v *T, dropped int)) {
	queue := make(chan T, backlog)
	var dropped atomic.Int64
	stop, err := subscribe(func(v T) {
		select {
		case queue <- v:
		default:
			dropped.Add(1)
		}
	})
	if err != nil {
		writeFailure(w, err)
		return
	}
	defer stop()
	ctx, cancel := a.until(r)
	defer cancel()
	lines := newLines(w)
	for {
		select {
		case v := <-queue:
			if n := dropped.Swap(0); n > 0 {
				mark(&v, int(n))
			}
			if lines.write(v) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// until gives a context that ends when the client leaves or the API closes.
func (a *API) until(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(a.closed, cancel)
	return ctx, func() { stop(); cancel() }
}

// ndjson writes values as lines of JSON, each at once.
type ndjson struct{ to *json.Encoder }

// newLines begins the answer: the client has it when this returns.
func newLines(w http.ResponseWriter) ndjson {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // one that stays would end the request's context
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_ = control.Flush()
	to := json.NewEncoder(&flusher{w, control})
	to.SetEscapeHTML(false)
	return ndjson{to}
}

func (l ndjson) write(v any) error { return l.to.Encode(v) }
