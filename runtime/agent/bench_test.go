package agent

import (
	"context"
	"fmt"
	"testing"

	"faust/runtime/topic"
)

// none is a Sender that does nothing.
type nowhere struct{}

func (nowhere) Send(context.Context, *topic.Record, *Cause) error { return nil }

// loop runs the Next loop of d over b.N records in batches.
func loop(b *testing.B, d *Definition, f func(e *Event)) {
	const size = 4096
	rs := make([]topic.Record, size)
	for i := range rs {
		rs[i] = topic.Record{Topic: "in", Offset: int64(i), Key: fmt.Appendf(nil, "user_%d", i%500), Value: []byte(`{"user":"user_123"}`)}
	}
	var p *Processor
	left := make(chan struct{}, max(d.Concurrency, 1))
	d.Body = func(ctx context.Context, s *Stream) error {
		for {
			e, err := s.TryNext()
			if e == nil && err == nil {
				left <- struct{}{}
				e, err = s.Next(ctx)
			}
			if err != nil {
				return err
			}
			f(e)
		}
	}
	p = NewProcessor(ProcessorConfig{Agent: d, Sender: nowhere{}})
	done := make(chan error, 1)
	b.ReportAllocs()
	b.ResetTimer()
	go func() { done <- p.Run(context.Background()) }()
	for n := 0; n < b.N; n += size {
		p.Deliver(rs)
		if n%(16*size) == 0 {
			for p.Progress().Queued > 0 {
				<-left
			}
		}
	}
	for p.Progress().Queued > 0 {
		<-left
	}
	b.StopTimer()
	p.Drain()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

func BenchmarkNext(b *testing.B) {
	b.Run("read", func(b *testing.B) {
		sum := 0
		loop(b, &Definition{}, func(e *Event) { sum += len(e.Value) })
	})
	b.Run("read and send", func(b *testing.B) {
		loop(b, &Definition{}, func(e *Event) { e.Send(topic.Record{Topic: "out", Key: e.Key, Value: e.Value}) })
	})
	b.Run("concurrency 4", func(b *testing.B) {
		loop(b, &Definition{Concurrency: 4}, func(*Event) {})
	})
}
