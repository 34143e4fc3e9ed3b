package worker

import (
	"slices"

	"faust/runtime/table"
	"faust/runtime/topic"
)

// tellForgotten warns of tables that have something although the group has no offset of any topic that it comes from: it is counted once more. Kafka forgets the
// offsets of a group that had no members for a week, unless told otherwise, and keeps changelogs.
func (s *state) tellForgotten(list []*holding) {
	sources := func(h *holding) (ps []topic.Partition) {
		for _, name := range h.key.table.Sources {
			ps = append(ps, topic.Partition{Topic: name, ID: h.key.partition})
		}
		return ps
	}
	var all []topic.Partition
	for _, h := range list {
		for _, p := range sources(h) {
			if !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	known, err := s.run.group.Load().Positions(s.run.work, all)
	if err != nil {
		s.run.log.Debug("offsets of tables' topics not looked at", "err", err)
		return
	}
	forgotten := map[*table.Definition][]int32{}
	for _, h := range list {
		if slices.ContainsFunc(sources(h), func(p topic.Partition) bool { _, ok := known[p]; return ok }) {
			continue
		}
		if <-h.ready; h.shard != nil && s.filled(h) {
			forgotten[h.key.table] = append(forgotten[h.key.table], h.key.partition)
		}
	}
	for t, partitions := range forgotten {
		slices.Sort(partitions)
		s.run.log.Warn("table has something, but the group has no offset of its topics: they are read as auto_offset_reset says, and what was counted may be counted again; "+
			"the command reset begins with empty tables. Kafka forgets the offsets of a group a week after its last worker left (offsets.retention.minutes)",
			"table", t.Name, "partitions", partitions, "topics", t.Sources)
	}
}

// filled tells whether the store has something of a shard.
func (s *state) filled(h *holding) (has bool) {
	err := view{s.store, h.id()}.Each(nil, func([]byte, []byte) bool {
		has = true
		return false
	})
	return has && err == nil
}
