package worker

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/topic"
)

// Answers to many that ask no more cost one transaction together, not one each.
func TestAnswersForNobody(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		const asked = 40
		w.ensure("in", 1)
		for i := range asked {
			r := topic.Record{Topic: "in", Value: []byte("x"), Headers: []topic.Header{
				{Key: agent.HeaderReplyTo, Value: fmt.Appendf(nil, "gone-%d", i)}, {Key: agent.HeaderCorrelation, Value: []byte("1")},
			}}
			w.client.Produce(t.Context(), &r, func(_ topic.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}
		if err := w.client.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		a := newApp("ask")
		a.Settings.ProcessingGuarantee = app.ExactlyOnce
		declare(a, 1, "in")
		reads(a, "double", "in", each(func(_ context.Context, ev *agent.Event) error {
			ev.Reply(append(ev.Value, ev.Value...))
			return nil
		}))
		r := w.start(a).operational()
		w.settled("ask", asked)
		if n := strings.Count(r.log.String(), "taken up anew"); n > 3 {
			t.Errorf("all was taken up anew %d times", n)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}
