package worker

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"faust/runtime/agent"
	"faust/runtime/control"
	"faust/runtime/topic"
)

// panel is a running worker as the outside sees it. It implements control.Worker.
type panel struct{ run *run }

var _ control.Worker = (*panel)(nil)

// Status implements control.Worker.
func (p *panel) Status() control.Status {
	r := p.run
	now := time.Now()
	s := control.Status{
		App: r.set.GroupID(), ID: r.set.ID, Version: r.set.Version, Program: r.cfg.Program, File: absolute(r.app.File),
		PID: os.Getpid(), Started: r.begun, Leader: r.leader.leads(), Problems: r.problems(), Agents: r.agents(now),
	}
	if r.set.Datadir != "" {
		s.Datadir = absolute(r.set.Datadir)
	}
	s.Host, _ = os.Hostname() // "" tells as much
	r.mu.Lock()
	s.Operational, s.Stopping, s.Transport = r.operational, r.stopping, r.transport
	if r.slot != nil {
		s.Slot = r.slot.name
	}
	s.Web = r.site.url()
	r.mu.Unlock()
	if group := r.group.Load(); group != nil {
		s.Member, _ = group.Member()
	}
	s.Unsent, _ = r.unsent()
	s.Copies = r.state.standby.status()
	var times []timed
	for _, t := range r.tallies {
		times = append(times, t.times(now)...)
	}
	s.P99 = quantile(times, 0.99)
	lag := map[topic.Partition]int64{}
	for _, a := range s.Agents {
		s.Processed += a.Processed
		s.Failed += a.Failed
		s.Rate += a.Rate
		s.LagTime = max(s.LagTime, a.LagTime)
		for _, q := range a.Partitions {
			key := topic.Partition{Topic: q.Topic, ID: q.ID}
			lag[key] = max(lag[key], q.Lag)
		}
	}
	for _, n := range lag {
		s.Lag += n
	}
	return s
}

// unsent is what was sent and is not stored.
func (r *run) unsent() (records int, bytes int64) {
	n, bytes := r.link.gauge.level()
	return int(n), bytes
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// problems tells why the worker is not ready.
func (r *run) problems() []string {
	r.mu.Lock()
	operational, stopping := r.operational, r.stopping
	r.mu.Unlock()
	list := []string{}
	if stopping {
		list = append(list, "the worker stops")
	} else if !operational {
		list = append(list, "the worker starts")
	}
	if err := r.outage.now(); err != nil {
		list = append(list, err.Error())
	}
	return append(list, r.report.reasons()...)
}

// agents tells of all agents of the app, in order of declaration.
func (r *run) agents(now time.Time) []control.Agent {
	lanes := r.fetch.all()
	r.count(lanes)
	off := r.fetch.pausedAgents()
	reasons := r.report.brokenProcs()
	list := make([]control.Agent, len(r.app.Agents))
	index := map[string]*control.Agent{}
	for i, d := range r.app.Agents {
		t := r.tallies[d.Name]
		list[i] = control.Agent{
			Name: d.Name, Paused: off[d.Name], Processed: t.processed.Load(), Failed: t.failed.Load(), Rate: t.rate(),
			P99: quantile(t.times(now), 0.99), Partitions: []control.Partition{},
		}
		index[d.Name] = &list[i]
	}
	for _, l := range lanes {
		for _, p := range l.procs {
			a := index[p.def.Name]
			q := l.state(p, now)
			q.Broken = reasons[brokenKey{p.def.Name, l.partition}]
			a.Partitions = append(a.Partitions, q)
			a.Lag += q.Lag
			a.LagTime = max(a.LagTime, q.LagTime)
		}
	}
	for _, a := range list {
		slices.SortFunc(a.Partitions, func(x, y control.Partition) int {
			return cmp.Or(strings.Compare(x.Topic, y.Topic), cmp.Compare(x.ID, y.ID))
		})
	}
	return list
}

// state is where a processor stands.
func (l *lane) state(p *proc, now time.Time) control.Partition {
	g := p.Progress()
	q := control.Partition{Topic: l.partition.Topic, ID: l.partition.ID, Committed: -1, End: -1, Queued: g.Queued, Unsettled: g.Unsettled}
	if p.def.Channel != nil {
		q.Lag = int64(g.Queued)
		return q
	}
	lag := l.lag(p, now)
	q.Committed, q.End, q.Lag, q.LagTime = l.committed.Load(), lag.end, lag.records, lag.waited.Seconds()
	return q
}

// Errors implements control.Worker.
func (p *panel) Errors(limit int) []control.Failure { return p.run.failures.list(limit) }

// Tasks implements control.Worker.
func (p *panel) Tasks() []control.Task {
	if m := p.run.cfg.Machine; m != nil {
		return m.Tasks()
	}
	return nil
}

// Pause implements control.Worker.
func (p *panel) Pause(name string) error {
	if !p.known(name) {
		return control.ErrUnknown
	}
	if p.run.fetch.pauseAgent(name) {
		p.run.log.Warn("agent paused", "agent", name)
	}
	return nil
}

// Resume implements control.Worker.
func (p *panel) Resume(name string) error {
	if !p.known(name) {
		return control.ErrUnknown
	}
	if p.run.fetch.resumeAgent(name) {
		p.run.log.Warn("agent resumed", "agent", name)
	}
	return nil
}

func (p *panel) known(name string) bool {
	return slices.ContainsFunc(p.run.app.Agents, func(d *agent.Definition) bool { return d.Name == name })
}

// Channels implements control.Worker.
func (p *panel) Channels() []string {
	names := []string{}
	for _, c := range p.run.app.Channels {
		names = append(names, c.Name())
	}
	return names
}

// Tail implements control.Worker.
func (p *panel) Tail(name string, f func(control.Message)) (stop func(), err error) {
	for _, c := range p.run.app.Channels {
		if c.Name() == name {
			return c.Tap(func(r topic.Record) {
				f(control.Message{Time: time.UnixMilli(r.Timestamp), Key: shown(r.Key, false), Value: shown(r.Value, true)})
			}), nil
		}
	}
	return nil, control.ErrUnknown
}

// shown writes bytes for a person: JSON and plain text as they are, the rest quoted as Lua would.
func shown(b []byte, value bool) string {
	switch {
	case b == nil && value:
		return "nil"
	case value && json.Valid(b), !value && printable(b):
		return string(b)
	}
	var s strings.Builder
	s.WriteByte('"')
	for len(b) > 0 {
		c, n := utf8.DecodeRune(b)
		switch {
		case c == utf8.RuneError && n == 1, !unicode.IsPrint(c):
			for _, x := range b[:n] {
				fmt.Fprintf(&s, `\%03d`, x)
			}
		case c == '"' || c == '\\':
			s.WriteString(`\` + string(c))
		default:
			s.WriteRune(c)
		}
		b = b[n:]
	}
	s.WriteByte('"')
	return s.String()
}

func printable(b []byte) bool {
	return utf8.Valid(b) && strings.IndexFunc(string(b), func(c rune) bool { return !unicode.IsPrint(c) }) < 0
}

// Log implements control.Worker.
func (p *panel) Log(level string, f func(control.Line)) (stop func(), err error) {
	if p.run.cfg.Log == nil {
		return nil, fmt.Errorf("log at level %s: %w", strconv.Quote(level), control.ErrUnknown)
	}
	return p.run.cfg.Log(level, f)
}
