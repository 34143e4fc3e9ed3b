// Command victim is the faust command with one more way to die: the worker does to itself what the file named by VICTIM_ORDER says, at the moment of a commit
// that stands there, for a signal from outside never comes exactly between two verbs. An order is carried out once.
package main

import (
	"context"
	"os"
	"strings"
	"syscall"
	"time"

	"faust/cmd/faust/cli"
	"faust/runtime/worker"
)

func main() {
	os.Exit(cli.Run(context.Background(), cli.Process{
		Args: os.Args[1:], Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Between: obey,
		CheckpointInterval: time.Duration(os.Getpid()%3) * time.Second, // 0: the usual one
	}))
}

// obey carries out the order, if there is one for this moment: "kill after Seal", "hang after Seal".
func obey(now worker.Moment) error {
	path := os.Getenv("VICTIM_ORDER")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil // nobody gave one
	}
	what, when, _ := strings.Cut(string(text), " ")
	if when != string(now) {
		return nil
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	if what == "kill" {
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return syscall.Kill(os.Getpid(), syscall.SIGSTOP)
}
