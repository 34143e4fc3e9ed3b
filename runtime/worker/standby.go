package worker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"faust/runtime/broker"
	"faust/runtime/store"
	"faust/runtime/table"
)

const (
	globalApply      = 50 * time.Millisecond // the same for what is read here
	standbyApply     = time.Second           // between two batches of the store, if they do not get large before
	standbyBatch     = 4 << 20               // bytes of changes that are large
	standbyWarm      = 10 * time.Second      // a copy that was at the end of its changelog so lately is as good as the shard
	standbyHeartbeat = 250 * time.Millisecond
	standbyAudit     = time.Minute // between two looks at changelogs from which nothing comes
)

// standby keeps copies of shards that other workers have: it takes their changelogs into the store all the time.
type standby struct {
	state    *state
	follower *broker.Follower // nil until something is to be followed

	cancel context.CancelFunc // of run; nil: it does not run
	done   chan struct{}      // closed when it has ended

	mu      sync.Mutex // held while the store takes a batch
	over    bool       // no copy begins any more
	tails   map[shardKey]*tail
	warming []*tail           // to become this worker's own once they are warm
	told    map[shardKey]bool // of these the ones that the group was told to be warm
	batch   store.Batch
	applied time.Time
	faults  map[string]time.Time // that were logged lately
}

func newStandby(s *state) *standby {
	return &standby{state: s, tails: map[shardKey]*tail{}, faults: map[string]time.Time{}, told: map[shardKey]bool{}}
}

// replicas is of how many other workers each table is to have a copy.
func (s *state) replicas() int {
	if !s.used() {
		return 0
	}
	return s.run.set.StandbyReplicas
}

// open begins to keep copies, none for now, if the app wants any.
func (c *standby) open(cfg broker.Config) (err error) {
	if c.state.replicas() == 0 && !c.state.globals() {
		return nil
	}
	c.state.openMirrors()
	cfg.Metrics = nil
	if c.follower, err = broker.NewFollower(cfg); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(c.state.run.work)
	c.cancel, c.done = cancel, make(chan struct{})
	c.state.run.inner.Go(func() { c.run(ctx) })
	c.keep(c.state.everywhere(), nil)
	return nil
}

// wait ends all copies.
func (c *standby) wait() {
	if c.cancel != nil {
		c.cancel()
		<-c.done
	}
}

// follow makes the copies be those that the group's leader said. It is called on the group's goroutine after every assignment.
func (c *standby) follow() {
	group := c.state.run.group.Load()
	if c.follower == nil || group == nil {
		return
	}
	all, warming := group.Standbys()
	keys := c.state.everywhere()
	for _, key := range c.state.keys(all) {
		if !key.table.Global {
			keys = append(keys, key)
		}
	}
	c.keep(keys, c.state.keys(warming))
}

// keys are the shards of tables that this worker has declared, those left out that it has itself.
func (s *state) keys(list []broker.Shard) (keys []shardKey) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, shard := range list {
		for t, n := range s.counts {
			if key := (shardKey{t, shard.Partition}); t.Name == shard.Table && shard.Partition < n && s.hands[key] == nil {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// holds tells whether a shard is this worker's own.
func (s *state) holds(key shardKey) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.hands[key] != nil
}

// keep ends the copies that are not wanted any more, and begins those that are new.
func (c *standby) keep(keys, warming []shardKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	for key, t := range c.tails {
		if !slices.Contains(keys, key) && !c.state.holds(key) { // else its recovery ends it
			c.drop(t)
		}
	}
	fresh := map[*table.Definition][]*tail{}
	for _, key := range keys {
		if c.tails[key] == nil {
			t := &tail{shelf: shelf{key, c.state}, standby: c, mirror: c.state.mirror(key)}
			c.tails[key] = t
			fresh[key.table] = append(fresh[key.table], t)
		}
	}
	c.warming = nil
	told := map[shardKey]bool{}
	for _, key := range warming {
		if t := c.tails[key]; t != nil {
			c.warming, told[key] = append(c.warming, t), c.told[key]
		}
	}
	c.told = told
	for _, list := range fresh {
		c.state.run.inner.Go(func() { c.begin(list) })
	}
}

// end ends the copy of a shard, which this worker is about to have: the store has all of it that was read. If the shard went before, a copy is a new one, and stays.
func (c *standby) end(h *holding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.tails[h.key]; t != nil && h.ctx.Err() == nil {
		h.whole.Store(t.replay != nil && t.replay.whole)
		c.drop(t)
	}
}

// drop is end with c.mu held.
func (c *standby) drop(t *tail) {
	c.apply()
	t.over = true
	delete(c.tails, t.key)
	c.warming = slices.DeleteFunc(c.warming, func(w *tail) bool { return w == t })
	c.follower.Remove(t.partition(), t)
}

// begin lets copies of one table go on where the store has them, once nobody else writes there.
func (c *standby) begin(list []*tail) {
	ctx := c.state.run.work
	for _, t := range list {
		c.state.mu.RLock()
		past := c.state.past[t.key]
		c.state.mu.RUnlock()
		if past != nil {
			<-past // it was cancelled
		}
	}
	for ctx.Err() == nil {
		err := c.start(ctx, list)
		if err == nil {
			return
		}
		c.mu.Lock()
		c.complain("copies of a table are not kept up to date, it is tried again", list[0], err)
		c.mu.Unlock()
		select {
		case <-time.After(recoveryPause):
		case <-ctx.Done():
		}
	}
}

// start begins to follow the changelogs of copies of one table.
func (c *standby) start(ctx context.Context, list []*tail) error {
	client, err := c.state.run.link.connect(ctx)
	if err != nil {
		return err
	}
	name := list[0].key.table.Changelog.Name
	id, err := client.TopicID(ctx, name)
	if err != nil {
		return err
	}
	spans, err := client.Spans(ctx, name)
	if err != nil {
		return err
	}
	at := time.Now()
	if err := c.load(list, id, spans); err != nil {
		return err
	}
	global := list[0].mirror != nil
	if global {
		err = c.readUp(ctx, client, list)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range list {
		switch {
		case t.over || t.replay == nil:
		case err != nil:
			c.apply()
			t.replay = nil
		default:
			if global { // and there may be less to read than offsets
				t.replay.next = max(t.replay.next, t.end)
			}
			t.moved = true
			t.caughtUp(at)
			c.follower.Add(t.partition(), t.replay.next, t)
		}
	}
	if global && err == nil {
		c.apply()
		for _, t := range list {
			if !t.over { // else a recovery reads on, and says when it has all
				c.state.learn(t.key)
			}
		}
	}
	var bad *changelogError
	if errors.As(err, &bad) {
		list[0].refuse(err)
		return nil
	}
	return err
}

// load looks where the store has copies of a table.
func (c *standby) load(list []*tail, id [16]byte, spans map[int32]broker.Span) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range list {
		if t.over || t.replay != nil || t.refused {
			continue
		}
		err := t.fits()
		if err == nil && id != t.topicID() {
			err = &changelogError{topic: t.key.table.Changelog.Name, partition: t.key.partition, err: errRecreated}
		}
		span := spans[t.key.partition]
		if err == nil {
			t.end = span.End
			t.replay, err = t.begin(span.First, span.End)
		}
		var bad *changelogError
		switch {
		case errors.As(err, &bad):
			t.refuse(err)
		case err != nil:
			c.state.run.halt(err)
			return err
		}
	}
	return nil
}

// apply puts what was read into the store; c.mu is held.
func (c *standby) apply() {
	for _, t := range c.tails {
		if t.replay != nil && t.moved {
			t.replay.position(&c.batch)
			t.moved = false
		}
	}
	c.applied = time.Now()
	if err := c.state.store.Apply(&c.batch); err != nil {
		c.state.run.halt(&StoreError{err})
	}
	c.batch.Reset()
	for _, t := range c.tails {
		t.tell()
	}
}

// run keeps the copies up to date until ctx ends.
func (c *standby) run(ctx context.Context) {
	defer c.close()
	audited, every := time.Now(), standbyApply
	if c.state.globals() {
		every = globalApply
	}
	for ctx.Err() == nil {
		wait, cancel := context.WithTimeout(ctx, every)
		err := c.follower.Each(wait)
		cancel()
		if err != nil && ctx.Err() == nil {
			c.mu.Lock()
			if c.complains(err.Error()) {
				c.state.run.log.Warn("copies of tables are not kept up to date, it is tried again", "err", err)
			}
			c.mu.Unlock()
			select {
			case <-time.After(recoveryPause):
			case <-ctx.Done():
			}
		}
		c.mu.Lock()
		if time.Since(c.applied) >= standbyApply || c.news() {
			c.apply()
		}
		warm := c.warmed()
		c.mu.Unlock()
		if group := c.state.run.group.Load(); warm && group != nil {
			c.state.run.log.Info("copies of tables are up to date, their partitions can move here")
			group.Rejoin()
		}
		if time.Since(audited) >= standbyAudit {
			audited = time.Now()
			c.audit(ctx)
		}
	}
}

// news tells whether somebody who reads a copy would see something new; c.mu is held.
func (c *standby) news() bool {
	if time.Since(c.applied) < globalApply {
		return false
	}
	for _, t := range c.tails {
		if len(t.touched) > 0 {
			return true
		}
	}
	return false
}

// warmed tells whether the group is to assign anew: all copies that are to become this worker's own are warm, and it was not told so of all. c.mu is held.
func (c *standby) warmed() (news bool) {
	for _, t := range c.warming {
		switch {
		case t.refused:
		case !t.warm():
			return false
		default:
			news = news || !c.told[t.key]
		}
	}
	if news {
		for _, t := range c.warming {
			c.told[t.key] = true
		}
	}
	return news
}

// audit looks at changelogs from which nothing came: whether there is really nothing more, or they are not what they were.
func (c *standby) audit(ctx context.Context) {
	lists := map[*table.Definition][]*tail{}
	c.mu.Lock()
	for key, t := range c.tails {
		if t.replay != nil && time.Since(t.replay.asOf) > standbyAudit/2 {
			lists[key.table] = append(lists[key.table], t)
		}
	}
	c.mu.Unlock()
	client := c.state.run.link.client.Load()
	for def, list := range lists {
		if client == nil || ctx.Err() != nil {
			return
		}
		at := time.Now()
		id, err := client.TopicID(ctx, def.Changelog.Name)
		if err != nil {
			continue // reading fails too, and says so
		}
		spans, err := client.Spans(ctx, def.Changelog.Name)
		if err != nil {
			continue
		}
		c.mu.Lock()
		for _, t := range list {
			span := spans[t.key.partition]
			switch {
			case t.over || t.replay == nil:
			case id != t.topicID():
				t.refuse(&changelogError{topic: def.Changelog.Name, partition: t.key.partition, offset: t.replay.next, err: errRecreated})
			case span.End < t.replay.next || span.First > t.replay.next:
				t.fail(errors.New("the changelog has lost records"))
			case span.End == t.replay.next:
				t.end, t.moved = span.End, true
				t.caughtUp(at)
			}
		}
		c.mu.Unlock()
	}
}

// close ends all copies.
func (c *standby) close() {
	c.mu.Lock()
	c.over = true
	for _, t := range c.tails {
		c.drop(t)
	}
	c.mu.Unlock()
	c.follower.Close()
	close(c.done)
}

// complain logs a fault of a copy, the same one not too often; c.mu is held.
func (c *standby) complain(text string, t *tail, err error) {
	if c.complains(t.key.table.Name + ": " + err.Error()) {
		c.state.run.log.Warn(text, "table", t.key.table.Name, "partition", t.key.partition, "err", err)
	}
}

// complains tells whether it is time to tell of a fault, once more or for the first time; c.mu is held.
func (c *standby) complains(fault string) bool {
	if time.Since(c.faults[fault]) < standbyAudit {
		return false
	}
	c.faults[fault] = time.Now()
	return true
}

// copy is app.Runtime's Copy: what the store has of a shard that is not here, or that recovers.
func (s *state) copy(t *table.Definition, partition int32) *table.Shard {
	key := shardKey{t, partition}
	s.mu.RLock()
	h := s.hands[key]
	s.mu.RUnlock()
	c := s.standby
	c.mu.Lock()
	whole := c.tails[key] != nil && c.tails[key].replay != nil && c.tails[key].replay.whole
	c.mu.Unlock()
	if !whole && (h == nil || !h.whole.Load()) {
		return nil
	}
	shard := table.NewShard(table.ShardConfig{Table: t, Partition: partition, Store: view{s.store, shelf{key, s}.id()}})
	if err := shard.Restore(); err != nil {
		s.run.log.Warn("copy of a table not read", "table", t.Name, "partition", partition, "err", err)
		return nil
	}
	return shard
}

// copyHomes is app.Runtime's CopyHomes.
func (s *state) copyHomes(t *table.Definition, partition int32) []string {
	group := s.run.group.Load()
	if group == nil {
		return nil
	}
	urls := group.ShardCopies(broker.Shard{Table: t.Name, Partition: partition})
	return slices.DeleteFunc(urls, func(url string) bool { return url == s.run.url })
}

// copies is what the group is told of the copies; true: it is warm.
func (c *standby) copies() map[broker.Shard]bool {
	if c.state.replicas() == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[broker.Shard]bool{}
	for key, t := range c.tails {
		out[broker.Shard{Table: key.table.Name, Partition: key.partition}] = t.warm()
	}
	return out
}
