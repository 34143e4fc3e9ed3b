package tests

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
)

// again is the command `until REGEXP COMMAND ARGS...`: it runs a command again and again until its standard output matches, whatever its exit code, and prints
// what the last run of it did.
func again(args []string) int {
	if len(args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: until REGEXP COMMAND ARGS...")
		return 2
	}
	want, err := regexp.Compile("(?m)" + args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	var out, errs bytes.Buffer
	matched := until(func() bool {
		out.Reset()
		errs.Reset()
		cmd := exec.Command(args[1], args[2:]...)
		cmd.Stdout, cmd.Stderr = &out, &errs
		err = cmd.Run() // told if it never matches
		return want.Match(out.Bytes())
	})
	os.Stdout.Write(out.Bytes())
	os.Stderr.Write(errs.Bytes())
	if !matched {
		fmt.Fprintf(os.Stderr, "never prints %s: %v\n", args[0], err)
		return 1
	}
	return 0
}
