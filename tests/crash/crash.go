// Package crash is what a cluster has to survive, whichever broker serves it: workers killed under load. The suites for the
// embedded broker and for a real Kafka run the same scenarios.
package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"faust/tests/drive"
)

// script copies numbered messages from one topic to another, so that an independent reader can tell what was lost.
const script = `
app.configure { id = env.get('APP_ID'), topic_partitions = 8, commit_interval = '200ms', session_timeout = '2m' }

local numbers = app.topic(env.get('APP_ID') .. '-numbers', { key = 'string', value = 'json' })
local copies = app.topic(env.get('APP_ID') .. '-copies', { key = 'string', value = 'json' })

app.agent('copy', numbers, function(stream)
  local n = 0
  for number in stream do
    copies:send { key = number.id, value = { id = number.id, worker = env.get('NAME') } }
    n = n + 1
    if n % 50 == 0 then time.sleep('5ms') end
  end
end)

app.on('partitions_assigned', function(partitions) print('ASSIGNED ' .. #partitions) end)
app.task(function() print 'READY' end)

app.command('count', { app.argument('from', { type = 'int' }), app.argument('upto', { type = 'int' }) }, function(a)
  for i = a.from, a.upto do
    numbers:send { key = tostring(i), value = { id = tostring(i) } }
    if i % 200 == 0 then time.sleep('10ms') end
  end
end)
`

// Cluster is an app with two workers on one broker.
type Cluster struct {
	t      testing.TB
	dir    string
	broker string
	id     string
}

// New writes the app. broker is host:port of a Kafka that serves it, "" for the embedded broker of a data directory that all share; id has to be unused there.
func New(t testing.TB, broker, id string) *Cluster {
	t.Helper()
	c := &Cluster{t: t, dir: t.TempDir(), broker: broker, id: id}
	if err := os.WriteFile(filepath.Join(c.dir, "app.lua"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	return c
}

// data is the data directory of a worker: one of its own, unless it is the broker's as well.
func (c *Cluster) data(slot string) string {
	if c.broker == "" {
		return filepath.Join(c.dir, "data")
	}
	return filepath.Join(c.dir, "data-"+slot)
}

func (c *Cluster) args(slot string, rest ...string) []string {
	args := []string{"run", "app.lua", "--datadir", c.data(slot)}
	if c.broker != "" {
		args = append(args, "--broker", "kafka://"+c.broker)
	}
	return append(args, rest...)
}

// Worker starts a worker with a data directory of its own, so that the same name started again is the same worker.
func (c *Cluster) Worker(name string) *drive.Process {
	c.t.Helper()
	return drive.Start(c.t, c.dir, []string{"APP_ID=" + c.id, "NAME=" + name}, c.args(name, "worker", "--without-web", "-l", "info")...)
}

// Count sends the numbers from..upto and waits until they are stored.
func (c *Cluster) Count(from, upto int) *drive.Process {
	c.t.Helper()
	return drive.Start(c.t, c.dir, []string{"APP_ID=" + c.id}, c.args("command", "count", strconv.Itoa(from), strconv.Itoa(upto))...)
}

// KillUnderLoad kills one of two workers under load, starts it again, and checks that every message was processed at least once and that
// the killed worker had its partitions back well before its session timed out.
func (c *Cluster) KillUnderLoad() {
	c.t.Helper()
	const total = 12_000
	a, b := c.Worker("a"), c.Worker("b")
	a.WaitFor("READY")
	b.WaitFor("READY")
	drive.Until(c.t, "both workers have partitions", func() (bool, string) {
		return assigned(a) > 0 && assigned(b) > 0, a.Output() + b.Output()
	})
	load := c.Count(1, total)
	seen := c.reader()
	defer seen.close()
	seen.until(c.t, 2000)
	a.Kill()
	start := time.Now()
	a = c.Worker("a")
	drive.Until(c.t, "the killed worker has partitions again", func() (bool, string) { return assigned(a) > 0, a.Output() })
	took := time.Since(start)
	c.t.Logf("partitions back after %s", took.Round(time.Millisecond))
	const session = 2 * time.Minute // as the script says: long enough for the worker to start on any machine
	if took > session*4/5 {
		c.t.Errorf("the killed worker had its partitions back after %s only, as if its session of %s had to end first", took, session)
	}
	if code := load.Exit(2 * drive.Patience); code != 0 {
		c.t.Fatalf("the command that sends: exit code %d\n%s", code, load.Output())
	}
	seen.until(c.t, total)
	a.Interrupt()
	b.Interrupt()
	c.t.Logf("%d copies of %d messages", seen.records, total)
}

// assigned counts the partitions that the worker said it was given.
func assigned(p *drive.Process) int {
	n := 0
	for _, line := range strings.Split(p.Output(), "\n") {
		if count, ok := strings.CutPrefix(line, "ASSIGNED "); ok {
			k, _ := strconv.Atoi(strings.TrimSpace(count))
			n += k
		}
	}
	return n
}

// reader reads the copies without a group, as a stranger would.
type reader struct {
	cl      *kgo.Client
	ids     map[string]bool
	records int
}

func (c *Cluster) reader() *reader {
	c.t.Helper()
	seed, dial := c.broker, (&net.Dialer{}).DialContext
	if seed == "" {
		seed = "embedded:0"
		dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			addr, err := address(c.data("reader"))
			if err != nil {
				return nil, &net.OpError{Op: "dial", Net: network, Err: err} // it is tried again
			}
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(seed), kgo.Dialer(dial), kgo.ConsumeTopics(c.id+"-copies"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.AlwaysRetryEOF())
	if err != nil {
		c.t.Fatal(err)
	}
	return &reader{cl: cl, ids: map[string]bool{}}
}

// address is where the embedded broker of a data directory listens now.
func address(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "broker.json"))
	if err != nil {
		return "", err
	}
	var state struct{ Addr string }
	err = json.Unmarshal(text, &state)
	return state.Addr, err
}

func (r *reader) close() { r.cl.Close() }

// until reads until n different numbers were copied.
func (r *reader) until(t testing.TB, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*drive.Patience)
	defer cancel()
	for len(r.ids) < n {
		fs := r.cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d of %d messages arrived (%s)", len(r.ids), n, missing(r.ids, n))
		}
		fs.EachRecord(func(rec *kgo.Record) {
			r.ids[string(rec.Key)] = true
			r.records++
		})
	}
}

func missing(ids map[string]bool, n int) string {
	var out []string
	for i := 1; i <= n && len(out) < 10; i++ {
		if id := strconv.Itoa(i); !ids[id] {
			out = append(out, id)
		}
	}
	return fmt.Sprintf("missing: %s …", strings.Join(out, ", "))
}
