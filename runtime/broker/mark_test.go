package broker

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"faust/runtime/topic"
)

func TestMarks(t *testing.T) {
	t.Parallel()
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "t", Partitions: 2})
		if none, err := v.client.Marks(v.Context(), "g"); err != nil || len(none) != 0 {
			t.Errorf("a group that is not there: %v, %v", none, err)
		}
		want := map[topic.Partition]Mark{{Topic: "t"}: {7, strings.Repeat("x", MaxMarkText)}, {Topic: "t", ID: 1}: {0, ""}}
		lost := 3 // a fresh cluster has no coordinator at first
		v.server.cluster.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
			v.server.cluster.KeepControl()
			in := req.(*kmsg.OffsetCommitRequest)
			if in.Version > 4 || in.RetentionTimeMillis != markLife.Milliseconds() {
				t.Errorf("version %d keeps the marks for %d ms", in.Version, in.RetentionTimeMillis)
			}
			if lost--; lost < 0 {
				return nil, nil, false
			}
			resp := in.ResponseKind().(*kmsg.OffsetCommitResponse)
			rt := kmsg.NewOffsetCommitResponseTopic()
			rt.Topic = "t"
			rt.Partitions = []kmsg.OffsetCommitResponseTopicPartition{{Partition: 0, ErrorCode: kerr.CoordinatorNotAvailable.Code}}
			resp.Topics = append(resp.Topics, rt)
			return resp, nil, true
		})
		if err := v.client.SetMarks(v.Context(), "g", want); err != nil {
			t.Fatal(err)
		}
		if got, err := v.client.Marks(v.Context(), "g"); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v, %v", got, err)
		}
		began := time.Now()
		lost = 1 << 30
		if err := v.client.SetMarks(v.Context(), "g", want); err == nil || time.Since(began) < coordinatorWait {
			t.Errorf("without a coordinator: %v after %s", err, time.Since(began))
		}
	})
}

func TestDeleteRecords(t *testing.T) {
	t.Parallel()
	bubble(t, func(v *virtual) {
		v.ensure(topic.Topic{Name: "t", Partitions: 1})
		v.send(timed("t", "0:1 0:2 0:3")...)
		p := topic.Partition{Topic: "t"}
		for _, below := range []int64{2, 2, 1} { // what is gone already is no fault
			if err := v.client.DeleteRecords(v.Context(), map[topic.Partition]int64{p: below}); err != nil {
				t.Errorf("below %d: %v", below, err)
			}
		}
		if got, err := v.read(Reading{Topic: "t"}); err != nil || got != "0:3" {
			t.Errorf("left: %s, %v", got, err)
		}
		if err := v.client.DeleteRecords(v.Context(), nil); err != nil {
			t.Error(err)
		}
	})
}
