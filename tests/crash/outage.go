package crash

import (
	"fmt"
	"strings"
	"time"

	"faust/tests/drive"
)

// Outage takes the broker away under load and brings it back, with two workers and a command that sends: all of them go on by themselves, the workers
// say once that it is out of reach and once that it is back, /readyz is red meanwhile and names the reason, and nothing is lost.
func (c *Cluster) Outage(lose, restore func()) {
	c.t.Helper()
	const total = 20_000
	workers := c.pair()
	load := c.Count(1, total)
	seen := c.reader()
	defer seen.close()
	seen.until(c.t, 2000)
	began := time.Now()
	lose()
	for _, w := range workers {
		drive.Until(c.t, "/readyz is red for the broker", func() (bool, string) {
			code, body := drive.Get(w.url + "/readyz")
			return code == 503 && strings.Contains(body, "the broker does not answer"), body
		})
		w.WaitFor(lost)
	}
	restore()
	for _, w := range workers {
		w.WaitFor(found)
		drive.Until(c.t, "/readyz is green", func() (bool, string) {
			code, body := drive.Get(w.url + "/readyz")
			return code == 200, body
		})
	}
	if code := load.Exit(2 * drive.Patience); code != 0 {
		c.t.Fatalf("the command that sends: exit code %d\n%s", code, load.Output())
	}
	seen.until(c.t, total)
	for _, w := range workers {
		w.Interrupt()
		again := int(time.Since(began) / time.Minute) // is how often it may be said that the broker is still away, should it take so long to come back
		if n, m := strings.Count(w.Output(), lost), strings.Count(w.Output(), found); m < 1 || n < m || n > m+again {
			c.t.Errorf("%q was said %d times and %q %d times:\n%s", lost, n, found, m, w.Output())
		}
	}
	c.t.Logf("%d copies of %d messages", seen.records, total)
}

// What the log says of a broker that is lost, and found again.
const (
	lost  = "broker out of reach"
	found = "broker answers again"
)

// KillEmbedded kills the embedded broker of the data directory, which the workers and the command that sends share, again and again under load: they start it again by
// themselves, and nothing is lost. kill tells where it ran.
func (c *Cluster) KillEmbedded(kill func(dir string)) {
	c.t.Helper()
	const total, kills = 20_000, 3
	workers := c.pair()
	load := c.Count(1, total)
	seen := c.reader()
	defer seen.close()
	for i := range kills {
		seen.until(c.t, (i+1)*total/(kills+2))
		kill(c.data("a"))
	}
	if code := load.Exit(2 * drive.Patience); code != 0 {
		c.t.Fatalf("the command that sends: exit code %d\n%s", code, load.Output())
	}
	seen.until(c.t, total)
	said := load.Output()
	for _, w := range workers {
		w.Interrupt()
		said += w.Output()
	}
	kill(c.data("a")) // it would stay for a while
	if n := strings.Count(said, "the embedded broker is gone, starting it again"); n < kills {
		c.t.Errorf("it was started again %d times", n)
	}
	c.t.Logf("%d copies of %d messages", seen.records, total)
}

// member is a worker with pages.
type member struct {
	*drive.Process
	url string
}

// pair starts two workers with pages and waits until each has partitions.
func (c *Cluster) pair() []member {
	c.t.Helper()
	var out []member
	for _, name := range []string{"a", "b"} {
		port := drive.Port(c.t)
		p := drive.Start(c.t, c.dir, []string{"APP_ID=" + c.id, "NAME=" + name},
			c.args(name, "worker", "--web-port", fmt.Sprint(port), "-l", "info")...)
		out = append(out, member{p, fmt.Sprintf("http://127.0.0.1:%d", port)})
	}
	for _, w := range out {
		w.WaitFor("READY")
	}
	drive.Until(c.t, "both workers have partitions", func() (bool, string) {
		return assigned(out[0].Process) > 0 && assigned(out[1].Process) > 0, out[0].Output() + out[1].Output()
	})
	return out
}
