package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/store"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// TestTableNeverLoses lets workers come and go, die between any two verbs, and be cut off for longer than a session, with stores that are kept, lost or older
// copies of themselves. No record is missing in the totals, and where nobody died or was cut off none counts twice; in the end changelog, shards and what a
// fresh worker recovers are the same.
func TestTableNeverLoses(t *testing.T) { adversaries(t, app.AtLeastOnce) }

// TestTableExactlyOnce is the same under exactly-once: every record counts once in the totals, or is a dead letter once.
func TestTableExactlyOnce(t *testing.T) { adversaries(t, app.ExactlyOnce) }

func adversaries(t *testing.T, guarantee string) {
	games(t, 6, func(t *testing.T, w *world, seed uint64) {
		v := &adversary{t: t, w: w, rng: rand.New(rand.NewPCG(seed, 2)), guarantee: guarantee, moments: Moments()}
		v.copying = max(0, v.int(4)-1) // in half of the games nobody keeps copies
		if guarantee == app.ExactlyOnce {
			v.moments = ExactMoments()
		}
		v.play()
	})
}

// adversary is one game.
type adversary struct {
	t *testing.T
	w *world

	guarantee string
	moments   []Moment

	mu      sync.Mutex
	rng     *rand.Rand
	workers []*victim
	all     []*victim     // that ever were
	stores  []store.Store // of workers that ended
	copies  []store.Store // older ones of them
	copying int           // the app's standby_replicas
	gentle  bool          // nobody will, and no event fails: one that is tried again when its partition goes lets later ones be done twice
}

// victim is a worker and what may happen to it.
type victim struct {
	*running
	wire *wire
	at   Moment        // where it dies or is held up; empty: nowhere
	held time.Duration // how long it is held up there, cut off; 0: it dies
	hurt bool          // it happened
	dead bool
}

const (
	adversaryRecords = 1200
	adversaryKeys    = 10
)

func (v *adversary) int(n int) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.rng.IntN(n)
}

var errDied = errors.New("the worker is dead")

// between is what a worker's commit calls.
func (v *adversary) between(x *victim) func(Moment) error {
	return func(b Moment) error {
		v.mu.Lock()
		if x.dead {
			v.mu.Unlock()
			return errDied
		}
		if x.at != b {
			v.mu.Unlock()
			return nil
		}
		x.at, x.hurt = "", true
		held := x.held
		x.dead = held == 0
		v.mu.Unlock()
		if held == 0 {
			x.wire.cut()
			x.cancel()
			return errDied
		}
		end := x.wire.stall()
		<-time.After(held)
		end()
		return nil
	}
}

// app sends records on by their bucket, and adds them up there; some fail once or for ever.
func (v *adversary) app() (*app.App, []*table.Definition) {
	a := newApp("adversary")
	a.Settings.MaxFailures, a.Settings.StandbyReplicas, a.Settings.ProcessingGuarantee = 1000, v.copying, v.guarantee
	declare(a, 4, "in", "mid")
	a.Topics[1].Passing = true
	totals, last := keeps(a, "totals", "mid"), keeps(a, "last", "mid")
	policy := agent.RetryPolicy{Attempts: 2, Backoff: []time.Duration{10 * time.Millisecond}}
	split := reads(a, "split", "in", each(func(_ context.Context, ev *agent.Event) error {
		ev.Send(topic.Record{Topic: "mid", Partition: topic.Any, Key: []byte(bucket(ev.Value)), Value: append([]byte(nil), ev.Value...)})
		return v.fails(13)
	}))
	split.Policy, split.Concurrency = policy, v.actors()
	one := func(ev *agent.Event) error {
		n, _ := strconv.Atoi(string(ev.Value))
		var err error
		key := fmt.Sprint(string(ev.Key), n%7)
		if n%3 == 0 {
			err = a.Runtime().Shard(last, ev.Partition).Set(key, nil, effects(ev))
		} else {
			err = a.Runtime().Shard(last, ev.Partition).Set(key, &table.Stored{Bytes: append([]byte(nil), ev.Value...)}, effects(ev))
		}
		return errors.Join(err, add(a, totals, ev, string(ev.Key), 1), v.fails(17))
	}
	body := each(func(_ context.Context, ev *agent.Event) error { return one(ev) })
	if v.int(2) == 0 {
		body = batches(one)
	}
	sum := reads(a, "sum", "mid", body)
	sum.Policy, sum.Concurrency = policy, v.actors()
	if !v.paced() {
		return a, []*table.Definition{totals, last}
	}
	mirror := reads(a, "mirror", "mid", each(func(_ context.Context, ev *agent.Event) error { // at a pace of its own
		ev.Send(topic.Record{Topic: "out", Partition: topic.Any, Value: append([]byte(nil), ev.Value...)})
		return v.fails(7)
	}))
	mirror.Policy, mirror.Concurrency = policy, v.actors()
	return a, []*table.Definition{totals, last}
}

// paced tells whether two agents read one topic. Under at-least-once what the faster one did is done again by the next owner of the partition, also when nobody dies.
func (v *adversary) paced() bool { return !v.gentle || v.guarantee == app.ExactlyOnce }

// actors is the concurrency of an agent. With several, an event that is done while an earlier one waits is done again by the next owner of the partition.
func (v *adversary) actors() int {
	if v.gentle {
		return 1
	}
	return 1 + v.int(3)
}

// batches makes a body that takes several events as one.
func batches(f func(ev *agent.Event) error) agent.Body {
	return func(ctx context.Context, s *agent.Stream) error {
		for {
			list, err := s.Take(ctx, 5, 50*time.Millisecond)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			for _, ev := range list {
				if err := f(ev); err != nil {
					return err
				}
			}
		}
	}
}

// fails fails now and then, and takes its time now and then.
func (v *adversary) fails(oneIn int) error {
	switch n := v.int(20 * oneIn); {
	case n < 3 && !v.gentle:
		return errSome
	case n == 3:
		<-time.After(time.Duration(v.int(200)) * time.Millisecond)
	}
	return nil
}

func (v *adversary) begin() {
	v.t.Helper()
	var kept store.Store
	switch n := v.int(4); {
	case n == 0 && len(v.copies) > 0:
		at := v.int(len(v.copies))
		kept = v.copies[at]
		v.copies = append(v.copies[:at], v.copies[at+1:]...)
	case n < 3 && len(v.stores) > 0:
		kept, v.stores = v.stores[0], v.stores[1:]
	default:
		kept = store.NewMemory()
	}
	a, _ := v.app()
	x := &victim{wire: v.w.wire()}
	every := time.Duration(v.int(4)) * time.Second // 0: the usual interval
	v.mu.Lock()
	defer v.mu.Unlock()
	x.running = v.w.start(a, func(c *Config) {
		cfg := v.w.cfg
		cfg.Dial = x.wire.Dial
		c.Store, c.Between, c.CheckpointInterval = kept, v.between(x), every
		c.Broker = func(context.Context) (broker.Config, error) { return cfg, nil }
	})
	v.workers, v.all = append(v.workers, x), append(v.all, x)
}

// over takes the store of a worker that has ended, and a copy of it.
func (v *adversary) over(x *victim) {
	s := x.worker.cfg.Store
	v.stores = append(v.stores, s)
	v.copies = append(v.copies, copied(v.t, s))
}

// copied is a store with the same content.
func copied(t *testing.T, s store.Store) store.Store {
	t.Helper()
	shards, err := s.Shards()
	var b store.Batch
	for _, id := range shards {
		pos, ok, failed := s.Position(id)
		err = errors.Join(err, failed, s.Each(id, nil, func(key, value []byte) error { b.Set(id, key, value); return nil }))
		if ok {
			b.Position(id, pos)
		}
	}
	out := store.NewMemory()
	if err := errors.Join(err, out.Apply(&b)); err != nil {
		t.Fatal(err)
	}
	return out
}

// act does something to a worker.
func (v *adversary) act() {
	v.bury()
	switch n := v.int(6); {
	case len(v.workers) == 0 || len(v.workers) < 3 && n < 2:
		v.begin()
	case n == 2:
		x := v.workers[v.int(len(v.workers))]
		v.remove(x)
		if err := x.stop(); err != nil && !v.gone(x) {
			v.t.Errorf("stop: %v", err)
		}
		v.over(x)
	case v.gentle || n == 3:
	default:
		x := v.workers[v.int(len(v.workers))]
		at := v.moments[v.int(len(v.moments))]
		held := time.Duration(0)
		if v.int(2) == 0 {
			held = time.Duration(3+v.int(25)) * time.Second
		}
		v.mu.Lock()
		x.at, x.held = at, held
		v.mu.Unlock()
	}
}

// gone tells whether somebody ended it, one way or another.
func (v *adversary) gone(x *victim) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return x.hurt
}

// bury removes the dead.
func (v *adversary) bury() {
	for _, x := range append([]*victim(nil), v.workers...) {
		select {
		case <-x.done:
			if !v.gone(x) {
				v.t.Errorf("a worker ended: %v", x.err)
			}
			v.remove(x)
			v.over(x)
		default:
		}
	}
}

func (v *adversary) remove(x *victim) {
	for i := range v.workers {
		if v.workers[i] == x {
			v.workers = append(v.workers[:i], v.workers[i+1:]...)
			return
		}
	}
}

func (v *adversary) play() {
	v.w.ensure("in", 4)
	v.w.ensure("mid", 4)
	v.w.ensure("out", 1)
	v.gentle = v.int(4) == 0
	n := 0
	for range 30 {
		if n < adversaryRecords {
			v.w.produce("in", 4, n, adversaryRecords/20)
			n += adversaryRecords / 20
		}
		<-time.After(time.Duration(v.int(4000)) * time.Millisecond)
		v.act()
	}
	v.bury()
	v.begin()
	v.finish(n)
	<-time.After(time.Minute) // whoever is still held up gets to its end
}

// finish waits until all is processed and looks at what became of it.
func (v *adversary) finish(n int) {
	t := v.t
	t.Helper()
	defer func() {
		if t.Failed() {
			for i, x := range v.all {
				t.Logf("worker %d\n%s", i, x.log.tail(6000))
			}
		}
	}()
	v.mu.Lock()
	for _, x := range v.workers {
		x.at = ""
	}
	v.mu.Unlock()
	owned := [2]map[string]string{}
	eventually(t, "all is committed, and every shard is with one worker", func() bool {
		v.bury()
		before := v.holders()
		if len(before) < 2*4 || v.behind("in") > 0 || v.behind("mid") > 0 {
			return false
		}
		owned = [2]map[string]string{{}, {}}
		for _, x := range v.workers {
			for i, def := range x.worker.cfg.App.Tables {
				maps.Copy(owned[i], values(t, x.running, def))
			}
		}
		return maps.Equal(v.holders(), before) // else they moved meanwhile
	})
	v.alike(owned)
	for _, x := range v.workers {
		if err := x.stop(); err != nil && !v.gone(x) {
			t.Errorf("stop: %v", err)
		}
	}
	v.workers = nil
	a, defs := v.app()
	fresh := v.w.start(a, func(c *Config) { c.Store = store.NewMemory() }).operational()
	eventually(t, "the fresh worker has all", func() bool { return len(fresh.shards(defs[0])) == 4 && len(fresh.shards(defs[1])) == 4 })
	for i, def := range defs {
		recovered := values(t, fresh, def)
		sameText(t, "recovered of "+def.Name, recovered, owned[i])
		sameText(t, "in the changelog of "+def.Name, v.w.latest(def.Changelog.Name), recovered)
	}
	v.count(values(t, fresh, defs[0]), n)
	v.mirrored(n)
	if err := fresh.stop(); err != nil {
		t.Error(err)
	}
}

// holders says for each shard which worker has it, as a member of which generation. Nothing: some have several, or a worker may have lost what it has, and not know.
func (v *adversary) holders() map[string]string {
	held := map[string]string{}
	for _, x := range v.workers {
		run := x.worker.current.Load()
		if run == nil || run.stale() {
			return nil
		}
		for _, def := range x.worker.cfg.App.Tables {
			for _, s := range x.shards(def) {
				name := fmt.Sprint(def.Name, s.Partition())
				if held[name] != "" {
					return nil
				}
				held[name] = fmt.Sprint(run.group.Load().Member())
			}
		}
	}
	return held
}

// count compares totals with what was sent.
func (v *adversary) count(totals map[string]string, n int) {
	dead := map[string]int{} // per bucket
	for _, name := range []string{"adversary-split-dead-letter", "adversary-sum-dead-letter"} {
		for _, r := range v.w.all(name) {
			dead[bucket(r.Value)]++
		}
	}
	got := map[string]int{}
	for key, value := range totals {
		var p int
		var b string
		if _, err := fmt.Sscan(key, &p, &b); err != nil {
			v.t.Fatal(err)
		}
		k, _ := strconv.Atoi(value)
		got[b] += k
	}
	for i := range adversaryKeys {
		b := fmt.Sprint("b", i)
		sent := n / adversaryKeys
		switch all := got[b] + dead[b]; {
		case all < sent:
			v.t.Errorf("%s counts %d and has %d dead letters, %d records were sent", b, got[b], dead[b], sent)
		case v.gentle && all != sent:
			v.t.Errorf("%s counts %d and has %d dead letters of %d records, though nothing went wrong", b, got[b], dead[b], sent)
		case v.guarantee == app.ExactlyOnce && all != sent:
			v.t.Errorf("%s counts %d and has %d dead letters of %d records", b, got[b], dead[b], sent)
		}
	}
}

// mirrored compares what an agent sent on with what was sent.
func (v *adversary) mirrored(n int) {
	if !v.paced() {
		return
	}
	got := map[string]int{}
	for _, name := range []string{"out", "adversary-split-dead-letter", "adversary-mirror-dead-letter"} {
		for _, r := range v.w.all(name) {
			got[string(r.Value)]++
		}
	}
	for i := range n {
		switch k := got[strconv.Itoa(i)]; {
		case k < 1, k > 1 && v.guarantee == app.ExactlyOnce:
			v.t.Errorf("record %d was sent on %d times", i, k)
		}
	}
}

// behind is how many records of a topic are not committed.
func (v *adversary) behind(name string) (n int64) {
	spans, err := v.w.client.Spans(v.t.Context(), name)
	if err != nil {
		v.t.Fatal(err)
	}
	for id, s := range spans {
		at, _ := v.w.committed("adversary", topic.Partition{Topic: name, ID: id})
		n += s.End - max(at, 0)
	}
	return n
}

// latest is what an independent reader finds in a changelog: the last value of each key, by partition and key.
func (w *world) latest(changelog string) map[string]string {
	w.t.Helper()
	out := map[string]string{}
	for _, r := range w.all(changelog) {
		kind, key, err := (&table.Definition{}).Read(r.Key, r.Value)
		name := fmt.Sprint(r.Partition, " ", string(key))
		switch {
		case err != nil:
			w.t.Fatal(err)
		case kind != table.Data:
		case r.Value == nil:
			delete(out, name)
		default:
			out[name] = string(r.Value)
		}
	}
	return out
}

// shards are those that a worker has.
func (r *running) shards(def *table.Definition) []*table.Shard {
	run := r.worker.current.Load()
	if run == nil {
		return nil
	}
	return run.Shards(def)
}

// values is what a worker's shards of a table have, by partition and key.
func values(t *testing.T, r *running, def *table.Definition) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, s := range r.shards(def) {
		page, _, err := s.Page("", 1000, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page {
			out[fmt.Sprint(s.Partition(), " ", p.Key)] = string(p.Value.Append(nil))
		}
	}
	return out
}

func sameText(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for _, key := range []map[string]string{got, want} {
		for k := range key {
			if got[k] != want[k] {
				t.Errorf("%s: %s is %q, want %q", what, k, got[k], want[k])
			}
		}
	}
}
