package worker

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/topic"
)

func TestOrderAndCommit(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("order")
		declare(a, 4, "numbers", "copies")
		var mu sync.Mutex
		last := map[int32]int64{}
		n := 0
		reads(a, "copy", "numbers", each(func(_ context.Context, ev *agent.Event) error {
			mu.Lock()
			defer mu.Unlock()
			if before, ok := last[ev.Partition]; ok && ev.Offset != before+1 {
				t.Errorf("partition %d: %d after %d", ev.Partition, ev.Offset, before)
			}
			last[ev.Partition] = ev.Offset
			n++
			ev.Send(topic.Record{Topic: "copies", Partition: ev.Partition, Key: ev.Key, Value: ev.Value})
			return nil
		}))
		started := 0
		a.Tasks = append(a.Tasks, &app.Task{Name: "once", Run: func(context.Context) error { started++; return nil }})
		w.ensure("numbers", 4)
		w.produce("numbers", 4, 0, 1000)
		r := w.start(a).operational()
		eventually(t, "all read", func() bool { mu.Lock(); defer mu.Unlock(); return n == 1000 })
		if err := r.stop(); err != nil {
			t.Fatalf("%v\n%s", err, r.log)
		}
		if started != 1 {
			t.Errorf("task ran %d times", started)
		}
		for p := range int32(4) {
			if at, _ := w.committed("order", topic.Partition{Topic: "numbers", ID: p}); at != 250 {
				t.Errorf("partition %d committed at %d", p, at)
			}
		}
		if got := w.records("copies", 1000); len(got) != 1000 {
			t.Errorf("%d copies", len(got))
		}
	})
}

func TestLeftBehind(t *testing.T) {
	t.Parallel()
	datadir := filepath.Join(t.TempDir(), "a[b]*")
	for _, member := range []string{"one", "", "two"} {
		s, err := openSlot(datadir, "shop")
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		if err := s.keep(member); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(datadir, "shop/1/worker.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"one": "0", "two": "2"}, LeftBehind(datadir, "shop")); diff != "" {
		t.Error(diff)
	}
	if got := LeftBehind(datadir, "other"); len(got) != 0 {
		t.Error(got)
	}
}
