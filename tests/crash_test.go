package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"faust/tests/crash"
	"faust/tests/drive"
)

// One of two workers is killed under load on the embedded broker: nothing is lost, and it has its partitions back soon.
func TestKillUnderLoad(t *testing.T) {
	t.Parallel()
	broker := drive.Start(t, t.TempDir(), nil, "broker", "--port", "0")
	address := "127.0.0.1:" + strings.TrimRight(strings.Fields(broker.WaitFor("127.0.0.1:"))[0], ",.;)")
	crash.New(t, address, "crash").KillUnderLoad()
}

// Workers are killed, stopped, hung, added and removed, and the embedded broker with them: see the same on a real Kafka.
func TestCrash(t *testing.T) {
	t.Parallel()
	var ids atomic.Int64
	fresh := func(name string) string { return fmt.Sprint(name, ids.Add(1)) }
	for _, guarantee := range []string{"at_least_once", "exactly_once"} {
		t.Run(guarantee, func(t *testing.T) {
			t.Parallel()
			dir, port := t.TempDir(), strconv.Itoa(drive.Port(t))
			var broker *drive.Process
			start := func() {
				broker = drive.Start(t, dir, nil, "broker", "--port", port)
				broker.WaitFor("embedded broker on")
			}
			start()
			b := crash.Broker{Address: "127.0.0.1:" + port, Session: 6 * time.Second, Stop: func() { broker.Interrupt() }, Start: start}
			if guarantee == "at_least_once" { // its death in the middle of a transaction may leave half of that
				b.Kill = func() { broker.Kill() }
			}
			crash.Trials(t, guarantee, b, fresh)
		})
	}
}

// The embedded broker, run in a terminal of its own, is killed under load and started again.
func TestOutage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	port := strconv.Itoa(drive.Port(t))
	serve := func() *drive.Process {
		p := drive.Start(t, dir, nil, "broker", "--port", port)
		p.WaitFor("embedded broker on")
		return p
	}
	broker := serve()
	crash.New(t, "127.0.0.1:"+port, "outage").Outage(broker.Kill, func() { serve() })
}

// The embedded broker that workers and commands start for themselves is killed under load.
func TestKillEmbeddedUnderLoad(t *testing.T) {
	if os.Getenv("LONG") == "" {
		t.Skip("the long form, LONG=1: it needs a machine that is not busy")
	}
	t.Parallel()
	kill := func(dir string) {
		pid := 0
		drive.Until(t, "a broker runs", func() (bool, string) {
			pid = brokerProcess(filepath.Join(dir, "broker.json"))
			return pid != 0 && syscall.Kill(pid, syscall.SIGKILL) == nil, dir
		})
		drive.Until(t, "it is dead", func() (bool, string) { return syscall.Kill(pid, 0) != nil, strconv.Itoa(pid) })
	}
	crash.New(t, "", "killed").KillEmbedded(kill)
}
