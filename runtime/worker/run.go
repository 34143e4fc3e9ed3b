package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/topic"
)

// run is one execution of a worker. It implements app.Runtime.
type run struct {
	cfg   Config
	app   *app.App
	set   *app.Settings
	log   *slog.Logger
	begun time.Time

	soft context.Context // ends when the stop begins
	end  context.CancelCauseFunc
	work context.Context // of actors; ends when they had their time to finish
	kill context.CancelCauseFunc

	metrics  *metrics
	report   *reporter
	link     *link
	box      *outbox
	tasks    *taskSet       // of the script
	inner    sync.WaitGroup // goroutines of the worker itself
	hooks    *serial
	fetch    *fetcher
	leader   *leader
	watch    *watchdog
	site     *site
	slot     *slot
	group    atomic.Pointer[broker.Group]
	channels []*lane       // of agents that read a channel
	stage    chan struct{} // held while offsets are stored
	joined   chan struct{} // closed when group is set
	first    chan struct{} // closed at the first assignment
	once     sync.Once

	mu          sync.Mutex
	reason      error // why the worker stops
	operational bool
	stopping    bool
	joining     bool // the stop waits for tasks now
}

func newRun(ctx context.Context, cfg Config) *run {
	r := &run{
		cfg: cfg, app: cfg.App, set: cfg.App.Settings, log: cfg.Logger, begun: time.Now(),
		metrics: newMetrics(), stage: make(chan struct{}, 1), joined: make(chan struct{}), first: make(chan struct{}),
	}
	r.soft, r.end = context.WithCancelCause(ctx)
	lasting := context.WithoutCancel(ctx)
	r.work, r.kill = context.WithCancelCause(lasting)
	r.tasks = newTaskSet(lasting)
	r.hooks = &serial{name: "hooks", tasks: r.tasks}
	r.fetch = newFetcher(r)
	r.report = &reporter{log: r.log, metrics: r.metrics, breaks: r.fetch.breaks, broken: map[brokenKey]string{}}
	r.link = newLink(cfg, r.metrics.registry)
	r.box = &outbox{
		link: r.link, metrics: r.metrics, report: r.report, version: r.set.Version, fail: r.halt,
		refused: &serial{name: "refused records", tasks: r.tasks},
	}
	r.leader = newLeader(r)
	r.watch = &watchdog{machine: cfg.Machine, log: r.log}
	r.metrics.registry.MustRegister(&states{r})
	return r
}

// halt begins the stop; the first reason that is an error is what Run gives back.
func (r *run) halt(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reason == nil && !(errors.Is(err, context.Canceled) && r.soft.Err() != nil) {
		r.reason = err
	}
	r.end(err)
}

// start does everything up to the tasks. It returns early, without an error, when the stop begins meanwhile.
func (r *run) start() error {
	site, err := r.openSite()
	if err != nil {
		return err
	}
	r.site = site
	info := Info{Transport: "none (no topics)", Web: site.url()}
	r.inner.Go(func() { r.watch.run(r.soft) })
	if r.needsBroker() {
		if err := r.prepare(&info); err != nil {
			return err
		}
	}
	if f := r.cfg.Events.Started; f != nil {
		f(info)
	}
	r.log.Info("worker starts", "app", r.set.GroupID(), "transport", info.Transport, "web", info.Web)
	if r.needsBroker() {
		if err := r.join(); err != nil {
			return err
		}
	}
	r.startChannels()
	if r.soft.Err() != nil {
		return nil
	}
	info.Took = time.Since(r.begun)
	r.ready(info)
	return nil
}

// needsBroker tells whether the app has to reach a broker before anything of it happens.
func (r *run) needsBroker() bool {
	return len(r.app.Topics) > 0 || r.consumes()
}

// consumes tells whether the worker is a member of the group.
func (r *run) consumes() bool { return len(r.topics()) > 0 }

// prepare finds the cluster and takes the slot in the data directory.
func (r *run) prepare(info *Info) error {
	cfg, err := r.link.configure(r.soft)
	if err != nil {
		return err
	}
	info.Transport = transport(cfg)
	if r.set.Datadir == "" {
		return nil
	}
	if r.slot, err = openSlot(r.set.Datadir, r.set.GroupID()); err != nil {
		return err
	}
	info.Slot = r.slot.name
	return nil
}

// join connects, makes sure of the topics, becomes a member of the group and waits for the first assignment.
func (r *run) join() error {
	client, err := r.link.connect(r.soft)
	if err != nil {
		return err
	}
	if err := r.link.ensure(r.soft, declaredTopics(r.app)); err != nil {
		return err
	}
	r.inner.Go(func() { r.watchBroker(r.soft) })
	if !r.consumes() {
		return nil
	}
	if r.slot != nil && r.slot.member() != "" {
		// the worker that had this slot died: its partitions need not wait for its session to end
		if err := client.Leave(r.soft, r.set.GroupID(), r.slot.member()); err != nil {
			r.log.Debug("dead member not removed from the group", "err", err)
		}
	}
	cfg, err := r.link.configure(r.soft)
	if err != nil {
		return err
	}
	group, err := broker.Join(r.soft, cfg, r.groupConfig())
	if err != nil {
		return fmt.Errorf("join group %s: %w", r.set.GroupID(), err)
	}
	r.group.Store(group)
	close(r.joined)
	r.inner.Go(func() { r.guard(r.fetch.loop(r.soft, group)) })
	r.inner.Go(func() { r.guard(r.commitLoop(r.soft)) })
	select {
	case <-r.first:
	case <-r.soft.Done():
	}
	return nil
}

// guard ends the worker if err is not nil.
func (r *run) guard(err error) {
	if err != nil {
		r.halt(err)
	}
}

// firstAssigned tells that the group has answered.
func (r *run) firstAssigned() { r.once.Do(func() { close(r.first) }) }

// keepMember remembers the member id for the next worker that takes the slot.
func (r *run) keepMember() {
	group := r.group.Load()
	if r.slot == nil || group == nil {
		return
	}
	if member, _ := group.Member(); member != "" {
		if err := r.slot.keep(member); err != nil {
			r.log.Warn("member id not kept", "err", err)
		}
	}
}

// startChannels runs the agents that read a channel.
func (r *run) startChannels() {
	for _, d := range r.app.Agents {
		if d.Channel == nil {
			continue
		}
		l := r.newLane(topic.Partition{Topic: d.Channel.Name()}, []*agent.Definition{d}, -1)
		r.startLane(l)
		r.channels = append(r.channels, l)
	}
}

// ready starts what waits for the worker to be fully operational.
func (r *run) ready(info Info) {
	r.mu.Lock()
	r.operational = true
	r.mu.Unlock()
	r.keepMember()
	if f := r.cfg.Events.Ready; f != nil {
		f(info)
	}
	r.log.Info("worker ready", "app", r.set.GroupID(), "took", info.Took.Round(time.Millisecond))
	for _, t := range r.app.Tasks {
		if !t.OnLeader {
			name := "task " + t.Name
			r.tasks.run(r.tasks.ctx, name, func(ctx context.Context) { r.report.task(ctx, name, t.Run(ctx)) })
		}
	}
	base := time.Now()
	always := func(context.Context, *app.Timer, time.Time) bool { return true }
	for _, t := range r.app.Timers {
		if !t.OnLeader {
			r.inner.Go(func() { r.runTimer(r.soft, t, base, always) })
		}
	}
	r.leader.operational()
}

// Send implements app.Runtime.
func (r *run) Send(ctx context.Context, rec *topic.Record, done func(topic.Record, error)) error {
	r.metrics.sent.Inc()
	return r.link.send(ctx, rec, r.told(done))
}

// TrySend implements app.Runtime.
func (r *run) TrySend(rec *topic.Record, done func(topic.Record, error)) bool {
	if !r.link.trySend(rec, r.told(done)) {
		return false
	}
	r.metrics.sent.Inc()
	return true
}

// told makes done hear of a record after the worker.
func (r *run) told(done func(topic.Record, error)) func(topic.Record, error) {
	return func(stored topic.Record, err error) {
		if err != nil {
			r.metrics.refused.Inc()
			r.sendFailed(stored, err)
		}
		if done != nil {
			done(stored, err)
		}
	}
}

// sendFailed tells of a record that was not stored and that no event is to blame for.
func (r *run) sendFailed(rec topic.Record, err error) {
	r.log.Error("record not stored", "topic", rec.Topic, "key", string(rec.Key), "err", err)
	if len(r.app.Hooks.ProduceError) > 0 {
		r.hooks.add(func(ctx context.Context) {
			for _, hook := range r.app.Hooks.ProduceError {
				r.report.task(ctx, "produce_error", hook(ctx, rec, err))
			}
		})
	}
}

// Request implements app.Runtime.
func (r *run) Request(ctx context.Context, rec *topic.Record, answer func(topic.Record, error)) error {
	r.metrics.requests.Inc()
	return r.link.request(ctx, rec, answer)
}

// Go implements app.Runtime.
func (r *run) Go(ctx context.Context, name string, f func(ctx context.Context)) {
	r.tasks.run(ctx, name, f)
}

// Stop implements app.Runtime.
func (r *run) Stop(code int) { r.halt(&app.Exit{Code: code}) }

// transport names the cluster for the banner.
func transport(cfg broker.Config) string {
	if cfg.Embedded && len(cfg.Seeds) > 0 {
		return fmt.Sprintf("embedded broker on %s (development)", cfg.Seeds[0])
	}
	return cfg.String()
}
