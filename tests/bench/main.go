// Command bench measures the record path as whole processes: CPU seconds (user + system) per million records of a Lua app, beside a raw
// franz-go consume, a raw franz-go producer and the same work written by hand in Go, all in the same run and in turn.
//
//	go run ./tests/bench                          two million records, five rounds, embedded broker
//	go run ./tests/bench -n 500000 -rounds 3      shorter
//	go run ./tests/bench -broker 127.0.0.1:9092   a real Kafka
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

//go:embed apps/app.lua
var apps embed.FS

type config struct {
	records int
	rounds  int
	broker  string
	only    string
	keep    bool
	flags   string
}

func main() {
	if len(os.Args) > 2 && os.Args[1] == "child" {
		if err := child(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench child:", err)
			os.Exit(1)
		}
		return
	}
	var c config
	flag.IntVar(&c.records, "n", 2_000_000, "records")
	flag.IntVar(&c.rounds, "rounds", 5, "rounds; medians are printed")
	flag.StringVar(&c.broker, "broker", "", "address of a Kafka; empty: the embedded broker, in a process of its own")
	flag.StringVar(&c.only, "only", "", "comma-separated cases to run beside raw (default: all)")
	flag.BoolVar(&c.keep, "keep", false, "keep the work folder")
	flag.StringVar(&c.flags, "flags", "", "further flags for faust, space-separated (--no-pass)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, c); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c config) error {
	dir, err := os.MkdirTemp("", "faust-bench-")
	if err != nil {
		return err
	}
	if c.keep {
		fmt.Println("work folder:", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	b := &bench{config: c, dir: dir, faust: filepath.Join(dir, "faust"), script: filepath.Join(dir, "app.lua")}
	src, err := apps.ReadFile("apps/app.lua")
	if err != nil {
		return err
	}
	if err := os.WriteFile(b.script, src, 0o644); err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", b.faust, "./cmd/faust")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build faust (run from the repository's root): %w", err)
	}
	if b.broker == "" {
		end, err := b.startBroker(ctx)
		if err != nil {
			return err
		}
		defer end()
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	names := []string{"raw", "go-filter", "filter", "go-map", "map", "forward", "go-produce", "produce"}
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
			fmt.Fprintf(os.Stderr, "round %d %-11s %5.2f CPU s/M  %7.0f krec/s  %4d MiB\n", round+1, name, s.cpu, s.rate/1000, s.rss)
		}
	}
	report(names, samples)
	return nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
