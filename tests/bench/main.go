// Command bench measures the record path as whole processes: CPU seconds (user + system) per million records of a Lua app, beside a raw
// franz-go consume, a raw franz-go producer and the same work written by hand in Go, all in the same run and in turn.
//
//	go run ./tests/bench                          two million records, five rounds, embedded broker
//	go run ./tests/bench -n 500000 -rounds 3      shorter
//	go run ./tests/bench -only sum,sum-1000000 -keys 1000000   a table with a million keys
//	go run ./tests/bench -broker 127.0.0.1:9092   a real Kafka
//	go run ./tests/bench recovery                 how fast a table is read from its changelog
//	go run ./tests/bench failover                 how long partitions stand still when their worker ends
//	go run ./tests/bench profile                  the CPU profile that the compiler inlines by, anew
//
// Wall-clock figures move by half on shared machines; the ratios to the raw consume of the same run are what to quote.
package main

import (
	"context"
	"embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

//go:embed apps/*.lua
var apps embed.FS

type config struct {
	records int
	rounds  int
	broker  string
	only    string
	keep    bool
	flags   string
	keys    string
	tags    string // of the build
}

func main() {
	if len(os.Args) > 2 && os.Args[1] == "child" {
		if err := child(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench child:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) > 1 && others[os.Args[1]] != nil {
		if err := others[os.Args[1]](ctx, os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	var c config
	flag.IntVar(&c.records, "n", 2_000_000, "records")
	flag.IntVar(&c.rounds, "rounds", 5, "rounds; medians are printed")
	flag.StringVar(&c.broker, "broker", "", "address of a Kafka; empty: the embedded broker, in a process of its own")
	flag.StringVar(&c.only, "only", "", "comma-separated cases to run beside raw (default: all)")
	flag.StringVar(&c.keys, "keys", "50000", "comma-separated numbers of keys with which sum is measured as well, as sum-50000")
	flag.BoolVar(&c.keep, "keep", false, "keep the work folder")
	flag.StringVar(&c.flags, "flags", "", "further flags for faust, space-separated (--no-pass)")
	flag.Parse()
	if err := run(ctx, c); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// others are benchmarks of another kind.
var others = map[string]func(ctx context.Context, args []string) error{"failover": runFailover, "profile": runProfile, "recovery": runRecovery}

// setUp makes the work folder with the script and the program, and starts a broker if none is given.
func (b *bench) setUp(ctx context.Context, script string) (end func(), err error) {
	if b.dir, err = os.MkdirTemp("", "faust-bench-"); err != nil {
		return nil, err
	}
	end = func() { _ = os.RemoveAll(b.dir) }
	if b.keep {
		fmt.Println("work folder:", b.dir)
		end = func() {}
	}
	b.faust, b.script = filepath.Join(b.dir, "faust"), filepath.Join(b.dir, "app.lua")
	src, err := apps.ReadFile(script)
	if err == nil {
		err = os.WriteFile(b.script, src, 0o644)
	}
	if err != nil {
		return end, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", b.tags, "-o", b.faust, "./cmd/faust")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return end, fmt.Errorf("build faust (run from the repository's root): %w", err)
	}
	if b.broker != "" {
		return end, nil
	}
	stop, err := b.startBroker(ctx)
	if err != nil {
		return end, err
	}
	clean := end
	return func() {
		stop()
		clean()
	}, nil
}

func run(ctx context.Context, c config) error {
	b := &bench{config: c}
	end, err := b.setUp(ctx, "apps/app.lua")
	if end != nil {
		defer end()
	}
	if err != nil {
		return err
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	names := []string{"raw", "go-filter", "filter", "go-map", "map", "map-exact", "forward", "go-sum", "sum", "sum-exact", "group_by", "go-window", "window", "window_by", "go-produce", "produce"}
	for _, keys := range b.manyKeys() {
		names = append(names, "go-sum-"+keys, "sum-"+keys)
	}
	samples := map[string][]sample{}
	for round := range c.rounds {
		for _, name := range names {
			if c.only != "" && name != "raw" && !contains(strings.Split(c.only, ","), name) {
				continue
			}
			s, err := b.measure(ctx, name, round)
			if err != nil {
				return fmt.Errorf("%s, round %d: %w", name, round+1, err)
			}
			samples[name] = append(samples[name], s)
			fmt.Fprintf(os.Stderr, "round %d %-15s %5.2f CPU s/M  %7.0f krec/s  %4d MiB\n", round+1, name, s.cpu, s.rate/1000, s.rss)
		}
	}
	report(names, samples)
	return nil
}

// manyKeys are the numbers of keys, beside the usual 500, with which sum is measured.
func (b *bench) manyKeys() []string {
	if b.keys == "" {
		return nil
	}
	return strings.Split(b.keys, ",")
}

// source is the topic that a case reads.
func source(name string) string {
	if _, keys, ok := strings.Cut(name, "sum-"); ok && keys != "exact" {
		return "withdrawals-" + keys
	}
	return "withdrawals"
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
