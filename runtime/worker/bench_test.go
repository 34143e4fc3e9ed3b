package worker

import (
	"context"
	"runtime"
	"testing"

	"faust/runtime/agent"
	"faust/runtime/broker"
	"faust/runtime/topic"
)

// BenchmarkRecord is dispatch, settling and commit per record with a body of Go: all of the worker's own work but the network.
func BenchmarkRecord(b *testing.B) {
	const batch = 500
	a := newApp("bench")
	declare(a, 1, "in")
	def := reads(a, "count", "in", func(ctx context.Context, s *agent.Stream) error {
		for {
			if _, err := s.Next(ctx); err != nil {
				return nil
			}
		}
	})
	r := newRun(b.Context(), New(Config{App: a}).cfg)
	l := r.newLane(topic.Partition{Topic: "in"}, []*agent.Definition{def}, broker.Position{})
	r.fetch.lanes[l.partition] = l
	r.startLane(l)
	key, value := []byte("user_1"), make([]byte, 100)
	b.ReportAllocs()
	b.ResetTimer()
	for at := 0; at < b.N; at += batch {
		records := make([]topic.Record, batch)
		for i := range records {
			records[i] = topic.Record{Topic: "in", Key: key, Value: value, Offset: int64(at + i)}
		}
		l.deliver(records, records[len(records)-1].Offset+1)
		for l.queued() > 1<<20 {
			runtime.Gosched()
		}
		if at%(100*batch) == 0 {
			if err := r.commit(b.Context(), []*lane{l}); err != nil {
				b.Fatal(err)
			}
		}
	}
	l.drain()
	<-l.done
}
