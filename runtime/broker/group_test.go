package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"faust/runtime/topic"
	"faust/tests/seed"
)

// member is a group member that resumes what it gets, reads on its own goroutine and checks the promises of Each on the way.
type member struct {
	v    *virtual
	name string
	*Group
	up     chan struct{} // closed when Group is set
	done   sync.WaitGroup
	cancel context.CancelFunc

	mu     sync.Mutex
	next   map[topic.Partition]int64 // of what it has
	seen   map[topic.Partition][]int64
	events []string
	change chan struct{} // closed and renewed at every change
	// during Revoked; may be nil
	revoked func(ctx context.Context, ps []topic.Partition)
}

func (v *virtual) join(name string, change func(*GroupConfig), revoked func(m *member, ctx context.Context, ps []topic.Partition)) *member {
	v.Helper()
	m := &member{v: v, name: name, up: make(chan struct{}), next: map[topic.Partition]int64{}, seen: map[topic.Partition][]int64{}, change: make(chan struct{})}
	if revoked != nil {
		m.revoked = func(ctx context.Context, ps []topic.Partition) { revoked(m, ctx, ps) }
	}
	cfg := GroupConfig{Group: "g", Topics: []string{"a"}, Assigned: m.onAssigned, Revoked: m.onRevoked, Lost: m.onLost}
	if change != nil {
		change(&cfg)
	}
	g, err := Join(v.Context(), v.cfg, cfg)
	if err != nil {
		v.Fatal(err)
	}
	m.Group = g
	close(m.up)
	ctx, cancel := context.WithCancel(v.Context())
	m.cancel = cancel
	m.done.Go(func() { m.read(ctx) })
	return m
}

func (m *member) changed(what string) {
	m.events = append(m.events, what)
	close(m.change)
	m.change = make(chan struct{})
}

func (m *member) onAssigned(_ context.Context, ps map[topic.Partition]int64) error {
	<-m.up
	m.mu.Lock()
	defer m.mu.Unlock()
	for p, o := range ps {
		if _, twice := m.next[p]; twice {
			m.v.Errorf("%s: %s is assigned twice", m.name, p)
		}
		m.next[p] = o
		m.Resume(p)
	}
	m.changed(fmt.Sprintf("assigned %d", len(ps)))
	return nil
}

func (m *member) onRevoked(ctx context.Context, ps []topic.Partition) {
	if m.revoked != nil {
		m.revoked(ctx, ps)
	}
	m.drop("revoked", ps)
}

func (m *member) onLost(_ context.Context, ps []topic.Partition) { m.drop("lost", ps) }

func (m *member) drop(how string, ps []topic.Partition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range ps {
		if _, has := m.next[p]; !has {
			m.v.Errorf("%s: %s is %s without having been assigned", m.name, p, how)
		}
		delete(m.next, p)
	}
	m.changed(fmt.Sprintf("%s %d", how, len(ps)))
}

func (m *member) read(ctx context.Context) {
	for {
		err := m.Each(ctx, func(b Batch) {
			m.mu.Lock()
			defer m.mu.Unlock()
			next, has := m.next[b.Partition]
			if !has {
				m.v.Errorf("%s: a batch of %s, which it does not have", m.name, b.Partition)
				return
			}
			for _, r := range b.Records {
				if r.Offset != next {
					m.v.Errorf("%s: %s: offset %d instead of %d", m.name, b.Partition, r.Offset, next)
				}
				next = r.Offset + 1
				m.seen[b.Partition] = append(m.seen[b.Partition], r.Offset)
			}
			m.next[b.Partition] = next
			m.changed("read")
		})
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, ErrClosed) {
				m.v.Errorf("%s: %v", m.name, err)
			}
			return
		}
	}
}

// until waits for a condition of the member.
func (m *member) until(what string, cond func() bool) {
	m.v.Helper()
	deadline := time.After(5 * time.Minute)
	for {
		m.mu.Lock()
		ok, change := cond(), m.change
		m.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-change:
		case <-deadline:
			m.v.Fatalf("%s: never: %s (%v)", m.name, what, m.events)
		}
	}
}

func (m *member) has(n int) {
	m.v.Helper()
	m.until(fmt.Sprintf("has %d partitions", n), func() bool { return len(m.next) == n })
}

func (m *member) reads(n int) {
	m.v.Helper()
	m.until(fmt.Sprintf("has read %d records", n), func() bool {
		sum := 0
		for _, s := range m.seen {
			sum += len(s)
		}
		return sum >= n
	})
}

func (m *member) progress() map[topic.Partition]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.next)
}

func (m *member) leave() {
	m.v.Helper()
	if err := m.Leave(m.v.Context()); err != nil {
		m.v.Errorf("%s: %v", m.name, err)
	}
	m.cancel()
	m.done.Wait()
}

func (m *member) crash() {
	m.Abandon()
	m.cancel()
	m.done.Wait()
}

func TestGroupStarts(t *testing.T) {
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "a", Partitions: 3})
		for p := range int32(3) {
			v.send(numbered("a", p, 0, 10)...)
		}
		m := v.join("first", nil, nil)
		m.reads(30)
		m.mu.Lock()
		m.changed("")
		m.mu.Unlock()
		if err := m.Commit(v.Context(), map[topic.Partition]Position{{Topic: "a", ID: 0}: {4, "remember"}, {Topic: "a", ID: 1}: {10, "remember"}}); err != nil {
			v.Fatal(err)
		}
		o, text, err := m.Committed(v.Context(), topic.Partition{Topic: "a", ID: 0})
		if o != 4 || text != "remember" || err != nil {
			v.Errorf("committed %d %q %v", o, text, err)
		}
		if o, text, err = m.Committed(v.Context(), topic.Partition{Topic: "a", ID: 2}); o != -1 || text != "" || err != nil {
			v.Errorf("never committed: %d %q %v", o, text, err)
		}
		m.leave()
		for reset, want := range map[string][]int64{"earliest": {4, 10, 0}, "latest": {4, 10, 10}} {
			starts := make(chan map[topic.Partition]int64, 1)
			g, err := Join(v.Context(), v.cfg, GroupConfig{Group: "g", Topics: []string{"a"}, Reset: reset,
				Assigned: func(_ context.Context, ps map[topic.Partition]int64) error { starts <- maps.Clone(ps); return nil }})
			if err != nil {
				v.Fatal(err)
			}
			got := <-starts
			for id, o := range want {
				if got[topic.Partition{Topic: "a", ID: int32(id)}] != o {
					v.Errorf("%s: %v, not %v", reset, got, want)
				}
			}
			if err := g.Leave(v.Context()); err != nil {
				v.Error(err)
			}
		}
	})
}

func TestGroupCommittedOffsetIsGone(t *testing.T) {
	bubble(t, func(v *virtual) {
		var log syncBuffer
		v.cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		v.ensure(topic.Topic{Name: "a", Partitions: 2})
		v.send(numbered("a", 0, 0, 10)...)
		v.send(numbered("a", 1, 0, 10)...)
		m := v.join("first", nil, nil)
		m.reads(20)
		if err := m.Commit(v.Context(), map[topic.Partition]Position{{Topic: "a", ID: 0}: {Offset: 2}, {Topic: "a", ID: 1}: {Offset: 99}}); err != nil {
			v.Fatal(err)
		}
		m.leave()
		if err := v.server.cluster.DeleteRecords("a", 0, 5); err != nil {
			v.Fatal(err)
		}
		m = v.join("second", nil, nil)
		m.reads(15) // 5 to 9 of one, all of the other
		m.leave()
		if n := strings.Count(log.String(), "the committed offset does not exist any more"); n != 2 {
			v.Errorf("%d warnings: %s", n, &log)
		}
	})
}

func TestGroupSharesCooperatively(t *testing.T) {
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "a", Partitions: 4})
		read := func(m *member, ctx context.Context, ps []topic.Partition) {
			// while one member waits in Revoked, the partitions it keeps go on
			if len(ps) == 4 {
				return // leaving
			}
			var kept topic.Partition
			for p := range m.progress() {
				if !slices.Contains(ps, p) {
					kept = p
				}
			}
			before := len(m.seen[kept])
			v.send(numbered("a", kept.ID, 0, 5)...)
			m.until("reads on", func() bool { return len(m.seen[kept]) == before+5 })
			at := m.progress()
			commit := map[topic.Partition]Position{}
			for _, p := range ps {
				commit[p] = Position{at[p], "handed over"}
			}
			if err := m.Commit(ctx, commit); err != nil {
				v.Errorf("commit while revoked: %v", err)
			}
		}
		one := v.join("one", nil, read)
		one.has(4)
		for p := range int32(4) {
			v.send(numbered("a", p, 0, 10)...)
		}
		one.reads(40)
		two := v.join("two", nil, nil)
		two.has(2)
		one.has(2)
		for p, o := range two.progress() {
			if o != 10 {
				v.Errorf("%s starts at %d, not where it was handed over", p, o)
			}
			if err := one.Commit(v.Context(), map[topic.Partition]Position{p: {Offset: 3}}); !errors.Is(err, ErrRebalanced) {
				v.Errorf("a commit for a partition of somebody else: %v", err)
			}
			if o, _, _ := two.Committed(v.Context(), p); o != 10 {
				v.Errorf("%s was set back to %d", p, o)
			}
		}
		if id, generation := one.Member(); id == "" || generation < 2 {
			v.Errorf("member %q, generation %d", id, generation)
		}
		began := time.Now()
		two.leave()
		one.has(4)
		if took := time.Since(began); took > 3*time.Second {
			v.Errorf("a planned stop takes %s to hand over", took)
		}
		one.leave()
		if !slices.ContainsFunc(one.events, func(e string) bool { return e == "revoked 4" }) {
			v.Errorf("leaving revokes: %v", one.events)
		}
	})
}

func TestGroupCrash(t *testing.T) {
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "a", Partitions: 4})
		one, two := v.join("one", nil, nil), v.join("two", nil, nil)
		one.has(2)
		two.has(2)
		before := len(two.events)
		began := time.Now()
		two.crash()
		one.has(4)
		if took := time.Since(began); took < 8*time.Second || took > 15*time.Second {
			v.Errorf("a crash is noticed after %s, with a session of 10 s", took)
		}
		if len(two.events) != before {
			v.Errorf("a crash calls nothing: %v", two.events[before:])
		}
		three := v.join("three", nil, nil)
		three.has(2)
		id, _ := three.Member()
		three.crash()
		began = time.Now()
		if err := v.client.Leave(v.Context(), "g", id); err != nil {
			v.Fatal(err)
		}
		again := v.join("three again", nil, nil)
		again.has(2)
		if took := time.Since(began); took > 2*time.Second {
			v.Errorf("a restarted member has its partitions back after %s", took)
		}
		if err := v.client.Leave(v.Context(), "g", id); err != nil {
			v.Errorf("a member that is gone: %v", err)
		}
		if err := v.client.Leave(v.Context(), "no-such-group", id); err != nil {
			v.Errorf("a group that is gone: %v", err)
		}
		again.leave()
		one.leave()
	})
}

func TestGroupLost(t *testing.T) {
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "a", Partitions: 4})
		m := v.join("one", nil, nil)
		m.has(4)
		id, _ := m.Member()
		if err := v.client.Leave(v.Context(), "g", id); err != nil { // the coordinator forgets it behind its back
			v.Fatal(err)
		}
		m.until("lost", func() bool { return slices.Contains(m.events, "lost 4") })
		if err := m.Commit(v.Context(), map[topic.Partition]Position{{Topic: "a", ID: 0}: {}}); err != nil && !errors.Is(err, ErrRebalanced) {
			v.Errorf("a commit of a lost partition: %v", err)
		}
		m.has(4)
		v.send(numbered("a", 1, 0, 3)...)
		m.reads(3)
		m.leave()
	})
}

func TestGroupPause(t *testing.T) {
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "a", Partitions: 2})
		m := v.join("one", nil, nil)
		m.has(2)
		p := topic.Partition{Topic: "a", ID: 0}
		m.Pause(p)
		v.send(numbered("a", 0, 0, 5)...)
		v.send(numbered("a", 1, 0, 5)...)
		m.reads(5)
		<-time.After(10 * time.Second)
		if at := m.progress()[p]; at != 0 {
			v.Errorf("read on to %d while paused", at)
		}
		began := time.Now()
		m.Resume(p)
		m.reads(10)
		if took := time.Since(began); took > time.Second {
			v.Errorf("resuming took %s", took)
		}
		m.leave()
	})
}

// Records larger than what a fetch asks for of a partition come nevertheless, in order with small ones.
func TestGroupLargeRecords(t *testing.T) {
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "a", Partitions: 2})
		noise := rand.NewChaCha8([32]byte{1})
		var records []topic.Record
		for i := range 40 {
			value := make([]byte, []int{10, partitionBytes - 1, partitionBytes + 1, 900 << 10}[i%4])
			_, _ = noise.Read(value) // nothing to compress
			records = append(records, topic.Record{Topic: "a", Partition: int32(i/4) % 2, Value: value})
		}
		v.send(records...)
		m := v.join("one", nil, nil)
		m.reads(len(records))
		m.leave()
	})
}

func TestGroupLeaveIsBounded(t *testing.T) {
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "a", Partitions: 2})
		release := make(chan struct{})
		m := v.join("one", nil, func(*member, context.Context, []topic.Partition) { <-release })
		m.has(2)
		ctx, cancel := context.WithTimeout(v.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := m.Leave(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 2*time.Second {
			v.Errorf("%v after %s", err, time.Since(began))
		}
		close(release)
		m.cancel()
		m.done.Wait()
		<-m.closed
		if _, err := m.Poll(v.Context()); !errors.Is(err, ErrClosed) {
			v.Errorf("poll after the end: %v", err)
		}
	})
}

func TestGroupErrorsOfPartitionsAreWaitedOut(t *testing.T) {
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "a", Partitions: 1})
		m := v.join("one", nil, nil)
		m.has(1)
		failures := 0
		v.server.cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
			if failures++; failures <= 5 {
				v.server.cluster.KeepControl()
				return nil, errors.New("hang up"), true
			}
			return nil, nil, false
		})
		v.send(numbered("a", 0, 0, 5)...)
		m.reads(5)
		m.leave()
	})
}

// Members come, go and crash at random while records flow. What is committed when a partition is handed over makes sure that nothing is skipped,
// and the checks in member that nothing arrives out of order or without being owned.
func TestGroupRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(seed.Of(t), 1))
	bubble(t, func(v *virtual) {
		const parts = 6
		v.ensure(topic.Topic{Name: "a", Partitions: parts})
		commit := func(m *member, ctx context.Context, ps []topic.Partition) {
			at, offsets := m.progress(), map[topic.Partition]Position{}
			for _, p := range ps {
				offsets[p] = Position{Offset: at[p]}
			}
			if err := m.Commit(ctx, offsets); err != nil && !errors.Is(err, ErrRebalanced) {
				v.Errorf("%s: %v", m.name, err)
			}
		}
		var all, live []*member
		total := make([]int64, parts)
		for step := range 40 {
			for p := range int32(parts) {
				n := rnd.IntN(5)
				v.send(numbered("a", p, int(total[p]), n)...)
				total[p] += int64(n)
			}
			switch i := rnd.IntN(max(1, len(live))); {
			case len(live) == 0 || len(live) < 4 && rnd.IntN(2) == 0:
				m := v.join(fmt.Sprintf("m%d", step), nil, commit)
				all, live = append(all, m), append(live, m)
			case rnd.IntN(2) == 0:
				live[i].leave()
				live = slices.Delete(live, i, i+1)
			default:
				live[i].crash()
				live = slices.Delete(live, i, i+1)
			}
			<-time.After(time.Duration(rnd.IntN(3000)) * time.Millisecond)
		}
		last := v.join("last", nil, commit)
		all, live = append(all, last), append(live, last)
		covered := func() bool {
			for id := range int32(parts) {
				read := map[int64]bool{}
				for _, m := range all {
					m.mu.Lock()
					for _, o := range m.seen[topic.Partition{Topic: "a", ID: id}] {
						read[o] = true
					}
					m.mu.Unlock()
				}
				if int64(len(read)) != total[id] {
					return false
				}
			}
			return true
		}
		// who crashed last is noticed after a session
		for end := time.Now().Add(time.Minute); !covered() && time.Now().Before(end); {
			<-time.After(100 * time.Millisecond)
		}
		if !covered() {
			v.Errorf("records were skipped: %v written", total)
			for _, m := range all {
				v.Logf("%s: %v, at %v", m.name, m.events, m.progress())
			}
			v.Logf("%+v", v.server.cluster.GroupInfo("g"))
		}
		for _, m := range live {
			m.leave()
		}
	})
}

func TestTail(t *testing.T) {
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "replies", Partitions: 2})
		v.send(numbered("replies", 0, 0, 5)...)
		ctx, cancel := context.WithCancel(v.Context())
		ready, got, end := make(chan struct{}), make(chan string, 10), make(chan error, 1)
		go func() {
			end <- v.client.Tail(ctx, "replies", func() { close(ready) }, func(r topic.Record) { got <- fmt.Sprintf("%d %s", r.Partition, r.Value) })
		}()
		<-ready
		v.send(topic.Record{Topic: "replies", Partition: 1, Value: []byte("one")})
		v.send(topic.Record{Topic: "replies", Partition: 0, Value: []byte("two")})
		both := []string{<-got, <-got} // of two partitions, in any order
		slices.Sort(both)
		if !slices.Equal(both, []string{"0 two", "1 one"}) {
			v.Errorf("%q", both)
		}
		cancel()
		if err := <-end; err != nil {
			v.Errorf("the end of the context: %v", err)
		}
		if err := v.client.Tail(v.Context(), "nowhere", func() {}, func(topic.Record) {}); err == nil {
			v.Error("a topic that is missing")
		}
	})
}

// Members that die in the middle of a rebalance must not hold the others up for longer than a session, and nor may one that leaves there.
func TestGroupCrashInARebalance(t *testing.T) {
	for _, kind := range []kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup} {
		for _, how := range []string{"crash", "leave"} {
			t.Run(kind.Name()+" "+how, func(t *testing.T) {
				bubble(t, func(v *virtual) {
					v.ensure(topic.Topic{Name: "a", Partitions: 6})
					one, two, three := v.join("one", nil, nil), v.join("two", nil, nil), v.join("three", nil, nil)
					for _, m := range []*member{one, two, three} {
						m.has(2)
					}
					id, _ := three.Member()
					waits := make(chan struct{}, 1)
					v.server.cluster.ControlKey(int16(kind), func(req kmsg.Request) (kmsg.Response, error, bool) {
						v.server.cluster.KeepControl()
						own := false
						switch req := req.(type) {
						case *kmsg.JoinGroupRequest:
							own = req.MemberID == id
						case *kmsg.SyncGroupRequest:
							own = req.MemberID == id
						}
						if own {
							select {
							case waits <- struct{}{}:
							default:
							}
						}
						return nil, nil, false
					})
					four := v.join("four", nil, nil)
					<-waits
					began := time.Now()
					if how == "crash" {
						three.crash()
					} else {
						three.leave()
					}
					for _, m := range []*member{one, two, four} {
						m.has(2)
					}
					if took := time.Since(began); took > 14*time.Second {
						v.Errorf("the others go on after %s", took)
					}
					for _, m := range []*member{one, two, four} {
						m.leave()
					}
				})
			})
		}
	}
}

// Partitions that a member has not taken when the next rebalance begins are assigned to it again.
func TestAssignedThatFails(t *testing.T) {
	t.Parallel()
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "a"})
		for p := range int32(4) {
			v.send(numbered("a", p, 0, 10)...)
		}
		waits := make(chan bool, 1)
		failed := 0
		var m *member
		m = v.join("m", func(cfg *GroupConfig) {
			cfg.Assigned = func(ctx context.Context, ps map[topic.Partition]int64) error {
				if len(ps) > 0 && failed == 0 {
					failed++
					waits <- true
					<-ctx.Done()
					return ctx.Err()
				}
				return m.onAssigned(ctx, ps)
			}
		}, nil)
		<-waits
		other := v.join("other", nil, nil)
		m.has(2)
		other.has(2)
		other.leave()
		m.has(4)
		m.until("it has read all of what it had from the beginning", func() bool {
			n := 0
			for _, next := range m.next {
				if next == 10 {
					n++
				}
			}
			return n == 4
		})
		m.leave()
	})
}

// A member that hears only when it joins again that the group has dropped it has lost its partitions: others may have had them meanwhile.
func TestGroupDroppedBeforeItJoinsAgain(t *testing.T) {
	t.Parallel()
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "a", Partitions: 4})
		for p := range int32(4) {
			v.send(numbered("a", p, 0, 10)...)
		}
		m := v.join("m", nil, nil)
		m.has(4)
		m.reads(40)
		if err := m.Commit(v.Context(), map[topic.Partition]Position{{Topic: "a"}: {Offset: 7}}); err != nil {
			v.Fatal(err)
		}
		was, _ := m.Member()
		v.server.cluster.ControlKey(int16(kmsg.JoinGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
			v.server.cluster.KeepControl()
			join := req.(*kmsg.JoinGroupRequest)
			if join.MemberID != was {
				return nil, nil, false
			}
			resp := join.ResponseKind().(*kmsg.JoinGroupResponse)
			resp.ErrorCode = kerr.UnknownMemberID.Code
			return resp, nil, true
		})
		m.Rejoin()
		m.until("it has lost them", func() bool { return slices.Contains(m.events, "lost 4") })
		m.has(4)
		m.reads(40 + 40 - 7) // what was not committed comes again
		if id, _ := m.Member(); id == was {
			v.Error("it is the same member")
		}
		m.leave()
	})
}

// A commit that is sent once is not sent again when its connection breaks, only when the coordinator says that it has not done it.
func TestGroupCommitOnce(t *testing.T) {
	t.Parallel()
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "a", Partitions: 1})
		m := v.join("m", nil, nil)
		m.has(1)
		var answers []error
		sent := 0
		v.server.cluster.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
			v.server.cluster.KeepControl()
			sent++
			if len(answers) == 0 {
				return nil, nil, false
			}
			err := answers[0]
			answers = answers[1:]
			var k *kerr.Error
			if !errors.As(err, &k) {
				return nil, err, true
			}
			resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
			for _, in := range req.(*kmsg.OffsetCommitRequest).Topics {
				rt := kmsg.NewOffsetCommitResponseTopic()
				rt.Topic = in.Topic
				rt.Partitions = []kmsg.OffsetCommitResponseTopicPartition{{Partition: 0, ErrorCode: k.Code}}
				resp.Topics = append(resp.Topics, rt)
			}
			return resp, nil, true
		})
		for _, c := range []struct {
			answers []error
			sent    int
			stored  bool
		}{
			{nil, 1, true},
			{[]error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress}, 3, true},
			{[]error{errors.New("the connection breaks")}, 1, false},
			{nil, 1, true},
		} {
			answers, sent = c.answers, 0
			if err := m.CommitOnce(v.Context(), map[topic.Partition]Position{{Topic: "a"}: {Offset: 0}}); err == nil != c.stored || sent != c.sent {
				t.Errorf("%v: %v after %d requests", c.answers, err, sent)
			}
		}
		m.leave()
	})
}

// What a topic gets in partitions is read soon, and from its beginning.
func TestGroupTopicGrows(t *testing.T) {
	t.Parallel()
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "a", Partitions: 2})
		one, two := v.join("one", nil, nil), v.join("two", nil, nil)
		one.has(1)
		two.has(1)
		if _, err := kadm.NewClient(v.client.kafka).UpdatePartitions(v.Context(), 6, "a"); err != nil {
			v.Fatal(err)
		}
		began := time.Now()
		v.send(numbered("a", 4, 0, 10)...)
		one.has(3)
		two.has(3)
		if took := time.Since(began); took > growthSeen+10*time.Second {
			t.Errorf("it took %s", took)
		}
		for _, m := range []*member{one, two} {
			if _, has := m.progress()[topic.Partition{Topic: "a", ID: 4}]; has {
				m.reads(10)
			}
			m.leave()
		}
	})
}
