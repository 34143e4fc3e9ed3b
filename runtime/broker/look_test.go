package broker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"faust/runtime/topic"
)

func TestGroupIsDescribed(t *testing.T) {
	t.Parallel()
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "a", Partitions: 2}, topic.Topic{Name: "b", Partitions: 1})
		v.send(append(numbered("a", 0, 0, 10), numbered("a", 1, 0, 5)...)...)
		v.send(numbered("b", 0, 0, 3)...)
		look := func(want GroupInfo, topics ...string) {
			t.Helper()
			got, err := v.client.Group(v.Context(), "g", topics...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		}
		at := func(name string, id int32, member string, committed, end, lag int64) GroupPartition {
			return GroupPartition{topic.Partition{Topic: name, ID: id}, member, committed, end, lag}
		}
		look(GroupInfo{Name: "g", State: "Dead"})
		look(GroupInfo{Name: "g", State: "Dead", Partitions: []GroupPartition{at("b", 0, "", -1, 3, 3)}}, "b", "missing")
		v.cfg.ClientID = "faust-shop"
		m := v.join("m", nil, nil)
		m.has(2)
		m.reads(15)
		if err := m.Commit(v.Context(), map[topic.Partition]Position{{Topic: "a"}: {Offset: 4}}); err != nil {
			t.Fatal(err)
		}
		id, _ := m.Member()
		got, err := v.client.Group(v.Context(), "g")
		if err != nil || len(got.Members) != 1 || got.Members[0].Host != "pipe" {
			t.Fatalf("%+v %v", got, err)
		}
		host := got.Members[0].Host
		member := Member{id, "faust-shop", host, []topic.Partition{{Topic: "a"}, {Topic: "a", ID: 1}}}
		look(GroupInfo{Name: "g", State: "Stable", Members: []Member{member}, Partitions: []GroupPartition{at("a", 0, id, 4, 10, 6), at("a", 1, id, -1, 5, 5)}}, "a")
		m.cancel()
		if err := m.Leave(v.Context()); err != nil {
			t.Fatal(err)
		}
		m.done.Wait()
		look(GroupInfo{Name: "g", State: "Empty", Partitions: []GroupPartition{at("a", 0, "", 4, 10, 6), at("a", 1, "", -1, 5, 5)}})
		ends, err := v.client.Ends(v.Context(), topic.Partition{Topic: "a", ID: 1}, topic.Partition{Topic: "b"}, topic.Partition{Topic: "b", ID: 7}, topic.Partition{Topic: "missing"})
		if diff := cmp.Diff(map[topic.Partition]int64{{Topic: "a", ID: 1}: 5, {Topic: "b"}: 3}, ends); err != nil || diff != "" {
			t.Error(err, diff)
		}
	})
}

func TestBareHost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{"/10.0.0.3": "10.0.0.3", "127.0.0.1:54078": "127.0.0.1", "[::1]:5": "::1", "/fe80::1": "fe80::1", "pipe": "pipe", "": ""} {
		if got := bareHost(host); got != want {
			t.Errorf("%q: %q", host, got)
		}
	}
}

// TestLook: what runs is found, what does not is not started.
func TestLook(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	look := func() {
		t.Helper()
		var e *Error
		if _, err := Look(t.Context(), dir); !errors.As(err, &e) || e.Class != Embedded || !strings.HasSuffix(e.Error(), "data: it does not run") {
			t.Error(err)
		}
	}
	look()
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("looking makes folders")
	}
	s, err := OpenServer(ServerConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	cfg, err := Look(t.Context(), dir)
	if err != nil || !cfg.Embedded {
		t.Fatal(cfg, err)
	}
	c := mustOpen(t, cfg)
	defer c.Close()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	look()
	short, end := context.WithTimeout(t.Context(), time.Second)
	defer end()
	if _, err := c.Group(short, "g"); err == nil {
		t.Error("a broker that ended answers")
	}
}

// TestSeek: what comes after a seek begins at the new offset, whatever was fetched before.
func TestSeek(t *testing.T) {
	t.Parallel()
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "a", Partitions: 2})
		v.send(append(numbered("a", 0, 0, 100), numbered("a", 1, 0, 100)...)...)
		m := v.join("m", nil, nil)
		m.reads(200)
		zero := topic.Partition{Topic: "a"}
		for i, offset := range []int64{10, 10, 50, 90} {
			v.send(numbered("a", 0, 100+i, 1)...) // is under way perhaps
			m.Seek(func(func(topic.Partition) bool) map[topic.Partition]int64 {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.next[zero] = offset // read makes sure that it goes on there
				return map[topic.Partition]int64{zero: offset, {Topic: "b"}: 1}
			})
			m.until("has all again", func() bool { return m.next[zero] == 101+int64(i) })
		}
		if got := m.progress()[topic.Partition{Topic: "a", ID: 1}]; got != 100 {
			t.Errorf("the other partition is at %d", got)
		}
		m.cancel()
		if err := m.Leave(v.Context()); err != nil {
			t.Fatal(err)
		}
		m.done.Wait()
	})
}
