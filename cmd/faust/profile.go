//go:build profile

package main

import (
	"fmt"
	"os"
	"runtime/pprof"

	"faust/cmd/faust/cli"
)

// A build with the tag profile writes a CPU profile of itself to the file that FAUST_CPU_PROFILE names; the benchmark makes default.pgo of such.
func init() {
	run = func() int {
		f, err := os.Create(os.Getenv("FAUST_CPU_PROFILE"))
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "profile:", err)
			return 1
		}
		defer pprof.StopCPUProfile()
		return cli.Main()
	}
}
