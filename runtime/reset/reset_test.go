package reset

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/topic"
)

// A worker that was started after somebody looked, and before he agreed, has its state for itself, also if there was no group when he looked.
func TestWorkerThatCameMeanwhile(t *testing.T) {
	t.Parallel()
	datadir := filepath.Join(t.TempDir(), "data")
	synctest.Test(t, func(t *testing.T) {
		net := &kfake.VirtualNetwork{}
		server, err := broker.OpenServer(broker.ServerConfig{Listen: net.Listen})
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		cfg := server.Config()
		cfg.Embedded, cfg.Dial = false, net.DialContext
		client, err := broker.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		changelog := topic.Topic{Name: "shop-v2-totals-changelog", Partitions: 1, Compact: true, Internal: true}
		if _, err := client.Ensure(t.Context(), []topic.Topic{{Name: "orders", Partitions: 1}, changelog}, topic.Topic{Replication: 1}); err != nil {
			t.Fatal(err)
		}
		for name, plan := range map[string]func(context.Context, Config) (*Plan, error){"reset": New, "clean-versions": Versions} {
			settings := &app.Settings{ID: "shop", Version: 2, Datadir: datadir}
			if name == "clean-versions" {
				settings.Version = 3
			}
			internal := changelog
			internal.Name = settings.Internal("totals", "changelog")
			a := &app.App{Settings: settings, Internal: []*app.Topic{{Topic: internal}}}
			p, err := plan(t.Context(), Config{App: a, Client: client})
			if err != nil || len(p.Topics) != 1 || len(p.Groups) != 0 {
				t.Fatalf("%s: %+v, %v", name, p, err)
			}
			joined := make(chan struct{})
			group, err := broker.Join(t.Context(), cfg, broker.GroupConfig{Group: "shop-v2", Topics: []string{"orders"}, Assigned: func(context.Context, map[topic.Partition]int64) error {
				close(joined)
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			<-joined
			if err := p.Run(t.Context()); !errors.Is(err, broker.ErrMembers) {
				t.Errorf("%s: %v", name, err)
			}
			if all, err := client.Topics(t.Context()); err != nil || !slices.Contains(all, changelog.Name) {
				t.Errorf("%s: %v, %v", name, all, err)
			}
			if err := group.Leave(t.Context()); err != nil {
				t.Error(err)
			}
			p.Close()
			if err := client.Forget(t.Context(), "shop-v2"); err != nil {
				t.Error(err)
			}
			<-time.After(time.Second)
		}
	})
}
