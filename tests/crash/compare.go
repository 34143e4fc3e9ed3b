package crash

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"faust/tests/drive"
)

// exactlyOnce is the guarantee that nothing is doubled.
const exactlyOnce = "exactly_once"

// compare looks at what the topics hold, what the workers have, what one has that starts from the copy it kept, and what one has that starts from nothing.
func (p *trial) compare() {
	p.t.Helper()
	var tr truth
	p.must(tr.add(p.stranger.all(p.id + "-events")))
	for id := range p.producer.acked {
		if _, ok := tr.events[id]; !ok {
			p.t.Fatalf("the broker has lost event %d", id)
		}
	}
	p.compareOutput(&tr)
	p.compareSpans(&tr)
	kept := map[string]map[string]any{}
	p.same("workers", p.names()[0], tables, kept)
	p.compareTables(&tr, kept)
	all := p.names()
	for _, name := range all {
		p.stop(p.workers[name])
		delete(p.workers, name)
	}
	p.alone("a worker that has a copy", all[0], kept)
	p.must(os.RemoveAll(p.data(all[0])))
	p.alone("a fresh worker", all[0], kept)
}

// compareOutput compares what was sent on.
func (p *trial) compareOutput(tr *truth) {
	p.t.Helper()
	seen := map[int]int{}
	for _, r := range p.stranger.all(p.id + "-output") {
		var e event
		p.must(json.Unmarshal(r.Value, &e))
		seen[e.ID]++
	}
	p.once("output", tr, seen)
}

// compareSpans compares the windows that have closed: all have, before the last event of the slowest partition.
func (p *trial) compareSpans(tr *truth) {
	p.t.Helper()
	counts, times := map[string]int{}, map[string]int{}
	drive.Until(p.t, "windows are closed", func() (bool, string) {
		clear(counts)
		clear(times)
		for _, r := range p.stranger.all(p.id + "-closed") {
			var w struct {
				From  time.Time
				Count int
			}
			p.must(json.Unmarshal(r.Value, &w))
			name := spanName(string(r.Key), w.From)
			counts[name] = max(counts[name], w.Count)
			times[name]++
		}
		for name := range tr.spans {
			_, from, _ := strings.Cut(name, " ")
			at, err := time.Parse(time.RFC3339, from)
			p.must(err)
			if counts[name] == 0 && at.Add(width+grace).Before(tr.until) {
				return false, name
			}
		}
		return true, ""
	})
	for name, n := range counts {
		if want := tr.spans[name]; n < want || (n != want || times[name] > 1) && p.guarantee == exactlyOnce {
			p.t.Errorf("window %s closed %d times, and counts %d of %d", name, times[name], n, want)
		}
	}
	p.t.Logf("%d of %d windows closed", len(counts), len(tr.spans))
}

// once checks that every event is there, and none more often than is promised.
func (p *trial) once(what string, tr *truth, seen map[int]int) {
	p.t.Helper()
	var missing, twice, unknown []int
	for id := range tr.events {
		switch n := seen[id]; {
		case n == 0:
			missing = append(missing, id)
		case n > 1:
			twice = append(twice, id)
		}
	}
	for id := range seen {
		if _, ok := tr.events[id]; !ok {
			unknown = append(unknown, id)
		}
	}
	if len(missing) > 0 || len(unknown) > 0 || len(twice) > 0 && p.guarantee == exactlyOnce {
		p.t.Errorf("%s of %d events: %s missing, %s more than once, %s of none", what, len(tr.events), some(missing), some(twice), some(unknown))
		return
	}
	p.t.Logf("%s of %d events: %d more than once", what, len(tr.events), len(twice))
}

// some is a list that may be long.
func some(ids []int) string {
	slices.Sort(ids)
	if len(ids) > 10 {
		return fmt.Sprintf("%d (%d to %d)", len(ids), ids[0], ids[len(ids)-1])
	}
	return fmt.Sprintf("%d %v", len(ids), ids)
}

// compareTables compares what is in changelogs and workers with the events.
func (p *trial) compareTables(tr *truth, kept map[string]map[string]any) {
	p.t.Helper()
	totals, last, seen, members := map[string][2]int{}, map[string]int{}, map[int]int{}, map[int]int{}
	for _, table := range tables {
		for at, value := range kept[table] {
			_, key, _ := strings.Cut(at, " ")
			switch v := value.(type) {
			case map[string]any:
				if table == "last" {
					last[key] = number(v["id"])
				} else {
					totals[key] = [2]int{number(v["count"]), number(v["sum"])}
				}
			case bool:
				_, id, _ := strings.Cut(key, membership)
				n, err := strconv.Atoi(id)
				p.must(err)
				members[n]++
			case []any:
				for _, id := range v {
					seen[number(id)]++
				}
			}
		}
	}
	p.once("lists in a table", tr, seen)
	p.once("sets", tr, members)
	if !reflect.DeepEqual(last, tr.last) {
		p.t.Errorf("last events by user:\n got  %v\n want %v", last, tr.last)
	}
	for group, want := range tr.totals {
		got := totals[group]
		if got[0] < want[0] || got[1] < want[1] || got != want && p.guarantee == exactlyOnce {
			p.t.Errorf("totals of %s: count and sum are %v, %v are true", group, got, want)
		}
	}
}

func number(v any) int {
	f, _ := v.(float64)
	return int(f)
}

// same checks that the workers have of each table what the changelogs hold, which is put into kept if there is nothing yet. What a worker that was cut off wrote too late
// may have to be corrected first.
func (p *trial) same(who, name string, tables []string, kept map[string]map[string]any) {
	p.t.Helper()
	for _, table := range tables {
		drive.Until(p.t, who+": changelog and state of "+table+" are the same", func() (bool, string) {
			p.alive()
			changelog := p.latest(table)
			here, err := p.scan(name, table)
			if err != nil {
				return false, err.Error()
			}
			if kept[table] == nil && reflect.DeepEqual(here, changelog) {
				kept[table] = changelog
			}
			return reflect.DeepEqual(here, changelog) && reflect.DeepEqual(here, kept[table]), difference(here, changelog) + "; before: " + difference(here, kept[table])
		})
	}
}

// alone starts a worker, compares what it has, and stops it.
func (p *trial) alone(who, name string, kept map[string]map[string]any) {
	p.t.Helper()
	p.begin(name).WaitFor("READY")
	p.same(who, name, tables, kept)
	p.stop(p.workers[name])
	delete(p.workers, name)
}

// latest is what a changelog holds: of it, a reader has to know no more than that keys of the table begin with a 'd'.
func (p *trial) latest(table string) map[string]any {
	p.t.Helper()
	out := map[string]any{}
	for _, r := range p.stranger.all(p.id + "-" + table + "-changelog") {
		if len(r.Key) == 0 || r.Key[0] != 'd' {
			continue
		}
		p.put(out, r)
	}
	return out
}

func (p *trial) put(out map[string]any, r *kgo.Record) {
	p.t.Helper()
	key, member, isMember := strings.Cut(string(r.Key[1:]), membership)
	if isMember {
		var m any
		p.must(json.Unmarshal([]byte(member), &m))
		key += membership + fmt.Sprint(m)
	}
	at := place(r.Partition, key)
	if r.Value == nil {
		delete(out, at)
		return
	}
	var v any = true
	if !isMember {
		p.must(json.Unmarshal(r.Value, &v))
	}
	out[at] = v
}

// membership stands between key and member in the changelog of a table of sets, which has no values.
const membership = "\x00\x01"

// scan is what the workers have of a table, asked through one of them.
func (p *trial) scan(name, table string) (map[string]any, error) {
	p.t.Helper()
	cmd := exec.Command(p.program, p.args(name, "scan", table, "--json")...)
	cmd.Dir, cmd.Env = p.dir, append(drive.Environ(), p.env()...)
	var said strings.Builder
	cmd.Stderr = &said
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("scan %s: %w: %s", table, err, said.String())
	}
	out := map[string]any{}
	for line := range strings.Lines(string(text)) {
		var pair struct {
			Partition int32
			Key       string
			Value     any
			Member    any
		}
		if err := json.Unmarshal([]byte(line), &pair); err != nil {
			return nil, fmt.Errorf("scan %s: %s: %w", table, strconv.Quote(line), err)
		}
		if pair.Member != nil {
			pair.Key, pair.Value = pair.Key+membership+fmt.Sprint(pair.Member), true
		}
		out[place(pair.Partition, pair.Key)] = pair.Value
	}
	return out, nil
}

// difference names some keys at which two differ.
func difference(a, b map[string]any) string {
	var texts []string
	for _, m := range []map[string]any{a, b} {
		for key := range m {
			if text := fmt.Sprintf("%s: %v and %v", key, a[key], b[key]); !reflect.DeepEqual(a[key], b[key]) && len(texts) < 3 && !slices.Contains(texts, text) {
				texts = append(texts, text)
			}
		}
	}
	return strings.Join(texts, ", ")
}
