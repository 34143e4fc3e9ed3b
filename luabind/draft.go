package luabind

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/runtime/agent"
	"faust/runtime/topic"
)

// Draft is a message as a person writes it.
type Draft struct {
	Key       *string // nil: none
	Value     *string // nil: a tombstone
	Headers   []topic.Header
	Timestamp int64 // milliseconds since 1970; 0: now
	Partition int32 // topic.Any: by key
}

// Lines says what the lines of a file of messages are.
type Lines int

// The kinds of lines.
const (
	EitherLine  Lines = iota // a value, or a whole message as Script.JSON writes it
	ValueLine                // a value
	MessageLine              // a whole message: an object with value and, if wanted, key, headers, timestamp and partition
)

// Encode makes the record of a draft, checked as topic:send checks it. The error is a *fault.Error; the file of its Place is VALUE or KEY.
func (s *Script) Encode(ctx context.Context, t *Target, d Draft) (topic.Record, error) {
	var r topic.Record
	err := s.VM.Run(ctx, "writing to "+t.Name, false, func(L *lua.LState) (err error) {
		r, err = s.b.encode(L, t, d)
		return err
	})
	return r, err
}

// Question makes the record that asks an agent, which Target found by @agent.
func (s *Script) Question(ctx context.Context, t *Target, d Draft) (topic.Record, error) {
	r, err := s.Encode(ctx, t, d)
	r.Headers = append(r.Headers, topic.Header{Key: agent.HeaderAgent, Value: []byte(t.Agent)})
	return r, err
}

// EncodeLine makes the record of one line of a file. d has what the line does not say. The Place of the error has columns of the line, and no file.
func (s *Script) EncodeLine(ctx context.Context, t *Target, line string, kind Lines, d Draft) (topic.Record, error) {
	var r topic.Record
	err := s.VM.Run(ctx, "writing to "+t.Name, false, func(L *lua.LState) (err error) {
		r, err = s.b.encodeLine(L, t, line, kind, d)
		return err
	})
	return r, err
}

func (b *binding) encode(L *lua.LState, t *Target, d Draft) (topic.Record, error) {
	r := topic.Record{Topic: t.Topic.Name, Partition: d.Partition, Timestamp: d.Timestamp, Headers: d.Headers}
	var err error
	if d.Key != nil {
		if r.Key, err = b.reg.FromText(L, t.key, *d.Key, true); err != nil {
			return r, placed(err, "KEY")
		}
	}
	if d.Value != nil {
		if r.Value, err = b.reg.FromText(L, t.val, *d.Value, true); err != nil {
			return r, placed(err, "VALUE")
		}
	}
	return r, b.fits(t, &r)
}

// placed names the text that the columns of an error are of.
func placed(err error, file string) error {
	if e, ok := err.(*fault.Error); ok && e.Place.Line > 0 { //nolint:errorlint // only an error of its own is completed
		e.Place.File = file
	}
	return err
}

// fits refuses what the broker would.
func (b *binding) fits(t *Target, r *topic.Record) error {
	if e := tooLarge(b.app.Settings.MaxMessageBytes, t.Topic.Name, r); e != nil {
		return e
	}
	return nil
}

// wire is a whole message as a line of JSON.
type wire struct {
	Topic       *string         `json:"topic"`
	Partition   *int32          `json:"partition"`
	Offset      *int64          `json:"offset"`
	Timestamp   json.RawMessage `json:"timestamp"`
	Key         json.RawMessage `json:"key"`
	Value       json.RawMessage `json:"value"`
	Headers     json.RawMessage `json:"headers"`
	KeyBase64   *string         `json:"key_base64"`
	ValueBase64 *string         `json:"value_base64"`
	Error       *string         `json:"error"`
}

func (b *binding) encodeLine(L *lua.LState, t *Target, line string, kind Lines, d Draft) (topic.Record, error) {
	w, whole := message(line)
	if kind == ValueLine || kind == EitherLine && (!whole || w.Topic == nil || w.Partition == nil || w.Offset == nil) {
		d.Value = &line
		r, err := b.encode(L, t, d)
		return r, placed(err, "")
	}
	if !whole {
		e := &fault.Error{Code: fault.Validation, Message: "not a message"}
		e.Hints = []string{`a line is an object with value and perhaps key, headers, timestamp and partition: {"key":"k","value":{...}}`}
		return topic.Record{}, e
	}
	return b.encodeWire(L, t, line, w, d)
}

// message reads a line that is a whole message. false: it is none.
func message(line string) (w wire, ok bool) {
	if !strings.HasPrefix(strings.TrimLeft(line, " \t"), "{") {
		return w, false
	}
	in := json.NewDecoder(strings.NewReader(line))
	in.DisallowUnknownFields()
	if err := in.Decode(&w); err != nil || in.More() {
		return w, false
	}
	return w, w.Value != nil || w.ValueBase64 != nil
}

func (b *binding) encodeWire(L *lua.LState, t *Target, line string, w wire, d Draft) (r topic.Record, err error) {
	r = topic.Record{Topic: t.Topic.Name, Partition: d.Partition, Timestamp: d.Timestamp, Headers: d.Headers}
	ours := w.Offset != nil // it says where the message was, so nobody wrote it by hand: it may have fields that the app does not know
	if r.Key, err = b.part(L, t.key, line, w.Key, w.KeyBase64, !ours); err != nil {
		return r, err
	}
	if r.Key == nil && d.Key != nil {
		if r.Key, err = b.reg.FromText(L, t.key, *d.Key, true); err != nil {
			return r, placed(err, "KEY")
		}
	}
	if r.Value, err = b.part(L, t.val, line, w.Value, w.ValueBase64, !ours); err != nil {
		return r, err
	}
	if own, err := headersOf(w.Headers); err != nil {
		return r, err
	} else {
		r.Headers = append(own, d.Headers...)
	}
	if d.Timestamp == 0 {
		if r.Timestamp, err = timestampOf(w.Timestamp); err != nil {
			return r, err
		}
	}
	if w.Partition != nil && !ours && d.Partition == topic.Any {
		r.Partition = *w.Partition
	}
	return r, b.fits(t, &r)
}

// part makes the bytes of the key or value of a whole message.
func (b *binding) part(L *lua.LState, c record.Codec, line string, text json.RawMessage, coded *string, strict bool) ([]byte, error) {
	switch {
	case coded != nil:
		raw, err := base64.StdEncoding.DecodeString(*coded)
		if err != nil {
			return nil, &fault.Error{Code: fault.Validation, Message: "not base64: " + fault.Cut(*coded, 40)}
		}
		return raw, nil
	case text == nil, string(text) == "null":
		return nil, nil
	case record.IsText(c):
		var s string
		if json.Unmarshal(text, &s) != nil {
			return nil, &fault.Error{Code: fault.Validation, Message: fmt.Sprintf("%s is no %s: it has to stand in quotes", fault.Cut(string(text), 40), c.Name())}
		}
		return []byte(s), nil
	}
	raw, err := b.reg.FromText(L, c, string(text), strict)
	if e, ok := err.(*fault.Error); ok && e.Place.Line == 1 { //nolint:errorlint // only an error of its own is completed
		if at := strings.Index(line, string(text)); at >= 0 {
			e.Place.Column += at
			e.Place.EndColumn += at
		}
	}
	return raw, err
}

// headersOf reads headers as Script.JSON writes them: texts by name, a list where a name repeats, {"base64": ...} for what is no text.
func headersOf(text json.RawMessage) ([]topic.Header, error) {
	if text == nil || string(text) == "null" {
		return nil, nil
	}
	bad := &fault.Error{Code: fault.Validation, Message: `headers are no object of texts: {"name":"text"}`}
	in := json.NewDecoder(bytes.NewReader(text))
	if open, err := in.Token(); err != nil || open != json.Delim('{') {
		return nil, bad
	}
	var out []topic.Header
	for in.More() { // in their order
		name, err := in.Token()
		if err != nil {
			return nil, bad
		}
		var value json.RawMessage
		if err := in.Decode(&value); err != nil {
			return nil, bad
		}
		values := []json.RawMessage{value}
		if value[0] == '[' {
			if err := json.Unmarshal(value, &values); err != nil {
				return nil, bad
			}
		}
		for _, v := range values {
			raw, ok := headerValue(v)
			if !ok {
				return nil, bad
			}
			out = append(out, topic.Header{Key: name.(string), Value: raw})
		}
	}
	return out, nil
}

func headerValue(v json.RawMessage) ([]byte, bool) {
	var text *string
	if json.Unmarshal(v, &text) == nil {
		if text == nil {
			return nil, true
		}
		return []byte(*text), true
	}
	var coded struct {
		Base64 []byte `json:"base64"`
	}
	err := json.Unmarshal(v, &coded)
	return coded.Base64, err == nil
}

// timestampOf reads a point in time: RFC 3339, or seconds since 1970.
func timestampOf(text json.RawMessage) (int64, error) {
	if text == nil || string(text) == "null" {
		return 0, nil
	}
	var seconds float64
	if json.Unmarshal(text, &seconds) == nil && seconds >= 0 && seconds < math.MaxInt64/1000 {
		return int64(math.Round(seconds * 1000)), nil
	}
	var at time.Time
	if err := json.Unmarshal(text, &at); err != nil {
		return 0, &fault.Error{Code: fault.Validation, Message: fmt.Sprintf("timestamp is %s, expected a time such as \"2026-11-23T18:00:00Z\" or seconds since 1970", fault.Cut(string(text), 40))}
	}
	return at.UnixMilli(), nil
}

// Failed tells whether an answer says that the agent failed, and why.
func Failed(answer *topic.Record) (text string, failed bool) {
	raw, failed := answer.Header(agent.HeaderError)
	return string(raw), failed
}
