package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// profiled are the cases whose profiles become one.
var profiled = []string{"filter", "map", "forward", "sum", "sum-exact", "sum-50000", "group_by", "window", "produce"}

// runProfile measures the cases with a build that profiles itself, and writes the profile that every build of the command is optimised by:
//
//	go run ./tests/bench profile
func runProfile(ctx context.Context, args []string) error {
	b := &bench{config: config{tags: "profile", keys: "50000"}}
	flags := flag.NewFlagSet("profile", flag.ExitOnError)
	to := flags.String("o", "cmd/faust/default.pgo", "the file to write")
	flags.IntVar(&b.records, "n", 4_000_000, "records")
	_ = flags.Parse(args)
	dir, err := os.MkdirTemp("", "faust-profile-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	_ = os.Setenv("FAUST_CPU_PROFILE", filepath.Join(dir, "broker"))
	end, err := b.setUp(ctx, "apps/app.lua")
	if end != nil {
		defer end()
	}
	if err == nil {
		err = b.prepare(ctx)
	}
	if err != nil {
		return err
	}
	merge := []string{"tool", "pprof", "-proto"}
	for _, name := range profiled {
		merge = append(merge, filepath.Join(dir, name))
		_ = os.Setenv("FAUST_CPU_PROFILE", merge[len(merge)-1])
		if _, err := b.measure(ctx, name, 0); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	var said bytes.Buffer // shown if it fails
	pprof := exec.CommandContext(ctx, "go", merge...)
	pprof.Stderr = &said
	out, err := pprof.Output()
	if err != nil {
		return fmt.Errorf("merge the profiles: %w\n%s", err, said.Bytes())
	}
	return os.WriteFile(*to, out, 0o644)
}
