package cli

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"faust/runtime/worker"
)

// When progress is shown: in the status line of a terminal, and in the log otherwise.
const (
	progressAfter = time.Second // messages are counted
	progressDraw  = 100 * time.Millisecond
	progressLog   = 10 * time.Second
)

// progress is how far a command has come: what it says by progress(n, total), and what it has sent.
type progress struct {
	session *session
	log     *slog.Logger
	client  *worker.Client
	begun   time.Time

	mu          sync.Mutex
	what        string
	number      func() int64 // nil: what was sent
	done, total float64      // total 0: not known
	told        bool
	logged      time.Time
}

// tell is progress(n, total) of the script.
func (p *progress) tell(done, total float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done, p.total, p.told = done, total, true
	if p.session.screen == nil && time.Since(p.logged) >= progressLog {
		p.logged = time.Now()
		p.log.Info("progress", "done", done, "total", total)
	}
}

// counts has f tell how many messages were dealt with, and how: sent, read.
func (p *progress) counts(what string, f func() int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what, p.number = what, f
}

// count is how many messages were dealt with, and how.
func (p *progress) count() (int64, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.number != nil {
		return p.number(), p.what
	}
	return p.client.Sent(), ""
}

// run draws the progress until ctx ends, and then says what was sent if that took a while.
func (p *progress) run(ctx context.Context) {
	sc := p.session.screen
	ticker := time.NewTicker(progressDraw)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			sc.set(cutStatus(p.parts(), width(p.session.Stderr)))
		case <-ctx.Done():
			sc.set("")
			if sent, what := p.count(); what == "" && sent > 1 && time.Since(p.begun) > progressAfter {
				took := time.Since(p.begun)
				fmt.Fprintf(p.session.Stderr, "%s sent in %s (%s/s)\n", thousands(sent), short(took), rate(sent, took))
			}
			return
		}
	}
}

// parts says how far it is, the most important first; nothing if nothing was told or sent.
func (p *progress) parts() []string {
	p.mu.Lock()
	done, total, told := p.done, p.total, p.told
	p.mu.Unlock()
	took := time.Since(p.begun)
	var parts []string
	if told {
		parts = append(parts, bar(done, total, took)...)
	}
	if n, what := p.count(); n > 0 && took > progressAfter {
		parts = append(parts, thousands(n)+" "+cmp.Or(what, "sent"), rate(n, took)+"/s")
		if unsent := p.client.Unsent(); unsent > 0 {
			parts = append(parts, thousands(unsent)+" on the way")
		}
	}
	return parts
}

// bar draws how much of total is done and how long the rest will take.
func bar(done, total float64, took time.Duration) []string {
	if total <= 0 {
		return []string{thousands(int64(done)) + " done"}
	}
	const columns = 20
	share := min(max(done/total, 0), 1)
	full := int(share * columns)
	parts := []string{fmt.Sprintf("%s%s %3.0f%%", strings.Repeat("█", full), strings.Repeat("░", columns-full), share*100),
		thousands(int64(done)) + "/" + thousands(int64(total))}
	if share > 0 && share < 1 && took > time.Second {
		left := time.Duration(float64(took) * (1 - share) / share)
		parts = append(parts, roughly(left)+" left")
	}
	return parts
}

// rate is how many there were in a second.
func rate(n int64, took time.Duration) string {
	return thousands(int64(float64(n)/max(took.Seconds(), 0.001) + 0.5))
}
