package kafka

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"faust/runtime/broker"
	"faust/runtime/topic"
	"faust/tests/drive"
)

// whole tells whether a member has partitions of one topic only together with those of the other.
func (m *member) whole(a, b string) bool {
	for p := range m.has {
		other := topic.Partition{Topic: map[string]string{a: b, b: a}[p.Topic], ID: p.ID}
		if _, ok := m.has[other]; !ok {
			return false
		}
	}
	return true
}

// Topics that are tied together move together, and a group is rolled from the client's own balancer and back: Kafka picks what all members know.
func TestUnits(t *testing.T) {
	real(t)
	t.Parallel()
	c := open(t, "kafka://"+kafka.plain, broker.Credentials{})
	a, b, group := fresh("tied"), fresh("tied"), fresh("units")
	if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: a, Partitions: 5}, {Name: b, Partitions: 5}}, topic.Topic{}); err != nil {
		t.Fatal(err)
	}
	old := func() *kgo.Client {
		kafka, err := kgo.NewClient(kgo.SeedBrokers(kafka.plain), kgo.ConsumerGroup(group), kgo.ConsumeTopics(a, b), kgo.DisableAutoCommit(),
			kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.HeartbeatInterval(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		return kafka
	}
	ours := func() *member {
		return joinTied(t, kafka.plain, group, []string{a, b}, []broker.Tie{{Topics: []string{a, b}, Tables: []string{"t"}}})
	}
	unit := topic.Partition{Topic: a, ID: 0}
	known := func(m *member) func() bool {
		return func() bool { url, ok := m.Owner(unit); return ok && url == "http://worker" }
	}
	first := old()
	one := ours()
	// rolled waits until the group uses the balancer of the older one of two members; of what that gives, the other takes whole units only, of which there may be none.
	rolled := func() {
		t.Helper()
		admin := kadm.NewClient(first)
		drive.Until(t, "the group to be stable", func() (bool, string) {
			groups, err := admin.DescribeGroups(t.Context(), group)
			g := groups[group]
			return err == nil && g.State == "Stable" && g.Protocol == "cooperative-sticky" && len(g.Members) == 2, fmt.Sprint(g, err)
		})
		one.until(t, "has whole units only", func() bool { return len(one.has) <= 5 && one.whole(a, b) })
	}
	rolled()
	one.until(t, "knows no owners, of which the client's balancer tells nothing", func() bool { _, ok := one.Owner(unit); return !ok })
	first.Close()
	one.owns(t, 10)
	one.until(t, "knows owners", known(one))
	two, three := ours(), ours()
	for _, m := range []*member{one, two, three} {
		m.until(t, "has whole units", func() bool { return len(m.has) >= 2 && len(m.has) <= 4 && m.whole(a, b) && known(m)() })
	}
	two.leave(t)
	for _, m := range []*member{one, three} {
		m.until(t, "has whole units", func() bool { return len(m.has) >= 4 && len(m.has) <= 6 && m.whole(a, b) })
	}
	first = old()
	three.leave(t)
	rolled()
	first.Close()
	one.owns(t, 10)
	one.leave(t)
}
