package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"faust/luabind/fault"
	"faust/runtime/app"
)

// listCommands show what the app declares. They need no broker.
func (s *session) listCommands() []builtin {
	var topics, config bool
	list := func(use, short string, run func() error) builtin {
		return builtin{group: looking, use: use, short: short, app: true, run: func(context.Context, []string) error { return run() }}
	}
	all := []builtin{
		list("agents", "The agents: what they read, and what becomes of what they cannot process.", s.listAgents),
		list("topics", "The topics, who reads and writes them.", func() error { return s.listTopics(topics) }),
		list("models", "The record types.", s.listModels),
		{group: looking, use: "model NAME", short: "The fields of a record type.", app: true, min: 1, max: 1, complete: modelNames,
			run: func(_ context.Context, args []string) error { return s.showModel(args[0]) }},
		list("tasks", "The tasks, timers and crontabs.", s.listTasks),
		list("pages", "The web pages.", s.listPages),
		list("config", "The settings that are not the default, and where each comes from.", func() error { return s.listConfig(config) }),
	}
	all[1].flags = func(set *pflag.FlagSet) {
		set.BoolVar(&topics, "all", false, "the topics that the runtime makes as well: dead letters, private topics")
	}
	all[len(all)-1].flags = func(set *pflag.FlagSet) {
		set.BoolVar(&config, "all", false, "the settings that have their default as well")
	}
	return all
}

// listed shows rows as a table, or items as JSON.
func listed[T any](s *session, items []T, t *table, row func(T) []string) error {
	if s.globals.json {
		return s.printJSON(items)
	}
	for _, item := range items {
		t.add(row(item)...)
	}
	s.print(t)
	return nil
}

// agentRow is an agent as --json shows it.
type agentRow struct {
	Name        string   `json:"name"`
	Sources     []string `json:"sources"` // topics; a channel's name
	Kind        string   `json:"kind"`    // topic, channel, private
	Sinks       []string `json:"sinks,omitempty"`
	Concurrency int      `json:"concurrency"`
	OnError     string   `json:"on_error"`
	DeadLetters string   `json:"dead_letters,omitempty"`
	Help        string   `json:"help,omitempty"`
	Place       string   `json:"place"`
}

func (s *session) agentRows() []agentRow {
	rows := []agentRow{}
	for _, d := range s.app.script.App.Agents {
		r := agentRow{Name: d.Name, Kind: "topic", Concurrency: d.Concurrency, OnError: d.Policy.String(), DeadLetters: d.DeadLetter.Name,
			Sinks: d.Sinks, Help: d.Help, Place: d.Place, Sources: []string{}}
		for _, t := range d.Topics {
			r.Sources = append(r.Sources, t.Name)
		}
		switch {
		case d.Channel != nil:
			r.Kind, r.Sources = "channel", []string{d.Channel.Name()}
		case d.Private:
			r.Kind = "private"
		}
		rows = append(rows, r)
	}
	return rows
}

func (s *session) listAgents() error {
	t := &table{heads: []string{"AGENT", "READS", "WRITES", "AT ONCE", "ON ERROR", "DECLARED", ""}, empty: "no agents are declared"}
	return listed(s, s.agentRows(), t, func(r agentRow) []string {
		reads := strings.Join(r.Sources, ", ")
		if r.Kind != "topic" {
			reads += " (" + r.Kind + ")"
		}
		at := ""
		if r.Concurrency > 1 {
			at = fmt.Sprint(r.Concurrency)
		}
		return []string{r.Name, reads, strings.Join(r.Sinks, ", "), at, r.OnError, r.Place, firstLine(r.Help)}
	})
}

// topicRow is a topic as --json shows it. Zero fields are the broker's or the app's default.
type topicRow struct {
	Name       string   `json:"name"`
	Key        string   `json:"key"`
	Value      string   `json:"value"`
	Partitions int32    `json:"partitions"`
	Retention  string   `json:"retention,omitempty"`
	Compact    bool     `json:"compact"`
	ReadBy     []string `json:"read_by"`
	WrittenBy  []string `json:"written_by"` // agents that have it as a sink
	Internal   bool     `json:"internal"`
	Help       string   `json:"help,omitempty"`
	Place      string   `json:"place"`
}

func (s *session) topicRows(all bool) []topicRow {
	declared := s.app.script.App
	rows := []topicRow{}
	add := func(t *app.Topic) {
		r := topicRow{Name: t.Name, Key: t.Key, Value: t.Value, Partitions: t.Partitions, Compact: t.Compact, Internal: t.Internal,
			Help: t.Help, Place: t.Place, ReadBy: []string{}, WrittenBy: []string{}}
		switch {
		case t.Retention < 0:
			r.Retention = "for ever"
		case t.Retention > 0:
			r.Retention = app.FormatDuration(t.Retention)
		}
		if r.Partitions == 0 {
			r.Partitions = declared.Settings.TopicPartitions
		}
		for _, a := range s.agentRows() {
			if slices.Contains(a.Sources, t.Name) {
				r.ReadBy = append(r.ReadBy, a.Name)
			}
			if slices.Contains(a.Sinks, t.Name) || a.DeadLetters == t.Name {
				r.WrittenBy = append(r.WrittenBy, a.Name)
			}
		}
		rows = append(rows, r)
	}
	for _, t := range declared.Topics {
		add(t)
	}
	if all {
		for _, t := range declared.Internal {
			add(t)
		}
	}
	return rows
}

func (s *session) listTopics(all bool) error {
	t := &table{heads: []string{"TOPIC", "KEY", "VALUE", "PARTITIONS", "KEPT", "READ BY", "WRITTEN BY", "DECLARED", ""}, empty: "no topics are declared"}
	return listed(s, s.topicRows(all), t, func(r topicRow) []string {
		kept := r.Retention
		if r.Compact {
			kept = strings.TrimPrefix(kept+", compacted", ", ")
		}
		return []string{r.Name, r.Key, r.Value, fmt.Sprint(r.Partitions), kept, strings.Join(r.ReadBy, ", "), strings.Join(r.WrittenBy, ", "), r.Place, firstLine(r.Help)}
	})
}

// modelRow is a record type as --json shows it.
type modelRow struct {
	Name   string     `json:"name"`
	Fields []fieldRow `json:"fields"`
	UsedBy []string   `json:"used_by"` // topics
	Help   string     `json:"help,omitempty"`
	Place  string     `json:"place"`
}

type fieldRow struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Required bool   `json:"required"`
	Default  string `json:"default,omitempty"` // as the script writes it
	Help     string `json:"help,omitempty"`
}

func (s *session) modelRows() []modelRow {
	rows := []modelRow{}
	for _, r := range s.app.script.App.Records {
		m := modelRow{Name: r.Name, Help: r.Help, Place: r.Place, Fields: []fieldRow{}, UsedBy: []string{}}
		for _, f := range r.Fields {
			m.Fields = append(m.Fields, fieldRow{f.Name, f.Type, f.Required, f.Default, f.Help})
		}
		for _, t := range s.app.script.App.Topics {
			if t.Key == r.Name || t.Value == r.Name {
				m.UsedBy = append(m.UsedBy, t.Name)
			}
		}
		rows = append(rows, m)
	}
	return rows
}

func (s *session) listModels() error {
	t := &table{heads: []string{"MODEL", "FIELDS", "USED BY", "DECLARED", ""}, empty: "no record types are declared"}
	return listed(s, s.modelRows(), t, func(r modelRow) []string {
		var names []string
		for _, f := range r.Fields {
			names = append(names, f.Name)
		}
		return []string{r.Name, cut(strings.Join(names, " "), 60), strings.Join(r.UsedBy, ", "), r.Place, firstLine(r.Help)}
	})
}

func (s *session) showModel(name string) error {
	rows := s.modelRows()
	i := slices.IndexFunc(rows, func(r modelRow) bool { return r.Name == name })
	if i < 0 {
		var known []string
		for _, r := range rows {
			known = append(known, r.Name)
		}
		err := usagef("no record type '%s' is declared", name)
		err.hint = fault.DidYouMean(name, known)
		return err
	}
	r := rows[i]
	if s.globals.json {
		return s.printJSON(r)
	}
	fmt.Fprintf(s.Stdout, "%s  %s\n", r.Name, r.Place)
	if r.Help != "" {
		fmt.Fprintln(s.Stdout, strings.TrimSpace(r.Help))
	}
	if len(r.UsedBy) > 0 {
		fmt.Fprintf(s.Stdout, "used by %s\n", strings.Join(r.UsedBy, ", "))
	}
	fmt.Fprintln(s.Stdout)
	t := &table{heads: []string{"FIELD", "TYPE", "", "DEFAULT", ""}}
	for _, f := range r.Fields {
		need := ""
		if f.Required {
			need = "required"
		}
		t.add(f.Name, f.Type, need, f.Default, firstLine(f.Help))
	}
	s.print(t)
	return nil
}

// taskRow is a task, timer or crontab as --json shows it.
type taskRow struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"` // task, timer, crontab
	When     string `json:"when"`
	OnLeader bool   `json:"on_leader"`
	Place    string `json:"place"`
}

func (s *session) taskRows() []taskRow {
	declared := s.app.script.App
	rows := []taskRow{}
	for _, t := range declared.Tasks {
		when := "once, when the worker is ready"
		if t.OnLeader {
			when = "whenever the worker becomes the leader"
		}
		rows = append(rows, taskRow{t.Name, "task", when, t.OnLeader, t.Place})
	}
	for _, t := range declared.Timers {
		r := taskRow{t.Name, "timer", "every " + app.FormatDuration(t.Every), t.OnLeader, t.Place}
		if t.Spec != "" {
			zone := t.Zone
			if zone == nil {
				zone = declared.Settings.Timezone
			}
			r.Kind, r.When = "crontab", t.Spec+" "+zone.String()
		}
		rows = append(rows, r)
	}
	return rows
}

func (s *session) listTasks() error {
	t := &table{heads: []string{"NAME", "KIND", "WHEN", "WHERE", "DECLARED"}, empty: "no tasks, timers or crontabs are declared"}
	return listed(s, s.taskRows(), t, func(r taskRow) []string {
		where := "every worker"
		if r.OnLeader {
			where = "the leader"
		}
		return []string{r.Name, r.Kind, r.When, where, r.Place}
	})
}

// pageRow is a page as --json shows it.
type pageRow struct {
	Methods []string `json:"methods"`
	Path    string   `json:"path"`
	Name    string   `json:"name"`
	Table   string   `json:"table,omitempty"` // whose keys say which worker answers
	Key     string   `json:"key,omitempty"`   // the part of the path that is the key
	Place   string   `json:"place"`
}

func (s *session) listPages() error {
	rows := []pageRow{}
	for _, p := range s.app.script.App.Pages {
		r := pageRow{Methods: p.Methods, Path: p.Pattern, Name: p.Name, Place: p.Place, Table: p.Table, Key: p.Key}
		if len(r.Methods) == 0 {
			r.Methods = []string{"GET"}
		}
		rows = append(rows, r)
	}
	t := &table{heads: []string{"METHODS", "PATH", "NAME", "ROUTED BY", "DECLARED"}, empty: "no pages are declared"}
	return listed(s, rows, t, func(r pageRow) []string {
		name := r.Name
		if name == r.Path || name == strings.Join(r.Methods, ",")+" "+r.Path {
			name = ""
		}
		by := ""
		if r.Table != "" {
			by = r.Table + "[" + r.Key + "]"
		}
		return []string{strings.Join(r.Methods, ","), r.Path, name, by, r.Place}
	})
}

// settingRow is a setting as --json shows it.
type settingRow struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

func (s *session) listConfig(all bool) error {
	rows := []settingRow{}
	for _, v := range s.app.script.App.Settings.Values() {
		if all || v.Origin != app.DefaultOrigin {
			rows = append(rows, settingRow{v.Name, v.Text, string(v.Origin)})
		}
	}
	t := &table{heads: []string{"SETTING", "VALUE", "FROM"}, empty: "every setting has its default; --all shows them"}
	return listed(s, rows, t, func(r settingRow) []string { return []string{r.Name, r.Value, r.Origin} })
}
