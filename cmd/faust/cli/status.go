package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/control"
	"faust/runtime/topic"
	"faust/runtime/worker"
)

const (
	// statusPatience is how long a worker may take to answer.
	statusPatience = 3 * time.Second
	// groupPatience is how long the broker may take.
	groupPatience = 6 * time.Second
	// watchEvery is how often --watch looks.
	watchEvery = 2 * time.Second
	// statusErrors is how many groups of errors are shown of a worker.
	statusErrors = 5
)

func (s *session) statusCommand() builtin {
	var watch bool
	return builtin{
		group: looking, use: "status", short: "The workers that run: agents, lag, errors.",
		flags: func(set *pflag.FlagSet) {
			set.BoolVar(&watch, "watch", false, "show it again every 2 seconds, until ^C")
		},
		long: `It asks the workers that run with this data directory, and the broker about the app's group, in which there may be workers elsewhere. Without an app it shows the workers of all apps
of the data directory. An embedded broker that does not run is not started.

LAG is how many records are there and not processed, WAITS how long the oldest of them has. The exit code is 1 if no worker runs.`,
		example: "status\nstatus --json",
		run:     func(ctx context.Context, _ []string) error { return s.runStatus(ctx, watch) },
	}
}

// statusReport is what status shows.
type statusReport struct {
	App     string         `json:"app,omitempty"` // the group; "": all of the data directory
	Datadir string         `json:"datadir"`
	Workers []workerReport `json:"workers"`
	Group   *groupReport   `json:"group,omitempty"`  // nil: there is none, or the broker was not reached
	Broker  string         `json:"broker,omitempty"` // why the broker was not asked

	asleep bool // it is an embedded one that does not run
}

// workerReport is a worker of the data directory.
type workerReport struct {
	control.Status
	Errors  []control.Failure `json:"errors"`
	Socket  string            `json:"socket"`
	Problem string            `json:"problem,omitempty"` // why it was not asked; the status is empty then

	gone bool // it stopped meanwhile
}

// groupReport is the group as the broker has it.
type groupReport struct {
	State   string         `json:"state"`
	Members []memberReport `json:"members"`
	Topics  []topicReport  `json:"topics"`
}

// memberReport is a member of the group.
type memberReport struct {
	ID         string   `json:"id"`
	Client     string   `json:"client"`
	Host       string   `json:"host"`
	Here       bool     `json:"here"`           // it is one of the workers
	Died       string   `json:"died,omitempty"` // the slot of a worker here that died; the group waits until its session ends
	Partitions []string `json:"partitions"`
}

// topicReport is how far the group is in a topic.
type topicReport struct {
	Topic      string            `json:"topic"`
	Lag        int64             `json:"lag"`
	LagTime    float64           `json:"lag_time"` // seconds; 0: nothing waits, or it is not known
	Partitions []partitionReport `json:"partitions"`
}

// partitionReport is how far the group is in a partition; -1: not known.
type partitionReport struct {
	Partition int32  `json:"partition"`
	Committed int64  `json:"committed"`
	End       int64  `json:"end"`
	Lag       int64  `json:"lag"`
	Member    string `json:"member,omitempty"`
}

func (s *session) runStatus(ctx context.Context, watch bool) error {
	settings, err := s.settings()
	if err != nil {
		return err
	}
	ctx, signals, stop := s.listen(ctx, nil, nil)
	defer stop()
	l := &statusLook{session: s, settings: settings}
	defer l.close()
	for first := true; ; first = false {
		r, err := l.look(ctx)
		if ctx.Err() != nil { // what was found out until then is not all
			if watch {
				return nil
			}
			return ended(context.Cause(ctx), signals)
		}
		if err != nil {
			return err
		}
		if err := s.showStatus(r, watch, first); err != nil || !watch {
			if err == nil && r.running() == 0 {
				err = &app.Exit{Code: exitFailed}
			}
			return err
		}
		select {
		case <-time.After(watchEvery):
		case <-ctx.Done():
			return nil
		}
	}
}

// running is how many workers run, here and elsewhere.
func (r *statusReport) running() int {
	n := len(r.Workers)
	if r.Group != nil {
		for _, m := range r.Group.Members {
			if !m.Here && m.Died == "" {
				n++
			}
		}
	}
	return n
}

// statusLook looks at workers and group, again and again.
type statusLook struct {
	session  *session
	settings *app.Settings
	client   *broker.Client // once the broker was reached
}

func (l *statusLook) close() {
	if l.client != nil {
		l.client.Close()
	}
}

func (l *statusLook) look(ctx context.Context) (*statusReport, error) {
	r := &statusReport{Datadir: l.settings.Datadir, Workers: []workerReport{}}
	if l.session.app != nil {
		r.App = l.settings.GroupID()
	}
	clients, err := control.Workers(ctx, l.settings.Datadir, r.App)
	var denied *control.Error
	if errors.As(err, &denied) {
		r.Workers = append(r.Workers, workerReport{Problem: denied.Text})
	} else if err != nil {
		return nil, err
	}
	r.Workers = append(r.Workers, askWorkers(ctx, clients)...)
	topics := l.topics()
	if len(topics) == 0 {
		return r, nil
	}
	ctx, cancel := context.WithTimeout(ctx, groupPatience)
	defer cancel()
	if r.Group, err = l.group(ctx, r, topics); err != nil {
		var kafka *broker.Error
		r.Broker, r.asleep = err.Error(), errors.As(err, &kafka) && kafka.Class == broker.Embedded
	}
	return r, nil
}

// askWorkers asks all workers at the same time.
func askWorkers(ctx context.Context, clients []*control.Client) []workerReport {
	list := make([]workerReport, len(clients))
	var all sync.WaitGroup
	for i, c := range clients {
		all.Go(func() {
			defer c.Close()
			ctx, cancel := context.WithTimeoutCause(ctx, statusPatience, fmt.Errorf("it does not answer within %s", statusPatience))
			defer cancel()
			w := workerReport{Socket: c.String(), Errors: []control.Failure{}}
			var err error
			if w.Status, err = c.Status(ctx); err == nil {
				w.Errors, err = c.Errors(ctx, statusErrors)
			}
			if err != nil {
				w.Problem, w.gone = err.Error(), errors.Is(err, control.ErrGone)
			}
			list[i] = w
		})
	}
	all.Wait()
	return slices.DeleteFunc(list, func(w workerReport) bool { return w.gone })
}

// topics are what the app's agents read.
func (l *statusLook) topics() (names []string) {
	if l.session.app == nil {
		return nil
	}
	for _, d := range l.session.app.script.App.Agents {
		for _, t := range d.Topics {
			if !slices.Contains(names, t.Name) {
				names = append(names, t.Name)
			}
		}
	}
	return names
}

// group asks the broker about the group.
func (l *statusLook) group(ctx context.Context, r *statusReport, topics []string) (*groupReport, error) {
	if l.client == nil {
		cfg, err := l.session.newSource(l.settings, nil).look(ctx)
		if err == nil {
			l.client, err = broker.Open(ctx, cfg)
		}
		if err != nil {
			return nil, err
		}
	}
	info, err := l.client.Group(ctx, r.App, topics...)
	if err != nil {
		return nil, err
	}
	g := &groupReport{State: info.State, Members: []memberReport{}, Topics: []topicReport{}}
	left := worker.LeftBehind(l.settings.Datadir, r.App)
	for _, m := range info.Members {
		row := memberReport{ID: m.ID, Client: m.Client, Host: m.Host, Partitions: []string{}}
		row.Here = slices.ContainsFunc(r.Workers, func(w workerReport) bool { return w.Member == m.ID })
		if !row.Here {
			row.Died = left[m.ID]
		}
		for _, p := range m.Partitions {
			row.Partitions = append(row.Partitions, p.String())
		}
		g.Members = append(g.Members, row)
	}
	for _, name := range topics {
		g.Topics = append(g.Topics, l.topic(ctx, name, info))
	}
	return g, nil
}

// topic is how far the group is in a topic.
func (l *statusLook) topic(ctx context.Context, name string, info broker.GroupInfo) topicReport {
	t := topicReport{Topic: name, Partitions: []partitionReport{}}
	committed := map[int32]int64{}
	for _, p := range info.Partitions {
		if p.Topic == name {
			t.Partitions = append(t.Partitions, partitionReport{p.ID, p.Committed, p.End, p.Lag, p.Member})
			t.Lag += p.Lag
			if p.Committed >= 0 {
				committed[p.ID] = p.Committed
			}
		}
	}
	if t.Lag > 0 {
		if since, err := l.oldest(ctx, name, committed); err == nil { // else it is not known
			t.LagTime = max(time.Since(since).Seconds(), 0)
		}
	}
	return t
}

// oldest tells when the oldest record of a topic was made that the group has not committed.
func (l *statusLook) oldest(ctx context.Context, name string, committed map[int32]int64) (at time.Time, err error) {
	enough := errors.New("one is enough")
	what := broker.Reading{Topic: name, From: broker.From{Kind: broker.FromOffsets, Offsets: committed}}
	err = l.client.Read(ctx, what, func(records []topic.Record) error {
		if len(records) == 0 {
			return nil
		}
		at = time.UnixMilli(records[0].Timestamp)
		return enough
	})
	if errors.Is(err, enough) {
		return at, nil
	}
	return at, errors.Join(err, errNothing)
}

var errNothing = errors.New("there is no record")
