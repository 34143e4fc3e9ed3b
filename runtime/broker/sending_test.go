package broker

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"faust/runtime/topic"
)

// heard is a Receipt that counts what it hears of each number.
type heard struct {
	t  *testing.T
	mu sync.Mutex
	n  map[int64]int
}

func (h *heard) Stored(s *Sending, _ error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n[s.Note.Epoch]++
	if r := s.Record(); string(r.Value) != strconv.FormatInt(s.Note.Epoch, 10) || s.Note.Origin.Offset != s.Note.Epoch || len(r.Headers) != int(s.Note.Epoch%2) {
		h.t.Errorf("%d is told of %+v, from %+v", s.Note.Epoch, r, s.Note.Origin)
	}
}

// TestSendings: sendings are used again, by several goroutines at a time and finished in any order, and none is while it is on its way.
func TestSendings(t *testing.T) {
	t.Parallel()
	const senders, each = 4, 5000
	c := &Client{}
	to := &heard{t: t, n: map[int64]int{}}
	on := make(chan *Sending, senders*slabLen*2)
	var sending, finishing sync.WaitGroup
	for i := range senders {
		sending.Go(func() {
			for j := range each {
				n := int64(i*each + j)
				r := &topic.Record{Topic: "a", Value: strconv.AppendInt(nil, n, 10), Headers: make([]topic.Header, n%2), Timestamp: n % 3}
				s := c.sendings.take(c)
				if s.to != nil || s.record.Value != nil || s.record.Headers != nil || !s.record.Timestamp.IsZero() {
					t.Errorf("taken for %d: %+v", n, s.letter)
				}
				origin := topic.Record{Offset: n}
				s.fill(context.Background(), r, to, &Note{Epoch: n, Origin: &origin})
				origin.Offset = -1 // used again
				if len(s.record.Headers) != int(n%2) || n%3 != 0 && s.record.Timestamp.UnixMilli() != n%3 || n%3 == 0 && s.record.Timestamp.IsZero() {
					t.Errorf("%d is filled with %+v", n, s.record)
				}
				on <- s
			}
		})
		finishing.Go(func() {
			var mine []*Sending
			for s := range on {
				if mine = append(mine, s); len(mine) > 50 {
					k := rand.IntN(len(mine))
					mine[k].finish(nil)
					mine = append(mine[:k], mine[k+1:]...)
				}
			}
			for _, s := range mine {
				s.finish(nil)
			}
		})
	}
	sending.Wait()
	close(on)
	finishing.Wait()
	if len(to.n) != senders*each {
		t.Errorf("%d of %d were told of", len(to.n), senders*each)
	}
	for n, times := range to.n {
		if times != 1 {
			t.Errorf("%d was told of %d times", n, times)
		}
	}
}

// TestClock: the time is that of the system to the millisecond, also after a long rest.
func TestClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c clock
		var last time.Time
		for _, d := range []time.Duration{0, 0, time.Microsecond, 300 * time.Microsecond, 900 * time.Microsecond, 17 * time.Millisecond, time.Second, time.Hour, time.Nanosecond, 999 * time.Millisecond} {
			<-time.After(d)
			now := c.now()
			if late := time.Since(now); late < 0 || late >= time.Millisecond || now.UnixMilli() < last.UnixMilli() {
				t.Errorf("after %v the time is off by %v, after %v", d, late, last)
			}
			last = now
		}
	})
}
