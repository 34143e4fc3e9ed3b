package repl

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"faust/runtime/control"
)

// command is a ':' command.
type command struct {
	name   string
	args   string // as help shows them
	about  string
	worker bool // it needs a worker to be attached to
	run    func(r *repl, ctx context.Context, rest string) error
	offers string // what its arguments are, for completion: agents, tables, targets, names, values
}

// commands are all ':' commands, in the order of help.
func commands() []command {
	return []command{
		{name: "help", args: "[NAME]", about: "these commands; or what NAME is: a function, a page of the manual", run: (*repl).help, offers: "names"},
		{name: "status", about: "how the worker is", worker: true, run: (*repl).status},
		{name: "agents", about: "the agents, what they did and have to do", run: (*repl).agents},
		{name: "topics", about: "the topics", run: (*repl).topics},
		{name: "tables", about: "the tables, and which worker has what", run: func(r *repl, ctx context.Context, _ string) error { return r.list(ctx, "tables") }},
		{name: "get", args: "TABLE KEY", about: "what a key of a table has, on whichever worker it is", run: (*repl).get, offers: "tables"},
		{name: "tasks", about: "where every task stands, and what it waits for", run: (*repl).tasks},
		{name: "lag", about: "what is not processed, by partition", worker: true, run: (*repl).lag},
		{name: "errors", args: "[N]", about: "what went wrong, the newest first", worker: true, run: (*repl).errors},
		{name: "error", args: "N", about: "all there is to know of one of them", worker: true, run: (*repl).failure},
		{name: "tail", args: "TOPIC|@AGENT|CHANNEL [N]", about: "messages as they arrive, or the last N", run: (*repl).tail, offers: "targets"},
		{name: "send", args: "TOPIC|@AGENT VALUE", about: "send a message; VALUE is JSON or a table of Lua", run: (*repl).send, offers: "targets"},
		{name: "ask", args: "@AGENT VALUE", about: "ask an agent", run: (*repl).ask, offers: "targets"},
		{name: "pause", args: "AGENT", about: "no more messages for an agent of this worker", worker: true, run: (*repl).pause, offers: "agents"},
		{name: "resume", args: "AGENT", about: "take a pause back", worker: true, run: (*repl).resume, offers: "agents"},
		{name: "log", args: "[LEVEL]", about: "the worker's log, until ^C", worker: true, run: (*repl).log},
		{name: "json", args: "[EXPR]", about: "a value as JSON; without EXPR the last one", run: form("json"), offers: "values"},
		{name: "table", args: "[EXPR]", about: "a value as a table", run: form("table"), offers: "values"},
		{name: "lua", args: "[EXPR]", about: "a value as Lua would read it", run: form("lua"), offers: "values"},
		{name: "csv", args: "[EXPR]", about: "a list as comma-separated values", run: form("csv"), offers: "values"},
		{name: "all", args: "[EXPR]", about: "a value without cuts", run: (*repl).all, offers: "values"},
		{name: "write", about: "let this console write to tables", run: (*repl).write},
		{name: "who", about: "your variables", run: passOn("who")},
		{name: "time", args: "EXPR", about: "a value, and how long it took", run: passOn("time"), offers: "values"},
		{name: "quit", about: "leave; ^D does as well", run: func(r *repl, _ context.Context, _ string) error { r.quit = true; return nil }},
	}
}

// problem is what is wrong with a ':' command.
type problem struct{ message, hint string }

func (p *problem) Error() string { return p.message }

func problemf(hint, format string, args ...any) *problem {
	return &problem{fmt.Sprintf(format, args...), hint}
}

// shown is the error of what was shown already.
type shown struct{}

func (shown) Error() string { return "shown" }

// cutCommand cuts a line into the name of a command and the rest.
func cutCommand(text string) (name, rest string) {
	text = strings.TrimPrefix(strings.TrimSpace(text), ":")
	i := strings.IndexFunc(text, func(r rune) bool { return r < 'a' || r > 'z' })
	if i < 0 {
		return text, ""
	}
	return text[:i], strings.TrimSpace(text[i:])
}

// command runs a ':' command.
func (r *repl) command(ctx context.Context, text string) (failed bool) {
	name, rest := cutCommand(text)
	c, err := r.find(name)
	switch {
	case err != nil:
	case c.worker && r.Worker == nil:
		err = problemf("start one:  faust run FILE worker", "':%s' needs a running worker, and this console is attached to none", c.name)
	case c.args == "" && rest != "":
		err = problemf("", "':%s' takes no argument: '%s'", c.name, rest)
	case strings.HasPrefix(c.args, "[") || c.args == "" || rest != "":
		err = c.run(r, ctx, rest)
	default:
		err = problemf("", "':%s' needs %s", c.name, strings.Split(c.args, " ")[0])
	}
	if err == nil {
		return false
	}
	r.complain(err)
	return true
}

// complain shows an error.
func (r *repl) complain(err error) {
	var hint string
	switch e := err.(type) { //nolint:errorlint // none of them is wrapped
	case shown:
		return
	case *problem:
		hint = e.hint
	case *control.Error:
		hint = e.Hint
	}
	fmt.Fprintf(r.Stderr, "error: %s\n", r.visible(err.Error()))
	if hint != "" {
		fmt.Fprintf(r.Stderr, "  = hint: %s\n", hint)
	}
}

// find finds a command by its name or by the beginning of it that no other has.
func (r *repl) find(name string) (*command, error) {
	var found []*command
	var known []string
	for _, c := range commands() {
		known = append(known, c.name)
		if c.name == name {
			return &c, nil
		}
		if strings.HasPrefix(c.name, name) && name != "" {
			found = append(found, &c)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		var names []string
		for _, c := range found {
			names = append(names, ":"+c.name)
		}
		return nil, problemf("", "':%s' could be %s", name, strings.Join(names, ", "))
	case name == "":
		return nil, problemf(":help lists the commands", "a command's name follows ':'")
	}
	hint := ":help lists the commands"
	if r.Suggest != nil {
		if best := r.Suggest(name, known); best != "" {
			hint = "did you mean ':" + best + "'?"
		}
	}
	return nil, problemf(hint, "unknown command ':%s'", name)
}

// help lists the commands, or tells what a name is.
func (r *repl) help(ctx context.Context, rest string) error {
	if rest != "" {
		name := strings.TrimPrefix(rest, ":")
		if c, err := r.find(name); err == nil && (c.name == name && strings.HasPrefix(rest, ":")) {
			r.print(":" + strings.TrimSpace(c.name+" "+c.args) + "\n  " + c.about)
			return nil
		}
		if r.Commands == nil {
			return problemf("", "there is no manual")
		}
		return r.runCommand(ctx, append([]string{"help"}, strings.Fields(rest)...)...)
	}
	var rows [][]string
	for _, c := range commands() {
		rows = append(rows, []string{":" + strings.TrimSpace(c.name+" "+c.args), c.about})
	}
	rows = append(rows, []string{"x?", "what x is, where it was defined, what can be done with it"}, []string{"x??", "its source"},
		[]string{"_  _1 _2 …", "the last values; _err the last error"})
	r.print(r.twoColumns(rows))
	return nil
}

// print writes what the worker or the console itself says.
func (r *repl) print(text string) { fmt.Fprintln(r.Stdout, r.visible(strings.TrimRight(text, "\n"))) }

func (r *repl) visible(text string) string {
	if r.Visible == nil {
		return text
	}
	return r.Visible(text)
}

// form makes a command that shows a value in a form.
func form(name string) func(r *repl, ctx context.Context, rest string) error {
	return func(r *repl, ctx context.Context, rest string) error {
		return r.value(ctx, control.Input{Text: rest, Form: name})
	}
}

func (r *repl) all(ctx context.Context, rest string) error {
	return r.value(ctx, control.Input{Text: rest, Form: r.Form, All: true})
}

// value shows a value; without a text the last one.
func (r *repl) value(ctx context.Context, in control.Input) error {
	if in.Text == "" {
		in.Text = "_"
	}
	in.Last = true
	if r.eval(ctx, in) {
		return shown{}
	}
	return nil
}

// passOn makes a command that the session runs.
func passOn(name string) func(r *repl, ctx context.Context, rest string) error {
	return func(r *repl, ctx context.Context, rest string) error {
		return r.value(ctx, control.Input{Text: strings.TrimSpace(":" + name + " " + rest), Form: r.Form})
	}
}

func (r *repl) write(context.Context, string) error {
	return problemf("send one of them a message", "tables are written by agents only")
}

// completeCommand completes a ':' command and its arguments.
func (r *repl) completeCommand(ctx context.Context, text string) control.Completion {
	name, _, args := strings.Cut(text[1:], " ")
	if !args {
		out := control.Completion{Replace: len(name)}
		for _, c := range commands() {
			if strings.HasPrefix(c.name, name) {
				end := " "
				if c.args == "" {
					end = ""
				}
				out.Candidates = append(out.Candidates, control.Candidate{Text: c.name + end, Kind: "command", Help: c.about})
			}
		}
		return out
	}
	c, err := r.find(name)
	if err != nil {
		return control.Completion{}
	}
	rest := text[len(name)+2:]
	word := rest[strings.LastIndexByte(rest, ' ')+1:]
	out := control.Completion{Replace: len(word), Signature: ":" + c.name + " " + c.args}
	switch {
	case c.offers == "values", c.offers == "targets" && strings.Contains(rest, " "):
		return r.session.Complete(ctx, rest)
	case strings.Contains(rest, " "):
	case c.offers == "agents", c.offers == "tables":
		out.Candidates = r.declared(ctx, c.offers, "", word)
	case c.offers == "targets":
		out.Candidates = append(r.declared(ctx, "topics", "", word), r.declared(ctx, "agents", "@", word)...)
	case c.offers == "names" && r.Commands != nil:
		for _, n := range r.Commands.HelpNames() {
			if n, about, _ := strings.Cut(n, "\t"); strings.HasPrefix(n, word) {
				out.Candidates = append(out.Candidates, control.Candidate{Text: n, Help: about})
			}
		}
	}
	return out
}

// declared gives the names of what the app declared, of a kind, that begin with word once a mark stands before them.
func (r *repl) declared(ctx context.Context, kind, mark, word string) []control.Candidate {
	list := r.session.Complete(ctx, "app."+kind+"['").Candidates
	for i := range list {
		list[i].Text = mark + strings.TrimSuffix(list[i].Text, "']")
	}
	return slices.DeleteFunc(list, func(c control.Candidate) bool { return !strings.HasPrefix(c.Text, word) })
}
