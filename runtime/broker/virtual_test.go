package broker

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kfake"

	"faust/runtime/topic"
)

// virtual is an embedded broker in memory behind a virtual network, inside a synctest bubble.
type virtual struct {
	*testing.T
	server *Server
	cfg    Config
	client *Client
}

// bubble runs f in virtual time with a broker and a client.
func bubble(t *testing.T, f func(v *virtual)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var net kfake.VirtualNetwork
		s, err := OpenServer(ServerConfig{Listen: net.Listen})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		v := &virtual{T: t, server: s, cfg: s.Config()}
		v.cfg.Dial = net.DialContext
		if os.Getenv("FAUST_TEST_LOG") != "" {
			v.cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
		}
		v.client = v.open(v.cfg)
		defer v.client.Close()
		f(v)
	})
}

func (v *virtual) open(cfg Config) *Client {
	v.Helper()
	c, err := Open(v.Context(), cfg)
	if err != nil {
		v.Fatal(err)
	}
	return c
}

func (v *virtual) ensure(ts ...topic.Topic) []Difference {
	v.Helper()
	ds, err := v.client.Ensure(v.Context(), ts, topic.Topic{Partitions: 4})
	if err != nil {
		v.Fatal(err)
	}
	return ds
}

type sent struct {
	topic.Record
	err error
}

// send sends records with a client and waits for their fates, in order.
func send(ctx context.Context, c *Client, rs ...topic.Record) []sent {
	type numbered struct {
		i int
		sent
	}
	done := make(chan numbered, len(rs))
	for i := range rs {
		c.Produce(ctx, &rs[i], func(r topic.Record, err error) { done <- numbered{i, sent{r, err}} })
	}
	out := make([]sent, len(rs))
	for range rs {
		n := <-done
		out[n.i] = n.sent
	}
	return out
}

func (v *virtual) send(rs ...topic.Record) []sent {
	v.Helper()
	out := send(v.Context(), v.client, rs...)
	for _, s := range out {
		if s.err != nil {
			v.Fatalf("%s: %v", s.Topic, s.err)
		}
	}
	return out
}

func numbered(name string, partition int32, from, n int) []topic.Record {
	var out []topic.Record
	for i := from; i < from+n; i++ {
		out = append(out, topic.Record{Topic: name, Partition: partition, Value: fmt.Append(nil, i)})
	}
	return out
}
