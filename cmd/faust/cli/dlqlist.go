package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"faust/luabind/fault"
	"faust/runtime/deadletter"
	"faust/runtime/topic"
)

// letterRow is a dead letter in a list, as --json shows it.
type letterRow struct {
	Number    int             `json:"number"`
	ID        string          `json:"id"`
	Agent     string          `json:"agent"`
	Gone      bool            `json:"gone"` // the script does not have the agent any more
	Topic     string          `json:"topic"`
	Partition int32           `json:"partition"`
	Offset    int64           `json:"offset"`
	Timestamp string          `json:"timestamp"`
	Key       json.RawMessage `json:"key"`
	Error     string          `json:"error"`
	Replays   int             `json:"replays"`

	id  deadletter.ID
	key string // for people
	age time.Duration
}

// letterCount is how many dead letters an agent has with an error.
type letterCount struct {
	Agent string `json:"agent"`
	Gone  bool   `json:"gone"`
	Count int    `json:"count"`
	Error string `json:"error"`
}

// maxCounted is how many different errors are counted apart.
const maxCounted = 1000

// list shows the last n open dead letters, and counts all.
func (b *letterbox) list(ctx context.Context, n int) error {
	rows := []letterRow{}
	total, counts := 0, map[letterCount]int{}
	err := b.each(ctx, func(l *deadletter.Letter) error {
		kind := letterCount{Agent: l.ID.Agent, Gone: b.gone(l.ID.Agent), Error: l.Error}
		if _, known := counts[kind]; !known && len(counts) >= maxCounted {
			kind.Error = "other errors"
		}
		counts[kind]++
		total++
		row, err := b.row(ctx, l)
		if rows = append(rows, row); len(rows) >= 2*n {
			rows = append(rows[:0], rows[n:]...)
		}
		return err
	})
	if err != nil {
		return err
	}
	rows = rows[max(0, len(rows)-n):]
	numbers := make([]deadletter.ID, len(rows))
	for i := range rows {
		rows[i].Number, numbers[i] = i+1, rows[i].id
	}
	if err := b.s.writeNumbers(numbers); err != nil {
		fmt.Fprintf(b.s.Stderr, "warning: the numbers of this list will not be known to the next command: %s\n", cause(err))
	}
	return b.s.showLetters(rows, total, counts)
}

func (b *letterbox) row(ctx context.Context, l *deadletter.Letter) (letterRow, error) {
	t, err := b.target(ctx, l)
	if err != nil {
		return letterRow{}, err
	}
	m := position{l.Record.Topic, l.Record.Partition, l.Record.Offset, timeText(l.Record.Timestamp)}
	row := letterRow{ID: l.ID.String(), Agent: l.ID.Agent, Gone: b.gone(l.ID.Agent), Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, Timestamp: m.Timestamp,
		Error: l.Error, Replays: l.Replays, id: l.ID, age: time.Since(time.UnixMilli(l.Record.Timestamp))}
	text, err := b.s.app.script.JSON(ctx, t, &topic.Record{Key: l.Record.Key})
	if err != nil {
		return row, err
	}
	var message struct{ Key json.RawMessage }
	if json.Unmarshal(text, &message) == nil && message.Key != nil {
		row.Key = message.Key
	} else {
		row.Key = json.RawMessage("null")
	}
	row.key, _, _, err = b.s.app.script.Pretty(ctx, t, &topic.Record{Key: l.Record.Key})
	return row, err
}

func (s *session) showLetters(rows []letterRow, total int, counts map[letterCount]int) error {
	var kinds []letterCount
	for kind, n := range counts {
		kind.Count = n
		kinds = append(kinds, kind)
	}
	slices.SortFunc(kinds, func(a, b letterCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Agent, b.Agent), strings.Compare(a.Error, b.Error))
	})
	if s.globals.json {
		return s.printJSON(map[string]any{"total": total, "counts": append([]letterCount{}, kinds...), "letters": rows})
	}
	t := &table{heads: []string{"N", "AGENT", "AT", "MESSAGE", "KEY", "AGE", "REPLAYS", "ERROR"}, empty: "no dead letters"}
	for _, r := range rows {
		replays := ""
		if r.Replays > 0 {
			replays = fmt.Sprint(r.Replays)
		}
		t.add(fmt.Sprint(r.Number), shownAgent(r.Agent, r.Gone), fmt.Sprintf("%d@%d", r.id.Partition, r.id.Offset), fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset), r.key,
			shownAge(r.age), replays, r.Error)
	}
	s.print(t)
	if total > 1 {
		s.showCounts(kinds, total, len(rows))
	}
	if i := slices.IndexFunc(kinds, func(kind letterCount) bool { return kind.Gone }); i >= 0 && !s.globals.quiet {
		fmt.Fprintf(s.Stderr, "gone: the script has no agent of that name any more; %s dlq replay @%s --to @AGENT sends its messages to another one\n", s.program, kinds[i].Agent)
	}
	return nil
}

// showCounts shows how many dead letters there are of each kind.
func (s *session) showCounts(kinds []letterCount, total, shown int) {
	fmt.Fprintln(s.Stdout)
	if total > shown {
		fmt.Fprintf(s.Stdout, "%s, the last %d are shown\n", plural(total, "dead letter"), shown)
	}
	sums := &table{heads: []string{"COUNT", "AGENT", "ERROR"}}
	for _, kind := range kinds {
		sums.add(fmt.Sprint(kind.Count), shownAgent(kind.Agent, kind.Gone), kind.Error)
	}
	s.print(sums)
}

// shownAgent marks the name of an agent that the script does not have any more.
func shownAgent(name string, gone bool) string {
	if gone {
		return name + " (gone)"
	}
	return name
}

// shownAge writes how long ago something was, in its largest unit.
func shownAge(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(int(d.Seconds()), 0))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// timeText writes a time of a message; "": it has none.
func timeText(ms int64) string {
	if ms < 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// numbersFile is where the numbers of the last list are.
func (s *session) numbersFile() string {
	settings := s.app.script.App.Settings
	return filepath.Join(settings.Datadir, settings.GroupID(), "dead-letters.json")
}

// writeNumbers remembers which dead letters the numbers of a list mean.
func (s *session) writeNumbers(ids []deadletter.ID) error {
	text, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	file := s.numbersFile()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// readNumbers gives them back; nil: there was no list.
func (s *session) readNumbers() []deadletter.ID {
	text, err := os.ReadFile(s.numbersFile())
	if err != nil {
		return nil
	}
	ids := []deadletter.ID{}
	if json.Unmarshal(text, &ids) != nil {
		return nil
	}
	return ids
}

// letterShown is a dead letter as `show --json` shows it.
type letterShown struct {
	ID         string          `json:"id"`
	Agent      string          `json:"agent"`
	Gone       bool            `json:"gone"`
	Open       bool            `json:"open"`
	Error      string          `json:"error"`
	Traceback  string          `json:"traceback"`
	Replays    int             `json:"replays"`
	AppVersion int             `json:"app_version"`
	Message    json.RawMessage `json:"message"` // as tail writes it; null: it was not kept
}

// show shows one dead letter.
func (b *letterbox) show(ctx context.Context) error {
	id := b.ids[0]
	l, err := b.box.Find(ctx, id)
	if errors.Is(err, deadletter.ErrNone) {
		return fmt.Errorf("there is no dead letter %s; perhaps it was dropped, or is too old", id)
	}
	if err != nil {
		return err
	}
	open, err := b.box.Open(ctx, b.ids)
	if err != nil {
		return err
	}
	message, err := b.box.Message(ctx, l)
	if err != nil && !errors.Is(err, deadletter.ErrGone) {
		return err
	}
	if !b.s.globals.json {
		return b.draw(ctx, l, message, open[id])
	}
	out := letterShown{ID: id.String(), Agent: id.Agent, Gone: b.gone(id.Agent), Open: open[id], Error: l.Error, Traceback: l.Traceback, Replays: l.Replays, AppVersion: l.Version}
	if message != nil {
		t, err := b.target(ctx, l)
		if err != nil {
			return err
		}
		if out.Message, err = b.s.app.script.JSON(ctx, t, message); err != nil {
			return err
		}
	}
	return b.s.printJSON(out)
}

// draw shows a letter to a person.
func (b *letterbox) draw(ctx context.Context, l *deadletter.Letter, message *topic.Record, open bool) error {
	t := &table{}
	state := ""
	if !open {
		state = "  (dealt with)"
	}
	t.add("dead letter", l.ID.String()+state)
	if b.gone(l.ID.Agent) {
		t.add("gone", "the script has no agent '"+l.ID.Agent+"' any more")
	}
	what := "message"
	if l.Record.Offset < 0 {
		what = "closing in"
	}
	t.add(what, fmt.Sprintf("%s@%d   %s, %s ago", l.Record.In(), l.Record.Offset, timeText(l.Record.Timestamp), shownAge(time.Since(time.UnixMilli(l.Record.Timestamp)))))
	value := "not kept with the letter, and not in its topic any more"
	if message != nil {
		from, err := b.target(ctx, l)
		if err != nil {
			return err
		}
		key, text, failure, err := b.s.app.script.Pretty(ctx, from, message)
		if err != nil {
			return err
		}
		t.add("key", key)
		for _, h := range message.Headers {
			t.add("header", fmt.Sprintf("%s = %q", h.Key, h.Value))
		}
		if value = text; failure != nil {
			value = "undecodable: " + text
		}
	}
	if l.Replays > 0 {
		t.add("sent back", plural(l.Replays, "time"))
	}
	t.add("app version", fmt.Sprint(l.Version))
	t.add("error", l.Error)
	b.s.print(t)
	fmt.Fprintf(b.s.Stdout, "\n%s\n", value)
	if l.Traceback != "" && l.Traceback != l.Error && b.s.globals.traceback != "none" {
		fmt.Fprintf(b.s.Stdout, "\n%s\n", fault.Visible(l.Traceback))
	}
	return nil
}
