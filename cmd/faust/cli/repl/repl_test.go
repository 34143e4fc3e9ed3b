package repl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"faust/runtime/control"
)

// echo is a session that shows what it is asked.
type echo struct {
	asked  []string
	gone   bool
	closed int
}

func (e *echo) Eval(_ context.Context, in control.Input, out io.Writer) control.Result {
	if in.Check {
		return control.Result{Incomplete: strings.HasSuffix(strings.TrimSpace(in.Text), "(")}
	}
	e.asked = append(e.asked, strings.TrimSpace(in.Text))
	switch text := strings.TrimSpace(in.Text); {
	case e.gone:
		return control.Result{Text: "error: the worker is not there", Failed: true, Gone: true}
	case strings.HasSuffix(text, "("):
		return control.Result{Text: "error: too early", Failed: true}
	case strings.HasPrefix(text, "fail"):
		return control.Result{Text: "error: " + text, Failed: true}
	case strings.HasPrefix(text, "print"):
		fmt.Fprint(out, "printed")
		return control.Result{}
	case in.Form == "json" && strings.HasPrefix(text, "{"):
		return control.Result{Text: `{"json":"of ` + strings.Trim(text, "{} ") + `"}`}
	}
	return control.Result{Text: strings.TrimSpace(fmt.Sprintf("%s %s", strings.TrimSpace(in.Text), in.Form)) + map[bool]string{true: " all"}[in.All]}
}

func (e *echo) Complete(_ context.Context, text string) control.Completion {
	switch text {
	case "app.agents['":
		return control.Completion{Candidates: []control.Candidate{{Text: "counter']"}, {Text: "other']"}}}
	case "app.tables['":
		return control.Completion{Candidates: []control.Candidate{{Text: "totals']"}}}
	case "app.topics['":
		return control.Completion{Candidates: []control.Candidate{{Text: "orders']"}}}
	}
	return control.Completion{Replace: 1, Candidates: []control.Candidate{{Text: "of " + text}}}
}

func (e *echo) Close() { e.closed++ }

// fixed is a worker that never changes.
type fixed struct {
	paused, broken string
	goesOn         bool // the agent is not paused
}

func (f *fixed) Status(context.Context) (control.Status, error) {
	return control.Status{App: "shop", PID: 12, Host: "here", File: "/app.lua", Operational: true, Processed: 10, Rate: 2, Agents: []control.Agent{
		{Name: "counter", Processed: 10, Failed: 1, Rate: 2, Lag: 3, Paused: !f.goesOn, Partitions: []control.Partition{
			{Topic: "orders", ID: 1, Committed: 4, End: 7, Lag: 3, Queued: 2}, {Topic: "orders", ID: 2, Committed: -1, End: -1, Lag: -1, Broken: f.broken},
		}},
	}}, nil
}

func (*fixed) Errors(context.Context, int) ([]control.Failure, error) {
	at := time.Date(2026, 11, 25, 10, 0, 0, 0, time.Local)
	return []control.Failure{{Number: 7, Count: 3, First: at, Last: at, Source: "agent counter", Message: "boom", Place: "app.lua:3", Text: "error: boom", Topic: "orders", Partition: 1, Offset: 5, Key: "k", Action: "skip"}}, nil
}

func (*fixed) Tasks(context.Context) ([]control.Task, error) {
	return []control.Task{{Name: "task warm", State: "waiting", What: "time.sleep 1h", Since: time.Now(), Stack: []string{"app.lua:9"}}}, nil
}

func (f *fixed) Pause(_ context.Context, agent string) error {
	if agent != "counter" {
		return fmt.Errorf("agent %s: %w", agent, control.ErrUnknown)
	}
	f.paused = agent
	return nil
}

func (f *fixed) Resume(context.Context, string) error     { f.paused = ""; return nil }
func (*fixed) Channels(context.Context) ([]string, error) { return []string{"channel-1"}, nil }

func (*fixed) Tail(_ context.Context, channel string, _ func(), f func(control.Message)) error {
	f(control.Message{Key: "k", Value: channel, Dropped: 2})
	return nil
}

func (*fixed) Log(_ context.Context, level string, _ func(), f func(control.Line)) error {
	f(control.Line{Time: time.Date(2026, 11, 25, 10, 0, 0, 0, time.Local), Text: "of level " + level})
	return nil
}

// noted are the commands that were run.
type noted struct {
	app  bool
	runs []string
	err  error // what they give
}

func (n *noted) App() bool { return n.app }
func (n *noted) Run(_ context.Context, args ...string) error {
	n.runs = append(n.runs, strings.Join(args, "|"))
	return n.err
}
func (*noted) HelpNames() []string { return []string{"app.topic\tdeclares", "start\tpage"} }

// stage is a console with everything.
type stage struct {
	Config
	session  *echo
	worker   *fixed
	commands *noted
	out, err bytes.Buffer
}

func newStage(input string) *stage {
	s := &stage{session: &echo{}, worker: &fixed{}, commands: &noted{app: true}}
	s.Config = Config{
		Stdin: strings.NewReader(input), Stdout: &s.out, Stderr: &s.err, Commands: s.commands,
		Open: func(context.Context) (control.Session, error) { return s.session, nil },
		Suggest: func(name string, known []string) string {
			for _, k := range known {
				if strings.HasPrefix(k, name[:1]) {
					return k
				}
			}
			return ""
		},
	}
	return s
}

func TestPiped(t *testing.T) {
	for _, c := range []struct {
		input, out, err string
		failed          bool
	}{
		{"1\n\n2\n", "1\n2\n", "", false},
		{"f(\n1)\n2", "f(\n1)\n2\n", "", false},
		{"1\nfail\n2", "1\n", "error: fail\n", true},
		{"1\nf(\n", "1\n", "error: too early\n", true},
		{"print\n:json x\n:quit\n3", "printedx json\n", "", false},
		{":all\n:who", "_ all\n:who\n", "", false},
		{":tail", "", "error: ':tail' needs TOPIC|@AGENT|CHANNEL\n", true},
		{"", "", "", false},
	} {
		s := newStage(c.input)
		err := Run(t.Context(), s.Config)
		if errors.Is(err, ErrFailed) != c.failed || err != nil && !c.failed {
			t.Errorf("%q: %v", c.input, err)
		}
		if s.out.String() != c.out || s.err.String() != c.err {
			t.Errorf("%q: %q and %q, want %q and %q", c.input, &s.out, &s.err, c.out, c.err)
		}
		if s.session.closed != 1 {
			t.Errorf("%q: closed %d times", c.input, s.session.closed)
		}
	}
}

func TestInputs(t *testing.T) {
	s := newStage("never read")
	s.Inputs = []string{"1", "f(", "2"}
	if err := Run(t.Context(), s.Config); !errors.Is(err, ErrFailed) || s.out.String() != "1\n" {
		t.Errorf("%v, %q", err, &s.out)
	}
}

func TestGone(t *testing.T) {
	s := newStage("1\n")
	s.session.gone = true
	opened := 0
	s.Open = func(context.Context) (control.Session, error) {
		if opened++; opened > 1 {
			return &echo{}, nil
		}
		return s.session, nil
	}
	if err := Run(t.Context(), s.Config); !errors.Is(err, ErrFailed) || opened != 2 || !strings.Contains(s.err.String(), "attached again") {
		t.Errorf("%v, opened %d times, %q", err, opened, &s.err)
	}
}

func TestCommands(t *testing.T) {
	for _, c := range []struct {
		input, out, runs string
		width            int
	}{
		{":status", "worker     shop  works, pid 12 on here\nfile       /app.lua\nprocessed  10  2.0/s, failed 0\nlag        0\n", "", 80},
		{":agents", "agent    processed  failed   rate  lag  state\ncounter         10       1  2.0/s    3  paused\n", "", 80},
		{":agents", "counter\n  processed  10\n  failed     1\n  rate       2.0/s\n  lag        3\n  state      paused\n", "", 40},
		{":lag", "agent    partition  committed  end        lag  queued\ncounter  orders/1           4    7          3       2\ncounter  orders/2           ?    ?  not known       0\n", "", 80},
		{":tasks", "task       state    since  where      waits for\ntask warm  waiting     0s  app.lua:9  time.sleep 1h\n", "", 80},
		{":errors", "no  count  last      in             error\n 7      3  10:00:00  agent counter  app.lua:3: boom\n", "", 80},
		{":error 7", "error: boom\nin       agent counter\ncount    3, first 2026-11-25 10:00:00, last 2026-11-25 10:00:00\nmessage  orders/1 @ 5\nkey      k\nthen     skip\n", "", 80},
		{":error 8", "error: there is no error number 8\n  = hint: :errors lists them\n", "", 80},
		{":error x", "error: ':error' takes the number of an error, not 'x'\n  = hint: :errors lists them\n", "", 80},
		{":pause counter", "counter gets no more messages on this worker; :resume counter\n", "", 80},
		{":pau countr", "error: there is no agent 'countr'\n  = hint: did you mean 'counter'?\n", "", 80},
		{":pause nobody", "error: there is no agent 'nobody'\n  = hint: :agents lists them\n", "", 80},
		{":resume counter", "counter goes on\n", "", 80},
		{":log debug", "10:00:00 of level debug\n", "", 80},
		{":tail channel-1", "… 2 messages left out: they came faster than they could be shown\nk  channel-1\n", "", 80},
		{":tail orders", "", "tail|orders", 80},
		{":tail orders 2 --where 'value.a > 1'", "", "tail|orders|-n|2|--where|value.a > 1", 80},
		{`:send orders {"id":1}`, "", `send|orders|--|{"id":1}`, 80},
		{`:send orders --key=k { id = 1 }`, "", `send|orders|--key=k|--|{"json":"of id = 1"}`, 80},
		{":send orders some text", "", "send|orders|--|some text", 80},
		{":send orders --null", "", "send|orders|--null", 80},
		{":send orders", "error: ':send' needs VALUE\n", "", 80},
		{":ask adder 1", "", "ask|@adder|--|1", 80},
		{":topics", "", "topics", 80},
		{":topics x", "error: ':topics' takes no argument: 'x'\n", "", 80},
		{":statu now then", "error: ':status' takes no argument: 'now then'\n", "", 80},
		{":help app.topic", "", "help|app.topic", 80},
		{":help :tail", ":tail TOPIC|@AGENT|CHANNEL [N]\n  messages as they arrive, or the last N\n", "", 80},
		{":write", "error: tables are written by agents only\n  = hint: send one of them a message\n", "", 80},
		{":statsu", "error: unknown command ':statsu'\n  = hint: did you mean ':status'?\n", "", 80},
		{":t", "error: ':t' could be :topics, :tables, :tasks, :tail, :table, :time\n", "", 80},
		{":", "error: a command's name follows ':'\n  = hint: :help lists the commands\n", "", 80},
		{":table{ 1 }", "{ 1 } table\n", "", 80},
		{":time f()", ":time f()\n", "", 80},
	} {
		s := newStage("")
		s.Inputs, s.Worker, s.Width = []string{c.input}, s.worker, func() int { return c.width }
		s.Stderr = &s.out
		var err error
		synctest.Test(t, func(t *testing.T) { err = Run(t.Context(), s.Config) }) // where time stands still
		if failed := strings.HasPrefix(c.out, "error: ") && c.input != ":error 7"; errors.Is(err, ErrFailed) != failed {
			t.Errorf("%s: %v", c.input, err)
		}
		if s.out.String() != c.out || strings.Join(s.commands.runs, " ") != c.runs {
			t.Errorf("%s\n%s\nruns %q; want\n%s\nruns %q", c.input, &s.out, s.commands.runs, c.out, c.runs)
		}
	}
}

// What is wrong with a command of the command line it says itself, once.
func TestCommandFails(t *testing.T) {
	for _, input := range []string{":get nope a", ":tail nope", ":send nope 1", ":ask nope 1", ":topics", ":help nope"} {
		s := newStage("")
		s.commands.err, s.Inputs = errors.New("wrong"), []string{input}
		if err := Run(t.Context(), s.Config); !errors.Is(err, ErrFailed) || s.err.Len() > 0 {
			t.Errorf("%s: %v, %s", input, err, &s.err)
		}
	}
}

// An agent that failed too often does not go on by :resume.
func TestResumeStopped(t *testing.T) {
	s := newStage("")
	s.worker.broken = "100 failed events in a row, last: no"
	s.Worker, s.Inputs = s.worker, []string{":resume counter"}
	err := Run(t.Context(), s.Config)
	want := "error: counter stays stopped in orders/2: 100 failed events in a row, last: no\n  = hint: mend the script and start the worker again\n"
	if !errors.Is(err, ErrFailed) || s.err.String() != want || s.out.Len() > 0 {
		t.Errorf("%v, %s%s", err, &s.out, &s.err)
	}
}

// An agent that is not paused has nothing to take back.
func TestResumeWhatIsNotPaused(t *testing.T) {
	s := newStage("")
	s.worker.goesOn = true
	s.Worker, s.Inputs = s.worker, []string{":resume counter"}
	if err := Run(t.Context(), s.Config); err != nil || s.out.String() != "counter was not paused\n" {
		t.Errorf("%v, %s%s", err, &s.out, &s.err)
	}
}

// Without a worker or an app, what needs one says so.
func TestNeeds(t *testing.T) {
	for input, want := range map[string]string{
		":status":        "error: ':status' needs a running worker, and this console is attached to none",
		":pause counter": "error: ':pause' needs a running worker",
		":tail orders":   "error: ':tail' needs the app's file",
		":send orders 1": "error: ':send' needs the app's file",
		":agents":        "error: ':agents' needs the app's file",
	} {
		s := newStage("")
		s.commands.app, s.Inputs = false, []string{input}
		if err := Run(t.Context(), s.Config); !errors.Is(err, ErrFailed) || !strings.HasPrefix(s.err.String(), want) {
			t.Errorf("%s: %v, %s", input, err, &s.err)
		}
	}
}

func TestHelp(t *testing.T) {
	s := newStage("")
	s.Inputs, s.Width = []string{":help"}, func() int { return 40 }
	if err := Run(t.Context(), s.Config); err != nil {
		t.Fatal(err)
	}
	for _, c := range commands() {
		if !strings.Contains(s.out.String(), ":"+c.name) {
			t.Errorf("help does not have :%s", c.name)
		}
	}
	for line := range strings.SplitSeq(s.out.String(), "\n") {
		if len([]rune(line)) > 40 {
			t.Errorf("wider than the screen: %s", line)
		}
	}
}

func TestCompleteCommands(t *testing.T) {
	s := newStage("")
	r := &repl{Config: s.Config, session: s.session}
	for text, want := range map[string]string{
		":sta":           "status",
		":tab":           "tables table ",
		":get ":          "totals",
		":pause c":       "counter",
		":tail ":         "orders @counter @other",
		":ask @c":        "@counter",
		":send orders x": "of orders x",
		":json x":        "of x",
		":help st":       "start",
		":nothing x":     "",
		"x":              "of x",
	} {
		var got []string
		for _, c := range r.complete(t.Context(), text).Candidates {
			got = append(got, c.Text)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestIndent(t *testing.T) {
	for text, want := range map[string]string{
		"for i = 1, 2 do": "  ", "  if x then": "    ", "f(function(a, b)": "  ", "t = {": "  ", "x = 1": "", "  x = 1": "  ", "function f() -- it": "  ",
		"a\n  b": "  ", "undo": "",
	} {
		if got := indent(text); got != want {
			t.Errorf("after %q: %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]bool{"do\n  end": true, "do\n  append": false, "x\n  }": true, "if a then\n  else": true} {
		if got := outdent(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// A terminal that knows no escape sequences gets prompts and nothing else.
func TestDumb(t *testing.T) {
	s := newStage("f(\n1)\n:quit\n")
	s.Terminal, s.Dumb, s.Greeting = nowhere{}, true, []string{"hello"}
	if err := Run(t.Context(), s.Config); err != nil {
		t.Fatal(err)
	}
	if s.out.String() != ">> .. f(\n1)\n>> " || s.err.String() != "hello\n" {
		t.Errorf("%q, %q", &s.out, &s.err)
	}
}

type nowhere struct{ io.ReadWriter }

func (nowhere) Size() (int, int)     { return 80, 24 }
func (nowhere) Raw() (func(), error) { return nil, errors.New("not a terminal") }

// What the worker tells of messages does nothing to the terminal.
func TestVisible(t *testing.T) {
	t.Parallel()
	s := newStage(":errors\n:error 7\n:tail channel-1\n:log\n:pause nobody\n")
	s.Worker = s.worker
	s.Visible = func(text string) string {
		return strings.NewReplacer("boom", "<boom>", "channel", "<channel>", "level", "<level>", "nobody", "<nobody>").Replace(text)
	}
	_ = Run(t.Context(), s.Config) // the last one fails
	for _, want := range []string{"app.lua:3: <boom>", "error: <boom>", "k  <channel>-1", "of <level> info"} {
		if !strings.Contains(s.out.String(), want) {
			t.Errorf("no %q in\n%s", want, s.out.String())
		}
	}
	if want := "there is no agent '<nobody>'"; !strings.Contains(s.err.String(), want) {
		t.Errorf("no %q in\n%s", want, s.err.String())
	}
}
