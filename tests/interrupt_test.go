package tests

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A command that is stopped while a broker keeps it waiting says so by its exit code, and says nothing of a broker that had no time to answer.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	dir, _ := script(t, "app.configure { id = 'shop' }\nlocal orders = app.topic('orders', { value = 'json' })\n"+
		"app.agent('audit', orders, function(stream) for o in stream do end end)\n"+
		"app.command('produce', function() orders:send { value = 1 } end)\n")
	for args, code := range map[string]int{
		"status": 130, "status --json": 130, "status --watch": 0, "tail orders": 0, "tail orders --no-follow": 130, "send orders 1": 130,
		"ask @audit 1": 130, "dlq": 130, "reset --yes": 130, "produce": 130,
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			silent, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections and never answers
			if err != nil {
				t.Fatal(err)
			}
			defer silent.Close()
			cmd := faust(t, dir, append([]string{"run", "app.lua", "--broker", "kafka://" + silent.Addr().String()}, strings.Fields(args)...)...)
			var out, told bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &told
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill(); silent.Close() })
			defer late.Stop()
			conn, err := silent.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			var exit *exec.ExitError
			if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if got := cmd.ProcessState.ExitCode(); got != code || out.Len()+told.Len() > 0 {
				t.Errorf("exit code %d, not %d\n%s%s", got, code, out.String(), told.String())
			}
		})
	}
}
