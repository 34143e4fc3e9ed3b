package cli

import (
	"context"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// Who stops a process group and its leader, as timeout does, sends the same wish twice: that is no second one.
func TestSignalTwice(t *testing.T) {
	tests := map[string]struct {
		pause time.Duration
		code  int
	}{
		"at the same moment":    {0, 0},
		"one after the other":   {echo - 1, 0},
		"because it waits":      {echo, exitSignals + int(syscall.SIGTERM)},
		"because it waits long": {time.Hour, exitSignals + int(syscall.SIGTERM)},
	}
	if name := os.Getenv("SIGNAL_TWICE"); name != "" {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			i := &interrupts{session: &session{Process: Process{Stderr: io.Discard}}}
			i.handle(syscall.SIGTERM, cancel)
			<-time.After(tests[name].pause)
			i.handle(syscall.SIGTERM, cancel)
			if ctx.Err() == nil {
				t.Error("the context goes on")
			}
		})
		return
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSignalTwice$")
			again.Env = append(os.Environ(), "SIGNAL_TWICE="+name)
			if output, _ := again.CombinedOutput(); again.ProcessState.ExitCode() != test.code {
				t.Errorf("exit code %d, want %d\n%s", again.ProcessState.ExitCode(), test.code, output)
			}
		})
	}
}
