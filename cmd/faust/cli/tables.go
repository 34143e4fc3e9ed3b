package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"faust/luabind"
	"faust/luabind/fault"
	"faust/runtime/app"
	"faust/runtime/control"
)

func (s *session) tablesCommand() builtin {
	return builtin{
		group: looking, use: "tables", short: "The tables, who writes them, and which worker has what.", app: true,
		long: `It needs no broker. Of the workers that run with this data directory it is shown which partitions they have.`,
		run:  func(ctx context.Context, _ []string) error { return s.listTables(ctx) },
	}
}

func (s *session) getCommand() builtin {
	return builtin{
		group: looking, use: "get TABLE KEY", short: "What a key of a table has, on whichever worker it is.", app: true, min: 2, max: 2, complete: tableNames,
		long: `It asks the workers that run with this data directory, and by what they say the one that has the key; one on another machine is asked with web_token. KEY is the text of the key, or JSON
if the table's keys are no texts.

On a terminal the value is written as Lua would, otherwise, and with --json, as one line of JSON. The exit code is 1 if the key is not there, without the table's default.`,
		example: "get country_totals NO",
		run:     func(ctx context.Context, args []string) error { return s.runGet(ctx, args[0], args[1]) },
	}
}

func (s *session) scanCommand() builtin {
	var prefix string
	var limit int
	return builtin{
		group: looking, use: "scan TABLE", short: "The keys of a table and what they have, on all workers.", app: true, min: 1, max: 1, complete: tableNames,
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&prefix, "prefix", "", "only keys that begin with `TEXT`")
			set.IntVar(&limit, "limit", 0, "only the first `N`")
			set.Lookup("limit").DefValue = ""
		},
		long: `Partition after partition, each in the order of its keys. On a terminal a line has key and value, otherwise, and with --json, it is an object. If one of the workers cannot be asked, nothing is
shown and the exit code is 1.`,
		example: "scan country_totals\nscan users --prefix a --limit 10",
		run: func(ctx context.Context, args []string) error {
			if limit < 0 {
				return usagef("--limit cannot be '%d': expected a number from 1 on", limit)
			}
			return s.runScan(ctx, args[0], prefix, limit)
		},
	}
}

// tableRow is a table as --json shows it.
type tableRow struct {
	Name      string          `json:"name"`
	Key       string          `json:"key"`
	Value     string          `json:"value"`
	Default   string          `json:"default,omitempty"` // as written
	Scope     string          `json:"scope"`             // key, partition, global
	Windows   *tableWindows   `json:"windows,omitempty"`
	WrittenBy []string        `json:"written_by"`
	Sources   []string        `json:"sources"`
	Changelog string          `json:"changelog"`
	Help      string          `json:"help,omitempty"`
	Place     string          `json:"place"`
	Workers   []tableOnWorker `json:"workers"` // of this data directory
}

// tableWindows are those of a table, in seconds.
type tableWindows struct {
	Time    string  `json:"time"` // event, now or a field
	Size    float64 `json:"size"`
	Step    float64 `json:"step"`
	Grace   float64 `json:"grace"`
	Expires float64 `json:"expires"`
	Idle    float64 `json:"idle"`
}

// tableOnWorker is what a worker has of a table.
type tableOnWorker struct {
	Slot       string  `json:"slot"`
	Partitions []int32 `json:"partitions"`
	Copies     []int32 `json:"copies,omitempty"`
}

func (s *session) listTables(ctx context.Context) error {
	running := s.tablesOfWorkers(ctx)
	rows := []tableRow{}
	for _, d := range s.app.script.App.Tables {
		r := tableRow{Name: d.Name, Key: d.Key, Value: d.Value, Default: d.Default, Scope: "key", WrittenBy: append([]string{}, d.Agents...),
			Sources: append([]string{}, d.Sources...), Changelog: d.Changelog.Name, Help: d.Help, Place: d.Place, Workers: append([]tableOnWorker{}, running[d.Name]...)}
		if d.Anywhere {
			r.Scope = "partition"
		}
		if d.Global {
			r.Scope = "global"
		}
		if w := d.Windows; w != nil {
			r.Windows = &tableWindows{w.Time, w.Size.Seconds(), w.Step.Seconds(), w.Grace.Seconds(), w.Expires.Seconds(), w.Idle.Seconds()}
		}
		rows = append(rows, r)
	}
	t := &table{heads: []string{"TABLE", "KEY", "VALUE", "DEFAULT", "USED BY", "SOURCES", "ON", "DECLARED", ""}, empty: "no tables are declared"}
	return listed(s, rows, t, func(r tableRow) []string {
		key := r.Key
		if r.Scope == "partition" {
			key += ", by partition"
		}
		if r.Scope == "global" {
			key += ", global"
		}
		value := r.Value
		if w := r.Windows; w != nil {
			value += ", " + app.FormatDuration(time.Duration(w.Size*float64(time.Second)))
			if w.Step != w.Size {
				value += " every " + app.FormatDuration(time.Duration(w.Step*float64(time.Second)))
			}
		}
		return []string{r.Name, key, value, cut(r.Default, 20), strings.Join(r.WrittenBy, ", "), strings.Join(r.Sources, ", "), onWorkers(r.Workers), r.Place, firstLine(r.Help)}
	})
}

// onWorkers says which partitions workers have: 0: 0 2, 1: 1 3.
func onWorkers(list []tableOnWorker) string {
	var texts []string
	for _, w := range list {
		text := "worker " + w.Slot + ": " + cmp.Or(partitionsText(w.Partitions), "none")
		if len(w.Copies) > 0 {
			text += " (copies: " + partitionsText(w.Copies) + ")"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

func partitionsText(ids []int32) string {
	var texts []string
	for _, id := range ids {
		texts = append(texts, strconv.Itoa(int(id)))
	}
	return strings.Join(texts, " ")
}

// tablesOfWorkers asks the workers of the data directory which partitions of tables they have. One that does not answer is left out.
func (s *session) tablesOfWorkers(ctx context.Context) map[string][]tableOnWorker {
	settings := s.app.script.App.Settings
	clients, _ := control.Workers(ctx, settings.Datadir, settings.GroupID())
	out := map[string][]tableOnWorker{}
	for _, c := range clients {
		ctx, cancel := context.WithTimeout(ctx, statusPatience)
		all, err := c.Tables(ctx)
		cancel()
		c.Close()
		if err != nil {
			continue
		}
		for _, t := range all.Tables {
			w := tableOnWorker{Slot: filepath.Base(filepath.Dir(c.String())), Partitions: []int32{}}
			for _, p := range t.Partitions {
				if p.Here {
					w.Partitions = append(w.Partitions, p.Partition)
				}
				if p.Copy {
					w.Copies = append(w.Copies, p.Partition)
				}
			}
			out[t.Name] = append(out[t.Name], w)
		}
	}
	return out
}

// finding runs f with what finds partitions through the workers of the data directory.
func (s *session) finding(ctx context.Context, f func(ctx context.Context, finder *control.Finder) error) error {
	settings := s.app.script.App.Settings
	var signals *interrupts
	if s.client == nil { // else the console listens
		var stop func()
		ctx, signals, stop = s.listen(ctx, nil, nil)
		defer stop()
	}
	workers, leave, err := s.workers(ctx, "tables are asked of the workers that have them; start one, or give the --datadir of one that runs")
	if err != nil {
		return err
	}
	defer leave()
	finder := control.NewFinder(control.Lookers(workers), control.Access{Token: settings.WebToken})
	defer finder.Close()
	if err = f(ctx, finder); signals != nil {
		err = ended(err, signals)
	}
	var refused *control.Error
	if errors.As(err, &refused) {
		e := &fault.Error{Code: fault.Connection, Message: refused.Text}
		if refused.Hint != "" {
			e.Hints = []string{refused.Hint}
		}
		return e
	}
	return err
}

func (s *session) runGet(ctx context.Context, name, text string) error {
	kept, err := s.app.script.Kept(name)
	if err != nil {
		return misused(err)
	}
	if kept.Definition.Anywhere {
		e := usagef("table '%s' is local to partitions: a key is another one in each of them", name)
		e.hint = fmt.Sprintf("faust scan %s --prefix KEY  shows them", name)
		return e
	}
	s.quoted("KEY", text, 1)
	key, err := s.app.script.KeptKey(ctx, kept, text)
	if err != nil {
		return misused(err)
	}
	return s.finding(ctx, func(ctx context.Context, finder *control.Finder) error {
		found, err := finder.Get(ctx, name, key)
		switch {
		case err != nil:
			return err
		case !found.Found:
			return &fault.Error{Code: fault.Script, Message: fmt.Sprintf("table '%s' has no key '%s'", name, fault.Cut(text, 60))}
		case kept.Definition.Sets:
			return s.printMembers(ctx, finder, kept, found.Partition, key)
		}
		out, err := s.app.script.KeptValue(ctx, kept, found.Value, s.forPrograms())
		if err == nil {
			_, err = fmt.Fprintln(s.Stdout, out)
		}
		return err
	})
}

// printMembers prints the members of a key: one on each line or, for programs, as a list of JSON.
func (s *session) printMembers(ctx context.Context, finder *control.Finder, kept *luabind.Kept, partition int32, key []byte) error {
	walk, err := finder.Members(ctx, kept.Definition.Name, partition, key)
	if err != nil {
		return err
	}
	before, between, after := "", "\n", "\n"
	if s.forPrograms() {
		before, between, after = "[", ",", "]\n"
	}
	text := before
	for first := true; ; {
		_, pairs, err := walk.Next(ctx)
		if err != nil {
			return err
		}
		if len(pairs) == 0 {
			_, err = io.WriteString(s.Stdout, text+after)
			return err
		}
		for _, p := range pairs {
			out, err := s.app.script.KeptValue(ctx, kept, p.Value, s.forPrograms())
			if err != nil {
				return err
			}
			if !first {
				text += between
			}
			text, first = text+out, false
		}
		if _, err := io.WriteString(s.Stdout, text); err != nil {
			return err
		}
		text = ""
	}
}

// forPrograms tells whether output is JSON.
func (s *session) forPrograms() bool { return s.globals.json || !s.isTerminal(s.Stdout) }

func (s *session) runScan(ctx context.Context, name, prefix string, limit int) error {
	kept, err := s.app.script.Kept(name)
	if err != nil {
		return misused(err)
	}
	begin, err := s.app.script.KeptPrefix(kept, prefix)
	if err != nil {
		return misused(err)
	}
	return s.finding(ctx, func(ctx context.Context, finder *control.Finder) error {
		walk, err := finder.Walk(ctx, control.Slicing{Table: name, Prefix: begin})
		if err == nil {
			err = s.printAll(ctx, kept, walk, limit)
		}
		return err
	})
}

// printAll prints the pairs of a walk, at most limit; 0: all.
func (s *session) printAll(ctx context.Context, kept *luabind.Kept, walk *control.Walk, limit int) error {
	for {
		partition, pairs, err := walk.Next(ctx)
		if err != nil || len(pairs) == 0 {
			return err
		}
		for _, p := range pairs {
			if err := s.printPair(ctx, kept, partition, p); err != nil {
				return err
			}
			if limit--; limit == 0 {
				return nil
			}
		}
	}
}

func (s *session) printPair(ctx context.Context, kept *luabind.Kept, partition int32, p control.Pair) error {
	line, err := s.app.script.KeptPair(ctx, kept, partition, p.Key, p.Value, s.forPrograms())
	if err == nil {
		_, err = fmt.Fprintln(s.Stdout, line)
	}
	return err
}

// tableNames are the tables of the app.
func tableNames(s *session, args []string) []string {
	if len(args) > 0 || s.app == nil {
		return nil
	}
	var names []string
	for _, t := range s.app.script.App.Tables {
		names = append(names, named(t.Name, t.Help))
	}
	return names
}
