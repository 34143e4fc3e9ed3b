package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"faust/luabind/fault"
	"faust/runtime/control"
)

// statusInterval is how often the status of a worker is drawn.
const statusInterval = time.Second

// statusLine draws the status of a worker in the last line of the terminal, and heeds the keys that are typed there.
type statusLine struct {
	session *session
	worker  control.Worker
	levels  *logLevels
}

// follower is a goroutine that keeps a status line. The zero value has none.
type follower struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// start runs l until stop is called.
func (f *follower) start(l interface{ run(ctx context.Context) }) {
	var ctx context.Context
	ctx, f.cancel = context.WithCancel(context.Background())
	f.done.Go(func() { l.run(ctx) })
}

// stop ends it and takes the line away.
func (f *follower) stop() {
	if f.cancel != nil {
		f.cancel()
		f.done.Wait()
	}
}

// run draws until ctx ends.
func (l *statusLine) run(ctx context.Context) {
	sc := l.session.screen
	defer sc.set("")
	keys := readKeys(ctx, l.session.Stdin)
	l.session.keys.Store(keys)
	defer keys.close()
	ticker := time.NewTicker(statusInterval)
	defer ticker.Stop()
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	for {
		status := l.worker.Status()
		sc.set(cutStatus(statusParts(&status, keys.works()), width(l.session.Stderr)))
		select {
		case <-ticker.C:
		case <-resized:
		case key := <-keys.typed:
			l.heed(key)
		case <-ctx.Done():
			return
		}
	}
}

// statusParts says what a worker does, the most important first.
func statusParts(s *control.Status, keys bool) []string {
	if s.Stopping {
		return []string{"▸ stopping"}
	}
	active, paused := 0, 0
	for _, a := range s.Agents {
		if a.Paused {
			paused++
		} else {
			active++
		}
	}
	parts := []string{fmt.Sprintf("▸ %s msg/s", thousands(int64(s.Rate+0.5))), "lag " + thousands(s.Lag)}
	if s.LagTime >= 1 {
		parts[1] += fmt.Sprintf(" (%s)", roughly(time.Duration(s.LagTime*float64(time.Second))))
	}
	parts = append(parts, "errors "+thousands(s.Failed))
	if s.P99 > 0 {
		parts = append(parts, "p99 "+short(time.Duration(s.P99*float64(time.Second))))
	}
	if n := len(s.Agents); n > 0 {
		parts = append(parts, fmt.Sprintf("agents %d/%d", active, n))
	}
	if paused > 0 {
		parts = append(parts, fmt.Sprintf("%d paused", paused))
	}
	if len(s.Problems) > 0 {
		parts = append(parts, "not ready")
	}
	parts = append(parts, "up "+clock(time.Since(s.Started)))
	if keys {
		parts = append(parts, "? for keys")
	}
	return parts
}

// cutStatus joins as many parts as fit into a line of that many columns.
func cutStatus(parts []string, columns int) string {
	line := ""
	for _, p := range parts {
		next := p
		if line != "" {
			next = line + "  " + p
		}
		if fault.Width(next) >= columns {
			break
		}
		line = next
	}
	return line
}

// keyHelp is what ? shows.
var keyHelp = []string{
	"a  agents: rate, lag, errors", "t  tasks: where each stands",
	"e  the last errors", "l  log more, or less",
	"q  stop gracefully (as ^C)", "?  this help",
}

// keyLines says what keys do, in two columns where there is room.
func keyLines(columns int) string {
	const column = 35
	perLine := 2
	if columns < 2*column {
		perLine = 1
	}
	var b strings.Builder
	for line := range slices.Chunk(keyHelp, perLine) {
		text := ""
		for _, key := range line {
			text += fmt.Sprintf("  %-*s", column-2, key)
		}
		b.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	return b.String()
}

// heed does what a key asks for.
func (l *statusLine) heed(key byte) {
	s := l.session
	switch key {
	case '?', 'h':
		fmt.Fprint(s.Stderr, keyLines(width(s.Stderr)))
	case 'a':
		s.printTo(s.Stderr, l.report().agentTable())
	case 't':
		s.printTo(s.Stderr, taskTable(l.worker.Tasks()))
	case 'e':
		s.printTo(s.Stderr, l.report().errorTable())
	case 'l':
		fmt.Fprintf(s.Stderr, "log level %s\n", l.levels.next())
	case 'q':
		_ = syscall.Kill(os.Getpid(), syscall.SIGINT) // to oneself it is always allowed
	case '\n', '\r':
		fmt.Fprintln(s.Stderr)
	}
}

// next goes on to the next level, and from error back to debug, and gives its name.
func (l *logLevels) next() string {
	order := []string{"warn", "info", "debug", "error"}
	for i, name := range order {
		if levelOf(name) == l.general.Level() {
			name = order[(i+1)%len(order)]
			l.general.Set(levelOf(name))
			return name
		}
	}
	return levelName(l.general.Level())
}

// report is the worker as the status command reports it.
func (l *statusLine) report() *statusReport {
	status := l.worker.Status()
	return &statusReport{App: status.App, Workers: []workerReport{{Status: status, Errors: l.worker.Errors(statusErrors)}}}
}

// taskTable lists tasks, and where in the script each stands.
func taskTable(tasks []control.Task) *table {
	t := &table{heads: []string{"TASK", "STATE", "FOR", "AT"}, empty: "no tasks"}
	for _, x := range tasks {
		state, at := x.State, ""
		if x.What != "" {
			state += " for " + x.What
		}
		if len(x.Stack) > 0 {
			at = x.Stack[0]
		}
		t.add(x.Name, state, short(time.Since(x.Since)), at)
	}
	return t
}

// thousands writes a number in groups of three: 1 240.
func thousands(n int64) string {
	text := fmt.Sprint(n)
	var b strings.Builder
	for i, c := range text {
		if left := len(text) - i; i > 0 && left%3 == 0 && text[i-1] != '-' {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// short writes a duration with two or three digits: 3.1ms, 12s.
func short(d time.Duration) string {
	switch {
	case d < 100*time.Microsecond:
		return d.Round(time.Microsecond).String()
	case d < 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return roughly(d)
}

// roughly writes a duration in seconds, minutes or hours.
func roughly(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	}
	return fmt.Sprintf("%dh", int(d.Hours()))
}

// clock writes a duration as 00:12:40.
func clock(d time.Duration) string {
	seconds := int(d.Seconds())
	return fmt.Sprintf("%02d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
}
