package worker

import (
	"context"
	"fmt"
	"slices"
	"time"

	"faust/runtime/agent"
	"faust/runtime/broker"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// growthLook is how often it is looked whether topics have got partitions, and whether changelogs are what they were.
const growthLook = 10 * time.Second

// watchTopics looks, until ctx ends, whether the topics that keys of tables come from have got partitions, since keys are in other ones then than their tables have them;
// and whether changelogs are still the ones that this worker has begun to write, which else ends it. It deletes what the store has of shards that are gone for long.
func (s *state) watchTopics(ctx context.Context, client *broker.Client) {
	missed, tidied := map[string]int{}, time.Now() // looks that a changelog was not what it was
	ticker := time.NewTicker(growthLook)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if time.Since(tidied) >= tidyEvery {
			tidied = time.Now()
			s.run.guard(s.tidy())
		}
		for _, t := range s.run.app.Tables {
			_ = s.moved(ctx, client, t) // what cannot be asked now is asked again
			if name := t.Changelog.Name; !s.replaced(ctx, client, t) {
				missed[name] = 0
			} else if missed[name]++; missed[name] > 1 { // a broker may be behind for a moment
				s.run.halt(replacedError(name))
			}
		}
	}
}

// replaced tells whether the changelog of a table is not there any more, or is another topic of the same name.
func (s *state) replaced(ctx context.Context, client *broker.Client, t *table.Definition) bool {
	s.mu.RLock()
	had, known := s.ids[t.Changelog.Name]
	s.mu.RUnlock()
	if !known {
		return false
	}
	id, err := client.TopicID(ctx, t.Changelog.Name)
	if err != nil {
		return broker.Missing(err)
	}
	return id != had
}

// replacedError ends a worker under which a changelog was deleted.
func replacedError(changelog string) error {
	return fmt.Errorf("changelog %s: the topic was deleted while the worker ran, so nothing more of what its table has is written down. The command reset starts the app from the beginning of its topics", changelog)
}

// moved is an error if a topic that keys of the table come from has other partitions than at the start; the agents that use the table are stopped then.
func (s *state) moved(ctx context.Context, client *broker.Client, t *table.Definition) error {
	had := s.partitions(t)
	if had <= 0 || len(t.Sources) == 0 {
		return nil
	}
	if why := s.reason(t); why != "" {
		s.stopAll()
		return &TopicError{text: why}
	}
	counts, err := client.Partitions(ctx, t.Sources...)
	if err != nil {
		return err
	}
	for _, name := range t.Sources {
		if n := counts[name]; n != had {
			return &TopicError{text: s.outgrow(t, name, n)}
		}
	}
	return nil
}

// Moved implements app.Runtime.
func (r *run) Moved(ctx context.Context, t *table.Definition) error {
	client, err := r.link.connect(ctx)
	if err != nil {
		return err
	}
	return r.state.moved(ctx, client, t)
}

// Moved implements app.Runtime.
func (c *Client) Moved(context.Context, *table.Definition) error { return nil }

// reason is why the agents that use a table do not go on; "": they do.
func (s *state) reason(t *table.Definition) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.outgrown[t]
}

// outgrow stops the agents that use a table, since a topic has n partitions now.
func (s *state) outgrow(t *table.Definition, name string, n int32) string {
	s.mu.Lock()
	why := s.outgrown[t]
	if why != "" {
		s.mu.Unlock()
		s.stopAll()
		return why
	}
	why = fmt.Sprintf("topic %s has %d partitions now, and table %s has %d: keys are in other places", name, n, t.Name, s.counts[t])
	s.outgrown[t] = why
	s.mu.Unlock()
	s.run.log.Error("agents stopped, their topic has other partitions than their table: a new version of the app, or the command reset, goes on",
		"table", t.Name, "topic", name, "partitions", n, "agents", t.Agents)
	s.stopAll()
	return why
}

// stopAll stops all processors whose agents do not go on. Whoever hears that an agent does not calls it first, since an event that fails then must find its processor
// stopped; it may be that somebody else is still about it.
func (s *state) stopAll() {
	for _, l := range s.run.fetch.all() {
		s.stopProcs(l)
	}
}

// beyond stops the agents of tables that do not have the partition.
func (s *state) beyond(p topic.Partition) {
	for _, t := range s.run.app.Tables {
		if had := s.partitions(t); slices.Contains(t.Sources, p.Topic) && had > 0 && p.ID >= had {
			s.outgrow(t, p.Topic, p.ID+1)
		}
	}
}

// stopProcs stops those processors of a lane whose agents do not go on.
func (s *state) stopProcs(l *lane) {
	for _, p := range l.procs {
		if why := s.stopped(p.def); why != "" && p.Break() {
			s.run.report.stopped(p.def, l.partition, why)
		}
	}
}

// stopped is why an agent does not go on; "": it does.
func (s *state) stopped(d *agent.Definition) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for t, why := range s.outgrown {
		if slices.Contains(t.Agents, d.Name) {
			return why
		}
	}
	return ""
}

// matches is an error if the changelog of a table, which is to have n partitions, has other ones.
func (s *state) matches(ctx context.Context, client *broker.Client, t *table.Definition, n int32) error {
	counts, err := client.Partitions(ctx, t.Changelog.Name)
	if err != nil || counts[t.Changelog.Name] == n {
		return nil //nolint:nilerr // it is not there yet, or what is wrong with it is seen when it is made
	}
	return &TopicError{text: fmt.Sprintf("topic %s has %d partitions, and table %s has %d, those of its changelog %s: keys are in other places. "+
		"A new version of the app (app.configure { version = %d }) or the command reset goes on", t.Sources[0], n, t.Name, counts[t.Changelog.Name], t.Changelog.Name, max(s.run.set.Version, 1)+1)}
}
