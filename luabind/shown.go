package luabind

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/runtime/topic"
)

// Line writes a message for a person, on one line: 0@3011  "user_81"  Withdrawal{ user="user_81", amount=90.5 }. What cannot be decoded is shown
// as it is, with the reason. The error is the end of ctx.
func (s *Script) Line(ctx context.Context, t *Target, r *topic.Record) (string, error) {
	var out string
	err := s.VM.Run(ctx, "reading "+t.Name, false, func(L *lua.LState) error {
		out = s.b.line(L, t, r)
		return nil
	})
	return out, err
}

// JSON writes a message for a program, as one line that EncodeLine reads: an object with topic, partition, offset, timestamp, key, value and headers. What
// cannot be written as JSON is in key_base64 and value_base64 instead; error says why a value could not be decoded. The error is the end of ctx.
func (s *Script) JSON(ctx context.Context, t *Target, r *topic.Record) ([]byte, error) {
	var out []byte
	err := s.VM.Run(ctx, "reading "+t.Name, false, func(L *lua.LState) error {
		out = append(s.b.object(L, t, r, nil), '}')
		return nil
	})
	return out, err
}

// Pretty writes the key and the value of a message for a person, the value perhaps over several lines. failure says why it could not be decoded and is
// shown as it is; nil otherwise. The error is the end of ctx.
func (s *Script) Pretty(ctx context.Context, t *Target, r *topic.Record) (key, value string, failure, err error) {
	err = s.VM.Run(ctx, "reading "+t.Name, false, func(L *lua.LState) error {
		key = s.b.keyText(L, t, r)
		v, bad := t.val.Decode(L, r.Value)
		if bad != nil {
			failure, value = bad, record.Excerpt(r.Value)
		} else {
			value = s.b.reg.Inspect(v)
		}
		return nil
	})
	return key, value, failure, err
}

func (b *binding) line(L *lua.LState, t *Target, r *topic.Record) string {
	var out strings.Builder
	out.WriteString(strconv.Itoa(int(r.Partition)) + "@" + strconv.FormatInt(r.Offset, 10) + "  " + b.keyText(L, t, r) + "  ")
	if v, err := t.val.Decode(L, r.Value); err != nil {
		out.WriteString("undecodable (" + reason(err) + "): " + record.Excerpt(r.Value))
	} else {
		out.WriteString(b.reg.InspectLine(v))
	}
	if len(r.Headers) > 0 {
		out.WriteString("  headers" + b.reg.InspectLine(headerTable(L, r.Headers)))
	}
	return out.String()
}

func (b *binding) keyText(L *lua.LState, t *Target, r *topic.Record) string {
	k, err := t.key.Decode(L, r.Key)
	if err != nil {
		return "undecodable: " + record.Excerpt(r.Key)
	}
	return b.reg.InspectLine(k)
}

// reason is an error without its place.
func reason(err error) string {
	var e *fault.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

// object appends a message as an object of JSON, without the closing brace.
func (b *binding) object(L *lua.LState, t *Target, r *topic.Record, buf []byte) []byte {
	buf = append(buf, `{"topic":`...)
	buf = appendJSONText(buf, r.Topic)
	buf = append(buf, `,"partition":`...)
	buf = strconv.AppendInt(buf, int64(r.Partition), 10)
	buf = append(buf, `,"offset":`...)
	buf = strconv.AppendInt(buf, r.Offset, 10)
	buf = append(buf, `,"timestamp":`...)
	if r.Timestamp < 0 {
		buf = append(buf, "null"...)
	} else {
		buf = time.UnixMilli(r.Timestamp).UTC().AppendFormat(buf, `"2006-01-02T15:04:05.000Z07:00"`)
	}
	buf, _ = b.member(L, buf, "key", t.key, r.Key)
	buf, err := b.member(L, buf, "value", t.val, r.Value)
	buf = appendHeaders(append(buf, `,"headers":`...), r.Headers)
	if err != nil {
		buf = appendJSONText(append(buf, `,"error":`...), reason(err))
	}
	return buf
}

// member appends a key or a value.
func (b *binding) member(L *lua.LState, buf []byte, name string, c record.Codec, raw []byte) ([]byte, error) {
	text, err := b.reg.ToJSON(L, c, raw)
	if text == nil {
		buf = append(append(buf, `,"`...), name+`_base64":"`...)
		return append(base64.StdEncoding.AppendEncode(buf, raw), '"'), err
	}
	return append(append(append(buf, `,"`...), name+`":`...), text...), nil
}

func appendJSONText(buf []byte, s string) []byte {
	return record.AppendString(buf, strings.ToValidUTF8(s, "\uFFFD"))
}

// appendHeaders appends headers: texts by name, a list where a name repeats.
func appendHeaders(buf []byte, headers []topic.Header) []byte {
	buf = append(buf, '{')
	done := map[string]bool{}
	for i, h := range headers {
		if done[h.Key] {
			continue
		}
		done[h.Key] = true
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = append(appendJSONText(buf, h.Key), ':')
		var values [][]byte
		for _, other := range headers[i:] {
			if other.Key == h.Key {
				values = append(values, appendHeader(nil, other.Value))
			}
		}
		if len(values) == 1 {
			buf = append(buf, values[0]...)
			continue
		}
		buf = append(buf, '[')
		for j, v := range values {
			if j > 0 {
				buf = append(buf, ',')
			}
			buf = append(buf, v...)
		}
		buf = append(buf, ']')
	}
	return append(buf, '}')
}

func appendHeader(buf, value []byte) []byte {
	switch {
	case value == nil:
		return append(buf, "null"...)
	case utf8.Valid(value):
		return appendJSONText(buf, string(value))
	}
	return append(base64.StdEncoding.AppendEncode(append(buf, `{"base64":"`...), value), `"}`...)
}
