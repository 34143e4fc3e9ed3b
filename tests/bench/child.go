package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/valyala/fastjson"
)

// child runs one of the cases that are written in Go: child NAME BROKER GROUP COUNT.
func child(args []string) error {
	name, broker, group := args[0], args[1], args[2]
	n, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	ctx := context.Background()
	switch name {
	case "raw":
		return consume(ctx, broker, group, n, nil)
	case "go-produce":
		return fill(ctx, broker, "produced", n)
	case "go-filter":
		var p fastjson.Parser
		kept := 0
		return consume(ctx, broker, group, n, func(_ *kgo.Client, r *kgo.Record) error {
			v, err := p.ParseBytes(r.Value)
			if err == nil && v.GetFloat64("amount") > 24000 {
				kept++
			}
			return err
		})
	case "go-map":
		var p fastjson.Parser
		return consume(ctx, broker, group, n, func(cl *kgo.Client, r *kgo.Record) error {
			v, err := p.ParseBytes(r.Value)
			if err != nil {
				return err
			}
			out, err := json.Marshal(priced{
				User: string(v.GetStringBytes("user")), Country: string(bytes.ToUpper(v.GetStringBytes("country"))), Amount: v.GetFloat64("amount"),
				Date: string(v.GetStringBytes("date")), Fee: v.GetFloat64("amount") * 0.01,
			})
			if err != nil {
				return err
			}
			cl.Produce(ctx, &kgo.Record{Topic: "priced", Key: v.GetStringBytes("user"), Value: out}, nil)
			return nil
		})
	}
	return fmt.Errorf("no case %q", name)
}

type priced struct {
	User    string  `json:"user"`
	Country string  `json:"country"`
	Amount  float64 `json:"amount"`
	Date    string  `json:"date"`
	Fee     float64 `json:"fee"`
}

// consume reads n records of withdrawals in a group, committing once a second.
func consume(ctx context.Context, broker, group string, n int, each func(*kgo.Client, *kgo.Record) error) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumerGroup(group), kgo.ConsumeTopics("withdrawals"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.AutoCommitInterval(time.Second))
	if err != nil {
		return err
	}
	defer cl.Close()
	for n > 0 {
		fs := cl.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			return err
		}
		for it := fs.RecordIter(); !it.Done(); n-- {
			r := it.Next()
			if each != nil {
				if err := each(cl, r); err != nil {
					return err
				}
			}
		}
	}
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	return cl.CommitUncommittedOffsets(ctx)
}

// fill produces n random withdrawals.
func fill(ctx context.Context, broker, topic string, n int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.DefaultProduceTopic(topic))
	if err != nil {
		return err
	}
	defer cl.Close()
	failed := make(chan error, 1)
	for range n {
		user := "user_" + strconv.Itoa(rand.IntN(500))
		value := fmt.Appendf(nil, `{"user":%q,"country":"country_%d","amount":%.2f,"date":"2026-11-23T18:00:00Z"}`, user, rand.IntN(5), rand.Float64()*25000)
		cl.Produce(ctx, &kgo.Record{Key: []byte(user), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
	}
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}
