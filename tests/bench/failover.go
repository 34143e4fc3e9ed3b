package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// failover measures how long the partitions of a worker stand still when that is killed or stopped, with a table of many keys:
//
//	go run ./tests/bench failover -keys 1000000 -standbys 1
type failover struct {
	*bench
	keys, rounds, standbys int
	session                time.Duration

	kafka   *kgo.Client
	workers [2]*exec.Cmd
	said    [2]*bytes.Buffer

	mu   sync.Mutex
	last map[string]string    // by partition: the worker that has done something last
	when map[string]time.Time // and when
}

const beatPartitions = 8

func runFailover(ctx context.Context, args []string) error {
	f := &failover{bench: &bench{}, last: map[string]string{}, when: map[string]time.Time{}}
	flags := flag.NewFlagSet("failover", flag.ExitOnError)
	flags.IntVar(&f.keys, "keys", 1_000_000, "keys of the table")
	flags.IntVar(&f.rounds, "rounds", 3, "rounds of each kind")
	flags.IntVar(&f.standbys, "standbys", 1, "standby_replicas")
	flags.DurationVar(&f.session, "session", 10*time.Second, "session_timeout")
	flags.StringVar(&f.broker, "broker", "", "address of a Kafka; empty: the embedded broker, in a process of its own")
	_ = flags.Parse(args)
	end, err := f.setUp(ctx, "apps/failover.lua")
	if end != nil {
		defer end()
	}
	if err != nil {
		return err
	}
	return f.run(ctx)
}

func (f *failover) run(ctx context.Context) error {
	var err error
	if f.kafka, err = kgo.NewClient(kgo.SeedBrokers(f.broker), kgo.ConsumeTopics("done"), kgo.FetchMaxWait(20*time.Millisecond)); err != nil {
		return err
	}
	defer f.kafka.Close()
	if err := f.makeTopics(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { f.listen(ctx) })
	defer func() {
		for _, w := range f.workers {
			if w != nil {
				_ = w.Process.Kill()
				_ = w.Wait()
			}
		}
	}()
	for i := range f.workers {
		if err := f.begin(i); err != nil {
			return err
		}
	}
	for i := range f.keys {
		f.kafka.Produce(ctx, &kgo.Record{Topic: "fills", Key: fmt.Appendf(nil, "key-%09d", i), Value: []byte("a value of some length, as values are")}, nil)
	}
	if err := f.kafka.Flush(ctx); err != nil {
		return err
	}
	running.Go(func() { f.beat(ctx) })
	for _, kind := range []struct {
		name   string
		signal os.Signal
	}{{"stopped", syscall.SIGTERM}, {"killed", syscall.SIGKILL}} {
		var first, all []time.Duration
		for round := range f.rounds {
			if err := f.even(ctx); err != nil {
				return err
			}
			one, whole, err := f.end(ctx, round%2, kind.signal)
			if err != nil {
				return err
			}
			first, all = append(first, one), append(all, whole)
			fmt.Fprintf(os.Stderr, "%s, round %d: first record after %s, all partitions after %s\n", kind.name, round+1, one.Round(time.Millisecond), whole.Round(time.Millisecond))
		}
		slices.Sort(first)
		slices.Sort(all)
		fmt.Printf("%-8s %d keys, standby_replicas %d, session %s: first record after %s (median; %s to %s), all partitions after %s (%s to %s)\n", kind.name, f.keys, f.standbys, f.session,
			mid(first), first[0].Round(time.Millisecond), first[len(first)-1].Round(time.Millisecond), mid(all), all[0].Round(time.Millisecond), all[len(all)-1].Round(time.Millisecond))
	}
	return nil
}

// makeTopics makes the topics anew.
func (f *failover) makeTopics(ctx context.Context) error {
	adm := kadm.NewClient(f.kafka)
	retention := "-1"
	for _, t := range []string{"beats", "fills", "done", "failover-sums-changelog"} {
		_, _ = adm.DeleteTopics(ctx, t)
	}
	for _, t := range []string{"beats", "fills", "done"} {
		if _, err := adm.CreateTopic(ctx, beatPartitions, 1, map[string]*string{"retention.ms": &retention}, t); err != nil {
			return fmt.Errorf("create %s: %w", t, err)
		}
	}
	return nil
}

func mid(list []time.Duration) time.Duration { return list[len(list)/2].Round(time.Millisecond) }

func name(i int) string { return string(rune('A' + i)) }

// begin starts a worker, on a machine where none was before.
func (f *failover) begin(i int) error {
	_ = os.RemoveAll(filepath.Join(f.dir, name(i)))
	w := exec.Command(f.faust, "run", f.script, "--broker", "kafka://"+f.broker, "--datadir", filepath.Join(f.dir, name(i)), "worker", "-l", "info")
	w.Env = append(os.Environ(), "NAME="+name(i), "STANDBYS="+strconv.Itoa(f.standbys), "SESSION="+f.session.String())
	f.said[i] = &bytes.Buffer{}
	w.Stderr = f.said[i]
	f.workers[i] = w
	return w.Start()
}

// even waits until both workers run, have half of the partitions each, are at the end of their topics and have warm copies.
func (f *failover) even(ctx context.Context) error {
	for limit := time.Now().Add(10 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		share, good := map[string]int{}, true
		for i := range f.workers {
			if f.workers[i] == nil {
				if err := f.begin(i); err != nil {
					return err
				}
			}
			good = good && f.calm(ctx, i)
		}
		f.mu.Lock()
		for p, w := range f.last {
			if time.Since(f.when[p]) < time.Second {
				share[w]++
			}
		}
		f.mu.Unlock()
		if good && share["A"] == beatPartitions/2 && share["B"] == beatPartitions/2 {
			time.Sleep(2 * time.Second) // some commits
			return nil
		}
		if time.Now().After(limit) || ctx.Err() != nil {
			return fmt.Errorf("the workers never share evenly: %v\n%s\n%s", share, f.said[0], f.said[1])
		}
	}
}

// calm tells whether a worker has nothing left to do.
func (f *failover) calm(ctx context.Context, i int) bool {
	cmd := exec.CommandContext(ctx, f.faust, "run", f.script, "--broker", "kafka://"+f.broker, "--datadir", filepath.Join(f.dir, name(i)), "status", "--json")
	out, err := cmd.Output()
	var report struct {
		Workers []struct {
			Lag    int64 `json:"lag"`
			Copies struct {
				Partitions, Waiting int
				Lag                 int64
			} `json:"copies"`
		} `json:"workers"`
	}
	if err != nil || json.Unmarshal(out, &report) != nil || len(report.Workers) != 1 {
		return false
	}
	w := report.Workers[0]
	return w.Lag < 100 && w.Copies.Partitions == min(f.standbys, 1)*beatPartitions/2 && w.Copies.Waiting == 0 && w.Copies.Lag < 1000
}

// end ends a worker and tells when the other one had done the first record of any, and of each, of its partitions.
func (f *failover) end(ctx context.Context, i int, signal os.Signal) (first, all time.Duration, err error) {
	f.mu.Lock()
	var had []string
	for p, w := range f.last {
		if w == name(i) {
			had = append(had, p)
		}
	}
	f.mu.Unlock()
	begun := time.Now()
	if err := f.workers[i].Process.Signal(signal); err != nil {
		return 0, 0, err
	}
	done := map[string]time.Time{}
	for limit := begun.Add(5 * time.Minute); len(done) < len(had); time.Sleep(time.Millisecond) {
		f.mu.Lock()
		for _, p := range had {
			if _, ok := done[p]; !ok && f.last[p] != name(i) {
				done[p] = f.when[p]
			}
		}
		f.mu.Unlock()
		if time.Now().After(limit) || ctx.Err() != nil {
			return 0, 0, errors.New("nobody takes over")
		}
	}
	_ = f.workers[i].Wait()
	f.workers[i] = nil
	for _, at := range done {
		if d := at.Sub(begun); first == 0 || d < first {
			first = d
		}
		all = max(all, at.Sub(begun))
	}
	return first, all, nil
}

// beat sends something for every partition, fifty times a second.
func (f *failover) beat(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for i := range 4 * beatPartitions { // as good as surely one for each
			f.kafka.Produce(ctx, &kgo.Record{Topic: "beats", Key: fmt.Appendf(nil, "beat-%d", i), Value: strconv.AppendInt(nil, int64(n), 10)}, nil)
		}
	}
}

// listen notes who has done something last.
func (f *failover) listen(ctx context.Context) {
	for ctx.Err() == nil {
		f.kafka.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.last[string(r.Key)], f.when[string(r.Key)] = string(r.Value), time.Now()
		})
	}
}
