package worker

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics are what a worker counts. What is a state and not a count (lag, queues) is read when asked for: see Collect of run.
type metrics struct {
	registry *prometheus.Registry

	processed  *prometheus.CounterVec   // agent, topic
	failed     *prometheus.CounterVec   // agent, topic, action
	runtime    *prometheus.HistogramVec // agent
	sent       prometheus.Counter
	refused    prometheus.Counter
	commit     prometheus.Histogram
	commits    *prometheus.CounterVec // result
	ticks      *prometheus.CounterVec // timer
	overruns   *prometheus.CounterVec // timer
	taskErrors *prometheus.CounterVec // task
	rebalances prometheus.Counter
	requests   prometheus.Counter
	late       *prometheus.CounterVec // table

	lag, queued, unsettled, paused, off, broken, unsent, pending, holder, shards, copies, copyLag, recovering, stored, moment *prometheus.Desc
}

func newMetrics() *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "faust", Name: name, Help: help})
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "faust", Name: name, Help: help}, labels)
	}
	state := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("faust_"+name, help, labels, nil)
	}
	m := &metrics{
		registry:  prometheus.NewRegistry(),
		processed: counters("records_processed_total", "Records settled, by agent and topic.", "agent", "topic"),
		failed:    counters("records_failed_total", "Failed events, by agent, topic and what was done.", "agent", "topic", "action"),
		runtime: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "faust", Name: "agent_record_seconds",
			Help: "Time an agent takes for an event, of a few events a second.", Buckets: prometheus.ExponentialBuckets(1e-6, 4, 14)}, []string{"agent"}),
		sent:    counter("sends_total", "Records sent."),
		refused: counter("sends_refused_total", "Records that the broker refused."),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "faust", Name: "commit_seconds",
			Help: "Time from sealing to the stored offsets.", Buckets: prometheus.ExponentialBuckets(1e-3, 2, 14)}),
		commits:    counters("commits_total", "Commits, by result.", "result"),
		ticks:      counters("timer_runs_total", "Runs of timers and crontabs.", "timer"),
		overruns:   counters("timer_overruns_total", "Runs of timers that took longer than their interval.", "timer"),
		taskErrors: counters("task_failures_total", "Failed runs of tasks, timers, crontabs and hooks.", "task"),
		rebalances: counter("rebalances_total", "Changes of the assignment."),
		requests:   counter("requests_total", "Requests sent by ask."),
		late:       counters("late_total", "Messages that came when a window of their time was closed.", "table"),

		lag:        state("partition_lag", "Records of the partition that are not settled, as of the last fetch.", "topic", "partition"),
		queued:     state("queued_bytes", "Bytes delivered and not yet taken.", "agent", "topic", "partition"),
		unsettled:  state("unsettled_records", "Records taken and not yet settled.", "agent", "topic", "partition"),
		paused:     state("partition_paused", "1: fetching is paused because an agent lags, or because its agents are broken or paused.", "topic", "partition"),
		off:        state("agent_paused", "1: a person paused the agent on this worker.", "agent"),
		broken:     state("partition_broken", "1: paused because too many events in a row failed.", "agent", "topic", "partition"),
		unsent:     state("unsent_records", "Records sent and not yet stored."),
		pending:    state("requests_waiting", "Requests that wait for an answer."),
		shards:     state("table_shards", "Partitions of the table that this worker has, recovered.", "table"),
		copies:     state("table_copies", "Partitions of the table of which this worker keeps a copy for another one.", "table"),
		copyLag:    state("table_copy_lag_records", "Records of the changelog that the copy has not taken.", "table", "partition"),
		recovering: state("table_recovery_records", "Records of changelogs that are still to be read before tables are recovered."),
		stored:     state("table_store_bytes", "What the tables take on this worker's disk."),
		moment:     state("table_time_seconds", "How far time is in the table's partition, as seconds since 1970; without it, it is not known.", "table", "partition"),
		holder:     state("lua_holder_seconds", "How long the task that runs Lua now has done so without waiting."),
	}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.processed, m.failed, m.runtime, m.sent, m.refused, m.commit, m.commits, m.ticks, m.overruns, m.taskErrors, m.rebalances, m.requests, m.late)
	return m
}
