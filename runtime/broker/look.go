package broker

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"faust/runtime/topic"
)

// Ends gives the offset after the last record of partitions; those that the broker does not tell of are missing.
func (c *Client) Ends(ctx context.Context, ps ...topic.Partition) (map[topic.Partition]int64, error) {
	names := map[string]bool{}
	for _, p := range ps {
		names[p.Topic] = true
	}
	list := make([]string, 0, len(names))
	for name := range names {
		list = append(list, name)
	}
	all, err := c.admin.ListEndOffsets(ctx, list...)
	if err != nil {
		return nil, c.wrap(err, "read the ends of topics")
	}
	ends := map[topic.Partition]int64{}
	for _, p := range ps {
		if o, ok := all.Lookup(p.Topic, p.ID); ok && o.Err == nil {
			ends[p] = o.Offset
		}
	}
	return ends, nil
}

// GroupInfo is a consumer group as the broker has it.
type GroupInfo struct {
	Name       string
	State      string // Stable, Empty, PreparingRebalance, ...; Dead: there is none
	Members    []Member
	Partitions []GroupPartition // in order
}

// Member is a member of a group.
type Member struct {
	ID, Client, Host string
	Partitions       []topic.Partition // in order
}

// GroupPartition is how far a group is in a partition.
type GroupPartition struct {
	topic.Partition
	Member    string // that has it; "": nobody
	Committed int64  // -1: nothing
	End       int64  // -1: not known
	Lag       int64  // records to be read; without a committed offset all that there are
}

// Group describes a group. The topics are part of it even if the group has done nothing with them yet. A group that is not there has no members.
func (c *Client) Group(ctx context.Context, name string, topics ...string) (GroupInfo, error) {
	info := GroupInfo{Name: name, State: "Dead"}
	described, err := c.admin.DescribeGroups(ctx, name)
	if err != nil {
		return info, c.wrap(err, "describe group %s", name)
	}
	g := described[name]
	if g.Err != nil && !errors.Is(g.Err, kerr.GroupIDNotFound) {
		return info, c.wrap(g.Err, "describe group %s", name)
	}
	if g.State != "" {
		info.State = g.State
	}
	rows := map[topic.Partition]*GroupPartition{}
	row := func(p topic.Partition) *GroupPartition {
		if rows[p] == nil {
			rows[p] = &GroupPartition{Partition: p, Committed: -1, End: -1}
		}
		return rows[p]
	}
	for _, m := range g.Members {
		member := Member{ID: m.MemberID, Client: m.ClientID, Host: bareHost(m.ClientHost)}
		if assigned, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range assigned.Topics {
				for _, id := range t.Partitions {
					p := topic.Partition{Topic: t.Topic, ID: id}
					member.Partitions = append(member.Partitions, p)
					row(p).Member = m.MemberID
				}
			}
		}
		slices.SortFunc(member.Partitions, inOrder)
		info.Members = append(info.Members, member)
	}
	committed, err := c.admin.FetchOffsets(ctx, name)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return info, c.wrap(err, "read the offsets of group %s", name)
	}
	committed.Each(func(o kadm.OffsetResponse) {
		if o.Err == nil && o.At >= 0 {
			row(topic.Partition{Topic: o.Topic, ID: o.Partition}).Committed = o.At
		}
	})
	names := map[string]bool{}
	for _, t := range topics {
		names[t] = true
	}
	for p := range rows {
		names[p.Topic] = true
	}
	if err := c.reckon(ctx, slices.Sorted(maps.Keys(names)), row); err != nil {
		return info, err
	}
	for _, r := range rows {
		info.Partitions = append(info.Partitions, *r)
	}
	slices.SortFunc(info.Partitions, func(a, b GroupPartition) int { return inOrder(a.Partition, b.Partition) })
	return info, nil
}

// reckon fills in how far the partitions of topics go, and the lag. Topics that are not there are passed over.
func (c *Client) reckon(ctx context.Context, names []string, row func(topic.Partition) *GroupPartition) error {
	if len(names) == 0 {
		return nil
	}
	first, err := c.admin.ListStartOffsets(ctx, names...)
	if err != nil {
		return c.wrap(err, "read the bounds of topics")
	}
	last, err := c.admin.ListEndOffsets(ctx, names...)
	if err != nil {
		return c.wrap(err, "read the bounds of topics")
	}
	last.Each(func(end kadm.ListedOffset) {
		start, ok := first.Lookup(end.Topic, end.Partition)
		if end.Err != nil || !ok || start.Err != nil {
			return
		}
		r := row(topic.Partition{Topic: end.Topic, ID: end.Partition})
		r.End = end.Offset
		r.Lag = max(end.Offset-max(start.Offset, r.Committed), 0)
	})
	return nil
}

// bareHost is a host without what brokers write around it: /10.0.0.3, 127.0.0.1:54078.
func bareHost(host string) string {
	host = strings.TrimPrefix(host, "/")
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

func inOrder(a, b topic.Partition) int {
	return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.ID, b.ID))
}
