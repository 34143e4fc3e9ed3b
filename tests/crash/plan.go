package crash

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"faust/runtime/worker"
)

var roundsFlag = flag.Int("rounds", 0, "rounds of the crash suite; 0: the short form")

const (
	shortRounds = 3      // of the one plan of the short form
	planRounds  = 10     // of each plan of the long form, after which all is compared
	names       = "abcd" // of workers: so many there are at most
	sooner      = 1500   // milliseconds until something happens to a worker, at most: several commits
)

// deed is what can happen to the cluster.
type deed string

const (
	kill      deed = "kill"               // SIGKILL, whatever it does
	die       deed = "die"                // SIGKILL between two verbs
	stall     deed = "stall"              // SIGSTOP for longer than a session, whatever it does
	hang      deed = "hang"               // the same between two verbs
	stop      deed = "stop"               // a graceful stop
	wipe      deed = "wipe"               // SIGKILL, and its data directory is lost
	rewind    deed = "rewind"             // SIGKILL, and its data directory becomes an older copy of itself
	killAll   deed = "kill all"           // SIGKILL for all workers
	add       deed = "add"                // one more worker
	remove    deed = "remove"             // one worker less, that stops gracefully
	lose      deed = "lose"               // one worker less, killed
	breakDown deed = "kill the broker"    // and it is started again
	restart   deed = "restart the broker" // it is stopped in order, and started again
)

// act is one deed.
type act struct {
	deed   deed
	name   string        // of the worker, if it is about one
	moment worker.Moment // of die and hang
	after  time.Duration // since the act before
	away   bool          // the worker is started again at the end of the round only, not at once
}

func (a act) String() string {
	parts := []string{fmt.Sprintf("%s: %s", a.after, a.deed), a.name, string(a.moment)}
	if a.away {
		parts = append(parts, "and stay away")
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}

// round is what happens at one time.
type round struct {
	acts   []act
	hangs  time.Duration // how long those hang that do, at least, beyond a session
	settle bool          // it is waited for what was sent meanwhile; else the next round comes before
}

func (r round) String() string {
	var parts []string
	for _, a := range r.acts {
		parts = append(parts, a.String())
	}
	return fmt.Sprintf("%s; hanging for a session and %s, settle %v", strings.Join(parts, ", "), r.hangs, r.settle)
}

// planner draws rounds. It knows which workers there are, so that what it draws depends on the seed alone.
type planner struct {
	rng     *rand.Rand
	names   []string // of the workers there are
	busy    []string // of those that are away or hang in this round
	outages []deed   // what can happen to the broker
	moments []worker.Moment
}

// draw draws a plan of n rounds that begins with two workers; a shorter one is the beginning of a longer one.
func draw(seed uint64, n int, outages []deed, moments []worker.Moment) []round {
	p := &planner{rng: rand.New(rand.NewPCG(seed, 3)), names: []string{"a", "b"}, outages: outages, moments: moments}
	var out []round
	for range n {
		p.busy = nil
		r := round{hangs: time.Duration(1000+p.rng.IntN(4000)) * time.Millisecond, settle: p.rng.IntN(3) > 0}
		for range 1 + p.rng.IntN(2) {
			r.acts = append(r.acts, p.act())
		}
		out = append(out, r)
	}
	return out
}

// act draws one act.
func (p *planner) act() act {
	a := act{after: time.Duration(p.rng.IntN(sooner)) * time.Millisecond, away: p.rng.IntN(3) == 0}
	a.deed = p.deed()
	moment := p.moments[p.rng.IntN(len(p.moments))]
	free := slices.DeleteFunc(slices.Clone(p.names), func(n string) bool { return slices.Contains(p.busy, n) })
	pick := p.rng.IntN(len(names))
	switch a.deed {
	case killAll, breakDown, restart:
		a.away = false
		return a
	case add:
		a.away = false
		for _, n := range strings.Split(names, "") {
			if !slices.Contains(p.names, n) {
				a.name = n
				break
			}
		}
		if a.name == "" {
			return act{deed: killAll, after: a.after}
		}
		p.names = append(p.names, a.name)
		return a
	}
	if len(free) == 0 {
		return act{deed: killAll, after: a.after}
	}
	a.name = free[pick%len(free)]
	switch a.deed {
	case remove, lose:
		a.away = false
		if len(p.names) <= 2 || len(free) == 1 {
			a.deed = kill
			break
		}
		p.names = slices.DeleteFunc(p.names, func(n string) bool { return n == a.name })
	case die:
		a.moment = moment
	case hang:
		a.moment, a.away = moment, false
	case stall:
		a.away = false
	}
	if a.away || a.deed == hang || a.deed == stall {
		p.busy = append(p.busy, a.name)
	}
	return a
}

// deed draws what happens, the one that nothing but this suite shows most often.
func (p *planner) deed() deed {
	weights := []struct {
		deed   deed
		weight int
	}{{kill, 4}, {die, 8}, {stall, 2}, {hang, 4}, {stop, 2}, {wipe, 1}, {rewind, 1}, {killAll, 1}, {add, 2}, {remove, 1}, {lose, 1}}
	n := p.rng.IntN(30)
	for _, w := range weights {
		if n -= w.weight; n < 0 {
			return w.deed
		}
	}
	if len(p.outages) == 0 {
		return die
	}
	return p.outages[p.rng.IntN(len(p.outages))]
}
