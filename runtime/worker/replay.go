package worker

import (
	"errors"
	"time"

	"faust/runtime/store"
	"faust/runtime/table"
	"faust/runtime/topic"
)

// shelf is where the store has a shard.
type shelf struct {
	key   shardKey
	state *state
}

// id names the shard in the store.
func (h shelf) id() store.Shard {
	return store.Shard{Table: h.key.table.Name, Partition: h.key.partition}
}

func (h shelf) topicID() [16]byte {
	h.state.mu.RLock()
	defer h.state.mu.RUnlock()
	return h.state.ids[h.key.table.Changelog.Name]
}

// Shards of the store that are none.
const (
	formsTable = "\x00forms"
	partsTable = "\x00parts"
)

// forms is where the store has the forms of tables: a shard that is none.
func (h shelf) forms() store.Shard {
	return store.Shard{Table: formsTable, Partition: h.key.partition}
}

// parts is where the store notes the shards that it never had all of: a shard that is none.
func (h shelf) parts() store.Shard {
	return store.Shard{Table: partsTable, Partition: h.key.partition}
}

// fits is an error if the store has state of another changelog, or else of another form than the table declares.
func (h shelf) fits() error {
	pos, ok, err := h.state.store.Position(h.id())
	switch {
	case err != nil:
		return &StoreError{err}
	case !ok: // nothing is there
		return nil
	case pos.Topic != h.topicID():
		return &changelogError{topic: h.key.table.Changelog.Name, partition: h.key.partition, offset: pos.Offset, err: errRecreated}
	}
	form, ok, err := h.state.store.Get(h.forms(), []byte(h.key.table.Name))
	if err != nil {
		return &StoreError{err}
	}
	if ok {
		if err := h.key.table.Fits(string(form)); err != nil {
			return &changelogError{topic: h.key.table.Changelog.Name, partition: h.key.partition, err: err}
		}
	}
	return nil
}

// begin gives a replay from the offset on from which the changelog has to be read, that of the last checkpoint, unless that is of no use any more: then the shard is
// wiped. The changelog begins at first and ends at end, and what the store has fits.
func (h shelf) begin(first, end int64) (*replay, error) {
	s := h.state
	mirror := s.mirror(h.key)
	if mirror != nil {
		defer mirror.shard.Forget() // others have written to the store since, or nothing is there any more
	}
	pos, ok, err := s.store.Position(h.id())
	if err != nil {
		return nil, &StoreError{err}
	}
	anew := &replay{shelf: h, next: first, writer: -1, asOf: time.Now(), late: map[string]bool{}}
	var fresh store.Batch
	fresh.Set(h.parts(), []byte(h.key.table.Name), nil)
	if !ok { // nor is there anything else of the shard
		return anew, s.apply(&fresh)
	}
	why := ""
	switch {
	case pos.Offset > end:
		why = "it is beyond the end of the changelog"
	case pos.Offset < first:
		why = "the changelog has lost what comes after it"
	case time.Since(pos.Time) > h.maxAge():
		why = "it is too old: deletions may be missing"
	case time.Until(pos.Time) > maxAhead:
		why = "it is of a time to come: the clock was set back, and nobody knows how old it is"
	}
	if why == "" {
		_, part, err := s.store.Get(h.parts(), []byte(h.key.table.Name))
		if err != nil {
			return nil, &StoreError{err}
		}
		return &replay{shelf: h, next: pos.Offset, writer: pos.Fence, asOf: pos.Time, whole: !part, late: map[string]bool{}}, nil
	}
	s.run.log.Warn("table is read anew from its changelog", "table", h.key.table.Name, "partition", h.key.partition, "checkpoint", why)
	if mirror != nil {
		mirror.known.Store(false) // until all is here again
	}
	fresh.Wipe(h.id())
	return anew, s.apply(&fresh)
}

// apply is Apply of the store.
func (s *state) apply(batch *store.Batch) error {
	if err := s.store.Apply(batch); err != nil {
		return &StoreError{err}
	}
	return nil
}

// maxAge is how old a checkpoint may be: half of what the changelog keeps tombstones for. The rest is for reading.
func (h shelf) maxAge() time.Duration {
	h.state.mu.RLock()
	defer h.state.mu.RUnlock()
	return h.state.tombstones[h.key.table.Changelog.Name] / 2
}

// maxAhead is how far in the future a checkpoint may seem to be, by clocks that are mended in small steps.
const maxAhead = 5 * time.Minute

var errRecreated = errors.New("the topic was deleted and created anew since this worker wrote its checkpoint; what the table has here is of the old one. The command reset starts the app from the beginning of its topics; reset --local drops what this data directory has, and goes on with the new changelog")

// replay takes the records of one changelog partition into the store.
type replay struct {
	shelf
	next   int64           // offset after the last record taken
	writer int64           // fence of the latest writer
	asOf   time.Time       // the end was not beyond next then
	whole  bool            // it was at the end at some time, of this worker or an earlier one in its slot: what the store has is all there was then
	late   map[string]bool // keys whose last record came from a writer that had a successor
	hold   int64           // offset of the first record of these
}

// changeSet is a batch of the store, or a load.
type changeSet interface {
	Set(s store.Shard, key, value []byte)
	Delete(s store.Shard, key []byte)
	Position(s store.Shard, p store.Position)
}

// take puts a record among the changes.
func (r *replay) take(rec *topic.Record, to changeSet) error {
	kind, key, err := r.key.table.Read(rec.Key, rec.Value)
	if err != nil {
		return &changelogError{topic: rec.Topic, partition: rec.Partition, offset: rec.Offset, err: err}
	}
	switch {
	case kind != table.Data || r.stray(rec, key):
	case rec.Value == nil:
		to.Delete(r.id(), key)
	default:
		to.Set(r.id(), key, rec.Value)
	}
	r.next = rec.Offset + 1
	return nil
}

// stray tells whether a record is of a writer that had a successor by then: it was cut off, and did not know.
func (r *replay) stray(rec *topic.Record, key []byte) bool {
	if writer := table.WrittenAfter(rec.Headers); writer < 0 || writer >= r.writer {
		r.writer = max(r.writer, writer)
		delete(r.late, string(key))
		return false
	}
	if len(r.late) == 0 {
		r.hold = rec.Offset
	}
	r.late[string(key)] = true
	return true
}

// complete notes, in a batch that comes with all of it or later, that the store has all that there was.
func (r *replay) complete(batch *store.Batch) {
	if !r.whole {
		r.whole = true
		batch.Delete(r.parts(), []byte(r.key.table.Name))
	}
}

// position puts how far the shard is among the changes.
func (r *replay) position(to changeSet) {
	at := r.next
	if len(r.late) > 0 {
		at = r.hold // what comes then has to be seen again
	}
	to.Position(r.id(), store.Position{Topic: r.topicID(), Offset: at, Fence: r.writer, Time: r.asOf})
}
