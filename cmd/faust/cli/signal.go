package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

// interrupts turns signals into a graceful stop: the first INT, TERM or HUP ends the context, the second ends the process at once and says
// what it was waiting for. USR1 shows where every task stands.
type interrupts struct {
	session *session
	dump    func() string   // may be nil
	pending func() []string // what a stop waits for, asked from time to time; nil: somebody else calls show
	mu      sync.Mutex
	first   syscall.Signal // 0: none yet
	at      time.Time      // when it came
	waiting []string
}

// echo is how long after a signal another one is the same wish, sent twice: timeout and other programs stop a process and, at the same
// moment, the group that it is in. A person is not that quick.
const echo = 100 * time.Millisecond

// patience is how long a stop may take before it is said what it waits for.
const patience = 2 * time.Second

// listen starts listening until the returned function is called.
func (s *session) listen(ctx context.Context, dump func() string, pending func() []string) (context.Context, *interrupts, func()) {
	i := &interrupts{session: s, dump: dump, pending: pending}
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 8)
	watched := []os.Signal{syscall.SIGTERM, syscall.SIGUSR1}
	if !s.talks { // else ^C is for what the console runs
		watched = append(watched, syscall.SIGINT)
	}
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		watched = append(watched, syscall.SIGHUP)
	}
	signal.Notify(signals, watched...)
	done := make(chan struct{})
	var joined sync.WaitGroup
	joined.Go(func() {
		var late <-chan time.Time
		for {
			select {
			case sig := <-signals:
				i.handle(sig.(syscall.Signal), cancel)
				if late == nil && pending != nil && i.signalled() != 0 {
					late = time.After(patience)
				}
			case <-late:
				i.show(pending())
				late = time.After(patience)
			case <-done:
				return
			}
		}
	})
	return ctx, i, func() {
		signal.Stop(signals)
		close(done)
		joined.Wait()
		cancel()
	}
}

func (i *interrupts) handle(sig syscall.Signal, cancel context.CancelFunc) {
	if sig == syscall.SIGUSR1 {
		if i.dump != nil {
			fmt.Fprintln(i.session.Stderr, strings.TrimRight(i.dump(), "\n"))
		}
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.first == 0 {
		i.first, i.at = sig, time.Now()
		cancel()
		return
	}
	if time.Since(i.at) < echo {
		return
	}
	text := "stopped at once"
	if len(i.waiting) > 0 {
		text += "; was waiting for " + strings.Join(i.waiting, ", ")
	}
	i.session.leaveTerminal()
	fmt.Fprintln(i.session.Stderr, text)
	os.Exit(exitSignals + int(sig))
}

// show tells what a stop waits for.
func (i *interrupts) show(what []string) {
	i.mu.Lock()
	i.waiting = what
	i.mu.Unlock()
	if len(what) > 0 && i.session.isTerminal(i.session.Stderr) {
		fmt.Fprintf(i.session.Stderr, "stopping ➢ waiting for %s … ^C again to abort\n", strings.Join(what, ", "))
	}
}

// signalled gives the signal that asked for the stop; 0: none did.
func (i *interrupts) signalled() syscall.Signal {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.first
}
