package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/valyala/fastjson"
)

// child runs one of the cases that are written in Go: child NAME BROKER GROUP COUNT TOPIC.
func child(args []string) error {
	name, broker, group := args[0], args[1], args[2]
	n, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	ctx := context.Background()
	in := reading{broker, group, args[4], n}
	if strings.HasPrefix(name, "go-sum") {
		name = "go-sum"
	}
	switch name {
	case "raw-changelog":
		return consumeAll(ctx, broker, in.topic, n)
	case "raw":
		return in.consume(ctx, nil)
	case "go-produce":
		return fill(ctx, broker, "produced", n, 500)
	case "go-filter":
		var p fastjson.Parser
		kept := 0
		return in.consume(ctx, func(_ *kgo.Client, r *kgo.Record) error {
			v, err := p.ParseBytes(r.Value)
			if err == nil && v.GetFloat64("amount") > 24000 {
				kept++
			}
			return err
		})
	case "go-sum":
		return in.sum(ctx, func(user string, _ *kgo.Record) string { return user })
	case "go-window":
		return in.sum(ctx, func(user string, r *kgo.Record) string { return strconv.FormatInt(r.Timestamp.Unix(), 10) + user })
	case "go-map":
		var p fastjson.Parser
		return in.consume(ctx, func(cl *kgo.Client, r *kgo.Record) error {
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

// sum adds up in a map by what key makes of the user, and writes what changed to a changelog, once per key and batch of records.
func (in reading) sum(ctx context.Context, key func(user string, r *kgo.Record) string) error {
	var p fastjson.Parser
	totals, changed := map[string]float64{}, map[string]bool{}
	left := 0
	return in.consume(ctx, func(cl *kgo.Client, r *kgo.Record) error {
		v, err := p.ParseBytes(r.Value)
		if err != nil {
			return err
		}
		user := key(string(v.GetStringBytes("user")), r)
		totals[user] += v.GetFloat64("amount")
		changed[user] = true
		if left++; left%10_000 == 0 || left == in.records {
			for user := range changed {
				cl.Produce(ctx, &kgo.Record{Topic: "go-sums", Key: []byte(user), Value: strconv.AppendFloat(nil, totals[user], 'g', -1, 64)}, nil)
			}
			clear(changed)
		}
		return nil
	})
}

// reading is what a case reads, in a group of its own.
type reading struct {
	broker, group, topic string
	records              int
}

// consume reads the records, committing once a second.
func (in reading) consume(ctx context.Context, each func(*kgo.Client, *kgo.Record) error) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(in.broker), kgo.ConsumerGroup(in.group), kgo.ConsumeTopics(in.topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.AutoCommitInterval(time.Second))
	if err != nil {
		return err
	}
	defer cl.Close()
	for n := in.records; n > 0; {
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

// consumeAll reads n records of a topic, without a group.
func consumeAll(ctx context.Context, broker, topic string, n int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer cl.Close()
	for n > 0 {
		fs := cl.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			return err
		}
		n -= fs.NumRecords()
	}
	return nil
}

// fill produces n random withdrawals of so many users.
func fill(ctx context.Context, broker, topic string, n, users int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.DefaultProduceTopic(topic))
	if err != nil {
		return err
	}
	defer cl.Close()
	failed := make(chan error, 1)
	for range n {
		user := "user_" + strconv.Itoa(rand.IntN(users))
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
