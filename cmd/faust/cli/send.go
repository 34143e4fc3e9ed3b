package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"faust/luabind"
	"faust/luabind/fault"
	"faust/runtime/broker"
	"faust/runtime/topic"
	"faust/runtime/worker"
)

// sendFlags are the flags of send.
type sendFlags struct {
	key       string
	headers   []string
	partition int32
	file      string
	null      bool
	lines     luabind.Lines
	as        luabind.Types

	set *pflag.FlagSet
}

func (f *sendFlags) define(set *pflag.FlagSet) {
	f.set = set
	set.StringVar(&f.key, "key", "", "the key; of lines the key of those that have none")
	set.StringArrayVar(&f.headers, "header", nil, "a header, `NAME=TEXT`; may be repeated")
	set.Int32Var(&f.partition, "partition", topic.Any, "the partition; without it the key decides")
	set.Lookup("partition").DefValue = ""
	set.StringVar(&f.file, "file", "", "send the lines of `FILE`")
	set.BoolVar(&f.null, "null", false, "send a tombstone: a message without a value")
	defineTypes(set, &f.as)
	set.BoolFunc("values", "every line is a value, even if it looks like a message", func(string) error { f.lines = luabind.ValueLine; return nil })
	set.BoolFunc("messages", "every line is a message: an object with value and perhaps key, headers, timestamp, partition",
		func(string) error { f.lines = luabind.MessageLine; return nil })
}

// defineTypes defines the flags that say how messages are written.
func defineTypes(set *pflag.FlagSet, as *luabind.Types) {
	set.StringVar(&as.Value, "as", "", "`TYPE` of the values, if not as declared: json, string, bytes, int64, a record")
	set.StringVar(&as.Key, "key-as", "", "`TYPE` of the keys, if not as declared")
}

func (s *session) sendCommand() builtin {
	f := &sendFlags{}
	return builtin{
		group: doing, use: "send TOPIC|@AGENT [VALUE]", short: "Send a message, or the lines of a file or of standard input.", app: true, min: 1, max: 2,
		complete: targetNames, flags: f.define,
		long: `VALUE is JSON, or the text itself for topics of strings and bytes. It is checked as topic:send checks it. null is a tombstone, as --null.

Without VALUE, or with -, every line of standard input is sent, with --file every line of the file. A line is a VALUE, or a whole message as
tail writes it: {"topic":..,"partition":..,"offset":..,"timestamp":..,"key":..,"value":..,"headers":{..}}. Of that key, value, headers and time are sent;
topic, partition and offset say where it was, and the key decides where it goes. --messages takes shorter ones, written by hand: {"key":"k","value":1,"partition":2}.
Empty lines are passed over. At a line that is wrong it stops; what was sent before stays sent.

A topic that the app does not declare is taken with --as, which says how values are written; its keys are strings unless --key-as says otherwise.`,
		example: `send orders '{"id":1,"amount":12.5}' --key u1
send @ledger --file orders.jsonl
tail orders --json | faust run app.lua send copies`,
		run: func(ctx context.Context, args []string) error { return s.runSend(ctx, f, args) },
	}
}

// runSend sends what the arguments say.
func (s *session) runSend(ctx context.Context, f *sendFlags, args []string) error {
	d, err := f.draft()
	if err != nil {
		return err
	}
	single := f.null || len(args) == 2 && args[1] != "-"
	switch {
	case f.null && (len(args) == 2 || f.file != ""):
		return usagef("--null has no value: give either VALUE, --file or --null")
	case f.file != "" && len(args) == 2:
		return usagef("give either VALUE or --file")
	case single && f.lines != luabind.EitherLine:
		return usagef("--values and --messages are for lines")
	}
	t, err := s.target(ctx, args[0], f.as)
	if err != nil {
		return err
	}
	if t.Channel != "" {
		return usagef("%s reads a channel, which is in the memory of its worker: nothing can be sent to it from outside", t.Name)
	}
	if single && !f.null {
		d.Value = &args[1]
	}
	if single {
		return s.sendOne(ctx, t, d)
	}
	lines, err := s.openLines(f.file)
	if err != nil {
		return err
	}
	defer lines.close()
	return s.sendLines(ctx, t, lines, f.lines, d)
}

// draft is what the flags say of every message.
func (f *sendFlags) draft() (luabind.Draft, error) {
	d := luabind.Draft{Partition: f.partition}
	if f.set.Changed("key") {
		d.Key = &f.key
	}
	if f.set.Changed("partition") && f.partition < 0 {
		return d, usagef("--partition cannot be '%d': expected a number from 0 on", f.partition)
	}
	for _, h := range f.headers {
		name, value, ok := strings.Cut(h, "=")
		if !ok || name == "" {
			return d, usagef("--header cannot be '%s': expected NAME=TEXT", h)
		}
		d.Headers = append(d.Headers, topic.Header{Key: name, Value: []byte(value)})
	}
	return d, nil
}

// target finds what a name on the command line means.
func (s *session) target(ctx context.Context, name string, as luabind.Types) (*luabind.Target, error) {
	t, err := s.app.script.Target(ctx, name, as)
	return t, misused(err)
}

// misused makes an error of use of what the script says of an argument, or of the Lua in it.
func misused(err error) error {
	var e *fault.Error
	switch {
	case !errors.As(err, &e):
		return err
	case e.Code == fault.Usage:
		return &usageError{message: e.Message, hint: strings.Join(e.Hints, "; ")}
	case e.Code == fault.Syntax:
		return &usageError{message: e.Message, err: e}
	}
	return err
}

// sendOne sends one message and says where it is.
func (s *session) sendOne(ctx context.Context, t *luabind.Target, d luabind.Draft) error {
	r, err := s.encoded(ctx, t, d)
	if err != nil {
		return err
	}
	return s.linked(ctx, func(ctx context.Context, client *worker.Client) error {
		stored, err := deliver(ctx, client, t, r)
		switch {
		case err != nil:
			return err
		case s.globals.json:
			return s.printJSON(newPosition(stored))
		case !s.globals.quiet:
			fmt.Fprintf(s.Stdout, "%s@%d\n", stored.In(), stored.Offset)
		}
		return nil
	})
}

// encoded makes the record of a draft whose texts came from the command line.
func (s *session) encoded(ctx context.Context, t *luabind.Target, d luabind.Draft) (topic.Record, error) {
	if d.Key != nil {
		s.quoted("KEY", *d.Key, 1)
	}
	if d.Value != nil {
		s.quoted("VALUE", *d.Value, 1)
	}
	return s.app.script.Encode(ctx, t, d)
}

// position is where a message is stored, as --json shows it.
type position struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Timestamp string `json:"timestamp"`
}

func newPosition(r topic.Record) position {
	return position{r.Topic, r.Partition, r.Offset, timeText(r.Timestamp)}
}

// deliver sends a record and waits until it is stored.
func deliver(ctx context.Context, client *worker.Client, t *luabind.Target, r topic.Record) (topic.Record, error) {
	kafka, err := reach(ctx, client, t)
	if err != nil {
		return r, err
	}
	type fate struct {
		stored topic.Record
		err    error
	}
	told := make(chan fate, 1)
	kafka.Produce(ctx, &r, func(stored topic.Record, err error) { told <- fate{stored, err} })
	got := <-told
	return got.stored, got.err
}

// reach connects and makes sure that a target is there.
func reach(ctx context.Context, client *worker.Client, t *luabind.Target) (*broker.Client, error) {
	kafka, err := client.Ensure(ctx, t.Topic.Name)
	if err != nil || t.Declared {
		return kafka, err
	}
	_, err = kafka.Partitions(ctx, t.Topic.Name)
	return kafka, absent(ctx, kafka, t, err)
}

// absent explains that a topic is not there; other errors are given back.
func absent(ctx context.Context, kafka *broker.Client, t *luabind.Target, err error) error {
	var missing *broker.Error
	if !errors.As(err, &missing) || missing.Class != broker.MissingTopic {
		return err
	}
	e := &fault.Error{Code: fault.Script, Message: fmt.Sprintf("there is no topic '%s' on the broker", t.Topic.Name)}
	names, _ := kafka.Topics(ctx)
	switch best := fault.Suggest(t.Topic.Name, names); {
	case t.Declared:
		e.Message = fmt.Sprintf("topic '%s' does not exist yet", t.Topic.Name)
		e.Hints = []string{"a worker makes it, or the first message that is sent"}
	case best != "":
		e.Hints = []string{"did you mean '" + best + "'?"}
	}
	return e
}

// tally counts what became of messages. Its methods may be called from any goroutine.
type tally struct {
	mu     sync.Mutex
	sent   int // stored
	failed int
	err    error // of the first that failed
}

func (t *tally) note(place string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.sent++
		return
	}
	if t.failed++; t.err == nil {
		t.err = fmt.Errorf("%s: %w", place, err)
	}
}

func (t *tally) count() (sent, failed int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sent, t.failed, t.err
}
