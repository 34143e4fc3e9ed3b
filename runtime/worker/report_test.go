package worker

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"faust/runtime/agent"
	"faust/runtime/topic"
)

// TestFailureIsNamed: what failed is an event, or the agent with no event in hand; nothing is tried again that was not there.
func TestFailureIsNamed(t *testing.T) {
	t.Parallel()
	event := &agent.Event{Record: &topic.Record{Topic: "orders", Partition: 2, Offset: 7, Key: []byte("k")}}
	for _, c := range []struct {
		event  *agent.Event
		action agent.Action
		want   string
	}{
		{event, agent.Retry, `level=WARN msg="event failed, it is tried again" agent=a topic=orders partition=2 offset=7 key=k attempt=3 err=boom`},
		{event, agent.Skip, `level=ERROR msg="event failed" agent=a topic=orders partition=2 offset=7 key=k action=skip attempt=3 err=boom`},
		{nil, agent.Retry, `level=ERROR msg="agent failed with no event in hand, it is started again" agent=a err=boom`},
		{nil, agent.Skip, `level=ERROR msg="agent failed after its loop" agent=a err=boom`},
	} {
		var out bytes.Buffer
		r := &reporter{log: slog.New(slog.NewTextHandler(&out, nil)), metrics: newMetrics(), failures: newFailures(nil)}
		r.Failed(&agent.Definition{Name: "a"}, c.event, errors.New("boom"), c.action, 3)
		if got := strings.TrimSpace(out.String()); !strings.HasSuffix(got, c.want) {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
