package crash

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"faust/tests/drive"
)

// stranger reads topics and looks at a group as somebody would who has nothing of the product: committed records only.
type stranger struct {
	t       testing.TB
	address string
	cl      *kgo.Client
	adm     *kadm.Client
}

func newStranger(t testing.TB, address string) *stranger {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.AlwaysRetryEOF())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return &stranger{t: t, address: address, cl: cl, adm: kadm.NewClient(cl)}
}

// span is where the records of a partition are.
type span struct{ first, end int64 }

// spans are those of topics. It is an error while a transaction is open in them.
func (s *stranger) spans(ctx context.Context, topics ...string) (map[string]map[int32]span, error) {
	first, err := s.adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	stable, err := s.adm.ListCommittedOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	end, err := s.adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	out := map[string]map[int32]span{}
	end.Each(func(o kadm.ListedOffset) {
		begin, _ := first.Lookup(o.Topic, o.Partition)
		decided, _ := stable.Lookup(o.Topic, o.Partition)
		for _, failed := range []error{o.Err, begin.Err, decided.Err} {
			if failed != nil {
				err = failed
			}
		}
		if decided.Offset < o.Offset && err == nil {
			err = fmt.Errorf("%s/%d: a transaction is open at %d, the end is %d", o.Topic, o.Partition, decided.Offset, o.Offset)
		}
		if out[o.Topic] == nil {
			out[o.Topic] = map[int32]span{}
		}
		out[o.Topic][o.Partition] = span{begin.Offset, o.Offset}
	})
	return out, err
}

// all reads a topic as it is now.
func (s *stranger) all(topic string) (list []*kgo.Record) {
	s.t.Helper()
	drive.Until(s.t, "all of "+topic+" is read", func() (bool, string) {
		ctx, cancel := context.WithTimeout(context.Background(), drive.Patience)
		defer cancel()
		spans, err := s.spans(ctx, topic)
		if err == nil {
			list, err = s.read(ctx, topic, spans[topic])
		}
		return err == nil, fmt.Sprint(err)
	})
	return list
}

// read reads what is in spans of a topic's partitions. The marks that end transactions are read too, to see when that is all, and left out.
func (s *stranger) read(ctx context.Context, topic string, spans map[int32]span) (list []*kgo.Record, err error) {
	from := map[int32]kgo.Offset{}
	for id, sp := range spans {
		if sp.first < sp.end {
			from[id] = kgo.NewOffset().At(sp.first)
		}
	}
	if len(from) == 0 {
		return nil, nil
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.address), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.AlwaysRetryEOF())
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	for len(from) > 0 {
		fs := cl.PollFetches(ctx)
		if err := fs.Err0(); err != nil {
			return nil, fmt.Errorf("%d of %d partitions not at their ends: %w", len(from), len(spans), err)
		}
		for _, e := range fs.Errors() {
			return nil, fmt.Errorf("%s/%d: %w", e.Topic, e.Partition, e.Err)
		}
		fs.EachRecord(func(r *kgo.Record) {
			if r.Offset >= spans[r.Partition].end-1 {
				delete(from, r.Partition)
			}
			if !r.Attrs.IsControl() && r.Offset < spans[r.Partition].end {
				list = append(list, r)
			}
		})
	}
	return list, nil
}

// behind says what of topics a group has not committed; "": nothing.
func (s *stranger) behind(group string, topics ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), drive.Patience)
	defer cancel()
	committed, err := s.adm.FetchOffsets(ctx, group)
	if err != nil {
		return err.Error()
	}
	all, err := s.spans(ctx, topics...)
	if err != nil {
		return err.Error()
	}
	var texts []string
	for _, topic := range topics {
		left := map[int32]span{}
		for id, sp := range all[topic] {
			if at, ok := committed.Lookup(topic, id); ok {
				sp.first = max(sp.first, at.At)
			}
			left[id] = sp
		}
		records, err := s.read(ctx, topic, left)
		switch {
		case err != nil:
			texts = append(texts, err.Error())
		case len(records) > 0:
			texts = append(texts, fmt.Sprintf("%d records of %s", len(records), topic))
		}
	}
	return strings.Join(texts, ", ")
}

// total is the sum of the offsets that a group has committed for a topic.
func (s *stranger) committed(group, topic string) (map[int32]int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), drive.Patience)
	defer cancel()
	list, err := s.adm.FetchOffsets(ctx, group)
	out := map[int32]int64{}
	list.Each(func(o kadm.OffsetResponse) {
		if o.Topic == topic && o.Err == nil {
			out[o.Partition] = o.At
		}
	})
	return out, err
}

// forget deletes the topics of an app that is not needed any more.
func (s *stranger) forget(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	list, err := s.adm.ListTopics(ctx)
	if err != nil {
		s.t.Log(err)
		return
	}
	var names []string
	for _, name := range list.Names() {
		if strings.HasPrefix(name, id+"-") {
			names = append(names, name)
		}
	}
	if _, err := s.adm.DeleteTopics(ctx, names...); err != nil {
		s.t.Log(err)
	}
}
