package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// told remembers what became of effects.
type told struct {
	offsets []int64
	log     *[]string
}

func (t *told) Settle() { t.end("settled") }
func (t *told) Undo()   { t.end("undone") }
func (t *told) end(how string) {
	for _, o := range t.offsets {
		*t.log = append(*t.log, fmt.Sprint(how, " ", o))
	}
	t.offsets = t.offsets[:0]
}

// TestEffects: each event's effects are ended once, in the way it ends; those of a unit together.
func TestEffects(t *testing.T) {
	t.Parallel()
	bad := errors.New("bad")
	for name, c := range map[string]struct {
		d    Definition
		take int
		want []string
	}{
		"one by one":               {want: []string{"settled 1", "undone 2", "settled 3", "settled 4"}},
		"tried again":              {d: Definition{Policy: Fixed(Retry)}, want: []string{"settled 1", "undone 2", "settled 2", "settled 3", "settled 4"}},
		"a batch":                  {take: 2, want: []string{"undone 1", "undone 2", "settled 3", "settled 4"}},
		"acknowledged by hand":     {d: Definition{ManualAck: true}, want: []string{"settled 1", "undone 2", "settled 3", "settled 4"}},
		"by hand, and one is open": {d: Definition{ManualAck: true}, take: 2, want: []string{"undone 1", "undone 2", "settled 3", "settled 4"}},
	} {
		bubble(t, name, func(t *testing.T) {
			var log []string
			failed := false
			d := c.d
			if d.Policy == nil {
				d.Policy = Fixed(Skip)
			}
			d.Body = func(ctx context.Context, s *Stream) error {
				for {
					unit, err := s.Take(ctx, max(c.take, 1), time.Second)
					if err != nil {
						return err
					}
					for _, e := range unit {
						x := e.Effects(func() Effects { return &told{log: &log} }).(*told)
						x.offsets = append(x.offsets, e.Offset)
					}
					if unit[len(unit)-1].Offset == 2 && !failed {
						failed = true
						return bad
					}
					for _, e := range unit {
						s.Ack(e)
					}
				}
			}
			r := start(t, &d)
			r.Deliver(records(1, 2, 3, 4))
			<-time.After(time.Hour)
			synctest.Wait()
			if err := r.stop(); err != nil {
				t.Error(err)
			}
			if !slices.Equal(log, c.want) {
				t.Errorf("%q, want %q", log, c.want)
			}
		})
	}
}
