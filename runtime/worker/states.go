package worker

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// states reads the metrics that are a state: of the partitions assigned now, and of no other.
type states struct{ run *run }

// Describe implements prometheus.Collector.
func (s *states) Describe(c chan<- *prometheus.Desc) {
	m := s.run.metrics
	for _, d := range []*prometheus.Desc{m.lag, m.queued, m.unsettled, m.paused, m.broken, m.unsent, m.pending, m.holder} {
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
	r.count(append(lanes, r.channels...))
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
	records, _ := r.link.gauge.level()
	gauge(m.unsent, float64(records))
	gauge(m.pending, float64(r.link.replies.count()))
	_, _, held := r.watch.held()
	gauge(m.holder, held.Seconds())
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
