package kafka

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"faust/tests/crash"
	"faust/tests/drive"
)

// One of two workers is killed under load on Kafka: nothing is lost, and it has its partitions back soon.
func TestKillUnderLoad(t *testing.T) {
	real(t)
	crash.New(t, kafka.plain, fresh("crash")).KillUnderLoad()
}

// Workers are killed, stopped, hung, added and removed and the broker is restarted, by plans that seeds stand for; what the topics hold in the end is what the events come to.
func TestCrash(t *testing.T) {
	real(t)
	for _, guarantee := range []string{"at_least_once", "exactly_once"} {
		t.Run(guarantee, func(t *testing.T) {
			crash.Trials(t, guarantee, crash.Broker{Address: kafka.plain, Session: 4 * time.Second, Kill: kill, Stop: stop, Start: func() { again(t) }}, fresh)
		})
	}
}

// Keys come and go in tables: memory and files stay as they are.
func TestSoak(t *testing.T) {
	real(t)
	for _, guarantee := range []string{"at_least_once", "exactly_once"} {
		t.Run(guarantee, func(t *testing.T) {
			t.Parallel() // the second takes as long as the first
			crash.Soak(t, guarantee, kafka.plain, fresh("soak"))
		})
	}
}

// again starts the broker that has ended.
func again(t *testing.T) {
	t.Helper()
	if err := launch(); err != nil {
		t.Fatalf("start kafka again: %v\n%s", err, read(t, filepath.Join(kafka.dir, "kafka.log")))
	}
}

// The broker is killed and started again under two workers and a command that sends; later it is stopped in order, and started again.
func TestOutage(t *testing.T) {
	real(t)
	for _, c := range []struct {
		name string
		lose func()
	}{{"killed", kill}, {"stopped", stop}} {
		t.Run(c.name, func(t *testing.T) {
			crash.New(t, kafka.plain, fresh("outage")).Outage(c.lose, func() { again(t) })
		})
	}
}

// simple runs the example against a broker URL, in both orders of worker and command, and looks at the page.
func simple(t *testing.T, url string, env []string, workerFirst bool) {
	t.Helper()
	dir := t.TempDir()
	id := fresh("simple")
	script := strings.ReplaceAll(read(t, filepath.Join(drive.Root(), "examples", "simple", "app.lua")), "id = 'simple'", "id = '"+id+"'")
	script = strings.ReplaceAll(script, "app.topic('withdrawals'", "app.topic('"+id+"-withdrawals'")
	write(t, filepath.Join(dir, "app.lua"), script)
	port := drive.Port(t)
	args := []string{"run", "app.lua", "--broker", url}
	worker := func() *drive.Process {
		w := drive.Start(t, dir, env, append(args, "worker", "--web-port", fmt.Sprint(port))...)
		w.WaitFor("APP STARTED")
		return w
	}
	produce := func() {
		out := drive.Run(t, dir, env, append(args, "produce", "--max-messages", "1000", "--max-latency", "0")...)
		if !strings.Contains(out, "1000 sent.") {
			t.Fatalf("the command said:\n%s", out)
		}
	}
	var w *drive.Process
	if workerFirst {
		w = worker()
		produce()
	} else {
		produce()
		w = worker()
	}
	drive.Until(t, "the page has a sum", func() (bool, string) {
		code, body := drive.Get(fmt.Sprintf("http://127.0.0.1:%d/totals/country_0/", port))
		return code == 200 && strings.Contains(body, `"country":"country_0"`) && !strings.Contains(body, `"total":0`), body
	})
	w.Interrupt()
}

func TestSimple(t *testing.T) {
	real(t)
	for _, workerFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("worker first %v", workerFirst), func(t *testing.T) {
			simple(t, "kafka://"+kafka.plain, nil, workerFirst)
		})
	}
}

// The address, user and password of a secured listener come from URL and environment.
func TestSimpleSecured(t *testing.T) {
	real(t)
	t.Run("scram", func(t *testing.T) {
		simple(t, "kafka://"+user+"@"+kafka.sasl+"?sasl=scram-sha-512", []string{"FAUST_BROKER_PASSWORD=" + password}, true)
	})
	t.Run("tls", func(t *testing.T) { simple(t, "kafka+tls://"+kafka.tls+"?ca="+kafka.ca, nil, true) })
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
