package worker

import (
	"maps"
	"slices"
	"sync"
	"time"

	"faust/runtime/control"
)

// maxFailures is how many groups of errors are kept; the one that was not seen for the longest time makes room.
const maxFailures = 100

// Faults tells what errors of the script say to its author.
type Faults interface {
	// Group gives what equal errors have in common: the place in the script, "" if there is none, and the message.
	Group(err error) (place, message string)
	// Draw gives the whole of it as drawn for the author, and what was noted besides. It may take its time.
	Draw(err error) (text string, fields map[string]any)
}

// plain is the Faults of errors that say all in their text.
type plain struct{}

func (plain) Group(err error) (place, message string)             { return "", err.Error() }
func (plain) Draw(err error) (text string, fields map[string]any) { return err.Error(), nil }

// failures are the errors of a worker, equal ones together.
type failures struct {
	faults Faults

	mu     sync.Mutex
	next   int
	groups map[failureKey]*failure
}

type failureKey struct{ source, place, message string }

// failure is a group and its latest error, which is drawn only for those who ask.
type failure struct {
	control.Failure
	err error
}

func newFailures(f Faults) *failures {
	if f == nil {
		f = plain{}
	}
	return &failures{faults: f, groups: map[failureKey]*failure{}}
}

// add takes note of an error. f has its source, and what it was about.
func (s *failures) add(f control.Failure, err error) {
	f.Place, f.Message = s.faults.Group(err)
	f.Last = time.Now()
	key := failureKey{f.Source, f.Place, f.Message}
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[key]
	if g == nil {
		if len(s.groups) >= maxFailures {
			s.forget()
		}
		s.next++
		g = &failure{Failure: control.Failure{Number: s.next, First: f.Last}}
		s.groups[key] = g
	}
	f.Number, f.Count, f.First = g.Number, g.Count+1, g.First
	g.Failure, g.err = f, err
}

// forget drops the group that was not seen for the longest time; s.mu is held.
func (s *failures) forget() {
	var oldest failureKey
	var at time.Time
	for key, g := range s.groups {
		if at.IsZero() || g.Last.Before(at) {
			oldest, at = key, g.Last
		}
	}
	delete(s.groups, oldest)
}

// list gives the groups, newest first, at most limit; 0: all.
func (s *failures) list(limit int) []control.Failure {
	s.mu.Lock()
	groups := make([]failure, 0, len(s.groups))
	for _, g := range slices.Collect(maps.Values(s.groups)) {
		groups = append(groups, *g)
	}
	s.mu.Unlock()
	slices.SortFunc(groups, func(a, b failure) int {
		if c := b.Last.Compare(a.Last); c != 0 {
			return c
		}
		return b.Number - a.Number
	})
	if limit > 0 && len(groups) > limit {
		groups = groups[:limit]
	}
	out := make([]control.Failure, len(groups))
	for i, g := range groups {
		out[i] = g.Failure
		out[i].Text, out[i].Fields = s.faults.Draw(g.err)
	}
	return out
}
