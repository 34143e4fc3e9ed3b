package worker

import (
	"fmt"
	"testing"
	"time"

	"faust/runtime/store"
)

// What a worker has of shards that went to others long ago is deleted, and of tables that are not there any more; what it has, and what went lately, is not.
func TestOldShardsAreDeleted(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.ensure("in", 4)
		kept := store.NewMemory()
		defer kept.Close()
		a, def := summing()
		one := w.start(a, func(c *Config) { c.Store = kept }).operational()
		run := one.worker.current.Load()
		w.produce("in", 4, 0, 100)
		w.settled("sums", 100)
		<-time.After(time.Second)
		b, defB := summing()
		two := w.start(b).operational()
		eventually(t, "they share", func() bool { return len(run.Shards(def)) == 2 && len(two.worker.current.Load().Shards(defB)) == 2 })
		has := func() string {
			list, err := kept.Shards()
			if err != nil {
				t.Fatal(err)
			}
			text := ""
			for _, id := range list {
				if _, ok, err := kept.Position(id); ok && err == nil {
					text += fmt.Sprint(" ", id.Table, id.Partition)
				}
			}
			return text
		}
		tidy := func(want string) {
			t.Helper()
			if err := run.state.tidy(); err != nil {
				t.Error(err)
			}
			if got := has(); got != want {
				t.Errorf("it has%s, want%s", got, want)
			}
		}
		all := has()
		tidy(all)
		here, old := "", store.Shard{Table: "old"}
		var batch store.Batch
		for p := range int32(4) {
			id := shelf{shardKey{def, p}, run.state}.id()
			pos, _, err := kept.Position(id)
			if err != nil {
				t.Fatal(err)
			}
			pos.Time = time.Now().Add(-13 * time.Hour)
			batch.Position(id, pos)
			batch.Position(old, pos)
			if run.Shard(def, p) != nil {
				here += fmt.Sprint(" totals", p)
			}
		}
		if err := kept.Apply(&batch); err != nil {
			t.Fatal(err)
		}
		tidy(" old0" + here)
		batch.Reset()
		batch.Position(old, store.Position{Time: time.Now().Add(-25 * time.Hour)})
		if err := kept.Apply(&batch); err != nil {
			t.Fatal(err)
		}
		tidy(here)
		if err := two.stop(); err != nil {
			t.Error(err)
		}
		eventually(t, "it has all", func() bool { return len(run.Shards(def)) == 4 })
		same(t, "in the shards", heldBy(t, one, def), want(100))
		if err := one.stop(); err != nil {
			t.Error(err)
		}
	})
}
