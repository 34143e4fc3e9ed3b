package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// completeTimeout is how long somebody who types waits for a completion.
const completeTimeout = 2 * time.Second

// Open makes a session of the worker's console. who is told in the worker's log with every line. ctx is for the opening only.
func (c *Client) Open(ctx context.Context, who string) (Session, error) {
	var opened Opened
	if err := c.call(ctx, http.MethodPost, "/sessions", Opening{Who: who}, &opened); err != nil {
		return nil, err
	}
	return &remote{client: c, path: "/sessions/" + url.PathEscape(opened.ID)}, nil
}

// remote is a session in a worker.
type remote struct {
	client *Client
	path   string
}

// Eval implements Session. The end of ctx breaks the connection, by which the worker ends the input.
func (r *remote) Eval(ctx context.Context, in Input, out io.Writer) Result {
	resp, err := r.client.ask(ctx, http.MethodPost, r.path+"/eval", in)
	if err != nil {
		return failed(ctx, err)
	}
	defer resp.Body.Close()
	for lines := json.NewDecoder(resp.Body); ; {
		var chunk Chunk
		if err := lines.Decode(&chunk); err != nil {
			return failed(ctx, r.client.broken(ctx, err))
		}
		if chunk.Dropped > 0 {
			fmt.Fprintf(out, "\n… %d bytes left out\n", chunk.Dropped)
		}
		if printed := append([]byte(chunk.Output), chunk.Bytes...); len(printed) > 0 {
			_, _ = out.Write(printed)
		}
		if chunk.Result != nil {
			return *chunk.Result
		}
	}
}

// failed is the result of an input whose answer did not come.
func failed(ctx context.Context, err error) Result {
	if ctx.Err() != nil {
		return Result{Text: "error: stopped", Failed: true, Stopped: true}
	}
	text := "error: " + err.Error()
	var e *Error
	if errors.As(err, &e) && e.Hint != "" {
		text += "\n  = hint: " + e.Hint
	}
	return Result{Text: text, Failed: true, Gone: errors.Is(err, ErrGone)}
}

// Complete implements Session; nothing, if the worker does not answer.
func (r *remote) Complete(ctx context.Context, text string) Completion {
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	var c Completion
	if r.client.call(ctx, http.MethodPost, r.path+"/complete", Cursor{Text: text}, &c) != nil {
		return Completion{}
	}
	return c
}

// Close implements Session.
func (r *remote) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), completeTimeout)
	defer cancel()
	_ = r.client.call(ctx, http.MethodDelete, r.path, nil, nil) // one that is gone is closed
}
