package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"faust/runtime/store"
	"faust/runtime/table"
)

// runRecovery measures how fast a table of many keys is read from its changelog into an empty store, beside a raw consume of the same changelog:
//
//	go run ./tests/bench recovery -keys 5000000
func runRecovery(ctx context.Context, args []string) error {
	b := &bench{}
	flags := flag.NewFlagSet("recovery", flag.ExitOnError)
	keys := flags.Int("keys", 5_000_000, "keys of the table, one record each")
	rounds := flags.Int("rounds", 3, "rounds; medians are printed")
	flags.StringVar(&b.broker, "broker", "", "address of a Kafka; empty: the embedded broker, in a process of its own")
	_ = flags.Parse(args)
	end, err := b.setUp(ctx, "apps/recovery.lua")
	if end != nil {
		defer end()
	}
	if err != nil {
		return err
	}
	b.records = *keys
	if err := b.fillChangelog(ctx); err != nil {
		return err
	}
	samples := map[string][]sample{}
	for round := range *rounds {
		for _, name := range []string{"raw", "recovery"} {
			s, err := b.recover(ctx, name, round)
			if err != nil {
				return fmt.Errorf("%s, round %d: %w", name, round+1, err)
			}
			samples[name] = append(samples[name], s)
			fmt.Fprintf(os.Stderr, "round %d %-11s %5.2f CPU s/M  %7.0f krec/s  %4d MiB\n", round+1, name, s.cpu, s.rate/1000, s.rss)
		}
	}
	report([]string{"raw", "recovery"}, samples)
	return nil
}

const recoveryChangelog = "recovery-sums-changelog"

// shuffle, a prime, puts the keys of a changelog into no order, as updates do.
const shuffle = 2_654_435_761

// fillChangelog makes the changelog as a worker writes it.
func (b *bench) fillChangelog(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.broker), kgo.DefaultProduceTopic(recoveryChangelog))
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	policy := "compact"
	_, _ = adm.DeleteTopics(ctx, recoveryChangelog)
	if _, err := adm.CreateTopic(ctx, 8, 1, map[string]*string{"cleanup.policy": &policy}, recoveryChangelog); err != nil {
		return fmt.Errorf("create %s: %w", recoveryChangelog, err)
	}
	var headers []kgo.RecordHeader
	for _, h := range table.Writer(0) {
		headers = append(headers, kgo.RecordHeader(h))
	}
	for i := range b.records {
		key := fmt.Appendf(nil, "user-%09d", i*shuffle%b.records)
		cl.Produce(ctx, &kgo.Record{Key: table.ChangelogKey(table.Data, key), Value: fmt.Appendf(nil, `{"total":%d,"count":%d,"country":"country_%d"}`, i*7, i%100, i%5), Headers: headers}, nil)
	}
	return cl.Flush(ctx)
}

// recover runs a consumer, or a worker without a store, until it has read all.
func (b *bench) recover(ctx context.Context, name string, round int) (sample, error) {
	var cmd *exec.Cmd
	if name == "raw" {
		self, err := os.Executable()
		if err != nil {
			return sample{}, err
		}
		cmd = exec.CommandContext(ctx, self, "child", "raw-changelog", b.broker, "", strconv.Itoa(b.records), recoveryChangelog)
	} else {
		cmd = exec.CommandContext(ctx, b.faust, "run", b.script, "--broker", "kafka://"+b.broker, "--datadir", filepath.Join(b.dir, "state"+strconv.Itoa(round)), "worker", "-l", "info")
	}
	said := &watched{word: "worker ready", seen: make(chan struct{})}
	cmd.Stderr = said
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return sample{}, err
	}
	took := time.Duration(0)
	if name != "raw" {
		select {
		case <-said.seen:
		case <-time.After(10 * time.Minute):
		}
		took = time.Since(start)
		_ = cmd.Process.Signal(os.Interrupt)
	}
	if err := cmd.Wait(); err != nil {
		return sample{}, fmt.Errorf("%w\n%s", err, said.text.Bytes())
	}
	if name == "raw" {
		took = time.Since(start)
	} else if err := b.whole(filepath.Join(b.dir, "state"+strconv.Itoa(round))); err != nil {
		return sample{}, err
	}
	ru := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return sample{cpu: cpu.Seconds() / float64(b.records) * 1e6, rate: float64(b.records) / took.Seconds(), rss: ru.Maxrss / 1024}, nil
}

// whole is an error unless the store below a data directory has all keys.
func (b *bench) whole(dir string) error {
	found, err := filepath.Glob(filepath.Join(dir, "*", "*", "tables"))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("store in %s: %q, %w", dir, found, err)
	}
	s, err := store.Open(found[0], store.Config{})
	if err != nil {
		return err
	}
	defer s.Close()
	n := 0
	for p := range int32(8) {
		if err := s.Each(store.Shard{Table: "sums", Partition: p}, nil, func(_, _ []byte) error { n++; return nil }); err != nil {
			return err
		}
	}
	if n != b.records {
		return fmt.Errorf("%d of %d keys were recovered", n, b.records)
	}
	return nil
}

// watched is what a process says, and whether it has said a word.
type watched struct {
	word string
	seen chan struct{}
	text bytes.Buffer
	told bool
}

func (w *watched) Write(p []byte) (int, error) {
	w.text.Write(p)
	if !w.told && strings.Contains(w.text.String(), w.word) {
		w.told = true
		close(w.seen)
	}
	return len(p), nil
}
