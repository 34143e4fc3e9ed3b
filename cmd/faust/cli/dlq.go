package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"faust/luabind"
	"faust/luabind/fault"
	"faust/runtime/broker"
	"faust/runtime/deadletter"
	"faust/runtime/worker"
)

// listedLetters is how many dead letters a list shows if it is not told.
const listedLetters = 100

// dlqActions are what dlq can do.
var dlqActions = []string{"list", "show", "replay", "drop"}

// dlqFlags are the flags of dlq.
type dlqFlags struct {
	all   bool
	where string
	count int
	to    string

	set *pflag.FlagSet
}

func (f *dlqFlags) define(set *pflag.FlagSet) {
	f.set = set
	set.BoolVar(&f.all, "all", false, "replay, drop: every open dead letter, or with @AGENT every one of that agent")
	set.StringVar(&f.where, "where", "", "only those for which the Lua `EXPR` is true")
	set.StringVar(&f.to, "to", "", "replay: for `@AGENT` instead of the one that failed")
	set.IntVarP(&f.count, "count", "n", listedLetters, "list: the last `N`")
}

func (s *session) dlqCommand() builtin {
	f := &dlqFlags{}
	return builtin{
		group: doing, use: "dlq [ACTION] [WHICH...]", short: "Dead letters, messages that agents could not process: list, show, replay, drop.", app: true, max: -1,
		flags: f.define, complete: completeDlq,
		long: `ACTION is one of these; without it, list:

list     The open dead letters, oldest first, and how many there are by agent and error. @AGENT: of that agent.
show     One with its error, traceback and message.
replay   Sends messages back to the topic and partition they came from, for the agent that failed; the app's other agents of that topic pass over them. One
         that fails again is a new dead letter.
drop     Forgets dead letters. They are deleted once all older ones of their partition are dealt with.

WHICH is a number of the last list with this data directory, or where a dead letter lies, which stays the same: P@OFFSET or AGENT/P@OFFSET. For list, replay and drop it
may be @AGENT, for all of an agent, and for replay and drop --all; --where leaves out those for which an expression as of tail is not true. It is about the message, and knows error
and agent as well.

Letters of agents that are not in the script any more are listed as gone. Their messages go to an agent that takes over, which --to names: one that reads the topic they came from.

A message is marked as dealt with once its replay is stored: after a crash it may be sent again, and none is lost.`,
		example: `dlq
dlq show 1
dlq replay 1 2
dlq replay @ledger --where 'error:find("closed") and value.amount < 100'
dlq replay @oldname --to @ledger
dlq drop --all`,
		run: func(ctx context.Context, args []string) error { return s.runDlq(ctx, f, args) },
	}
}

// completeDlq offers actions, then agents.
func completeDlq(s *session, args []string) []string {
	if len(args) == 0 {
		return dlqActions
	}
	return agentNames(s, nil)
}

// letterbox is one dlq command under way.
type letterbox struct {
	s       *session
	box     *deadletter.Box
	agents  []string // to look at; none: all
	ids     []deadletter.ID
	all     bool
	where   *luabind.Where
	targets map[string]*luabind.Target // of the agents' dead letters
	origins map[string]*luabind.Target // topics that messages of agents that are gone came from
	to      string                     // the agent that messages are sent back for; "": the one that failed
	numbers []deadletter.ID            // of the last list
	counted map[deadletter.ID]int64    // the last letter that is meant of each lane; nil: all there are
}

// lane names where letters of an agent lie one behind the other.
func lane(id deadletter.ID) deadletter.ID {
	return deadletter.ID{Agent: id.Agent, Partition: id.Partition}
}

func (s *session) runDlq(ctx context.Context, f *dlqFlags, args []string) error {
	action := "list"
	if len(args) > 0 && !strings.HasPrefix(args[0], "@") {
		action, args = args[0], args[1:]
	}
	run := map[string]func(context.Context, *letterbox) error{
		"list":   func(ctx context.Context, b *letterbox) error { return b.list(ctx, f.count) },
		"show":   func(ctx context.Context, b *letterbox) error { return b.show(ctx) },
		"replay": func(ctx context.Context, b *letterbox) error { return b.replay(ctx) },
		"drop":   func(ctx context.Context, b *letterbox) error { return b.drop(ctx) },
	}[action]
	if run == nil {
		err := usagef("dlq cannot '%s': it can %s", action, strings.Join(dlqActions, ", "))
		if best := fault.Suggest(action, dlqActions); best != "" {
			err.hint = fmt.Sprintf("did you mean '%s'?", best)
		}
		return err
	}
	b := &letterbox{s: s, all: f.all, targets: map[string]*luabind.Target{}, origins: map[string]*luabind.Target{}}
	if err := b.choose(ctx, action, args); err != nil {
		return err
	}
	if f.set.Changed("count") && (f.count < 1 || action != "list") {
		return usagef("-n is for list, and at least 1")
	}
	if f.set.Changed("to") {
		if action != "replay" {
			return usagef("--to is for replay")
		}
		if b.to = strings.TrimPrefix(f.to, "@"); b.targets[b.to] == nil {
			_, err := s.app.script.DeadLetters(ctx, b.to)
			return misused(err)
		}
	}
	if f.set.Changed("where") {
		if len(b.ids) > 0 {
			return usagef("--where is for --all and @AGENT")
		}
		s.quoted(luabind.WhereFile, f.where, 1)
		var err error
		if b.where, err = s.app.script.Where(ctx, f.where, "error", "agent"); err != nil {
			return misused(err)
		}
	}
	return s.linked(ctx, func(ctx context.Context, client *worker.Client) error {
		kafka, err := client.Broker(ctx)
		if err != nil {
			return err
		}
		if err := b.open(ctx, kafka); err != nil {
			return err
		}
		return run(ctx, b)
	})
}

// open finds the agents that have dead letters: those of the script, and those it had once, whose topics are still there.
func (b *letterbox) open(ctx context.Context, kafka *broker.Client) error {
	settings := b.s.app.script.App.Settings
	cfg := deadletter.Config{Client: kafka, Group: settings.GroupID()}
	for _, d := range b.s.app.script.App.Agents {
		a := deadletter.Agent{Name: d.Name, Topic: d.DeadLetter.Name, Private: d.Private, Channel: d.Channel != nil}
		for _, t := range d.Topics {
			a.Reads = append(a.Reads, t.Name)
		}
		cfg.Agents = append(cfg.Agents, a)
	}
	names, err := kafka.Topics(ctx)
	if err != nil {
		return err
	}
	gone := map[string]bool{}
	for _, name := range names {
		if agent, ok := settings.Owner(name, "dead-letter"); ok && b.targets[agent] == nil {
			cfg.Agents = append(cfg.Agents, deadletter.Agent{Name: agent, Topic: name, Gone: true})
			gone[agent] = true
		}
	}
	named := slices.Clone(b.agents)
	for _, id := range b.ids {
		named = append(named, id.Agent)
	}
	for _, agent := range named {
		if b.targets[agent] == nil && !gone[agent] {
			_, err := b.s.app.script.DeadLetters(ctx, agent)
			return misused(err)
		}
	}
	b.box = deadletter.New(cfg)
	return nil
}

// gone tells whether the script has the agent no more.
func (b *letterbox) gone(agent string) bool { return b.targets[agent] == nil }

// target says how the message of a letter is written. That of an agent that is gone is written as its topic is declared, or else taken for JSON.
func (b *letterbox) target(ctx context.Context, l *deadletter.Letter) (*luabind.Target, error) {
	if t := b.targets[l.ID.Agent]; t != nil {
		return t, nil
	}
	from := l.Record.Topic
	if b.origins[from] == nil {
		t, err := b.s.app.script.Target(ctx, from, luabind.Types{})
		if err != nil && ctx.Err() == nil {
			t, err = b.s.app.script.Target(ctx, from, luabind.Types{Value: "json"})
		}
		if err != nil {
			return nil, err
		}
		b.origins[from] = t
	}
	return b.origins[from], nil
}

// choose makes sense of what is named. Whether there are agents of names that the script does not know is seen by open.
func (b *letterbox) choose(ctx context.Context, action string, args []string) error {
	for _, d := range b.s.app.script.App.Agents {
		t, err := b.s.app.script.DeadLetters(ctx, d.Name)
		if err != nil {
			return err
		}
		b.targets[d.Name] = t
	}
	b.numbers = b.s.readNumbers()
	for _, arg := range args {
		if name, ok := strings.CutPrefix(arg, "@"); ok && !strings.Contains(name, "/") {
			b.agents = append(b.agents, name)
		}
	}
	for _, arg := range args {
		if strings.HasPrefix(arg, "@") && !strings.Contains(arg, "/") {
			continue
		}
		id, err := b.identify(arg)
		if err != nil {
			return err
		}
		if !slices.Contains(b.ids, id) { // one that is named twice is meant once
			b.ids = append(b.ids, id)
		}
	}
	named, chosen := len(b.ids) > 0, len(b.agents) > 0 || b.all
	switch {
	case action == "list" && (named || b.all):
		return usagef("list takes only @AGENT")
	case action == "show" && len(b.ids) != 1:
		return usagef("show needs one dead letter: a number of the list, or P@OFFSET")
	case (action == "replay" || action == "drop") && !named && !chosen:
		return usagef("%s needs dead letters: numbers of the list, P@OFFSET, @AGENT or --all", action)
	case named && b.all:
		return usagef("give either dead letters or --all")
	}
	return nil
}

// identify finds out which dead letter is meant.
func (b *letterbox) identify(arg string) (deadletter.ID, error) {
	if n, err := strconv.Atoi(arg); err == nil {
		if n >= 1 && n <= len(b.numbers) {
			return b.numbers[n-1], nil
		}
		e := usagef("there is no dead letter %d in the last list", n)
		if b.numbers == nil {
			e = usagef("the numbers are those of a list, and none was shown with this data directory")
		}
		e.hint = b.s.program + " dlq list"
		return deadletter.ID{}, e
	}
	id, ok := deadletter.ParseID(arg)
	if !ok {
		return id, usagef("'%s' is no dead letter: expected a number of the list, P@OFFSET or AGENT/P@OFFSET", arg)
	}
	if id.Agent != "" {
		return id, nil
	}
	switch {
	case len(b.agents) == 1:
		id.Agent = b.agents[0]
	case len(b.targets) == 1:
		for name := range b.targets {
			id.Agent = name
		}
	default:
		e := usagef("the app has several agents: whose dead letter is %s?", arg)
		e.hint = fmt.Sprintf("%s/%s", b.s.app.script.App.Agents[0].Name, arg)
		return id, e
	}
	return id, nil
}

// each calls f with the open dead letters that are meant. A letter is valid until f returns.
func (b *letterbox) each(ctx context.Context, f func(l *deadletter.Letter) error) error {
	var sift *sieve
	if b.where != nil {
		sift = &sieve{s: b.s, where: b.where}
		b.s.command.Load().counts("read", sift.read.Load)
	}
	meant := 0
	err := b.box.Each(ctx, b.agents, func(l *deadletter.Letter) error {
		if last, known := b.counted[lane(l.ID)]; b.counted != nil && (!known || l.ID.Offset > last) {
			return nil
		}
		if sift != nil {
			var err error
			if sift.target, err = b.target(ctx, l); err != nil {
				return err
			}
			if !sift.keep(ctx, &l.Record, l.Error, l.ID.Agent) {
				return ctx.Err()
			}
		}
		meant++
		return f(l)
	})
	if sift != nil {
		sift.summary(meant, "matched")
	}
	return err
}

// keepsake is a letter that may be kept.
func keepsake(l *deadletter.Letter) *deadletter.Letter {
	c := *l
	c.Record = l.Record.Clone()
	return &c
}

// named finds the letters that were named; they have to be open.
func (b *letterbox) named(ctx context.Context) ([]*deadletter.Letter, error) {
	open, err := b.box.Open(ctx, b.ids)
	if err != nil {
		return nil, err
	}
	var out []*deadletter.Letter
	for _, id := range b.ids {
		l, err := b.box.Find(ctx, id)
		switch {
		case errors.Is(err, deadletter.ErrNone):
			return nil, fmt.Errorf("there is no dead letter %s; perhaps it was dropped, or is too old", id)
		case err != nil:
			return nil, err
		case !open[id]:
			return nil, fmt.Errorf("dead letter %s is dealt with already", id)
		}
		out = append(out, l)
	}
	return out, nil
}
