package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"faust/runtime/broker"
	"faust/runtime/topic"
	"faust/tests/drive"
)

const since = 1_700_000_000_000 // when the messages of the tests begin

// reading reads to the end and lists partition:value.
func reading(t *testing.T, c *broker.Client, what broker.Reading) string {
	t.Helper()
	var out []string
	err := c.Read(t.Context(), what, func(rs []topic.Record) error {
		for _, r := range rs {
			out = append(out, fmt.Sprintf("%d:%s", r.Partition, r.Value))
		}
		return nil
	})
	if err != nil {
		t.Errorf("%+v: %v", what, err)
	}
	return strings.Join(out, " ")
}

func TestRead(t *testing.T) {
	real(t)
	t.Parallel()
	c := open(t, "kafka://"+kafka.plain, broker.Credentials{})
	name := fresh("read")
	if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: name, Partitions: 3, Retention: -1}}, topic.Topic{}); err != nil {
		t.Fatal(err)
	}
	for i, p := range []int32{0, 1, 1, 2, 0, 2, 1} {
		if s := send(t, c, topic.Record{Topic: name, Partition: p, Value: fmt.Append(nil, i), Timestamp: since + int64(i)}); s[0].err != nil {
			t.Fatal(s[0].err)
		}
	}
	for _, r := range []struct {
		what broker.Reading
		want string
	}{
		{broker.Reading{}, "0:0 1:1 1:2 2:3 0:4 2:5 1:6"},
		{broker.Reading{Last: 3}, "0:4 2:5 1:6"},
		{broker.Reading{Last: 1, Keep: func(r *topic.Record) bool { return string(r.Value) == "0" }}, "0:0"},
		{broker.Reading{Partitions: []int32{1}}, "1:1 1:2 1:6"},
		{broker.Reading{From: broker.From{Kind: broker.FromTime, Time: time.UnixMilli(since + 4)}}, "0:4 2:5 1:6"},
		{broker.Reading{From: broker.From{Kind: broker.FromTime, Time: time.UnixMilli(since + 7)}}, ""},
		{broker.Reading{From: broker.From{Kind: broker.FromOffset, Offset: 1}}, "1:2 0:4 2:5 1:6"},
		{broker.Reading{From: broker.From{Kind: broker.FromEnd}}, ""},
	} {
		r.what.Topic = name
		if got := reading(t, c, r.what); got != r.want {
			t.Errorf("%+v:\n got  %s\n want %s", r.what, got, r.want)
		}
	}
	var missing *broker.Error
	err := c.Read(t.Context(), broker.Reading{Topic: fresh("nowhere")}, func([]topic.Record) error { return nil })
	if !errors.As(err, &missing) || missing.Class != broker.MissingTopic {
		t.Errorf("a topic that is not there: %v", err)
	}
}

// Ends of transactions, and what was deleted, are passed over.
func TestReadHoles(t *testing.T) {
	real(t)
	t.Parallel()
	c := open(t, "kafka://"+kafka.plain, broker.Credentials{})
	name := fresh("holes")
	if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: name, Partitions: 1, Retention: -1}}, topic.Topic{}); err != nil {
		t.Fatal(err)
	}
	producer, err := kgo.NewClient(kgo.SeedBrokers(kafka.plain), kgo.TransactionalID(name))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	for i := range 4 {
		if err := producer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: name, Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := producer.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
	}
	const end = 8 // after four messages and the ends of four transactions, the last of which may come after it was committed
	drive.Until(t, "the last transaction has its end", func() (bool, string) {
		spans, err := c.Spans(t.Context(), name)
		return err == nil && spans[0].End == end, fmt.Sprint(spans, err)
	})
	if got := reading(t, c, broker.Reading{Topic: name}); got != "0:0 0:1 0:2 0:3" {
		t.Errorf("all: %s", got)
	}
	if got := reading(t, c, broker.Reading{Topic: name, Last: 2}); got != "0:2 0:3" {
		t.Errorf("the last two: %s", got)
	}
	p := topic.Partition{Topic: name}
	if err := c.DeleteRecords(t.Context(), map[topic.Partition]int64{p: 3}); err != nil {
		t.Fatal(err)
	}
	if got := reading(t, c, broker.Reading{Topic: name}); got != "0:2 0:3" {
		t.Errorf("after a deletion: %s", got)
	}
	spans, err := c.Spans(t.Context(), name)
	if err != nil || spans[0] != (broker.Span{First: 3, End: end}) {
		t.Errorf("%v, %v", spans, err)
	}
	if err := c.DeleteRecords(t.Context(), map[topic.Partition]int64{p: 1}); err != nil {
		t.Errorf("what is deleted already: %v", err)
	}
}

func TestReadFollows(t *testing.T) {
	real(t)
	t.Parallel()
	c := open(t, "kafka://"+kafka.plain, broker.Credentials{})
	name := fresh("follow")
	if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: name, Partitions: 2}}, topic.Topic{}); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- c.Read(ctx, broker.Reading{Topic: name, Last: 1, Follow: true}, func(rs []topic.Record) error {
			for _, r := range rs {
				got <- string(r.Value)
			}
			return nil
		})
	}()
	for i := range 20 {
		if s := send(t, c, topic.Record{Topic: name, Partition: int32(i % 2), Value: fmt.Append(nil, i)}); s[0].err != nil {
			t.Fatal(s[0].err)
		}
		select {
		case v := <-got:
			if v != fmt.Sprint(i) {
				t.Fatalf("%s instead of %d", v, i)
			}
		case <-time.After(drive.Patience):
			t.Fatalf("%d does not come", i)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestMarks(t *testing.T) {
	real(t)
	t.Parallel()
	c := open(t, "kafka://"+kafka.plain, broker.Credentials{})
	name, group := fresh("marked"), fresh("marks")
	if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: name, Partitions: 2}}, topic.Topic{}); err != nil {
		t.Fatal(err)
	}
	if none, err := c.Marks(t.Context(), group); err != nil || len(none) != 0 {
		t.Errorf("a group that is not there: %v, %v", none, err)
	}
	want := map[topic.Partition]broker.Mark{{Topic: name}: {Offset: 7, Text: strings.Repeat("x", broker.MaxMarkText)}, {Topic: name, ID: 1}: {Offset: 0}}
	for range 2 {
		if err := c.SetMarks(t.Context(), group, want); err != nil {
			t.Fatal(err)
		}
		got, err := c.Marks(t.Context(), group)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v, %v", got, err)
		}
	}
	too := map[topic.Partition]broker.Mark{{Topic: name}: {Offset: 7, Text: strings.Repeat("x", broker.MaxMarkText+1)}}
	if err := c.SetMarks(t.Context(), group, too); err == nil {
		t.Error("a text that is too long is taken")
	}
}
