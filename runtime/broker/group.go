package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"faust/runtime/topic"
)

const (
	defaultSession   = 10 * time.Second
	rebalanceTimeout = 60 * time.Second
	// What a fetch brings, compressed. So little of a partition at a time stays in the processor's caches and keeps memory small; what is larger
	// than that comes alone.
	fetchBytes     = 1 << 20
	partitionBytes = 64 << 10
	// A fetch in flight does not see a partition that is resumed meanwhile, so this bounds the delay of Resume.
	fetchWait = 500 * time.Millisecond
	// Within this time a topic's new partitions are given to members.
	growthSeen = 30 * time.Second
)

// GroupConfig is a membership in a consumer group.
type GroupConfig struct {
	Group          string
	Topics         []string
	Reset          string        // earliest (default), latest: where to start without a committed offset, or with one beyond the end; not for partitions that are new. What is deleted is left out, no more than that
	Whole          []string      // topics that are read from their first record without a committed offset, whatever Reset says
	SessionTimeout time.Duration // 0: 10 s
	Heartbeat      time.Duration // 0: 1 s, or a third of the session
	// What belongs together: one member has it all, or none. A topic in no tie goes partition by partition.
	Ties        []Tie
	URL         string                 // at which other workers reach this one; may be empty
	Transaction string                 // transactional id of this worker's writes; may be empty
	Stored      func() map[Shard]int64 // up to which offset of its changelog each local store is, asked at every join; it must not wait; may be nil
	Replicas    int                    // of how many other members each table is to have a copy; 0: of none, and this one keeps none
	Copies      func() map[Shard]bool  // the copies that this member keeps, true: as far as the changelog; asked at every join; it must not wait; may be nil
	// Called in order, one at a time, on the group's goroutine. Assigned partitions are paused until Resume; Assigned is called with
	// nothing when a rebalance brought nothing new. Its context ends when the next rebalance begins; its error means that it has not taken the partitions, and
	// that they are to be assigned again then. Revoked may wait (the rebalance waits
	// with it, up to the rebalance time-out of 60 s); its partitions can still be committed inside. Lost partitions belong to somebody else already.
	Assigned func(ctx context.Context, ps map[topic.Partition]int64) error // with the offset to start from
	Revoked  func(ctx context.Context, ps []topic.Partition)
	Lost     func(ctx context.Context, ps []topic.Partition)
}

// Group is a running membership. Balancing is cooperative and sticky and keeps ties together; offsets are committed by Commit only.
type Group struct {
	cfg    Config
	group  GroupConfig
	kafka  *kgo.Client
	admin  *kadm.Client
	log    faultLog
	units  *balancer
	counts map[string]int     // partitions of each topic when the membership began: others are new
	life   context.Context    // of the client
	cancel context.CancelFunc // of life: no request leaves any more

	abandoned atomic.Bool
	starting  atomic.Bool // partitions were announced and it is not known yet where they start
	closing   sync.Once
	closed    chan struct{}
	hearing   hearing

	coordinator *int32 // the node; nil: not known. It belongs to CommitOnce and Transactor.Offsets, of which one is called at a time

	pool    recordPool
	polling sync.Mutex // held while records are polled and delivered

	mu       sync.Mutex
	owned    map[topic.Partition]bool // announced by Assigned; may be committed
	fetched  map[topic.Partition]bool // delivered; a part of owned
	dropped  map[topic.Partition]bool // lost with an earlier membership, see claims
	barriers int
	wake     context.CancelFunc // of the poll that waits
}

// Join starts a membership with connections of its own (cfg is the client's configuration). The topics have to exist.
func Join(ctx context.Context, cfg Config, group GroupConfig) (*Group, error) {
	if group.SessionTimeout == 0 {
		group.SessionTimeout = defaultSession
	}
	if group.Heartbeat == 0 {
		group.Heartbeat = min(time.Second, group.SessionTimeout/3)
	}
	g := &Group{cfg: cfg, group: group, closed: make(chan struct{}), owned: map[topic.Partition]bool{}, fetched: map[topic.Partition]bool{}, dropped: map[topic.Partition]bool{}}
	g.log.log = cfg.logger()
	g.units = &balancer{log: cfg.logger(), self: joinData{
		ties: group.Ties, url: group.URL, transaction: group.Transaction, replicas: group.Replicas,
	}, stored: group.Stored, copies: group.Copies, claims: g.claims, undropped: g.undropped}
	g.life, g.cancel = context.WithCancel(context.Background())
	kafka, err := kgo.NewClient(append(cfg.options("consumer"), g.options()...)...)
	if err != nil {
		g.cancel()
		return nil, fmt.Errorf("join group %s: %w", group.Group, err)
	}
	g.kafka, g.admin = kafka, kadm.NewClient(kafka)
	if err := g.ask(ctx); err != nil {
		g.Abandon()
		return nil, fmt.Errorf("join group %s: %w", group.Group, err)
	}
	kafka.AddConsumeTopics(group.Topics...)
	return g, nil
}

func (g *Group) options() []kgo.Opt {
	return []kgo.Opt{
		kgo.MaxVersions(byName()),
		kgo.WithContext(g.life),
		kgo.AlwaysRetryEOF(),
		kgo.ConsumerGroup(g.group.Group),
		kgo.Balancers(g.units, fallback{kgo.CooperativeStickyBalancer(), g.units}),
		kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // of what was deleted before it could be read: where to start is what assign says
		kgo.SessionTimeout(g.group.SessionTimeout),
		kgo.HeartbeatInterval(g.group.Heartbeat),
		kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.MetadataMaxAge(growthSeen),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(partitionBytes),
		kgo.FetchMaxWait(fetchWait),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // they take offsets
		kgo.WithPools(&g.pool),
		kgo.OnPartitionsAssigned(g.announce),
		kgo.AdjustFetchOffsetsFn(g.assign),
		kgo.OnPartitionsRevoked(g.revoke),
		kgo.OnPartitionsLost(g.lose),
		kgo.WithHooks((*ear)(g)),
	}
}

// byName keeps commits to the versions that name topics; from 10 on they go by topic id, which a topic that was created anew changes.
func byName() *kversion.Versions {
	v := kversion.Stable()
	v.SetMaxKeyVersion(kmsg.NewPtrOffsetCommitRequest().Key(), 9)
	return v
}

// ask makes sure that the topics exist and that the group may be used.
func (g *Group) ask(ctx context.Context) error {
	found, err := existing(ctx, g.kafka, g.group.Topics)
	if err != nil {
		return g.wrap(err)
	}
	g.counts = map[string]int{}
	for _, name := range g.group.Topics {
		t, ok := found[name]
		if !ok {
			return topicError(name, kerr.UnknownTopicOrPartition, "")
		}
		g.counts[name] = len(t.Partitions)
	}
	return nil
}

func (g *Group) wrap(err error) error {
	subject := g.cfg.Seeds[0]
	if errors.Is(err, kerr.GroupAuthorizationFailed) {
		subject = "group " + g.group.Group
	}
	if errors.Is(err, kgo.ErrClientClosed) {
		return ErrClosed
	}
	if e := classify(subject, g.cfg.TLS != nil, err); e != nil {
		return e
	}
	return err
}

// announce holds new partitions back until assign knows where they start. Nothing new is an assignment too.
func (g *Group) announce(ctx context.Context, _ *kgo.Client, ps map[string][]int32) {
	g.kafka.PauseFetchPartitions(ps)
	g.starting.Store(len(ps) > 0)
	if len(ps) == 0 && g.group.Assigned != nil && !g.abandoned.Load() {
		_ = g.group.Assigned(ctx, nil) // there is nothing to take
	}
}

// assign learns where new partitions start and hands them to the caller. It runs after the offsets were fetched and before fetching begins.
func (g *Group) assign(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	if len(offsets) == 0 || g.abandoned.Load() {
		return offsets, nil
	}
	offsets, starts, err := g.starts(ctx, offsets)
	if err != nil {
		return nil, err
	}
	g.starting.Store(false)
	if len(starts) == 0 {
		return offsets, nil
	}
	// A topic that was created anew is assigned a second time.
	if again := g.take(slices.Collect(maps.Keys(starts))); len(again) > 0 {
		g.yield(ctx, again)
	}
	g.barrier(nil) // a poll from before the assignment must not find the partitions open
	g.mu.Lock()
	for p := range starts {
		g.owned[p] = true
	}
	g.mu.Unlock()
	if g.group.Assigned != nil && !g.abandoned.Load() {
		if err := g.group.Assigned(ctx, starts); err != nil {
			g.disown(slices.Collect(maps.Keys(starts)))
			return nil, err
		}
	}
	g.mu.Lock()
	for p := range starts {
		g.fetched[p] = g.owned[p] // from now on Seek may move them, and what is fetched is delivered
	}
	g.mu.Unlock()
	return offsets, nil
}

func (g *Group) revoke(ctx context.Context, _ *kgo.Client, lost map[string][]int32) {
	all := partitions(lost)
	ps := g.take(all)
	g.barrier(ps)
	g.call(ctx, g.group.Revoked, ps)
	g.disown(ps)
	g.heard(all)
	g.kafka.ResumeFetchPartitions(lost)
}

func (g *Group) lose(ctx context.Context, _ *kgo.Client, lost map[string][]int32) {
	all := partitions(lost)
	g.yield(ctx, g.take(all))
	g.heard(all)
	g.kafka.ResumeFetchPartitions(lost)
}

// yield gives partitions up that belong to somebody else already.
func (g *Group) yield(ctx context.Context, ps []topic.Partition) {
	g.barrier(ps)
	g.disown(ps)
	g.call(ctx, g.group.Lost, ps)
}

func (g *Group) call(ctx context.Context, f func(context.Context, []topic.Partition), ps []topic.Partition) {
	if f != nil && len(ps) > 0 && !g.abandoned.Load() {
		f(ctx, ps)
	}
}

// take gives those of ps that were announced, in order.
func (g *Group) take(ps []topic.Partition) []topic.Partition {
	g.mu.Lock()
	defer g.mu.Unlock()
	ps = slices.DeleteFunc(slices.Clone(ps), func(p topic.Partition) bool { return !g.owned[p] })
	slices.SortFunc(ps, func(a, b topic.Partition) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.ID - b.ID)
	})
	return ps
}

// interrupt ends a running poll, and lets no other one begin until end is called.
func (g *Group) interrupt() (end func()) {
	g.mu.Lock()
	g.barriers++
	if g.wake != nil {
		g.wake()
	}
	g.mu.Unlock()
	g.polling.Lock()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.barriers--
	return g.polling.Unlock
}

// barrier ends the delivery of ps: what a running poll has of them is delivered before it returns, nothing after.
func (g *Group) barrier(ps []topic.Partition) {
	defer g.interrupt()()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range ps {
		delete(g.fetched, p)
	}
}

func (g *Group) disown(ps []topic.Partition) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range ps {
		delete(g.owned, p)
	}
}

// Pause and Resume stop and restart fetching of partitions. What was buffered of a paused partition is fetched again: use it seldom.
func (g *Group) Pause(ps ...topic.Partition) {
	if len(ps) > 0 {
		g.kafka.PauseFetchPartitions(byTopic(ps))
	}
}

// Resume restarts fetching; it takes effect within half a second.
func (g *Group) Resume(ps ...topic.Partition) {
	if len(ps) > 0 {
		g.kafka.ResumeFetchPartitions(byTopic(ps))
	}
}

// Member gives the member id and generation; "" before the first join.
func (g *Group) Member() (id string, generation int32) { return g.kafka.GroupMetadata() }

// Standing says in words where the member is, for a person.
func (g *Group) Standing() string {
	id, generation := g.Member()
	g.mu.Lock()
	owned, fetched, dropped := len(g.owned), len(g.fetched), len(g.dropped)
	g.mu.Unlock()
	text := fmt.Sprintf("member %q, generation %d, %d partitions, %d fetched", id, generation, owned, fetched)
	if dropped > 0 {
		text += fmt.Sprintf(", %d lost with an earlier membership", dropped)
	}
	if g.Starting() {
		text += ", offsets of new ones awaited"
	}
	return text
}

// Starting tells whether there are new partitions of which the offsets are still awaited.
func (g *Group) Starting() bool { return g.starting.Load() }

// Owner gives the URL of the worker that has a partition, "" if that says none; false: nobody has it for the moment, or it is not known. It is as of the last assignment.
func (g *Group) Owner(p topic.Partition) (url string, ok bool) {
	told := g.units.last()
	return told.owners.of(p.Topic, p.ID, false)
}

// ShardOwner is Owner for a partition of a table.
func (g *Group) ShardOwner(s Shard) (url string, ok bool) {
	told := g.units.last()
	return told.owners.of(s.Table, s.Partition, true)
}

// ShardCopies gives the URLs of the workers that keep a copy of a partition of a table, as of the last assignment.
func (g *Group) ShardCopies(s Shard) []string {
	told := g.units.last()
	return told.owners.ofTable(s.Table, s.Partition)
}

// Standbys are the shards of which this member is to keep a copy, as of the last assignment, and those of them that it is to have once the copy is as far as the
// changelog: then it is to Rejoin.
func (g *Group) Standbys() (all, warming []Shard) {
	told := g.units.last()
	return told.standbys, told.warming
}

// Rejoin makes the group assign anew, by what Copies says then. It does not wait.
func (g *Group) Rejoin() { g.kafka.ForceRebalance() }

// URLs are those of all members that have something, as of the last assignment; "" stands for members without one.
func (g *Group) URLs() []string { return slices.Clone(g.units.last().owners.urls) }

// Leave leaves the group and closes; Revoked is called for what is still owned. It returns when that is done or ctx ends; in
// the latter case the rest goes on in the background. It must not be called inside a callback.
func (g *Group) Leave(ctx context.Context) error {
	var err error
	g.closing.Do(func() {
		go func() {
			defer close(g.closed)
			err = g.kafka.LeaveGroupContext(ctx)
			g.kafka.Close()
			g.cancel()
		}()
	})
	select {
	case <-g.closed:
	case <-ctx.Done():
		g.cancel() // a request that hangs must not keep the client alive
		return fmt.Errorf("leave group %s: %w", g.group.Group, ctx.Err())
	}
	if err != nil && !errors.Is(err, kerr.UnknownMemberID) {
		return fmt.Errorf("leave group %s: %w", g.group.Group, g.wrap(err))
	}
	return nil
}

// Abandon closes without leaving, as a crash would; for tests. No callback is called any more.
func (g *Group) Abandon() {
	g.abandoned.Store(true)
	g.cancel()
	g.closing.Do(func() {
		g.kafka.Close()
		close(g.closed)
	})
	<-g.closed
}

func partitions(m map[string][]int32) []topic.Partition {
	var out []topic.Partition
	for name, ids := range m {
		for _, id := range ids {
			out = append(out, topic.Partition{Topic: name, ID: id})
		}
	}
	return out
}

func byTopic(ps []topic.Partition) map[string][]int32 {
	out := map[string][]int32{}
	for _, p := range ps {
		out[p.Topic] = append(out[p.Topic], p.ID)
	}
	return out
}

// Seek makes fetching of owned partitions go on at the offsets that f gives. f is told what is owned, and runs while no batch is under way and none of that
// goes: every batch that comes after it begins at the new offset or above. Partitions that are not owned are left alone. It must not be called inside a callback.
func (g *Group) Seek(f func(owned func(topic.Partition) bool) map[topic.Partition]int64) {
	defer g.interrupt()()
	offsets := f(func(p topic.Partition) bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.fetched[p]
	})
	g.mu.Lock()
	set := map[string]map[int32]kgo.EpochOffset{}
	for p, offset := range offsets {
		if g.fetched[p] {
			if set[p.Topic] == nil {
				set[p.Topic] = map[int32]kgo.EpochOffset{}
			}
			set[p.Topic][p.ID] = kgo.EpochOffset{Epoch: -1, Offset: offset}
		}
	}
	g.mu.Unlock()
	g.kafka.SetOffsets(set)
}
