package luabind_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"faust/luabind"
	"faust/luabind/fault"
	"faust/runtime/topic"
)

const targets = `
	app.configure { id = 'shop', max_message_bytes = '1KiB' }
	local Item = app.record('Item', { name = 'string', price = { type = 'decimal', min = 0 } })
	local Order = app.record('Order', { id = 'int', amount = 'float?', data = 'bytes?', items = '[Item]?', by = '{string:Item}?', note = 'any?' })
	local orders = app.topic('orders', { value = Order })
	local names = app.topic('names', { value = 'string' })
	local plain = app.topic('plain', { key = 'int64' })
	local ints = app.topic('ints', { value = 'int64' })
	local bytes = app.topic('bytes', { value = 'bytes' })
	local pipe = app.channel()
	local sums = app.table('sums')
	app.agent('ledger', orders, function(stream) for v in stream do end end)
	app.agent('own', function(stream) for v in stream do end end)
	app.agent('inside', pipe, function(stream) for v in stream do end end)`

func TestTarget(t *testing.T) {
	t.Parallel()
	s := load(t, targets)
	describe := func(x *luabind.Target) string {
		return fmt.Sprintf("%s/%s/%s/%s agent=%q channel=%q declared=%v", x.Name, x.Topic.Name, x.Key, x.Value, x.Agent, x.Channel, x.Declared)
	}
	for name, want := range map[string]string{
		"orders":                  `orders/orders/string/Order agent="" channel="" declared=true`,
		"@ledger":                 `@ledger/orders/string/Order agent="ledger" channel="" declared=true`,
		"@own":                    `@own/shop-own/string/json agent="own" channel="" declared=true`,
		"shop-own":                `shop-own/shop-own/string/json agent="" channel="" declared=true`,
		"shop-ledger-dead-letter": `shop-ledger-dead-letter/shop-ledger-dead-letter/string/Order agent="" channel="" declared=true`,
		"@inside":                 `@inside//string/json agent="inside" channel="channel-1" declared=true`,
		"other as json":           `other/other/string/json agent="" channel="" declared=false`,
		"other as Order":          `other/other/string/Order agent="" channel="" declared=false`,
		"orders as bytes":         `orders/orders/string/bytes agent="" channel="" declared=true`,
	} {
		name, as, _ := strings.Cut(name, " as ")
		x, err := s.Target(t.Context(), name, luabind.Types{Value: as})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := describe(x); got != want {
			t.Errorf("%s:\n got  %s\n want %s", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"order":           "the app has no topic 'order' = did you mean 'orders'?",
		"ledger":          "the app has no topic 'ledger' = the agent is @ledger",
		"sums":            "the app has no topic 'sums' = sums is a table: get and scan show what it has",
		"@ledgr":          "the app has no agent '@ledgr' = did you mean '@ledger'?",
		"@orders":         "the app has no agent '@orders' = the topic is orders",
		"zzz":             "the app has no topic 'zzz' = for a topic that the app does not declare, say what is in it: --as json, string, bytes or a record",
		"a b":             "the app has no topic 'a b' = a topic's name has letters, digits, '.', '_' and '-'",
		"orders as Oder":  "unknown codec 'Oder' = did you mean 'Order'?  known: bool, bytes, float, int, int64, json, raw, string, Item, Order",
		"@nobody as json": "the app has no agent '@nobody' = ",
	} {
		name, as, _ := strings.Cut(name, " as ")
		_, err := s.Target(t.Context(), name, luabind.Types{Value: as})
		var e *fault.Error
		if !errors.As(err, &e) || e.Code != fault.Usage {
			t.Errorf("%s: %v", name, err)
		} else if got := e.Message + " = " + strings.Join(e.Hints, ""); got != want {
			t.Errorf("%s:\n got  %s\n want %s", name, got, want)
		}
	}
	if got := strings.Join(s.Targets(), " "); got != "@inside @ledger @own bytes ints names orders plain" {
		t.Errorf("targets: %s", got)
	}
	dead, err := s.DeadLetters(t.Context(), "ledger")
	if err != nil || dead.Topic.Name != "shop-ledger-dead-letter" || dead.Agent != "ledger" {
		t.Errorf("dead letters: %+v, %v", dead, err)
	}
}

func target(t *testing.T, s *script, name string) *luabind.Target {
	t.Helper()
	x, err := s.Target(t.Context(), name, luabind.Types{})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// text is what a text becomes: the bytes, NULL, or the error with its place and hints.
func written(r topic.Record, err error) string {
	var e *fault.Error
	switch {
	case errors.As(err, &e):
		text := string(e.Code) + " " + e.Place.String()
		if e.Place.EndColumn > 0 {
			text += fmt.Sprintf("-%d", e.Place.EndColumn)
		}
		return strings.TrimSpace(text) + ": " + e.Message + " " + strings.Join(e.Hints, "; ")
	case err != nil:
		return err.Error()
	case r.Value == nil:
		return "NULL"
	}
	return string(r.Value)
}

func TestEncode(t *testing.T) {
	t.Parallel()
	s := load(t, targets)
	for _, c := range []struct{ to, text, want string }{
		{"orders", ` { "id" : 1 , "amount" : 2.50 } `, `{"id":1,"amount":2.50}`},
		{"@ledger", `{"id":9007199254740993,"data":"aGk=","note":{"a":null},"items":[{"name":"x","price":"0.10"}]}`, `{"id":9007199254740993,"data":"aGk=","note":{"a":null},"items":[{"name":"x","price":"0.10"}]}`},
		{"orders", `null`, "NULL"},
		{"orders", `{"id":1`, `validation VALUE:1:8-9: not JSON: at byte 8: it ends where ',' or '}' is expected `},
		{"orders", `{"id":1} x`, `validation VALUE:1:10-11: not JSON: at byte 10: 'x' where the end is expected `},
		{"orders", "{\n  \"id\": 1,\n  \"amount\": \"much\"\n}", `validation VALUE:3:13-19: not an Order: 'amount' is the string "much", expected float? `},
		{"orders", `{"amount":1}`, `validation: not an Order: 'id' is missing `},
		{"orders", `{"amount":1,"idd":5}`, `validation: not an Order: 'id' is missing it has 'idd'`},
		{"orders", `{"id":1,"ammount":5}`, `validation VALUE:1:9-18: not an Order: it has no field 'ammount' did you mean 'amount'?  known: id, amount, data, items, by, note`},
		{"orders", `{"id":1,"items":[{"name":"x","price":1},{"name":"y","price":-1}]}`, `validation VALUE:1:61-63: not an Order: 'items[2].price' is -1, less than the min of 0 `},
		{"orders", `{"id":1,"items":[{"name":"x","price":1,"prize":2}]}`, `validation VALUE:1:40-47: not an Order: 'items[1]' has no field 'prize' did you mean 'price'?  known: name, price`},
		{"orders", `{"id":1,"by":{"a b":{"name":"x","price":1,"q":0}}}`, `validation VALUE:1:43-46: not an Order: 'by["a b"]' has no field 'q' known: name, price`},
		{"orders", `[1]`, `validation VALUE:1:1-4: not an Order: it is a list, expected an object `},
		{"orders", `{"id":1,"data":"` + strings.Repeat("x", 1000) + `"}`, `too_large: message for topic 'orders' has 1018 bytes, more than max_message_bytes (1024) send a reference`},
		{"names", `{"id":1`, `{"id":1`},
		{"names", `null`, `null`},
		{"names", ``, ``},
		{"plain", `[1, {"b":null, "a":1e400}]`, `decode: not JSON: at byte 20: a number too large for a double `},
		{"plain", `[1, {"b":null, "a":2}]`, `[1,{"b":null,"a":2}]`},
		{"plain", `hello`, `validation VALUE:1:1-2: not JSON: at byte 1: 'h' where a value is expected `},
		{"ints", `258`, "\x00\x00\x00\x00\x00\x00\x01\x02"},
		{"ints", `1.5`, `validation: the number 1.5 is no int64 (a whole number of at most 64 bits) `},
		{"bytes", "\x00\xff", "\x00\xff"},
	} {
		r, err := s.Encode(t.Context(), target(t, s, c.to), luabind.Draft{Value: &c.text, Partition: topic.Any})
		if strings.HasPrefix(c.want, "too") {
			c.text, c.want = strings.Repeat("x", 1025), `too_large: message for topic 'bytes' has 1025 bytes, more than max_message_bytes (1024) send a reference to the data, or raise it with  app.configure { max_message_bytes = '4MiB' }`
			r, err = s.Encode(t.Context(), target(t, s, "bytes"), luabind.Draft{Value: &c.text})
		}
		if got := written(r, err); got != c.want {
			t.Errorf("%s %s:\n got  %q\n want %q", c.to, fault.Cut(c.text, 80), got, c.want)
		}
	}
	key, bad := "17", "k"
	r, err := s.Encode(t.Context(), target(t, s, "plain"), luabind.Draft{Key: &key, Headers: []topic.Header{{Key: "h"}}, Timestamp: 5, Partition: 3})
	if err != nil || string(r.Key) != "\x00\x00\x00\x00\x00\x00\x00\x11" || r.Value != nil || r.Partition != 3 || r.Timestamp != 5 || len(r.Headers) != 1 || r.Topic != "plain" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err = s.Encode(t.Context(), target(t, s, "plain"), luabind.Draft{Key: &bad}); written(r, err) != `validation KEY:1:1-2: not JSON: at byte 1: 'k' where a value is expected ` {
		t.Errorf("%q", written(r, err))
	}
	if r, err = s.Question(t.Context(), target(t, s, "@own"), luabind.Draft{Value: &key}); err != nil || fmt.Sprintf("%s", r.Headers) != "[{faust-agent own}]" {
		t.Errorf("%+v, %v", r, err)
	}
}

// What JSON writes of a message EncodeLine makes the same message of.
func TestLines(t *testing.T) {
	t.Parallel()
	s := load(t, targets)
	for _, c := range []struct {
		of   string
		r    topic.Record
		json string
		line string
	}{
		{"orders", topic.Record{Key: []byte("k"), Value: []byte("{\n\"id\":1, \"x\":null}"), Timestamp: 1_700_000_000_123, Partition: 2, Offset: 7},
			`{"topic":"orders","partition":2,"offset":7,"timestamp":"2023-11-14T22:13:20.123Z","key":"k","value":{"id":1,"x":null},"headers":{}}`,
			`2@7  "k"  Order{ id=1 }`},
		{"orders", topic.Record{Value: []byte(`{"id":"x"}`), Headers: []topic.Header{{Key: "a", Value: []byte("<1>")}, {Key: "b"}, {Key: "a", Value: []byte{0xff}}}},
			`{"topic":"orders","partition":0,"offset":0,"timestamp":"1970-01-01T00:00:00.000Z","key":null,"value_base64":"eyJpZCI6IngifQ==","headers":{"a":["<1>",{"base64":"/w=="}],"b":null},"error":"not an Order: 'id' is the string \"x\", expected an int (a whole number of at most 64 bits)"}`,
			`0@0  null  undecodable (not an Order: 'id' is the string "x", expected an int (a whole number of at most 64 bits)): {"id":"x"}  headers{ a="\255", b="" }`},
		{"names", topic.Record{Key: []byte{0xfe}, Value: []byte("a\x1b[31m\u202e\"b")},
			`{"topic":"names","partition":0,"offset":0,"timestamp":"1970-01-01T00:00:00.000Z","key_base64":"/g==","value":"a\u001b[31m` + "\u202e" + `\"b","headers":{}}`,
			`0@0  "\254"  "a\027[31m\226\128\174\"b"`},
		{"plain", topic.Record{Key: []byte("\x7f\xff\xff\xff\xff\xff\xff\xff"), Value: []byte(`{"b":1,"a":{"c":[]}}`)},
			`{"topic":"plain","partition":0,"offset":0,"timestamp":"1970-01-01T00:00:00.000Z","key":9223372036854775807,"value":{"b":1,"a":{"c":[]}},"headers":{}}`,
			`0@0  9223372036854775807  { a={ c=[] }, b=1 }`},
		{"bytes", topic.Record{Value: []byte{0x80}, Timestamp: -1},
			`{"topic":"bytes","partition":0,"offset":0,"timestamp":null,"key":null,"value_base64":"gA==","headers":{}}`, `0@0  null  "\128"`},
		{"names", topic.Record{Key: []byte("gone")}, `{"topic":"names","partition":0,"offset":0,"timestamp":"1970-01-01T00:00:00.000Z","key":"gone","value":null,"headers":{}}`, `0@0  "gone"  null`},
	} {
		x := target(t, s, c.of)
		c.r.Topic = c.of
		text, err := s.JSON(t.Context(), x, &c.r)
		if err != nil || string(text) != c.json {
			t.Errorf("json, %v:\n got  %s\n want %s", err, text, c.json)
		}
		if line, err := s.Line(t.Context(), x, &c.r); err != nil || line != c.line {
			t.Errorf("line, %v:\n got  %s\n want %s", err, line, c.line)
		}
		for _, kind := range []luabind.Lines{luabind.EitherLine, luabind.MessageLine} {
			back, err := s.EncodeLine(t.Context(), x, string(text), kind, luabind.Draft{Partition: topic.Any})
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			if string(back.Key) != string(c.r.Key) || (back.Value == nil) != (c.r.Value == nil) || compact(back.Value) != compact(c.r.Value) || back.Timestamp != max(c.r.Timestamp, 0) ||
				back.Partition != topic.Any || len(back.Headers) != len(c.r.Headers) {
				t.Errorf("%s\n comes back as %+v", text, back)
			}
		}
	}
}

func compact(b []byte) string { return strings.NewReplacer("\n", "", " ", "").Replace(string(b)) }

func TestEncodeLine(t *testing.T) {
	t.Parallel()
	s := load(t, targets)
	for _, c := range []struct {
		to   string
		kind luabind.Lines
		line string
		want string
	}{
		{"plain", luabind.EitherLine, `{"key":"a","value":1}`, ` -1 0 {"key":"a","value":1}`},
		{"plain", luabind.MessageLine, `{"key":7,"value":1,"partition":3,"timestamp":1.5,"headers":{"a":"b"}}`, "\x00\x00\x00\x00\x00\x00\x00\x07 3 1500 1"},
		{"plain", luabind.MessageLine, `{"key":7,"value":1,"partition":3,"offset":9,"topic":"x"}`, "\x00\x00\x00\x00\x00\x00\x00\x07 -1 0 1"},
		{"plain", luabind.ValueLine, `{"topic":"x","partition":3,"offset":9,"value":1}`, ` -1 0 {"topic":"x","partition":3,"offset":9,"value":1}`},
		{"plain", luabind.EitherLine, `{"topic":"x","partition":3,"offset":9,"value":1,"more":2}`, ` -1 0 {"topic":"x","partition":3,"offset":9,"value":1,"more":2}`},
		{"names", luabind.EitherLine, `a line, "as" it is`, ` -1 0 a line, "as" it is`},
		{"names", luabind.MessageLine, `{"value":5}`, `validation: 5 is no string: it has to stand in quotes `},
		{"names", luabind.MessageLine, `{"key":"a"}`, `validation: not a message a line is an object with value and perhaps key, headers, timestamp and partition: {"key":"k","value":{...}}`},
		{"names", luabind.MessageLine, `{"value":"x","headers":{"a":5}}`, `validation: headers are no object of texts: {"name":"text"} `},
		{"names", luabind.MessageLine, `{"value":"x","timestamp":"noon"}`, `validation: timestamp is "noon", expected a time such as "2026-11-23T18:00:00Z" or seconds since 1970 `},
		{"names", luabind.MessageLine, `{"value_base64":"?"}`, `validation: not base64: ? `},
		{"orders", luabind.MessageLine, `{"key":"k","value":{"id":"x"}}`, `validation :1:26-29: not an Order: 'id' is the string "x", expected an int (a whole number of at most 64 bits) `},
		{"orders", luabind.EitherLine, `{"id":"x"}`, `validation :1:7-10: not an Order: 'id' is the string "x", expected an int (a whole number of at most 64 bits) `},
	} {
		r, err := s.EncodeLine(t.Context(), target(t, s, c.to), c.line, c.kind, luabind.Draft{Partition: topic.Any})
		got := fmt.Sprintf("%s %d %d %s", r.Key, r.Partition, r.Timestamp, r.Value)
		if err != nil {
			got = written(r, err)
			var e *fault.Error
			if errors.As(err, &e) && e.Place.Line > 0 {
				got = fmt.Sprintf("%s :%d:%d-%d: %s %s", e.Code, e.Place.Line, e.Place.Column, e.Place.EndColumn, e.Message, strings.Join(e.Hints, "; "))
			}
		}
		if got != c.want {
			t.Errorf("%s %s:\n got  %q\n want %q", c.to, c.line, got, c.want)
		}
	}
}

func TestWhere(t *testing.T) {
	t.Parallel()
	s := load(t, targets+`
		function large(v) return v.amount > 100 end`)
	orders := target(t, s, "orders")
	r := topic.Record{Topic: "orders", Partition: 1, Offset: 9, Key: []byte("u1"), Value: []byte(`{"id":7,"amount":150}`), Timestamp: 1_700_000_000_000, Headers: []topic.Header{{Key: "trace", Value: []byte("abc")}}}
	for text, want := range map[string]string{
		`value.amount > 1e2 and key ~= 'x'`:              "true",
		`value.amount > 1e5`:                             "false",
		`headers.trace == 'abc' and topic == 'orders'`:   "true",
		`partition == 1 and offset < 10 and more == 'm'`: "true",
		"(\n  key == 'u1'\n)  -- and so on":              "true",
		`large(value)`:                                   "true",
		`tostring(timestamp)`:                            "true",
		`nil`:                                            "false",
		`value.ammount > 5`:                              "--where:1:7: an Order has no field 'ammount' = did you mean 'amount'?",
		"key == 'u1' and\n  valu.amount > 5":             "--where:2:3: 'valu' is not defined = did you mean 'value'?",
		`value.data > 5`:                                 "--where:1:1: cannot compare",
	} {
		w, err := s.Where(t.Context(), text, "more")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		match, known, err := w.Match(t.Context(), orders, &r, "m")
		got := fmt.Sprint(match)
		var e *fault.Error
		if errors.As(err, &e) {
			got = e.Place.String() + ": " + e.Message + " = " + strings.Join(e.Hints, "")
		}
		if !strings.HasPrefix(got, want) || !known {
			t.Errorf("%s, %v:\n got  %s\n want %s", text, known, got, want)
		}
	}
	for text, want := range map[string]string{
		`value.amount >`:      "--where:1",
		`value.amount = 5`:    "--where:1:14",
		`key != 'x'`:          "--where:1:5: write '~='",
		`true; os.exit()`:     ": --where takes one expression",
		`syntax error (`:      "--where:1:8: the expression is over before this",
		"key == 'a' and\n  (": "--where:2",
		" ":                   ": the expression of --where is empty",
	} {
		_, err := s.Where(t.Context(), text)
		var e *fault.Error
		place, message, _ := strings.Cut(want, ": ")
		if !errors.As(err, &e) || !strings.HasPrefix(e.Place.String(), place) || !strings.Contains(fmt.Sprint(e.Message, e.Label, e.Hints), message) {
			t.Errorf("%s: %v %+v", text, err, e)
		}
	}
	// A value that cannot be decoded is no fault of the expression.
	bad := topic.Record{Topic: "orders", Offset: 3, Value: []byte(`{}`)}
	for text, want := range map[string]string{`offset == 3`: "true true", `value.amount > 5`: "false false"} {
		w, err := s.Where(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		match, known, err := w.Match(t.Context(), orders, &bad)
		if got := fmt.Sprint(match, " ", known); got != want || err != nil {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	// An expression that does not end is ended by its context.
	w, err := s.Where(t.Context(), `(function() while true do end end)()`)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, _, err := w.Match(ctx, orders, &r)
		done <- err
	}()
	cancel()
	if err := <-done; err == nil {
		t.Error("it ended by itself")
	}
}
