package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"faust/runtime/topic"
)

// holdings follows who has what, by the members' callbacks, and makes sure at every change that nothing has two owners and, if there are ties, that what
// is tied together is in one hand.
type holdings struct {
	*testing.T
	ties []Tie

	mu    sync.Mutex
	owner map[topic.Partition]string
}

func newHoldings(t *testing.T, ties ...Tie) *holdings {
	return &holdings{T: t, ties: ties, owner: map[topic.Partition]string{}}
}

// of makes a member that reads topics and is followed.
func (h *holdings) of(name string, topics ...string) func(*GroupConfig) {
	return func(cfg *GroupConfig) {
		cfg.Topics, cfg.Ties, cfg.URL = topics, h.ties, "http://"+name
		assigned, revoked, lost := cfg.Assigned, cfg.Revoked, cfg.Lost
		cfg.Assigned = func(ctx context.Context, ps map[topic.Partition]int64) error {
			h.take(name, slices.Collect(maps.Keys(ps)))
			return assigned(ctx, ps)
		}
		cfg.Revoked = func(ctx context.Context, ps []topic.Partition) {
			revoked(ctx, ps)
			h.drop(name, ps)
		}
		cfg.Lost = func(ctx context.Context, ps []topic.Partition) {
			h.drop(name, ps)
			lost(ctx, ps)
		}
	}
}

func (h *holdings) take(name string, ps []topic.Partition) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range ps {
		if other := h.owner[p]; other != "" {
			h.Errorf("%s is assigned to %s while %s has it", p, name, other)
		}
		h.owner[p] = name
	}
	h.check()
}

func (h *holdings) drop(name string, ps []topic.Partition) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range ps {
		if h.owner[p] == name {
			delete(h.owner, p)
		}
	}
	h.check()
}

// forget drops what a member had that is dead.
func (h *holdings) forget(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.owner, func(_ topic.Partition, n string) bool { return n == name })
}

func (h *holdings) check() {
	for _, t := range h.ties {
		for id := range int32(100) {
			first := h.owner[topic.Partition{Topic: t.Topics[0], ID: id}]
			for _, name := range t.Topics {
				if o := h.owner[topic.Partition{Topic: name, ID: id}]; o != first {
					h.Errorf("%s/%d is with %q, %s/%d with %q", name, id, o, t.Topics[0], id, first)
				}
			}
		}
	}
}

// shares counts the partitions of everybody, of the topics named or of all.
func (h *holdings) shares(topics ...string) map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string]int{}
	for p, name := range h.owner {
		if len(topics) == 0 || slices.Contains(topics, p.Topic) {
			out[name]++
		}
	}
	return out
}

// until waits until the shares are as said.
func (h *holdings) until(want string) {
	h.Helper()
	for end := time.Now().Add(2 * time.Minute); fmt.Sprint(h.shares()) != "map["+want+"]"; <-time.After(100 * time.Millisecond) {
		if time.Now().After(end) {
			h.Fatalf("never %s: %v", want, h.owner)
		}
	}
}

// Two topics that belong together, one on its own and one with one partition: workers come, leave and crash, some of them slow to give things up.
func TestGroupKeepsUnitsTogether(t *testing.T) {
	rnd := seeded(t)
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "a", Partitions: 6}, topic.Topic{Name: "b", Partitions: 6}, topic.Topic{Name: "c", Partitions: 6}, topic.Topic{Name: "leader", Partitions: 1})
		h := newHoldings(t, Tie{Topics: []string{"a", "b"}, Tables: []string{"t"}})
		come := func(name string) *member {
			wait := time.Duration(rnd.IntN(3000)) * time.Millisecond
			return v.join(name, h.of(name, "a", "b", "c", "leader"), func(*member, context.Context, []topic.Partition) { <-time.After(wait) })
		}
		live := []*member{come("m0")}
		h.until("m0:19")
		for step := range 40 {
			switch i := rnd.IntN(len(live)); {
			case len(live) == 1 || len(live) < 4 && rnd.IntN(2) == 0:
				live = append(live, come(fmt.Sprintf("m%d", step+1)))
			case rnd.IntN(2) == 0:
				live[i].leave()
				live = slices.Delete(live, i, i+1)
			default:
				live[i].crash()
				h.forget(live[i].name)
				live = slices.Delete(live, i, i+1)
			}
			<-time.After(time.Duration(rnd.IntN(8000)) * time.Millisecond)
		}
		<-time.After(time.Minute) // the last crash is noticed, the last move is done
		units := map[string]int{}
		h.mu.Lock()
		for p, name := range h.owner {
			if p.Topic != "b" {
				units[name]++
			}
		}
		owner := maps.Clone(h.owner)
		h.mu.Unlock()
		sum, least, most := 0, 100, 0
		for _, m := range live {
			n := units[m.name]
			sum, least, most = sum+n, min(least, n), max(most, n)
		}
		if sum != 13 || most > least+1 {
			t.Errorf("units: %v", units)
		}
		for p, name := range owner {
			for _, m := range live {
				if url, ok := m.Owner(p); !ok || url != "http://"+name {
					t.Errorf("%s believes %s to be at %q, not at %s", m.name, p, url, name)
				}
			}
		}
		_, generation := live[0].Member()
		<-time.After(time.Minute)
		if _, now := live[0].Member(); now != generation {
			t.Errorf("rebalances without a reason: generation %d, then %d", generation, now)
		}
		for _, m := range live {
			m.leave()
		}
	})
}

// Workers come to one that has all, and go: each has as much of one kind as of the other, though one of them costs nothing to read.
func TestGroupSpreadsKinds(t *testing.T) {
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "in", Partitions: 4}, topic.Topic{Name: "by-country", Partitions: 4})
		h := newHoldings(t, Tie{Topics: []string{"by-country"}, Tables: []string{"t"}})
		come := func(name string) *member {
			return v.join(name, func(cfg *GroupConfig) {
				h.of(name, "in", "by-country")(cfg)
				if name == "m0" {
					cfg.Stored = func() map[Shard]int64 {
						return map[Shard]int64{{"t", 0}: 10, {"t", 1}: 10, {"t", 2}: 10, {"t", 3}: 10}
					}
				}
			}, nil)
		}
		even := func(want string) {
			t.Helper()
			for _, name := range []string{"in", "by-country"} {
				if got := fmt.Sprint(h.shares(name)); got != "map["+want+"]" {
					t.Errorf("%s: %s, not %s", name, got, want)
				}
			}
		}
		one := come("m0")
		h.until("m0:8")
		two := come("m1")
		h.until("m0:4 m1:4")
		even("m0:2 m1:2")
		two.leave()
		h.until("m0:8")
		two, three, four := come("m1"), come("m2"), come("m3")
		h.until("m0:2 m1:2 m2:2 m3:2")
		even("m0:1 m1:1 m2:1 m3:1")
		three.leave()
		four.leave()
		h.until("m0:4 m1:4")
		even("m0:2 m1:2")
		one.leave()
		two.leave()
	})
}

// Topics that are tied together but differ in partitions go to nobody, and the log says so; the others go on.
func TestGroupTiedTopicsDiffer(t *testing.T) {
	bubble(t, func(v *virtual) {
		var log syncBuffer
		v.ensure(topic.Topic{Name: "a", Partitions: 2}, topic.Topic{Name: "b", Partitions: 3}, topic.Topic{Name: "c", Partitions: 4})
		v.cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		h := newHoldings(t, Tie{Topics: []string{"a", "b"}})
		m := v.join("m", h.of("m", "a", "b", "c"), nil)
		h.until("m:4")
		if !strings.Contains(log.String(), "a has 2 partitions and b 3") {
			t.Errorf("%s", &log)
		}
		if _, ok := m.Owner(topic.Partition{Topic: "a", ID: 0}); ok {
			t.Error("nobody has a/0")
		}
		m.leave()
	})
}

// old is a member of a binary that knows only the client's own balancer.
func (v *virtual) old(h *holdings, name string, topics ...string) *kgo.Client {
	v.Helper()
	c, err := kgo.NewClient(append(v.cfg.options("consumer"),
		kgo.ConsumerGroup("g"), kgo.ConsumeTopics(topics...), kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.DisableAutoCommit(),
		kgo.SessionTimeout(defaultSession), kgo.HeartbeatInterval(time.Second), kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, ps map[string][]int32) { h.take(name, partitions(ps)) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, ps map[string][]int32) { h.drop(name, partitions(ps)) }),
	)...)
	if err != nil {
		v.Fatal(err)
	}
	return c
}

// protocol gives the group's protocol.
func (v *virtual) protocol() string {
	v.Helper()
	kafka, err := kgo.NewClient(v.cfg.options("admin")...)
	if err != nil {
		v.Fatal(err)
	}
	defer kafka.Close()
	groups, err := kadm.NewClient(kafka).DescribeGroups(v.Context(), "g")
	if err = errors.Join(err, groups.Error()); err != nil {
		v.Fatal(err)
	}
	return groups["g"].Protocol
}

// separately waits until the partitions of a and b are shared, as the client's balancer does it, by a member that knows units and one that does not: the first has
// taken those of which it was given both.
func (h *holdings) separately(knows, other string) {
	h.Helper()
	const each, settled = 4, 20
	seconds := 0 // that it has been so
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline) && seconds < settled; <-time.After(time.Second) {
		good := true
		h.mu.Lock()
		for id := range int32(each) {
			a, b := h.owner[topic.Partition{Topic: "a", ID: id}], h.owner[topic.Partition{Topic: "b", ID: id}]
			good = good && (a == knows) == (b == knows)
		}
		h.mu.Unlock()
		seconds++
		if !good || h.shares()[other] != each {
			seconds = 0
		}
	}
	if seconds < settled {
		h.Errorf("shares: %v", h.owner)
	}
}

// An app of an earlier binary is rolled worker by worker, and back. As long as one of the earlier ones is there, its balancer is used; then units are put together.
func TestGroupRollsFromTheClientsBalancer(t *testing.T) {
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "a", Partitions: 4}, topic.Topic{Name: "b", Partitions: 4})
		h := newHoldings(t) // units are not whole at first
		tied := func(name string) func(*GroupConfig) {
			return func(cfg *GroupConfig) {
				h.of(name, "a", "b")(cfg)
				cfg.Ties = []Tie{{Topics: []string{"a", "b"}}}
			}
		}
		first, second := v.old(h, "old1", "a", "b"), v.old(h, "old2", "a", "b")
		h.until("old1:4 old2:4")
		one := v.join("new1", tied("new1"), nil)
		first.Close() // leaves
		h.separately("new1", "old2")
		if p := v.protocol(); p != "cooperative-sticky" {
			t.Errorf("with an old member: %s", p)
		}
		if _, ok := one.Owner(topic.Partition{Topic: "a", ID: 0}); ok {
			t.Error("the client's balancer does not tell owners")
		}
		two := v.join("new2", tied("new2"), nil)
		second.Close()
		h.until("new1:4 new2:4")
		<-time.After(20 * time.Second)
		if p := v.protocol(); p != unitsProtocol {
			t.Errorf("without an old member: %s", p)
		}
		h.mu.Lock()
		h.ties = []Tie{{Topics: []string{"a", "b"}}}
		h.check()
		h.ties = nil
		h.mu.Unlock()
		if url, ok := one.Owner(topic.Partition{Topic: "a", ID: 0}); !ok || url == "" {
			t.Errorf("the owner is %q", url)
		}
		third := v.old(h, "old3", "a", "b")
		two.leave()
		h.separately("new1", "old3")
		if p := v.protocol(); p != "cooperative-sticky" {
			t.Errorf("rolled back: %s", p)
		}
		third.Close()
		h.until("new1:8")
		one.leave()
	})
}
