package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/control"
	"faust/runtime/store"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// divides gives a table windows that agents go by, as luabind does.
func divides(a *app.App, t *table.Definition, w *table.Windows, agents ...*agent.Definition) {
	t.Windows = w
	for _, d := range agents {
		t.Agents = append(t.Agents, d.Name)
		if w.Time != table.ClockTime {
			d.Timings = append(d.Timings, agent.Timing{Name: w.Time, Idle: w.Idle, Reach: w.Reach()})
		}
	}
}

// passes makes an agent one that sends on to a topic, with how far time is.
func passes(a *app.App, d *agent.Definition, to string, w *table.Windows) {
	d.Onward = to
	d.Timings = append(d.Timings, agent.Timing{Name: w.Time, Idle: w.Idle, Reach: w.Reach()})
	for _, t := range a.Topics {
		if t.Name == to {
			t.Passing = true
		}
	}
}

// counting counts messages by key and window, and sends what closes to a topic.
type counting struct {
	app   *app.App
	table *table.Definition
	to    string

	mu    sync.Mutex
	late  map[string]int // by partition, key and window
	fails func(k *table.Closing) error
	sends func(k *table.Closing, value []byte) []byte // in the place of the value
}

func rowName(partition int32, key string, w table.Window) string {
	return fmt.Sprintf("%d %s %d", partition, key, w.Start)
}

// all waits until as many windows have closed as are wanted, and compares what they had; no message was late.
func (c *counting) all(w *world, want map[string]int) {
	w.t.Helper()
	values, _ := w.closed(len(want))
	same(w.t, "values", values, want)
	if len(c.late) > 0 {
		w.t.Error(c.late)
	}
}

// event is what the body does with an event.
func (c *counting) event(ev *agent.Event) error {
	if ev.Chore() != nil {
		k := ev.Chore().(interface{ Told() *table.Closing }).Told()
		if c.fails != nil {
			if err := c.fails(k); err != nil {
				return err
			}
		}
		value := k.Value.Append(nil)
		if c.sends != nil {
			value = c.sends(k, value)
		}
		ev.Send(topic.Record{Topic: c.to, Partition: 0, Key: []byte(rowName(ev.Partition, k.Key, k.Window)), Value: value})
		return nil
	}
	shard := c.app.Runtime().Shard(c.table, ev.Partition)
	at := ev.Timestamp
	if c.table.Windows.Time == table.ClockTime {
		at = max(time.Now().UnixMilli(), shard.Now())
	}
	for start := range c.table.Windows.Starts(at) {
		err := table.ErrClosed
		if !shard.Late(start) {
			err = shard.Update(string(table.Row(nil, start, string(ev.Key))), effects(ev), func(v table.Value) (table.Value, bool) {
				n := 0
				if v != nil {
					n, _ = strconv.Atoi(string(v.Append(nil)))
				}
				return &table.Stored{Bytes: strconv.AppendInt(nil, int64(n+1), 10)}, true
			})
		}
		if errors.Is(err, table.ErrClosed) {
			c.mu.Lock()
			c.late[rowName(ev.Partition, string(ev.Key), c.table.Windows.At(start))]++
			c.mu.Unlock()
		} else if err != nil {
			return err
		}
	}
	return nil
}

// counts declares an app that counts what is in a topic.
func counts(w *table.Windows, id, from string) (*counting, *agent.Definition) {
	a := newApp(id)
	declare(a, 4, from)
	declare(a, 1, "closed")
	c := &counting{app: a, table: keeps(a, "counts", from), to: "closed", late: map[string]int{}}
	d := reads(a, "count", from, each(func(_ context.Context, ev *agent.Event) error { return c.event(ev) }))
	divides(a, c.table, w, d)
	return c, d
}

// message is a message of a test.
type message struct {
	partition int32
	key       string
	at        int64
}

// post stores messages in order.
func (w *world) post(name string, list ...message) {
	w.t.Helper()
	for _, m := range list {
		w.client.Produce(w.t.Context(), &topic.Record{Topic: name, Partition: m.partition, Key: []byte(m.key), Value: []byte("x"), Timestamp: m.at}, func(_ topic.Record, err error) {
			if err != nil {
				w.t.Errorf("produce: %v", err)
			}
		})
	}
	if err := w.client.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// closings reads what was told of: how often, and with which value last.
func (w *world) closings() (values, times map[string]int) {
	w.t.Helper()
	values, times = map[string]int{}, map[string]int{}
	for _, r := range w.all("closed") {
		v, err := strconv.Atoi(string(r.Value))
		if err != nil {
			w.t.Fatal(err)
		}
		values[string(r.Key)] = v
		times[string(r.Key)]++
	}
	return values, times
}

// closed waits until all windows have closed, and what follows from that is done.
func (w *world) closed(n int) (values, times map[string]int) {
	w.t.Helper()
	w.changes("closed", func() bool {
		values, times = w.closings()
		return len(values) >= n
	})
	<-time.After(5 * time.Second)
	return w.closings()
}

// brute counts messages without any window that was closed too early, and late ones by the times of those before them in their partition.
func brute(spec *table.Windows, list []message) (values, late map[string]int) {
	values, late = map[string]int{}, map[string]int{}
	now := map[int32]int64{}
	for _, m := range list {
		at, known := now[m.partition]
		for start := range spec.Starts(m.at) {
			name := rowName(m.partition, m.key, spec.At(start))
			if known && start+spec.Size.Milliseconds()+spec.Grace.Milliseconds() <= at {
				late[name]++
			} else {
				values[name]++
			}
		}
		now[m.partition] = max(at, m.at)
		if !known {
			now[m.partition] = m.at
		}
	}
	return values, late
}

// drawWindows draws a declaration, in which nobody is idle.
func drawWindows(rng *rand.Rand) *table.Windows {
	step := time.Duration(1+rng.IntN(5)) * time.Second
	return &table.Windows{
		Time: table.EventTime, Size: step * time.Duration(1+rng.IntN(4)), Step: step, Grace: time.Duration(rng.IntN(4)) * time.Second,
		Expires: time.Duration(rng.IntN(20)) * time.Second, Idle: 1000 * time.Hour, Told: true,
	}
}

// TestWindowsAgainstModel counts messages in disorder by windows, while workers are stopped and started or die, and compares with counting by hand: which message was late,
// what every window had when it closed, and that nothing is left.
func TestWindowsAgainstModel(t *testing.T) {
	games(t, 12, func(t *testing.T, w *world, seed uint64) {
		g := windowGame{exact: seed%2 == 1, crashes: seed%4 >= 2}
		g.play(t, w, rand.New(rand.NewPCG(seed, 7)))
	})
}

// windowGame says what may happen.
type windowGame struct{ exact, crashes bool }

func (g windowGame) play(t *testing.T, w *world, rng *rand.Rand) {
	w.ensure("in", 4)
	w.ensure("closed", 1)
	spec := drawWindows(rng)
	t.Logf("%s, grace %s, expires %s, exactly once %v, crashes %v", spec, spec.Grace, spec.Expires, g.exact, g.crashes)
	kept := store.NewMemory()
	defer kept.Close()
	start := time.Now().Add(-time.Hour).UnixMilli()
	var all []message
	late := map[string]int{}
	for round := range 3 {
		if rng.IntN(3) == 0 {
			kept = store.NewMemory()
			defer kept.Close()
		}
		c, d := counts(spec, "windows", "in")
		c.late = late
		d.Concurrency = 1
		if g.exact {
			c.app.Settings.ProcessingGuarantee = app.ExactlyOnce
		}
		r := w.start(c.app, func(cfg *Config) { cfg.Store = kept }).operational()
		defer r.stop()
		var list []message
		for range 100 + rng.IntN(200) {
			list = append(list, message{int32(rng.IntN(4)), string(rune('a' + rng.IntN(5))), start + int64(len(all)+len(list))*50 - int64(rng.IntN(8000))})
		}
		if round == 2 { // everything closes
			for p := range int32(4) {
				list = append(list, message{p, "end", start + 1000*3600})
			}
		}
		all = append(all, list...)
		w.post("in", list...)
		switch {
		case round == 2:
			w.settled("windows", int64(len(all)))
			g.check(t, w, r, c, all, late)
		case g.crashes:
			<-time.After(time.Duration(rng.IntN(3000)) * time.Millisecond)
			r.crash()
			continue
		default:
			w.settled("windows", int64(len(all)))
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	}
}

func (g windowGame) check(t *testing.T, w *world, r *running, c *counting, all []message, late map[string]int) {
	spec := c.table.Windows
	values, tooLate := brute(spec, all)
	maps.DeleteFunc(values, func(name string, _ int) bool { return strings.Contains(name, " end ") })
	got, times := w.closed(len(values))
	eventually(t, "nothing is left", func() bool {
		rows := heldRows(t, r, c.table)
		return slices.Equal(rows, []string{"0 end", "1 end", "2 end", "3 end"}) // of the last message of each partition, which are open
	})
	if !g.crashes {
		same(t, "late", late, tooLate)
	}
	if !g.crashes || g.exact {
		same(t, "values", got, values)
		for name, n := range times {
			if n != 1 {
				t.Errorf("%s closed %d times", name, n)
			}
		}
	}
	for name, n := range values {
		if got[name] < n {
			t.Errorf("%s is %d, want %d at least", name, got[name], n)
		}
	}
	eventually(t, "nothing is left in the changelog", func() bool {
		return len(w.changelogRows("windows-counts-changelog", c.table)) == 4*int(spec.Size/spec.Step)
	})
}

// heldRows are the rows of a worker's shards.
func heldRows(t *testing.T, r *running, def *table.Definition) (list []string) {
	t.Helper()
	for _, s := range r.worker.current.Load().Shards(def) {
		page, _, err := s.Page("", 10000, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page {
			_, key, _ := table.SplitRow(p.Key)
			list = append(list, fmt.Sprint(s.Partition(), " ", key))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// changelogRows reads which rows a reader of the changelog sees.
func (w *world) changelogRows(changelog string, def *table.Definition) map[string]bool {
	w.t.Helper()
	out := map[string]bool{}
	for _, r := range w.all(changelog) {
		kind, key, err := def.Read(r.Key, r.Value)
		if err != nil {
			w.t.Fatal(err)
		}
		if _, _, row := table.SplitRow(string(key)); kind != table.Data || !row {
			continue
		}
		if name := fmt.Sprint(r.Partition, " ", string(key)); r.Value == nil {
			delete(out, name)
		} else {
			out[name] = true
		}
	}
	return out
}

// Whoever goes through the keys of a window part by part goes on in it although time went on meanwhile: no key comes twice, none is left out.
func TestSlicesOfAWindowThatIsOver(t *testing.T) {
	t.Parallel()
	kept := store.NewMemory()
	defer kept.Close()
	d := &table.Definition{Name: "t", Windows: &table.Windows{Time: table.EventTime, Size: time.Minute, Step: 30 * time.Second, Expires: time.Hour}}
	shard := table.NewShard(table.ShardConfig{Table: d, Store: view{kept, store.Shard{Table: "t"}}})
	clock := table.NewClock("c", 1)
	shard.Join(clock)
	var by table.Effects
	for _, start := range []int64{-30_000, 0, 30_000} {
		for _, key := range []string{"a", "b", "c"} {
			if err := shard.Set(string(table.Row(nil, start, key)), &table.Stored{Bytes: strconv.AppendInt(nil, start, 10)}, &by); err != nil {
				t.Fatal(err)
			}
		}
	}
	by.Settle()
	clock.Note(0, 35_000) // the oldest window of this moment begins at 0
	var got []string
	for what := (control.Slicing{Limit: 1, Now: true}); ; clock.Note(0, 65_000) {
		part, err := slice(shard, what)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range part.Pairs {
			_, key, _ := table.SplitRow(string(p.Key))
			got = append(got, key+"="+string(p.Value))
		}
		if what.From = part.Next; part.Next == nil {
			break
		}
	}
	if want := "[a=0 b=0 c=0]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
