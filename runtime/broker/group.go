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
	fetchBytes       = 1 << 20
	// A fetch in flight does not see a partition that is resumed meanwhile, so this bounds the delay of Resume.
	fetchWait = 500 * time.Millisecond
)

// GroupConfig is a membership in a consumer group.
type GroupConfig struct {
	Group          string
	Topics         []string
	Reset          string        // earliest (default), latest: where to start without a committed offset, or with one out of range
	SessionTimeout time.Duration // 0: 10 s
	Heartbeat      time.Duration // 0: 1 s, or a third of the session
	// Called in order, one at a time, on the group's goroutine. Assigned partitions are paused until Resume; Assigned is called with
	// nothing when a rebalance brought nothing new. Revoked may wait (the rebalance waits
	// with it, up to the rebalance time-out of 60 s); its partitions can still be committed inside. Lost partitions belong to somebody else already.
	Assigned func(ctx context.Context, ps map[topic.Partition]int64) // with the offset to start from
	Revoked  func(ctx context.Context, ps []topic.Partition)
	Lost     func(ctx context.Context, ps []topic.Partition)
}

// Group is a running membership. Cooperative sticky balancing, offsets committed by Commit only.
type Group struct {
	cfg    Config
	group  GroupConfig
	kafka  *kgo.Client
	admin  *kadm.Client
	log    faultLog
	cancel context.CancelFunc // of the client's context: no request leaves any more

	abandoned atomic.Bool
	closing   sync.Once
	closed    chan struct{}

	pool    recordPool
	polling sync.Mutex // held while records are polled and delivered

	mu       sync.Mutex
	owned    map[topic.Partition]bool // announced by Assigned; may be committed
	fetched  map[topic.Partition]bool // delivered; a part of owned
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
	g := &Group{cfg: cfg, group: group, closed: make(chan struct{}), owned: map[topic.Partition]bool{}, fetched: map[topic.Partition]bool{}}
	g.log.log = cfg.logger()
	life, cancel := context.WithCancel(context.Background())
	kafka, err := kgo.NewClient(append(cfg.options("consumer"), g.options(life)...)...)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("join group %s: %w", group.Group, err)
	}
	g.kafka, g.admin, g.cancel = kafka, kadm.NewClient(kafka), cancel
	if err := g.ask(ctx); err != nil {
		g.Abandon()
		return nil, fmt.Errorf("join group %s: %w", group.Group, err)
	}
	kafka.AddConsumeTopics(group.Topics...)
	return g, nil
}

func (g *Group) options(life context.Context) []kgo.Opt {
	reset := kgo.NewOffset().AtStart()
	if g.group.Reset == "latest" {
		reset = kgo.NewOffset().AtEnd()
	}
	return []kgo.Opt{
		kgo.MaxVersions(byName()),
		kgo.WithContext(life),
		kgo.AlwaysRetryEOF(),
		kgo.ConsumerGroup(g.group.Group),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(reset),
		kgo.SessionTimeout(g.group.SessionTimeout),
		kgo.HeartbeatInterval(g.group.Heartbeat),
		kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchBytes / 2),
		kgo.FetchMaxWait(fetchWait),
		kgo.WithPools(&g.pool),
		kgo.OnPartitionsAssigned(g.announce),
		kgo.AdjustFetchOffsetsFn(g.assign),
		kgo.OnPartitionsRevoked(g.revoke),
		kgo.OnPartitionsLost(g.lose),
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
	for _, name := range g.group.Topics {
		if _, ok := found[name]; !ok {
			return topicError(name, kerr.UnknownTopicOrPartition, "")
		}
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
	if len(ps) == 0 && g.group.Assigned != nil && !g.abandoned.Load() {
		g.group.Assigned(ctx, nil)
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
	if len(starts) == 0 {
		return offsets, nil
	}
	// A topic that was created anew is assigned a second time.
	if again := g.take(slices.Collect(maps.Keys(starts))); len(again) > 0 {
		g.barrier(again)
		g.disown(again)
		g.call(ctx, g.group.Lost, again)
	}
	g.barrier(nil) // a poll from before the assignment must not find the partitions open
	g.mu.Lock()
	for p := range starts {
		g.owned[p], g.fetched[p] = true, true
	}
	g.mu.Unlock()
	if g.group.Assigned != nil && !g.abandoned.Load() {
		g.group.Assigned(ctx, starts)
	}
	return offsets, nil
}

func (g *Group) revoke(ctx context.Context, _ *kgo.Client, lost map[string][]int32) {
	ps := g.take(partitions(lost))
	g.barrier(ps)
	g.call(ctx, g.group.Revoked, ps)
	g.disown(ps)
	g.kafka.ResumeFetchPartitions(lost)
}

func (g *Group) lose(ctx context.Context, _ *kgo.Client, lost map[string][]int32) {
	ps := g.take(partitions(lost))
	g.barrier(ps)
	g.disown(ps)
	g.call(ctx, g.group.Lost, ps)
	g.kafka.ResumeFetchPartitions(lost)
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
	ps = slices.DeleteFunc(ps, func(p topic.Partition) bool { return !g.owned[p] })
	slices.SortFunc(ps, func(a, b topic.Partition) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.ID - b.ID)
	})
	return ps
}

// barrier ends the delivery of ps: what a running poll has of them is delivered before it returns, nothing after.
func (g *Group) barrier(ps []topic.Partition) {
	g.mu.Lock()
	g.barriers++
	if g.wake != nil {
		g.wake()
	}
	g.mu.Unlock()
	g.polling.Lock()
	defer g.polling.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.barriers--
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

// Committed reads offset and metadata of a partition; offset -1: nothing was committed.
func (g *Group) Committed(ctx context.Context, p topic.Partition) (offset int64, metadata string, err error) {
	all, err := g.admin.FetchOffsets(ctx, g.group.Group)
	if err != nil {
		return -1, "", fmt.Errorf("read the offset of %s: %w", p, g.wrap(err))
	}
	o, ok := all.Lookup(p.Topic, p.ID)
	if !ok {
		return -1, "", nil
	}
	if o.Err != nil {
		return -1, "", fmt.Errorf("read the offset of %s: %w", p, g.wrap(o.Err))
	}
	return o.At, o.Metadata, nil
}

// Commit stores offsets (next to read) with an optional metadata text. An error that a rebalance explains wraps ErrRebalanced; the other
// offsets are stored then. A partition that is not owned is not committed, whatever the broker would say.
//
// It does not go through the client's own commit, which waits until a rebalance is over: that can take as long as the slowest member
// needs to give its partitions up, while the broker takes offsets of the present generation all the time.
func (g *Group) Commit(ctx context.Context, offsets map[topic.Partition]int64, metadata string) error {
	if len(offsets) == 0 {
		return nil
	}
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group = g.group.Group
	req.MemberID, req.Generation = g.kafka.GroupMetadata()
	ids := slices.Collect(maps.Keys(offsets))
	for name, of := range byTopic(ids) {
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic = name
		for _, id := range of {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch = id, offsets[topic.Partition{Topic: name, ID: id}], -1
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	gone := g.prune(req, metadata)
	var err error
	switch {
	case len(req.Topics) > 0:
		resp, failed := req.RequestWith(ctx, g.kafka)
		err = commitError(resp, failed)
	case len(gone) == 0:
		err = ErrRebalanced
	}
	if err == nil && len(gone) > 0 {
		err = fmt.Errorf("%s: %w", gone[0], ErrRebalanced)
	}
	if err != nil {
		return fmt.Errorf("commit offsets of group %s: %w", g.group.Group, g.wrap(err))
	}
	return nil
}

// prune takes out of a commit, at the last moment, what was revoked while it waited, and adds the metadata.
func (g *Group) prune(req *kmsg.OffsetCommitRequest, metadata string) []topic.Partition {
	g.mu.Lock()
	defer g.mu.Unlock()
	var gone []topic.Partition
	if req.MemberID == "" { // not a member: the broker would take the offsets of an empty group from anybody
		req.Topics = nil
		return nil
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		t.Partitions = slices.DeleteFunc(t.Partitions, func(p kmsg.OffsetCommitRequestTopicPartition) bool {
			q := topic.Partition{Topic: t.Topic, ID: p.Partition}
			if !g.owned[q] {
				gone = append(gone, q)
			}
			return !g.owned[q]
		})
		for j := range t.Partitions {
			t.Partitions[j].Metadata = &metadata
		}
	}
	req.Topics = slices.DeleteFunc(req.Topics, func(t kmsg.OffsetCommitRequestTopic) bool { return len(t.Partitions) == 0 })
	return gone
}

func commitError(resp *kmsg.OffsetCommitResponse, failed error) error {
	if failed != nil || resp == nil {
		return failed
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			err := kerr.ErrorForCode(p.ErrorCode)
			switch {
			case err == nil:
			case errors.Is(err, kerr.RebalanceInProgress), errors.Is(err, kerr.IllegalGeneration), errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.FencedInstanceID):
				return fmt.Errorf("%s/%d: %w (%s)", t.Topic, p.Partition, ErrRebalanced, clean(err))
			default:
				return fmt.Errorf("%s/%d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	return nil
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
