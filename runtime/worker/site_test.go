package worker

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"faust/runtime/agent"
	"faust/runtime/web"
)

// get asks the worker's web server over the virtual network.
func get(t *testing.T, net *kfake.VirtualNetwork, path string) (int, string) {
	t.Helper()
	r, err := http.NewRequest("GET", "http://127.0.0.1:6066"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	code, text, _ := do(t, net, r)
	return code, text
}

// do sends a request over the virtual network.
func do(t *testing.T, net *kfake.VirtualNetwork, r *http.Request) (int, string, http.Header) {
	t.Helper()
	transport := &http.Transport{DialContext: net.DialContext, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

func TestHealthAndMetrics(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("health")
		a.Settings.WebEnabled, a.Settings.WebBind, a.Settings.WebPort = true, "127.0.0.1", 6066
		a.Settings.MaxFailures = 3
		a.Pages = append(a.Pages, &web.Page{Name: "/hello/", Pattern: "/hello/", Handle: func(context.Context, *web.Request) (*web.Response, error) {
			return &web.Response{Body: []byte("hi")}, nil
		}})
		declare(a, 1, "in", "bad")
		var done seen
		reads(a, "count", "in", each(func(_ context.Context, ev *agent.Event) error {
			<-time.After(10 * time.Millisecond)
			done.add(ev.Value)
			return nil
		}))
		reads(a, "typo", "bad", each(func(context.Context, *agent.Event) error { return errors.New("typo in line 3") }))
		w.ensure("in", 1)
		w.ensure("bad", 1)
		w.produce("in", 1, 0, 500)
		machine := &holder{time.Now()}
		var info Info
		r := w.start(a, func(c *Config) {
			c.Listen, c.Machine, c.Events.Started = w.net.Listen, machine, func(i Info) { info = i }
		}).operational()
		if info.Web != "http://localhost:6066/" || !strings.HasPrefix(info.Transport, "kafka://") {
			t.Errorf("banner says %+v", info)
		}
		if code, text := get(t, w.net, "/hello/"); code != 200 || text != "hi" {
			t.Errorf("page: %d %s", code, text)
		}
		if code, text := get(t, w.net, "/readyz"); code != 200 {
			t.Errorf("ready: %d %s", code, text)
		}
		if code, text := get(t, w.net, "/livez"); code != 200 {
			t.Errorf("alive: %d %s", code, text)
		}
		eventually(t, "all done", func() bool { return done.distinct() == 500 })
		<-time.After(11 * time.Second)
		if code, text := get(t, w.net, "/livez"); code != 503 || !strings.Contains(text, "agent busy/0") {
			t.Errorf("a task that never waits: %d %s", code, text)
		}
		w.produce("bad", 1, 0, 10)
		eventually(t, "broken", func() bool { return len(r.worker.current.Load().report.reasons()) > 0 })
		code, text := get(t, w.net, "/readyz")
		var ready struct{ Checks []web.Check }
		if err := json.Unmarshal([]byte(text), &ready); err != nil || code != 503 {
			t.Errorf("ready: %d %s %v", code, text, err)
		}
		for _, c := range ready.Checks {
			if c.OK == (c.Name == "agents") || c.Name == "agents" && !strings.Contains(c.Reason, "agent typo, bad/0: 3 failed events in a row, last: typo in line 3") {
				t.Errorf("check %+v", c)
			}
		}
		_, metrics := get(t, w.net, "/metrics")
		for _, line := range []string{
			`faust_records_processed_total{agent="count",topic="in"} 500`,
			`faust_records_failed_total{action="dead_letter",agent="typo",topic="bad"} 3`,
			`faust_partition_lag{partition="0",topic="in"} 0`,
			`faust_partition_broken{agent="typo",partition="0",topic="bad"} 1`,
			`faust_commits_total{result="stored"}`,
			`faust_sends_total 3`,
			`faust_agent_record_seconds_count{agent="count"}`,
			`faust_kafka_`,
		} {
			if !strings.Contains(metrics, line) {
				t.Errorf("no %s in the metrics", line)
			}
		}
		if dump := r.worker.Dump(); !strings.Contains(dump, "agent count, in/0: delivered 500, low 500, queued 0 (0 bytes), unsettled 0") {
			t.Error(dump)
		}
		run := r.worker.current.Load()
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		families, err := run.metrics.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "faust_partition_lag" {
				t.Error("the lag of a partition that was given back is still told")
			}
		}
	})
}

func TestBrokerOutageShowsAndPasses(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a := newApp("outage")
		declare(a, 1, "in")
		var done seen
		reads(a, "count", "in", each(func(_ context.Context, ev *agent.Event) error { done.add(ev.Value); return nil }))
		r := w.start(a).operational()
		run := r.worker.current.Load()
		if err := run.brokerUp(); err != nil {
			t.Fatal(err)
		}
		restart := w.outage()
		if err := run.brokerUp(); err == nil {
			t.Error("a broker that is away is up")
		}
		<-time.After(30 * time.Second)
		if n := strings.Count(r.log.String(), "broker out of reach"); n != 1 {
			t.Errorf("the outage is told %d times", n)
		}
		restart()
		w.produce("in", 1, 0, 10)
		eventually(t, "it goes on", func() bool { return done.distinct() == 10 })
		eventually(t, "the end of the outage is told", func() bool { return strings.Contains(r.log.String(), "broker answers again") })
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}
