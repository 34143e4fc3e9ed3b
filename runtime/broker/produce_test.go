package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"faust/runtime/topic"
)

func TestProduceFillsInWhereItWent(t *testing.T) {
	bubble(t, func(v *virtual) {
		t := v.T
		v.ensure(topic.Topic{Name: "a", Partitions: 3})
		in := topic.Record{Topic: "a", Partition: 2, Key: []byte("k"), Value: []byte("v"), Timestamp: 1234567,
			Headers: []topic.Header{{Key: "h", Value: []byte("1")}, {Key: "h", Value: nil}}}
		got := v.send(in, in)
		want := in
		for i := range got {
			want.Offset = int64(i)
			if diff := cmp.Diff(want, got[i].Record); diff != "" {
				t.Error(diff)
			}
		}
		now := time.Now().UnixMilli()
		if r := v.send(topic.Record{Topic: "a", Partition: 0})[0]; r.Timestamp < now || r.Timestamp > time.Now().UnixMilli() {
			t.Errorf("time of a record without one: %d", r.Timestamp)
		}
	})
}

func TestProducePartitions(t *testing.T) {
	bubble(t, func(v *virtual) {
		t := v.T
		v.ensure(topic.Topic{Name: "m", Partitions: 5}, topic.Topic{Name: "c", Partitions: 5, Partitioner: topic.CRC32})
		for _, c := range []struct {
			name string
			p    topic.Partitioner
		}{{"m", topic.Murmur2}, {"c", topic.CRC32}} {
			var rs []topic.Record
			for i := range 100 {
				rs = append(rs, topic.Record{Topic: c.name, Partition: topic.Any, Key: fmt.Appendf(nil, "key%d", i)})
			}
			for _, r := range v.send(rs...) {
				if want := c.p.Partition(r.Key, 5); r.Partition != want {
					t.Errorf("%s: key %s in %d, not %d", c.name, r.Key, r.Partition, want)
				}
			}
		}
		seen := map[int32]bool{}
		for range 50 { // one batch each
			seen[v.send(topic.Record{Topic: "m", Partition: topic.Any, Value: []byte("x")})[0].Partition] = true
		}
		if len(seen) < 2 {
			t.Errorf("records without a key went to %v only", seen)
		}
		// an empty key is a key
		if r := v.send(topic.Record{Topic: "m", Partition: topic.Any, Key: []byte{}})[0]; r.Partition != topic.Murmur2.Partition(nil, 5) {
			t.Errorf("empty key in %d", r.Partition)
		}
	})
}

func TestProduceRefusals(t *testing.T) {
	bubble(t, func(v *virtual) {
		t := v.T
		v.ensure(topic.Topic{Name: "a", Partitions: 2})
		big := make([]byte, DefaultMaxMessageBytes+2*batchRoom)
		got := send(t.Context(), v.client,
			topic.Record{Topic: "a", Partition: 0, Value: []byte("before")},
			topic.Record{Topic: "a", Partition: 0, Value: big},
			topic.Record{Topic: "a", Partition: 7},
			topic.Record{Topic: "nowhere", Partition: 0},
			topic.Record{Topic: "not a name!", Partition: 0},
			topic.Record{Topic: "a", Partition: 0, Value: []byte("after")})
		for i, want := range []string{"", "has 1002060 bytes, more than the limit of 1000012", "there is no partition 7", "there is no such topic", "there is no such topic", ""} {
			err := got[i].err
			switch {
			case want == "" && err != nil, want != "" && err == nil:
				t.Errorf("%d: %v", i, err)
			case want != "" && (!strings.Contains(err.Error(), want) || !Permanent(err)):
				t.Errorf("%d: %v (permanent: %v)", i, err, Permanent(err))
			}
		}
		if got[0].Offset != 0 || got[5].Offset != 1 {
			t.Errorf("offsets %d and %d", got[0].Offset, got[5].Offset)
		}
	})
}

func TestTopicLimit(t *testing.T) {
	bubble(t, func(v *virtual) {
		t := v.T
		if err := v.server.cluster.CreateTopic("small", 1, map[string]string{"max.message.bytes": "2000"}); err != nil {
			t.Fatal(err)
		}
		v.ensure(topic.Topic{Name: "small"})
		if got := v.client.MaxMessageBytes("small"); got != 2000 {
			t.Errorf("limit %d", got)
		}
		got := send(t.Context(), v.client, topic.Record{Topic: "small", Partition: 0, Value: make([]byte, 100)}, topic.Record{Topic: "small", Partition: 0, Value: make([]byte, 3000)},
			topic.Record{Topic: "small", Partition: 0, Value: make([]byte, 1900)}, topic.Record{Topic: "small", Partition: 0, Value: make([]byte, 1900)})
		for i, ok := range []bool{true, false, true, true} {
			if (got[i].err == nil) != ok {
				t.Errorf("%d: %v", i, got[i].err)
			}
		}
	})
}

// A broker refuses batches; only the records at fault may suffer.
func TestOneBadRecordTakesNoOtherAlong(t *testing.T) {
	bubble(t, func(v *virtual) {
		t := v.T
		v.ensure(topic.Topic{Name: "a", Partitions: 1})
		v.server.cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
			v.server.cluster.KeepControl()
			p := req.(*kmsg.ProduceRequest)
			if !strings.Contains(string(p.Topics[0].Partitions[0].Records), "bad") {
				return nil, nil, false
			}
			resp := p.ResponseKind().(*kmsg.ProduceResponse)
			for _, t := range p.Topics {
				rt := kmsg.NewProduceResponseTopic()
				rt.Topic, rt.TopicID = t.Topic, t.TopicID
				for _, pt := range t.Partitions {
					rp := kmsg.NewProduceResponseTopicPartition()
					rp.Partition, rp.ErrorCode = pt.Partition, kerr.InvalidRecord.Code
					rt.Partitions = append(rt.Partitions, rp)
				}
				resp.Topics = append(resp.Topics, rt)
			}
			return resp, nil, true
		})
		var rs []topic.Record
		for i := range 20 {
			value := fmt.Sprintf("good %d", i)
			if i%7 == 3 {
				value = "bad"
			}
			rs = append(rs, topic.Record{Topic: "a", Partition: 0, Value: []byte(value)})
		}
		got := send(t.Context(), v.client, rs...)
		last := int64(-1)
		for i, r := range got {
			if i%7 == 3 {
				if r.err == nil || !Permanent(r.err) || !strings.Contains(r.err.Error(), "refused the record") {
					t.Errorf("%d: %v", i, r.err)
				}
				continue
			}
			if r.err != nil || r.Offset <= last {
				t.Errorf("%d: offset %d after %d: %v", i, r.Offset, last, r.err)
			}
			last = r.Offset
		}
		if err := v.client.Flush(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestFlushWaits(t *testing.T) {
	bubble(t, func(v *virtual) {
		t := v.T
		v.ensure(topic.Topic{Name: "a"})
		n := 0
		for range 100 {
			v.client.Produce(t.Context(), &topic.Record{Topic: "a", Partition: topic.Any, Value: []byte("x")}, func(_ topic.Record, err error) {
				if err == nil {
					n++
				}
			})
		}
		if err := v.client.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n != 100 {
			t.Errorf("%d of 100 stored after the flush", n)
		}
	})
}

func TestProduceGivesUpWithItsContextAndTheClient(t *testing.T) {
	bubble(t, func(v *virtual) {
		t := v.T
		v.ensure(topic.Topic{Name: "a"})
		v.server.cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			v.server.cluster.KeepControl()
			return nil, errors.New("hang up"), true
		})
		ctx, cancel := context.WithCancel(t.Context())
		fate := make(chan error, 1)
		c := v.open(v.cfg)
		c.Produce(ctx, &topic.Record{Topic: "a", Partition: 0, Value: []byte("x")}, func(_ topic.Record, err error) { fate <- err })
		flush, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := c.Flush(flush); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("flush: %v", err)
		}
		cancel()
		c.Close()
		if err := <-fate; err == nil || Permanent(err) {
			t.Errorf("the fate of a record in a client that was closed: %v", err)
		}
	})
}

func TestMetrics(t *testing.T) {
	bubble(t, func(v *virtual) {
		t := v.T
		reg := prometheus.NewRegistry()
		cfg := v.cfg
		cfg.Metrics = reg
		a, b := v.open(cfg), v.open(cfg) // a second one must not panic
		v.ensure(topic.Topic{Name: "a"})
		if got := send(t.Context(), a, topic.Record{Topic: "a", Partition: 0, Value: []byte("x")}); got[0].err != nil {
			t.Fatal(got[0].err)
		}
		b.Close()
		synctest.Wait() // the client counts after it has told
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		produced := 0.0
		for _, f := range families {
			if f.GetName() == "faust_kafka_produce_records_total" {
				for _, m := range f.GetMetric() {
					produced += m.GetCounter().GetValue()
				}
			}
		}
		if produced != 1 {
			t.Errorf("%v records counted", produced)
		}
		a.Close()
		if families, err = reg.Gather(); err != nil || len(families) != 0 {
			t.Errorf("%d families are left, %v", len(families), err)
		}
	})
}

func TestPermanent(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		kerr.MessageTooLarge: true, kerr.InvalidRecord: true, kerr.UnknownTopicOrPartition: true, kerr.InvalidTopicException: true,
		kerr.TopicAuthorizationFailed: false, kerr.NotLeaderForPartition: false, context.Canceled: false, ErrClosed: false, kerr.InvalidProducerEpoch: false,
	} {
		if got := Permanent(fmt.Errorf("send: %w", err)); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}

func BenchmarkProduce(b *testing.B) {
	s, err := OpenServer(ServerConfig{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	c, err := Open(b.Context(), s.Config())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Ensure(b.Context(), []topic.Topic{{Name: "a", Partitions: 8}}, topic.Topic{}); err != nil {
		b.Fatal(err)
	}
	key, value := []byte("user_123"), []byte(`{"user":"user_123","country":"country_3","amount":1234.56,"date":"2026-11-23T18:00:00Z"}`)
	done := func(_ topic.Record, err error) {
		if err != nil {
			b.Error(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		c.Produce(b.Context(), &topic.Record{Topic: "a", Partition: topic.Any, Key: key, Value: value}, done)
	}
	if err := c.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
}
