package table

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"time"
)

// The ways to tell the time of a message beside a field of it.
const (
	EventTime = "event" // its timestamp
	ClockTime = "now"   // when it is processed
)

// Never is the time before all others, in milliseconds since 1970 as every time here: nothing is known.
const Never = math.MinInt64

// Windows divide the values of a table by time: a message counts in every window that its time falls into. All durations are whole milliseconds.
type Windows struct {
	Time    string // EventTime, ClockTime or the name of a field
	Size    time.Duration
	Step    time.Duration // between the starts of two windows; Size: they do not overlap
	Grace   time.Duration // how long after its end a window still counts what comes late
	Expires time.Duration // how long after its end it can be read, at least Grace
	Idle    time.Duration // after which a source that brings nothing is not waited for
	Told    bool          // somebody is told when a window closes
	Skips   bool          // what fails at that is given up instead of tried again
}

// Window is a span of time, its end not included.
type Window struct{ Start, End int64 }

// String writes the declaration for people: 1m0s, 10s every 5s.
func (w *Windows) String() string {
	if w.Step == w.Size {
		return w.Size.String()
	}
	return w.Size.String() + " every " + w.Step.String()
}

// form tells apart what was written with other windows.
func (w *Windows) form() string {
	return fmt.Sprintf("windows of %d ms every %d ms", w.Size.Milliseconds(), w.Step.Milliseconds())
}

// At is the window that begins at start.
func (w *Windows) At(start int64) Window { return Window{start, start + w.Size.Milliseconds()} }

// Reach is how far after the last message time has to go until everything has closed and expired.
func (w *Windows) Reach() time.Duration { return w.Size + max(w.Expires, w.Grace) }

// First gives the start of the oldest window that a time falls into: the one that has most of what came before.
func (w *Windows) First(at int64) int64 {
	return floor(at-w.Size.Milliseconds(), w.Step.Milliseconds()) + w.Step.Milliseconds()
}

// Starts gives those of all windows that a time falls into, in order. There is none if Step is longer than Size and the time is between two.
func (w *Windows) Starts(at int64) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for start := w.First(at); start <= at && yield(start); start += w.Step.Milliseconds() {
		}
	}
}

// Rows is where the rows of the window begin and end that begins at start.
func Rows(start int64) (from, to string) { return rowsFrom(start), rowsFrom(start + 1) }

// closes is when a window counts nothing any more; expires when it can be forgotten.
func (w *Windows) closes(start int64) int64 { return w.At(start).End + w.Grace.Milliseconds() }
func (w *Windows) expires(start int64) int64 {
	return w.At(start).End + max(w.Expires, w.Grace).Milliseconds()
}

// floor is the last multiple of step that is not above at.
func floor(at, step int64) int64 {
	r := at % step
	if r < 0 {
		r += step
	}
	return at - r
}

// rowHead is how many bytes of a row's key are the window: shorter keys of a shard with windows are no rows.
const rowHead = 8

// Row appends the key under which a shard has what a key has in a window: rows are in the order of the windows.
func Row(to []byte, start int64, key string) []byte {
	return append(binary.BigEndian.AppendUint64(to, uint64(start)^1<<63), key...)
}

// SplitRow takes the key of a row apart; false: it is none.
func SplitRow(row string) (start int64, key string, ok bool) {
	if len(row) < rowHead {
		return 0, "", false
	}
	return int64(binary.BigEndian.Uint64([]byte(row[:rowHead])) ^ 1<<63), row[rowHead:], true
}

// rowsFrom is where the rows of the windows begin that start there or later.
func rowsFrom(start int64) string { return string(Row(nil, start, "")) }
