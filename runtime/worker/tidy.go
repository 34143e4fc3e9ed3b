package worker

import (
	"strings"
	"time"

	"faust/runtime/store"
)

const (
	tidyEvery = time.Hour
	leftFor   = 24 * time.Hour // after which what the store has of a table that nobody writes any more is deleted
)

// tidy deletes what the store has of shards that are not here, neither as this worker's own nor as copies, and that would be read anew if they came back: it is too old. Whoever
// begins to write to such a shard meanwhile waits for that.
func (s *state) tidy() error {
	shards, err := s.store.Shards()
	if err != nil {
		return &StoreError{err}
	}
	for _, id := range shards {
		if strings.HasPrefix(id.Table, "\x00") { // it is of the worker's own
			continue
		}
		pos, ok, err := s.store.Position(id)
		if err != nil {
			return &StoreError{err}
		}
		if ok && time.Since(pos.Time) > s.useful(id) {
			if err := s.discard(id); err != nil {
				return err
			}
		}
	}
	return nil
}

// useful is for how long a shard is worth keeping that nobody brings up to date.
func (s *state) useful(id store.Shard) time.Duration {
	for _, t := range s.run.app.Tables {
		if age := (shelf{shardKey{t, id.Partition}, s}).maxAge(); t.Name == id.Table && age > 0 {
			return age
		}
	}
	return leftFor
}

// discard deletes a shard unless it is here.
func (s *state) discard(id store.Shard) error {
	done := make(chan struct{})
	defer close(done)
	if !s.vacant(id, done) {
		return nil
	}
	s.run.log.Info("what is here of a table is deleted, this worker has not had the partition for long", "table", id.Table, "partition", id.Partition)
	var batch store.Batch
	batch.Wipe(id)
	for _, of := range []string{formsTable, partsTable} {
		batch.Delete(store.Shard{Table: of, Partition: id.Partition}, []byte(id.Table))
	}
	return s.apply(&batch)
}

// vacant tells whether nobody writes to a shard; then nobody does before done is closed.
func (s *state) vacant(id store.Shard, done chan struct{}) bool {
	s.standby.mu.Lock()
	defer s.standby.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.run.app.Tables {
		if t.Name != id.Table {
			continue
		}
		key := shardKey{t, id.Partition}
		if t.Global || s.hands[key] != nil || s.standby.tails[key] != nil {
			return false
		}
		if before := s.past[key]; before != nil {
			select {
			case <-before:
			default: // a recovery is about to end
				return false
			}
		}
		s.past[key] = done
	}
	return true
}
