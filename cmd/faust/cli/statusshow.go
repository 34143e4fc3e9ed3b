package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"faust/luabind/fault"
	"faust/runtime/control"
)

// showStatus shows a report: to people as tables, with --json for programs. With watch it takes the place of the one before.
func (s *session) showStatus(r *statusReport, watch, first bool) error {
	switch {
	case s.globals.json && watch:
		e := json.NewEncoder(s.Stdout)
		e.SetEscapeHTML(false)
		return e.Encode(r) // a line each
	case s.globals.json:
		return s.printJSON(r)
	case watch && s.isTerminal(s.Stdout):
		fmt.Fprint(s.Stdout, "\x1b[H\x1b[2J")
	case watch && !first:
		fmt.Fprintln(s.Stdout)
	}
	fmt.Fprintln(s.Stdout, r.headline())
	for _, t := range []*table{r.workerTable(), r.agentTable(), r.topicTable(), r.errorTable()} {
		if len(t.rows) > 0 {
			fmt.Fprintln(s.Stdout)
			s.print(t)
		}
	}
	if problems := r.problems(); len(problems) > 0 {
		fmt.Fprintln(s.Stdout)
		for _, p := range problems {
			fmt.Fprintln(s.Stdout, "problem: "+fault.OneLine(p))
		}
	}
	return nil
}

// headline says what runs: simple: 2 workers run with ./.faust, 1 elsewhere.
func (r *statusReport) headline() string {
	var text string
	switch n := len(r.Workers); n {
	case 0:
		text = "no worker runs with " + shown(r.Datadir)
	case 1:
		text = "1 worker runs with " + shown(r.Datadir)
	default:
		text = fmt.Sprintf("%d workers run with %s", n, shown(r.Datadir))
	}
	if r.App != "" {
		text = r.App + ": " + text
	}
	if n := r.running() - len(r.Workers); n > 0 {
		text += fmt.Sprintf(", %d elsewhere", n)
	}
	if r.asleep {
		text += "; its embedded broker does not run"
	}
	return text
}

// workerTable lists the workers, those elsewhere last.
func (r *statusReport) workerTable() *table {
	t := &table{heads: []string{"APP", "WORKER", "PID", "UP", "STATE", "AGENTS", "COPIES", "EVENTS/S", "LAG", "WAITS", "P99", "PROCESSED", "FAILED", "WEB"}}
	for _, w := range r.Workers {
		if w.Problem != "" {
			continue
		}
		name := ""
		if r.App == "" {
			name = w.App
		}
		running := 0
		for _, a := range w.Agents {
			if !a.Paused {
				running++
			}
		}
		agents := ""
		if len(w.Agents) > 0 {
			agents = fmt.Sprintf("%d/%d", running, len(w.Agents))
		}
		t.add(name, w.Slot, strconv.Itoa(w.PID), shownAge(time.Since(w.Started)), workerState(w), agents, copiesText(w.Copies), rateText(w.Rate), strconv.FormatInt(w.Lag, 10), waitText(w.LagTime),
			tookText(w.P99), strconv.FormatInt(w.Processed, 10), strconv.FormatInt(w.Failed, 10), w.Web)
	}
	if r.Group != nil {
		for _, m := range r.Group.Members {
			has := plural(len(m.Partitions), "partition")
			switch {
			case m.Died != "":
				t.add("", m.Died, "", "", "died, has "+has+" until its session ends", "", "", "", "", "", "", "", "", "")
			case !m.Here:
				t.add("", m.Host, "", "", "elsewhere, "+has, "", "", "", "", "", "", "", "", "")
			}
		}
	}
	return t
}

// copiesText tells of the copies of tables that a worker keeps: 4, 12 behind.
func copiesText(c *control.Copies) string {
	if c == nil {
		return ""
	}
	text := strconv.Itoa(c.Partitions)
	if c.Waiting > 0 {
		text += fmt.Sprintf(", %d wait", c.Waiting)
	}
	if c.Lag > 0 {
		text += fmt.Sprintf(", %d behind", c.Lag)
	}
	return text
}

// workerState is a worker's state in a word or two.
func workerState(w workerReport) string {
	switch {
	case w.Stopping:
		return "stops"
	case !w.Operational:
		return "starts"
	case len(w.Problems) > 0:
		return "not ready"
	case w.Leader:
		return "ready, leads"
	}
	return "ready"
}

// agentTable lists the agents over all workers here.
func (r *statusReport) agentTable() *table {
	t := &table{heads: []string{"APP", "AGENT", "PARTITIONS", "EVENTS/S", "LAG", "WAITS", "P99", "PROCESSED", "FAILED", "STATE"}, empty: "no agents"}
	type sum struct {
		partitions             int
		rate, waits, p99       float64
		lag, processed, failed int64
		paused, stopped        []string // slots
	}
	sums := map[[2]string]*sum{}
	var order [][2]string
	for _, w := range r.Workers {
		for _, a := range w.Agents {
			key := [2]string{"", a.Name}
			if r.App == "" {
				key[0] = w.App
			}
			x := sums[key]
			if x == nil {
				x = &sum{}
				sums[key] = x
				order = append(order, key)
			}
			x.partitions += len(a.Partitions)
			x.rate += a.Rate
			x.lag += a.Lag
			x.processed += a.Processed
			x.failed += a.Failed
			x.waits, x.p99 = max(x.waits, a.LagTime), max(x.p99, a.P99)
			if a.Paused {
				x.paused = append(x.paused, w.Slot)
			}
			if slices.ContainsFunc(a.Partitions, broken) {
				x.stopped = append(x.stopped, w.Slot)
			}
		}
	}
	for _, key := range order {
		x := sums[key]
		var state []string
		if len(x.paused) > 0 {
			state = append(state, "paused on worker "+strings.Join(x.paused, ", "))
		}
		if len(x.stopped) > 0 {
			state = append(state, "stopped by failures on worker "+strings.Join(x.stopped, ", "))
		}
		t.add(key[0], key[1], strconv.Itoa(x.partitions), rateText(x.rate), strconv.FormatInt(x.lag, 10), waitText(x.waits), tookText(x.p99),
			strconv.FormatInt(x.processed, 10), strconv.FormatInt(x.failed, 10), strings.Join(state, "; "))
	}
	return t
}

// topicTable lists how far the group is, as the broker has it.
func (r *statusReport) topicTable() *table {
	t := &table{heads: []string{"TOPIC", "PARTITIONS", "COMMITTED LAG", "WAITS", "NOBODY HAS"}}
	if r.Group == nil {
		return t
	}
	for _, x := range r.Group.Topics {
		free := 0
		for _, p := range x.Partitions {
			if p.Member == "" {
				free++
			}
		}
		nobody := ""
		if free > 0 && len(r.Group.Members) > 0 {
			nobody = plural(free, "partition")
		}
		t.add(x.Topic, strconv.Itoa(len(x.Partitions)), strconv.FormatInt(x.Lag, 10), waitText(x.LagTime), nobody)
	}
	return t
}

// errorTable lists what went wrong, newest first.
func (r *statusReport) errorTable() *table {
	t := &table{heads: []string{"LAST ERRORS", "TIMES", "IN", "ERROR"}, empty: "no errors"}
	var rows []control.Failure
	for _, w := range r.Workers {
		for _, f := range w.Errors {
			if f.Message = firstLine(f.Message); f.Place != "" {
				f.Message = f.Place + ": " + f.Message
			}
			i := slices.IndexFunc(rows, func(x control.Failure) bool { return x.Source == f.Source && x.Message == f.Message })
			if i < 0 {
				rows = append(rows, f)
				continue
			}
			rows[i].Count += f.Count
			if f.Last.After(rows[i].Last) {
				rows[i].Last = f.Last
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b control.Failure) int { return b.Last.Compare(a.Last) })
	for _, f := range rows[:min(len(rows), statusErrors)] {
		t.add(shownAge(time.Since(f.Last))+" ago", strconv.FormatInt(f.Count, 10), f.Source, f.Message)
	}
	return t
}

// problems says what is wrong, and what could not be asked.
func (r *statusReport) problems() (list []string) {
	for _, w := range r.Workers {
		if w.Problem != "" {
			list = append(list, w.Problem)
		}
		for _, p := range w.Problems {
			list = append(list, "worker "+w.Slot+": "+p)
		}
	}
	if r.Broker != "" && !r.asleep {
		list = append(list, "the broker cannot be asked: "+r.Broker)
	}
	return list
}

// broken tells whether deliveries of a partition stopped.
func broken(p control.Partition) bool { return p.Broken != "" }

func rateText(x float64) string { return strconv.FormatFloat(x, 'f', 1, 64) }

// waitText is how long something has waited; "" if it is less than a second.
func waitText(seconds float64) string {
	if seconds < 1 {
		return ""
	}
	return shownAge(time.Duration(seconds * float64(time.Second)))
}

// tookText is how long something takes; "": it is not known.
func tookText(seconds float64) string {
	if seconds <= 0 {
		return ""
	}
	d := time.Duration(seconds * float64(time.Second))
	digits := time.Microsecond / 10
	for d/digits >= 1000 {
		digits *= 10
	}
	return d.Round(digits).String()
}
