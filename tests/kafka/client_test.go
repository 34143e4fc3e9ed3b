package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"faust/runtime/broker"
	"faust/runtime/topic"
	"faust/tests/drive"
)

func open(t *testing.T, url string, c broker.Credentials) *broker.Client {
	t.Helper()
	cfg, err := broker.Parse(url, c)
	if err != nil {
		t.Fatal(err)
	}
	client, err := broker.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func refused(t *testing.T, url string, c broker.Credentials, class broker.Class) {
	t.Helper()
	cfg, err := broker.Parse(url, c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), drive.Patience) // no client tries for ever
	defer cancel()
	client, err := broker.Open(ctx, cfg)
	if err == nil {
		client.Close()
		t.Fatalf("%s: opened", cfg)
	}
	var e *broker.Error
	if !errors.As(err, &e) || e.Class != class || e.Hint == "" || strings.Contains(err.Error(), password) {
		t.Errorf("%s: %v", cfg, err)
	}
	if ctx.Err() != nil {
		t.Errorf("%s: took longer than %s", cfg, drive.Patience)
	}
}

func TestOpen(t *testing.T) {
	real(t)
	t.Parallel()
	open(t, "kafka://"+kafka.plain, broker.Credentials{})
	open(t, fmt.Sprintf("kafka://%s:%s@%s", user, password, kafka.sasl), broker.Credentials{})
	open(t, fmt.Sprintf("kafka://%s:%s@%s?sasl=scram-sha-512", user, password, kafka.sasl), broker.Credentials{})
	open(t, "kafka+tls://"+kafka.tls, broker.Credentials{CA: kafka.ca})
	refused(t, fmt.Sprintf("kafka://%s:wrong@%s", user, kafka.sasl), broker.Credentials{}, broker.SASL)
	refused(t, fmt.Sprintf("kafka://%s:wrong@%s?sasl=scram-sha-512", user, kafka.sasl), broker.Credentials{}, broker.SASL)
	refused(t, fmt.Sprintf("kafka://%s:%s@%s?sasl=scram-sha-256", user, password, kafka.sasl), broker.Credentials{}, broker.SASL)
	refused(t, "kafka://"+kafka.sasl, broker.Credentials{}, broker.SASL)
	refused(t, "kafka://"+kafka.tls, broker.Credentials{}, broker.TLS)
	refused(t, "kafka+tls://"+kafka.tls, broker.Credentials{}, broker.TLS)
	refused(t, "kafka+tls://"+kafka.plain, broker.Credentials{CA: kafka.ca}, broker.TLS)
}

func TestEnsure(t *testing.T) {
	real(t)
	t.Parallel()
	c := open(t, "kafka://"+kafka.plain, broker.Credentials{})
	plain, compact := fresh("plain"), fresh("compact")
	declared := []topic.Topic{{Name: plain}, {Name: compact, Compact: true, Partitions: 2}, {Name: fresh("hour"), Retention: time.Hour},
		{Name: fresh("both"), Compact: true, Retention: time.Hour}, {Name: fresh("ever"), Retention: -1}}
	for round := range 2 {
		ds, err := c.Ensure(t.Context(), declared, topic.Topic{Partitions: 3, Replication: -1})
		if err != nil || len(ds) > 0 {
			t.Fatalf("time %d: %v, %v", round, ds, err)
		}
	}
	n, err := c.Partitions(t.Context(), plain, compact)
	if err != nil || n[plain] != 3 || n[compact] != 2 {
		t.Errorf("%v, %v", n, err)
	}
	ds, err := c.Ensure(t.Context(), []topic.Topic{{Name: plain, Partitions: 5, Compact: true, Retention: time.Minute}}, topic.Topic{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range ds {
		got = append(got, fmt.Sprintf("%s %s %s %v", d.Property, d.Declared, d.Actual, d.Fatal))
	}
	if want := []string{"partitions 5 3 true", "cleanup.policy compact,delete delete false", "retention.ms 60000 604800000 false"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: "ensure-three", Replication: 3}}, topic.Topic{}); err == nil || !strings.Contains(err.Error(), "ensure-three") {
		t.Errorf("three replicas on one broker: %v", err)
	}
}

type sent struct {
	topic.Record
	err error
}

func send(t *testing.T, c *broker.Client, rs ...topic.Record) []sent {
	t.Helper()
	out := make([]sent, len(rs))
	var all sync.WaitGroup
	for i := range rs {
		all.Add(1)
		c.Produce(t.Context(), &rs[i], func(r topic.Record, err error) {
			out[i] = sent{r, err}
			all.Done()
		})
	}
	all.Wait()
	return out
}

func TestProduce(t *testing.T) {
	real(t)
	t.Parallel()
	c := open(t, "kafka://"+kafka.plain, broker.Credentials{})
	spread, compact := fresh("spread"), fresh("compact")
	if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: spread, Partitions: 4}, {Name: compact, Partitions: 1, Compact: true}}, topic.Topic{}); err != nil {
		t.Fatal(err)
	}
	for i, r := range send(t, c, topic.Record{Topic: spread, Partition: topic.Any, Key: []byte("k")}, topic.Record{Topic: spread, Partition: 3, Timestamp: 1_700_000_000_000},
		topic.Record{Topic: spread, Partition: topic.Any, Value: []byte("x")}) {
		if r.err != nil || i == 0 && r.Partition != topic.Murmur2.Partition([]byte("k"), 4) || i == 1 && (r.Partition != 3 || r.Timestamp != 1_700_000_000_000) {
			t.Errorf("%d: %+v", i, r)
		}
	}
	// Kafka refuses a batch for a compacted topic in which one record has no key.
	var rs []topic.Record
	for i := range 10 {
		r := topic.Record{Topic: compact, Partition: 0, Key: fmt.Append(nil, i), Value: []byte("x")}
		if i == 4 {
			r.Key = nil
		}
		rs = append(rs, r)
	}
	for i, r := range send(t, c, rs...) {
		switch {
		case i == 4 && (r.err == nil || !broker.Permanent(r.err)):
			t.Errorf("the record without a key: %v", r.err)
		case i != 4 && r.err != nil:
			t.Errorf("%d: %v", i, r.err)
		}
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	got := send(t, c, topic.Record{Topic: spread, Partition: 0, Value: make([]byte, 2<<20)}, topic.Record{Topic: spread, Partition: 9}, topic.Record{Topic: fresh("nowhere")})
	for i, r := range got {
		if r.err == nil || !broker.Permanent(r.err) {
			t.Errorf("%d: %v", i, r.err)
		}
	}
}

// session is that of the members: a test that waits for its end is noticed, and none ends because the machine is busy.
const session = 2 * time.Minute

// member reads all it is given.
type member struct {
	*broker.Group
	mu     sync.Mutex
	has    map[topic.Partition]int64
	read   map[topic.Partition]int64
	change chan struct{}
	end    context.CancelFunc
	done   sync.WaitGroup
}

func join(t *testing.T, addr, group string, topics ...string) *member {
	t.Helper()
	return joinTied(t, addr, group, topics, nil)
}

func joinTied(t *testing.T, addr, group string, topics []string, ties []broker.Tie) *member {
	t.Helper()
	m := &member{has: map[topic.Partition]int64{}, read: map[topic.Partition]int64{}, change: make(chan struct{}, 1)}
	up := make(chan struct{})
	drop := func(ps []topic.Partition) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, p := range ps {
			delete(m.has, p)
		}
		m.changed()
	}
	cfg := broker.Config{Seeds: []string{addr}}
	g, err := broker.Join(t.Context(), cfg, broker.GroupConfig{Group: group, Topics: topics, Ties: ties, URL: "http://worker", SessionTimeout: session,
		Assigned: func(_ context.Context, ps map[topic.Partition]int64) error {
			<-up
			m.mu.Lock()
			defer m.mu.Unlock()
			for p, o := range ps {
				m.has[p] = o
				m.Resume(p)
			}
			m.changed()
			return nil
		},
		Revoked: func(ctx context.Context, ps []topic.Partition) {
			at := map[topic.Partition]broker.Position{}
			m.mu.Lock()
			for _, p := range ps {
				at[p] = broker.Position{Offset: m.has[p], Metadata: "revoked"}
			}
			m.mu.Unlock()
			if err := m.Commit(ctx, at); err != nil {
				t.Errorf("commit while revoked: %v", err)
			}
			drop(ps)
		},
		Lost: func(_ context.Context, ps []topic.Partition) { drop(ps) },
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Group = g
	close(up)
	ctx, cancel := context.WithCancel(context.Background())
	m.end = cancel
	m.done.Go(func() {
		for ctx.Err() == nil {
			err := m.Each(ctx, func(b broker.Batch) {
				m.mu.Lock()
				defer m.mu.Unlock()
				if at, ok := m.has[b.Partition]; !ok || b.Records[0].Offset != at {
					t.Errorf("%s at %d, owned: %v", b.Partition, b.Records[0].Offset, m.has)
				}
				m.has[b.Partition] = b.Records[len(b.Records)-1].Offset + 1
				m.read[b.Partition] += int64(len(b.Records))
				m.changed()
			})
			if err != nil && ctx.Err() == nil && !errors.Is(err, broker.ErrClosed) {
				t.Error(err)
				return
			}
		}
	})
	return m
}

func (m *member) changed() {
	select {
	case m.change <- struct{}{}:
	default:
	}
}

func (m *member) until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(drive.Patience)
	tick := time.NewTicker(20 * time.Millisecond) // what is known of other members changes without a change of what this one has
	defer tick.Stop()
	for {
		m.mu.Lock()
		ok := cond()
		m.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-m.change:
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s; has %v, read %v", what, m.has, m.read)
		}
	}
}

func (m *member) owns(t *testing.T, n int) {
	t.Helper()
	m.until(t, fmt.Sprintf("owns %d", n), func() bool { return len(m.has) == n })
}

func (m *member) leave(t *testing.T) {
	t.Helper()
	if err := m.Leave(t.Context()); err != nil {
		t.Error(err)
	}
	m.end()
	m.done.Wait()
}

func TestGroup(t *testing.T) {
	real(t)
	t.Parallel()
	groupStory(t, kafka.plain)
}

// The same story on the embedded broker, over real connections: what differs between the two shows here.
func TestGroupEmbedded(t *testing.T) {
	t.Parallel()
	groupStory(t, embedded(t).Addr())
}

func groupStory(t *testing.T, addr string) {
	c := open(t, "kafka://"+addr, broker.Credentials{})
	shared, story := fresh("shared"), fresh("story")
	if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: shared, Partitions: 4}}, topic.Topic{}); err != nil {
		t.Fatal(err)
	}
	fill := func() {
		for p := range int32(4) {
			for _, r := range send(t, c, topic.Record{Topic: shared, Partition: p, Value: []byte("1")}, topic.Record{Topic: shared, Partition: p, Value: []byte("2")}) {
				if r.err != nil {
					t.Fatal(r.err)
				}
			}
		}
	}
	sum := func(m *member) (n int64) {
		for _, r := range m.read {
			n += r
		}
		return n
	}
	one := join(t, addr, story, shared)
	one.owns(t, 4)
	fill()
	one.until(t, "read all", func() bool { return sum(one) == 8 })
	two := join(t, addr, story, shared)
	two.owns(t, 2)
	one.owns(t, 2)
	fill()
	two.until(t, "read its share", func() bool { return sum(two) == 4 })
	id, _ := two.Member()
	two.Abandon()
	two.end()
	two.done.Wait()
	began := time.Now()
	if err := c.Leave(t.Context(), story, id); err != nil {
		t.Fatal(err)
	}
	three := join(t, addr, story, shared)
	three.owns(t, 2)
	if took := time.Since(began); took > session*4/5 {
		t.Errorf("back after %s", took)
	}
	three.until(t, "read again what was not committed", func() bool { return sum(three) == 4 })
	for p := range three.has {
		if o, text, err := three.Committed(t.Context(), p); o != 2 || text != "revoked" || err != nil {
			t.Errorf("%s: committed %d %q, %v", p, o, text, err)
		}
	}
	three.leave(t)
	one.owns(t, 4)
	one.leave(t)
}

func TestTail(t *testing.T) {
	real(t)
	t.Parallel()
	c := open(t, "kafka://"+kafka.plain, broker.Credentials{})
	name := fresh("tail")
	if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: name, Partitions: 1}}, topic.Topic{}); err != nil {
		t.Fatal(err)
	}
	send(t, c, topic.Record{Topic: name, Value: []byte("old")})
	ctx, cancel := context.WithCancel(t.Context())
	ready, got, end := make(chan struct{}), make(chan string, 4), make(chan error, 1)
	go func() {
		end <- c.Tail(ctx, name, func() { close(ready) }, func(r topic.Record) { got <- string(r.Value) })
	}()
	<-ready
	send(t, c, topic.Record{Topic: name, Value: []byte("new")})
	if v := <-got; v != "new" {
		t.Errorf("read %q", v)
	}
	cancel()
	if err := <-end; err != nil {
		t.Error(err)
	}
}

// TestLargeRecords: records larger than what is asked for of a partition come nevertheless, in order with small ones and with other partitions.
func TestLargeRecords(t *testing.T) {
	real(t)
	t.Parallel()
	c := open(t, "kafka://"+kafka.plain, broker.Credentials{})
	large := fresh("large")
	if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: large, Partitions: 3}}, topic.Topic{}); err != nil {
		t.Fatal(err)
	}
	var rs []topic.Record
	noise := rand.NewChaCha8([32]byte{1})
	for i := range 60 {
		value := make([]byte, []int{10, 60 << 10, 70 << 10, 900 << 10}[i%4])
		_, _ = noise.Read(value) // nothing to compress
		rs = append(rs, topic.Record{Topic: large, Partition: int32(i/4) % 3, Value: value})
	}
	for _, r := range send(t, c, rs...) {
		if r.err != nil {
			t.Fatal(r.err)
		}
	}
	m := join(t, kafka.plain, fresh("reads-large"), large)
	m.until(t, "read all", func() bool {
		var n int64
		for _, r := range m.read {
			n += r
		}
		return n == int64(len(rs))
	})
	m.leave(t)
}

// What a transaction is about to commit is waited for, by who asks for those partitions only.
func TestPositions(t *testing.T) {
	real(t)
	t.Parallel()
	c := open(t, "kafka://"+kafka.plain, broker.Credentials{})
	name, group := fresh("positions"), fresh("positions")
	if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: name, Partitions: 2}}, topic.Topic{}); err != nil {
		t.Fatal(err)
	}
	m := join(t, kafka.plain, group, name)
	defer m.leave(t)
	m.owns(t, 2)
	tx, err := c.OpenTransactor(t.Context(), group, time.Minute, &broker.Ends{})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	p, q := topic.Partition{Topic: name, ID: 0}, topic.Partition{Topic: name, ID: 1}
	if err := tx.Begin(); err != nil {
		t.Fatal(err)
	}
	for range 3 { // what is beyond the end is no position
		tx.Produce(t.Context(), &topic.Record{Topic: name, Value: []byte("x")}, nil)
	}
	if err := tx.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := tx.Offsets(t.Context(), m.Group, map[topic.Partition]broker.Position{p: {Offset: 3, Metadata: "m"}}); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Positions(t.Context(), []topic.Partition{q}); err != nil || len(got) > 0 {
		t.Errorf("of the other partition the group has %v, %v", got, err)
	}
	short, end := context.WithTimeout(t.Context(), time.Second)
	defer end()
	if got, err := m.Positions(short, []topic.Partition{p, q}); err == nil {
		t.Errorf("before the commit the group has %v", got)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Positions(t.Context(), []topic.Partition{p, q}); err != nil || len(got) != 1 || got[p] != (broker.Position{Offset: 3, Metadata: "m"}) {
		t.Errorf("the group has %v, %v", got, err)
	}
}
