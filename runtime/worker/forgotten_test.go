package worker

import (
	"strings"
	"testing"

	"faust/runtime/app"
	"faust/runtime/store"
)

// A group whose offsets Kafka has forgotten reads its topics again, on top of what its tables have: that is said, and nothing of the kind where all is well.
func TestOffsetsThatAreForgotten(t *testing.T) {
	t.Parallel()
	const said = "the group has no offset of its topics"
	inBoth(t, func(t *testing.T, w *world, promise func(*app.App) *app.App) {
		w.ensure("in", 4)
		for round := range 3 {
			if round == 2 {
				if _, err := w.admin.DeleteGroups(t.Context(), "sums"); err != nil {
					t.Fatal(err)
				}
			}
			a, _ := summing()
			r := w.start(promise(a), func(c *Config) { c.Store = store.NewMemory() }).operational()
			if round < 2 {
				w.produce("in", 4, 100*round, 100)
			}
			w.settled("sums", int64(100*min(round+1, 2)))
			if err := r.stop(); err != nil {
				t.Error(err)
			}
			if forgot := strings.Contains(r.log.String(), said); forgot != (round == 2) {
				t.Errorf("round %d: %v\n%s", round, forgot, r.log)
			}
		}
	})
}
