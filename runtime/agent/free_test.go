package agent

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"faust/runtime/topic"
)

// TestFree: a delivered slice is handed over once, when all its records were taken and what they sent is with the sender, unless somebody may look
// at it still: a batch that has records of several slices.
func TestFree(t *testing.T) {
	t.Parallel()
	each := func(sends func(offset int64) bool) func(held chan struct{}, t *testing.T) Body {
		return func(held chan struct{}, t *testing.T) Body {
			return each(func(_ *Stream, e *Event) error {
				if e.Offset == 3 {
					<-held
					if e.Offset != 3 || string(e.Value) != "3" {
						t.Errorf("the event in hand changed: %d %q", e.Offset, e.Value)
					}
				}
				if sends(e.Offset) {
					echo(e, "")
				}
				return nil
			})
		}
	}
	all := func(int64) bool { return true }
	for _, c := range []struct {
		name           string
		actors         int
		body           func(held chan struct{}, t *testing.T) Body
		before, freed  []int64
		sent           []string
		orderUncertain bool
	}{
		{"nothing sent", 1, each(func(int64) bool { return false }), nil, []int64{1, 4}, nil, false},
		{"sent", 1, each(all), nil, []int64{1, 4}, []string{"1", "2", "3", "4"}, false},
		{"sent by one batch", 1, each(func(o int64) bool { return o == 2 }), nil, []int64{1, 4}, []string{"2"}, false},
		{"concurrency", 3, each(all), []int64{1, 4}, []int64{1, 4}, []string{"1", "2", "3", "4"}, true},
		{"a batch over two slices", 1, take, nil, []int64{4}, nil, false},
	} {
		bubble(t, c.name, func(t *testing.T) {
			var mu sync.Mutex
			var freed []int64
			held := make(chan struct{})
			r := start(t, &Definition{Concurrency: c.actors, Body: c.body(held, t)}, func(cfg *ProcessorConfig) {
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
			if !slices.Equal(freed, c.before) {
				t.Errorf("handed over with events unread: %v, want %v", freed, c.before)
			}
			mu.Unlock()
			close(held)
			synctest.Wait()
			got := r.values()
			if c.orderUncertain {
				slices.Sort(got)
			}
			if !slices.Equal(got, c.sent) {
				t.Errorf("sent %q, want %q", got, c.sent)
			}
			for _, cause := range r.causes {
				if cause != nil && string(cause.Record.Value) == "used again" {
					t.Errorf("the record that a send came from changed")
				}
			}
			mu.Lock()
			if !slices.Equal(freed, c.freed) {
				t.Errorf("handed over: %v, want %v", freed, c.freed)
			}
			mu.Unlock()
			low(t, r.Processor, 5)
			if err := r.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// take reads four events as one batch.
func take(held chan struct{}, t *testing.T) Body {
	return func(ctx context.Context, s *Stream) error {
		for {
			es, err := s.Take(ctx, 4, 0)
			if err != nil {
				return err
			}
			<-held
			for i, e := range es {
				if e.Offset != int64(i+1) || string(e.Value) != fmt.Sprint(i+1) {
					t.Errorf("event %d in hand is %d %q", i, e.Offset, e.Value)
				}
			}
		}
	}
}
