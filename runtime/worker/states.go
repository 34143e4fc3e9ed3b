package worker

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"faust/runtime/table"
)

// states reads the metrics that are a state: of the partitions assigned now, and of no other.
type states struct{ run *run }

// Describe implements prometheus.Collector.
func (s *states) Describe(c chan<- *prometheus.Desc) {
	m := s.run.metrics
	for _, d := range []*prometheus.Desc{m.lag, m.queued, m.unsettled, m.paused, m.off, m.broken, m.unsent, m.pending, m.holder, m.shards, m.copies, m.copyLag, m.recovering, m.stored, m.moment} {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (s *states) Collect(c chan<- prometheus.Metric) {
	r, m := s.run, s.run.metrics
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	lanes := r.fetch.snapshot()
	r.count(r.fetch.all())
	for _, l := range lanes {
		name, id := l.partition.Topic, strconv.Itoa(int(l.partition.ID))
		if low, ok := l.committable(); ok && l.high.Load() >= 0 {
			gauge(m.lag, float64(max(l.high.Load()-low, 0)), name, id)
		}
		gauge(m.paused, truth(l.paused.Load()), name, id)
		for _, p := range l.procs {
			g := p.Progress()
			gauge(m.queued, float64(g.QueuedBytes), p.def.Name, name, id)
			gauge(m.unsettled, float64(g.Unsettled), p.def.Name, name, id)
			gauge(m.broken, truth(g.Broken), p.def.Name, name, id)
		}
	}
	off := r.fetch.pausedAgents()
	for _, d := range r.app.Agents {
		gauge(m.off, truth(off[d.Name]), d.Name)
	}
	records, _ := r.link.gauge.level()
	gauge(m.unsent, float64(records))
	gauge(m.pending, float64(r.link.replies.count()))
	if r.state.used() {
		for _, t := range r.app.Tables {
			list := r.state.shards(t)
			gauge(m.shards, float64(len(list)), t.Name)
			if t.Windows != nil {
				for _, s := range list {
					if now := s.Now(); now != table.Never {
						gauge(m.moment, float64(now)/1000, t.Name, strconv.Itoa(int(s.Partition())))
					}
				}
			}
		}
		r.state.collectCopies(gauge)
		gauge(m.recovering, float64(r.state.recovery.todo.Load()))
		gauge(m.stored, float64(r.state.size()))
	}
	_, _, held := r.watch.held()
	gauge(m.holder, held.Seconds())
}

// collectCopies tells of the copies that the worker keeps.
func (s *state) collectCopies(gauge func(d *prometheus.Desc, v float64, labels ...string)) {
	if s.replicas() == 0 {
		return
	}
	lags, counts := s.standby.lags(), map[string]int{}
	for key, lag := range lags {
		counts[key.table.Name]++
		if lag >= 0 {
			gauge(s.run.metrics.copyLag, float64(lag), key.table.Name, strconv.Itoa(int(key.partition)))
		}
	}
	for _, t := range s.run.app.Tables {
		gauge(s.run.metrics.copies, float64(counts[t.Name]), t.Name)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
