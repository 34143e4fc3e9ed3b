package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"faust/runtime/topic"
)

// read reads to the end and lists partition:value.
func (v *virtual) read(what Reading) (string, error) {
	var out []string
	err := v.client.Read(v.Context(), what, func(rs []topic.Record) error {
		for _, r := range rs {
			out = append(out, fmt.Sprintf("%d:%s", r.Partition, r.Value))
		}
		return nil
	})
	return strings.Join(out, " "), err
}

const epoch = 1_700_000_000_000

// timed makes records of the form partition:second.
func timed(name, list string) []topic.Record {
	var out []topic.Record
	for _, f := range strings.Fields(list) {
		var p int32
		var s int64
		fmt.Sscanf(f, "%d:%d", &p, &s)
		out = append(out, topic.Record{Topic: name, Partition: p, Value: fmt.Append(nil, s), Timestamp: epoch + 1000*s})
	}
	return out
}

func TestRead(t *testing.T) {
	t.Parallel()
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "t"}, topic.Topic{Name: "empty"})
		v.send(timed("t", "0:5 0:6 0:9 1:1 1:7 1:8 2:2 2:3 2:10")...)
		from := func(k FromKind) From { return From{Kind: k} }
		odd := func(r *topic.Record) bool { return len(r.Value) == 1 && (r.Value[0]-'0')%2 == 1 }
		for _, c := range []struct {
			what Reading
			want string
		}{
			{Reading{}, "1:1 2:2 2:3 0:5 0:6 1:7 1:8 0:9 2:10"},
			{Reading{Partitions: []int32{1, 0}}, "1:1 0:5 0:6 1:7 1:8 0:9"},
			{Reading{From: from(FromEnd)}, ""},
			{Reading{From: From{Kind: FromOffset, Offset: 1}}, "2:3 0:6 1:7 1:8 0:9 2:10"},
			{Reading{From: From{Kind: FromOffset, Offset: 99}}, ""},
			{Reading{From: From{Kind: FromOffset, Offset: -5}, Partitions: []int32{2}}, "2:2 2:3 2:10"},
			{Reading{From: From{Kind: FromTime, Time: time.UnixMilli(epoch + 7000)}}, "1:7 1:8 0:9 2:10"},
			{Reading{From: From{Kind: FromTime, Time: time.UnixMilli(epoch + 10001)}}, ""},
			{Reading{From: From{Kind: FromOffsets, Offsets: map[int32]int64{0: 2, 1: 3}}}, "2:2 2:3 0:9 2:10"},
			{Reading{Keep: odd}, "1:1 2:3 0:5 1:7 0:9"},
			{Reading{Last: 4}, "1:7 1:8 0:9 2:10"},
			{Reading{Last: 2, Keep: odd}, "1:7 0:9"},
			{Reading{Last: 2, Partitions: []int32{2}}, "2:3 2:10"},
			{Reading{Last: 100}, "1:1 2:2 2:3 0:5 0:6 1:7 1:8 0:9 2:10"},
			{Reading{Topic: "empty"}, ""},
			{Reading{Topic: "empty", Last: 3}, ""},
		} {
			if c.what.Topic == "" {
				c.what.Topic = "t"
			}
			if got, err := v.read(c.what); err != nil || got != c.want {
				t.Errorf("%+v:\n got  %s, %v\n want %s", c.what, got, err, c.want)
			}
		}
		if _, err := v.read(Reading{Topic: "nowhere"}); !missing(err) {
			t.Errorf("a topic that is not there: %v", err)
		}
		var none *NoPartition
		if _, err := v.read(Reading{Topic: "t", Partitions: []int32{1, 4}}); !errors.As(err, &none) || none.Error() != "topic t has no partition 4: it has 4, from 0 on" {
			t.Errorf("a partition that is not there: %v", err)
		}
		seen, passes := 0, 0
		what := Reading{Topic: "t", Last: 1, Keep: func(r *topic.Record) bool { seen++; return string(r.Value) == "1" }, Again: func() { seen = 0; passes++ }}
		if got, err := v.read(what); err != nil || got != "1:1" || passes != 2 || seen != 9 {
			t.Errorf("%s, %d passes, %d seen in the last, %v", got, passes, seen, err)
		}
		stop := errors.New("enough")
		if err := v.client.Read(v.Context(), Reading{Topic: "t"}, func([]topic.Record) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("the receiver's error: %v", err)
		}
		ctx, cancel := context.WithCancelCause(v.Context())
		cancel(stop)
		if err := v.client.Read(ctx, Reading{Topic: "t"}, func([]topic.Record) error { return nil }); !errors.Is(err, stop) {
			t.Errorf("an ended context: %v", err)
		}
		names, err := v.client.Topics(v.Context())
		if err != nil || strings.Join(names, " ") != "empty t" {
			t.Errorf("topics: %v, %v", names, err)
		}
	})
}

// Backlogs of many fetches come in order, whatever the partitions hold.
func TestReadMuch(t *testing.T) {
	t.Parallel()
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "t"})
		var rs []topic.Record
		const n = 6000
		for i := range n {
			p := int32(i % 3)
			if i < n/2 {
				p = 3 // the first half is all in one partition
			}
			rs = append(rs, topic.Record{Topic: "t", Partition: p, Value: append(fmt.Appendf(nil, "%06d", i), make([]byte, 2000)...), Timestamp: epoch + int64(i)})
		}
		v.send(rs...)
		next, biggest := 0, 0
		for _, last := range []int{0, 4500} {
			if next = 0; last > 0 {
				next = n - last
			}
			err := v.client.Read(v.Context(), Reading{Topic: "t", Last: last}, func(rs []topic.Record) error {
				biggest = max(biggest, len(rs))
				for _, r := range rs {
					if got := string(r.Value[:6]); got != fmt.Sprintf("%06d", next) || r.Timestamp != epoch+int64(next) {
						return fmt.Errorf("%s where %d is next", got, next)
					}
					next++
				}
				return nil
			})
			if err != nil || next != n || biggest > maxDelivery {
				t.Errorf("%d of %d, last %d, %d at a time, %v", next, n, last, biggest, err)
			}
		}
	})
}

// following is a Read that goes on.
type following struct {
	got    chan string
	cancel context.CancelFunc
	done   chan error
}

func (v *virtual) follow(what Reading) *following {
	ctx, cancel := context.WithCancel(v.Context())
	f := &following{got: make(chan string, 1000), cancel: cancel, done: make(chan error, 1)}
	what.Follow = true
	go func() {
		f.done <- v.client.Read(ctx, what, func(rs []topic.Record) error {
			for _, r := range rs {
				f.got <- fmt.Sprintf("%d:%s", r.Partition, r.Value)
			}
			return nil
		})
	}()
	return f
}

func (f *following) want(t *testing.T, want string) {
	t.Helper()
	for _, w := range strings.Fields(want) {
		select {
		case got := <-f.got:
			if got != w {
				t.Fatalf("%s instead of %s", got, w)
			}
		case err := <-f.done:
			t.Fatalf("ended before %s: %v", w, err)
		case <-time.After(10 * time.Minute):
			t.Fatalf("never: %s", w)
		}
	}
}

func TestReadFollows(t *testing.T) {
	t.Parallel()
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "t", Partitions: 2})
		v.send(timed("t", "0:1 0:3 1:2 1:4")...)
		all, end, last := v.follow(Reading{Topic: "t"}), v.follow(Reading{Topic: "t", From: From{Kind: FromEnd}}), v.follow(Reading{Topic: "t", Last: 1})
		all.want(t, "0:1 1:2 0:3 1:4")
		last.want(t, "1:4")
		<-time.After(time.Minute)
		for i := 5; i < 10; i++ {
			one := fmt.Sprintf("%d:%d", i%2, i)
			v.send(timed("t", one)...)
			for _, f := range []*following{all, end, last} {
				f.want(t, one)
			}
		}
		// A partition that comes later is read from its beginning.
		if _, err := kadm.NewClient(v.client.kafka).UpdatePartitions(v.Context(), 3, "t"); err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * readRenewal)
		fresh := v.open(v.cfg)
		defer fresh.Close()
		send(v.Context(), fresh, timed("t", "2:10")...)
		all.want(t, "2:10")
		// What is deleted meanwhile is passed over, and a topic that goes ends it.
		if _, err := v.client.admin.DeleteRecords(v.Context(), kadm.Offsets{"t": {0: kadm.Offset{Topic: "t", Partition: 0, At: -1}}}); err != nil {
			t.Fatal(err)
		}
		v.send(timed("t", "0:12")...)
		all.want(t, "0:12")
		end.cancel()
		if err := <-end.done; !errors.Is(err, context.Canceled) {
			t.Errorf("the end of its context: %v", err)
		}
		last.cancel()
		if err := v.client.Delete(v.Context(), "t"); err != nil {
			t.Fatal(err)
		}
		if err := <-all.done; !missing(err) {
			t.Errorf("the topic is gone: %v", err)
		}
	})
}

// Faults that pass are waited out; those that do not end it.
func TestReadFaults(t *testing.T) {
	t.Parallel()
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "t", Partitions: 1})
		v.send(timed("t", "0:1 0:2")...)
		fault := func(n int, code int16) *int {
			asked := 0
			v.server.cluster.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
				if asked++; asked > n {
					v.server.cluster.DropControl()
					return nil, nil, false
				}
				v.server.cluster.KeepControl()
				resp := req.ResponseKind().(*kmsg.FetchResponse)
				in := req.(*kmsg.FetchRequest).Topics[0]
				topic := kmsg.NewFetchResponseTopic()
				topic.Topic, topic.TopicID = in.Topic, in.TopicID
				p := kmsg.NewFetchResponseTopicPartition()
				p.ErrorCode = code
				topic.Partitions = append(topic.Partitions, p)
				resp.Topics = append(resp.Topics, topic)
				return resp, nil, true
			})
			return &asked
		}
		asked := fault(3, kerr.NotLeaderForPartition.Code)
		if got, err := v.read(Reading{Topic: "t"}); err != nil || got != "0:1 0:2" || *asked < 4 {
			t.Errorf("after a change of leaders: %s, %v, asked %d times", got, err, *asked)
		}
		fault(1, kerr.TopicAuthorizationFailed.Code)
		var e *Error
		if _, err := v.read(Reading{Topic: "t"}); !errors.As(err, &e) || e.Class != Authorization {
			t.Errorf("without the right: %v", err)
		}
		began := time.Now()
		fault(1<<30, kerr.KafkaStorageError.Code)
		if _, err := v.read(Reading{Topic: "t"}); err == nil || !strings.Contains(err.Error(), "read topic t") || time.Since(began) < readGiveUp {
			t.Errorf("nothing but faults: %v after %s", err, time.Since(began))
		}
	})
}

// The end of a transaction has an offset and is no record: the end comes all the same.
func TestReadTransactions(t *testing.T) {
	t.Parallel()
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "t", Partitions: 2})
		producer, err := kgo.NewClient(append(v.cfg.options(""), kgo.TransactionalID("x"), kgo.MaxVersions(kversion.V3_6_0()), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
		if err != nil {
			t.Fatal(err)
		}
		defer producer.Close()
		for i := range 3 {
			if err := producer.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			r := &kgo.Record{Topic: "t", Partition: int32(i % 2), Value: fmt.Append(nil, i), Timestamp: time.UnixMilli(epoch + int64(i))}
			if err := producer.ProduceSync(v.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if err := producer.EndTransaction(v.Context(), kgo.TryCommit); err != nil {
				t.Fatal(err)
			}
		}
		for _, what := range []Reading{{}, {Last: 3}} {
			what.Topic = "t"
			if got, err := v.read(what); err != nil || got != "0:0 1:1 0:2" {
				t.Errorf("%+v: %s, %v", what, got, err)
			}
		}
		spans, err := v.client.Spans(v.Context(), "t")
		if want := []Span{{0, 4}, {0, 2}}; err != nil || !slices.Equal([]Span{spans[0], spans[1]}, want) {
			t.Errorf("spans %v, %v", spans, err)
		}
	})
}
