package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"faust/tests/drive"
)

// ledger is the app of a trial. It reads events by user; per group, by way of another topic, it adds them up, keeps which they were, in a list and in a set, sends each on and counts them in short windows; per user it keeps the last one, if
// that does not say that the user is gone.
const ledger = `
local id = env.get('APP_ID')
app.configure {
  id = id, topic_partitions = 4, commit_interval = '200ms', session_timeout = env.get('SESSION'), processing_guarantee = env.get('GUARANTEE'),
  standby_replicas = tonumber(env.get('STANDBYS')),
}
local events = app.topic(id .. '-events', { key = 'string', value = 'json' })
local output = app.topic(id .. '-output', { key = 'string', value = 'json' })
local totals = app.table('totals')
local ids = app.table('ids')
local members = app.set_table('members')
local last = app.table('last')

local closed = app.topic(id .. '-closed', { key = 'string', value = 'json' })
local spans = app.table('spans', { default = 0 }):tumbling('2s', { grace = '2s' })
spans:on_close(function(group, window, count)
  closed:send { key = group, value = { from = window.from, count = count } }
end)
spans:on_late(function(group) print('LATE ' .. group) end)

local actors = tonumber(env.get('ACTORS'))

app.agent('sum', events:group_by('group'), { concurrency = actors }, function(stream)
  for e in stream do
    local total = totals[e.group] or { count = 0, sum = 0 }
    totals[e.group] = { count = total.count + 1, sum = total.sum + e.amount }
    local list = ids[e.group] or {}
    list[#list + 1] = e.id
    ids[e.group] = list
    members:add(e.group, e.id)
    spans:add(e.group, 1)
    output:send { key = e.group, value = { id = e.id } }
  end
end)

local function note(e)
  if e.gone then last[e.user] = nil else last[e.user] = { id = e.id } end
end

app.agent('last', events, { concurrency = actors }, function(stream)
  if env.get('BATCHES') == 'no' then
    for e in stream do note(e) end
  end
  for list in stream:take(20, { within = '100ms' }) do
    for _, e in ipairs(list) do note(e) end
  end
end)

app.task(function() print 'READY' end)
`

// tables are those of the app.
var tables = []string{"totals", "ids", "members", "last"}

// event is what the app reads.
type event struct {
	ID     int    `json:"id"`
	User   string `json:"user"`
	Group  string `json:"group"`
	Amount int    `json:"amount"`
	Gone   bool   `json:"gone"`
}

const (
	users, groups = 60, 100

	beat    = 20 * time.Millisecond
	perBeat = 8 // events
)

// producer sends events without an end.
type producer struct {
	t     testing.TB
	cl    *kgo.Client
	topic string
	rng   *rand.Rand

	stop chan struct{}
	done sync.WaitGroup

	mu    sync.Mutex
	acked map[int]bool
}

// produce begins to send events; every id from 1 on once.
func produce(t testing.TB, address, topic string, seed uint64) *producer {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.UnknownTopicRetries(-1), kgo.AlwaysRetryEOF())
	if err != nil {
		t.Fatal(err)
	}
	p := &producer{t: t, cl: cl, topic: topic, rng: rand.New(rand.NewPCG(seed, 4)), stop: make(chan struct{}), acked: map[int]bool{}}
	p.done.Go(p.run)
	t.Cleanup(p.end)
	return p
}

func (p *producer) run() {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for id := 1; ; {
		select {
		case <-ticker.C:
		case <-p.stop:
			return
		}
		for range perBeat {
			p.send(id)
			id++
		}
	}
}

func (p *producer) send(id int) {
	e := event{ID: id, User: fmt.Sprint("u", p.rng.IntN(users)), Group: fmt.Sprint("g", p.rng.IntN(groups)), Amount: 1 + p.rng.IntN(9), Gone: p.rng.IntN(4) == 0}
	value, _ := json.Marshal(e)
	p.cl.Produce(context.Background(), &kgo.Record{Topic: p.topic, Key: []byte(e.User), Value: value}, func(_ *kgo.Record, err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if err != nil {
			p.t.Errorf("event %d not stored: %v", id, err)
			return
		}
		p.acked[id] = true
	})
}

// sent is how many events are stored.
func (p *producer) sent() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.acked)
}

// end stops sending, once all that was sent is stored.
func (p *producer) end() {
	select {
	case <-p.stop:
		return
	default:
		close(p.stop)
	}
	p.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), drive.Patience)
	defer cancel()
	if err := p.cl.Flush(ctx); err != nil {
		p.t.Errorf("events not stored: %v", err)
	}
	p.cl.Close()
}

// What the app says of its windows.
const width, grace = 2 * time.Second, 2 * time.Second

// truth is what events come to.
type truth struct {
	spans  map[string]int // by group and beginning of the window
	until  time.Time      // up to when all partitions have events
	events map[int]event
	totals map[string][2]int // by group: count and sum
	last   map[string]int    // by user: the event that stands; none for those who are gone
}

// add takes events in the order of their partitions.
func (tr *truth) add(list []*kgo.Record) error {
	tr.events, tr.totals, tr.last, tr.spans = map[int]event{}, map[string][2]int{}, map[string]int{}, map[string]int{}
	latest := map[int32]time.Time{}
	for _, r := range list {
		var e event
		if err := json.Unmarshal(r.Value, &e); err != nil {
			return err
		}
		if _, twice := tr.events[e.ID]; twice {
			return fmt.Errorf("event %d is in the source twice", e.ID)
		}
		tr.events[e.ID] = e
		tr.spans[spanName(e.Group, r.Timestamp.Truncate(width))]++
		latest[r.Partition] = r.Timestamp
		t := tr.totals[e.Group]
		tr.totals[e.Group] = [2]int{t[0] + 1, t[1] + e.Amount}
		if e.Gone {
			delete(tr.last, e.User)
		} else {
			tr.last[e.User] = e.ID
		}
	}
	tr.until = slices.MinFunc(slices.Collect(maps.Values(latest)), time.Time.Compare)
	return nil
}

// spanName names a window of a group.
func spanName(group string, from time.Time) string {
	return group + " " + from.UTC().Format(time.RFC3339)
}

// place is where a table has a key.
func place(partition int32, key string) string { return strconv.Itoa(int(partition)) + " " + key }
