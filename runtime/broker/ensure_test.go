package broker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"faust/runtime/topic"
	"faust/tests/seed"
)

func TestEnsureCreates(t *testing.T) {
	bubble(t, func(v *virtual) {
		t := v.T
		ds := v.ensure(topic.Topic{Name: "plain"}, topic.Topic{Name: "compact", Compact: true, Partitions: 2},
			topic.Topic{Name: "hour", Retention: time.Hour}, topic.Topic{Name: "ever", Retention: -1}, topic.Topic{Name: "both", Compact: true, Retention: time.Minute})
		if len(ds) != 0 {
			t.Errorf("differences of new topics: %v", ds)
		}
		for name, want := range map[string]struct {
			n                       int
			retention, policy, size string
		}{"plain": {4, "604800000", "", ""}, "compact": {2, "604800000", "compact", ""}, "hour": {4, "3600000", "delete", ""}, "ever": {4, "-1", "delete", "-1"}, "both": {4, "60000", "compact,delete", ""}} {
			info := v.server.cluster.TopicInfo(name)
			if info == nil {
				t.Fatalf("no topic %s", name)
			}
			get := func(k string) string {
				if p := info.Configs[k]; p != nil {
					return *p
				}
				return ""
			}
			if got := len(v.server.cluster.PartitionInfos(name)); got != want.n || get(keyRetention) != want.retention || get(keyPolicy) != want.policy || get(keySize) != want.size {
				t.Errorf("%s: %d partitions, retention %q and %q, policy %q", name, got, get(keyRetention), get(keySize), get(keyPolicy))
			}
		}
		got, err := v.client.Partitions(t.Context(), "plain", "compact")
		if err != nil || got["plain"] != 4 || got["compact"] != 2 {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func TestEnsureCompares(t *testing.T) {
	bubble(t, func(v *virtual) {
		t := v.T
		v.ensure(topic.Topic{Name: "a", Partitions: 4, Retention: time.Hour})
		for _, c := range []struct {
			declared topic.Topic
			want     []Difference
			fix      string
		}{
			{declared: topic.Topic{Name: "a"}},
			{declared: topic.Topic{Name: "a", Partitions: 4, Retention: time.Hour}},
			{declared: topic.Topic{Name: "a", Partitions: 8}, want: []Difference{{Property: "partitions", Declared: "8", Actual: "4", Fatal: true}}, fix: "--alter --topic a --partitions 8"},
			{declared: topic.Topic{Name: "a", Partitions: 2}, want: []Difference{{Property: "partitions", Declared: "2", Actual: "4", Fatal: true}}, fix: "declare partitions = 4"},
			{declared: topic.Topic{Name: "a", Retention: -1}, want: []Difference{{Property: keyRetention, Declared: "-1", Actual: "3600000"}}, fix: "--entity-name a --add-config retention.ms=-1"},
			{declared: topic.Topic{Name: "a", Compact: true}, want: []Difference{{Property: keyPolicy, Declared: "compact", Actual: "delete"}}, fix: "cleanup.policy=compact"},
			{declared: topic.Topic{Name: "a", Compact: true, Retention: time.Hour}, want: []Difference{{Property: keyPolicy, Declared: "compact,delete", Actual: "delete"}}, fix: "cleanup.policy=[compact,delete]"},
		} {
			got := v.ensure(c.declared)
			for i := range got {
				if !strings.Contains(got[i].Fix, c.fix) {
					t.Errorf("%+v: fix %q", c.declared, got[i].Fix)
				}
				if got[i].Topic != "a" {
					t.Errorf("topic %q", got[i].Topic)
				}
				got[i].Fix, got[i].Topic = "", ""
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%+v: %s", c.declared, diff)
			}
		}
	})
}

// Whatever is declared: the first Ensure creates it, and every further one finds nothing to do or to say.
func TestEnsureIsIdempotent(t *testing.T) {
	rnd := rand.New(rand.NewPCG(seed.Of(t), 1))
	bubble(t, func(v *virtual) {
		t := v.T
		for round := range 20 {
			var ts []topic.Topic
			for i := range 1 + rnd.IntN(4) {
				d := topic.Topic{Name: fmt.Sprintf("t%d-%d", round, i), Compact: rnd.IntN(2) == 0}
				if rnd.IntN(2) == 0 {
					d.Partitions = 1 + rnd.Int32N(6)
				}
				d.Retention = []time.Duration{0, -1, time.Duration(1+rnd.IntN(1000)) * time.Second}[rnd.IntN(3)]
				if rnd.IntN(3) == 0 {
					d.Replication = 1
				}
				ts = append(ts, d)
			}
			for again := range 3 {
				if ds := v.ensure(ts...); len(ds) != 0 {
					t.Errorf("time %d: %+v: %v", again, ts, ds)
				}
			}
		}
	})
}

func TestDelete(t *testing.T) {
	bubble(t, func(v *virtual) {
		t := v.T
		v.ensure(topic.Topic{Name: "a"})
		if err := v.client.Delete(t.Context(), "a", "never-there"); err != nil {
			t.Fatal(err)
		}
		_, err := v.client.Partitions(t.Context(), "a")
		var e *Error
		if !errors.As(err, &e) || e.Class != MissingTopic || e.Hint == "" {
			t.Errorf("after deletion: %v", err)
		}
	})
}

func TestEnsureRefusedByTheBroker(t *testing.T) {
	bubble(t, func(v *virtual) {
		t := v.T
		if _, err := v.client.Ensure(t.Context(), []topic.Topic{{Name: "a", Replication: 3}}, topic.Topic{}); err == nil || !strings.Contains(err.Error(), "create topic a") {
			t.Errorf("three replicas on one broker: %v", err)
		}
		if _, err := v.client.Ensure(t.Context(), []topic.Topic{{Name: "not a name!"}}, topic.Topic{}); err == nil {
			t.Error("a bad name is accepted")
		}
	})
}
