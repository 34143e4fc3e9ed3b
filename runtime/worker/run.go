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
	"faust/runtime/control"
	"faust/runtime/table"
	"faust/runtime/topic"
	"faust/runtime/web"
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
	tallies  map[string]*tally // by agent
	failures *failures
	report   *reporter
	link     *link
	outage   *outage
	box      *outbox
	exact    *exact         // nil: at least once
	tasks    *taskSet       // of the script
	inner    sync.WaitGroup // goroutines of the worker itself
	hooks    *serial
	fetch    *fetcher
	leader   *leader
	watch    *watchdog
	finder   *control.Finder
	api      *web.API
	site     *site
	door     *door
	slot     *slot
	url      string // at which other workers reach this one; set before the group is joined
	group    atomic.Pointer[broker.Group]
	state    *state
	clocks   *clocks
	verbs    chan struct{} // held during a commit
	stage    chan struct{} // held while offsets are stored
	joined   chan struct{} // closed when group is set
	first    chan struct{} // closed at the first assignment
	once     sync.Once

	mu          sync.Mutex // also of site and slot, for those who look while they are opened
	reason      error      // why the worker stops
	operational bool
	stopping    bool
	joining     bool // the stop waits for tasks now
	transport   string
}

func newRun(ctx context.Context, cfg Config) *run {
	r := &run{
		cfg: cfg, app: cfg.App, set: cfg.App.Settings, log: cfg.Logger, begun: time.Now(),
		metrics: newMetrics(), verbs: make(chan struct{}, 1), stage: make(chan struct{}, 1), joined: make(chan struct{}), first: make(chan struct{}),
	}
	r.soft, r.end = context.WithCancelCause(ctx)
	lasting := context.WithoutCancel(ctx)
	r.work, r.kill = context.WithCancelCause(lasting)
	r.tasks = newTaskSet(lasting)
	r.hooks = &serial{name: "hooks", tasks: r.tasks}
	r.fetch = newFetcher(r)
	r.failures = newFailures(cfg.Faults)
	r.tallies = map[string]*tally{}
	for _, d := range r.app.Agents {
		r.tallies[d.Name] = &tally{seconds: r.metrics.runtime.WithLabelValues(d.Name)}
	}
	r.report = &reporter{
		log: r.log, metrics: r.metrics, tallies: r.tallies, failures: r.failures, breaks: r.fetch.breaks, broken: map[brokenKey]string{},
	}
	r.link = newLink(cfg, r.metrics.registry)
	r.outage = &outage{link: r.link, always: true, well: r.seeEnds, ends: func(err error, _ time.Duration) bool {
		if lost(err) {
			r.halt(err)
		}
		return lost(err)
	}}
	r.box = &outbox{
		link: r.link, metrics: r.metrics, report: r.report, version: r.set.Version, fail: r.halt,
		refused: &serial{name: "refused records", tasks: r.tasks},
	}
	r.leader = newLeader(r)
	r.state = newState(r)
	r.clocks = newClocks(r)
	if r.set.ProcessingGuarantee == app.ExactlyOnce {
		r.exact = newExact(r)
	}
	r.watch = &watchdog{machine: cfg.Machine, log: r.log}
	r.metrics.registry.MustRegister(&states{r})
	r.finder = control.NewFinder([]control.Looker{looker{&panel{r}}}, control.Access{Token: r.set.WebToken, Dial: cfg.Dial})
	r.api = web.NewAPI(web.APIConfig{Worker: &panel{r}, Console: cfg.Console, Live: r.live, Ready: r.checks, Logger: r.log})
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
	if err := r.enter(); err != nil {
		return err
	}
	info := Info{Transport: "none (no topics)", Web: r.site.url()}
	if r.slot != nil {
		info.Slot = r.slot.name
	}
	r.inner.Go(func() { r.watch.run(r.soft) })
	r.inner.Go(func() { r.keepTally(r.soft) })
	if r.needsBroker() {
		cfg, err := r.link.configure(r.soft)
		if err != nil {
			return err
		}
		info.Transport = transport(cfg)
	}
	r.mu.Lock()
	r.transport = info.Transport
	r.mu.Unlock()
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

// enter takes the slot in the data directory and opens what the worker is looked into through: its socket there and its web server.
func (r *run) enter() error {
	slot, err := r.takeSlot()
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.slot = slot
	r.mu.Unlock()
	if slot != nil && slot.copied {
		r.log.Warn("the data directory is a copy of another worker's: this worker has an identity of its own from now on", "folder", slot.dir)
	}
	if r.exact != nil && slot != nil {
		r.exact.id = r.set.GroupID() + "-" + slot.state.UUID // whoever has the slot next ends what this worker leaves open
	}
	if err := r.state.open(); err != nil {
		return err
	}
	site, err := r.openSite()
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.site = site
	r.mu.Unlock()
	r.door = r.openDoor()
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
	r.inner.Go(func() { r.outage.watch(r.soft) })
	if !r.consumes() {
		return nil
	}
	if err := r.state.prepare(r.soft, client); err != nil {
		return err
	}
	if err := r.clocks.prepare(r.soft, client); err != nil {
		return err
	}
	if r.slot != nil && r.slot.member() != "" {
		// the worker that had this slot died: its partitions need not wait for its session to end
		if err := client.Leave(r.soft, r.set.GroupID(), r.slot.member()); err != nil {
			r.log.Debug("dead member not removed from the group", "err", err)
		}
	}
	if r.exact != nil {
		// what this slot's last worker left open would hold up the recovery of its tables
		if err := r.exact.begin(r.soft); err != nil {
			return err
		}
	}
	cfg, err := r.link.configure(r.soft)
	if err != nil {
		return err
	}
	r.url = r.advertise(r.soft, cfg.Seeds)
	if err := r.state.standby.open(cfg); err != nil {
		return err
	}
	group, err := broker.Join(r.soft, cfg, r.groupConfig())
	if err != nil {
		return fmt.Errorf("join group %s: %w", r.set.GroupID(), err)
	}
	r.group.Store(group)
	close(r.joined)
	r.labour(group, client)
	r.awaitFirst(group)
	r.state.awaitGlobals(r.soft)
	return nil
}

// tellJoining is how often it is said that the group has not answered yet.
const tellJoining = 3 * time.Second

// awaitFirst waits for the first assignment and that its tables are here, or for the stop. A group of which a member has died answers when that one's session is over.
func (r *run) awaitFirst(group *broker.Group) {
	begun := time.Now()
	ticker := time.NewTicker(tellJoining)
	defer ticker.Stop()
	for {
		select {
		case <-r.first:
			return
		case <-r.soft.Done():
			return
		case <-ticker.C:
		}
		if _, generation := group.Member(); generation > 0 {
			continue // what takes its time now says so itself
		}
		waited := time.Since(begun)
		if left := r.session() - waited; left > 0 {
			r.log.Info("waiting for the group: a worker that died without leaving it is a member until its session is over", "left", left.Round(time.Second))
		} else {
			r.log.Warn("waiting for the group: it has not answered yet", "waited", waited.Round(time.Second))
		}
	}
}

// labour starts the worker's own goroutines that go with the membership.
func (r *run) labour(group *broker.Group, client *broker.Client) {
	r.inner.Go(func() { r.guard(r.fetch.loop(r.soft, group)) })
	r.inner.Go(func() { r.guard(r.commitLoop(r.soft)) })
	r.inner.Go(func() { r.sweep(r.soft, client) })
	if r.clocks.used() {
		r.inner.Go(func() { r.guard(r.clocks.keep(r.soft)) })
	}
	if r.state.used() {
		r.inner.Go(func() { r.state.watch(r.work) })
		r.inner.Go(func() { r.state.watchTopics(r.soft, client) })
	}
	if r.exact != nil {
		r.inner.Go(func() { r.exact.watch(r.soft) })
	}
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
		r.fetch.change(func(map[topic.Partition]*lane) {
			l := r.newLane(topic.Partition{Topic: d.Channel.Name()}, []*agent.Definition{d}, broker.Position{Offset: -1})
			r.startLane(l)
			r.fetch.channels = append(r.fetch.channels, l)
		})
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

// Shard implements app.Runtime.
func (r *run) Shard(t *table.Definition, partition int32) *table.Shard {
	return r.state.shard(t, partition)
}

// Await implements app.Runtime.
func (r *run) Await(ctx context.Context, t *table.Definition, partition int32) error {
	return r.state.await(ctx, shardKey{t, partition})
}

// Shards implements app.Runtime.
func (r *run) Shards(t *table.Definition) []*table.Shard { return r.state.shards(t) }

// Partitions implements app.Runtime.
func (r *run) Partitions(t *table.Definition) int32 { return r.state.partitions(t) }

// Home implements app.Runtime.
func (r *run) Home(t *table.Definition, partition int32) (string, error) {
	return r.state.home(t, partition)
}

// Copy implements app.Runtime.
func (r *run) Copy(t *table.Definition, partition int32) *table.Shard {
	return r.state.copy(t, partition)
}

// CopyHomes implements app.Runtime.
func (r *run) CopyHomes(t *table.Definition, partition int32) []string {
	return r.state.copyHomes(t, partition)
}

// Everywhere implements app.Runtime.
func (r *run) Everywhere(ctx context.Context, t *table.Definition) (app.Walk, error) {
	w, err := r.finder.Walk(ctx, control.Slicing{Table: t.Name, Now: true})
	if err != nil {
		return nil, err
	}
	return walking(w), nil
}

// TaskFailed implements app.Runtime.
func (r *run) TaskFailed(ctx context.Context, name string, err error) { r.report.task(ctx, name, err) }

// Stop implements app.Runtime.
func (r *run) Stop(code int) { r.halt(&app.Exit{Code: code}) }

// transport names the cluster for the banner.
func transport(cfg broker.Config) string {
	if cfg.Embedded && len(cfg.Seeds) > 0 {
		return fmt.Sprintf("embedded broker on %s (development)", cfg.Seeds[0])
	}
	return cfg.String()
}
