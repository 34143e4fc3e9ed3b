package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"

	"faust/luabind"
	"faust/luabind/fault"
	"faust/runtime/broker"
	"faust/runtime/topic"
	"faust/runtime/worker"
)

// shownFirst is how many messages tail shows before it follows, if it is not told.
const shownFirst = 10

// tailFlags are the flags of tail.
type tailFlags struct {
	count      int
	from       string
	partitions []int32
	where      string
	follow     bool
	noFollow   bool
	as         luabind.Types

	set *pflag.FlagSet
}

func (f *tailFlags) define(set *pflag.FlagSet) {
	f.set = set
	set.IntVarP(&f.count, "count", "n", 0, "`N` messages: the last, or with --from the first")
	set.StringVar(&f.from, "from", "", "`WHERE` to begin: start, end, an offset, a time, or how long ago (10m)")
	set.Int32SliceVar(&f.partitions, "partition", nil, "only the partition `N`; may be repeated")
	set.StringVar(&f.where, "where", "", "only messages for which the Lua `EXPR` is true")
	set.BoolVar(&f.follow, "follow", false, "go on with what comes, also with -n")
	set.BoolVar(&f.noFollow, "no-follow", false, "end with what is there now")
	set.Lookup("count").DefValue, set.Lookup("partition").DefValue = "", ""
	defineTypes(set, &f.as)
}

func (s *session) tailCommand() builtin {
	f := &tailFlags{}
	return builtin{
		group: looking, use: "tail TOPIC|@AGENT", short: "Print messages as they arrive.", app: true, min: 1, max: 1, complete: targetNames, flags: f.define,
		long: `It shows the last 10 messages and then what comes, until ^C. With -n N it shows the last N and ends, with --from it begins there; both: the first N from there on.
--follow and --no-follow say otherwise. What is there already comes in order of time, over all partitions.

On a terminal a message is a line for people: partition@offset, key, value. Otherwise, and with --json, it is an object on one line, which send reads again. A message that
cannot be decoded is shown as it is, with the reason.

EXPR knows key, value, headers, topic, partition, offset and timestamp: value.amount > 1e5 and key ~= 'x'. It may use what the app has as globals.

^C is how following ends: the exit code 0. Without it the code is 130.`,
		example: `tail orders
tail orders -n 5 --where 'value.amount > 100'
tail orders --from '10m ago' --no-follow --json
tail @ledger --partition 3 --from 10433 -n 1`,
		run: func(ctx context.Context, args []string) error { return s.runTail(ctx, f, args[0]) },
	}
}

// tailing is what tail is to do.
type tailing struct {
	target *luabind.Target
	what   broker.Reading
	first  int // only so many; 0: all
	where  *luabind.Where
	json   bool

	counted bool // -n was given
	placed  bool // --from, --partition or --no-follow was given, which a channel cannot do
}

func (s *session) runTail(ctx context.Context, f *tailFlags, name string) error {
	t, err := s.newTailing(ctx, f, name)
	if err != nil {
		return err
	}
	t.json = s.globals.json || !s.isTerminal(s.Stdout)
	return s.linked(ctx, func(ctx context.Context, client *worker.Client) error {
		ctx, stop := s.watchReader(ctx)
		defer stop()
		err := s.tail(ctx, client, t, s.Stdout)
		if errors.Is(err, errUnread) || t.what.Follow && errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	})
}

// newTailing makes sense of the flags.
func (s *session) newTailing(ctx context.Context, f *tailFlags, name string) (*tailing, error) {
	target, err := s.target(ctx, name, f.as)
	if err != nil {
		return nil, err
	}
	t := &tailing{target: target, what: broker.Reading{Topic: target.Topic.Name, Partitions: f.partitions}, counted: f.set.Changed("count")}
	counted, from := t.counted, f.set.Changed("from")
	t.placed = from || f.noFollow || f.partitions != nil
	switch {
	case counted && f.count < 1:
		return nil, usagef("-n cannot be '%d': expected a number from 1 on", f.count)
	case f.follow && f.noFollow:
		return nil, usagef("give either --follow or --no-follow")
	}
	t.what.Follow = f.follow || !f.noFollow && !counted
	switch {
	case from:
		zone := s.app.script.App.Settings.Timezone
		if t.what.From, err = parseFrom(f.from, time.Now(), zone); err != nil {
			return nil, cannotBe("--from", f.from, err)
		}
		t.first = f.count
	case counted:
		t.what.Last = f.count
	default:
		t.what.Last = shownFirst
	}
	if f.set.Changed("where") {
		s.quoted(luabind.WhereFile, f.where, 1)
		t.where, err = s.app.script.Where(ctx, f.where)
	}
	return t, misused(err)
}

// errEnough ends reading when the first N were shown.
var errEnough = errors.New("enough")

// tail writes messages to out until there are no more, or ctx ends.
func (s *session) tail(ctx context.Context, client *worker.Client, t *tailing, out io.Writer) error {
	if t.target.Channel != "" {
		return s.tailChannel(ctx, t, out)
	}
	kafka, err := client.Broker(ctx)
	if err != nil {
		return err
	}
	p := &printing{s: s, t: t, out: bufio.NewWriterSize(out, 64<<10)}
	t.what.Keep = luabind.IsMessage
	if t.where != nil {
		p.sift = &sieve{s: s, where: t.where, target: t.target}
		t.what.Again = p.sift.again
		t.what.Keep = func(r *topic.Record) bool { return luabind.IsMessage(r) && p.sift.keep(ctx, r) }
		s.command.Load().counts("read", p.sift.read.Load)
	}
	err = kafka.Read(ctx, t.what, func(rs []topic.Record) error { return p.print(ctx, rs) })
	if t.what.Follow && t.target.Declared && isMissing(err) {
		if err = s.await(ctx, kafka, t); err == nil {
			err = kafka.Read(ctx, t.what, func(rs []topic.Record) error { return p.print(ctx, rs) })
		}
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	if ctx.Err() != nil && s.isTerminal(s.Stderr) && t.where != nil {
		fmt.Fprintln(s.Stderr) // after the ^C
	}
	p.sift.summary(p.shown, "shown")
	return absent(ctx, kafka, t.target, err)
}

func isMissing(err error) bool {
	var e *broker.Error
	return errors.As(err, &e) && e.Class == broker.MissingTopic
}

// await waits for a topic that is not there yet. Everything in it is new then.
func (s *session) await(ctx context.Context, kafka *broker.Client, t *tailing) error {
	if !s.globals.quiet {
		fmt.Fprintf(s.Stderr, "topic %s does not exist yet, waiting for it\n", t.target.Topic.Name)
	}
	if t.first == 0 {
		t.what.From, t.what.Last = broker.From{}, 0
	}
	for {
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if _, err := kafka.Partitions(ctx, t.target.Topic.Name); !isMissing(err) {
			return err
		}
	}
}

// printing writes messages.
type printing struct {
	s     *session
	t     *tailing
	sift  *sieve // nil: all are shown
	out   *bufio.Writer
	shown int
}

func (p *printing) print(ctx context.Context, rs []topic.Record) (err error) {
	for i := range rs {
		text, err := p.message(ctx, &rs[i])
		if err != nil {
			return err
		}
		if _, err := p.out.WriteString(text + "\n"); err != nil {
			return err
		}
		if p.shown++; p.shown == p.t.first {
			break
		}
	}
	err = p.out.Flush()
	if err == nil && p.shown == p.t.first && p.t.first > 0 {
		err = errEnough
	}
	return err
}

func (p *printing) message(ctx context.Context, r *topic.Record) (string, error) {
	if p.t.json {
		text, err := p.s.app.script.JSON(ctx, p.t.target, r)
		return string(text), err
	}
	return p.s.app.script.Line(ctx, p.t.target, r)
}

// sieve lets messages through for which an expression is true, and counts.
type sieve struct {
	s           *session
	where       *luabind.Where
	target      *luabind.Target
	read        atomic.Int64
	undecodable int
	failed      int
	told        bool
}

// keep tells whether a message gets through. That the expression fails is told once.
func (v *sieve) keep(ctx context.Context, r *topic.Record, more ...string) bool {
	match, known, err := v.where.Match(ctx, v.target, r, more...)
	if ctx.Err() != nil {
		return false
	}
	v.read.Add(1)
	switch {
	case !known:
		v.undecodable++
	case err != nil:
		if v.failed++; !v.told {
			v.told = true
			v.tell(r, err)
		}
	}
	return match && err == nil
}

func (v *sieve) tell(r *topic.Record, err error) {
	var e *fault.Error
	if errors.As(err, &e) {
		e.Trace = nil
		e.Notes = append(e.Notes, fault.Note{Label: "message", Text: fmt.Sprintf("%s@%d", r.In(), r.Offset)}, fault.Note{Label: "told", Text: "once; messages like it are passed over and counted"})
	}
	fault.Render(v.s.Stderr, err, v.s.renderConfig())
}

// again is told that reading starts over, further back.
func (v *sieve) again() {
	v.read.Store(0)
	v.undecodable, v.failed = 0, 0
}

// summary says how many messages were looked at, and what was done with n of them.
func (v *sieve) summary(n int, what string) {
	if v == nil || v.s.globals.quiet {
		return
	}
	text := fmt.Sprintf("%s read, %d %s", plural(int(v.read.Load()), "message"), n, what)
	if v.undecodable > 0 {
		text += fmt.Sprintf(", %d could not be decoded", v.undecodable)
	}
	if v.failed > 0 {
		text += fmt.Sprintf(", --where failed for %d", v.failed)
	}
	fmt.Fprintln(v.s.Stderr, text)
}
