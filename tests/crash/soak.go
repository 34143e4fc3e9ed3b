package crash

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"faust/tests/drive"
)

var soakFlag = flag.Duration("soak", 0, "how long the soak lasts; 0: some seconds, after which only what tables hold is looked at")

const (
	shortSoak = 8 * time.Second
	lives     = 4000 // keys that are there at a time
	perTick   = 20   // keys that come, and that go, per beat
)

// churn is the app of the soak: keys come and go for ever, and few are there at a time.
const churn = `
local id = env.get('APP_ID')
app.configure { id = id, topic_partitions = 4, commit_interval = '500ms', processing_guarantee = env.get('GUARANTEE') }
local changes = app.topic(id .. '-changes', { key = 'string', value = 'json' })
local live = app.table('live')
local buckets = app.set_table('buckets')

app.agent('keep', changes, function(stream)
  for c in stream do
    if c.text then live[c.key] = { text = c.text } else live[c.key] = nil end
  end
end)

app.agent('sort', changes:group_by('bucket'), function(stream)
  for c in stream do
    if c.text then buckets:add(c.bucket, c.key) else buckets:remove(c.bucket, c.key) end
  end
end)

app.task(function() print 'READY' end)
`

// Soak lets keys come and go in the tables of two workers, with nothing going wrong, and looks whether memory and files stay as they are. In the end the tables hold the keys that
// are left, and so do the changelogs.
func Soak(t *testing.T, guarantee, address, id string) {
	lasts := *soakFlag
	if lasts == 0 {
		lasts = shortSoak
	}
	c := New(t, address, id)
	p := &trial{Cluster: c, guarantee: guarantee, broker: Broker{Address: address}, program: drive.Program(t, "./tests/crash/victim"), stranger: newStranger(t, address), workers: map[string]*victim{}}
	p.must(os.WriteFile(filepath.Join(c.dir, "app.lua"), []byte(churn), 0o644))
	p.begin("a").WaitFor("READY")
	p.begin("b").WaitFor("READY")
	cl, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.UnknownTopicRetries(-1), kgo.AlwaysRetryEOF())
	p.must(err)
	defer cl.Close()
	figures := map[string][]float64{}
	begun, looked, n := time.Now(), time.Now(), 0
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for time.Since(begun) < lasts {
		<-ticker.C
		n = p.churn(cl, n)
		if every := max(lasts/120, time.Second); time.Since(looked) > every {
			looked = looked.Add(every)
			p.alive()
			p.look(figures)
		}
	}
	p.must(cl.Flush(p.t.Context()))
	drive.Until(t, "all is processed and committed", func() (bool, string) {
		left := p.stranger.behind(id, id+"-changes", id+"-"+id+"-changes-by-bucket-repartition")
		return left == "", left
	})
	p.left(n)
	t.Logf("%d changes in %s", 2*n, time.Since(begun).Round(time.Second))
	if *soakFlag > 0 {
		flat(t, figures)
	}
	for _, name := range p.names() {
		p.stop(p.workers[name])
	}
	p.stranger.forget(id)
}

// churn sends changes after the first n keys: some come, as many go, and gives how many have come then.
func (p *trial) churn(cl *kgo.Client, n int) int {
	for range perTick {
		p.change(cl, n, fmt.Sprintf("%0300d", rand.Uint64()))
		if old := n - lives; old >= 0 {
			p.change(cl, old, "")
		}
		n++
	}
	return n
}

// change sends what becomes of a key; an empty text: it goes.
func (p *trial) change(cl *kgo.Client, n int, text string) {
	value := fmt.Sprintf(`{"key":"k%d","bucket":"%d"}`, n, n/100)
	if text != "" {
		value = fmt.Sprintf(`{"key":"k%d","bucket":"%d","text":"%s"}`, n, n/100, text)
	}
	cl.Produce(context.Background(), &kgo.Record{Topic: p.id + "-changes", Key: fmt.Append(nil, "k", n), Value: []byte(value)}, func(_ *kgo.Record, err error) {
		if err != nil {
			p.t.Error(err)
		}
	})
}

// left checks that the tables hold what is left of n keys.
func (p *trial) left(n int) {
	p.t.Helper()
	want := map[string]map[string]bool{"live": {}, "buckets": {}}
	for i := max(0, n-lives); i < n; i++ {
		want["live"][fmt.Sprint("k", i)] = true
		want["buckets"][fmt.Sprint(i/100, membership, "k", i)] = true
	}
	kept := map[string]map[string]any{}
	p.same("workers", p.names()[0], []string{"live", "buckets"}, kept)
	for table, keys := range want {
		extra := 0
		for at := range kept[table] {
			_, key, _ := strings.Cut(at, " ")
			if !keys[key] {
				extra++
			}
			delete(keys, key)
		}
		if extra > 0 || len(keys) > 0 {
			p.t.Errorf("%s: %d keys are there that should not be, %d are missing", table, extra, len(keys))
		}
	}
}

// look adds the figures of now, over all workers.
func (p *trial) look(figures map[string][]float64) {
	p.t.Helper()
	now := map[string]float64{}
	for _, v := range p.workers {
		_, text := drive.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", v.port))
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			if _, wanted := slack[name]; wanted {
				f, _ := strconv.ParseFloat(value, 64)
				now[name] += f
			}
		}
		p.must(filepath.WalkDir(p.data(v.name), func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil // the store deletes files meanwhile
			}
			if info, err := d.Info(); err == nil {
				now["files"]++
				now["files_bytes"] += float64(info.Size())
			}
			return nil
		}))
	}
	for name := range slack {
		figures[name] = append(figures[name], now[name])
	}
}

// slack is by how much a figure may go up and down by itself, beyond a tenth of it.
var slack = map[string]float64{
	"process_resident_memory_bytes": 16 << 20,
	"go_memstats_next_gc_bytes":     8 << 20, // twice what is alive
	"go_goroutines":                 10,
	"process_open_fds":              20,
	"files":                         20,
	"files_bytes":                   32 << 20,
}

// flat compares the last third of each figure with the one before; in the first one everything fills up.
func flat(t *testing.T, figures map[string][]float64) {
	t.Helper()
	for name, list := range figures {
		third := len(list) / 3
		if third == 0 {
			t.Fatal("too short to say anything")
		}
		first, before, after := median(list[:third]), median(list[third:2*third]), median(list[2*third:])
		t.Logf("%s: medians of the thirds %.0f, %.0f, %.0f; highest %.0f", name, first, before, after, slices.Max(list))
		if after > before*1.1+slack[name] {
			t.Errorf("%s grows: %.0f", name, list)
		}
	}
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}
