package repl

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rivo/uniseg"

	"faust/luabind/fault"
	"faust/runtime/control"
)

func isJSON(text string) bool { return json.Valid([]byte(text)) }

// status says how the worker is.
func (r *repl) status(ctx context.Context, _ string) error {
	s, err := r.Worker.Status(ctx)
	if err != nil {
		return err
	}
	state := "works"
	switch {
	case s.Stopping:
		state = "stops"
	case !s.Operational:
		state = "starts"
	case len(s.Problems) > 0:
		state = "has problems"
	}
	rows := [][]string{
		{"worker", fmt.Sprintf("%s  %s, pid %d on %s", s.App, state, s.PID, s.Host)},
		{"file", s.File},
		{"up", since(s.Started)},
		{"transport", s.Transport},
		{"web", s.Web},
		{"processed", fmt.Sprintf("%d  %s, failed %d", s.Processed, rate(s.Rate), s.Failed)},
		{"lag", lag(s.Lag, s.LagTime)},
		{"p99", seconds(s.P99)},
	}
	if s.Leader {
		rows = append(rows, []string{"leader", "yes"})
	}
	if s.Unsent > 0 {
		rows = append(rows, []string{"unsent", strconv.Itoa(s.Unsent)})
	}
	for _, p := range s.Problems {
		rows = append(rows, []string{"problem", p})
	}
	r.print(r.twoColumns(rows))
	return nil
}

func since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return time.Since(t).Round(time.Second).String()
}

func rate(x float64) string { return strconv.FormatFloat(x, 'f', 1, 64) + "/s" }

func seconds(x float64) string {
	if x <= 0 {
		return ""
	}
	return time.Duration(x * float64(time.Second)).Round(100 * time.Microsecond).String()
}

func lag(records int64, wait float64) string {
	if records < 0 {
		return "not known"
	}
	text := strconv.FormatInt(records, 10)
	if wait >= 1 {
		text += ", the oldest waits " + (time.Duration(wait) * time.Second).String()
	}
	return text
}

// agents lists them: as they run on the worker, or as they are declared.
func (r *repl) agents(ctx context.Context, _ string) error {
	if r.Worker == nil {
		return r.list(ctx, "agents")
	}
	s, err := r.Worker.Status(ctx)
	if err != nil {
		return err
	}
	rows := [][]string{{"agent", "processed", "failed", "rate", "lag", "state"}}
	for _, a := range s.Agents {
		state := ""
		if a.Paused {
			state = "paused"
		}
		for _, p := range a.Partitions {
			if p.Broken != "" {
				state = fmt.Sprintf("%s/%d stopped: %s", p.Topic, p.ID, p.Broken)
			}
		}
		rows = append(rows, []string{a.Name, strconv.FormatInt(a.Processed, 10), strconv.FormatInt(a.Failed, 10), rate(a.Rate), lag(a.Lag, a.LagTime), state})
	}
	r.print(r.columns(rows, 1, 2, 3, 4))
	return nil
}

// list runs one of the commands that list what is declared.
func (r *repl) list(ctx context.Context, name string) error {
	if err := r.needApp(name); err != nil {
		return err
	}
	return r.runCommand(ctx, name)
}

func (r *repl) topics(ctx context.Context, _ string) error {
	if r.Commands != nil && r.Commands.App() {
		return r.list(ctx, "topics")
	}
	return r.value(ctx, control.Input{Text: "app.topics"})
}

// tasks lists where the tasks of the worker stand, or those that are declared.
func (r *repl) tasks(ctx context.Context, _ string) error {
	if r.Worker == nil {
		return r.list(ctx, "tasks")
	}
	list, err := r.Worker.Tasks(ctx)
	if err != nil {
		return err
	}
	rows := [][]string{{"task", "state", "since", "where", "waits for"}}
	for _, t := range list {
		where := ""
		if len(t.Stack) > 0 {
			where = t.Stack[0]
		}
		rows = append(rows, []string{t.Name, t.State, time.Since(t.Since).Round(time.Millisecond).String(), where, t.What})
	}
	r.print(r.columns(rows, 2))
	return nil
}

// lag lists the partitions.
func (r *repl) lag(ctx context.Context, _ string) error {
	s, err := r.Worker.Status(ctx)
	if err != nil {
		return err
	}
	rows := [][]string{{"agent", "partition", "committed", "end", "lag", "queued", "state"}}
	for _, a := range s.Agents {
		for _, p := range a.Partitions {
			rows = append(rows, []string{a.Name, fmt.Sprintf("%s/%d", p.Topic, p.ID), offset(p.Committed), offset(p.End), lag(p.Lag, p.LagTime),
				strconv.Itoa(p.Queued), p.Broken})
		}
	}
	if len(rows) == 1 {
		r.print("no partitions are assigned to this worker")
		return nil
	}
	r.print(r.columns(rows, 2, 3, 4, 5))
	return nil
}

func offset(n int64) string {
	if n < 0 {
		return "?"
	}
	return strconv.FormatInt(n, 10)
}

// errors lists what went wrong.
func (r *repl) errors(ctx context.Context, rest string) error {
	limit := 10
	if rest != "" {
		n, err := strconv.Atoi(rest)
		if err != nil || n < 1 {
			return problemf("", "':errors' takes a number, not '%s'", rest)
		}
		limit = n
	}
	list, err := r.Worker.Errors(ctx, limit)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		r.print("nothing went wrong")
		return nil
	}
	rows := [][]string{{"no", "count", "last", "in", "error"}}
	for _, f := range list {
		message := f.Message
		if f.Place != "" {
			message = f.Place + ": " + message
		}
		rows = append(rows, []string{strconv.Itoa(f.Number), strconv.FormatInt(f.Count, 10), f.Last.Local().Format("15:04:05"), f.Source, message})
	}
	r.print(r.columns(rows, 0, 1))
	return nil
}

// failure shows one of them.
func (r *repl) failure(ctx context.Context, rest string) error {
	number, err := strconv.Atoi(rest)
	if err != nil {
		return problemf(":errors lists them", "':error' takes the number of an error, not '%s'", rest)
	}
	list, err := r.Worker.Errors(ctx, 0)
	if err != nil {
		return err
	}
	for _, f := range list {
		if f.Number != number {
			continue
		}
		r.print(f.Text)
		rows := [][]string{{"in", f.Source}, {"count", fmt.Sprintf("%d, first %s, last %s", f.Count, f.First.Local().Format(time.DateTime), f.Last.Local().Format(time.DateTime))}}
		if f.Topic != "" {
			rows = append(rows, []string{"message", fmt.Sprintf("%s/%d @ %d", f.Topic, f.Partition, f.Offset)})
		}
		rows = append(rows, []string{"key", f.Key}, []string{"then", f.Action})
		r.print(r.twoColumns(rows))
		return nil
	}
	return problemf(":errors lists them", "there is no error number %d", number)
}

// screen is how wide things may be drawn.
func (r *repl) screen() int {
	if r.Width == nil {
		return 1 << 20
	}
	return max(20, r.Width())
}

// twoColumns writes labelled texts; rows without a text are left out, long ones go on below.
func (r *repl) twoColumns(rows [][]string) string {
	label := 0
	for _, row := range rows {
		if row[1] != "" {
			label = max(label, uniseg.StringWidth(row[0]))
		}
	}
	room := r.screen() - label - 2
	var b strings.Builder
	for _, row := range rows {
		switch {
		case row[1] == "":
		case room < 20: // a narrow screen: the text stands below
			b.WriteString(row[0] + "\n")
			for _, l := range folded(row[1], r.screen()-2) {
				b.WriteString("  " + l + "\n")
			}
		default:
			for i, l := range folded(row[1], room) {
				head := row[0]
				if i > 0 {
					head = ""
				}
				b.WriteString(head + strings.Repeat(" ", label+2-uniseg.StringWidth(head)) + l + "\n")
			}
		}
	}
	return b.String()
}

// folded breaks a text that is too wide; another one keeps its blanks.
func folded(text string, width int) []string {
	if uniseg.StringWidth(text) <= width {
		return []string{text}
	}
	return fault.Fold(text, width)
}

// columns writes a table whose first row has the names of the columns; those in right are numbers. On a screen that is too narrow each row is
// written below the other.
func (r *repl) columns(rows [][]string, right ...int) string {
	widths := make([]int, len(rows[0]))
	used := make([]bool, len(rows[0]))
	for n, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], uniseg.StringWidth(cell))
			used[i] = used[i] || n > 0 && cell != ""
		}
	}
	total := 0
	for i, w := range widths {
		if used[i] {
			total += w + 2
		}
	}
	if total-2 > r.screen() {
		return r.stacked(rows)
	}
	var b strings.Builder
	for _, row := range rows {
		var l strings.Builder
		for i, cell := range row {
			if !used[i] {
				continue
			}
			pad := strings.Repeat(" ", widths[i]-uniseg.StringWidth(cell))
			if isIn(i, right) {
				cell, pad = pad+cell, ""
			}
			l.WriteString(cell + pad + "  ")
		}
		b.WriteString(strings.TrimRight(l.String(), " ") + "\n")
	}
	return b.String()
}

func isIn(i int, list []int) bool {
	for _, x := range list {
		if x == i {
			return true
		}
	}
	return false
}

// stacked writes each row as labelled texts below its first.
func (r *repl) stacked(rows [][]string) string {
	var b strings.Builder
	for _, row := range rows[1:] {
		b.WriteString(row[0] + "\n")
		var inner [][]string
		for i, cell := range row[1:] {
			inner = append(inner, []string{"  " + rows[0][i+1], cell})
		}
		b.WriteString(r.twoColumns(inner))
	}
	return b.String()
}
