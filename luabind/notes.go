package luabind

import (
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"faust/luabind/fault"
	"faust/runtime/agent"
	"faust/runtime/topic"
)

// maxShown is how much of a message's key or value an error shows, in bytes.
const maxShown = 200

func itoa(n int) string { return strconv.Itoa(n) }

// explained adds to an error of the agent's function which message it was about.
func (in *body) explained(err error) error {
	var e *fault.Error
	if !in.inHand || !errors.As(err, &e) {
		return err
	}
	ev := in.src.Current()
	if ev == nil {
		return err
	}
	return in.described(err, ev)
}

// described adds to err which message it is about. The result is an *fault.Error.
func (in *body) described(err error, ev *agent.Event) *fault.Error {
	e := faultOf(err)
	notes := messageNotes(ev.Record)
	if n := len(in.batch); n > 1 && in.batch[n-1] == ev {
		notes = append(notes, fault.Note{Label: "batch", Text: "the last of " + itoa(n) + " messages, which fail together"})
	}
	for _, n := range e.Notes {
		if n.Label != "message" && n.Label != "value" {
			notes = append(notes, n)
		}
	}
	e.Notes = notes
	return e
}

// faultOf gives err as an *fault.Error.
func faultOf(err error) *fault.Error {
	var e *fault.Error
	if !errors.As(err, &e) {
		e = &fault.Error{Code: fault.Script, Message: err.Error(), Cause: err}
	}
	return e
}

// messageNotes says where a message is and what is in it.
func messageNotes(r *topic.Record) []fault.Note {
	where := r.In().String() + " @ " + strconv.FormatInt(r.Offset, 10)
	if r.Key != nil {
		where += "   key " + shown(r.Key, true)
	}
	if r.Timestamp > 0 {
		where += "   " + time.UnixMilli(r.Timestamp).UTC().Format(time.RFC3339Nano)
	}
	value := "null (a tombstone)"
	if r.Value != nil {
		value = shown(r.Value, false)
	}
	return []fault.Note{{Label: "message", Text: where}, {Label: "value", Text: value}}
}

// shown writes bytes readably, cut to maxShown; quoted, unless it is plain text and need not be.
func shown(b []byte, quote bool) string {
	text := fault.Cut(string(b[:min(len(b), maxShown+utf8.UTFMax)]), maxShown)
	if quote || !utf8.Valid(b) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }) {
		return strconv.Quote(text)
	}
	return text
}
