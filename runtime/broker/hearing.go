package broker

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ear hears the group's coordinator.
type ear Group

// OnBrokerE2E implements kgo.HookBrokerE2E.
func (e *ear) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	if e2e.Err() == nil && (key == int16(kmsg.Heartbeat) || key == int16(kmsg.JoinGroup) || key == int16(kmsg.SyncGroup)) {
		e.hearing.answered(time.Now())
	}
}

// hearing is what is known of the coordinator's answers. Whether one was good is not seen where it comes in, but a member that was told that it is none any
// more gives up its partitions before it asks again: so an answer counts once the next one is there.
type hearing struct {
	mu         sync.Mutex
	last, good time.Time
}

func (h *hearing) answered(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last, h.good = now, h.last
}

// quiet is how long ago the last good answer was, by the longer of two measures: the clock that only goes forward stands still while some machines sleep.
func (h *hearing) quiet(now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.good.IsZero() {
		return 0
	}
	return max(now.Sub(h.good), now.Round(0).Sub(h.good.Round(0)))
}

// Quiet is for how long nothing was heard that proves the membership; 0 before the first answers.
func (g *Group) Quiet() time.Duration { return g.hearing.quiet(time.Now()) }
