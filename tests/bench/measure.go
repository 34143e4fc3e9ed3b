package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

type bench struct {
	config
	dir, faust, script string
}

// sample is one process: CPU seconds per million records, records a second and the largest resident size in MiB.
type sample struct {
	cpu, rate float64
	rss       int64
}

// startBroker runs the embedded broker in a process of its own and waits for its address.
func (b *bench) startBroker(ctx context.Context) (end func(), err error) {
	cmd := exec.CommandContext(ctx, b.faust, "broker", "--port", "0", "--datadir", filepath.Join(b.dir, "data"))
	var said bytes.Buffer // shown if it fails
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	end = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		for _, word := range strings.Fields(lines.Text()) {
			if word = strings.Trim(word, ".,;()"); strings.HasPrefix(word, "127.0.0.1:") {
				b.broker = word
				go func() { // the pipe must not fill
					for lines.Scan() {
					}
				}()
				return end, nil
			}
		}
	}
	end()
	return nil, fmt.Errorf("the broker said no address\n%s", said.Bytes())
}

// prepare makes the topics and fills withdrawals.
func (b *bench) prepare(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.broker))
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	retention := "-1"
	topics := []string{"withdrawals", "priced", "copied", "produced", "go-sums"}
	for _, keys := range b.manyKeys() {
		topics = append(topics, "withdrawals-"+keys)
	}
	for _, t := range topics {
		_, _ = adm.DeleteTopics(ctx, t)
		if _, err := adm.CreateTopic(ctx, 8, 1, map[string]*string{"retention.ms": &retention}, t); err != nil {
			return fmt.Errorf("create %s: %w", t, err)
		}
	}
	for _, keys := range b.manyKeys() {
		n, err := strconv.Atoi(keys)
		if err != nil {
			return fmt.Errorf("-keys: %w", err)
		}
		if b.only == "" || strings.Contains(b.only, "sum-"+keys) {
			if err := fill(ctx, b.broker, "withdrawals-"+keys, b.records, n); err != nil {
				return err
			}
		}
	}
	return fill(ctx, b.broker, "withdrawals", b.records, 500)
}

// measure runs one case in a process of its own and reads its resource usage.
func (b *bench) measure(ctx context.Context, name string, round int) (sample, error) {
	group := fmt.Sprintf("%s-%d", name, round)
	n := strconv.Itoa(b.records)
	plain, exact := strings.CutSuffix(name, "-exact")
	work, keys, _ := strings.Cut(plain, "-")
	if strings.HasPrefix(name, "go-") {
		work, keys = name, ""
	}
	faust := append([]string{"run", b.script, "--broker", "kafka://" + b.broker, "--datadir", filepath.Join(b.dir, "state")}, strings.Fields(b.flags)...)
	var cmd *exec.Cmd
	wait := false
	switch work {
	case "produce":
		cmd = exec.CommandContext(ctx, b.faust, append(faust, "produce", n)...)
	case "filter", "map", "forward", "sum", "group_by", "window", "window_by":
		cmd = exec.CommandContext(ctx, b.faust, append(faust, "worker")...)
		group = fmt.Sprintf("bench-%s%s%d", work, keys, round)
		if exact {
			group += "-exact"
		}
		wait = true
	default:
		self, err := os.Executable()
		if err != nil {
			return sample{}, err
		}
		cmd = exec.CommandContext(ctx, self, "child", name, b.broker, group, n, source(name))
	}
	cmd.Env = append(os.Environ(), "WORK="+work, "RUN="+keys+strconv.Itoa(round), "TOPIC="+source(name))
	if exact {
		cmd.Env = append(cmd.Env, "FAUST_PROCESSING_GUARANTEE=exactly_once", "FAUST_ID="+group)
	}
	var said bytes.Buffer // shown if it fails
	cmd.Stderr = &said
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return sample{}, err
	}
	if wait {
		if err := b.untilCommitted(ctx, group, source(name), name == "group_by" || name == "window_by"); err != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			return sample{}, fmt.Errorf("%w\n%s", err, said.Bytes())
		}
		_ = cmd.Process.Signal(os.Interrupt)
	}
	took := time.Since(start)
	if err := cmd.Wait(); err != nil {
		return sample{}, fmt.Errorf("%w\n%s", err, said.Bytes())
	}
	if !wait {
		took = time.Since(start)
	}
	return b.sampled(cmd.ProcessState, took), nil
}

// sampled is what a process that has ended took for all records.
func (b *bench) sampled(p *os.ProcessState, took time.Duration) sample {
	cpu := p.UserTime() + p.SystemTime()
	return sample{
		cpu:  cpu.Seconds() / float64(b.records) * 1e6,
		rate: float64(b.records) / took.Seconds(),
		rss:  p.SysUsage().(*syscall.Rusage).Maxrss / 1024,
	}
}

// untilCommitted waits until the group has committed every record of a topic, or of the one that they pass through.
func (b *bench) untilCommitted(ctx context.Context, group, topic string, passes bool) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.broker))
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		var sum int64
		if offsets, err := adm.FetchOffsets(ctx, group); err == nil {
			offsets.Each(func(o kadm.OffsetResponse) {
				if o.Topic == topic && !passes || strings.HasSuffix(o.Topic, "-repartition") {
					sum += o.At
				}
			})
		}
		if sum >= int64(b.records) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("group %s committed %d of %d: %w", group, sum, b.records, ctx.Err())
		}
	}
}

func report(names []string, samples map[string][]sample) {
	raw := median(samples["raw"], func(s sample) float64 { return s.cpu })
	fmt.Printf("%-15s %10s %8s %8s %10s %8s\n", "case", "CPU s/M", "x raw", "x Go", "krec/s", "MiB")
	for _, name := range names {
		ss := samples[name]
		if len(ss) == 0 {
			continue
		}
		cpu := median(ss, func(s sample) float64 { return s.cpu })
		byHand := ""
		if g := samples["go-"+name]; len(g) > 0 {
			byHand = fmt.Sprintf("%.2f", cpu/median(g, func(s sample) float64 { return s.cpu }))
		}
		fmt.Printf("%-15s %10.2f %8.2f %8s %10.0f %8.0f\n", name, cpu, cpu/raw, byHand,
			median(ss, func(s sample) float64 { return s.rate })/1000, median(ss, func(s sample) float64 { return float64(s.rss) }))
	}
}

func median(ss []sample, of func(sample) float64) float64 {
	if len(ss) == 0 {
		return 0
	}
	v := make([]float64, len(ss))
	for i, s := range ss {
		v[i] = of(s)
	}
	slices.Sort(v)
	return v[len(v)/2]
}
