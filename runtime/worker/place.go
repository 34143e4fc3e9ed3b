package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"faust/runtime/agent"
	"faust/runtime/broker"
	"faust/runtime/topic"
)

// maxWindow bounds what the metadata of a partition says of records that are settled before older ones: a bit for each. The broker keeps 4096 bytes.
const maxWindow = 16 << 10

// maxPositionBytes is what the broker takes as metadata, by default.
const maxPositionBytes = 4096

// places is what the metadata of a partition's offset says of the agents that read it, by name: the offset is that of the slowest, and what the others have settled
// beyond it does not happen again, be it that the partition goes to another worker, or that the slowest is paused or broken for long. Under at-least-once it says
// nothing of records that are settled before older ones.
type places map[string]placed

type placed struct {
	Low   int64  `json:"o"`
	Early []byte `json:"e,omitempty"`
}

// position is how far the agents of the lane are, for the group. Under exactly-once processors do not move meanwhile. False: there is nothing to commit, since one
// has not got anything yet.
func (l *lane) position() (pos broker.Position, ok bool, err error) {
	all, apart := places{}, false
	low := int64(-1)
	for _, p := range l.procs {
		place, ok := p.place(l.exact)
		if !ok {
			return pos, false, nil
		}
		all[p.def.Name] = placed(place)
		apart = apart || len(place.Early) > 0 || low >= 0 && place.Low != low
		if low < 0 || place.Low < low {
			low = place.Low
		}
	}
	pos.Offset = low
	if !apart {
		return pos, len(l.procs) > 0, nil
	}
	text, err := json.Marshal(all)
	switch {
	case err == nil && len(text) <= maxPositionBytes:
		pos.Metadata = string(text)
	case l.exact:
		return pos, false, fmt.Errorf("write the position in %s: %w", l.partition, cmp.Or(err, fmt.Errorf("%d agents are too many for one topic under exactly_once", len(l.procs))))
	}
	return pos, true, nil
}

// place is where a successor goes on; false: nothing came yet.
func (p *proc) place(exact bool) (agent.Place, bool) {
	if exact {
		return p.Place(), true
	}
	low, ok := p.Committable()
	return agent.Place{Low: low}, ok
}

// placesOf reads metadata that position wrote at an offset; none: everybody is at the offset.
func placesOf(pos broker.Position) places {
	all := places{}
	if pos.Metadata == "" || json.Unmarshal([]byte(pos.Metadata), &all) != nil {
		return nil
	}
	for name, p := range all {
		if p.Low < pos.Offset {
			delete(all, name)
		}
	}
	return all
}

// at gives the place of an agent.
func (p places) at(name string, offset int64) agent.Place {
	if at, ok := p[name]; ok {
		return agent.Place(at)
	}
	return agent.Place{Low: offset}
}

// beyond tells whether one of the agents is further than the end of the partition.
func (p places) beyond(end int64) bool {
	for _, at := range p {
		if place := agent.Place(at); place.End() > end {
			return true
		}
	}
	return false
}

// recorded reads what the group has committed. Metadata that names a place beyond the end of a partition is of another life of the topic, as an offset there would be,
// and is left out: nobody is to pass over what is there now.
func (r *run) recorded(ctx context.Context, group *broker.Group, list []topic.Partition) (map[topic.Partition]broker.Position, error) {
	all, err := group.Positions(ctx, list)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(slices.Clone(list), func(p topic.Partition) bool { return all[p].Metadata == "" })
	if len(list) == 0 {
		return all, nil
	}
	client, err := r.link.connect(ctx)
	if err != nil {
		return nil, err
	}
	ends, err := client.Ends(ctx, list...)
	if err != nil {
		return nil, err
	}
	for p, end := range ends {
		if placesOf(all[p]).beyond(end) {
			all[p] = broker.Position{Offset: all[p].Offset}
		}
	}
	return all, nil
}
