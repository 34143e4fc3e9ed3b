package agent

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"faust/runtime/topic"
)

// TestFree: a delivered slice is handed over once, when all its records were taken, and what is in hand then does not change with it.
func TestFree(t *testing.T) {
	t.Parallel()
	for _, actors := range []int{1, 3} {
		bubble(t, map[int]string{1: "one actor", 3: "concurrency"}[actors], func(t *testing.T) {
			var mu sync.Mutex
			var freed []int64
			held := make(chan struct{})
			body := each(func(_ *Stream, e *Event) error {
				if offset := e.Offset; offset == 3 {
					<-held
					if e.Offset != 3 || string(e.Value) != "3" {
						t.Errorf("the event in hand changed: %d %q", e.Offset, e.Value)
					}
				}
				echo(e, "")
				return nil
			})
			r := start(t, &Definition{Concurrency: actors, Body: body}, func(cfg *ProcessorConfig) {
				cfg.Free = func(rs []topic.Record) {
					mu.Lock()
					defer mu.Unlock()
					freed = append(freed, rs[0].Offset)
					for i := range rs {
						rs[i] = topic.Record{Offset: -1, Value: []byte("used again")}
					}
				}
			})
			r.Deliver(records(1, 2, 3))
			r.Deliver(records(4))
			synctest.Wait()
			mu.Lock()
			before := slices.Clone(freed)
			mu.Unlock()
			if want := map[int][]int64{1: nil, 3: {1, 4}}[actors]; !slices.Equal(before, want) {
				t.Errorf("handed over with events unread: %v, want %v", before, want)
			}
			close(held)
			synctest.Wait()
			if got := r.values(); len(got) != 4 || actors == 1 && !slices.Equal(got, []string{"1", "2", "3", "4"}) {
				t.Errorf("sent %q", got)
			}
			if mu.Lock(); !slices.Equal(freed, []int64{1, 4}) {
				t.Errorf("handed over: %v", freed)
			}
			mu.Unlock()
			low(t, r.Processor, 5)
			if err := r.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}
