package worker

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// dump writes the progress of every partition, then where every task stands.
func (r *run) dump() string {
	var b strings.Builder
	fmt.Fprintf(&b, "app %s, running for %s\n", r.set.GroupID(), time.Since(r.begun).Round(time.Second))
	lanes := r.fetch.all()
	slices.SortFunc(lanes, func(x, y *lane) int {
		if c := strings.Compare(x.partition.Topic, y.partition.Topic); c != 0 {
			return c
		}
		return int(x.partition.ID) - int(y.partition.ID)
	})
	for _, l := range lanes {
		for _, p := range l.procs {
			fmt.Fprintf(&b, "agent %s, %s: %s\n", p.def.Name, l.partition, p.text(l))
		}
	}
	if group := r.group.Load(); group != nil {
		fmt.Fprintf(&b, "group: %s\n", group.Standing())
	}
	records, bytes := r.link.gauge.level()
	fmt.Fprintf(&b, "sends not stored: %d (%d bytes); requests waiting: %d; leader: %t\n", records, bytes, r.link.replies.count(), r.leader.leads())
	for _, t := range r.tasks.waiting() {
		fmt.Fprintf(&b, "%s\n", t)
	}
	if r.cfg.Machine != nil {
		b.WriteString(r.cfg.Machine.Dump())
	}
	return b.String()
}

// text is the progress of a processor on one line.
func (p *proc) text(l *lane) string {
	g := p.Progress()
	text := fmt.Sprintf("delivered %d, low %d, queued %d (%d bytes), unsettled %d", g.Delivered, g.Low, g.Queued, g.QueuedBytes, g.Unsettled)
	if !g.Since.IsZero() {
		text += fmt.Sprintf(", oldest %.1fs", time.Since(g.Since).Seconds())
	}
	if l.paused.Load() {
		text += ", paused"
	}
	if g.Broken {
		text += ", broken"
	}
	return text
}
