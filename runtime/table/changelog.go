package table

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"faust/runtime/topic"
)

// Kind says what a record of a changelog is, by the first byte of its key.
type Kind byte

// The kinds of records.
const (
	Data     Kind = 'd' // the rest of the key is the table's key; the value its value, or a tombstone
	Windowed Kind = 'w' // the same in a table with windows: the rest is the window's start, in eight bytes, and the table's key
	Meta     Kind = 'm' // about the changelog: its format, and how far time is in a table with windows
	Fence    Kind = 'f' // of a recovery: all that was written before it is read when it is
)

// format is what the data in changelogs looks like; others are refused.
const format = 1

// ChangelogKey is the key of a changelog record.
func ChangelogKey(kind Kind, key []byte) []byte {
	return append(append(make([]byte, 0, 1+len(key)), byte(kind)), key...)
}

// timeKey is the key under which a shard with windows has how far time is: shorter than a row's.
const timeKey = "time"

// RecordKey is the key of the changelog record of what a shard has under a key.
func (d *Definition) RecordKey(key []byte) []byte {
	switch {
	case d.Windows == nil:
		return ChangelogKey(Data, key)
	case len(key) < rowHead:
		return ChangelogKey(Meta, key)
	}
	return ChangelogKey(Windowed, key)
}

// FormatRecord is the record that names the format of a changelog and the form of its keys and values.
func (d *Definition) FormatRecord() (key, value []byte) {
	return ChangelogKey(Meta, []byte("format")), []byte(strconv.Itoa(format) + " " + d.Written())
}

// ErrForeign is the error of a record that no changelog has.
var ErrForeign = errors.New("it is no changelog: somebody else writes to this topic")

// Written says what is written how, as the state of a shard is marked with it.
func (d *Definition) Written() string {
	if d.Windows == nil {
		return d.Form
	}
	return d.Form + " in " + d.Windows.form()
}

// Read takes a record of the table's changelog apart: of kind Data is all that a shard has, under the rest of the key. Its error says why the changelog cannot be
// used.
func (d *Definition) Read(key, value []byte) (kind Kind, rest []byte, err error) {
	if len(key) == 0 {
		return 0, nil, ErrForeign
	}
	kind, rest = Kind(key[0]), key[1:]
	switch kind {
	case Data, Fence:
		return kind, rest, nil
	case Windowed:
		return Data, rest, nil
	case Meta:
		if string(rest) == timeKey && d.Windows != nil {
			return Data, rest, nil
		}
		if string(rest) != "format" {
			return kind, rest, nil // of a later version that says no more than we need
		}
		number, form, _ := strings.Cut(string(value), " ")
		if n, err := strconv.Atoi(number); err != nil || n != format {
			return 0, nil, fmt.Errorf("its format is %q, this version reads %d", number, format)
		}
		return kind, rest, d.Fits(form)
	}
	return 0, nil, ErrForeign
}

// Fits is an error if state of that form is not what the table declares.
func (d *Definition) Fits(form string) error {
	if form == d.Written() || form == "" {
		return nil
	}
	return fmt.Errorf("what is there has %s, and the script declares %s: give the table another name, or start clean with the app's next version", form, d.Written())
}

// headerFence of a data record names the fence of its writer's recovery, by its offset. A writer that was cut off, and whose records arrive when a later one has
// written, is known by it: such a record does not count.
const headerFence = "f"

// Writer is the headers of what the worker writes that recovered up to a fence.
func Writer(fence int64) []topic.Header {
	return []topic.Header{{Key: headerFence, Value: strconv.AppendInt(nil, fence, 10)}}
}

// WrittenAfter gives the fence of a record's writer; -1: it does not say.
func WrittenAfter(headers []topic.Header) int64 {
	for _, h := range headers {
		if h.Key == headerFence {
			if n, err := strconv.ParseInt(string(h.Value), 10, 64); err == nil {
				return n
			}
		}
	}
	return -1
}
