package kafka

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"faust/tests/drive"
)

// ledger is an app with all that tables are made of: state by another key, a window that is closed, copies on other workers, exactly once.
const ledger = `
app.configure {
  id = '@ID', version = tonumber(env.get('APP_VERSION', '1')), topic_partitions = 4, processing_guarantee = 'exactly_once', standby_replicas = 1,
  session_timeout = '6s',
}
local orders = app.topic('@ID-orders', { key = 'string', value = 'json' })
local totals = app.table('totals', { default = 0 })
local views = app.table('views', { default = 0 }):hopping('4s', '2s', { grace = '1s' })

app.agent('sum', orders:group_by('user'), function(stream)
  for user, order in stream:items() do
    totals[user] = totals[user] + order.n
    views:add(user, 1)
  end
end)
app.page('/totals/{user}/', { table = totals, key = 'user', stale = true }, function(request)
  return { total = totals[request.params.user] }
end)
app.command('produce', { app.option('--count', { type = 'int' }) }, function(options)
  for i = 1, options.count do orders:send { key = 'k' .. i, value = { user = 'u' .. i % 8, n = 1 } } end
end)
app.task(function() print 'READY' end)
`

// book is the app of a test, with a worker for each of its data directories.
type book struct {
	t    *testing.T
	dir  string
	id   string
	env  []string
	port int // of the first worker
}

func (b *book) args(rest ...string) []string {
	return append([]string{"run", "app.lua", "--broker", "kafka://" + kafka.plain}, rest...)
}

func (b *book) run(rest ...string) string {
	b.t.Helper()
	return drive.Run(b.t, b.dir, b.env, b.args(rest...)...)
}

func (b *book) worker(port int) *drive.Process {
	b.t.Helper()
	w := drive.Start(b.t, b.dir, b.env, b.args("worker", "-l", "info", "--web-port", fmt.Sprint(port))...)
	w.WaitFor("READY")
	return w
}

// holds waits until every user's total is the same.
func (b *book) holds(port, total int) {
	b.t.Helper()
	for i := range 8 {
		drive.Until(b.t, fmt.Sprintf("u%d has %d", i, total), func() (bool, string) {
			code, body := drive.Get(fmt.Sprintf("http://127.0.0.1:%d/totals/u%d/", port, i))
			return code == 200 && strings.TrimSpace(body) == fmt.Sprintf(`{"total":%d}`, total), body
		})
	}
}

// The state of an app on Kafka: two workers of which one is killed, a topic that grows, a new version beside the old one, and what is deleted of both.
func TestLifeOfTables(t *testing.T) {
	real(t)
	id := fresh("ledger")
	b := &book{t: t, dir: t.TempDir(), id: id, port: drive.Port(t)}
	write(t, filepath.Join(b.dir, "app.lua"), strings.ReplaceAll(ledger, "@ID", id))
	one := b.worker(b.port)
	other := drive.Port(t)
	two := b.worker(other)
	b.run("produce", "--count", "800")
	b.holds(b.port, 100)
	b.holds(other, 100)
	drive.Until(t, "both have partitions", func() (bool, string) {
		_, body := drive.Get(fmt.Sprintf("http://127.0.0.1:%d/_/api/tables", b.port))
		return strings.Contains(body, `"here":true`) && strings.Contains(body, `"here":false`) && !strings.Contains(body, "problem"), body
	})

	// A worker is killed. The other one has a copy, and what comes is counted once its session is over.
	one.Kill()
	killed := time.Now()
	b.run("produce", "--count", "800")
	b.holds(other, 200)
	t.Logf("all is counted %s after the kill, with a session of 6 s", time.Since(killed).Round(100*time.Millisecond))

	// The topic that is read gets partitions. Keys of tables come from the topic behind it, so nothing has to change.
	tool(t, "", "TopicCommand", "--bootstrap-server", kafka.plain, "--alter", "--topic", id+"-orders", "--partitions", "6")
	b.run("produce", "--count", "800")
	b.holds(other, 300)
	two.Interrupt()

	// The next version begins anew, beside the first one, which goes on where it was.
	b.env = []string{"APP_VERSION=2"}
	second := b.worker(b.port)
	b.holds(b.port, 300)
	b.run("produce", "--count", "8")
	b.holds(b.port, 301)
	second.Interrupt()
	b.env = nil
	first := b.worker(b.port)
	b.holds(b.port, 301)
	first.Interrupt()

	// All of the first version goes, and the second one is made to begin anew.
	b.env = []string{"APP_VERSION=2"}
	said := b.run("clean-versions", "--yes")
	if !regexp.MustCompile(`deleted: \d topics, 1 group, 2 folders`).MatchString(said) {
		t.Errorf("clean-versions said %s", said)
	}
	again := b.worker(b.port)
	b.holds(b.port, 301)
	again.Interrupt()
	if said := b.run("reset", "--yes"); !regexp.MustCompile(`deleted: \d topics, 1 group, 1 folder`).MatchString(said) {
		t.Errorf("reset said %s", said)
	}
	anew := b.worker(b.port)
	b.holds(b.port, 301)
	anew.Interrupt()
	topics := tool(t, "", "TopicCommand", "--bootstrap-server", kafka.plain, "--list")
	if strings.Contains(topics, id+"-totals-changelog") || !strings.Contains(topics, id+"-v2-totals-changelog") {
		t.Errorf("topics that are left:\n%s", topics)
	}
}
